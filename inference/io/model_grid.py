# SPDX-License-Identifier: GPL-2.0-or-later
"""The grid on which a model runs: the input's own where it fits, else UTM or polar stereographic.

The rules are contracts.md's ("Grids"); ground sample distances come from the pack.
"""

from __future__ import annotations

import math
from typing import Optional

from ..errors import ExtentError, SourceError
from ..grid import Affine, Grid
from ..types import BBox, Size, Window
from .base import Geo

GSD_TOLERANCE = 0.01
"""Part by which a pixel may differ from the model's and still count as its own."""

SCALE_TOLERANCE = 0.02
"""Part by which map metres may differ from ground metres in a CRS that is kept. UTM stays under 0.002
in its zone and its neighbours' borders; Web Mercator passes it 11 degrees from the equator."""

ZONE = 6.0
HALF_ZONE = 3.0
WIDEST = ZONE + 2 * HALF_ZONE
"""Degrees of longitude that one zone may serve: its own width plus half a zone on each side."""

EDGE = 1e-6
"""Pixels by which an extent may miss a pixel's border and still be taken as on it."""

WGS84 = "EPSG:4326"
MEAN_RADIUS = 6371008.8
"""Metres; IUGG mean radius of the Earth. Only for judging scale to a percent."""


def model_grids(
    scene_grid: Grid,
    gsd: float,
    geo: Geo,
    extent: Optional[BBox] = None,
    extent_crs: Optional[str] = None,
) -> list[Grid]:
    """The grids that together cover an extent (all of the scene, when None) at ``gsd`` metres.

    One, unless the extent is too wide for one UTM zone or crosses the antimeridian. Raises ExtentError
    where the extent misses the scene, SourceError where the scene cannot be placed.
    """
    crs = extent_crs and geo.parse_crs(extent_crs)
    if _keeps_crs(scene_grid, geo):
        return [_own_crs(scene_grid, gsd, geo, extent, crs)]
    box = _common(scene_grid, scene_grid.crs, geo, extent, crs)
    lonlat = _lonlat(box, scene_grid.crs, geo)
    return [_zone_grid(part, zone, box, scene_grid, gsd, geo) for part, zone in _split(lonlat)]


def _ground_scale(grid: Grid, geo: Geo) -> Optional[tuple[float, float]]:
    """Map metres per ground metre along x and y at the grid's centre; None for CRSs not in metres."""
    unit = geo.metres_per_unit(grid.crs)
    if unit is None or abs(unit - 1) > 1e-9:
        return None
    x, y = grid.transform.apply(grid.width / 2, grid.height / 2)
    step = 1000.0
    lon, lat = geo.transform(grid.crs, geo.parse_crs(WGS84), [x, x + step, x], [y, y, y + step])
    if not all(map(math.isfinite, [*lon, *lat])):
        return None

    def ground(i: int) -> float:
        dx = math.radians(lon[i] - lon[0]) * math.cos(math.radians((lat[i] + lat[0]) / 2))
        return MEAN_RADIUS * math.hypot(dx, math.radians(lat[i] - lat[0]))

    return step / max(ground(1), 1e-9), step / max(ground(2), 1e-9)


def _keeps_crs(grid: Grid, geo: Geo) -> bool:
    scale = _ground_scale(grid, geo)
    return scale is not None and all(abs(s - 1) <= SCALE_TOLERANCE for s in scale)


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= GSD_TOLERANCE * b


def _missed(grid: Grid, geo: Geo) -> ExtentError:
    box = " ".join(f"{v:.10g}" for v in grid.bounds)
    return ExtentError(
        f"The extent lies outside the layer, which covers {box} "
        f"(xmin ymin xmax ymax, {geo.crs_name(grid.crs)})."
    )


def _common(grid: Grid, crs: str, geo: Geo, extent: Optional[BBox], extent_crs: Optional[str]) -> BBox:
    """The part of the extent inside the layer, in the layer's CRS. Raises ExtentError."""
    bounds = grid.bounds
    if extent is None:
        return bounds
    if not all(map(math.isfinite, extent)) or extent.xmin >= extent.xmax or extent.ymin >= extent.ymax:
        raise ExtentError(
            "The extent is empty: it must be xmin ymin xmax ymax, with xmin < xmax and ymin < ymax."
        )
    same = extent_crs is None or geo.same_crs(extent_crs, crs)
    box = extent if same else geo.transform_bounds(extent, str(extent_crs), crs)
    if geo.metres_per_unit(crs) is None:
        box = _turned(box, bounds)
    left, right = max(box.xmin, bounds.xmin), min(box.xmax, bounds.xmax)
    low, high = max(box.ymin, bounds.ymin), min(box.ymax, bounds.ymax)
    if left >= right or low >= high:
        raise _missed(grid, geo)
    return BBox(left, low, right, high)


def _turned(box: BBox, bounds: BBox) -> BBox:
    """A box in degrees moved by whole turns towards the layer's (0-360 against ±180)."""
    turns = round(((bounds.xmin + bounds.xmax) - (box.xmin + box.xmax)) / 2 / 360)
    return BBox(box.xmin + 360 * turns, box.ymin, box.xmax + 360 * turns, box.ymax)


