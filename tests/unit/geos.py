# SPDX-License-Identifier: GPL-2.0-or-later
"""The Geo implementations that can be had here, for tests that must pass with each of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

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
