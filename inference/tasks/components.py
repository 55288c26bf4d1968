# SPDX-License-Identifier: GPL-2.0-or-later
"""Principal components of embeddings as a picture: patches of a kind get a colour of a kind.

The colours mean nothing by themselves, and differ from scene to scene.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SourceError
from ..io.base import Geo, OutputSpec
from ..io.core import short_name
from ..types import Cancel
from .outputs import version
from .patches import Float64, Patches

STRETCH = (2.0, 98.0)
"""Percentiles of each component that become 1 and 255."""
SAMPLES = 2**20
"""Patches at most that the percentiles are taken from, evenly spread."""


def principal(
    patches: Patches, count: int, cancel: Optional[Cancel] = None
) -> tuple[Float64, Float64, Float64]:
    """Mean (D,), the first components (count, D) and the share of the variance of each (count,).

    In two passes, about the mean, so that nothing cancels out. A component's largest entry is positive,
    which settles its sign. Raises SourceError where no patch has data.
    """
    mean = patches.mean(cancel)
    scatter, number = np.zeros((patches.dim, patches.dim)), 0
    for _, vectors, valid in patches.strips(cancel):
        centred = vectors[valid] - mean
        scatter += centred.T @ centred
        number += len(centred)
    values, axes = np.linalg.eigh(scatter / number)
    order = np.argsort(values)[::-1][:count]
    axes = axes[:, order].T
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    total = max(float(values.sum()), np.finfo(np.float64).tiny)
    return mean, axes * np.where(largest < 0, -1.0, 1.0), np.maximum(values[order], 0) / total


def write_components(
    source: str,
    path: str,
    geo: Geo,
    *,
    count: int = 3,
    overwrite: bool = False,
    cancel: Optional[Cancel] = None,
) -> npt.NDArray[np.float64]:
    """Write the first principal components of a raster of embeddings as bytes, 1 to 255 between the 2nd
    and the 98th percentile, 0 where there is no data. Returns the share of the variance of each.

    Raises SourceError, InputError, OutputError, DiskFull, Cancelled.
    """
    patches = Patches(source, geo)
    if not 1 <= count <= patches.dim:
        raise InputError(
            f"{short_name(source)} has {patches.dim} bands; ask for 1 to {patches.dim} components, not {count}."
        )
    mean, axes, shares = principal(patches, count, cancel)
    low, high = _limits(patches, mean, axes, cancel)
    tags = {key: value for key, value in patches.info.tags.items() if key.startswith("TERRANE_")}
    note = (
        "Principal components, for looking at: colours mean nothing by themselves and differ between scenes."
    )
    percent = " ".join(f"{share:.1%}" for share in shares)
    tags.update(
        TERRANE_TASK="embed pca", TERRANE_NOTE=note, TERRANE_VARIANCE=percent, TERRANE_VERSION=version()
    )
    names = tuple(f"Component {i + 1} ({share:.1%})" for i, share in enumerate(shares))
    writer = geo.writer(path, patches.grid, OutputSpec("uint8", 0.0, names, tags=tags), overwrite=overwrite)
    try:
        for window, vectors, valid in patches.strips(cancel):
            scores = (vectors - mean) @ axes.T
            with np.errstate(invalid="ignore"):
                scaled = np.clip(np.rint(1 + 254 * (scores - low) / (high - low)), 1, 255)
            pixels = np.where(valid[:, None], scaled, 0).astype(np.uint8)
            writer.write(window, np.ascontiguousarray(pixels.T.reshape(count, window.height, window.width)))
        writer.commit()
    except BaseException:
        writer.abort()
        raise
    return shares


def _limits(
    patches: Patches, mean: Float64, axes: Float64, cancel: Optional[Cancel]
) -> tuple[Float64, Float64]:
    """The stretch of each component (count,), never of zero width."""
    step = -(-patches.grid.width * patches.grid.height // SAMPLES)
    kept, first = [], 0
    for _, vectors, valid in patches.strips(cancel):
        chosen = np.arange(first, len(valid), step)
        first = int(chosen[-1]) + step - len(valid) if len(chosen) else first - len(valid)
        chosen = chosen[valid[chosen]]
        kept.append((vectors[chosen] - mean) @ axes.T)
    scores = np.concatenate(kept)
    if not len(scores):
        raise SourceError(f"{short_name(patches.path)} holds no patch with data.")
    low, high = np.percentile(scores, STRETCH, axis=0)
    return low, np.maximum(high, low + 1e-12)
