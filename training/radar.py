# SPDX-License-Identifier: GPL-2.0-or-later
"""What Sentinel-1 records of a world: IW GRD backscatter sigma0 in dB, VV and VH, terrain-corrected to 10 m.

Soil by Oh 2004, low plants by the water cloud model, woods as a closed volume, water by wind, houses by block,
snow by its wetness; then slopes, resolution, speckle and the noise floor. Levels of woods, houses, reeds and
snow are of the size that the papers named report, rounded by hand; nothing is fitted to an image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .fields import Field
from .spectra import BUILT, CROPS, FLOODED, SNOW, TREES, WATER

PIXEL_M = 10.0

#: Wave number of Sentinel-1's 5.405 GHz, per metre.
WAVE_NUMBER = 2.0 * np.pi / 0.05547

#: A and B of the water cloud model with NDVI as the plants' measure, per polarisation (VV, VH): Baghdadi et al.
#: 2017, https://doi.org/10.3390/w9090636.
CANOPY_A = (0.0950, 0.0413)
CANOPY_B = (0.5513, 1.1662)

#: Closed woods, gamma0 in dB (VV, VH) and its spread between stands: Ruetschi et al. 2018,
#: https://doi.org/10.3390/rs10010055.
WOOD_GAMMA = (-7.0, -12.8)
WOOD_SPREAD = 0.8

#: Equivalent number of looks and resolution (range, azimuth) of IW GRD at high resolution: ESA, Sentinel-1 product
#: definition S1-RS-MDA-52-7440, table 5-1: 4.4 looks, 20 m x 22 m.
LOOKS = 4.4
RESOLUTION_M = (20.0, 22.0)

#: Double bounce under emergent plants, dB (VV, VH): Tsyganskaya et al. 2018 (review),
#: Int. J. Remote Sens. 39(8), 2255.
DOUBLE_BOUNCE = (-6.0, -17.0)

#: Built-up land, dB: mean of low houses in VV, VH below VV, and spread between blocks (Koppel et al. 2017,
#: Int. J. Remote Sens. 38(22), 6450; strong points up to +20 dB in both).
HOUSES = -5.0
HOUSES_CROSS = -7.0
HOUSES_SPREAD = 2.0

#: Wet snow, dB (VV, VH): Nagler et al. 2016, https://doi.org/10.3390/rs8040348 (3 dB and more below dry snow).
WET_SNOW = (-17.0, -23.5)

LOWEST_DB, HIGHEST_DB = -35.0, 15.0


def backscatter(world: Any) -> Field:
    """Return sigma0 of the ellipsoid in dB, (2, h, w) float32: VV, VH. Clouds are not seen."""
    rng = world.noise.rng
    incidence = float(np.deg2rad(rng.uniform(30.0, 45.0)))
    azimuth = float(np.deg2rad(80.0 if rng.random() < 0.5 else 280.0))  # looks right, rising or falling orbit
    cosine, area = slope_terms(world.elevation, incidence, azimuth)
    local = np.arccos(np.clip(cosine, 0.26, 0.97))
    pair = _ground(world, local)
    floor = 10.0 ** (rng.uniform(-27.0, -22.0) / 10.0)  # noise-equivalent sigma0; -22 dB is the limit (ESA)
    lit = np.where(cosine > 0.0, area, 0.0).astype(np.float32)
    sigma = (0.425 * RESOLUTION_M[1] / PIXEL_M * 0.8, 0.425 * RESOLUTION_M[0] / PIXEL_M * 0.8)
    out = np.empty((2, *world.elevation.shape), dtype=np.float32)
    for index in range(2):
        power = gaussian_filter(pair[index] * lit, sigma, truncate=3.0, mode="nearest") + np.float32(floor)
        out[index] = 10.0 * np.log10(np.maximum(power * speckle(rng, power.shape), 1e-6))
    return np.clip(out, LOWEST_DB, HIGHEST_DB)


def slope_terms(elevation: Field, incidence: float, azimuth: float) -> tuple[Field, Field]:
    """Return the cosine of local incidence and the factor of the slope's area on ellipsoid sigma0, (h, w) each.

    ``azimuth`` is the direction of look on the ground. The factor is sin(incidence) over the cosine of the projection
    angle: Ulander 1996, https://doi.org/10.1109/36.536527; Small 2011, https://doi.org/10.1109/TGRS.2011.2120616.
    """
    gy, gx = np.gradient(elevation.astype(np.float32), np.float32(PIXEL_M))
    length = np.sqrt(1.0 + gx * gx + gy * gy)
    # Rows run south: the normal is (-gx, gy, 1); this is its part along the look.
    along = (-gx * np.float32(np.sin(azimuth)) + gy * np.float32(np.cos(azimuth))) / length
    sine, cosine = np.float32(np.sin(incidence)), np.float32(np.cos(incidence))
    local = cosine / length - along * sine
    projection = along * cosine + sine / length
    # Layover piles up more than the clip; products show saturated ridges of some 8 dB.
    return local, np.clip(sine / np.maximum(projection, 0.05), 0.1, 6.0)


def soil_backscatter(moisture: Any, roughness: Any, local: Any) -> tuple[Any, Any]:
    """Return sigma0 (VV, VH) of bare soil, power: ``moisture`` m3/m3, ``roughness`` k s, ``local`` incidence, rad.

    Oh 2004, https://doi.org/10.1109/TGRS.2003.821065.
    """
    cross = 0.11 * moisture**0.7 * np.cos(local) ** 2.2 * (1.0 - np.exp(-0.32 * roughness**1.8))
    ratio = 0.095 * (0.13 + np.sin(1.5 * local)) ** 1.4 * (1.0 - np.exp(-1.3 * roughness**0.9))
    return cross / ratio, cross


def water_cloud(soil: Any, plants: Any, cosine: Any, a: float, b: float) -> Any:
    """Return sigma0 of plants over soil, power: the water cloud model, Attema & Ulaby 1978, 10.1029/RS013i002p00357."""
    passed = np.exp(-2.0 * b * plants / cosine)
    return a * plants * cosine * (1.0 - passed) + passed * soil


def water_backscatter(wind: Any, local: Any) -> tuple[Any, Any]:
    """Return sigma0 (VV, VH) of water, power, under ``wind`` m/s.

    VV is a mean over wind directions rounded from CMOD5 (Hersbach et al. 2007, 10.1029/2006JC003743): -17 dB at 5 m/s
    and 38 deg, 13 dB per decade, -0.4 dB per degree. VH: Vachon & Wolfe 2011, 10.1109/LGRS.2010.2085417.
    """
    angle = np.rad2deg(local) - 38.0
    direct = -17.0 + 13.0 * np.log10(np.maximum(wind, 0.3) / 5.0) - 0.4 * angle
    return _power(direct), _power(0.580 * wind - 35.652)


def speckle(rng: np.random.Generator, shape: tuple[int, ...]) -> Field:
    """Return speckle of mean 1: gamma with ``LOOKS`` looks, neighbours a little alike, (h, w) float32.

    A Gaussian field is bent to the gamma distribution (Wilson & Hilferty 1931, 10.1073/pnas.17.12.684).
    """
    field = rng.standard_normal(shape, dtype=np.float32)
    sigma = 0.5
    field = gaussian_filter(field, sigma, truncate=4.0, mode="wrap")
    taps = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
    field /= np.float32(np.sum((taps / taps.sum()) ** 2))
    root = np.float32(1.0 - 1.0 / (9.0 * LOOKS)) + field * np.float32(1.0 / (3.0 * np.sqrt(LOOKS)))
    root = np.maximum(root, 0.05)
    return root * root * root


def _power(decibel: Any) -> Any:
    return np.exp(np.asarray(decibel, dtype=np.float32) * np.float32(np.log(10.0) / 10.0))


def _per_label(rng: np.random.Generator, labels: NDArray[np.int64], std: float) -> Field:
    """Return one normal number for each parcel or block, (h, w) float32."""
    return rng.normal(0.0, std, int(labels.max()) + 1).astype(np.float32)[labels]


def _ground(world: Any, local: Field) -> list[Field]:
    """Return sigma0 (VV, VH) of the ground itself on its own slope, power."""
    rng, cover = world.noise.rng, world.ground
    cosine = np.cos(local)
    patch = world.noise.smooth(3, 40, 1.0)
    soil = _soil(world, local, patch)
    plants = np.clip(0.05 + 0.75 * world.green + 0.12 * world.litter, 0.0, 0.95).astype(np.float32)
    leaves = np.where(cover == TREES, np.maximum(world.green, 0.6), world.green)  # branches stay in winter
    closed = 1.0 - np.exp(-leaves * np.maximum(world.height - 1.5, 0.0) / 5.0)
    crop = _per_label(rng, world.parcel, 1.3) * (cover == CROPS)
    level = rng.normal(0.0, WOOD_SPREAD, 2) + 0.3
    wet, snow = _snow(world)
    water = _water(world, local) if np.any(cover == WATER) else soil
    houses = _houses(world) if np.any(cover == BUILT) else soil
    out = []
    for index in range(2):
        under = np.where(cover == FLOODED, _power(DOUBLE_BOUNCE[index]), soil[index])
        low = water_cloud(under, plants, cosine, CANOPY_A[index], CANOPY_B[index])
        # Crops differ with rows and plants by a dB or two (Veloso et al. 2017, 10.1016/j.rse.2017.07.015).
        low = low * _power((1.0 + 0.3 * index) * crop + 0.4 * patch)
        wood = cosine * _power(WOOD_GAMMA[index] + level[index] + WOOD_SPREAD * patch)
        power = closed * wood + (1.0 - closed) * low
        power = np.where(cover == BUILT, (1.0 - world.green) * houses[index] + world.green * low, power)
        power = np.where(cover == SNOW, wet * cosine * snow[index] + (1.0 - wet) * soil[index], power)
        out.append(np.where(cover == WATER, water[index], power).astype(np.float32))
    return out


def _soil(world: Any, local: Field, patch: Field) -> tuple[Field, Field]:
    """Return sigma0 (VV, VH) of the soil: rms heights of 0.4 to 3 cm, as Oh 2004 and Baghdadi et al. 2017 met."""
    rng = world.noise.rng
    height = float(np.exp(rng.normal(np.log(0.009), 0.35)))
    spread = np.where(world.ground == CROPS, _per_label(rng, world.parcel, 0.35), 0.0) + 0.15 * patch
    rough = np.clip(WAVE_NUMBER * height * np.exp(spread), 0.3, 3.5).astype(np.float32)
    moisture = (0.04 + 0.34 * np.clip(world.wetness, 0.0, 1.0)).astype(np.float32)
    return soil_backscatter(moisture, rough, np.clip(local, 0.2, 1.2))


def _water(world: Any, local: Field) -> tuple[Field, Field]:
    """Return sigma0 (VV, VH) of water under the wind of the day with its gusts; Weibull with shape 2 (WMO)."""
    mean = float(np.clip(4.8 * world.noise.rng.weibull(2.0), 0.4, 14.0))
    gusts = world.noise.smooth(6, 120, 1.4)
    return water_backscatter((mean * np.exp(0.12 * gusts)).astype(np.float32), local)


def _houses(world: Any) -> tuple[Field, Field]:
    """Return sigma0 (VV, VH) of houses and streets, with single strong points."""
    rng = world.noise.rng
    tall = 2.0 * np.log2(1.0 + np.maximum(world.height, 0.0) / 6.0)
    level = HOUSES + tall + _per_label(rng, world.block, HOUSES_SPREAD) + 1.5 * world.noise.white()
    # One pixel in 25 holds a corner that faces the radar.
    strong = rng.random(world.ground.shape, dtype=np.float32)
    corner = np.where(strong < 0.04, 4.0 + 250.0 * (0.04 - strong), 0.0)
    cross = HOUSES_CROSS + _per_label(rng, world.block, 1.5)
    return _power(level + corner), _power(level + cross + 0.7 * corner)


def _snow(world: Any) -> tuple[Field, tuple[Any, Any]]:
    """Return how wet snow is, 0 to 1 (h, w), and the power of wet snow (VV, VH) at normal incidence.

    It melts where the day's air is above 0 deg C, the air cooling by 6.5 K per km (standard atmosphere, ISO 2533).
    """
    air = world.place.warmth - 0.0065 * np.maximum(world.elevation, 0.0)
    wet = np.clip(0.5 + 0.5 * air, 0.0, 1.0).astype(np.float32)
    shift = float(world.noise.rng.normal(0.0, 1.5))
    return wet, (_power(WET_SNOW[0] + shift + 1.0), _power(WET_SNOW[1] + shift + 1.0))


__all__ = ["backscatter", "slope_terms", "soil_backscatter", "speckle", "water_backscatter", "water_cloud"]
