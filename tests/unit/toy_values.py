# SPDX-License-Identifier: GPL-2.0-or-later
"""What the toy pack (``toy_pack``) computes, in numpy: a model whose outputs can be worked out by hand.

Standardised pixels are averaged per patch and band: that is a token (of modalities other than S2L2A the
mean of all bands stands for each of the twelve). A target's value is a weighted mean of the bands (NDVI:
half of B08 minus half of B04; the others: all twelve alike), averaged over all modalities that are given,
and rounded to the nearest of the target's levels; with coordinates in, half of latitude / 90 is added to
what elevation is made of. Land cover is decoded by logits of 12 for the class, the others by a "diffusion"
step that returns the level in every band. Coordinates out: with m the mean of all tokens, latitude 45 m and
longitude 90 m, on the grid of 0.25 degrees. ``expected`` and ``expected_place`` compute the same in numpy.

Tokens have D = 12 + 1 + N numbers: bands, latitude / 90, and which patch it is (so that the order of
modalities does not matter); ``encoded`` keeps the bands alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Union

import numpy as np

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
NAMES: Mapping[str, tuple[str, ...]] = {
    "S2L2A": BANDS,
    "S2L1C": (*BANDS[:10], "B10", *BANDS[10:]),
    "RGB": ("R", "G", "B"),
    "S1GRD": ("VV", "VH"),
    "S1RTC": ("VV", "VH"),
    **{name: (name,) for name in ("DEM", "LULC", "NDVI")},
    "COORDS": ("lon", "lat"),
}
MEAN, STD = 2000.0, 1000.0
STATISTICS = {
    "S2L2A": (MEAN, STD),
    "S2L1C": (MEAN, STD),
    "RGB": (90.0, 50.0),
    "S1GRD": (-12.0, 5.0),
    "S1RTC": (-11.0, 5.0),
    "DEM": (500.0, 300.0),
    "NDVI": (0.0, 1.0),
}
UNITS = {
    **dict.fromkeys(("S2L2A", "S2L1C"), "reflectance × 10000"),
    **dict.fromkeys(("S1GRD", "S1RTC"), "dB"),
    "RGB": "0–255",
    "DEM": "m",
    "NDVI": "",
    "LULC": "class",
    "COORDS": "degrees",
}
LEVELS = {
    **{name: np.linspace(-1.5, 1.5, 31, dtype=np.float32) for name in ("DEM", "S1GRD", "S1RTC", "S2L2A")},
    "NDVI": np.linspace(-1.5, 1.5, 61, dtype=np.float32),
    "LULC": np.linspace(-1.0, 1.0, 9, dtype=np.float32),
}
DIM = len(BANDS)
TOKENISED = ("LULC", "NDVI")
ALL_INPUTS = tuple(NAMES)
ALL_TARGETS = ("S2L2A", "S1GRD", "S1RTC", "DEM", "LULC", "NDVI", "COORDS")
LATITUDES, LONGITUDES = np.arange(-90, 90.1, 0.25), np.arange(-180, 180.1, 0.25)
SPECIAL = ("[PAD]", "[UNK]", "[SOS]", "[EOS]", "[S_0]", "[S_1]", "[S_2]")
WORDS = (*SPECIAL, *(f"lat={v:.2f}" for v in LATITUDES), *(f"lon={v:.2f}" for v in LONGITUDES))
Images = Union[np.ndarray, Mapping[str, np.ndarray]]


def vocabulary(words: Sequence[str] = WORDS) -> bytes:
    """A tokenizer's file in the format of Hugging Face's tokenizers: WordPiece with added tokens."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    bert = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": w, **flags, "special": i < 7} for i, w in enumerate(words)],
        "normalizer": {"type": "BertNormalizer", **bert},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: i for i, word in enumerate(words)},
        },
    }
    return json.dumps(content, indent=1).encode()


