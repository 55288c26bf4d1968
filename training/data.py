# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiles of simulated chips as standardised torch tensors. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .sensors import ndvi_of
from .starter_model import INPUTS, TARGETS, TILE


@dataclass(frozen=True)
class Batch:
    """Tiles of one training step, torch tensors, T = ``TILE``."""

    s2l2a: Any
    """(B, 12, T, T) float32, standardised."""
    lulc: Any
    """(B, T, T) int64, ESRI class indices."""
    dem: Any
    """(B, 1, T, T) float32, relief about a constant height, standardised."""
    ndvi: Any
    """(B, 1, T, T) float32, standardised."""


def standardise(image: NDArray[Any], spec: Any) -> NDArray[np.float32]:
    """Return (values - mean) / std of (..., bands, h, w), float32."""
    mean = np.asarray(spec["mean"], np.float32)[:, None, None]
    std = np.asarray(spec["std"], np.float32)[:, None, None]
    return ((image.astype(np.float32) - mean) / std).astype(np.float32)


class Chips:
    """A set written by ``training.simulate``; batches depend on seed, stage and step only, so runs resume."""

    def __init__(self, folder: Path) -> None:
        self.images = np.load(folder / "s2l2a.npy", mmap_mode="r")
        self.heights = np.load(folder / "dem.npy", mmap_mode="r")
        self.covers = np.load(folder / "lulc.npy", mmap_mode="r")

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def batch(self, key: tuple[int, ...], count: int, *, turn: bool = False) -> Batch:
        """Return random tiles of random chips; ``turn`` also mirrors and turns them (wrong for the sun)."""
        rng = np.random.default_rng(np.random.SeedSequence(list(key)))
        space = self.images.shape[-1] - TILE
        picks = [(int(rng.integers(len(self))), *rng.integers(0, space + 1, 2)) for _ in range(count)]
        turns = rng.integers(0, 8, count) if turn else np.zeros(count, dtype=int)
        return self._gather(picks, turns)

    def quarters(self, chip: int) -> Batch:
        """Return the four corner tiles of a chip, in row-major order."""
        far = self.images.shape[-1] - TILE
        return self._gather(
            [(chip, row, column) for row in (0, far) for column in (0, far)], np.zeros(4, int)
        )

    def _gather(self, picks: list[tuple[int, int, int]], turns: NDArray[Any]) -> Batch:
        import torch

        parts = []
        for (chip, row, column), turn in zip(picks, turns):
            rows, columns = slice(row, row + TILE), slice(column, column + TILE)
            arrays = (
                self.images[chip, :, rows, columns],
                self.covers[chip, None, rows, columns],
                self.heights[chip, None, rows, columns],
            )
            parts.append([_turned(array, int(turn)) for array in arrays])
        images, covers, heights = (np.stack([part[i] for part in parts]) for i in range(3))
        ndvi = np.stack([ndvi_of(image) for image in images])[:, None]
        # Relief about a constant height: the level of a tile cannot be seen in its image.
        relief = heights - heights.mean(axis=(-2, -1), keepdims=True) + TARGETS["DEM"]["mean"][0]
        return Batch(
            s2l2a=torch.from_numpy(standardise(images, INPUTS["S2L2A"])),
            lulc=torch.from_numpy(covers[:, 0].astype(np.int64)),
            dem=torch.from_numpy(standardise(relief, TARGETS["DEM"])),
            ndvi=torch.from_numpy(standardise(ndvi, TARGETS["NDVI"])),
        )


def _turned(array: NDArray[Any], turn: int) -> NDArray[Any]:
    """Return one of the eight mirrorings and quarter turns of (bands, h, w)."""
    if turn >= 4:
        array = array[..., ::-1]
    return np.ascontiguousarray(np.rot90(array, turn % 4, axes=(-2, -1)))
