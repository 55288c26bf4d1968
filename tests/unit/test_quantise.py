# SPDX-License-Identifier: GPL-2.0-or-later
"""int8 variants: what is quantised, what error is stored, and when a preset uses them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from rasters import ramp_image, write_scene
from terrane.inference import cli, presets, registry
from terrane.inference.adapters import TileKey, adapter_for
from terrane.inference.errors import (
    Cancelled,
    InputError,
    ModelError,
    OutputError,
    RuntimeMissing,
)
from terrane.inference.io import default_geo
from terrane.inference.packs.calibrate import find_chips, read_tiles
from terrane.inference.packs.convert import convert_checkpoint
from terrane.inference.packs.manifest import FormSpec, Pack, load_pack
from terrane.inference.packs.variants import LIMITS, accepted, error_rows
from terrane.inference.runtime import make_runtime
from terrane.inference.tasks.quantise import FORM, STEPS, QuantiseRequest, quantise
from terrane.inference.types import Cancel, Progress

REFERENCE = Path(__file__).resolve().parents[1] / "parity" / "reference"
TILE = 64


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A small model in TerraMind's layout, with random weights: elevation by diffusion, land cover by a ViT."""
    return convert_checkpoint(
        REFERENCE / "TerraMind_v1_gelu.pt",
        REFERENCE,
        ["S2L2A"],
        ["DEM", "LULC"],
        tmp_path_factory.mktemp("packs") / "full",
        skeletons=REFERENCE / "skeletons",
    )


@pytest.fixture(scope="module")
def chips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes a little larger than a tile, in TerraMesh's layout."""
    folder = tmp_path_factory.mktemp("chips") / "S2L2A"
    folder.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).normal(0, 300, (12, TILE + 6, TILE + 6))
        image = np.clip(ramp_image(TILE + 6, TILE + 6) * (0.5 + number / 2) + noise, 1, None)
        write_scene(folder / f"{number}.tif", image)
    return folder.parent


@pytest.fixture(scope="module")
def both(full: Pack, chips: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The model with its int8 variant."""
    return quantise(QuantiseRequest(full.root, chips, tmp_path_factory.mktemp("packs") / "both", threads=2))


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "models"


def hashes(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def operators(pack: Pack, graph: str, form: str = FORM) -> list[str]:
    model = onnx.load(pack.graph_path(graph, form), load_external_data=False)
    assert model.ir_version <= 10
    assert all(o.domain in ("", "ai.onnx") and o.version <= 18 for o in model.opset_import)
    return [node.op_type for node in model.graph.node]


# --- what is written -------------------------------------------------------------------------------------


def test_convolutions_are_static_and_matrices_dynamic(both: Pack) -> None:
    diffusion, direct = operators(both, "decode_DEM"), operators(both, "decode_LULC")
    assert "DynamicQuantizeLinear" not in diffusion
    assert diffusion.count("QuantizeLinear") > 0.8 * diffusion.count("Conv") > 0
    assert diffusion.count("Gemm") == operators(both, "decode_DEM", "onnx").count("Gemm")
    assert "QuantizeLinear" not in direct
    assert direct.count("MatMulInteger") > direct.count("MatMul")


def test_first_and_last_convolutions_stay(both: Pack) -> None:
    graph = onnx.load(both.graph_path("decode_DEM", FORM), load_external_data=False).graph
    weights = {t.name: t.data_type for t in graph.initializer}
    plain = [
        n for n in graph.node if n.op_type == "Conv" and weights.get(n.input[1]) == onnx.TensorProto.FLOAT
    ]
    all_of_them = [n for n in graph.node if n.op_type == "Conv"]
    assert plain[0] is all_of_them[0]
    assert plain[-1] is all_of_them[-1]
    assert len(plain) < 0.3 * len(all_of_them)


def test_batches_of_any_size_run_alike(both: Pack) -> None:
    """Shapes are written as constants, but never the batch's."""
    assert operators(both, "decode_DEM").count("Shape") < operators(both, "decode_DEM", "onnx").count("Shape")
    graph = make_runtime("onnx", device="cpu", threads=1).load(both.graph_path("decode_DEM", FORM))
    rng = np.random.default_rng(0)
    tokens = both.graphs["decode_DEM"].inputs["ids"][1]
    feeds = {
        "noisy": rng.standard_normal((3, 1, TILE, TILE)).astype(np.float32),
        "timestep": np.array([999, 499, 99]),
        "ids": rng.integers(0, 15360, (3, int(tokens))),
    }
    together = graph.run(feeds)["x0"]
    for i in range(3):
        alone = graph.run({k: v[i : i + 1] for k, v in feeds.items()})["x0"]
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)


