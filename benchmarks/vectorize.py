# SPDX-License-Identifier: GPL-2.0-or-later
"""How long ``terrane vectorize`` takes beside GDAL's polygonizer alone on the same class raster.

    python benchmarks/vectorize.py [--side 10980] [--grain 40]

Makes a class map of patches of about ``--grain`` pixels with ragged edges, polygonizes it once into a
GeoPackage by gdal.Polygonize (4-connected) and once by Terrane, attributes included, each in a process of
its own, and prints seconds, peak memory and the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np


def make(path: str, side: int, grain: int) -> None:
    """Write a class map (uint8, 10 m, UTM 32): sums of waves with noise, cut into seven classes."""
    from osgeo import gdal, osr

    rng = np.random.default_rng(0)
    waves = [(rng.uniform(0.5, 2) / grain, rng.uniform(0, 2 * np.pi), rng.uniform(0, 7)) for _ in range(6)]
    data = gdal.GetDriverByName("GTiff").Create(
        path, side, side, 1, gdal.GDT_Byte, ["TILED=YES", "COMPRESS=DEFLATE"]
    )
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32632)
    data.SetProjection(crs.ExportToWkt())
    data.SetGeoTransform((499980.0, 10, 0, 5100000.0, 0, -10))
    data.GetRasterBand(1).SetNoDataValue(0)
    x = np.arange(side, dtype=np.float32)
    for top in range(0, side, 512):
        y = np.arange(top, min(top + 512, side), dtype=np.float32)[:, None]
        surface = sum(np.sin(f * (x * np.cos(a) + y * np.sin(a)) + s) for f, a, s in waves) + rng.normal(
            0, 0.04, (len(y), side)
        )
        classes = np.clip((surface + 3.5).astype(np.int64), 0, 6) + 1
        rows = classes.astype(np.uint8)
        data.GetRasterBand(1).WriteRaster(0, top, side, len(y), rows.tobytes())
    del data


def by_gdal(path: str, out: str) -> int:
    """Polygonize with GDAL alone; how many polygons."""
    from osgeo import gdal, ogr

    source = gdal.Open(path)
    made = ogr.GetDriverByName("GPKG").CreateDataSource(out)
    layer = made.CreateLayer("classes", source.GetSpatialRef(), ogr.wkbPolygon)
    layer.CreateField(ogr.FieldDefn("class", ogr.OFTInteger))
    band = source.GetRasterBand(1)
    layer.StartTransaction()
    gdal.Polygonize(band, band.GetMaskBand(), layer, 0)
    layer.CommitTransaction()
    return int(layer.GetFeatureCount())


def by_terrane(path: str, out: str) -> int:
    """Polygonize with Terrane; how many polygons."""
    from terrane.inference import VectorizeRequest, vectorize

    return vectorize(VectorizeRequest(path, out)).polygons


def measure(which: str, path: str, out: str) -> dict[str, float]:
    """Run one of the two in a process of its own."""
    command = [sys.executable, os.path.abspath(__file__), "--only", which, "--files", path, out]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=10980)
    parser.add_argument("--grain", type=int, default=40)
    parser.add_argument("--only", choices=("gdal", "terrane"), help=argparse.SUPPRESS)
    parser.add_argument("--files", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        started = time.perf_counter()
        count = {"gdal": by_gdal, "terrane": by_terrane}[arguments.only](*arguments.files)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "polygons": count, "peak_mb": peak}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "classes.tif")
        make(path, arguments.side, arguments.grain)
        found = {
            which: measure(which, path, os.path.join(folder, f"{which}.gpkg"))
            for which in ("gdal", "terrane")
        }
    for which, row in found.items():
        print(f"{which:8} {row['seconds']:8.2f} s  {row['peak_mb']:7.0f} MB  {row['polygons']:9.0f} polygons")
    print(f"ratio    {found['terrane']['seconds'] / found['gdal']['seconds']:8.2f}")


if __name__ == "__main__":
    main()
