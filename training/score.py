# SPDX-License-Identifier: GPL-2.0-or-later
"""A quick look at a model in training on simulated scenes that it does not learn from. Needs torch and terratorch.

For the log only: nothing is chosen by it. The figures that count are ``training.evaluate``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import CLASSES, Chips
from .starter_model import TARGETS

#: Metres between the 5th and 95th percentile of a tile's heights, above which relief is worth the name.
HILLY = 100.0

#: Chips in one go, four tiles each.
AT_ONCE = 4

Guess = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def score(guess: Guess, chips: Chips) -> dict[str, float]:
    """Return figures of ``guess(inputs)``, which makes images (B, C, T, T) by name from S2L2A.

    A name is a target, or one with a remark after a slash. LULC: pixel accuracy and mean IoU over the classes that
    occur; NDVI: mean absolute error; DEM: mean correlation within tiles, all and hilly ones.
    """
    found: dict[str, list[Any]] = {}
    for first in range(0, len(chips), AT_ONCE):
        some = range(first, min(first + AT_ONCE, len(chips)))
        batch = chips.quarters(some, ("S2L2A",), ("LULC", "DEM", "NDVI"))
        for name, image in guess(batch.inputs).items():
            target = name.partition("/")[0]
            truth = batch.truths[target].numpy()
            found.setdefault(name, []).append(_PARTS[target](image.numpy(), truth))
    return {
        f"{name} {what}": value
        for name, parts in found.items()
        for what, value in _WHOLE[name.partition("/")[0]](parts).items()
    }


def _confusion(logits: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.int64]:
    pairs = truth.ravel() * CLASSES + logits.argmax(axis=1).ravel()
    return np.bincount(pairs, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)


def _land_cover(parts: list[NDArray[Any]]) -> dict[str, float]:
    matrix = np.sum(parts, axis=0)
    hit, either = np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1) - np.diag(matrix)
    present = matrix.sum(axis=1) > 0
    return {"acc": float(hit.sum() / matrix.sum()), "mIoU": float((hit[present] / either[present]).mean())}


def _errors(image: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.abs(image - truth).mean(axis=(1, 2, 3))) * TARGETS["NDVI"]["std"][0]


def _details(image: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    """Return (B, 2): each tile's correlation, and its relief in metres."""
    pair = np.stack([image, truth]).reshape(2, len(truth), -1).astype(np.float64)
    pair -= pair.mean(axis=-1, keepdims=True)
    power = np.sqrt(np.prod(np.square(pair).mean(axis=-1), axis=0))
    correlation = np.where(power > 0, pair.prod(axis=0).mean(axis=-1) / np.maximum(power, 1e-12), 0.0)
    low, high = np.percentile(pair[1], (5, 95), axis=-1)
    return np.stack([correlation, (high - low) * TARGETS["DEM"]["std"][0]], axis=1)


def _relief(parts: list[NDArray[Any]]) -> dict[str, float]:
    correlation, relief = np.concatenate(parts).T
    figures = {"corr": float(correlation[relief > 1.0].mean()) if (relief > 1.0).any() else float("nan")}
    if (relief > HILLY).any():
        figures["corr in hills"] = float(correlation[relief > HILLY].mean())
    return figures


_PARTS: Mapping[str, Callable[..., NDArray[Any]]] = {"LULC": _confusion, "NDVI": _errors, "DEM": _details}
_WHOLE: Mapping[str, Callable[[list[Any]], dict[str, float]]] = {
    "LULC": _land_cover,
    "NDVI": lambda parts: {"MAE": float(np.concatenate(parts).mean())},
    "DEM": _relief,
}