def test_only_decoders_are_quantised_and_the_source_stays(full: Pack, both: Pack) -> None:
    assert [name for name, spec in both.graphs.items() if FORM in spec.forms] == ["decode_DEM", "decode_LULC"]
    assert load_pack(both.root) == both
    assert load_pack(full.root) == full
    assert both.hash != full.hash
    before, after = hashes(full.root), hashes(both.root)
    assert {k: v for k, v in after.items() if k in before and k != "pack.json"} == {
        k: v for k, v in before.items() if k != "pack.json"
    }
    small = both.root / "graphs" / "decode_LULC.int8.bin"
    assert small.stat().st_size < 0.6 * (both.root / "graphs" / "decode_LULC.bin").stat().st_size
    assert not [p for p in both.root.parent.iterdir() if p.name.startswith(".")]
    assert not [p for p in both.root.iterdir() if p.name.startswith(".")]


def test_weights_have_seven_bits(both: Pack) -> None:
    """Processors without VNNI add two products in 16 bits."""
    model = onnx.load(both.graph_path("decode_DEM", FORM))
    values = [
        onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT8
    ]
    kernels = [v for v in values if v.ndim >= 3]
    assert kernels
    assert all(np.abs(v.astype(int)).max() <= 64 for v in kernels)


# --- the error -------------------------------------------------------------------------------------------


def test_the_stored_error_is_what_int8_adds(both: Pack, chips: Path) -> None:
    """Computed again, straight from the adapter, on the tile that was held out (the second of three)."""
    _, files = find_chips(chips, both)
    tiles = read_tiles(files, "S2L2A", both, 3, default_geo())
    adapter = adapter_for(both, make_runtime("onnx", device="cpu", threads=2))
    for entry in both.variants["int8"]["error"]["DEM"]["measured"]:
        made = [
            adapter.generate(
                {"S2L2A": tiles[1][None]},
                ["DEM", "LULC"],
                [TileKey(0, 0)],
                replace(presets.PRESETS["balanced"], steps=entry["steps"], precision=(precision,)),
            )
            for precision in ("fp32", "int8")
        ]
        difference = np.abs(made[0]["DEM"].astype(float) - made[1]["DEM"])
        assert entry["mae"] == pytest.approx(difference.mean(), rel=1e-3)
        assert entry["rmse"] == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-3)
        assert entry["max"] == pytest.approx(difference.max(), rel=1e-3)
        assert 0 < entry["mae"] < entry["rmse"] < entry["max"]
        same = (made[0]["LULC"].argmax(1) == made[1]["LULC"].argmax(1)).mean()
        assert both.variants["int8"]["error"]["LULC"]["measured"] == [
            {"agreement": pytest.approx(100 * same, rel=1e-3)}
        ]


def test_every_number_of_steps_of_the_presets_is_measured(both: Pack) -> None:
    error, calibration = both.variants["int8"]["error"], both.variants["int8"]["calibration"]
    assert STEPS == (1, 2, 10)
    assert [m["steps"] for m in error["DEM"]["measured"]] == [1, 2, 10]
    assert (error["DEM"]["unit"], error["LULC"]["unit"]) == ("m", "%")
    assert calibration == {
        "modality": "S2L2A",
        "tiles": 2,
        "measured_on": 1,
        "same_tiles": False,
        "steps": [1, 2, 10],
    }


def test_the_starter_model_loses_little(shared_data: Path, tmp_path: Path) -> None:
    """Trained weights on real chips: every modality within its limit, so that the presets use int8."""
    request = QuantiseRequest(
        registry.starter_folder(), shared_data / "terramesh", tmp_path / "s8", threads=2
    )
    pack = quantise(request)
    rows = error_rows(pack.variants)
    made = set(pack.targets) - {"S2L2A"}  # which is what it is calibrated with
    assert {row.target for row in rows} == made
    assert all(row.accepted for row in rows), [row.text for row in rows]
    runtime = make_runtime("onnx", device="cpu", threads=1)
    adapter = adapter_for(pack, runtime)
    assert {adapter.form(f"decode_{t}", presets.PRESETS["balanced"]) for t in made} == {FORM}
    assert {adapter.form(f"decode_{t}", presets.PRESETS["exact"]) for t in pack.targets} == {"onnx"}


