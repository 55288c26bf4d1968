# SPDX-License-Identifier: GPL-2.0-or-later
"""The stages of training: what each one trains, from what, and its loss. Needs torch and terratorch.

What a step reads and makes is drawn at random, but fixed by the step's number, so that runs resume.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Optional

import numpy as np

from .data import CLASSES, PLACE, Batch
from .forward import (
    chained,
    decode,
    decoding_loss,
    encode,
    over_images,
    pixel_loss,
    predict,
    spread_loss,
    straight_through,
    tokens_of,
    unpatch,
)
from .starter_model import MAE, PATCH, TARGETS, build_mae, build_tokenizer

Losses = dict[str, Any]
Modules = Mapping[str, Any]
Images = dict[str, Any]

#: Inputs of a step and how often they are drawn. Sentinel-2 L2A is what the model is for; the others keep it
#: from being all that it can read.
INPUT_SETS: Mapping[tuple[str, ...], float] = {
    ("S2L2A",): 0.60,
    ("S2L1C",): 0.08,
    ("RGB",): 0.07,
    ("S1GRD",): 0.08,
    ("DEM",): 0.04,
    ("S2L2A", "S1GRD"): 0.05,
    ("S2L2A", "DEM"): 0.03,
    ("S1GRD", "DEM"): 0.03,
    ("S2L1C", "S1GRD"): 0.02,
}
#: Share of steps in which the place is told too.
PLACE_SHARE = 0.25

#: How often a target is made in a step, and what its loss counts for.
TARGET_SHARES: Mapping[str, float] = {"LULC": 0.9, "DEM": 0.85, "NDVI": 0.65, "S1GRD": 0.15, "S2L2A": 0.3}
WEIGHTS: Mapping[str, float] = {"LULC": 1.0, "DEM": 1.0, "NDVI": 4.0, "S1GRD": 0.7, "S2L2A": 1.0}

#: How many targets were made before, in the chain, and how often.
CHAIN_SHARES: Mapping[int, float] = {0: 0.78, 1: 0.16, 2: 0.05, 3: 0.01}

#: What naming the true tokens counts for, next to the pixels that they decode to.
TOKEN_WEIGHT = 0.1
#: Steps in which true tokens are all that is asked for: decoders must not learn from what is still chosen blindly.
NAMING_STEPS = 200
#: What the tokenizer's own round trip counts for.
ROUND_TRIP_WEIGHT = 0.4

#: What an even use of a codebook counts for.
SPREAD_WEIGHT = 0.05

#: What the linear head of the warm start answers for each pixel, and how many numbers.
HEAD: Mapping[str, int] = {"LULC": CLASSES, "DEM": 1, "NDVI": 1}
HEAD_WEIGHT = 0.2


@dataclass(frozen=True)
class Plan:
    """What one step reads and makes."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    before: tuple[str, ...] = ()
    """Targets whose likeliest tokens join the input, in the order in which they are made."""
    tokens: bool = False
    """Whether naming the true tokens counts."""
    decodes: bool = True
    """Whether the pixels that tokens decode to count."""
    round_trip: bool = False
    """Whether the tokenizers' own round trip counts, so that codes keep meaning what the truth looks like."""


@dataclass(frozen=True)
class Stage:
    """One resumable stage: ``loss(modules, batch, plan)`` gives named losses whose sum is minimised."""

    name: str
    trains: tuple[str, ...]
    steps: int
    rate: float
    plan: Callable[[int], Plan]
    loss: Callable[[Modules, Batch, Plan], Losses]
    guess: Optional[Callable[[Modules, Mapping[str, Any]], Images]] = None
    """Makes images by name from inputs, for :func:`training.score.score`."""
    batch: int = 8
    """Tiles of a step, of all workers together: few, since what is short is steps, not tiles."""
    turn: bool = False
    averaged: bool = False
    """Whether a moving average of the weights is what is kept."""


def build(name: str) -> Any:
    """Return a module by name with fresh weights: "mae", "dense", or a tokenizer "tok_<TARGET>"."""
    from torch import nn

    if name == "mae":
        return build_mae()
    if name == "dense":
        head = nn.Linear(int(MAE["dim"]), sum(HEAD.values()) * PATCH * PATCH)
        nn.init.zeros_(head.weight)  # level ground at first: relief is small in the head's numbers
        return head
    return build_tokenizer(name[len("tok_") :])


def any_to_any(step: int, seed: int) -> Plan:
    """Return what a step reads and makes; no modality is made from itself."""
    rng = np.random.default_rng([seed, 7, step])
    sets, shares = list(INPUT_SETS), np.array(list(INPUT_SETS.values()))
    inputs = sets[int(rng.choice(len(sets), p=shares / shares.sum()))]
    makes = [target for target in TARGETS if target not in inputs]
    drawn = dict(zip(TARGETS, rng.random(len(TARGETS))))
    count = int(rng.choice(list(CHAIN_SHARES), p=list(CHAIN_SHARES.values())))
    order = [makes[i] for i in rng.permutation(len(makes))]
    before = tuple(order[: min(count, len(makes) - 1)])
    targets = [t for t in makes if t not in before and drawn[t] < TARGET_SHARES[t]]
    if not targets:
        targets = [next(t for t in ("LULC", "DEM", "NDVI", *order) if t in makes and t not in before)]
    if rng.random() < PLACE_SHARE:
        inputs = (*inputs, PLACE)
    if step < NAMING_STEPS:
        return Plan(inputs, tuple(targets), before, tokens=True, decodes=False)
    return Plan(inputs, tuple(targets), before, tokens=step % 3 == 0, round_trip=step % 10 == 1)


