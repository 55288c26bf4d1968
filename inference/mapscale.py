# SPDX-License-Identifier: GPL-2.0-or-later
"""How large a pixel is on the ellipsoid, all over a grid: areas and lengths without a transform per vertex.

The scale of a map projection changes smoothly. It is worked out on a lattice of places (from its first
derivatives there) and interpolated between them: at 100 km across, to some 10⁻⁸ of an area.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .geodesic import EQUATORIAL_RADIUS, FLATTENING
from .grid import Grid

Float64 = npt.NDArray[np.float64]
LonLat = Callable[[list[float], list[float]], tuple[list[float], list[float]]]
"""Map coordinates to degrees on WGS 84, infinite where there are none."""

CELLS = 96
"""Cells of the lattice along each axis at most."""
STEP = 0.05
"""Pixels to either side that derivatives are taken over: small for pixels of a degree, large beside the
rounding of degrees for pixels of a centimetre."""


class MapScale:
    """Metres and square metres per pixel anywhere on a grid; places are (columns, rows) in pixels."""

    def __init__(self, grid: Grid, lonlat: LonLat) -> None:
        cells = [max(1, min(CELLS, n)) for n in grid.size]
        self._steps = grid.width / cells[0], grid.height / cells[1]
        across = np.arange(cells[0] + 1) * self._steps[0]
        down = np.arange(cells[1] + 1) * self._steps[1]
        col, row = (axis.ravel() for axis in np.meshgrid(across, down))
        shape = (cells[1] + 1, cells[0] + 1)
        east, north = _derivatives(grid, lonlat, col, row)
        (ux, vx), (uy, vy) = east, north
        fields = (np.abs(ux * vy - vx * uy), ux**2 + uy**2, ux * vx + uy * vy, vx**2 + vy**2)
        self._area, *self._metric = (field.reshape(shape) for field in fields)

    def area(self, col: Float64, row: Float64) -> Float64:
        """Square metres of a pixel at some places; NaN where the map has no image on the Earth."""
        return self._at(self._area, *self._cell(col, row))

    def length(self, x0: Float64, y0: Float64, x1: Float64, y1: Float64) -> Float64:
        """Metres of straight lines between places."""
        cell = self._cell((x0 + x1) / 2, (y0 + y1) / 2)
        e, f, g = (self._at(field, *cell) for field in self._metric)
        dx, dy = x1 - x0, y1 - y0
        return np.asarray(np.sqrt(e * dx * dx + 2 * f * dx * dy + g * dy * dy))

    def _cell(self, col: Float64, row: Float64) -> tuple[npt.NDArray[np.int64], Float64, Float64]:
        """Flat number of the cell's first corner, and the shares of the way across and down."""
        high, wide = self._area.shape
        x, y = np.asarray(col) / self._steps[0], np.asarray(row) / self._steps[1]
        i = np.clip(x.astype(np.int64), 0, wide - 2)
        j = np.clip(y.astype(np.int64), 0, high - 2)
        return j * wide + i, x - i, y - j

    def _at(self, field: Float64, corner: npt.NDArray[np.int64], s: Float64, t: Float64) -> Float64:
        wide, flat = field.shape[1], field.ravel()
        upper = flat[corner] * (1 - s) + flat[corner + 1] * s
        lower = flat[corner + wide] * (1 - s) + flat[corner + wide + 1] * s
        return np.asarray(upper * (1 - t) + lower * t)


def _derivatives(
    grid: Grid, lonlat: LonLat, col: Float64, row: Float64
) -> tuple[tuple[Float64, Float64], tuple[Float64, Float64]]:
    """Metres east, then north, per pixel to the right and per pixel down."""
    places = [(col - STEP, row), (col + STEP, row), (col, row - STEP), (col, row + STEP)]
    t = grid.transform
    x = np.concatenate([t.a * c + t.b * r + t.c for c, r in places])
    y = np.concatenate([t.d * c + t.e * r + t.f for c, r in places])
    lons, lats = lonlat(x.tolist(), y.tolist())
    with np.errstate(invalid="ignore"):
        lon = np.asarray(lons, np.float64).reshape(4, -1)
        lat = np.asarray(lats, np.float64).reshape(4, -1)
        lon[~np.isfinite(lon)] = np.nan
        lat[~np.isfinite(lat)] = np.nan
        turn = np.radians(np.remainder(lon[[1, 3]] - lon[[0, 2]] + 180, 360) - 180) / (2 * STEP)
        rise = np.radians(lat[[1, 3]] - lat[[0, 2]]) / (2 * STEP)
        phi = np.radians(lat.mean(axis=0))
        # Radii of curvature of the ellipsoid in the prime vertical and in the meridian.
        squeeze = FLATTENING * (2 - FLATTENING)
        w = 1 - squeeze * np.sin(phi) ** 2
        prime, meridian = EQUATORIAL_RADIUS / np.sqrt(w), EQUATORIAL_RADIUS * (1 - squeeze) / w**1.5
    return tuple(turn * prime * np.cos(phi)), tuple(rise * meridian)
