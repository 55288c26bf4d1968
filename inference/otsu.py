# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a histogram falls into two: Otsu's threshold (IEEE Transactions on Systems, Man and Cybernetics 9, 1979)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TIE = 1e-12
"""Part by which two variances may differ by rounding and still count as equal."""


def otsu(counts: npt.NDArray[Any], edges: npt.NDArray[Any]) -> float:
    """The edge that splits a histogram so that the variance between both sides is greatest.

    ``counts`` (n,) not negative, ``edges`` (n + 1,) rising; a bin's values stand at its middle. Where
    several neighbouring edges are equally good, as across a gap, the middle of them. The last edge where
    there is nothing to split: all in one bin, or nothing at all.
    """
    weight = np.asarray(counts, np.float64)
    borders = np.asarray(edges, np.float64)
    if np.count_nonzero(weight) < 2:
        return float(borders[-1])
    share = weight / weight.sum()
    # Middles from 0 to 1: large offsets would cost digits.
    middle = ((borders[:-1] + borders[1:]) / 2 - borders[0]) / (borders[-1] - borders[0])
    below = np.cumsum(share)[:-1]
    moment, mean = np.cumsum(share * middle)[:-1], float((share * middle).sum())
    both = below * (1 - below)
    between = np.zeros_like(below)
    np.divide((mean * below - moment) ** 2, both, out=between, where=both > TIE)
    best = between >= between.max() * (1 - TIE)
    first = int(np.argmax(best))
    run = best[first:]
    last = first + (len(run) if run.all() else int(np.argmin(run))) - 1
    return float((borders[first + 1] + borders[last + 1]) / 2)
