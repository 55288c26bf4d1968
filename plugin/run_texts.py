# SPDX-License-Identifier: GPL-2.0-or-later
"""A run as a command for the terminal, and as a call for QGIS's Python console."""

from __future__ import annotations

import os
import shlex
from typing import Any

from qgis.core import QgsCoordinateReferenceSystem

from .layer_geo import PREFIX
from .runs import Recipe, Run


def can_be_text(run: Run) -> bool:
    """Whether a run can be written down: inputs are files, further ones in one each; the area is no polygon."""
    recipes = [*run.inputs, *([run.coarse] if run.coarse is not None else [])]
    files = not any(name.startswith(PREFIX) for recipe in recipes for name in recipe.source)
    whole = all(len(recipe.source) == 1 for recipe in recipes[1:])
    return files and whole and run.region is None


def as_command(run: Run) -> str:
    """``terrane generate …`` for a POSIX shell."""
    first, *others = run.inputs
    request = run.request
    words = ["terrane", "generate", *first.source, "--modality", first.modality]
    bands = _bands(first)
    if bands:
        words += ["--bands", *bands]
    if first.boa_offset is not None:
        words += ["--boa-offset", f"{first.boa_offset:g}"]
    for recipe in others:
        words += ["--also", f"{recipe.modality}={recipe.source[0]}"]
    words += ["--to", *request["targets"], "-o", os.path.dirname(next(iter(run.outputs.values())))]
    for flag, name, usual in (
        ("--model", "model", None),
        ("--preset", "preset", "balanced"),
        ("--seed", "seed", 0),
        ("--grid", "grid", "model"),
        ("--samples", "samples", 1),
        ("--levels", "levels", "solved"),
        ("--device", "device", "auto"),
        ("--threads", "threads", None),
        ("--batch", "batch", None),
    ):
        if request[name] not in (usual, None):
            words += [flag, str(request[name])]
    for name, value in run.options.items():
        if value is not None:
            words += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    words += [f"--{name}" for name in ("coords", "probability", "overwrite") if request[name]]
    if run.coarse is not None:
        words += ["--coarse-dem", run.coarse.source[0]]
    if run.extent is not None:
        words += ["--extent", *(f"{value:.12g}" for value in run.extent)]
        if request["extent_crs"]:
            words += ["--extent-crs", _crs(request["extent_crs"])]
    return " ".join(map(shlex.quote, words))


def _bands(recipe: Recipe) -> list[str]:
    """Which band is which, where it is not simply their order in one file."""
    (source, *more), places = recipe.source, list(recipe.bands.values())
    if not more and places == [(source, number) for number in range(1, len(places) + 1)]:
        return []
    return [
        f"{name}={number}" if path == source and not more else f"{name}={path}:{number}"
        for name, (path, number) in recipe.bands.items()
    ]


def as_call(run: Run) -> str:
    """``processing.run("terrane:generate", …)``."""
    first, *others = run.inputs
    request, options = run.request, run.options
    single = len(first.source) == 1
    parameters: dict[str, Any] = {
        "INPUT": first.source[0] if single else None,
        "INPUTS": [] if single else list(first.source),
        "MODALITY": first.modality,
        "BOA_OFFSET": first.boa_offset,
        "TARGETS": list(request["targets"]),
        "MODEL": request["model"],
        "PRESET": request["preset"],
        "SEED": request["seed"] or None,
        "SAMPLES": request["samples"] if request["samples"] > 1 else None,
        "PROBABILITY": request["probability"] or None,
        "LEVELS": request["levels"],
        "COARSE_DEM": None if run.coarse is None else run.coarse.source[0],
        "COORDS": request["coords"] or None,
        "GRID": request["grid"],
        "BATCH": request["batch"],
        "STEPS": options.get("steps"),
        "CLAMP": options.get("clamp"),
        "SAMPLER": options.get("sampler"),
        "PRECISION": options.get("precision"),
        "STRIDE": options.get("stride"),
    }
    if others:
        parameters["INPUTS"] = [*parameters["INPUTS"], *(recipe.source[0] for recipe in others)]
        if single:
            parameters["MODALITIES"] = ",".join(recipe.modality for recipe in others)
    if run.extent is not None:
        xmin, ymin, xmax, ymax = run.extent
        crs = f" [{_crs(request['extent_crs'])}]" if request["extent_crs"] else ""
        parameters["EXTENT"] = f"{xmin:.12g},{xmax:.12g},{ymin:.12g},{ymax:.12g}{crs}"
    parameters.update({f"OUTPUT_{name.upper()}": path for name, path in run.outputs.items()})
    lines = [f"    {name!r}: {value!r}," for name, value in parameters.items() if value not in (None, [])]
    return "\n".join(["import processing", "", 'processing.run("terrane:generate", {', *lines, "})"])


def _crs(text: str) -> str:
    """The short name of a CRS where it has one."""
    return str(QgsCoordinateReferenceSystem.fromWkt(text).authid() or text)
