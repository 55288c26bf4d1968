# SPDX-License-Identifier: GPL-2.0-or-later
"""The optimiser of the starter's training: Muon on hidden matrices, AdamW on the rest."""

from __future__ import annotations

from typing import Any

import pytest

from training.optimiser import ADAM_RMS, DECAY, Optimiser, orthogonal

torch = pytest.importorskip("torch")


class Small(torch.nn.Module):
    """Two hidden matrices of one shape, one of another, and what is left to AdamW."""

    def __init__(self) -> None:
        super().__init__()
        self.block = torch.nn.ModuleDict(
            {"mlp": torch.nn.Sequential(torch.nn.Linear(6, 10), torch.nn.GELU(), torch.nn.Linear(10, 6))}
        )
        self.words = torch.nn.Embedding(5, 6)

    def forward(self, ids: Any) -> Any:
        return self.block["mlp"](self.words(ids))


@pytest.mark.parametrize("shape", [(3, 40, 24), (1, 16, 64), (2, 12, 12)])
def test_orthogonal_brings_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape) * 7.0))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_hidden_matrices_go_to_muon_and_the_rest_to_adam() -> None:
    model = Small()
    optimiser = Optimiser({"small": model}, 1e-2)
    assert [tuple(p.shape) for p in optimiser.matrices] == [(10, 6), (6, 10)]
    assert len(optimiser.parameters) == 5


def test_a_step_of_muon_has_the_size_of_adams() -> None:
    torch.manual_seed(1)
    model = Small()
    optimiser = Optimiser({"small": model}, 1e-2)
    before = [p.detach().clone() for p in optimiser.matrices]
    model(torch.tensor([0, 1, 2])).square().sum().backward()
    optimiser.step()
    for old, new in zip(before, optimiser.matrices):
        change = (new - old * (1.0 - 1e-2 * DECAY)).detach()
        size = torch.linalg.matrix_norm(change, 2) / (1e-2 * ADAM_RMS * 10**0.5)
        assert 0.5 < float(size) < 1.3


def test_matrices_without_a_gradient_stay() -> None:
    model = Small()
    optimiser = Optimiser({"small": model}, 1e-2)
    before = [p.detach().clone() for p in optimiser.matrices]
    model.words(torch.tensor([1])).sum().backward()
    optimiser.step()
    assert all(torch.equal(old, new) for old, new in zip(before, optimiser.matrices))


def test_it_learns_and_goes_on_from_a_saved_state() -> None:
    def train(steps: int, state: Any = None, start: Any = None) -> tuple[Any, Any, float]:
        torch.manual_seed(3)
        model = Small()
        optimiser = Optimiser({"small": model}, 2e-2)
        if start is not None:
            model.load_state_dict(start)
            optimiser.load_state_dict(state)
        ids, loss = torch.arange(5), torch.tensor(0.0)
        for _ in range(steps):
            loss = (model(ids) - torch.eye(5, 6)).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return model.state_dict(), optimiser.state_dict(), float(loss.detach())

    whole, _, loss = train(60)
    assert loss < 0.02
    half, state, _ = train(30)
    rest, _, _ = train(30, state, half)
    assert all(torch.equal(whole[name], rest[name]) for name in whole)
