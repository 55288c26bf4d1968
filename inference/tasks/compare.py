# SPDX-License-Identifier: GPL-2.0-or-later
"""*Compare*: two dates of one place in; what changed out, as a raster, polygons and figures.

Two rasters of classes are compared class by class, two scenes by what a model makes of them or band by band
(see ``change_kinds``). The first date's pixels are the common grid.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

from ..errors import InputError
from ..io import default_geo
from ..io.base import BandRef, Features, Geo, OutputSpec, Writer
from ..io.core import short_name
from ..io.output import check_output
from ..io.parquet import check_parquet
from ..io.vectors import suffix_of
from ..types import Cancel, ProgressCallback
from .change_classes import (
    ClassPair,
    change_legend,
    change_polygons,
    change_spec,
    count_transitions,
    write_changes,
)
from .change_kinds import (
    AUTO,
    BANDS,
    CLASSES,
    EMBEDDINGS,
    MODEL,
    Pair,
    Reading,
    recognise_pair,
)
from .change_scenes import (
    COSINE,
    DEVIATIONS,
    Above,
    EmbeddingPair,
    Histogram,
    ImagePair,
    above_polygons,
    histogram,
    magnitude_spec,
    write_magnitudes,
)
from .common_grid import common_grid, map_scale
from .embed import EMBEDDINGS as EMBEDDED
from .embed import EmbedRequest, embed
from .machine import peak_rss_mb
from .outputs import version
from .phases import Phase, phases
from .request import SCHEMA
from .transitions import Transitions


@dataclass(frozen=True)
class CompareRequest:
    """Compare ``before`` with ``after``: write ``output``, a raster, and if wanted polygons and a table."""

    before: str
    after: str
    output: str
    """A GeoTIFF: codes of changes between classes, or the magnitude of change."""
    polygons: Optional[str] = None
    """A vector file for what changed."""
    table: Optional[str] = None
    """A CSV file for how much of each class became what; classes only."""
    method: str = AUTO
    """"auto", "classes", "model" or "bands"."""
    model: str = "starter"
    """A pack's id or path."""
    threshold: Optional[float] = None
    """Scenes: what lies above it is change; None: Otsu's."""
    min_area: float = 0.0
    """Square metres: smaller polygons are left out. Raster and figures count every pixel."""
    modality: Optional[str] = None
    """What both scenes are, where they do not tell."""
    bands: Optional[Mapping[str, Union[int, BandRef]]] = None
    """Which band of both scenes is which."""
    boa_offset: tuple[Optional[float], Optional[float]] = (None, None)
    """Added to digital numbers, one for each date; None: as the metadata say."""
    overwrite: bool = False
    runtime: str = "onnx"
    device: str = "auto"
    threads: Optional[int] = None

    @property
    def reading(self) -> Reading:
        """How the scenes are read."""
        return Reading(self.modality, self.bands, self.boa_offset)


@dataclass(frozen=True)
class Extent:
    """So many pixels, and square metres (NaN where they cannot be told)."""

    pixels: int
    area: float


