# SPDX-License-Identifier: GPL-2.0-or-later
"""*Quantise*: adds an int8 variant to a pack, calibrated on the user's scenes, with its error against fp32.

Diffusion decoders and land-cover decoders are quantised (``packs.quantise`` says how); what comes before
them stays in full precision, so that both variants decode the same tokens. Real tokens come from running
the pack itself on the scenes. Every other tile calibrates; the error is measured on the rest.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from ..adapters import TileKey, adapter_for
from ..errors import DiskFull, InputError, ModelError, OutputError
from ..io import default_geo
from ..io.base import Geo
from ..modalities import MODALITIES
from ..packs.calibrate import Floats, Recorder, find_chips, read_tiles
from ..packs.files import MANIFEST
from ..packs.folder import check_output, whole_folder
from ..packs.manifest import FormSpec, Pack, load_pack, write_pack
from ..packs.quantise import opset_and_ir, quantise_dynamic, quantise_static
from ..packs.variants import INT8
from ..presets import PRESETS, Preset
from ..registry import starter_folder
from ..runtime import make_runtime
from ..types import Cancel, Progress, ProgressCallback

FORM = f"onnx-{INT8}"
TILES = 12
"""Tiles that are taken where the user does not say: half of them calibrate, half measure."""
STEPS: tuple[int, ...] = tuple(sorted({preset.steps for preset in PRESETS.values() if preset.steps}))
"""Denoising steps that the presets use: the decoder is calibrated on their noise, and measured with each."""
_BASE = replace(PRESETS["balanced"], precision=("fp32",))


@dataclass(frozen=True)
class QuantiseRequest:
    """Add an int8 variant to the pack at ``pack`` (in place, or as a copy at ``output``)."""

    pack: Union[str, Path]
    chips: Union[str, Path]
    """A scene, a folder of scenes, or a folder in TerraMesh's layout."""
    output: Union[str, Path, None] = None
    modality: Optional[str] = None
    """What the scenes are; None: the pack's first input that they fit."""
    tiles: int = TILES
    threads: Optional[int] = None
    overwrite: bool = False
    """Whether an int8 variant, or a pack at ``output``, may be replaced."""


def quantise(
    request: QuantiseRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
) -> Pack:
    """Make the int8 variant; pack.json names it when it is complete, and before that nothing changes.

    Raises InputError (scenes that do not fit), PackError, ModelError, OutputError, RuntimeMissing (no
    ``onnx``), DiskFull, Cancelled.
    """
    cancel = cancel or Cancel()
    pack = load_pack(request.pack)
    goal = _check(request, pack)
    modality, files = find_chips(request.chips, pack, request.modality)
    decoders = _decoders(pack, modality)
    tiles = read_tiles(files, modality, pack, request.tiles, geo or default_geo(), cancel=cancel)
    used, held_out = (tiles[0::2], tiles[1::2]) if len(tiles) > 1 else (tiles, tiles)
    diffusion = sum(pack.targets[t].decoder == "diffusion" for t in decoders)
    steps = STEPS if diffusion else STEPS[:1]
    say = _Stages(progress, diffusion, sum(steps) * len(used), sum(steps) * 2 * len(held_out))
    job = _Job(pack, decoders, modality, steps, request.threads, cancel, say)
    with _place(pack, goal) as folder:
        work = folder / f".{INT8}-{uuid.uuid4().hex[:8]}"
        work.mkdir()
        try:
            made = job.make(used, work)
            candidate = _with_forms(pack, folder, made, work.name)
            error = job.measure(candidate, held_out)
            calibration = {
                "modality": modality,
                "tiles": len(used),
                "measured_on": len(held_out),
                "same_tiles": len(tiles) == 1,
                "steps": list(steps),
            }
            return _finish(pack, folder, goal, made, {"error": error, "calibration": calibration})
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _decoders(pack: Pack, modality: str) -> list[str]:
    """Targets whose decoder can be quantised with scenes of a modality; what is given is not made."""
    decoded = [t for t in pack.targets if "onnx" in getattr(pack.graphs.get(f"decode_{t}"), "forms", {})]
    found = [target for target in decoded if target != modality]
    if not found:
        raise ModelError(f"The model {pack.id} holds no decoder that int8 makes faster.")
    return found


