# SPDX-License-Identifier: GPL-2.0-or-later
"""*Evaluate*: what a model generates on chips whose truth is known, measured and drawn.

Chips go through *generate* as any scene does, one run per chip and pair, so that the figures are those of
the whole engine: reading, tiling where a chip is larger than a tile, blending and rounding included.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np

from .. import presets, registry
from ..drawing import png
from ..errors import InputError, ModelError, OutputError
from ..grid import Grid
from ..io import default_geo
from ..io.base import BandRef, Float32, Geo, Mask
from ..io.scene import Scene, SceneReader
from ..modalities import MODALITIES
from ..packs.manifest import Pack
from ..presets import AS_PRESET, Options
from ..types import Cancel, Progress, ProgressCallback
from .chips import Chips, Pair, all_pairs, chips_of, find_chips
from .evaluate_pictures import draw
from .evaluate_report import Comparison, Report, headline, markdown, picture_name, report_json
from .evaluate_scores import Scores
from .generate import Engine, generate, load_engine
from .request import COORDS, GenerateRequest
from .staging import Staging

REPORT, TABLE, PICTURES = "report.json", "report.md", "pictures"


@dataclass(frozen=True)
class EvaluateRequest:
    """Compare what a model generates with the truth of chips, and write a report into a folder."""

    chips: str
    """A folder in TerraMesh's layout: ``<modality>/<chip>.tif``."""
    output: str
    """The report's folder; it appears when it is complete."""
    model: str = "starter"
    pairs: Optional[tuple[Pair, ...]] = None
    """What to make of what; None is each input to each target that pack and folder have."""
    preset: str = "balanced"
    options: Options = AS_PRESET
    seed: int = 0
    limit: Optional[int] = None
    """Chips per pair at most, the first by name."""
    ranges: Mapping[str, float] = field(default_factory=dict)
    """Data range of SSIM and PSNR by target, in its unit; else the span of the truth of all chips used."""
    pictures: bool = True
    overwrite: bool = False
    runtime: str = "onnx"
    device: str = "auto"
    threads: Optional[int] = None
    batch: Optional[int] = None


@dataclass(frozen=True)
class EvaluateResult:
    """What was measured, and where it was written."""

    output: str
    report: Mapping[str, Any]
    """The content of report.json."""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The envelope of contracts.md with all figures; the same as report.json."""
        return dict(self.report)

    def summary(self) -> list[tuple[str, str, str]]:
        """A row for each pair: its name, how many chips, the figures over all of them."""
        return [
            (
                f"{'+'.join(pair['inputs'])} → {pair['target']}",
                str(len(pair["chips"])),
                headline(pair["target"], pair["overall"]),
            )
            for pair in self.report["pairs"]
        ]


@dataclass(frozen=True)
class _Plan:
    request: EvaluateRequest
    pack: Pack
    chips: Chips
    work: tuple[tuple[Pair, tuple[str, ...]], ...]
    geo: Geo

    @property
    def total(self) -> int:
        return sum(len(names) for _, names in self.work)


def evaluate(
    request: EvaluateRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
    engine: Optional[Engine] = None,
) -> EvaluateResult:
    """Run every pair on every chip, measure and report. ``progress`` counts comparisons.

    ``engine`` reuses a model that is loaded already. Raises InputError and its kinds before any work;
    MachineError; Cancelled. No report is left behind then, and one that is there stays.
    """
    started = time.monotonic()
    geo, cancel = geo or default_geo(), cancel or Cancel()
    _check_request(request)
    chips = find_chips(request.chips)
    pack = engine.pack if engine else registry.find(request.model)
    if "generate" not in pack.tasks:
        raise ModelError(
            f"Model {pack.id} does not generate, and only generating is evaluated; it is made for "
            f"{', '.join(pack.tasks)}."
        )
    engine = engine or load_engine(
        pack, runtime=request.runtime, device=request.device, threads=request.threads
    )
    plan = _Plan(request, pack, chips, _work(request, chips, engine), geo)
    with Staging({"report": os.path.abspath(request.output)}) as staging:
        folder = Path(staging.path("report"))
        (folder / PICTURES).mkdir(parents=True)
        run = _Run(plan, engine, folder, Path(staging.scratch("report", "run")), cancel, progress)
        comparisons = [run.compare(pair, names) for pair, names in plan.work]
        report = Report(
            pack=pack,
            preset=request.preset,
            options=request.options,
            seed=request.seed,
            device=engine.device,
            chips=chips.root,
            comparisons=comparisons,
            warnings=tuple(run.warnings),
            seconds=time.monotonic() - started,
            output=request.output,
            pictures=request.pictures,
        )
        content = report_json(report)
        (folder / REPORT).write_text(_dumped(content), encoding="utf-8")
        (folder / TABLE).write_text(markdown(report), encoding="utf-8")
        if not request.pictures:
            (folder / PICTURES).rmdir()
        cancel.raise_if_set()
        staging.deliver()
    return EvaluateResult(request.output, content, report.warnings)


def _dumped(content: Mapping[str, Any]) -> str:
    import json

    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _check_request(request: EvaluateRequest) -> None:
    presets.get(request.preset)
    if request.limit is not None and request.limit < 1:
        raise InputError(f"The limit must be at least 1 chip, not {request.limit}.")
    for name, value in request.ranges.items():
        if name not in MODALITIES or MODALITIES[name].classes or not value > 0:
            raise InputError(
                f"A data range is a positive number for a target with values, not {name}={value}."
            )
    output = Path(request.output)
    if not output.absolute().parent.is_dir():
        raise OutputError(
            f"The folder {output.absolute().parent} does not exist; make it, or choose another."
        )
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file; name a folder for the report.")
    if not output.is_dir() or not any(output.iterdir()):
        return
    if not (output / REPORT).is_file():
        raise OutputError(f"The folder {output} holds something else than a report; name another folder.")
    if not request.overwrite:
        raise OutputError(f"There is a report in {output} already. Overwrite it, or name another folder.")


def _work(request: EvaluateRequest, chips: Chips, engine: Engine) -> tuple[tuple[Pair, tuple[str, ...]], ...]:
    """Pairs that the model makes, each with its chips. Raises ModelError, InputError."""
    pairs = request.pairs
    if pairs is None:
        pack = engine.pack
        inputs = [name for name in MODALITIES if name in pack.inputs and _possible(engine, name, pack)]
        targets = [name for name in MODALITIES if name in pack.targets and name != COORDS]
        pairs = all_pairs(inputs, targets, chips)
    for pair in pairs:
        engine.adapter.check(pair.inputs, (pair.target,))
    return tuple((pair, tuple(chips_of(pair, chips, request.limit))) for pair in pairs)


def _possible(engine: Engine, name: str, pack: Pack) -> bool:
    """Whether the model takes an input at all: some targets' tokens can be read only inside of chains."""
    if name == COORDS:
        return False
    for target in pack.targets:
        try:
            engine.adapter.check((name,), (target,))
        except ModelError:
            continue
        return True
    return False


