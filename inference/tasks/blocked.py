# SPDX-License-Identifier: GPL-2.0-or-later
"""Cross-validation in spatial blocks: how well a classifier does away from where it was trained.

Pixels beside each other look alike. Testing on the neighbours of what was trained on flatters, so pixels
are dealt out to folds by square blocks, and what lies closer to a tested pixel than ``margin`` is left out
of training (Roberts et al. 2017, Ecography 40: 913-929).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
import numpy.typing as npt

from ..types import Cancel
from .samples import Ids, Pixels

FOLDS = 5
_CHUNK = 512

Fit = Callable[[npt.NDArray[Any], Ids], Callable[[npt.NDArray[Any]], npt.NDArray[Any]]]
"""Trains on features and labels; gives what turns features into class probabilities."""


@dataclass(frozen=True)
class Report:
    """What cross-validation found. Rates are from 0 to 1, None where nothing could be tested."""

    classes: tuple[str, ...]
    places: tuple[int, ...]
    """Samples per class."""
    pixels: tuple[int, ...]
    """Pixels per class that they gave."""
    block_m: float
    """Side of a block in metres."""
    margin_m: float
    folds: int
    """Folds that were tested."""
    confusion: tuple[tuple[int, ...], ...]
    """Pixels by their class (rows) and what the model took them for (columns)."""
    untested: tuple[str, ...] = ()
    """Classes that never were on both sides: their samples lie too close together."""

    @property
    def tested(self) -> int:
        """Pixels that were tested."""
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> Optional[float]:
        """Share of the tested pixels that were taken for their class."""
        right = sum(row[i] for i, row in enumerate(self.confusion))
        return right / self.tested if self.tested else None

    @property
    def f1(self) -> tuple[Optional[float], ...]:
        """Per class 2 · right / (its pixels + pixels taken for it); None for untested classes."""
        table = np.array(self.confusion, np.int64)
        both = table.sum(axis=0) + table.sum(axis=1)
        return tuple(
            None if not table[i].sum() else float(2 * table[i, i] / both[i]) for i in range(len(table))
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, with plain numbers."""

        def rounded(value: Optional[float]) -> Optional[float]:
            return None if value is None else round(value, 4)

        return {
            "accuracy": rounded(self.accuracy),
            "classes": list(self.classes),
            "samples": dict(zip(self.classes, self.places)),
            "pixels": dict(zip(self.classes, self.pixels)),
            "f1": dict(zip(self.classes, map(rounded, self.f1))),
            "confusion": [list(row) for row in self.confusion],
            "tested": self.tested,
            "folds": self.folds,
            "block_m": round(self.block_m, 3),
            "margin_m": round(self.margin_m, 3),
            "untested": list(self.untested),
        }

    def sentence(self) -> str:
        """The outcome in a sentence."""
        if self.accuracy is None:
            return (
                "The accuracy cannot be told: the samples of each class lie within one block of "
                f"{self.block_m:g} m; mark places further apart."
            )
        words = (
            f"Accuracy {self.accuracy:.0%}, tested on {self.tested} pixels at least {self.margin_m:g} m away "
            "from those trained on"
        )
        if self.untested:
            words += f"; not tested: {', '.join(self.untested)}, whose samples lie too close together"
        return words + "."


def folds_of(pixels: Pixels, block: int, count: int) -> Ids:
    """A fold (n,) from 0 for each pixel: whole blocks of ``block`` × ``block`` pixels, the largest first,
    each to the fold that has least of its classes so far. Deterministic."""
    keys = np.stack((pixels.part, pixels.row // block, pixels.col // block), axis=1)
    _, member = np.unique(keys, axis=0, return_inverse=True)
    member = member.ravel()
    classes = int(pixels.label.max()) + 1
    share = np.zeros((int(member.max()) + 1, classes))
    np.add.at(share, (member, pixels.label), 1.0)
    share /= np.maximum(share.sum(axis=0), 1)
    order = np.lexsort((np.arange(len(share)), -share.sum(axis=1)))
    count = min(count, len(share))
    filled = np.zeros((count, classes))
    fold = np.zeros(len(share), np.int64)
    for one in order:
        load = (filled * (share[one] > 0)).sum(axis=1)
        best = min(range(count), key=lambda f: (load[f], filled[f].sum(), f))
        fold[one] = best
        filled[best] += share[one]
    return fold[member]


def far_from(pixels: Pixels, tested: npt.NDArray[Any], margin: int) -> npt.NDArray[np.bool_]:
    """Which pixels (n,) lie at least ``margin`` pixels, along either axis, from every tested one."""
    near = tested.copy()
    for part in np.unique(pixels.part[tested]):
        goal = np.flatnonzero(tested & (pixels.part == part))
        rest = np.flatnonzero(~tested & (pixels.part == part))
        for first in range(0, len(rest), _CHUNK):
            some = rest[first : first + _CHUNK]
            rows = np.abs(pixels.row[some][:, None] - pixels.row[goal][None])
            cols = np.abs(pixels.col[some][:, None] - pixels.col[goal][None])
            near[some] |= (np.maximum(rows, cols) < margin).any(axis=1)
    return ~near


def cross_validate(
    features: npt.NDArray[Any],
    pixels: Pixels,
    names: Sequence[str],
    fit: Fit,
    *,
    block: int,
    margin: int,
    gsd: float,
    folds: int = FOLDS,
    cancel: Optional[Cancel] = None,
) -> Report:
    """Train without each fold and its surroundings, and test there. ``block`` and ``margin`` in pixels.

    A class that training lacks then is not tested in that fold. Raises Cancelled.
    """
    fold = folds_of(pixels, block, folds)
    table = np.zeros((len(names), len(names)), np.int64)
    done = 0
    for one in range(int(fold.max()) + 1):
        if cancel is not None:
            cancel.raise_if_set()
        tested = fold == one
        trained = far_from(pixels, tested, margin)
        known = np.unique(pixels.label[trained])
        tested &= np.isin(pixels.label, known)
        if len(known) < 2 or not tested.any():
            continue
        answer = fit(features[trained], pixels.label[trained])(features[tested]).argmax(axis=1)
        np.add.at(table, (pixels.label[tested], answer), 1)
        done += 1
    counts = range(len(names))
    return Report(
        classes=tuple(names),
        places=tuple(len(np.unique(pixels.place[pixels.label == i])) for i in counts),
        pixels=tuple(int((pixels.label == i).sum()) for i in counts),
        block_m=block * gsd,
        margin_m=margin * gsd,
        folds=done,
        confusion=tuple(tuple(int(v) for v in row) for row in table),
        untested=tuple(name for i, name in enumerate(names) if not table[i].sum()),
    )
