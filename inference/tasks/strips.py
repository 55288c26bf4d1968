# SPDX-License-Identifier: GPL-2.0-or-later
"""The input under rows of tiles: several scenes read onto one grid, and tiles cut out of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ExtentError
from ..io.base import Float32, Geo, Mask
from ..io.scene import SceneReader
from ..tiling import Tile, filled, reflected
from ..types import Window
from .layout import Layout, Part
from .region import RegionMask

LONLAT = "EPSG:4326"


class SceneLike(Protocol):
    """What reads a scene: values (bands, h, w) float32, NaN where invalid, and valid (h, w)."""

    def read(self, window: Window) -> tuple[Float32, Mask]:
        """Read a window of the model grid."""
        ...


class InputStrip(NamedTuple):
    """The input under one row of tiles."""

    row: int
    values: tuple[Float32, ...]
    """Per scene (bands, h, w) in the modality's unit, NaN where there is none."""
    valid: Mask
    """(h, w): valid in every scene and inside the region."""


class InputReader:
    """Reads the scenes of a layout on one of its grids; use as a context."""

    def __init__(self, layout: Layout, part: Part, geo: Geo) -> None:
        self._layout, self._part, self._geo = layout, part, geo
        self._region = RegionMask(layout.region, layout.region_crs, part.grid, geo)
        self._stack = ExitStack()
        self._readers: list[SceneLike] = []

    def __enter__(self) -> InputReader:
        try:
            for scene in self._layout.scenes:
                reader = SceneReader(scene, self._part.grid, self._geo)
                self._readers.append(self._stack.enter_context(closing(reader)))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, window: Window) -> tuple[list[Float32], Mask]:
        """Per scene the pack's bands of a window, and where all scenes are valid."""
        together, values = None, []
        for reader, bands in zip(self._readers, self._layout.bands):
            one, valid = reader.read(window)
            if list(bands) != list(range(len(one))):
                one = one[list(bands)]
            values.append(one)
            together = valid if together is None else together & valid
        if together is None:
            raise ValueError("there is no scene to read")
        return values, self._region.clip(together, window)

    def strips(self, rows: Sequence[int]) -> Iterator[InputStrip]:
        """The strips under some rows of tiles, in order; pixels that neighbours share are read once."""
        plan = self._part.plan
        values: list[Float32] = []
        valid: Mask = np.zeros((0, plan.size.width), np.bool_)
        before = None
        for row in rows:
            strip = plan.strip(row)
            fresh = plan.fresh(row) if before == row - 1 else strip
            new_values, new_valid = self.read(fresh)
            kept = strip.height - fresh.height
            if kept:
                new_values = [np.concatenate((a[:, -kept:], b), axis=1) for a, b in zip(values, new_values)]
                new_valid = np.concatenate((valid[-kept:], new_valid), axis=0)
            values, valid, before = new_values, new_valid, row
            yield InputStrip(row, tuple(values), valid)

    def images(self, strip: InputStrip, tiles: Sequence[Tile]) -> dict[str, npt.NDArray[Any]]:
        """What the model takes: per modality (B, bands, T, T), and COORDS (B, 2) where asked for.

        Holes are filled, and what sticks out of the scene is mirrored.
        """
        size = self._part.plan.tile
        images: dict[str, npt.NDArray[Any]] = {}
        for scene, values in zip(self._layout.scenes, strip.values):
            cuts = [reflected(filled(cut(values, tile)), size, size) for tile in tiles]
            images[scene.modality] = np.stack(cuts)
        if self._layout.coords:
            images["COORDS"] = self.centres(tiles)
        return images

    def centres(self, tiles: Sequence[Tile]) -> npt.NDArray[np.float64]:
        """Longitude and latitude (B, 2) in degrees of the middle of each tile's part of the grid."""
        return centres(self._part, tiles, self._geo)


def centres(part: Part, tiles: Sequence[Tile], geo: Geo) -> npt.NDArray[np.float64]:
    """Longitude and latitude (B, 2) in degrees of the middle of each tile's part of the grid.

    Raises ExtentError where the grid's CRS cannot be turned into these.
    """
    points = []
    for tile in tiles:
        seen = tile.window.intersection(part.grid.window) or tile.window
        points.append(part.grid.transform.apply(seen.col + seen.width / 2, seen.row + seen.height / 2))
    lon, lat = geo.transform(part.grid.crs, geo.parse_crs(LONLAT), *zip(*points))
    if not all(map(math.isfinite, (*lon, *lat))):
        raise ExtentError("The place of the extent on the Earth cannot be told from its CRS.")
    return np.stack((np.asarray(lon, np.float64), np.asarray(lat, np.float64)), axis=1)


def cut(strip: npt.NDArray[Any], tile: Tile) -> npt.NDArray[Any]:
    """The columns of a strip (…, h, w) that a tile covers."""
    return strip[..., tile.window.col : tile.window.col + tile.window.width]