def test_scenes_are_the_first_modality_offered_and_not_made(full: Pack, chips: Path, tmp_path: Path) -> None:
    """In pack.json inputs stand by the alphabet: places and elevation would come first."""
    pack = convert_checkpoint(
        REFERENCE / "TerraMind_v1_gelu.pt",
        REFERENCE,
        ["COORDS", "DEM", "S2L2A"],
        ["DEM", "LULC"],
        tmp_path / "many",
        skeletons=REFERENCE / "skeletons",
    )
    place = tmp_path / "chips"
    shutil.copytree(chips, place)
    (place / "DEM").mkdir()
    found, files = find_chips(place, pack)
    assert (found, len(files)) == ("S2L2A", 3)
    height = 700 + 100 * np.random.default_rng(0).random((1, TILE, TILE))
    write_scene(place / "DEM" / "0.tif", height, names=("DEM",), dtype="float32", nodata=-9999)
    made = quantise(QuantiseRequest(pack.root, place, tmp_path / "q", modality="DEM", tiles=1, threads=2))
    assert {row.target for row in error_rows(made.variants)} == {"LULC"}


# --- which variant runs ----------------------------------------------------------------------------------


def variants(target: str, *measured: dict[str, Any]) -> dict[str, Any]:
    return {"fp32": {"error": {}}, "int8": {"error": {target: {"unit": "", "measured": list(measured)}}}}


@pytest.mark.parametrize("target", LIMITS)
def test_limits_split_what_is_accepted(target: str) -> None:
    limit = LIMITS[target]
    for factor, sign in ((0.999, True), (1.001, False)):
        value = limit.value * (1 / factor if limit.at_least else factor)
        found = variants(target, {limit.quantity: value})
        assert accepted(found, "int8", target, 2) is sign
    assert not accepted(variants(target, {"other": 0.0}), "int8", target, 2)


def test_the_error_with_the_presets_own_steps_counts() -> None:
    found = variants("DEM", {"steps": 1, "rmse": 1.0}, {"steps": 10, "rmse": 50.0})
    assert accepted(found, "int8", "DEM", 1)
    assert not accepted(found, "int8", "DEM", 10)
    assert not accepted(found, "int8", "DEM", 5), "not measured: the worst counts"
    assert not accepted(found, "int8", "NDVI", 1)
    assert not accepted({}, "int8", "DEM", 1)
    assert [(r.steps, r.accepted) for r in error_rows(found)] == [(1, True), (10, False)]
    found = {"int8": {"error": {"DEM": {"unit": "m", "measured": [{"max": 14.0, "rmse": 1.62, "mae": 1.1}]}}}}
    assert [r.text for r in error_rows(found)] == ["MAE 1.1 m, RMSE 1.62 m, at most 14 m"]


def test_presets_leave_a_bad_variant_unless_asked(full: Pack) -> None:
    spec = full.graphs["decode_DEM"]
    graphs = {**full.graphs, "decode_DEM": replace(spec, forms={**spec.forms, FORM: FormSpec("x")})}
    bad = replace(full, graphs=graphs, variants=variants("DEM", {"steps": 2, "rmse": 11.0}))
    good = replace(full, graphs=graphs, variants=variants("DEM", {"steps": 2, "rmse": 9.0}))
    runtime = make_runtime("onnx", device="cpu", threads=1)
    balanced = presets.PRESETS["balanced"]
    asked = presets.apply(balanced, presets.Options(precision="int8"))
    refused = presets.apply(balanced, presets.Options(precision="fp32"))
    for pack, preset, form in (
        (bad, balanced, "onnx"),
        (bad, asked, FORM),
        (good, balanced, FORM),
        (good, refused, "onnx"),
        (good, presets.PRESETS["exact"], "onnx"),
    ):
        assert adapter_for(pack, runtime).form("decode_DEM", preset) == form
    assert adapter_for(good, runtime).form("encoder", asked) == "onnx", "never quantised"
    runtime.device = "CUDAExecutionProvider"
    assert adapter_for(good, runtime).form("decode_DEM", balanced) == "onnx", "int8 is for CPUs"
    assert adapter_for(good, runtime).form("decode_DEM", asked) == FORM


# --- what is refused -------------------------------------------------------------------------------------


