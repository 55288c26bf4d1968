# SPDX-License-Identifier: GPL-2.0-or-later
"""TerraMinds of the official classes with small dimensions and random weights. Needs terratorch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Optional
from unittest import mock

import numpy as np
import torch

from . import official


@dataclass(frozen=True)
class Small:
    """A small model of the official classes. The defaults are those of the committed reference."""

    size: str
    """The official size whose norms, biases and activation it has."""
    tile: int = 64
    dim: int = 48
    heads: int = 3
    encoder_depth: int = 3
    decoder_depth: int = 2
    codebooks: Mapping[str, str] = field(
        default_factory=lambda: {"DEM": "4-3-3-2-2", "LULC": "3-3-2-2-2", "NDVI": "4-3-3-2-2"}
    )
    images: tuple[str, ...] = ("S2L2A", "S1GRD", "DEM")
    places: tuple[tuple[float, float, int], tuple[float, float, int]] = ((47.0, 0.25, 12), (10.0, 0.25, 16))
    """Latitudes and longitudes that it has words for: first, step, count."""
    unet: Mapping[str, Any] = field(
        default_factory=lambda: {
            "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": [2], "channel_mult": (1, 1),
        }
    )  # fmt: skip

    @property
    def targets(self) -> tuple[str, ...]:
        """What it makes."""
        return tuple(self.codebooks)

    @property
    def tokenised(self) -> tuple[str, ...]:
        """What it takes by way of tokenizers."""
        return tuple(modality for modality in official.TOKENISED if modality in self.codebooks)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its coordinates, by id: those that terratorch's blank tokenizer has, then places."""
        special = ("[PAD]", "[UNK]", "[SOS]", "[EOS]", "[S_0]", "[S_1]", "[S_2]")
        spelled = (
            f"{name}={first + step * i:.2f}"
            for name, (first, step, count) in zip(("lat", "lon"), self.places)
            for i in range(count)
        )
        return (*special, *spelled)

    @property
    def arguments(self) -> dict[str, Any]:
        """TerraMind's arguments, with the small dimensions."""
        dims = {"dim": self.dim, "num_heads": self.heads}
        depths = {"encoder_depth": self.encoder_depth, "decoder_depth": self.decoder_depth}
        return {**official.mae_arguments(self.size), **dims, **depths}


def vocabulary(codebook: str) -> int:
    """The number of codes of an FSQ codebook ("8-8-8-6-5")."""
    return int(np.prod([int(level) for level in codebook.split("-")]))


@contextlib.contextmanager
def small_vocabularies(small: Small) -> Iterator[None]:
    """Terratorch reads the size of vocabularies from one table: make it the small ones meanwhile."""
    from terratorch.models.backbones.terramind.model.modality_info import MODALITY_INFO

    with contextlib.ExitStack() as stack:
        for target, codebook in small.codebooks.items():
            entry = MODALITY_INFO[official.TARGETS[target]]
            stack.enter_context(mock.patch.dict(entry, {"vocab_size": vocabulary(codebook)}))
        for key in official.WORDS.values():
            stack.enter_context(mock.patch.dict(MODALITY_INFO[key], {"vocab_size": len(small.words)}))
        yield


def write_vocabulary(words: Sequence[str], path: Path) -> None:
    """A tokenizer's file as the ``tokenizers`` package writes it: like terratorch's blank one, with places.

    TerraMind's model card names "an adapted WordPiece tokenizer"; terratorch expects one token per number.
    """
    from terratorch.models.backbones.terramind.tokenizer.text.text_tokenizer import build_blank_wordpiece
    from tokenizers import AddedToken

    tokenizer = build_blank_wordpiece()
    blank = tokenizer.get_vocab_size()
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in words[blank:]])
    if any(tokenizer.token_to_id(word) != number for number, word in enumerate(words)):
        raise RuntimeError("the words got other ids")
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))


def coords_tokenizer(path: Path) -> Any:
    """Terratorch's tokenizer of coordinates, with a vocabulary's file."""
    from terratorch.models.backbones.terramind.tokenizer.text.text_tokenizer import CoordsTokenizer

    return CoordsTokenizer(str(path))


