# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a model pack of a fine-tuned terratorch model. Needs terratorch: run it headless or in the worker.

The model is built without the hub, cut loose from random numbers (TiM thinks by argmax, which is
terratorch's ``tim_temps=0``), exported as one ONNX graph ``predict``, and compared with terratorch's own
answer; the difference is stored in the pack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from ..errors import InputError, PackError
from ..modalities import LAND_COVER, MODALITIES
from ..types import Cancel, Progress, ProgressCallback
from . import finetuned_model as reference
from .answers import NODATA_CLASS, PALETTE
from .finetuned_export import export
from .finetuned_settings import (
    Settings,
    Statistics,
    settings_of,
    statistics_from_data,
    statistics_from_file,
    tile_of,
)
from .folder import check_output, whole_folder, write_texts
from .manifest import Pack, write_pack

REFERENCE = "reference"
"""Where ``variants.fp32`` of pack.json holds the difference from terratorch: ``max`` of the answers ``of`` the
graph (logits or values), whose largest is ``scale``."""
PRETRAINING = "pretraining"
"""In place of a statistics file: those that TerraMind itself was trained with."""
BOA_OFFSET = -1000.0
"""BOA_ADD_OFFSET of Sentinel-2 since processing baseline 04.00, in digital numbers."""
ACCEPTED = 1e-3
"""Largest difference from terratorch, relative to the largest answer, with which a pack is still written."""
MEMORY_FIXED, MEMORY_PER_BYTE = 1_800_000_000, 2
"""Measured with terratorch 1.2.11 and torch 2.15: libraries and exporter take 1.4 GB, and a checkpoint also
holds what its optimiser remembers, which is not read."""
STEPS = (
    "Reading the checkpoint",
    "Building the model",
    "Asking terratorch",
    "Exporting",
    "Comparing",
    "Done",
)
_SIZES = ("tiny", "small", "base", "large")


@dataclass(frozen=True)
class FineTuned:
    """What the user says beyond the files; None: as the files say."""

    task: Optional[str] = None
    tile: Optional[int] = None
    gsd: float = 10.0
    name: Optional[str] = None
    classes: Optional[Sequence[str]] = None
    unit: str = ""
    offset: str = "remove"
    """What was done with Sentinel-2's additive offset in the training data: remove or keep."""
    license: str = "NOASSERTION"
    trust: bool = False
    """Run what a checkpoint asks for, where it holds more than tensors and plain values."""


def memory_needed(checkpoint: Union[str, Path]) -> int:
    """Bytes of memory that a conversion takes at its peak, estimated from the file's size."""
    path = Path(checkpoint)
    if not path.is_file():
        raise PackError(f"There is no file {path}.")
    return MEMORY_FIXED + MEMORY_PER_BYTE * path.stat().st_size


def convert_finetuned(
    checkpoint: Union[str, Path],
    output: Union[str, Path],
    *,
    config: Union[str, Path, None] = None,
    statistics: Union[str, Path, None] = None,
    options: Optional[FineTuned] = None,
    overwrite: bool = False,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
) -> Pack:
    """Write the pack of a Lightning checkpoint.

    ``config``: the yaml that it was trained with, where the checkpoint does not hold its settings or the
    statistics of its inputs. ``statistics``: a JSON file ``{"S2L2A": {"bands", "mean", "std"}}`` that goes
    before the yaml, or "pretraining". The folder appears when it is complete, or not at all.

    Raises PackError (with what to give, where something is not known), RuntimeMissing without terratorch,
    OutputError, DiskFull, Cancelled.
    """
    options, output, checkpoint = options or FineTuned(), Path(output), Path(checkpoint)
    check_output(output, overwrite)
    version = reference.require_terratorch()

    def step(number: int) -> None:
        if cancel is not None:
            cancel.raise_if_set()
        if progress is not None:
            progress(Progress(number, len(STEPS) - 1, message=STEPS[number]))

    step(0)
    hyper, state = reference.read_checkpoint(checkpoint, trust=options.trust)
    yaml = _yaml(config)
    settings = settings_of(hyper, yaml, options.task)
    step(1)
    model = reference.build(settings, state)
    inputs = reference.inputs_of(model, settings)
    known = _statistics(settings, inputs, statistics)
    tile = _tile(
        options.tile, settings, {**yaml.get("model", {}).get("init_args", {}), **hyper}, inputs.patch
    )
    step(2)
    with whole_folder(output, 2 * checkpoint.stat().st_size) as folder:
        graph, error = _export(model, settings, inputs, tile, folder, step)
        content = _manifest(settings, inputs, known, tile, options, checkpoint, graph)
        content["variants"] = {
            "fp32": {"error": {}, REFERENCE: {"against": f"terratorch {version}", **error}}
        }
        write_texts(folder, content)
        pack = write_pack(folder, content)
    step(5)
    return replace(pack, root=output)


def _yaml(config: Union[str, Path, None]) -> dict[str, Any]:
    if config is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PackError(f"The configuration {config} cannot be read ({str(error)[:120]}).") from error
    if not isinstance(content, dict):
        raise PackError(f"{config} is no terratorch configuration.")
    return content


def _statistics(
    settings: Settings, inputs: reference.Inputs, given: Union[str, Path, None]
) -> dict[str, Statistics]:
    """Statistics of every input: the user's, the yaml's, or those in terratorch's data modules."""
    found: dict[str, Statistics] = {}
    if given is not None and str(given) == PRETRAINING:
        found = _pretraining(settings, inputs)
    elif given is not None:
        try:
            content = json.loads(Path(given).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"The statistics {given} cannot be read ({str(error)[:120]}).") from error
        found = statistics_from_file(content, inputs.names, inputs.channels)
    if len(found) < len(inputs.channels):
        own = None
        if "means" not in settings.data:
            own = reference.datamodule_statistics(settings.data_class, settings.data)
        filled = replace(settings, data={**settings.data, **own}) if own else settings
        found = {**statistics_from_data(filled, inputs.names, inputs.channels), **found}
    missing = [modality for modality in inputs.channels if modality not in found]
    if missing:
        raise PackError(
            f"Nothing says with which mean and standard deviation {', '.join(missing)} was normalised; give "
            "the yaml with its means and stds (--config), a statistics file (--statistics FILE.json), or "
            "--statistics pretraining if it was trained with TerraMind's own."
        )
    return found


def _pretraining(settings: Settings, inputs: reference.Inputs) -> dict[str, Statistics]:
    """TerraMind v1's statistics, for the bands that the model takes."""
    from terratorch.models.backbones.terramind.model import terramind_register as register

    from .finetuned_settings import IMAGE_KEYS, backbone_option, band_names, checked_statistics

    keys = {modality: key for key, modality in IMAGE_KEYS.items()}
    given = backbone_option(settings.model_args, "bands")
    found = {}
    for name, modality in inputs.names.items():
        named = given.get(name) if isinstance(given, Mapping) else given
        bands = band_names(modality, named, inputs.channels[modality])
        places = [MODALITIES[modality].band_names.index(band) for band in bands]
        mean, std = (
            [float(table[keys[modality]][i]) for i in places]
            for table in (register.v1_pretraining_mean, register.v1_pretraining_std)
        )
        found[modality] = checked_statistics(modality, bands, mean, std)
    return found


def _tile(given: Optional[int], settings: Settings, model: Mapping[str, Any], patch: int) -> int:
    """The tile size: a multiple of two patches, as terratorch pads to."""
    multiple = 2 * patch
    if given is None:
        return tile_of(settings.data, model, multiple)
    if given < multiple or given % multiple:
        raise InputError(f"The tile must be a multiple of {multiple} pixels, not {given}.")
    return given


def _export(
    model: Any, settings: Settings, inputs: reference.Inputs, tile: int, folder: Path, step: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The graph's entry in pack.json, and how far it is from terratorch."""
    import torch

    torch.manual_seed(0)
    images = {n: torch.randn(2, inputs.channels[m], tile, tile) for n, m in inputs.names.items()}
    expected = reference.reference_answer(model, images).numpy()
    pixels = settings.task != "classify"
    if pixels and expected.ndim == 3:
        expected = expected[:, None]
    step(3)
    static = reference.static_model(model, inputs, tile, pixels=pixels)
    (folder / "graphs").mkdir()
    path = folder / "graphs" / "predict.onnx"
    names = [f"image_{modality}" for modality in inputs.names.values()]
    output = "values" if settings.task == "regress" else "logits"
    opset, ir = export(static, list(images.values()), names, output, path)
    step(4)
    feeds = {name: image.numpy() for name, image in zip(names, images.values())}
    error = _difference(path, feeds, output, expected)
    shapes = {n: ["batch", int(i.shape[1]), tile, tile] for n, i in zip(names, images.values())}
    graph = {
        "inputs": shapes,
        "outputs": {output: ["batch", *(int(n) for n in expected.shape[1:])]},
        "forms": {"onnx": {"path": "graphs/predict.onnx", "opset": opset, "ir": ir}},
    }
    return graph, error


def _difference(
    path: Path, feeds: Mapping[str, Any], output: str, expected: np.ndarray[Any, Any]
) -> dict[str, Any]:
    """Largest difference of the exported graph from terratorch's answer. Raises PackError when too large."""
    from ..runtime import make_runtime

    graph = make_runtime("onnx", device="cpu").load(str(path))
    found = graph.run(feeds)[output]
    single = graph.run({name: image[:1] for name, image in feeds.items()})[output]
    if found.shape != expected.shape:
        raise PackError(f"The exported graph gives {found.shape}, terratorch {expected.shape}.")
    largest = max(float(np.abs(found - expected).max()), float(np.abs(single - expected[:1]).max()))
    scale = max(float(np.abs(expected).max()), 1e-6)
    if not largest <= ACCEPTED * max(scale, 1.0):
        raise PackError(
            f"The exported graph differs from terratorch by {largest:.3g} (answers up to {scale:.3g}); no pack "
            "was written."
        )
    return {"max": largest, "scale": scale, "of": output}


def _manifest(
    settings: Settings,
    inputs: reference.Inputs,
    known: Mapping[str, Statistics],
    tile: int,
    options: FineTuned,
    checkpoint: Path,
    graph: Mapping[str, Any],
) -> dict[str, Any]:
    name = options.name or checkpoint.stem
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64]
    backbone = str(settings.model_args.get("backbone", ""))
    specs = {}
    for modality in inputs.names.values():
        statistics = known[modality]
        sentinel2 = modality.startswith("S2")
        # The engine takes the offset out of every scene: a model that saw it gets its means moved instead.
        moved = BOA_OFFSET if sentinel2 and options.offset == "keep" else 0.0
        specs[modality] = {
            "bands": list(statistics.bands),
            "unit": MODALITIES[modality].unit,
            "mean": [mean + moved for mean in statistics.mean],
            "std": list(statistics.std),
            "offset": "remove" if sentinel2 else "none",
        }
    training = {"data": settings.data_class or "unknown", "checkpoint": checkpoint.name, "backbone": backbone}
    if inputs.thinks:
        training["thinks_in"] = ", ".join(inputs.thinks)
    content: dict[str, Any] = {
        "id": slug or "finetuned",
        "name": name,
        "family": "finetuned",
        "size": next((size for size in _SIZES if size in backbone.split("_")), ""),
        "version": "1.0.0",
        "tasks": [settings.task],
        "gsd": options.gsd,
        "tile": tile,
        "patch": inputs.patch,
        "dim": inputs.dim,
        "inputs": specs,
        "targets": {},
        "graphs": {"predict": dict(graph)},
        "training": training,
        "license": {"spdx": options.license},
    }
    count = next(iter(graph["outputs"].values()))[1]
    if settings.task == "regress":
        names = list(options.classes or settings.class_names) or [f"value{i + 1}" for i in range(count)]
        if len(names) != count:
            raise PackError(f"The model estimates {count} values, but {len(names)} names are given.")
        content["output"] = {"names": names, "unit": options.unit}
    else:
        content["classes"] = _classes(list(options.classes or settings.class_names), count)
    return content


def _classes(names: list[str], count: int) -> list[dict[str, Any]]:
    """Names and colours: a class that is called like one of the land-cover scheme takes its colour."""
    names = names or [f"Class {i}" for i in range(count)]
    if len(names) != count:
        raise PackError(f"The model tells {count} classes apart, but {len(names)} names are given.")
    if not 2 <= count <= NODATA_CLASS:
        raise PackError(f"A model needs 2 to {NODATA_CLASS} classes; this one has {count}.")
    usual = {c.name.lower(): "#{:02X}{:02X}{:02X}".format(*c.color[:3]) for c in LAND_COVER if c.color[3]}
    colors = [usual.get(name.lower(), PALETTE[i % len(PALETTE)]) for i, name in enumerate(names)]
    return [{"value": i, "name": name, "color": color} for i, (name, color) in enumerate(zip(names, colors))]
