# SPDX-License-Identifier: GPL-2.0-or-later
"""Rasters in and out: readers, writers, CRSs, and scenes made of them."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from ..errors import RuntimeMissing
from .base import Geo


def default_geo() -> Geo:
    """The Geo for this process: osgeo inside QGIS (its own GDAL), else rasterio, else osgeo.

    A second GDAL must never enter the QGIS process. Raises RuntimeMissing when there is neither.
    """
    if "qgis.core" not in sys.modules and find_spec("rasterio") is not None:
        from .rasterio_geo import RasterioGeo

        return RasterioGeo()
    if find_spec("osgeo") is not None:
        from .gdal_geo import GdalGeo

        return GdalGeo()
    raise RuntimeMissing(
        "Neither rasterio nor GDAL's Python bindings are installed; run: pip install rasterio"
    )
