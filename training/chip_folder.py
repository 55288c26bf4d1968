# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated scenes as files in TerraMesh's layout, ``MODALITY/CHIP.tif``: what ``terrane evaluate`` reads.

Needs rasterio. Scenes that know their longitude and latitude lie there, in the UTM zone of the place, so that
coordinates can be asked of them; others lie about a fixed point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from .simulate import simulate
from .spectra import BANDS

FOLDERS: Mapping[str, tuple[str, str]] = {
    "S2L2A": ("s2l2a", "S2L2A"),
    "S2L1C": ("s2l1c", "S2L1C"),
    "RGB": ("rgb", "S2RGB"),
    "S1GRD": ("s1grd", "S1GRD"),
    "DEM": ("dem", "DEM"),
    "LULC": ("lulc", "LULC"),
    "NDVI": ("ndvi", "NDVI"),
}
"""What a scene calls a modality, and TerraMesh's folder of it."""

PIXEL = 10.0
"""Metres."""


def write_terramesh(root: Path, name: str, chip: Any) -> None:
    """Write all that a simulated scene has of ``FOLDERS`` below ``root``, arrays (h, w) or (bands, h, w)."""
    placed = _placed(getattr(chip, "coords", None), chip.lulc.shape)
    for attribute, folder in FOLDERS.values():
        array = getattr(chip, attribute, None)
        if array is not None:
            (root / folder).mkdir(parents=True, exist_ok=True)
            write_raster(root / folder / f"{name}.tif", array, placed)


def write_unseen(root: Path, seeds: Iterable[int], size: int = 224, workers: int = 2) -> list[str]:
    """Simulate the scenes of ``seeds`` (``size`` pixels a side) and write them; returns the chips' names."""
    listed = list(seeds)
    names = [f"simulated_{seed}" for seed in listed]
    work = (listed, [root] * len(listed), [size] * len(listed))
    if workers > 1 and len(listed) > 1:
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(_write_one, *work, chunksize=4))
    else:
        list(map(_write_one, *work))
    return names


def _write_one(seed: int, root: Path, size: int) -> None:
    write_terramesh(root, f"simulated_{seed}", simulate(seed, size, size))


def write_raster(path: Path, array: NDArray[Any], placed: Optional[tuple[str, Any]] = None) -> None:
    """Write (h, w) or (bands, h, w) as a GeoTIFF of its own type at 10 m; ``placed`` is its CRS and transform."""
    import rasterio

    bands = array[None] if array.ndim == 2 else array
    if bands.dtype == np.float16:
        bands = bands.astype(np.float32)
    crs, transform = placed or _placed(None, bands.shape[1:])
    count, height, width = bands.shape
    profile = {"width": width, "height": height, "count": count, "dtype": bands.dtype.name}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **profile) as file:
        file.write(bands)


def write_chip(path: Path, image: NDArray[Any]) -> None:
    """Write (12, h, w) reflectance x 10000 as a stacked GeoTIFF at 10 m, with names and without offset."""
    import rasterio

    write_raster(path, image)
    with rasterio.open(path, "r+") as file:
        file.nodata = 0
        file.descriptions = BANDS
        file.update_tags(BOA_ADD_OFFSET="0")


def _placed(coords: Any, shape: tuple[int, ...]) -> tuple[str, Any]:
    """CRS and transform of a scene whose centre lies at (longitude, latitude) degrees."""
    from rasterio.transform import from_origin
    from rasterio.warp import transform

    height, width = shape[-2:]
    if coords is None:
        return "EPSG:32632", from_origin(500000.0, 5000000.0, PIXEL, PIXEL)
    longitude, latitude = (float(value) for value in coords)
    zone = min(60, int((longitude + 180.0) // 6.0) + 1)
    crs = f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"
    (x,), (y,) = transform("EPSG:4326", crs, [longitude], [latitude])
    west, north = round(x - PIXEL * width / 2), round(y + PIXEL * height / 2)
    return crs, from_origin(west, north, PIXEL, PIXEL)
