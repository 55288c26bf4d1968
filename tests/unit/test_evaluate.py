# SPDX-License-Identifier: GPL-2.0-or-later
"""*Evaluate* on chips whose outcome can be worked out by hand, and on real ones with the starter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasters import files_in, read, write_scene
from terrane.inference import cli
from terrane.inference.errors import Cancelled, InputError, ModelError, OutputError
from terrane.inference.modalities import LAND_COVER
from terrane.inference.packs.manifest import Pack
from terrane.inference.tasks.chips import parse_pairs
from terrane.inference.tasks.evaluate import EvaluateRequest, EvaluateResult, evaluate
from terrane.inference.types import Cancel, Progress
from toy_pack import build_toy_pack, expected

SIDE = 32


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy", tile=SIDE)


def image(seed: int) -> np.ndarray:
    """(12, 32, 32) whole numbers: smooth, so that all of the toy pack's classes and levels occur."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    surface = 2000 + 900 * np.sin(x / 9 + seed) * np.cos(y / 11) + 100 * seed
    factors = 1 + 0.05 * np.arange(12)[:, None, None] + rng.normal(0, 0.01, (12, 1, 1))
    return np.rint(surface[None] * factors).clip(1, 9000)


def write_chip(root: Path, modality: str, chip: str, values: np.ndarray, **options: Any) -> None:
    (root / modality).mkdir(exist_ok=True, parents=True)
    write_scene(root / modality / f"{chip}.tif", values, names=None, **options)


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    """Chips a and b: true elevation 10 m above what the toy pack makes, land cover right but for a block."""
    root = tmp_path / "chips"
    for seed, chip in enumerate("ab"):
        s2 = image(seed)
        made = {target: expected(s2[None], target)[0] for target in ("DEM", "LULC", "NDVI")}
        lulc = made["LULC"].copy()
        lulc[0, :8, :8] = 0
        lulc[0, 8:16, 8:16] = lulc[0, 8:16, 8:16] % 9 + 1
        write_chip(root, "S2L2A", chip, s2)
        write_chip(root, "DEM", chip, made["DEM"] + 10, dtype="float32", nodata=None)
        write_chip(root, "LULC", chip, lulc, dtype="uint8", nodata=None)
        write_chip(root, "NDVI", chip, made["NDVI"], dtype="float64", nodata=None)
    return root


def run(folder: Path, toy: Pack, **options: Any) -> EvaluateResult:
    request = EvaluateRequest(str(folder), str(folder.parent / "report"), model=str(toy.root))
    return evaluate(replace(request, **options))


def present(lulc: dict[str, Any]) -> set[int]:
    """Values of the classes that the confusion lists."""
    names = lulc["overall"]["confusion"]["classes"]
    return {item.value for item in LAND_COVER if item.name in names}


def pair(result: EvaluateResult, target: str) -> dict[str, Any]:
    return next(p for p in result.report["pairs"] if p["target"] == target)


