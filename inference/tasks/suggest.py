# SPDX-License-Identifier: GPL-2.0-or-later
"""Where to mark next: the places that a classifier is least sure of, spread out over the map."""

from __future__ import annotations

import math
from contextlib import closing
from typing import Optional

import numpy as np
import numpy.typing as npt

from ..grid import Grid
from ..io import wkb
from ..io.base import BandRef, Features, Geo
from ..types import Cancel, Window

MOST = 100
_MOST_CELLS = 4_000_000
_BESIDE = 1.5
"""Cells: further than a diagonal neighbour, nearer than the next but one."""

Float64 = npt.NDArray[np.float64]


def suggest(
    uncertainty: str,
    geo: Geo,
    count: int,
    *,
    cell: int,
    taken: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] = (np.zeros(0, np.int64),) * 2,
    cancel: Optional[Cancel] = None,
) -> Features:
    """At most ``count`` points with rank (from 1) and score (mean uncertainty around them, 0 to 1).

    The map is looked at in cells of ``cell`` × ``cell`` pixels, so that mixed pixels along edges count less
    than areas. No two points are closer than half the side that each would have if ``count``
    squares shared the map, and none lies in or beside the cell of a place of ``taken`` (rows, columns).
    Raises Cancelled.
    """
    info = geo.describe(uncertainty)
    grid = info.grid
    if grid is None:
        raise ValueError(f"{uncertainty} has no place on the map")
    cell = max(cell, math.ceil(math.sqrt(grid.width * grid.height / _MOST_CELLS)))
    means = cell_means(uncertainty, grid, cell, geo, cancel)
    apart = max(2.0, 0.5 * math.sqrt(means.size / max(count, 1)))
    free = np.where(np.isfinite(means), means, -1.0)
    for row, col in zip(*taken):
        _clear(free, int(row) // cell, int(col) // cell, _BESIDE)
    shapes: list[bytes] = []
    scores: list[float] = []
    while len(shapes) < count:
        row, col = divmod(int(free.argmax()), free.shape[1])
        score = float(free[row, col])
        if score <= 0:
            break
        x = min((col + 0.5) * cell, grid.width - 0.5)
        y = min((row + 0.5) * cell, grid.height - 0.5)
        shapes.append(wkb.point(*grid.transform.apply(x, y)))
        scores.append(score)
        _clear(free, row, col, apart)
    columns = {"rank": np.arange(1, len(shapes) + 1, dtype=np.int64), "score": np.array(scores, np.float64)}
    return Features(grid.crs, "Point", shapes, columns)


def cell_means(path: str, grid: Grid, cell: int, geo: Geo, cancel: Optional[Cancel] = None) -> Float64:
    """Mean of a raster's valid pixels in cells, NaN where fewer than half of a cell's are valid."""
    rows, cols = -(-grid.height // cell), -(-grid.width // cell)
    means = np.full((rows, cols), np.nan)
    with closing(geo.reader([BandRef(path)], grid)) as reader:
        for row in range(rows):
            if cancel is not None:
                cancel.raise_if_set()
            height = min(cell, grid.height - row * cell)
            values, valid = reader.read(Window(0, row * cell, grid.width, height))
            padded = np.zeros((2, height, cols * cell))
            padded[0, :, : grid.width] = np.where(valid[0], values[0], 0)
            padded[1, :, : grid.width] = valid[0]
            total, known = padded.reshape(2, height, cols, cell).sum(axis=(1, 3))
            enough = known * 2 >= height * np.minimum(cell, grid.width - np.arange(cols) * cell)
            np.divide(total, known, out=means[row], where=enough & (known > 0))
    return means


def _clear(free: Float64, row: int, col: int, apart: float) -> None:
    """Take away what lies closer than ``apart`` cells to one."""
    reach = math.ceil(apart)
    top, left = max(0, row - reach), max(0, col - reach)
    some = free[top : row + reach + 1, left : col + reach + 1]
    y, x = np.ogrid[top : top + some.shape[0], left : left + some.shape[1]]
    some[(y - row) ** 2 + (x - col) ** 2 < apart**2] = -1.0
