# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's picture where there is no QGIS: input, shaded elevation and land cover side by side.

Runs in the demo's environment (numpy and rasterio)::

    python tools/demo_picture.py SCENE DEM LULC PREVIEW
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import numpy.typing as npt
import rasterio

RGB = npt.NDArray[np.uint8]
GAP = 16
PAPER = 255
LAND = ((46, 89, 59), (97, 127, 70), (176, 159, 90), (235, 195, 157), (253, 245, 237))
"""The land ramp of resources/styles/DEM.qml, every other step."""


def main(arguments: list[str]) -> int:
    """Draw the three panels and write the PNG."""
    scene, dem, lulc, preview = arguments
    panels = [true_colour(scene), elevation(dem), land_cover(lulc)]
    height = max(panel.shape[0] for panel in panels)
    image = np.full((height + 2 * GAP, sum(p.shape[1] + GAP for p in panels) + GAP, 3), PAPER, np.uint8)
    left = GAP
    for panel in panels:
        image[GAP : GAP + panel.shape[0], left : left + panel.shape[1]] = panel
        left += panel.shape[1] + GAP
    image = image[::2, ::2]
    profile = {
        "driver": "PNG",
        "width": image.shape[1],
        "height": image.shape[0],
        "count": 3,
        "dtype": "uint8",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(preview, "w", **profile) as target:
            target.write(image.transpose(2, 0, 1))
    return 0


def true_colour(path: str) -> RGB:
    """Red, green, blue with one stretch for all three, from the lowest 2nd to the highest 98th percentile."""
    with rasterio.open(path) as source:
        bands = {name: i for i, name in enumerate(source.descriptions, 1) if name}
        wanted = [bands.get(name, spare) for name, spare in (("B04", 4), ("B03", 3), ("B02", 2))]
        values = source.read(wanted).astype(np.float32)
        valid = source.dataset_mask() > 0
    low, high = (
        np.percentile(values[:, valid], 2, axis=1).min(),
        np.percentile(values[:, valid], 98, axis=1).max(),
    )
    stretched = np.clip((values - low) / np.maximum(high - low, 1), 0, 1) * 255
    return np.where(valid, stretched, PAPER).astype(np.uint8).transpose(1, 2, 0)


def elevation(path: str) -> RGB:
    """The land ramp over the range that occurs, lit from the north-west."""
    with rasterio.open(path) as source:
        values = source.read(1).astype(np.float32)
        valid = source.dataset_mask() > 0
        pixel = source.transform.a
    filled = np.where(valid, values, values[valid].mean())
    share = (filled - values[valid].min()) / max(float(np.ptp(values[valid])), 1e-6)
    steps = np.linspace(0, 1, len(LAND))
    ramp = np.stack([np.interp(share, steps, channel) for channel in zip(*LAND)], axis=-1)
    south, east = np.gradient(filled * 2 / pixel)
    light = (1 + (east + south) * 0.7071) / np.sqrt(1 + east**2 + south**2)
    shaded = np.clip(ramp * np.clip(0.55 + 0.45 * light, 0, 1.2)[..., None], 0, 255)
    return np.where(valid[..., None], shaded, PAPER).astype(np.uint8)


def land_cover(path: str) -> RGB:
    """The colours of the raster's own colour table."""
    with rasterio.open(path) as source:
        classes = source.read(1)
        table = np.full((256, 3), PAPER, np.uint8)
        for value, colour in source.colormap(1).items():
            if value != source.nodata:
                table[value] = colour[:3]
        coloured: RGB = table[classes]
    return coloured


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
