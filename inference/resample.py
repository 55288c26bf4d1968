# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures and masks to other numbers of pixels, bilinear: a matrix per axis, pure numpy."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@lru_cache(maxsize=16)
def weights(count: int, source: int, part: float) -> Float32:
    """(count, source) float32, rows that sum to 1: ``count`` pixels from the first ``part`` of ``source`` ones.

    The triangle filter, widened where pixels become fewer, as Pillow's BILINEAR (antialiased); where they
    become more it is PyTorch's bilinear with align_corners=False.
    """
    scale = part / count
    centres = (np.arange(count) + 0.5) * scale - 0.5
    reach = max(scale, 1.0)
    made = np.maximum(0.0, 1.0 - np.abs(np.arange(source)[None] - centres[:, None]) / reach)
    made /= made.sum(axis=1, keepdims=True)
    made = made.astype(np.float32)
    made.flags.writeable = False  # it is shared
    return made


def resized(image: npt.NDArray[Any], height: int, width: int) -> Float32:
    """An image (h, w, bands) as (height, width, bands) float32."""
    rows, columns, bands = image.shape
    values = image.astype(np.float32)
    if rows != height:
        values = (weights(height, rows, float(rows)) @ values.reshape(rows, -1)).reshape(
            height, columns, bands
        )
    if columns != width:
        values = np.einsum("oc,hcb->hob", weights(width, columns, float(columns)), values, optimize=True)
    return np.ascontiguousarray(values, np.float32)


def sampled(values: Float32, part: tuple[float, float], height: int, width: int) -> Float32:
    """The first ``part`` (rows, columns, which need not be whole) of values (h, w) as (height, width) float32."""
    across = values @ weights(width, values.shape[1], part[1]).T
    return np.asarray(weights(height, values.shape[0], part[0]) @ across, np.float32)
