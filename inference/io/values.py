# SPDX-License-Identifier: GPL-2.0-or-later
"""Do the values make sense? A cheap sample of a scene, and what it says of unit, offset and modality."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BandError, SourceError
from ..grid import Grid
from ..modalities import MODALITIES
from ..types import Window
from .base import Float32, Geo

if TYPE_CHECKING:
    from .scene import Scene

UNCHANGED = "unchanged"
POWER_TO_DB = "power to dB"

WHOLE_PIXELS = 512 * 512
"""Scenes up to this size are sampled whole."""

SHIFTED_DN = 990.0
"""Darkest 1 % of the darkest band above which values look shifted: 1000 less some noise. Shadow, water
or the atmosphere's absorption bands are nearly always darker than reflectance 0.1."""


def is_optical(modality: str) -> bool:
    """Whether a modality is Sentinel-2 reflectance."""
    return modality.startswith("S2")


def _start(size: int, side: int, part: float) -> int:
    """First pixel of a stretch around a part of an axis, inside one block of 256 where that fits.

    Blocks of JPEG 2000 take long to decode, so a window must not touch two without need.
    """
    middle = int(size * part)
    return max(0, min(middle // 256 * 256 + 128 - side // 2, size - side))


def _around(grid: Grid, x: float, y: float, side: int) -> Window:
    w, h = min(side, grid.width), min(side, grid.height)
    return Window(_start(grid.width, w, x), _start(grid.height, h, y), w, h)


def _lattice(grid: Grid, count: int, side: int) -> Iterator[Window]:
    for i in range(count):
        for j in range(count):
            yield _around(grid, (j + 0.5) / count, (i + 0.5) / count, side)


def _windows(grid: Grid) -> Iterator[list[Window]]:
    """Rounds of windows, each more costly than the last; stop at the first that holds pixels."""
    if grid.width * grid.height <= WHOLE_PIXELS:
        yield [grid.window]
        return
    yield [_around(grid, part, part, 128) for part in (0.25, 0.5, 0.75)]
    yield list(_lattice(grid, 8, 32))
    rows = max(1, WHOLE_PIXELS // grid.width)
    for row in range(0, grid.height, rows):
        yield [Window(0, row, grid.width, min(rows, grid.height - row))]


def sample(scene: Scene, geo: Geo) -> Float32:
    """Valid pixels (bands, n) of a scene in its own unit; n is 0 only where no pixel at all is valid."""
    from .scene import SceneReader

    with SceneReader(scene, scene.grid, geo) as reader:
        for windows in _windows(scene.grid):
            parts = []
            for window in windows:
                values, valid = reader.read(window)
                parts.append(values[:, valid])
            found: Float32 = np.concatenate(parts, axis=1)
            if found.shape[1]:
                return found
    return np.empty((len(scene.bands), 0), dtype=np.float32)


def reflectance_scale(values: Float32) -> float:
    """10,000 for reflectance in 0-1 (clouds and glint reach about 2), 1 for values already scaled."""
    return 10000.0 if float(np.percentile(np.abs(values), 99.5)) <= 3.0 else 1.0


def looks_shifted(values: Float32) -> bool:
    """Whether even the darkest band's darkest pixels lie above the +1000 of later baselines."""
    return float(np.percentile(values, 1, axis=1).min()) >= SHIFTED_DN


def radar_transfer(values: Float32) -> str:
    """Whether radar values (2, n) are dB (kept) or linear power. Backscatter in dB is mostly negative."""
    if not values.size:
        return UNCHANGED
    if float(values.min()) < 0:
        return UNCHANGED
    if float(np.percentile(values, 99)) > 100:
        raise BandError(
            "The radar values are raw digital numbers; calibrate them to sigma or gamma nought first "
            "(SNAP does it), or take an RTC product."
        )
    return POWER_TO_DB


def power_to_db(values: Float32) -> Float32:
    """10 log10 of linear power; NaN where there is none."""
    result: Float32 = np.full_like(values, np.nan)
    np.log10(values, out=result, where=values > 0)
    return result * np.float32(10)


_LIMITS = {
    "RGB": (0.0, 255.0, "colours from 0 to 255"),
    "S1GRD": (-90.0, 50.0, "backscatter in dB"),
    "S1RTC": (-90.0, 50.0, "backscatter in dB"),
    "DEM": (-12000.0, 9000.0, "metres of elevation"),
    "LULC": (0.0, 9.0, "classes 0 to 9"),
    "NDVI": (-1.001, 1.001, "values from -1 to 1"),
    "S2L2A": (-2000.0, 30000.0, "reflectance × 10000"),
    "S2L1C": (-2000.0, 30000.0, "reflectance × 10000"),
}
"""What 98 % of the pixels must lie in, and words for it. Reflectance exceeds 1 on cloud, snow and glint."""


def check_values(scene: Scene, geo: Geo) -> None:
    """Raise SourceError or BandError, in one sentence, where a scene's values cannot be its modality's."""
    values = sample(scene, geo)
    if not values.shape[1]:
        raise SourceError(f"{scene.name} holds no valid pixel: it is nodata everywhere.")
    limits = _LIMITS.get(scene.modality)
    if limits is None:
        return
    label = MODALITIES[scene.modality].label
    low, high, words = limits
    first, last = (float(v) for v in np.percentile(values, (1, 99)))
    advice = "check the modality and the bands."
    if first < low or last > high or not math.isfinite(first + last):
        raise BandError(
            f"The values of {scene.name} reach from {first:.6g} to {last:.6g}; {label} takes {words}: "
            + advice
        )
    if is_optical(scene.modality) and last < 100:
        raise BandError(
            f"The values of {scene.name} end at {last:.4g}, so they cannot be {words}; {label} was expected: "
            + advice
        )
    if scene.modality == "LULC" and np.any(values != np.rint(values)):
        raise BandError(f"{scene.name} holds fractions, not {words}: {advice}")
