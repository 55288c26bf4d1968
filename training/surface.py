# SPDX-License-Identifier: GPL-2.0-or-later
"""How much light the ground of a simulated world returns: mixtures, soils, snow, water and its bed, sun and slope.

The result is what a perfect atmospheric correction would give, at 10 m, before any sensor. Method by method:

- land: leaves, dry plants, soil and shade mixed linearly (Small 2004, https://doi.org/10.1016/j.rse.2004.06.007);
- wet soil is darker, more so at 2 um (Lobell & Asner 2002, https://doi.org/10.2136/sssaj2002.7220);
- water: Gordon et al. 1988 and, over a visible bed, Lee et al. 1998 (https://doi.org/10.1364/AO.37.006329);
- glint by the slopes of waves (Cox & Munk 1954, https://doi.org/10.1364/JOSA.44.000838), foam by wind (Monahan &
  O'Muircheartaigh 1980) of reflectance 0.22 and less beyond the visible (Koepke 1984,
  https://doi.org/10.1364/AO.23.001816; Frouin et al. 1996), surf along the shores of the sea;
- slopes: direct light by the cosine of incidence, sky light by the sky that is seen (Teillet et al. 1982,
  https://doi.org/10.1080/07038992.1982.10855028), cast shadows by tracing towards the sun.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .fields import Field
from .landcover import PIXEL_M
from .places import warmth_at
from .spectra import (
    BARE,
    BUILT,
    COVER_INDEX,
    CROPS,
    FLOODED,
    RANGE,
    SNOW,
    TREES,
    WATER,
    WAVELENGTH,
    cover_table,
    water_reflectance,
)
from .world import World

#: Share of skylight in what the ground receives under a clear sky, by band: Rayleigh and thin haze over the
#: direct beam at a sun of 45 degrees (Bird & Riordan 1986, https://doi.org/10.1175/1520-0450(1986)025<0087:SSSMFD>2.0.CO;2).
SKYLIGHT = (0.13 * (WAVELENGTH / 550.0) ** -2.2 + 0.03).astype(np.float32)

#: Reflectance that saturated soil keeps of its dry one, by band (Lobell & Asner 2002, figures 3 and 5).
WET_SOIL = np.interp(WAVELENGTH, [440, 900, 1610, 2190], [0.50, 0.55, 0.42, 0.32]).astype(np.float32)

#: Light on the ground of a closed wood over that in the open (Beer's law with a leaf area of 2 to 3 and 0.5).
FOREST_FLOOR = 0.3

FOAM = np.interp(WAVELENGTH, [440, 670, 865, 1610, 2190], [0.22, 0.21, 0.15, 0.05, 0.02]).astype(np.float32)

#: Pixel-to-pixel texture of each class, relative standard deviation.
TEXTURE = {TREES: 0.10, FLOODED: 0.10, CROPS: 0.03, BUILT: 0.12, BARE: 0.045, SNOW: 0.03, RANGE: 0.05}


def reflectance(world: World) -> Field:
    """Return surface reflectance with sun and slope in it, (12, h, w) float32, 0 to about 1.5."""
    table = _scene_table(world)
    rows = _land(world, table)
    grain = world.noise.smooth(2.0, 9.0, 0.4)
    texture = np.zeros(256, dtype=np.float32)
    for klass, amount in TEXTURE.items():
        texture[klass] = amount
    rows *= np.maximum(1.0 + texture[world.ground] * grain, 0.2)[..., None]
    _snow(world, table, rows)
    image = np.ascontiguousarray(rows.transpose(2, 0, 1))
    image *= _light(world)
    _water(world, image, table)
    return np.clip(image, 0.0005, 1.5, out=image)


def _scene_table(world: World) -> Field:
    """Return the covers' reflectance (covers, 12) with each cover's own level and slope in this scene."""
    rng = world.noise.rng
    table = cover_table()
    level = np.exp(rng.normal(0.0, 0.13, (table.shape[0], 1)))
    tilt = rng.normal(0.0, 0.08, (table.shape[0], 1)) * np.linspace(-1, 1, 12)[None]
    bumps = np.exp(rng.normal(0.0, 0.03, table.shape))
    return (table * level * np.exp(tilt) * bumps).astype(np.float32)


def _land(world: World, table: Field) -> Field:
    """Return reflectance of land, (h, w, 12): each pixel's leaves, litter and ground in their shares."""
    rng, ground = world.noise.rng, world.ground
    slow, quick = world.noise.smooth(24, 160, 1.8), world.noise.smooth(3, 30, 0.9)
    share = np.clip(float(rng.uniform(0.1, 0.9)) + 0.45 * slow + 0.12 * quick, 0.0, 1.0)
    leaf = _leaves(world, table, share)
    dry = table[COVER_INDEX[str(rng.choice(["straw", "hay"]))]]
    soil = _soil(world, table, share)
    floor = (
        dry * world.litter[..., None] + soil * np.maximum(1.0 - world.green - world.litter, 0.0)[..., None]
    )
    floor *= np.where(ground == TREES, FOREST_FLOOR, 1.0)[..., None]
    image = leaf * world.green[..., None] + floor
    # Crowns and bushes shade the ground between them: most where leaves cover half (Small 2004's dark end member).
    gaps = np.minimum(world.height / 12.0, 1.0) * 1.6 * world.green * (1.0 - world.green)
    image *= (1.0 - np.clip(gaps, 0.0, 0.5))[..., None]
    town = ground == BUILT
    if town.any():
        image[town] = _town(world, table, leaf)[town]
    tone = np.exp(rng.normal(0.0, 0.08, int(world.parcel.max()) + 1)).astype(np.float32)[world.parcel]
    image *= np.where(ground == CROPS, tone, 1.0)[..., None]
    _roads(world, table, image)
    return image.astype(np.float32)