def band_weights(target: str) -> np.ndarray:
    """(12,) float32: how a target's value follows from the standardised bands."""
    if target == "NDVI":
        weights = np.zeros(DIM, np.float32)
        weights[BANDS.index("B08")], weights[BANDS.index("B04")] = 0.5, -0.5
        return weights
    return np.full(DIM, 1 / DIM, np.float32)


def latitude_weight(target: str) -> float:
    """How much of latitude / 90 is added."""
    return 0.5 if target == "DEM" else 0.0


def cells_of(modality: str, image: np.ndarray, patch: int) -> np.ndarray:
    """(B,12,T/patch,T/patch): what an input's tokens hold."""
    mean, std = STATISTICS.get(modality, (0.0, 1.0))
    z = np.nan_to_num((image - mean) / std, nan=0.0).astype(np.float32)
    b, c, t, _ = z.shape
    cells = z.reshape(b, c, t // patch, patch, t // patch, patch).mean(axis=(3, 5))
    if modality == "LULC":
        ids = np.clip(np.rint(cells) - 1, 0, len(LEVELS["LULC"]) - 1).astype(int)
        cells = LEVELS["LULC"][ids]
    elif modality == "NDVI":
        cells = LEVELS["NDVI"][np.abs(cells[..., None] - LEVELS["NDVI"]).argmin(axis=-1)]
    return cells if c == DIM else np.repeat(cells.mean(axis=1, keepdims=True), DIM, axis=1)


def _mixed(images: Images, patch: int) -> np.ndarray:
    given = {"S2L2A": images} if isinstance(images, np.ndarray) else images
    cells = [cells_of(m, image, patch) for m, image in given.items() if m != "COORDS"]
    return np.mean(cells, axis=0, dtype=np.float32)


def expected(
    images: Images, target: str, patch: int = 8, clamp: float = 1.0, nudge: float = 0.0
) -> np.ndarray:
    """What the pack gives without chaining: values (B,bands,T,T), or class ids (B,1,T,T) for LULC, float32.

    ``images``: (B,12,T,T) in reflectance × 10000, or per modality in its unit, NaN where there is none;
    COORDS as (B,2). ``nudge`` moves values before they are rounded: some lie between two levels.
    """
    value = nudge + np.tensordot(band_weights(target), _mixed(images, patch), axes=(0, 1))
    if isinstance(images, Mapping) and "COORDS" in images:
        latitude = np.rint(images["COORDS"][:, 1] * 4) / 4
        value = value + latitude_weight(target) * (latitude / 90).astype(np.float32)[:, None, None]
    ids = np.abs(value[..., None] - LEVELS[target]).argmin(axis=-1)
    if target == "LULC":
        cells = ids + 1
    else:
        mean, std = STATISTICS[target]
        cells = np.clip(LEVELS[target][ids], -clamp, clamp) * std + mean
    whole = np.kron(cells, np.ones((1, patch, patch))).astype(np.float32)[:, None]
    return np.repeat(whole, len(NAMES[target]), axis=1)


def expected_place(images: Images, patch: int = 8, nudge: float = 0.0) -> np.ndarray:
    """The coordinates that the pack gives without chaining, (B,2) float64 longitude and latitude."""
    mean = _mixed(images, patch).mean(axis=(1, 2, 3), dtype=np.float64) + nudge
    return np.stack([_nearest(LONGITUDES, 90 * mean), _nearest(LATITUDES, 45 * mean)], axis=1)


def _nearest(grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    return grid[np.abs(values[:, None] - grid).argmin(axis=1)]


def expected_embedding(images: Images, patch: int = 8) -> np.ndarray:
    """What ``Adapter.embed`` gives: (B, D, T/patch, T/patch), the bands' means and zeros."""
    cells = _mixed(images, patch)
    zeros = np.zeros((len(cells), 1 + cells[0, 0].size, *cells.shape[2:]), np.float32)
    return np.concatenate([cells, zeros], axis=1)
