# SPDX-License-Identifier: GPL-2.0-or-later
"""Which square tiles cover a raster: pure geometry, no I/O, no model.

Tiles are laid out in rows. The first starts at pixel 0, the next one ``stride`` further, and the last is
flush with the far edge, so that every tile lies inside the scene and overlaps its neighbours by at least
``tile - stride`` pixels. A scene that is smaller than a tile gets one tile that sticks out to the right
and below; whoever reads it pads by reflection (``reflected``).

The plan depends on size, tile and stride alone. So do batches: tiles are dealt out in fixed groups within
their row, and a tile that turns out to be empty leaves its group without moving others into it. What a
tile yields can therefore never depend on which other rows were run, resumed or skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .types import Size, Window


@dataclass(frozen=True)
class Tile:
    """One tile: its number in the plan, its place in rows and columns of tiles, and its pixels."""

    index: int
    row: int
    col: int
    window: Window
    """Always ``tile`` × ``tile`` pixels; sticks out of a scene that is smaller than that."""


@dataclass(frozen=True)
class TilePlan:
    """All tiles of a scene, as the first pixel of each tile row and tile column."""

    size: Size
    tile: int
    stride: int
    rows: tuple[int, ...]
    cols: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.cols)

    def __iter__(self) -> Iterator[Tile]:
        for row in range(len(self.rows)):
            yield from self.row_tiles(row)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """All tiles, row by row. Iterate over the plan itself where they need not exist at once."""
        return tuple(self)

    def row_tiles(self, row: int) -> tuple[Tile, ...]:
        """The tiles of one row, left to right."""
        first = row * len(self.cols)
        return tuple(
            Tile(first + col, row, col, Window(x, self.rows[row], self.tile, self.tile))
            for col, x in enumerate(self.cols)
        )

    def strip(self, row: int) -> Window:
        """The part of the scene under a row of tiles: all columns, at most ``tile`` rows."""
        top = self.rows[row]
        return Window(0, top, self.size.width, min(self.tile, self.size.height - top))

    def fresh(self, row: int) -> Window:
        """The rows of ``strip(row)`` that no earlier strip held: what a reader has to read anew."""
        strip = self.strip(row)
        seen = 0 if row == 0 else self.rows[row - 1] + self.tile
        top = max(strip.row, seen)
        return Window(0, top, strip.width, strip.row + strip.height - top)

    def finished(self, row: int) -> Window:
        """The rows that no later row of tiles touches, and that no earlier row had finished."""
        top = self.rows[row]
        last = row + 1 == len(self.rows)
        bottom = self.size.height if last else self.rows[row + 1]
        return Window(0, top, self.size.width, bottom - top)

    def batches(self, row: int, size: int) -> Iterator[tuple[Tile, ...]]:
        """The tiles of a row in groups of at most ``size``; see the module's text on why they are fixed."""
        if size < 1:
            raise ValueError(f"a batch holds at least one tile, not {size}")
        tiles = self.row_tiles(row)
        for first in range(0, len(tiles), size):
            yield tiles[first : first + size]

    def __str__(self) -> str:
        return f"tile {self.tile} stride {self.stride} rows {len(self.rows)} cols {len(self.cols)}"


def plan(size: Size, tile: int, stride: int) -> TilePlan:
    """Lay tiles over a scene. ``0 < stride <= tile``, or neighbours would leave gaps (ValueError)."""
    if size.width < 1 or size.height < 1:
        raise ValueError(f"a scene has at least one pixel, not {size.width} × {size.height}")
    if not 0 < stride <= tile:
        raise ValueError(f"the stride must be between 1 and the tile's {tile} pixels, not {stride}")
    rows = _starts(size.height, tile, stride)
    return TilePlan(size, tile, stride, rows, _starts(size.width, tile, stride))


def _starts(length: int, tile: int, stride: int) -> tuple[int, ...]:
    """First pixels of the tiles along one axis: multiples of the stride, the last flush with the end."""
    if length <= tile:
        return (0,)
    last = length - tile
    return (*range(0, last, stride), last)


def reflected(array: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Extend (…, h, w) to (…, height, width) on the right and below, mirrored at the edge pixel.

    Mirrors again and again where the array is much smaller than asked; one pixel repeats itself.
    Returns the array itself when it already has that size.
    """
    h, w = array.shape[-2:]
    if (h, w) == (height, width):
        return array
    return array[..., _mirror(h, height)[:, None], _mirror(w, width)[None, :]]


def _mirror(length: int, wanted: int) -> npt.NDArray[np.intp]:
    """Indices 0 1 2 … n-1 … 2 1 0 1 2 …: as numpy's "reflect" padding, for any length."""
    if length == 1:
        return np.zeros(wanted, np.intp)
    period = 2 * (length - 1)
    phase = np.arange(wanted) % period
    return np.minimum(phase, period - phase).astype(np.intp)


def filled(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(bands, h, w) with holes (NaN in any band) filled from the nearest pixel of their row, or of their
    column where the whole row is a hole.

    Models see whole tiles. A flat filling draws an edge along the border of the data, which they take for
    something on the ground (a fringe of "built area" was seen). A tile without a valid pixel stays as it is.
    """
    holes = np.isnan(values).any(axis=0)
    if not holes.any() or holes.all():
        return values
    empty = holes.all(axis=1)
    source_col = _nearest(~holes)
    source_row = _nearest(~empty[None])[0]
    return np.asarray(values[:, source_row[:, None], source_col[source_row]])


def _nearest(good: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """For each place of each row, the index of the nearest good place (the left one of two; 0 if none)."""
    index = np.arange(good.shape[1])
    left = np.maximum.accumulate(np.where(good, index, -good.shape[1] * 2), axis=1)
    right = np.minimum.accumulate(np.where(good, index, good.shape[1] * 4)[:, ::-1], axis=1)[:, ::-1]
    nearest = np.where(index - left <= right - index, left, right)
    return np.where(good.any(axis=1, keepdims=True), nearest, 0)
