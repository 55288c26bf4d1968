# SPDX-License-Identifier: GPL-2.0-or-later
"""TerraMind's generation as one differentiable pass, and the losses of training. Needs torch and terratorch.

The pass is what the exported graphs and ``inference.adapters.terramind`` compute: embed every input, join the
tokens of targets made before, encode, predict all tokens of a target at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .data import PLACE
from .starter_model import COORDS, GRID, INPUTS, PATCH, TARGETS

#: Metres. Relief is weighed against each tile's own, but no finer than this: the Copernicus DEM's random error is
#: below 2 m on slopes under 20 % and below 4 m on others (Airbus 2020, product handbook, relative vertical accuracy).
FLAT = 5.0

#: Deviation of latents whose sigmoid is spread evenly from 0 to 1, which FSQ rounds: nearly a logistic variable's.
SPREAD = 1.7

#: Standardised. Errors above it count by their size, those below by their square (the Huber loss).
HUBER = 0.1


def embed(mae: Any, inputs: Mapping[str, Any], ids: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the encoder's tokens and their embeddings of position and kind, both (B, M, D).

    ``inputs`` as ``Batch.inputs``; ``ids``: targets made before, (B, N) int64. Images first, then the place.
    """
    import torch

    keyed = [(INPUTS[m]["key"], image) for m, image in inputs.items() if m != PLACE]
    keyed += [(TARGETS[target]["key"], numbers) for target, numbers in ids.items()]
    keyed += [(COORDS["key"], inputs[PLACE])] if PLACE in inputs else []
    parts = [mae.encoder_embeddings[key](tensor) for key, tensor in keyed]
    return torch.cat([part["x"] for part in parts], 1), torch.cat([part["emb"] for part in parts], 1)


