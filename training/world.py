# SPDX-License-Identifier: GPL-2.0-or-later
"""One simulated piece of land: terrain, water, land cover, people. What sensors then look at.

Pixels are 10 m. The layout follows cause and effect loosely: valleys are wet, people settle on flat low
ground, snow lies high, reeds stand at the water's edge. Nothing is copied from a real place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fields import Field, Noise, parcel_mean, parcels, threshold_for
from .spectra import BARE, BUILT, CLOUDS, CROPS, FLOODED, RANGE, SNOW, TREES, WATER

PIXEL_M = 10.0

#: Heights stay inside this range, metres; the starter's DEM statistics are chosen to span it.
HEIGHT_RANGE_M = (-20.0, 1290.0)


@dataclass(frozen=True)
class Climate:
    """The draws that make scenes differ: shares are fractions of the scene, heights in metres."""

    relief_m: float
    base_m: float
    lake: float
    coast: float
    river: float
    trees: float
    crops: float
    built: float
    bare: float
    flooded: float
    snow: float
    clouds: float
    dryness: float
    green: float
    sun_elevation: float
    sun_azimuth: float


@dataclass(frozen=True)
class World:
    """A consistent scene; all arrays are (h, w)."""

    climate: Climate
    elevation: Field
    lulc: NDArray[np.uint8]
    ground: NDArray[np.uint8]
    moisture: Field
    shore: Field
    cloud: Field
    parcel: NDArray[np.int64]
    block: NDArray[np.int64]
    noise: Noise


def _sometimes(rng: np.random.Generator, chance: float, low: float, high: float) -> float:
    """Return 0, or with the given chance a number between low and high."""
    value = float(rng.uniform(low, high))
    return value if rng.random() < chance else 0.0


def draw_climate(rng: np.random.Generator) -> Climate:
    """Return the draws of one scene: coast, plain, hills, mountains, desert and all between them."""
    relief = float(np.exp(rng.uniform(np.log(6.0), np.log(220.0))))
    coast = _sometimes(rng, 0.16, 0.2, 0.75)
    relief = min(relief, 90.0) if coast else relief
    base = 2.2 * relief + float(rng.uniform(0, 1)) ** 2.2 * max(0.0, 1250.0 - 5.0 * relief)
    hilly = float(np.clip((np.log(relief) - 2.0) / 3.0, 0, 1))
    dryness = float(rng.uniform(0, 1))
    people = float(rng.uniform(0, 1)) * (1.0 - 0.6 * hilly)
    desert = dryness > 0.75
    north = rng.random() < 0.8
    return Climate(
        relief_m=relief,
        base_m=base,
        lake=_sometimes(rng, 0.3, 0.03, 0.35),
        coast=coast,
        river=_sometimes(rng, 0.35, 0.02, 0.07),
        trees=float(rng.beta(1.2, 1.6)) * (0.15 if desert else 1.0 - 0.4 * dryness),
        crops=float(rng.beta(1.2, 1.2)) * (0.25 + 0.75 * people) * (0.3 if desert else 1.0),
        built=_sometimes(rng, 0.3 + 0.6 * people, 0.01, 0.08 + 0.45 * people**2),
        bare=_sometimes(rng, 0.8 if desert else 0.25, 0.03, 0.8 if desert else 0.25),
        flooded=_sometimes(rng, 0.3, 0.05, 0.35),
        snow=_sometimes(rng, 0.05 + 0.13 * hilly, 0.08, 0.7),
        clouds=_sometimes(rng, 0.18, 0.05, 0.45),
        dryness=dryness,
        green=float(rng.beta(2.0, 1.2)) * (1.0 - 0.5 * dryness),
        sun_elevation=float(rng.uniform(28, 65)),
        sun_azimuth=float(rng.uniform(135, 170) if north else rng.uniform(20, 50)),
    )


def make_world(seed: int, height: int, width: int, climate: Climate | None = None) -> World:
    """Return the world of a seed; the same seed and size give the same world to the last bit.

    ``climate`` replaces the seed's own draws (for scenes made to order); the layout still follows the seed.
    """
    rng = np.random.default_rng(np.random.SeedSequence([7001, seed]))
    drawn = draw_climate(rng)
    climate = drawn if climate is None else climate
    noise = Noise(rng, height, width)
    relative, vein = _terrain(noise)
    elevation, water = _water(noise, climate, relative, vein)
    gy, gx = np.gradient(noise.blur(elevation, 2.0), PIXEL_M)
    slope = np.hypot(gx, gy).astype(np.float32)
    shore = noise.blur(water, 9.0)
    moisture = (
        0.7 * noise.smooth(24, 200, 1.6) - 0.5 * relative + 0.8 * np.exp(-((vein / 0.4) ** 2)) + 2.0 * shore
    ).astype(np.float32)
    parcel = parcels(rng, (height, width), rng.uniform(18, 55), rng.uniform(9, 28))
    block = parcels(rng, (height, width), rng.uniform(5, 10), rng.uniform(4, 8))
    ground = _cover(noise, climate, relative, slope, moisture, shore, water, parcel)
    cloud = _clouds(noise, climate)
    lulc = np.where(cloud > 0.5, np.uint8(CLOUDS), ground)
    return World(climate, elevation, lulc, ground, moisture, shore, cloud, parcel, block, noise)


def _terrain(noise: Noise) -> tuple[Field, Field]:
    """Return relative height (mean 0, std 1) and the field whose zero lines are the valleys, both (h, w)."""
    rolling = noise.smooth(30, 500, 2.2)
    vein = noise.smooth(40, 260, 2.0)
    detail = noise.smooth(10, 60, 1.6)
    ridges = np.abs(vein) ** 0.8
    height = 0.75 * rolling + 0.75 * ridges + 0.16 * detail * (0.3 + ridges)
    height -= height.mean()
    return (height / max(float(height.std()), 1e-6)).astype(np.float32), vein


def _water(noise: Noise, climate: Climate, relative: Field, vein: Field) -> tuple[Field, NDArray[np.bool_]]:
    """Return the elevation in metres with water lying flat, and where water is."""
    elevation = climate.base_m + climate.relief_m * relative
    water = np.zeros(noise.shape, dtype=bool)
    if climate.river:
        width = climate.river * (1.0 + 0.4 * noise.smooth(60, 300, 2.0))
        water |= (np.abs(vein) < width) & (relative < threshold_for(relative, 0.6))
        elevation = elevation - 4.0 * np.exp(-((vein / (2.0 * climate.river)) ** 2))
    share = max(climate.lake, climate.coast)
    if share:
        level = -threshold_for(-elevation, share)
        if climate.coast:
            elevation = elevation - level
            level = 0.0
        water |= elevation <= level
        elevation = np.maximum(elevation, level)
    return np.clip(elevation, *HEIGHT_RANGE_M).astype(np.float32), water


def _cover(
    noise: Noise,
    climate: Climate,
    relative: Field,
    slope: Field,
    moisture: Field,
    shore: Field,
    water: NDArray[np.bool_],
    parcel: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Return the land cover under the clouds, ESRI classes, (h, w) uint8: later lines overrule earlier."""
    land = ~water
    steep = slope / (0.15 + slope)
    wood = 0.8 * moisture + 1.2 * steep + 0.9 * noise.smooth(20, 120, 1.5)
    dry = -0.7 * moisture + 0.5 * relative + 0.8 * steep + 0.8 * noise.smooth(24, 150, 1.6)
    farm = -1.6 * steep - 0.5 * relative - 0.5 * wood + 0.9 * noise.smooth(40, 240, 1.8)
    cold = relative + 0.25 * noise.smooth(16, 80, 1.3) - 0.4 * steep
    town = _towns(noise, farm, water)
    wet = 6.0 * shore - 4.0 * steep - 0.5 * relative + 0.8 * noise.smooth(20, 100, 1.5)
    cover = np.full(noise.shape, RANGE, dtype=np.uint8)
    cover[dry > threshold_for(dry, climate.bare, land)] = BARE
    cover[wood > threshold_for(wood, climate.trees, land)] = TREES
    field = parcel_mean(farm, parcel)
    cover[field > threshold_for(field, climate.crops, land)] = CROPS
    copse = wood + 1.5 * noise.smooth(14, 40, 1.0)
    cover[(cover == CROPS) & (copse > threshold_for(copse, 0.06 + 0.15 * climate.trees))] = TREES
    cover[wet > threshold_for(wet, climate.flooded, land)] = FLOODED
    cover[town > threshold_for(town, climate.built, land)] = BUILT
    if climate.coast:
        beach = shore + 0.06 * noise.smooth(20, 120, 1.5)
        cover[(beach > 0.36) & (steep < 0.4) & (cover != BUILT)] = BARE
    cover[cold > threshold_for(cold, climate.snow, land)] = SNOW
    cover[water] = WATER
    return cover


