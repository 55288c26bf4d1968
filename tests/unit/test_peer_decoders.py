# SPDX-License-Identifier: GPL-2.0-or-later
"""From models' arrays to likelihoods and objects, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from terrane.inference.adapters import pictures
from terrane.inference.adapters.detections import Detections, decode, masks_of, suppress
from terrane.inference.packs.peer_settings import PeerSettings

V5, V6, V9, ULTRA, MASKS, OBB = (
    "YOLO_v5_or_v7_default", "YOLO_v6", "YOLO_v9", "YOLO_Ultralytics", "YOLO_Ultralytics_segmentation",
    "YOLO_Ultralytics_obb",
)  # fmt: skip
# Centre x, y, width, height, objectness, two classes.
ROWS = np.array(
    [[10, 20, 4, 6, 0.9, 0.3, 0.6], [30, 8, 2, 2, 0.2, 0.95, 0.1], [5, 5, 8, 8, 0.6, 0.4, 0.45]], np.float32
)


def settings(**more: object) -> PeerSettings:
    return PeerSettings(**{"kind": "segmentor", "tile": 4, "channels": 2, **more})  # type: ignore[arg-type]


def one(layout: str, *outputs: np.ndarray, confidence: float = 0.5, classes: int = 2) -> Detections:
    return decode(layout, outputs, classes=classes, confidence=confidence, tile=16)


def test_v5_takes_the_objectness() -> None:
    found = one(V5, ROWS)
    assert found.scores == pytest.approx([0.9, 0.6])
    assert found.classes.tolist() == [1, 1]
    assert found.boxes.tolist() == [[10, 20, 4, 6, 0], [5, 5, 8, 8, 0]]
    assert found.bounds.tolist() == [[8, 17, 12, 23], [1, 1, 9, 9]]


def test_v6_takes_the_best_class() -> None:
    found = one(V6, ROWS)
    assert found.scores == pytest.approx([0.6, 0.95])
    assert found.classes.tolist() == [1, 0]
    assert found.boxes[:, 0].tolist() == [10, 30]


@pytest.mark.parametrize("layout", [V9, ULTRA])
def test_v9_and_ultralytics_lie_the_other_way(layout: str) -> None:
    found = one(layout, np.delete(ROWS, 4, axis=1).T)
    assert found.scores == pytest.approx([0.6, 0.95])
    assert found.classes.tolist() == [1, 0]
    assert one(layout, np.delete(ROWS, 4, axis=1).T, confidence=0.44).scores == pytest.approx(
        [0.6, 0.95, 0.45]
    )


def test_oriented_boxes_carry_their_angle_last() -> None:
    rows = np.column_stack((np.delete(ROWS, 4, axis=1), [0.25, -1.0, 3.0])).T
    found = one(OBB, rows)
    assert found.boxes[:, 4].tolist() == [0.25, -1.0]
    assert found.classes.tolist() == [1, 0]


def test_masks_are_cut_to_their_box() -> None:
    prototypes = np.zeros((2, 4, 4), np.float32)
    prototypes[0], prototypes[1, :2] = -1.0, 3.0  # the second is the upper half of the tile
    rows = np.array([[8, 8, 8, 12, 0.9, 0.1, 1.0, 1.0], [8, 8, 4, 4, 0.1, 0.8, 1.0, 0.0]], np.float32)
    found = one(MASKS, rows.T, prototypes)
    assert found.masks is not None
    assert found.masks.shape == (2, 16, 16)
    # The sum is 2 above and -1 below, linear over the 4 pixels between the rows' centres at 6 and 10:
    # 2 - 3 (y - 6) / 4 >= 0 up to y = 8.67, so the pixel rows 0 to 8 (centre 8.5), from the box's top at 2.
    want = np.zeros((16, 16), bool)
    want[2:9, 4:12] = True
    assert (found.masks[0] == want).all()
    assert not found.masks[1].any()


def test_masks_of_a_box_outside_are_empty() -> None:
    got = masks_of(np.ones((1, 1)), np.ones((1, 2, 2)), np.array([[20.0, 0, 30, 10]]), 8)
    assert got.shape == (1, 8, 8)
    assert not got.any()


@pytest.mark.parametrize(
    ("layout", "shape", "words"),
    [(V5, (9, 6), "6 numbers per object, not 7"), (ULTRA, (7, 9), "7 numbers per object, not 6"),
     (OBB, (6, 9), "6 numbers per object, not 7"), (V5, (9,), "2 dimensions")],
)  # fmt: skip
def test_shapes_that_are_not_the_layouts(layout: str, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        one(layout, np.zeros(shape))


def test_no_numbers_are_refused_and_nothing_is_fine() -> None:
    with pytest.raises(ValueError, match="no numbers"):
        one(V5, np.full((1, 7), np.nan))
    assert len(one(V5, np.zeros((0, 7)))) == 0
    assert len(one(ULTRA, np.zeros((6, 0)))) == 0


def test_classes_do_not_strike_each_other_out() -> None:
    boxes = np.array([[5, 5, 4, 4, 0], [5, 5, 4, 4, 0], [5, 5, 4, 4, 0]], float)
    found = Detections(boxes, np.array([0.5, 0.9, 0.8]), np.array([0, 0, 1]))
    assert suppress(found, ULTRA, 0.5).scores.tolist() == [0.9, 0.8]
    assert suppress(found, ULTRA, 0.5, compatible=True).scores.tolist() == [0.9]


def test_oriented_boxes_by_true_overlap() -> None:
    boxes = np.array(
        [[50, 50, 20, 2, math.pi / 4], [50, 50, 20, 2, -math.pi / 4], [50, 50, 20, 2.2, math.pi / 4]]
    )
    found = Detections(boxes, np.array([0.9, 0.8, 0.7]), np.zeros(3, np.int64))
    assert suppress(found, OBB, 0.3).scores.tolist() == [0.9, 0.8]
    # As if upright, all three are one: what the peer does (its issue 228).
    assert suppress(found, OBB, 0.3, compatible=True).scores.tolist() == [0.9]


def test_scaling() -> None:
    image = np.array([0, 51, 255, np.nan], np.float32).reshape(1, 1, 2, 2).repeat(2, axis=1)
    got = pictures.prepared(image, settings())
    assert got[0, 0].ravel() == pytest.approx([0, 0.2, 1, 0])
    sixteen = pictures.prepared(image * 257, settings(low=(0.0, 1000.0), high=(65535.0, 11000.0)))
    assert sixteen[0, 0].ravel() == pytest.approx([0, 0.2, 1, 0])
    assert sixteen[0, 1].ravel() == pytest.approx([-0.1, 1.2107, 6.4535, 0])
    standard = pictures.prepared(image, settings(mean=(0.5, 0.2), std=(0.5, 0.1)))
    assert standard[0, :, 0].ravel() == pytest.approx([-1, -0.6, -2, 0], abs=1e-6)
    assert got.dtype == sixteen.dtype == standard.dtype == np.float32
    assert np.isnan(image[0, 0, 1, 1])


def test_likelihoods() -> None:
    p = np.array([[[0.25, 0.75]]], np.float32)
    assert pictures.likelihoods(p, "none", True).tolist() == [[[[0.75, 0.25]], [[0.25, 0.75]]]]
    assert pictures.likelihoods(p[:, None], "none", True).shape == (1, 2, 1, 2)
    logits = np.log(np.array([1.0, 3.0], np.float32)).reshape(1, 2, 1, 1)
    assert pictures.likelihoods(logits, "softmax", False).ravel() == pytest.approx([0.25, 0.75])
    assert pictures.likelihoods(logits, "sigmoid", False).ravel() == pytest.approx([0.5, 0.75])
    assert pictures.sigmoid(np.array([-1000.0, 0, 1000])).tolist() == [0, 0.5, 1]


def test_below_the_threshold_nothing_counts() -> None:
    values = np.array([[0.1, 0.2, 0.4, 0.4], [0.3, 0.2, 0.6, 0.4], [0.2, 0.55, 0.1, 0.4]], np.float32)[
        :, None
    ]
    assert pictures.chosen(values, 0.5, False)[0].tolist() == [0, 2, 1, 0]
    assert pictures.chosen(values, 0.0, False)[0].tolist() == [1, 2, 1, 0]
    single = np.array([[0.5, 0.51, 0.2], [0.5, 0.49, 0.8]], np.float32)[:, None]
    assert pictures.chosen(single, 0.5, True)[0].tolist() == [1, 0, 1]
    assert pictures.chosen(single, 0.3, True)[0].tolist() == [1, 1, 1]
    assert pictures.chosen(single, 0.0, True)[0].tolist() == [1, 0, 1]


def test_a_smaller_answer_lies_in_the_middle() -> None:
    values = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    made = pictures.framed(values, 4)
    assert made.shape == (1, 2, 4, 4)
    assert made[0, 1, 1:3, 1:3].tolist() == [[1, 1], [1, 1]]
    assert made[0, 1].sum() == pytest.approx(4, abs=1e-4)
    whole = pictures.unframed(made[0])
    assert whole[0] == pytest.approx(np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]))
    # Beside a real answer the frame does not count.
    assert pictures.unframed(made[0, :, :, :1] + np.array([7.0, 1.0]).reshape(2, 1, 1))[0] == pytest.approx(
        7, abs=1e-4
    )


def test_cosine() -> None:
    got = pictures.cosine(np.array([[3.0, 0], [0, 2], [-1, 0], [1, 1], [0, 0]]), np.array([5.0, 0]))
    assert got == pytest.approx([1, 0, -1, math.sqrt(0.5), 0])
