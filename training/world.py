# SPDX-License-Identifier: GPL-2.0-or-later
"""One simulated piece of land: terrain, land cover, plants, sky. What sensors then look at.

Pixels are 10 m. The layout follows cause and effect loosely: valleys are wet, people settle on flat low
ground, snow lies high, reeds stand at the water's edge. Nothing is copied from a real place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .fields import Field, Noise, threshold_for
from .landcover import PIXEL_M, Layout, lay_out
from .places import Place, draw_place
from .spectra import BARE, BUILT, CLOUDS, CROPS, FLOODED, RANGE, SNOW, TREES, WATER
from .terrain import Terrain, make_terrain

#: A cloud of this optical thickness reflects a third of the light and hides the ground (two-stream, g = 0.85).
OPAQUE = 5.0

#: The Copernicus DEM is a surface model of 30 m pixels from X-band radar, which sees most of a canopy's height.
SEEN_OF_CANOPY = 0.7


@dataclass(frozen=True)
class World:
    """A consistent scene; all arrays are (h, w)."""

    place: Place
    terrain: Terrain
    layout: Layout
    elevation: Field
    """Surface heights in metres, as a surface model of 30 m pixels shows them at 10 m."""
    ground: NDArray[np.uint8]
    """ESRI class under the clouds."""
    lulc: NDArray[np.uint8]
    """The same with CLOUDS where a cloud hides the ground."""
    green: Field
    """Share of the pixel under green leaves, 0 to 1."""
    litter: Field
    """Share under dry plant matter, 0 to 1."""
    height: Field
    """Of canopy and buildings, metres."""
    wetness: Field
    """Of the soil, 0 dry to 1 saturated."""
    cloud: Field
    """Optical thickness at 550 nm, 0 where clear."""
    cirrus: Field
    """Optical thickness, 0 to about 0.3."""
    shadow: Field
    """Share of direct sunlight that clouds take away, 0 to 1."""
    parcel: NDArray[np.int64]
    block: NDArray[np.int64]
    noise: Noise


def make_world(seed: int, height: int, width: int, place: Place | None = None) -> World:
    """Return the world of a seed; the same seed and size give the same world to the last bit.

    ``place`` replaces the seed's own draws (for scenes made to order); the layout still follows the seed.
    """
    rng = np.random.default_rng(np.random.SeedSequence([7002, seed]))
    drawn = draw_place(rng)
    place = drawn if place is None else place
    noise = Noise(rng, height, width)
    terrain = make_terrain(
        noise, place.relief_m, place.base_m, place.coast, place.lake, place.river_m, place.roughness
    )
    layout = lay_out(noise, place, terrain)
    # Days fit for images are mostly dry ones, and the uppermost centimetre of the soil, which is what is seen, dries
    # within two or three of them (Idso et al. 1974, https://doi.org/10.1029/WR010i005p01040).
    rain = float(rng.beta(0.8, 2.6)) * (1.0 - 0.8 * place.aridity)
    wetness = np.clip(rain * (0.8 + 0.8 * layout.moisture), 0.0, 1.0).astype(np.float32)
    green, litter, tall = _plants(noise, place, layout)
    surface = terrain.elevation + SEEN_OF_CANOPY * ndimage.gaussian_filter(tall, 1.5)
    cloud, cirrus, shadow = _sky(noise, place)
    lulc = np.where(cloud > OPAQUE, np.uint8(CLOUDS), layout.ground)
    return World(
        place=place,
        terrain=terrain,
        layout=layout,
        elevation=surface.astype(np.float32),
        ground=layout.ground,
        lulc=lulc,
        green=green,
        litter=litter,
        height=tall,
        wetness=wetness,
        cloud=cloud,
        cirrus=cirrus,
        shadow=shadow,
        parcel=layout.parcel,
        block=layout.block,
        noise=noise,
    )


#: States of a field: share of green leaves and of dry plant matter (low, high), and how tall it stands in metres.
FIELD_STATES = {
    "tilled": ((0.0, 0.05), (0.0, 0.10), 0.0),
    "emerging": ((0.10, 0.40), (0.0, 0.15), 0.2),
    "growing": ((0.40, 0.80), (0.0, 0.10), 0.6),
    "full": ((0.80, 0.98), (0.0, 0.05), 1.2),
    "ripe": ((0.03, 0.25), (0.55, 0.85), 1.0),
    "stubble": ((0.0, 0.15), (0.25, 0.60), 0.2),
}


def _plants(noise: Noise, place: Place, layout: Layout) -> tuple[Field, Field, Field]:
    """Return shares of green leaves and dry plant matter, and heights in metres, each (h, w)."""
    ground = layout.ground
    slow, quick = noise.smooth(20, 140, 1.8), noise.smooth(2.5, 24, 0.9)
    vary = 0.6 * slow + 0.25 * quick + 0.5 * layout.moisture
    grass = float(
        np.clip(place.season * (0.95 - 0.5 * place.aridity) + noise.rng.normal(0, 0.08), 0.04, 0.92)
    )
    green = np.clip(grass * (1.0 + 0.35 * vary), 0.02, 0.97)
    left = float(noise.rng.uniform(0.2, 0.85)) * (1.0 - 0.6 * place.aridity)
    litter = (1.0 - green) * np.clip(left + 0.15 * slow + 0.1 * quick, 0.02, 0.95)
    tall = np.full(noise.shape, 0.3, dtype=np.float32)
    bush = np.clip(quick - float(noise.rng.uniform(0.6, 2.5)), 0.0, 1.0) * (ground == RANGE)
    green, tall = np.maximum(green, 0.8 * bush * (0.3 + 0.7 * place.season)), tall + 3.0 * bush
    field_green, field_litter, field_tall = _fields(noise, place, layout)
    crops = ground == CROPS
    patchy = 1.0 + 0.12 * slow + 0.06 * quick
    green = np.where(crops, np.clip(field_green * patchy, 0, 0.98), green)
    litter = np.where(crops, np.minimum(field_litter, 1.0 - green), litter)
    tall = np.where(crops, field_tall, tall)
    hedge = _hedges(noise, place, layout)
    closed = float(noise.rng.uniform(0.75, 0.98))
    woods = ground == TREES
    green = np.where(woods, np.clip(closed + 0.08 * vary, 0.55, 1.0), np.maximum(green, 0.9 * hedge))
    tree = float(noise.rng.uniform(6.0, 28.0))
    tall = np.where(woods, tree * np.clip(1.0 + 0.2 * slow + 0.12 * quick, 0.3, 1.6), tall)
    tall = np.maximum(tall, 10.0 * hedge)
    marsh = ground == FLOODED
    green = np.where(marsh, np.clip((0.35 + 0.5 * place.season) * (1 + 0.35 * vary), 0.1, 0.95), green)
    tall = np.where(marsh, float(noise.rng.choice([1.0, 2.0, 8.0])), tall)
    empty = np.isin(ground, (WATER, SNOW))
    bare = ground == BARE
    green = np.where(bare, np.clip(0.03 + 0.03 * vary, 0.0, 0.10), np.where(empty, 0.0, green))
    litter = np.where(bare, 0.03, np.where(empty, 0.0, np.minimum(litter, 1.0 - green)))
    tall = np.where(bare | empty, 0.0, tall)
    tall = np.where(ground == BUILT, _roofs(noise, layout), tall)
    return green.astype(np.float32), litter.astype(np.float32), tall.astype(np.float32)


def _fields(noise: Noise, place: Place, layout: Layout) -> tuple[Field, Field, Field]:
    """Return green and dry shares and heights of each pixel's field, each (h, w): a field is in one state."""
    rng = noise.rng
    count = int(layout.parcel.max()) + 1
    s = place.season
    chance = np.array([0.6 - 0.3 * s, 0.4, 0.2 + 0.8 * s, 0.1 + 1.5 * s, 0.6, 0.7 - 0.4 * s])
    chance = chance * rng.gamma(1.0, 1.0, len(chance))  # in one region most fields are at the same stage
    state = rng.choice(len(chance), size=count, p=chance / chance.sum())
    low_high = np.array([[spec[0], spec[1]] for spec in FIELD_STATES.values()], dtype=np.float32)
    spot = rng.uniform(0, 1, (2, count)).astype(np.float32)
    green = low_high[state, 0, 0] + spot[0] * (low_high[state, 0, 1] - low_high[state, 0, 0])
    litter = low_high[state, 1, 0] + spot[1] * (low_high[state, 1, 1] - low_high[state, 1, 0])
    tall = np.array([spec[2] for spec in FIELD_STATES.values()], dtype=np.float32)[state]
    return green[layout.parcel], litter[layout.parcel], tall[layout.parcel]


