# SPDX-License-Identifier: GPL-2.0-or-later
"""Sentinel-2 scenes of any size that take next to no disk: a VRT that repeats one small raster."""

from __future__ import annotations

from pathlib import Path

from scenes import BANDS, write_scene

SIDE = 1098
"""Pixels of the raster that is repeated: ten by ten are a Sentinel-2 tile."""


def write_mosaic(folder: Path, size: int) -> Path:
    """A square scene of 12 bands, 10 m, UTM zone 32 N; every ``SIDE`` pixels it begins anew."""
    piece = write_scene(folder / "piece.tif", SIDE, SIDE)
    lines = [
        f'<VRTDataset rasterXSize="{size}" rasterYSize="{size}"><SRS>EPSG:32632</SRS>',
        "<GeoTransform>500000, 10, 0, 5100000, 0, -10</GeoTransform>",
    ]
    for number, name in enumerate(BANDS, 1):
        lines.append(
            f'<VRTRasterBand dataType="UInt16" band="{number}"><Description>{name}</Description>'
            "<NoDataValue>0</NoDataValue>"
        )
        for top in range(0, size, SIDE):
            for left in range(0, size, SIDE):
                width, height = min(SIDE, size - left), min(SIDE, size - top)
                lines.append(
                    f'<SimpleSource><SourceFilename relativeToVRT="1">{piece.name}</SourceFilename>'
                    f"<SourceBand>{number}</SourceBand>"
                    f'<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
                    f'<DstRect xOff="{left}" yOff="{top}" xSize="{width}" ySize="{height}"/></SimpleSource>'
                )
        lines.append("</VRTRasterBand>")
    path = folder / f"s2_{size}.vrt"
    path.write_text("\n".join([*lines, "</VRTDataset>"]))
    return path
