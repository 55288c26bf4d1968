# SPDX-License-Identifier: GPL-2.0-or-later
"""Models for one task, headless: scenes in; classes, values and classified tiles out, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import toy_finetuned as toy
from rasters import BANDS, files_in, ramp_image, read, write_scene
from terrane.inference import registry
from terrane.inference.adapters import adapter_for
from terrane.inference.cli import main
from terrane.inference.errors import BandError, Cancelled, InputError, ModelError, OutputError
from terrane.inference.io import default_geo
from terrane.inference.io.scene import Scene, open_scene
from terrane.inference.packs.manifest import Pack
from terrane.inference.presets import PRESETS, Options
from terrane.inference.runtime import make_runtime
from terrane.inference.tasks.classify import ClassifyRequest, classify, forecast_classify
from terrane.inference.tasks.evaluate import EvaluateRequest, evaluate
from terrane.inference.tasks.generate import GenerateRequest, generate
from terrane.inference.tasks.regress import RegressRequest, regress
from terrane.inference.tasks.segment import SegmentRequest, forecast_segment, segment
from terrane.inference.types import BBox, Cancel, Progress
from toy_pack import build_toy_pack


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pack]:
    folder = tmp_path_factory.mktemp("packs")
    made = {
        task: toy.build_finetuned_pack(folder / task, task) for task in ("segment", "regress", "classify")
    }
    made["both"] = toy.build_finetuned_pack(folder / "both", "segment", ("S2L2A", "S1GRD"))
    return made


def image_of(height: int, width: int) -> np.ndarray:
    """(12, h, w): bands that differ from each other, over all three classes."""
    y, x = np.mgrid[0:height, 0:width]
    image = ramp_image(height, width)
    image[7] = 1800 + 700 * np.sin(x / 9.0 + y / 14.0)
    return image.round().astype(np.float32)


def scene_of(tmp_path: Path, image: np.ndarray, name: str = "s2", **options: Any) -> Scene:
    return open_scene(write_scene(tmp_path / f"{name}.tif", image, **options), modality="S2L2A")


def radar_of(tmp_path: Path, shape: tuple[int, int], **options: Any) -> Scene:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    image = np.stack([-14 + 6 * np.sin(x / 5.0), -20 + 3 * np.cos(y / 7.0)]).astype(np.float32)
    path = write_scene(
        tmp_path / "s1.tif", image, names=("VV", "VH"), dtype="float32", nodata=-9999, **options
    )
    return open_scene(path, modality="S1GRD")


def model_bands(image: np.ndarray) -> np.ndarray:
    return image[[BANDS.index(b) for b in toy.BANDS["S2L2A"]]]


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=0))
    return e / e.sum(axis=0)


def outputs(out: Path, *names: str) -> dict[str, str]:
    return {name: str(out / f"s2_{name}.{'gpkg' if name == 'tiles' else 'tif'}") for name in names}


# --- segment ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (7, 50), (32, 32), (33, 31), (75, 101)])
def test_classes_are_the_models_at_any_size(
    tmp_path: Path, packs: dict[str, Pack], size: tuple[int, int]
) -> None:
    image = image_of(*size)
    result = segment(
        SegmentRequest(
            (scene_of(tmp_path, image),),
            outputs(tmp_path, "classes", "probability"),
            str(packs["segment"].root),
        )
    )
    expected = softmax(toy.logits(toy.standardised({"S2L2A": model_bands(image)})))
    np.testing.assert_array_equal(read(result.outputs["classes"])[0], expected.argmax(axis=0))
    np.testing.assert_allclose(read(result.outputs["probability"])[0], expected.max(axis=0), atol=2e-5)
    assert result.to_json()["verb"] == "segment" and "features" not in result.to_json()


def test_a_class_raster_says_what_it_is(tmp_path: Path, packs: dict[str, Pack]) -> None:
    image = image_of(40, 40)
    image[:, :5, :6] = 0  # no data
    request = SegmentRequest(
        (scene_of(tmp_path, image),), outputs(tmp_path, "classes"), str(packs["segment"].root)
    )
    result = segment(request)
    with rasterio.open(result.outputs["classes"]) as made:
        assert made.dtypes == ("uint8",) and made.nodata == 255
        assert (made.read(1)[:5, :6] == 255).all() and (made.read(1)[5:] < 3).all()
        assert made.colormap(1)[1] == packs["segment"].classes[1].rgba
        tags = made.tags()
        assert tags["TERRANE_TASK"] == "segment" and "estimated" in tags["TERRANE_SYNTHETIC"]
        assert "TERRANE_SEED" not in tags


def test_several_inputs_are_read_onto_one_grid(tmp_path: Path, packs: dict[str, Pack]) -> None:
    image = image_of(60, 50)
    radar = radar_of(tmp_path, (60, 50))
    scenes = (scene_of(tmp_path, image), radar)
    result = segment(SegmentRequest(scenes, outputs(tmp_path, "classes"), str(packs["both"].root)))
    with rasterio.open(tmp_path / "s1.tif") as file:
        vv = file.read(1)[None]
    expected = toy.logits(toy.standardised({"S2L2A": model_bands(image), "S1GRD": vv}))
    np.testing.assert_array_equal(read(result.outputs["classes"])[0], expected.argmax(axis=0))


def test_only_inside_the_extent(tmp_path: Path, packs: dict[str, Pack]) -> None:
    scene = scene_of(tmp_path, image_of(100, 100))
    extent = BBox(500200, 5099300, 500600, 5099700)
    request = SegmentRequest(
        (scene,), outputs(tmp_path, "classes"), str(packs["segment"].root), extent=extent
    )
    assert forecast_segment(request).tiles == 4
    with rasterio.open(segment(request).outputs["classes"]) as made:
        assert made.shape == (40, 40) and tuple(made.bounds) == tuple(extent)


def test_what_was_interrupted_is_resumed_to_the_same_bytes(tmp_path: Path, packs: dict[str, Pack]) -> None:
    scene = scene_of(tmp_path, image_of(100, 90))
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir()
    halves.mkdir()
    segment(SegmentRequest((scene,), outputs(whole, "classes"), str(packs["segment"].root), batch=1))
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.done >= 5:
            cancel.set()

    request = SegmentRequest((scene,), outputs(halves, "classes"), str(packs["segment"].root), batch=1)
    with pytest.raises(Cancelled):
        segment(request, progress=stop, cancel=cancel)
    assert not (halves / "s2_classes.tif").exists()
    assert forecast_segment(request).tiles_done >= 5
    result = segment(SegmentRequest(**{**vars(request), "resume": True}))
    assert result.resumed >= 5 and result.to_json()["resumed"] == result.resumed
    assert (halves / "s2_classes.tif").read_bytes() == (whole / "s2_classes.tif").read_bytes()
    assert files_in(halves) == files_in(whole)


# --- regress ---------------------------------------------------------------------------------------------


def test_values_come_in_their_unit(tmp_path: Path, packs: dict[str, Pack]) -> None:
    image = image_of(50, 70)
    result = regress(
        RegressRequest((scene_of(tmp_path, image),), outputs(tmp_path, "values"), str(packs["regress"].root))
    )
    expected = toy.values(toy.standardised({"S2L2A": model_bands(image)}))
    np.testing.assert_allclose(read(result.outputs["values"]), expected, atol=2e-5)
    with rasterio.open(result.outputs["values"]) as made:
        assert made.units == ("t/ha", "t/ha") and made.descriptions == toy.NAMES and made.nodata == -9999


# --- classify --------------------------------------------------------------------------------------------


def test_tiles_are_classified_side_by_side(tmp_path: Path, packs: dict[str, Pack]) -> None:
    image = image_of(64, 96)
    request = ClassifyRequest(
        (scene_of(tmp_path, image),), outputs(tmp_path, "tiles"), str(packs["classify"].root)
    )
    assert forecast_classify(request).tiles == 6
    result = classify(request)
    envelope = result.to_json()
    assert envelope["features"] == str(tmp_path / "s2_tiles.gpkg") and "outputs" not in envelope
    features = default_geo().read_features(str(tmp_path / "s2_tiles.gpkg"))
    assert len(features.wkb) == 6
    z = toy.standardised({"S2L2A": model_bands(image)})
    for i, (row, col) in enumerate((r, c) for r in (0, 32) for c in (0, 32, 64)):
        scores = softmax(toy.logits(z[:, row : row + 32, col : col + 32]).mean(axis=(1, 2)))
        best = int(scores.argmax())
        assert features.columns["class"][i] == best and features.columns["name"][i] == toy.CLASSES[best]
        assert features.columns["score"][i] == pytest.approx(scores[best], abs=1e-5)
        assert features.columns["score_2"][i] == pytest.approx(scores[2], abs=1e-5)
    # The first tile's ring, counter-clockwise from its lower left corner.
    first = np.frombuffer(features.wkb[0][13:], "<f8").reshape(-1, 2)
    np.testing.assert_allclose(
        first[:4], [(500000, 5099680), (500320, 5099680), (500320, 5100000), (500000, 5100000)]
    )


def test_tiles_at_the_edge_end_with_the_scene(tmp_path: Path, packs: dict[str, Pack]) -> None:
    scene = scene_of(tmp_path, image_of(20, 40))
    classify(ClassifyRequest((scene,), outputs(tmp_path, "tiles"), str(packs["classify"].root)))
    features = default_geo().read_features(str(tmp_path / "s2_tiles.gpkg"))
    rings = [np.frombuffer(shape[13:], "<f8").reshape(-1, 2) for shape in features.wkb]
    assert len(rings) == 2
    # 0 to 32 and 8 to 40 were looked at: the overlap is shared by halves.
    assert [(r[:, 0].min(), r[:, 0].max()) for r in rings] == [(500000, 500200), (500200, 500400)]
    assert {(r[:, 1].min(), r[:, 1].max()) for r in rings} == {(5099800, 5100000)}


# --- what is refused -------------------------------------------------------------------------------------


def test_a_model_for_another_task_is_refused_in_words(tmp_path: Path, packs: dict[str, Pack]) -> None:
    scene = scene_of(tmp_path, image_of(40, 40))
    with pytest.raises(ModelError, match="does not segment; it is made for regress"):
        segment(SegmentRequest((scene,), outputs(tmp_path, "classes"), str(packs["regress"].root)))
    request = GenerateRequest(
        (scene,), ("DEM",), {"DEM": str(tmp_path / "dem.tif")}, model=str(packs["segment"].root)
    )
    with pytest.raises(ModelError, match="does not generate; it is made for segment"):
        generate(request)
    generator = build_toy_pack(tmp_path / "toy")
    with pytest.raises(ModelError, match="does not segment; it is made for generate"):
        segment(SegmentRequest((scene,), outputs(tmp_path, "classes"), str(generator.root)))


def test_evaluating_is_for_models_that_generate(tmp_path: Path, packs: dict[str, Pack]) -> None:
    for modality, bands in (("S2L2A", image_of(32, 32)), ("DEM", image_of(32, 32)[:1])):
        (tmp_path / "chips" / modality).mkdir(parents=True)
        write_scene(tmp_path / "chips" / modality / "a.tif", bands, names=None)
    request = EvaluateRequest(
        model=str(packs["segment"].root), chips=str(tmp_path / "chips"), output=str(tmp_path / "report")
    )
    with pytest.raises(ModelError, match="does not generate"):
        evaluate(request)
    assert not (tmp_path / "report").exists()


def test_inputs_that_are_missing_or_too_many(tmp_path: Path, packs: dict[str, Pack]) -> None:
    scene, radar = scene_of(tmp_path, image_of(40, 40)), radar_of(tmp_path, (40, 40))
    with pytest.raises(ModelError, match="needs S1GRD as well"):
        segment(SegmentRequest((scene,), outputs(tmp_path, "classes"), str(packs["both"].root)))
    with pytest.raises(ModelError, match="does not take S1GRD"):
        segment(SegmentRequest((scene, radar), outputs(tmp_path, "classes"), str(packs["segment"].root)))
    with pytest.raises(InputError, match="Two scenes"):
        segment(SegmentRequest((scene, scene), outputs(tmp_path, "classes"), str(packs["segment"].root)))
    with pytest.raises(InputError, match="at least one scene"):
        segment(SegmentRequest((), outputs(tmp_path, "classes"), str(packs["segment"].root)))
    assert sorted(p.name for p in tmp_path.glob("*.tif")) == ["s1.tif", "s2.tif"]


def test_outputs_are_named_and_kept(tmp_path: Path, packs: dict[str, Pack]) -> None:
    scene = scene_of(tmp_path, image_of(40, 40))
    with pytest.raises(InputError, match="Name an output for classes"):
        segment(SegmentRequest((scene,), {}, str(packs["segment"].root)))
    (tmp_path / "s2_classes.tif").write_bytes(b"mine")
    with pytest.raises(OutputError):
        segment(SegmentRequest((scene,), outputs(tmp_path, "classes"), str(packs["segment"].root)))
    assert (tmp_path / "s2_classes.tif").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grid": "other"}, "grid"),
        ({"batch": 0}, "batch"),
        ({"options": Options(stride=12)}, "multiple of 8"),
        ({"options": Options(tile=64)}, "tiles of 32"),
        ({"preset": "best"}, "preset"),
    ],
)
def test_bad_numbers(tmp_path: Path, packs: dict[str, Pack], changes: dict[str, Any], words: str) -> None:
    scene = scene_of(tmp_path, image_of(40, 40))
    with pytest.raises(InputError, match=words):
        segment(SegmentRequest((scene,), outputs(tmp_path, "classes"), str(packs["segment"].root), **changes))


# --- the adapter and the registry ------------------------------------------------------------------------


def test_adapter_answers_a_batch(packs: dict[str, Pack]) -> None:
    adapter = adapter_for(packs["segment"], make_runtime("onnx", device="cpu"))
    rng = np.random.default_rng(3)
    image = rng.uniform(500, 3000, (3, 3, 32, 32)).astype(np.float32)
    image[1, :, :4] = np.nan
    answer = adapter.predict({"S2L2A": image}, PRESETS["balanced"])
    assert answer.shape == (3, 3, 32, 32) and answer.dtype == np.float32
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)
    z = toy.standardised({"S2L2A": image[2]})
    np.testing.assert_allclose(answer[2], softmax(toy.logits(z)), atol=1e-6)
    with pytest.raises(ModelError, match="cannot generate; it can segment"):
        adapter.generate({"S2L2A": image}, ("DEM",), (), PRESETS["balanced"])
    with pytest.raises(ModelError, match="cannot embed"):
        adapter.embed({"S2L2A": image}, PRESETS["balanced"])


def test_cards_list_models_for_one_task(
    tmp_path: Path, packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.build_finetuned_pack(tmp_path / "models" / "mine", "classify", pack_id="mine")
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path / "models"))
    card = next(c for c in registry.cards() if c.id == "mine")
    assert card.tasks == ("classify",) and card.inputs == ("S2L2A",) and not card.targets and not card.error


def test_a_band_that_the_scene_lacks(tmp_path: Path, packs: dict[str, Pack]) -> None:
    scene = scene_of(tmp_path, image_of(40, 40))
    reduced = Scene(**{**vars(scene), "bands": tuple(b for b in scene.bands if b.name != "B08")})
    with pytest.raises(BandError, match="B08"):
        segment(SegmentRequest((reduced,), outputs(tmp_path, "classes"), str(packs["segment"].root)))


# --- the command line ------------------------------------------------------------------------------------


def terrane(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_segment_on_the_command_line(
    tmp_path: Path, packs: dict[str, Pack], capsys: pytest.CaptureFixture[str]
) -> None:
    image = image_of(40, 70)
    scene_of(tmp_path, image)
    radar_of(tmp_path, (40, 70))
    code, out, _ = terrane(
        *("segment", str(tmp_path / "s2.tif"), "--also", f"S1GRD={tmp_path / 's1.tif'}", "--probability"),
        *("--model", str(packs["both"].root), "-o", str(tmp_path / "out"), "--json", "--quiet"),
        capsys=capsys,
    )
    envelope = json.loads(out)
    assert (
        code == 0 and envelope["verb"] == "segment" and set(envelope["outputs"]) == {"classes", "probability"}
    )
    assert files_in(tmp_path / "out")[0] == "s2_classes.tif"
    assert read(envelope["outputs"]["classes"]).shape == (1, 40, 70)


def test_regress_on_the_command_line(
    tmp_path: Path, packs: dict[str, Pack], capsys: pytest.CaptureFixture[str]
) -> None:
    scene_of(tmp_path, image_of(40, 70))
    words = ("regress", str(tmp_path / "s2.tif"), "--model", str(packs["regress"].root), "--quiet")
    code, out, _ = terrane(*words, "-o", str(tmp_path / "out"), capsys=capsys)
    assert code == 0 and out.strip() == str(tmp_path / "out" / "s2_values.tif")
    code, out, err = terrane(*words, "-o", str(tmp_path / "out"), capsys=capsys)
    assert code == 2 and "allow overwriting" in err


def test_classify_on_the_command_line(
    tmp_path: Path, packs: dict[str, Pack], capsys: pytest.CaptureFixture[str]
) -> None:
    scene_of(tmp_path, image_of(40, 70))
    words = ("classify", str(tmp_path / "s2.tif"), "--model", str(packs["classify"].root), "--quiet")
    code, out, _ = terrane(*words, "-o", str(tmp_path / "t.gpkg"), "--forecast", "--json", capsys=capsys)
    assert code == 0 and json.loads(out)["forecast"]["tiles"] == 6 and not (tmp_path / "t.gpkg").exists()
    code, out, _ = terrane(*words, "-o", str(tmp_path / "t.gpkg"), "--json", capsys=capsys)
    assert code == 0 and json.loads(out)["features"] == str(tmp_path / "t.gpkg")
    code, _, err = terrane(*words, "-o", str(tmp_path / "t.tif"), capsys=capsys)
    assert code == 2 and "no name of a vector file" in err
