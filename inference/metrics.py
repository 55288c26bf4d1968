# SPDX-License-Identifier: GPL-2.0-or-later
"""How far a generated raster is from the true one: errors, structure, classes. Pure numpy, added up chip by chip.

Everything but the structural similarity can be fed in pieces of any size; sums are kept in float64. A pixel
counts where both rasters have a number and the mask, where one is given, says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

WINDOW, SIGMA = 11, 1.5
"""Side of the Gaussian window in pixels and its standard deviation: Wang et al. 2004, section III-B."""

K1, K2 = 0.01, 0.03
"""Constants that keep the quotients stable: Wang et al. 2004, section III-B."""

FLAT = 1.0
"""Standard deviation of heights in metres up to which a tile is flat: elevation models in whole metres, as many
are stored, show steps there and no relief."""


def _pair(truth: Array, guess: Array, valid: Optional[Mask]) -> tuple[Float64, Float64, Mask]:
    """Both as (bands, h, w) float64 with 0 where they do not count, and where they do, (bands, h, w)."""
    if truth.shape != guess.shape or truth.ndim not in (2, 3):
        raise ValueError(f"truth {truth.shape} and guess {guess.shape} must be (h, w) or (bands, h, w) alike")
    shape = truth.shape if truth.ndim == 3 else (1, *truth.shape)
    first = np.asarray(truth, np.float64).reshape(shape)
    second = np.asarray(guess, np.float64).reshape(shape)
    counts: Mask = np.isfinite(first) & np.isfinite(second)
    if valid is not None:
        counts &= valid
    return np.where(counts, first, 0.0), np.where(counts, second, 0.0), counts


class Errors:
    """Errors of values: sums per band over as many chips as are added."""

    def __init__(self, bands: int = 1) -> None:
        self.count = np.zeros(bands, np.int64)
        """Values that counted, (bands,)."""
        self._absolute = np.zeros(bands)
        self._squared = np.zeros(bands)
        self._signed = np.zeros(bands)

    def add(self, truth: Array, guess: Array, valid: Optional[Mask] = None) -> None:
        """Count (h, w) or (bands, h, w) in the modality's unit; ``valid`` is (h, w) or (bands, h, w)."""
        first, second, counts = _pair(truth, guess, valid)
        difference = second - first
        self.count += counts.sum(axis=(1, 2))
        self._absolute += np.abs(difference).sum(axis=(1, 2))
        self._squared += np.square(difference).sum(axis=(1, 2))
        self._signed += difference.sum(axis=(1, 2))

    @property
    def mae(self) -> float:
        """Mean absolute error over all bands, in the unit; NaN where nothing was added."""
        return _ratio(self._absolute.sum(), self.count.sum())

    @property
    def rmse(self) -> float:
        """Root of the mean squared error over all bands, in the unit; NaN where nothing was added."""
        return math.sqrt(_ratio(self._squared.sum(), self.count.sum()))

    @property
    def bias(self) -> float:
        """Mean of guess − truth over all bands, in the unit; NaN where nothing was added."""
        return _ratio(self._signed.sum(), self.count.sum())

    @property
    def band_mae(self) -> list[float]:
        """Mean absolute error of each band."""
        return [_ratio(total, count) for total, count in zip(self._absolute, self.count)]

    @property
    def band_rmse(self) -> list[float]:
        """Root mean squared error of each band."""
        return [math.sqrt(_ratio(total, count)) for total, count in zip(self._squared, self.count)]

    def psnr(self, data_range: float) -> float:
        """Peak signal-to-noise ratio in dB, 20 · log10(data range / RMSE); inf where nothing differs.

        ``data_range`` is the span of the true values, largest less smallest, in the same unit.
        """
        return psnr(self.rmse, data_range)


def psnr(rmse: float, data_range: float) -> float:
    """Peak signal-to-noise ratio in dB of a root mean squared error; inf for 0, NaN for an empty range."""
    if math.isnan(rmse) or not data_range > 0:
        return math.nan
    return math.inf if rmse == 0 else 20 * math.log10(data_range / rmse)


