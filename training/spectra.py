# SPDX-License-Identifier: GPL-2.0-or-later
"""Typical Sentinel-2 L2A reflectances of the covers that the simulator lays out.

Values are reflectance x 10000 in the order of ``BANDS``, rounded by hand to two or three digits. They follow
the shapes and levels of the published curves named beside each group, at the centre wavelengths of
Sentinel-2 (443, 490, 560, 665, 705, 740, 783, 842, 865, 945, 1610 and 2190 nm), and are typical values
written by hand: not measurements, and not compared with the libraries number by number:

- U: Kokaly et al. 2017, USGS Spectral Library Version 7, https://doi.org/10.3133/ds1035
- E: Meerdink et al. 2019, The ECOSTRESS spectral library 1.0, https://doi.org/10.1016/j.rse.2019.05.015
- W: Pope & Fry 1997 (pure water), https://doi.org/10.1364/AO.36.008710, and Knaeps et al. 2018 (turbid),
  https://doi.org/10.5194/essd-10-1439-2018
- S: Warren 1982, Optical properties of snow, https://doi.org/10.1029/RG020i001p00067
- C: Hagolle et al. 2010 (cloud thresholds), https://doi.org/10.1016/j.rse.2010.03.002
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")

#: Native pixel size of each band in metres (Sentinel-2 MSI).
BAND_GSD = (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 20, 20)

WATER, TREES, FLOODED, CROPS, BUILT, BARE, SNOW, CLOUDS, RANGE = 1, 2, 3, 4, 5, 6, 7, 8, 9

#: ESRI / TerraMesh class indices.
CLASS_NAMES: Mapping[int, str] = {
    0: "no data",
    WATER: "water",
    TREES: "trees",
    FLOODED: "flooded vegetation",
    CROPS: "crops",
    BUILT: "built area",
    BARE: "bare ground",
    SNOW: "snow/ice",
    CLOUDS: "clouds",
    RANGE: "rangeland",
}

COVERS: Mapping[str, tuple[int, ...]] = {
    # water (W)
    "deep": (260, 240, 190, 120, 100, 80, 75, 65, 55, 50, 30, 20),
    "green": (300, 330, 480, 260, 250, 130, 120, 100, 85, 80, 40, 25),
    "turbid": (620, 760, 1050, 1020, 980, 560, 540, 480, 360, 300, 90, 60),
    "shallow": (700, 880, 1150, 720, 520, 300, 280, 250, 210, 190, 110, 80),
    # trees (U, E)
    "conifer": (150, 170, 310, 210, 560, 1450, 1750, 1850, 1980, 2000, 900, 420),
    "deciduous": (180, 200, 460, 250, 820, 2450, 3150, 3350, 3500, 3500, 1650, 720),
    "evergreen": (170, 190, 360, 230, 680, 1950, 2400, 2550, 2680, 2700, 1200, 540),
    "leafless": (330, 420, 620, 720, 1000, 1350, 1500, 1620, 1780, 1850, 1950, 1250),
    # flooded vegetation: vegetation over water (U, W)
    "marsh": (280, 340, 540, 460, 820, 1350, 1550, 1650, 1720, 1600, 780, 380),
    "mangrove": (230, 270, 460, 300, 650, 1600, 1900, 2000, 2050, 1950, 700, 300),
    "reed": (340, 430, 660, 700, 1050, 1450, 1620, 1720, 1820, 1700, 1150, 650),
    # crops (U, E)
    "crop_green": (220, 260, 600, 290, 950, 3300, 4200, 4500, 4600, 4500, 1750, 820),
    "crop_mid": (340, 430, 760, 600, 1150, 2550, 3000, 3200, 3350, 3300, 2050, 1150),
    "crop_ripe": (560, 760, 1100, 1350, 1700, 2150, 2400, 2600, 2800, 2850, 3000, 2000),
    "soil_plough": (620, 820, 1150, 1500, 1750, 1950, 2100, 2250, 2450, 2500, 3000, 2500),
    "soil_dark": (420, 520, 700, 880, 1050, 1180, 1280, 1400, 1520, 1600, 2000, 1700),
    # built (U, E)
    "roof_bright": (1900, 2200, 2500, 2700, 2800, 2850, 2900, 3000, 3000, 3000, 3000, 2700),
    "roof_tile": (800, 950, 1250, 1850, 2050, 2150, 2250, 2350, 2450, 2500, 2800, 2400),
    "asphalt": (750, 850, 980, 1080, 1150, 1220, 1270, 1330, 1400, 1450, 1600, 1500),
    "concrete": (1150, 1350, 1600, 1800, 1900, 1980, 2050, 2130, 2200, 2250, 2450, 2250),
    "garden": (380, 470, 720, 650, 1050, 1850, 2150, 2300, 2400, 2400, 1750, 1100),
    # bare (U, E)
    "sand": (1600, 2050, 2700, 3300, 3500, 3600, 3700, 3850, 3950, 3950, 4700, 4300),
    "rock": (900, 1050, 1250, 1450, 1550, 1630, 1700, 1780, 1850, 1900, 2250, 2000),
    "red_soil": (500, 650, 1100, 2200, 2500, 2700, 2850, 3000, 3150, 3200, 4000, 3400),
    "lava": (420, 470, 540, 610, 660, 700, 740, 780, 820, 850, 1050, 1000),
    # snow (S)
    "snow_new": (9200, 9300, 9300, 9200, 9100, 8900, 8800, 8700, 8400, 7600, 1000, 800),
    "snow_old": (7200, 7400, 7300, 7200, 7100, 6800, 6600, 6400, 6000, 5200, 500, 400),
    # clouds (C)
    "cloud": (5600, 5600, 5500, 5600, 5700, 5800, 5900, 5900, 5900, 5200, 4300, 3400),
    "cloud_bright": (8400, 8400, 8300, 8400, 8500, 8600, 8600, 8600, 8600, 7700, 5800, 4600),
    # rangeland (U, E)
    "grass_green": (260, 320, 660, 430, 1050, 2550, 3050, 3250, 3400, 3350, 2100, 1050),
    "grass_dry": (520, 700, 1000, 1350, 1700, 2050, 2250, 2400, 2600, 2700, 3300, 2300),
    "shrub": (360, 450, 680, 720, 1050, 1600, 1800, 1920, 2080, 2150, 2350, 1500),
}

COVER_INDEX: Mapping[str, int] = {name: index for index, name in enumerate(COVERS)}


def cover_table() -> np.ndarray:
    """Return the table of ``COVERS`` as (covers, 12) float32, reflectance x 10000."""
    return np.asarray(list(COVERS.values()), dtype=np.float32)
