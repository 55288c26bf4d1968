# SPDX-License-Identifier: GPL-2.0-or-later
"""Any model over any scene, tile by tile, in two phases: *infer* fills the journal, *assemble* reads it.

::

    layout = lay_out(scenes, pack, geo, preset=preset)
    product = Product("water", source="classes", channels=3, spec=spec, pixels=classes, form="share")
    run_tiled(layout, [product], compute, {"water": "out/s_water.tif"}, fingerprint=…, batch=4)

``compute`` gets a batch of tiles and gives arrays by source: (B, channels, T/scale, T/scale) to be blended
into products, or (B, k) per-tile vectors that ``features`` write. Reading, masks, journal, resuming,
cancelling, blending, warping and delivering are the same for all tasks. Batches are fixed by the plan and
results go through the journal in any case: a resumed run is identical to an uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy.typing as npt

from ..adapters.base import TileKey
from ..errors import Cancelled, ExtentError, InputError, OutOfMemory, TerraneError
from ..io import default_geo
from ..io.base import Geo
from ..io.output import MARGIN, bytes_needed
from ..tiling import Tile
from ..types import Cancel, Progress, ProgressCallback
from .assemble import Features, Levels, PlacedVectors, Product, Tiles, assemble, vectors_of
from .fingerprint import fingerprint_of, paths_of, scene_stamp
from .journal import Journal, Stored, find_journal
from .layout import Layout, Part, coarser, finer, lay_out
from .staging import Staging, check_outputs, check_space
from .streaming import Ahead, Behind
from .strips import InputReader, InputStrip, cut

__all__ = [
    "Compute", "Features", "Layout", "Levels", "Part", "PlacedVectors", "Product", "TiledResult", "Tiles",
    "bytes_by_output", "check_run", "fingerprint_of", "lay_out", "run_tiled", "scene_stamp", "seconds_per_tile",
]  # fmt: skip

Array = npt.NDArray[Any]
Compute = Callable[[Mapping[str, Array], Sequence[TileKey], Cancel], Mapping[str, Array]]
"""Images per modality (B, bands, T, T) and one key per tile to results by source."""


@dataclass(frozen=True)
class TiledResult:
    """What a tiled run took."""

    tiles: int
    """Of the plan, skipped ones included."""
    skipped: int
    """Without a single valid pixel."""
    computed: int
    """That the model ran on this time: fewer after resuming."""
    infer_seconds: float
    """Spent with the model, reading beside it."""
    seconds: float
    vectors: Sequence[PlacedVectors] = ()


@dataclass(frozen=True)
class _Run:
    """Everything that the phases share."""

    layout: Layout
    products: Sequence[Product]
    compute: Compute
    outputs: Mapping[str, str]
    batch: int
    seed: int
    vectors: Mapping[str, int]
    features: Mapping[str, Features]
    levels: Mapping[str, Levels]
    cancel: Cancel
    geo: Geo


def run_tiled(
    layout: Layout,
    products: Sequence[Product],
    compute: Compute,
    outputs: Mapping[str, str],
    *,
    fingerprint: Mapping[str, str],
    batch: int,
    seed: int = 0,
    vectors: Optional[Mapping[str, int]] = None,
    features: Optional[Mapping[str, Features]] = None,
    levels: Optional[Mapping[str, Levels]] = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
) -> TiledResult:
    """Run a model over a layout; the outputs appear together when all of them are complete.

    ``outputs`` has a path for each product and for each of ``features``. ``fingerprint`` names what else
    decides the bytes (model, preset, …) in words that a user is told when a resumed run differs; scenes,
    grids, tiles, batch and seed are added here. ``vectors`` are sources with k float64 numbers per tile.
    ``levels`` gives a source's tiles an offset each before they are blended. ``progress`` is called in
    the caller's thread. Whatever stops a run leaves its journal, and nothing else.
    Raises InputError and its kinds before any work; MachineError; Cancelled.
    """
    started = time.monotonic()
    run = _Run(
        layout, products, compute, outputs, batch, seed, vectors or {}, features or {}, levels or {},
        cancel or Cancel(), geo or default_geo(),
    )  # fmt: skip
    run.cancel.raise_if_set()
    check_run(
        layout, products, outputs,
        vectors=run.vectors, features=list(run.features), resume=resume, overwrite=overwrite,
    )  # fmt: skip
    journal = Journal(
        outputs,
        {**fingerprint_of(layout, products, seed), **fingerprint, "batch": str(batch)},
        list(_stored(layout, products, run.vectors)),
        tiles=layout.tiles,
        sizes=[part.grid.size for part in layout.parts],
        resume=resume,
        cancel=run.cancel,
    )
    with _keeping(journal):
        counter = _Counter(layout.tiles, journal.done, progress)
        counter.say("")
        computed, took = _infer(run, journal, counter)
        skipped = journal.skipped
        placed = _assemble(run, journal, counter)
        journal.discard()
    return TiledResult(layout.tiles, skipped, computed, took, time.monotonic() - started, placed)


@contextmanager
def _keeping(journal: Journal) -> Iterator[None]:
    """Close the journal whatever happens, and keep it where it holds results; the error tells of them."""
    try:
        yield
    except MemoryError as error:
        failed = OutOfMemory(
            "There is not enough memory for this run. Close other programs, or use a smaller batch or extent."
        )
        failed.kept = (journal.done, journal.tiles) if journal.worthwhile else None
        raise failed from error
    except TerraneError as error:
        if journal.worthwhile:
            error.kept = (journal.done, journal.tiles)
            if isinstance(error, Cancelled):
                error.args = (f"Cancelled; {journal.done} of {journal.tiles} tiles are kept.",)
        raise
    finally:
        if journal.worthwhile:
            journal.close()
        else:
            journal.discard()


def _assemble(run: _Run, journal: Journal, counter: _Counter) -> Sequence[PlacedVectors]:
    """Make all outputs out of the journal, and give them their names."""
    if journal.skipped == run.layout.tiles:
        raise ExtentError(f"{run.layout.name} has no valid pixel in the extent asked for.")
    placed = vectors_of(journal, run.layout, list(run.vectors))
    with Staging(run.outputs) as staging:
        assemble(
            run.layout, journal, run.products, staging, run.geo,
            levels=run.levels, cancel=run.cancel, say=counter.say,
        )  # fmt: skip
        for name, write in run.features.items():
            counter.say(f"Writing {name}")
            write(placed, staging.path(name))
        run.cancel.raise_if_set()
        staging.deliver()
    return placed


def _infer(run: _Run, journal: Journal, counter: _Counter) -> tuple[int, float]:
    """Run the model on all tiles that the journal lacks. Returns their number and the seconds."""
    started, computed = time.monotonic(), 0

    def keep(item: Callable[[], None]) -> None:
        item()

    for part in run.layout.parts:
        rows = [row for row in range(len(part.plan.rows)) if not _known(part, row, journal)]
        if not rows:
            continue
        with ExitStack() as stack:
            reader = stack.enter_context(InputReader(run.layout, part, run.geo))
            # Not stopped by the button: what the model has given already is worth keeping.
            behind = Behind(keep, depth=2)
            stack.callback(behind.close)
            ahead = Ahead(reader.strips(rows), cancel=run.cancel)
            stack.callback(ahead.close)
            try:
                for strip in ahead:
                    computed += _infer_row(run, part, reader, strip, journal, behind, counter)
            finally:
                behind.finish()
    return computed, time.monotonic() - started


def _infer_row(
    run: _Run,
    part: Part,
    reader: InputReader,
    strip: InputStrip,
    journal: Journal,
    behind: Behind[Callable[[], None]],
    counter: _Counter,
) -> int:
    """Run the model on one row of tiles; returns how many it ran on."""
    window = part.plan.finished(strip.row)
    valid = strip.valid[: window.height]
    behind.put(lambda: journal.put_mask(part.number, window.row, valid))
    computed = 0
    for batch in part.plan.batches(strip.row, run.batch):
        numbers = [part.first_tile + tile.index for tile in batch]
        if journal.knows(numbers[0]):
            continue
        run.cancel.raise_if_set()
        kept = [tile for tile in batch if cut(strip.valid, tile).any()]
        results: Mapping[str, Array] = {}
        if kept:
            results = _compute(run, part, reader, strip, kept)
        behind.put(_putting(journal, numbers, [part.first_tile + tile.index for tile in kept], results))
        computed += len(kept)
        counter.add(len(batch))
    return computed


def _putting(
    journal: Journal, numbers: list[int], kept: list[int], results: Mapping[str, Array]
) -> Callable[[], None]:
    return lambda: journal.put(numbers, kept, results)


def _compute(
    run: _Run, part: Part, reader: InputReader, strip: InputStrip, tiles: Sequence[Tile]
) -> Mapping[str, Array]:
    keys = [TileKey(run.seed, part.first_tile + tile.index) for tile in tiles]
    results = run.compute(reader.images(strip, tiles), keys, run.cancel)
    for one in _stored(run.layout, run.products, run.vectors):
        shape = (len(tiles), *one.shape)
        if one.name not in results or results[one.name].shape != shape:
            raise ValueError(f"{one.name} should come as {shape}")
    return results


def _known(part: Part, row: int, journal: Journal) -> bool:
    """Whether a row of tiles needs no reading any more."""
    first = part.first_tile + row * len(part.plan.cols)
    known = all(journal.knows(tile) for tile in range(first, first + len(part.plan.cols)))
    return known and journal.has_mask(part.number, part.plan.finished(row).row)


def seconds_per_tile(
    layout: Layout,
    compute: Compute,
    *,
    batch: int,
    geo: Geo,
    cancel: Cancel,
    seed: int = 0,
    batches: int = 2,
) -> Optional[float]:
    """Measure: run the model on a few tiles from the middle of the scene, after one run to warm up.

    None where these hold no valid pixel.
    """
    part = max(layout.parts, key=lambda part: len(part.plan))
    middle = len(part.plan.rows) // 2
    with InputReader(layout, part, geo) as reader:
        strip = next(iter(reader.strips([middle])))
        tiles = [tile for tile in part.plan.row_tiles(middle) if cut(strip.valid, tile).any()][:batch]
        if not tiles:
            return None
        keys = [TileKey(seed, part.first_tile + tile.index) for tile in tiles]
        images = reader.images(strip, tiles)
        compute(images, keys, cancel)
        started = time.monotonic()
        for _ in range(batches):
            cancel.raise_if_set()
            compute(images, keys, cancel)
    return (time.monotonic() - started) / (batches * len(tiles))


def check_run(
    layout: Layout,
    products: Sequence[Product],
    outputs: Mapping[str, str],
    *,
    vectors: Optional[Mapping[str, int]] = None,
    features: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Refuse outputs that cannot be written, before any work. Raises InputError, OutputError, DiskFull."""
    _check_names([*(product.id for product in products), *features], outputs)
    interrupted = find_journal(outputs) if resume else None
    sources = [path for scene in layout.scenes for path in paths_of(scene)]
    check_outputs(outputs, sources, overwrite=overwrite or interrupted is not None)
    needed = bytes_by_output(layout, products, vectors=vectors)
    if interrupted is not None:
        needed[""] = max(0, needed[""] - interrupted.size)
    check_space(outputs, needed)


