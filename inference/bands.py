# SPDX-License-Identifier: GPL-2.0-or-later
"""Which band of a raster is which band of a modality: by name, by wavelength, else by count and order."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Protocol

from .errors import BandError
from .modalities import MODALITIES, Band, Modality

WAVELENGTH_TOLERANCE_NM = 15.0
"""Products round central wavelengths to 10 nm (STAC), and Sentinel-2B's differ from 2A's by up to 17 nm
(B12), while B08 and B8A are 32 nm apart: the nearest band within this distance is meant."""


class BandLike(Protocol):
    """The part of ``io.base.BandInfo`` that matching needs."""

    @property
    def index(self) -> int: ...
    @property
    def dtype(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def wavelength_nm(self) -> Optional[float]: ...
    @property
    def color(self) -> str: ...


@dataclass(frozen=True)
class BandMatch:
    """Where each band of a modality lies: ``places`` index the sequence of infos, in modality order."""

    modality: str
    places: tuple[int, ...]
    how: str
    """"description", "wavelength", "colour" or "order"; the weakest one that was needed."""
    note: str = ""


_CODE = re.compile(r"(?<![a-z0-9])b(?:and|d)?[ _.-]?0?(\d{1,2}a?)(?![a-z0-9])", re.IGNORECASE)
_GENERIC = re.compile(r"\s*(?:band|b|layer|channel)?[ _.#-]*0*(\d+)\s*$", re.IGNORECASE)


def _words(text: str) -> str:
    """Lower-case words, with single blanks around each: " red edge 1 "."""
    return " " + " ".join(re.findall(r"[a-z0-9]+", text.lower())) + " "


def _codes(text: str) -> set[str]:
    return {"B" + m.group(1).upper().rjust(2, "0") for m in _CODE.finditer(text)}


def band_code(text: str) -> Optional[str]:
    """The Sentinel-2 band that a text names by code ("B02", "b2", "Band 8A", "…_B8A_20m"), or None."""
    codes = _codes(text)
    return codes.pop() if len(codes) == 1 else None


def named_band(modality: Modality, text: str) -> Optional[str]:
    """The band of a modality that a description means, or None. Codes count more than words."""
    if not text.strip():
        return None
    names = set(modality.band_names)
    words = _words(text)
    codes = _codes(text)
    code = codes.pop() if len(codes) == 1 else None
    if codes:
        return None
    if code in names:
        return code
    for band in modality.bands:
        if f" {band.name.lower()} " in words:
            return band.name
    if code is not None and modality.id.startswith("S2"):
        return None
    # The longest alias wins: "narrow nir" is not "nir", "red edge 1" is not "red".
    hits = [(len(a), b.name) for b in modality.bands for a in b.aliases if f" {a} " in words]
    if not hits or ("red edge" in words and max(hits)[0] <= len("red")):
        return None
    best = max(hits)[0]
    found = {name for length, name in hits if length == best}
    return found.pop() if len(found) == 1 else None


def is_numbering(text: str) -> bool:
    """Whether a description says no more than "Band 1"."""
    return re.fullmatch(r"\s*(?:band|layer|channel)?[ _.#-]*\d+\s*", text, re.IGNORECASE) is not None


def _generic(infos: Sequence[BandLike]) -> bool:
    """Whether descriptions only number the bands, as QGIS's and GDAL's "Band 1", "Band 2", … do."""
    if len(infos) < 2:
        return all(is_numbering(i.description) for i in infos)
    numbers = [_GENERIC.match(i.description) for i in infos]
    return all(n is not None and int(n.group(1)) == i.index for n, i in zip(numbers, infos))


def _by_wavelength(modality: Modality, info: BandLike) -> Optional[str]:
    if info.wavelength_nm is None:
        return None
    near = [(abs(b.wavelength_nm - info.wavelength_nm), b.name) for b in modality.bands if b.wavelength_nm]
    distance, name = min(near, default=(float("inf"), ""))
    return name if distance <= WAVELENGTH_TOLERANCE_NM else None


def find_bands(modality: Modality, infos: Sequence[BandLike]) -> tuple[dict[str, int], str]:
    """Bands that names or wavelengths identify: band name to place, and the weakest way needed.

    Raises BandError where two bands claim the same name.
    """
    found: dict[str, int] = {}
    how = ""
    usable = [(p, i) for p, i in enumerate(infos) if i.color != "alpha"]
    if not _generic([i for _, i in usable]):
        for place, info in usable:
            name = named_band(modality, info.description)
            if name is None:
                continue
            if name in found:
                first = infos[found[name]].description
                raise BandError(
                    f"Two bands look like {name} ({first!r} and {info.description!r}); choose one of them."
                )
            found[name] = place
            how = "description"
    for place, info in usable:
        name = _by_wavelength(modality, info)
        if name is not None and name not in found and place not in found.values():
            found[name] = place
            how = "wavelength"
    return found, how


def _by_order(modality: Modality, infos: Sequence[BandLike]) -> Optional[BandMatch]:
    places = [p for p, i in enumerate(infos) if i.color != "alpha"]
    count = len(modality.bands)
    if modality.id == "RGB":
        colors = {infos[p].color: p for p in places}
        if {"red", "green", "blue"} <= set(colors):
            return BandMatch("RGB", (colors["red"], colors["green"], colors["blue"]), "colour")
    if len(places) == count:
        return BandMatch(modality.id, tuple(places), "order", "bands taken in the model's order")
    if modality.id == "S2L2A" and len(places) == count + 1:
        cirrus = MODALITIES["S2L1C"].band_names.index("B10")
        del places[cirrus]
        return BandMatch(modality.id, tuple(places), "order", "13 bands taken in L1C order, B10 left out")
    return None


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def match_bands(modality: str | Modality, infos: Sequence[BandLike]) -> BandMatch:
    """Find every band of a modality among a raster's. Raises BandError naming what is missing."""
    wanted = modality if isinstance(modality, Modality) else modality_by_id(modality)
    found, how = find_bands(wanted, infos)
    missing = [b.name for b in wanted.bands if b.name not in found]
    if not missing:
        return BandMatch(wanted.id, tuple(found[n] for n in wanted.band_names), how)
    # One or two chance hits among nameless bands ("class", "x") do not outweigh a fitting count.
    if len(found) < max(1, len(wanted.bands) / 4):
        match = _by_order(wanted, infos)
        if match is not None:
            return match
    count = sum(i.color != "alpha" for i in infos)
    have = f"; the input has {_bands(count)}"
    names = [i.description for i in infos if i.description]
    if names and not _generic(infos):
        have += " (" + ", ".join(names[:14]) + (", …" if len(names) > 14 else "") + ")"
    if found:
        text = f"{wanted.label} needs {_list(missing)}, which cannot be found{have}."
    else:
        text = f"{wanted.label} needs {_bands(len(wanted.bands))} ({', '.join(wanted.band_names)}){have}."
    raise BandError(text + " Say which band is which.")


