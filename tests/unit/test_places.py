# SPDX-License-Identifier: GPL-2.0-or-later
"""Places as a point layer: what the model believes, what is true, and how far apart these are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasters import CORNER, UTM32, ramp_image, write_scene
from terrane.inference.geodesic import distance
from terrane.inference.io import default_geo, wkb
from terrane.inference.io.scene import open_scene
from terrane.inference.tasks.generate import GenerateRequest, generate
from terrane.inference.tasks.places import features_of
from terrane.inference.tasks.request import output_paths
from toy_pack import build_toy_pack


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_two_points_per_tile_and_one_where_there_is_no_guess() -> None:
    guesses = np.array([[10.25, 50.0], [np.nan, np.nan], [-179.75, 0.0]])
    truths = np.array([[10.0, 50.0], [11.0, 51.0], [179.75, 0.0]])
    made = features_of([4, 5, 6], guesses, truths, "EPSG:4326")
    assert made.geometry == "Point"
    assert made.columns["tile"] == (4, 4, 5, 6, 6)
    assert made.columns["role"] == ("predicted", "true", "true", "predicted", "true")
    assert all(len(name) <= 10 for name in made.columns)
    points = [wkb.shapes(one).points[0] for one in made.wkb]
    assert points == list(zip(made.columns["lon"], made.columns["lat"]))
    assert points[0] == (10.25, 50.0)
    expected = [float(distance(*a, *b)) / 1000 for a, b in zip(guesses, truths)]
    assert expected[0] == pytest.approx(17.9, abs=0.1)
    away = np.array(made.columns["dist_km"])
    np.testing.assert_allclose(away[[0, 1]], expected[0], rtol=1e-9)
    np.testing.assert_allclose(away[[3, 4]], expected[2], rtol=1e-9)
    assert expected[2] < 60  # the short way, across the antimeridian
    assert np.isnan(away[2])


def test_no_tile_is_an_empty_layer() -> None:
    made = features_of([], np.zeros((0, 2)), np.zeros((0, 2)), "EPSG:4326")
    assert len(made.wkb) == 0
    assert set(made.columns) == {"tile", "role", "lon", "lat", "dist_km"}


def test_generated_places_become_a_layer(tmp_path: Path) -> None:
    toy = build_toy_pack(tmp_path / "toy", targets=("DEM", "COORDS"))
    image = ramp_image(32, 80)
    image[:, :, :26] = 0  # the first of three tiles keeps a strip of six pixels
    scene = open_scene(write_scene(tmp_path / "s2.tif", image), modality="S2L2A")
    targets = ("COORDS", "DEM")
    outputs = output_paths(str(tmp_path), "s2", targets)
    result = generate(GenerateRequest((scene,), targets, outputs, model=str(toy.root)))
    assert outputs["COORDS"].endswith("s2_COORDS.gpkg")
    geo = default_geo()
    made = geo.read_features(result.outputs["COORDS"])
    assert geo.same_crs(made.crs, geo.parse_crs("EPSG:4326"))
    roles, tiles = list(made.columns["role"]), np.asarray(made.columns["tile"])
    assert sorted(set(tiles)) == [0, 1, 2]
    assert roles.count("true") == 3
    for tile, role, point in zip(tiles, roles, made.wkb):
        x, y = wkb.shapes(point).points[0]
        if role == "true":
            place = [CORNER[0] + 240 * tile + 160], [CORNER[1] - 160]
            (lon,), (lat,) = geo.transform(geo.parse_crs(UTM32), made.crs, *place)
            assert (x, y) == pytest.approx((lon, lat), abs=1e-9)
        else:
            assert x % 0.25 == 0
            assert y % 0.25 == 0
    guessed = roles.count("predicted")
    assert guessed > 0
    warned = [w for w in result.warnings if "no place" in w]
    assert bool(warned) == (guessed < 3)
