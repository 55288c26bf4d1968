# SPDX-License-Identifier: GPL-2.0-or-later
"""From a request to a job: everything that can be refused is refused here, before any work."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from .. import presets, registry
from ..errors import BandError, ExtentError, InputError, ModelError
from ..grid import Grid
from ..io.base import Geo
from ..io.model_grid import model_grids
from ..io.output import bytes_needed
from ..io.scene import Scene
from ..packs.manifest import Pack
from ..presets import Preset
from ..tiling import TilePlan, plan
from ..types import BBox, Window
from .outputs import Target, make_target, provenance
from .region import bounds_of
from .request import GenerateRequest


@dataclass(frozen=True)
class Part:
    """One model grid of the job; there are several where the extent is split by UTM zone."""

    grid: Grid
    plan: TilePlan
    first_tile: int
    """Number of its first tile in the whole job: random numbers are keyed by it."""


@dataclass(frozen=True)
class Job:
    """A request that can be carried out."""

    request: GenerateRequest
    pack: Pack
    preset: Preset
    parts: tuple[Part, ...]
    targets: tuple[Target, ...]
    bands: tuple[int, ...]
    """Places of the pack's bands among the scene's, in the pack's order."""
    warp_to: Optional[Grid]
    """The input's pixels, where results do not lie on them already and were asked to; else None."""
    needed: Mapping[str, int]
    """Bytes of disk per target, at most."""

    @property
    def tiles(self) -> int:
        """Tiles of all parts."""
        return sum(len(part.plan) for part in self.parts)


def prepare(request: GenerateRequest, geo: Geo, pack: Optional[Pack] = None, *, verify: bool = True) -> Job:
    """Check a request and lay out its work; reads headers only. Raises InputError and its kinds.

    Outputs are not looked at: a forecast has none yet, and leaves the hashes of weights to the run.
    """
    _check_scenes(request)
    _check_numbers(request)
    preset = presets.apply(presets.get(request.preset), request.options)
    pack = pack or registry.find(request.model, verify=verify)
    _check_targets(request, pack)
    bands = _band_places(request.scene, pack)
    extent, crs = _extent_of(request)
    grids = model_grids(request.scene.grid, pack.gsd, geo, extent, crs)
    parts = _parts(grids, pack, preset)
    warp_to = _warp_to(request, grids, geo)
    tags = provenance(
        pack,
        preset=preset.id,
        seed=request.seed,
        plans=[part.plan for part in parts],
        source=_source_name(request.scene),
        targets=request.targets,
    )
    targets = tuple(make_target(pack, target, tags) for target in request.targets)
    needed = {target.id: _bytes_needed(target, parts, warp_to) for target in targets}
    return Job(request, pack, preset, parts, targets, bands, warp_to, needed)


def _check_scenes(request: GenerateRequest) -> None:
    if not request.scenes:
        raise InputError("Name at least one scene.")
    modalities = [scene.modality for scene in request.scenes]
    for modality in modalities:
        if modalities.count(modality) > 1:
            raise InputError(f"Two scenes are {modality}; give one scene per modality.")
        if modality in request.targets:
            raise InputError(f"{modality} is an input already; leave it out of the targets.")


def _check_numbers(request: GenerateRequest) -> None:
    if not 1 <= request.samples <= 1000:
        raise InputError(f"The number of samples must be from 1 to 1000, not {request.samples}.")
    if request.levels not in ("solved", "tiles"):
        raise InputError(f'The levels must be "solved" or "tiles", not {request.levels!r}.')
    unbuilt = {
        "several scenes": len(request.scenes) > 1,
        "coordinates as an input": request.coords,
        "samples": request.samples > 1,
        "probabilities": request.probability,
        "a coarse elevation model": request.coarse_dem is not None,
        "resuming": request.resume,
    }
    for what, wanted in unbuilt.items():
        if wanted:
            raise InputError(f"This version does not offer {what} yet; leave that out.")
    if request.grid not in ("model", "input"):
        raise InputError(f'The grid must be "model" or "input", not {request.grid!r}.')
    if not 0 <= request.seed < 2**63:
        raise InputError(f"The seed must be a whole number from 0 to 2⁶³ − 1, not {request.seed}.")
    for name, value in (("batch", request.batch), ("threads", request.threads)):
        if value is not None and value < 1:
            raise InputError(f"The number of {name} must be at least 1, not {value}.")
    if request.extent is not None:
        _check_extent(request.extent)


