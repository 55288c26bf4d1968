# SPDX-License-Identifier: GPL-2.0-or-later
"""*Similar*: a raster of embeddings and examples in; how alike every patch is to them out.

Likeness is the cosine of the angle between two vectors, from −1 to 1. An example is a patch (the one
under a point) or a polygon (the mean of the unit vectors of the patches whose centres it holds). With
several examples a patch counts as alike when it is like any of them ("max", the default), or like their
mean ("mean": the mean of the examples' unit vectors).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..errors import ExtentError, InputError
from ..io import default_geo, wkb
from ..io.base import BandRef, Features, Float32, Geo, Mask, OutputSpec
from ..io.core import short_name
from ..io.output import check_output
from ..io.vectors import suffix_of
from ..types import Cancel, Progress, ProgressCallback, Window
from .machine import peak_rss_mb
from .outputs import version
from .patches import Float64, Patches, unit
from .region import transform_polygons
from .request import SCHEMA, Polygons

COMBINE = ("max", "mean")
NODATA = -9999.0
MOST = 100_000
"""Patches at most in a vector file."""


@dataclass(frozen=True)
class SimilarRequest:
    """Compare every patch of ``embeddings`` with examples: write ``output``, a raster, and ``places``."""

    embeddings: str
    """A raster with one vector per pixel, as *embed* makes them."""
    output: str
    points: Sequence[tuple[float, float]] = ()
    """Each is an example: the patch under it."""
    regions: Optional[Polygons] = None
    """Polygons; each is an example."""
    crs: Optional[str] = None
    """CRS of points and regions ("EPSG:4326", WKT); None is the raster's own."""
    combine: str = "max"
    """How several examples make one: "max" or "mean"."""
    centre: bool = False
    """Measure angles from the mean of all patches, not from zero: tells more where everything looks alike."""
    places: Optional[str] = None
    """A vector file for the most similar patches, the best first."""
    top: Optional[int] = None
    """So many of them at most; examples themselves are left out."""
    threshold: Optional[float] = None
    """Only those at least so similar, −1 to 1."""
    overwrite: bool = False


@dataclass(frozen=True)
class SimilarResult:
    """What came of it."""

    output: str
    places: Optional[str]
    examples: int
    """Points and polygons that were compared with."""
    found: int
    """Patches in ``places``."""
    low: float
    """The least and the greatest similarity in the raster, examples included."""
    high: float
    seconds: float
    peak_rss_mb: Optional[float]

    def to_json(self) -> dict[str, Any]:
        """The envelope of contracts.md; keys that do not apply are absent."""
        envelope: dict[str, Any] = {
            "schema": SCHEMA,
            "verb": "similar",
            "outputs": {"similarity": self.output},
            "features": self.places,
            "examples": self.examples,
            "range": [round(self.low, 6), round(self.high, 6)],
            "seconds": round(self.seconds, 2),
            "peak_rss_mb": None if self.peak_rss_mb is None else round(self.peak_rss_mb),
        }
        return {key: value for key, value in envelope.items() if value is not None}


def similar(
    request: SimilarRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
) -> SimilarResult:
    """Write how similar each patch is to the examples, float32; the example itself has 1.

    Raises InputError and its kinds before any work; MachineError; Cancelled.
    """
    started = time.monotonic()
    geo, cancel = geo or default_geo(), cancel or Cancel()
    _check(request)
    patches = Patches(request.embeddings, geo)
    origin = patches.mean(cancel) if request.centre else np.zeros(patches.dim)
    examples = Examples(request, patches, geo)
    directions = examples.vectors(origin, cancel)
    if request.combine == "mean":
        directions = unit(directions.mean(axis=0, keepdims=True))
    best = _Best(request, examples.cells)
    low, high = np.inf, -np.inf
    writer = geo.writer(request.output, patches.grid, _spec(request, patches), overwrite=request.overwrite)
    try:
        for window, vectors, valid in patches.strips(cancel):
            likeness = alike(vectors, valid, origin, directions)
            if valid.any():
                low, high = min(low, float(likeness[valid].min())), max(high, float(likeness[valid].max()))
            best.take(window, likeness, valid)
            filled = np.where(valid, likeness, np.float32(NODATA)).reshape(1, window.height, window.width)
            writer.write(window, filled.astype(np.float32))
            if progress is not None:
                progress(Progress(window.row + window.height, patches.grid.height))
        writer.commit()
    except BaseException:
        writer.abort()
        raise
    found = best.features(patches)
    if request.places is not None:
        found = replace(found, tags=_spec(request, patches).tags)
        geo.write_features(request.places, found, overwrite=request.overwrite)
    return SimilarResult(
        request.output, request.places, examples.count, len(found.wkb), low, high,
        time.monotonic() - started, peak_rss_mb(),
    )  # fmt: skip


