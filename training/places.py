# SPDX-License-Identifier: GPL-2.0-or-later
"""Where and when a simulated scene lies: latitude, day, sun, climate, and the shares of land cover they allow.

Sources of the numbers:

- sun: declination by Cooper 1969 (https://doi.org/10.1016/0038-092X(69)90047-4); Sentinel-2 passes at 10:30 local
  solar time (ESA, Sentinel-2 User Handbook, 2015);
- temperature of a latitude: the two-mode mean of North 1975, 14.97 - 28.0 P2(sin latitude) deg C
  (https://doi.org/10.1175/1520-0469(1975)032<2033:TOASEB>2.0.CO;2); 6.5 K per km upwards (ICAO atmosphere);
- deserts lie about 15 to 35 degrees (Peel et al. 2007, climate zones, https://doi.org/10.5194/hess-11-1633-2007);
- crops end and tundra begins where summers stay cool, woods where the warmest month is below 10 deg C (Koeppen).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Land between these latitudes is nine tenths of all land outside Antarctica; the density of land per degree of
#: latitude, coarsely (Northern land is twice the southern).
LATITUDES = (-55.0, -35.0, -15.0, 0.0, 15.0, 35.0, 55.0, 72.0)
LAND = (0.02, 0.10, 0.11, 0.12, 0.20, 0.27, 0.18)

#: Sentinel-2 images with the sun lower than this are rare over land (degrees).
LOWEST_SUN = 18.0

LAPSE_K_PER_M = 0.0065


@dataclass(frozen=True)
class Place:
    """The draws that make scenes differ; shares are fractions of the scene."""

    longitude: float
    latitude: float
    day: int
    sun_elevation: float
    sun_azimuth: float
    aridity: float
    warmth: float
    """Mean air temperature of the day at sea level, deg C."""
    season: float
    """0 dormant or parched, 1 full green."""
    people: float
    relief_m: float
    base_m: float
    roughness: float
    coast: float
    lake: float
    river_m: float
    trees: float
    crops: float
    built: float
    bare: float
    flooded: float
    snow_line: float
    """Metres above the sea from which snow lies."""
    clouds: float
    cirrus: float
    wind: float
    """m/s."""


def declination(day: int) -> float:
    """Return the sun's declination in degrees of a day of the year (Cooper 1969)."""
    return 23.45 * math.sin(math.radians(360.0 * (284 + day) / 365.0))


def sun_at(latitude: float, day: int, hour: float = 10.5) -> tuple[float, float]:
    """Return elevation and azimuth (clockwise from north) of the sun in degrees at a local solar time."""
    phi, delta, turn = (math.radians(a) for a in (latitude, declination(day), 15.0 * (hour - 12.0)))
    up = math.sin(phi) * math.sin(delta) + math.cos(phi) * math.cos(delta) * math.cos(turn)
    east = -math.cos(delta) * math.sin(turn)
    north = math.cos(phi) * math.sin(delta) - math.sin(phi) * math.cos(delta) * math.cos(turn)
    return math.degrees(math.asin(up)), math.degrees(math.atan2(east, north)) % 360.0


def warmth_at(latitude: float, day: int) -> float:
    """Return the mean temperature at sea level in deg C: North's annual mean and a swing that grows polewards."""
    x = math.sin(math.radians(latitude))
    mean = 14.97 - 28.0 * (3.0 * x * x - 1.0) / 2.0
    swing = 0.20 * abs(
        latitude
    )  # half the range of the months: some 10 K at 50 degrees, between coast and inland
    return mean + math.copysign(swing, latitude) * math.cos(2.0 * math.pi * (day - 200) / 365.0)


def _sometimes(rng: np.random.Generator, chance: float, low: float, high: float) -> float:
    """Return 0, or with the given chance a number between low and high."""
    value = float(rng.uniform(low, high))
    return value if rng.random() < chance else 0.0