def test_figures_are_those_worked_out_by_hand(chips: Path, toy: Pack) -> None:
    result = run(chips, toy)
    dem, ndvi, lulc = (pair(result, target) for target in ("DEM", "NDVI", "LULC"))
    assert dem["overall"]["pixels"] == 2 * SIDE * SIDE
    assert dem["overall"]["mae"] == pytest.approx(10, rel=1e-4)
    assert dem["overall"]["rmse"] == pytest.approx(10, rel=1e-4)
    assert dem["overall"]["bias"] == pytest.approx(-10, rel=1e-4)
    assert dem["overall"]["about_mean"]["rmse"] == pytest.approx(0, abs=1e-3)
    assert dem["overall"]["about_mean"]["correlation"] == pytest.approx(1)
    tiles = dem["overall"]["tiles"]
    assert (tiles["side"], tiles["count"]) == (SIDE, 2)
    assert tiles["correlation"] == pytest.approx(1)
    truths = [read(chips / "DEM" / f"{chip}.tif") for chip in "ab"]
    span = max(t.max() for t in truths) - min(t.min() for t in truths)
    assert dem["data_range"] == pytest.approx(span)
    assert dem["overall"]["psnr"] == pytest.approx(20 * np.log10(span / 10), rel=1e-4)
    assert dem["overall"]["ssim"] == pytest.approx(np.mean([dem["chips"][c]["ssim"] for c in "ab"]), rel=1e-5)
    assert ndvi["overall"]["mae"] == pytest.approx(0, abs=1e-6)
    assert ndvi["overall"]["ssim"] == pytest.approx(1)
    counted, wrong = 2 * (SIDE * SIDE - 64), 2 * 64
    assert lulc["overall"]["pixels"] == counted
    assert lulc["overall"]["accuracy"] == pytest.approx(1 - wrong / counted, rel=1e-5)
    matrix = np.array(lulc["overall"]["confusion"]["matrix"])
    assert matrix.sum() == counted
    assert np.trace(matrix) == counted - wrong
    assert set(lulc["overall"]["iou"]) <= {item.name for item in LAND_COVER}
    together = np.array(
        [item.name in ("Trees", "Crops", "Rangeland") for item in LAND_COVER if item.value in present(lulc)]
    )
    same = matrix[np.ix_(together, together)].sum() + matrix[np.ix_(~together, ~together)].sum()
    assert lulc["overall"]["groups"] == {"trees + crops + rangeland": pytest.approx(same / counted, rel=1e-5)}


def test_the_report_is_whole(chips: Path, toy: Pack) -> None:
    result = run(chips, toy, seed=3)
    folder = chips.parent / "report"
    pictures = [f"{c}_S2L2A_to_{t}.png" for c in "ab" for t in ("DEM", "LULC", "NDVI")]
    assert files_in(folder) == [
        "pictures",
        *(f"pictures/{p}" for p in sorted(pictures)),
        "report.json",
        "report.md",
    ]
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps(result.to_json()))
    assert (content["schema"], content["verb"], content["model"]) == (1, "evaluate", "toy")
    assert content["pack_sha256"] == toy.hash
    assert content["preset"] == "balanced"
    assert content["seed"] == 3
    assert {"terrane", "python", "numpy", "onnxruntime"} <= set(content["versions"])
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "| S2L2A → DEM | m | 2 | 10.0 | 10.0 |" in text
    for name in pictures:
        assert f"](pictures/{name})" in text
        assert (folder / "pictures" / name).read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in chips.parent.iterdir() if p.name.startswith(".")] == []


def test_elevation_that_is_only_too_low_is_white_once_means_are_removed(chips: Path, toy: Pack) -> None:
    import rasterio

    run(chips, toy, pairs=parse_pairs("S2L2A:DEM"), limit=1)
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        pixels = read(chips.parent / "report" / "pictures" / "a_S2L2A_to_DEM.png")
    blue = (pixels[0] == 0x05) & (pixels[1] == 0x30) & (pixels[2] == 0x61)
    white = (pixels == 0xF7).all(axis=0)
    assert blue.sum() >= 224 * 224
    assert white.sum() >= 224 * 224


def test_pairs_limit_and_ranges_are_as_asked(chips: Path, toy: Pack) -> None:
    result = run(chips, toy, pairs=parse_pairs("S2L2A:DEM"), limit=1, ranges={"DEM": 8000.0}, pictures=False)
    (dem,) = result.report["pairs"]
    assert list(dem["chips"]) == ["a"]
    assert dem["data_range"] == 8000
    assert dem["overall"]["psnr"] == pytest.approx(20 * np.log10(8000 / 10), rel=1e-4)
    assert files_in(chips.parent / "report") == ["report.json", "report.md"]


