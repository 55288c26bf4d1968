# SPDX-License-Identifier: GPL-2.0-or-later
"""What remains between levelled tiles is faded out along their borders, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terrane.inference.levels import Edges, Overlaps, solve
from terrane.inference.seams import correction, fade
from terrane.inference.tiling import TilePlan, plan
from terrane.inference.types import Size

seeds = st.integers(0, 2**32 - 1)
TILE, STRIDE = 56, 48


def measured(layout: TilePlan, tiles: np.ndarray) -> Edges:
    found = Overlaps(layout)
    for row in range(len(layout.rows)):
        valid = np.ones((layout.strip(row).height, layout.size.width), bool)
        found.feed_row(row, {t.index: tiles[t.index] for t in layout.row_tiles(row)}, valid)
    return found.edges()


def direct(layout: TilePlan, edges: Edges) -> np.ndarray:
    """Which edges join neighbours side by side or one above the other."""
    cols = len(layout.cols)
    return np.abs(edges.a // cols - edges.b // cols) + np.abs(edges.a % cols - edges.b % cols) == 1


def patchwork(rows: int, cols: int, seed: int, noise: float) -> tuple[TilePlan, np.ndarray]:
    """Tiles of one surface, each with a level, a slope of its own, and noise."""
    random = np.random.default_rng(seed)
    layout = plan(Size(TILE + (cols - 1) * STRIDE, TILE + (rows - 1) * STRIDE), TILE, STRIDE)
    surface = np.cumsum(random.normal(0, 3, (layout.size.height, layout.size.width)), axis=1)
    y, x = np.mgrid[-1 : 1 : TILE * 1j, -1 : 1 : TILE * 1j]
    tiles = np.stack([surface[t.window.slices] for t in layout])
    tiles += random.normal(0, 100, (len(layout), 1, 1))
    tiles += random.normal(0, 5, (len(layout), 1, 1)) * x + random.normal(0, 5, (len(layout), 1, 1)) * y
    tiles += noise * random.normal(0, 1, tiles.shape)
    return layout, tiles.astype(np.float32)


@given(st.integers(2, 200), st.integers(1, 200))
def test_a_fade_rises_from_nothing_to_everything(tile, overlap):
    weights = fade(tile, min(overlap, tile // 2))
    assert (np.diff(weights) >= 0).all()
    assert ((weights >= 0) & (weights <= 1)).all()
    assert (weights[: tile // 2 - 1] == 0).all()
    assert (weights[tile - min(overlap, tile // 2) // 2 :] == 1).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 7), st.integers(2, 7), seeds)
def test_steps_between_neighbours_shrink_to_a_fraction(rows, cols, seed):
    layout, tiles = patchwork(rows, cols, seed, noise=1)
    edges = measured(layout, tiles)
    fixed = correction(layout, edges, solve(len(layout), edges).offsets)
    after = measured(layout, np.stack([fixed.apply(i, tile) for i, tile in enumerate(tiles)]))
    near = direct(layout, edges)
    before, left = (np.sqrt(np.mean(e.difference[near] ** 2)) for e in (edges, after))
    assert left < before / 20


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(1, 5), seeds)
def test_the_inner_half_of_a_tile_only_moves_as_a_whole(rows, cols, seed):
    layout, tiles = patchwork(rows, cols, seed, noise=3)
    edges = measured(layout, tiles)
    fixed = correction(layout, edges, solve(len(layout), edges).offsets)
    inner = slice(TILE // 4, TILE - TILE // 4)
    for i, tile in enumerate(tiles):
        moved = fixed.apply(i, tile)[inner, inner] - tile[inner, inner]
        assert np.ptp(moved) < 1e-3
        assert moved.mean() == pytest.approx(fixed.offsets[i], abs=1e-3)


def test_without_gaps_only_levels_remain():
    layout, _ = patchwork(3, 4, 1, 0)
    levels = np.arange(12.0) * 10
    tiles = np.broadcast_to(levels[:, None, None], (12, TILE, TILE)).astype(np.float32)
    edges = measured(layout, tiles)
    fixed = correction(layout, edges, -levels)
    assert (fixed.across == 0).all()
    assert (fixed.down == 0).all()
    assert (fixed.apply(5, tiles[5]) == 0).all()


def test_a_gap_is_shared_half_and_half():
    layout = plan(Size(TILE + STRIDE, TILE), TILE, STRIDE)
    edges = Edges(np.array([1]), np.array([0]), np.array([4.0]), np.array([1.0]))
    fixed = correction(layout, edges, np.zeros(2))
    overlap = TILE - STRIDE
    assert fixed.across[0, -overlap:].mean() == pytest.approx(2)
    assert fixed.across[1, :overlap].mean() == pytest.approx(-2)
    np.testing.assert_allclose(fixed.across[0], -fixed.across[1, ::-1], atol=1e-6)
    assert (fixed.down == 0).all()


@pytest.mark.parametrize("size", [Size(40, 30), Size(TILE, TILE), Size(TILE, 400), Size(400, 20)])
def test_scenes_of_one_tile_or_one_row(size):
    layout = plan(size, TILE, STRIDE)
    none = Edges(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0))
    fixed = correction(layout, none, np.zeros(len(layout)))
    values = np.ones((1, TILE, TILE), np.float32)
    assert (fixed.apply(len(layout) - 1, values) == values).all()


def test_wide_overlaps_are_left_to_the_blending():
    layout = plan(Size(TILE + 10, TILE), TILE, STRIDE)  # the second tile begins 10 pixels after the first
    edges = Edges(np.array([0]), np.array([1]), np.array([4.0]), np.array([1.0]))
    assert (correction(layout, edges, np.zeros(2)).across == 0).all()
