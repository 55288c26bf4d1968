# SPDX-License-Identifier: GPL-2.0-or-later
"""*Generate*: a scene in, other modalities of the same place out, as finished GeoTIFFs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Optional

from ..adapters import adapter_for
from ..adapters.base import Adapter
from ..errors import ExtentError, InputError, OutOfMemory
from ..io import default_geo
from ..io.base import Geo, Writer
from ..io.scene import SceneReader, check_values
from ..packs.manifest import Pack
from ..runtime import make_runtime
from ..runtime.base import Runtime
from ..types import Cancel, Progress, ProgressCallback
from .machine import Timings, peak_rss_mb
from .prepare import Job, Part, prepare
from .region import RegionMask
from .request import Forecast, GenerateRequest, GenerateResult
from .staging import Staging, check_outputs, check_space
from .strips import Done, PartRun

__all__ = ["Engine", "Forecast", "GenerateRequest", "GenerateResult", "forecast", "generate", "load_engine"]


@dataclass(frozen=True)
class Engine:
    """A model that is ready to run; several runs can share it, one after the other."""

    pack: Pack
    adapter: Adapter
    runtime: Runtime

    @property
    def device(self) -> str:
        """What really runs it, as the runtime reports it; known for sure after the first run."""
        return self.runtime.device

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why it is not the device that was asked for, where that is so."""
        return tuple(getattr(self.runtime, "warnings", ()))


def load_engine(
    pack: Pack, *, runtime: str = "onnx", device: str = "auto", threads: Optional[int] = None
) -> Engine:
    """Make a pack ready. Raises RuntimeMissing, PackError, ModelError."""
    made = make_runtime(runtime, device=device, threads=threads)
    return Engine(pack, adapter_for(pack, made), made)


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
    Raises InputError and its kinds before any work; MachineError; Cancelled. Nothing is left behind then.
    """
    started = time.monotonic()
    geo, cancel = geo or default_geo(), cancel or Cancel()
    cancel.raise_if_set()
    job = prepare(request, geo, engine.pack if engine else None)
    _check_files(job)
    check_values(request.scene, geo)
    engine = engine or load_engine(
        job.pack, runtime=request.runtime, device=request.device, threads=request.threads
    )
    engine.adapter.check((request.scene.modality,), request.targets)
    counter = _Counter(job.tiles, progress)
    counter.report(Done(0, 0))
    try:
        _run(job, engine, geo, cancel, counter)
    except MemoryError as error:
        raise OutOfMemory(
            "There is not enough memory for this run. Close other programs, or use a smaller batch or extent."
        ) from error
    if counter.computed:
        Timings().remember(_timing_key(request, job.pack), counter.seconds / counter.computed)
    return GenerateResult(
        outputs=dict(request.outputs),
        model=job.pack.id,
        preset=job.preset.id,
        device=engine.device,
        tiles=job.tiles,
        skipped=counter.skipped,
        seconds=time.monotonic() - started,
        peak_rss_mb=peak_rss_mb(),
        warnings=_warnings(job, engine),
    )


def forecast(request: GenerateRequest, *, geo: Optional[Geo] = None) -> Forecast:
    """What a run will take. Cheap: reads the pack's description, no pixels; outputs may still be unnamed."""
    job = prepare(request, geo or default_geo(), verify=False)
    per_tile = Timings().recall(_timing_key(request, job.pack))
    grids = [part.grid for part in job.parts]
    return Forecast(
        tiles=job.tiles,
        grids=len(grids),
        width_m=sum(grid.width for grid in grids) * job.pack.gsd,
        height_m=max(grid.height for grid in grids) * job.pack.gsd,
        bytes_needed=sum(job.needed.values()),
        seconds=None if per_tile is None else per_tile * job.tiles,
    )


def _check_files(job: Job) -> None:
    request = job.request
    missing = [target for target in request.targets if not request.outputs.get(target)]
    if missing:
        raise InputError(f"Name an output for {', '.join(missing)}.")
    unknown = [target for target in request.outputs if target not in request.targets]
    if unknown:
        raise InputError(f"There is an output for {', '.join(unknown)}, which is not a target.")
    sources = [request.scene.source, *(band.ref.path for band in request.scene.bands)]
    check_outputs(request.outputs, sources, overwrite=request.overwrite)
    check_space(request.outputs, job.needed)


