# SPDX-License-Identifier: GPL-2.0-or-later
"""Presets: how tokens are chosen, how images are decoded and how much tiles overlap. The one table.

``exact`` does what the reference implementation does; ``balanced`` and ``fast`` trade texture for speed.
The first denoising step of these decoders already returns the expected value given the tokens, so that
fewer steps give smoother, not worse, elevations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Optional, Union

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
    """Variants of a pack's graphs in order of preference; fp32 is always the last. One that stands alone is
    used whatever its error, others where their error is accepted (``packs.variants``)."""
    stride: Optional[int] = None
    """Pixels from one tile to the next in place of ``overlap``."""


REFERENCE_CLAMP = 1.0
"""The reference decodes with ``sample_max_value=1.0``, which keeps outputs within a standard deviation."""

SAMPLERS = ("argmax", "top_p")
PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True)
class Options:
    """The knobs of a preset one by one; None leaves what the preset says."""

    steps: Optional[int] = None
    """Denoising steps of diffusion decoders, 1 to 1000."""
    clamp: Union[str, float, None] = None
    """Limit of predictions: "reference", or a number of standard deviations."""
    sampler: Optional[str] = None
    """"argmax" or "top_p"."""
    precision: Optional[str] = None
    """"fp32" or "int8"."""
    tile: Optional[int] = None
    """Side of the tiles in pixels; a pack's graphs may take just one."""
    stride: Optional[int] = None
    """Pixels from one tile to the next, a multiple of the model's patch."""


AS_PRESET = Options()
"""Everything as the preset has it."""

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


def apply(preset: Preset, options: Options) -> Preset:
    """The preset with the options in place of its own settings. Raises InputError."""
    _check(options)
    changes: dict[str, object] = {}
    if options.steps is not None:
        changes["steps"] = options.steps
    if options.clamp is not None:
        changes["clamp"] = REFERENCE_CLAMP if options.clamp == "reference" else float(options.clamp)
    if options.sampler is not None:
        changes["sampler"] = options.sampler
        if options.sampler == "top_p" and preset.sampler != "top_p":
            changes.update(top_p=PRESETS["exact"].top_p, temperature=PRESETS["exact"].temperature)
    if options.precision is not None:
        changes["precision"] = (options.precision,)
    if options.stride is not None:
        changes["stride"] = options.stride
    return replace(preset, **changes) if changes else preset  # type: ignore[arg-type]


def _check(options: Options) -> None:
    if options.steps is not None and not 1 <= options.steps <= 1000:
        raise InputError(f"The number of steps must be from 1 to 1000, not {options.steps}.")
    if isinstance(options.clamp, str) and options.clamp != "reference":
        raise InputError(
            f'The clamp must be "reference" or a number of standard deviations, not {options.clamp!r}.'
        )
    if isinstance(options.clamp, (int, float)) and not 0 < options.clamp < math.inf:
        raise InputError(f"The clamp must be a number of standard deviations above 0, not {options.clamp}.")
    for name, value, known in (
        ("sampler", options.sampler, SAMPLERS),
        ("precision", options.precision, PRECISIONS),
    ):
        if value is not None and value not in known:
            raise InputError(f"There is no {name} {value!r}. Choose one of {', '.join(known)}.")
    for name, size in (("tile", options.tile), ("stride", options.stride)):
        if size is not None and size < 1:
            raise InputError(f"The {name} must be at least 1 pixel, not {size}.")


def stride(tile: int, preset: Preset, patch: int = 1) -> int:
    """Pixels from one tile to the next: a tile less the overlap, rounded to whole patches where it can be.

    For tiles of 224: 192 (exact, balanced) and 208 (fast), as in contracts.md. Raises InputError for a
    stride of the user's that does not fit.
    """
    if patch < 1 or tile < patch:
        raise ValueError(f"tile {tile} and patch {patch} do not fit")
    if preset.stride is not None:
        if preset.stride > tile or preset.stride % patch:
            raise InputError(
                f"The stride must be a multiple of {patch} pixels up to {tile}, not {preset.stride}."
            )
        return preset.stride
    patches = tile // patch
    overlap = round(patches * preset.overlap)
    if overlap < 1:
        overlap = 1 if patches > 1 else 0
    return (patches - overlap) * patch
