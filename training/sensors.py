# SPDX-License-Identifier: GPL-2.0-or-later
"""What sensors record of a simulated world. Sentinel-2 L2A here; further sensors are further functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fields import Field
from .spectra import (
    BAND_GSD,
    BARE,
    BUILT,
    CLOUDS,
    COVER_INDEX,
    CROPS,
    FLOODED,
    RANGE,
    SNOW,
    TREES,
    WATER,
    cover_table,
)
from .world import PIXEL_M, World

#: How much of the haze that the correction left over each band shows, blue most (Rayleigh-like).
HAZE = np.array([1.3, 1.0, 0.7, 0.5, 0.42, 0.36, 0.32, 0.28, 0.26, 0.22, 0.08, 0.04], dtype=np.float32)

#: Pixel-to-pixel texture of each class, relative.
TEXTURE = {
    WATER: 0.05,
    TREES: 0.11,
    FLOODED: 0.12,
    CROPS: 0.04,
    BUILT: 0.16,
    BARE: 0.06,
    SNOW: 0.03,
    RANGE: 0.07,
}


def render_s2l2a(world: World) -> NDArray[np.uint16]:
    """Return Sentinel-2 L2A reflectance x 10000 without offset, (12, h, w) uint16, never 0."""
    first, second, share = _mixture(world)
    table = _scene_table(world)
    mixed = table[first] * (1.0 - share[..., None]) + table[second] * share[..., None]
    image = np.ascontiguousarray(mixed.transpose(2, 0, 1))
    image *= _brightness(world)[None]
    _add_glint(world, image)
    _cover_with_clouds(world, image, table)
    image += HAZE[:, None, None] * float(world.noise.rng.gamma(1.5, 50.0))
    _coarsen(image)
    scale = 18.0 + 0.006 * image
    image += scale * world.noise.rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(image), 1, 20000).astype(np.uint16)


def ndvi_of(s2l2a: NDArray[np.uint16]) -> Field:
    """Return NDVI = (B08 - B04) / (B08 + B04) of an L2A image (12, h, w), float32 (h, w), -1 to 1."""
    red = s2l2a[3].astype(np.float32)
    infrared = s2l2a[7].astype(np.float32)
    return (infrared - red) / np.maximum(infrared + red, 1.0)


def _scene_table(world: World) -> Field:
    """Return the cover table with this scene's own calibration and covers shifted a little, (covers, 12)."""
    rng = world.noise.rng
    table = cover_table()
    band = np.exp(rng.normal(0.0, 0.04, (1, 12)))
    level = np.exp(rng.normal(0.0, 0.12, (table.shape[0], 1)))
    tilt = rng.normal(0.0, 0.10, (table.shape[0], 1)) * np.linspace(-1, 1, 12)[None]
    return (table * band * level * np.exp(tilt)).astype(np.float32)


def _mixture(world: World) -> tuple[NDArray[np.int64], NDArray[np.int64], Field]:
    """Return for each pixel two covers and the share of the second, all (h, w)."""
    first = np.zeros(world.ground.shape, dtype=np.int64)
    second = np.zeros(world.ground.shape, dtype=np.int64)
    share = np.zeros(world.ground.shape, dtype=np.float32)
    slow = world.noise.smooth(30, 160, 1.6)
    quick = world.noise.smooth(4, 30, 0.8)
    for klass, chosen in _choices(world, slow, quick).items():
        where = world.ground == klass
        if where.any():
            a, b, mix = chosen
            first[where] = a[where] if isinstance(a, np.ndarray) else COVER_INDEX[a]
            second[where] = b[where] if isinstance(b, np.ndarray) else COVER_INDEX[b]
            share[where] = np.clip(mix, 0.0, 1.0)[where]
    return first, second, share


def _choices(world: World, slow: Field, quick: Field) -> dict[int, tuple]:
    """Return per class two covers (a name, or an index per pixel) and the share of the second (h, w)."""
    rng = world.noise.rng
    climate = world.climate
    pick = _picker(rng)
    inner = np.clip(1.6 * world.shore - 0.7, 0, 1)
    crop, crop_share = _per_parcel(world)
    roofs, roof_share = _per_block(world)
    leaf = "leafless" if rng.random() < 0.15 * (1 - climate.dryness) else "deciduous"
    grass = pick("grass_green", "shrub") if climate.green > 0.45 else pick("grass_dry", "shrub")
    other = "grass_dry" if climate.dryness > 0.4 else "grass_green"
    soils = [pick("rock", "sand", "red_soil", "lava") for _ in range(2)]
    mid = float(rng.uniform(0.1, 0.9))
    return {
        WATER: (
            pick("turbid", "green", "shallow"),
            pick("deep", "deep", "green"),
            inner + 0.15 * slow + mid - 0.3,
        ),
        TREES: (pick("conifer", "evergreen", leaf), pick("evergreen", leaf), mid + 0.6 * slow + 0.1 * quick),
        FLOODED: (pick("marsh", "mangrove", "reed"), "marsh", mid + 0.35 * quick),
        CROPS: (crop, np.roll(crop, 1), crop_share),
        BUILT: (roofs, np.full_like(roofs, COVER_INDEX["garden"]), roof_share + 0.12 * quick),
        BARE: (soils[0], soils[1], mid + 0.5 * slow),
        SNOW: ("snow_new", "snow_old", mid + 0.4 * slow),
        RANGE: (grass, other, mid + 0.35 * slow + 0.15 * quick),
    }


