# SPDX-License-Identifier: GPL-2.0-or-later
"""Tile levels from overlaps: exact where the data are, robust where they are not."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terrane.inference.levels import Anchors, Edges, Overlaps, components, solve, trimmed_mean
from terrane.inference.tiling import plan
from terrane.inference.types import Size

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 7)


def lattice(rows: int, cols: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the edges between the eight neighbours of a lattice of tiles."""
    number = first + np.arange(rows * cols).reshape(rows, cols)
    pairs = [
        (number[:, :-1], number[:, 1:]),
        (number[:-1], number[1:]),
        (number[:-1, :-1], number[1:, 1:]),
        (number[:-1, 1:], number[1:, :-1]),
    ]
    return np.concatenate([a.ravel() for a, _ in pairs]), np.concatenate([b.ravel() for _, b in pairs])


def edges_of(levels: np.ndarray, a: np.ndarray, b: np.ndarray, random: np.random.Generator) -> Edges:
    """Edges without noise, with weights of any size."""
    return Edges(a, b, levels[a] - levels[b], random.uniform(0.01, 10, len(a)))


@given(sides, sides, seeds, st.floats(-1e4, 1e4))
def test_levels_come_back_exactly_whatever_their_mean(rows, cols, seed, mean):
    random = np.random.default_rng(seed)
    levels = mean + random.normal(0, 100, rows * cols)
    solution = solve(len(levels), edges_of(levels, *lattice(rows, cols), random))
    np.testing.assert_allclose(levels + solution.offsets, levels.mean(), atol=0.1)
    assert abs(solution.offsets.mean()) < 1e-6
    assert not solution.tied.any()
    assert (solution.part == 0).all()


@given(sides, sides, sides, seeds, st.integers(0, 3))
def test_parts_without_connection_are_solved_by_themselves(rows, cols, more, seed, lonely):
    random = np.random.default_rng(seed)
    first, second = rows * cols, more * more
    levels = random.normal(0, 100, first + second + lonely)
    one, two = lattice(rows, cols), lattice(more, more, first)
    a, b = np.concatenate((one[0], two[0])), np.concatenate((one[1], two[1]))
    edges = edges_of(levels, a, b, random)
    both = solve(len(levels), edges)
    alone = solve(first, Edges(*(column[: len(one[0])] for column in edges)))
    np.testing.assert_allclose(both.offsets[:first], alone.offsets, atol=0.1)
    np.testing.assert_allclose(levels[:first] + both.offsets[:first], levels[:first].mean(), atol=0.1)
    assert both.part.max(initial=-1) + 1 == 2 + lonely
    assert (both.offsets[first + second :] == 0).all()


@given(sides, sides, seeds, st.floats(-1e4, 1e4))
def test_anchors_set_the_level(rows, cols, seed, height):
    random = np.random.default_rng(seed)
    levels = random.normal(0, 100, rows * cols)
    tile = np.flatnonzero(random.random(len(levels)) < 0.5)
    if not len(tile):
        tile = np.array([0])
    anchors = Anchors(tile, levels[tile] - height, np.full(len(tile), 0.25))
    solution = solve(len(levels), edges_of(levels, *lattice(rows, cols), random), anchors=anchors)
    np.testing.assert_allclose(levels + solution.offsets, height, atol=0.1)
    assert solution.tied.all()


def test_only_parts_with_an_anchor_are_tied():
    levels = np.array([0.0, 10, 50, 70, 5])
    edges = Edges(np.array([0, 2]), np.array([1, 3]), np.array([-10.0, -20]), np.ones(2))
    solution = solve(5, edges, anchors=Anchors(np.array([3, 4]), np.array([-30.0, 5]), np.ones(2)))
    assert solution.tied.tolist() == [False, False, True, True, True]
    np.testing.assert_allclose(levels + solution.offsets, [5, 5, 100, 100, 0], atol=0.1)


@settings(deadline=None)
@given(seeds)
def test_a_few_wild_edges_do_no_harm(seed):
    random = np.random.default_rng(seed)
    levels = random.normal(600, 100, 64)
    a, b = lattice(8, 8)
    edges = edges_of(levels, a, b, random)._replace(weight=np.ones(len(a)))
    wild = random.choice(len(a), 3, replace=False)
    if np.bincount(np.concatenate((a[wild], b[wild]))).max() > 1:
        wild = wild[:1]  # two of a corner tile's three edges would outvote the good one
    edges.difference[wild] += random.choice([-1, 1], len(wild)) * random.uniform(20, 1000, len(wild))
    settled = levels + solve(64, edges).offsets
    assert np.ptp(settled) < 0.1


@given(seeds)
@settings(deadline=None)
def test_wrong_anchors_are_outvoted(seed):
    random = np.random.default_rng(seed)
    levels = random.normal(0, 100, 49)
    known = levels - 800 + random.normal(0, 2, 49)
    known[random.choice(49, 5, replace=False)] += 300  # a lake that the coarse DEM lacks, say
    anchors = Anchors(np.arange(49), known, np.full(49, 0.25))
    solution = solve(49, edges_of(levels, *lattice(7, 7), random), anchors=anchors)
    assert np.abs(levels + solution.offsets - 800).max() < 3


def test_noise_is_averaged():
    random = np.random.default_rng(3)
    levels = random.normal(0, 100, 400)
    a, b = lattice(20, 20)
    edges = Edges(a, b, levels[a] - levels[b] + random.normal(0, 1, len(a)), np.ones(len(a)))
    settled = levels + solve(400, edges).offsets
    assert settled.std() < 1
    assert np.std(settled[a] - settled[b]) < 1


