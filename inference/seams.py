# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left between levelled tiles, faded out along their borders.

One offset per tile cannot make all neighbours agree: a model that sees a hill from two sides draws it
differently, and around every corner where tiles meet the differences need not add up to zero. What remains
between two tiles once their levels are solved is shared half and half, rises over the outer quarter of each
tile and is full where they overlap. The inner half of every tile keeps its relief to the last digit, and
the mean difference over each overlap vanishes; blending then has nothing but texture left to blend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .levels import Edges, Float32, Float64, Mask
from .tiling import TilePlan

INNER = 0.75
"""Where the fade towards a neighbour begins, as a part of the tile's side: the middle half stays as it is."""

_ROUNDS = 30  # of the fixed point below, which gains a digit in two or three


@dataclass(frozen=True)
class Correction:
    """What to add to the tiles of a plan before they are blended."""

    offsets: Float64
    """(tiles,) metres."""
    across: Float32
    """(tiles, T): by column, to the left and right borders."""
    down: Float32
    """(tiles, T): by row, to the upper and lower borders."""

    def apply(self, tile: int, values: Float32) -> Float32:
        """Values (…, T, T) of a tile, corrected."""
        border = self.across[tile][None, :] + self.down[tile][:, None]
        result: Float32 = values + (np.float32(self.offsets[tile]) + border)
        return result

    def plus(self, other: Correction) -> Correction:
        """Both corrections together."""
        return Correction(self.offsets + other.offsets, self.across + other.across, self.down + other.down)


def fade(tile: int, overlap: int) -> Float64:
    """Weights (tile,) that rise towards the far border: 0 inside, 1 from the middle of the overlap on."""
    end = tile - overlap / 2
    begin = min(INNER * tile, end - tile / 8)
    x = np.clip((np.arange(tile) + 0.5 - begin) / (end - begin), 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def correction(plan: TilePlan, edges: Edges, offsets: Float64) -> Correction:
    """The levels and, where direct neighbours still differ, the fades that close the gap.

    Pairs that overlap by more than half a tile are left to the blending, which fades as slowly.
    """
    shape = (len(plan.rows), len(plan.cols))
    gaps = np.zeros((2, *shape))  # of each tile to its right and lower neighbour
    left = edges.difference + offsets[edges.a] - offsets[edges.b]
    sign = np.where(edges.a < edges.b, 1, -1)
    first, second = np.minimum(edges.a, edges.b), np.maximum(edges.a, edges.b)
    known = np.zeros((2, *shape), np.bool_)
    for axis, step in enumerate((1, shape[1])):
        direct = second - first == step
        if axis == 0:
            direct &= first % shape[1] != shape[1] - 1
        gaps[axis].ravel()[first[direct]] = (left * sign)[direct]
        known[axis].ravel()[first[direct]] = True
    across, down = _Axis(plan.cols, plan.tile), _Axis(plan.rows, plan.tile)
    known[0] &= across.narrow[None, :]
    known[1] &= down.narrow[:, None]
    right, below = _amplitudes(gaps, known, across, down)
    sideways = across.borders(right.T).transpose(1, 0, 2).reshape(len(offsets), -1)
    vertical = down.borders(below).reshape(len(offsets), -1)
    return Correction(offsets, sideways.astype(np.float32), vertical.astype(np.float32))


def _amplitudes(gaps: Float64, known: Mask, across: _Axis, down: _Axis) -> tuple[Float64, Float64]:
    """How much each pair's fades amount to, (2, rows, cols): what makes every mean difference vanish.

    The fades of a tile's upper and lower borders also touch its overlap with the right neighbour, at the
    ends, and the other way round; so the two are found in turns.
    """
    right, below = np.zeros(gaps[0].shape), np.zeros(gaps[1].shape)
    for _ in range(_ROUNDS):
        by_row, by_col = down.means(below), across.means(right.T).T
        # A tile's fades raise its side of the gap to the right by its own mean less the neighbour's.
        right = known[0] * (gaps[0] - np.diff(by_row, axis=1, append=0)) / across.full[None, :]
        below = known[1] * (gaps[1] - np.diff(by_col, axis=0, append=0)) / down.full[:, None]
    return right, below


class _Axis:
    """Fades along one axis: tile i and the next one, for all i."""

    def __init__(self, starts: tuple[int, ...], tile: int) -> None:
        overlaps: list[int]
        overlaps = [starts[i] + tile - starts[i + 1] for i in range(len(starts) - 1)] + [0]
        self.fades: Float64 = np.stack([fade(tile, max(overlap, 0)) for overlap in overlaps])
        """(tiles, T) towards the next one; the last row is not used."""
        self.narrow = np.array([0 < overlap <= tile / 2 for overlap in overlaps])
        self.full: Float64 = np.array(
            [rising[tile - o :].mean() if o > 0 else 1.0 for rising, o in zip(self.fades, overlaps)]
        )
        """(tiles,): mean of the fade over the overlap."""

    def borders(self, amplitudes: Float64) -> Float64:
        """Per pair (tiles, n), given to both sides by halves: what each tile gets, (tiles, n, T)."""
        towards = -amplitudes[:, :, None] / 2 * self.fades[:, None, :]
        back = np.zeros_like(towards)
        back[1:] = amplitudes[:-1, :, None] / 2 * self.fades[:-1, None, ::-1]
        return np.asarray(towards + back, np.float64)

    def means(self, amplitudes: Float64) -> Float64:
        """The mean of ``borders`` over each tile, (tiles, n)."""
        share = amplitudes / 2 * self.fades.mean(axis=1)[:, None]
        back: Float64 = np.zeros(share.shape)
        back[1:] = share[:-1]
        return np.asarray(back - share)