def _hedges(noise: Noise, place: Place, layout: Layout) -> Field:
    """Return the share of hedges and rows of trees between fields, 0 to 1, (h, w)."""
    amount = float(noise.rng.uniform(-0.6, 0.8)) * (1.0 - place.aridity)
    if amount <= 0.0:
        return np.zeros(noise.shape, dtype=np.float32)
    parcel = layout.parcel
    edge = np.zeros(noise.shape, dtype=bool)
    edge[1:] |= parcel[1:] != parcel[:-1]
    edge[:, 1:] |= parcel[:, 1:] != parcel[:, :-1]
    kept = noise.smooth(4, 40, 1.0) < 2.0 * amount - 0.6
    share = amount * edge * kept * (layout.ground == CROPS)
    return share.astype(np.float32)


def _roofs(noise: Noise, layout: Layout) -> Field:
    """Return the heights of buildings in metres, (h, w): each block has one, streets and gardens lower it."""
    count = int(layout.block.max()) + 1
    typical = float(noise.rng.gamma(3.0, 2.0))
    heights = noise.rng.gamma(2.0, typical / 2.0, count).astype(np.float32)
    return np.minimum(heights, 40.0)[layout.block]


def _sky(noise: Noise, place: Place) -> tuple[Field, Field, Field]:
    """Return optical thickness of clouds and of cirrus, and the share of sunlight taken by shadows, each (h, w)."""
    rng = noise.rng
    none = np.zeros(noise.shape, dtype=np.float32)
    cirrus = none
    if place.cirrus:
        streaks = noise.smooth(24, 260, 1.8)
        cirrus = (place.cirrus * np.clip(0.8 + 0.7 * streaks, 0.0, 3.0)).astype(np.float32)
    if not place.clouds:
        return none, cirrus, none
    puff = noise.smooth(float(rng.uniform(8, 20)), float(rng.uniform(60, 220)), 1.7)
    edge = threshold_for(puff, place.clouds)
    thick = float(rng.uniform(12.0, 60.0))
    cloud = (thick * np.clip((puff - edge) / float(rng.uniform(0.25, 0.9)) + 0.1, 0.0, 1.2)).astype(
        np.float32
    )
    above = float(rng.uniform(500.0, 3000.0))
    distance = above / math.tan(math.radians(place.sun_elevation)) / PIXEL_M
    azimuth = math.radians(place.sun_azimuth)
    shift = (round(math.cos(azimuth) * distance), round(-math.sin(azimuth) * distance))
    shadow = 1.0 - np.exp(-np.roll(cloud, shift, axis=(0, 1)))
    return cloud, cirrus, shadow.astype(np.float32)
