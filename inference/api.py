# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python face: ``terrane.open``, ``terrane.load``, ``Model.generate``.

::

    scene = terrane.open("s2.tif", modality="S2L2A")
    tm = terrane.load("starter")
    dem = tm.generate(scene, to="DEM")
    dem.save("dem.tif")
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Optional, Union, overload

import numpy as np
import numpy.typing as npt

from . import registry
from .errors import InputError, OutputError
from .grid import Grid
from .io import default_geo
from .io.base import BandRef, Geo, RasterInfo
from .io.scene import Scene, open_scene
from .packs.manifest import Pack
from .tasks.generate import Engine, GenerateRequest, GenerateResult, generate, load_engine
from .tasks.request import Polygons
from .types import BBox, Cancel, ProgressCallback

PathLike = Union[str, "os.PathLike[str]"]
BandMap = Mapping[str, Union[int, BandRef]]


def open(  # noqa: A001 - the API's name, as in rasterio.open
    source: Union[PathLike, Sequence[PathLike]],
    *,
    modality: Optional[str] = None,
    bands: Optional[BandMap] = None,
    boa_offset: Optional[float] = None,
) -> Scene:
    """Open a scene: a stacked raster, several single-band files, a .SAFE folder or zip, a STAC item.

    ``modality`` ("S2L2A", …), ``bands`` (name to band number) and ``boa_offset`` (added to digital
    numbers, −1000 for Sentinel-2 products since baseline 04.00) are recognised where not given.
    Raises SourceError, BandError.
    """
    if isinstance(source, (str, os.PathLike)):
        return open_scene(os.fspath(source), modality=modality, bands=bands, boa_offset=boa_offset)
    paths = [os.fspath(path) for path in source]
    return open_scene(paths, modality=modality, bands=bands, boa_offset=boa_offset)


def load(
    model: PathLike = "starter",
    *,
    runtime: str = "onnx",
    device: str = "auto",
    threads: Optional[int] = None,
) -> Model:
    """Load a model by its id or by the path of its pack. Raises ModelError, PackError, RuntimeMissing."""
    pack = registry.find(os.fspath(model))
    return Model(load_engine(pack, runtime=runtime, device=device, threads=threads))


class Raster:
    """A generated raster in a temporary file, until it is saved. The file goes with this object."""

    def __init__(self, path: str, modality: str, result: GenerateResult, geo: Geo) -> None:
        self.path = path
        """Where it is now."""
        self.modality = modality
        self.result = result
        """The run that made it."""
        self._geo = geo
        self._cleanup = weakref.finalize(self, shutil.rmtree, os.path.dirname(path), ignore_errors=True)

    @property
    def info(self) -> RasterInfo:
        """Bands, nodata, units and tags."""
        return self._geo.describe(self.path)

    @property
    def grid(self) -> Grid:
        """CRS, transform and size."""
        grid = self.info.grid
        if grid is None:
            raise OutputError(f"{self.path} has lost its georeference.")
        return grid

    def read(self) -> npt.NDArray[Any]:
        """All bands (bands, h, w) in the file's own type and unit, nodata values included."""
        info, grid = self.info, self.grid
        refs = [BandRef(self.path, band.index) for band in info.bands]
        with closing(self._geo.reader(refs, grid)) as reader:
            values, valid = reader.read(grid.window)
        nodata = info.bands[0].nodata
        filled = values if nodata is None else np.where(valid, values, np.float32(nodata))
        return filled.astype(info.bands[0].dtype)

    def save(self, path: PathLike, *, overwrite: bool = False) -> Path:
        """Copy it to a GeoTIFF that appears when it is complete. Raises OutputError."""
        goal = Path(os.fspath(path))
        if goal.exists() and not overwrite:
            raise OutputError(f"The output {goal} exists already. Overwrite it, or choose another name.")
        part = goal.with_name(f".{goal.name}.{os.getpid()}.part")
        try:
            shutil.copyfile(self.path, part)
            sidecar = self.path + ".aux.xml"
            if os.path.exists(sidecar):
                shutil.copyfile(sidecar, f"{goal}.aux.xml")
            else:
                Path(f"{goal}.aux.xml").unlink(missing_ok=True)
            os.replace(part, goal)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise OutputError(f"{goal} cannot be written ({error.strerror or error}).") from error
        return goal

    def close(self) -> None:
        """Delete the temporary file now."""
        self._cleanup()

    def __enter__(self) -> Raster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Model:
    """A loaded model. Use it for as many scenes as you like, one at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def pack(self) -> Pack:
        """What the model is, takes and gives."""
        return self._engine.pack

    @property
    def device(self) -> str:
        """What really runs it, as the runtime reports it."""
        return self._engine.device

    @overload
    def generate(
        self,
        scene: Scene,
        to: str,
        *,
        preset: str = ...,
        seed: int = ...,
        extent: Optional[Sequence[float]] = ...,
        extent_crs: Optional[str] = ...,
        region: Optional[Polygons] = ...,
        grid: str = ...,
        batch: Optional[int] = ...,
        progress: Optional[ProgressCallback] = ...,
        cancel: Optional[Cancel] = ...,
    ) -> Raster: ...

    @overload
    def generate(
        self,
        scene: Scene,
        to: Union[list[str], tuple[str, ...]],
        *,
        preset: str = ...,
        seed: int = ...,
        extent: Optional[Sequence[float]] = ...,
        extent_crs: Optional[str] = ...,
        region: Optional[Polygons] = ...,
        grid: str = ...,
        batch: Optional[int] = ...,
        progress: Optional[ProgressCallback] = ...,
        cancel: Optional[Cancel] = ...,
    ) -> dict[str, Raster]: ...

    def generate(
        self,
        scene: Scene,
        to: Union[str, list[str], tuple[str, ...]],
        *,
        preset: str = "balanced",
        seed: int = 0,
        extent: Optional[Sequence[float]] = None,
        extent_crs: Optional[str] = None,
        region: Optional[Polygons] = None,
        grid: str = "model",
        batch: Optional[int] = None,
        progress: Optional[ProgressCallback] = None,
        cancel: Optional[Cancel] = None,
    ) -> Union[Raster, dict[str, Raster]]:
        """Generate one target ("DEM") or several in order (["DEM", "LULC"]; gives a dict).

        ``extent`` is (xmin, ymin, xmax, ymax) in ``extent_crs`` (the scene's own if None); ``grid`` is
        "model" or "input". Raises InputError and its kinds, MachineError, Cancelled.
        """
        targets = (to,) if isinstance(to, str) else tuple(to)
        if extent is not None and len(extent) != 4:
            raise InputError("The extent must be four numbers: XMIN YMIN XMAX YMAX.")
        geo = default_geo()
        folders = {target: tempfile.mkdtemp(prefix="terrane-") for target in targets}
        outputs = {t: os.path.join(folder, f"{scene.name}_{t}.tif") for t, folder in folders.items()}
        request = GenerateRequest(
            scenes=(scene,),
            targets=targets,
            outputs=outputs,
            model=self.pack.id,
            preset=preset,
            seed=seed,
            extent=None if extent is None else BBox(*map(float, extent)),
            extent_crs=extent_crs,
            region=region,
            grid=grid,
            batch=batch,
        )
        try:
            result = generate(request, progress=progress, cancel=cancel, geo=geo, engine=self._engine)
        except BaseException:
            for folder in folders.values():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        rasters = {target: Raster(path, target, result, geo) for target, path in outputs.items()}
        return rasters[to] if isinstance(to, str) else rasters
