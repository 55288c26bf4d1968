# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a run works: scenes onto model grids, tiles over these, and the way back to the input's pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from .. import presets
from ..errors import BandError, ExtentError, ModelError
from ..grid import Affine, Grid
from ..io.base import Geo
from ..io.model_grid import model_grids
from ..io.scene import Scene
from ..packs.manifest import Pack
from ..presets import Preset
from ..tiling import TilePlan, plan
from ..types import BBox, Size, Window
from .region import bounds_of
from .request import Polygons


@dataclass(frozen=True)
class Part:
    """One model grid of a run; there are several where the extent is split by UTM zone."""

    number: int
    grid: Grid
    plan: TilePlan
    first_tile: int
    """Number of its first tile in the whole run: random numbers and the journal go by it."""


@dataclass(frozen=True)
class Layout:
    """Scenes, and the tiles that a model takes of them."""

    scenes: tuple[Scene, ...]
    """The first defines the grid; the others are read onto it."""
    bands: tuple[tuple[int, ...], ...]
    """Per scene, the places of the pack's bands among its own, in the pack's order."""
    parts: tuple[Part, ...]
    warp_to: Optional[Grid]
    """The input's pixels, where results do not lie on them already and were asked to; else None."""
    region: Optional[Polygons] = None
    region_crs: Optional[str] = None
    """CRS of the region."""
    coords: bool = False
    """Whether the model also takes the longitude and latitude of each tile's centre."""

    @property
    def tiles(self) -> int:
        """Tiles of all parts."""
        return sum(len(part.plan) for part in self.parts)

    @property
    def tile(self) -> int:
        """Side of a tile in pixels."""
        return self.parts[0].plan.tile

    @property
    def name(self) -> str:
        """The scene's name, or that of all of them, for messages."""
        return " and ".join(scene.name for scene in self.scenes)


def lay_out(
    scenes: Sequence[Scene],
    pack: Pack,
    geo: Geo,
    *,
    preset: Preset,
    extent: Optional[BBox] = None,
    extent_crs: Optional[str] = None,
    region: Optional[Polygons] = None,
    grid: str = "model",
    tile: Optional[int] = None,
    align: int = 1,
    coords: bool = False,
) -> Layout:
    """Lay a pack's tiles over scenes; reads headers only.

    ``extent`` and ``region`` are in ``extent_crs`` (None: the first scene's); ``grid`` is "model" or
    "input"; the stride is the preset's. ``align`` makes the grids a multiple of so many pixels, growing
    them beyond the scene's edge: what a product with one pixel per patch needs.
    Raises BandError, ExtentError, ModelError, InputError.
    """
    if tile not in (None, pack.tile):
        raise ModelError(f"Model {pack.id} takes tiles of {pack.tile} pixels, not {tile}.")
    bands = tuple(_band_places(scene, pack) for scene in scenes)
    if extent is not None:
        _check_extent(extent)
    elif region is not None:
        extent = bounds_of(region)
    first = scenes[0]
    grids = model_grids(first.grid, pack.gsd, geo, extent, extent_crs)
    warp_to = _warp_to(first.grid, grid, grids, geo)
    stride = presets.stride(pack.tile, preset, pack.patch)
    parts: list[Part] = []
    for number, one in enumerate(grids):
        size = Size(*(-(-length // align) * align for length in one.size))
        before = sum(len(part.plan) for part in parts)
        parts.append(Part(number, Grid(one.crs, one.transform, size), plan(size, pack.tile, stride), before))
    region_crs = extent_crs or first.grid.crs
    return Layout(tuple(scenes), bands, tuple(parts), warp_to, region, region_crs, coords)


def _check_extent(box: BBox) -> None:
    if not all(map(math.isfinite, box)):
        raise ExtentError("The extent must be four finite numbers: XMIN YMIN XMAX YMAX.")
    if box.xmin >= box.xmax or box.ymin >= box.ymax:
        raise ExtentError("The extent is empty: XMIN must be less than XMAX, and YMIN less than YMAX.")


def _band_places(scene: Scene, pack: Pack) -> tuple[int, ...]:
    if scene.modality not in pack.inputs:
        raise ModelError(
            f"Model {pack.id} does not take {scene.modality}; it takes {', '.join(pack.inputs)}."
        )
    names = [band.name for band in scene.bands]
    missing = [band for band in pack.inputs[scene.modality].bands if band not in names]
    if missing:
        raise BandError(f"Model {pack.id} needs the bands {', '.join(missing)}, which {scene.name} lacks.")
    return tuple(names.index(band) for band in pack.inputs[scene.modality].bands)


def _warp_to(scene: Grid, grid: str, grids: Sequence[Grid], geo: Geo) -> Optional[Grid]:
    """Several zones always come back as one raster, on the input's pixels (contracts.md, Grids)."""
    if grid == "model" and len(grids) == 1:
        return None
    target = _cropped(scene, grids, geo)
    return None if len(grids) == 1 and _same(grids[0], target, geo) else target


def _same(a: Grid, b: Grid, geo: Geo) -> bool:
    return a.size == b.size and a.transform == b.transform and geo.same_crs(a.crs, b.crs)


def _cropped(scene: Grid, grids: Sequence[Grid], geo: Geo) -> Grid:
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


def coarser(grid: Grid, scale: int) -> Grid:
    """The grid with one pixel for ``scale`` × ``scale``, rounded up."""
    if scale == 1:
        return grid
    a, b, c, d, e, f = grid.transform
    size = Size(-(-grid.width // scale), -(-grid.height // scale))
    return Grid(grid.crs, Affine(a * scale, b * scale, c, d * scale, e * scale, f), size)


def finer(grid: Grid, scale: int) -> Grid:
    """The grid with ``scale`` × ``scale`` pixels for one."""
    if scale == 1:
        return grid
    a, b, c, d, e, f = grid.transform
    size = Size(grid.width * scale, grid.height * scale)
    return Grid(grid.crs, Affine(a / scale, b / scale, c, d / scale, e / scale, f), size)


def coarser_plan(tiles: TilePlan, scale: int) -> TilePlan:
    """The plan in pixels of ``scale`` × ``scale``; everything in it must be a multiple of that."""
    if scale == 1:
        return tiles
    lengths = (*tiles.rows, *tiles.cols, tiles.tile, tiles.stride, *tiles.size)
    if any(length % scale for length in lengths):
        raise ValueError(f"the plan {tiles} is not laid out in steps of {scale} pixels")
    return TilePlan(
        Size(tiles.size.width // scale, tiles.size.height // scale),
        tiles.tile // scale,
        tiles.stride // scale,
        tuple(row // scale for row in tiles.rows),
        tuple(col // scale for col in tiles.cols),
    )
