# SPDX-License-Identifier: GPL-2.0-or-later
"""Tile plans, for any size, tile and stride."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference.tiling import TilePlan, filled, plan, reflected
from terrane.inference.types import Size, Window


@st.composite
def plans(draw: st.DrawFn) -> TilePlan:
    tile = draw(st.integers(1, 40))
    stride = draw(st.integers(1, tile))
    return plan(Size(draw(st.integers(1, 150)), draw(st.integers(1, 150))), tile, stride)


@given(plans())
def test_every_pixel_is_covered(p: TilePlan) -> None:
    covered = np.zeros((p.size.height, p.size.width), bool)
    for tile in p:
        covered[tile.window.slices] = True
    assert covered.all()


@given(plans())
def test_tiles_lie_inside_unless_the_scene_is_smaller(p: TilePlan) -> None:
    for tile in p:
        x, y, w, h = tile.window
        assert (w, h) == (p.tile, p.tile)
        assert x >= 0
        assert y >= 0
        assert x + w <= max(p.size.width, p.tile)
        assert y + h <= max(p.size.height, p.tile)


@given(plans())
def test_first_and_last_tiles_are_flush(p: TilePlan) -> None:
    for starts, length in ((p.rows, p.size.height), (p.cols, p.size.width)):
        assert starts[0] == 0
        assert starts[-1] + p.tile == max(length, p.tile)


@given(plans())
def test_neighbours_overlap_as_asked_and_never_coincide(p: TilePlan) -> None:
    for starts in (p.rows, p.cols):
        steps = np.diff(starts)
        assert (steps > 0).all()
        assert (steps <= p.stride).all()
        assert (steps[:-1] == p.stride).all()


@given(plans())
def test_no_tile_too_many(p: TilePlan) -> None:
    for starts, length in ((p.rows, p.size.height), (p.cols, p.size.width)):
        assert len(starts) == 1 + max(0, -(-(length - p.tile) // p.stride))


@given(plans())
def test_indices_count_row_by_row(p: TilePlan) -> None:
    tiles = p.tiles
    assert [t.index for t in tiles] == list(range(len(p)))
    assert [(t.row, t.col) for t in tiles] == sorted((t.row, t.col) for t in tiles)
    assert all((t.window.col, t.window.row) == (p.cols[t.col], p.rows[t.row]) for t in tiles)


@given(plans())
def test_finished_strips_follow_each_other_and_cover_the_scene(p: TilePlan) -> None:
    row = 0
    for r in range(len(p.rows)):
        window = p.finished(r)
        assert (window.col, window.width) == (0, p.size.width)
        assert window.row == row
        assert 0 < window.height <= p.tile
        row += window.height
        for later in range(r + 1, len(p.rows)):
            assert p.strip(later).row >= row
    assert row == p.size.height


@given(plans())
def test_fresh_rows_are_read_exactly_once(p: TilePlan) -> None:
    row = 0
    for r in range(len(p.rows)):
        fresh, strip = p.fresh(r), p.strip(r)
        assert fresh.row == row
        assert fresh.height > 0
        assert strip.row <= fresh.row
        assert fresh.row + fresh.height == strip.row + strip.height
        row += fresh.height
    assert row == p.size.height


@given(plans(), st.integers(1, 9))
def test_batches_deal_out_each_tile_once_and_stay_in_their_row(p: TilePlan, size: int) -> None:
    dealt = []
    for row in range(len(p.rows)):
        for batch in p.batches(row, size):
            assert 1 <= len(batch) <= size
            assert {t.row for t in batch} == {row}
            dealt += batch
    assert tuple(dealt) == p.tiles


def test_a_plan_is_what_it_was() -> None:
    p = plan(Size(1000, 500), 224, 192)
    assert p.cols == (0, 192, 384, 576, 768, 776)
    assert p.rows == (0, 192, 276)
    assert str(p) == "tile 224 stride 192 rows 3 cols 6"
    assert p == plan(Size(1000, 500), 224, 192)
    assert plan(Size(100, 30), 224, 192).tiles[0].window == Window(0, 0, 224, 224)


@pytest.mark.parametrize(
    ("size", "tile", "stride"),
    [(Size(0, 5), 4, 4), (Size(5, 0), 4, 4), (Size(5, 5), 4, 5), (Size(5, 5), 4, 0), (Size(5, 5), 0, 0)],
)
def test_impossible_plans_are_refused(size: Size, tile: int, stride: int) -> None:
    with pytest.raises(ValueError, match="not"):
        plan(size, tile, stride)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        next(plan(Size(5, 5), 4, 4).batches(0, 0))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 40), st.integers(0, 40))
def test_reflection_is_numpys(h: int, w: int, more_h: int, more_w: int) -> None:
    array = np.arange(2 * h * w, dtype=np.float32).reshape(2, h, w)
    expected = np.pad(array, ((0, 0), (0, more_h), (0, more_w)), mode="reflect")
    np.testing.assert_array_equal(reflected(array, h + more_h, w + more_w), expected)


def test_nothing_to_reflect_copies_nothing() -> None:
    array = np.zeros((2, 3, 4))
    assert reflected(array, 3, 4) is array


def test_holes_take_the_nearest_pixel_of_their_row_or_else_of_their_column() -> None:
    n = np.nan
    image = np.array([[[n, n, n, n], [n, 1, n, 3], [4, n, n, 7], [n, n, n, n]]], np.float32)
    expected = [[[1, 1, 1, 3], [1, 1, 1, 3], [4, 4, 7, 7], [4, 4, 7, 7]]]
    np.testing.assert_array_equal(filled(image), expected)
    assert np.isnan(image[0, 0, 0])  # the caller's array is left alone


def test_a_hole_in_one_band_is_filled_in_all_of_them() -> None:
    image = np.array([[[1, 2, 3]], [[4, np.nan, 6]]], np.float32)
    np.testing.assert_array_equal(filled(image), [[[1, 1, 3]], [[4, 4, 6]]])


def test_a_tile_without_holes_or_without_data_is_left_alone() -> None:
    whole, empty = np.ones((2, 3, 4), np.float32), np.full((2, 3, 4), np.nan, np.float32)
    assert filled(whole) is whole
    assert filled(empty) is empty
