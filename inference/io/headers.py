# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading what drivers scatter over metadata: wavelengths, names, colours. Pure, for both libraries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

from ..grid import Affine

COLORS = ("gray", "palette", "red", "green", "blue", "alpha")
"""Colour interpretations that say something about a band's place among the others."""

IDENTITY = Affine(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""What libraries report for files without georeference."""


def wavelength_nm(tags: Mapping[str, str]) -> Optional[float]:
    """Central wavelength in nm from a band's metadata, or None.

    Known spellings: WAVELENGTH with WAVELENGTH_UNIT (GDAL's Sentinel-2 driver), ``wavelength`` with
    ``wavelength_units`` (ENVI), CENTRAL_WAVELENGTH_UM (GDAL's IMAGERY domain, from 3.10 on).
    """
    low = {k.lower(): v for k, v in tags.items()}
    for key, factor in (("central_wavelength_um", 1000.0), ("wavelength", 0.0), ("center_wavelength", 0.0)):
        match = re.match(r"\s*([0-9.]+(?:[eE][-+]?\d+)?)", low.get(key, ""))
        if match is None:
            continue
        value = float(match.group(1))
        unit = low.get("wavelength_unit", low.get("wavelength_units", "")).lower()
        if not factor:
            # Without a unit the magnitude tells: optical bands are 0.3-15 µm or 300-15,000 nm.
            micro = unit.startswith(("mic", "um", "µm")) or (not unit.startswith(("n", "a")) and value < 100)
            factor = 1000.0 if micro else 1.0
        return value * factor if value > 0 else None
    return None


def band_name(description: str, tags: Mapping[str, str]) -> str:
    """A band's description, else the name that its metadata holds."""
    if description.strip():
        return description.strip()
    low = {k.lower(): v for k, v in tags.items()}
    for key in ("bandname", "band_name", "name", "long_name", "standard_name"):
        if low.get(key, "").strip():
            return low[key].strip()
    return ""


def color_name(interpretation: str) -> str:
    """Colour interpretation in lower case, empty where it says nothing."""
    low = interpretation.lower()
    return low if low in COLORS else ""