def _leaves(world: World, table: Field, share: Field) -> Field:
    """Return the spectrum of each pixel's leaves, (h, w, 12): two kinds of each class in a drifting mixture."""
    rng, place, ground = world.noise.rng, world.place, world.ground

    def mixed(a: str, b: str) -> Field:
        mix = share[..., None]
        return table[COVER_INDEX[a]] * (1.0 - mix) + table[COVER_INDEX[b]] * mix

    leaves = mixed("grass", str(rng.choice(["grass", "shrub"])))
    woods = ground == TREES
    if woods.any():
        leaves[woods] = mixed(*_tree_kinds(world))[woods]
    crops = ground == CROPS
    if crops.any():
        kinds = [table[COVER_INDEX[name]] for name in ("crop", "crop", "grass", "paddy")]
        kind = np.stack(kinds)[rng.choice(4, int(world.parcel.max()) + 1, p=[0.4, 0.3, 0.22, 0.08])]
        leaves[crops] = kind[world.parcel][crops]
    marsh = ground == FLOODED
    if marsh.any():
        tropical = abs(place.latitude) < 28.0 and place.coast > 0
        kind = "mangrove" if tropical else str(rng.choice(["reed", "paddy", "reed", "grass"]))
        leaves[marsh] = mixed("reed", kind)[marsh]
    return leaves


def _tree_kinds(world: World) -> tuple[str, str]:
    """Return two kinds of trees that grow here, as they look on this day."""
    rng, place = world.noise.rng, world.place
    annual = 0.5 * (warmth_at(place.latitude, 200) + warmth_at(place.latitude, 17)) - 0.0065 * place.base_m
    asleep = place.season < 0.35 and rng.random() < 0.8
    broad = "leafless" if asleep else "deciduous"
    if annual > 20.0:
        return "evergreen", (broad if place.aridity > 0.5 else "evergreen")
    if annual < 5.0:
        return "conifer", (broad if rng.random() < 0.4 else "conifer")
    return str(rng.choice(["conifer", broad])), broad


def _soil(world: World, table: Field, share: Field) -> Field:
    """Return the spectrum of the ground between plants, (h, w, 12), darker where it is wet."""
    rng, place = world.noise.rng, world.place
    weights = np.array([1.3 - place.aridity, 1.5, 0.9, 0.5 + place.aridity])
    names = ["dark_soil", "brown_soil", "red_soil", "pale_soil"]
    first, second = rng.choice(names, 2, p=weights / weights.sum())
    mix = share[..., None]
    wet = WET_SOIL ** world.wetness[..., None]
    soil = (table[COVER_INDEX[first]] * (1 - mix) + table[COVER_INDEX[second]] * mix) * wet
    bare = world.ground == BARE
    if bare.any():
        kinds = ["sand", "rock", "pale_soil", "red_soil", "lava"]
        odds = [0.1, 0.45, 0.2, 0.15, 0.1] if place.relief_m > 150 else [0.35, 0.2, 0.25, 0.15, 0.05]
        a, b = rng.choice(kinds, 2, p=odds)
        if place.coast:
            a, b = (
                str(name) for name in rng.choice(["sand", "white_sand", "pale_soil"], 2, p=[0.45, 0.35, 0.2])
            )
        soil[bare] = (table[COVER_INDEX[a]] * (1 - mix) + table[COVER_INDEX[b]] * mix)[bare] * wet[
            bare
        ] ** 0.6
    marsh = world.ground == FLOODED
    if marsh.any():
        water, _ = water_reflectance(5.0, float(rng.gamma(1.5, 8.0)), 1.0)
        soil[marsh] = 0.6 * water + 0.4 * soil[marsh]
    return soil