def refused(kind: type[Exception], pack: Any, chips: Any, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        quantise(QuantiseRequest(pack, chips, **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_scenes_that_do_not_do(full: Pack, tmp_path: Path) -> None:
    before = hashes(full.root)
    assert "nothing at" in refused(InputError, full.root, tmp_path / "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no scenes" in refused(InputError, full.root, empty)
    write_scene(empty / "small.tif", ramp_image(TILE - 1, TILE))
    assert "64 × 64 pixels" in refused(InputError, full.root, empty)
    write_scene(empty / "small.tif", np.zeros((12, TILE, TILE)))
    assert "None of the scenes" in refused(InputError, full.root, empty)
    assert "does not take DEM" in refused(InputError, full.root, empty, modality="DEM")
    assert "at least 1" in refused(InputError, full.root, empty, tiles=0)
    assert hashes(full.root) == before


def test_places_that_are_kept(full: Pack, both: Pack, chips: Path, tmp_path: Path) -> None:
    assert "part of Terrane" in refused(OutputError, registry.starter_folder(), chips)
    assert "already" in refused(OutputError, both.root, chips)
    assert "exists" in refused(OutputError, full.root, chips, output=both.root)
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.txt").write_text("mine", encoding="ascii")
    assert "not a model pack" in refused(OutputError, full.root, chips, output=other, overwrite=True)
    zipped = shutil.make_archive(str(tmp_path / "pack"), "zip", full.root)
    assert "zipped" in refused(OutputError, zipped, chips)


def test_files_with_several_links_are_taken(full: Pack, chips: Path, tmp_path: Path) -> None:
    """As backup tools keep them; onnx itself refuses to read these."""
    folder = tmp_path / "linked"
    shutil.copytree(full.root, folder, copy_function=os.link)
    request = QuantiseRequest(folder, chips, tmp_path / "out", tiles=2, threads=2)
    assert "int8" in quantise(request).variants


def test_without_onnx_it_says_what_to_install(
    full: Pack, chips: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install onnx" in refused(RuntimeMissing, full.root, chips, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_pack_without_decoders(full: Pack, chips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(full.root, folder)
    manifest = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    manifest["targets"] = {}
    (folder / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert "no decoder" in refused(ModelError, folder, chips)


@pytest.mark.parametrize("when", ["Recording", "Calibrating", "Measuring"])
def test_cancel_leaves_the_pack_as_it_was(full: Pack, chips: Path, tmp_path: Path, when: str) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(full.root, folder)
    before, cancel = hashes(folder), Cancel()

    def press(progress: Progress) -> None:
        assert 0 <= progress.done <= progress.total
        if progress.message.startswith(when):
            cancel.set()

    with pytest.raises(Cancelled):
        quantise(QuantiseRequest(folder, chips, threads=2), progress=press, cancel=cancel)
    assert hashes(folder) == before


# --- the command line ------------------------------------------------------------------------------------


def test_quantise_in_place_and_info(
    full: Pack, chips: Path, own_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(full.root, own_models / "mine")
    words = ["models", "quantise", full.id, "--chips", str(chips), "--tiles", "2", "--quiet", "--json"]
    assert cli.main(words) == 0
    envelope = json.loads(capsys.readouterr().out)
    assert envelope["outputs"] == {"pack": str(own_models / "mine")}
    assert envelope["verb"] == "models quantise"
    assert set(envelope["variants"]["int8"]["accepted"]) == {"DEM", "LULC"}
    assert cli.main(words) == 2, "there is one already"
    capsys.readouterr()
    assert cli.main([*words, "--overwrite"]) == 0
    capsys.readouterr()
    assert cli.main(["models", "info", full.id]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = [line.split() for line in lines if line.startswith("int8")]
    assert [row[1:3] for row in table] == [["DEM", "1"], ["DEM", "2"], ["DEM", "10"], ["LULC", "–"]]
    card = next(c for c in registry.cards() if c.id == full.id)
    assert card.variants["int8"]["error"].keys() == {"DEM", "LULC"}


def test_convert_with_int8(chips: Path, own_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "models",
        "convert",
        "--checkpoint",
        "x.pt",
        "--tokenizers",
        "x",
        "--inputs",
        "S2L2A",
        "--to",
        "DEM",
    ]
    words += ["-o", str(own_models / "new")]
    for more, text in (
        (["--int8"], "--int8 needs scenes"),
        (["--calibrate", str(chips)], "add --int8"),
        (["--int8", "--calibrate", "nowhere"], "nothing at nowhere"),
    ):
        assert cli.main([*words, *more]) == 2
        assert text in capsys.readouterr().err
