# SPDX-License-Identifier: GPL-2.0-or-later
"""Presets: how tokens are chosen, how images are decoded and how much tiles overlap. The one table.

``exact`` does what the reference implementation does; ``balanced`` and ``fast`` trade texture for speed.
The first denoising step of these decoders already returns the expected value given the tokens, so that
fewer steps give smoother, not worse, elevations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from .errors import InputError


@dataclass(frozen=True)
class Preset:
    """One row of the table."""

    id: str
    label: str
    summary: str
    sampler: str
    """argmax, or top_p: draw from the likeliest tokens."""
    top_p: float
    temperature: float
    steps: Optional[int]
    """Denoising steps of diffusion decoders; None: as many as the pack names."""
    clamp: Optional[float]
    """Limit of each prediction in standard deviations; None: the pack's."""
    overlap: float
    """Overlap of neighbouring tiles as a part of a tile."""
    precision: tuple[str, ...]
    """Variants of a pack's graphs in order of preference; fp32 is always the last."""


DEFAULT = "balanced"

PRESETS: Mapping[str, Preset] = {
    preset.id: preset
    for preset in (
        Preset(
            id="exact",
            label="Exact",
            summary="as the reference does it: seeded draws, 10 denoising steps, full precision",
            sampler="top_p",
            top_p=0.8,
            temperature=1.0,
            steps=10,
            clamp=1.0,
            overlap=1 / 7,
            precision=("fp32",),
        ),
        Preset(
            id="balanced",
            label="Balanced",
            summary="likeliest tokens, 2 denoising steps, int8 where the model has it",
            sampler="argmax",
            top_p=0.0,
            temperature=1.0,
            steps=2,
            clamp=None,
            overlap=1 / 7,
            precision=("int8", "fp32"),
        ),
        Preset(
            id="fast",
            label="Fast",
            summary="likeliest tokens, expected value in 1 step, less overlap, int8 where the model has it",
            sampler="argmax",
            top_p=0.0,
            temperature=1.0,
            steps=1,
            clamp=None,
            overlap=1 / 14,
            precision=("int8", "fp32"),
        ),
    )
}


def get(preset: str) -> Preset:
    """The preset with this id. Raises InputError that names the known ones."""
    if preset not in PRESETS:
        raise InputError(f"There is no preset {preset!r}. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[preset]


def stride(tile: int, preset: Preset, patch: int = 1) -> int:
    """Pixels from one tile to the next: a tile less the overlap, rounded to whole patches where it can be.

    For tiles of 224: 192 (exact, balanced) and 208 (fast), as in contracts.md.
    """
    if patch < 1 or tile < patch:
        raise ValueError(f"tile {tile} and patch {patch} do not fit")
    patches = tile // patch
    overlap = round(patches * preset.overlap)
    if overlap < 1:
        overlap = 1 if patches > 1 else 0
    return (patches - overlap) * patch