def _town(world: World, table: Field, leaf: Field) -> Field:
    """Return the spectrum of built-up land, (h, w, 12): roofs by the building, streets, gardens by the block."""
    rng = world.noise.rng
    shape = world.ground.shape
    names = ("bright_roof", "tile_roof", "dark_roof", "concrete", "asphalt")
    odds = rng.dirichlet([0.6, 1.6, 1.0, 1.5, 1.2])
    index = np.array([COVER_INDEX[name] for name in names])
    grid = rng.choice(index, size=(shape[0] // 2 + 1, shape[1] // 2 + 1), p=odds)
    size = world.noise.rng.integers(1, 4)
    block = np.repeat(np.repeat(grid, 2, 0), 2, 1)[: shape[0], : shape[1]]
    coarse = rng.choice(index, int(world.block.max()) + 1, p=odds)[world.block]
    picked = np.where(rng.random(int(world.block.max()) + 1)[world.block] < 0.22 * size, coarse, block)
    roofs = table[picked]
    tone = np.exp(rng.normal(0.0, 0.22, (shape[0] // 2 + 1, shape[1] // 2 + 1))).astype(np.float32)
    roofs = roofs * np.repeat(np.repeat(tone, 2, 0), 2, 1)[: shape[0], : shape[1], None]
    leafy = float(rng.uniform(0.05, 0.5))
    garden = np.clip(rng.normal(leafy, 0.18, int(world.block.max()) + 1), 0.0, 0.8)[world.block]
    garden = np.clip(garden + 0.12 * world.noise.smooth(2.0, 12.0, 0.5), 0.0, 0.9)[..., None]
    alive = 0.35 + 0.65 * world.place.season
    soil = table[COVER_INDEX["brown_soil"]]
    return (roofs * (1 - garden) + (leaf * alive + soil * (1 - alive)) * garden).astype(np.float32)


def _roads(world: World, table: Field, image: Field) -> None:
    """Draw roads through fields and towns along the borders of some blocks of land, in place."""
    rng = world.noise.rng
    if rng.random() > 0.25 + 0.7 * world.place.people:
        return
    line = world.noise.smooth(60, 320, 2.0)
    gy, gx = np.gradient(line)
    far = np.abs(line - float(rng.normal(0, 0.5))) / np.maximum(np.hypot(gx, gy), 1e-4)
    wide = float(rng.uniform(0.25, 0.9))
    road = np.clip(wide + 0.5 - far, 0.0, 1.0) * np.isin(world.ground, (CROPS, RANGE, BUILT, BARE))
    kind = table[COVER_INDEX[str(rng.choice(["asphalt", "asphalt", "brown_soil", "pale_soil"]))]]
    image *= (1.0 - road)[..., None]
    image += road[..., None] * kind


def _snow(world: World, table: Field, rows: Field) -> None:
    """Lay snow where the ground is under snow, whole or in patches, and old ice among it, in place."""
    where = world.ground == SNOW
    if not where.any():
        return
    rng = world.noise.rng
    age = np.clip(float(rng.uniform(0, 1)) + 0.3 * world.noise.smooth(20, 140, 1.6), 0, 1)[..., None]
    fresh, old = (
        table[COVER_INDEX["snow_new"]],
        table[COVER_INDEX[str(rng.choice(["snow_old", "snow_old", "ice"]))]],
    )
    rock = np.clip(float(rng.uniform(-0.4, 0.3)) + 0.25 * world.noise.smooth(3, 30, 1.0), 0.0, 0.6)[..., None]
    below = table[COVER_INDEX["rock"]]
    snow = (fresh * (1 - age) + old * age) * (1 - rock) + below * rock
    rows[where] = snow[where]


def _light(world: World) -> Field:
    """Return the light on each pixel over that on level ground, (12, h, w): sun on slopes, sky, cast shadows."""
    place = world.place
    heights = ndimage.gaussian_filter(world.terrain.elevation, 1.0)
    gy, gx = np.gradient(heights, PIXEL_M)
    up, azimuth = math.radians(place.sun_elevation), math.radians(place.sun_azimuth)
    # Rows run south, so the surface normal is (-gx, +gy, 1) in east, north, up.
    east, north = math.sin(azimuth) * math.cos(up), math.cos(azimuth) * math.cos(up)
    norm = np.sqrt(1.0 + gx * gx + gy * gy)
    cosine = (-gx * east + gy * north + math.sin(up)) / norm
    direct = np.clip(cosine / math.sin(up), 0.0, 3.0) * (1.0 - _cast(heights, place.sun_elevation, azimuth))
    sky = 0.5 * (1.0 + 1.0 / norm)
    direct = np.where(world.terrain.water, 1.0, direct)
    share = SKYLIGHT[:, None, None] * min(1.8, 0.7 / math.sin(up))
    return ((1.0 - share) * direct[None] + share * sky[None]).astype(np.float32)


def _cast(heights: Field, sun_elevation: float, azimuth: float) -> Field:
    """Return where terrain hides the sun, 0 or 1 softened by a pixel, (h, w)."""
    rise = math.tan(math.radians(sun_elevation)) * PIXEL_M
    reach = min(60, int((heights.max() - heights.min()) / rise) + 1)
    if reach < 3:
        return np.zeros_like(heights)
    hidden = np.full(heights.shape, -np.inf, dtype=np.float32)
    distance = 1.5
    while distance < reach:
        rows, columns = -math.cos(azimuth) * distance, math.sin(azimuth) * distance
        towards = _shifted(heights, round(rows), round(columns)) - rise * distance
        np.maximum(hidden, towards, out=hidden)
        distance *= 1.25
    return np.clip((hidden - heights) / 4.0, 0.0, 1.0).astype(np.float32)


def _shifted(field: Field, rows: int, columns: int) -> Field:
    """Return the field's value (rows, columns) away from each pixel, edges repeated, (h, w)."""
    y = np.clip(np.arange(field.shape[0]) + rows, 0, field.shape[0] - 1)
    x = np.clip(np.arange(field.shape[1]) + columns, 0, field.shape[1] - 1)
    return field[y][:, x]


def _water(world: World, image: Field, table: Field) -> None:
    """Put in water: its own colour, its bed where that is seen, glint and foam, in place."""
    where = world.terrain.water & (world.ground == WATER)
    if not where.any():
        return
    rng, place = world.noise.rng, world.place
    sea = place.coast > 0.0
    drift = 0.5 * world.noise.smooth(30, 220, 1.9) + 1.2 * (world.layout.shore - 0.7)
    sediment = float(np.exp(rng.normal(1.0, 1.4)))
    chlorophyll = float(np.exp(rng.normal(0.3 if sea else 1.6, 1.1)))
    dissolved = float(np.exp(rng.normal(-2.0 if sea else -0.6, 0.8)))
    clear, loss = water_reflectance(chlorophyll, 0.4 * sediment, dissolved)
    murky, more = water_reflectance(chlorophyll, 3.0 * sediment, dissolved)
    part = np.clip(0.5 + drift, 0.0, 1.0)[None]
    colour = clear[:, None, None] * (1 - part) + murky[:, None, None] * part
    lost = loss[:, None, None] * (1 - part) + more[:, None, None] * part
    bed = table[COVER_INDEX["sand" if sea else "brown_soil"]][:, None, None] * 0.7
    seen = np.exp(-np.minimum(lost * np.maximum(world.terrain.depth, 0.05)[None], 30.0))
    colour = colour * (1.0 - seen) + bed * seen
    colour += _glint(world) + _foam(world, sea)
    image[:, where] = colour[:, where]


def _glint(world: World) -> Field:
    """Return the sun's and the sky's reflection on waves, alike in every band, (h, w)."""
    rng, place = world.noise.rng, world.place
    zenith = math.radians(90.0 - place.sun_elevation)
    view = math.radians(
        float(rng.uniform(-11.0, 11.0))
    )  # off nadir, towards the sun or away (MSI's field of view)
    tilt = 0.5 * (zenith - view)
    gusts = np.clip(place.wind * (1.0 + 0.2 * world.noise.smooth(3.0, 60.0, 1.0)), 0.5, 20.0)
    spread = 0.003 + 0.00512 * gusts
    slopes = np.exp(-(math.tan(tilt) ** 2) / spread) / (math.pi * spread)
    fresnel = 0.021
    sun = math.pi * fresnel * slopes / (4.0 * math.cos(zenith) * math.cos(view) * math.cos(tilt) ** 4)
    return np.clip(sun, 0.0, 0.35).astype(np.float32)


def _foam(world: World, sea: bool) -> Field:
    """Return foam's share of the reflectance, (12, h, w): white caps by wind, surf where the sea is shallow."""
    caps = 3.84e-6 * world.place.wind**3.41
    field = np.full(world.ground.shape, caps, dtype=np.float32)
    if sea:
        lines = world.noise.smooth(2.5, 40.0, 0.9)
        surf = np.exp(-((world.terrain.depth - 1.2) ** 2) / 1.5) * np.clip(lines - 0.4, 0.0, 1.5)
        field += float(world.noise.rng.gamma(1.0, 0.8)) * surf
    amount: NDArray[np.float32] = np.clip(field, 0.0, 1.6)[None]
    return FOAM[:, None, None] * amount * 1.8


__all__ = ["SKYLIGHT", "reflectance"]
