# SPDX-License-Identifier: GPL-2.0-or-later
"""Typical Sentinel-2 reflectances of what the ground is made of, and of open water by its optics.

Values of ``COVERS`` are reflectance x 10000 in the order of ``BANDS``, rounded by hand to two or three digits. They
follow the shapes and levels of the published curves named beside each group, at the centre wavelengths of
Sentinel-2 (443, 490, 560, 665, 705, 740, 783, 842, 865, 945, 1610 and 2190 nm), and are typical values
written by hand: not measurements, and not compared with the libraries number by number:

- U: Kokaly et al. 2017, USGS Spectral Library Version 7, https://doi.org/10.3133/ds1035
- E: Meerdink et al. 2019, The ECOSTRESS spectral library 1.0, https://doi.org/10.1016/j.rse.2019.05.015
- S: Warren 1982, Optical properties of snow, https://doi.org/10.1029/RG020i001p00067
- H: Herold et al. 2004, Spectrometry for urban area remote sensing, https://doi.org/10.1016/j.rse.2004.02.013

A pixel is a mixture of green leaves, dry plant matter, soil and shade (Small 2004, global mixing space,
https://doi.org/10.1016/j.rse.2004.06.007), so leaves and soils here are those of closed covers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")

#: Centre wavelengths in nm (ESA, Sentinel-2 User Handbook, 2015).
WAVELENGTH = np.array([443, 490, 560, 665, 705, 740, 783, 842, 865, 945, 1610, 2190], dtype=np.float32)

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
    # closed canopies (U, E); woods are darker than meadows, since crowns shade one another
    "conifer": (140, 160, 290, 190, 560, 1500, 1800, 1950, 2080, 2080, 950, 430),
    "deciduous": (170, 190, 450, 230, 820, 2600, 3300, 3500, 3650, 3600, 1600, 680),
    "evergreen": (160, 180, 380, 210, 700, 2150, 2600, 2800, 2920, 2900, 1250, 540),
    "leafless": (330, 420, 600, 720, 980, 1300, 1450, 1570, 1720, 1780, 1950, 1250),
    "mangrove": (210, 240, 440, 260, 650, 1800, 2250, 2400, 2450, 2350, 850, 350),
    "crop": (200, 240, 590, 250, 920, 3500, 4500, 4800, 4900, 4750, 1800, 800),
    "paddy": (230, 270, 560, 270, 850, 2700, 3400, 3600, 3650, 3500, 1100, 480),
    "grass": (230, 290, 640, 350, 1020, 2800, 3400, 3600, 3750, 3650, 2050, 950),
    "shrub": (210, 260, 480, 380, 840, 1900, 2200, 2350, 2500, 2500, 1700, 850),
    "reed": (260, 330, 580, 480, 950, 1900, 2250, 2400, 2500, 2400, 1250, 580),
    # dry plant matter (U, E)
    "straw": (650, 850, 1250, 1700, 1950, 2250, 2450, 2650, 2850, 2950, 3500, 2500),
    "hay": (480, 620, 950, 1350, 1700, 2050, 2250, 2450, 2700, 2750, 3150, 2150),
    "dead_reed": (420, 530, 780, 1050, 1300, 1600, 1800, 1950, 2100, 2050, 2000, 1250),
    # soils and rocks, dry (U, E)
    "dark_soil": (430, 530, 720, 920, 1080, 1220, 1330, 1450, 1580, 1650, 2150, 1850),
    "brown_soil": (620, 800, 1150, 1560, 1800, 1980, 2120, 2280, 2450, 2520, 3200, 2750),
    "red_soil": (480, 630, 1080, 2050, 2350, 2550, 2700, 2850, 3000, 3060, 3900, 3300),
    "pale_soil": (1050, 1350, 1850, 2350, 2600, 2770, 2900, 3030, 3180, 3230, 4000, 3600),
    "sand": (1600, 2050, 2700, 3300, 3500, 3600, 3700, 3850, 3950, 3950, 4700, 4300),
    "white_sand": (2200, 2750, 3400, 3900, 4050, 4150, 4250, 4350, 4450, 4400, 5000, 4600),
    "rock": (900, 1050, 1250, 1450, 1550, 1630, 1700, 1780, 1850, 1900, 2250, 2000),
    "lava": (420, 470, 540, 610, 660, 700, 740, 780, 820, 850, 1050, 1000),
    # built (H, U)
    "bright_roof": (1900, 2250, 2600, 2800, 2900, 2950, 3000, 3080, 3080, 3050, 3100, 2800),
    "tile_roof": (700, 850, 1150, 1850, 2100, 2200, 2300, 2400, 2500, 2520, 2900, 2500),
    "dark_roof": (700, 780, 880, 980, 1030, 1070, 1110, 1160, 1200, 1230, 1400, 1350),
    "asphalt": (800, 900, 1040, 1150, 1220, 1280, 1330, 1390, 1450, 1500, 1700, 1600),
    "concrete": (1200, 1420, 1680, 1880, 1980, 2060, 2120, 2200, 2270, 2300, 2550, 2350),
    # snow (S)
    "snow_new": (9300, 9400, 9400, 9300, 9150, 8950, 8850, 8750, 8500, 7700, 1100, 900),
    "snow_old": (7300, 7500, 7400, 7200, 7050, 6750, 6500, 6300, 5900, 5000, 450, 350),
    "ice": (5200, 5600, 5500, 4700, 4200, 3700, 3300, 2900, 2600, 2000, 150, 120),
}

COVER_INDEX: Mapping[str, int] = {name: index for index, name in enumerate(COVERS)}

#: Absorption by pure water, 1/m: Pope & Fry 1997 (https://doi.org/10.1364/AO.36.008710) up to 725 nm, Kou et al.
#: 1993 (https://doi.org/10.1364/AO.32.003531) above.
WATER_ABSORPTION = np.array(
    [0.0069, 0.015, 0.0619, 0.429, 0.704, 2.71, 2.6, 3.3, 4.6, 20.0, 700.0, 2000.0], dtype=np.float32
)

#: Specific absorption of chlorophyll, m2/mg (Bricaud et al. 1995, https://doi.org/10.1029/95JC00463, at 1 mg/m3).
CHLOROPHYLL_ABSORPTION = np.array(
    [0.040, 0.027, 0.008, 0.018, 0.004, 0.001, 0, 0, 0, 0, 0, 0], dtype=np.float32
)


def cover_table() -> NDArray[np.float32]:
    """Return the table of ``COVERS`` as (covers, 12) float32, reflectance 0 to 1."""
    return np.asarray(list(COVERS.values()), dtype=np.float32) / 10000.0


def water_reflectance(
    chlorophyll: float, sediment: float, dissolved: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return reflectance just above deep water (12,) and the two-way attenuation (12,) in 1/m.

    ``chlorophyll`` in mg/m3, ``sediment`` in g/m3, ``dissolved``: absorption by coloured matter at 440 nm in 1/m.
    The reflectance follows Gordon et al. 1988 (https://doi.org/10.1029/JD093iD09p10909) and Lee et al. 1999
    (https://doi.org/10.1364/AO.38.003831); backscatter of sediment as in Nechad et al. 2010
    (https://doi.org/10.1016/j.rse.2009.11.022), about 0.015 m2/g, flatter where there is more of it.
    """
    ratio = 440.0 / WAVELENGTH
    absorbed = WATER_ABSORPTION + CHLOROPHYLL_ABSORPTION * chlorophyll**0.7
    absorbed = absorbed + dissolved * np.exp(-0.015 * (WAVELENGTH - 440.0))
    absorbed = absorbed + 0.03 * sediment * np.exp(-0.011 * (WAVELENGTH - 440.0))
    scattered = 0.0024 * ratio**4.3 + (0.0015 * chlorophyll**0.6 + 0.015 * sediment) * ratio**0.7
    u = scattered / (absorbed + scattered)
    below = (0.089 + 0.125 * u) * u
    above = np.pi * 0.52 * below / (1.0 - 1.7 * below)
    return above.astype(np.float32), (2.0 * (absorbed + scattered)).astype(np.float32)