def _check_extent(box: BBox) -> None:
    if not all(map(math.isfinite, box)):
        raise ExtentError("The extent must be four finite numbers: XMIN YMIN XMAX YMAX.")
    if box.xmin >= box.xmax or box.ymin >= box.ymax:
        raise ExtentError("The extent is empty: XMIN must be less than XMAX, and YMIN less than YMAX.")


def _check_targets(request: GenerateRequest, pack: Pack) -> None:
    if "generate" not in pack.tasks:
        raise ModelError(f"Model {pack.id} does not generate; it is made for {', '.join(pack.tasks)}.")
    for scene in request.scenes:
        if scene.modality not in pack.inputs:
            raise ModelError(
                f"Model {pack.id} does not take {scene.modality}; it takes {', '.join(pack.inputs)}."
            )
    if not request.targets:
        raise InputError(f"Name at least one target: {', '.join(pack.targets)}.")
    for target in request.targets:
        if target not in pack.targets:
            raise ModelError(
                f"Model {pack.id} does not generate {target}; it generates {', '.join(pack.targets)}."
            )
        if request.targets.count(target) > 1:
            raise InputError(f"The target {target} is named more than once.")


def _band_places(scene: Scene, pack: Pack) -> tuple[int, ...]:
    names = [band.name for band in scene.bands]
    missing = [band for band in pack.inputs[scene.modality].bands if band not in names]
    if missing:
        raise BandError(f"Model {pack.id} needs the bands {', '.join(missing)}, which {scene.name} lacks.")
    return tuple(names.index(band) for band in pack.inputs[scene.modality].bands)


def _extent_of(request: GenerateRequest) -> tuple[Optional[BBox], Optional[str]]:
    if request.extent is None and request.region is not None:
        return bounds_of(request.region), request.extent_crs
    return request.extent, request.extent_crs


def _parts(grids: list[Grid], pack: Pack, preset: Preset) -> tuple[Part, ...]:
    stride = presets.stride(pack.tile, preset, pack.patch)
    parts, first = [], 0
    for grid in grids:
        tiles = plan(grid.size, pack.tile, stride)
        parts.append(Part(grid, tiles, first))
        first += len(tiles)
    return tuple(parts)


def _warp_to(request: GenerateRequest, grids: list[Grid], geo: Geo) -> Optional[Grid]:
    """Several zones always come back as one raster, on the input's pixels (contracts.md, Grids)."""
    if request.grid == "model" and len(grids) == 1:
        return None
    target = _cropped(request.scene.grid, grids, geo)
    return None if len(grids) == 1 and _same(grids[0], target, geo) else target


def _same(a: Grid, b: Grid, geo: Geo) -> bool:
    return a.size == b.size and a.transform == b.transform and geo.same_crs(a.crs, b.crs)


def _cropped(scene: Grid, grids: list[Grid], geo: Geo) -> Grid:
    """The scene's own pixels that the model grids touch."""
    cols: list[float] = []
    rows: list[float] = []
    for grid in grids:
        box = grid.bounds
        if not geo.same_crs(grid.crs, scene.crs):
            box = geo.transform_bounds(box, grid.crs, scene.crs)
        for x, y in ((box.xmin, box.ymin), (box.xmin, box.ymax), (box.xmax, box.ymin), (box.xmax, box.ymax)):
            col, row = scene.transform.invert(x, y)
            cols.append(col)
            rows.append(row)
    # A millionth of a pixel is rounding, not extent.
    left, top = math.floor(min(cols) + 1e-6), math.floor(min(rows) + 1e-6)
    right, bottom = math.ceil(max(cols) - 1e-6), math.ceil(max(rows) - 1e-6)
    window = Window(left, top, right - left, bottom - top).intersection(scene.window)
    if window is None:
        raise ExtentError("The extent does not overlap the scene.")
    if window == scene.window:
        return scene
    return scene.crop(window)


def _bytes_needed(target: Target, parts: tuple[Part, ...], warp_to: Optional[Grid]) -> int:
    """All model grids, and the warped copy beside them, each with its temporary files."""
    needed = sum(bytes_needed(part.grid, target.spec) for part in parts)
    return needed + (bytes_needed(warp_to, target.spec) if warp_to is not None else 0)


def _source_name(scene: Scene) -> str:
    """The source without its folders: provenance, not a map of somebody's disk."""
    return os.path.basename(scene.source.rstrip("/\\")) or scene.name
