# SPDX-License-Identifier: GPL-2.0-or-later
"""What each generated raster says of itself, and how blended values become its pixels."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from ..blend import classes_of
from ..io.base import Float32, Mask, OutputSpec
from ..modalities import MODALITIES, Modality
from ..packs.manifest import Pack, TargetSpec
from ..packs.reach import reach_words, reaches
from ..tiling import TilePlan
from .assemble import Product
from .request import COORDS

NODATA = -9999.0
"""Of rasters of uncertainty."""

Pixels = Callable[[Float32, Mask], npt.NDArray[Any]]


def make_products(
    pack: Pack,
    targets: Sequence[str],
    tags: Mapping[str, str],
    *,
    samples: int = 1,
    probability: bool = False,
) -> tuple[Product, ...]:
    """The rasters of a run in the order of ``product_names``, from the one table of modalities."""
    products: list[Product] = []
    for target in targets:
        if target == COORDS:
            continue
        modality, spec = MODALITIES[target], pack.targets[target]
        main = output_spec(modality, spec.bands, tags, spec.note)
        if not modality.classes:
            products.append(Product(target, target, spec.channels, main, values_to_pixels(main)))
            if samples > 1:
                products.append(_deviation(modality, spec, tags, samples))
            continue
        products.append(
            Product(target, target, spec.channels, main, class_pixels, resampling="nearest", form="share")
        )
        if probability or samples > 1:
            products.append(_confidence(modality, spec, tags, "probability", probability_pixels))
        if samples > 1:
            products.append(_confidence(modality, spec, tags, "entropy", entropy_pixels))
    return tuple(products)


def _deviation(modality: Modality, spec: TargetSpec, tags: Mapping[str, str], samples: int) -> Product:
    name = f"{modality.id}_std"
    note = (
        f"Standard deviation of {samples} samples. It says how far the model's draws lie apart, not how far "
        "they are from the truth."
    )
    out = OutputSpec(
        dtype="float32",
        nodata=NODATA,
        band_names=tuple(f"{band} standard deviation" for band in spec.bands),
        units=(modality.unit,) * len(spec.bands),
        tags={**tags, "TERRANE_MODALITY": name, "TERRANE_NOTE": note},
    )
    return Product(name, name, spec.channels, out, values_to_pixels(out))


def _confidence(
    modality: Modality, spec: TargetSpec, tags: Mapping[str, str], kind: str, pixels: Pixels
) -> Product:
    notes = {
        "probability": "Probability that the model gives the chosen class, from 0 to 1.",
        "entropy": "Entropy of the class probabilities over that of equal ones: 0 is certain, 1 undecided.",
    }
    name = f"{modality.id}_{kind}"
    out = OutputSpec(
        dtype="float32",
        nodata=NODATA,
        band_names=(f"{modality.id} {kind}",),
        tags={**tags, "TERRANE_MODALITY": name, "TERRANE_NOTE": notes[kind]},
    )
    return Product(name, modality.id, spec.channels, out, pixels, form="share")


def values_to_pixels(spec: OutputSpec) -> Pixels:
    """How blended values (channels, h, w) become a raster's pixels: rounded for whole numbers."""
    dtype = np.dtype(spec.dtype)
    nodata = np.nan if spec.nodata is None else spec.nodata

    def pixels(values: Float32, valid: Mask) -> npt.NDArray[Any]:
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        return np.where(valid & np.isfinite(values), values, dtype.type(nodata)).astype(dtype, copy=False)

    return pixels


def class_pixels(values: Float32, valid: Mask) -> npt.NDArray[np.uint8]:
    """Class probabilities (classes, h, w) to class numbers (1, h, w)."""
    return classes_of(values, valid)[None]


def probability_pixels(values: Float32, valid: Mask) -> Float32:
    """Class probabilities (classes, h, w) to that of the chosen class (1, h, w), 0 to 1."""
    total = values.sum(axis=0)
    best = values[1:].max(axis=0)
    share = np.divide(best, total, out=np.zeros_like(total), where=total > 0)
    return np.where(valid, share, np.float32(NODATA))[None]


def entropy_pixels(values: Float32, valid: Mask) -> Float32:
    """Class probabilities (classes, h, w) to their entropy over ln(classes) (1, h, w), 0 to 1."""
    total = values.sum(axis=0)
    shares = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logs).sum(axis=0) / np.float32(np.log(max(len(values), 2)))
    return np.where(valid, np.clip(entropy, 0, 1), np.float32(NODATA))[None]


def output_spec(
    modality: Modality, bands: Sequence[str], tags: Mapping[str, str], note: str = ""
) -> OutputSpec:
    """Type, nodata, names, unit, colours and tags of a generated raster; ``note`` as in ``TargetSpec``."""
    tags = {**tags, "TERRANE_MODALITY": modality.id}
    if note or modality.note:
        tags["TERRANE_NOTE"] = note or modality.note
    categories = [""] * (max((c.value for c in modality.classes), default=-1) + 1)
    for c in modality.classes:
        categories[c.value] = c.name
    return OutputSpec(
        dtype=modality.output_dtype,
        nodata=modality.output_nodata,
        band_names=tuple(bands),
        units=() if modality.classes else (modality.unit,) * len(bands),
        colors={c.value: c.color for c in modality.classes} or None,
        categories=tuple(categories),
        tags=tags,
    )


def provenance(
    pack: Pack,
    *,
    preset: str,
    seed: int,
    plans: Sequence[TilePlan],
    source: str,
    targets: Sequence[str],
    samples: int = 1,
) -> dict[str, str]:
    """GDAL metadata that says how a raster came to be. No clock time, device or path: bytes are compared."""
    tags = {
        "TERRANE_SYNTHETIC": "YES: generated by a model",
        "TERRANE_MODEL": f"{pack.id} {pack.version}",
        "TERRANE_PACK_SHA256": pack.hash,
        "TERRANE_PRESET": preset,
        "TERRANE_SEED": str(seed),
        "TERRANE_TILE_GRID": "; ".join(map(str, plans)),
        "TERRANE_TARGETS": " ".join(targets),
        "TERRANE_SOURCE": source,
        "TERRANE_VERSION": version(),
    }
    if samples > 1:
        tags["TERRANE_SAMPLES"] = str(samples)
    if pack.notice:
        tags["TERRANE_NOTICE"] = pack.notice
    reached = reach_words(reaches(pack.training))
    if reached:
        tags["TERRANE_ACCURACY"] = reached
    return tags


def version() -> str:
    """Terrane's version, without importing upwards: the root package offers the API, which stands above us."""
    root = sys.modules[__name__.partition(".")[0]]
    return str(getattr(root, "__version__", ""))
