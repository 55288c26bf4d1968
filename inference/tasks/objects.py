# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects of all tiles to objects of a scene: doubles in overlaps go, those cut by tile borders are joined.

A detection is *cut* where it touches a border of its tile that is no border of the scene. Cut ones that lie
in a whole one of their class are parts of it; cut ones of different tiles that overlap are one object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
import numpy.typing as npt

from .. import convex
from ..adapters.detections import Detections, stay
from ..nms import Index
from ..tiling import Tile
from ..types import Cancel, Size, Window

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
EDGE = 2.0
"""Pixels from a tile's border within which a detection counts as cut: YOLO's boxes miss edges by about one."""
INSIDE = 0.7
"""Part of a cut detection that lies in a whole one from which on it is a part of it."""
JOINED = 0.1
"""Part of the lesser of two cut detections that they share from which on they are one object."""


@dataclass(frozen=True)
class Placed:
    """Detections in pixels of a grid, without masks but with their shapes as cut-out bits."""

    boxes: Floats
    """(n, 5) as in Detections."""
    scores: Floats
    classes: npt.NDArray[np.int64]
    tiles: npt.NDArray[np.int64]
    """Number of the tile that each was seen in."""
    cut: Flags
    shapes: Optional[tuple[tuple[Window, npt.NDArray[np.bool_]], ...]] = None
    """Window on the grid, and mask (h, w) in it."""

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, which: npt.NDArray[np.int64]) -> Placed:
        """Some of them, by number."""
        shapes = None if self.shapes is None else tuple(self.shapes[int(i)] for i in which)
        return Placed(
            self.boxes[which],
            self.scores[which],
            self.classes[which],
            self.tiles[which],
            self.cut[which],
            shapes,
        )

    @property
    def bounds(self) -> Floats:
        """(n, 4) upright frames; of oriented boxes, around their corners."""
        corners = convex.corners(self.boxes)
        return np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)


def is_cut(found: Detections, tile: Tile, size: Size) -> Flags:
    """Which detections (n,) of a tile, in its pixels, end at a border where the scene goes on."""
    corners = convex.corners(found.boxes)
    low, high = corners.min(axis=1), corners.max(axis=1)
    window = tile.window
    cut = np.zeros(len(found), np.bool_)
    for touches, goes_on in (
        (low[:, 0] <= EDGE, window.col > 0),
        (low[:, 1] <= EDGE, window.row > 0),
        (high[:, 0] >= window.width - EDGE, window.col + window.width < size.width),
        (high[:, 1] >= window.height - EDGE, window.row + window.height < size.height),
    ):
        if goes_on:
            cut |= touches
    return cut


def united(parts: Sequence[Placed]) -> Placed:
    """All detections in one table."""
    shapes = None
    if any(part.shapes is not None for part in parts):
        shapes = tuple(shape for part in parts for shape in part.shapes or ())
    return Placed(
        np.concatenate([part.boxes for part in parts]).reshape(-1, 5),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.classes for part in parts]).astype(np.int64),
        np.concatenate([part.tiles for part in parts]).astype(np.int64),
        np.concatenate([part.cut for part in parts]).astype(np.bool_),
        shapes,
    )


def settled(
    found: Placed, layout: str, iou: float, *, compatible: bool = False, cancel: Optional[Cancel] = None
) -> Placed:
    """The objects of a grid, best first. ``compatible``: suppression over all classes, nothing joined."""
    if not len(found):
        return found
    kept = _kept(found, layout, iou, compatible)
    found = found.take(kept)
    if compatible:
        return found
    if cancel is not None:
        cancel.raise_if_set()
    found = _without_parts(found)
    return _joined(found)


def _kept(found: Placed, layout: str, iou: float, compatible: bool) -> npt.NDArray[np.int64]:
    """Numbers of what suppression leaves. Whole objects come before cut ones, whatever their scores."""
    scores = found.scores if compatible else found.scores - 2.0 * found.cut
    kept = stay(found.boxes, scores, found.classes, layout, iou, compatible=compatible)
    return kept[np.argsort(-found.scores[kept], kind="stable")]


def _near(found: Placed) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Pairs of a cut detection and another one of its class near it, and the area that they share."""
    bounds, corners = found.bounds, convex.corners(found.boxes)
    index = Index(bounds, found.classes)
    portions = index.neighbours(np.flatnonzero(found.cut))
    empty = np.empty(0, np.int64)
    one = np.concatenate([p[0] for p in portions] or [empty])
    other = np.concatenate([p[1] for p in portions] or [empty])
    differ = (one != other) & (found.tiles[one] != found.tiles[other])
    one, other = one[differ], other[differ]
    return one, other, convex.intersections(corners[one], corners[other])


def _without_parts(found: Placed) -> Placed:
    """Without cut detections that lie in a whole one."""
    if not found.cut.any():
        return found
    one, other, common = _near(found)
    own = convex.areas(convex.corners(found.boxes))
    part = (~found.cut[other]) & (common >= INSIDE * own[one])
    keep = np.ones(len(found), np.bool_)
    keep[one[part]] = False
    return found.take(np.flatnonzero(keep))


def _joined(found: Placed) -> Placed:
    """With cut detections that overlap made one: the frame (or shape) around both, the better score."""
    if int(found.cut.sum()) < 2:
        return found
    one, other, common = _near(found)
    own = convex.areas(convex.corners(found.boxes))
    same = found.cut[other] & (common > JOINED * np.minimum(own[one], own[other]))
    root = list(range(len(found)))

    def top(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for a, b in zip(one[same].tolist(), other[same].tolist()):
        first, second = sorted((top(a), top(b)))
        root[second] = first
    groups: dict[int, list[int]] = {}
    for i in range(len(found)):
        groups.setdefault(top(i), []).append(i)
    boxes, shapes = found.boxes.copy(), None if found.shapes is None else list(found.shapes)
    for best, members in groups.items():
        if len(members) < 2:
            continue
        boxes[best] = _around(found.boxes[members])
        if shapes is not None:
            shapes[best] = union_of([shapes[i] for i in members])
    made = Placed(
        boxes, found.scores, found.classes, found.tiles, found.cut, None if shapes is None else tuple(shapes)
    )
    # A group goes by its first member, which has the best score.
    return made.take(np.array(sorted(groups), np.int64))


def _around(boxes: Floats) -> Floats:
    """The box (5,) around boxes (n, 5), turned as the largest of them."""
    angle = boxes[np.argmax(boxes[:, 2] * boxes[:, 3]), 4]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = convex.corners(boxes).reshape(-1, 2) @ turn.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.array([*(turn.T @ ((low + high) / 2)), *(high - low), angle])


def union_of(shapes: Sequence[tuple[Window, npt.NDArray[np.bool_]]]) -> tuple[Window, npt.NDArray[np.bool_]]:
    """Several shapes on one grid as one."""
    left, top = min(w.col for w, _ in shapes), min(w.row for w, _ in shapes)
    right, bottom = max(w.col + w.width for w, _ in shapes), max(w.row + w.height for w, _ in shapes)
    whole = Window(left, top, right - left, bottom - top)
    mask = np.zeros((whole.height, whole.width), np.bool_)
    for window, bits in shapes:
        row, col = window.row - top, window.col - left
        mask[row : row + window.height, col : col + window.width] |= bits
    return whole, mask
