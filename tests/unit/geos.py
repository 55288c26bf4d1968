# SPDX-License-Identifier: GPL-2.0-or-later
"""The Geo implementations that can be had here, and rasters for tests that must pass with each of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from terrane.inference.grid import Affine, Grid
from terrane.inference.io.base import OutputSpec
from terrane.inference.modalities import LAND_COVER
from terrane.inference.types import Size, Window

CLASSES = OutputSpec(
    "uint8",
    0.0,
    ["LULC"],
    ["class"],
    {c.value: c.color for c in LAND_COVER},
    [c.name for c in LAND_COVER],
    {"TERRANE_MODEL": 'stärter <1> & "2"', "TERRANE_SEED": "0"},
)
ELEVATION = OutputSpec("float32", -9999.0, ["DEM"], ["m"], tags={"TERRANE_MODEL": "starter"})

NAMES = ("gdal", "rasterio")
PACKAGES = {"gdal": "osgeo", "rasterio": "rasterio"}


def make_geo(name: str) -> Any:
    """A Geo by name; the test is skipped by name where its library is missing."""
    if find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed")
    if name == "gdal":
        from terrane.inference.io.gdal_geo import GdalGeo

        return GdalGeo()
    from terrane.inference.io.rasterio_geo import RasterioGeo

    return RasterioGeo()


def utm(geo, width=90, height=70, gsd=10.0, c=500000.123456789, f=5100000.5):
    """A grid in UTM zone 32 with odd coordinates."""
    return Grid(geo.parse_crs("EPSG:32632"), Affine(gsd, 0.0, c, 0.0, -gsd, f), Size(width, height))


def noise(shape, seed=0):
    """Random float32 values around 500."""
    return np.random.default_rng(seed).normal(500, 200, shape).astype(np.float32)


def save(geo, path, grid, values, spec=ELEVATION, **options):
    """Write a whole raster with our own writer and return its path."""
    writer = geo.writer(str(path), grid, spec, **options)
    writer.write(Window(0, 0, *grid.size), values)
    writer.commit()
    return str(path)


def plain_tif(path, values, grid, nodata=None, **extra):
    """A GeoTIFF that is not ours, by the library that this test process has."""
    rasterio = pytest.importorskip("rasterio")
    bands, height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=bands,
        dtype=values.dtype,
        crs=grid.crs,
        transform=rasterio.Affine(*grid.transform),
        nodata=nodata,
        **extra,
    ) as out:
        out.write(values)
    return str(path)
