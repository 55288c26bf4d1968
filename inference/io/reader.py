# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading bands on a grid: straight from the file where pixels coincide, else through a warp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..grid import Grid
from ..types import Size, Window
from .base import Float32, Mask, Reader

ALIGNED = 1e-3
"""Largest distance, in pixels over the whole target, at which two pixel grids count as the same."""


class Dataset(Protocol):
    """An open raster of one library."""

    size: Size

    def read(self, window: Window) -> Float32:
        """All bands of a window that lies inside, (bands, h, w) float32. Raises SourceError."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


def pixel_offset(source: Grid, target: Grid) -> tuple[int, int] | None:
    """(col, row) of the target's first pixel in the source, or None where their pixels differ.

    CRSs are not compared. The target may stick out of the source.
    """
    corners = [(c, r) for c in (0, target.width) for r in (0, target.height)]
    col, row = source.transform.invert(*target.transform.apply(0, 0))
    start = (round(col), round(row))
    for c, r in corners:
        x, y = source.transform.invert(*target.transform.apply(c, r))
        if abs(x - start[0] - c) > ALIGNED or abs(y - start[1] - r) > ALIGNED:
            return None
    return start


class CropReader:
    """Reads a dataset whose pixels are the grid's own, shifted by whole pixels: values untouched."""

    def __init__(self, dataset: Dataset, grid: Grid, count: int, offset: tuple[int, int]) -> None:
        self.grid = grid
        self._dataset = dataset
        self._count = count
        self._offset = offset

    def read(self, window: Window) -> tuple[Float32, Mask]:
        """See Reader; pixels outside the dataset are invalid."""
        values = np.full((self._count, window.height, window.width), np.nan, dtype=np.float32)
        col, row = window.col + self._offset[0], window.row + self._offset[1]
        inside = Window(col, row, window.width, window.height).intersection(Window(0, 0, *self._dataset.size))
        if inside is not None:
            at = Window(inside.col - col, inside.row - row, inside.width, inside.height)
            values[(slice(None), *at.slices)] = self._dataset.read(inside)
        return values, ~np.isnan(values)

    def close(self) -> None:
        """Release the file."""
        self._dataset.close()


class WarpReader:
    """Reads a warped dataset. A pixel is valid where the source pixel under its centre is.

    The warper alone would let valid neighbours bleed half a source pixel into a hole; ``nearest``,
    the same warp by nearest neighbour, says where the hole really begins.
    """

    def __init__(self, warped: CropReader, nearest: CropReader | None) -> None:
        self.grid = warped.grid
        self._warped = warped
        self._nearest = nearest

    def read(self, window: Window) -> tuple[Float32, Mask]:
        """See Reader."""
        values, valid = self._warped.read(window)
        if self._nearest is not None:
            valid &= self._nearest.read(window)[1]
            values[~valid] = np.nan
        return values, valid

    def close(self) -> None:
        """Release the files."""
        self._warped.close()
        if self._nearest is not None:
            self._nearest.close()


def axis_aligned(grid: Grid) -> bool:
    """Whether rows and columns run along the map's axes, in whichever direction."""
    return grid.transform.b == 0 and grid.transform.d == 0


def _positions(first: float, step: float, start: int, count: int) -> npt.NDArray[np.float64]:
    """Source pixel positions (0 = centre of pixel 0) of ``count`` target pixel centres."""
    return first + (start + np.arange(count) + 0.5) * step - 0.5


class LinearReader:
    """Interpolates between pixels of a dataset in the target's CRS, both along the map's axes.

    The same values as the warper's bilinear kernel when not shrinking, an order of magnitude faster:
    this is how Sentinel-2's 20 and 60 m bands come to 10 m. Invalid neighbours are left out of the
    mean, and a pixel is valid where the source pixel under its centre is.
    """

    def __init__(self, dataset: Dataset, source: Grid, grid: Grid, count: int, *, nearest: bool) -> None:
        self.grid = grid
        self._pixels = CropReader(dataset, source, count, (0, 0))
        self._size = dataset.size
        self._nearest = nearest
        col, row = source.transform.invert(*grid.transform.apply(0, 0))
        self._first = col, row
        self._step = grid.transform.a / source.transform.a, grid.transform.e / source.transform.e

    def read(self, window: Window) -> tuple[Float32, Mask]:
        """See Reader."""
        cols = _positions(self._first[0], self._step[0], window.col, window.width)
        rows = _positions(self._first[1], self._step[1], window.row, window.height)
        left, top = int(np.floor(cols.min())), int(np.floor(rows.min()))
        size = int(np.floor(cols.max())) + 2 - left, int(np.floor(rows.max())) + 2 - top
        values, valid = self._pixels.read(Window(left, top, *size))
        cols, rows = cols - left, rows - top
        # A centre on the border of two pixels belongs to the second one, as in the warper.
        near = np.floor(rows + 0.5 + 1e-9).astype(int)[:, None], np.floor(cols + 0.5 + 1e-9).astype(int)
        inside: Mask = valid[(slice(None), *near)]
        if self._nearest:
            return values[(slice(None), *near)], inside
        result = (
            _blend(_blend(values, cols, 2), rows, 1)
            if valid.all()
            else _blend_valid(values, valid, rows, cols)
        )
        result[~inside] = np.nan
        return result, inside

    def close(self) -> None:
        """Release the file."""
        self._pixels.close()


def _blend(values: Float32, positions: npt.NDArray[np.float64], axis: int) -> Float32:
    """Linear interpolation along one axis."""
    low = np.floor(positions).astype(int)
    shape = (-1, 1) if axis == 1 else (1, -1)
    weight = (positions - low).astype(np.float32).reshape(shape)
    result: Float32 = values.take(low, axis=axis)
    result += weight * (values.take(low + 1, axis=axis) - result)
    return result


def _blend_valid(
    values: Float32, valid: Mask, rows: npt.NDArray[np.float64], cols: npt.NDArray[np.float64]
) -> Float32:
    """Linear interpolation of the valid pixels alone, their weights scaled to a sum of one."""
    known = np.where(valid, values, np.float32(0))
    total = _blend(_blend(known, cols, 2), rows, 1)
    weight = _blend(_blend(valid.astype(np.float32), cols, 2), rows, 1)
    result: Float32 = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
    return result


class StackReader:
    """Several readers on one grid as one; ``places`` holds each reader's bands in the result."""

    def __init__(self, readers: Sequence[Reader], places: Sequence[Sequence[int]], grid: Grid) -> None:
        self.grid = grid
        self._readers = list(readers)
        self._places = [list(p) for p in places]

    def read(self, window: Window) -> tuple[Float32, Mask]:
        """See Reader."""
        shape = (sum(len(p) for p in self._places), window.height, window.width)
        values, valid = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.bool_)
        for reader, place in zip(self._readers, self._places):
            values[place], valid[place] = reader.read(window)
        return values, valid

    def close(self) -> None:
        """Release all files."""
        for reader in self._readers:
            reader.close()
