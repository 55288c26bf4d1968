# SPDX-License-Identifier: GPL-2.0-or-later
"""How well objects were found: matched to the true ones by overlap, then counted. Pure numpy, indexed.

Overlaps of any polygons are exact: a polygon is the signed sum of the triangles between one corner and its
edges, so what two have in common is the signed sum of what their triangles have in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from . import convex
from .nms import Index
from .types import Cancel

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Polygon = Sequence[Sequence[tuple[float, float]]]
"""Rings, the outer one first; either direction of turning, closed or open."""

_PAIRS = 100_000
"""Pairs of triangles that are measured at once: bounds memory."""

_ROUNDING = 1e-9
"""What an overlap may miss the limit by: equal objects in two coordinate systems are not equal to the bit."""


class Shapes:
    """Objects, each one or several polygons that do not overlap, ready to be compared."""

    def __init__(self, objects: Sequence[Sequence[Polygon]]) -> None:
        triangles, signs, counts = [np.empty((0, 3, 2))], [np.empty(0)], []
        bounds = np.zeros((len(objects), 4))
        for number, polygons in enumerate(objects):
            count = 0
            for rings in polygons:
                for place, ring in enumerate(rings):
                    corners, sign = _fan(np.asarray(ring, np.float64).reshape(-1, 2))
                    triangles.append(corners)
                    signs.append(-sign if place else sign)
                    count += len(sign)
            counts.append(count)
            places = [point for rings in polygons for ring in rings[:1] for point in ring]
            if places:
                bounds[number, :2], bounds[number, 2:] = np.min(places, axis=0), np.max(places, axis=0)
        self.bounds: Float64 = bounds
        """Frames (n, 4) as xmin, ymin, xmax, ymax."""
        self.triangles: Float64 = np.concatenate(triangles)
        self.signs: Float64 = np.concatenate(signs)
        self.counts: Ints = np.array(counts, np.int64)
        self.starts: Ints = np.cumsum(self.counts) - self.counts
        owners = np.repeat(np.arange(len(objects)), self.counts)
        signed = self.signs * convex.areas(self.triangles)
        self.areas: Float64 = np.bincount(owners, signed, len(objects)).astype(np.float64)
        """Areas (n,) in square map units."""

    def __len__(self) -> int:
        return len(self.counts)


def _fan(ring: Float64) -> tuple[Float64, Float64]:
    """The triangles (n, 3, 2) between a ring's first corner and its edges, and their signs (n,)."""
    first, second = ring[1:-1], ring[2:]
    triangles = np.stack((np.broadcast_to(ring[:1], first.shape), first, second), axis=1)
    one, two = first - ring[:1], second - ring[:1]
    twice = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    kept = twice != 0
    turn = 1.0 if twice.sum() >= 0 else -1.0
    return triangles[kept], np.sign(twice[kept]) * turn


