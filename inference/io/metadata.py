# SPDX-License-Identifier: GPL-2.0-or-later
"""What Sentinel-2 metadata say of digital numbers: quantification and offset. Pure parsing.

Reflectance is (DN + offset) / quantification. Offsets came with processing baseline 04.00
(January 2022) and are listed per band id; before, the list is absent and the offset is 0.
Source: ESA, Sentinel-2 Products Specification Document, BOA_ADD_OFFSET and RADIO_ADD_OFFSET.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional
from xml.etree import ElementTree as ET

from ..errors import SourceError
from ..modalities import MODALITIES

BAND_IDS = MODALITIES["S2L1C"].band_names
"""Band id (0-12) of the metadata to band name."""

REFLECTANCE_SCALE = 10000.0
"""TerraMind's unit is reflectance times this."""

# The second form is that of products before November 2016 (S2A_OPER_MTD_SAFL1C_PDMC_….xml).
MTD_NAME = re.compile(r"(?:^|/)(?:MTD_MSIL(?:1C|2A)|S2._\w+_MTD_SAFL(?:1C|2A)_.*)\.xml$")
INNER_FOLDER = re.compile(r"R\d\dm|IMG_DATA|GRANULE|L(?:1C|2A)_T.*|S2._(?:OPER|USER)_.*")
"""Folders of a product that lie below its metadata file."""


@dataclass(frozen=True)
class Calibration:
    """How digital numbers become reflectance × 10000: ``value = (dn + offset) * scale`` per band."""

    source: str
    """The file or item that says so."""
    level: str = ""
    """"S2L2A", "S2L1C" or empty."""
    scale: float = 1.0
    offsets: Mapping[str, float] = field(default_factory=dict)
    """Offset in DN by band name; a band that is not listed has none."""
    baseline: str = ""

    def offset(self, band: str) -> float:
        """Offset of a band in DN."""
        return self.offsets.get(band, 0.0)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def parse_mtd(text: bytes, name: str) -> Calibration:
    """Calibration from a product's MTD_MSIL2A.xml or MTD_MSIL1C.xml. Raises SourceError."""
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise SourceError(f"{name} is not a Sentinel-2 metadata file.")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a DTD there is nothing to expand
    except ET.ParseError as error:
        raise SourceError(f"{name} is damaged: {error}.") from error
    level, baseline, quantification = "", "", REFLECTANCE_SCALE
    offsets: dict[str, float] = {}
    for element in root.iter():
        tag, value = _local(element.tag), (element.text or "").strip()
        if tag == "PROCESSING_LEVEL":
            level = "S2L2A" if "2A" in value else "S2L1C" if "1C" in value else ""
        elif tag == "PROCESSING_BASELINE":
            baseline = value
        elif tag in ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE"):
            quantification = _number(value, name)
        elif tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
            band = element.get("band_id", "")
            if not band.isdigit() or int(band) >= len(BAND_IDS):
                raise SourceError(f"{name} lists an offset for an unknown band {band!r}.")
            offsets[BAND_IDS[int(band)]] = _number(value, name)
    if not level and not offsets and not baseline:
        raise SourceError(f"{name} is not a Sentinel-2 metadata file.")
    return Calibration(name, level, REFLECTANCE_SCALE / quantification, offsets, baseline)


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise SourceError(f"{name} is damaged: {text!r} is not a number.") from error
    return value


def find_mtd(path: str) -> Optional[str]:
    """The metadata file of the product that a band file belongs to: beside it, or up its SAFE tree."""
    folder = os.path.dirname(os.path.abspath(path))
    while True:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return None
        for name in names:
            if MTD_NAME.search(name):
                return os.path.join(folder, name)
        if not INNER_FOLDER.fullmatch(os.path.basename(folder)):
            return None
        folder = os.path.dirname(folder)


@dataclass(frozen=True)
class StacBand:
    """One band of a local asset of a STAC item. Offset in DN; None where the item does not say."""

    name: str
    path: str
    index: int
    gsd: float
    wavelength_nm: Optional[float]
    scale: float
    offset: Optional[float]
    nodata: Optional[float]


def parse_stac(path: str) -> tuple[dict[str, Any], list[StacBand]]:
    """A STAC item and its bands, whether their files exist or not. Raises SourceError.

    Reads STAC 1.0 (``eo:bands``, ``raster:bands``) and 1.1 (``bands``).
    """
    try:
        with open(path, encoding="utf-8") as stream:
            item = json.load(stream)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} is not a STAC item that can be read: {error}.") from error
    if not isinstance(item, dict) or not isinstance(item.get("assets"), dict):
        raise SourceError(f"{path} is not a STAC item: it has no assets.")
    folder = os.path.dirname(os.path.abspath(path))
    bands: list[StacBand] = []
    for key, asset in item["assets"].items():
        roles = set(asset.get("roles") or ()) if isinstance(asset, dict) else {"thumbnail"}
        if not roles & {"visual", "overview", "thumbnail"}:
            try:
                bands.extend(_stac_asset(key, asset, item, folder))
            except (AttributeError, TypeError, ValueError) as error:
                raise SourceError(
                    f"{path} is damaged: its asset {key!r} makes no sense ({error})."
                ) from error
    return item, bands


def _stac_asset(key: str, asset: dict[str, Any], item: dict[str, Any], folder: str) -> list[StacBand]:
    href = str(asset.get("href", "")).removeprefix("file://")
    if not href or "://" in href:
        return []
    full = href if os.path.isabs(href) else os.path.normpath(os.path.join(folder, href))
    bands = asset.get("eo:bands") or asset.get("bands") or []
    if (
        not bands
        and "data" in (asset.get("roles") or ())
        and re.search(r"\.(jp2|tiff?)$", href, re.IGNORECASE)
    ):
        bands = [{}]  # radar items name the polarisation by the asset's key alone
    raster = asset.get("raster:bands") or asset.get("bands") or []
    applied = bool(item.get("properties", {}).get("earthsearch:boa_offset_applied"))
    return [
        _stac_band(
            {**asset, **(raster[place] if place < len(raster) else {}), **band},
            key if len(bands) == 1 else "",
            full,
            place + 1,
            applied,
        )
        for place, band in enumerate(bands)
    ]


def _stac_band(facts: dict[str, Any], key: str, path: str, index: int, applied: bool) -> StacBand:
    """One band from all that its item says of it, the more special word winning."""
    wavelength = facts.get("center_wavelength") or facts.get("eo:center_wavelength")
    scale = facts.get("scale", facts.get("raster:scale"))
    offset = facts.get("offset", facts.get("raster:offset"))
    dn_offset: Optional[float] = None
    if applied:
        # This flag wins: Earth Search kept −0.1 in raster:bands of files that it has already shifted.
        dn_offset = 0.0
    elif offset is not None and scale:
        dn_offset = round(float(offset) / float(scale), 6)
    return StacBand(
        str(facts.get("name") or key or facts.get("eo:common_name") or facts.get("common_name") or ""),
        path,
        index,
        float(facts.get("spatial_resolution") or facts.get("gsd") or 0.0),
        float(wavelength) * 1000 if wavelength else None,
        float(scale) * REFLECTANCE_SCALE if scale else 1.0,
        dn_offset,
        facts.get("nodata"),
    )
