# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal's face: options, JSON, exit codes, one sentence for what is wrong."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasters import CORNER, files_in, ramp_image, read, write_scene
from terrane import __version__
from terrane.inference import cli
from terrane.inference.console import ProgressLine, duration, run_cancellable
from terrane.inference.errors import Cancelled, InputError, RuntimeMissing
from terrane.inference.packs.manifest import Pack
from terrane.inference.types import Cancel, Progress
from terrane.inference.verbs import common
from toy_pack import build_toy_pack


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


@pytest.fixture
def scene(tmp_path: Path) -> str:
    return write_scene(tmp_path / "s2.tif", ramp_image(50, 70))


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def test_generate_prints_paths(
    scene: str, toy: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    assert run("generate", scene, "--to", "dem,lulc", "-o", out, "--model", toy.root) == 0
    text = capsys.readouterr()
    assert text.out.split() == [str(out / "s2_DEM.tif"), str(out / "s2_LULC.tif")]
    assert "6 of 6 tiles" in text.err
    assert "toy model for tests" in text.err
    with rasterio.open(out / "s2_DEM.tif") as dem, rasterio.open(scene) as source:
        assert (dem.crs, dem.transform, dem.shape) == (source.crs, source.transform, source.shape)


def test_json_is_one_object_and_quiet_is_quiet(
    scene: str, toy: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "--to",
        "DEM",
        "-o",
        tmp_path,
        "--model",
        toy.root,
        "--seed",
        5,
        "--preset",
        "exact",
        "--batch",
        2,
    )
    assert run("generate", scene, *words, "--json", "--quiet", "--threads", 1) == 0
    text = capsys.readouterr()
    envelope = json.loads(text.out)
    assert text.out.count("\n") == 1
    assert {k: envelope[k] for k in ("schema", "verb", "model", "preset", "device", "tiles")} == {
        "schema": 1,
        "verb": "generate",
        "model": "toy",
        "preset": "exact",
        "device": "CPUExecutionProvider",
        "tiles": 6,
    }
    assert envelope["outputs"] == {"DEM": str(tmp_path / "s2_DEM.tif")}
    assert envelope["warnings"]
    assert "tiles" not in text.err


def test_extent_and_region_can_be_given_together(scene: str, toy: Pack, tmp_path: Path) -> None:
    x, y = CORNER
    ring = [[x + 50, y - 50], [x + 400, y - 50], [x + 400, y - 400], [x + 50, y - 50]]
    region = tmp_path / "region.geojson"
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    region.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    words = ("generate", scene, "--to", "DEM", "-o", tmp_path, "--model", toy.root, "--region", region)
    assert run(*words) == 0
    assert read(tmp_path / "s2_DEM.tif").shape == (1, 35, 35)
    extent = ("--extent", x, y - 300, x + 300, y, "--extent-crs", "EPSG:32632")
    assert run(*words, *extent, "--overwrite") == 0
    values = read(tmp_path / "s2_DEM.tif")[0]
    assert values.shape == (30, 30)
    assert (values[:5] == -9999).all()
    assert (values[6, 8:] != -9999).all()
    assert run(*words, *extent[:-2], "--overwrite") == 2


def test_single_bands_and_band_options(toy: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = ramp_image(40, 40)
    whole = write_scene(tmp_path / "nameless.tif", image[::-1].copy(), names=None)
    names = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
    turned = [f"{name}={12 - i}" for i, name in enumerate(names)]
    words = ("--to", "NDVI", "-o", tmp_path, "--model", toy.root, "--quiet", "--boa-offset", 0)
    assert run("generate", whole, "--modality", "s2l2a", "--bands", *turned, *words) == 0
    singles = [
        write_scene(tmp_path / f"T32_{name}.tif", image[i : i + 1], names=None)
        for i, name in enumerate(names)
    ]
    assert run("generate", *singles, "--modality", "S2L2A", *words) == 0
    first, second = (Path(line) for line in capsys.readouterr().out.split())
    np.testing.assert_array_equal(read(first), read(second))


BAD: list[tuple[list[str], str]] = [
    ([], "VERB"),
    (["fly"], "fly"),
    (["generate"], "scene"),
    (["generate", "{scene}", "-o", "{out}"], "--to"),
    (["generate", "{out}/none.tif", "--to", "DEM", "-o", "{out}"], "none.tif"),
    (["generate", "{text}", "--to", "DEM", "-o", "{out}"], "text.tif"),
    (["generate", "{scene}", "--to", "DEM", "-o", "{out}", "--model", "nonesuch"], "nonesuch"),
    (["generate", "{scene}", "--to", "S1GRD", "-o", "{out}", "--model", "{toy}"], "S1GRD"),
    (["generate", "{scene}", "--to", "DEM", "-o", "{out}", "--model", "{toy}", "--preset", "best"], "best"),
    (
        ["generate", "{scene}", "--to", "DEM", "-o", "{out}", "--model", "{toy}", "--extent", "1", "2"],
        "extent",
    ),
    (["generate", "{scene}", "--to", "DEM", "-o", "{out}", "--seed", "x"], "seed"),
    (["generate", "{scene}", "--to", "DEM", "-o", "{out}", "--bands", "B02:1"], "B02:1"),
    (["generate", "{scene}", "--to", "DEM", "-o", "{text}", "--model", "{toy}"], "text.tif"),
    (["generate", "{scene}", "--to", "DEM", "-o", "{out}", "--region", "{out}/none.json"], "none.json"),
    (["generate", "{scene}", "--to", "DEM", "-o", "{out}", "--region", "{text}"], "GeoJSON"),
    (["models", "info", "nonesuch"], "nonesuch"),
    (["inspect", "{text}"], "text.tif"),
    (
        [
            "models",
            "convert",
            "--checkpoint",
            "{text}",
            "--tokenizers",
            "{out}",
            "--inputs",
            "S2L2A",
            "--to",
            "DEM",
            "-o",
            "{out}/pack",
        ],
        "text.tif",
    ),
]


@pytest.mark.parametrize(("words", "text"), BAD, ids=[" ".join(b[0][-2:]) or "nothing" for b in BAD])
def test_bad_usage_is_one_sentence_and_exit_2(
    scene: str, toy: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    (tmp_path / "text.tif").write_text("not a raster")
    places = {"scene": scene, "toy": toy.root, "out": tmp_path / "out", "text": tmp_path / "text.tif"}
    before = files_in(tmp_path)
    assert run(*(word.format(**places) for word in words), *(["--json"] if len(words) > 2 else [])) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("terrane: ")
    assert text in printed.err
    assert printed.err.count("\n") == 1
    assert files_in(tmp_path) == before


def test_a_bug_keeps_its_traceback(scene: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(common, "open_scene", broken)
    with pytest.raises(ZeroDivisionError):
        run("generate", scene, "--to", "DEM", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_machine_that_cannot_exits_3(
    scene: str, toy: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("generate", scene, "--to", "DEM", "-o", tmp_path / "out", "--model", toy.root, "--quiet")

    def missing(*_: object, **__: object) -> None:
        raise RuntimeMissing("ONNX Runtime is not installed.")

    with monkeypatch.context() as patch:
        patch.setattr("terrane.inference.tasks.engine.make_runtime", missing)
        assert run(*words) == 3
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        assert run(*words) == 3
    first, second = capsys.readouterr().err.splitlines()
    assert first == "terrane: ONNX Runtime is not installed."
    assert "Free some space" in second
    assert not (tmp_path / "out").exists()


def test_lists(toy: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*words: object) -> Any:
        assert run(*words) == 0
        return capsys.readouterr().out

    presets = json.loads(printed("presets", "--json"))
    assert presets["default"] == "balanced"
    assert set(presets["presets"]) == {"exact", "balanced", "fast"}
    assert "balanced (default)" in printed("presets")
    assert "cpu" in json.loads(printed("devices", "--json"))["devices"]
    assert "cpu" in printed("devices").split()
    assert json.loads(printed("models", "list", "--json"))["verb"] == "models list"
    printed("models", "list")
    info = json.loads(printed("models", "info", toy.root, "--json"))
    assert (info["id"], info["sha256"], info["tile"]) == ("toy", toy.hash, 32)
    assert "toy model for tests" in printed("models", "info", toy.root)


def test_inspect_says_what_was_recognised(scene: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", scene, "--json") == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["modality"], seen["crs"], seen["width"], seen["height"]) == ("S2L2A", "EPSG:32632", 70, 50)
    assert list(seen["bands"])[:2] == ["B01", "B02"]
    assert run("inspect", scene) == 0
    assert "S2L2A" in capsys.readouterr().out


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in (
        (["--version"], __version__),
        (["--help"], "generate"),
        (["generate", "-h"], "--preset"),
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(words)
        assert stop.value.code == 0
        assert text in capsys.readouterr().out


def test_python_m_terrane_runs_it() -> None:
    env = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "terrane", "presets", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=env,
    )
    assert json.loads(done.stdout)["verb"] == "presets"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_line_is_redrawn_in_a_terminal_and_printed_elsewhere() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        line = ProgressLine(stream)
        for done in (0, 17, 34):
            line._next = 0
            line(Progress(done, 34, 48.2 if done else None, "Writing DEM" if done == 34 else ""))
        line.close()
    assert pipe.getvalue().splitlines() == [
        "0 of 34 tiles",
        "17 of 34 tiles · 48 s left",
        "34 of 34 tiles · Writing DEM",
    ]
    drawn = terminal.getvalue().split("\r")
    assert drawn[2].startswith("█" * 12 + "░" * 12 + "  17 of 34 tiles")
    assert drawn[-2].strip() == ""
    assert "\n" not in terminal.getvalue()


def test_the_progress_line_does_not_flood() -> None:
    pipe = io.StringIO()
    line = ProgressLine(pipe)
    for done in range(1000):
        line(Progress(done, 1001))
    assert len(pipe.getvalue().splitlines()) == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-3, "0 s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_work_is_done_in_a_thread_and_its_error_comes_back() -> None:
    assert run_cancellable(lambda _: 7) == 7

    def fail(_: Cancel) -> None:
        raise InputError("No.")

    with pytest.raises(InputError, match="No"):
        run_cancellable(fail)

    def stopped(cancel: Cancel) -> None:
        cancel.set()
        cancel.raise_if_set()

    with pytest.raises(Cancelled):
        run_cancellable(stopped)
