# SPDX-License-Identifier: GPL-2.0-or-later
"""Statistics by which simulated and real chips are compared: class by class, and in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from .spectra import BANDS, CLASS_NAMES, CLOUDS

PIXEL = 10.0
"""Metres."""
LEAST = 300
"""Pixels of a class below which a chip says nothing about it."""
CLEAR = 0.05
"""Share of clouds up to which a chip's spatial spectra are taken: a cloud's edge outshines all of the ground."""
CLASSES = tuple(value for value in CLASS_NAMES if value)
NDVI_EDGES = np.linspace(-1.0, 1.0, 81)
OFFSET, CIRRUS = 1000.0, 10
"""Offset of L1C products since processing baseline 04.00, and the place of B10 in L1C: where nothing but a thin
cirrus reaches the sensor, a median near 1000 tells that the offset is still in the numbers."""

Array = NDArray[Any]


@dataclass(frozen=True)
class View:
    """One chip, simulated or real, without offsets."""

    name: str
    s2l2a: Array
    """(12, h, w) reflectance."""
    s2l1c: Optional[Array]
    """(13, h, w) reflectance at the top of the atmosphere."""
    s1: Optional[Array]
    """(2, h, w) VV and VH in dB: sigma nought where simulated, gamma nought of the terrain (RTC) where real."""
    dem: Array
    """(h, w) metres."""
    lulc: Array
    """(h, w) classes."""
    ndvi: Array
    """(h, w)."""


def simulated_view(chip: Any) -> View:
    """Return the view of a ``training.simulate.Chip``."""
    l1c, radar = getattr(chip, "s2l1c", None), getattr(chip, "s1grd", None)
    return View(
        str(chip.seed),
        chip.s2l2a.astype(np.float32) * 1e-4,
        None if l1c is None else l1c.astype(np.float32) * 1e-4,
        None if radar is None else radar.astype(np.float32),
        chip.dem.astype(np.float32),
        chip.lulc,
        chip.ndvi.astype(np.float32),
    )


def real_view(folder: Path, stem: str) -> View:
    """Return the view of a chip of a folder in TerraMesh's layout."""
    import rasterio

    def read(modality: str) -> Optional[Array]:
        path = folder / modality / f"{stem}.tif"
        if not path.is_file():
            return None
        with rasterio.open(path) as file:
            return np.asarray(file.read(), np.float32)

    l2a, l1c, dem, lulc, ndvi = (read(name) for name in ("S2L2A", "S2L1C", "DEM", "LULC", "NDVI"))
    if l2a is None or dem is None or lulc is None or ndvi is None:
        raise SystemExit(f"{folder} has no S2L2A, DEM, LULC and NDVI of {stem}.")
    if l1c is not None:
        l1c = (l1c - (OFFSET if np.median(l1c[CIRRUS]) > 0.9 * OFFSET else 0.0)) * 1e-4
    return View(
        stem.split("_", maxsplit=1)[0],
        l2a * 1e-4,
        l1c,
        read("S1RTC"),
        dem[0],
        lulc[0].astype(np.uint8),
        ndvi[0],
    )


def class_means(view: View, image: Array) -> dict[int, tuple[Array, Array]]:
    """Return mean and standard deviation of (bands, h, w) by class, for classes of ``LEAST`` pixels and more."""
    found = {}
    for value in CLASSES:
        inside = view.lulc == value
        if inside.sum() >= LEAST:
            pixels = image[:, inside]
            found[value] = (pixels.mean(axis=1), pixels.std(axis=1))
    return found


def by_class(views: Sequence[View], images: Sequence[Array]) -> dict[int, Array]:
    """Return the means of each chip that has a class, by class: (chips, 2, bands), means and deviations."""
    found: dict[int, list[Array]] = {value: [] for value in CLASSES}
    for view, image in zip(views, images):
        for value, (mean, std) in class_means(view, image).items():
            found[value].append(np.stack([mean, std]))
    return {value: np.stack(rows) for value, rows in found.items() if rows}


def ndvi_histograms(views: Sequence[View]) -> dict[int, Array]:
    """Return the density of NDVI by class over all pixels of all chips, (bins,); each class sums to 1."""
    found = {}
    for value in CLASSES:
        counts = sum(
            np.histogram(view.ndvi[view.lulc == value], NDVI_EDGES)[0].astype(np.float64) for view in views
        )
        if np.sum(counts) >= LEAST:
            found[value] = counts / np.sum(counts)
    return found


