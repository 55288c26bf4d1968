# SPDX-License-Identifier: GPL-2.0-or-later
"""Geo over rasterio: what runs headless, from wheels. Never imported inside QGIS (see architecture)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Optional

import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.env import Env
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.warp import transform as warp_transform
from rasterio.windows import Window as RasterioWindow

from ..errors import InputError, SourceError
from ..grid import Affine, Grid
from ..types import Cancel, Size, Window
from . import pyogrio_layers
from .base import Array, BandInfo, Features, Float32, OutputSpec
from .core import BaseGeo, Header, each_possible, short_name
from .headers import IDENTITY, band_name, color_name, wavelength_nm
from .output import RasterSink, creation_options
from .reader import Dataset
from .vectors import Format

FAILURES = (RasterioError, CPLE_BaseError)
"""rasterio lets some of GDAL's own errors through, which share no base class with its own."""

CACHE_BYTES = 192 * 2**20
"""Bound of GDAL's block cache; its own default is a twentieth of the machine's memory.
One row of blocks of a whole Sentinel-2 tile is 136 MB: strips that share it must not decode it twice."""

COPY_CACHE_BYTES = 64 * 2**20
"""The same while an output is copied: what is in the cache is copied even after the user has cancelled."""


@contextmanager
def _session() -> Iterator[None]:
    """Rasterio's environment with a bounded cache."""
    with Env(GDAL_CACHEMAX=CACHE_BYTES):
        yield


def _open(name: str, title: str) -> Any:
    try:
        with _session():
            return rasterio.open(name)
    except (*FAILURES, OSError) as error:
        raise SourceError(f"{title} is not a raster that can be read: {_words(error)}") from error


def _words(error: BaseException) -> str:
    """GDAL's own words: rasterio often wraps them in "see previous exception"."""
    cause = error.__cause__ or error.__context__
    return str(cause if cause is not None else error).strip()


class RasterioDataset:
    """An open raster (see ``reader.Dataset``)."""

    def __init__(self, name: str, title: str) -> None:
        self._dataset = _open(name, title)
        self._title = title
        self.size = Size(self._dataset.width, self._dataset.height)

    def read(self, window: Window) -> Float32:
        """All bands of a window that lies inside, (bands, h, w) float32. Raises SourceError."""
        try:
            with _session():
                values: Float32 = self._dataset.read(window=RasterioWindow(*window), out_dtype="float32")
        except (*FAILURES, OSError) as error:
            raise SourceError(f"{self._title} is damaged or cannot be read: {_words(error)}") from error
        return values

    def close(self) -> None:
        """Release the file."""
        self._dataset.close()


class RasterioSink:
    """A plain GeoTIFF open for writing (see ``output.RasterSink``)."""

    def __init__(self, path: str, grid: Grid, spec: OutputSpec) -> None:
        try:
            with _session():
                self._dataset = rasterio.open(
                    path,
                    "w",
                    driver="GTiff",
                    width=grid.width,
                    height=grid.height,
                    count=len(spec.band_names),
                    dtype=spec.dtype,
                    nodata=spec.nodata,
                    transform=rasterio.Affine(*grid.transform),
                    **creation_options(spec),
                )
        except FAILURES as error:
            raise OSError(_words(error)) from error

    def write(self, window: Window, values: Array) -> None:
        """Write (bands, h, w). Raises OSError."""
        try:
            with _session():
                self._dataset.write(values, window=RasterioWindow(*window))
        except FAILURES as error:
            raise OSError(_words(error)) from error

    def close(self) -> None:
        """Flush and close. Raises OSError."""
        try:
            with _session():
                self._dataset.close()
        except FAILURES as error:
            raise OSError(_words(error)) from error