def bytes_by_output(
    layout: Layout, products: Sequence[Product], *, vectors: Optional[Mapping[str, int]] = None
) -> dict[str, int]:
    """Bytes of disk per output at most, temporary files included; the journal's under ""."""
    needed = {}
    for product in products:
        grids = [part.grid for part in layout.parts]
        if layout.warp_to is not None:
            grids.append(layout.warp_to)
        grids = [finer(coarser(grid, product.scale), product.finer) for grid in grids]
        needed[product.id] = sum(bytes_needed(grid, product.spec) for grid in grids)
    tile = sum(one.size for one in _stored(layout, products, vectors or {}))
    masks = sum(part.grid.width * part.grid.height for part in layout.parts) // 8
    needed[""] = layout.tiles * tile + masks + MARGIN
    return needed


def _stored(layout: Layout, products: Sequence[Product], vectors: Mapping[str, int]) -> Iterator[Stored]:
    seen = set()
    for product in products:
        if product.source not in seen:
            side = layout.tile // product.scale
            yield Stored(product.source, (product.channels, side, side), product.form)
        seen.add(product.source)
    for name, count in vectors.items():
        yield Stored(name, (count,), "float64")


def _check_names(names: Sequence[str], outputs: Mapping[str, str]) -> None:
    missing = [name for name in names if not outputs.get(name)]
    if missing:
        raise InputError(f"Name an output for {', '.join(missing)}.")
    unknown = [name for name in outputs if name not in names]
    if unknown:
        raise InputError(f"There is an output for {', '.join(unknown)}, which is not a target.")


class _Counter:
    """Counts tiles and tells the caller, with an estimate of the time left."""

    def __init__(self, total: int, done: int, progress: Optional[ProgressCallback]) -> None:
        self._total, self._done, self._progress = total, done, progress
        self._begun = done
        self._started = time.monotonic()

    def add(self, tiles: int) -> None:
        """Count a batch."""
        self._done += tiles
        self.say("")

    def say(self, message: str) -> None:
        """Tell the caller."""
        if self._progress is None:
            return
        left = None
        if self._done > self._begun:
            took = time.monotonic() - self._started
            left = took / (self._done - self._begun) * (self._total - self._done)
        self._progress(Progress(self._done, self._total, left, message))