class Detail:
    """Errors with each chip's mean level taken out: what is left where levels cannot be known.

    One image does not tell how high above the sea its place lies, only how the ground rises and falls. Each
    ``add`` is one chip, whose mean is taken from the truth and from the guess.
    """

    def __init__(self) -> None:
        self._count = 0
        self._truth = self._guess = self._both = self._squared = 0.0

    def add(self, truth: Array, guess: Array, valid: Optional[Mask] = None) -> None:
        """Count one chip, (h, w) or (1, h, w)."""
        first, second, counts = _pair(truth, guess, valid)
        x, y = first[counts], second[counts]
        if not len(x):
            return
        x, y = x - x.mean(), y - y.mean()
        self._count += len(x)
        self._truth += float(x @ x)
        self._guess += float(y @ y)
        self._both += float(x @ y)
        self._squared += float((x - y) @ (x - y))

    @property
    def correlation(self) -> float:
        """Correlation of truth and guess about their chips' means, −1 to 1; NaN where either is flat."""
        scale = math.sqrt(self._truth * self._guess)
        return self._both / scale if scale > 0 else math.nan

    @property
    def rmse(self) -> float:
        """Root mean squared error about the chips' means, in the unit."""
        return math.sqrt(_ratio(self._squared, self._count))

    @property
    def flat_rmse(self) -> float:
        """The same of a flat surface, which is the relief itself: what a guess has to undercut."""
        return math.sqrt(_ratio(self._truth, self._count))


