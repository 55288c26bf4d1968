# SPDX-License-Identifier: GPL-2.0-or-later
"""*Segment*: scenes in; a raster of a fine-tuned model's classes out, and how sure the model is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Optional

import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from ..io.base import Float32, Geo, Mask, OutputSpec
from ..packs.answers import NODATA_CLASS, NODATA_VALUE
from ..packs.manifest import Pack
from ..types import Cancel, ProgressCallback
from .assemble import Product
from .engine import Engine
from .peer import CLASSES, PROBABILITY, is_peer, peer_plan
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


@dataclass(frozen=True)
class SegmentRequest(PredictRequest):
    """``outputs``: "classes" (uint8, 255 where there is none) and, if wanted, "probability" (0 to 1).

    A model with several outputs has "classes_2", … as well (``peer.class_outputs``).
    """

    task: ClassVar[str] = "segment"


def segment(
    request: SegmentRequest,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
    geo: Optional[Geo] = None,
    engine: Optional[Engine] = None,
) -> PredictResult:
    """Write the likeliest class of every pixel; overlapping tiles' probabilities are averaged.

    Raises InputError and its kinds before any work; MachineError; Cancelled.
    """
    geo = geo_or_default(geo)
    plan = segment_plan(request, geo, engine.pack if engine else None, verify=engine is None, run=True)
    return run_plan(plan, geo, progress=progress, cancel=cancel, engine=engine)


def forecast_segment(request: SegmentRequest, *, geo: Optional[Geo] = None) -> Forecast:
    """What a run will take. Cheap: reads headers, no pixels."""
    return forecast_plan(segment_plan(request, geo_or_default(geo), None, verify=False, run=False))


def segment_plan(request: SegmentRequest, geo: Geo, pack: Optional[Pack], *, verify: bool, run: bool) -> Plan:
    """The work of a request: classes and, if wanted, their probability. Raises InputError and its kinds.

    ``pack``: in place of the request's model; ``run``: for more than a forecast.
    """
    plan = plan_for(request, geo, pack, verify=verify)
    if is_peer(plan.pack):
        return peer_plan(plan, geo, run=run)
    classes = plan.pack.classes
    if len(classes) < 2:
        raise ModelError(f"Model {plan.pack.id} names no classes; convert it again.")
    spec = OutputSpec(
        dtype="uint8",
        nodata=float(NODATA_CLASS),
        band_names=("Class",),
        colors={c.value: c.rgba for c in classes},
        categories=tuple(c.name for c in classes),
        tags={**plan.tags, "TERRANE_MODALITY": "CLASSES"},
    )
    products = [
        Product(CLASSES, SOURCE, len(classes), spec, class_pixels, resampling="nearest", form="share")
    ]
    if PROBABILITY in request.outputs:
        note = "Probability that the model gives the chosen class, from 0 to 1."
        confidence = OutputSpec(
            dtype="float32",
            nodata=NODATA_VALUE,
            band_names=("Probability of the class",),
            tags={**plan.tags, "TERRANE_MODALITY": "CLASSES_probability", "TERRANE_NOTE": note},
        )
        products.append(
            Product(PROBABILITY, SOURCE, len(classes), confidence, probability_pixels, form="share")
        )
    return replace(plan, products=tuple(products))


def class_pixels(values: Float32, valid: Mask) -> npt.NDArray[np.uint8]:
    """Class probabilities (classes, h, w) to class numbers (1, h, w), 255 where there is no data."""
    known = valid & (values.sum(axis=0) > 0)
    return np.where(known, values.argmax(axis=0), NODATA_CLASS).astype(np.uint8)[None]


def probability_pixels(values: Float32, valid: Mask) -> Float32:
    """Class probabilities (classes, h, w) to that of the chosen class (1, h, w), 0 to 1."""
    total = values.sum(axis=0)
    share = np.divide(values.max(axis=0), total, out=np.zeros_like(total), where=total > 0)
    return np.where(valid & (total > 0), share, np.float32(NODATA_VALUE))[None].astype(np.float32)
