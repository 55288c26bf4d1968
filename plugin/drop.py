# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be dropped on the dock."""

from __future__ import annotations

import os
from typing import Any

_RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img")
_PRODUCTS = (".zip", ".json")


def paths(mime: Any) -> list[str]:
    """Local files of a drag that Terrane can read: .SAFE folders, zips, STAC items, rasters."""
    found = [url.toLocalFile() for url in mime.urls() if url.isLocalFile()] if mime.hasUrls() else []
    return [path for path in found if _fits(path)]


def _fits(path: str) -> bool:
    return os.path.isdir(path) or path.lower().endswith(_RASTERS + _PRODUCTS)
