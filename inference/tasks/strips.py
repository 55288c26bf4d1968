# SPDX-License-Identifier: GPL-2.0-or-later
"""One model grid from input strips through the model to output strips, in bounded memory.

Three things happen side by side: a thread reads the strip under the next row of tiles, the caller's thread
runs the model on this row and blends it, and a thread writes the rows that are finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Callable, NamedTuple, Optional, Protocol

import numpy as np

from ..adapters.base import Adapter, TileKey
from ..blend import RowBlender, Strip
from ..io.base import Float32, Mask, Writer
from ..tiling import Tile, TilePlan, filled, reflected
from ..types import Cancel, Window
from .prepare import Job, Part
from .region import RegionMask
from .streaming import Ahead, Behind


class SceneLike(Protocol):
    """What reads the scene: values (bands, h, w) float32, NaN where invalid, and valid (h, w)."""

    def read(self, window: Window) -> tuple[Float32, Mask]:
        """Read a window of the model grid."""
        ...


class InputStrip(NamedTuple):
    """The input under one row of tiles."""

    row: int
    values: Float32
    """(bands, h, w) in the modality's unit, NaN where there is none."""
    valid: Mask
    """(h, w): valid in the scene and inside the region."""


class Done(NamedTuple):
    """What the batch that was just finished amounts to."""

    tiles: int
    skipped: int


def read_strips(
    plan: TilePlan, reader: SceneLike, region: RegionMask, bands: Sequence[int]
) -> Iterator[InputStrip]:
    """The strips under all rows of tiles; rows that two strips share are read once."""
    identity = list(bands) == list(range(len(bands)))
    values: Optional[Float32] = None
    valid: Optional[Mask] = None
    for row in range(len(plan.rows)):
        strip, fresh = plan.strip(row), plan.fresh(row)
        new_values, new_valid = reader.read(fresh)
        if not identity or len(new_values) != len(bands):
            new_values = new_values[list(bands)]
        new_valid = region.clip(new_valid, fresh)
        kept = strip.height - fresh.height
        if values is None or valid is None or kept == 0:
            values, valid = new_values, new_valid
        else:
            values = np.concatenate((values[:, -kept:], new_values), axis=1)
            valid = np.concatenate((valid[-kept:], new_valid), axis=0)
        yield InputStrip(row, values, valid)


class PartRun:
    """Runs the model over one part of a job."""

    def __init__(self, job: Job, part: Part, adapter: Adapter, *, batch: int, cancel: Cancel) -> None:
        self._job, self._part, self._adapter = job, part, adapter
        self._batch, self._cancel = batch, cancel
        self._blenders = {t.id: RowBlender(part.plan, t.channels) for t in job.targets}

    def run(
        self,
        reader: SceneLike,
        region: RegionMask,
        writers: Mapping[str, Writer],
        report: Callable[[Done], None],
    ) -> None:
        """Read, infer, blend and write the whole part. Nothing is committed here."""
        targets = {target.id: target for target in self._job.targets}

        def write(item: tuple[str, Strip, Mask]) -> None:
            target, strip, valid = item
            writers[target].write(strip.window, targets[target].pixels(strip.values, valid & strip.covered))

        strips = read_strips(self._part.plan, reader, region, self._job.bands)
        behind = Behind(write, depth=max(2, len(targets)), cancel=self._cancel)
        ahead = Ahead(strips, cancel=self._cancel)
        try:
            for strip in ahead:
                self._infer(strip, report)
                for target, blender in self._blenders.items():
                    finished = blender.finish_row()
                    behind.put((target, finished, strip.valid[: finished.window.height]))
            behind.finish()
            self._cancel.raise_if_set()
        finally:
            ahead.close()
            behind.close()

    def _infer(self, strip: InputStrip, report: Callable[[Done], None]) -> None:
        for batch in self._part.plan.batches(strip.row, self._batch):
            self._cancel.raise_if_set()
            kept = [tile for tile in batch if _cut(strip.valid, tile).any()]
            if kept:
                self._run(strip, kept)
            report(Done(len(batch), len(batch) - len(kept)))

    def _run(self, strip: InputStrip, tiles: Sequence[Tile]) -> None:
        job, size = self._job, self._part.plan.tile
        images = np.stack([reflected(filled(_cut(strip.values, tile)), size, size) for tile in tiles])
        keys = [TileKey(job.request.seed, self._part.first_tile + tile.index) for tile in tiles]
        results = self._adapter.generate(
            {job.request.scene.modality: images}, job.request.targets, keys, job.preset, cancel=self._cancel
        )
        for target, values in results.items():
            for tile, one in zip(tiles, values):
                self._blenders[target].feed(tile, one)


def _cut(strip: np.ndarray, tile: Tile) -> np.ndarray:  # type: ignore[type-arg]
    """The columns of a strip (…, h, w) that a tile covers."""
    return strip[..., tile.window.col : tile.window.col + tile.window.width]
