# SPDX-License-Identifier: GPL-2.0-or-later
"""What terratorch itself computes, step by step: the figures that Terrane's graphs are held against.

``Small`` describes a TerraMind of the official classes with small dimensions. ``run`` drives terratorch's own
``TerraMindGeneration``, loaded the way terratorch loads official checkpoints, and records what passes between
its parts. Needs terratorch.
"""

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

Arrays = dict[str, Any]
NOISE = "terratorch.models.backbones.terramind.tokenizer.scheduling.diffusion_pipeline.torch.randn"
"""Where the reference's diffusion takes its noise from."""


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


@torch.no_grad()
def spelled(tokenizer: Any, places: Any, ids: Any) -> Arrays:
    """What terratorch's tokenizer of coordinates makes of places (B,2), and of ids (B,2)."""
    mod_dict = {"coords": {"tensor": torch.from_numpy(ids)}}
    encoded = tokenizer.encode(torch.from_numpy(places))["tensor"].numpy().astype(np.int64)
    return {
        "coords.places": places,
        "coords.encoded": encoded,
        "coords.ids": ids,
        "coords.decoded": np.asarray(tokenizer.decode_text(mod_dict), np.float64),
    }


def generation(
    arguments: Mapping[str, Any],
    state: Mapping[str, Any],
    tokenizers: Mapping[str, Any],
    inputs: Sequence[str],
    targets: Sequence[str],
    *,
    tile: int,
) -> Any:
    """Terratorch's generation model with a checkpoint loaded its own way; temperature 0, standardising."""
    from terratorch.models.backbones.terramind.model.terramind_generation import TerraMindGeneration
    from terratorch.models.backbones.terramind.model.terramind_register import checkpoint_filter_fn_generate

    given = official.registered("tiny")
    model = TerraMindGeneration(
        img_size=tile,
        modalities=list(inputs),
        output_modalities=list(targets),
        temps=0.0,
        standardize=True,
        pretraining_mean=given["pretraining_mean"],
        pretraining_std=given["pretraining_std"],
        tokenizer_dict=_built(tokenizers),
        patch_size=official.PATCH,
        **arguments,
    )
    model.load_state_dict(checkpoint_filter_fn_generate(dict(state), model), strict=True)
    return model.eval()


def _built(tokenizers: Mapping[str, Any]) -> dict[str, Any]:
    """What terratorch calls to build a tokenizer, by key."""
    keys = {**official.TARGETS, **official.WORDS}
    return {keys[m]: (lambda m=m, **_: tokenizers[m]) for m in tokenizers}


@torch.no_grad()
def embedded(
    arguments: Mapping[str, Any],
    state: Mapping[str, Any],
    tokenizers: Mapping[str, Any],
    images: Mapping[str, Any],
    *,
    tile: int,
) -> Any:
    """What terratorch's backbone (``terramind_v1_*``, merge_method "mean") gives: (B,D,h,w), its last layer."""
    from terratorch.models.backbones.terramind.model.terramind_register import checkpoint_filter_fn
    from terratorch.models.backbones.terramind.model.terramind_vit import TerraMindViT

    encoder = {name: value for name, value in arguments.items() if name != "decoder_depth"}
    model = TerraMindViT(
        img_size=tile,
        modalities=list(images),
        merge_method="mean",
        patch_size=official.PATCH,
        tokenizer_dict=_built(tokenizers),
        **encoder,
    )
    model.load_state_dict(checkpoint_filter_fn(dict(state), model), strict=True)
    given = {}
    for modality, image in images.items():
        values = torch.from_numpy(np.asarray(image, np.float32))
        if modality not in ("LULC", *official.WORDS):
            spec = official.input_spec(modality)
            mean, std = (torch.tensor(spec[name])[None, :, None, None] for name in ("mean", "std"))
            values = (values - mean) / std
        given[modality] = values
    last = model.eval()(given)[-1]
    side = tile // official.PATCH
    return last.transpose(1, 2).reshape(len(last), -1, side, side).numpy()


