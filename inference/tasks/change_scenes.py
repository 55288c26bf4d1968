# SPDX-License-Identifier: GPL-2.0-or-later
"""How much two scenes differ, pixel by pixel or patch by patch: a magnitude, its histogram, what lies above.

Of two embeddings the magnitude is their cosine distance, 0 to 2. Of two images it is the length of the
spectral change vector (Malila 1980), in standard deviations: each band of each date is first brought to mean
0 and deviation 1 over the pixels that did not change, which takes out what light and sensor did to the whole
image, and the squares are averaged over the bands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Optional, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SourceError
from ..grid import Grid
from ..io import default_geo
from ..io.base import BandRef, Features, Float32, Geo, Mask, OutputSpec, Writer
from ..io.core import short_name
from ..io.gpkg_style import plain_style
from ..io.output import check_output
from ..io.scene import Scene, SceneReader
from ..mapscale import MapScale
from ..otsu import otsu
from ..outlines import NOTHING
from ..tracing import Strip, trace
from ..types import Cancel, ProgressCallback, Window
from .change_classes import large
from .common_grid import common_grid, map_scale
from .patches import Patches, unit
from .phases import Phase, phases
from .transitions import measured_runs
from .vectorize import STRIP_PIXELS, Shapes

NODATA = -9999.0
BINS = 512
"""Of the histogram: as fine as a dock is wide."""
STEADY = 0.1
"""Part of the pixels, and of each band's deviation, that must be left when changed pixels are set aside."""
SAMPLE = 2**19
"""Pixels that balance is judged by."""
ROUNDS = 20
"""Looks at most until the pixels that did not change stay the same."""
COSINE, DEVIATIONS = "cosine distance", "standard deviations"
RED = (215, 48, 31, 130)

Float64 = npt.NDArray[np.float64]


class Magnitudes(Protocol):
    """Something that tells how much each place changed, as often as it is asked."""

    @property
    def grid(self) -> Grid:
        """Where they lie."""
        ...

    def strips(self, cancel: Cancel, phase: Phase) -> Iterator[tuple[Window, Float32]]:
        """Magnitudes (h, w), NaN where there is none; from the top to the bottom."""
        ...


class EmbeddingPair:
    """Two rasters of embeddings on the very same grid."""

    def __init__(self, before: str, after: str, geo: Geo) -> None:
        self._pair = Patches(before, geo), Patches(after, geo)
        first, second = self._pair
        if first.dim != second.dim:
            raise InputError(
                f"{short_name(before)} has {first.dim} numbers per patch and {short_name(after)} {second.dim}; "
                "make both with the same model."
            )
        same = first.grid.size == second.grid.size and first.grid.transform == second.grid.transform
        if not same or not geo.same_crs(first.grid.crs, second.grid.crs):
            raise InputError(
                "The two rasters of embeddings lie on different grids; compare the scenes instead."
            )
        models = [patches.info.tags.get("TERRANE_PACK_SHA256", "") for patches in self._pair]
        if models[0] != models[1]:
            raise InputError(
                "The two rasters of embeddings come from different models, so they tell nothing."
            )
        self.grid = first.grid

    @property
    def tags(self) -> dict[str, str]:
        """What the embeddings say of their model."""
        kept = ("MODEL", "PACK_SHA256", "PRESET", "NOTICE", "INPUTS", "PATCH")
        tags = self._pair[0].info.tags
        return {f"TERRANE_{key}": tags[f"TERRANE_{key}"] for key in kept if f"TERRANE_{key}" in tags}

    def strips(self, cancel: Cancel, phase: Phase) -> Iterator[tuple[Window, Float32]]:
        """See Magnitudes."""
        for (window, a, known), (_, b, also) in zip(*(patches.strips(cancel) for patches in self._pair)):
            valid = known & also
            result = np.full(len(a), np.nan, np.float32)
            result[valid] = cosine_distance(a[valid], b[valid])
            yield window, result.reshape(window.height, window.width)
            phase.at(window.row + window.height, self.grid.height)


