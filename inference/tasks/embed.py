# SPDX-License-Identifier: GPL-2.0-or-later
"""*Embed*: scenes in; what the model's encoder makes of each patch out, as a raster of many bands.

Patches that the model takes for alike have vectors of like direction: see *similar*.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Optional

import numpy as np

from ..adapters.base import Adapter
from ..errors import InputError, ModelError
from ..io import wkb
from ..io.base import Features, Float32, Geo, Mask, OutputSpec
from ..io.output import check_output
from ..types import Cancel, Progress, ProgressCallback
from .assemble import PlacedVectors, Product
from .classify import outline
from .components import write_components
from .engine import Engine
from .predict import Plan, PredictRequest, PredictResult, forecast_plan, geo_or_default, plan_for, run_plan
from .request import Forecast

EMBEDDINGS, PCA, VECTORS = "embeddings", "pca", "vectors"
"""What can have an output: the raster, a picture of it, and one vector per tile."""
_MEAN = "mean"


@dataclass(frozen=True)
class EmbedRequest(PredictRequest):
    """``outputs``: "embeddings" (always), and if wanted "pca" (a picture) and "vectors" (a vector file:
    one polygon and one mean vector per tile; ``.parquet`` keeps it as a list, others as columns e000…).
    """

    task: ClassVar[str] = "embed"

    model: str = "starter"
    half: bool = False
    """Half floats: half the size, three digits."""
    components: int = 3
    """Bands of the picture."""
    coords: bool = False
    """The longitude and latitude of each tile's centre as one more input."""


def embed(
    request: EmbedRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
    engine: Optional[Engine] = None,
) -> PredictResult:
    """Write one vector per patch: a raster with one pixel per patch, its upper left corner the grid's.

    Vectors of several input modalities are averaged, and those of overlapping tiles too. A patch has data
    where any of its pixels has. Raises InputError and its kinds before any work; MachineError; Cancelled.
    """
    started = time.monotonic()
    geo, picture = geo_or_default(geo), request.outputs.get(PCA)
    plan = _plan(request, geo, engine, verify=engine is None)
    if picture is not None:
        check_output(picture, overwrite=request.overwrite)
    result = run_plan(plan, geo, progress=progress, cancel=cancel, engine=engine)
    if picture is None:
        return result
    if progress is not None:
        progress(Progress(result.tiles, result.tiles, None, f"Writing {PCA}"))
    source = request.outputs[EMBEDDINGS]
    write_components(
        source, picture, geo, count=request.components, overwrite=request.overwrite, cancel=cancel
    )
    outputs = {**result.outputs, PCA: picture}
    return replace(result, outputs=outputs, seconds=time.monotonic() - started)


def forecast_embed(request: EmbedRequest, *, geo: Optional[Geo] = None) -> Forecast:
    """What a run will take. Cheap: reads headers, no pixels."""
    return forecast_plan(_plan(request, geo_or_default(geo), None, verify=False))


def _plan(request: EmbedRequest, geo: Geo, engine: Optional[Engine], *, verify: bool) -> Plan:
    _check(request)
    # The picture is made of the finished raster; the run over tiles knows nothing of it.
    outputs = {name: path for name, path in request.outputs.items() if name != PCA}
    pack = engine.pack if engine else None
    plan = plan_for(
        replace(request, outputs=outputs), geo, pack, verify=verify, by_patch=True, coords=request.coords
    )
    pack = plan.pack
    if request.components > pack.dim:
        raise InputError(f"Model {pack.id} gives {pack.dim} numbers; ask for at most so many components.")
    tags = {**plan.tags, "TERRANE_MODALITY": "EMBEDDINGS", "TERRANE_PATCH": str(pack.patch)}
    tags["TERRANE_INPUTS"] = " ".join(scene.modality for scene in request.scenes)
    tags["TERRANE_SYNTHETIC"] = "YES: a model's own numbers, without a unit"
    spec = OutputSpec("float32", float("nan"), band_names(pack.dim), tags=tags, half=request.half)
    product = Product(EMBEDDINGS, EMBEDDINGS, pack.dim, spec, _pixels, scale=pack.patch)

    def answer(adapter: Adapter, images: Mapping[str, Any], cancel: Optional[Cancel]) -> dict[str, Any]:
        vectors = adapter.embed(images, plan.preset, cancel=cancel)
        return {EMBEDDINGS: vectors, _MEAN: vectors.mean(axis=(2, 3), dtype=np.float64)}

    plan = replace(plan, products=(product,), answer=answer)
    if VECTORS not in request.outputs:
        return plan

    def write(placed: Sequence[PlacedVectors], path: str) -> None:
        features = tile_vectors(placed, request.scene.grid.crs, geo, lists=path.lower().endswith(".parquet"))
        geo.write_features(path, replace(features, tags=tags), layer="tiles", overwrite=True)

    return replace(plan, vectors={_MEAN: pack.dim}, features={VECTORS: write})


def _check(request: EmbedRequest) -> None:
    if EMBEDDINGS not in request.outputs:
        raise InputError("Name an output for the embeddings.")
    if request.grid != "model":
        raise InputError(
            'Embeddings have one pixel per patch of the model\'s grid; the grid must be "model".'
        )
    if request.components < 1:
        raise InputError(f"The number of components must be at least 1, not {request.components}.")
    modalities = [scene.modality for scene in request.scenes]
    if request.coords and not modalities:
        raise ModelError("Coordinates alone cannot be embedded.")


def band_names(count: int) -> tuple[str, ...]:
    """e000, e001, …: short enough for attributes of a Shapefile."""
    return tuple(f"e{number:03d}" for number in range(count))


def _pixels(values: Float32, valid: Mask) -> Float32:
    return np.where(valid, values, np.float32(np.nan)).astype(np.float32)


def tile_vectors(placed: Sequence[PlacedVectors], crs: str, geo: Geo, *, lists: bool) -> Features:
    """Polygons of the tiles with their mean vectors, in the first grid's CRS (``crs`` where there are
    several): one column "embedding" of lists, or one column per number."""
    parts = [one.part for one in placed]
    crs = parts[0].grid.crs if len(parts) == 1 else crs
    shapes = [wkb.polygon([outline(one.part, tile.window, crs, geo)]) for one in placed for tile in one.tiles]
    vectors = np.concatenate([one.values[_MEAN] for one in placed]).astype(np.float32)
    columns: dict[str, Any] = {"tile": np.arange(len(shapes), dtype=np.int64)}
    columns["row"] = np.array([tile.row for one in placed for tile in one.tiles], np.int64)
    columns["col"] = np.array([tile.col for one in placed for tile in one.tiles], np.int64)
    if lists:
        columns["embedding"] = vectors
    else:
        columns.update(zip(band_names(vectors.shape[1]), vectors.T))
    return Features(crs=crs, geometry="Polygon", wkb=shapes, columns=columns)