class TileDetail:
    """Correlation of relief within tiles: each tile's mean is taken out, and every tile counts alike.

    Tiles lie side by side from the raster's first corner; those that would reach beyond its last row or
    column are left out, and a raster that is smaller than a tile is one tile. A tile counts where at least
    half of its pixels do, and where the standard deviation of its truth is larger than ``FLAT``: what is
    flat has nothing to find. A guess without any relief correlates with nothing: 0.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        """Side of a tile in pixels."""
        self._found: list[tuple[float, float]] = []

    def add(self, truth: Array, guess: Array, valid: Optional[Mask] = None) -> None:
        """Count the tiles of one chip, (h, w) or (1, h, w) in metres; rasters of several bands are refused."""
        first, second, counts = _pair(truth, guess, valid)
        if len(first) != 1:
            raise ValueError(f"relief has one band, not {len(first)}")
        height, width = first.shape[1:]
        high, wide = min(self.size, height), min(self.size, width)
        for row in range(0, height - high + 1, high):
            for column in range(0, width - wide + 1, wide):
                place = (0, slice(row, row + high), slice(column, column + wide))
                self._tile(first[place], second[place], counts[place])

    def _tile(self, truth: Float64, guess: Float64, counts: Mask) -> None:
        x, y = truth[counts], guess[counts]
        if 2 * len(x) < counts.size or not x.std() > FLAT:
            return
        relief = float(x.max() - x.min())
        x, y = x - x.mean(), y - y.mean()
        scale = math.sqrt(float(x @ x) * float(y @ y))
        self._found.append((relief, float(x @ y) / scale if scale > 1e-9 * float(x @ x) else 0.0))

    def over(self, relief: float = 0.0) -> tuple[float, int]:
        """Mean correlation, −1 to 1, of the tiles whose truth spans more than ``relief`` metres from lowest to
        highest, and how many these are; NaN where there is none."""
        found = [correlation for span, correlation in self._found if span > relief]
        return _ratio(sum(found), len(found)), len(found)


class Confusion:
    """Which class was taken for which: a matrix over as many chips as are added."""

    def __init__(self, classes: int, ignore: Optional[int] = None) -> None:
        self.matrix: npt.NDArray[np.int64] = np.zeros((classes, classes), np.int64)
        """Pixels by true class (rows) and guessed class (columns)."""
        self._ignore = ignore

    def add(self, truth: Array, guess: Array, valid: Optional[Mask] = None) -> None:
        """Count class numbers, any shape alike; true pixels of the class to ``ignore`` do not count.

        Raises ValueError for a number that is no class.
        """
        counts = np.ones(truth.shape, np.bool_) if valid is None else np.broadcast_to(valid, truth.shape)
        if self._ignore is not None:
            counts = counts & (truth != self._ignore)
        rows, columns = truth[counts].astype(np.int64), guess[counts].astype(np.int64)
        size = len(self.matrix)
        for numbers in (rows, columns):
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < size:
                raise ValueError(f"classes are 0 to {size - 1}, not {numbers.min()} to {numbers.max()}")
        self.matrix += np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)

    @property
    def accuracy(self) -> float:
        """Part of the pixels whose class is right, 0 to 1; NaN where nothing was added."""
        return _ratio(np.trace(self.matrix), self.matrix.sum())

    def grouped(self, classes: Sequence[int]) -> float:
        """Accuracy where some classes are one and all others another, 0 to 1; NaN where nothing was added."""
        inside = np.zeros(len(self.matrix), np.bool_)
        inside[list(classes)] = True
        right = self.matrix[np.ix_(inside, inside)].sum() + self.matrix[np.ix_(~inside, ~inside)].sum()
        return _ratio(right, self.matrix.sum())

    @property
    def present(self) -> list[int]:
        """The classes that are there in truth."""
        return [int(index) for index in np.flatnonzero(self.matrix.sum(axis=1))]

    @property
    def iou(self) -> list[float]:
        """Intersection over union of each class, 0 to 1; NaN where it is neither in truth nor in the guess."""
        hits = np.diag(self.matrix)
        union = self.matrix.sum(axis=0) + self.matrix.sum(axis=1) - hits
        return [_ratio(hit, total) for hit, total in zip(hits, union)]

    @property
    def mean_iou(self) -> float:
        """Mean of the intersections over unions of the classes that are there in truth."""
        iou = self.iou
        return _ratio(sum(iou[index] for index in self.present), len(self.present))


def ssim(truth: Array, guess: Array, data_range: float, valid: Optional[Mask] = None) -> float:
    """Structural similarity of (h, w) or (bands, h, w), −1 to 1: mean over bands and windows.

    Wang et al. 2004, equation 13, with a Gaussian window of 11 × 11 pixels and population covariances, as
    scikit-image computes it (``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``). Windows
    that leave the image or hold a pixel that does not count are left out; NaN where none is left.
    ``data_range`` is the span of the true values in the same unit; the result depends on it.
    """
    first, second, counts = _pair(truth, guess, valid)
    if min(first.shape[1:]) < WINDOW or not data_range > 0:
        return math.nan
    whole = _blurred(counts.astype(np.float64)) > 1 - 1e-9
    if not whole.any():
        return math.nan
    mean1, mean2 = _blurred(first), _blurred(second)
    var1 = _blurred(first * first) - mean1 * mean1
    var2 = _blurred(second * second) - mean2 * mean2
    both = _blurred(first * second) - mean1 * mean2
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    similarity = (2 * mean1 * mean2 + c1) * (2 * both + c2)
    similarity /= (mean1 * mean1 + mean2 * mean2 + c1) * (var1 + var2 + c2)
    bands = [float(band[mask].mean()) for band, mask in zip(similarity, whole) if mask.any()]
    return sum(bands) / len(bands)


def _blurred(images: Float64) -> Float64:
    """(bands, h, w) averaged under the window, where it lies inside: (bands, h − 10, w − 10)."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-0.5 * np.square(offsets / SIGMA))
    weights /= weights.sum()
    height, width = images.shape[1] - WINDOW + 1, images.shape[2] - WINDOW + 1
    rows = np.zeros((len(images), height, images.shape[2]))
    for index, weight in enumerate(weights):
        rows += weight * images[:, index : index + height]
    result = np.zeros((len(images), height, width))
    for index, weight in enumerate(weights):
        result += weight * rows[:, :, index : index + width]
    return result


def _ratio(total: Any, count: Any) -> float:
    return float(total) / float(count) if count else math.nan
