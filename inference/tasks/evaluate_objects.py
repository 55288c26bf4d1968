# SPDX-License-Identifier: GPL-2.0-or-later
"""*Evaluate* for objects: how many of the true ones were found, and how many that were found are true."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..io import default_geo, vectors, wkb
from ..io.base import Features, Geo
from ..object_metrics import Figures, Shapes, figures, match
from ..types import Cancel
from .request import SCHEMA
from .strips import LONLAT


@dataclass(frozen=True)
class EvaluateObjectsRequest:
    """Compare predicted polygons with true ones."""

    predicted: str
    """A vector file of polygons; an attribute ``score`` ranks them, without it there is no average precision."""
    truth: str
    """A vector file of polygons, in any coordinate system."""
    class_field: Optional[str] = None
    """The attribute that names the class in both files; None takes all objects as one class."""
    iou: float = 0.5
    """What two objects must overlap by to be the same: intersection over union, more than 0, at most 1."""


@dataclass(frozen=True)
class EvaluateObjectsResult:
    """What was counted."""

    request: EvaluateObjectsRequest
    overall: Figures
    classes: Mapping[str, Figures]
    """By class; empty without a class field."""
    mean_ap: Optional[float]
    """Mean of the average precisions of the classes that are there in truth; None without scores."""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The envelope of contracts.md; a figure that has no value is absent."""
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "verb": "evaluate",
            "outputs": {},
            "objects": self.request.predicted,
            "truth": self.request.truth,
            "class_field": self.request.class_field,
            "iou": self.request.iou,
            "overall": _json(self.overall),
            "classes": {name: _json(one) for name, one in self.classes.items()} or None,
            "map": None if self.mean_ap is None or math.isnan(self.mean_ap) else round(self.mean_ap, 6),
            "warnings": list(self.warnings),
        }
        return {key: value for key, value in content.items() if value is not None}

    def summary(self) -> list[tuple[str, ...]]:
        """A heading, a row for each class, and one for all objects."""
        head = ("class", "true", "found", "right", "precision", "recall", "F1", "mean IoU", "AP")
        rows = [_row(name, one, one.ap) for name, one in self.classes.items()]
        return [head, *rows, _row("all", self.overall, self.mean_ap)]


def _json(one: Figures) -> dict[str, Any]:
    values: dict[str, Any] = {"truth": one.truth, "predicted": one.predicted, "matched": one.matched}
    for key in ("precision", "recall", "f1", "mean_iou", "ap"):
        value = getattr(one, key)
        if value is not None and math.isfinite(value):
            values[key] = round(value, 6)
    return values


def _row(name: str, one: Figures, ap: Optional[float]) -> tuple[str, ...]:
    shares = (one.precision, one.recall, one.f1, one.mean_iou, math.nan if ap is None else ap)
    words = [f"{value:.3f}" if math.isfinite(value) else "–" for value in shares]
    return (name, str(one.truth), str(one.predicted), str(one.matched), *words)


def evaluate_objects(
    request: EvaluateObjectsRequest, *, cancel: Optional[Cancel] = None, geo: Optional[Geo] = None
) -> EvaluateObjectsResult:
    """Match the objects of two files and count. Raises InputError and its kinds; Cancelled."""
    geo, cancel = geo or default_geo(), cancel or Cancel()
    if not 0 < request.iou <= 1:
        raise InputError(f"The overlap must be more than 0 and at most 1, not {request.iou}.")
    truth, predicted = geo.read_features(request.truth), geo.read_features(request.predicted)
    crs = _common_crs(truth, request.truth, geo)
    true_shapes = _shapes(truth, request.truth, crs, geo)
    shapes = _shapes(predicted, request.predicted, crs, geo)
    true_names = _names(truth, request.truth, request.class_field)
    names = _names(predicted, request.predicted, request.class_field)
    listed, numbers = np.unique(np.concatenate((true_names, names)), return_inverse=True)
    true_classes, classes = numbers[: len(truth.wkb)], numbers[len(truth.wkb) :]
    scores, warnings = _scores(predicted)
    matches = match(true_shapes, shapes, true_classes, classes, scores, iou=request.iou, cancel=cancel)
    overall = figures(matches, len(true_shapes), np.ones(len(shapes), np.bool_), scores)
    each = {
        str(name): figures(matches, int((true_classes == number).sum()), classes == number, scores)
        for number, name in enumerate(listed)
    }
    known = [one.ap for one in each.values() if one.ap is not None and one.truth]
    mean_ap = None if scores is None else (sum(known) / len(known) if known else math.nan)
    return EvaluateObjectsResult(
        request, overall, each if request.class_field is not None else {}, mean_ap, warnings
    )


def _common_crs(truth: Features, path: str, geo: Geo) -> str:
    """The truth's CRS where it is in metres, else an equal-area one about its middle."""
    if geo.metres_per_unit(truth.crs) is not None:
        return truth.crs
    places = [point for points in _polygons(truth, path) for rings in points for point in rings[0]]
    if not places:
        return truth.crs
    lon, lat = geo.transform(truth.crs, LONLAT, [places[0][0]], [places[0][1]])
    return geo.parse_crs(f"+proj=laea +lat_0={lat[0]:.6f} +lon_0={lon[0]:.6f} +datum=WGS84 +units=m")


def _shapes(features: Features, path: str, crs: str, geo: Geo) -> Shapes:
    _polygons(features, path)  # its faults first
    if not geo.same_crs(features.crs, crs):
        try:
            features = vectors.moved(features, crs, lambda xs, ys: geo.transform(features.crs, crs, xs, ys))
        except ValueError as error:
            raise InputError(
                f"{os.path.basename(path)} lies outside the coordinate system of the truth; check its CRS."
            ) from error
    shapes = Shapes(_polygons(features, path))
    if len(shapes) and not (shapes.areas > 0).all():
        raise _no_area(path, int((shapes.areas > 0).argmin()))
    return shapes


def _polygons(features: Features, path: str) -> list[list[list[list[tuple[float, float]]]]]:
    result = []
    for number, data in enumerate(features.wkb):
        try:
            found = wkb.shapes(data).polygons if data else []
        except ValueError:
            found = []
        if not found:
            raise _no_area(path, number)
        result.append(found)
    return result


def _no_area(path: str, number: int) -> InputError:
    return InputError(
        f"Feature {number + 1} of {os.path.basename(path)} is no polygon with an area; remove it, or name a "
        "layer of polygons."
    )


def _names(features: Features, path: str, field: Optional[str]) -> npt.NDArray[Any]:
    """The class of each feature as text; one for all without a field. Raises InputError."""
    if field is None:
        return np.full(len(features.wkb), "", dtype=np.str_)
    if field not in features.columns:
        known = ", ".join(features.columns) or "none"
        raise InputError(
            f"{os.path.basename(path)} has no attribute {field}; name one that both files have (here: {known})."
        )
    return np.array([str(value) for value in features.columns[field]], dtype=np.str_)


def _scores(features: Features) -> tuple[Optional[npt.NDArray[np.float64]], tuple[str, ...]]:
    """Scores (n,), and what is to be said where there are none: they are never made up."""
    column = np.asarray(features.columns.get("score", ()))
    if len(features.wkb) and (column.dtype.kind not in "if" or len(column) != len(features.wkb)):
        return None, ("The predicted objects have no number in an attribute score: no average precision.",)
    scores = column.astype(np.float64)
    if not np.isfinite(scores).all():
        return None, ("Some predicted objects have no score: no average precision.",)
    return scores, ()