def overlap(first: Array, second: Array) -> float:
    """Return how much two densities have in common, 0 to 1: the sum of the smaller one."""
    return float(np.minimum(first, second).sum())


def power(field: Array) -> tuple[Array, Array]:
    """Return wavelengths in metres (bins,) and the share of the variance in each octave third there, (bins,).

    A plane is taken out, a Hann window keeps the edges from leaking, and the squared Fourier amplitudes are
    averaged over rings; multiplied by the squared frequency this is the variance by octave.
    """
    height, width = field.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    design = np.stack([np.ones(field.size), x.ravel(), y.ravel()], axis=1)
    values = field.astype(np.float64).ravel()
    flat = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    window = np.outer(np.hanning(height), np.hanning(width))
    amplitude = np.abs(np.fft.fft2(flat.reshape(field.shape) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(height, PIXEL)[:, None], np.fft.fftfreq(width, PIXEL)[None])
    # A third of an octave each, from two periods across the chip to the two pixels that can still be seen.
    edges = np.geomspace(2.0 / (PIXEL * min(height, width)), 0.5 / PIXEL, 20)
    rings = np.digitize(radius, edges)
    counts = np.array([(rings == ring).sum() for ring in range(1, len(edges))])
    sums = np.array([amplitude[rings == ring].sum() for ring in range(1, len(edges))])
    density = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    centres = np.sqrt(edges[1:] * edges[:-1])
    share = density * centres**2
    return 1.0 / centres, share / np.nansum(share)


def steepness(wavelengths: Array, share: Array) -> float:
    """Return the exponent b of a spectrum that falls as frequency^-b, fitted from 60 to 600 m."""
    inside = (wavelengths > 60) & (wavelengths < 600) & (share > 0)
    slope = np.polyfit(np.log(1 / wavelengths[inside]), np.log(share[inside]), 1)[0]
    return float(2.0 - slope)


FIELDS = ("B04", "B08", "NDVI", "DEM")


def field_of(view: View, name: str) -> Array:
    """Return one of ``FIELDS`` of a chip, (h, w); heights in whole metres, as the real chips have them."""
    if name in BANDS:
        return np.asarray(view.s2l2a[BANDS.index(name)])
    return view.ndvi if name == "NDVI" else np.rint(view.dem)


def spectra(views: Sequence[View], name: str) -> tuple[Array, Array]:
    """Return wavelengths and the shares of variance of every clear chip, (chips, bins)."""
    found = [
        power(field_of(view, name)) for view in views if is_clear(view) and field_of(view, name).std() > 0
    ]
    return found[0][0], np.stack([share for _, share in found])


def is_clear(view: View) -> bool:
    """Whether a chip has next to no clouds."""
    return bool((view.lulc == CLOUDS).mean() <= CLEAR)


def slopes(dem: Array) -> Array:
    """Return slopes in degrees (h - 2, w - 2), of heights in whole metres averaged over 3 x 3 pixels.

    Real chips have whole metres, whose steps are not slopes.
    """
    dem = np.rint(dem)
    rows = sum(dem[i : dem.shape[0] - 2 + i] for i in range(3))
    mean = sum(rows[:, i : dem.shape[1] - 2 + i] for i in range(3)) / 9.0
    dy, dx = np.gradient(mean.astype(np.float64), PIXEL)
    return np.asarray(np.degrees(np.arctan(np.hypot(dx, dy))))


def borders(lulc: Array) -> float:
    """Return the share of neighbouring pixels of different classes."""
    across, down = lulc[:, 1:] != lulc[:, :-1], lulc[1:] != lulc[:-1]
    return float((across.sum() + down.sum()) / (across.size + down.size))


def air(view: View) -> Optional[Array]:
    """Return what the atmosphere adds, (12,): mean of L1C less L2A by band of L2A, over pixels without clouds."""
    clear = view.lulc != CLOUDS
    if view.s2l1c is None or clear.sum() < LEAST:
        return None
    top = np.delete(view.s2l1c, CIRRUS, axis=0)
    return np.asarray((top - view.s2l2a)[:, clear].mean(axis=1))


def rank(values: Array, value: float) -> float:
    """Return the share of ``values`` that are smaller, 0 to 1."""
    return float((values < value).mean())
