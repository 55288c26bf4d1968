# SPDX-License-Identifier: GPL-2.0-or-later
"""Pixels of layers that are more than a file: other providers, a CRS or nodata set by the user.

``LayerGeo`` is the engine's GDAL Geo with such layers added under names of their own. A layer's provider
is cloned on the main thread; a worker reads the clone. Where pixels have to move, the part that is
needed goes through an in-memory raster, so that the warp is the very one that files get.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from typing import Any, Optional
from weakref import WeakValueDictionary

import numpy as np
from osgeo import gdal
from qgis.core import Qgis, QgsRasterBlock, QgsRasterDataProvider, QgsRasterLayer, QgsRectangle

from ..inference import Affine, BandInfo, BBox, GdalGeo, Grid, RasterInfo, Size, SourceError, Window
from .compat import CRS_WKT
from .i18n import tr

PREFIX = "qgis:"
_MARGIN = 4
"""Source pixels around the part that a warp needs: cubic interpolation reaches two."""
_LARGEST = np.finfo(np.float32).max
_DTYPES = {
    Qgis.DataType.Byte: "uint8",
    Qgis.DataType.UInt16: "uint16",
    Qgis.DataType.Int16: "int16",
    Qgis.DataType.UInt32: "uint32",
    Qgis.DataType.Int32: "int32",
    Qgis.DataType.Float32: "float32",
    Qgis.DataType.Float64: "float64",
}


class ProviderRaster:
    """A clone of a layer's provider as arrays. Made on the main thread, read from any one thread at a time."""

    def __init__(self, layer: QgsRasterLayer, crs: str) -> None:
        provider: QgsRasterDataProvider = layer.dataProvider().clone()
        self.title = layer.name()
        self.layer_id = layer.id()
        size = Size(provider.xSize(), provider.ySize())
        types = [provider.dataType(band) for band in range(1, provider.bandCount() + 1)]
        if min(size) < 1 or not types or any(kind not in _DTYPES for kind in types):
            raise SourceError(
                tr(
                    "{layer} is a picture from a web service, without measured values. "
                    "Save it as a GeoTIFF first (layer menu: Export, Save As)."
                ).format(layer=self.title)
            )
        box = provider.extent()
        transform = Affine(
            box.width() / size.width, 0.0, box.xMinimum(), 0.0, -box.height() / size.height, box.yMaximum()
        )
        self.grid = Grid(crs, transform, size)
        self.bands = tuple(
            self._describe(layer, provider, band, kind) for band, kind in enumerate(types, start=1)
        )
        self._provider = provider
        self._lock = threading.Lock()

    def _describe(
        self, layer: QgsRasterLayer, provider: QgsRasterDataProvider, band: int, kind: Any
    ) -> BandInfo:
        # QGIS says "Band 3: blue" where there is a description, and "Band 3" where there is none.
        words = layer.bandName(band).partition(":")[2].strip()
        nodata = provider.sourceNoDataValue(band) if provider.sourceHasNoDataValue(band) else None
        if not words and provider.bandCount() == 1:
            words = self.title
        return BandInfo(band, _DTYPES[kind], words, nodata)

    def read(self, indexes: Sequence[int], window: Window) -> Any:
        """Bands (b, h, w) float32 of a window inside the raster, NaN where there is no value."""
        a = self.grid.transform
        xmin, ymax = a.apply(window.col, window.row)
        xmax, ymin = a.apply(window.col + window.width, window.row + window.height)
        box = QgsRectangle(xmin, ymin, xmax, ymax)
        values = np.empty((len(indexes), window.height, window.width), np.float32)
        for place, band in enumerate(indexes):
            with self._lock:
                block = self._provider.block(band, box, window.width, window.height)
                ranges = self._provider.userNoDataValues(band)
            values[place] = self._array(block, ranges, window)
        return values

    def _array(self, block: QgsRasterBlock, ranges: Sequence[Any], window: Window) -> Any:
        if not block.isValid() or block.dataType() not in _DTYPES:
            raise SourceError(
                tr("{layer} cannot be read: {reason}").format(
                    layer=self.title, reason=block.error().summary() or tr("its provider gave no pixels.")
                )
            )
        dtype = np.dtype(_DTYPES[block.dataType()])
        raw = np.frombuffer(bytes(block.data()), dtype).reshape(window.height, window.width)
        values = raw.astype(np.float32)
        if dtype.kind == "f":
            # QGIS's raster calculator (virtual rasters) marks what is missing so, and does not declare it.
            values[np.abs(values) >= _LARGEST] = np.nan
        if block.hasNoDataValue():
            values[raw == dtype.type(block.noDataValue())] = np.nan
        elif block.hasNoData():
            # A bitmap that Python can only ask pixel by pixel; rare (a source without a nodata value).
            missing = [block.isNoData(index) for index in range(raw.size)]
            values[np.reshape(missing, raw.shape)] = np.nan
        for limits in ranges:
            values[(raw >= limits.min()) & (raw <= limits.max())] = np.nan
        return values


