# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of what a pack must reach, on small scenes whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform
from terrane.inference.metrics import Confusion
from terrane.inference.packs.manifest import Pack
from terrane.inference.tasks.chips import find_chips
from toy_pack import build_toy_pack, expected

from training import evaluate as evaluation
from training.chip_folder import write_terramesh
from training.evaluate_table import GOALS, as_text, targets_of
from training.rule import spectral_rule

SIDE = 32


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy", tile=SIDE)


def chip(seed: int, wrong: int = 0, **more: Any) -> SimpleNamespace:
    """A scene whose truth is what the toy pack makes, but for ``wrong`` rows of other land cover."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    surface = 2000 + 900 * np.sin(x / 9 + seed) * np.cos(y / 11) + 100 * seed
    image = np.rint(surface[None] * (1 + 0.05 * np.arange(12)[:, None, None])).astype(np.uint16)
    made = {
        target: expected(image[None].astype(np.float64), target)[0, 0] for target in ("DEM", "LULC", "NDVI")
    }
    lulc = made["LULC"].astype(np.uint8)
    lulc[:wrong] = lulc[:wrong] % 9 + 1
    dem, ndvi = made["DEM"].astype(np.float32) + 10, made["NDVI"].astype(np.float32)
    return SimpleNamespace(s2l2a=image, dem=dem, lulc=lulc, ndvi=ndvi, **more)


def test_scenes_are_written_in_terrameshs_layout_where_they_lie(tmp_path: Path) -> None:
    radar, rgb = np.full((2, SIDE, SIDE), -12.5, np.float16), np.zeros((3, SIDE, SIDE), np.uint8)
    coords = np.array([-48.1, -25.3])
    one = chip(0, s1grd=radar, rgb=rgb, coords=coords)
    write_terramesh(tmp_path, "a", one)
    assert set(find_chips(str(tmp_path)).files) == {"S2L2A", "RGB", "S1GRD", "DEM", "LULC", "NDVI"}
    with rasterio.open(tmp_path / "S1GRD" / "a.tif") as file:
        assert file.dtypes == ("float32", "float32")
        assert (file.read() == -12.5).all()
    with rasterio.open(tmp_path / "S2L2A" / "a.tif") as file:
        assert file.crs.to_epsg() == 32722
        assert (file.read() == one.s2l2a).all()
        centre = file.transform * (SIDE / 2, SIDE / 2)
        (longitude,), (latitude,) = transform(file.crs, "EPSG:4326", *([value] for value in centre))
    assert (longitude, latitude) == pytest.approx(coords, abs=1e-4)


def test_figures_of_the_rule_and_of_groups() -> None:
    confusion = Confusion(10, ignore=0)
    confusion.add(np.array([1, 2, 4, 4, 9]), np.array([1, 4, 4, 6, 2]))
    found = evaluation.class_figures(confusion)
    assert found["accuracy"] == 0.4
    assert found["group accuracy"] == 0.8
    assert found["IoU"] == {"water": 1.0, "trees": 0.0, "crops": 0.333, "rangeland": 0.0}
    water = np.array([600, 500, 400, 300, 250, 200, 150, 120, 100, 90, 50, 30]).reshape(12, 1, 1)
    assert spectral_rule(water).tolist() == [[1]]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two "unseen" scenes, a quarter of the second one's land cover wrong, and one real chip."""

    def write_unseen(root: Path, seeds: Any) -> None:
        for number, seed in enumerate(seeds):
            write_terramesh(root, f"simulated_{seed}", chip(number, wrong=8 * number))

    monkeypatch.setattr(evaluation, "write_unseen", write_unseen)
    write_terramesh(tmp_path / "real", "282D_1_2", chip(3, wrong=16))
    write_terramesh(tmp_path / "real", "637U_1_2", chip(4))
    return tmp_path / "real"


def test_the_table_of_a_pack(small: Path, toy: Pack) -> None:
    found = evaluation.figures(toy.root, 2, terramesh=small, chips=("282D",), run=small)
    simulated, real = found["simulated"], found["real"]
    assert simulated["LULC"]["accuracy"] == pytest.approx(1 - 1 / 8)
    assert simulated["NDVI"]["mean absolute error"] == 0
    assert simulated["DEM"]["detail correlation"] == pytest.approx(1, abs=1e-3)
    assert simulated["DEM"]["tiles"] == 2
    assert list(real["chips"]) == ["282D"]
    assert real["chips"]["282D"]["LULC"]["accuracy"] == pytest.approx(0.5)
    assert real["mean"]["LULC"]["accuracy"] == pytest.approx(0.5)
    assert 0 <= real["mean"]["rule"]["accuracy"] <= 1
    rows = {item["row"]: item for item in found["targets"]}
    assert rows["simulated: LULC overall accuracy"]["met"] is True
    assert rows["real: nine classes, mean overall accuracy"]["met"] is False  # more than a half is asked for
    assert len(rows) == len(GOALS) + 1
    text = as_text(found)
    assert "NOT MET" in text
    assert "637U" not in text
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_rows_that_nothing_measures_are_named(small: Path, toy: Pack) -> None:
    found = evaluation.figures(toy.root, 1, terramesh=None, run=small)
    assert "real" not in found
    assert [row["met"] for row in found["targets"] if row["row"].startswith("real")] == [None] * 4
    assert "nothing to measure: " in as_text(found)


def test_targets_are_met_or_not() -> None:
    found = {
        "simulated": {"NDVI": {"mean absolute error": 0.05}},
        "real": {
            "chips": {"a": {"LULC": {"accuracy": 0.5}, "rule": {"accuracy": 0.4}}},
            "mean": {"LULC": {"accuracy": 0.5}, "rule": {"accuracy": 0.4}, "NDVI": {}},
        },
    }
    met = {row["row"]: row["met"] for row in targets_of(found)}
    assert met["simulated: NDVI mean absolute error"] is True
    assert met["real: nine classes, mean overall accuracy"] is False
    assert met["real: the same, above the rule on spectral indices"] is True
    assert met["real 282D: water IoU"] is None


def test_means_are_over_the_figures_that_all_chips_have() -> None:
    chips = [{"LULC": {"accuracy": 0.5, "IoU": {"water": 1}}}, {"LULC": {"accuracy": 0.7}, "NDVI": {"x": 1}}]
    assert evaluation._means(chips) == {"LULC": {"accuracy": 0.6}}
