# SPDX-License-Identifier: GPL-2.0-or-later
"""The nine TerraMind modalities in one table, and how bands of a raster find their place in it.

Band order and units are TerraMind's (terratorch, ``model/terramind_register.py``). Sentinel-2
wavelengths are the central ones of Sentinel-2A (ESA, S2 MSI spectral responses, v3.0), in nm.
A new sensor is one more row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

LAND_COVER_NODATA = 0


@dataclass(frozen=True)
class LandCoverClass:
    """A value of the land-cover raster. ``color`` is RGBA, 0-255."""

    value: int
    name: str
    color: tuple[int, int, int, int]


@dataclass(frozen=True)
class Band:
    """A band of a modality. ``aliases`` are lower-case names under which files know it."""

    name: str
    aliases: tuple[str, ...] = ()
    wavelength_nm: Optional[float] = None
    native_gsd: float = 10.0
    """Ground sample distance at which the sensor measures it, metres."""


@dataclass(frozen=True)
class Modality:
    """One kind of data that TerraMind takes or gives."""

    id: str
    label: str
    """The user's words."""
    bands: tuple[Band, ...]
    unit: str
    kind: str
    """How TerraMind takes it: "raw" pixels, "tokenized" or "text"."""
    output_dtype: str = "float32"
    output_nodata: Optional[float] = None
    classes: tuple[LandCoverClass, ...] = ()
    note: str = ""
    """What the values mean and do not mean, for the layer's metadata."""
    levelled: bool = False
    """Whether every tile that a model generates has a level of its own, which neighbours can settle."""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands in the model's order."""
        return tuple(b.name for b in self.bands)


_S2 = {
    b.name: b
    for b in (
        Band("B01", ("coastal", "coastal aerosol", "ultra blue", "aerosol"), 442.7, 60.0),
        Band("B02", ("blue",), 492.4, 10.0),
        Band("B03", ("green",), 559.8, 10.0),
        Band("B04", ("red",), 664.6, 10.0),
        Band("B05", ("rededge1", "red edge 1", "re1", "rededge071"), 704.1, 20.0),
        Band("B06", ("rededge2", "red edge 2", "re2", "rededge075"), 740.5, 20.0),
        Band("B07", ("rededge3", "red edge 3", "re3", "rededge078"), 782.8, 20.0),
        Band("B08", ("nir", "nir1", "near infrared", "nir wide"), 832.8, 10.0),
        Band(
            "B8A", ("nir08", "nir2", "narrow nir", "nir narrow", "rededge4", "red edge 4", "re4"), 864.7, 20.0
        ),
        Band("B09", ("nir09", "water vapour", "water vapor"), 945.1, 60.0),
        Band("B10", ("cirrus", "swir cirrus"), 1373.5, 60.0),
        Band("B11", ("swir1", "swir16", "swir 1"), 1613.7, 20.0),
        Band("B12", ("swir2", "swir22", "swir 2"), 2202.4, 20.0),
    )
}

_RADAR = (Band("VV", ("vv",)), Band("VH", ("vh",)))

LAND_COVER = (
    LandCoverClass(LAND_COVER_NODATA, "No data", (0, 0, 0, 0)),
    LandCoverClass(1, "Water", (0x1A, 0x5B, 0xAB, 255)),
    LandCoverClass(2, "Trees", (0x35, 0x82, 0x21, 255)),
    LandCoverClass(3, "Flooded vegetation", (0x87, 0xD1, 0x9E, 255)),
    LandCoverClass(4, "Crops", (0xFF, 0xDB, 0x5C, 255)),
    LandCoverClass(5, "Built area", (0xED, 0x02, 0x2A, 255)),
    LandCoverClass(6, "Bare ground", (0xED, 0xE9, 0xE4, 255)),
    LandCoverClass(7, "Snow/ice", (0xF2, 0xFA, 0xFF, 255)),
    LandCoverClass(8, "Clouds", (0xC8, 0xC8, 0xC8, 255)),
    LandCoverClass(9, "Rangeland", (0xC6, 0xAD, 0x8D, 255)),
)
"""ESRI's 10 m land-cover scheme: index order as in the TerraMesh chips, colours as in the legend."""

_TABLE = (
    Modality(
        "S2L2A",
        "Sentinel-2 L2A",
        tuple(b for b in _S2.values() if b.name != "B10"),
        "reflectance × 10000",
        "raw",
        "uint16",
        0.0,
        note="Surface reflectance times 10,000, without the offset of later processing baselines.",
    ),
    Modality(
        "S2L1C",
        "Sentinel-2 L1C",
        tuple(_S2.values()),
        "reflectance × 10000",
        "raw",
        "uint16",
        0.0,
        note="Top-of-atmosphere reflectance times 10,000, without the offset of later processing baselines.",
    ),
    Modality(
        "RGB",
        "Colour image (RGB)",
        (
            Band("R", ("red", "b04", "b4"), 664.6),
            Band("G", ("green", "b03", "b3"), 559.8),
            Band("B", ("blue", "b02", "b2"), 492.4),
        ),
        "",
        "raw",
        "uint8",
        note="Colours from 0 to 255.",
    ),
    Modality(
        "S1GRD",
        "Radar backscatter (S1 GRD)",
        _RADAR,
        "dB",
        "raw",
        "float32",
        -9999.0,
        note="Sigma nought in dB.",
    ),
    Modality(
        "S1RTC",
        "Radar backscatter (S1 RTC)",
        _RADAR,
        "dB",
        "raw",
        "float32",
        -9999.0,
        note="Gamma nought in dB.",
    ),
    Modality(
        "DEM",
        "Elevation (DEM)",
        (Band("DEM", ("elevation", "height", "altitude", "dsm")),),
        "m",
        "raw",
        "float32",
        -9999.0,
        note="Metres above the EGM2008 geoid, of the surface: treetops and roofs are included, as in the "
        "Copernicus DEM that the model was trained on.",
        levelled=True,
    ),
    Modality(
        "LULC",
        "Land cover",
        (Band("LULC", ("land cover", "landcover", "lulc class", "class", "classes")),),
        "class",
        "tokenized",
        "uint8",
        float(LAND_COVER_NODATA),
        LAND_COVER,
        "Classes of ESRI's 10 m land-cover scheme.",
    ),
    Modality(
        "NDVI",
        "Vegetation index (NDVI)",
        (Band("NDVI", ("vegetation index",)),),
        "",
        "tokenized",
        "float32",
        -9999.0,
        note="(NIR - red) / (NIR + red), from -1 to 1.",
    ),
    Modality(
        "COORDS",
        "Coordinates",
        (Band("lon", ("longitude", "x")), Band("lat", ("latitude", "y"))),
        "degrees",
        "text",
        note="Longitude and latitude of a tile's centre, on a grid of 0.25 degrees.",
    ),
)

MODALITIES: Mapping[str, Modality] = {m.id: m for m in _TABLE}
"""All modalities by id, in the order in which they are offered."""
