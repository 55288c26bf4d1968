# SPDX-License-Identifier: GPL-2.0-or-later
"""Regions from GeoJSON, in any CRS."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from terrane.inference.errors import ExtentError
from terrane.inference.grid import Affine, Grid
from terrane.inference.io.rasterio_geo import RasterioGeo
from terrane.inference.tasks.region import RegionMask, bounds_of, parse_geojson, transform_polygons
from terrane.inference.types import BBox, Size, Window

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE = [[1, 1], [2, 1], [2, 2], [1, 1]]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE, HOLE]}
MULTI = {
    "type": "MultiPolygon",
    "coordinates": [[SQUARE], [[[9, 9, 5.0], [8, 9, 5.0], [8, 8, 5.0], [9, 9, 5.0]]]],
}


@pytest.mark.parametrize(
    ("document", "count"),
    [
        (POLYGON, 1),
        (MULTI, 2),
        ({"type": "Feature", "properties": None, "geometry": POLYGON}, 1),
        (
            {
                "type": "GeometryCollection",
                "geometries": [POLYGON, {"type": "Point", "coordinates": [0, 0]}, MULTI],
            },
            3,
        ),
        (
            {
                "type": "FeatureCollection",
                "features": [
                    {"type": "Feature", "properties": {}, "geometry": MULTI},
                    {"type": "Feature", "properties": {}, "geometry": None},
                ],
            },
            2,
        ),
    ],
)
def test_polygons_are_found_in_every_kind(document: dict[str, Any], count: int) -> None:
    polygons, crs = parse_geojson(json.dumps(document))
    assert (len(polygons), crs) == (count, "EPSG:4326")
    assert polygons[0][0] == [tuple(map(float, p)) for p in SQUARE]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"),
        ("urn:ogc:def:crs:EPSG::32632", "EPSG:32632"),
        ("EPSG:3857", "EPSG:3857"),
        ("", "EPSG:4326"),
    ],
)
def test_the_old_crs_member_counts(name: str, expected: str) -> None:
    document = {**POLYGON, "crs": {"type": "name", "properties": {"name": name}}}
    assert parse_geojson(json.dumps(document))[1] == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "null",
        '{"type": "Polygon"}',
        '{"type": "Polygon", "coordinates": 4}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, NaN], [0, 0]]]}',
        '{"type": "Polygon", "coordinates": []}',
        '{"type": "Point", "coordinates": [0, 0]}',
        '{"type": "FeatureCollection", "features": []}',
    ],
)
def test_what_holds_no_polygon_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ExtentError, match=r"The region .*\."):
        parse_geojson(text)


def test_bounds() -> None:
    assert bounds_of(parse_geojson(json.dumps(MULTI))[0]) == BBox(0, 0, 9, 9)
    with pytest.raises(ExtentError):
        bounds_of([])


def test_long_edges_follow_the_curve() -> None:
    geo = RasterioGeo()
    wgs84, utm = geo.parse_crs("EPSG:4326"), geo.parse_crs("EPSG:32632")
    box = [[(6.0, 50.0), (12.0, 50.0), (12.0, 51.0), (6.0, 51.0), (6.0, 50.0)]]
    assert transform_polygons([box], wgs84, wgs84, geo) == [box]
    ring = transform_polygons([box], wgs84, utm, geo)[0][0]
    assert ring[0] == ring[-1]
    south = [y for x, y in ring if y < 5_600_000]
    # The parallel sags about 8 km in the middle of the zone against the straight line between its ends.
    assert max(south) - min(south) > 7000


def test_a_region_beyond_the_crs_is_refused() -> None:
    geo = RasterioGeo()
    ring = [(0.0, 95.0), (1.0, 95.0), (1.0, 96.0), (0.0, 95.0)]
    with pytest.raises(ExtentError, match="cannot be placed"):
        transform_polygons([[ring]], geo.parse_crs("EPSG:4326"), geo.parse_crs("EPSG:32632"), geo)


def test_the_mask_clips_validity() -> None:
    geo = RasterioGeo()
    grid = Grid(geo.parse_crs("EPSG:32632"), Affine(1, 0, 0, 0, -1, 4), Size(6, 4))
    valid = np.ones((2, 6), bool)
    valid[0, 0] = False
    window = Window(0, 0, 6, 2)
    everywhere = RegionMask(None, None, grid, geo)
    assert everywhere.clip(valid, window) is valid
    polygons = [[[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0)]]]
    clipped = RegionMask(polygons, grid.crs, grid, geo).clip(valid, window)
    assert clipped.tolist() == [[False, True, True, True, False, False], [True] * 4 + [False] * 2]