def test_edges_that_say_nothing_are_left_out():
    edges = Edges(
        np.array([0, 0, 1, 1, 2]),
        np.array([1, 1, 1, 2, 1]),
        np.array([4.0, np.nan, 9, 7, -7]),
        np.array([1.0, 1, 1, 0, np.inf]),
    )
    np.testing.assert_allclose(solve(3, edges).offsets, [-2, 2, 0], atol=0.1)


def test_tiles_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        solve(2, Edges(np.array([0]), np.array([2]), np.array([1.0]), np.array([1.0])))
    with pytest.raises(ValueError, match="from 0 to 1"):
        solve(
            2,
            Edges(np.array([0]), np.array([1]), np.array([1.0]), np.array([1.0])),
            anchors=Anchors(np.array([2]), np.array([1.0]), np.array([1.0])),
        )


def test_nothing_to_solve():
    empty = Edges(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0))
    nobody = Anchors(empty.a, empty.difference, empty.weight)
    assert solve(0, empty).offsets.shape == (0,)
    assert solve(1, empty, anchors=nobody).offsets.tolist() == [0.0]


def test_thousands_of_tiles_take_seconds():
    random = np.random.default_rng(2)
    side = 57  # of a Sentinel-2 tile with tiles of 224 and a stride of 192
    levels = random.normal(600, 100, side * side)
    a, b = lattice(side, side)
    edges = Edges(a, b, levels[a] - levels[b] + random.normal(0, 2, len(a)), np.ones(len(a)))
    started = time.process_time()
    settled = levels + solve(len(levels), edges).offsets
    assert time.process_time() - started < 10  # under one on an idle machine
    assert settled.std() < 2


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_components_against_a_plain_search(pairs):
    expected = list(range(20))
    for a, b in pairs:
        expected = [expected[a] if label == expected[b] else label for label in expected]
    a, b = (np.array([p[i] for p in pairs], np.int64) for i in (0, 1))
    ours = components(20, a, b)
    for i in range(20):
        assert ((ours == ours[i]) == (np.array(expected) == expected[i])).all()
    assert sorted(set(ours)) == list(range(ours.max() + 1))


@given(seeds, st.integers(64, 2000))
def test_the_mean_ignores_wild_pixels(seed, count):
    random = np.random.default_rng(seed)
    values = random.normal(30, 2, count).astype(np.float32)
    values[: count // 5] = random.choice([-1e4, 1e4], count // 5)
    mean, spread = trimmed_mean(values)
    assert mean == pytest.approx(30, abs=4)
    assert 0.5 < spread < 10


def overlaps_of(
    size: Size, tile: int, stride: int, valid: np.ndarray, surface: np.ndarray, levels: np.ndarray
):
    """Edges of tiles cut from one surface, each raised by its level."""
    layout = plan(size, tile, stride)
    found = Overlaps(layout)
    for row in range(len(layout.rows)):
        under = valid[layout.strip(row).slices]
        tiles = {}
        for t in layout.row_tiles(row):
            inside = valid[t.window.slices]
            if inside.any():
                values = np.zeros((tile, tile), np.float32)
                values[: inside.shape[0], : inside.shape[1]] = surface[t.window.slices]
                tiles[t.index] = values + np.float32(levels[t.index])
        found.feed_row(row, tiles, under)
    return layout, found.edges()


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(16, 30), st.integers(1, 30), seeds, st.booleans())
def test_overlaps_are_measured_and_solved_for_any_plan(width, height, tile, stride, seed, holes):
    random = np.random.default_rng(seed)
    valid = np.ones((height, width), bool)
    if holes:
        valid = random.random((height, width)) < 0.8
    stride = max(tile // 4, min(stride, tile))
    layout = plan(Size(width, height), tile, stride)
    surface = random.normal(0, 30, (height, width)).astype(np.float32)
    levels = random.normal(600, 100, len(layout))
    layout, edges = overlaps_of(Size(width, height), tile, stride, valid, surface, levels)
    np.testing.assert_allclose(edges.difference, levels[edges.a] - levels[edges.b], atol=1e-3)
    # Every pair that shares valid pixels is an edge, once.
    windows = [t.window for t in layout]
    count = np.zeros((len(layout), len(layout)), int)
    for i, one in enumerate(windows):
        mine = np.zeros_like(valid)
        mine[one.slices] = True
        for j in range(i + 1, len(windows)):
            count[i, j] = (mine & valid)[windows[j].slices].sum()
    expected = set(zip(*np.nonzero(count)))
    got = list(zip(np.minimum(edges.a, edges.b), np.maximum(edges.a, edges.b)))
    assert len(got) == len(set(got))
    assert set(got) == expected
    solution = solve(len(layout), edges)
    for part in range(solution.part.max() + 1):
        assert np.ptp((levels + solution.offsets)[solution.part == part]) < 0.05


def test_missing_tiles_and_pixels_are_not_compared():
    layout = plan(Size(60, 30), 30, 15)
    found = Overlaps(layout)
    tiles = {0: np.zeros((30, 30), np.float32), 2: np.full((30, 30), 7, np.float32)}
    tiles[2][:, :15] = np.nan
    found.feed_row(0, tiles, np.ones((30, 60), bool))
    assert len(found.edges().a) == 0  # tile 1 does not exist, and 0 and 2 only touch
    found = Overlaps(layout)
    tiles[1] = np.full((30, 30), 3, np.float32)
    found.feed_row(0, tiles, np.ones((30, 60), bool))
    edges = found.edges()
    assert edges.a.tolist() == [0]  # of the pixels that 1 and 2 share, none is a number
    assert edges.difference.tolist() == [-3]
