# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane generate`` beyond the plain run: more inputs, knobs, samples, forecasts, resuming."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import rasterio
from rasters import files_in, ramp_image, read, write_scene
from terrane.inference import cli
from terrane.inference.console import run_cancellable
from terrane.inference.errors import DiskFull
from terrane.inference.packs.manifest import Pack
from terrane.inference.tasks import tiled
from terrane.inference.types import Cancel
from terrane.inference.verbs import generate as verb
from toy_pack import build_toy_pack


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    inputs = ("S2L2A", "S1GRD", "DEM", "COORDS")
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy", inputs=inputs, gain=0.5)


@pytest.fixture
def scene(tmp_path: Path) -> str:
    return write_scene(tmp_path / "s2.tif", ramp_image(50, 70))


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def asked(scene: str, toy: Pack, out: Path, *more: object) -> list[object]:
    return ["generate", scene, "--to", "LULC", "-o", out, "--model", toy.root, *more]


def test_more_inputs_are_read_with_the_first(scene: str, toy: Pack, tmp_path: Path) -> None:
    radar = np.full((2, 50, 70), -11, np.float32)
    s1 = write_scene(tmp_path / "vv_vh.tif", radar, names=("VV", "VH"), dtype="float32", nodata=-9999)
    assert run(*asked(scene, toy, tmp_path / "a", "--also", f"s1grd={s1}")) == 0
    with rasterio.open(tmp_path / "a" / "s2_LULC.tif") as made:
        assert made.tags()["TERRANE_SOURCE"] == "s2.tif; vv_vh.tif"
    assert run(*asked(scene, toy, tmp_path / "b", "--also", f"S1GRD={s1}", "--also", f"S1GRD={s1}")) == 2
    dem = write_scene(tmp_path / "dem.tif", radar[:1], names=("DEM",), dtype="float32", nodata=-9999)
    assert run(*asked(scene, toy, tmp_path / "c", "--coords", "--also", f"DEM={dem}")) == 0
    assert run(*asked(scene, toy, tmp_path / "d", "--also", tmp_path / "none.tif")) == 2


def test_samples_and_probability_name_their_files(scene: str, toy: Pack, tmp_path: Path) -> None:
    words = ("--to", "DEM", "LULC", "--samples", 3, "--overwrite")
    assert run(*asked(scene, toy, tmp_path / "out", *words)) == 0
    names = ["DEM", "DEM_std", "LULC", "LULC_entropy", "LULC_probability"]
    assert [n for n in files_in(tmp_path / "out") if n.endswith(".tif")] == [
        f"s2_{name}.tif" for name in names
    ]
    assert run(*asked(scene, toy, tmp_path / "one", "--probability")) == 0
    assert read(tmp_path / "one" / "s2_LULC_probability.tif").max() <= 1


def test_knobs_are_noted_in_the_result(scene: str, toy: Pack, tmp_path: Path) -> None:
    knobs = (
        "--steps",
        3,
        "--clamp",
        "reference",
        "--sampler",
        "argmax",
        "--precision",
        "fp32",
        "--stride",
        16,
    )
    assert run(*asked(scene, toy, tmp_path, *knobs)) == 0
    with rasterio.open(tmp_path / "s2_LULC.tif") as made:
        assert made.tags()["TERRANE_PRESET"] == (
            "balanced, steps 3, clamp reference, sampler argmax, precision fp32, stride 16"
        )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--clamp", "wide"), '--clamp takes "reference" or a number'),
        (("--clamp", "0"), "above 0"),
        (("--precision", "int8"), "holds no int8"),
        (("--tile", "256"), "takes tiles of 32 pixels"),
        (("--samples", "0"), "samples must be from 1"),
    ],
)
def test_bad_knobs_exit_2(
    scene: str, toy: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Any, text: str
) -> None:
    assert run(*asked(scene, toy, tmp_path / "out", *words)) == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_forecast_runs_nothing(
    scene: str, toy: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*asked(scene, toy, tmp_path / "out", "--forecast", "--json")) == 0
    envelope = json.loads(capsys.readouterr().out)
    seen = envelope["forecast"]
    assert (envelope["verb"], seen["tiles"], seen["tiles_done"]) == ("generate", 6, 0)
    assert seen["seconds"] > 0
    assert seen["bytes_needed"] > 50 * 70
    assert not (tmp_path / "out").exists()
    assert run(*asked(scene, toy, tmp_path / "out", "--dry-run")) == 0
    assert capsys.readouterr().out.startswith("6 tiles · about ")


def test_long_runs_are_announced(
    scene: str,
    toy: Pack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verb, "LONG", 5)
    assert run(*asked(scene, toy, tmp_path / "out")) == 0
    assert "6 tiles · about " in capsys.readouterr().err
    assert run(*asked(scene, toy, tmp_path / "again", "--quiet")) == 0
    assert "about" not in capsys.readouterr().err


def stopping(patch: pytest.MonkeyPatch, after: int, error: Optional[Exception]) -> None:
    """The second batch to be kept ends the run: by an error, or by the button that Ctrl-C presses."""
    real, calls, buttons = tiled.Journal.put, [], []

    def put(self: Any, *rest: Any) -> None:
        real(self, *rest)
        calls.append(1)
        if len(calls) == after:
            if error is not None:
                raise error
            buttons[0].set()

    def watching(work: Any) -> Any:
        def watched(cancel: Cancel) -> Any:
            buttons.append(cancel)
            return work(cancel)

        return run_cancellable(watched)

    patch.setattr(tiled.Journal, "put", put)
    patch.setattr(verb, "run_cancellable", watching)


@pytest.mark.parametrize(("error", "code"), [(None, 130), (DiskFull("The disk is full."), 3)])
def test_what_is_kept_is_told_and_resumed(
    scene: str, toy: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Any, code: int
) -> None:
    words = asked(scene, toy, tmp_path / "out", "--batch", 1, "--seed", 1)
    with pytest.MonkeyPatch.context() as patch:
        stopping(patch, 2, error)
        assert run(*words) == code
    text = capsys.readouterr().err
    assert "of 6 tiles are kept; run again with --resume to continue." in text
    assert ("Cancelled" in text) == (error is None)
    assert run(*words, "--forecast", "--json") == 0
    assert json.loads(capsys.readouterr().out)["forecast"]["tiles_done"] >= 2
    assert run(*words, "--resume", "--json") == 0
    assert json.loads(capsys.readouterr().out)["resumed"] >= 2
    assert [n for n in files_in(tmp_path / "out") if n.startswith(".")] == []