class RasterioGeo(BaseGeo):
    """Geo over rasterio."""

    name = "rasterio"

    def __init__(self) -> None:
        self._crs_cache: dict[str, CRS] = {}

    def _crs(self, text: str) -> CRS:
        if text not in self._crs_cache:
            try:
                with _session():
                    self._crs_cache[text] = CRS.from_user_input(text)
            except (CRSError, CPLE_BaseError, ValueError) as error:
                raise InputError(f"{text[:60]!r} is not a coordinate system that is known here.") from error
        return self._crs_cache[text]

    def _header(self, path: str) -> Header:
        with warnings.catch_warnings():
            # Files without georeference are refused with a sentence of our own. Only here, where headers
            # are read, not in ``_session``: filters belong to the process, and readers run in threads.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = _open(path, short_name(path))
        with dataset, _session():
            if dataset.count == 0 and not dataset.subdatasets:
                raise SourceError(f"{short_name(path)} holds no raster.")
            t = dataset.transform
            transform = Affine(t.a, t.b, t.c, t.d, t.e, t.f)
            return Header(
                Size(dataset.width, dataset.height),
                None if transform == IDENTITY else transform,
                _wkt(dataset.crs) if dataset.crs else "",
                tuple(_band(dataset, i) for i in dataset.indexes),
                dataset.driver,
                len(dataset.gcps[0]),
                tuple(dataset.subdatasets),
                dict(dataset.tags()),
            )

    def _dataset(self, source: str, title: str) -> Dataset:
        return RasterioDataset(source, title)

    def _sink(self, path: str, grid: Grid, spec: OutputSpec) -> RasterSink:
        return RasterioSink(path, grid, spec)

    def _copy(self, source: str, path: str, driver: str, options: Mapping[str, str], cancel: Cancel) -> None:
        del cancel  # rasterio has no way to tell GDAL; FileWriter makes the copy fail
        try:
            with Env(GDAL_CACHEMAX=COPY_CACHE_BYTES), rasterio.open(source) as dressed:
                rasterio.shutil.copy(dressed, path, driver=driver, **options)
        except FAILURES as error:
            raise OSError(_words(error)) from error
        if not os.path.exists(path):
            raise OSError("GDAL wrote no file")

    def _save_features(
        self, path: str, format_: Format, features: Features, layer: str, cancel: Cancel
    ) -> None:
        pyogrio_layers.save(path, format_, features, layer, cancel)

    def _load_features(self, path: str, layer: Optional[str]) -> Features:
        features = pyogrio_layers.load(path, layer, short_name(path))
        return replace(features, crs=self.parse_crs(features.crs)) if features.crs else features

    def _projjson(self, crs: str) -> dict[str, Any]:
        with _session():
            return dict(self._crs(crs).to_dict(projjson=True))

    def parse_crs(self, text: str) -> str:
        """WKT of "EPSG:4326", a PROJ string or WKT. Raises InputError."""
        return _wkt(self._crs(text))

    def same_crs(self, a: str, b: str) -> bool:
        """Whether two CRSs mean the same."""
        if a == b:
            return True
        first, second = self._crs(a), self._crs(b)
        if first == second:
            return True
        # rasterio minds the order of axes, which this package never uses: OGC:CRS84 is EPSG:4326 here.
        both = first.is_geographic and second.is_geographic
        return both and "datum" in first.to_dict() and first.to_dict() == second.to_dict()

    def crs_name(self, crs: str) -> str:
        """A short name for people: "EPSG:32632" where there is one, else the CRS's name."""
        parsed = self._crs(crs)
        with _session():
            authority = parsed.to_authority(confidence_threshold=100)
        if authority:
            return ":".join(authority)
        name = parsed.to_wkt(version="WKT2_2019").partition('"')[2].partition('"')[0]
        return name or "unnamed CRS"

    def metres_per_unit(self, crs: str) -> Optional[float]:
        """Metres per map unit of a projected CRS; None for a geographic one."""
        parsed = self._crs(crs)
        return None if parsed.is_geographic else float(parsed.linear_units_factor[1])

    def transform(
        self, src: str, dst: str, xs: Sequence[float], ys: Sequence[float]
    ) -> tuple[list[float], list[float]]:
        """Coordinates in x/y (east/north) order whatever the CRS says; inf where undefined."""
        if self.same_crs(src, dst):
            return list(map(float, xs)), list(map(float, ys))
        source, target = self._crs(src), self._crs(dst)

        def some(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
            points = warp_transform(source, target, x, y)
            return list(points[0]), list(points[1])

        with _session():
            return each_possible(some, list(map(float, xs)), list(map(float, ys)), FAILURES)


def _wkt(crs: CRS) -> str:
    return str(crs.to_wkt(version="WKT2_2019"))


def _band(dataset: Any, index: int) -> BandInfo:
    tags = {**dataset.tags(index, ns="IMAGERY"), **dataset.tags(index)}
    place = index - 1
    return BandInfo(
        index=index,
        dtype=dataset.dtypes[place],
        description=band_name(dataset.descriptions[place] or "", tags),
        nodata=dataset.nodatavals[place],
        scale=float(dataset.scales[place]),
        offset=float(dataset.offsets[place]),
        unit=dataset.units[place] or "",
        wavelength_nm=wavelength_nm(tags),
        color=color_name(dataset.colorinterp[place].name),
        tags=tags,
    )
