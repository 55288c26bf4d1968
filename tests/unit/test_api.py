# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python face, as README shows it."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
import terrane
from rasters import files_in, ramp_image, read, write_scene
from terrane.inference.api import Raster
from terrane.inference.errors import Cancelled, ExtentError, InputError, ModelError, OutputError, SourceError
from terrane.inference.types import Cancel, Progress
from toy_pack import build_toy_pack


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cache", "temp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> terrane.Model:
    pack = build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")
    return terrane.load(pack.root, threads=1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Path(write_scene(tmp_path / "s2.tif", ramp_image(40, 60)))


def test_readmes_four_lines(model: terrane.Model, source: Path, tmp_path: Path) -> None:
    scene = terrane.open(source, modality="S2L2A")
    dem = model.generate(scene, to="DEM")
    saved = dem.save(tmp_path / "dem.tif")
    with rasterio.open(saved) as made, rasterio.open(source) as given:
        assert (made.crs, made.transform, made.shape) == (given.crs, given.transform, given.shape)
    np.testing.assert_array_equal(dem.read(), read(saved))
    assert dem.read().dtype == np.float32
    assert dem.grid.size == (60, 40)
    assert (model.device, model.pack.id) == ("CPUExecutionProvider", "toy")


def test_several_targets_come_as_a_dict(model: terrane.Model, source: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    scene = terrane.open(source)
    made = model.generate(scene, ["LULC", "DEM"], preset="fast", seed=3, progress=seen.append)
    assert list(made) == ["LULC", "DEM"]
    assert made["LULC"].read().dtype == np.uint8
    assert made["LULC"].info.tags["TERRANE_TARGETS"] == "LULC DEM"
    assert seen[-1].done == seen[-1].total == made["DEM"].result.tiles
    made["LULC"].save(tmp_path / "lulc.tif")
    with rasterio.open(tmp_path / "lulc.tif") as lulc:
        assert lulc.colormap(1)[2] == (0x35, 0x82, 0x21, 255)


def test_temporary_files_go_with_their_raster(model: terrane.Model, source: Path, tmp_path: Path) -> None:
    scene = terrane.open(source)
    with model.generate(scene, "DEM") as dem:
        assert os.path.exists(dem.path)
    assert files_in(tmp_path / "temp") == []
    dem = model.generate(scene, "DEM")
    assert files_in(tmp_path / "temp") != []
    del dem
    gc.collect()
    assert files_in(tmp_path / "temp") == []


def test_failures_leave_no_temporary_file(model: terrane.Model, source: Path, tmp_path: Path) -> None:
    scene = terrane.open(source)
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        model.generate(scene, "DEM", cancel=cancel)
    with pytest.raises(ModelError):
        model.generate(scene, ["S1GRD"])
    with pytest.raises(ExtentError):
        model.generate(scene, "DEM", extent=(0, 0, 1, 1))
    with pytest.raises(InputError, match="four numbers"):
        model.generate(scene, "DEM", extent=(0, 0, 1))
    assert files_in(tmp_path / "temp") == []


def test_saving_replaces_only_when_told(model: terrane.Model, source: Path, tmp_path: Path) -> None:
    goal = tmp_path / "dem.tif"
    goal.write_text("mine")
    with model.generate(terrane.open(source), "DEM", extent=(500000, 5099800, 500300, 5100000)) as dem:
        assert isinstance(dem, Raster)
        assert dem.read().shape == (1, 20, 30)
        with pytest.raises(OutputError, match="exists"):
            dem.save(goal)
        assert goal.read_text() == "mine"
        dem.save(goal, overwrite=True)
        with pytest.raises(OutputError):
            dem.save(tmp_path / "none" / "dem.tif")
    assert read(goal).shape == (1, 20, 30)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.tif"):
        terrane.open(tmp_path / "none.tif")
    with pytest.raises(ModelError, match="nonesuch"):
        terrane.load("nonesuch")


def test_several_scenes_samples_and_places(tmp_path: Path, source: Path) -> None:
    pack = build_toy_pack(
        tmp_path / "wide", inputs=("S2L2A", "S1GRD", "COORDS"), targets=("DEM", "LULC", "COORDS")
    )
    wide = terrane.load(pack.root)
    optical = terrane.open(source)
    radar = np.full((2, optical.grid.height, optical.grid.width), -11, np.float32)
    path = write_scene(tmp_path / "s1.tif", radar, names=("VV", "VH"), dtype="float32", nodata=-9999)
    scenes = [optical, terrane.open(path, modality="S1GRD")]
    knobs = terrane.Options(steps=1, clamp="reference")
    made = wide.generate(scenes, ["DEM", "COORDS"], samples=2, options=knobs)
    assert list(made) == ["DEM", "DEM_std", "COORDS"]
    assert made["DEM_std"].read().shape == made["DEM"].read().shape
    places = made["COORDS"].read()
    assert places.geometry == "Point"
    # Where each tile is, and where the model takes it to be.
    assert len(places.wkb) == 2 * made["DEM"].result.tiles
    made["COORDS"].save(tmp_path / "places.gpkg")
    assert isinstance(wide.generate(optical, "LULC", coords=True), Raster)
    assert list(wide.generate(optical, "LULC", probability=True)) == ["LULC", "LULC_probability"]


def test_a_folder_of_the_users_keeps_what_is_made(model: terrane.Model, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    scene, cancel = terrane.open(source), Cancel()

    def press(progress: Progress) -> None:
        if progress.done:
            cancel.set()

    with pytest.raises(Cancelled, match="tiles are kept") as caught:
        model.generate(scene, "DEM", into=out, batch=1, progress=press, cancel=cancel)
    assert caught.value.kept is not None
    with model.generate(scene, "DEM", into=out, batch=1, resume=True) as dem:
        assert dem.result.resumed == caught.value.kept[0]
        assert Path(dem.path).parent == out
    assert files_in(out) == [f"{scene.name}_DEM.tif"]
    with pytest.raises(InputError, match="give the folder"):
        model.generate(scene, "DEM", resume=True)
