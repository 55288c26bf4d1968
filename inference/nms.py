# SPDX-License-Identifier: GPL-2.0-or-later
"""Non-maximum suppression: of boxes of one class that overlap too much, the one with the best score stays.

Greedy, as everyone does it, but with an index: boxes lie in a grid by the power of two of their size, so that
each one that stays is compared with its neighbours only. Boxes are gone through by score in chunks; what a
chunk keeps strikes out its neighbours at once, and these are never looked at again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, Optional

import numpy as np
import numpy.typing as npt

from . import convex
from .types import Cancel

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Overlap = Callable[[Ints, Ints], Float64]
"""Overlap of pairs, by their numbers."""

_CHUNK = 128
_PAIRS = 200_000
"""Pairs that are measured at once: bounds memory where a box has very many neighbours."""


def box_overlaps(first: Float64, second: Float64) -> Float64:
    """Intersection over union (n,) of pairs of boxes (n, 4) as xmin, ymin, xmax, ymax."""
    width = np.minimum(first[:, 2], second[:, 2]) - np.maximum(first[:, 0], second[:, 0])
    height = np.minimum(first[:, 3], second[:, 3]) - np.maximum(first[:, 1], second[:, 1])
    common = np.maximum(width, 0) * np.maximum(height, 0)
    union = _box_areas(first) + _box_areas(second) - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def nms_boxes(
    boxes: npt.NDArray[Any],
    scores: npt.NDArray[Any],
    classes: Optional[npt.NDArray[Any]] = None,
    *,
    iou: float = 0.5,
    cancel: Optional[Cancel] = None,
) -> Ints:
    """Numbers of the boxes (n, 4) that stay, best first; equal scores in their order.

    Boxes of different ``classes`` (n,) never strike each other out; None is one class for all. A box goes
    where its overlap with a better one that stays exceeds ``iou``. Raises ValueError for boxes or scores
    that are no numbers; Cancelled.
    """
    boxes, order, kinds = _by_score(np.asarray(boxes, np.float64).reshape(-1, 4), scores, classes)

    def overlap(one: Ints, other: Ints) -> Float64:
        # Whole rows at once: memory is fetched in lines, and these are scattered.
        return box_overlaps(boxes.take(one, axis=0), boxes.take(other, axis=0))

    return order[_greedy(boxes, kinds, overlap, iou, cancel)]


def nms_oriented(
    boxes: npt.NDArray[Any],
    scores: npt.NDArray[Any],
    classes: Optional[npt.NDArray[Any]] = None,
    *,
    iou: float = 0.5,
    cancel: Optional[Cancel] = None,
) -> Ints:
    """As ``nms_boxes`` for oriented boxes (n, 5), as ``convex.corners`` takes them, by their true overlap."""
    boxes, order, kinds = _by_score(np.asarray(boxes, np.float64).reshape(-1, 5), scores, classes)
    polygons = convex.corners(boxes)
    bounds = np.concatenate((polygons.min(axis=1), polygons.max(axis=1)), axis=1)

    def overlap(one: Ints, other: Ints) -> Float64:
        result = np.zeros(len(one))
        # Far fewer boxes overlap than their upright frames: the exact measure is for these alone.
        near = np.flatnonzero(box_overlaps(bounds[one], bounds[other]) > 0)
        result[near] = convex.overlaps(polygons[one[near]], polygons[other[near]])
        return result

    return order[_greedy(bounds, kinds, overlap, iou, cancel)]


def _box_areas(boxes: Float64) -> Float64:
    return np.asarray(np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0))


def _by_score(
    boxes: Float64, scores: npt.NDArray[Any], classes: Optional[npt.NDArray[Any]]
) -> tuple[Float64, Ints, Ints]:
    """Boxes with the best first, their numbers before that, and their classes. Raises ValueError."""
    scores = np.asarray(scores, np.float64).reshape(-1)
    if len(scores) != len(boxes) or not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError("boxes and scores must be as many, and finite numbers")
    order = np.argsort(-scores, kind="stable")
    kinds = np.zeros(len(boxes), np.int64) if classes is None else np.asarray(classes, np.int64).reshape(-1)
    return boxes[order], order, kinds[order]


def _greedy(bounds: Float64, kinds: Ints, overlap: Overlap, iou: float, cancel: Optional[Cancel]) -> Ints:
    """Numbers of the boxes that stay; they come with the best first."""
    count = len(bounds)
    index = Index(bounds, kinds)
    alive = np.ones(count, np.bool_)
    kept: list[Ints] = []
    position = 0
    while position < count:
        if cancel is not None:
            cancel.raise_if_set()
        chunk = _next(alive, position)
        if not len(chunk):
            break
        position = int(chunk[-1]) + 1
        stays = chunk[_within(chunk, kinds, overlap, iou)]
        kept.append(stays)
        for one, other in index.neighbours(stays):
            later = (other > one) & alive[other]
            one, other = one[later], other[later]
            alive[other[overlap(one, other) > iou]] = False
    return np.concatenate(kept) if kept else np.empty(0, np.int64)


def _next(alive: npt.NDArray[np.bool_], position: int) -> Ints:
    """The next boxes by score that are not struck out, looking no further than needed."""
    found: list[Ints] = []
    missing = _CHUNK
    while missing and position < len(alive):
        some = position + np.flatnonzero(alive[position : position + 4 * _CHUNK])[:missing]
        found.append(some)
        missing -= len(some)
        position += 4 * _CHUNK
    return np.concatenate(found) if found else np.empty(0, np.int64)


@lru_cache(maxsize=2)
def _pairs(count: int) -> tuple[Ints, Ints]:
    one, other = np.triu_indices(count, 1)
    return one, other


def _within(chunk: Ints, kinds: Ints, overlap: Overlap, iou: float) -> npt.NDArray[np.bool_]:
    """Which boxes of a chunk, best first, stay beside each other."""
    one, other = _pairs(len(chunk))
    same = kinds[chunk[one]] == kinds[chunk[other]]
    if not same.all():
        one, other = one[same], other[same]
    strikes = overlap(chunk[one], chunk[other]) > iou
    stays = np.ones(len(chunk), np.bool_)
    # Pairs come sorted by the better box: when one strikes, it is settled that it stays.
    for better, lesser in zip(one[strikes].tolist(), other[strikes].tolist()):
        if stays[better]:
            stays[lesser] = False
    return stays


class Index:
    """Boxes (n, 4) by class, size and place; finds those of the same class whose frames touch a box's.

    Size is the power of two of the longer side. In the grid of its size a box lies in one cell, its
    centre's; the cell is at least half as long as the box, so a search goes one cell further.
    """

    def __init__(self, bounds: Float64, kinds: Ints) -> None:
        self._bounds, self._kinds = bounds, kinds
        size = np.maximum(bounds[:, 2:] - bounds[:, :2], 0).max(axis=1, initial=0.0)
        tiny = max(float(size.max(initial=0.0)), 1.0) * 2.0**-24
        level = np.ceil(np.log2(np.maximum(size, tiny))).astype(np.int64)
        centre = (bounds[:, :2] + bounds[:, 2:]) / 2
        self._levels = np.unique(level)
        self._tables: dict[int, _Table] = {}
        for one in self._levels.tolist():
            members = np.flatnonzero(level == one)
            self._tables[one] = _Table(members, centre[members], kinds[members], 2.0 ** (one - 1))

    def neighbours(self, queries: Ints) -> list[tuple[Ints, Ints]]:
        """Pairs of a query and a box near it, both by number, in portions; the query itself is among them."""
        portions = []
        for table in self._tables.values():
            portions += table.near(queries, self._bounds[queries], self._kinds[queries])
        return portions


class _Table:
    """The boxes of one size, sorted by class, row and column of their cell."""

    def __init__(self, members: Ints, centre: Float64, kinds: Ints, cell: float) -> None:
        self._cell = cell
        self._origin = centre.min(axis=0)
        place = np.floor((centre - self._origin) / cell).astype(np.int64)
        self._columns, self._rows = (int(v) + 1 for v in place.max(axis=0))
        self._kinds = np.unique(kinds)
        key = self._key(np.searchsorted(self._kinds, kinds), place[:, 1], place[:, 0])
        order = np.argsort(key, kind="stable")
        self._members, self._keys = members[order], key[order]

    def _key(self, kind: Ints, row: Ints, column: Ints) -> Ints:
        return (kind * self._rows + row) * self._columns + column

    def near(self, queries: Ints, bounds: Float64, kinds: Ints) -> list[tuple[Ints, Ints]]:
        place = np.searchsorted(self._kinds, kinds)
        known = place < len(self._kinds)
        known[known] = self._kinds[place[known]] == kinds[known]
        # Half a box of this size, which is a cell, may reach over from outside.
        low = np.floor((bounds[:, :2] - self._origin) / self._cell - 1.0)
        high = np.floor((bounds[:, 2:] - self._origin) / self._cell + 1.0)
        limit = np.array([self._columns - 1, self._rows - 1])
        known &= (high >= 0).all(axis=1) & (low <= limit).all(axis=1)
        queries, place = queries[known], place[known]
        low = np.clip(low[known], 0, limit).astype(np.int64)
        high = np.clip(high[known], 0, limit).astype(np.int64)
        rows = high[:, 1] - low[:, 1] + 1
        which = np.repeat(np.arange(len(queries)), rows)
        row = low[which, 1] + _counting(rows)
        first = np.searchsorted(self._keys, self._key(place[which], row, low[which, 0]), "left")
        last = np.searchsorted(self._keys, self._key(place[which], row, high[which, 0]), "right")
        return list(self._portions(queries[which], first, last - first))

    def _portions(self, queries: Ints, first: Ints, lengths: Ints) -> list[tuple[Ints, Ints]]:
        full = np.flatnonzero(lengths)
        queries, first, lengths = queries[full], first[full], lengths[full]
        portions, ends, start = [], np.cumsum(lengths), 0
        while start < len(queries):
            before = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS, "right")))
            some = lengths[start:stop]
            entries = np.repeat(first[start:stop], some) + _counting(some)
            portions.append((np.repeat(queries[start:stop], some), self._members[entries]))
            start = stop
        return portions


def _counting(lengths: Ints) -> Ints:
    """0 … n-1 for each of some lengths, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