def alike(vectors: npt.NDArray[Any], valid: Mask, origin: Float64, directions: Float64) -> Float32:
    """Cosine (n,) float32 of each vector (n, D), seen from ``origin`` (D,), with the nearest of some unit
    vectors (k, D); 0 for a vector of no length, NaN where not valid."""
    result = np.full(len(vectors), np.nan, np.float32)
    cosines = unit(vectors[valid] - origin) @ directions.T
    result[valid] = np.clip(cosines.max(axis=1, initial=-1.0), -1.0, 1.0).astype(np.float32)
    return result


def _check(request: SimilarRequest) -> None:
    if not request.points and not request.regions:
        raise InputError("Give at least one example: a point or a polygon.")
    if request.combine not in COMBINE:
        raise InputError(f"Examples are combined by {' or '.join(COMBINE)}, not {request.combine!r}.")
    if request.top is not None and not 1 <= request.top <= MOST:
        raise InputError(f"Ask for 1 to {MOST} of the most similar patches, not {request.top}.")
    if request.threshold is not None and not -1 <= request.threshold <= 1:
        raise InputError(f"The threshold must lie between -1 and 1, not {request.threshold}.")
    if (request.top is not None or request.threshold is not None) and request.places is None:
        raise InputError("Name a vector file for the most similar patches.")
    check_output(request.output, overwrite=request.overwrite)
    if os.path.realpath(request.output) == os.path.realpath(request.embeddings):
        raise InputError("The output would replace the embeddings; choose another name.")
    if request.places is not None:
        suffix_of(request.places)
        check_output(request.places, overwrite=request.overwrite)


def _spec(request: SimilarRequest, patches: Patches) -> OutputSpec:
    tags = {key: value for key, value in patches.info.tags.items() if key.startswith("TERRANE_")}
    note = "Cosine similarity of each patch to the examples, from -1 to 1."
    if request.centre:
        note += " Angles are measured from the mean of all patches."
    places = [f"{x:.10g} {y:.10g}" for x, y in request.points]
    places += ["polygon"] * len(request.regions or ())
    tags.update(
        TERRANE_MODALITY="SIMILARITY",
        TERRANE_TASK="similar",
        TERRANE_NOTE=note,
        TERRANE_EXAMPLES=f"{request.combine} of: " + "; ".join(places[:100]),
        TERRANE_SOURCE=os.path.basename(request.embeddings),
        TERRANE_VERSION=version(),
    )
    return OutputSpec("float32", NODATA, ("Similarity",), tags=tags)


