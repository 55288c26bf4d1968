# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole path headless: a scene in, finished rasters out, with a model that can be worked out by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import terrane
from rasters import BANDS, CORNER, UTM32, files_in, ramp_image, read, write_scene
from terrane.inference.errors import (
    BandError,
    ExtentError,
    InputError,
    ModelError,
    OutputError,
    PackError,
    TerraneError,
)
from terrane.inference.io.scene import Scene, open_scene
from terrane.inference.packs.manifest import Pack
from terrane.inference.tasks.generate import GenerateRequest, GenerateResult, forecast, generate
from terrane.inference.types import BBox, Progress
from toy_pack import build_toy_pack, expected


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Tiles of 32, patches of 8: neighbours overlap by 8."""
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def request(scene: Scene, pack: Pack, out: Path, *targets: str, **changes: Any) -> GenerateRequest:
    targets = targets or ("DEM",)
    return GenerateRequest(
        scenes=(scene,),
        targets=targets,
        outputs={t: str(out / f"{scene.name}_{t}.tif") for t in targets},
        model=str(pack.root),
        **changes,
    )


def scene_of(tmp_path: Path, image: np.ndarray, **options: Any) -> Scene:
    return open_scene(write_scene(tmp_path / "s2.tif", image, **options), modality="S2L2A")


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 3), (32, 32), (33, 31), (70, 45), (41, 100)])
def test_any_size_comes_back_in_place(tmp_path: Path, out: Path, toy: Pack, size: tuple[int, int]) -> None:
    scene = scene_of(tmp_path, np.full((12, *size), 2300, np.float32))
    result = generate(request(scene, toy, out, "DEM", "LULC", "NDVI"))
    assert all(name.startswith("s2_") for name in files_in(out))
    with rasterio.open(tmp_path / "s2.tif") as source:
        for path in result.outputs.values():
            with rasterio.open(path) as made:
                assert made.crs == source.crs
                assert made.transform == source.transform
                assert made.shape == source.shape == size
    # z = 0.3 everywhere: the levels 0.3 of DEM and 0.25 of LULC (the fifth of nine), no NDVI.
    np.testing.assert_allclose(read(result.outputs["DEM"]), 500 + 0.3 * 300, rtol=1e-6)
    assert (read(result.outputs["LULC"]) == 6).all()
    np.testing.assert_allclose(read(result.outputs["NDVI"]), 0, atol=1e-6)


def test_one_tile_is_what_the_model_gives(tmp_path: Path, out: Path, toy: Pack) -> None:
    image = ramp_image(32, 32).round()
    result = generate(request(scene_of(tmp_path, image), toy, out, "DEM", "NDVI"))
    for target in ("DEM", "NDVI"):
        np.testing.assert_allclose(
            read(result.outputs[target]), expected(image[None], target)[0], rtol=1e-5, atol=1e-5
        )


def test_outputs_describe_themselves(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(40, 60))
    result = generate(request(scene, toy, out, "DEM", "LULC", seed=7, preset="fast"))
    with rasterio.open(result.outputs["DEM"]) as dem:
        assert (dem.count, dem.dtypes, dem.nodata, dem.units) == (1, ("float32",), -9999.0, ("m",))
        assert dem.descriptions == ("DEM",)
        tags = dem.tags()
        assert dem.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert tags["TERRANE_SYNTHETIC"].startswith("YES")
    assert tags["TERRANE_MODEL"] == "toy 1.0.0"
    assert tags["TERRANE_PACK_SHA256"] == toy.hash
    assert (tags["TERRANE_PRESET"], tags["TERRANE_SEED"]) == ("fast", "7")
    assert tags["TERRANE_TILE_GRID"] == "tile 32 stride 24 rows 2 cols 3"
    assert (tags["TERRANE_MODALITY"], tags["TERRANE_TARGETS"]) == ("DEM", "DEM LULC")
    assert tags["TERRANE_SOURCE"] == "s2.tif"
    assert tags["TERRANE_NOTICE"] == "toy model for tests"
    assert "EGM2008" in tags["TERRANE_NOTE"]
    assert tags["TERRANE_VERSION"] == terrane.__version__
    assert "TERRANE_DEVICE" not in tags
    with rasterio.open(result.outputs["LULC"]) as lulc:
        assert (lulc.count, lulc.dtypes, lulc.nodata) == (1, ("uint8",), 0)
        assert lulc.colormap(1)[1] == (0x1A, 0x5B, 0xAB, 255)


def test_nodata_in_is_nodata_out(tmp_path: Path, out: Path, toy: Pack) -> None:
    image = ramp_image(90, 70)
    image[:, 10:20, 30:50] = 0
    image[3, 60:64, 5:9] = 0  # one band alone being 0 is a dark pixel or nodata, as the file says
    scene = scene_of(tmp_path, image)
    result = generate(request(scene, toy, out, "DEM", "LULC"))
    hole = (image == 0).any(axis=0)
    np.testing.assert_array_equal(read(result.outputs["DEM"])[0] == -9999, hole)
    np.testing.assert_array_equal(read(result.outputs["LULC"])[0] == 0, hole)


def test_tiles_without_a_valid_pixel_are_skipped(tmp_path: Path, out: Path, toy: Pack) -> None:
    image = ramp_image(32, 104)
    image[:, :, :60] = 0
    result = generate(request(scene_of(tmp_path, image), toy, out))
    # Tiles begin at 0, 24, 48 and 72: the first two end at 32 and 56.
    assert (result.tiles, result.skipped) == (4, 2)
    np.testing.assert_array_equal(read(result.outputs["DEM"])[0] == -9999, image[0] == 0)


@pytest.mark.parametrize("batch", [1, 2, 3, 8])
def test_batches_do_not_change_the_result(tmp_path: Path, out: Path, toy: Pack, batch: int) -> None:
    image = ramp_image(60, 110)
    image[:, 20:40, 20:60] = 0
    result = generate(
        request(scene_of(tmp_path, image), toy, out, "DEM", batch=batch, preset="exact", seed=3)
    )
    again = generate(
        request(scene_of(tmp_path, image), toy, out, "DEM", batch=5, preset="exact", seed=3, overwrite=True)
    )
    assert result.outputs == again.outputs
    first = read(result.outputs["DEM"])
    np.testing.assert_allclose(first, read(again.outputs["DEM"]), rtol=1e-6)


def test_equal_requests_make_equal_bytes(tmp_path: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(60, 80))
    made = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        result = generate(request(scene, toy, folder, "DEM", "LULC", preset="exact", seed=1))
        made.append([Path(p).read_bytes() for p in result.outputs.values()])
    assert made[0] == made[1]


def test_an_extent_cuts_whole_pixels(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(90, 90))
    x, y = CORNER
    extent = BBox(x + 203, y - 704, x + 598, y - 301)
    result = generate(request(scene, toy, out, extent=extent, extent_crs=UTM32))
    with rasterio.open(result.outputs["DEM"]) as dem:
        assert ((dem.transform.c - x) / 10, (y - dem.transform.f) / 10) == (20, 30)
        assert dem.shape == (41, 40)


def test_a_region_masks_and_skips(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(100, 100))
    x, y = CORNER
    triangle = [[(x + 100, y - 100), (x + 900, y - 100), (x + 100, y - 900), (x + 100, y - 100)]]
    result = generate(request(scene, toy, out, "DEM", "LULC", region=[triangle], extent_crs=UTM32))
    assert 0 < result.skipped < result.tiles
    with rasterio.open(result.outputs["DEM"]) as dem:
        assert dem.shape == (80, 80)
        values = dem.read(1)
    rows, cols = np.mgrid[0:80, 0:80] + 0.5
    inside = rows + cols < 80
    certain = np.abs(rows + cols - 80) > 0.01
    np.testing.assert_array_equal((values != -9999)[certain], inside[certain])
    np.testing.assert_array_equal((read(result.outputs["LULC"])[0] != 0)[certain], inside[certain])


def test_a_region_without_any_pixel_is_refused(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(50, 50))
    x, y = CORNER
    sliver = [[(x + 101, y - 101), (x + 102, y - 101), (x + 102, y - 102), (x + 101, y - 101)]]
    with pytest.raises(ExtentError):
        generate(request(scene, toy, out, region=[sliver], extent_crs=UTM32))
    assert files_in(out) == []


def test_results_can_come_back_on_the_inputs_grid(tmp_path: Path, out: Path, toy: Pack) -> None:
    image = ramp_image(40, 50)
    image[:, :8, :8] = 0
    scene = scene_of(tmp_path, image, gsd=20.0)
    model = generate(request(scene, toy, out, "DEM"))
    with rasterio.open(model.outputs["DEM"]) as dem:
        assert dem.shape == (80, 100)
        assert dem.res == (10.0, 10.0)
    result = generate(request(scene, toy, out, "DEM", "LULC", grid="input", overwrite=True))
    with rasterio.open(tmp_path / "s2.tif") as source:
        for target, nodata in (("DEM", -9999), ("LULC", 0)):
            with rasterio.open(result.outputs[target]) as made:
                assert (made.transform, made.crs, made.shape) == (source.transform, source.crs, source.shape)
                assert (made.read(1)[:7, :7] == nodata).all()
                assert (made.read(1)[9:, 9:] != nodata).all()
    assert set(np.unique(read(result.outputs["LULC"]))) <= set(range(10))


def test_a_geographic_scene_is_worked_on_in_metres(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(60, 60), crs="EPSG:4326", gsd=0.0001, corner=(9.0, 46.0))
    result = generate(request(scene, toy, out, "DEM"))
    with rasterio.open(result.outputs["DEM"]) as dem:
        assert dem.crs == UTM32
        assert dem.res == (10.0, 10.0)
    result = generate(request(scene, toy, out, "DEM", grid="input", overwrite=True))
    with rasterio.open(result.outputs["DEM"]) as dem, rasterio.open(tmp_path / "s2.tif") as source:
        assert (dem.transform, dem.crs, dem.shape) == (source.transform, source.crs, source.shape)
        assert (dem.read(1)[2:-2, 2:-2] != -9999).all()


def test_an_extent_of_two_zones_comes_back_as_one(tmp_path: Path, out: Path, toy: Pack) -> None:
    # 12° wide around the border of zones 32 and 33, at 0.1°: as coarse as the test can bear.
    pack = build_toy_pack(tmp_path / "coarse", gsd=10000.0)
    image = np.full((12, 20, 140), 2300, np.float32)
    scene = scene_of(tmp_path, image, crs="EPSG:4326", gsd=0.1, corner=(5.0, 46.0))
    seen = forecast(request(scene, pack, out))
    result = generate(request(scene, pack, out, "DEM", "LULC"))
    assert seen.grids > 1
    with rasterio.open(result.outputs["DEM"]) as dem:
        assert dem.crs == "EPSG:4326"
        assert dem.shape == (20, 140)
        values = dem.read(1)
    assert (values[2:-2, 2:-2] != -9999).all()
    # One level of the toy model is 30 m; patches that reach over the scene's edge may be one lower.
    inside = values[values != -9999]
    assert 559.9 < inside.min() <= inside.max() < 590.1
    assert np.median(values) == 590
    assert [f for f in files_in(out) if not f.endswith(".aux.xml")] == ["s2_DEM.tif", "s2_LULC.tif"]


def test_progress_rises_to_the_end(tmp_path: Path, out: Path, toy: Pack) -> None:
    seen: list[Progress] = []
    scene = scene_of(tmp_path, ramp_image(100, 100))
    result = generate(request(scene, toy, out, "DEM", "LULC", batch=1), progress=seen.append)
    done = [p.done for p in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, result.tiles)
    assert {p.total for p in seen} == {result.tiles} == {16}
    assert seen[0].seconds_left is None
    assert seen[8].seconds_left is not None
    assert [p.message for p in seen if p.message] == ["Levelling DEM", "Writing DEM", "Writing LULC"]


def test_the_result_says_what_ran(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(40, 40))
    result = generate(request(scene, toy, out, device="cpu", threads=1))
    assert isinstance(result, GenerateResult)
    assert result.device == "CPUExecutionProvider"
    assert result.model == "toy"
    assert result.seconds > 0
    assert any("toy model for tests" in w for w in result.warnings)
    envelope = result.to_json()
    assert (envelope["schema"], envelope["verb"]) == (1, "generate")
    assert envelope["peak_rss_mb"] > 10
    assert envelope["outputs"] == {"DEM": str(out / "s2_DEM.tif")}


def test_a_forecast_knows_its_second_run(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(60, 80))
    asked = dataclasses.replace(request(scene, toy, out), outputs={})
    first = forecast(asked)
    assert (first.tiles, first.grids, first.width_m, first.height_m) == (9, 1, 800.0, 600.0)
    assert first.bytes_needed > 60 * 80 * 4
    assert first.seconds is None
    generate(request(scene, toy, out))
    second = forecast(asked)
    assert second.seconds is not None
    assert 0 < second.seconds < 60


def test_an_existing_output_is_kept_unless_told(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(40, 40))
    (out / "s2_DEM.tif").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        generate(request(scene, toy, out))
    assert (out / "s2_DEM.tif").read_text() == "mine"
    generate(request(scene, toy, out, overwrite=True))
    assert read(out / "s2_DEM.tif").shape == (1, 40, 40)


BAD: list[tuple[dict[str, Any], type[TerraneError], str]] = [
    ({"targets": ("S1GRD",)}, ModelError, "does not generate S1GRD; it generates DEM, LULC, NDVI"),
    ({"targets": ()}, InputError, "at least one target"),
    ({"targets": ("DEM", "DEM")}, InputError, "more than once"),
    ({"outputs": {}}, InputError, "Name an output for DEM"),
    ({"outputs": {"DEM": "{out}/a.tif", "LULC": "{out}/b.tif"}}, InputError, "LULC, which is not a target"),
    ({"outputs": {"DEM": "{out}/none/a.tif"}}, OutputError, "does not exist"),
    ({"outputs": {"DEM": "{scene}"}, "overwrite": True}, OutputError, "also an input"),
    ({"model": "nonesuch"}, ModelError, "no model 'nonesuch'"),
    ({"preset": "best"}, InputError, "no preset 'best'"),
    ({"grid": "output"}, InputError, '"model" or "input"'),
    ({"seed": -1}, InputError, "seed"),
    ({"batch": 0}, InputError, "batch"),
    ({"threads": 0}, InputError, "threads"),
    ({"runtime": "tensorflow"}, InputError, "no runtime 'tensorflow'"),
    ({"device": "abacus"}, InputError, "no device 'abacus'"),
    ({"extent": BBox(0, 0, 0, 1)}, ExtentError, "empty"),
    ({"extent": BBox(0, 0, float("nan"), 1)}, ExtentError, "finite"),
    ({"extent": BBox(0, 0, 10, 10)}, ExtentError, "."),
    ({"extent": BBox(0, 0, 10, 10), "extent_crs": "EPSG:999999"}, InputError, "."),
    ({"region": []}, ExtentError, "no polygon"),
]


@pytest.mark.parametrize(("changes", "error", "text"), BAD, ids=[str(sorted(b[0])) for b in BAD])
def test_bad_requests_are_refused_in_one_sentence(
    tmp_path: Path, out: Path, toy: Pack, changes: dict[str, Any], error: type[TerraneError], text: str
) -> None:
    scene = scene_of(tmp_path, ramp_image(40, 40))
    if "outputs" in changes:
        places = {"out": out, "scene": scene.source}
        changes = {**changes, "outputs": {k: v.format(**places) for k, v in changes["outputs"].items()}}
    with pytest.raises(error, match=text) as caught:
        generate(dataclasses.replace(request(scene, toy, out), **changes))
    assert "\n" not in str(caught.value)
    assert files_in(out) == []


def test_a_pack_of_other_inputs_or_bands_is_refused(tmp_path: Path, out: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, ramp_image(40, 40))
    with pytest.raises(ModelError, match="does not take S2L1C; it takes S2L2A"):
        generate(request(dataclasses.replace(scene, modality="S2L1C"), toy, out))
    with pytest.raises(BandError, match="needs the bands B12"):
        generate(request(dataclasses.replace(scene, bands=scene.bands[:-1]), toy, out))
    assert files_in(out) == []


def test_a_damaged_pack_is_refused(tmp_path: Path, out: Path) -> None:
    pack = build_toy_pack(tmp_path / "damaged")
    graph = pack.root / "graphs" / "encoder.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    scene = scene_of(tmp_path, ramp_image(40, 40))
    with pytest.raises(PackError, match=r"encoder\.onnx is damaged"):
        generate(request(scene, pack, out))
    assert files_in(out) == []


def test_bands_in_another_order_are_put_right(tmp_path: Path, out: Path, toy: Pack) -> None:
    image = ramp_image(32, 32)
    image[BANDS.index("B08")] += 900
    straight = generate(request(scene_of(tmp_path, image), toy, out, "NDVI"))
    values = read(straight.outputs["NDVI"])
    assert values.mean() > 0.2
    order = list(range(12))[::-1]
    names = tuple(BANDS[i] for i in order)
    scene = scene_of(tmp_path, image[order], names=names)
    turned = generate(request(scene, toy, out, "NDVI", overwrite=True))
    np.testing.assert_array_equal(values, read(turned.outputs["NDVI"]))


@pytest.mark.parametrize("chip", ["282D_485L_3_3", "38D_378R_2_3", "637U_59R_1_3"])
def test_real_chips_come_back_in_place(tmp_path: Path, out: Path, shared_data: Path, chip: str) -> None:
    pack = build_toy_pack(tmp_path / "pack", tile=224, patch=16)
    source = shared_data / "terramesh" / "S2L2A" / f"{chip}.tif"
    result = generate(request(open_scene(str(source), modality="S2L2A"), pack, out, "DEM", "LULC"))
    with rasterio.open(source) as given:
        for path in result.outputs.values():
            with rasterio.open(path) as made:
                assert (made.crs, made.transform, made.shape) == (given.crs, given.transform, given.shape)


def test_both_geos_make_the_same_pixels(tmp_path: Path, toy: Pack) -> None:
    pytest.importorskip("osgeo")
    from terrane.inference.io.gdal_geo import GdalGeo
    from terrane.inference.io.rasterio_geo import RasterioGeo

    image = ramp_image(40, 50)
    image[:, :8, :8] = 0
    path = write_scene(tmp_path / "s2.tif", image, gsd=20.0)
    made = []
    for geo in (RasterioGeo(), GdalGeo()):
        folder = tmp_path / geo.name
        folder.mkdir()
        scene = open_scene(path, modality="S2L2A", geo=geo)
        result = generate(request(scene, toy, folder, "DEM", "LULC", grid="input"), geo=geo)
        made.append([read(p) for p in result.outputs.values()])
    for ours, theirs in zip(*made):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