def build_mae(small: Small) -> Any:
    """The masked autoencoder with all its modalities: what a checkpoint is saved from."""
    from terratorch.models.backbones.terramind.model.modality_info import MODALITY_INFO
    from terratorch.models.backbones.terramind.model.terramind import (
        TerraMind,
        build_modality_embeddings,
        build_output_modality_embeddings,
    )

    place = (small.tile, small.dim, official.PATCH)
    words = list(official.WORDS.values())
    images = [official.IMAGES[m] for m in small.images]
    targets = [official.TARGETS[m] for m in small.targets]
    with small_vocabularies(small):
        encoders, _ = build_modality_embeddings(MODALITY_INFO, [*images, *words], targets, *place)
        decoders, _ = build_output_modality_embeddings(MODALITY_INFO, [*targets, *words], *place)
    return TerraMind(encoders, decoders, MODALITY_INFO, **small.arguments).eval()


def build_tokenizer(small: Small, target: str) -> Any:
    """A tokenizer: the official class and settings, a small encoder, decoder and codebook.

    As with the official ones, its own image size is larger than the tile (256 to 224), so that the positions
    of the ViT decoder are interpolated.
    """
    from terratorch.models.backbones.terramind.tokenizer.models import vit_models
    from terratorch.models.backbones.terramind.tokenizer.models.unet import unet

    vit_models.vit_small_enc = partial(vit_models.ViTEncoder, dim_tokens=32, depth=1, num_heads=2)
    vit_models.vit_small_dec = partial(vit_models.ViTDecoder, dim_tokens=48, depth=2, num_heads=3)
    unet.unet_small = partial(unet.PatchedUNetCondCat, patch_size=4, **small.unet)
    given = official.tokenizer_arguments(target)
    given.pop("encoder_type", None), given.pop("decoder_type", None)
    direct = given.get("model_type") == "vqvae"
    codebook = small.codebooks[target]
    overrides = {
        **given,
        "image_size": small.tile * 5 // 4,
        "enc_type": "vit_small_enc",
        "dec_type": "vit_small_dec" if direct else "unet_small",
        "codebook_size": codebook,
        "latent_dim": len(codebook.split("-")),
    }
    return official.build_tokenizer(target, overrides)


def rerandomise(module: Any, seed: int) -> list[str]:
    """Give every tensor that starts as all zeros or all ones random values; returns their names.

    Fresh biases, norms and zero-initialised convolutions hide mistakes: a UNet that is not trained gives
    exactly zero, whatever goes in, and norms of ones can be mixed up unseen.
    """
    generator = torch.Generator().manual_seed(seed)
    changed = []
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point() or "pos_emb" in name or not tensor.numel():
            continue
        zeros, ones = bool((tensor == 0).all()), bool((tensor == 1).all())
        if zeros or ones:
            noise = torch.randn(tensor.shape, generator=generator)
            # Weights at half the gain that keeps values as they are: a random UNet must not be chaotic.
            spread = 0.08 if tensor.ndim < 2 else min(0.03, 0.51 / tensor[0].numel() ** 0.5)
            tensor.copy_(spread * noise + (1.0 if ones else 0.0))
            changed.append(name)
    return changed


def talkative(mae: Any, seed: int) -> None:
    """Words of coordinates that differ visibly, and no special token the likeliest.

    Fresh embeddings are so small that one word wins in every tile; and where a tile's first word is the end,
    the reference fails ("Expected tensor for argument #1 'indices'").
    """
    generator = torch.Generator().manual_seed(seed)
    for key in official.WORDS.values():
        weight = mae.decoder_embeddings[key].token_emb.weight
        with torch.no_grad():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=generator))
            weight[:7] = 0


def checkpoint(module: Any, dtype: Optional[Any] = None) -> dict[str, Any]:
    """A state dict in the official layout; ``dtype`` rounds the module's own weights to it, too."""
    state = module.state_dict()
    if dtype is None:
        return dict(state)
    with torch.no_grad():
        for tensor in state.values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(dtype))
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
