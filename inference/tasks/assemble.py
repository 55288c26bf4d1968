# SPDX-License-Identifier: GPL-2.0-or-later
"""The second phase: tiles out of the journal, blended and written strip by strip.

Memory is bounded by one row of tiles of one source, whatever the scene's height.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional, Protocol

import numpy as np
import numpy.typing as npt

from ..blend import RowBlender, Strip
from ..grid import Grid
from ..io.base import Float32, Geo, Mask, OutputSpec, Writer
from ..seams import Correction
from ..tiling import Tile, TilePlan
from ..types import Cancel, Window
from .journal import Journal
from .layout import Layout, Part, coarser, coarser_plan, finer
from .staging import Staging
from .streaming import Behind

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Product:
    """One raster that a run makes."""

    id: str
    """Its key among the outputs."""
    source: str
    """Which of the model's results it is made of; several products may share one."""
    channels: int
    """Of the source."""
    spec: OutputSpec
    pixels: Callable[[Float32, Mask], Array]
    """Blended values (channels, h, w) and validity (h, w) to (bands, h, w) of the spec's type."""
    scale: int = 1
    """Pixels of the model's grid to one of this raster, along each axis: the patch for embeddings."""
    resampling: str = "bilinear"
    finer: int = 1
    """Pixels of this raster to one of the model's grid, along each axis; ``pixels`` gives the finer ones."""
    form: str = "float32"
    """How the journal keeps the source: "float32", or "share" for shares from 0 to 1 (to 8e-6)."""


class Tiles:
    """The tiles of one source on one grid, in the source's own pixels."""

    def __init__(self, journal: Journal, part: Part, source: str, scale: int = 1) -> None:
        self._journal, self._source, self._scale = journal, source, scale
        self.part = part
        self.plan: TilePlan = coarser_plan(part.plan, scale)
        self.grid: Grid = coarser(part.grid, scale)

    def holds(self, tile: Tile) -> bool:
        """Whether the model gave this tile; it does not where no pixel is valid."""
        return self._journal.holds(self.part.first_tile + tile.index)

    def read(self, tile: Tile) -> Float32:
        """(channels, tile, tile) float32; it must be one that ``holds``."""
        values: Float32 = self._journal.read(self._source, self.part.first_tile + tile.index)
        return values

    def valid(self, window: Window) -> Mask:
        """Where the input is valid (h, w); for coarser pixels, where any pixel inside of them is."""
        scale = self._scale
        mask = self._journal.mask(self.part.number, window.row * scale, window.height * scale)
        if scale > 1:
            mask = mask.reshape(window.height, scale, -1, scale).any(axis=(1, 3))
        return mask[:, window.col : window.col + window.width]


class Levels(Protocol):
    """Levels the tiles of a source before they are blended (``elevation``)."""

    warnings: Sequence[str]
    """What the user should know, once all grids are solved."""

    def solve(self, tiles: Tiles, cancel: Cancel) -> Optional[Correction]:
        """What to add to the tiles of one grid; None: nothing."""
        ...

    def tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """A raster's tags with what was done to its levels; asked when its grids are solved."""
        ...


@dataclass(frozen=True)
class PlacedVectors:
    """What the model gave per tile, not per pixel, on one grid."""

    part: Part
    tiles: tuple[Tile, ...]
    """Those that the model ran on."""
    values: Mapping[str, Array]
    """Per source (len(tiles), k) float64."""


Features = Callable[[Sequence[PlacedVectors], str], None]
"""Writes a vector file under a path (temporary until the run is complete), from the vectors of all grids."""


def vectors_of(journal: Journal, layout: Layout, names: Sequence[str]) -> list[PlacedVectors]:
    """The per-tile vectors of all grids, in the order of the tiles."""
    placed = []
    for part in layout.parts:
        tiles = tuple(tile for tile in part.plan if journal.holds(part.first_tile + tile.index))
        values = {
            name: np.array([journal.read(name, part.first_tile + tile.index) for tile in tiles])
            for name in names
        }
        placed.append(PlacedVectors(part, tiles, values))
    return placed


def assemble(
    layout: Layout,
    journal: Journal,
    products: Sequence[Product],
    staging: Staging,
    geo: Geo,
    *,
    levels: Mapping[str, Levels],
    cancel: Cancel,
    say: Callable[[str], None],
) -> None:
    """Blend and write all rasters of a run into the staging folder."""
    for source in dict.fromkeys(product.source for product in products):
        group = [product for product in products if product.source == source]
        made: dict[str, list[str]] = {product.id: [] for product in group}
        leveller = levels.get(source)

        def described(product: Product, leveller: Optional[Levels] = leveller) -> Product:
            if leveller is None:
                return product
            return replace(product, spec=replace(product.spec, tags=leveller.tags(product.spec.tags)))

        for part in layout.parts:
            paths = {
                name: staging.path(name)
                if layout.warp_to is None
                else staging.scratch(name, f"{part.number}.tif")
                for name in made
            }
            tiles = Tiles(journal, part, source, group[0].scale)
            correction = None
            if leveller is not None:
                say(f"Levelling {source}")
                correction = leveller.solve(tiles, cancel)
            _write(tiles, [described(product) for product in group], paths, geo, correction, cancel, say)
            for name, path in paths.items():
                made[name].append(path)
        if layout.warp_to is None:
            continue
        for product in group:
            cancel.raise_if_set()
            say(f"Warping {product.id}")
            geo.warp(
                staging.path(product.id),
                made[product.id],
                finer(coarser(layout.warp_to, product.scale), product.finer),
                described(product).spec,
                resampling=product.resampling,
                cancel=cancel,
            )


def _write(
    tiles: Tiles,
    products: Sequence[Product],
    paths: Mapping[str, str],
    geo: Geo,
    correction: Optional[Correction],
    cancel: Cancel,
    say: Callable[[str], None],
) -> None:
    """Write the products of one source on one grid."""
    with ExitStack() as stack:
        writers: dict[str, Writer] = {}
        for product in products:
            grid = finer(tiles.grid, product.finer)
            writers[product.id] = geo.writer(paths[product.id], grid, product.spec)
            stack.callback(writers[product.id].abort)

        def write(item: tuple[Strip, Mask]) -> None:
            strip, valid = item
            for product in products:
                window = Window(*(length * product.finer for length in strip.window))
                writers[product.id].write(window, product.pixels(strip.values, valid))

        behind = Behind(write, depth=1, cancel=cancel)
        stack.callback(behind.close)
        for strip in _strips(tiles, products[0].channels, correction, cancel):
            behind.put((strip, tiles.valid(strip.window) & strip.covered))
        behind.finish()
        for name, writer in writers.items():
            cancel.raise_if_set()
            say(f"Writing {name}")
            writer.commit(cancel)


def _strips(tiles: Tiles, channels: int, correction: Optional[Correction], cancel: Cancel) -> Iterator[Strip]:
    """The blended rows of one source on one grid."""
    blender = RowBlender(tiles.plan, channels)
    for row in range(len(tiles.plan.rows)):
        cancel.raise_if_set()
        for tile in tiles.plan.row_tiles(row):
            if tiles.holds(tile):
                values = tiles.read(tile)
                if correction is not None:
                    values = correction.apply(tile.index, values)
                blender.feed(tile, values)
        yield blender.finish_row()
