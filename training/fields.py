# SPDX-License-Identifier: GPL-2.0-or-later
"""Random fields on a pixel grid: band-limited noise, blurs, parcels. numpy only."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def _padded(length: int) -> int:
    """Return a quick FFT length (factors 2, 3, 5), a quarter longer so that edges do not wrap round."""
    need = length + max(16, length // 4)
    powers = [2**a * 3**b * 5**c for a in range(1, 15) for b in range(4) for c in range(3)]
    return min(power for power in powers if power >= need)


def _frequency(shape: tuple[int, int]) -> Field:
    """Return |f| in cycles per pixel on the half plane of ``rfft2``, float32."""
    fy = np.fft.fftfreq(shape[0])[:, None]
    fx = np.fft.rfftfreq(shape[1])[None, :]
    return np.sqrt(fy * fy + fx * fx).astype(np.float32)


class Noise:
    """A source of smooth noise fields on one grid; every call draws from the same generator, in order."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.rng = rng
        self.shape = (height, width)
        self._padded = (_padded(height), _padded(width))
        self._frequency = _frequency(self._padded)
        self._log_frequency = np.log(np.maximum(self._frequency, 1e-6))

    def smooth(self, shortest: float, longest: float, slope: float = 1.5) -> Field:
        """Return noise of mean 0 and std 1, (h, w) float32.

        Wavelengths lie between ``shortest`` and ``longest`` pixels; amplitude falls as frequency^-slope:
        1 is rough, 2 is rolling.
        """
        f = self._frequency
        gain = (f * longest) ** 2
        gain /= 1.0 + gain
        gain *= np.exp(-((f * shortest) ** 2) - slope * self._log_frequency)
        gain[0, 0] = 0.0
        white = self.rng.standard_normal(self._padded, dtype=np.float32)
        field = np.fft.irfft2(np.fft.rfft2(white) * gain, s=self._padded)
        field = field[: self.shape[0], : self.shape[1]]
        field = field - field.mean()
        return (field / max(float(field.std()), 1e-9)).astype(np.float32)

    def white(self) -> Field:
        """Return white noise of std 1, (h, w) float32."""
        return self.rng.standard_normal(self.shape, dtype=np.float32)

    def blur(self, field: NDArray[np.generic], sigma: float) -> Field:
        """Return ``field`` blurred by a Gaussian of ``sigma`` pixels, edges mirrored, (h, w) float32."""
        pad = ((0, self._padded[0] - self.shape[0]), (0, self._padded[1] - self.shape[1]))
        mirrored = np.pad(np.asarray(field, dtype=np.float32), pad, mode="symmetric")
        gain = np.exp(-2.0 * (np.pi * sigma * self._frequency) ** 2)
        out = np.fft.irfft2(np.fft.rfft2(mirrored) * gain, s=self._padded)
        return out[: self.shape[0], : self.shape[1]].astype(np.float32)


def threshold_for(field: Field, fraction: float, where: NDArray[np.bool_] | None = None) -> float:
    """Return the level above which ``fraction`` of the (masked) field lies; inf where there is none."""
    values = field[where] if where is not None else field.ravel()
    if values.size == 0 or fraction <= 0.0:
        return math.inf
    return float(np.quantile(values[:: max(1, values.size // 20000)], 1.0 - min(fraction, 1.0)))


def parcels(rng: np.random.Generator, shape: tuple[int, int], long: float, short: float) -> NDArray[np.int64]:
    """Return parcel numbers, (h, w) int64 from 0: bent strips cut into fields of long x short pixels."""
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    bend = rng.uniform(0, 0.04) * min(long, 30.0)
    phase = rng.uniform(0, 2 * np.pi, 2)
    u = x * np.cos(angle) + y * np.sin(angle) + bend * np.sin(y / 60.0 + phase[0])
    v = -x * np.sin(angle) + y * np.cos(angle) + bend * np.sin(x / 75.0 + phase[1])
    row = _jittered(rng, v, short)
    offset = rng.uniform(0, long, int(row.max()) + 1).astype(np.float32)[row]
    stretch = rng.uniform(0.6, 1.6, int(row.max()) + 1).astype(np.float32)[row]
    column = np.floor((u - u.min() + offset) / (long * stretch)).astype(np.int64)
    return _compact(row * (int(column.max()) + 1) + column)


def _jittered(rng: np.random.Generator, position: Field, spacing: float) -> NDArray[np.int64]:
    """Return the interval that each position falls in, intervals being 0.5 to 1.5 spacings wide."""
    span = float(position.max() - position.min())
    widths = rng.uniform(0.5, 1.5, int(span / (0.5 * spacing)) + 2) * spacing
    edges = (float(position.min()) + np.cumsum(widths)).astype(np.float32)
    return np.searchsorted(edges, position).astype(np.int64)


def _compact(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the labels renumbered from 0 without gaps."""
    used = np.zeros(int(labels.max()) + 1, dtype=bool)
    used[labels] = True
    return (np.cumsum(used) - 1)[labels]


def parcel_mean(field: Field, labels: NDArray[np.int64]) -> Field:
    """Return the field averaged over each parcel, (h, w) float32."""
    flat = labels.ravel()
    count = np.bincount(flat)
    return (np.bincount(flat, weights=field.ravel()) / np.maximum(count, 1))[labels].astype(np.float32)
