# SPDX-License-Identifier: GPL-2.0-or-later
"""One level for a mosaic of tiles that each have their own: least squares on the graph of overlaps.

A model that sees one tile at a time knows its relief much better than its height above the sea: side by
side, its tiles make a patchwork. Where two tiles overlap, the mean difference between them says how far
their levels are apart. An offset per tile that makes all differences vanish as far as possible is a least
squares problem on the graph whose nodes are tiles and whose edges are overlaps; a constant added to all
tiles of a connected part changes nothing, so levels stay relative unless heights known from elsewhere
(anchors) tie them down.

Everything is robust: a pair is compared by a mean that ignores its extreme pixels, and pairs or anchors
that contradict the rest lose their weight (iteratively re-weighted least squares).

Where nothing is known from elsewhere, a small bias of the model, a slope that it puts into every tile, would
add up to a ramp across the scene. How much the overlaps contradict each other is seen from closed loops of
them, how much the tiles' own levels differ from the solved ones from the solution; the levels that are kept
weigh both: neighbours agree with each other, and over long distances the model's own levels prevail. With
overlaps as good as the patchwork is bad, which is what this is for, the second hardly counts.
Numpy alone; several thousand tiles take a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
import numpy.typing as npt

from .tiling import Tile, TilePlan

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TRIM = 0.25
"""Part of the differences left out at either end: the interquartile mean, 84 % as efficient as the mean on
normal noise, and indifferent to a quarter of wild pixels on each side."""

CORRELATED = 256
"""Neighbouring pixels whose errors count as one: a patch of 16 × 16, which a model makes as a whole."""

ANCHOR_STD = 0.5
"""Metres by which a coarse DEM's mean over a tile is taken to be off. The Copernicus DEM promises a relative
vertical accuracy of 2 m from point to point (90 %, slopes up to 20 %; Product Handbook), that is 1.2 m of
standard deviation; the mean over a square kilometre is better."""

_LEAST_WEIGHT = 1e-5  # of an outlier, so that nothing comes loose
_ROUNDS = 40
_COOLING = 0.5  # at most so fast does the estimate of the scatter fall
_CLOSE = 1e-3  # metres: when re-weighting changes less than this, it is done
_PRECISION = 1e-7  # of conjugate gradients, relative


class Edges(NamedTuple):
    """Overlaps of pairs of tiles, as columns of equal length."""

    a: Ints
    b: Ints
    difference: Float64
    """Robust mean of tile a minus tile b over the valid pixels they share, metres."""
    weight: Float64
    """One over the variance of the difference, 1/m²; what counts are the ratios, and those to anchors."""


class Anchors(NamedTuple):
    """Tiles whose level is known from elsewhere, as columns of equal length."""

    tile: Ints
    difference: Float64
    """Mean of the tile minus the known heights over the same pixels, metres."""
    weight: Float64
    """One over the variance of the difference, 1/m²."""


class Solution(NamedTuple):
    """What to add to each tile."""

    offsets: Float64
    """(tiles,) metres."""
    part: Ints
    """(tiles,): which connected part a tile belongs to, counted from 0 in the order of the tiles."""
    tied: Mask
    """(tiles,): whether its part has an anchor; the others' levels are relative."""


