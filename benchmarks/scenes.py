# SPDX-License-Identifier: GPL-2.0-or-later
"""Sentinel-2 scenes of any size for the benchmarks: smooth hills with noise, written row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


def rows(top: int, height: int, width: int) -> np.ndarray:
    """(12, height, width) uint16 reflectance × 10000, the same for the same place."""
    y, x = np.mgrid[top : top + height, 0:width].astype(np.float32)
    surface = 1600 + 700 * np.sin(x / 61) * np.cos(y / 83) + 250 * np.sin((x + 2 * y) / 11)
    bands = np.linspace(0.7, 1.5, len(BANDS), dtype=np.float32)[:, None, None]
    noise = np.random.default_rng(top).normal(0, 60, (len(BANDS), height, width)).astype(np.float32)
    return np.clip(surface * bands + noise, 1, 10000).astype(np.uint16)


def write_scene(path: Path, width: int, height: int, step: int = 128) -> Path:
    """An uncompressed tiled GeoTIFF of 10 m pixels in UTM zone 32 N."""
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": len(BANDS),
        "dtype": "uint16",
        "nodata": 0,
        "crs": "EPSG:32632",
        "transform": Affine(10, 0, 500000, 0, -10, 5100000),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
    with rasterio.open(path, "w", **profile) as out:
        for index, name in enumerate(BANDS, 1):
            out.set_band_description(index, name)
        for top in range(0, height, step):
            count = min(step, height - top)
            out.write(rows(top, count, width), window=Window(0, top, width, count))
    return path