def _bands(count: int) -> str:
    return f"{count} band{'s' if count != 1 else ''}"


def modality_by_id(text: str) -> Modality:
    """A modality by id, whatever the case. Raises BandError listing the ids."""
    found = MODALITIES.get(text.upper())
    if found is None:
        raise BandError(f"There is no modality {text!r}; there are {', '.join(MODALITIES)}.")
    return found


_PATH_HINTS = (
    ("S2L1C", ("s2l1c", "msil1c", "l1c")),
    ("S2L2A", ("s2l2a", "msil2a", "l2a")),
    ("S1RTC", ("s1rtc", "rtc", "gamma0")),
    ("S1GRD", ("s1grd", "grd", "grdh", "sigma0")),
    ("RGB", ("s2rgb", "rgb", "tci")),
    ("NDVI", ("ndvi",)),
    ("LULC", ("lulc", "landcover")),
    ("DEM", ("dem", "dsm", "elevation")),
)


def path_hint(path: str) -> Optional[str]:
    """The modality that a file's name, else its folder's, speaks of."""
    base, folder = os.path.basename(path), os.path.basename(os.path.dirname(path))
    for part in (os.path.splitext(base)[0], folder):
        words = _words(part.replace("_", " "))
        for modality, hints in _PATH_HINTS:
            if any(f" {h} " in words for h in hints):
                return modality
    return None


def _fits(modality: str, infos: Sequence[BandLike]) -> bool:
    try:
        match_bands(modality, infos)
    except BandError:
        return False
    return True


def _named(modality: str, infos: Sequence[BandLike]) -> bool:
    try:
        found, _ = find_bands(MODALITIES[modality], infos)
    except BandError:
        return False
    return len(found) == len(MODALITIES[modality].bands)


def recognise(infos: Sequence[BandLike], path: str = "") -> Optional[str]:
    """The modality of a raster from its header and name alone, or None where it stays open.

    Names and wavelengths decide first (B10 present means L1C), then the file's name, then the count.
    """
    hint = path_hint(path)
    if _named("S2L1C", infos):
        return "S2L2A" if hint == "S2L2A" else "S2L1C"
    if _named("S2L2A", infos):
        return "S2L2A"
    if _named("S1GRD", infos):
        return "S1RTC" if hint == "S1RTC" else "S1GRD"
    if hint is not None and _fits(hint, infos):
        return hint
    for modality in ("DEM", "NDVI", "LULC"):
        if len(infos) == 1 and _named(modality, infos):
            return modality
    return _by_count(infos)


def _by_count(infos: Sequence[BandLike]) -> Optional[str]:
    usable = [i for i in infos if i.color != "alpha"]
    wide = all(i.dtype != "uint8" for i in usable)
    if wide and len(usable) in (12, 13):
        # Names that speak of something else are a different sensor.
        names = [i.description for i in usable if i.description]
        if names and not _generic(usable) and len(set(names)) == len(usable):
            return None
        return "S2L2A" if len(usable) == 12 else "S2L1C"
    if not wide and len(usable) == 3 and {"red", "green", "blue"} <= {i.color for i in usable}:
        return "RGB"
    return None


__all__ = [
    "Band",
    "BandMatch",
    "band_code",
    "find_bands",
    "match_bands",
    "modality_by_id",
    "named_band",
    "path_hint",
    "recognise",
]
