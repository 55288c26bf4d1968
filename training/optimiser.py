# SPDX-License-Identifier: GPL-2.0-or-later
"""The optimiser: Muon for the matrices inside transformer blocks, AdamW for all else. Needs torch.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) replaces each matrix's momentum by the nearest
orthogonal matrix, so that rare directions are learned as fast as common ones. Its step is scaled to AdamW's size
as in Liu et al. 2025 (https://arxiv.org/abs/2502.16982). In the warm start it reached after 400 steps more than
AdamW after 800. ``torch.optim.Muon`` is not used: it works in bfloat16, which processors without hardware for it
emulate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Coefficients of the quintic Newton-Schulz iteration, and how often it runs (Jordan et al. 2024).
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS = 5
MOMENTUM = 0.95
#: Root mean square of AdamW's usual step relative to its rate (Liu et al. 2025).
ADAM_RMS = 0.2
DECAY = 0.02

#: Parts of the names of layers whose weights are matrices between hidden layers.
HIDDEN = (".attn.", ".self_attn.", ".cross_attn.", ".mlp.", ".post_mlp.")


class Optimiser:
    """One step of both methods at one rate."""

    def __init__(self, modules: Mapping[str, Any], rate: float) -> None:
        import torch

        named = [
            (f".{name}", p) for m in modules.values() for name, p in m.named_parameters() if p.requires_grad
        ]
        self.matrices = [p for name, p in named if p.ndim == 2 and any(part in name for part in HIDDEN)]
        chosen = {id(p) for p in self.matrices}
        rest = [p for _, p in named if id(p) not in chosen]
        self.parameters = [p for _, p in named]
        self.adam = torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=DECAY, fused=True)
        self.momentum = [torch.zeros_like(p) for p in self.matrices]
        self.rate = rate

    def set_rate(self, rate: float) -> None:
        """Use this learning rate from now on."""
        self.rate = rate
        for group in self.adam.param_groups:
            group["lr"] = rate

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None

    def step(self) -> None:
        """Change the weights by their gradients; those without one stay as they are."""
        import torch

        self.adam.step()
        with torch.no_grad():
            for weights, momenta in self._groups():
                gradients = [p.grad for p in weights]
                torch._foreach_mul_(momenta, MOMENTUM)
                torch._foreach_add_(momenta, gradients)
                nesterov = torch.stack(gradients) + MOMENTUM * torch.stack(momenta)
                change = orthogonal(nesterov)
                size = self.rate * ADAM_RMS * max(change.shape[-2:]) ** 0.5
                torch._foreach_mul_(weights, 1.0 - self.rate * DECAY)
                torch._foreach_add_(weights, list(change.unbind(0)), alpha=-size)

    def _groups(self) -> Iterator[tuple[list[Any], list[Any]]]:
        """Yield matrices that have gradients, and their momenta, those of one shape together."""
        shapes: dict[Any, tuple[list[Any], list[Any]]] = {}
        for p, momentum in zip(self.matrices, self.momentum):
            if p.grad is not None:
                weights, momenta = shapes.setdefault(p.shape, ([], []))
                weights.append(p)
                momenta.append(momentum)
        yield from shapes.values()

    def state_dict(self) -> dict[str, Any]:
        """Return what :meth:`load_state_dict` needs to go on."""
        return {"adam": self.adam.state_dict(), "momentum": self.momentum}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of the same modules."""
        self.adam.load_state_dict(state["adam"])
        for mine, saved in zip(self.momentum, state["momentum"]):
            mine.copy_(saved)


def orthogonal(matrices: Any) -> Any:
    """Return matrices (n, rows, columns) with their singular values brought near 1 (0.7 to 1.2)."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = A * x + (B * square + C * (square @ square)) @ x
    return x.mT if tall else x
