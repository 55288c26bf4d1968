# SPDX-License-Identifier: GPL-2.0-or-later
"""*Upscale*: a scene in; what a user's super-resolution model makes of it out, on finer pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Optional

import numpy as np
import numpy.typing as npt

from ..adapters.base import Adapter
from ..errors import ModelError
from ..io.base import Float32, Geo, Mask, OutputSpec
from ..packs.answers import NODATA_VALUE
from ..packs.peer_pack import IMAGE
from ..packs.peer_settings import SUPERRESOLUTION, settings_from_json
from ..types import Cancel, ProgressCallback
from .assemble import Product
from .engine import Engine
from .peer import check_scaling, peer_of
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

PICTURE = "upscaled"


@dataclass(frozen=True)
class UpscaleRequest(PredictRequest):
    """``outputs``: "upscaled", float32, a band for each of the model's, on its finer pixels."""

    task: ClassVar[str] = "upscale"


def upscale(
    request: UpscaleRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
    engine: Optional[Engine] = None,
) -> PredictResult:
    """Write what the model makes of every pixel, blended where tiles overlap.

    Raises InputError and its kinds before any work; MachineError; Cancelled.
    """
    geo = geo_or_default(geo)
    plan = _plan(request, geo, engine, verify=engine is None)
    check_scaling(request.scene, settings_from_json(plan.pack.settings), geo)
    return run_plan(plan, geo, progress=progress, cancel=cancel, engine=engine)


def forecast_upscale(request: UpscaleRequest, *, geo: Optional[Geo] = None) -> Forecast:
    """What a run will take. Cheap: reads headers, no pixels."""
    return forecast_plan(_plan(request, geo_or_default(geo), None, verify=False))


def _plan(request: UpscaleRequest, geo: Geo, engine: Optional[Engine], *, verify: bool) -> Plan:
    plan = plan_for(request, geo, engine.pack if engine else None, verify=verify)
    settings = settings_from_json(plan.pack.settings)
    if settings.kind != SUPERRESOLUTION:
        raise ModelError(f"Model {plan.pack.id} is a {settings.kind}, not for super-resolution.")
    scale, names = settings.scale, settings.heads[0]

    def answer(
        adapter: Adapter, images: Mapping[str, Any], stop: Optional[Cancel]
    ) -> dict[str, npt.NDArray[Any]]:
        (fine,) = peer_of(adapter).answers(images[IMAGE], plan.preset, stop)
        return {SOURCE: folded(fine, scale)}

    def pixels(values: Float32, valid: Mask) -> Float32:
        known = valid.repeat(scale, axis=0).repeat(scale, axis=1)
        return np.where(known, unfolded(values, scale), np.float32(NODATA_VALUE)).astype(np.float32)

    spec = OutputSpec(
        dtype="float32",
        nodata=NODATA_VALUE,
        band_names=names,
        tags={**plan.tags, "TERRANE_MODALITY": "UPSCALED"},
    )
    product = Product(PICTURE, SOURCE, len(names) * scale**2, spec, pixels, finer=scale)
    return replace(plan, products=(product,), answer=answer)


def folded(fine: Float32, scale: int) -> Float32:
    """(B, C, sT, sT) to (B, C s², T, T): the fine pixels of a coarse one become its channels."""
    batch, bands, height, width = fine.shape
    parts = fine.reshape(batch, bands, height // scale, scale, width // scale, scale)
    return np.ascontiguousarray(parts.transpose(0, 1, 3, 5, 2, 4)).reshape(
        batch, bands * scale**2, height // scale, width // scale
    )


def unfolded(values: Float32, scale: int) -> Float32:
    """(C s², h, w) back to (C, sh, sw)."""
    channels, height, width = values.shape
    parts = values.reshape(channels // scale**2, scale, scale, height, width)
    return np.ascontiguousarray(parts.transpose(0, 3, 1, 4, 2)).reshape(-1, height * scale, width * scale)
