# SPDX-License-Identifier: GPL-2.0-or-later
"""Small Sentinel-2 scenes for tests, written with rasterio."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
import rasterio
from rasterio.transform import Affine as RasterioAffine

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
UTM32 = "EPSG:32632"
CORNER = (500000.0, 5100000.0)


def ramp_image(height: int, width: int) -> np.ndarray:
    """(12, h, w) float32 reflectance × 10000 from 1000 to 3000, smooth, each band a little brighter."""
    y, x = np.mgrid[0:height, 0:width]
    surface = 1000 + 1900 * (0.5 + 0.25 * np.sin(x / 17.0) + 0.25 * np.cos(y / 23.0))
    return (surface[None] + 10 * np.arange(12)[:, None, None]).astype(np.float32)


def write_scene(
    path: Path,
    image: np.ndarray,
    *,
    crs: Optional[str] = UTM32,
    gsd: float = 10.0,
    corner: tuple[float, float] = CORNER,
    nodata: Optional[float] = 0,
    names: Optional[tuple[str, ...]] = BANDS,
    dtype: str = "uint16",
) -> str:
    """Write (bands, h, w) as a tiled GeoTIFF and return its path."""
    bands, height, width = image.shape
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": bands,
        "dtype": dtype,
        "nodata": nodata,
        "compress": "deflate",
    }
    if crs is not None:
        profile["crs"] = crs
        profile["transform"] = RasterioAffine(gsd, 0, corner[0], 0, -gsd, corner[1])
    with rasterio.open(path, "w", **profile) as out:
        out.write(image.astype(dtype))
        for index, name in enumerate(names or (), 1):
            out.set_band_description(index, name)
    return str(path)


def read(path: str | Path) -> np.ndarray:
    """All bands (bands, h, w) as they are in the file."""
    with rasterio.open(path) as file:
        return file.read()


def files_in(folder: Path) -> list[str]:
    """Every file and folder below a folder, hidden ones included."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))