def _check(request: QuantiseRequest, pack: Pack) -> Path:
    """Where the pack will lie; refused before any work where that cannot be."""
    if request.tiles < 1:
        raise InputError(f"The number of tiles must be at least 1, not {request.tiles}.")
    if request.output is None:
        if pack.root.resolve() != Path(request.pack).resolve():
            raise OutputError("A zipped pack is not changed in place; name a folder for the new pack (-o).")
        if pack.root.resolve() == starter_folder().resolve():
            raise OutputError("The starter model is part of Terrane; name a folder for the new pack (-o).")
        if INT8 in pack.variants and not request.overwrite:
            raise OutputError(f"The pack {pack.id} has an int8 variant already; allow overwriting it.")
        return pack.root
    goal = Path(request.output)
    check_output(goal, request.overwrite)
    return goal


class _Stages:
    """One progress from 0 to 1 over recording, calibrating and measuring, by denoising steps."""

    def __init__(self, progress: Optional[ProgressCallback], graphs: int, record: int, measure: int) -> None:
        self._progress = progress
        self._total = record * (1 + graphs) + measure
        self._calibrate = record
        self.done = 0

    def add(self, count: int, message: str) -> None:
        """Report so many steps more."""
        self.done += count
        if self._progress is not None:
            self._progress(Progress(min(self.done, self._total), self._total, message=message))

    def calibrating(self, name: str) -> ProgressCallback:
        """For one graph: its own progress as a part of the whole."""
        begin = self.done

        def report(progress: Progress) -> None:
            self.done = begin + round(progress.fraction * self._calibrate)
            self.add(0, f"Calibrating {name}")

        return report


