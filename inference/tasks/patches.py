# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading rasters of embeddings, one vector per pixel, strip by strip: memory does not grow with the scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..grid import Grid
from ..io.base import BandRef, Float32, Geo, Mask, RasterInfo
from ..io.core import short_name
from ..types import Cancel, Window

STRIP_BYTES = 32 * 2**20
"""Largest strip in float32; computing takes a few times that."""

Float64 = npt.NDArray[np.float64]


class Patches:
    """A raster of embeddings. Raises SourceError where it is none."""

    def __init__(self, path: str, geo: Geo) -> None:
        self.path = path
        self.info: RasterInfo = geo.describe(path)
        if self.info.grid is None:
            raise SourceError(f"{short_name(path)} {self.info.problem}")
        if len(self.info.bands) < 2:
            raise SourceError(
                f"{short_name(path)} has one band only, so that it holds no embeddings; make some with: "
                "terrane embed"
            )
        self.grid: Grid = self.info.grid
        self.dim = len(self.info.bands)
        """Numbers per patch."""
        self._geo = geo

    def strips(self, cancel: Optional[Cancel] = None) -> Iterator[tuple[Window, Float32, Mask]]:
        """All rows in order: the window, vectors (n, D) float32 of its patches row by row, and which of
        them (n,) have data. Vectors without are NaN somewhere."""
        width, height = self.grid.size
        fit = max(1, STRIP_BYTES // (4 * self.dim * width))
        rows = fit // 64 * 64 or fit  # whole blocks where they fit
        refs = [BandRef(self.path, band.index) for band in self.info.bands]
        with closing(self._geo.reader(refs, self.grid)) as reader:
            for row in range(0, height, rows):
                if cancel is not None:
                    cancel.raise_if_set()
                window = Window(0, row, width, min(rows, height - row))
                values, valid = reader.read(window)
                vectors = np.ascontiguousarray(values.reshape(self.dim, -1).T)
                yield window, vectors, valid.all(axis=0).ravel()

    def mean(self, cancel: Optional[Cancel] = None) -> Float64:
        """The mean (D,) of all vectors. Raises SourceError where no patch has data."""
        total, count = np.zeros(self.dim), 0
        for _, vectors, valid in self.strips(cancel):
            total += vectors[valid].sum(axis=0, dtype=np.float64)
            count += int(valid.sum())
        if not count:
            raise SourceError(f"{short_name(self.path)} holds no patch with data.")
        return total / count


def unit(vectors: npt.NDArray[Any]) -> Float64:
    """Vectors (n, D) scaled to length 1, float64; those of length 0 stay."""
    wide = np.asarray(vectors, np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))[:, None]
    return np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
