# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of one target: on one chip, or added up over many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np

from ..io.base import Float32, Mask
from ..metrics import Confusion, Detail, Errors, TileDetail, psnr, ssim
from ..modalities import LAND_COVER_NODATA, Modality

LEVELLED = ("DEM",)
"""Targets whose mean level cannot be known from one image."""

RELIEF = 100.0
"""Metres from a tile's lowest to its highest point above which its detail is also counted by itself."""

GROUPS: Mapping[str, tuple[str, ...]] = {"trees + crops + rangeland": ("Trees", "Crops", "Rangeland")}
"""Classes that are also counted as one against all others: crops, rangeland and open woodland look alike in
one image, and maps that people made do not agree on them."""


class Scores:
    """Sums over chips of one target.

    ``data_range`` is the span of the true values that SSIM and PSNR are taken with, in the unit; ``tile`` is
    the side in pixels of the tiles within which relief is compared.
    """

    def __init__(self, modality: Modality, data_range: Optional[float], tile: int = 224) -> None:
        self._modality = modality
        self._range = math.nan if data_range is None else data_range
        self._errors = Errors(len(modality.bands))
        self._similarity: list[float] = []
        self._detail, self._tiles = Detail(), TileDetail(tile)
        self._confusion = Confusion(len(modality.classes), ignore=LAND_COVER_NODATA)

    def add(self, truth: Float32, guess: Float32, valid: Mask) -> None:
        """Count one chip: (bands, h, w) in the modality's unit, and where both have data (h, w)."""
        if self._modality.classes:
            classes = len(self._modality.classes)
            rows = np.where(valid, np.nan_to_num(truth[0]), LAND_COVER_NODATA)
            known = valid & (rows >= 0) & (rows < classes)
            self._confusion.add(np.where(known, rows, LAND_COVER_NODATA), np.nan_to_num(guess[0]), known)
            return
        self._errors.add(truth, guess, valid)
        value = ssim(truth, guess, self._range, valid)
        if not math.isnan(value):
            self._similarity.append(value)
        if self._modality.id in LEVELLED:
            self._detail.add(truth, guess, valid)
            self._tiles.add(truth, guess, valid)

    def figures(self) -> dict[str, Any]:
        """What was measured, six digits each; a figure that has no value is absent."""
        return _finite(self._class_figures() if self._modality.classes else self._value_figures())

    def _value_figures(self) -> dict[str, Any]:
        errors, modality = self._errors, self._modality
        similarity = sum(self._similarity) / len(self._similarity) if self._similarity else math.nan
        figures: dict[str, Any] = {
            "pixels": int(errors.count[0]),
            "mae": errors.mae,
            "rmse": errors.rmse,
            "bias": errors.bias,
            "ssim": similarity,
            "psnr": psnr(errors.rmse, self._range),
        }
        if len(modality.bands) > 1:
            each = zip(modality.band_names, errors.band_mae, errors.band_rmse)
            figures["bands"] = {name: {"mae": mae, "rmse": rmse} for name, mae, rmse in each}
        if modality.id in LEVELLED:
            figures["about_mean"] = {
                "rmse": self._detail.rmse,
                "flat_rmse": self._detail.flat_rmse,
                "correlation": self._detail.correlation,
            }
            figures["tiles"] = self._tile_figures()
        return figures

    def _tile_figures(self) -> dict[str, Any]:
        (mean, count), (high, steep) = self._tiles.over(), self._tiles.over(RELIEF)
        return {
            "side": self._tiles.size,
            "count": count,
            "correlation": mean,
            "relief": RELIEF,
            "count_over_relief": steep,
            "correlation_over_relief": high,
        }

    def _class_figures(self) -> dict[str, Any]:
        confusion = self._confusion
        names = {item.value: item.name for item in self._modality.classes}
        listed = [value for value, total in enumerate(_totals(confusion)) if total]
        return {
            "pixels": int(confusion.matrix.sum()),
            "accuracy": confusion.accuracy,
            "mean_iou": confusion.mean_iou,
            "iou": {names[value]: confusion.iou[value] for value in listed},
            "groups": {
                group: confusion.grouped([value for value, name in names.items() if name in members])
                for group, members in GROUPS.items()
            },
            "confusion": {
                "classes": [names[value] for value in listed],
                "matrix": confusion.matrix[np.ix_(listed, listed)].tolist(),
            },
        }


def _totals(confusion: Confusion) -> list[int]:
    """Pixels of each class, in truth or in the guess."""
    return [int(n) for n in confusion.matrix.sum(axis=0) + confusion.matrix.sum(axis=1)]


def _finite(figures: dict[str, Any]) -> dict[str, Any]:
    """Without infinities and what is no number, floats to six digits."""
    result: dict[str, Any] = {}
    for key, value in figures.items():
        if isinstance(value, dict):
            result[key] = _finite(value)
        elif not isinstance(value, float):
            result[key] = value
        elif math.isfinite(value):
            result[key] = float(f"{value:.6g}")
    return result