class _LayerReader:
    """Bands of a provider on a grid (the engine's Reader)."""

    def __init__(
        self,
        geo: LayerGeo,
        raster: ProviderRaster,
        indexes: Sequence[int],
        grid: Grid,
        resampling: str,
        nodata: Optional[float],
    ) -> None:
        self.grid = grid
        self._geo, self._raster, self._indexes = geo, raster, list(indexes)
        self._resampling, self._nodata = resampling, nodata

    def read(self, window: Window) -> tuple[Any, Any]:
        """Values (bands, h, w) float32 and validity of the same shape."""
        target = self.grid.crop(window)
        shape = (len(self._indexes), window.height, window.width)
        source = self._source_window(target)
        if source is None:
            return np.full(shape, np.nan, np.float32), np.zeros(shape, np.bool_)
        values = self._raster.read(self._indexes, source)
        if self._nodata is not None:
            values[values == self._nodata] = np.nan
        name = f"/vsimem/terrane-{uuid.uuid4().hex}.tif"
        try:
            _write_memory(name, values, self._raster.grid.crop(source))
            bands = list(range(1, len(self._indexes) + 1))
            reader = self._geo.open_bands(name, bands, target, resampling=self._resampling, nodata=None)
            try:
                found: tuple[Any, Any] = reader.read(target.window)
            finally:
                reader.close()
            return found
        finally:
            gdal.Unlink(name)

    def close(self) -> None:
        """Nothing stays open between reads."""

    def _source_window(self, target: Grid) -> Optional[Window]:
        """The part of the raster that a target needs, with a margin; None where they do not meet."""
        grid = self._raster.grid
        box: BBox = self._geo.transform_bounds(target.bounds, target.crs, grid.crs)
        left, top = grid.transform.invert(box.xmin, box.ymax)
        right, bottom = grid.transform.invert(box.xmax, box.ymin)
        margin = _MARGIN * max(1.0, (right - left) / target.width, (bottom - top) / target.height)
        col, row = int(np.floor(left - margin)), int(np.floor(top - margin))
        width, height = int(np.ceil(right + margin)) - col, int(np.ceil(bottom + margin)) - row
        return Window(col, row, width, height).intersection(grid.window)


def _write_memory(name: str, values: Any, grid: Grid) -> None:
    """A float32 GeoTIFF in memory with NaN as nodata."""
    count, height, width = values.shape
    dataset = gdal.GetDriverByName("GTiff").Create(name, width, height, count, gdal.GDT_Float32)
    dataset.SetProjection(grid.crs)
    dataset.SetGeoTransform(grid.transform.to_gdal())
    for band in range(1, count + 1):
        dataset.GetRasterBand(band).SetNoDataValue(float("nan"))
    dataset.WriteRaster(
        0, 0, width, height, np.ascontiguousarray(values).tobytes(), width, height, gdal.GDT_Float32
    )
    dataset.FlushCache()


_IN_USE: WeakValueDictionary[str, ProviderRaster] = WeakValueDictionary()
"""Names of all layers that any LayerGeo holds: those of one request must differ between its inputs."""


class LayerGeo(GdalGeo):
    """The engine's GDAL Geo, which also reads layers that were added to it."""

    def __init__(self, *others: LayerGeo) -> None:
        """``others``: whose layers this one reads, too (several inputs of one request)."""
        super().__init__()
        self._rasters: dict[str, ProviderRaster] = {}
        for other in others:
            self._rasters.update(other._rasters)

    def add(self, layer: QgsRasterLayer) -> str:
        """Add a layer (main thread); returns the name under which the engine finds it. Raises SourceError."""
        crs = layer.crs()
        if not crs.isValid():
            raise SourceError(
                tr("{layer} has no CRS; assign one first (layer menu: Layer CRS).").format(layer=layer.name())
            )
        raster = ProviderRaster(layer, self.parse_crs(crs.toWkt(CRS_WKT)))
        base = name = PREFIX + layer.name().replace("/", "_")
        number = 1
        while name in self._rasters or (name in _IN_USE and _IN_USE[name].layer_id != layer.id()):
            number += 1
            name = f"{base} {number}"
        self._rasters[name] = _IN_USE[name] = raster
        return name

    def layer_ids(self) -> dict[str, str]:
        """Names of the layers that were added, and their ids in the project."""
        return {name: raster.layer_id for name, raster in self._rasters.items()}

    def describe(self, path: str) -> RasterInfo:
        """See Geo."""
        raster = self._rasters.get(path)
        if raster is None:
            return super().describe(path)
        return RasterInfo(path=path, grid=raster.grid, bands=raster.bands, driver="QGIS")

    def open_bands(
        self, path: str, indexes: Sequence[int], grid: Grid, *, resampling: str, nodata: Optional[float]
    ) -> Any:
        """See BaseGeo."""
        raster = self._rasters.get(path)
        if raster is None:
            return super().open_bands(path, indexes, grid, resampling=resampling, nodata=nodata)
        for index in indexes:
            if not 1 <= index <= len(raster.bands):
                raise SourceError(tr("{layer} has no band {band}.").format(layer=raster.title, band=index))
        return _LayerReader(self, raster, indexes, grid, resampling, nodata)
