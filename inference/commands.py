# SPDX-License-Identifier: GPL-2.0-or-later
"""What each verb of the ``terrane`` command does: arguments in, an exit code out.

Everything heavy is imported inside: ``terrane --help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Optional, Union

from .console import ProgressLine, duration, note, run_cancellable, say, table
from .errors import InputError, OutputError
from .io.base import BandRef
from .tasks.request import SCHEMA
from .types import BBox, Cancel


def _print_json(envelope: Mapping[str, Any]) -> None:
    say(json.dumps(envelope, allow_nan=False))


def _ids(words: Sequence[str]) -> tuple[str, ...]:
    """Modality ids from "DEM LULC", "dem,lulc" or both."""
    return tuple(part.upper() for word in words for part in word.split(",") if part)


def _band_map(pairs: Optional[Sequence[str]]) -> Optional[dict[str, Union[int, BandRef]]]:
    if not pairs:
        return None
    bands: dict[str, Union[int, BandRef]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise InputError(f"--bands takes NAME=BAND, such as B02=1, not {pair!r}.")
        if value.isdigit():
            bands[name.upper()] = int(value)
            continue
        path, colon, index = value.rpartition(":")
        bands[name.upper()] = BandRef(path, int(index)) if colon and index.isdigit() else BandRef(value)
    return bands


def _open(arguments: argparse.Namespace) -> Any:
    from . import api

    source = arguments.scene[0] if len(arguments.scene) == 1 else arguments.scene
    return api.open(
        source,
        modality=arguments.modality.upper() if arguments.modality else None,
        bands=_band_map(arguments.bands),
        boa_offset=arguments.boa_offset,
    )


def generate(arguments: argparse.Namespace) -> int:
    """Generate modalities of a scene."""
    from .tasks.generate import GenerateRequest, GenerateResult
    from .tasks.generate import generate as run

    line = None if arguments.quiet else ProgressLine(sys.stderr)

    def work(cancel: Cancel) -> GenerateResult:
        scene = _open(arguments)
        targets = _ids(arguments.to)
        extent = BBox(*arguments.extent) if arguments.extent else None
        region, crs = _region(arguments)
        with _output_folder(arguments.output) as folder:
            request = GenerateRequest(
                scene=scene,
                targets=targets,
                outputs={target: os.path.join(folder, f"{scene.name}_{target}.tif") for target in targets},
                model=arguments.model,
                preset=arguments.preset,
                seed=arguments.seed,
                extent=extent,
                extent_crs=crs,
                region=region,
                grid=arguments.grid,
                overwrite=arguments.overwrite,
                runtime=arguments.runtime,
                device=arguments.device,
                threads=arguments.threads,
                batch=arguments.batch,
            )
            return run(request, progress=line, cancel=cancel)

    try:
        result = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    for warning in result.warnings:
        note(warning)
    if arguments.json:
        _print_json(result.to_json())
        return 0
    for path in result.outputs.values():
        say(path)
    if not arguments.quiet:
        note(f"{result.tiles} tiles · {duration(result.seconds)} · {result.device}")
    return 0


@contextmanager
def _output_folder(path: str) -> Iterator[str]:
    """The folder for outputs, made where it is missing; gone again when nothing was put into it."""
    made = []
    folder = os.path.abspath(path)
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        made.append(folder)
        folder = os.path.dirname(folder)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {path} cannot be made ({error.strerror or error}).") from error
    try:
        yield path
    finally:
        for folder in made:
            with suppress(OSError):
                os.rmdir(folder)


def _region(arguments: argparse.Namespace) -> tuple[Any, Optional[str]]:
    """Polygons of --region and the CRS that they share with --extent."""
    if not arguments.region:
        return None, arguments.extent_crs
    from .io import default_geo
    from .tasks.region import parse_geojson, transform_polygons

    try:
        with open(arguments.region, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The region {arguments.region} cannot be read ({error}).") from error
    polygons, crs = parse_geojson(text)
    if not arguments.extent:
        return polygons, crs
    if not arguments.extent_crs:
        raise InputError("With --region, --extent needs its --extent-crs.")
    geo = default_geo()
    goal = geo.parse_crs(arguments.extent_crs)
    return transform_polygons(polygons, geo.parse_crs(crs), goal, geo), arguments.extent_crs


def inspect(arguments: argparse.Namespace) -> int:
    """Say what a scene is recognised as."""
    scene = _open(arguments)
    from .io import default_geo

    grid = scene.grid
    bands = {band.name: f"{band.ref.path}:{band.ref.index}" for band in scene.bands}
    described = {
        "schema": SCHEMA,
        "verb": "inspect",
        "modality": scene.modality,
        "bands": bands,
        "crs": default_geo().crs_name(grid.crs),
        "width": grid.width,
        "height": grid.height,
        "resolution": list(grid.resolution),
        "offset": scene.offset_note,
        "warnings": list(scene.warnings),
    }
    if arguments.json:
        _print_json(described)
        return 0
    say(f"{scene.name}: {scene.modality}, {len(scene.bands)} bands, {scene.offset_note or 'no offset'}")
    say(f"{described['crs']}, {grid.width} × {grid.height} pixels of {grid.resolution[0]:g}")
    table([("band", "from"), *bands.items()])
    for warning in scene.warnings:
        note(warning)
    return 0


def models_list(arguments: argparse.Namespace) -> int:
    """List the models there are."""
    from .registry import cards

    found = cards()
    if arguments.json:
        models = [_card_json(card) for card in found]
        _print_json({"schema": SCHEMA, "verb": "models list", "models": models})
        return 0
    if not found:
        note("No model is installed.")
        return 0
    rows = [
        (card.id, card.name, " ".join(card.inputs), " ".join(card.targets), card.error or card.notice)
        for card in found
    ]
    table([("id", "name", "takes", "makes", "note"), *rows])
    return 0


def _card_json(card: Any) -> dict[str, Any]:
    described = {
        "id": card.id,
        "name": card.name,
        "inputs": list(card.inputs),
        "targets": list(card.targets),
        "license": card.license,
        "notice": card.notice,
        "path": str(card.path),
        "error": card.error,
    }
    return {key: value for key, value in described.items() if value}


def models_info(arguments: argparse.Namespace) -> int:
    """Describe a model."""
    from .registry import find

    pack = find(arguments.model)
    described = {
        "id": pack.id,
        "name": pack.name,
        "version": pack.version,
        "family": pack.family,
        "tasks": list(pack.tasks),
        "inputs": {name: list(spec.bands) for name, spec in pack.inputs.items()},
        "targets": {name: spec.unit for name, spec in pack.targets.items()},
        "gsd": pack.gsd,
        "tile": pack.tile,
        "patch": pack.patch,
        "license": pack.license,
        "forbids": pack.forbids,
        "notice": pack.notice,
        "training": dict(pack.training),
        "sha256": pack.hash,
        "path": str(pack.root),
    }
    described = {key: value for key, value in described.items() if value}
    if arguments.json:
        _print_json({"schema": SCHEMA, "verb": "models info", **described})
        return 0
    table([(key, value if isinstance(value, str) else json.dumps(value)) for key, value in described.items()])
    return 0


def models_convert(arguments: argparse.Namespace) -> int:
    """Make a pack of official weights."""
    from .packs.convert import convert_checkpoint
    from .packs.manifest import Pack

    line = None if arguments.quiet else ProgressLine(sys.stderr, "")

    def work(cancel: Cancel) -> Pack:
        return convert_checkpoint(
            arguments.checkpoint,
            arguments.tokenizers,
            _ids(arguments.inputs),
            _ids(arguments.to),
            arguments.output,
            name=arguments.name,
            torch=arguments.torch,
            progress=line,
            cancel=cancel,
            overwrite=arguments.overwrite,
        )

    try:
        pack = run_cancellable(work)
    finally:
        if line is not None:
            line.close()
    if arguments.json:
        outputs = {"pack": str(pack.root)}
        _print_json({"schema": SCHEMA, "verb": "models convert", "outputs": outputs, "model": pack.id})
    else:
        say(str(pack.root))
    return 0


def presets(arguments: argparse.Namespace) -> int:
    """List the presets."""
    from dataclasses import asdict

    from .presets import DEFAULT, PRESETS

    if arguments.json:
        _print_json(
            {
                "schema": SCHEMA,
                "verb": "presets",
                "default": DEFAULT,
                "presets": {name: asdict(preset) for name, preset in PRESETS.items()},
            }
        )
        return 0
    rows = [
        (name + (" (default)" if name == DEFAULT else ""), f"{preset.overlap:.3f}", preset.summary)
        for name, preset in PRESETS.items()
    ]
    table([("preset", "overlap", "what it does"), *rows])
    return 0


def devices(arguments: argparse.Namespace) -> int:
    """List the devices that can run models."""
    from .runtime import available_devices

    devices = available_devices()
    if arguments.json:
        _print_json({"schema": SCHEMA, "verb": "devices", "devices": devices})
        return 0
    say("\n".join(devices) if devices else "ONNX Runtime is not installed.")
    return 0
