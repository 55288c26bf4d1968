# SPDX-License-Identifier: GPL-2.0-or-later
"""Several scenes on one grid, several samples, knobs: requests beyond one scene and one run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasters import CORNER, UTM32, files_in, ramp_image, read, write_scene
from terrane.inference.adapters.terramind import TerraMind
from terrane.inference.errors import ExtentError, InputError, ModelError
from terrane.inference.io import default_geo
from terrane.inference.io.scene import Scene, open_scene
from terrane.inference.packs.manifest import Pack
from terrane.inference.presets import Options
from terrane.inference.tasks.generate import GenerateRequest, Spread, calibrate, forecast, generate
from terrane.inference.tasks.request import output_paths, product_names
from terrane.inference.types import BBox
from toy_pack import ALL_INPUTS, ALL_TARGETS, build_toy_pack, expected


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("packs") / "toy"
    return build_toy_pack(folder, inputs=ALL_INPUTS, targets=ALL_TARGETS, chain=False, gain=0.5)


def request(
    scenes: tuple[Scene, ...], pack: Pack, out: Path, targets: tuple[str, ...] = ("DEM",), **changes: Any
) -> GenerateRequest:
    out.mkdir(exist_ok=True)
    names = product_names(
        targets, samples=changes.get("samples", 1), probability=changes.get("probability", False)
    )
    return GenerateRequest(
        scenes=scenes,
        targets=targets,
        outputs=output_paths(str(out), "s", names),
        model=str(pack.root),
        **{"options": Options(steps=1), **changes},
    )


def optical(tmp_path: Path, size: int = 32) -> tuple[Scene, np.ndarray]:
    image = ramp_image(size, size).round()
    return open_scene(write_scene(tmp_path / "s2.tif", image), modality="S2L2A"), image


def radar(tmp_path: Path, size: int = 32, **options: Any) -> tuple[Scene, np.ndarray]:
    rows, cols = np.mgrid[0:size, 0:size]
    image = np.stack([-18 + 0.3 * cols, -10 + 0.1 * rows]).astype(np.float32)
    settings = {"names": ("VV", "VH"), "dtype": "float32", "nodata": -9999, **options}
    path = write_scene(tmp_path / "s1.tif", image, **settings)
    return open_scene(path, modality="S1GRD"), image


def test_several_scenes_go_into_the_model_together(tmp_path: Path, toy: Pack) -> None:
    (s2, image), (s1, decibels) = optical(tmp_path), radar(tmp_path)
    result = generate(request((s2, s1), toy, tmp_path / "out", ("LULC",)))
    images = {"S2L2A": image[None], "S1GRD": decibels[None]}
    np.testing.assert_array_equal(read(result.outputs["LULC"]), expected(images, "LULC")[0])
    with rasterio.open(result.outputs["LULC"]) as made:
        assert made.tags()["TERRANE_SOURCE"] == "s2.tif; s1.tif"
    alone = generate(request((s2,), toy, tmp_path / "alone", ("LULC",)))
    assert not np.array_equal(read(result.outputs["LULC"]), read(alone.outputs["LULC"]))


def test_the_first_scene_defines_the_grid_and_validity_is_common(tmp_path: Path, toy: Pack) -> None:
    s2, _ = optical(tmp_path, 60)
    # Coarser, of another CRS, and smaller: what it leaves uncovered cannot be made.
    geo = default_geo()
    corner = geo.transform_bounds(
        BBox(CORNER[0] + 200, CORNER[1] - 500, CORNER[0] + 500, CORNER[1] - 100),
        UTM32,
        "EPSG:4326",
    )
    s1, _ = radar(tmp_path, 16, crs="EPSG:4326", gsd=0.00025, corner=(corner.xmin, corner.ymax))
    result = generate(request((s2, s1), toy, tmp_path / "out", ("DEM", "LULC")))
    with rasterio.open(result.outputs["DEM"]) as made, rasterio.open(tmp_path / "s2.tif") as first:
        assert (made.transform, made.crs, made.shape) == (first.transform, first.crs, first.shape)
        valid = made.read(1) != -9999
    assert 0.2 < valid.mean() < 0.8
    assert valid[20, 30]
    assert not valid[:8].any()
    assert not valid[:, :15].any()
    np.testing.assert_array_equal(read(result.outputs["LULC"])[0] != 0, valid)


def test_scenes_of_different_places_are_refused(tmp_path: Path, toy: Pack) -> None:
    s2, _ = optical(tmp_path)
    s1, _ = radar(tmp_path, corner=(CORNER[0] + 9000, CORNER[1]))
    with pytest.raises(ExtentError, match=r"s2 and s1 has no valid pixel|no valid pixel"):
        generate(request((s2, s1), toy, tmp_path / "out"))
    assert files_in(tmp_path / "out") == []


def test_coordinates_are_those_of_each_tile(tmp_path: Path) -> None:
    exact = build_toy_pack(tmp_path / "exact", inputs=ALL_INPUTS, chain=False)
    s2, image = optical(tmp_path)
    result = generate(request((s2,), exact, tmp_path / "out", coords=True))
    middle = default_geo().transform(UTM32, "EPSG:4326", [CORNER[0] + 160], [CORNER[1] - 160])
    images = {"S2L2A": image[None], "COORDS": np.array(middle).T}
    made = read(result.outputs["DEM"])
    np.testing.assert_allclose(made, expected(images, "DEM", clamp=1.0)[0], atol=1e-2)
    assert not np.allclose(made, expected(image[None], "DEM", clamp=1.0)[0], atol=1e-2)


def test_every_target_has_its_own_bands(tmp_path: Path, toy: Pack) -> None:
    s2, _ = optical(tmp_path, 40)
    targets = ("S1GRD", "DEM", "NDVI", "LULC")
    result = generate(request((s2,), toy, tmp_path / "out", targets))
    assert list(result.outputs) == list(targets)
    assert [read(path).shape[0] for path in result.outputs.values()] == [2, 1, 1, 1]


def test_samples_are_averaged_and_their_spread_is_written(tmp_path: Path, toy: Pack) -> None:
    s2, image = optical(tmp_path)
    asked = request((s2,), toy, tmp_path / "out", ("DEM", "LULC"), samples=5, seed=2)
    result = generate(asked)
    assert list(result.outputs) == ["DEM", "DEM_std", "LULC", "LULC_probability", "LULC_entropy"]
    with rasterio.open(result.outputs["DEM_std"]) as made:
        tags = made.tags()
        assert (made.dtypes, made.nodata, made.units) == (("float32",), -9999.0, ("m",))
    assert tags["TERRANE_SAMPLES"] == "5"
    assert tags["TERRANE_MODALITY"] == "DEM_std"
    assert "5 samples" in tags["TERRANE_NOTE"]
    drawn = []
    for sample in range(5):
        one = _one_sample(toy, image, sample)
        drawn.append(one)
    dem = np.stack([one["DEM"][0] for one in drawn]).astype(np.float64)
    lulc = np.stack([one["LULC"][0] for one in drawn]).astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(read(result.outputs["DEM"]), dem.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(read(result.outputs["DEM_std"]), dem.std(axis=0, ddof=1), rtol=1e-5, atol=1e-3)
    assert dem.std(axis=0).max() > 0
    chosen = lulc[1:].argmax(axis=0) + 1
    np.testing.assert_array_equal(read(result.outputs["LULC"])[0], chosen)
    probability = read(result.outputs["LULC_probability"])[0]
    np.testing.assert_allclose(probability, lulc.max(axis=0) / lulc.sum(axis=0), atol=1e-4)
    share = lulc / lulc.sum(axis=0)
    entropy = -(share * np.log(np.maximum(share, 1e-12))).sum(axis=0) / np.log(len(lulc))
    np.testing.assert_allclose(read(result.outputs["LULC_entropy"])[0], entropy, atol=1e-3)


def _one_sample(pack: Pack, image: np.ndarray, sample: int) -> dict[str, np.ndarray]:
    from terrane.inference import presets
    from terrane.inference.adapters.base import TileKey
    from terrane.inference.tasks.engine import load_engine

    engine = load_engine(pack, device="cpu")
    preset = presets.apply(presets.get("balanced"), Options(steps=1, sampler="top_p"))
    return engine.adapter.generate(
        {"S2L2A": image[None].astype(np.float32)}, ("DEM", "LULC"), [TileKey(2, 0, sample)], preset
    )


def test_a_sampler_that_the_user_fixed_stays(tmp_path: Path, toy: Pack) -> None:
    s2, _ = optical(tmp_path)
    options = Options(steps=1, sampler="argmax")
    result = generate(request((s2,), toy, tmp_path / "out", ("LULC",), samples=3, options=options))
    one = generate(request((s2,), toy, tmp_path / "one", ("LULC",)))
    np.testing.assert_array_equal(read(result.outputs["LULC"]), read(one.outputs["LULC"]))


def test_one_run_can_tell_its_probability(tmp_path: Path, toy: Pack) -> None:
    image = ramp_image(40, 50)
    image[:, :10, :10] = 0
    s2 = open_scene(write_scene(tmp_path / "s2.tif", image), modality="S2L2A")
    result = generate(request((s2,), toy, tmp_path / "out", ("LULC", "DEM"), probability=True))
    assert list(result.outputs) == ["LULC", "LULC_probability", "DEM"]
    probability = read(result.outputs["LULC_probability"])[0]
    assert (probability[:10, :10] == -9999).all()
    inside = probability[probability != -9999]
    # Logits of 12 for one of ten classes.
    assert 0.3 < inside.min() <= inside.max() <= 1.0
    assert np.median(inside) == pytest.approx(1 / (1 + 9 * np.exp(-12)), abs=1e-3)


def test_spread_is_welfords() -> None:
    draws = np.random.default_rng(0).normal(1000, 0.01, (7, 2, 1, 4, 4)).astype(np.float32)
    spread = Spread()
    for place, draw in enumerate(draws):
        spread.add({"DEM": draw, "COORDS": np.full((2, 2), float(place))})
    means = spread.means()
    np.testing.assert_allclose(means["DEM"], draws.astype(np.float64).mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(
        spread.deviation("DEM"), draws.astype(np.float64).std(axis=0, ddof=1), rtol=1e-4
    )
    assert means["DEM"].dtype == np.float32
    np.testing.assert_array_equal(means["COORDS"], 0)


def test_knobs_reach_the_model(tmp_path: Path, toy: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = TerraMind.generate

    def watched(self: TerraMind, images: Any, targets: Any, keys: Any, preset: Any, **rest: Any) -> Any:
        seen.append(preset)
        return real(self, images, targets, keys, preset, **rest)

    monkeypatch.setattr(TerraMind, "generate", watched)
    s2, _ = optical(tmp_path, 64)
    knobs = Options(steps=4, clamp=2.5, sampler="top_p", precision="fp32", tile=32, stride=16)
    result = generate(request((s2,), toy, tmp_path / "out", options=knobs))
    assert (seen[0].steps, seen[0].clamp, seen[0].sampler, seen[0].precision) == (4, 2.5, "top_p", ("fp32",))
    assert seen[0].top_p == 0.8
    assert result.tiles == 9
    with rasterio.open(result.outputs["DEM"]) as made:
        tags = made.tags()
    assert tags["TERRANE_PRESET"] == (
        "balanced, steps 4, clamp 2.5, sampler top_p, precision fp32, tile 32, stride 16"
    )
    assert tags["TERRANE_TILE_GRID"] == "tile 32 stride 16 rows 3 cols 3"


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"scenes": ()}, InputError, "at least one scene"),
    ({"samples": 0}, InputError, "samples must be from 1 to 1000"),
    ({"levels": "flat"}, InputError, '"solved" or "tiles"'),
    ({"options": Options(steps=0)}, InputError, "steps must be from 1"),
    ({"options": Options(clamp="wide")}, InputError, '"reference" or a number'),
    ({"options": Options(clamp=-1.0)}, InputError, "above 0"),
    ({"options": Options(sampler="dice")}, InputError, "no sampler 'dice'"),
    ({"options": Options(precision="fp8")}, InputError, "no precision 'fp8'"),
    ({"options": Options(precision="int8")}, ModelError, "holds no int8"),
    ({"options": Options(tile=64)}, ModelError, "takes tiles of 32 pixels, not 64"),
    ({"options": Options(stride=20)}, InputError, "multiple of 8 pixels up to 32"),
    ({"options": Options(stride=40)}, InputError, "multiple of 8 pixels up to 32"),
]


@pytest.mark.parametrize(("changes", "error", "text"), BAD)
def test_bad_knobs_are_refused_in_one_sentence(
    tmp_path: Path, toy: Pack, changes: dict[str, Any], error: type[Exception], text: str
) -> None:
    s2, _ = optical(tmp_path)
    with pytest.raises(error, match=text):
        generate(dataclasses.replace(request((s2,), toy, tmp_path / "out"), **changes))
    assert files_in(tmp_path / "out") == []


def test_two_scenes_of_one_modality_or_a_target_among_them_are_refused(tmp_path: Path, toy: Pack) -> None:
    s2, _ = optical(tmp_path)
    with pytest.raises(InputError, match="Two scenes are S2L2A"):
        generate(request((s2, s2), toy, tmp_path / "out"))
    with pytest.raises(InputError, match="S2L2A is an input already"):
        generate(request((s2,), toy, tmp_path / "out", ("S2L2A",)))


def test_calibration_makes_a_forecast(tmp_path: Path, toy: Pack) -> None:
    s2, _ = optical(tmp_path, 90)
    asked = request((s2,), toy, tmp_path / "out", ("DEM", "LULC"), samples=2)
    assert forecast(asked).seconds is None
    seconds = calibrate(asked)
    assert seconds is not None
    assert seconds > 0
    seen = forecast(asked)
    assert seen.seconds == pytest.approx(seconds * seen.tiles)
    assert files_in(tmp_path / "out") == []
    assert forecast(dataclasses.replace(asked, samples=3)).seconds is None


def test_the_forecast_of_disk_covers_what_a_run_takes(tmp_path: Path, toy: Pack) -> None:
    s2, _ = optical(tmp_path, 300)
    out = tmp_path / "out"
    asked = request((s2,), toy, out, ("DEM", "LULC", "S1GRD"))
    most = 0

    def watch(_: Any) -> None:
        nonlocal most
        most = max(most, sum(p.stat().st_blocks * 512 for p in out.rglob("*") if p.is_file()))

    generate(asked, progress=watch)
    assert most > 3_000_000
    assert forecast(asked).bytes_needed > most
