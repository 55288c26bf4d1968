# SPDX-License-Identifier: GPL-2.0-or-later
"""DDIM against terratorch's own scheduler; the numbers were printed by terratorch 1.x (float32)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference import ddim
from terrane.inference.errors import Cancelled
from terrane.inference.packs.manifest import DiffusionSpec
from terrane.inference.types import Cancel

SPEC = DiffusionSpec()
NOISE = np.array([-2.0, -0.5, 0.1, 0.9, 2.5], np.float32).reshape(1, 1, 1, 5)


def network(noisy: np.ndarray, t: int) -> np.ndarray:
    """The toy network that was given to the reference, too."""
    return (np.float32(1.3) * np.tanh(np.float32(0.7) * noisy + np.float32(0.001 * t))).astype(np.float32)


@pytest.mark.parametrize(
    ("terminal", "expected"),
    [
        (True, [0.99989998, 0.99977934, 0.89449036, 0.0752462, 0.00010303846, 4.2132733e-09, 0.0]),
        (
            False,
            [0.99989998, 0.99978006, 0.89514136, 0.07779665, 0.00027024449, 4.1181942e-05, 4.0358304e-05],
        ),
    ],
)
def test_noise_schedule_is_the_reference_s(terminal: bool, expected: list[float]) -> None:
    alphas = ddim.alphas_cumprod(DiffusionSpec(zero_terminal_snr=terminal))
    assert alphas.shape == (1000,)
    assert alphas.dtype == np.float32
    np.testing.assert_allclose(alphas[[0, 1, 100, 500, 900, 998, 999]], expected, rtol=5e-6, atol=1e-12)
    assert (np.diff(alphas) < 0).all()


@pytest.mark.parametrize(
    ("spacing", "steps", "expected"),
    [
        ("trailing", 1, [999]),
        ("trailing", 2, [999, 499]),
        ("trailing", 3, [999, 666, 333, 0]),  # the reference's oddity: one step more than asked for
        ("trailing", 4, [999, 749, 499, 249]),
        ("trailing", 7, [999, 857, 715, 573, 431, 289, 147, 5]),
        ("trailing", 10, [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]),
        ("leading", 3, [666, 333, 0]),
        ("leading", 4, [750, 500, 250, 0]),
        ("linspace", 3, [999, 499, 0]),
        ("linspace", 5, [999, 749, 499, 250, 0]),
    ],
)
def test_steps_are_the_reference_s(spacing: str, steps: int, expected: list[int]) -> None:
    assert ddim.timesteps(DiffusionSpec(spacing=spacing), steps) == expected


@pytest.mark.parametrize(("steps", "count"), [(50, 50), (300, 334), (600, 1000), (1000, 1000)])
def test_number_of_trailing_steps(steps: int, count: int) -> None:
    assert len(ddim.timesteps(SPEC, steps)) == count


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_impossible_step_counts_are_refused(steps: int) -> None:
    with pytest.raises(ValueError, match="denoising steps"):
        ddim.timesteps(SPEC, steps)


@pytest.mark.parametrize(
    ("prediction", "steps", "expected"),
    [
        ("sample", 1, [-0.49504542, 0.74229532, 1.0, 1.0, 1.0]),
        ("sample", 2, [-0.95714742, 0.38564315, 0.83286345, 1.0, 1.0]),
        ("sample", 3, [-0.79605836, 0.27153894, 0.67302442, 0.79036379, 0.79875892]),
        ("sample", 10, [-0.97040218, 0.20329554, 0.74733776, 0.94263607, 1.0]),
        ("v_prediction", 1, [0.49504542, -0.74229532, -1.0, -1.0, -1.0]),
        ("v_prediction", 2, [0.30211177, -0.21306627, -0.49544755, -0.73955643, -0.61701316]),
        ("v_prediction", 3, [-0.18431878, -0.2364181, -0.2887391, -0.35290816, -0.08228603]),
        ("v_prediction", 10, [-0.63406575, -0.33038598, -0.22612077, -0.0496806, 0.57050580]),
    ],
)
def test_walk_is_the_reference_s(prediction: str, steps: int, expected: list[float]) -> None:
    result = ddim.denoise(network, NOISE, DiffusionSpec(prediction=prediction), steps=steps, clamp=1.0)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.ravel(), expected, rtol=2e-5, atol=2e-6)


@given(st.floats(0.1, 5.0), st.integers(1, 12))
def test_result_stays_within_the_clamp(clamp: float, steps: int) -> None:
    result = ddim.denoise(lambda x, t: 10 * x, NOISE, SPEC, steps=steps, clamp=clamp)
    assert np.abs(result).max() <= np.float32(clamp)


def test_one_step_returns_the_network_s_estimate() -> None:
    estimate = np.linspace(-0.9, 0.9, 5, dtype=np.float32).reshape(1, 1, 1, 5)
    result = ddim.denoise(lambda x, t: estimate, NOISE, SPEC, steps=1, clamp=1.0)
    np.testing.assert_array_equal(result, estimate)


def test_cancel_stops_between_steps() -> None:
    cancel, seen = Cancel(), []

    def predict(noisy: np.ndarray, t: int) -> np.ndarray:
        seen.append(t)
        if len(seen) == 3:
            cancel.set()
        return noisy

    with pytest.raises(Cancelled):
        ddim.denoise(predict, NOISE, SPEC, steps=10, clamp=1.0, cancel=cancel)
    assert seen == [999, 899, 799]