def _run(job: Job, engine: Engine, geo: Geo, cancel: Cancel, counter: _Counter) -> None:
    batch = job.request.batch or default_batch(job.pack, engine.device)
    with Staging(job.request.outputs) as staging:
        made: dict[str, list[str]] = {target.id: [] for target in job.targets}
        for number, part in enumerate(job.parts):
            paths = {
                target: staging.path(target)
                if job.warp_to is None
                else staging.scratch(target, f"{number}.tif")
                for target in made
            }
            _run_part(job, part, engine, geo, cancel, counter, paths, batch)
            for target, path in paths.items():
                made[target].append(path)
        if counter.skipped == job.tiles:
            raise ExtentError(f"{job.request.scene.name} has no valid pixel in the extent asked for.")
        _warp(job, made, staging, geo, cancel, counter)
        cancel.raise_if_set()
        staging.deliver()


def _run_part(
    job: Job,
    part: Part,
    engine: Engine,
    geo: Geo,
    cancel: Cancel,
    counter: _Counter,
    paths: Mapping[str, str],
    batch: int,
) -> None:
    region = RegionMask(
        job.request.region, job.request.extent_crs or job.request.scene.grid.crs, part.grid, geo
    )
    with ExitStack() as stack:
        reader = stack.enter_context(closing(SceneReader(job.request.scene, part.grid, geo)))
        writers: dict[str, Writer] = {}
        for target in job.targets:
            writers[target.id] = geo.writer(paths[target.id], part.grid, target.spec)
            stack.callback(writers[target.id].abort)
        PartRun(job, part, engine.adapter, batch=batch, cancel=cancel).run(
            reader, region, writers, counter.report
        )
        for name, writer in writers.items():
            cancel.raise_if_set()
            counter.say(f"Writing {name}")
            writer.commit()


def _warp(
    job: Job, made: Mapping[str, list[str]], staging: Staging, geo: Geo, cancel: Cancel, counter: _Counter
) -> None:
    """Bring results from the model's grids onto the input's pixels."""
    if job.warp_to is None:
        return
    for target in job.targets:
        cancel.raise_if_set()
        counter.say(f"Warping {target.id}")
        geo.warp(
            staging.path(target.id), made[target.id], job.warp_to, target.spec, resampling=target.resampling
        )


def default_batch(pack: Pack, device: str) -> int:
    """Tiles per run of a graph. On a CPU one tile keeps all cores busy, and more only cost memory."""
    if device.lower() in ("cpu", "cpuexecutionprovider"):
        return 4 if pack.dim <= 128 else 1
    return 8


def _warnings(job: Job, engine: Engine) -> tuple[str, ...]:
    notice = (f"{job.pack.name}: {job.pack.notice}",) if job.pack.notice else ()
    return (*job.request.scene.warnings, *engine.warnings, *notice)


def _timing_key(request: GenerateRequest, pack: Pack) -> str:
    """What seconds per tile depend on."""
    parts = (pack.hash[:16], request.preset, "+".join(request.targets), request.runtime, request.device)
    return " ".join((*parts, str(request.threads or "auto")))


class _Counter:
    """Counts tiles and tells the caller, with an estimate of the time left."""

    def __init__(self, total: int, progress: Optional[ProgressCallback]) -> None:
        self._total, self._progress = total, progress
        self._done = 0
        self.skipped = 0
        self._started = time.monotonic()

    @property
    def computed(self) -> int:
        """Tiles that the model ran on."""
        return self._done - self.skipped

    @property
    def seconds(self) -> float:
        """Since the first tile could begin."""
        return time.monotonic() - self._started

    def report(self, done: Done) -> None:
        """Add a batch."""
        self._done += done.tiles
        self.skipped += done.skipped
        self.say("")

    def say(self, message: str) -> None:
        """Tell the caller."""
        if self._progress is None:
            return
        left = None
        if self._done:
            left = self.seconds / self._done * (self._total - self._done)
        self._progress(Progress(self._done, self._total, left, message))