def warm_start(step: int, seed: int) -> Plan:
    """Return what a step of the warm start reads; it answers all that the head can but what it was given."""
    drawn = any_to_any(step, seed)
    return Plan(drawn.inputs, tuple(target for target in HEAD if target not in drawn.inputs))


def _round_trip(target: str, modules: Modules, batch: Batch, _plan: Plan) -> Losses:
    tokenizer = modules[f"tok_{target}"]
    latents = tokenizer.quant_proj(tokenizer.encoder(tokenizer.prepare_input(batch.truths[target])))
    codes, _, _ = tokenizer.quantize(latents)
    return {
        target: decoding_loss(target, tokenizer, codes, batch),
        f"{target}_spread": SPREAD_WEIGHT * spread_loss(latents),
    }


def _head_losses(head: Any, encoded: Any, batch: Batch, targets: tuple[str, ...]) -> Losses:
    """Return the losses of the linear head's answers, from (B, N, D)."""
    from torch.nn import functional

    losses, first = {}, 0
    for target, channels in HEAD.items():
        rows = slice(first * PATCH * PATCH, (first + channels) * PATCH * PATCH)
        first += channels
        if target in targets:
            guess = unpatch(functional.linear(encoded, head.weight[rows], head.bias[rows]), channels)
            loss = pixel_loss(target, guess, batch.truths[target], batch.weights)
            losses[f"{target}_head"] = WEIGHTS[target] * loss
    return losses


def _dense(modules: Modules, batch: Batch, plan: Plan) -> Losses:
    encoded, _ = encode(modules["mae"], batch.inputs, {})
    return _head_losses(modules["dense"], over_images(encoded, batch.inputs), batch, plan.targets)


def _joint(modules: Modules, batch: Batch, plan: Plan) -> Losses:
    """Tokens and decoders together: decoders see the tokens that will be predicted, not only true ones."""
    import torch
    from torch.nn import functional

    mae = modules["mae"]
    ids = chained(mae, batch.inputs, plan.before)
    encoded, context = encode(mae, batch.inputs, ids)
    losses: Losses = {}
    for target in plan.targets:
        tokenizer = modules[f"tok_{target}"]
        logits = predict(mae, context, target)
        if plan.tokens:
            true = tokens_of(tokenizer, batch.truths[target])
            error = functional.cross_entropy(logits.flatten(0, 1), true.flatten())
            losses[f"{target}_ids"] = TOKEN_WEIGHT * error
        if not plan.decodes:
            continue
        codes = straight_through(tokenizer, logits)
        losses[target] = WEIGHTS[target] * decoding_loss(target, tokenizer, codes, batch, own=True)
        if plan.round_trip:
            with torch.no_grad():
                codes, _, _ = tokenizer.encode(batch.truths[target])
            loss = decoding_loss(target, tokenizer, codes, batch)
            losses[f"{target}_trip"] = ROUND_TRIP_WEIGHT * WEIGHTS[target] * loss
    if "DEM" in plan.targets:
        # The shortest way for slopes into the encoder.
        head = _head_losses(modules["dense"], over_images(encoded, batch.inputs), batch, ("DEM",))
        losses.update({name: HEAD_WEIGHT * loss for name, loss in head.items()})
    return losses


def _answer(modules: Modules, inputs: Mapping[str, Any]) -> Images:
    """Return what the linear head makes of inputs."""
    encoded, _ = encode(modules["mae"], inputs, {})
    out = unpatch(modules["dense"](over_images(encoded, inputs)), sum(HEAD.values()))
    return dict(zip(HEAD, out.split(tuple(HEAD.values()), dim=1)))


def _generate(modules: Modules, inputs: Mapping[str, Any]) -> Images:
    """Return what the model makes of inputs, each target on its own, and land cover with relief made before."""
    mae, images = modules["mae"], {}

    def make(target: str, ids: Mapping[str, Any]) -> tuple[Any, Any]:
        _, context = encode(mae, inputs, ids)
        logits = predict(mae, context, target)
        tokenizer = modules[f"tok_{target}"]
        return decode(target, tokenizer, straight_through(tokenizer, logits)), logits.argmax(-1)

    for target in ("LULC", "DEM", "NDVI"):
        images[target], ids = make(target, {})
        if target == "DEM":
            images["LULC/after DEM"], _ = make("LULC", {"DEM": ids})
    return images


def _only(target: str, _step: int) -> Plan:
    return Plan((), (target,))


def _tokenizer(target: str, steps: int) -> Stage:
    name, plan = f"tok_{target}", partial(_only, target)
    return Stage(name, (name,), steps, 1.2e-3, plan, partial(_round_trip, target), turn=True)


_TOKENIZERS = tuple(f"tok_{target}" for target in TARGETS)

STAGES: Mapping[str, Stage] = {
    stage.name: stage
    for stage in (
        _tokenizer("LULC", 1050),
        _tokenizer("DEM", 800),
        _tokenizer("NDVI", 1100),
        _tokenizer("S1GRD", 525),
        _tokenizer("S2L2A", 900),
        Stage("dense", ("mae", "dense"), 2000, 1.0e-3, partial(warm_start, seed=21), _dense, _answer),
        Stage(
            "joint",
            ("mae", "dense", *_TOKENIZERS),
            3000,
            1.0e-3,
            partial(any_to_any, seed=22),
            _joint,
            _generate,
            batch=12,
            averaged=True,
        ),
    )
}

#: Lanes run beside each other, one core each; the stages after them have all cores.
LANES: tuple[tuple[str, ...], ...] = (("tok_LULC", "tok_DEM"), ("tok_NDVI", "tok_S1GRD", "tok_S2L2A"))
