# SPDX-License-Identifier: GPL-2.0-or-later
"""Geo over osgeo.gdal, ogr and osr: what runs inside QGIS. The only module that imports osgeo.

Works whether exceptions are on or off in the process and leaves that as it is: QGIS and other plugins
share the switch. Pixels go through ReadRaster and WriteRaster, so gdal_array (which is compiled
against one numpy) is not needed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Optional

import numpy as np
from osgeo import gdal, ogr, osr

from ..errors import InputError, SourceError
from ..grid import Affine, Grid
from ..types import Cancel, Size, Window
from .base import Array, BandInfo, Features, Float32, OutputSpec
from .core import BaseGeo, Header, each_possible, short_name
from .headers import IDENTITY, band_name, color_name, wavelength_nm
from .output import RasterSink, creation_options
from .reader import Dataset
from .vectors import SOME_DAY, Format, read_column
from .vrt import GDAL_TYPES

CACHE_BYTES = 192 * 2**20
"""Bound of GDAL's block cache outside QGIS; its own default is a twentieth of the machine's memory.
One row of blocks of a whole Sentinel-2 tile is 136 MB: strips that share it must not decode it twice."""


class GdalError(OSError):
    """A failed GDAL call, with GDAL's own words."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep GDAL's messages off the screen, in this thread, and forget earlier ones."""
    with ExitStack() as stack:
        for module in (gdal, ogr, osr):
            # GDAL 3.7 and later: a switch for this thread alone, which also spares its FutureWarning.
            manager = getattr(module, "ExceptionMgr", None)
            if manager is not None:
                stack.enter_context(manager(useExceptions=False))
        gdal.PushErrorHandler("CPLQuietErrorHandler")
        stack.callback(gdal.PopErrorHandler)
        gdal.ErrorReset()
        yield


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call into GDAL and raise GdalError where it reports a failure, with exceptions on or off."""
    failure: Optional[str] = None
    result = None
    with quiet():
        try:
            result = function(*args, **kwargs)
        except RuntimeError as error:
            failure = str(error).strip()
        if failure is None and gdal.GetLastErrorType() >= gdal.CE_Failure:
            failure = gdal.GetLastErrorMsg().strip()
    if failure is None:
        return result
    # The traceback keeps this frame: without its arguments, or a failed dataset (and so its file on the
    # full disk) would stay open as long as somebody looks at the error.
    del function, args, kwargs, result
    raise GdalError(failure)


def _open(name: str, title: str) -> Any:
    try:
        dataset = call(gdal.OpenEx, name, gdal.OF_RASTER)
    except GdalError as error:
        raise SourceError(f"{title} is not a raster that can be read: {error}") from error
    if dataset is None:
        raise SourceError(f"{title} is not a raster that can be read.")
    return dataset


class GdalDataset:
    """An open raster (see ``reader.Dataset``)."""

    def __init__(self, name: str, title: str) -> None:
        self._dataset = _open(name, title)
        self._title = title
        self.size = Size(self._dataset.RasterXSize, self._dataset.RasterYSize)
        self._count = self._dataset.RasterCount

    def read(self, window: Window) -> Float32:
        """All bands of a window that lies inside, (bands, h, w) float32. Raises SourceError."""
        try:
            data = call(self._dataset.ReadRaster, *window, buf_type=gdal.GDT_Float32)
        except GdalError as error:
            raise SourceError(f"{self._title} is damaged or cannot be read: {error}") from error
        if data is None:
            raise SourceError(f"{self._title} is damaged or cannot be read.")
        values = np.frombuffer(data, dtype=np.float32)
        return values.reshape(self._count, window.height, window.width)

    def close(self) -> None:
        """Release the file."""
        self._dataset = None