def cosine_distance(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Float32:
    """1 − cosine of the angle between vectors (n, D): (n,) float32, 0 to 2; exactly 0 for equal ones.

    A vector of no length is at distance 1 from all others, and at 0 from its like.
    """
    first, second = unit(a), unit(b)
    step = first - second
    half = np.einsum("nd,nd->n", step, step) / 2
    # |u − v|² / 2 is 1 − cos for unit vectors, without losing digits where both are almost the same.
    empty = [~vectors.any(axis=1) for vectors in (first, second)]
    half[empty[0] ^ empty[1]] = 1.0
    return np.asarray(np.clip(half, 0.0, 2.0), np.float32)


class ImagePair:
    """Two images with the same bands, on the pixels of the first that both cover."""

    def __init__(self, before: Scene, after: Scene, geo: Geo) -> None:
        self._scenes, self._geo = (before, after), geo
        self.grid = common_grid(before.grid, after.grid, geo)
        self._mean: Float64 = np.zeros((2, len(before.bands)))
        self._deviation: Float64 = np.ones((2, len(before.bands)))

    def _read(self, cancel: Cancel, phase: Phase) -> Iterator[tuple[Window, list[Float32], Mask]]:
        grid, geo = self.grid, self._geo
        rows = max(1, STRIP_PIXELS // (grid.width * len(self._scenes[0].bands)))
        readers = (SceneReader(scene, grid, geo) for scene in self._scenes)
        with closing(next(readers)) as first, closing(next(readers)) as second:
            for top in range(0, grid.height, rows):
                cancel.raise_if_set()
                window = Window(0, top, grid.width, min(rows, grid.height - top))
                (a, known), (b, also) = first.read(window), second.read(window)
                yield window, [a, b], known & also
                phase.at(top + window.height, grid.height)

    def balance(self, cancel: Cancel, phase: Phase) -> None:
        """Take mean and deviation of all bands over the pixels that both have, then over those of them that by
        the look so far did not change, until these stay the same: change itself must not count as light.

        Looks at ``SAMPLE`` pixels at most, evenly spread. Raises SourceError.
        """
        sample = self._sample(cancel, phase)
        steady = np.ones(sample.shape[2], np.bool_)
        least = np.zeros_like(self._mean)
        for _ in range(ROUNDS):
            cancel.raise_if_set()
            chosen = sample[:, :, steady].astype(np.float64)
            mean, deviation = chosen.mean(axis=2), chosen.std(axis=2)
            if steady.sum() < STEADY * len(steady) or (deviation < least).any():
                return
            least = least if least.any() else STEADY * deviation
            self._mean, self._deviation = mean, np.where(deviation > 0, deviation, 1.0)
            values = self._magnitudes(list(sample), np.ones(len(steady), np.bool_)).astype(np.float64)
            low, high = float(values.min()), float(values.max())
            if high <= low:
                return
            counts, edges = np.histogram(values, BINS, (low, high))
            before, steady = steady, values <= otsu(counts, edges)
            if np.array_equal(before, steady):
                return

    def _sample(self, cancel: Cancel, phase: Phase) -> Float32:
        """Values (2, bands, n) of pixels on a lattice that both have. Raises SourceError."""
        step = max(1, math.ceil(math.sqrt(self.grid.width * self.grid.height / SAMPLE)))
        # So little data that it falls through the lattice is little enough to take whole.
        for apart in dict.fromkeys((step, 1)):
            found = []
            for window, images, valid in self._read(cancel, phase):
                place = slice(-window.row % apart, None, apart), slice(None, None, apart)
                seen = valid[place]
                found.append(np.stack([image[(slice(None), *place)][:, seen] for image in images]))
            sample: Float32 = np.concatenate(found, axis=2)
            if sample.shape[2]:
                return sample
        raise SourceError("The two images have no pixel with data in common, so nothing can be compared.")

    def _magnitudes(self, images: list[Float32], valid: Mask) -> Float32:
        """Lengths (n,) of the change vectors of the valid pixels."""
        steps = [
            (image[:, valid] - mean[:, None]) / deviation[:, None]
            for image, mean, deviation in zip(images, self._mean, self._deviation)
        ]
        return np.asarray(np.sqrt(((steps[1] - steps[0]) ** 2).mean(axis=0)), np.float32)

    def strips(self, cancel: Cancel, phase: Phase) -> Iterator[tuple[Window, Float32]]:
        """See Magnitudes; ``balance`` comes first."""
        for window, images, valid in self._read(cancel, phase):
            result = np.full((window.height, window.width), np.nan, np.float32)
            result[valid] = self._magnitudes(images, valid)
            yield window, result


class MagnitudeRaster:
    """Magnitudes that lie in a file. Raises SourceError."""

    def __init__(self, path: str, geo: Geo) -> None:
        self.path, self._geo = path, geo
        self.info = geo.describe(path)
        if self.info.grid is None:
            raise SourceError(f"{short_name(path)} {self.info.problem}")
        self.grid: Grid = self.info.grid

    def strips(self, cancel: Cancel, phase: Phase) -> Iterator[tuple[Window, Float32]]:
        """See Magnitudes."""
        grid = self.grid
        rows = max(1, STRIP_PIXELS // grid.width)
        with closing(self._geo.reader([BandRef(self.path)], grid, resampling="nearest")) as reader:
            for top in range(0, grid.height, rows):
                cancel.raise_if_set()
                window = Window(0, top, grid.width, min(rows, grid.height - top))
                values, valid = reader.read(window)
                yield window, np.where(valid[0], values[0], np.float32(np.nan))
                phase.at(top + window.height, grid.height)


@dataclass(frozen=True)
class Histogram:
    """How often each magnitude occurs: ``counts`` (n,) pixels between ``edges`` (n + 1,)."""

    counts: tuple[int, ...]
    edges: tuple[float, ...]

    @property
    def pixels(self) -> int:
        """All of them."""
        return sum(self.counts)

    def otsu(self) -> float:
        """The threshold that splits it best."""
        return otsu(np.asarray(self.counts), np.asarray(self.edges))


def write_magnitudes(source: Magnitudes, writer: Writer, cancel: Cancel, phase: Phase) -> tuple[float, float]:
    """Write the raster of magnitudes; returns the least and the greatest. Raises SourceError without any."""
    low, high = np.inf, -np.inf
    for window, values in source.strips(cancel, phase):
        writer.write(window, np.where(np.isnan(values), np.float32(NODATA), values)[None])
        known = values[np.isfinite(values)]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    if not np.isfinite(low):
        raise SourceError("The two scenes have no place with data in common, so nothing can be compared.")
    return low, high


def histogram(
    source: Magnitudes, low: float, high: float, cancel: Cancel, phase: Phase, bins: int = BINS
) -> Histogram:
    """Count magnitudes between their least and their greatest."""
    counts = np.zeros(bins, np.int64)
    for _, values in source.strips(cancel, phase):
        known = values[np.isfinite(values)].astype(np.float64)
        counts += np.histogram(known, bins, (low, high if high > low else low + 1.0))[0]
    if high <= low:  # all are the same: the only bin that there is begins and ends there
        return Histogram((int(counts.sum()),), (low, low))
    return Histogram(tuple(counts.tolist()), tuple(np.linspace(low, high, bins + 1).tolist()))


class Above:
    """What lies above a threshold, added up while strips go by; iterate over it for ``trace``."""

    def __init__(
        self, source: Magnitudes, threshold: float, scale: MapScale, cancel: Cancel, phase: Phase
    ) -> None:
        self._source, self._threshold, self._scale = source, threshold, scale
        self._cancel, self._phase = cancel, phase
        self.pixels, self.all_pixels, self.area, self.all_area = 0, 0, 0.0, 0.0

    def __iter__(self) -> Iterator[Strip]:
        for window, values in self._source.strips(self._cancel, self._phase):
            known = np.isfinite(values)
            above = known & (values > np.float32(self._threshold))
            kind = np.where(known, above.astype(np.int32), NOTHING).astype(np.int32)
            value, pixels, area = measured_runs(kind, window.row, self._scale)
            self.all_pixels += int(pixels.sum())
            self.all_area += float(area.sum())
            self.pixels += int(pixels[value == 1].sum())
            self.area += float(area[value == 1].sum())
            yield window.row, np.where(above, 1, NOTHING).astype(np.int32), values


def above_polygons(
    above: Above, grid: Grid, scale: MapScale, tags: dict[str, str], *, min_area: float
) -> Features:
    """Polygons of what lies above the threshold, each with its mean magnitude."""
    traced = trace(above, (grid.height, grid.width), weight=scale.area)
    kept = large(traced.area, min_area)
    shapes = Shapes(traced, scale, kept=kept)
    columns: dict[str, Any] = {
        "magnitude": shapes.score,
        "area_m2": shapes.area,
        "perim_m": shapes.perimeter,
        "pixels": shapes.pixels,
        "model": [tags.get("TERRANE_MODEL", "")] * len(shapes.pixels),
    }
    return Features(grid.crs, "Polygon", shapes.wkb(grid), columns, tags, plain_style(RED))


def magnitude_spec(unit_name: str, tags: dict[str, str]) -> OutputSpec:
    """What the raster of magnitudes says of itself."""
    notes = {
        COSINE: "Cosine distance of the embeddings of both dates: 0 the same, 2 opposite.",
        DEVIATIONS: "Difference of both dates over all bands, in standard deviations: 0 the same.",
    }
    tags = {**tags, "TERRANE_MODALITY": "MAGNITUDE", "TERRANE_NOTE": notes[unit_name]}
    return OutputSpec("float32", NODATA, ("Magnitude of change",), (unit_name,), tags=tags)


def outline_change(
    magnitudes: str,
    output: str,
    threshold: float,
    *,
    min_area: float = 0.0,
    overwrite: bool = False,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
) -> int:
    """Polygons of a raster of magnitudes that ``compare`` wrote, for another threshold; returns how many.

    Raises InputError and its kinds, MachineError, Cancelled.
    """
    geo, cancel = geo or default_geo(), cancel or Cancel()
    check_output(output, overwrite=overwrite)
    source = MagnitudeRaster(magnitudes, geo)
    scale = map_scale(source.grid, geo)
    tags = {key: value for key, value in source.info.tags.items() if key.startswith("TERRANE_")}
    tags["TERRANE_THRESHOLD"] = repr(threshold)
    step = phases(progress, {"Outlining": 1})["Outlining"]
    above = Above(source, threshold, scale, cancel, step)
    features = above_polygons(above, source.grid, scale, tags, min_area=min_area)
    geo.write_features(output, features, overwrite=overwrite)
    return len(features.wkb)
