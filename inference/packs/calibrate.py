# SPDX-License-Identifier: GPL-2.0-or-later
"""What int8 is calibrated with: tiles of real scenes, and what a pack's own graphs are fed on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..grid import Grid
from ..io.base import Geo
from ..io.model_grid import model_grids
from ..io.scene import Scene, SceneReader, open_scene
from ..modalities import MODALITIES
from ..runtime.base import Array, Graph, Runtime
from ..types import Cancel, Window
from .manifest import Pack

Floats = npt.NDArray[np.float32]
SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".zip", ".safe", ".json")
"""What counts as a chip in a folder, besides folders of products."""
MIN_VALID = 0.5
"""Part of a tile that must hold data."""


def find_chips(place: Union[str, Path], pack: Pack, modality: Optional[str] = None) -> tuple[str, list[Path]]:
    """The modality and the files to calibrate with: one scene, a folder of them, or one in TerraMesh's layout.

    In TerraMesh's layout each modality has a folder of its name; the pack's first input that has one is
    taken, in the order in which modalities are offered. Elsewhere files are the pack's first input, unless
    ``modality`` says otherwise. Raises InputError.
    """
    place = Path(place)
    pictures = [name for name in MODALITIES if name in pack.inputs and MODALITIES[name].kind != "text"]
    first = next(iter(pictures or pack.inputs))
    if modality is not None and modality not in pack.inputs:
        raise InputError(f"The model {pack.id} does not take {modality}; it takes {', '.join(pack.inputs)}.")
    if not place.exists():
        raise InputError(f"There is nothing at {place} to calibrate with.")
    if place.is_file():
        return modality or first, [place]
    for name in (modality,) if modality else pictures:
        if (place / name).is_dir():
            modality, place = name, place / name
            break
    files = sorted(p for p in place.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    if not files:
        raise InputError(f"{place} holds no scenes ({', '.join(SUFFIXES)}) to calibrate with.")
    return modality or first, files


def read_tiles(
    files: Sequence[Path],
    modality: str,
    pack: Pack,
    count: int,
    geo: Geo,
    *,
    cancel: Optional[Cancel] = None,
) -> list[Floats]:
    """At most ``count`` tiles (bands, T, T) float32 in the modality's unit, spread over the files.

    NaN where there is no data; tiles of less than half data are left out. Raises InputError where nothing
    is left, and what opening a scene raises.
    """
    scenes = [open_scene(str(path), modality=modality, geo=geo) for path in _spread(files, count)]
    places = [place for scene in scenes for place in _places(scene, pack, geo, -(-count // len(scenes)))]
    tiles = []
    for scene, grid, window in _spread(places, count):
        if cancel is not None:
            cancel.raise_if_set()
        names = [band.name for band in scene.bands]
        order = [names.index(band) for band in pack.inputs[modality].bands]
        with closing(SceneReader(scene, grid, geo)) as reader:
            values, valid = reader.read(window)
        if valid.mean() >= MIN_VALID:
            tiles.append(np.ascontiguousarray(values[order]))
    if not tiles:
        side = f"{pack.tile} × {pack.tile} pixels at {pack.gsd:g} m"
        raise InputError(f"None of the scenes to calibrate with holds {side}; give larger or fuller ones.")
    return tiles


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` items, evenly over all."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def _places(scene: Scene, pack: Pack, geo: Geo, count: int) -> list[tuple[Scene, Grid, Window]]:
    """Whole tiles that lie side by side in the middle of a scene."""
    grid = max(model_grids(scene.grid, pack.gsd, geo), key=lambda grid: grid.width * grid.height)
    side = pack.tile
    across, down = grid.width // side, grid.height // side
    left, top = (grid.width - across * side) // 2, (grid.height - down * side) // 2
    windows = [
        Window(left + col * side, top + row * side, side, side)
        for row in range(down)
        for col in range(across)
    ]
    return [(scene, grid, window) for window in _spread(windows, count)]


class Recorder:
    """A runtime that keeps what some graphs are fed; it runs everything on another one.

    Of diffusion decoders, each tile and timestep is kept once: ``tile`` says which tile is being run.
    """

    def __init__(self, runtime: Runtime, watched: Mapping[str, str]) -> None:
        """``watched``: graph by the path of its file."""
        self._runtime, self._watched = runtime, dict(watched)
        self.name, self.device = runtime.name, runtime.device
        self.tile = 0
        self.feeds: dict[str, list[dict[str, Array]]] = {graph: [] for graph in self._watched.values()}
        self._seen: set[tuple[str, int, int]] = set()

    def load(self, path: str) -> Graph:
        """Load a graph; what it is fed is kept if it is watched."""
        graph = self._runtime.load(path)
        name = self._watched.get(path)
        return graph if name is None else _Recorded(graph, name, self)

    def keep(self, name: str, inputs: Mapping[str, Array]) -> None:
        """Keep the inputs of one run."""
        key = (name, self.tile, int(inputs["timestep"][0]) if "timestep" in inputs else -1)
        if key not in self._seen:
            self._seen.add(key)
            self.feeds[name].append({k: np.array(v) for k, v in inputs.items()})


class _Recorded:
    def __init__(self, graph: Graph, name: str, recorder: Recorder) -> None:
        self._graph, self._name, self._recorder = graph, name, recorder

    def run(self, inputs: Mapping[str, Array], *, cancel: Optional[Cancel] = None) -> dict[str, Array]:
        self._recorder.keep(self._name, inputs)
        return self._graph.run(inputs, cancel=cancel)
