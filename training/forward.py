# SPDX-License-Identifier: GPL-2.0-or-later
"""TerraMind's generation as one differentiable pass, and the losses of training. Needs torch and terratorch.

The pass is what the exported graphs compute: embed, encode, predict all tokens of a target at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .starter_model import GRID, INPUTS, PATCH, TARGETS

#: Detail of the DEM is weighed against each tile's own relief, but no finer than this (standardised, 28 m).
FLAT = 0.11


def encode(mae: Any, image: Any) -> tuple[Any, Any]:
    """Return encoder output and its embedding, both (B, N, D), of standardised (B, 12, T, T)."""
    embedded = mae.encoder_embeddings[INPUTS["S2L2A"]["key"]](image)
    encoded = mae.forward_encoder(embedded["x"] + embedded["emb"], encoder_mask=None)
    return encoded, embedded["emb"]


def predict(mae: Any, encoded: Any, emb: Any, target: str) -> Any:
    """Return the logits (B, N, V) of one target's tokens."""
    decoder = mae.decoder_embeddings[TARGETS[target]["key"]]
    context = mae.decoder_proj_context(encoded) + emb
    queries = (mae.mask_token + decoder.pos_emb + decoder.mod_emb).expand(len(encoded), -1, -1)
    hidden = mae.forward_decoder(queries, context, encoder_mask=None, decoder_attention_mask=None)
    return decoder.forward_logits(hidden)


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
    chosen = codebook[logits.argmax(-1)]
    codes = expected + (chosen - expected).detach()
    return codes.transpose(1, 2).reshape(len(logits), codebook.shape[1], GRID, GRID)


def unpatch(flat: Any, channels: int) -> Any:
    """Return (B, channels, T, T) of a linear head's (B, N, channels * patch * patch)."""
    from einops import rearrange

    return rearrange(
        flat, "b (nh nw) (c ph pw) -> b c (nh ph) (nw pw)", nh=GRID, nw=GRID, c=channels, ph=PATCH, pw=PATCH
    )


def dem_loss(guess: Any, truth: Any) -> Any:
    """Return the mean of relative detail error and level error of standardised (B, 1, T, T) heights."""
    over = (1, 2, 3)
    relief = truth.var(dim=over) + FLAT**2
    level = guess.mean(dim=over) - truth.mean(dim=over)
    error = (guess - truth - level[:, None, None, None]).square().mean(dim=over)
    return (error / relief).clamp(max=25.0).mean() + 2.0 * level.square().mean()


def diffusion_loss(tokenizer: Any, codes: Any, truth: Any, last_share: float) -> Any:
    """Return the DEM loss of the x0 prediction at random timesteps, a share of them the last (pure noise)."""
    import torch

    steps = tokenizer.num_train_timesteps
    when = torch.randint(0, steps, (len(truth),))
    when = torch.where(torch.rand(len(truth)) < last_share, torch.full_like(when, steps - 1), when)
    noise = torch.randn_like(truth)
    noisy = tokenizer.noise_scheduler.add_noise(truth, noise, when)
    return dem_loss(tokenizer.decoder(noisy, when, codes), truth)


def pixel_losses(tokenizers: Mapping[str, Any], codes: Mapping[str, Any], batch: Any) -> dict[str, Any]:
    """Return the loss of decoding each target's codes against the truth."""
    from torch.nn import functional

    losses = {}
    if "LULC" in codes:
        losses["LULC"] = functional.cross_entropy(tokenizers["LULC"].decode_quant(codes["LULC"]), batch.lulc)
    if "NDVI" in codes:
        losses["NDVI"] = 2.0 * functional.smooth_l1_loss(
            tokenizers["NDVI"].decode_quant(codes["NDVI"]), batch.ndvi
        )
    if "DEM" in codes:
        losses["DEM"] = diffusion_loss(tokenizers["DEM"], codes["DEM"], batch.dem, last_share=0.6)
    return losses
