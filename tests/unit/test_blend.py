# SPDX-License-Identifier: GPL-2.0-or-later
"""Blending of overlapping tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terrane.inference.blend import RAMPS, RowBlender, axis_weights, classes_of, ramp
from terrane.inference.tiling import TilePlan, plan, reflected
from terrane.inference.types import Size


def blend(p: TilePlan, image: np.ndarray, skip: frozenset[int] = frozenset(), kind: str = "cosine"):
    """Cut an image into tiles, blend them, return (values, covered) of the whole scene."""
    blender = RowBlender(p, len(image), ramp=kind)
    padded = reflected(image, max(p.size.height, p.tile), max(p.size.width, p.tile))
    strips = []
    for row in range(len(p.rows)):
        for tile in p.row_tiles(row):
            if tile.index not in skip:
                blender.feed(tile, padded[(slice(None), *tile.window.slices)])
        strips.append(blender.finish_row())
        assert strips[-1].window == p.finished(row)
    return (
        np.concatenate([s.values for s in strips], axis=1),
        np.concatenate([s.covered for s in strips], axis=0),
    )


@st.composite
def plans(draw: st.DrawFn) -> TilePlan:
    tile = draw(st.integers(2, 16))
    stride = draw(st.integers(1, tile))
    return plan(Size(draw(st.integers(1, 50)), draw(st.integers(1, 50))), tile, stride)


@pytest.mark.parametrize("kind", RAMPS)
@pytest.mark.parametrize("length", [1, 2, 3, 32, 223])
def test_a_ramp_and_its_mirror_sum_to_one(kind: str, length: int) -> None:
    rising = ramp(length, kind)
    np.testing.assert_allclose(rising + rising[::-1], 1.0, atol=1e-15)
    assert (rising > 0).all()
    assert (rising < 1).all()
    assert (np.diff(rising) > 0).all()


def test_an_unknown_ramp_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown ramp 'square'"):
        ramp(3, "square")


@given(plans(), st.sampled_from(RAMPS))
def test_weights_are_positive_and_sum_to_one(p: TilePlan, kind: str) -> None:
    length = max(p.size.width, p.tile)
    weights = axis_weights(p.cols, p.tile, p.size.width, kind)
    total = np.zeros(length)
    for start, weight in zip(p.cols, weights):
        total[start : start + p.tile] += weight
    assert (weights > 0).all()
    np.testing.assert_allclose(total, 1.0, atol=3e-7)


def test_weights_of_two_tiles_are_exact() -> None:
    weights = axis_weights((0, 3), 5, 8, "linear")
    np.testing.assert_array_equal(weights[0], np.float32([1, 1, 1, 0.75, 0.25]))
    np.testing.assert_array_equal(weights[1], np.float32([0.25, 0.75, 1, 1, 1]))


@settings(max_examples=60)
@given(plans(), st.sampled_from(RAMPS), st.integers(0, 2**32 - 1))
def test_an_image_that_all_tiles_agree_on_comes_back(p: TilePlan, kind: str, seed: int) -> None:
    image = np.random.default_rng(seed).uniform(-9000, 9000, (2, p.size.height, p.size.width))
    values, covered = blend(p, image.astype(np.float32), kind=kind)
    assert covered.all()
    # Up to 16 × 16 tiles meet in a pixel here, each with its rounding; presets let four meet.
    np.testing.assert_allclose(values, image, rtol=1e-5, atol=1e-3)


@settings(max_examples=60)
@given(plans(), st.floats(-10000, 10000, width=32), st.data())
def test_a_constant_survives_skipping(p: TilePlan, value: float, data: st.DataObject) -> None:
    skip = data.draw(st.frozensets(st.integers(0, len(p) - 1)))
    image = np.full((1, p.size.height, p.size.width), value, np.float32)
    values, covered = blend(p, image, skip)
    expected = np.zeros_like(covered)
    for tile in p:
        if tile.index not in skip:
            expected[tile.window.slices] = True
    np.testing.assert_array_equal(covered, expected)
    np.testing.assert_allclose(values[0][covered], value, rtol=1e-5)
    assert (values[0][~covered] == 0).all()


def test_two_tiles_that_disagree_fade_into_each_other() -> None:
    p = plan(Size(8, 5), 5, 3)
    blender = RowBlender(p, 1, ramp="linear")
    left, right = p.row_tiles(0)
    blender.feed(right, np.full((1, 5, 5), 100.0, np.float32))
    blender.feed(left, np.zeros((1, 5, 5), np.float32))
    strip = blender.finish_row()
    np.testing.assert_allclose(strip.values[0], np.tile([0, 0, 0, 25, 75, 100, 100, 100], (5, 1)), atol=1e-5)


def test_no_seam_is_left_between_tiles_of_different_level() -> None:
    p = plan(Size(96, 96), 32, 24)
    rng = np.random.default_rng(3)
    blender = RowBlender(p, 1)
    strips = []
    for row in range(len(p.rows)):
        for tile in p.row_tiles(row):
            blender.feed(tile, np.full((1, 32, 32), rng.uniform(0, 100), np.float32))
        strips.append(blender.finish_row().values[0])
    image = np.concatenate(strips)
    # A step of 100 over 8 pixels of cosine rises by at most 100 · π/16 per pixel.
    steepest = max(np.abs(np.diff(image, axis=axis)).max() for axis in (0, 1))
    assert steepest < 100 * np.pi / 16 + 1e-3


def test_rows_must_come_in_order() -> None:
    p = plan(Size(8, 8), 4, 4)
    blender = RowBlender(p, 1)
    with pytest.raises(ValueError, match="row 1 came while row 0"):
        blender.feed(p.row_tiles(1)[0], np.zeros((1, 4, 4), np.float32))


def test_memory_is_one_row_of_tiles_whatever_the_height() -> None:
    def held(height: int) -> int:
        blender = RowBlender(plan(Size(64, height), 16, 12), 3)
        return sum(v.nbytes for v in vars(blender).values() if isinstance(v, np.ndarray) and v.ndim > 2)

    assert held(64) == held(6400) == 3 * 16 * 64 * 4


def test_classes_never_name_nodata_where_the_input_is_valid() -> None:
    probabilities = np.zeros((4, 1, 4), np.float32)
    probabilities[:, 0, 0] = (0.9, 0.05, 0.03, 0.02)
    probabilities[:, 0, 1] = (0.1, 0.2, 0.3, 0.4)
    probabilities[:, 0, 2] = (0.0, 0.5, 0.5, 0.0)
    probabilities[:, 0, 3] = (0.0, 0.0, 1.0, 0.0)
    classes = classes_of(probabilities, np.array([[True, True, True, False]]))
    assert classes.dtype == np.uint8
    assert classes.tolist() == [[1, 3, 1, 0]]


@pytest.mark.parametrize("stride", [192, 208])
@pytest.mark.parametrize("value", [1.0, 0.1, -280.6, 8848.86])
def test_a_constant_survives_the_presets_overlaps_to_a_millionth(stride: int, value: float) -> None:
    image = np.full((1, 500, 1000), value, np.float32)
    values, covered = blend(plan(Size(1000, 500), 224, stride), image)
    assert covered.all()
    np.testing.assert_allclose(values, image, rtol=1e-6)
