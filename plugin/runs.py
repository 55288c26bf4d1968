# SPDX-License-Identifier: GPL-2.0-or-later
"""The last runs, kept between sessions: what was asked for, so that it can be done again, or gone on with.

A run is stored with the recipe of its inputs rather than with layers, which may be gone by then.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsApplication, QgsProject, QgsRasterLayer

from ..inference import BandRef, BBox, GenerateRequest, Options, SourceError, open_scene
from . import log
from .i18n import tr
from .layer_geo import PREFIX, LayerGeo

RUNNING, DONE, STOPPED = "running", "done", "stopped"
_MOST = 30
_PLAIN = (
    "targets",
    "model",
    "preset",
    "seed",
    "extent_crs",
    "grid",
    "overwrite",
    "device",
    "threads",
    "batch",
    "coords",
    "samples",
    "probability",
    "levels",
)


@dataclass(frozen=True)
class Recipe:
    """How an input is opened."""

    source: tuple[str, ...]
    """One name of GDAL's, or those of single-band files; ``qgis:…`` for a layer that is more than a file."""
    modality: str
    bands: Mapping[str, tuple[str, int]]
    """Band name to file and band number."""
    boa_offset: Optional[float] = None
    layers: Mapping[str, str] = field(default_factory=dict)
    """Name (``qgis:…``) to layer id."""

    def add_layers(self, geo: LayerGeo) -> None:
        """Let a Geo read the layers of the recipe (main thread). Raises SourceError where one is gone."""
        for name, layer_id in self.layers.items():
            project = QgsProject.instance()
            title = name[len(PREFIX) :]
            found = [project.mapLayer(layer_id), *project.mapLayersByName(title)]
            layer = next((one for one in found if isinstance(one, QgsRasterLayer)), None)
            if layer is None or geo.add(layer) != name:
                raise SourceError(tr("The layer {layer} is not in the project any more.").format(layer=title))

    def open(self, geo: LayerGeo) -> Any:
        """The engine's Scene. Raises SourceError, BandError."""
        bands = {name: BandRef(path, index) for name, (path, index) in self.bands.items()}
        source = self.source[0] if len(self.source) == 1 else self.source
        return open_scene(source, modality=self.modality, bands=bands, boa_offset=self.boa_offset, geo=geo)


@dataclass(frozen=True)
class Run:
    """A run, and how it ended."""

    title: str
    """The user's name for the input."""
    inputs: tuple[Recipe, ...]
    request: Mapping[str, Any]
    """The plain fields of the request."""
    outputs: Mapping[str, str]
    options: Mapping[str, Any]
    extent: Optional[tuple[float, ...]] = None
    region: Any = None
    coarse: Optional[Recipe] = None
    licence: str = ""
    temporary: bool = False
    started: float = 0.0
    """Seconds since 1970."""
    state: str = RUNNING
    seconds: float = 0.0

    def rebuild(self) -> tuple[GenerateRequest, LayerGeo]:
        """The same request again (main thread). Raises TerraneError where an input is gone."""
        geo = LayerGeo()
        recipes = [*self.inputs, *([self.coarse] if self.coarse is not None else [])]
        for recipe in recipes:
            recipe.add_layers(geo)
        region = self.region
        if region is not None:
            region = tuple(tuple(tuple(map(tuple, ring)) for ring in polygon) for polygon in region)
        fields = {**self.request, "targets": tuple(self.request["targets"])}
        request = GenerateRequest(
            **fields,
            scenes=tuple(recipe.open(geo) for recipe in self.inputs),
            outputs=dict(self.outputs),
            extent=None if self.extent is None else BBox(*self.extent),
            region=region,
            options=Options(**self.options),
            coarse_dem=None if self.coarse is None else self.coarse.open(geo),
        )
        return request, geo


def record(
    request: GenerateRequest,
    inputs: Sequence[Recipe],
    *,
    coarse: Optional[Recipe],
    title: str,
    licence: str,
    temporary: bool,
) -> Run:
    """A run that is about to start."""
    return Run(
        title=title,
        inputs=tuple(inputs),
        request={name: getattr(request, name) for name in _PLAIN},
        outputs=dict(request.outputs),
        options=asdict(request.options),
        extent=None if request.extent is None else tuple(request.extent),
        region=request.region,
        coarse=coarse,
        licence=licence,
        temporary=temporary,
        started=time.time(),
    )


def recipe_of(scene: Any, source: Any, boa_offset: Optional[float], layers: Mapping[str, str]) -> Recipe:
    """How a scene was opened."""
    names = (source,) if isinstance(source, str) else tuple(source)
    return Recipe(
        names,
        scene.modality,
        {band.name: (band.ref.path, band.ref.index) for band in scene.bands},
        boa_offset,
        {name: layer for name, layer in layers.items() if name in names},
    )


# The file.


def _file() -> Path:
    return Path(QgsApplication.qgisSettingsDirPath()) / "terrane" / "runs.json"


def load() -> list[Run]:
    """The last runs, newest first; none where the file is missing or from another version."""
    try:
        entries = json.loads(_file().read_text(encoding="utf-8"))
        return [_run(entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning(f"{_file()}: {error}")
        return []


def _run(entry: Any) -> Run:
    if not isinstance(entry, dict):
        raise TypeError("a run is an object")
    coarse = entry.pop("coarse", None)
    inputs = tuple(_recipe(one) for one in entry.pop("inputs"))
    return Run(**entry, inputs=inputs, coarse=None if coarse is None else _recipe(coarse))


def _recipe(entry: dict[str, Any]) -> Recipe:
    bands = {name: (path, index) for name, (path, index) in entry.pop("bands").items()}
    return Recipe(**{**entry, "source": tuple(entry["source"])}, bands=bands)


def _save(runs: Sequence[Run]) -> None:
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(file.name + ".part")
        part.write_text(json.dumps([asdict(run) for run in runs[:_MOST]]), encoding="utf-8")
        os.replace(part, file)
    except OSError as error:
        log.warning(f"{file}: {error.strerror}")


def keep(run: Run) -> None:
    """Store a run; it replaces an older one with the same outputs."""
    _save([run, *(one for one in load() if one.outputs != run.outputs)])


def close(run: Run, state: str, seconds: float = 0.0) -> None:
    """Store how a run ended."""
    keep(replace(run, state=state, seconds=seconds))


def forget(run: Run) -> None:
    """Drop a run from the list."""
    _save([one for one in load() if one.outputs != run.outputs])


def find(outputs: Mapping[str, str]) -> Optional[Run]:
    """The run that was to make these outputs and did not get that far."""
    return next((run for run in load() if run.outputs == dict(outputs) and run.state != DONE), None)