@dataclass(frozen=True)
class _Job:
    """What recording, quantising and measuring share."""

    pack: Pack
    decoders: Sequence[str]
    modality: str
    steps: Sequence[int]
    threads: Optional[int]
    cancel: Cancel
    say: _Stages

    def make(self, tiles: Sequence[Floats], work: Path) -> dict[str, Path]:
        """Quantised graphs in ``work``, by the name of their target."""
        feeds = self._record(tiles)
        made = {}
        for target in self.decoders:
            graph = f"decode_{target}"
            source, output = Path(self.pack.graph_path(graph)), work / f"{graph}.{INT8}.onnx"
            self.cancel.raise_if_set()
            if graph in feeds:
                report = self.say.calibrating(target)
                quantise_static(source, output, feeds.pop(graph), work, progress=report, cancel=self.cancel)
            else:
                self.say.add(0, f"Quantising {target}")
                quantise_dynamic(source, output, work)
            made[target] = output
        return made

    def _record(self, tiles: Sequence[Floats]) -> dict[str, Any]:
        """What diffusion decoders are fed on real tokens, at every noise level that a preset uses."""
        graphs = [f"decode_{t}" for t in self.decoders if self.pack.targets[t].decoder == "diffusion"]
        if not graphs:
            return {}
        runtime = make_runtime("onnx", device="cpu", threads=self.threads)
        recorder = Recorder(runtime, {self.pack.graph_path(graph): graph for graph in graphs})
        adapter = adapter_for(self.pack, recorder)
        targets = [graph[len("decode_") :] for graph in graphs]
        for number, tile in enumerate(tiles):
            recorder.tile = number
            for steps in self.steps:
                key = TileKey(0, number)
                adapter.generate(
                    {self.modality: tile[None]}, targets, [key], _preset(steps), cancel=self.cancel
                )
                self.say.add(steps, "Recording tokens")
        return dict(recorder.feeds)

    def measure(self, candidate: Pack, tiles: Sequence[Floats]) -> dict[str, Any]:
        """The error of every target, as pack.json holds it."""
        runtime = make_runtime("onnx", device="cpu", threads=self.threads)
        adapter = adapter_for(candidate, runtime)
        sums: dict[tuple[str, Optional[int]], _Error] = {}
        for number, tile in enumerate(tiles):
            for steps in self.steps:
                targets = [
                    t for t in self.decoders if self._steps_of(t, steps) is not None or steps == STEPS[0]
                ]
                made = []
                for precision in ("fp32", INT8):
                    preset = replace(_preset(steps), precision=(precision,))
                    given = {self.modality: tile[None]}
                    made.append(
                        adapter.generate(given, targets, [TileKey(0, number)], preset, cancel=self.cancel)
                    )
                    self.say.add(steps, "Measuring the error")
                for target in targets:
                    error = sums.setdefault((target, self._steps_of(target, steps)), _Error())
                    error.add(made[0][target], made[1][target], classes=self._is_classes(target))
        return self._entries(sums)

    def _steps_of(self, target: str, steps: int) -> Optional[int]:
        return steps if self.pack.targets[target].decoder == "diffusion" else None

    def _is_classes(self, target: str) -> bool:
        return self.pack.targets[target].logits is not None

    def _entries(self, sums: Mapping[tuple[str, Optional[int]], _Error]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for (target, steps), error in sums.items():
            unit = "%" if self._is_classes(target) else MODALITIES[target].unit
            entry = found.setdefault(target, {"unit": unit, "measured": []})
            prefix = {} if steps is None else {"steps": steps}
            entry["measured"].append({**prefix, **error.figures()})
        return found


def _preset(steps: int) -> Preset:
    return replace(_BASE, steps=steps)


class _Error:
    """Sums up how far int8 is from fp32."""

    def __init__(self) -> None:
        self._count = self._same = 0
        self._absolute = self._squared = self._most = 0.0
        self._classes = False

    def add(self, full: Any, quantised: Any, *, classes: bool) -> None:
        """One tile: values (1, bands, T, T) in the modality's unit, or class probabilities."""
        if classes:
            self._classes = True
            same = full.argmax(axis=1) == quantised.argmax(axis=1)
            self._same += int(same.sum())
            self._count += same.size
            return
        difference = np.abs(full.astype(np.float64) - quantised)
        self._count += difference.size
        self._absolute += float(difference.sum())
        self._squared += float((difference**2).sum())
        self._most = max(self._most, float(difference.max()))

    def figures(self) -> dict[str, float]:
        """Mean absolute, root mean square and greatest difference; or the share of the same class in %."""
        if self._classes:
            return {"agreement": _rounded(100 * self._same / self._count)}
        mae, rmse = self._absolute / self._count, (self._squared / self._count) ** 0.5
        return {"mae": _rounded(mae), "rmse": _rounded(rmse), "max": _rounded(self._most)}


def _rounded(value: float) -> float:
    """Four significant digits: more would say that the error is known better than it is."""
    return float(f"{value:.4g}")


def _with_forms(pack: Pack, folder: Path, made: Mapping[str, Path], place: str) -> Pack:
    """The pack with its new forms, to be measured before pack.json says so."""
    graphs = dict(pack.graphs)
    for target, path in made.items():
        spec = graphs[f"decode_{target}"]
        opset, ir = opset_and_ir(path)
        forms = {**spec.forms, FORM: FormSpec(f"{place}/{path.name}", opset, ir)}
        graphs[f"decode_{target}"] = replace(spec, forms=forms)
    return replace(pack, root=folder, graphs=graphs)


def _finish(
    pack: Pack, folder: Path, goal: Path, made: Mapping[str, Path], variant: Mapping[str, Any]
) -> Pack:
    """Move the graphs to their place, then write pack.json."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for target, path in made.items():
        graph = f"decode_{target}"
        beside = Path(pack.graphs[graph].forms["onnx"].path).parent
        for file in (path, path.with_suffix(".bin")):
            if file.exists():
                os.replace(file, folder / beside / file.name)
        opset, ir = opset_and_ir(folder / beside / path.name)
        form = {"path": (beside / path.name).as_posix(), "opset": opset, "ir": ir}
        manifest["graphs"][graph]["forms"][FORM] = form
    manifest["variants"] = {**manifest.get("variants", {}), INT8: dict(variant)}
    return replace(write_pack(folder, manifest), root=goal)


@contextlib.contextmanager
def _place(pack: Pack, goal: Path) -> Iterator[Path]:
    """The folder to work in: the pack itself, or a copy that takes its name when all went well."""
    if goal != pack.root:
        with whole_folder(goal, 3 * pack.weight_bytes()) as folder:
            shutil.copytree(pack.root, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
            yield folder
        return
    try:
        needed = 2 * pack.weight_bytes()
        if shutil.disk_usage(goal).free < needed:
            raise DiskFull(f"Quantising needs {needed / 1e6:.0f} MB in {goal}; make room there.")
        yield goal
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"There is not enough room for the int8 variant in {goal}.") from error
        raise OutputError(f"{goal} cannot be written ({error.strerror}).") from error