@contextlib.contextmanager
def recorded(model: Any) -> Iterator[list[tuple[str, Any]]]:
    """Collect (target key, logits (B,N,V) in the order of positions) of every chain step.

    Of coordinates: what was generated as ``coords.written`` (B,3), and the logits of the last pass, which has
    those of every step.
    """
    seen: list[tuple[str, Any]] = []
    original = model.sampler.forward_enc_dec_roar_batched
    original_merge = model.sampler.merge_sequences_batched

    def forward(mod_dict: Any, target: str, *args: Any, **options: Any) -> Any:
        logits, positions = original(mod_dict, target, *args, **options)
        order = torch.argsort(positions, dim=1)
        seen.append((target, torch.gather(logits, 1, order[..., None].expand_as(logits)).clone()))
        return logits, positions

    def merge(mod_dict: Any, written: Any, target: str, *args: Any, **options: Any) -> Any:
        seen.append((f"{target}.written", written[:, 1:].clone()))
        return original_merge(mod_dict, written, target, *args, **options)

    def words(key: str, module: Any) -> Any:
        plain = module.forward_logits

        def logits(x: Any) -> Any:
            values = plain(x)
            seen.append((key, values.clone()))
            return values

        return mock.patch.object(module, "forward_logits", logits)

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(model.sampler, "forward_enc_dec_roar_batched", forward))
        stack.enter_context(mock.patch.object(model.sampler, "merge_sequences_batched", merge))
        for key in official.WORDS.values():
            if key in model.sampler.model.decoder_embeddings:
                stack.enter_context(words(key, model.sampler.model.decoder_embeddings[key]))
        yield seen


class _Decoding:
    """What goes into the tokenizers' decoders, and the noise that they are given in place of torch's."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.target = ""
        self.tokens: dict[str, Any] = {}
        self.noises: dict[str, Any] = {}
        self.given: dict[str, Any] = {}

    def noise(self, shape: Any, **_: Any) -> Any:
        """In place of ``torch.randn``: numpy's normal numbers, the same for every target."""
        made = np.random.default_rng(self.seed).standard_normal(tuple(shape), dtype=np.float32)
        self.noises[self.target] = made.copy()
        return torch.from_numpy(made)

    def watched(self, target: str, tokenizer: Any) -> Any:
        """The tokenizer's ``decode_tokens``, which notes what it is given."""
        original = tokenizer.decode_tokens

        def decode(ids: Any, *args: Any, **options: Any) -> Any:
            self.target = target
            self.tokens[target] = ids.reshape(ids.shape[0], -1).clone()
            return original(ids, *args, **options)

        return mock.patch.object(tokenizer, "decode_tokens", decode)

    def tokenised(self, modality: str, tokenizer: Any) -> Any:
        """The tokenizer's ``encode``, which notes what it gives."""
        original = tokenizer.encode

        def encode(*args: Any, **options: Any) -> Any:
            found = original(*args, **options)
            ids = found["tensor"] if isinstance(found, dict) else found[-1]
            self.given[modality] = ids.reshape(ids.shape[0], -1).clone()
            return found

        return mock.patch.object(tokenizer, "encode", encode)


