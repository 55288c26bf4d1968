# SPDX-License-Identifier: GPL-2.0-or-later
"""Features of single pixels: a patch encoder's vectors, brought to pixels, and the bands with their indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..packs.manifest import InputSpec
from .base import Floats, Images

INDICES: Mapping[str, tuple[str, str]] = {
    "NDVI": ("B08", "B04"),
    "NDWI": ("B03", "B08"),
    "NDBI": ("B11", "B08"),
}
"""Normalised differences (a - b) / (a + b) of Sentinel-2's bands: vegetation (Rouse et al. 1974), open water
(McFeeters 1996), built-up land (Zha, Gao and Ni 2003)."""


def feature_names(inputs: Mapping[str, InputSpec], dim: int) -> tuple[str, ...]:
    """Names of a pixel's features in their order: the encoder's ``dim`` numbers, then bands and indices."""
    names = [f"e{number:03d}" for number in range(dim)]
    for modality, spec in inputs.items():
        if _measured(spec):
            names += [f"{modality} {name}" for name in (*spec.bands, *_indices(spec))]
    return tuple(names)


def pixel_bands(images: Mapping[str, Images], inputs: Mapping[str, InputSpec]) -> Floats:
    """Bands and indices (B, n, T, T) of a batch of tiles, in the order of ``inputs``; classes are left out."""
    parts: list[npt.NDArray[Any]] = []
    for modality, spec in inputs.items():
        if not _measured(spec):
            continue
        image = np.asarray(images[modality], np.float32)
        parts.append(image)
        for a, b in _indices(spec).values():
            parts.append(normalised_difference(image[:, a], image[:, b])[:, None])
    if not parts:
        first = next(iter(images.values()))
        return np.zeros((len(first), 0, *first.shape[-2:]), np.float32)
    return np.concatenate(parts, axis=1)


def _measured(spec: InputSpec) -> bool:
    """Whether a modality holds measurements: classes have no mean, and are no numbers to weigh."""
    return bool(spec.mean)


def _indices(spec: InputSpec) -> dict[str, tuple[int, int]]:
    """The indices that a modality's bands allow, as the places of the two bands."""
    return {
        name: (spec.bands.index(a), spec.bands.index(b))
        for name, (a, b) in INDICES.items()
        if a in spec.bands and b in spec.bands
    }


def normalised_difference(a: Floats, b: Floats) -> Floats:
    """(a - b) / (a + b) from -1 to 1, and 0 where the sum is not positive."""
    total = a + b
    ratio = np.divide(a - b, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(np.clip(ratio, -1, 1), np.float32)


def upsampler(patches: int, patch: int) -> Floats:
    """The matrix (patches · patch, patches) that takes values at patch centres to pixel centres along one
    axis: bilinear, constant beyond the outermost centres; each row sums to 1."""
    places = np.clip((np.arange(patches * patch) + 0.5) / patch - 0.5, 0, patches - 1)
    left = np.minimum(np.floor(places).astype(np.intp), max(patches - 2, 0))
    share = (places - left).astype(np.float32)
    matrix = np.zeros((len(places), patches), np.float32)
    matrix[np.arange(len(places)), left] = 1 - share
    matrix[np.arange(len(places)), np.minimum(left + 1, patches - 1)] += share
    return matrix


def to_pixels(grids: Floats, patch: int) -> Floats:
    """Patch grids (…, t, t) to pixels (…, t · patch, t · patch), bilinearly."""
    matrix = upsampler(grids.shape[-1], patch)
    return np.asarray(matrix @ grids @ matrix.T, np.float32)


def vectors_at(
    grid: Floats, bands: Floats, patch: int, rows: npt.NDArray[Any], cols: npt.NDArray[Any]
) -> Floats:
    """The features (n, D + bands) of some pixels of one tile: ``grid`` (D, t, t), ``bands`` (m, T, T)."""
    matrix = upsampler(grid.shape[-1], patch)
    deep = np.einsum("nt,dts,ns->nd", matrix[rows], grid, matrix[cols], optimize=True)
    return np.asarray(np.concatenate((deep, bands[:, rows, cols].T), axis=1), np.float32)
