# SPDX-License-Identifier: GPL-2.0-or-later
"""What keeps a codebook in use: latents spread over it, and logits that tell every code apart from the start."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.forward import SPREAD, spread_loss, straight_through  # noqa: E402
from training.initial_weights import fan_out  # noqa: E402
from training.starter_model import GRID, TARGETS, vocabulary  # noqa: E402


@pytest.mark.parametrize("target", TARGETS)
def test_every_code_can_be_named_at_the_start(target: str) -> None:
    levels = TARGETS[target]["codebook"]
    torch.manual_seed(4)
    logits = torch.nn.Linear(128, vocabulary(target), bias=False)
    fan_out(logits, levels)
    # A code's own weights point at it: no other code's logit is higher.
    with torch.no_grad():
        found = logits(logits.weight)
    assert (found.argmax(-1) == torch.arange(len(found))).all()


def test_codes_are_numbered_as_fsq_numbers_them() -> None:
    # The first level changes fastest (Mentzer et al. 2023, as in terratorch's quantiser).
    levels = (3, 2, 2)
    logits = torch.nn.Linear(8, 12, bias=False)
    fan_out(logits, levels)
    codes = [code[::-1] for code in itertools.product(*(range(n) for n in reversed(levels)))]
    with torch.no_grad():
        alike = (logits.weight @ logits.weight.T).numpy()
    for (i, one), (j, two) in itertools.combinations(enumerate(codes), 2):
        # A plane each, of radius 3: one step of the first level is a right angle, of the others half a turn.
        turns = [np.cos(np.pi * (a - b) / (n - 1)) for a, b, n in zip(one, two, levels)]
        assert alike[i, j] == pytest.approx(9.0 * sum(turns), abs=1e-4)


def test_latents_spread_evenly_cost_nothing() -> None:
    corners = torch.tensor(
        list(itertools.product((-SPREAD, SPREAD), repeat=3))
    )  # uncorrelated, deviation SPREAD
    latents = corners.T.reshape(1, 3, 2, 4)
    assert spread_loss(latents).item() == pytest.approx(0.0, abs=1e-6)
    # All on one line: each of the six correlations of nine numbers is 1.
    line = latents[:, :1].expand(-1, 3, -1, -1)
    assert spread_loss(line).item() == pytest.approx(6 / 9, abs=1e-6)
    # All alike: each variance is missed by 1, and the mean by SPREAD.
    assert spread_loss(torch.full((2, 3, 2, 2), SPREAD)).item() == pytest.approx(3 / 9 + 1, abs=1e-6)


def test_the_likeliest_code_is_decoded_and_all_learn() -> None:
    class Quantiser:
        codebook = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])

    class Tokenizer:
        quantize = Quantiser()

    logits = torch.zeros(1, GRID * GRID, 3)
    logits[..., 2] = 1.0
    logits.requires_grad_()
    codes = straight_through(Tokenizer(), logits)
    assert codes.shape == (1, 2, GRID, GRID)
    torch.testing.assert_close(codes, torch.ones_like(codes))
    codes.sum().backward()
    assert (logits.grad.abs() > 0).all()
