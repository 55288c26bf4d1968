# SPDX-License-Identifier: GPL-2.0-or-later
"""From what a user points at (raster, files, product, item) to a list of bands and what is known of them."""

from __future__ import annotations

import glob
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Callable, Optional, Union

from ..bands import band_code, is_numbering, recognise
from ..errors import SourceError
from ..grid import Grid
from .base import BandInfo, BandRef, Geo, RasterInfo
from .core import is_plain_path, short_name
from .metadata import MTD_NAME, Calibration, StacBand, find_mtd, parse_mtd, parse_stac

SourceLike = Union[str, Sequence[str], Sequence[BandRef]]

IMAGE = re.compile(r"\.(jp2|tiff?|vrt|img)$", re.IGNORECASE)
SAFE_IMAGE = re.compile(r"(?:^|/)GRANULE/([^/]+)/IMG_DATA/.*_(B\d[\dA])(?:_(\d\d)m)?\.(?:jp2|tiff?)$")
S2_NODATA = 0.0
"""Special value of Sentinel-2 products: no data (Products Specification Document)."""


@dataclass(frozen=True)
class Candidate:
    """One band that an input offers. ``info.description`` falls back to the file's name."""

    info: BandInfo
    ref: BandRef
    grid: Optional[Grid]
    offset: Optional[float] = None
    """Offset in DN where metadata know it."""
    scale: Optional[float] = None
    """DN to reflectance × 10000 (or the modality's unit) where metadata know it."""


@dataclass(frozen=True)
class Source:
    """An input as found, headers only."""

    candidates: tuple[Candidate, ...]
    name: str
    text: str
    """What the user pointed at, for messages and provenance."""
    modality: Optional[str] = None
    note: str = ""
    """Where the calibration comes from."""
    nodata: Optional[float] = None
    warnings: tuple[str, ...] = ()


def gather(source: SourceLike, geo: Geo) -> Source:
    """Find the bands of an input. Raises SourceError with one sentence."""
    if isinstance(source, str):
        return _from_path(source, geo)
    items: list[Union[str, BandRef]] = list(source)
    if not items:
        raise SourceError("No input was given.")
    if len(items) == 1 and isinstance(items[0], str):
        return _from_path(items[0], geo)
    return _from_refs([ref for item in items for ref in _refs(item, geo)], geo)


def _refs(item: Union[str, BandRef], geo: Geo) -> list[BandRef]:
    if isinstance(item, BandRef):
        return [item]
    return [BandRef(item, band.index) for band in geo.describe(item).bands]


def _from_path(path: str, geo: Geo) -> Source:
    plain = is_plain_path(path)
    if plain and path.lower().endswith(".zip") and os.path.isfile(path):
        return _from_zip(path, geo)
    if plain and os.path.isdir(path):
        return _from_folder(path, geo)
    if plain and MTD_NAME.search(path.replace("\\", "/")) and os.path.isfile(path):
        return _from_folder(os.path.dirname(os.path.abspath(path)), geo)
    if plain and path.lower().endswith(".json") and os.path.isfile(path):
        return _from_stac(path, geo)
    info = geo.describe(path)
    if not info.bands and info.subdatasets:
        raise SourceError(
            f"{short_name(path)} holds several rasters; open one of them, for example {info.subdatasets[0]}."
        )
    return _from_refs([BandRef(path, b.index) for b in info.bands], geo)


def _place(info: RasterInfo) -> Grid:
    """The grid of a described raster, or the sentence that says why it has none."""
    if info.grid is None:
        raise SourceError(f"{short_name(info.path)} {info.problem or 'has no place on a map.'}")
    return info.grid


def _common_name(paths: Sequence[str]) -> str:
    """The part of file names that the bands of one scene share, for naming outputs."""
    stems = [os.path.splitext(short_name(p))[0] for p in paths]
    if len(set(stems)) == 1:
        return stems[0]
    cut = [re.sub(r"[_.-]?B\d[\dA]?(?:[_-]\d\dm)?$", "", s, flags=re.IGNORECASE) for s in stems]
    shared = cut[0]
    while shared and any(not re.match(re.escape(shared) + r"(?![a-z0-9])", s, re.IGNORECASE) for s in cut):
        shared = shared[:-1]  # whole words only: "…_vv" and "…_vh" share no "v"
    shared = shared.rstrip("_-. ")
    if shared:
        return shared
    folder = os.path.basename(os.path.dirname(os.path.abspath(paths[0]))) if is_plain_path(paths[0]) else ""
    return folder or "scene"


