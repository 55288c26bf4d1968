# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of classes from where GDAL keeps a GeoTIFF's: the .aux.xml beside it, which rasterio does not tell."""

from __future__ import annotations

import os
from xml.etree import ElementTree as ET

MOST_BYTES = 4 * 2**20
"""A larger file is none of names."""


def category_names(path: str, band: int = 1) -> tuple[str, ...]:
    """Names by value of a file's band; empty where there are none, or the file beside it is damaged."""
    beside = path + ".aux.xml"
    try:
        if os.path.getsize(beside) > MOST_BYTES:
            return ()
        with open(beside, encoding="utf-8") as file:
            text = file.read()
        if "<!DOCTYPE" in text:
            return ()  # GDAL writes none; entities could make a small file a large one
        root = ET.fromstring(text)  # noqa: S314 - no document type, so no entities
    except (OSError, ValueError, ET.ParseError):
        return ()
    for found in root.iter("PAMRasterBand"):
        if found.get("band", "1") == str(band):
            return tuple(entry.text or "" for entry in found.findall("CategoryNames/Category"))
    return ()
