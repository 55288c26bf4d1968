# SPDX-License-Identifier: GPL-2.0-or-later
"""What a model was measured to reach, in short: a few figures of its manifest's ``training.accuracy``.

These are the figures of the full card that say most about each target, from Sentinel-2 L2A; ``training.evaluate``
writes them as ``{"simulated": {TARGET: {FIGURE: value}}, "real": {"mean": {TARGET: {FIGURE: value}}}}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

FIGURES = (
    ("LULC", "accuracy", "land cover: share of pixels that are right"),
    ("NDVI", "mean absolute error", "NDVI: mean absolute error"),
    ("DEM", "detail correlation", "elevation: correlation of relief within a tile"),
)
"""Target, figure, and what the figure is."""


@dataclass(frozen=True)
class Reach:
    """One figure; None where it was not measured."""

    target: str
    figure: str
    simulated: Optional[float]
    """On simulated scenes that were not trained on."""
    real: Optional[float]
    """The mean over real chips."""


def reaches(training: Any) -> tuple[Reach, ...]:
    """The figures that a manifest's ``training`` holds; whatever else it holds is no error."""
    accuracy = _at(training, "accuracy")
    found = (
        Reach(
            target,
            figure,
            _number(_at(accuracy, "simulated", target, figure)),
            _number(_at(accuracy, "real", "mean", target, figure)),
        )
        for target, figure, _ in FIGURES
    )
    return tuple(one for one in found if one.simulated is not None or one.real is not None)


def reach_words(found: tuple[Reach, ...]) -> str:
    """The figures as a line for files and the terminal, in English; empty where there is none."""
    words = {(target, figure): text for target, figure, text in FIGURES}
    parts = []
    for one in found:
        places = [
            f"{value:.2f} {place}"
            for value, place in ((one.simulated, "simulated"), (one.real, "real"))
            if value is not None
        ]
        parts.append(f"{words[one.target, one.figure]} {', '.join(places)}")
    return "; ".join(parts)


def _at(found: Any, *path: str) -> Any:
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _number(value: Any) -> Optional[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