def _picker(rng: np.random.Generator):
    """Return a function that draws one of its arguments."""
    return lambda *names: names[int(rng.integers(len(names)))]


def _per_parcel(world: World) -> tuple[NDArray[np.int64], Field]:
    """Return the crop of each pixel's parcel (cover index) and the share of its neighbour's crop, (h, w)."""
    rng = world.noise.rng
    green = world.climate.green
    names = ("crop_green", "crop_mid", "crop_ripe", "soil_plough", "soil_dark")
    chance = np.array([green, 0.6 * green, 0.9 * (1 - green), 0.5 * (1 - green), 0.25]) + 0.04
    count = int(world.parcel.max()) + 1
    drawn = rng.choice(len(names), size=count, p=chance / chance.sum())
    index = np.array([COVER_INDEX[name] for name in names])[drawn]
    return index[world.parcel], rng.uniform(0.0, 0.3, count).astype(np.float32)[world.parcel]


def _per_block(world: World) -> tuple[NDArray[np.int64], Field]:
    """Return the roof or street of each pixel's block (cover index) and its share of gardens, (h, w)."""
    rng = world.noise.rng
    names = ("roof_bright", "roof_tile", "asphalt", "concrete")
    count = int(world.block.max()) + 1
    chance = rng.dirichlet([0.7, 1.5, 2.0, 2.0])
    index = np.array([COVER_INDEX[name] for name in names])[rng.choice(len(names), size=count, p=chance)]
    leafy = float(rng.uniform(0.1, 0.5))
    share = np.clip(rng.normal(leafy, 0.18, count), 0.0, 0.75).astype(np.float32)
    return index[world.block], share[world.block]


def _brightness(world: World) -> Field:
    """Return the factor of sun, slope, parcel and texture on reflectance, (h, w) float32."""
    rng = world.noise.rng
    gy, gx = np.gradient(world.elevation, PIXEL_M)
    zenith = np.deg2rad(90.0 - world.climate.sun_elevation)
    azimuth = np.deg2rad(world.climate.sun_azimuth)
    # Rows run south, so the surface normal is (-gx, +gy, 1) in east, north, up.
    east, north = np.sin(azimuth) * np.sin(zenith), np.cos(azimuth) * np.sin(zenith)
    cosine = (-gx * east + gy * north + np.cos(zenith)) / np.sqrt(1.0 + gx * gx + gy * gy)
    lit = np.clip(0.3 + 0.7 * cosine / np.cos(zenith), 0.22, 1.9)
    lit = np.where(world.ground == WATER, 1.0, lit)
    texture = np.zeros(256, dtype=np.float32)
    for klass, amount in TEXTURE.items():
        texture[klass] = amount
    grain = world.noise.smooth(2.0, 8.0, 0.3)
    field = np.exp(rng.normal(0.0, 0.1, int(world.parcel.max()) + 1)).astype(np.float32)[world.parcel]
    field = np.where(world.ground == CROPS, field, 1.0)
    return np.maximum(lit * (1.0 + texture[world.ground] * grain) * field, 0.15).astype(np.float32)


def _add_glint(world: World, image: Field) -> None:
    """Add the sun's reflection on waves to water, in every band alike, in place."""
    rng = world.noise.rng
    strength = float(rng.gamma(1.0, 420.0)) if rng.random() < 0.3 else float(rng.uniform(0, 60))
    waves = world.noise.smooth(2.0, 40.0, 0.8)
    glint = strength * np.clip(0.8 + 0.45 * waves, 0.0, 3.0) * (world.ground == WATER)
    image += glint[None]


def _cover_with_clouds(world: World, image: Field, table: Field) -> None:
    """Lay clouds and their shadows over the image, in place."""
    rng = world.noise.rng
    bright = float(rng.uniform(0, 1))
    distance = rng.uniform(12, 45)
    azimuth = np.deg2rad(world.climate.sun_azimuth + 180.0)
    if not world.climate.clouds:
        return
    shift = (round(float(-np.cos(azimuth) * distance)), round(float(np.sin(azimuth) * distance)))
    shadow = np.roll(world.cloud, shift, axis=(0, 1)) * (1.0 - world.cloud)
    image *= 1.0 - 0.55 * shadow[None]
    white = table[COVER_INDEX["cloud"]] * (1 - bright) + table[COVER_INDEX["cloud_bright"]] * bright
    thick = np.clip(1.0 + 0.08 * world.noise.smooth(4, 40, 1.2), 0.7, 1.3)
    image *= 1.0 - world.cloud[None]
    image += white[:, None, None] * (world.cloud * thick)[None]


def _coarsen(image: Field) -> None:
    """Average the 20 m and 60 m bands over their own pixels, in place, as resampled products show."""
    _, height, width = image.shape
    for band, gsd in enumerate(BAND_GSD):
        size = int(gsd // PIXEL_M)
        if size == 1:
            continue
        pad = ((0, -height % size), (0, -width % size))
        padded = np.pad(image[band], pad, mode="edge")
        rows, columns = padded.shape[0] // size, padded.shape[1] // size
        mean = padded.reshape(rows, size, columns, size).mean(axis=(1, 3))
        image[band] = np.repeat(np.repeat(mean, size, 0), size, 1)[:height, :width]


__all__ = ["CLOUDS", "HAZE", "ndvi_of", "render_s2l2a"]