class GdalSink:
    """A plain GeoTIFF open for writing (see ``output.RasterSink``)."""

    def __init__(self, path: str, grid: Grid, spec: OutputSpec) -> None:
        options = [f"{k}={v}" for k, v in creation_options(spec).items()]
        kind = getattr(gdal, f"GDT_{GDAL_TYPES[spec.dtype]}")
        self._type = kind
        driver = gdal.GetDriverByName("GTiff")
        self._dataset = call(driver.Create, path, *grid.size, len(spec.band_names), kind, options)
        if self._dataset is None:
            raise GdalError(f"GDAL could not create {path}")
        if spec.nodata is not None:
            for band in range(1, len(spec.band_names) + 1):
                call(self._dataset.GetRasterBand(band).SetNoDataValue, float(spec.nodata))

    def write(self, window: Window, values: Array) -> None:
        """Write (bands, h, w). Raises OSError."""
        code = call(
            self._dataset.WriteRaster, *window, values.tobytes(), window.width, window.height, self._type
        )
        if code not in (None, 0):
            raise GdalError(f"GDAL's writer failed with code {code}")

    def close(self) -> None:
        """Flush and close. Raises OSError."""
        dataset, self._dataset = self._dataset, None
        try:
            call(dataset.FlushCache)
        finally:
            with quiet():
                del dataset


def _crs(text: str) -> Any:
    with quiet():
        crs = osr.SpatialReference()
    try:
        code = call(crs.SetFromUserInput, text)
    except GdalError as error:
        raise InputError(f"{text[:60]!r} is not a coordinate system that is known here.") from error
    if code:
        raise InputError(f"{text[:60]!r} is not a coordinate system that is known here.")
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs


def _wkt(crs: Any) -> str:
    return str(crs.ExportToWkt(["FORMAT=WKT2_2019", "MULTILINE=NO"]))


