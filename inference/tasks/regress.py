# SPDX-License-Identifier: GPL-2.0-or-later
"""*Regress*: scenes in; a raster of what a fine-tuned model estimates, in its unit, out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Optional

from ..errors import ModelError
from ..io.base import Geo, OutputSpec
from ..types import Cancel, ProgressCallback
from .assemble import Product
from .engine import Engine
from .outputs import values_to_pixels
from .peer import is_peer, peer_plan
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

VALUES = "values"


@dataclass(frozen=True)
class RegressRequest(PredictRequest):
    """``outputs``: "values" (float32, one band per quantity)."""

    task: ClassVar[str] = "regress"


def regress(
    request: RegressRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
    engine: Optional[Engine] = None,
) -> PredictResult:
    """Write the model's estimate for every pixel; overlapping tiles are blended.

    Raises InputError and its kinds before any work; MachineError; Cancelled.
    """
    geo = geo_or_default(geo)
    plan = _plan(request, geo, engine, verify=engine is None)
    return run_plan(plan, geo, progress=progress, cancel=cancel, engine=engine)


def forecast_regress(request: RegressRequest, *, geo: Optional[Geo] = None) -> Forecast:
    """What a run will take. Cheap: reads headers, no pixels."""
    return forecast_plan(_plan(request, geo_or_default(geo), None, verify=False))


def _plan(request: RegressRequest, geo: Geo, engine: Optional[Engine], *, verify: bool) -> Plan:
    plan = plan_for(request, geo, engine.pack if engine else None, verify=verify)
    if is_peer(plan.pack):
        return peer_plan(plan, geo, run=verify or engine is not None)
    quantity = plan.pack.output
    if quantity is None:
        raise ModelError(f"Model {plan.pack.id} does not say what it estimates; convert it again.")
    spec = OutputSpec(
        dtype="float32",
        nodata=quantity.nodata,
        band_names=quantity.names,
        units=(quantity.unit,) * len(quantity.names),
        tags={**plan.tags, "TERRANE_MODALITY": "VALUES"},
    )
    product = Product(VALUES, SOURCE, len(quantity.names), spec, values_to_pixels(spec))
    return replace(plan, products=(product,))