def _towns(noise: Noise, farm: Field, water: NDArray[np.bool_]) -> Field:
    """Return how town-like each pixel is: a few ragged centres on good ground, (h, w) float32."""
    height, width = noise.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    score = np.zeros(noise.shape, dtype=np.float32)
    for _ in range(max(2, round(height * width / 20000))):
        spots = noise.rng.integers(0, (height, width), size=(6, 2))
        good = farm[spots[:, 0], spots[:, 1]] - 9.0 * water[spots[:, 0], spots[:, 1]]
        cy, cx = spots[int(np.argmax(good))]
        radius = noise.rng.uniform(12, 70)
        score += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * radius**2)) * noise.rng.uniform(0.6, 1.2)
    return (score + 0.16 * noise.smooth(16, 70, 1.3) + 0.05 * farm).astype(np.float32)


def _clouds(noise: Noise, climate: Climate) -> Field:
    """Return cloud opacity from 0 to 1, (h, w) float32; above 0.5 a pixel is labelled cloud."""
    puff = noise.smooth(10, 130, 1.7)
    if not climate.clouds:
        return np.zeros(noise.shape, dtype=np.float32)
    edge = threshold_for(puff, climate.clouds)
    return (1.0 / (1.0 + np.exp(-(puff - edge) / 0.09))).astype(np.float32)
