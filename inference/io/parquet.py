# SPDX-License-Identifier: GPL-2.0-or-later
"""GeoParquet 1.0 (geoparquet.org) by way of pyarrow: outside QGIS, and only where pyarrow is installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import OutputError, RuntimeMissing
from .base import Features
from .vectors import plain_column


def check_parquet() -> None:
    """Raise OutputError inside QGIS, RuntimeMissing where pyarrow is not installed."""
    if "qgis.core" in sys.modules:
        raise OutputError("Parquet files are written outside QGIS only; choose a .gpkg.")
    if find_spec("pyarrow") is None:
        raise RuntimeMissing("Parquet files need pyarrow; run: pip install pyarrow, or choose a .gpkg.")


def save(path: str, features: Features, projjson: Mapping[str, Any]) -> None:
    """Write features; two-dimensional columns (n, d) become lists of d float32. Raises OSError."""
    check_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    arrays, names = [], []
    for name, column in features.columns.items():
        values = np.asarray(column)
        names.append(name)
        if values.ndim == 2:
            flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, values.shape[1]))
        else:
            plain = plain_column(values)
            kind = pa.string() if plain.dtype == object else None
            arrays.append(pa.array(plain, type=kind))
    arrays.append(pa.array(list(features.wkb), type=pa.binary()))
    described = {"encoding": "WKB", "geometry_types": [features.geometry], "crs": dict(projjson)}
    geo = {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": described}}
    table = pa.table(arrays, names=[*names, "geometry"])
    table = table.replace_schema_metadata({"geo": json.dumps(geo), **features.tags})
    parquet.write_table(table, path, compression="zstd")


def count(path: str) -> int:
    """Rows of a Parquet file."""
    from pyarrow import parquet

    return int(parquet.read_metadata(path).num_rows)
