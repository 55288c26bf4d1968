# SPDX-License-Identifier: GPL-2.0-or-later
"""What a model trained for one task answers: its classes, or the quantity that it estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

NODATA_CLASS = 255
"""Value of pixels without a class in a class raster; classes have the values 0 to 254."""
NODATA_VALUE = -9999.0

PALETTE = (
    *("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB", "#EE7733"),
    *("#0077BB", "#33BBEE", "#EE3377", "#CC3311", "#009988", "#882255", "#DDCC77", "#999933"),
)
"""Colours of classes that name none: Paul Tol's bright and vibrant schemes, safe for colour-blind eyes
(personal.sron.nl/~pault). From the 17th class on they repeat."""


@dataclass(frozen=True)
class ClassSpec:
    """A class: its value in rasters, its name, and its colour as #RRGGBB."""

    value: int
    name: str
    color: str

    @property
    def rgba(self) -> tuple[int, int, int, int]:
        """Red, green, blue and opacity, 0 to 255."""
        red, green, blue = (int(self.color[i : i + 2], 16) for i in (1, 3, 5))
        return red, green, blue, 255


@dataclass(frozen=True)
class QuantitySpec:
    """What a regression estimates: one name per band, their unit, and the value of pixels without any."""

    names: tuple[str, ...]
    unit: str
    nodata: float = NODATA_VALUE


def parse_classes(specs: Sequence[Mapping[str, Any]]) -> tuple[ClassSpec, ...]:
    """``classes`` of pack.json; a class without a colour takes one of the palette, by its place."""
    return tuple(
        ClassSpec(int(spec["value"]), spec["name"], spec.get("color", PALETTE[i % len(PALETTE)]))
        for i, spec in enumerate(specs)
    )


def parse_quantity(spec: Optional[Mapping[str, Any]]) -> Optional[QuantitySpec]:
    """``output`` of pack.json, None where there is none."""
    if spec is None:
        return None
    return QuantitySpec(tuple(spec["names"]), spec["unit"], float(spec.get("nodata", NODATA_VALUE)))


def answers_problem(manifest: Mapping[str, Any]) -> Optional[str]:
    """What the schema cannot say about ``classes`` and ``output``."""
    values = [spec["value"] for spec in manifest.get("classes", ())]
    if values != list(range(len(values))):
        return "classes: their values must be 0, 1, 2, … in this order"
    output = manifest.get("output")
    if output is not None and not math.isfinite(output.get("nodata", NODATA_VALUE)):
        return "output: nodata must be finite"
    tasks = set(manifest["tasks"])
    if tasks & {"segment", "classify"} and len(values) < 2:
        return "classes: a model that names classes needs at least two"
    if "regress" in tasks and output is None:
        return "output: a model that estimates values needs their names and unit"
    return None
