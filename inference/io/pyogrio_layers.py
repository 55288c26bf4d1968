# SPDX-License-Identifier: GPL-2.0-or-later
"""Vector files headless, by pyogrio's raw functions: numpy arrays and WKB, without geopandas or shapely."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Optional

import numpy as np

from ..errors import RuntimeMissing, SourceError
from ..types import Cancel
from .base import Features
from .vectors import SOME_DAY, Format, read_column

_LOCK = threading.Lock()
"""pyogrio's settings belong to the process."""


def _raw() -> Any:
    if find_spec("pyogrio") is None:
        raise RuntimeMissing("Vector files need pyogrio; run: pip install pyogrio")
    with warnings.catch_warnings():
        # It imports whatever pyproj there is, only to look at it; one without its database complains.
        warnings.simplefilter("ignore")
        import pyogrio.raw
    return pyogrio.raw


@contextmanager
def _fixed_date() -> Iterator[None]:
    """Let GDAL write one date, whatever the clock says."""
    import pyogrio

    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{SOME_DAY}T00:00:00.000Z"})
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def save(path: str, format_: Format, features: Features, layer: str, cancel: Cancel) -> None:
    """Make a file with one layer (see ``core.BaseGeo``), in one call that Cancel awaits. Raises OSError, Cancelled."""
    cancel.raise_if_set()
    raw = _raw()
    geometry = np.empty(len(features.wkb), dtype=object)
    geometry[:] = list(features.wkb)
    try:
        with _fixed_date():
            raw.write(
                path,
                geometry,
                [np.asarray(column) for column in features.columns.values()],
                list(features.columns),
                layer=layer,
                driver=format_.driver,
                geometry_type=features.geometry,
                crs=features.crs,
                layer_options=dict(format_.options),
                layer_metadata=dict(features.tags) if format_.tagged and features.tags else None,
            )
    except RuntimeError as error:  # pyogrio's errors are its subclasses
        raise OSError(str(error)) from error
    cancel.raise_if_set()


def load(path: str, layer: Optional[str], title: str) -> Features:
    """Read a layer (see ``core.BaseGeo``). Raises SourceError."""
    raw = _raw()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta, _, geometry, columns = raw.read(path, layer=layer, force_2d=True, datetime_as_string=True)
    except (RuntimeError, ValueError, IndexError) as error:  # the last for FlatGeobuf files cut short
        if layer is not None:
            raise SourceError(f"{title} has no layer {layer}.") from error
        raise SourceError(f"{title} is not a vector file that can be read: {error}") from error
    if geometry is None:
        geometry = [None] * (len(columns[0]) if columns else 0)
    return Features(
        meta["crs"] or "",
        str(meta["geometry_type"] or "None").replace(" ", ""),
        [bytes(data) if data is not None else b"" for data in geometry],
        {str(name): _column(values) for name, values in zip(meta["fields"], columns)},
    )


def _column(values: Any) -> Any:
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    return read_column([None if value is None else value for value in values.tolist()], "O")
