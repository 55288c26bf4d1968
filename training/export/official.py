# SPDX-License-Identifier: GPL-2.0-or-later
"""The official TerraMind models as terratorch builds them, without their weights.

Sizes, statistics and tokenizer settings are not repeated here: they are read from terratorch's registry
functions, whose one call to a builder is caught before it builds. Needs terratorch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Optional
from unittest import mock

import torch

TILE, PATCH, GSD = 224, 16, 10.0
SIZES = ("tiny", "small", "base", "large")

IMAGES = {
    "S2L2A": "untok_sen2l2a@224",
    "S2L1C": "untok_sen2l1c@224",
    "RGB": "untok_sen2rgb@224",
    "S1GRD": "untok_sen1grd@224",
    "S1RTC": "untok_sen1rtc@224",
    "DEM": "untok_dem@224",
}
"""Modalities that enter as pixels, and their key in ``encoder_embeddings``."""

TOKENISED = ("LULC", "NDVI")
"""Modalities that enter through their tokenizers."""

TARGETS = {
    "S2L2A": "tok_sen2l2a@224",
    "S1GRD": "tok_sen1grd@224",
    "S1RTC": "tok_sen1rtc@224",
    "DEM": "tok_dem@224",
    "LULC": "tok_lulc@224",
    "NDVI": "tok_ndvi@224",
}
"""Modalities that come out as tokens (and may enter as such), and their key."""

WORDS = {"COORDS": "coords"}
"""Modalities that are texts, both ways, and their key."""

BANDS: Mapping[str, tuple[str, ...]] = {
    "S2L2A": ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"),
    "S2L1C": ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"),
    "RGB": ("R", "G", "B"),
    "S1GRD": ("VV", "VH"),
    "S1RTC": ("VV", "VH"),
    "DEM": ("DEM",),
    "LULC": ("LULC",),
    "NDVI": ("NDVI",),
    "COORDS": ("lon", "lat"),
}
"""Bands in the model's order: ``PRETRAINED_BANDS`` of terratorch's ``terramind_register``."""

UNITS = {
    "S2L2A": "reflectance × 10000",
    "S2L1C": "reflectance × 10000",
    "RGB": "0–255",
    "S1GRD": "dB",
    "S1RTC": "dB",
    "DEM": "m",
    "LULC": "class",
    "NDVI": "",
    "COORDS": "degrees",
}


@contextlib.contextmanager
def uninitialised() -> Iterator[None]:
    """Weights are allocated but not drawn meanwhile: a skeleton needs their shapes alone."""
    fillers = [name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")]
    with contextlib.ExitStack() as stack:
        for name in fillers:
            stack.enter_context(mock.patch.object(torch.nn.init, name, lambda tensor, *_, **__: tensor))
        yield


def registered(size: str) -> dict[str, Any]:
    """The arguments that terratorch builds a size's generation model with (sizes, norms, statistics)."""
    from terratorch.models.backbones.terramind.model import terramind_register

    with mock.patch.object(terramind_register, "build_terrammind_generate", lambda **given: given):
        given: dict[str, Any] = getattr(terramind_register, f"terramind_v1_{size}_generate")()
    return given


def mae_arguments(size: str) -> dict[str, Any]:
    """What of them ``TerraMind`` itself takes."""
    others = ("variant", "tokenizer_dict", "pretraining_mean", "pretraining_std")
    return {name: value for name, value in registered(size).items() if name not in others}


def statistics(modality: str, *, target: bool = False) -> dict[str, list[float]]:
    """``mean`` and ``std`` per band of one modality, as every size of TerraMind v1 was trained with."""
    given = registered("tiny")
    key = TARGETS[modality] if target else IMAGES[modality]
    return {
        "mean": [float(value) for value in given["pretraining_mean"][key]],
        "std": [float(value) for value in given["pretraining_std"][key]],
    }


def build_mae(size: str, *, tile: int = TILE, overrides: Optional[Mapping[str, Any]] = None) -> Any:
    """Make terratorch's ``TerraMind`` with every modality, randomly initialised.

    Its state dict has the layout of ``TerraMind_v1_<size>.pt``.
    """
    from terratorch.models.backbones.terramind.model.modality_info import MODALITY_INFO
    from terratorch.models.backbones.terramind.model.terramind import (
        TerraMind,
        build_modality_embeddings,
        build_output_modality_embeddings,
    )

    arguments = {**mae_arguments(size), **(overrides or {})}
    place = (tile, arguments["dim"], PATCH)
    inputs, targets = [*IMAGES.values(), *WORDS.values()], [*TARGETS.values(), *WORDS.values()]
    encoders, _ = build_modality_embeddings(MODALITY_INFO, inputs, list(TARGETS.values()), *place)
    decoders, _ = build_output_modality_embeddings(MODALITY_INFO, targets, *place)
    return TerraMind(encoders, decoders, MODALITY_INFO, **arguments).eval()


def tokenizer_arguments(modality: str) -> dict[str, Any]:
    """The arguments that terratorch builds a modality's tokenizer with; ``model_type`` says which class."""
    from terratorch.models.backbones.terramind.tokenizer import tokenizer_register

    with mock.patch.object(tokenizer_register, "build_vqvae", lambda **given: given):
        given: dict[str, Any] = getattr(tokenizer_register, f"terramind_v1_tokenizer_{modality.lower()}")()
    given.pop("variant")
    return given


def build_tokenizer(modality: str, overrides: Optional[Mapping[str, Any]] = None) -> Any:
    """Make terratorch's ``VQVAE`` or ``DiVAE`` of one modality, randomly initialised."""
    from terratorch.models.backbones.terramind.tokenizer.vqvae import VQVAE, DiVAE

    given = {**tokenizer_arguments(modality), **(overrides or {})}
    kind = given.pop("model_type", "divae")
    return (DiVAE if kind == "divae" else VQVAE)(**given).eval()


def target_spec(modality: str, tokenizer: Any) -> dict[str, Any]:
    """A target's entry in pack.json, read from its tokenizer."""
    spec: dict[str, Any] = {
        "bands": list(BANDS[modality]),
        "unit": UNITS[modality],
        "codebook": [int(level) for level in str(tokenizer.codebook_size).split("-")],
    }
    scheduler = getattr(tokenizer, "noise_scheduler", None)
    if modality == "LULC":
        spec["logits"] = int(tokenizer.n_channels)
    else:
        spec.update(statistics(modality, target=True))
    if scheduler is None:
        return {**spec, "decoder": "direct"}
    config = scheduler.config
    clamp = config.sample_max_value if config.thresholding else config.clip_sample_range
    diffusion = {
        "train_steps": int(config.num_train_timesteps),
        "beta_start": float(config.beta_start),
        "beta_end": float(config.beta_end),
        "prediction": str(config.prediction_type),
        "zero_terminal_snr": bool(config.zero_terminal_snr),
        "spacing": "trailing",
        "steps": 10,
    }
    return {**spec, "decoder": "diffusion", "clamp": float(clamp), "diffusion": diffusion}


def input_spec(modality: str) -> dict[str, Any]:
    """An input's entry in pack.json. Classes and words have no statistics."""
    spec = {
        "bands": list(BANDS[modality]),
        "unit": UNITS[modality],
        "offset": "remove" if modality.startswith("S2") else "none",
    }
    if modality in ("LULC", *WORDS):
        return spec
    return {**spec, **statistics(modality, target=modality not in IMAGES)}


def word_spec(modality: str) -> dict[str, Any]:
    """A target's entry in pack.json where it is a text."""
    return {"bands": list(BANDS[modality]), "unit": UNITS[modality], "decoder": "text"}