class Examples:
    """Points and polygons on the raster of embeddings. Raises ExtentError where they lie beside it."""

    def __init__(self, request: SimilarRequest, patches: Patches, geo: Geo) -> None:
        self._patches, self._geo = patches, geo
        grid = patches.grid
        crs = grid.crs if request.crs is None else geo.parse_crs(request.crs)
        self._points = self._cells(request.points, crs)
        polygons = [] if request.regions is None else transform_polygons(request.regions, crs, grid.crs, geo)
        self._polygons: Polygons = list(polygons)
        self.count = len(self._points) + len(self._polygons)
        self.cells: set[int] = {row * grid.width + col for col, row in self._points}
        """Patches (row by row) that are an example, or part of one."""

    def _cells(self, points: Sequence[tuple[float, float]], crs: str) -> list[tuple[int, int]]:
        grid = self._patches.grid
        if not points:
            return []
        xs, ys = self._geo.transform(crs, grid.crs, *zip(*points))
        cells = []
        for (x, y), place in zip(zip(xs, ys), points):
            inside = np.isfinite([x, y]).all()
            col, row = (int(v) for v in np.floor(grid.transform.invert(x, y))) if inside else (-1, -1)
            if not (0 <= col < grid.width and 0 <= row < grid.height):
                raise ExtentError(f"The point {place[0]:g}, {place[1]:g} lies outside of the embeddings.")
            cells.append((col, row))
        return cells

    def vectors(self, origin: Float64, cancel: Cancel) -> Float64:
        """A unit vector (examples, D) for each. Raises ExtentError for one without data."""
        made = [self._at(col, row, origin) for col, row in self._points]
        if self._polygons:
            made += self._inside(origin, cancel)
        return np.stack(made)

    def _at(self, col: int, row: int, origin: Float64) -> Float64:
        refs = [BandRef(self._patches.path, band.index) for band in self._patches.info.bands]
        with closing(self._geo.reader(refs, self._patches.grid)) as reader:
            values, valid = reader.read(Window(col, row, 1, 1))
        if not valid.all():
            raise ExtentError("An example lies where the embeddings have no data; choose another place.")
        return np.asarray(unit(values.reshape(1, -1) - origin)[0])

    def _inside(self, origin: Float64, cancel: Cancel) -> list[Float64]:
        """The mean directions of the patches in each polygon."""
        sums = np.zeros((len(self._polygons), self._patches.dim))
        counts = np.zeros(len(self._polygons), np.int64)
        for window, vectors, valid in self._patches.strips(cancel):
            for number, mask in self._masks(window):
                chosen = mask & valid
                if chosen.any():
                    sums[number] += unit(vectors[chosen] - origin).sum(axis=0)
                    counts[number] += int(chosen.sum())
                    first = window.row * window.width
                    self.cells.update((first + np.flatnonzero(chosen)).tolist())
        if not counts.all():
            number = int(np.flatnonzero(counts == 0)[0]) + 1
            raise ExtentError(
                f"Polygon {number} holds the centre of no patch with data; draw a larger one, or choose a point."
            )
        return list(unit(sums))

    def _masks(self, window: Window) -> Iterator[tuple[int, Mask]]:
        for number, polygon in enumerate(self._polygons):
            yield number, self._geo.rasterize([polygon], self._patches.grid, window).ravel()


class _Best:
    """Keeps the most similar patches while strips go by."""

    def __init__(self, request: SimilarRequest, examples: set[int]) -> None:
        self._wanted = request.places is not None
        self._limit = request.top or MOST
        self._threshold = -1.0 if request.threshold is None else request.threshold
        self._examples = examples
        self._cells = np.zeros(0, np.int64)
        self._scores = np.zeros(0, np.float32)

    def take(self, window: Window, likeness: Float32, valid: Mask) -> None:
        """Look at one strip."""
        if not self._wanted:
            return
        first = window.row * window.width
        cells = first + np.flatnonzero(valid & (np.nan_to_num(likeness, nan=-2.0) >= self._threshold))
        cells = cells[~np.isin(cells, list(self._examples))] if self._examples else cells
        cells, scores = (
            np.concatenate([self._cells, cells]),
            np.concatenate([self._scores, likeness[cells - first]]),
        )
        # By similarity, equal ones in the order of the raster.
        order = np.lexsort((cells, -scores))[: self._limit]
        self._cells, self._scores = cells[order], scores[order]

    def features(self, patches: Patches) -> Features:
        """The patches as squares, the best first: rank and score."""
        grid, shapes = patches.grid, []
        for cell in self._cells.tolist():
            row, col = divmod(cell, grid.width)
            corners = [(col, row + 1), (col + 1, row + 1), (col + 1, row), (col, row)]
            shapes.append(wkb.polygon([[grid.transform.apply(c, r) for c, r in corners]]))
        columns = {"rank": np.arange(1, len(shapes) + 1), "score": self._scores.astype(np.float64)}
        return Features(grid.crs, "Polygon", shapes, columns)


def regions_of(path: str, geo: Geo) -> tuple[Polygons, list[tuple[float, float]], str]:
    """Polygons and points of any vector file as examples, and their CRS. Raises SourceError, InputError."""
    features = geo.read_features(path)
    polygons: list[Any] = []
    points: list[tuple[float, float]] = []
    for data in features.wkb:
        if not data:
            continue
        try:
            found = wkb.shapes(data)
        except ValueError as error:
            raise InputError(f"{short_name(path)} cannot be used: {error}.") from error
        polygons += found.polygons
        points += found.points
    if not polygons and not points:
        raise InputError(f"{short_name(path)} holds neither polygons nor points.")
    return polygons, points, features.crs
