# SPDX-License-Identifier: GPL-2.0-or-later
"""Otsu's threshold on histograms whose answer is known, and against trying every split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference.otsu import otsu


def between(counts: np.ndarray, edges: np.ndarray, split: int) -> float:
    """Variance between both sides of an edge, from the definition."""
    middle = (edges[:-1] + edges[1:]) / 2
    total, sides = counts.sum(), []
    mean = (counts * middle).sum() / total
    for part in (slice(None, split), slice(split, None)):
        weight = counts[part].sum()
        if not weight:
            return 0.0
        sides.append(weight / total * ((counts[part] * middle[part]).sum() / weight - mean) ** 2)
    return float(sum(sides))


def test_two_peaks_are_split_in_the_middle_of_the_gap():
    counts = np.array([5, 9, 5, 0, 0, 0, 0, 2, 4, 2])
    assert otsu(counts, np.arange(11.0)) == 5.0  # the edges 3 to 7 are equally good


def test_two_values_are_split_half_way():
    counts = np.zeros(256, int)
    counts[0], counts[-1] = 1000, 3
    assert otsu(counts, np.linspace(0, 1, 257)) == pytest.approx(0.5)


def test_a_worked_example():
    # 17 of 36 pixels below with the mean 11/17, 19 above with 74/19: 17/36 · 19/36 · (74/19 − 11/17)² = 2.6287.
    counts = np.array([8, 7, 2, 6, 9, 4])
    edges = np.arange(7) - 0.5
    assert otsu(counts, edges) == 2.5
    assert between(counts, edges, 3) == pytest.approx(17 / 36 * 19 / 36 * (74 / 19 - 11 / 17) ** 2)


@pytest.mark.parametrize("counts", [[7], [0, 0, 4, 0], [0, 0]])
def test_nothing_to_split_leaves_nothing_above(counts):
    edges = np.arange(len(counts) + 1.0)
    assert otsu(np.array(counts), edges) == edges[-1]


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=40).filter(lambda c: np.count_nonzero(c) > 1),
    st.floats(-1e4, 1e4),
    st.floats(1e-3, 1e3),
)
def test_no_other_edge_is_better(counts, start, width):
    counts = np.array(counts)
    edges = start + width * np.arange(len(counts) + 1)
    got = otsu(counts, edges)
    scores = np.array([between(counts, edges, k) for k in range(1, len(counts))])
    best = np.flatnonzero(scores >= scores.max() * (1 - 1e-6)) + 1
    # An edge, or between two edges, that are all as good as the best one.
    left, right = int(np.floor((got - start) / width + 1e-6)), int(np.ceil((got - start) / width - 1e-6))
    assert {left, right} <= set(best.tolist())


@given(st.lists(st.integers(0, 50), min_size=3, max_size=20).filter(lambda c: np.count_nonzero(c) > 1))
def test_scaling_the_counts_or_the_axis_moves_nothing(counts):
    edges = np.linspace(0, 2, len(counts) + 1)
    plain = otsu(np.array(counts), edges)
    assert otsu(np.array(counts) * 1000, edges) == pytest.approx(plain)
    assert otsu(np.array(counts), edges * 10 + 3) == pytest.approx(plain * 10 + 3)