@torch.no_grad()
def run(model: Any, images: Mapping[str, Any], steps: int, seed: int) -> Arrays:
    """One generation from (B,C,T,T) arrays in the modality's unit, and COORDS as (B,2) degrees.

    Returns per target ``<T>.logits`` (B,N,V), ``<T>.ids`` (B,N), and ``<T>.noise`` and ``<T>.output`` (in the
    target's unit; class logits for LULC; degrees), and ``<M>.given`` (B,N) of tokenised inputs, by
    terratorch's own forward pass.
    """
    given = {name: torch.from_numpy(np.asarray(array, np.float32)).clone() for name, array in images.items()}
    names = {key: modality for modality, key in {**official.TARGETS, **official.WORDS}.items()}
    decoding = _Decoding(seed)
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(recorded(model))
        for key, tokenizer in model.tokenizer.items():
            stack.enter_context(decoding.tokenised(names[key], tokenizer))
            if key in official.TARGETS.values():
                stack.enter_context(decoding.watched(names[key], tokenizer))
        stack.enter_context(mock.patch(NOISE, decoding.noise))
        outputs = model(given, timesteps=steps)
    found: Arrays = {}
    for key, values in seen:
        if key.endswith(".written"):
            found[f"{names[key[: -len('.written')]]}.ids"] = values.numpy().astype(np.int64)
        else:
            shaped = values.reshape(len(next(iter(given.values()))), -1, values.shape[-1])
            found[f"{names[key]}.logits"] = shaped.numpy()
    for target, output in outputs.items():
        found[f"{target}.output"] = (
            np.asarray(output, np.float64) if target in official.WORDS else output.numpy()
        )
        if target in decoding.tokens:
            found[f"{target}.ids"] = decoding.tokens[target].numpy().astype(np.int64)
        if target in decoding.noises:
            found[f"{target}.noise"] = decoding.noises[target]
    found.update({f"{m}.given": ids.numpy().astype(np.int64) for m, ids in decoding.given.items()})
    return found


@torch.no_grad()
def diffused(tokenizer: Any, ids: Any, noise: Any, steps: int) -> Any:
    """The reference's DDIM from given noise: (B,C,T,T) standardised. ``ids`` (B,N), ``noise`` (B,C,T,T)."""
    side = round(ids.shape[1] ** 0.5)
    with mock.patch(NOISE, return_value=torch.from_numpy(noise.copy())):
        grid = torch.from_numpy(ids).reshape(-1, side, side)
        return tokenizer.decode_tokens(grid, image_size=noise.shape[-2:], timesteps=steps).numpy()


@torch.no_grad()
def filtered(logits: Any, p: float, temperature: float) -> Any:
    """The distribution that the reference draws a token from: (N,V) logits to (N,V) probabilities."""
    from terratorch.models.backbones.terramind.model.generate import GenerationSampler

    caught: list[Any] = []

    def multinomial(probabilities: Any, *_: Any, **__: Any) -> Any:
        caught.append(probabilities.clone())
        return torch.zeros(len(probabilities), 1, dtype=torch.int64)

    with mock.patch("torch.multinomial", multinomial):
        GenerationSampler(torch.nn.Identity()).sample_tokens(
            torch.from_numpy(np.array(logits)), temperature=temperature, top_p=p
        )
    return caught[0].numpy()


def synthetic_scene(modality: str, batch: int, tile: int, seed: int) -> Any:
    """Smooth, plausible values in the modality's unit: (B,C,T,T) float32, rounded to whole sixteenths.

    Land cover: class numbers. COORDS: (B,2) places in Bavaria.
    """
    rng = np.random.default_rng(seed)
    if modality in official.WORDS:
        return rng.uniform((10.1, 47.1), (13.6, 49.6), (batch, 2)).astype(np.float32)
    if modality == "LULC":
        blocks = rng.integers(0, 10, (batch, 1, tile // 8, tile // 8)).astype(np.float32)
        return blocks.repeat(8, axis=2).repeat(8, axis=3)
    given = official.statistics(modality, target=modality not in official.IMAGES)
    mean, std = (np.asarray(given[name], np.float32)[None, :, None, None] for name in ("mean", "std"))
    coarse = rng.standard_normal((batch, mean.shape[1], tile // 8, tile // 8)).astype(np.float32)
    smooth = coarse.repeat(8, axis=2).repeat(8, axis=3)
    fine = rng.standard_normal(smooth.shape).astype(np.float32)
    values = mean + std * (0.8 * smooth + 0.3 * fine)
    return (np.round(values * 16) / 16).astype(np.float32)


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