def test_several_inputs_and_targets_with_bands(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    inputs = ("S2L2A", "S1GRD", "LULC", "COORDS")
    pack = build_toy_pack(
        tmp_path_factory.mktemp("packs") / "many",
        tile=SIDE,
        inputs=inputs,
        targets=("DEM", "S1GRD", "LULC", "COORDS"),
        id="many",
    )
    root = tmp_path / "chips"
    s2 = image(0).astype(np.float32)
    s1 = np.stack([-12 + s2[0] / 900, -18 + s2[0] / 800])
    lulc = expected({"S2L2A": s2[None]}, "LULC")[0]
    write_chip(root, "S2L2A", "a", s2)
    write_chip(root, "S1GRD", "a", s1, dtype="float32", nodata=None)
    write_chip(root, "LULC", "a", lulc, dtype="uint8", nodata=None)
    both = {"S2L2A": s2[None], "S1GRD": s1[None]}
    write_chip(root, "DEM", "a", expected(both, "DEM")[0], dtype="float32", nodata=None)
    result = run(root, pack)
    listed = ["+".join(p["inputs"]) + ":" + p["target"] for p in result.report["pairs"]]
    assert listed == [
        *("S2L2A:S1GRD", "S2L2A:DEM", "S2L2A:LULC"),
        *("S1GRD:DEM", "S1GRD:LULC", "LULC:S1GRD", "LULC:DEM"),
    ]
    radar = pair(result, "S1GRD")["overall"]
    errors = expected({"S2L2A": s2[None]}, "S1GRD")[0] - s1
    assert radar["bands"]["VH"]["mae"] == pytest.approx(np.abs(errors[1]).mean(), rel=1e-4)
    assert radar["rmse"] == pytest.approx(np.sqrt(np.square(errors).mean()), rel=1e-4)
    assert pair(result, "LULC")["overall"]["accuracy"] == 1
    chosen = parse_pairs("S2L2A+S1GRD:DEM,S2L2A+S1GRD+COORDS:DEM")
    exact, placed = run(root, pack, pairs=chosen, overwrite=True).report["pairs"]
    assert exact["overall"]["mae"] == pytest.approx(0, abs=1e-3)
    assert placed["overall"]["mae"] > 10  # latitude moves the toy pack's elevation
    names = {path.name for path in (tmp_path / "report" / "pictures").iterdir()}
    assert names == {"a_S2L2A-S1GRD_to_DEM.png", "a_S2L2A-S1GRD-COORDS_to_DEM.png"}


def test_chips_larger_than_a_tile_are_tiled(tmp_path: Path, toy: Pack) -> None:
    root = tmp_path / "chips"
    flat = np.full((12, 80, 50), 2500.0)
    write_chip(root, "S2L2A", "large", flat)
    level = float(expected(flat[None, :, :SIDE, :SIDE], "DEM")[0, 0, 0, 0])
    write_chip(root, "DEM", "large", np.full((1, 80, 50), level), dtype="float32", nodata=None)
    dem = pair(run(root, toy), "DEM")
    assert dem["overall"]["pixels"] == 80 * 50
    assert dem["overall"]["mae"] == pytest.approx(0, abs=1e-3)
    assert "psnr" not in dem["overall"]  # a flat truth spans nothing
    assert "correlation" not in dem["overall"]["about_mean"]


def test_pixels_without_data_do_not_count(tmp_path: Path, toy: Pack) -> None:
    root = tmp_path / "chips"
    s2 = image(0)
    truth = expected(s2[None], "DEM")[0]
    truth[0, 20:, :] = -9999
    s2[:, :, 30:] = 0
    write_chip(root, "S2L2A", "a", s2)
    write_chip(root, "DEM", "a", truth, dtype="float32", nodata=-9999)
    assert pair(run(root, toy), "DEM")["overall"]["pixels"] == 20 * 30


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"limit": 0}, InputError, "at least 1 chip"),
        ({"ranges": {"LULC": 5.0}}, InputError, "data range"),
        ({"ranges": {"DEM": -1.0}}, InputError, "data range"),
        ({"preset": "best"}, InputError, "no preset"),
        ({"pairs": parse_pairs("S2L2A:S1GRD")}, ModelError, "S1GRD"),
        ({"pairs": parse_pairs("S1GRD:DEM")}, ModelError, "S1GRD"),
        ({"chips": "nowhere"}, InputError, "does not exist"),
        ({"model": "nothing"}, ModelError, "no model"),
    ],
)
def test_bad_requests_are_refused_and_leave_nothing(
    chips: Path, toy: Pack, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run(chips, toy, **options)
    assert files_in(chips.parent) == [f for f in files_in(chips.parent) if f.startswith("chips")]


def test_a_report_is_replaced_only_when_asked(chips: Path, toy: Pack) -> None:
    options: dict[str, Any] = {"pairs": parse_pairs("S2L2A:DEM"), "pictures": False}
    run(chips, toy, **options)
    report = chips.parent / "report" / "report.json"
    before = report.read_bytes()
    with pytest.raises(OutputError, match="Overwrite it"):
        run(chips, toy, **options)
    assert report.read_bytes() == before
    run(chips, toy, **options, overwrite=True, limit=1)
    assert len(json.loads(report.read_text())["pairs"][0]["chips"]) == 1


def test_a_folder_of_other_things_is_never_replaced(chips: Path, toy: Pack) -> None:
    folder = chips.parent / "report"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="something else"):
        run(chips, toy, overwrite=True)
    assert files_in(folder) == ["thesis.txt"]