def _where_and_when(rng: np.random.Generator) -> tuple[float, float, int, float, float]:
    """Return longitude, latitude, day, sun elevation and azimuth of a day with light enough."""
    while True:
        band = int(rng.choice(len(LAND), p=np.asarray(LAND) / sum(LAND)))
        latitude = float(rng.uniform(LATITUDES[band], LATITUDES[band + 1]))
        day = int(rng.integers(1, 366))
        elevation, azimuth = sun_at(latitude, day)
        if elevation >= LOWEST_SUN:
            return float(rng.uniform(-180, 180)), latitude, day, elevation, azimuth


def draw_place(rng: np.random.Generator) -> Place:
    """Return the draws of one scene: coast, plain, hills, mountains, desert and all between them."""
    longitude, latitude, day, sun_elevation, sun_azimuth = _where_and_when(rng)
    dry_belt = math.exp(-(((abs(latitude) - 24.0) / 12.0) ** 2))
    aridity = float(np.clip(rng.beta(1.3, 1.7) + 0.35 * dry_belt * rng.uniform(0, 1), 0, 1))
    relief = float(np.exp(rng.uniform(math.log(4.0), math.log(650.0))))
    coast = _sometimes(rng, 0.15, 0.15, 0.75)
    relief = min(relief, 150.0) if coast else relief
    base = 0.9 * relief + float(rng.uniform(0, 1)) ** 2.5 * (900.0 + 2.2 * relief)
    warmth = warmth_at(latitude, day) + float(rng.normal(0.0, 3.0))
    here = warmth - LAPSE_K_PER_M * base
    thirst = float(rng.uniform(0.0, 1.0)) if abs(latitude) < 40.0 else 0.3
    season = float(np.clip((here - 1.0) / 13.0, 0, 1) * (1.0 - 0.9 * aridity * thirst))
    steep = float(np.clip((math.log(relief) - 3.0) / 4.0, 0, 1))
    people = float(rng.uniform(0, 1)) ** 1.2 * (1.0 - 0.6 * steep) * (1.0 - 0.6 * (aridity > 0.8))
    desert = float(np.clip((aridity - 0.62) / 0.25, 0, 1))
    summer = warmth_at(latitude, 200 if latitude > 0 else 17) - LAPSE_K_PER_M * base
    grows = float(np.clip((summer - 9.0) / 4.0, 0, 1))
    return Place(
        longitude=longitude,
        latitude=latitude,
        day=day,
        sun_elevation=sun_elevation,
        sun_azimuth=sun_azimuth,
        aridity=aridity,
        warmth=warmth,
        season=season,
        people=people,
        relief_m=relief,
        base_m=base,
        roughness=float(rng.uniform(0, 1)) * (0.4 + 0.6 * steep),
        coast=coast,
        lake=_sometimes(rng, 0.28, 0.03, 0.4),
        river_m=_sometimes(rng, 0.45, 12.0, 160.0),
        trees=float(rng.beta(1.1, 1.0)) * (1.0 - 0.85 * desert) * grows,
        crops=float(rng.beta(1.1, 0.8)) * (0.25 + 0.75 * people**0.6) * (1.0 - 0.7 * desert) * grows,
        built=_sometimes(rng, 0.2 + 0.7 * people, 0.01, 0.06 + 0.5 * people**2),
        bare=_sometimes(rng, 0.15 + 0.75 * desert, 0.03, 0.15 + 0.85 * desert),
        flooded=_sometimes(rng, 0.28, 0.04, 0.4),
        snow_line=_snow_line(rng, warmth),
        clouds=_sometimes(rng, 0.2, 0.03, 0.5),
        cirrus=_sometimes(rng, 0.2, 0.01, 0.12),
        wind=float(np.clip(rng.gamma(3.0, 1.8), 0.5, 18.0)),
    )


def _snow_line(rng: np.random.Generator, warmth: float) -> float:
    """Return the height from which snow lies: where the day is below freezing, and not in every frost."""
    freezing = warmth / LAPSE_K_PER_M
    late = float(rng.uniform(-200.0, 1800.0))
    thin = rng.random() < 0.5  # lowland frost without snow is as common as with it
    return max(freezing + late, 300.0 if thin or warmth > -3.0 else 0.0)
