# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from terrane.inference import sampler

LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 40)),
    elements=st.floats(-30, 30, width=32),
)


def nucleus(row: np.ndarray, p: float) -> set[int]:
    """The definition, by sorting everything."""
    order = np.argsort(-row, kind="stable")
    weights = np.exp((row - row.max()).astype(np.float64))
    before = weights[order].cumsum() / weights.sum() - weights[order] / weights.sum()
    return set(order[before <= p].tolist()) | {int(order[0])}


def spread(logits: np.ndarray, p: float, draws: int = 400, temperature: float = 1.0) -> list[set[int]]:
    """Tokens seen per row in many draws."""
    seen: list[set[int]] = [set() for _ in logits]
    for i in range(draws):
        ids = sampler.top_p(logits, sampler.generator(i, 0, "T"), p=p, temperature=temperature)
        for row, token in enumerate(ids):
            seen[row].add(int(token))
    return seen


def test_nucleus_is_the_reference_s() -> None:
    """Logits and the tokens that terratorch's GenerationSampler keeps of them at top-p 0.8."""
    logits = np.array(
        [
            [
                -2.2517,
                -2.3047,
                -0.5012,
                -0.8678,
                1.6974,
                1.384,
                -0.632,
                -4.2304,
                0.6445,
                -2.5267,
                0.7,
                0.6163,
            ],
            [
                0.2397,
                2.4753,
                2.2336,
                -0.4946,
                -2.7053,
                -3.3919,
                1.1333,
                1.587,
                1.1977,
                -3.1102,
                -0.6827,
                3.7061,
            ],
            [
                1.5004,
                -1.171,
                -0.3468,
                0.367,
                2.7787,
                3.1727,
                1.8926,
                -1.6874,
                -1.2272,
                0.0632,
                -0.9854,
                0.4968,
            ],
            [
                0.8794,
                0.2248,
                1.2816,
                0.8823,
                -0.2046,
                1.5849,
                -0.5793,
                0.105,
                1.0457,
                4.6044,
                -2.9378,
                -3.1734,
            ],
        ],
        np.float32,
    )
    assert spread(logits, 0.8) == [{4, 5, 8, 10, 11}, {1, 2, 11}, {4, 5, 6}, {9}]


@given(LOGITS, st.floats(0.01, 0.99), st.integers(0, 2**63))
def test_draws_come_from_the_nucleus(logits: np.ndarray, p: float, seed: int) -> None:
    ids = sampler.top_p(logits, sampler.generator(seed, 1, "DEM"), p=p)
    assert ids.dtype == np.int64
    for row, token in zip(logits, ids):
        # The border may fall either way where the sum meets p within rounding.
        assert int(token) in nucleus(row, p + 1e-5)


@given(LOGITS, st.floats(0.05, 0.95))
def test_nucleus_by_bins_equals_nucleus_by_sorting(logits: np.ndarray, p: float) -> None:
    shifted = logits - logits.max(axis=1, keepdims=True)
    for row, kept in zip(logits, sampler._nuclei(shifted, np.exp(shifted), p)):
        assert nucleus(row, p - 1e-5) <= set(kept.tolist()) <= nucleus(row, p + 1e-5)
        assert (np.diff(kept) > 0).all()


def test_large_vocabulary() -> None:
    rng = np.random.default_rng(0)
    for scale in (0.0, 0.01, 1.0, 5.0, 30.0):
        logits = (rng.standard_normal((8, 15360)) * scale).astype(np.float32)
        shifted = logits - logits.max(axis=1, keepdims=True)
        for row, kept in zip(logits, sampler._nuclei(shifted, np.exp(shifted), 0.8)):
            assert abs(len(kept) - len(nucleus(row, 0.8))) <= 1


@given(LOGITS, st.integers(0, 100), st.floats(0.1, 3.0))
def test_tiles_do_not_depend_on_their_batch(logits: np.ndarray, seed: int, temperature: float) -> None:
    def draw(array: np.ndarray, tile: int) -> list[int]:
        rng = sampler.generator(seed, tile, "LULC")
        return sampler.top_p(array, rng, p=0.8, temperature=temperature).tolist()

    alone = [draw(logits, tile) for tile in range(3)]
    batch = np.stack([logits] * 3)
    assert [draw(batch[tile], tile) for tile in (2, 0, 1)] == [alone[2], alone[0], alone[1]]


@given(LOGITS)
def test_zero_temperature_is_argmax(logits: np.ndarray) -> None:
    drawn = sampler.top_p(logits, sampler.generator(0, 0, "x"), p=0.8, temperature=0.0)
    np.testing.assert_array_equal(drawn, logits.argmax(axis=1))
    np.testing.assert_array_equal(sampler.argmax(logits), drawn)


@pytest.mark.parametrize("seed", [0, 1])
def test_frequencies_follow_the_probabilities(seed: int) -> None:
    logits = np.tile(np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32)), (2000, 1))
    ids = sampler.top_p(logits, sampler.generator(seed, 0, "x"), p=0.9)
    share = np.bincount(ids, minlength=4) / len(ids)
    np.testing.assert_allclose(share, [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0.0], atol=0.04)


def test_temperature_is_applied_after_the_nucleus() -> None:
    logits = np.log(np.array([[0.6, 0.25, 0.15]], np.float32))
    assert spread(logits, 0.8, temperature=100.0) == [{0, 1}]


def test_no_limit_keeps_everything() -> None:
    logits = np.zeros((1, 6), np.float32)
    for p in (0.0, 1.0):
        assert spread(logits, p) == [set(range(6))]


def test_generators_differ_in_every_part_of_the_key() -> None:
    keys = [(0, 0, "DEM", 0, 0), (1, 0, "DEM", 0, 0), (0, 1, "DEM", 0, 0), (0, 0, "LULC", 0, 0)]
    keys += [(0, 0, "DEM", 1, 0), (0, 0, "DEM", 0, 1), (-1, 0, "DEM", 0, 0), (2**70, 0, "DEM", 0, 0)]
    firsts = {sampler.generator(*key).random() for key in keys}
    assert len(firsts) == len(keys)


def test_random_numbers_stay_the_same_over_versions() -> None:
    """A run must be repeatable with a later Terrane: these numbers may never change."""
    rng = sampler.generator(0, 7, "DEM/tokens")
    np.testing.assert_allclose(rng.random(3), PINNED_UNIFORM, rtol=0, atol=1e-15)
    noise = sampler.generator(0, 7, "DEM/noise").standard_normal(3, dtype=np.float32)
    np.testing.assert_allclose(noise, PINNED_NORMAL, rtol=1e-6)


PINNED_UNIFORM = [0.575698797355214, 0.17437313317686287, 0.38510837954781985]
PINNED_NORMAL = [-0.2048101, 1.4854887, 1.5950933]


@pytest.mark.parametrize("shape", [(1, 1), (3, 1)])
def test_vocabulary_of_one(shape: tuple[int, int]) -> None:
    ids = sampler.top_p(np.zeros(shape, np.float32), sampler.generator(0, 0, "x"), p=0.8)
    assert ids.tolist() == [0] * shape[0]