def _from_refs(refs: Sequence[BandRef], geo: Geo) -> Source:
    infos = {path: geo.describe(path) for path in dict.fromkeys(r.path for r in refs)}
    grids = {path: _place(info) for path, info in infos.items()}
    candidates = []
    for ref in refs:
        bands = infos[ref.path].bands
        if not 1 <= ref.index <= len(bands):
            raise SourceError(f"{short_name(ref.path)} has no band {ref.index}; it has {len(bands)}.")
        info = bands[ref.index - 1]
        stem = os.path.splitext(short_name(ref.path))[0]
        nameless = not info.description or is_numbering(info.description)
        if len(bands) == 1 and len(infos) > 1 and (band_code(stem) or nameless):
            info = replace(info, description=stem)
        candidates.append(Candidate(info, ref, grids[ref.path]))
    if len(infos) > 1:
        candidates = _without_coarser(candidates)
    paths = list(infos)
    source = Source(tuple(_declared(c, infos[c.ref.path]) for c in candidates), _common_name(paths), paths[0])
    if len(paths) > 1:
        source = _with_sibling_metadata(source, paths[0])
        modality = source.modality or recognise([c.info for c in source.candidates], paths[0])
        return replace(source, modality=modality, text=os.path.dirname(paths[0]) or paths[0])
    tagged = any(c.offset is not None for c in source.candidates)
    note = f"{short_name(paths[0])}'s own tags" if tagged else ""
    return replace(source, modality=recognise([c.info for c in source.candidates], paths[0]), note=note)


