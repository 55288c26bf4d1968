# SPDX-License-Identifier: GPL-2.0-or-later
"""Which variants of a pack's graphs the presets may use: their error against fp32, and how much is accepted.

The error lies in pack.json, ``variants.int8.error``, per modality and in its own unit::

    {"DEM": {"unit": "m", "measured": [{"steps": 2, "mae": 1.1, "rmse": 1.6, "max": 14.0}, …]},
     "LULC": {"unit": "%", "measured": [{"agreement": 99.1}]}}

``steps`` is missing where a decoder has none. ``LIMITS`` is the one table of what is accepted. A variant
beyond it stays in the pack, but runs only where the user asks for its precision by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

INT8 = "int8"


@dataclass(frozen=True)
class Limit:
    """What is accepted of one modality: ``quantity`` of the measured error at most (or at least) ``value``."""

    quantity: str
    value: float
    unit: str
    reason: str
    at_least: bool = False

    def accepts(self, measured: Mapping[str, Any]) -> bool:
        """Whether one measurement stays within it."""
        found: Any = measured.get(self.quantity)
        if not _is_number(found):
            return False
        return bool(found >= self.value if self.at_least else found <= self.value)


_REFLECTANCE = Limit(
    "rmse", 100.0, "reflectance × 10000", "a reflectance of 0.01, what atmospheric correction leaves"
)
_BACKSCATTER = Limit("rmse", 0.5, "dB", "half of Sentinel-1's radiometric accuracy, 1 dB (3 sigma)")

LIMITS: Mapping[str, Limit] = {
    "DEM": Limit("rmse", 10.0, "m", "small beside the error of elevation from one image, over 100 m"),
    "NDVI": Limit("rmse", 0.02, "", "small beside the sensors' own differences, about 0.05"),
    "LULC": Limit("agreement", 98.0, "%", "one pixel in fifty, most of them on borders", at_least=True),
    "S2L2A": _REFLECTANCE,
    "S2L1C": _REFLECTANCE,
    "S1GRD": _BACKSCATTER,
    "S1RTC": _BACKSCATTER,
}
"""Limits on what int8 may add to a modality's error. Change them here, and in docs/models.md."""


def accepted(variants: Mapping[str, Mapping[str, Any]], name: str, target: str, steps: Optional[int]) -> bool:
    """Whether a preset with so many denoising steps may decode a target with a variant.

    Where just these steps were not measured, all that were must be within the limit. False without any.
    """
    limit = LIMITS.get(target)
    measured = _measured(variants, name, target)
    fitting = [m for m in measured if "steps" not in m or m["steps"] == steps] or measured
    return limit is not None and bool(fitting) and all(limit.accepts(m) for m in fitting)


_WORDS = {"mae": "MAE", "rmse": "RMSE", "max": "at most", "agreement": "same class"}
"""What quantities are called, in the order in which they are shown."""


@dataclass(frozen=True)
class ErrorRow:
    """One line of the table of errors: a target decoded in so many steps."""

    variant: str
    target: str
    steps: Optional[int]
    unit: str
    values: Mapping[str, float]
    """mae, rmse and max in ``unit``, or agreement in per cent."""
    accepted: bool
    """Whether presets use the variant for it."""

    @property
    def text(self) -> str:
        """The error in words: "MAE 1.1 m, RMSE 1.6 m, at most 14 m"."""
        unit = f" {self.unit}" if self.unit and self.unit != "%" else self.unit
        return ", ".join(f"{_WORDS[k]} {v:.3g}{unit}" for k, v in self.values.items())


def error_rows(variants: Mapping[str, Mapping[str, Any]]) -> list[ErrorRow]:
    """The measured errors of all variants of a pack, in the order of the pack."""
    rows = []
    for name in variants:
        errors = variants[name].get("error", {})
        for target in errors:
            for measured in _measured(variants, name, target):
                steps = measured.get("steps")
                values = {k: float(measured[k]) for k in _WORDS if _is_number(measured.get(k))}
                unit = str(errors[target].get("unit", ""))
                rows.append(
                    ErrorRow(name, target, steps, unit, values, accepted(variants, name, target, steps))
                )
    return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _measured(
    variants: Mapping[str, Mapping[str, Any]], name: str, target: str
) -> Sequence[Mapping[str, Any]]:
    """What pack.json holds, as far as it has the form that is needed: packs come from anywhere."""
    entry = variants.get(name, {}).get("error", {}).get(target)
    found = entry.get("measured") if isinstance(entry, Mapping) else None
    return [m for m in found if isinstance(m, Mapping)] if isinstance(found, list) else []
