# SPDX-License-Identifier: GPL-2.0-or-later
"""Regions: polygons from GeoJSON, and polygons to a mask on a grid."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import ExtentError
from ..grid import Grid
from ..io.base import Geo, Mask
from ..types import BBox, Window
from .request import Polygons

GEOJSON_CRS = "EPSG:4326"
"""RFC 7946: longitude and latitude, unless the older "crs" member says otherwise."""

PIECES = 16
"""A straight edge in one CRS is a curve in another: edges are cut into this many pieces."""


def parse_geojson(text: str) -> tuple[Polygons, str]:
    """All polygons of a GeoJSON text, and their CRS. Raises ExtentError when there is none."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ExtentError(f"The region is not valid GeoJSON ({error}).") from error
    try:
        polygons = _polygons(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ExtentError("The region is not valid GeoJSON: its coordinates cannot be read.") from error
    if not polygons:
        raise ExtentError("The region holds no polygon. Give a GeoJSON file with polygons.")
    return polygons, _crs_of(document)


def _polygons(node: Mapping[str, Any]) -> list[list[list[tuple[float, float]]]]:
    kind = node["type"]
    if kind == "FeatureCollection":
        return [p for feature in node["features"] for p in _polygons(feature)]
    if kind == "Feature":
        return _polygons(node["geometry"]) if node["geometry"] is not None else []
    if kind == "GeometryCollection":
        return [p for geometry in node["geometries"] for p in _polygons(geometry)]
    if kind == "Polygon":
        return [_rings(node["coordinates"])]
    if kind == "MultiPolygon":
        return [_rings(rings) for rings in node["coordinates"]]
    return []


def _rings(coordinates: Any) -> list[list[tuple[float, float]]]:
    rings = [[(float(x), float(y)) for x, y, *_ in ring] for ring in coordinates]
    if not rings or any(len(ring) < 4 for ring in rings):
        raise ValueError("a ring has at least four positions")
    if not all(math.isfinite(v) for ring in rings for point in ring for v in point):
        raise ValueError("coordinates are finite")
    return rings


def _crs_of(document: Mapping[str, Any]) -> str:
    """The "crs" member of GeoJSON's 2008 version, which QGIS and ogr2ogr still write."""
    crs: Any = document.get("crs")
    if not isinstance(crs, dict):
        return GEOJSON_CRS
    name = str(crs.get("properties", {}).get("name", ""))
    if "CRS84" in name:
        return GEOJSON_CRS
    if name.startswith("urn:ogc:def:crs:EPSG:"):
        return f"EPSG:{name.rsplit(':', 1)[-1]}"
    return name or GEOJSON_CRS


def bounds_of(polygons: Polygons) -> BBox:
    """The box around all polygons. Raises ExtentError when there are none."""
    xs = [x for rings in polygons for ring in rings for x, _ in ring]
    ys = [y for rings in polygons for ring in rings for _, y in ring]
    if not xs:
        raise ExtentError("The region holds no polygon.")
    return BBox(min(xs), min(ys), max(xs), max(ys))


def transform_polygons(polygons: Polygons, src: str, dst: str, geo: Geo) -> Polygons:
    """Polygons in another CRS, edges followed closely. Raises ExtentError where that is undefined."""
    if geo.same_crs(src, dst):
        return polygons
    return [[_transform_ring(ring, src, dst, geo) for ring in rings] for rings in polygons]


def _transform_ring(ring: Any, src: str, dst: str, geo: Geo) -> list[tuple[float, float]]:
    xs, ys = [], []
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]]):
        steps = PIECES if (x0, y0) != (x1, y1) else 1
        xs += [x0 + (x1 - x0) * i / steps for i in range(steps)]
        ys += [y0 + (y1 - y0) * i / steps for i in range(steps)]
    tx, ty = geo.transform(src, dst, xs, ys)
    if not all(map(math.isfinite, (*tx, *ty))):
        raise ExtentError(f"The region cannot be placed in {geo.crs_name(dst)}.")
    return list(zip(tx, ty))


class RegionMask:
    """Polygons on one grid, rasterized window by window; None is everywhere."""

    def __init__(self, region: Optional[Polygons], crs: Optional[str], grid: Grid, geo: Geo) -> None:
        self._geo, self._grid = geo, grid
        self._polygons = region
        if region is not None and crs is not None:
            self._polygons = transform_polygons(region, crs, grid.crs, geo)

    def clip(self, valid: Mask, window: Window) -> Mask:
        """``valid`` (h, w) where a pixel's centre is inside the region, False elsewhere."""
        if self._polygons is None:
            return valid
        return valid & self._geo.rasterize(self._polygons, self._grid, window)
