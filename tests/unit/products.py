# SPDX-License-Identifier: GPL-2.0-or-later
"""Small Sentinel-2 products in their real shape, for tests: SAFE trees, band files, STAC items."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, Optional

import numpy as np
import rasterio
import rasterio.shutil
from terrane.inference.io.scene import SceneReader
from terrane.inference.modalities import MODALITIES

CORNER = (600000.0, 5100000.0)
SIDE_M = 1200
GSD = {b.name: int(b.native_gsd) for b in MODALITIES["S2L1C"].bands}
TILE = "T32TPS_20250712T103021"


def pixels(band: str, gsd: int, offset: int = 0) -> np.ndarray:
    """(h, w) uint16: a level of its own per band, a slope from west to east, 0 in the north-east corner."""
    side = SIDE_M // gsd
    number = MODALITIES["S2L1C"].band_names.index(band)
    east = (np.arange(side) + 0.5) * gsd / SIDE_M
    image = 300 + 100 * number + 600 * east[None].repeat(side, axis=0) + offset
    corner = 240 // gsd
    image[:corner, -corner:] = 0
    return image.round().astype(np.uint16)


def write_band(path: Path, image: np.ndarray, gsd: int, driver: Optional[str] = None, **tags: str) -> Path:
    """One band as GeoTIFF, or lossless JPEG 2000 where the name ends so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_name(path.name + ".plain.tif") if path.suffix == ".jp2" else path
    profile = {
        "driver": "GTiff",
        "width": image.shape[1],
        "height": image.shape[0],
        "count": 1,
        "dtype": "uint16",
        "crs": "EPSG:32632",
        "transform": rasterio.Affine(gsd, 0, CORNER[0], 0, -gsd, CORNER[1]),
    }
    with rasterio.open(plain, "w", **profile) as out:
        out.write(image, 1)
        out.update_tags(**tags)
    if plain != path:
        rasterio.shutil.copy(plain, path, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
        plain.unlink()
    return path


def metadata(
    level: str = "2A", baseline: str = "05.11", offset: Optional[int] = -1000, quantification: int = 10000
) -> str:
    """A product's MTD file, cut down to what matters."""
    tag = "BOA" if level == "2A" else "RADIO"
    offsets = ""
    if offset is not None:
        items = "".join(f'<{tag}_ADD_OFFSET band_id="{i}">{offset}</{tag}_ADD_OFFSET>' for i in range(13))
        offsets = f"<{tag}_ADD_OFFSET_VALUES_LIST>{items}</{tag}_ADD_OFFSET_VALUES_LIST>"
    name = "BOA_QUANTIFICATION_VALUE" if level == "2A" else "QUANTIFICATION_VALUE"
    return (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f'<n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/x">'
        f"<n1:General_Info><Product_Info><PROCESSING_LEVEL>Level-{level}</PROCESSING_LEVEL>"
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info><Product_Image_Characteristics>"
        f'<{name} unit="none">{quantification}</{name}>{offsets}</Product_Image_Characteristics>'
        f"</n1:General_Info></n1:Level-{level}_User_Product>"
    )


def make_safe(folder: Path, level: str = "2A", offset: Optional[int] = -1000, suffix: str = "jp2") -> Path:
    """A .SAFE tree; L2A holds coarser copies of the fine bands, as real ones do."""
    root = folder / f"S2A_MSIL{level}_20250712T103021_N0511_R108_T32TPS_20250712T160000.SAFE"
    images = root / "GRANULE" / f"L{level}_T32TPS_A000001_20250712T103021" / "IMG_DATA"
    added = -offset if offset else 0
    for band, gsd in GSD.items():
        if level == "1C":
            write_band(images / f"{TILE}_{band}.{suffix}", pixels(band, gsd, added), gsd)
            continue
        if band == "B10":
            continue
        for size in sorted({gsd, 20, 60}):
            if size >= gsd and not (band == "B08" and size > 10):
                name = f"{TILE}_{band}_{size}m.{suffix}"
                write_band(images / f"R{size}m" / name, pixels(band, size, added), size)
    if level == "2A":
        write_band(images / "R20m" / f"{TILE}_SCL_20m.{suffix}", np.full((60, 60), 4, np.uint16), 20)
    (root / f"MTD_MSIL{level}.xml").write_text(metadata(level, offset=offset), encoding="utf-8")
    (root / "INSPIRE.xml").write_text("<x/>")
    return root


def zip_safe(root: Path) -> Path:
    """The tree as its download would be."""
    path = root.parent / (root.stem + ".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(root.parent).as_posix())
    return path


def make_stac(
    folder: Path, *, applied: Optional[bool] = None, offset: float = -0.1, new: bool = False
) -> Path:
    """A STAC item over single-band GeoTIFFs, as 1.0 (eo:bands, raster:bands) or 1.1 (bands)."""
    common = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B8A": "nir08"}
    assets: dict[str, Any] = {
        "thumbnail": {"href": "./preview.jpg", "roles": ["thumbnail"]},
        "metadata": {"href": "https://example.com/MTD.xml", "roles": ["metadata"]},
        "visual": {"href": "./TCI.tif", "roles": ["visual"], "eo:bands": [{"name": "B04"}]},
    }
    for band, gsd in GSD.items():
        if band == "B10":
            continue
        for size in {gsd, 60}:
            path = folder / f"R{size}m" / f"asset_{band.lower()}x{size}.tif"
            write_band(path, pixels(band, size, 0 if applied else 1000), size)
            wavelength = next(b.wavelength_nm for b in MODALITIES["S2L1C"].bands if b.name == band) / 1000
            spectral = {"name": band, "center_wavelength": round(wavelength, 3)}
            if band in common:
                spectral["common_name"] = common[band]
            raster = {
                "nodata": 0,
                "data_type": "uint16",
                "scale": 0.0001,
                "offset": offset,
                "spatial_resolution": size,
            }
            asset: dict[str, Any] = {"href": f"./R{size}m/{path.name}", "roles": ["data", "reflectance"]}
            if new:
                asset["bands"] = [{"name": band, "eo:center_wavelength": spectral["center_wavelength"]}]
                asset.update({"raster:scale": 0.0001, "raster:offset": offset, "nodata": 0, "gsd": size})
            else:
                asset.update({"eo:bands": [spectral], "raster:bands": [raster]})
            assets[f"{band}_{size}"] = asset
    properties: dict[str, Any] = {} if applied is None else {"earthsearch:boa_offset_applied": applied}
    item = {
        "type": "Feature",
        "id": "S2A_32TPS_20250712_0_L2A",
        "collection": "sentinel-2-l2a",
        "properties": properties,
    }
    path = folder / "item.json"
    path.write_text(json.dumps({**item, "assets": assets}), encoding="utf-8")
    return path


def read_all(scene, geo, grid=None):
    """A scene's values and validity, whole."""
    grid = grid or scene.grid
    with SceneReader(scene, grid, geo) as reader:
        return reader.read(grid.window)
