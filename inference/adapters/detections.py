# SPDX-License-Identifier: GPL-2.0-or-later
"""From a YOLO's output to objects: the six layouts, as pure functions of arrays.

All give pixels of the tile. Layouts are Deepness's (``processing/models/detector.py``) and those that
Ultralytics exports (docs.ultralytics.com): v5, v6, v7 (B, N, 5 + classes), v9 and Ultralytics (B, 4 + classes, N),
masks (B, 4 + classes + M, N) with prototypes (B, M, h, w), oriented (B, 4 + classes + 1, N) with the angle last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..nms import nms_boxes, nms_oriented
from ..packs.peer_settings import (
    ULTRALYTICS,
    ULTRALYTICS_MASKS,
    ULTRALYTICS_OBB,
    YOLO_V5,
    YOLO_V6,
    YOLO_V9,
)

Floats = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Detections:
    """Objects, n of them."""

    boxes: Floats
    """(n, 5) centre x, y, width, height in pixels, and the angle in radians (0 unless oriented)."""
    scores: Floats
    """(n,) 0 to 1."""
    classes: npt.NDArray[np.int64]
    """(n,) numbers of classes."""
    masks: Optional[Masks] = None
    """(n, tile, tile) where the model gives shapes."""

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, which: Any) -> Detections:
        """Some of them, by number or mask."""
        masks = None if self.masks is None else self.masks[which]
        return Detections(self.boxes[which], self.scores[which], self.classes[which], masks)

    @property
    def bounds(self) -> Floats:
        """(n, 4) xmin, ymin, xmax, ymax of boxes that are not oriented."""
        return np.concatenate(
            (self.boxes[:, :2] - self.boxes[:, 2:4] / 2, self.boxes[:, :2] + self.boxes[:, 2:4] / 2), axis=1
        )


def decode(
    layout: str,
    outputs: Sequence[npt.NDArray[Any]],
    *,
    classes: int,
    confidence: float,
    tile: int,
) -> Detections:
    """The objects of one tile with at least the score ``confidence``; nothing is suppressed yet.

    ``outputs`` are the model's for this tile, without the batch: (N, 5 + classes) or (rows, N), and for
    masks the prototypes (M, h, w). Raises ValueError for shapes that are not the layout's, and numbers
    that are none.
    """
    main = np.asarray(outputs[0], np.float64)
    if main.ndim != 2:
        raise ValueError(f"an output of {main.ndim + 1} dimensions, not 3")
    rows = main if layout in (YOLO_V5, YOLO_V6) else main.T
    extra = {YOLO_V5: 1, YOLO_V6: 1, ULTRALYTICS_OBB: 1}.get(layout, 0)
    if layout == ULTRALYTICS_MASKS:
        extra = len(outputs[1])
    if rows.shape[1] != 4 + classes + extra:
        raise ValueError(f"{rows.shape[1]} numbers per object, not {4 + classes + extra}")
    if not np.isfinite(rows).all():
        raise ValueError("objects that are no numbers")
    first = 5 if layout in (YOLO_V5, YOLO_V6) else 4
    likely = rows[:, first : first + classes]
    best = likely.argmax(axis=1) if classes else np.zeros(len(rows), np.int64)
    # v5 and v7 say how sure they are of an object; all others, of its class.
    scores = rows[:, 4] if layout == YOLO_V5 else likely.max(axis=1, initial=0.0)
    keep = scores >= confidence
    angle = rows[keep, -1] if layout == ULTRALYTICS_OBB else np.zeros(int(keep.sum()))
    boxes = np.column_stack((rows[keep, :4], angle))
    found = Detections(boxes, scores[keep], best[keep].astype(np.int64))
    if layout != ULTRALYTICS_MASKS:
        return found
    coefficients = rows[keep, 4 + classes :]
    return replace(found, masks=masks_of(coefficients, np.asarray(outputs[1]), found.bounds, tile))


def masks_of(
    coefficients: npt.NDArray[Any], prototypes: npt.NDArray[Any], bounds: Floats, tile: int
) -> Masks:
    """Shapes (n, tile, tile): where the sigmoid of the prototypes' sum is at least a half, inside the box.

    ``coefficients`` (n, M), ``prototypes`` (M, h, w) of the whole tile, ``bounds`` (n, 4) in its pixels. The
    sums are interpolated between prototype pixels before they are cut off, so that edges are no stairs.
    """
    count, height, width = prototypes.shape
    masks = np.zeros((len(coefficients), tile, tile), np.bool_)
    down, across = _linear(height, tile), _linear(width, tile)
    centres = np.arange(tile) + 0.5
    for mask, weights, (left, top, right, bottom) in zip(masks, coefficients, bounds):
        rows, columns = (centres > top) & (centres < bottom), (centres > left) & (centres < right)
        if not (rows.any() and columns.any()):
            continue
        coarse = (weights @ prototypes.reshape(count, -1)).reshape(height, width)
        # sigmoid(x) >= 0.5 is x >= 0.
        mask[np.ix_(rows, columns)] = down[rows] @ coarse @ across[columns].T >= 0
    return masks


def _linear(length: int, wanted: int) -> Floats:
    """The matrix (wanted, length) of linear interpolation between pixel centres, edges repeated."""
    place = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
    low = np.minimum(place.astype(np.int64), max(length - 2, 0))
    matrix = np.zeros((wanted, length))
    matrix[np.arange(wanted), low] = 1 - (place - low)
    matrix[np.arange(wanted), np.minimum(low + 1, length - 1)] += place - low
    return matrix


def stay(
    boxes: Floats,
    scores: Floats,
    classes: npt.NDArray[np.int64],
    layout: str,
    iou: float,
    *,
    compatible: bool = False,
) -> npt.NDArray[np.int64]:
    """Numbers of the boxes (n, 5) that stay where those of one class overlap by more than ``iou``, best first.

    ``compatible`` is Deepness's way: all classes strike each other out, and oriented boxes count as if they
    were upright.
    """
    kinds = None if compatible else classes
    if layout == ULTRALYTICS_OBB and not compatible:
        return nms_oriented(boxes, scores, kinds, iou=iou)
    half = boxes[:, 2:4] / 2
    bounds = np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)
    return nms_boxes(bounds, scores, kinds, iou=iou)


def suppress(found: Detections, layout: str, iou: float, *, compatible: bool = False) -> Detections:
    """The detections that stay; see ``stay``."""
    return found.take(stay(found.boxes, found.scores, found.classes, layout, iou, compatible=compatible))


__all__ = [
    "ULTRALYTICS",
    "YOLO_V5",
    "YOLO_V6",
    "YOLO_V9",
    "Detections",
    "decode",
    "masks_of",
    "stay",
    "suppress",
]
