# SPDX-License-Identifier: GPL-2.0-or-later
"""The stages of training: what each one trains, and its loss. Needs torch and terratorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from .data import Batch
from .forward import (
    dem_loss,
    diffusion_loss,
    encode,
    pixel_losses,
    predict,
    straight_through,
    tokens_of,
    unpatch,
)
from .starter_model import MAE, PATCH, TARGETS, build_mae, build_tokenizer

#: Shares of the classes differ by a factor of ten; the direct decoder answers 10 logits, 0 is never there.
CLASSES = 10

Losses = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One resumable stage: ``loss(modules, batch, step)`` gives named losses whose sum is minimised."""

    name: str
    trains: tuple[str, ...]
    reads: tuple[str, ...]
    steps: int
    batch: int
    rate: float
    turn: bool
    loss: Callable[[Mapping[str, Any], Batch, int], Losses]


def build(name: str) -> Any:
    """Return a module by name with fresh weights: "mae", "dense", or a tokenizer "tok_<TARGET>"."""
    from torch import nn

    if name == "mae":
        return build_mae()
    if name == "dense":
        return nn.Linear(int(MAE["dim"]), (CLASSES + 1) * PATCH * PATCH)
    return build_tokenizer(name[len("tok_") :])


def _lulc_tokenizer(modules: Mapping[str, Any], batch: Batch, _step: int) -> Losses:
    from torch.nn import functional

    decoded, _ = modules["tok_LULC"](batch.lulc)
    return {"LULC": functional.cross_entropy(decoded, batch.lulc)}


def _ndvi_tokenizer(modules: Mapping[str, Any], batch: Batch, _step: int) -> Losses:
    from torch.nn import functional

    decoded, _ = modules["tok_NDVI"](batch.ndvi)
    return {"NDVI": functional.smooth_l1_loss(decoded, batch.ndvi)}


def _dem_tokenizer(modules: Mapping[str, Any], batch: Batch, _step: int) -> Losses:
    tokenizer = modules["tok_DEM"]
    codes, _, _ = tokenizer.encode(batch.dem)
    return {"DEM": diffusion_loss(tokenizer, codes, batch.dem, last_share=0.5)}


def _dense(modules: Mapping[str, Any], batch: Batch, _step: int) -> Losses:
    from torch.nn import functional

    encoded, _ = encode(modules["mae"], batch.s2l2a)
    out = unpatch(modules["dense"](encoded), CLASSES + 1)
    return {
        "LULC": functional.cross_entropy(out[:, :CLASSES], batch.lulc),
        "DEM": 0.3 * dem_loss(out[:, CLASSES:], batch.dem),
    }


def _truth(batch: Batch, target: str) -> Any:
    return {"LULC": batch.lulc, "DEM": batch.dem, "NDVI": batch.ndvi}[target]


def _token_losses(
    modules: Mapping[str, Any], batch: Batch, weight: Mapping[str, float], encoded: Any, emb: Any
) -> tuple[Losses, Any]:
    from torch.nn import functional

    losses, logits = {}, {}
    for target in weight:
        logits[target] = predict(modules["mae"], encoded, emb, target)
        ids = tokens_of(modules[f"tok_{target}"], _truth(batch, target))
        error = functional.cross_entropy(logits[target].flatten(0, 1), ids.flatten())
        losses[f"{target}_ids"] = weight[target] * error
    return losses, logits


def _tokens(modules: Mapping[str, Any], batch: Batch, _step: int) -> Losses:
    encoded, emb = encode(modules["mae"], batch.s2l2a)
    losses, _ = _token_losses(modules, batch, {"LULC": 1.0}, encoded, emb)
    return losses


def _joint(modules: Mapping[str, Any], batch: Batch, step: int) -> Losses:
    """Tokens and decoders together: the decoders see the tokens that will be predicted, not only true ones.

    Land cover is in every step, NDVI in every third; the encoder goes on learning relief by the dense head.
    """
    return _together(modules, batch, step, ("LULC", *(("NDVI",) if step % 3 == 0 else ())))


def _all(modules: Mapping[str, Any], batch: Batch, step: int) -> Losses:
    """As ``_joint``, with the elevation's tokens and diffusion decoder."""
    return _together(modules, batch, step, ("LULC", "DEM", *(("NDVI",) if step % 3 == 0 else ())))


def _together(modules: Mapping[str, Any], batch: Batch, step: int, targets: tuple[str, ...]) -> Losses:
    import torch
    from torch.nn import functional

    encoded, emb = encode(modules["mae"], batch.s2l2a)
    weight = {target: {"LULC": 0.2, "NDVI": 0.1, "DEM": 0.05}[target] for target in targets}
    losses, logits = _token_losses(modules, batch, weight, encoded, emb)
    tokenizers = {target: modules[f"tok_{target}"] for target in targets}
    codes = {target: straight_through(tokenizers[target], logits[target]) for target in targets}
    losses.update(pixel_losses(tokenizers, codes, batch))
    if "DEM" in losses:
        losses["DEM"] = 0.6 * losses["DEM"]
    head = modules["dense"]
    rows = slice(CLASSES * PATCH * PATCH, None)
    relief = unpatch(functional.linear(encoded, head.weight[rows], head.bias[rows]), 1)
    losses["DEM_dense"] = 0.2 * dem_loss(relief, batch.dem)
    if step % 4 == 0:
        # The tokenizer's own round trip, so that its codes keep meaning land cover.
        with torch.no_grad():
            true = tokenizers["LULC"].encode(batch.lulc)[0]
        decoded = tokenizers["LULC"].decode_quant(true)
        losses["LULC_round_trip"] = 0.4 * functional.cross_entropy(decoded, batch.lulc)
    return losses


_TOKENIZERS = tuple(f"tok_{target}" for target in TARGETS)

STAGES: Mapping[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("tok_LULC", ("tok_LULC",), (), 400, 16, 1.5e-3, True, _lulc_tokenizer),
        Stage("tok_NDVI", ("tok_NDVI",), (), 120, 16, 1.5e-3, True, _ndvi_tokenizer),
        Stage("tok_DEM", ("tok_DEM",), (), 250, 16, 1.5e-3, True, _dem_tokenizer),
        Stage("dense", ("mae", "dense"), (), 700, 16, 1.2e-3, False, _dense),
        Stage("tokens", ("mae",), ("tok_LULC",), 250, 16, 1.0e-3, False, _tokens),
        Stage("joint", ("mae", "dense", "tok_LULC", "tok_NDVI"), (), 500, 16, 1.0e-3, False, _joint),
        Stage("all", ("mae", "dense", *_TOKENIZERS), (), 240, 16, 8.0e-4, False, _all),
    )
}
