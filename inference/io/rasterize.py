# SPDX-License-Identifier: GPL-2.0-or-later
"""Polygons to masks by scan lines in numpy, so that every Geo burns exactly the same pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..grid import Affine, Grid
from ..types import Window
from .base import Mask

Ring = Sequence[tuple[float, float]]


def _edges(rings: Sequence[Ring], transform: Affine, window: Window) -> npt.NDArray[np.float64]:
    """Edges (n, 4) as x0, y0, x1, y1 in pixels of the window; open rings are closed."""
    parts = []
    for ring in rings:
        if len(ring) < 3:
            continue
        points = np.array([transform.invert(x, y) for x, y in ring], dtype=np.float64)
        points -= (window.col, window.row)
        parts.append(np.hstack([points, np.roll(points, -1, axis=0)]))
    return np.vstack(parts) if parts else np.empty((0, 4))


def _burn(edges: npt.NDArray[np.float64], mask: Mask) -> None:
    """Set the pixels whose centres lie inside, by the even-odd rule."""
    height, width = mask.shape
    if not len(edges):
        return
    x0, y0, x1, y1 = edges.T
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    first = max(0, int(np.floor(low.min() - 0.5)))
    last = min(height, int(np.ceil(high.max() + 0.5)))
    for row in range(first, last):
        y = row + 0.5
        hit = (low <= y) & (y < high)
        if not hit.any():
            continue
        cross = np.sort(x0[hit] + (y - y0[hit]) / (y1[hit] - y0[hit]) * (x1[hit] - x0[hit]))
        # Centres at col + 0.5 in [left, right): a shared border belongs to exactly one polygon.
        ends = np.clip(np.ceil(cross - 0.5), 0, width).astype(int)
        for left, right in zip(ends[0::2], ends[1::2]):
            mask[row, left:right] = True


def rasterize(polygons: Sequence[Sequence[Ring]], grid: Grid, window: Window) -> Mask:
    """Mask (h, w): True where a pixel's centre is in any polygon (rings in the grid's CRS, outer first)."""
    mask = np.zeros((window.height, window.width), dtype=np.bool_)
    for rings in polygons:
        one = np.zeros_like(mask)
        _burn(_edges(rings, grid.transform, window), one)
        mask |= one
    return mask