def overlaps(
    first: Shapes, second: Shapes, one: Ints, other: Ints, *, cancel: Optional[Cancel] = None
) -> Float64:
    """Intersection over union (n,), 0 to 1, of the objects ``one`` of first and ``other`` of second (n,)."""
    common = np.zeros(len(one))
    pairs = first.counts[one] * second.counts[other]
    for numbers, within in _portions(pairs):
        if cancel is not None:
            cancel.raise_if_set()
        width = second.counts[other[numbers]]
        a = first.starts[one[numbers]] + within // width
        b = second.starts[other[numbers]] + within % width
        left, right = first.triangles[a], second.triangles[b]
        touch = (left.min(axis=1) < right.max(axis=1)) & (right.min(axis=1) < left.max(axis=1))
        near = np.flatnonzero(touch.all(axis=1))
        areas = convex.intersections(left[near], right[near])
        signed = areas * first.signs[a[near]] * second.signs[b[near]]
        common += np.bincount(numbers[near], signed, len(one))
    common = np.maximum(common, 0)
    union = first.areas[one] + second.areas[other] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _portions(lengths: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Which of some runs, and which place in it, for all places of all runs, a bounded number at once."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, _PAIRS):
        places = np.arange(start, min(start + _PAIRS, total))
        numbers = np.searchsorted(ends, places, "right")
        yield numbers, places - (ends - lengths)[numbers]


@dataclass(frozen=True)
class Figures:
    """What was counted; a figure that has no value is NaN, and ``ap`` None where there are no scores."""

    truth: int
    predicted: int
    matched: int
    mean_iou: float
    """Mean overlap of the matched pairs, 0 to 1."""
    ap: Optional[float]
    """Average precision, 0 to 1: the area under precision by recall, all points, precision made falling."""

    @property
    def precision(self) -> float:
        """Part of the predicted that is true, 0 to 1; NaN where nothing was predicted."""
        return self.matched / self.predicted if self.predicted else math.nan

    @property
    def recall(self) -> float:
        """Part of the true that was found, 0 to 1; NaN where there is none."""
        return self.matched / self.truth if self.truth else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1; NaN where there is neither truth nor prediction."""
        both = self.truth + self.predicted
        return 2 * self.matched / both if both else math.nan


@dataclass(frozen=True)
class Matches:
    """For each predicted object (n,) the number of the true one, -1 where there is none, and the overlap."""

    partner: Ints
    iou: Float64


def match(
    truth: Shapes,
    predicted: Shapes,
    true_classes: Ints,
    classes: Ints,
    scores: Optional[Float64] = None,
    *,
    iou: float = 0.5,
    cancel: Optional[Cancel] = None,
) -> Matches:
    """Match objects of the same class that overlap by at least ``iou``, each once.

    The predicted one with the best score chooses first, and takes the free true one that it overlaps most,
    as COCO's evaluation does; with equal scores or none the larger overlap goes first. Raises ValueError for
    a limit outside 0 to 1; Cancelled.
    """
    if not 0 < iou <= 1:
        raise ValueError("the overlap is more than 0 and at most 1")
    partner, best = np.full(len(predicted), -1, np.int64), np.zeros(len(predicted))
    if not len(truth) or not len(predicted):
        return Matches(partner, best)
    index = Index(np.concatenate((truth.bounds, predicted.bounds)), np.concatenate((true_classes, classes)))
    found: list[tuple[Ints, Ints]] = []
    for query, near in index.neighbours(np.arange(len(truth), len(truth) + len(predicted))):
        query, near = query[near < len(truth)] - len(truth), near[near < len(truth)]
        a, b = predicted.bounds[query], truth.bounds[near]
        apart = ((a[:, :2] >= b[:, 2:]) | (b[:, :2] >= a[:, 2:])).any(axis=1)
        found.append((query[~apart], near[~apart]))
    one = np.concatenate([pair[0] for pair in found] or [np.empty(0, np.int64)])
    other = np.concatenate([pair[1] for pair in found] or [np.empty(0, np.int64)])
    shared = overlaps(predicted, truth, one, other, cancel=cancel)
    enough = shared >= iou - _ROUNDING
    one, other, shared = one[enough], other[enough], shared[enough]
    order = np.lexsort((-shared,) if scores is None else (-shared, -scores[one]))
    taken = np.zeros(len(truth), np.bool_)
    for a, b, value in zip(one[order].tolist(), other[order].tolist(), shared[order].tolist()):
        if partner[a] < 0 and not taken[b]:
            partner[a], best[a], taken[b] = b, value, True
    return Matches(partner, best)


def figures(matches: Matches, truth: int, chosen: Any, scores: Optional[Float64] = None) -> Figures:
    """Count the ``chosen`` (n,) predicted objects against ``truth`` objects."""
    hits, overlap = matches.partner[chosen] >= 0, matches.iou[chosen]
    return Figures(
        truth=truth,
        predicted=len(hits),
        matched=int(hits.sum()),
        mean_iou=float(overlap[hits].mean()) if hits.any() else math.nan,
        ap=None if scores is None else average_precision(hits, scores[chosen], truth),
    )


def average_precision(hits: npt.NDArray[np.bool_], scores: Float64, truth: int) -> float:
    """Area under precision by recall, 0 to 1, over all points (PASCAL VOC from 2010); NaN without truth.

    Objects of the same score are one point: their order means nothing.
    """
    if not truth:
        return math.nan
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if len(order) else order
    right = np.cumsum(hits[order])[ends]
    recall, precision = right / truth, right / (ends + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * falling).sum())
