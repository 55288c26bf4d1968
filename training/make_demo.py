# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo scene: ``python -m training.make_demo`` writes ``resources/demo/s2_demo.tif``.

1,000 x 800 pixels of simulated Sentinel-2 L2A with a lake, rivers, woods, fields, towns and hills, and a
corner without data, as at the edge of an orbit. Needs rasterio. The truth is not shipped:
``demo_chip()`` makes it again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .places import Place, sun_at
from .simulate import DEMO_SEED, VERSION, Chip, simulate
from .spectra import BANDS

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "resources" / "demo" / "s2_demo.tif"

SEED = DEMO_SEED + 5
HEIGHT, WIDTH = 800, 1000

#: Upper left corner in UTM zone 32N (north of the Alps), metres, on the 10 m grid of Sentinel-2 products.
CRS, LEFT, TOP = "EPSG:32632", 560000.0, 5280000.0

#: Reflectance is rounded to this step, below the simulated noise, so that the file compresses to a few MB.
STEP = 20

DAY = 165
SUN = sun_at(47.6, DAY)

PLACE = Place(
    longitude=9.8,
    latitude=47.6,
    day=DAY,
    sun_elevation=SUN[0],
    sun_azimuth=SUN[1],
    aridity=0.25,
    warmth=19.0,
    season=0.85,
    people=0.6,
    relief_m=260.0,
    base_m=560.0,
    roughness=0.5,
    coast=0.0,
    lake=0.09,
    river_m=70.0,
    trees=0.36,
    crops=0.42,
    built=0.07,
    bare=0.02,
    flooded=0.03,
    snow_line=4000.0,
    clouds=0.006,
    cirrus=0.0,
    wind=3.0,
)


def demo_chip() -> Chip:
    """Return the demo scene with its truth, without the corner that holds no data."""
    return simulate(SEED, HEIGHT, WIDTH, PLACE)


def wedge(height: int, width: int) -> NDArray[np.bool_]:
    """Return where the scene has data, (h, w): all but a slanting wedge at the upper left."""
    y, x = np.mgrid[0:height, 0:width]
    inside: NDArray[np.bool_] = x + 0.3 * y >= 0.14 * width
    return inside


def write_demo(path: Path) -> None:
    """Write the scene as one stacked GeoTIFF: uint16, 12 named bands, nodata 0, no offset."""
    import rasterio
    from rasterio.transform import from_origin

    chip = demo_chip()
    values = np.maximum(np.rint(chip.s2l2a / STEP) * STEP, STEP).astype(np.uint16)
    values[:, ~wedge(HEIGHT, WIDTH)] = 0
    profile = {
        "driver": "GTiff",
        "width": WIDTH,
        "height": HEIGHT,
        "count": len(BANDS),
        "dtype": "uint16",
        "crs": CRS,
        "transform": from_origin(LEFT, TOP, 10.0, 10.0),
        "nodata": 0,
        "compress": "deflate",
        "zlevel": 9,
        "predictor": 2,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "interleave": "band",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.tif")
    with rasterio.open(part, "w", **profile) as file:
        file.write(values)
        file.descriptions = BANDS
        file.update_tags(
            PRODUCT="Sentinel-2 L2A, simulated",
            PROCESSING_LEVEL="Level-2A",
            BOA_ADD_OFFSET="0",
            BOA_QUANTIFICATION_VALUE="10000",
            TERRANE_SIMULATED=f"simulator version {VERSION}, seed {SEED}; not a real place",
        )
    part.replace(path)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write the scene."""
    parser = argparse.ArgumentParser(prog="python -m training.make_demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=PATH)
    chosen = parser.parse_args(arguments)
    write_demo(chosen.out)
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
