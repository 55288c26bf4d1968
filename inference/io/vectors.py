# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing vector files so that their names stand for whole files; what both Geos share.

A library writes into a hidden folder beside the output, under the final names; the result is counted,
then renamed. No clock time is written: equal features make equal bytes.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

import numpy as np

from ..errors import DiskFull, OutputError, SourceError, TerraneError
from . import wkb
from .base import Array, Features
from .output import MARGIN, check_output

SOME_DAY = "2000-01-01"
"""Written where a format demands a date of change, so that equal features make equal bytes."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,9}")
"""Attribute names that every format keeps: a Shapefile cuts them after ten characters."""

RESERVED = ("fid", "geom", "geometry", "ogc_fid")
"""Names that drivers use for their own columns."""

GEOMETRIES = ("Point", "Polygon", "MultiPolygon")


@dataclass(frozen=True)
class Format:
    """A vector format: its GDAL driver and layer options."""

    driver: str
    options: Mapping[str, str]
    tagged: bool = False
    """Whether it keeps tags of a layer."""
    columns: int = 1990
    """Attributes it can hold: SQLite takes 2,000 columns, a DBF 255."""


FORMATS = {
    ".gpkg": Format("GPKG", {"GEOMETRY_NAME": "geom"}, tagged=True),
    # RFC 7946: longitude and latitude. Nine digits are a tenth of a millimetre.
    ".geojson": Format("GeoJSON", {"RFC7946": "YES", "COORDINATE_PRECISION": "9"}),
    ".shp": Format("ESRI Shapefile", {"ENCODING": "UTF-8", "DBF_DATE_LAST_UPDATE": SOME_DAY}, columns=255),
    # Without the index features keep their order.
    ".fgb": Format("FlatGeobuf", {"SPATIAL_INDEX": "NO"}),
}
PARQUET = ".parquet"

Save = Callable[[str, Format, Features, str], None]
Count = Callable[[str], int]


def suffix_of(path: str) -> str:
    """The path's suffix in lower case. Raises OutputError for one that is no vector format."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in FORMATS and suffix != PARQUET:
        known = ", ".join((*FORMATS, PARQUET))
        raise OutputError(
            f"{os.path.basename(path)} is no name of a vector file; end it with one of {known}."
        )
    return suffix


def check_features(features: Features, *, lists: bool = False) -> None:
    """Raise ValueError where columns or geometries are not what ``Features`` promises."""
    if features.geometry not in GEOMETRIES:
        raise ValueError(f"no such geometry: {features.geometry}")
    seen = set()
    for name, column in features.columns.items():
        low = name.lower()
        if not NAME.fullmatch(name) or low in RESERVED or low in seen:
            raise ValueError(f"{name!r} is no attribute name of at most ten characters, used once")
        seen.add(low)
        values = np.asarray(column)
        if len(column) != len(features.wkb):
            raise ValueError(f"{name} has {len(column)} values for {len(features.wkb)} features")
        if values.ndim != 1 and not (lists and values.ndim == 2):
            raise ValueError(f"{name} holds no single values")
        if len(column) and values.dtype.kind not in "iufUO":
            raise ValueError(f"{name} holds neither numbers nor text")


def plain_column(column: object) -> Array:
    """A column as int64, float64 or an object array of str."""
    values = np.asarray(column)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    result = np.empty(len(values), dtype=object)
    result[:] = [str(value) for value in values]
    return result


def read_column(values: Sequence[Any], kind: str) -> Array:
    """Values that were read, None where null: kind i (int64, float64 with NaN where any is null), f or O."""
    if kind == "i" and all(value is not None for value in values):
        return np.array(values, dtype=np.int64)
    if kind in "if":
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    result = np.empty(len(values), dtype=object)
    result[:] = ["" if value is None else str(value) for value in values]
    return result


def write(
    path: str, features: Features, layer: Optional[str], *, overwrite: bool, save: Save, count: Count
) -> None:
    """Write features with a library's ``save``, check them with its ``count``, then rename."""
    path = os.path.abspath(path)
    suffix = suffix_of(path)
    format_ = FORMATS.get(suffix, Format("Parquet", {}))
    if suffix == ".fgb" and not features.wkb:
        format_ = replace(format_, options={})  # GDAL 3.6 writes nothing at all for no features without index
    check_features(features, lists=suffix == PARQUET)
    if len(features.columns) > format_.columns:
        raise OutputError(
            f"{os.path.basename(path)} cannot hold {len(features.columns)} attributes; "
            f"{format_.driver} takes {format_.columns}. Write a .gpkg instead."
        )
    check_output(path, overwrite=overwrite)
    if os.path.exists(path + "-wal"):
        raise OutputError(f"{path} cannot be replaced: it is open in another program; close it there.")
    folder, name = os.path.split(path)
    stem = os.path.splitext(name)[0]
    part = os.path.join(folder, f".{stem}.{secrets.token_hex(4)}.part")
    # Columns of unknown type become plain ones once, here, so that libraries cannot differ.
    columns = {
        key: column if suffix == PARQUET else plain_column(column) for key, column in features.columns.items()
    }
    try:
        os.mkdir(part)
        made = os.path.join(part, stem + suffix)
        save(made, format_, replace(features, columns=columns), layer or stem)
        if features.style and suffix == ".gpkg":
            from .gpkg_style import store_style

            store_style(made, layer or stem, features.style)
        if not _is_whole(made, len(features.wkb), count):
            raise OSError(errno.EIO, "the file that was written is not whole")
        _deliver(part, folder, stem, os.path.splitext(name)[1], overwrite=overwrite)
    except OSError as error:
        raise _failure(error, folder, name) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_whole(path: str, expected: int, count: Count) -> bool:
    """Whether a file holds what was written: some drivers keep a failed write at the end to themselves."""
    try:
        return count(path) == expected
    except SourceError:
        return False


def _deliver(part: str, folder: str, stem: str, suffix: str, *, overwrite: bool) -> None:
    """Move the file, or a Shapefile's several with the .shp last, to where they belong."""
    names = sorted(os.listdir(part), key=lambda name: (name.lower() == f"{stem}{suffix}".lower(), name))
    if not overwrite and any(os.path.exists(os.path.join(folder, name)) for name in names):
        raise OSError(errno.EEXIST, "a file of this name has appeared meanwhile")
    if suffix.lower() == ".shp":
        for old in (".qix", ".sbn", ".sbx", ".shp.xml", ".qpj"):
            # An index of the file that is being replaced would hide features.
            if os.path.exists(os.path.join(folder, stem + old)):
                os.remove(os.path.join(folder, stem + old))
    for name in names:
        final = stem + suffix if name == names[-1] else name
        try:
            os.replace(os.path.join(part, name), os.path.join(folder, final))
        except PermissionError as error:
            raise OSError(error.errno, "it is open in another program; close it there") from error


def _failure(error: OSError, folder: str, name: str) -> TerraneError:
    words = str(error)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in words or "disk is full" in words
    if full or shutil.disk_usage(folder).free < MARGIN:
        return DiskFull(f"The disk with {folder} is full; {name} was not written. Free some space.")
    return OutputError(f"{name} could not be written in {folder}: {error.strerror or words}.")


def moved(
    features: Features,
    crs: str,
    function: Callable[[list[float], list[float]], tuple[list[float], list[float]]],
) -> Features:
    """Features with their vertices moved into another CRS by ``function(xs, ys)``."""
    return replace(features, crs=crs, wkb=[wkb.transform(data, function) for data in features.wkb])