class _Run:
    """Goes through chips one by one; holds no more than one of them."""

    def __init__(
        self,
        plan: _Plan,
        engine: Engine,
        folder: Path,
        scratch: Path,
        cancel: Cancel,
        progress: Optional[ProgressCallback],
    ) -> None:
        self._plan, self._engine, self._cancel, self._progress = plan, engine, cancel, progress
        self._folder, self._scratch = folder, scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self.warnings: dict[str, None] = {}
        self._done = 0
        self._started = time.monotonic()
        self._ranges: dict[str, Optional[float]] = {}
        self._say("")

    def compare(self, pair: Pair, names: Sequence[str]) -> Comparison:
        """One pair on all of its chips."""
        modality = MODALITIES[pair.target]
        data_range = None if modality.classes else self._range(pair.target)
        tile = self._plan.pack.tile
        whole = Scores(modality, data_range, tile)
        figures: dict[str, dict[str, Any]] = {}
        for name in names:
            self._cancel.raise_if_set()
            self._say(f"{name} {pair}")
            truth, guess, inputs = self._chip(pair, name)
            valid: Mask = np.isfinite(truth).all(axis=0) & np.isfinite(guess).all(axis=0)
            one = Scores(modality, data_range, tile)
            for scores in (one, whole):
                scores.add(truth, guess, valid)
            figures[name] = one.figures()
            if self._plan.request.pictures:
                lines = (f"{name}   {str(pair).replace(':', ' → ')}", headline(pair.target, figures[name]))
                pixels = draw(lines, inputs, pair.target, truth, guess, valid)
                path = self._folder / PICTURES / picture_name(name, pair)
                path.write_bytes(png(pixels))
            self._done += 1
            self._say("")
        return Comparison(pair, data_range, whole.figures(), figures)

    def _chip(self, pair: Pair, name: str) -> tuple[Float32, Float32, dict[str, Float32]]:
        """Truth, guess and inputs of a chip on one grid, (bands, h, w), NaN where there is none."""
        geo, chips, request = self._plan.geo, self._plan.chips, self._plan.request
        scenes = tuple(chips.open(modality, name, geo) for modality in pair.images)
        path = str(self._scratch / f"{pair.target}.tif")
        asked = GenerateRequest(
            scenes=scenes,
            targets=(pair.target,),
            outputs={pair.target: path},
            model=self._plan.pack.id,
            preset=request.preset,
            options=request.options,
            seed=request.seed,
            coords=COORDS in pair.inputs,
            batch=request.batch,
            overwrite=True,
        )
        result = generate(asked, cancel=self._cancel, geo=geo, engine=self._engine)
        self.warnings.update(dict.fromkeys(result.warnings))
        info = geo.describe(path)
        if info.grid is None:
            raise OutputError(f"{path} has lost its georeference.")
        with closing(geo.reader([BandRef(path, band.index) for band in info.bands], info.grid)) as reader:
            guess, known = reader.read(info.grid.window)
        guess[~known] = np.nan
        truth = self._read(chips.open(pair.target, name, geo), info.grid)
        inputs = {scene.modality: self._read(scene, info.grid) for scene in scenes}
        return truth, guess, inputs if request.pictures else {}

    def _read(self, scene: Scene, grid: Grid) -> Float32:
        with SceneReader(scene, grid, self._plan.geo) as reader:
            return reader.read(grid.window)[0]

    def _range(self, target: str) -> Optional[float]:
        """What SSIM and PSNR are taken with: as asked, else the span of the truth over all chips used."""
        if target not in self._ranges:
            asked = self._plan.request.ranges.get(target)
            self._ranges[target] = asked if asked is not None else self._span(target)
        return self._ranges[target]

    def _span(self, target: str) -> Optional[float]:
        low, high = np.inf, -np.inf
        for name in self._names(target):
            self._cancel.raise_if_set()
            scene = self._plan.chips.open(target, name, self._plan.geo)
            values = self._read(scene, scene.grid)
            if np.isfinite(values).any():
                low, high = min(low, float(np.nanmin(values))), max(high, float(np.nanmax(values)))
        return high - low if high > low else None

    def _names(self, target: str) -> Iterator[str]:
        used = {name for pair, names in self._plan.work if pair.target == target for name in names}
        yield from sorted(used)

    def _say(self, message: str) -> None:
        if self._progress is None:
            return
        left = None
        if self._done:
            left = (time.monotonic() - self._started) / self._done * (self._plan.total - self._done)
        self._progress(Progress(self._done, self._plan.total, left, message))