def encode(mae: Any, inputs: Mapping[str, Any], ids: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the encoder's output and the decoder's context, both (B, M, D)."""
    tokens, emb = embed(mae, inputs, ids)
    encoded = mae.forward_encoder(tokens + emb, encoder_mask=None)
    return encoded, mae.decoder_proj_context(encoded) + emb


def predict(mae: Any, context: Any, target: str) -> Any:
    """Return the logits (B, N, V) of one target's tokens."""
    decoder = mae.decoder_embeddings[TARGETS[target]["key"]]
    queries = (mae.mask_token + decoder.pos_emb + decoder.mod_emb).expand(len(context), -1, -1)
    hidden = mae.forward_decoder(queries, context, encoder_mask=None, decoder_attention_mask=None)
    return decoder.forward_logits(hidden)


def chained(mae: Any, inputs: Mapping[str, Any], before: tuple[str, ...]) -> dict[str, Any]:
    """Return the likeliest ids (B, N) of targets made one after the other, each seeing those before it."""
    import torch

    ids: dict[str, Any] = {}
    with torch.no_grad():
        for target in before:
            _, context = encode(mae, inputs, ids)
            ids[target] = predict(mae, context, target).argmax(-1)
    return ids


def over_images(encoded: Any, inputs: Mapping[str, Any]) -> Any:
    """Return (B, N, D), the mean of the encoder's output over the input images."""
    images = len([m for m in inputs if m != PLACE])
    patches = GRID * GRID
    return encoded[:, : images * patches].unflatten(1, (images, patches)).mean(dim=1)


def tokens_of(tokenizer: Any, truth: Any) -> Any:
    """Return the ids (B, N) int64 of a target as its tokenizer sees it."""
    import torch

    with torch.no_grad():
        return tokenizer.tokenize(truth).reshape(len(truth), -1).long()


def straight_through(tokenizer: Any, logits: Any) -> Any:
    """Return the codes (B, levels, n, n) of the likeliest tokens, with the gradient of the expected codes."""
    import torch

    share = torch.softmax(logits, dim=-1)
    codebook = tokenizer.quantize.codebook
    expected = share @ codebook
    best = codebook[logits.argmax(-1)]
    codes = expected + (best - expected).detach()
    return codes.transpose(1, 2).reshape(len(logits), codebook.shape[1], GRID, GRID)


def spread_loss(latents: Any) -> Any:
    """Return how far a batch's latents (B, levels, n, n) are from using all codes alike; 0 is best.

    A tokenizer left alone puts all that it knows on one line through its codebook and leaves the rest empty. Its
    latents are asked for a mean of 0, a deviation of ``SPREAD`` and no correlation (as VICReg does, Bardes et al.
    2022, https://arxiv.org/abs/2105.04906).
    """
    import torch

    flat = latents.transpose(0, 1).flatten(1) / SPREAD
    mean = flat.mean(dim=1, keepdim=True)
    flat = flat - mean
    covariance = flat @ flat.T / flat.shape[1]
    return (covariance - torch.eye(len(flat))).square().mean() + mean.square().mean()


def unpatch(flat: Any, channels: int) -> Any:
    """Return (B, channels, T, T) of a linear head's (B, N, channels * patch * patch)."""
    from einops import rearrange

    return rearrange(
        flat, "b (nh nw) (c ph pw) -> b c (nh ph) (nw pw)", nh=GRID, nw=GRID, c=channels, ph=PATCH, pw=PATCH
    )


def dem_loss(guess: Any, truth: Any) -> Any:
    """Return the loss of standardised relief (B, 1, T, T): each tile's error by its own relief, and its shape.

    0 is perfect, 2 is flat ground where there is relief. The first part is the share of variance that is missed,
    the second one minus the correlation, which a hill counts for as much as a mountain.
    """
    import torch

    over = (1, 2, 3)
    flat = (FLAT / TARGETS["DEM"]["std"][0]) ** 2
    power = truth.square().mean(dim=over) + flat
    missed = (guess - truth).square().mean(dim=over) / power
    # Worse than flat ground: by the logarithm, or a few level tiles would drown the rest.
    missed = torch.where(missed > 1.0, 1.0 + missed.clamp(min=1.0).log(), missed)
    detail = guess - guess.mean(dim=over, keepdim=True)
    spread = detail.square().mean(dim=over) + flat
    shape = (detail * truth).mean(dim=over) / (spread * power).sqrt()
    return (missed + 1.0 - shape).mean()


def diffusion_loss(tokenizer: Any, codes: Any, truth: Any, last_share: float, *, own: bool = False) -> Any:
    """Return the DEM loss of the x0 prediction at random timesteps, a share of them the last (pure noise).

    ``own``: the other tiles start from the decoder's own first guess instead of the truth, as they do when it
    walks from noise to an image.
    """
    import torch

    steps = tokenizer.num_train_timesteps
    last = torch.full((len(truth),), steps - 1)
    when = torch.where(torch.rand(len(truth)) < last_share, last, torch.randint(0, steps, (len(truth),)))
    noise = torch.randn_like(truth)
    begin = truth
    if own:
        later = when < steps - 1
        begin = torch.zeros_like(truth)
        if later.any():
            with torch.no_grad():
                begin[later] = tokenizer.decoder(noise[later], last[later], codes[later])
    noisy = tokenizer.noise_scheduler.add_noise(begin, noise, when)
    return dem_loss(tokenizer.decoder(noisy, when, codes), truth)


def pixel_loss(target: str, guess: Any, truth: Any, weights: Any) -> Any:
    """Return the loss of class logits, of relief or of standardised values (B, C, T, T) against a target's truth."""
    from torch.nn import functional

    if target == "LULC":
        return functional.cross_entropy(guess, truth, weight=weights)
    if target == "DEM":
        return dem_loss(guess, truth)
    return functional.smooth_l1_loss(guess, truth, beta=HUBER)


def decoding_loss(target: str, tokenizer: Any, codes: Any, batch: Any, *, own: bool = False) -> Any:
    """Return the loss of decoding a target's codes (B, levels, n, n) against the truth of a batch."""
    truth = batch.truths[target]
    if TARGETS[target]["decoder"] == "diffusion":
        return diffusion_loss(tokenizer, codes, truth, last_share=0.6, own=own)
    return pixel_loss(target, tokenizer.decode_quant(codes), truth, batch.weights)


def decode(target: str, tokenizer: Any, codes: Any) -> Any:
    """Return the image (B, C, T, T) of a target's codes, standardised or class logits; relief in a single step."""
    import torch

    if TARGETS[target]["decoder"] != "diffusion":
        return tokenizer.decode_quant(codes)
    side = codes.shape[-1] * PATCH
    noise = torch.randn(len(codes), TARGETS[target]["channels"], side, side)
    last = torch.full((len(codes),), tokenizer.num_train_timesteps - 1)
    return tokenizer.decoder(noise, last, codes)
