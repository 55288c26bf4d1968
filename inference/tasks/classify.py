# SPDX-License-Identifier: GPL-2.0-or-later
"""*Classify*: scenes in; the tiles that a fine-tuned model looked at out, as polygons with their class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Optional

import numpy as np

from ..errors import ModelError
from ..io import wkb
from ..io.base import Features, Geo
from ..tiling import Tile
from ..types import Cancel, ProgressCallback, Window
from .assemble import PlacedVectors
from .engine import Engine
from .layout import Part
from .predict import (
    SOURCE,
    Plan,
    PredictRequest,
    PredictResult,
    forecast_plan,
    geo_or_default,
    plan_for,
    run_plan,
)
from .request import Forecast

TILES = "tiles"
MAX_SCORES = 64
"""Classes up to which each has an attribute of its own with its probability."""


@dataclass(frozen=True)
class ClassifyRequest(PredictRequest):
    """``outputs``: "tiles", a vector file: class, name and score, and the probability of each class."""

    task: ClassVar[str] = "classify"


def classify(
    request: ClassifyRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
    engine: Optional[Engine] = None,
) -> PredictResult:
    """Write each tile's likeliest class. Tiles stand side by side unless a stride is given; where the model
    saw more than a tile's polygon (at the edges, or by the stride), neighbours share the overlap by halves.

    Raises InputError and its kinds before any work; MachineError; Cancelled.
    """
    geo = geo_or_default(geo)
    plan = _plan(request, geo, engine, verify=engine is None)
    return run_plan(plan, geo, progress=progress, cancel=cancel, engine=engine)


def forecast_classify(request: ClassifyRequest, *, geo: Optional[Geo] = None) -> Forecast:
    """What a run will take. Cheap: reads headers, no pixels."""
    return forecast_plan(_plan(request, geo_or_default(geo), None, verify=False))


def _plan(request: ClassifyRequest, geo: Geo, engine: Optional[Engine], *, verify: bool) -> Plan:
    plan = plan_for(request, geo, engine.pack if engine else None, verify=verify, overlap=False)
    if len(plan.pack.classes) < 2:
        raise ModelError(f"Model {plan.pack.id} names no classes; convert it again.")

    def write(placed: Sequence[PlacedVectors], path: str) -> None:
        found = replace(tile_features(plan, placed, geo), tags=plan.tags)
        geo.write_features(path, found, layer="tiles", overwrite=True)

    return replace(plan, vectors={SOURCE: len(plan.pack.classes)}, features={TILES: write})


def tile_features(plan: Plan, placed: Sequence[PlacedVectors], geo: Geo) -> Features:
    """Polygons of the tiles in the first grid's CRS (the scene's where there are several)."""
    parts = [one.part for one in placed]
    crs = parts[0].grid.crs if len(parts) == 1 else plan.request.scene.grid.crs
    shapes = [
        wkb.polygon([outline(one.part, cell(one.part, tile), crs, geo)])
        for one in placed
        for tile in one.tiles
    ]
    scores = np.concatenate([one.values[SOURCE] for one in placed])
    best = scores.argmax(axis=1)
    classes = plan.pack.classes
    columns: dict[str, Any] = {
        "class": np.array([classes[i].value for i in best], np.int64),
        "name": [classes[i].name for i in best],
        "score": scores.max(axis=1),
        "model": [plan.pack.id] * len(best),
    }
    if len(classes) <= MAX_SCORES:
        columns.update({f"score_{c.value}": scores[:, i] for i, c in enumerate(classes)})
    return Features(crs=crs, geometry="Polygon", wkb=shapes, columns=columns)


def cell(part: Part, tile: Tile) -> Window:
    """A tile's share of the grid: up to the middle of its overlap with each neighbour."""

    def span(starts: Sequence[int], place: int, length: int) -> tuple[int, int]:
        def border(after: int) -> int:
            return (starts[after - 1] + part.plan.tile + starts[after]) // 2

        first = border(place) if place else 0
        return first, (border(place + 1) if place + 1 < len(starts) else length) - first

    col, width = span(part.plan.cols, tile.col, part.grid.width)
    row, height = span(part.plan.rows, tile.row, part.grid.height)
    return Window(col, row, width, height)


def outline(part: Part, window: Any, crs: str, geo: Geo) -> list[tuple[float, float]]:
    """The ring of a tile's part of the grid, counter-clockwise, in map units of ``crs``."""
    seen = window.intersection(part.grid.window) or window
    right, bottom = seen.col + seen.width, seen.row + seen.height
    corners = [(seen.col, bottom), (right, bottom), (right, seen.row), (seen.col, seen.row)]
    places = [part.grid.transform.apply(col, row) for col, row in corners]
    if not geo.same_crs(part.grid.crs, crs):
        xs, ys = geo.transform(part.grid.crs, crs, *zip(*places))
        places = list(zip(map(float, xs), map(float, ys)))
    return places
