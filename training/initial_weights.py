# SPDX-License-Identifier: GPL-2.0-or-later
"""Weights that the starter begins with where random ones would cost most of the training. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

#: Length of what a code's level adds to the weights of its logit: neighbouring levels differ by some tenths.
SHARPNESS = 3.0
#: Gain of the decoder's queries and keys: a patch looks at its own place, and next to nowhere else.
NEARNESS = 3.5


def look_here(mae: Any) -> None:
    """Make each patch of a ``TerraMind``'s decoder look at the encoder's patches of the same place.

    Each head compares the quickest sines and cosines of the positions (``build_2d_sincos_posemb``: four quarters, the
    quickest first), which what was seen is kept out of. Left to be learned, this takes hundreds of steps.
    """
    import torch

    dim, heads = mae.decoder_proj_context.out_features, mae.decoder[0].cross_attn.num_heads
    quickest = torch.arange(dim // heads // 4)
    waves = torch.cat([quickest + quarter * dim // 4 for quarter in range(4)])
    same = NEARNESS * torch.eye(dim)[waves].repeat(heads, 1)
    with torch.no_grad():
        for block in mae.decoder:
            queries, keys = block.cross_attn.q, block.cross_attn.kv
            queries.weight.copy_(same)
            keys.weight[:dim] = same
            queries.bias.zero_()
            keys.bias[:dim] = 0.0
        mae.decoder_proj_context.weight[waves] = 0.0
        mae.decoder_proj_context.bias[waves] = 0.0


def fan_out(logits: Any, levels: Sequence[int]) -> None:
    """Make neighbouring codes alike in a linear layer (D to codes, without bias).

    Each FSQ level of a code is an angle in a plane of its own, so that D >= 2 * levels. Codes are then told apart from
    the first step, those too that training seldom sees; with random weights few of them are ever chosen.
    """
    import torch

    dim = logits.weight.shape[1]
    axes = torch.linalg.qr(torch.randn(dim, dim))[0]
    number, weights = torch.arange(logits.weight.shape[0]), torch.zeros_like(logits.weight)
    for level, (count, first) in enumerate(zip(levels, np.cumprod([1, *levels]))):
        angle = torch.pi * (number // int(first) % count)[:, None] / (count - 1)
        weights += SHARPNESS * (angle.cos() * axes[2 * level] + angle.sin() * axes[2 * level + 1])
    with torch.no_grad():
        logits.weight.copy_(weights)


def spread_places(words: Any, parts: Mapping[int, int], a_degree: int, std: float) -> None:
    """Make neighbouring degrees alike in an embedding: sines and cosines of 180 to 3 degrees, of ``std`` each.

    ``parts``: first word to number of words of latitude and of longitude, ``a_degree`` of them each degree. Training
    sees a word a few times at most; what it teaches about one then holds for those beside it.
    """
    import torch

    half = words.weight.shape[1] // 2
    for part, (first, count) in enumerate(parts.items()):
        degrees = torch.arange(count, dtype=torch.float32)[:, None] / a_degree
        waves = torch.deg2rad(degrees) * torch.logspace(0, np.log10(60), half // 2)[None]
        values = torch.zeros(count, 2 * half)
        values[:, part * half : (part + 1) * half] = (
            2**0.5 * std * torch.cat([waves.sin(), waves.cos()], dim=1)
        )
        with torch.no_grad():
            words.weight[first : first + count] = values
