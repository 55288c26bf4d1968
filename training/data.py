# SPDX-License-Identifier: GPL-2.0-or-later
"""Tiles of simulated chips as standardised torch tensors: what goes in, and the truth. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .starter_model import INPUTS, TARGETS, TILE, coords_ids

#: What the place on the Earth is called among the inputs.
PLACE = "COORDS"

#: Where B04 and B08 stand among the twelve bands of S2L2A.
RED, NEAR_INFRARED = 3, 7

#: Land-cover classes of the direct decoder; 0, no data, is never there.
CLASSES = 10


@dataclass(frozen=True)
class Batch:
    """Tiles of one training step, torch tensors; T = ``TILE``."""

    inputs: Mapping[str, Any]
    """Modality to (B, C, T, T) float32, standardised; COORDS to (B, L) int64 ids."""
    truths: Mapping[str, Any]
    """LULC to (B, T, T) int64 ESRI classes; other targets to (B, C, T, T) float32, standardised."""
    weights: Any
    """(CLASSES,) float32: what each class counts in the loss of land cover."""


def standardise(image: NDArray[Any], spec: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return (values - mean) / std of (..., bands, h, w), float32."""
    mean = np.asarray(spec["mean"], np.float32)[:, None, None]
    std = np.asarray(spec["std"], np.float32)[:, None, None]
    return ((image.astype(np.float32) - mean) / std).astype(np.float32)


class Chips:
    """A set written by ``training.simulate``; only what a batch needs is read from the disk.

    A batch depends on its key, count and turning alone, so that runs resume.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arrays: dict[str, NDArray[Any]] = {}
        shape = self.array("lulc").shape
        self.count, self.size = int(shape[0]), int(shape[-1])

    def __len__(self) -> int:
        return self.count

    def array(self, name: str) -> NDArray[Any]:
        """Return one of the set's arrays, mapped from its file."""
        if name not in self._arrays:
            self._arrays[name] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return self._arrays[name]

    @cached_property
    def class_weights(self) -> NDArray[np.float32]:
        """(CLASSES,) float32: rare classes count somewhat more, the fourth root of how rare they are.

        Without it accuracy would be bought with the classes that few pixels have, and mean IoU counts these alike.
        """
        shares = np.bincount(self.array("lulc")[::10, ::4, ::4].ravel(), minlength=CLASSES)[:CLASSES]
        shares = np.maximum(shares / max(1, shares.sum()), 1e-3)
        weights = shares**-0.25
        return np.clip(weights / (shares * weights).sum(), 0.5, 3.0).astype(np.float32)

    def batch(
        self,
        key: tuple[int, ...],
        count: int,
        inputs: Sequence[str],
        targets: Sequence[str],
        *,
        turn: bool = False,
    ) -> Batch:
        """Return random tiles of random chips; ``turn`` also mirrors and turns them (wrong for the sun)."""
        rng = np.random.default_rng(np.random.SeedSequence(list(key)))
        space = self.size - TILE
        picks = [(int(rng.integers(len(self))), *rng.integers(0, space + 1, 2)) for _ in range(count)]
        turns = rng.integers(0, 8, count) if turn else np.zeros(count, dtype=int)
        return self._gather(picks, turns, inputs, targets)

    def quarters(self, chips: Sequence[int], inputs: Sequence[str], targets: Sequence[str]) -> Batch:
        """Return the four corner tiles of each chip, in row-major order."""
        far = self.size - TILE
        picks = [(chip, row, column) for chip in chips for row in (0, far) for column in (0, far)]
        return self._gather(picks, np.zeros(len(picks), int), inputs, targets)

    def _gather(
        self,
        picks: Sequence[tuple[int, int, int]],
        turns: NDArray[Any],
        inputs: Sequence[str],
        targets: Sequence[str],
    ) -> Batch:
        import torch

        cuts = [(chip, slice(row, row + TILE), slice(column, column + TILE)) for chip, row, column in picks]

        def read(name: str, *bands: Any) -> NDArray[Any]:
            array = self.array(name)
            tiles = [array[(chip, *bands, ..., rows, columns)] for chip, rows, columns in cuts]
            return np.stack([_turned(tile, int(turn)) for tile, turn in zip(tiles, turns)])

        given = {m: torch.from_numpy(standardise(_image(read, m), INPUTS[m])) for m in inputs if m != PLACE}
        if PLACE in inputs:
            places = self.array("coords")[[chip for chip, _, _ in picks]]
            given[PLACE] = torch.from_numpy(coords_ids(places[:, 0], places[:, 1]))
        truths = {target: torch.from_numpy(_truth(read, target)) for target in targets}
        return Batch(given, truths, torch.from_numpy(self.class_weights))


Read = Callable[..., NDArray[Any]]


def _image(read: Read, modality: str) -> NDArray[Any]:
    """Return the tiles (B, C, T, T) of a modality in its own unit."""
    image = read(modality.lower())
    return image[:, None] if modality == "DEM" else image


def _truth(read: Read, target: str) -> NDArray[Any]:
    """Return a target's tiles as ``Batch.truths`` has them."""
    if target == "LULC":
        return read("lulc").astype(np.int64)
    if target == "NDVI":
        red, near = read("s2l2a", RED), read("s2l2a", NEAR_INFRARED)
        image = ndvi_between(red, near)[:, None]
    elif target == "DEM":
        heights = read("dem")[:, None]
        # Relief about a constant level: how high a tile lies cannot be seen in its image.
        image = heights - heights.mean(axis=(-2, -1), keepdims=True) + TARGETS["DEM"]["mean"][0]
    else:
        image = _image(read, target)
    return standardise(image, TARGETS[target])


def ndvi_between(red: NDArray[Any], near: NDArray[Any]) -> NDArray[np.float32]:
    """Return NDVI, (B08 - B04) / (B08 + B04), -1 to 1, float32, of reflectances x 10000 (..., h, w)."""
    red, near = red.astype(np.float32), near.astype(np.float32)
    return ((near - red) / np.maximum(near + red, 1.0)).astype(np.float32)


def _turned(array: NDArray[Any], turn: int) -> NDArray[Any]:
    """Return one of the eight mirrorings and quarter turns of (..., h, w)."""
    if turn >= 4:
        array = array[..., ::-1]
    return np.ascontiguousarray(np.rot90(array, turn % 4, axes=(-2, -1)))
