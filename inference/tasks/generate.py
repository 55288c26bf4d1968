# SPDX-License-Identifier: GPL-2.0-or-later
"""*Generate*: scenes in, other modalities of the same place out, as finished rasters and places."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..adapters.base import TileKey
from ..io import default_geo
from ..io.base import Geo
from ..io.scene import check_values
from ..packs.manifest import Pack
from ..types import Cancel, ProgressCallback
from .elevation import levelling
from .engine import Engine, default_batch, load_engine
from .journal import differences, discard_journal, find_journal
from .machine import Timings, peak_rss_mb
from .outputs import version
from .places import PlacesWriter
from .prepare import Job, prepare
from .request import COORDS, Forecast, GenerateRequest, GenerateResult
from .tiled import (
    Compute,
    Levels,
    TiledResult,
    bytes_by_output,
    check_run,
    fingerprint_of,
    run_tiled,
    scene_stamp,
    seconds_per_tile,
)

__all__ = [
    "Engine", "Forecast", "GenerateRequest", "GenerateResult", "calibrate", "discard_journal", "find_journal",
    "forecast", "generate", "load_engine",
]  # fmt: skip


def generate(
    request: GenerateRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
    engine: Optional[Engine] = None,
) -> GenerateResult:
    """Run a request; outputs appear under their names when all of them are complete.

    ``progress`` is called in the caller's thread after each batch of tiles. ``engine`` reuses a model that
    is loaded already, in place of the request's model, runtime, device and threads.
    Raises InputError and its kinds before any work; MachineError; Cancelled. Whatever stops it leaves a
    hidden journal of the tiles that are done, if there are any: the error's ``kept`` says so.
    """
    started = time.monotonic()
    geo, cancel = geo or default_geo(), cancel or Cancel()
    cancel.raise_if_set()
    job = prepare(request, geo, engine.pack if engine else None)
    _check_run(job)
    for scene in request.scenes:
        check_values(scene, geo)
    engine = engine or _engine(request, job.pack)
    engine.adapter.check(_inputs(request), request.targets)
    engine.adapter.preload(request.targets, job.preset)
    levels, places = levelling(request, geo), PlacesWriter(geo, {**job.tags, "TERRANE_MODALITY": COORDS})
    done = _run(job, engine, geo, cancel, progress, levels, places)
    if done.computed:
        Timings().remember(_timing_key(request, job.pack), done.infer_seconds / done.computed)
    return GenerateResult(
        outputs=dict(request.outputs),
        model=job.pack.id,
        preset=job.preset.id,
        device=engine.device,
        tiles=done.tiles,
        skipped=done.skipped,
        resumed=done.tiles - done.skipped - done.computed,
        seconds=time.monotonic() - started,
        peak_rss_mb=peak_rss_mb(),
        warnings=(
            *_warnings(job, engine),
            *(w for one in levels.values() for w in one.warnings),
            *places.warnings,
        ),
    )


def _check_run(job: Job) -> None:
    request = job.request
    check_run(
        job.layout, job.products, request.outputs,
        vectors=job.vectors, features=list(job.vectors), resume=request.resume, overwrite=request.overwrite,
    )  # fmt: skip


def _run(
    job: Job,
    engine: Engine,
    geo: Geo,
    cancel: Cancel,
    progress: Optional[ProgressCallback],
    levels: Mapping[str, Levels],
    places: PlacesWriter,
) -> TiledResult:
    request = job.request
    return run_tiled(
        job.layout,
        job.products,
        _compute(job, engine),
        request.outputs,
        fingerprint=_fingerprint(job, engine.device),
        batch=request.batch or default_batch(job.pack, engine.device),
        seed=request.seed,
        vectors=job.vectors,
        features=dict.fromkeys(job.vectors, places),
        levels=levels,
        resume=request.resume,
        overwrite=request.overwrite,
        progress=progress,
        cancel=cancel,
        geo=geo,
    )


def _engine(request: GenerateRequest, pack: Pack) -> Engine:
    return load_engine(pack, runtime=request.runtime, device=request.device, threads=request.threads)


def _inputs(request: GenerateRequest) -> tuple[str, ...]:
    return (*(scene.modality for scene in request.scenes), *((COORDS,) if request.coords else ()))


def _compute(job: Job, engine: Engine) -> Compute:
    """The model on a batch of tiles: once, or as the mean and standard deviation of several samples."""
    targets, count = job.request.targets, job.request.samples
    measured = [product.source for product in job.products if product.source not in targets]

    def once(
        images: Mapping[str, Any], keys: Sequence[TileKey], cancel: Cancel
    ) -> Mapping[str, npt.NDArray[Any]]:
        return engine.adapter.generate(images, targets, keys, job.preset, cancel=cancel)

    def often(
        images: Mapping[str, Any], keys: Sequence[TileKey], cancel: Cancel
    ) -> Mapping[str, npt.NDArray[Any]]:
        spread = Spread()
        for sample in engine.adapter.samples(images, targets, keys, job.preset, count, cancel=cancel):
            spread.add(sample)
        return {**spread.means(), **{name: spread.deviation(name.rpartition("_")[0]) for name in measured}}

    return once if count == 1 else often


class Spread:
    """Mean and standard deviation of samples that come one by one (Welford 1962), in float64.

    Of places, the first sample stands: the mean of two of them may be on neither side of the Earth.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean: dict[str, npt.NDArray[np.float64]] = {}
        self._squares: dict[str, npt.NDArray[np.float64]] = {}
        self._first: dict[str, npt.NDArray[Any]] = {}

    def add(self, sample: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take in one sample of each target."""
        self._count += 1
        for name, values in sample.items():
            if name == COORDS:
                self._first.setdefault(name, values)
                continue
            if name not in self._mean:
                self._mean[name] = np.zeros(values.shape)
                self._squares[name] = np.zeros(values.shape)
            before = values - self._mean[name]
            self._mean[name] += before / self._count
            self._squares[name] += before * (values - self._mean[name])

    def means(self) -> dict[str, npt.NDArray[Any]]:
        """The mean of each target, float32."""
        return {**self._first, **{name: mean.astype(np.float32) for name, mean in self._mean.items()}}

    def deviation(self, target: str) -> npt.NDArray[np.float32]:
        """The standard deviation of the samples of a target (divided by N - 1), float32."""
        variance = self._squares[target] / max(1, self._count - 1)
        return np.asarray(np.sqrt(variance), np.float32)


def _fingerprint(job: Job, device: str) -> dict[str, str]:
    """What decides the bytes of the results beside scenes, grids and batches (``fingerprint_of``)."""
    request = job.request
    return {
        "model": job.pack.hash,
        "targets": " ".join(request.targets),
        "preset": repr(job.preset),
        "samples": str(request.samples),
        "levels": request.levels,
        "coarse elevation": "" if request.coarse_dem is None else scene_stamp(request.coarse_dem),
        "runtime": request.runtime,
        "device": device,
        "threads": str(request.threads or "auto"),
        "version": version(),
    }


def forecast(request: GenerateRequest, *, geo: Optional[Geo] = None) -> Forecast:
    """What a run will take. Cheap: reads the pack's description, no pixels; outputs may still be unnamed."""
    job = prepare(request, geo or default_geo(), verify=False)
    per_tile = Timings().recall(_timing_key(request, job.pack))
    grids = [part.grid for part in job.layout.parts]
    needed = bytes_by_output(job.layout, job.products, vectors=job.vectors)
    done = _tiles_done(job)
    return Forecast(
        tiles=job.layout.tiles,
        grids=len(grids),
        width_m=sum(grid.width for grid in grids) * job.pack.gsd,
        height_m=max(grid.height for grid in grids) * job.pack.gsd,
        bytes_needed=sum(needed.values()),
        seconds=None if per_tile is None else per_tile * (job.layout.tiles - done),
        tiles_done=done,
    )


def _tiles_done(job: Job) -> int:
    """Tiles in a journal that this request can go on with; device and batch are known when it runs."""
    found = find_journal(job.request.outputs)
    if found is None:
        return 0
    ours = {**_fingerprint(job, ""), **fingerprint_of(job.layout, job.products, job.request.seed)}
    other = differences(job.request.outputs, ours) or []
    return 0 if set(other) - {"device", "batch"} else found.done


def calibrate(
    request: GenerateRequest,
    *,
    geo: Optional[Geo] = None,
    cancel: Optional[Cancel] = None,
    engine: Optional[Engine] = None,
) -> Optional[float]:
    """Seconds per tile on this machine, from running the model on a few tiles; later forecasts use it.

    None where these tiles hold no valid pixel. Raises as ``generate``.
    """
    geo, cancel = geo or default_geo(), cancel or Cancel()
    job = prepare(request, geo, engine.pack if engine else None)
    engine = engine or _engine(request, job.pack)
    engine.adapter.check(_inputs(request), request.targets)
    if request.outputs:
        _check_run(job)
    batch = request.batch or default_batch(job.pack, engine.device)
    seconds = seconds_per_tile(
        job.layout, _compute(job, engine), batch=batch, geo=geo, cancel=cancel, seed=request.seed
    )
    if seconds is not None:
        Timings().remember(_timing_key(request, job.pack), seconds)
    return seconds


def _warnings(job: Job, engine: Engine) -> tuple[str, ...]:
    notice = (f"{job.pack.name}: {job.pack.notice}",) if job.pack.notice else ()
    return (*(w for scene in job.request.scenes for w in scene.warnings), *engine.warnings, *notice)


def _timing_key(request: GenerateRequest, pack: Pack) -> str:
    """What seconds per tile depend on."""
    parts = [pack.hash[:16], request.preset, "+".join(request.targets), request.runtime, request.device]
    parts.append(str(request.threads or "auto"))
    inputs = "+".join(_inputs(request))
    more = (request.options.steps, request.options.precision, request.options.sampler)
    if request.samples > 1 or inputs != request.scene.modality or any(more):
        parts += [inputs, f"samples={request.samples}", repr(more)]
    return " ".join(parts)