class GdalGeo(BaseGeo):
    """Geo over osgeo."""

    name = "gdal"

    def __init__(self) -> None:
        self._crs_cache: dict[str, Any] = {}
        if "qgis.core" not in sys.modules and gdal.GetCacheMax() > CACHE_BYTES:
            # GDAL's default is a twentieth of the machine's memory. Inside QGIS it is QGIS's to decide.
            gdal.SetCacheMax(CACHE_BYTES)

    def _srs(self, text: str) -> Any:
        if text not in self._crs_cache:
            self._crs_cache[text] = _crs(text)
        return self._crs_cache[text]

    def _header(self, path: str) -> Header:
        dataset = _open(path, short_name(path))
        gt = dataset.GetGeoTransform(can_return_null=True)
        transform = Affine.from_gdal(gt) if gt else None
        crs = dataset.GetSpatialRef()
        subdatasets = tuple(name for name, _ in dataset.GetSubDatasets())
        if dataset.RasterCount == 0 and not subdatasets:
            raise SourceError(f"{short_name(path)} holds no raster.")
        return Header(
            Size(dataset.RasterXSize, dataset.RasterYSize),
            None if transform == IDENTITY else transform,
            _wkt(crs) if crs is not None else "",
            tuple(_band(dataset.GetRasterBand(i)) for i in range(1, dataset.RasterCount + 1)),
            dataset.GetDriver().ShortName,
            dataset.GetGCPCount(),
            subdatasets,
            dict(dataset.GetMetadata()),
        )

    def _dataset(self, source: str, title: str) -> Dataset:
        return GdalDataset(source, title)

    def _sink(self, path: str, grid: Grid, spec: OutputSpec) -> RasterSink:
        return GdalSink(path, grid, spec)

    def _copy(self, source: str, path: str, driver: str, options: Mapping[str, str], cancel: Cancel) -> None:
        dressed = call(gdal.OpenEx, source, gdal.OF_RASTER)
        found = gdal.GetDriverByName(driver)
        if found is None:
            raise GdalError(f"this GDAL has no {driver} driver")

        def go_on(*_: object) -> int:
            return 0 if cancel.is_set() else 1

        words = [f"{k}={v}" for k, v in options.items()]
        copy = call(found.CreateCopy, path, dressed, 0, words, go_on)
        if copy is None:
            raise GdalError("GDAL could not write the GeoTIFF")
        try:
            call(copy.FlushCache)
        finally:
            with quiet():
                del copy, dressed
        if not os.path.exists(path):
            raise GdalError("GDAL wrote no file")

    def _save_features(
        self, path: str, format_: Format, features: Features, layer: str, cancel: Cancel
    ) -> None:
        driver = ogr.GetDriverByName(format_.driver)
        if driver is None:
            raise GdalError(f"this GDAL has no {format_.driver} driver")
        before = gdal.GetThreadLocalConfigOption("OGR_CURRENT_DATE")
        gdal.SetThreadLocalConfigOption("OGR_CURRENT_DATE", f"{SOME_DAY}T00:00:00.000Z")
        try:
            call(_write_layer, driver, path, format_, features, layer, self._srs(features.crs), cancel)
        finally:
            gdal.SetThreadLocalConfigOption("OGR_CURRENT_DATE", before)

    def _load_features(self, path: str, layer: Optional[str]) -> Features:
        title = short_name(path)
        try:
            dataset = call(gdal.OpenEx, path, gdal.OF_VECTOR)
        except GdalError as error:
            raise SourceError(f"{title} is not a vector file that can be read: {error}") from error
        found = None
        if dataset is not None:
            with quiet():
                found = dataset.GetLayer(0) if layer is None else dataset.GetLayerByName(layer)
        if found is None:
            what = "is not a vector file that can be read." if layer is None else f"has no layer {layer}."
            raise SourceError(f"{title} {what}")
        try:
            features: Features = call(_read_layer, found)
        except GdalError as error:
            raise SourceError(f"{title} is damaged or cannot be read: {error}") from error
        return features

    def _projjson(self, crs: str) -> dict[str, Any]:
        return dict(json.loads(self._srs(crs).ExportToPROJJSON()))

    def parse_crs(self, text: str) -> str:
        """WKT of "EPSG:4326", a PROJ string or WKT. Raises InputError."""
        return _wkt(self._srs(text))

    def same_crs(self, a: str, b: str) -> bool:
        """Whether two CRSs mean the same."""
        if a == b:
            return True
        options = [
            "IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES",
            "CRITERION=EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS",
        ]
        return bool(self._srs(a).IsSame(self._srs(b), options))

    def crs_name(self, crs: str) -> str:
        """A short name for people: "EPSG:32632" where there is one, else the CRS's name."""
        srs = self._srs(crs)
        authority, code = srs.GetAuthorityName(None), srs.GetAuthorityCode(None)
        return f"{authority}:{code}" if authority and code else str(srs.GetName() or "unnamed CRS")

    def metres_per_unit(self, crs: str) -> Optional[float]:
        """Metres per map unit of a projected CRS; None for a geographic one."""
        srs = self._srs(crs)
        return float(srs.GetLinearUnits()) if srs.IsProjected() or srs.IsLocal() else None

    def transform(
        self, src: str, dst: str, xs: Sequence[float], ys: Sequence[float]
    ) -> tuple[list[float], list[float]]:
        """Coordinates in x/y (east/north) order whatever the CRS says; inf where undefined."""
        if self.same_crs(src, dst):
            return list(map(float, xs)), list(map(float, ys))
        source, target = self._srs(src), self._srs(dst)
        with quiet():
            try:
                step = osr.CoordinateTransformation(source, target)
            except RuntimeError as error:
                raise InputError(
                    f"There is no way from {self.crs_name(src)} to {self.crs_name(dst)}."
                ) from error

            def some(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
                points = step.TransformPoints(list(zip(x, y)))
                return [p[0] for p in points], [p[1] for p in points]

            # With exceptions on in the process, one point without an image fails the whole call.
            return each_possible(some, list(map(float, xs)), list(map(float, ys)), (RuntimeError,))


def _band(band: Any) -> BandInfo:
    tags = {**band.GetMetadata("IMAGERY"), **band.GetMetadata()}
    scale, offset = band.GetScale(), band.GetOffset()
    return BandInfo(
        index=band.GetBand(),
        dtype=gdal.GetDataTypeName(band.DataType).lower().replace("byte", "uint8"),
        description=band_name(band.GetDescription(), tags),
        nodata=band.GetNoDataValue(),
        scale=1.0 if scale is None else float(scale),
        offset=0.0 if offset is None else float(offset),
        unit=band.GetUnitType() or "",
        wavelength_nm=wavelength_nm(tags),
        color=color_name(gdal.GetColorInterpretationName(band.GetColorInterpretation())),
        tags=tags,
    )


_COLUMN_TYPES = {"i": ogr.OFTInteger64, "f": ogr.OFTReal, "O": ogr.OFTString}


def _write_layer(
    driver: Any, path: str, format_: Format, features: Features, name: str, crs: Any, cancel: Cancel
) -> None:
    """Make a file with one layer. Raises RuntimeError where GDAL only returns a code."""
    dataset = driver.CreateDataSource(path)
    kind = getattr(ogr, f"wkb{features.geometry}")
    options = [f"{key}={value}" for key, value in format_.options.items()]
    layer = None if dataset is None else dataset.CreateLayer(name, crs, kind, options)
    if layer is None:
        raise RuntimeError(gdal.GetLastErrorMsg() or f"GDAL could not create {path}")
    if format_.tagged and features.tags:
        _check(layer.SetMetadata(dict(features.tags)))
    columns = [np.asarray(column) for column in features.columns.values()]
    for field, column in zip(features.columns, columns):
        _check(layer.CreateField(ogr.FieldDefn(field, _COLUMN_TYPES[column.dtype.kind])))
    definition = layer.GetLayerDefn()
    lists = [column.tolist() for column in columns]
    # One transaction, or SQLite would flush the disk for each feature.
    grouped = layer.TestCapability(ogr.OLCTransactions) and layer.StartTransaction() == ogr.OGRERR_NONE
    for row, data in enumerate(features.wkb):
        cancel.raise_if_set()
        feature = ogr.Feature(definition)
        feature.SetGeometry(ogr.CreateGeometryFromWkb(data))
        for place, values in enumerate(lists):
            if values[row] == values[row]:  # NaN stays null
                feature.SetField(place, values[row])
        _check(layer.CreateFeature(feature))
    if grouped:
        _check(layer.CommitTransaction())
    _check(layer.SyncToDisk())
    del layer, definition, dataset


def _check(code: Optional[int]) -> None:
    if code not in (None, ogr.OGRERR_NONE):
        raise RuntimeError(gdal.GetLastErrorMsg() or f"GDAL's writer failed with code {code}")


def _read_layer(layer: Any) -> Features:
    definition = layer.GetLayerDefn()
    fields = [definition.GetFieldDefn(place) for place in range(definition.GetFieldCount())]
    rows: list[list[Any]] = [[] for _ in fields]
    geometries = []
    for feature in layer:
        geometry = feature.GetGeometryRef()
        if geometry is not None:
            geometry.FlattenTo2D()
        geometries.append(b"" if geometry is None else bytes(geometry.ExportToIsoWkb()))
        for place, values in enumerate(rows):
            values.append(_value(feature, place, fields[place].GetType()))
    crs = layer.GetSpatialRef()
    kind = ogr.GeometryTypeToName(ogr.GT_Flatten(layer.GetGeomType())).replace(" ", "")
    columns = {field.GetName(): read_column(values, _kind(field)) for field, values in zip(fields, rows)}
    return Features(_wkt(crs) if crs is not None else "", kind, geometries, columns)


def _kind(field: Any) -> str:
    if field.GetType() in (ogr.OFTInteger, ogr.OFTInteger64):
        return "i"
    return "f" if field.GetType() == ogr.OFTReal else "O"


def _value(feature: Any, place: int, kind: int) -> Any:
    if not feature.IsFieldSetAndNotNull(place):
        return None
    if kind in (ogr.OFTInteger, ogr.OFTInteger64):
        return feature.GetFieldAsInteger64(place)
    return feature.GetFieldAsDouble(place) if kind == ogr.OFTReal else feature.GetFieldAsString(place)