def test_cancel_leaves_the_old_report(chips: Path, toy: Pack) -> None:
    run(chips, toy, pictures=False)
    before = (chips.parent / "report" / "report.json").read_bytes()
    cancel, seen = Cancel(), []

    def progress(step: Progress) -> None:
        seen.append(step.done)
        if step.done == 2:
            cancel.set()

    request = EvaluateRequest(str(chips), str(chips.parent / "report"), model=str(toy.root), overwrite=True)
    with pytest.raises(Cancelled):
        evaluate(request, progress=progress, cancel=cancel)
    assert max(seen) == 2
    assert (chips.parent / "report" / "report.json").read_bytes() == before
    assert [p.name for p in chips.parent.iterdir() if p.name.startswith(".")] == []


def test_the_command_prints_figures_or_one_object(
    chips: Path, toy: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    out = chips.parent / "report"
    words = [
        "evaluate",
        "--chips",
        str(chips),
        "-o",
        str(out),
        "--model",
        str(toy.root),
        "--pairs",
        "S2L2A:DEM",
    ]
    assert cli.main([*words, "--data-range", "dem=8000"]) == 0
    text = capsys.readouterr()
    assert "S2L2A → DEM  2      MAE 10.0 m · RMSE 10.0 m" in text.out
    assert text.out.splitlines()[-1] == f"{out}/report.md"
    assert "2 of 2 comparisons" in text.err
    assert cli.main([*words, "--overwrite", "--json", "--quiet", "--no-pictures", "--steps", "3"]) == 0
    text = capsys.readouterr()
    content = json.loads(text.out)
    assert content["options"] == {"steps": 3}
    assert "Preset: balanced, steps 3; seed 0" in (out / "report.md").read_text(encoding="utf-8")
    assert content["outputs"] == {"report": f"{out}/report.json", "table": f"{out}/report.md"}
    assert content["pairs"][0]["overall"]["mae"] == pytest.approx(10, rel=1e-4)
    assert cli.main([*words]) == 2
    assert cli.main([*words, "--overwrite", "--data-range", "8000"]) == 2
    assert "--data-range takes TARGET=SPAN" in capsys.readouterr().err


def test_real_chips_with_the_starter(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "terramesh"
    if not folder.is_dir():
        pytest.skip("TerraMesh chips are not there")
    chosen = parse_pairs("S2L2A:DEM,S2L2A:LULC,S2L2A:NDVI")
    result = evaluate(
        EvaluateRequest(str(folder), str(tmp_path / "report"), pairs=chosen, limit=1, threads=2)
    )
    assert pair(result, "DEM")["overall"]["pixels"] == 224 * 224
    assert 0.2 < pair(result, "LULC")["overall"]["accuracy"] < 1
    assert 0 < pair(result, "NDVI")["overall"]["mae"] < 0.3
    assert len(list((tmp_path / "report" / "pictures").iterdir())) == 3
