# SPDX-License-Identifier: GPL-2.0-or-later
"""Two rasters on one grid: the part of the first one's pixels that the second one covers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ExtentError
from ..grid import Grid
from ..io.base import Geo
from ..mapscale import MapScale
from ..types import BBox, Window

EDGE = 1e-6
"""Pixels that are rounding, not extent."""


def common_grid(first: Grid, second: Grid, geo: Geo) -> Grid:
    """The first grid, cut down to the box around what both cover. Raises ExtentError where that is nothing."""
    box = second.bounds
    if not geo.same_crs(first.crs, second.crs):
        box = geo.transform_bounds(box, second.crs, first.crs)
    if geo.metres_per_unit(first.crs) is None:
        box = _turned(box, first.bounds)
    corners = [first.transform.invert(x, y) for x in (box.xmin, box.xmax) for y in (box.ymin, box.ymax)]
    cols, rows = [col for col, _ in corners], [row for _, row in corners]
    left, top = math.floor(min(cols) + EDGE), math.floor(min(rows) + EDGE)
    right, bottom = math.ceil(max(cols) - EDGE), math.ceil(max(rows) - EDGE)
    window = Window(left, top, right - left, bottom - top).intersection(first.window)
    if window is None:
        raise ExtentError(
            "The two rasters do not overlap, so there is nothing to compare; check that both show the same "
            "place and have the right CRS."
        )
    return first if window == first.window else first.crop(window)


def _turned(box: BBox, bounds: BBox) -> BBox:
    """A box in degrees moved by whole turns towards another one (0-360 against ±180)."""
    turns = round(((bounds.xmin + bounds.xmax) - (box.xmin + box.xmax)) / 2 / 360)
    return BBox(box.xmin + 360 * turns, box.ymin, box.xmax + 360 * turns, box.ymax)


def ground_pixel(grid: Grid, geo: Geo) -> float:
    """Metres to a pixel's side in the middle of a grid; NaN where the map has no image on the Earth."""
    middle: Any = np.array([grid.width / 2]), np.array([grid.height / 2])
    return float(np.sqrt(map_scale(grid, geo).area(*middle)[0]))


def map_scale(grid: Grid, geo: Geo) -> MapScale:
    """How large pixels of a grid are on the ellipsoid."""
    return MapScale(grid, lambda x, y: geo.transform(grid.crs, geo.parse_crs("EPSG:4326"), x, y))
