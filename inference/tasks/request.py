# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked of *generate* and what comes back: frozen values, the same for every face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..io.scene import Scene
from ..types import BBox

Polygons = Sequence[Sequence[Sequence[tuple[float, float]]]]
"""Polygons, each a list of rings (the outer one first), each a list of (x, y)."""

SCHEMA = 1
"""Version of the JSON envelope (contracts.md)."""


@dataclass(frozen=True)
class GenerateRequest:
    """Generate ``targets`` from a scene and write each to its path in ``outputs``."""

    scene: Scene
    targets: tuple[str, ...]
    """Modality ids in the order in which the model makes them."""
    outputs: Mapping[str, str]
    """Target to the path of its GeoTIFF."""
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
