# SPDX-License-Identifier: GPL-2.0-or-later
"""Multinomial logistic regression in numpy: few examples, many features, one convex optimum.

Minimises ``½ Σ‖w_k‖² + C Σ s_i · loss_i`` with softmax loss, an unpenalised bias and, by default, balanced
class weights ``n / (K · n_k)``, from standardised features: what scikit-learn's ``LogisticRegression(C=C,
class_weight="balanced")`` behind a ``StandardScaler`` minimises. As there, two classes share one weight
vector, which doubles the penalty of the symmetric form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
import numpy.typing as npt

from .types import Cancel

Float64 = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

TOLERANCE = 1e-6
"""Largest entry of the gradient, per weighted sample, at which the optimum counts as found."""
MOST_STEPS = 2000
_MEMORY = 12
"""Pairs of steps that L-BFGS remembers (Nocedal and Wright, Numerical Optimization, 7.2: 3 to 20)."""


@dataclass(frozen=True)
class Logistic:
    """A linear classifier of raw features: ``softmax(features @ weights.T + bias)``."""

    weights: Float64
    """(classes, features)."""
    bias: Float64
    """(classes,)."""
    steps: int = 0
    """What the optimum took."""

    def logits(self, features: npt.NDArray[Any]) -> Float64:
        """(n, features) to (n, classes)."""
        return np.asarray(features @ self.weights.T + self.bias, np.float64)

    def probabilities(self, features: npt.NDArray[Any]) -> Float64:
        """(n, features) to (n, classes), each row summing to 1."""
        return np.asarray(np.exp(_log_softmax(self.logits(features))))


def fit_logistic(
    features: npt.NDArray[Any],
    labels: Ids,
    classes: int,
    *,
    c: float = 1.0,
    sample_weights: Optional[Float64] = None,
    balanced: bool = True,
    cancel: Optional[Cancel] = None,
) -> Logistic:
    """Fit (n, features) finite values to labels (n,) from 0 to ``classes - 1``; deterministic.

    A class without a sample gets a bias that makes it impossible. ``sample_weights`` (n,) come on top of
    the class weights. Raises ValueError for fewer than two classes with samples, Cancelled.
    """
    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError("two classes with samples are needed")
    if len(present) < classes:
        return _spread(features, labels, classes, present, c, sample_weights, balanced, cancel)
    rows = np.asarray(features, np.float64)
    mean = rows.mean(axis=0)
    scale = rows.std(axis=0)
    # What does not vary, but for rounding, is left alone: as StandardScaler.
    scale[scale <= 10 * np.finfo(np.float64).eps * np.maximum(1.0, np.abs(mean))] = 1.0
    weights = np.ones(len(rows)) if sample_weights is None else np.asarray(sample_weights, np.float64).copy()
    if balanced:
        weights *= (len(rows) / (classes * np.bincount(labels, minlength=classes)))[labels]
    objective = _Objective((rows - mean) / scale, labels, classes, weights, c)
    found, steps = _lbfgs(objective, np.zeros(classes * (rows.shape[1] + 1)), cancel)
    table = found.reshape(classes, -1)
    # The scaling goes into the weights: whoever predicts needs no other numbers.
    raw = table[:, :-1] / scale
    return Logistic(raw, table[:, -1] - raw @ mean, steps)


def _spread(
    features: npt.NDArray[Any],
    labels: Ids,
    classes: int,
    present: Ids,
    c: float,
    sample_weights: Optional[Float64],
    balanced: bool,
    cancel: Optional[Cancel],
) -> Logistic:
    """Fit the classes that have samples, and put them among the others."""
    small = fit_logistic(
        features, np.searchsorted(present, labels), len(present),
        c=c, sample_weights=sample_weights, balanced=balanced, cancel=cancel,
    )  # fmt: skip
    weights = np.zeros((classes, small.weights.shape[1]))
    bias = np.full(classes, -np.inf)
    weights[present], bias[present] = small.weights, small.bias
    return Logistic(weights, bias, small.steps)


class _Objective:
    """Value and gradient, both over the sum of weights so that tolerances do not depend on their number."""

    def __init__(self, rows: Float64, labels: Ids, classes: int, weights: Float64, c: float) -> None:
        self._rows, self._labels, self._classes, self._weights = rows, labels, classes, weights
        total = float(weights.sum())
        self._penalty = (2.0 if classes == 2 else 1.0) / (c * total)
        self._share = weights / total
        self._truth = np.zeros((len(rows), classes))
        self._truth[np.arange(len(rows)), labels] = 1.0

    def __call__(self, flat: Float64) -> tuple[float, Float64]:
        table = flat.reshape(self._classes, -1)
        inner = table[:, :-1]
        logs = _log_softmax(self._rows @ inner.T + table[:, -1])
        loss = -float(self._share @ logs[np.arange(len(logs)), self._labels])
        residual = (np.exp(logs) - self._truth) * self._share[:, None]
        gradient = np.empty_like(table)
        gradient[:, :-1] = residual.T @ self._rows + self._penalty * inner
        gradient[:, -1] = residual.sum(axis=0)
        return loss + 0.5 * self._penalty * float((inner * inner).sum()), gradient.ravel()


def _log_softmax(logits: Float64) -> Float64:
    top = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(top - np.log(np.exp(top).sum(axis=1, keepdims=True)))


def _lbfgs(
    objective: Callable[[Float64], tuple[float, Float64]], start: Float64, cancel: Optional[Cancel]
) -> tuple[Float64, int]:
    """Minimise a smooth convex function (Nocedal and Wright, algorithm 7.4 with a backtracking search)."""
    place = start
    value, gradient = objective(place)
    pairs: list[tuple[Float64, Float64]] = []
    for step in range(MOST_STEPS):
        if cancel is not None:
            cancel.raise_if_set()
        if float(np.abs(gradient).max()) <= TOLERANCE:
            return place, step
        direction = _direction(gradient, pairs)
        slope = float(gradient @ direction)
        length = 1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        while True:
            ahead = place + length * direction
            lower, there = objective(ahead)
            if lower <= value + 1e-4 * length * slope or length < 1e-12:
                break
            length *= 0.5
        moved, turned = ahead - place, there - gradient
        if float(moved @ turned) > 1e-14:
            pairs = [*pairs[-(_MEMORY - 1) :], (moved, turned)]
        elif length < 1e-12:
            return place, step  # no further down than rounding allows
        place, value, gradient = ahead, lower, there
    return place, MOST_STEPS


def _direction(gradient: Float64, pairs: list[tuple[Float64, Float64]]) -> Float64:
    """Two-loop recursion: the remembered curvature applied to the gradient, downwards."""
    result = -gradient
    shares = []
    for moved, turned in reversed(pairs):
        share = float(moved @ result) / float(moved @ turned)
        shares.append(share)
        result = result - share * turned
    if pairs:
        moved, turned = pairs[-1]
        result = result * (float(moved @ turned) / float(turned @ turned))
    for (moved, turned), share in zip(pairs, reversed(shares)):
        result = result + (share - float(turned @ result) / float(moved @ turned)) * moved
    return result
