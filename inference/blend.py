# SPDX-License-Identifier: GPL-2.0-or-later
"""Overlapping tiles to one seamless raster, row strip by row strip.

Every tile weighs 1 in its middle and fades out where a neighbour overlaps it. The fades of two neighbours
add up to 1, along each axis by itself, and so do the products of the two axes. Sums are divided by the
weights that really arrived: a tile that was skipped leaves no dent.

Memory is one row of tiles, whatever the scene's height.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .tiling import Tile, TilePlan
from .types import Window

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RAMPS = ("cosine", "linear")


class Strip(NamedTuple):
    """Finished rows of a raster."""

    window: Window
    values: Float32
    """(bands, h, w) float32; 0 where no tile was fed."""
    covered: Mask
    """(h, w): where at least one tile was fed."""


def ramp(length: int, kind: str = "cosine") -> Float64:
    """Rising weights (length,) strictly between 0 and 1, sampled at pixel centres.

    A ramp and its mirror image sum to 1. "cosine" is sin², smooth at both ends.
    """
    x = (np.arange(length) + 0.5) / max(length, 1)
    if kind == "cosine":
        return np.asarray(np.sin(0.5 * np.pi * x) ** 2, dtype=np.float64)
    if kind == "linear":
        return np.asarray(x, dtype=np.float64)
    raise ValueError(f"unknown ramp {kind!r}; known are {', '.join(RAMPS)}")


def axis_weights(starts: tuple[int, ...], tile: int, length: int, kind: str = "cosine") -> Float32:
    """Weights (tiles, tile) along one axis, float32, that sum to 1 at each of its ``length`` pixels.

    The last tile may overlap its neighbour by more than the others, and then even the one before that;
    dividing by the sum keeps 1 there too.
    """
    weights = np.ones((len(starts), tile), np.float64)
    for i in range(len(starts) - 1):
        overlap = starts[i] + tile - starts[i + 1]
        rising = ramp(overlap, kind)
        weights[i, tile - overlap :] *= rising[::-1]
        weights[i + 1, :overlap] *= rising
    total = np.zeros(max(length, starts[-1] + tile), np.float64)
    for start, weight in zip(starts, weights):
        total[start : start + tile] += weight
    for start, weight in zip(starts, weights):
        weight /= total[start : start + tile]
    return weights.astype(np.float32)


class RowBlender:
    """Takes tiles row by row, gives strips that no later tile can change.

    ::

        for row in range(len(plan.rows)):
            for tile in plan.row_tiles(row):
                blender.feed(tile, values)
            strip = blender.finish_row()
    """

    def __init__(self, plan: TilePlan, bands: int, *, ramp: str = "cosine") -> None:
        self._plan = plan
        self._row = 0
        width = max(plan.size.width, plan.tile)
        self._sum = np.zeros((bands, plan.tile, width), np.float32)
        self._weight = np.zeros((plan.tile, width), np.float32)
        self._down = axis_weights(plan.rows, plan.tile, plan.size.height, ramp)
        self._across = axis_weights(plan.cols, plan.tile, plan.size.width, ramp)

    def feed(self, tile: Tile, values: npt.NDArray[Any]) -> None:
        """Add a tile of the current row, (bands, tile, tile). Tiles may come in any order, or not at all."""
        if tile.row != self._row:
            raise ValueError(f"a tile of row {tile.row} came while row {self._row} was open")
        weight = self._down[tile.row][:, None] * self._across[tile.col][None, :]
        columns = slice(tile.window.col, tile.window.col + self._plan.tile)
        self._sum[:, :, columns] += values * weight
        self._weight[:, columns] += weight

    def finish_row(self) -> Strip:
        """Close the current row of tiles and return the rows that are final now."""
        window = self._plan.finished(self._row)
        rows, columns = slice(0, window.height), slice(0, window.width)
        weight = self._weight[rows, columns]
        covered = weight > 0
        values = np.divide(
            self._sum[:, rows, columns],
            weight,
            out=np.zeros((len(self._sum), window.height, window.width), np.float32),
            where=covered,
        )
        self._row += 1
        if self._row < len(self._plan.rows):
            _shift_up(self._sum, window.height)
            _shift_up(self._weight, window.height)
        return Strip(window, values, covered)


def _shift_up(buffer: Float32, rows: int) -> None:
    """Move (…, h, w) up by some rows in place, and fill with zeros from below."""
    buffer[..., : buffer.shape[-2] - rows, :] = buffer[..., rows:, :]
    buffer[..., buffer.shape[-2] - rows :, :] = 0


def classes_of(probabilities: Float32, valid: Mask) -> npt.NDArray[np.uint8]:
    """Blended class probabilities (classes, h, w) to class numbers (h, w) uint8.

    Class 0 means "no data" and is never chosen where the input is valid; elsewhere it always is.
    """
    best = np.argmax(probabilities[1:], axis=0).astype(np.uint8) + np.uint8(1)
    return np.where(valid, best, np.uint8(0)).astype(np.uint8)
