# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples: places that a user knows the class of, read from vectors and brought to pixels of a layout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..errors import ExtentError, InputError
from ..grid import Grid
from ..io import wkb
from ..io.base import Geo
from ..io.core import short_name
from ..packs.answers import PALETTE, ClassSpec
from ..types import Window
from .layout import Layout, coarser
from .region import transform_polygons
from .request import Polygons

MOST_CLASSES = 100
MOST_PER_PLACE = 200
"""Pixels that one polygon gives at most: neighbours say little that is new."""
MOST_PIXELS = 8000
"""Pixels that are trained on at most, shared out evenly among classes: training stays a matter of seconds."""
_LARGEST_WINDOW = 4_000_000
"""Pixels that are looked at for one polygon; larger ones are sampled more coarsely."""

Ids = npt.NDArray[np.int64]
Rings = Sequence[Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Sample:
    """One place of a class: a point, or a polygon as its rings."""

    name: str
    point: Optional[tuple[float, float]] = None
    polygon: Optional[Rings] = None


@dataclass(frozen=True)
class Samples:
    """Places in one CRS (WKT, "EPSG:4326"; None: the scene's own)."""

    places: tuple[Sample, ...]
    crs: Optional[str] = None
    colors: tuple[tuple[str, str], ...] = ()
    """Class name and #RRGGBB, where a class has a colour already."""
    unnamed: int = 0
    """Places that were left out because they have no class."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes in their order: numbers by size, words by the alphabet."""
        names = {place.name for place in self.places}
        return tuple(sorted(names, key=_order))

    def classes(self) -> tuple[ClassSpec, ...]:
        """Value, name and colour of each class. Raises InputError for fewer than two, or too many."""
        names, given = self.names, dict(self.colors)
        if not names:
            raise InputError("There are no samples; mark some places of at least two classes.")
        if len(names) < 2:
            raise InputError(f"All samples are {names[0]!r}; mark places of at least two classes.")
        if len(names) > MOST_CLASSES:
            raise InputError(
                f"The samples have {len(names)} classes, and {MOST_CLASSES} are possible; is it the right attribute?"
            )
        return tuple(
            ClassSpec(value, name[:120], given.get(name, PALETTE[value % len(PALETTE)]))
            for value, name in enumerate(names)
        )


def _order(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


def read_samples(path: str, field: str, geo: Geo, *, layer: Optional[str] = None) -> Samples:
    """Points and polygons of any vector file, with their class from an attribute, text or whole numbers.

    Raises SourceError, and InputError where there is no such attribute or no usable geometry.
    """
    features = geo.read_features(path, layer=layer)
    if field not in features.columns:
        listed = ", ".join(features.columns) or "none"
        raise InputError(f"{short_name(path)} has no attribute {field!r}; it has: {listed}.")
    places: list[Sample] = []
    unnamed = 0
    for data, value in zip(features.wkb, features.columns[field]):
        name = class_name(value)
        if not name or not data:
            unnamed += 1
            continue
        try:
            found = wkb.shapes(data)
        except ValueError as error:
            raise InputError(f"{short_name(path)} cannot be used: {error}.") from error
        places += [Sample(name, point=point) for point in found.points]
        places += [Sample(name, polygon=polygon) for polygon in found.polygons]
    if not places:
        raise InputError(f"{short_name(path)} holds no points or polygons with a class in {field!r}.")
    return Samples(tuple(places), features.crs, unnamed=unnamed)


def class_name(value: Any) -> str:
    """An attribute's value as the name of a class; empty where it names none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    return str(value).strip()


@dataclass(frozen=True)
class Pixels:
    """Pixels of a layout with their classes; all arrays are (n,)."""

    part: Ids
    row: Ids
    col: Ids
    label: Ids
    place: Ids
    """Which sample each came from."""

    def __len__(self) -> int:
        return len(self.label)

    def chosen(self, mask: npt.NDArray[Any]) -> Pixels:
        """Some of them, by mask or by numbers."""
        return Pixels(*(column[mask] for column in (self.part, self.row, self.col, self.label, self.place)))


def place_samples(samples: Samples, layout: Layout, geo: Geo, *, seed: int) -> tuple[Pixels, int]:
    """The pixels of samples, and how many samples lie outside of the scene.

    A point is the pixel under it; a polygon the pixels whose centres it holds, at most
    ``MOST_PER_PLACE``, drawn with ``seed`` (or the one in its middle, where it is smaller than a pixel).
    Raises ExtentError where none lies on the scene.
    """
    crs = layout.scenes[0].grid.crs if samples.crs is None else geo.parse_crs(samples.crs)
    numbers = {name: value for value, name in enumerate(samples.names)}
    columns: list[tuple[int, int, int, int, int]] = []
    outside = 0
    points = [(i, one.point) for i, one in enumerate(samples.places) if one.point is not None]
    columns += _points(points, samples, numbers, layout, crs, geo)
    for number, place in enumerate(samples.places):
        if place.polygon is None:
            continue
        found = _polygon(place.polygon, layout, crs, geo, np.random.default_rng([seed, number]))
        columns += [(*pixel, numbers[place.name], number) for pixel in found]
    outside = len(samples.places) - len({column[4] for column in columns})
    if not columns:
        raise ExtentError("No sample lies on the scene; is the CRS of the samples right?")
    table = np.array(sorted(columns, key=lambda c: (c[4], c[:3])), np.int64)
    pixels = Pixels(*table.T)
    return pixels.chosen(_thinned(pixels, seed)), outside


def _points(
    points: Sequence[tuple[int, Any]],
    samples: Samples,
    numbers: Mapping[str, int],
    layout: Layout,
    crs: str,
    geo: Geo,
) -> list[tuple[int, int, int, int, int]]:
    left = dict(points)
    found = []
    for part in layout.parts:
        if not left:
            break
        keys = list(left)
        xs, ys = geo.transform(crs, part.grid.crs, *zip(*(left[key] for key in keys)))
        for key, x, y in zip(keys, xs, ys):
            pixel = _pixel(part.grid, x, y)
            if pixel is not None:
                found.append((part.number, *pixel, numbers[samples.places[key].name], key))
                del left[key]
    return found


def _pixel(grid: Grid, x: float, y: float) -> Optional[tuple[int, int]]:
    """Row and column of the pixel at a place; None beside the grid."""
    if not (math.isfinite(x) and math.isfinite(y)):
        return None
    col, row = (math.floor(value) for value in grid.transform.invert(x, y))
    return (row, col) if 0 <= col < grid.width and 0 <= row < grid.height else None


def _polygon(
    polygon: Rings, layout: Layout, crs: str, geo: Geo, rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Part, row and column of some pixels of a polygon, on the first grid that it touches."""
    for part in layout.parts:
        try:
            moved = transform_polygons([polygon], crs, part.grid.crs, geo)
        except ExtentError:
            continue
        rows, cols = _inside(moved, part.grid, geo)
        if len(rows):
            kept = np.sort(rng.permutation(len(rows))[:MOST_PER_PLACE])
            return [(part.number, int(r), int(c)) for r, c in zip(rows[kept], cols[kept])]
    return []


def _inside(polygons: Polygons, grid: Grid, geo: Geo) -> tuple[Ids, Ids]:
    ring = polygons[0][0]
    cols, rows = zip(*(grid.transform.invert(x, y) for x, y in ring))
    left, top = math.floor(min(cols)), math.floor(min(rows))
    right, bottom = max(math.ceil(max(cols)), left + 1), max(math.ceil(max(rows)), top + 1)
    window = Window(left, top, right - left, bottom - top).intersection(grid.window)
    if window is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    step = max(1, math.ceil(math.sqrt(window.width * window.height / _LARGEST_WINDOW)))
    sparse = coarser(grid, step)
    first = Window(
        window.col // step, window.row // step, -(-window.width // step), -(-window.height // step)
    )
    mask = geo.rasterize(polygons, sparse, first)
    found_rows, found_cols = (found.astype(np.int64) for found in np.nonzero(mask))
    # The pixel in the middle of each coarse one.
    found_rows = (found_rows + first.row) * step + step // 2
    found_cols = (found_cols + first.col) * step + step // 2
    if not len(found_rows):
        middle = (sum(x for x, _ in ring) / len(ring), sum(y for _, y in ring) / len(ring))
        pixel = _pixel(grid, *middle)
        if pixel is not None:
            return np.array([pixel[0]]), np.array([pixel[1]])
    there = (found_rows < grid.height) & (found_cols < grid.width)
    return found_rows[there], found_cols[there]


def _thinned(pixels: Pixels, seed: int) -> Ids:
    """Numbers of the pixels to keep: each class's share of ``MOST_PIXELS``, but one of every place."""
    kept = []
    most = MOST_PIXELS // len(np.unique(pixels.label))
    for label in np.unique(pixels.label):
        own = np.flatnonzero(pixels.label == label)
        if len(own) > most:
            first = own[np.unique(pixels.place[own], return_index=True)[1]]
            rest = np.random.default_rng([seed, int(label)]).permutation(np.setdiff1d(own, first))
            own = np.concatenate((first, rest[: max(0, most - len(first))]))
        kept.append(own)
    return np.sort(np.concatenate(kept))