def _without_coarser(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of files that hold the same band (…_B02_10m, …_B02_20m) the finest; equals stay, to be refused."""
    finest: dict[str, float] = {}
    for candidate in candidates:
        code = band_code(candidate.info.description) or ""
        finest[code] = min(finest.get(code, float("inf")), _area(candidate))
    return [
        c
        for c in candidates
        if not band_code(c.info.description) or _area(c) <= finest[band_code(c.info.description) or ""] * 1.01
    ]


def _area(candidate: Candidate) -> float:
    if candidate.grid is None:
        return float("inf")
    width, height = candidate.grid.resolution
    return width * height


def _declared(candidate: Candidate, raster: RasterInfo) -> Candidate:
    """Calibration from GDAL's scale and offset, or from ``…_ADD_OFFSET`` tags, where a file has them."""
    info = candidate.info
    if info.dtype.startswith("float"):
        return candidate
    if 0 < info.scale < 0.01:
        return replace(candidate, scale=info.scale * 10000, offset=round(info.offset / info.scale, 6))
    for tags in (info.tags, raster.tags):
        for key, value in tags.items():
            if re.search(r"(BOA|RADIO)_ADD_OFFSET$", key, re.IGNORECASE):
                try:
                    return replace(candidate, scale=1.0, offset=float(value))
                except ValueError as error:
                    raise SourceError(
                        f"{short_name(raster.path)} has a damaged tag {key}={value!r}."
                    ) from error
    return candidate


def _calibrated(candidates: Sequence[Candidate], calibration: Calibration) -> tuple[Candidate, ...]:
    return tuple(
        replace(c, scale=calibration.scale, offset=calibration.offset(band_code(c.info.description) or ""))
        for c in candidates
    )


def _with_sibling_metadata(source: Source, path: str) -> Source:
    subdataset = re.match(r'SENTINEL2_[^:]+:"?(.+?\.xml)"?:', path)
    found = find_mtd(path) if is_plain_path(path) else None
    if subdataset is not None and os.path.isfile(subdataset.group(1)):
        found = subdataset.group(1)  # GDAL's own Sentinel-2 driver, as QGIS opens a product's XML file
    if found is None or any(c.offset is not None for c in source.candidates):
        return source
    with open(found, "rb") as stream:
        calibration = parse_mtd(stream.read(), short_name(found))
    note = calibration.source + (f" (baseline {calibration.baseline})" if calibration.baseline else "")
    return replace(
        source,
        candidates=_calibrated(source.candidates, calibration),
        modality=calibration.level or None,
        note=note,
        nodata=S2_NODATA,
    )


def _from_folder(folder: str, geo: Geo) -> Source:
    names = [
        os.path.relpath(os.path.join(base, f), folder).replace(os.sep, "/")
        for base, _, files in os.walk(folder)
        for f in files
    ]
    if any(MTD_NAME.search(n) and "/" not in n for n in names):

        def read(name: str) -> bytes:
            with open(os.path.join(folder, *name.split("/")), "rb") as stream:
                return stream.read()

        return _from_safe(os.path.normpath(folder), sorted(names), folder.rstrip("/\\") + "/", read, geo)
    if folder.rstrip("/\\").upper().endswith(".SAFE"):
        raise SourceError(f"{folder} is incomplete: it has no MTD_MSIL2A.xml or MTD_MSIL1C.xml.")
    images = sorted(p for p in glob.glob(os.path.join(glob.escape(folder), "*")) if IMAGE.search(p))
    bands = [p for p in images if band_code(os.path.splitext(short_name(p))[0])]
    if not bands:
        raise SourceError(
            f"{folder} is neither a .SAFE product nor a folder with one file per band (…_B02.tif, …)."
        )
    return replace(_from_refs([BandRef(p) for p in _finest(bands)], geo), text=folder)


def _finest(paths: Sequence[str]) -> list[str]:
    """One file per band: of …_B02_10m and …_B02_20m the finer."""
    best: dict[str, tuple[int, str]] = {}
    for path in paths:
        stem = os.path.splitext(short_name(path))[0]
        code = band_code(stem) or stem
        match = re.search(r"_(\d\d)m$", stem)
        rank = int(match.group(1)) if match else 0
        if code not in best or rank < best[code][0]:
            best[code] = (rank, path)
    return [path for _, path in best.values()]


def _from_zip(path: str, geo: Geo) -> Source:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            roots = {n[: n.index(".SAFE/") + 6] for n in names if ".SAFE/" in n}
            if len(roots) != 1:
                raise SourceError(
                    f"{short_name(path)} holds {len(roots) or 'no'} .SAFE products; one is needed."
                )
            root = roots.pop()
            inner = [n[len(root) :] for n in names if n.startswith(root)]
            prefix = f"/vsizip/{os.path.abspath(path)}/{root}"
            return _from_safe(root.rstrip("/"), inner, prefix, lambda n: archive.read(root + n), geo, path)
    except zipfile.BadZipFile as error:
        raise SourceError(f"{short_name(path)} is not a complete zip file; download it again.") from error


def _from_safe(
    root: str,
    names: Sequence[str],
    prefix: str,
    read: Callable[[str], bytes],
    geo: Geo,
    text: str = "",
) -> Source:
    """A Sentinel-2 product from the names of its files, relative to its root with ``/``."""
    mtd = next((n for n in names if MTD_NAME.search(n) and "/" not in n), None)
    if mtd is None:
        raise SourceError(f"{short_name(root)} is incomplete: it has no MTD_MSIL2A.xml or MTD_MSIL1C.xml.")
    calibration = parse_mtd(read(mtd), mtd)
    files: dict[str, tuple[int, str]] = {}
    granules = set()
    for name in names:
        match = SAFE_IMAGE.search(name)
        if match is None:
            continue
        granules.add(match.group(1))
        band, rank = match.group(2), int(match.group(3) or 0)
        if band not in files or rank < files[band][0]:
            files[band] = (rank, name)
    if len(granules) > 1:
        raise SourceError(
            f"{short_name(root)} holds {len(granules)} tiles; open the band files of one of them."
        )
    if not files:
        raise SourceError(
            f"{short_name(root)} is incomplete: it holds no images (GRANULE/…/IMG_DATA/…_B02….jp2)."
        )
    candidates = []
    for band in sorted(files):
        path = prefix + files[band][1]
        info = geo.describe(path)
        one = replace(info.bands[0], description=band)
        candidates.append(Candidate(one, BandRef(path), _place(info)))
    note = mtd + (f" (baseline {calibration.baseline})" if calibration.baseline else "")
    name = re.sub(r"\.SAFE$", "", short_name(root), flags=re.IGNORECASE)
    return Source(
        _calibrated(candidates, calibration), name, text or root, calibration.level or None, note, S2_NODATA
    )


def _from_stac(path: str, geo: Geo) -> Source:
    item, bands = parse_stac(path)
    best: dict[str, StacBand] = {}
    missing = []
    for band in bands:
        if not os.path.exists(band.path):
            missing.append(short_name(band.path))
        else:
            name = band_code(band.name) or band.name
            if name not in best or band.gsd < best[name].gsd:
                best[name] = band
    if not best:
        hint = f" (for example {missing[0]} is missing)" if missing else ""
        raise SourceError(
            f"None of the bands of {short_name(path)} is on this machine{hint}; download them first."
        )
    infos = {p: geo.describe(p) for p in dict.fromkeys(b.path for b in best.values())}
    candidates = []
    for band in best.values():
        bands_there = infos[band.path].bands
        if band.index > len(bands_there):
            raise SourceError(f"{short_name(band.path)} has fewer bands than {short_name(path)} says.")
        info = bands_there[band.index - 1]
        info = replace(info, description=band.name, wavelength_nm=band.wavelength_nm or info.wavelength_nm)
        ref = BandRef(band.path, band.index)
        candidates.append(Candidate(info, ref, _place(infos[band.path]), band.offset, band.scale))
    found = [c.info for c in candidates]
    text = " ".join([str(item.get("collection", "")), str(item.get("id", "")), path])
    nodata = S2_NODATA if any(b.nodata == S2_NODATA for b in best.values()) else None
    note = short_name(path) if any(c.offset is not None for c in candidates) else ""
    name = str(item.get("id") or os.path.splitext(short_name(path))[0])
    level = re.search(r"l(1c|2a)", text, re.IGNORECASE)
    modality = recognise(found, f"MSIL{level.group(1)}" if level else path)
    return Source(tuple(candidates), re.sub(r"[^\w.-]+", "_", name), path, modality, note, nodata)
