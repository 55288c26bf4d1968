# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked of *generate* and what comes back: frozen values, the same for every face."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..io.scene import Scene
from ..modalities import MODALITIES
from ..presets import AS_PRESET, Options
from ..types import BBox

Polygons = Sequence[Sequence[Sequence[tuple[float, float]]]]
"""Polygons, each a list of rings (the outer one first), each a list of (x, y)."""

SCHEMA = 1
"""Version of the JSON envelope (contracts.md)."""


COORDS = "COORDS"
"""The one target that is places, not pixels."""


def product_names(targets: Sequence[str], *, samples: int = 1, probability: bool = False) -> tuple[str, ...]:
    """What a run makes, in order: the targets, and what it says of their uncertainty.

    Several samples give a standard deviation to everything measured ("DEM_std"), and probability and
    entropy to classes; ``probability`` gives the former from a single run, too.
    """
    names: list[str] = []
    for target in targets:
        names.append(target)
        if target == COORDS:
            continue
        classes = target in MODALITIES and bool(MODALITIES[target].classes)
        if classes and (probability or samples > 1):
            names.append(f"{target}_probability")
        if samples > 1:
            names.append(f"{target}_entropy" if classes else f"{target}_std")
    return tuple(names)


def output_paths(folder: str, stem: str, names: Sequence[str]) -> dict[str, str]:
    """``<stem>_<name>.tif`` in a folder for each product; places are a ``.gpkg``."""
    return {
        name: os.path.join(folder, f"{stem}_{name}.{'gpkg' if name == COORDS else 'tif'}") for name in names
    }


@dataclass(frozen=True)
class GenerateRequest:
    """Generate ``targets`` from scenes of one place and write each product to its path in ``outputs``."""

    scenes: tuple[Scene, ...]
    """One scene per modality; the first defines the grid, the others are read onto it."""
    targets: tuple[str, ...]
    """Modality ids in the order in which the model makes them."""
    outputs: Mapping[str, str]
    """Product (see ``product_names``) to the path of its file."""
    model: str = "starter"
    """A pack's id or path."""
    preset: str = "balanced"
    seed: int = 0
    extent: Optional[BBox] = None
    """Where to generate, in ``extent_crs``; None is the whole scene, or the box around ``region``."""
    extent_crs: Optional[str] = None
    """CRS of ``extent`` and ``region`` ("EPSG:4326", WKT); None is the scene's own."""
    region: Optional[Polygons] = None
    """Polygons in ``extent_crs``: outside of them is nodata, and tiles without them are skipped."""
    grid: str = "model"
    """"model": results on the model's grid; "input": warped to the input's pixels."""
    overwrite: bool = False
    runtime: str = "onnx"
    device: str = "auto"
    threads: Optional[int] = None
    batch: Optional[int] = None
    """Tiles per run of a graph; None chooses by model and device."""
    coords: bool = False
    """The longitude and latitude of each tile's centre as one more input."""
    samples: int = 1
    """From 2 on: so many draws, for mean and standard deviation, or class probability and entropy."""
    probability: bool = False
    """Write the probability of the chosen class (land cover) even from one run."""
    options: Options = AS_PRESET
    """The preset's knobs one by one."""
    levels: str = "solved"
    """"solved": elevation tiles are levelled on each other; "tiles": as the reference leaves them."""
    coarse_dem: Optional[Scene] = None
    """A coarse elevation model that the levels are tied to."""
    resume: bool = False
    """Go on where an interrupted run of the same request stopped."""

    @property
    def scene(self) -> Scene:
        """The first scene, which defines the grid."""
        return self.scenes[0]

    @property
    def products(self) -> tuple[str, ...]:
        """What has an output."""
        return product_names(self.targets, samples=self.samples, probability=self.probability)


@dataclass(frozen=True)
class GenerateResult:
    """What a run made, and what it took."""

    outputs: Mapping[str, str]
    model: str
    preset: str
    device: str
    tiles: int
    """Tiles of the plan, skipped ones included."""
    skipped: int
    """Tiles without a single valid pixel."""
    seconds: float
    peak_rss_mb: Optional[float]
    """Peak resident memory of the whole process so far; None where the system does not say."""
    warnings: tuple[str, ...] = ()
    resumed: int = 0
    """Tiles that an interrupted run had computed."""

    def to_json(self) -> dict[str, Any]:
        """The envelope of contracts.md; keys that do not apply are absent."""
        envelope: dict[str, Any] = {
            "schema": SCHEMA,
            "verb": "generate",
            "outputs": dict(self.outputs),
            "model": self.model,
            "preset": self.preset,
            "device": self.device,
            "tiles": self.tiles,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 2),
            "warnings": list(self.warnings),
        }
        if self.resumed:
            envelope["resumed"] = self.resumed
        if self.peak_rss_mb is not None:
            envelope["peak_rss_mb"] = round(self.peak_rss_mb)
        return envelope


@dataclass(frozen=True)
class Forecast:
    """What a run will take, before it starts."""

    tiles: int
    grids: int
    """UTM zones that the extent is split into; almost always 1."""
    width_m: float
    height_m: float
    bytes_needed: int
    """Disk space at most, temporary copies included."""
    seconds: Optional[float]
    """From earlier runs of the same model, preset and targets on this machine; None before the first."""
    tiles_done: int = 0
    """Tiles that an interrupted run of the same request has left; it can be resumed."""
