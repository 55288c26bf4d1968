# SPDX-License-Identifier: GPL-2.0-or-later
"""What covers the ground of a simulated scene: water, woods, fields, towns, by terrain, climate and people.

Each cover has a score per pixel; the best-scored share that the place allows is covered. Labels are smooth, as a
map's are: single trees, hedges, farms and roads inside them belong to the texture (:mod:`training.world`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .fields import Field, Noise, parcel_mean, parcels, threshold_for
from .places import LAPSE_K_PER_M, Place, warmth_at
from .spectra import BARE, BUILT, CROPS, FLOODED, RANGE, SNOW, TREES, WATER
from .terrain import Terrain

PIXEL_M = 10.0

#: Woods end where the warmest month stays below this (Koeppen's limit of trees), deg C.
TREE_LINE_WARMTH = 10.0

#: Crops are rare on slopes above some 15 % and absent above 30 % (FAO slope classes, GAEZ v4, 2021).
STEEP_FOR_CROPS = 0.15


@dataclass(frozen=True)
class Layout:
    """Land cover and what it was laid out by; all (h, w)."""

    ground: NDArray[np.uint8]
    moisture: Field
    """Relative, about 0, larger where the ground is wetter."""
    shore: Field
    """Share of water nearby, 0 to 1."""
    slope: Field
    """Rise over run of the ground."""
    parcel: NDArray[np.int64]
    block: NDArray[np.int64]
    town: Field
    """How town-like a pixel is."""


def lay_out(noise: Noise, place: Place, terrain: Terrain) -> Layout:
    """Return the land cover of a scene, ESRI classes without clouds."""
    rng = noise.rng
    shape = noise.shape
    gy, gx = np.gradient(ndimage.gaussian_filter(terrain.elevation, 2.0), PIXEL_M)
    slope = np.hypot(gx, gy).astype(np.float32)
    steep = slope / (STEEP_FOR_CROPS + slope)
    shore = ndimage.gaussian_filter(terrain.water.astype(np.float32), 8.0)
    valley = np.exp(-terrain.drain_height / (2.0 + 0.06 * place.relief_m)).astype(np.float32)
    moisture = 0.9 * valley + 0.55 * noise.smooth(24, 200, 1.8) + 1.2 * shore + _shade(place, gx, gy)
    moisture = (moisture - moisture.mean()).astype(np.float32)
    parcel = parcels(rng, shape, rng.uniform(14, 60), rng.uniform(7, 30))
    block = parcels(rng, shape, rng.uniform(5, 11), rng.uniform(4, 9))
    farm = _farm(noise, steep, moisture, terrain.water)
    town = _towns(noise, farm, terrain.water, block)
    ground = _cover(noise, place, terrain, steep, moisture, shore, farm, town, parcel)
    return Layout(ground, moisture, shore, slope, parcel, block, town)


def _shade(place: Place, gx: Field, gy: Field) -> Field:
    """Return how much moister slopes turned from the noon sun are, (h, w): most in dry lands."""
    poleward = np.sign(place.latitude) * -gy  # rows run south: gy > 0 rises southwards, so it faces north
    return ((0.6 + 1.8 * place.aridity) * -poleward / (0.2 + np.hypot(gx, gy)) * 0.5).astype(np.float32)


def _farm(noise: Noise, steep: Field, moisture: Field, water: NDArray[np.bool_]) -> Field:
    return (-3.0 * steep + 0.25 * moisture + 0.8 * noise.smooth(50, 260, 2.0) - 2.0 * water).astype(
        np.float32
    )


def _cover(
    noise: Noise,
    place: Place,
    terrain: Terrain,
    steep: Field,
    moisture: Field,
    shore: Field,
    farm: Field,
    town: Field,
    parcel: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Return the cover of each pixel: later lines overrule earlier ones."""
    land = ~terrain.water
    height = terrain.elevation
    relative = (height - height.mean()) / (10.0 + 0.5 * place.relief_m)
    wood = 0.6 * moisture + 1.0 * steep - 0.3 * farm + 0.75 * noise.smooth(18, 140, 1.9)
    dry = -0.8 * moisture + 0.5 * relative + 1.2 * steep + 0.7 * noise.smooth(26, 160, 1.9)
    wet = 4.0 * shore - 5.0 * steep + 0.9 * moisture + 0.6 * noise.smooth(24, 100, 1.8)
    cover = np.full(noise.shape, RANGE, dtype=np.uint8)
    cover[dry > threshold_for(dry, place.bare, land)] = BARE
    cover[(wood > threshold_for(wood, place.trees, land)) & (height < _tree_line(place))] = TREES
    field = parcel_mean(farm - 0.35 * wood, parcel)
    tillable = parcel_mean(steep, parcel) < 0.6
    cover[(field > threshold_for(field, place.crops, land)) & tillable] = CROPS
    copse = wood + 0.8 * noise.smooth(16, 50, 1.4)
    cover[(cover == CROPS) & (copse > threshold_for(copse, 0.04 + 0.12 * place.trees))] = TREES
    wetland = (wet > threshold_for(wet, place.flooded, land)) & (steep < 0.35)
    cover[wetland] = FLOODED
    cover[town > threshold_for(town, place.built, land)] = BUILT
    cover = _smooth(cover)
    if place.coast:
        beach = shore + 0.08 * noise.smooth(20, 120, 1.8)
        near_sea = (beach > 0.34) & (height < 6.0) & (steep < 0.5) & (cover != BUILT) & ~wetland
        cover[near_sea] = BARE
    cold = height + 60.0 * noise.smooth(14, 90, 1.6) - 400.0 * steep * (steep > 0.8)
    cover[cold > place.snow_line] = SNOW
    cover[terrain.water] = WATER
    return cover


def _tree_line(place: Place) -> float:
    """Return the height in metres above which no wood grows."""
    summer = warmth_at(place.latitude, 200 if place.latitude > 0 else 17)
    return max(0.0, (summer - TREE_LINE_WARMTH) / LAPSE_K_PER_M)


def _smooth(cover: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the commonest class of each pixel's surroundings (Gaussian of 1.6 pixels), (h, w) uint8."""
    classes = np.unique(cover)
    if len(classes) == 1:
        return cover
    votes = [ndimage.gaussian_filter((cover == k).astype(np.float32), 1.6, truncate=2.5) for k in classes]
    return classes[np.argmax(votes, axis=0)].astype(np.uint8)


def _towns(noise: Noise, farm: Field, water: NDArray[np.bool_], block: NDArray[np.int64]) -> Field:
    """Return how town-like each pixel is: a few ragged centres on good ground, in whole blocks, (h, w) float32."""
    height, width = noise.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    score = np.zeros(noise.shape, dtype=np.float32)
    for _ in range(max(2, round(height * width / 20000))):
        spots = noise.rng.integers(0, (height, width), size=(6, 2))
        good = farm[spots[:, 0], spots[:, 1]] - 9.0 * water[spots[:, 0], spots[:, 1]]
        cy, cx = spots[int(np.argmax(good))]
        radius = noise.rng.uniform(10, 70)
        score += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * radius**2)) * noise.rng.uniform(0.6, 1.2)
    score += 0.16 * noise.smooth(18, 70, 1.6) + 0.06 * farm
    return (0.5 * score + 0.5 * parcel_mean(score, block)).astype(np.float32)
