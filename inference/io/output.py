# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing a raster so that its name stands for a whole file: temporary first, renamed when complete.

Pixels go into an uncompressed tiled GeoTIFF beside the output, in any order. ``commit`` copies it as a
Cloud-Optimized GeoTIFF, also under a temporary name, and renames that. All temporary names begin with
``.<stem>.<random>`` and end with ``.part.tif`` (or add a suffix of GDAL's), so that one pattern
removes them. No clock time is written: equal pixels make equal bytes.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from typing import Callable, Protocol

import numpy as np

from ..errors import Cancelled, DiskFull, OutputError, TerraneError
from ..grid import Grid
from ..types import Cancel, Window
from .base import Array, OutputSpec
from .vrt import GDAL_TYPES, output_vrt

BLOCK = 256
"""Side of the blocks of outputs, pixels."""

MANY = 16
"""Rasters of more bands keep each band by itself, in blocks of a quarter of that side: pixel by pixel, GDAL
would decode all bands to show one, again and again from 128 bands on (measured: 200 times slower)."""

HALF_MAX = 65504
"""Largest half float (IEEE 754 binary16)."""

MARGIN = 2**20
"""Bytes for headers and sidecar files in the forecast."""


class RasterSink(Protocol):
    """A plain raster of one library, open for writing."""

    def write(self, window: Window, values: Array) -> None:
        """Write (bands, h, w). Raises OSError."""
        ...

    def close(self) -> None:
        """Flush and close. Raises OSError."""
        ...


SinkFactory = Callable[[str, Grid, OutputSpec], RasterSink]
CopyFunction = Callable[[str, str, str, Mapping[str, str], Cancel], None]


def block_side(spec: OutputSpec) -> int:
    """Side of a raster's blocks in pixels."""
    return BLOCK if len(spec.band_names) <= MANY else BLOCK // 4


def raw_bytes(grid: Grid, spec: OutputSpec) -> int:
    """Bytes of the plain temporary file: whole blocks, uncompressed."""
    side = block_side(spec)
    across, down = -(-grid.width // side), -(-grid.height // side)
    return across * down * side * side * np.dtype(spec.dtype).itemsize * len(spec.band_names)


def bytes_needed(grid: Grid, spec: OutputSpec) -> int:
    """Bytes of free disk that writing takes at most: the plain file, the overviews and the COG."""
    return int(raw_bytes(grid, spec) * (1 + 1 / 3 + 4 / 3)) + MARGIN


def creation_options(spec: OutputSpec) -> dict[str, str]:
    """How the plain temporary file is made."""
    side = str(block_side(spec))
    shape = {"TILED": "YES", "BLOCKXSIZE": side, "BLOCKYSIZE": side, "BIGTIFF": "IF_SAFER"}
    return {**shape, "INTERLEAVE": "BAND"} if len(spec.band_names) > MANY else shape


def cog_options(spec: OutputSpec) -> dict[str, str]:
    """How the output is made. DEFLATE with a predictor is read everywhere, unlike ZSTD or LERC."""
    classes = bool(spec.categories) or spec.colors is not None
    return {
        "COMPRESS": "DEFLATE",
        "PREDICTOR": "YES",
        "BLOCKSIZE": str(BLOCK),
        "BIGTIFF": "IF_SAFER",
        "OVERVIEW_RESAMPLING": "MODE" if classes else "AVERAGE",
    }


def is_cog(spec: OutputSpec) -> bool:
    """Whether an output is a Cloud-Optimized GeoTIFF, else a tiled one without overviews.

    GDAL's COG driver keeps bands apart from 3.11 on only, and half floats from 3.7 on.
    """
    return len(spec.band_names) <= MANY and not spec.half


def tiled_options(spec: OutputSpec) -> dict[str, str]:
    """How an output is made that is no COG."""
    predictor = "3" if np.dtype(spec.dtype).kind == "f" else "2"
    # Hundreds of bands of floats hardly get smaller by trying harder, only slower.
    options = {**creation_options(spec), "COMPRESS": "DEFLATE", "ZLEVEL": "1", "PREDICTOR": predictor}
    return {**options, "NBITS": "16"} if spec.half else options


def size_text(count: int) -> str:
    """Bytes for people: "3.2 GB"."""
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _free(folder: str) -> int:
    return shutil.disk_usage(folder).free


def check_output(path: str, *, overwrite: bool) -> None:
    """Raise OutputError where an output cannot come to be under this name."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise OutputError(f"The folder {folder} does not exist; make it, or choose another.")
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder; give the name of a file.")
    if os.path.exists(path):
        if not overwrite:
            raise OutputError(f"{path} already exists; choose another name, or allow overwriting.")
        try:
            # Windows refuses this while another program holds the file; better known now than at the end.
            with open(path, "r+b"):
                pass
        except OSError as error:
            raise OutputError(
                f"{path} cannot be replaced: it is write-protected or open elsewhere."
            ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"The folder {folder} cannot be written; choose another.")


class FileWriter:
    """A Writer over a library's sink and copy functions."""

    def __init__(
        self,
        path: str,
        grid: Grid,
        spec: OutputSpec,
        *,
        overwrite: bool,
        sink: SinkFactory,
        copy: CopyFunction,
    ) -> None:
        if spec.dtype not in GDAL_TYPES:
            raise ValueError(f"no such output type: {spec.dtype}")
        path = os.path.abspath(path)
        check_output(path, overwrite=overwrite)
        self._path, self._grid, self._spec, self._overwrite = path, grid, spec, overwrite
        self._copy = copy
        self._folder = os.path.dirname(path)
        stem = os.path.splitext(os.path.basename(path))[0]
        self._prefix = os.path.join(self._folder, f".{stem}.{secrets.token_hex(4)}")
        self._plain, self._cog = self._prefix + ".part.tif", self._prefix + ".cog.part.tif"
        self._sink: RasterSink | None = None
        self._done = False
        need, free = bytes_needed(grid, spec), _free(self._folder)
        if need > free:
            raise DiskFull(
                f"{os.path.basename(path)} needs up to {size_text(need)} in {self._folder}, where "
                f"{size_text(free)} are free; free some space, or choose a smaller extent or another folder."
            )
        try:
            self._sink = sink(self._plain, grid, spec)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> TerraneError:
        """Clean up, and say in one sentence why writing failed."""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
        free = _free(self._folder)
        self.abort()
        name = os.path.basename(self._path)
        if full or free < MARGIN:
            return DiskFull(f"The disk with {self._folder} is full; {name} was not written. Free some space.")
        return OutputError(f"{name} could not be written in {self._folder}: {error}")

    def write(self, window: Window, values: Array) -> None:
        """Write (bands, h, w) in the output's dtype. Raises DiskFull or OutputError."""
        shape = (len(self._spec.band_names), window.height, window.width)
        if values.shape != shape or values.dtype != np.dtype(self._spec.dtype):
            raise ValueError(f"expected {shape} {self._spec.dtype}, not {values.shape} {values.dtype}")
        if self._sink is None:
            raise ValueError("this output is closed")
        if self._spec.half:
            # GDAL cuts digits off where it makes half floats of floats; rounded ones pass unchanged.
            values = np.clip(values, -HALF_MAX, HALF_MAX).astype(np.float16).astype(np.float32)
        try:
            # GDAL reports a full disk late, at the flush of some block; ask beforehand as well.
            if _free(self._folder) < values.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._sink.write(window, np.ascontiguousarray(values))
        except OSError as error:
            raise self._failed(error) from error

    def commit(self, cancel: Cancel | None = None) -> None:
        """Finish as a Cloud-Optimized GeoTIFF, then rename to the final name (atomic). Raises Cancelled."""
        if self._sink is None:
            raise ValueError("this output is closed")
        cancel = cancel or Cancel()
        try:
            sink, self._sink = self._sink, None
            sink.close()
            if os.path.getsize(self._plain) < raw_bytes(self._grid, self._spec):
                raise OSError(errno.ENOSPC, "the temporary file was cut short")
            driver, options = ("COG", cog_options) if is_cog(self._spec) else ("GTiff", tiled_options)
            vrt = output_vrt(self._plain, self._grid, self._spec)
            cancel.add_hook(self._cut_short)
            try:
                self._copy(vrt, self._cog, driver, options(self._spec), cancel)
            finally:
                cancel.remove_hook(self._cut_short)
            self._rename()
        except OSError as error:
            if cancel.is_set():
                self.abort()
                raise Cancelled from error
            raise self._failed(error) from error
        self._done = True
        self._remove_parts()

    def _cut_short(self) -> None:
        """Make a copy that is under way fail, because what it reads ends: rasterio cannot tell GDAL to stop.

        What GDAL's cache holds already is still copied: some seconds' work at most.
        """
        with suppress(OSError):
            os.truncate(self._plain, 0)

    def _rename(self) -> None:
        """Put the sidecar (class names) and then the raster in place."""
        if not self._overwrite and os.path.exists(self._path):
            raise OSError(errno.EEXIST, "a file of this name has appeared meanwhile")
        side, final = self._cog + ".aux.xml", self._path + ".aux.xml"
        sidecar = os.path.exists(side)
        if sidecar:
            os.replace(side, final)
        elif os.path.exists(final):
            # Statistics of the file that is being overwritten.
            os.remove(final)
        try:
            os.replace(self._cog, self._path)
        except OSError as error:
            if sidecar:
                os.remove(final)
            if isinstance(error, PermissionError):
                raise OSError(error.errno, "it is open in another program; close it there") from error
            raise

    def _remove_parts(self) -> None:
        for part in glob.glob(glob.escape(self._prefix) + "*"):
            try:
                os.remove(part)
            except FileNotFoundError:
                continue

    def abort(self) -> None:
        """Delete everything that was written. Safe to call twice, and after commit (no effect)."""
        sink, self._sink = self._sink, None
        if self._done:
            return
        if sink is not None:
            try:
                sink.close()
            except OSError:
                # The file is about to be deleted: what could not be flushed does not matter.
                self._remove_parts()
        self._remove_parts()