def trimmed_mean(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Interquartile mean of (n,) values, and a robust standard deviation of one of them.

    The second comes from the range of the middle half, which spans 1.349 standard deviations of a normal
    distribution.
    """
    cut = int(len(values) * TRIM)
    ordered = np.partition(values.astype(np.float64), (cut, len(values) - 1 - cut))
    middle = ordered[cut : len(values) - cut]
    return float(middle.mean()), float(ordered[len(values) - 1 - cut] - ordered[cut]) / 1.349


class Overlaps:
    """Gathers edges from tiles that come row by row, holding no more rows than overlap.

    ::

        overlaps = Overlaps(plan)
        for row in range(len(plan.rows)):
            overlaps.feed_row(row, {tile.index: values, …}, valid)
        edges = overlaps.edges()
    """

    def __init__(self, plan: TilePlan) -> None:
        self._plan = plan
        self._rows: dict[int, dict[int, Float32]] = {}
        self._found: list[tuple[int, int, float, float, int]] = []

    def feed_row(self, row: int, tiles: Mapping[int, Float32], valid: Mask) -> None:
        """Compare the tiles of one row among themselves and with those of the rows above.

        tiles: (T, T) float32 per tile number, NaN where a tile has no value; tiles that do not exist are
        left out. valid: (T, width), the scene's valid pixels under this row of tiles, the scene's last rows
        perhaps missing. Rows come in order.
        """
        top = self._plan.rows[row]
        for above in [r for r in self._rows if self._plan.rows[r] + self._plan.tile <= top]:
            del self._rows[above]
        places = {tile.index: tile for tile in self._plan.row_tiles(row)}
        for index, values in tiles.items():
            mine = places[index]
            for other_row, others in (*self._rows.items(), (row, tiles)):
                for other in self._plan.row_tiles(other_row):
                    if other.index in others and (other_row < row or other.col < mine.col):
                        self._compare(other, others[other.index], mine, values, valid)
        self._rows[row] = dict(tiles)

    def _compare(self, a: Tile, first: Float32, b: Tile, second: Float32, valid: Mask) -> None:
        """Add the edge of a pair; ``b`` is of the row whose ``valid`` it is, ``a`` of this or one above."""
        tile = self._plan.tile
        left, right = max(a.window.col, b.window.col), min(a.window.col, b.window.col) + tile
        top, bottom = b.window.row, min(a.window.row + tile, b.window.row + len(valid))
        right = min(right, valid.shape[1])
        if left >= right or top >= bottom:
            return
        one = first[top - a.window.row : bottom - a.window.row, left - a.window.col : right - a.window.col]
        two = second[: bottom - top, left - b.window.col : right - b.window.col]
        shared = valid[: bottom - top, left:right] & np.isfinite(one) & np.isfinite(two)
        count = int(np.count_nonzero(shared))
        if count:  # one pixel says little, and weighs as little, but keeps a sliver from hanging loose
            self._found.append((a.index, b.index, *trimmed_mean(one[shared] - two[shared]), count))

    def edges(self) -> Edges:
        """All edges so far. The weight of each takes its own scatter and the scene's usual one together:
        a pair that happens to agree pixel by pixel need not agree about the level."""
        table = np.array(self._found, np.float64).reshape(-1, 5)
        spread = table[:, 3]
        usual = float(np.median(spread)) if len(spread) else 0.0
        variance = np.maximum(spread**2 + usual**2, 1e-6)
        ends = table[:, :2].astype(np.int64)
        return Edges(ends[:, 0], ends[:, 1], table[:, 2], table[:, 4] / CORRELATED / variance)


def solve(tiles: int, edges: Edges, *, anchors: Optional[Anchors] = None) -> Solution:
    """Offsets that make neighbouring tiles agree, and the anchored ones agree with what is known.

    Every connected part is solved by itself: with anchors they fix its level; without, its offsets have a
    mean of 0. A tile without edges and anchors gets 0. Edges with a difference or weight that is not a
    positive finite number are left out. Raises ValueError for tile numbers out of range.
    """
    edges = _usable(tiles, edges, tiles)
    part = components(tiles, edges.a, edges.b)
    system = _System(tiles, edges)
    offsets = system.robust(None)
    offsets -= _per_part(np.mean, part, np.arange(tiles), offsets)[part]
    known = _believed(offsets, edges, _grounded(tiles, anchors))
    tied = np.isin(part, part[known.a])
    own = _own_levels(part, offsets, ~tied)
    # How much the overlaps contradict each other is known from the solution without anchors; were it
    # estimated together with them, each kind could outvote the other more and more.
    surer = edges._replace(weight=edges.weight / system.scale**2)
    rows = Edges(*(np.concatenate(columns) for columns in zip(surer, known, own)))
    start = offsets + _per_part(np.median, part, known.a, -known.difference - offsets[known.a])[part]
    start[known.a] = -known.difference
    offsets = _System(tiles, rows, judged=len(edges.a), floor=1.0).robust(start)
    means = _per_part(np.mean, part, np.arange(tiles), offsets)[part]
    return Solution(np.where(tied, offsets, offsets - means), part, tied)


def _grounded(tiles: int, anchors: Optional[Anchors]) -> Edges:
    """Anchors as edges to the ground, which is node number ``tiles``."""
    if anchors is None:
        return _usable(tiles, Edges(*([()] * 4)), tiles)  # type: ignore[arg-type]
    ground = np.full(len(anchors.tile), tiles)
    return _usable(tiles, Edges(anchors.tile, ground, anchors.difference, anchors.weight), tiles + 1)


def _believed(offsets: Float64, edges: Edges, known: Edges) -> Edges:
    """The anchors without those far from what their neighbours' anchors and the overlaps make of them.

    Far is measured by how far they are usually: a model whose overlaps agree, but that draws its relief
    too flat, must not overrule heights that are known.
    """
    shift = np.full(len(offsets), np.nan)
    shift[known.a] = -known.difference - offsets[known.a]
    ends, others = np.concatenate((edges.a, edges.b)), np.concatenate((edges.b, edges.a))
    both = np.isfinite(shift[ends]) & np.isfinite(shift[others])
    ends, others = ends[both], others[both]
    around = _per_part(np.median, np.arange(len(offsets)), ends, shift[others])
    count = np.bincount(ends, minlength=len(offsets))
    away = np.abs(shift - around)[known.a]
    judged = count[known.a] > 1
    usual = 1.4826 * float(np.median(away[judged])) if judged.any() else 0.0
    good = ~judged | (away <= 4 * max(usual, 4 * ANCHOR_STD))
    return Edges(*(column[good] for column in known))


def _own_levels(part: Ints, offsets: Float64, chosen: Mask) -> Edges:
    """Rows that hold some tiles to the level they came with, as firmly as levels turned out to be right."""
    squares = _per_part(np.mean, part, np.arange(len(part)), offsets**2)[part]
    tile = np.flatnonzero(chosen & (squares > 0))
    ground = np.full(len(tile), len(part))
    return Edges(tile, ground, np.zeros(len(tile)), 1 / squares[tile])


def components(tiles: int, a: Ints, b: Ints) -> Ints:
    """The connected part (tiles,) that each tile belongs to, counted from 0 in the order of the tiles."""
    label = np.arange(tiles)
    while True:
        before = label.copy()
        least = np.minimum(label[a], label[b])
        np.minimum.at(label, a, least)
        np.minimum.at(label, b, least)
        label = label[label]  # a label is a tile whose own label may be lower by now
        if (label == before).all():
            return np.asarray(np.unique(label, return_inverse=True)[1].reshape(tiles), np.int64)


def _usable(tiles: int, edges: Edges, nodes: int) -> Edges:
    """The edges without those that say nothing; of the nodes, the ones from ``tiles`` on are the ground."""
    a, b = np.asarray(edges.a, np.int64), np.asarray(edges.b, np.int64)
    difference, weight = np.asarray(edges.difference, np.float64), np.asarray(edges.weight, np.float64)
    if len(a) and (min(a.min(), b.min()) < 0 or a.max() >= tiles or b.max() >= nodes):
        raise ValueError(f"tiles are numbered from 0 to {tiles - 1}")
    good = np.isfinite(difference) & np.isfinite(weight) & (weight > 0) & (a != b)
    return Edges(a[good], b[good], difference[good], weight[good])


def _per_part(statistic: Callable[[Float64], object], part: Ints, tiles: Ints, values: Float64) -> Float64:
    """A statistic of the values that belong to each part, (parts,); 0 where a part has none."""
    result = np.zeros(int(part.max(initial=-1)) + 1)
    order = np.argsort(part[tiles], kind="stable")
    present, first = np.unique(part[tiles][order], return_index=True)
    for which, group in zip(present, np.split(values[order], first[1:])):
        result[which] = statistic(group)
    return result


def _huber(residuals: Float64) -> Float64:
    """Weights from residuals in standard deviations: squares near 0, absolute values beyond."""
    return np.asarray(np.minimum(1.0, 1.345 / np.maximum(residuals, 1e-300)))


def _cauchy(residuals: Float64) -> Float64:
    """Weights that fall with the square. Both constants: 95 % efficiency on normal noise (Holland & Welsch,
    Robust regression using iteratively reweighted least-squares, 1977)."""
    return np.asarray(1 / (1 + (residuals / 2.385) ** 2))


def _dot(a: Float64, b: Float64) -> float:
    """The scalar product, not by BLAS: its threads wait for each other where other programs compute, too,
    and their number would decide the last digit."""
    return float(np.sum(a * b))


class _System:
    """Least squares over rows that each say x[a] − x[b] = −difference; x of the ground is 0."""

    def __init__(
        self, tiles: int, rows: Edges, *, judged: Optional[int] = None, floor: Optional[float] = None
    ) -> None:
        """``judged``: so many rows at the beginning may turn out to be outliers and be forgotten; None: all.
        The rest only loses weight as it gets far out.
        ``floor``: the scatter is taken to be at least this, in standard deviations of the rows."""
        self._tiles, self._a, self._b = tiles, rows.a, rows.b
        self._difference, self._root = rows.difference, np.sqrt(rows.weight)
        self._judged = len(rows.a) if judged is None else judged
        if floor is None:
            # Twenty times _CLOSE, or re-weighting would seem done while an outlier is being found out.
            floor = 20 * _CLOSE * float(np.median(self._root)) if len(rows.a) else 1.0
        self._floor = floor
        self.scale = np.inf
        """Robust standard deviation of the weighted residuals: 1 where weights are as they should be."""

    def robust(self, start: Optional[Float64]) -> Float64:
        """Offsets (tiles,) by re-weighting; from plain least squares, or from where one is already."""
        x = np.zeros(self._tiles) if start is None else start
        reweight = np.ones(len(self._a)) if start is None else self._reweighted(x, _huber)
        # Huber's weights find their way from anywhere; Cauchy's then forget what is far out.
        for weights in (_huber, _cauchy):
            for _ in range(_ROUNDS):
                before, x = x, self._least_squares(x, reweight * self._root**2)
                reweight = self._reweighted(x, weights)
                if np.abs(x - before).max(initial=0.0) < _CLOSE:
                    break
        # Of m rows, as many as there are offsets are free to vanish: the others show the scatter.
        redundancy = 1 - len(np.unique((self._a, self._b))) / max(1, len(self._a))
        self.scale = max(self.scale / np.sqrt(max(redundancy, 0.05)), self._floor)
        return x

    def _residuals(self, x: Float64) -> Float64:
        x = np.append(x, 0.0)
        return np.asarray((x[self._a] - x[self._b] + self._difference) * self._root)

    def _reweighted(self, x: Float64, weights: Callable[[Float64], Float64]) -> Float64:
        """Weights of the rows by their residuals, measured by their scatter.

        The scatter comes down step by step: tiles that agree already must not make outliers of
        their neighbours that do not yet.
        """
        residuals, others = np.split(np.abs(self._residuals(x)), [self._judged])
        scale = 1.4826 * float(np.median(residuals)) if len(residuals) else 0.0
        if np.isfinite(self.scale):
            scale = max(scale, _COOLING * self.scale)
        self.scale = max(scale, self._floor)
        usual = max(1.0, 1.4826 * float(np.median(others))) if len(others) else 1.0
        first = np.maximum(weights(residuals / self.scale), _LEAST_WEIGHT)
        return np.concatenate((first, _huber(others / usual)))

    def _least_squares(self, x: Float64, weight: Float64) -> Float64:
        """Conjugate gradients with the diagonal as preconditioner, from ``x``.

        Without the ground the system is singular, but consistent: what is in no part's reach stays as it
        was.
        """
        count = self._tiles + 1

        def gather(rows: Float64) -> Float64:
            difference = np.bincount(self._a, rows, count) - np.bincount(self._b, rows, count)
            return np.asarray(difference[:-1], np.float64)

        def apply(y: Float64) -> Float64:
            y = np.append(y, 0.0)
            return gather(weight * (y[self._a] - y[self._b]))

        diagonal = (np.bincount(self._a, weight, count) + np.bincount(self._b, weight, count))[:-1]
        inverse = np.divide(1.0, diagonal, out=np.zeros(self._tiles), where=diagonal > 0)
        target = -gather(weight * self._difference)
        residual = target - apply(x)
        preconditioned = inverse * residual
        direction, energy = preconditioned, _dot(residual, preconditioned)
        goal = _PRECISION**2 * max(_dot(target, inverse * target), 1e-300)
        for _ in range(4 * self._tiles + 10):
            if energy <= goal:
                break
            image = apply(direction)
            step = energy / _dot(direction, image)
            x = x + step * direction
            residual = residual - step * image
            preconditioned = inverse * residual
            energy, last = _dot(residual, preconditioned), energy
            direction = preconditioned + energy / last * direction
        return x
