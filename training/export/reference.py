# SPDX-License-Identifier: GPL-2.0-or-later
"""What terratorch itself computes, step by step: the figures that Terrane's graphs are held against.

``Small`` describes a TerraMind of the official classes with small dimensions. ``run`` drives terratorch's own
``TerraMindGeneration``, loaded the way terratorch loads official checkpoints, and records what passes between
its parts. Needs terratorch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import numpy as np
import torch

from . import official

Arrays = dict[str, Any]
NOISE = "terratorch.models.backbones.terramind.tokenizer.scheduling.diffusion_pipeline.torch.randn"
"""Where the reference's diffusion takes its noise from."""


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
