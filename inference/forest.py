# SPDX-License-Identifier: GPL-2.0-or-later
"""Random forests as plain arrays: scikit-learn grows them, numpy asks them, and nothing is unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import RuntimeMissing

TREES = 200
_NODES = ("left", "right", "feature", "threshold", "values")


@dataclass(frozen=True)
class Forest:
    """Trees whose nodes lie one after another; a leaf has no children (-1)."""

    roots: npt.NDArray[np.int64]
    """The first node of each tree."""
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    """Which feature is compared: left where it is at most ``threshold``."""
    threshold: npt.NDArray[np.float64]
    values: npt.NDArray[np.float32]
    """Class shares (nodes, classes)."""
    features: int

    def probabilities(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(n, features) to (n, classes): the mean of the trees' leaves, as scikit-learn's."""
        rows = np.asarray(rows, np.float32)
        total = np.zeros((len(rows), self.values.shape[1]))
        everyone = np.arange(len(rows))
        for root in self.roots:
            nodes = np.full(len(rows), root)
            moving = everyone
            while len(moving):
                at = nodes[moving]
                inner = self.left[at] >= 0
                moving, at = moving[inner], at[inner]
                low = rows[moving, self.feature[at]] <= self.threshold[at]
                nodes[moving] = np.where(low, self.left[at], self.right[at])
            total += self.values[nodes]
        return total / len(self.roots)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What a file holds."""
        made = {name: getattr(self, name) for name in ("roots", *_NODES)}
        return {**made, "features": np.array(self.features)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Forest:
        """The forest of ``arrays``. Raises KeyError, ValueError where these do not make one."""
        features = int(arrays["features"])
        parts = {name: np.asarray(arrays[name]) for name in ("roots", *_NODES)}
        count = len(parts["left"])
        if any(len(parts[name]) != count for name in _NODES) or parts["values"].ndim != 2 or not count:
            raise ValueError("its arrays do not fit together")
        nodes, inner = np.arange(count), parts["left"] >= 0
        for name in ("left", "right"):
            # Children come after their parents: no walk goes round in circles.
            if (parts[name][inner] <= nodes[inner]).any() or (parts[name] >= count).any():
                raise ValueError("its nodes do not make trees")
        picked = parts["feature"][inner]
        if (picked < 0).any() or (picked >= features).any() or not len(parts["roots"]):
            raise ValueError("its nodes do not make trees")
        if (parts["roots"] < 0).any() or (parts["roots"] >= count).any():
            raise ValueError("its nodes do not make trees")
        return cls(features=features, **parts)


def require_forests() -> Any:
    """scikit-learn's class of forests. Raises RuntimeMissing where it is not installed."""
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise RuntimeMissing(
            "Random forests need scikit-learn, which is not installed here; install it, or use the logistic "
            "classifier."
        ) from error
    return RandomForestClassifier


def fit_forest(
    features: npt.NDArray[Any], labels: npt.NDArray[np.int64], classes: int, *, seed: int = 0
) -> Forest:
    """Grow a forest with balanced class weights. Raises RuntimeMissing without scikit-learn."""
    grown = require_forests()(
        n_estimators=TREES, class_weight="balanced", random_state=seed, max_features="sqrt", n_jobs=1
    ).fit(np.asarray(features, np.float32), labels)
    roots, parts, first = [], [], 0
    for tree in (one.tree_ for one in grown.estimators_):
        shares = tree.value[:, 0, :]
        values = np.zeros((tree.node_count, classes), np.float32)
        values[:, grown.classes_] = shares / shares.sum(axis=1, keepdims=True)
        inner = tree.children_left >= 0
        parts.append((
            np.where(inner, tree.children_left + first, -1), np.where(inner, tree.children_right + first, -1),
            tree.feature, tree.threshold, values,
        ))  # fmt: skip
        roots.append(first)
        first += tree.node_count
    left, right, feature, threshold, values = (np.concatenate(columns) for columns in zip(*parts))
    return Forest(np.array(roots), left, right, feature.astype(np.int64), threshold, values, len(features[0]))