def _own_crs(grid: Grid, gsd: float, geo: Geo, extent: Optional[BBox], extent_crs: Optional[str]) -> Grid:
    """A grid in the input's CRS: its own pixels where they have the model's size, else whole multiples."""
    t = grid.transform
    width, height = grid.resolution
    square = t.b == 0 and t.d == 0
    if square and _close(width, gsd) and _close(height, gsd):
        own = _north_up(grid)
        if extent is None:
            return own
        box = _common(grid, grid.crs, geo, extent, extent_crs)
        return own.crop(_snap(own, box))
    box = _common(grid, grid.crs, geo, extent, extent_crs)
    return _fresh(grid.crs, box, gsd)


def _north_up(grid: Grid) -> Grid:
    """The same pixels, counted from the north-west."""
    t = grid.transform
    if t.is_north_up:
        return grid
    c = t.c if t.a > 0 else t.c + t.a * grid.width
    f = t.f if t.e < 0 else t.f + t.e * grid.height
    return Grid(grid.crs, Affine(abs(t.a), 0.0, c, 0.0, -abs(t.e), f), grid.size)


def _snap(grid: Grid, box: BBox) -> Window:
    """The grid's pixels that a box inside it touches."""
    left, top = grid.transform.invert(box.xmin, box.ymax)
    right, bottom = grid.transform.invert(box.xmax, box.ymin)
    c0, r0 = max(0, math.floor(left + EDGE)), max(0, math.floor(top + EDGE))
    c1, r1 = min(grid.width, math.ceil(right - EDGE)), min(grid.height, math.ceil(bottom - EDGE))
    c0, r0 = min(c0, grid.width - 1), min(r0, grid.height - 1)
    return Window(c0, r0, max(1, c1 - c0), max(1, r1 - r0))


def _fresh(crs: str, box: BBox, gsd: float) -> Grid:
    """A north-up grid around a box whose pixel borders are whole multiples of the pixel size."""
    left, right = math.floor(box.xmin / gsd + EDGE), math.ceil(box.xmax / gsd - EDGE)
    low, high = math.floor(box.ymin / gsd + EDGE), math.ceil(box.ymax / gsd - EDGE)
    size = Size(max(1, right - left), max(1, high - low))
    return Grid(crs, Affine(gsd, 0.0, left * gsd, 0.0, -gsd, high * gsd), size)


def _lonlat(box: BBox, crs: str, geo: Geo) -> BBox:
    """A box in degrees; xmax may exceed 180 where it crosses the antimeridian."""
    if geo.same_crs(crs, geo.parse_crs(WGS84)):
        return box
    steps = [i / 20 for i in range(21)]
    xs = [box.xmin + s * (box.xmax - box.xmin) for s in steps for _ in steps]
    ys = [box.ymin + s * (box.ymax - box.ymin) for _ in steps for s in steps]
    lons, lats = geo.transform(crs, geo.parse_crs(WGS84), xs, ys)
    points = [(x, y) for x, y in zip(lons, lats) if math.isfinite(x) and math.isfinite(y)]
    if not points:
        raise SourceError("The layer's extent does not exist on Earth in its CRS; check the CRS.")
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    plain = [p[0] for p in points]
    turned = [x % 360 for x in plain]
    # The shorter way round is the one that the box takes.
    best = plain if max(plain) - min(plain) <= max(turned) - min(turned) else turned
    return BBox(min(best), low, max(best), high)


def _zone(lon: float) -> int:
    """UTM zone of a longitude, counted on beyond 60 where it exceeds 180."""
    return math.floor((lon + 180) / ZONE) + 1


def _split(box: BBox) -> list[tuple[BBox, Optional[int]]]:
    """Boxes in degrees with their zones; None stands for polar stereographic."""
    middle = (box.ymin + box.ymax) / 2
    if middle > 84 or middle < -80:
        return [(box, None)]
    centre = (box.xmin + box.xmax) / 2
    crosses = box.xmin < 180 < box.xmax or box.xmin < -180 < box.xmax
    if box.xmax - box.xmin <= WIDEST and not crosses:
        return [(box, _zone(centre))]
    first, last = _zone(box.xmin), _zone(math.nextafter(box.xmax, -math.inf))
    parts: list[tuple[BBox, Optional[int]]] = []
    for zone in range(first, last + 1):
        west = -180 + (zone - 1) * ZONE
        left, right = max(box.xmin, west), min(box.xmax, west + ZONE)
        if right > left:
            parts.append((BBox(left, box.ymin, right, box.ymax), zone))
    return parts


def _zone_crs(zone: Optional[int], lat: float, geo: Geo) -> str:
    if zone is None:
        return geo.parse_crs("EPSG:32661" if lat > 0 else "EPSG:32761")
    number = (zone - 1) % 60 + 1
    return geo.parse_crs(f"EPSG:{(32600 if lat >= 0 else 32700) + number}")


def _zone_grid(part: BBox, zone: Optional[int], box: BBox, scene: Grid, gsd: float, geo: Geo) -> Grid:
    """The grid of one part, around the layer's extent as it lies in the part's zone."""
    crs = _zone_crs(zone, (part.ymin + part.ymax) / 2, geo)
    own = geo.metres_per_unit(scene.crs) is None and geo.same_crs(scene.crs, geo.parse_crs(WGS84))
    if own or zone is None or part != _lonlat(box, scene.crs, geo):
        target = geo.transform_bounds(part, geo.parse_crs(WGS84), crs)
    else:
        # Unsplit: straight from the layer's CRS, which fits tighter than by way of degrees.
        target = geo.transform_bounds(box, scene.crs, crs)
    return _fresh(crs, target, gsd)