@dataclass(frozen=True)
class CompareResult:
    """What came of it."""

    method: str
    output: str
    polygons: Optional[str]
    table: Optional[str]
    changed: Extent
    compared: Extent
    """Where both dates have data."""
    found: Optional[int]
    """Polygons that were written."""
    seconds: float
    peak_rss_mb: Optional[float]
    transitions: Optional[Transitions] = None
    """Classes: how much became what."""
    legend: tuple[tuple[int, str, tuple[int, int, int, int]], ...] = ()
    """Classes: code, name and colour of each change, the largest first."""
    threshold: Optional[float] = None
    """Scenes: magnitudes above it count as change."""
    chosen_by: str = ""
    """Who chose it: "otsu" or "user"."""
    histogram: Optional[Histogram] = None
    """Scenes: how often each magnitude occurs."""
    model: Optional[str] = None
    device: Optional[str] = None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The envelope of contracts.md; keys that do not apply are absent."""
        known = math.isfinite(self.changed.area)
        edges = None if self.histogram is None else self.histogram.edges
        envelope: dict[str, Any] = {
            "schema": SCHEMA,
            "verb": "compare",
            "outputs": {"change": self.output},
            "features": self.polygons,
            "table": self.table,
            "value": round(self.changed.area, 3) if known else None,
            "unit": "m²" if known else None,
            "method": self.method,
            "changed_pixels": self.changed.pixels,
            "compared_pixels": self.compared.pixels,
            "compared_m2": round(self.compared.area, 3) if math.isfinite(self.compared.area) else None,
            "polygons": self.found,
            "transitions": None if self.transitions is None else self.transitions.to_json(),
            "threshold": None if self.threshold is None else round(self.threshold, 6),
            "threshold_by": self.chosen_by or None,
            "range": None if edges is None else [round(edges[0], 6), round(edges[-1], 6)],
            "model": self.model,
            "device": self.device,
            "seconds": round(self.seconds, 2),
            "peak_rss_mb": None if self.peak_rss_mb is None else round(self.peak_rss_mb),
            "warnings": list(self.warnings) or None,
        }
        return {key: value for key, value in envelope.items() if value is not None}


def compare(
    request: CompareRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
) -> CompareResult:
    """Write what changed from one date to the other.

    Raises InputError and its kinds before anything is written; MachineError; Cancelled.
    """
    started = time.monotonic()
    geo, cancel = geo or default_geo(), cancel or Cancel()
    _check(request)
    pair = recognise_pair(
        request.before,
        request.after,
        geo,
        method=request.method,
        model=request.model,
        reading=request.reading,
    )
    if pair.method == CLASSES:
        result = _classes(request, geo, cancel, progress)
    else:
        result = _scenes(request, pair, geo, cancel, progress)
    return replace(result, seconds=time.monotonic() - started, peak_rss_mb=peak_rss_mb())


def _check(request: CompareRequest) -> None:
    outputs = [path for path in (request.output, request.polygons, request.table) if path is not None]
    inputs = [os.path.realpath(path) for path in (request.before, request.after)]
    real = [os.path.realpath(path) for path in outputs]
    if len(set(real)) < len(real):
        raise InputError("Two of the outputs have the same name; choose others.")
    for path in outputs:
        check_output(path, overwrite=request.overwrite)
        if os.path.realpath(path) in inputs:
            raise InputError(f"{short_name(path)} would replace what is compared; choose another name.")
    if request.polygons is not None and suffix_of(request.polygons) == ".parquet":
        check_parquet()
    if not (math.isfinite(request.min_area) and request.min_area >= 0):
        raise InputError(f"The least area is a number of square metres, not {request.min_area}.")
    if request.threshold is not None and not (math.isfinite(request.threshold) and request.threshold >= 0):
        raise InputError(f"The threshold is a number from 0 on, not {request.threshold}.")


def _tags(request: CompareRequest, method: str) -> dict[str, str]:
    return {
        "TERRANE_TASK": "compare",
        "TERRANE_METHOD": method,
        "TERRANE_SOURCE": " → ".join(short_name(path) for path in (request.before, request.after)),
        "TERRANE_VERSION": version(),
    }


@contextmanager
def _writing(
    geo: Geo, path: str, grid: Any, spec: OutputSpec, *, overwrite: bool, cancel: Cancel
) -> Iterator[Writer]:
    """A writer that commits at the end, or leaves nothing behind."""
    writer = geo.writer(path, grid, spec, overwrite=overwrite)
    try:
        yield writer
        cancel.raise_if_set()
        writer.commit(cancel)
    except BaseException:
        writer.abort()
        raise


def _classes(
    request: CompareRequest, geo: Geo, cancel: Cancel, progress: Optional[ProgressCallback]
) -> CompareResult:
    if request.threshold is not None:
        raise InputError("Classes are the same or not; a threshold is for comparing scenes.")
    pair = ClassPair(request.before, request.after, geo)
    scale = map_scale(pair.grid, geo)
    counting, writing = phases(progress, {"Counting": 1, "Writing": 1}).values()
    found = count_transitions(pair, scale, cancel, counting)
    tags = _tags(request, CLASSES)
    spec = change_spec(pair, found, tags)
    features = None
    with _writing(geo, request.output, pair.grid, spec, overwrite=request.overwrite, cancel=cancel) as writer:
        strips = write_changes(pair, found, writer, cancel, writing)
        if request.polygons is None:
            deque(strips, maxlen=0)
        else:
            features = change_polygons(strips, pair, found, scale, tags, min_area=request.min_area)
    _save(request, features, geo)
    if request.table is not None:
        found.write(request.table, overwrite=request.overwrite)
    return CompareResult(
        method=CLASSES,
        output=request.output,
        polygons=request.polygons,
        table=request.table,
        changed=Extent(found.changed_pixels, found.changed_area),
        compared=Extent(int(found.pixels.sum()), float(found.area.sum())),
        found=None if features is None else len(features.wkb),
        seconds=0.0,
        peak_rss_mb=None,
        transitions=found,
        legend=change_legend(pair, found),
    )


def _save(request: CompareRequest, features: Optional[Features], geo: Geo) -> None:
    if features is not None and request.polygons is not None:
        geo.write_features(request.polygons, features, overwrite=request.overwrite)


def _scenes(
    request: CompareRequest, pair: Pair, geo: Geo, cancel: Cancel, progress: Optional[ProgressCallback]
) -> CompareResult:
    if request.table is not None:
        raise InputError("A table of transitions is for rasters of classes; leave it out for scenes.")
    limit = request.threshold
    if pair.method != BANDS and limit is not None and limit > 2:
        raise InputError(f"Cosine distances lie between 0 and 2, so the threshold cannot be {limit:g}.")
    if pair.method == EMBEDDINGS:
        steps = phases(progress, _MEASURING)
        source = EmbeddingPair(request.before, request.after, geo)
        return _measured(request, pair, source, source.tags, COSINE, steps, geo, cancel)
    if pair.method == BANDS:
        steps = phases(progress, {"Balancing": 1, **_MEASURING})
        images = ImagePair(pair.scenes[0], pair.scenes[1], geo)
        images.balance(cancel, steps["Balancing"])
        return _measured(request, pair, images, {}, DEVIATIONS, steps, geo, cancel)
    steps = phases(progress, {"First date": 40, "Second date": 40, **_MEASURING})
    with _embedded(request, pair, steps, geo, cancel) as (source, device):
        result = _measured(request, pair, source, source.tags, COSINE, steps, geo, cancel)
        return replace(result, device=device)


_MEASURING = {"Comparing": 1, "Counting": 1, "Outlining": 1}


@contextmanager
def _embedded(
    request: CompareRequest, pair: Pair, steps: Mapping[str, Phase], geo: Geo, cancel: Cancel
) -> Iterator[tuple[EmbeddingPair, str]]:
    """Embeddings of both scenes on the first one's model grid, beside the output, gone again afterwards."""
    first, second = pair.scenes
    shared = common_grid(first.grid, second.grid, geo)
    # The scene that defines the grid is the first: the second is read onto its pixels.
    second = replace(second, grid=first.grid)
    extent = None if shared == first.grid else shared.bounds
    folder, name = os.path.split(os.path.abspath(request.output))
    made = tempfile.mkdtemp(prefix=f".{os.path.splitext(name)[0]}.", suffix=".part", dir=folder)
    try:
        paths: list[str] = []
        device = ""
        for scene, step in ((first, steps["First date"]), (second, steps["Second date"])):
            path = os.path.join(made, f"{len(paths)}.tif")
            wanted = EmbedRequest(
                scenes=(scene,),
                outputs={EMBEDDED: path},
                model=request.model,
                extent=extent,
                runtime=request.runtime,
                device=request.device,
                threads=request.threads,
            )
            device = embed(wanted, progress=step.follow, cancel=cancel, geo=geo).device
            paths.append(path)
        yield EmbeddingPair(paths[0], paths[1], geo), device
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _measured(
    request: CompareRequest,
    pair: Pair,
    source: Union[EmbeddingPair, ImagePair],
    known: Mapping[str, str],
    unit: str,
    steps: Mapping[str, Phase],
    geo: Geo,
    cancel: Cancel,
) -> CompareResult:
    """Magnitudes, their threshold, and what lies above it."""
    method = MODEL if pair.method == EMBEDDINGS else pair.method
    tags = {**known, **_tags(request, method)}
    scale = map_scale(source.grid, geo)
    spec, features = magnitude_spec(unit, tags), None
    with _writing(
        geo, request.output, source.grid, spec, overwrite=request.overwrite, cancel=cancel
    ) as writer:
        low, high = write_magnitudes(source, writer, cancel, steps["Comparing"])
        seen = histogram(source, low, high, cancel, steps["Counting"])
        limit = seen.otsu() if request.threshold is None else request.threshold
        above = Above(source, limit, scale, cancel, steps["Outlining"])
        tags["TERRANE_THRESHOLD"] = repr(limit)
        if request.polygons is None:
            deque(above, maxlen=0)
        else:
            features = above_polygons(above, source.grid, scale, tags, min_area=request.min_area)
    _save(request, features, geo)
    return CompareResult(
        method=method,
        output=request.output,
        polygons=request.polygons,
        table=None,
        changed=Extent(above.pixels, above.area),
        compared=Extent(above.all_pixels, above.all_area),
        found=None if features is None else len(features.wkb),
        seconds=0.0,
        peak_rss_mb=None,
        threshold=limit,
        chosen_by="otsu" if request.threshold is None else "user",
        histogram=seen,
        model=request.model if method == MODEL and pair.scenes else known.get("TERRANE_MODEL"),
        warnings=pair.warnings,
    )
