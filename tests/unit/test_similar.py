# SPDX-License-Identifier: GPL-2.0-or-later
"""Similarity: exact values on small arrays, examples of every kind, the most similar patches."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geos import NAMES, make_geo, save, utm
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference import cli
from terrane.inference.errors import ExtentError, InputError, SourceError
from terrane.inference.io import wkb
from terrane.inference.io.base import BandRef, Features, OutputSpec
from terrane.inference.tasks import patches
from terrane.inference.tasks.similar import SimilarRequest, alike, regions_of, similar
from terrane.inference.types import BBox

GSD, LEFT, TOP = 160.0, 500000.0, 5100000.0


@pytest.fixture(params=NAMES)
def geo(request):
    if request.param == "rasterio":
        pytest.importorskip("pyogrio")
    return make_geo(request.param)


def centre(col: int, row: int) -> tuple[float, float]:
    return LEFT + GSD * (col + 0.5), TOP - GSD * (row + 0.5)


def embeddings(geo: Any, tmp_path: Path, vectors: np.ndarray) -> str:
    dim, height, width = vectors.shape
    grid = utm(geo, width, height, GSD, LEFT, TOP)
    spec = OutputSpec("float32", math.nan, [f"e{i:03d}" for i in range(dim)], tags={"TERRANE_MODEL": "toy"})
    return save(geo, tmp_path / "e.tif", grid, vectors.astype(np.float32), spec)


def run(geo: Any, tmp_path: Path, vectors: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    path = str(tmp_path / "e.tif")
    if not Path(path).exists():
        path = embeddings(geo, tmp_path, vectors)
    out = str(tmp_path / "s.tif")
    result = similar(SimilarRequest(path, out, overwrite=True, **options), geo=geo)
    grid = geo.describe(out).grid
    values, valid = geo.reader([BandRef(out)], grid).read(grid.window)
    return values[0], valid[0], result


def random_vectors(dim: int = 20, height: int = 7, width: int = 9) -> np.ndarray:
    # Hardly any of them alike: a mean far from zero, as real encoders have it.
    return np.random.default_rng(3).normal(size=(dim, height, width)) + 2


def test_exact_values(geo, tmp_path):
    vectors = np.zeros((2, 1, 5))
    vectors[:, 0] = np.array([[3, 0], [5, 5], [0, 0.1], [-2, 0], [0, 0]]).T
    got, valid, result = run(geo, tmp_path, vectors, points=[centre(0, 0)])
    assert valid.all()
    np.testing.assert_array_equal(got[0], np.float32([1, math.sqrt(0.5), 0, -1, 0]))
    assert (result.low, result.high, result.examples) == (-1, 1, 1)
    info = geo.describe(result.output)
    assert info.bands[0].description == "Similarity"
    assert info.tags["TERRANE_MODEL"] == "toy"
    assert "500080 5099920" in info.tags["TERRANE_EXAMPLES"]


def test_the_example_itself_has_one(geo, tmp_path):
    vectors = random_vectors()
    flat = vectors.astype(np.float32).astype(np.float64).reshape(20, -1)
    unit = flat / np.linalg.norm(flat, axis=0)
    for col, row in ((0, 0), (8, 6), (4, 3)):
        got, _, _ = run(geo, tmp_path, vectors, points=[centre(col, row)])
        assert got[row, col] == np.float32(1)
        expected = (unit.T @ unit[:, row * 9 + col]).reshape(7, 9)
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_several_examples(geo, tmp_path):
    vectors = random_vectors()
    points = [centre(0, 0), centre(8, 6)]
    single = [run(geo, tmp_path, vectors, points=[point])[0] for point in points]
    both, _, result = run(geo, tmp_path, vectors, points=points)
    np.testing.assert_array_equal(both, np.maximum(*single))
    assert result.examples == 2
    mean, _, _ = run(geo, tmp_path, vectors, points=points, combine="mean")
    cosine = single[0][6, 8]
    np.testing.assert_allclose(mean, (single[0] + single[1]) / math.sqrt(2 + 2 * cosine), rtol=1e-5)


def test_polygons_stand_for_the_mean_of_their_patches(geo, tmp_path):
    vectors = random_vectors()
    # Over the centres of the patches of columns 1-2 and rows 2-3.
    ring = [
        (LEFT + 230, TOP - 380),
        (LEFT + 470, TOP - 380),
        (LEFT + 470, TOP - 590),
        (LEFT + 230, TOP - 590),
    ]
    got, _, _ = run(geo, tmp_path, vectors, regions=[[ring]])
    flat = vectors.astype(np.float32).astype(np.float64)
    unit = flat / np.linalg.norm(flat, axis=0)
    mean = unit[:, 2:4, 1:3].mean(axis=(1, 2))
    expected = np.tensordot(mean / np.linalg.norm(mean), unit, axes=1)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_seen_from_the_mean(geo, tmp_path):
    vectors = random_vectors()
    plain, _, _ = run(geo, tmp_path, vectors, points=[centre(4, 3)])
    got, _, _ = run(geo, tmp_path, vectors, points=[centre(4, 3)], centre=True)
    assert got[3, 4] == 1
    flat = vectors.astype(np.float32).astype(np.float64)
    flat -= flat.mean(axis=(1, 2), keepdims=True)
    unit = flat / np.linalg.norm(flat, axis=0)
    np.testing.assert_allclose(got, np.tensordot(unit[:, 3, 4], unit, axes=1), rtol=1e-5, atol=1e-6)
    assert got.std() > 2 * plain.std(), "it tells more apart"


def test_patches_without_data(geo, tmp_path):
    vectors = random_vectors()
    vectors[:, 2, 3] = np.nan
    _, valid, _ = run(geo, tmp_path, vectors, points=[centre(0, 0)])
    assert not valid[2, 3]
    assert valid.sum() == valid.size - 1
    with pytest.raises(ExtentError, match="no data"):
        run(geo, tmp_path, vectors, points=[centre(3, 2)])


def test_strips_change_nothing(geo, tmp_path, monkeypatch):
    vectors = random_vectors(20, 40, 30)
    points = [centre(7, 25)]
    ring = [
        (LEFT + 100, TOP - 100),
        (LEFT + 900, TOP - 100),
        (LEFT + 900, TOP - 5000),
        (LEFT + 100, TOP - 5000),
    ]
    options = {"points": points, "regions": [[ring]], "places": str(tmp_path / "p.gpkg"), "top": 30}
    whole, _, _ = run(geo, tmp_path, vectors, **options)
    places = geo.read_features(options["places"])
    monkeypatch.setattr(patches, "STRIP_BYTES", 3 * 4 * 20 * 30)
    parts, _, _ = run(geo, tmp_path, vectors, **options)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    again = geo.read_features(options["places"])
    np.testing.assert_array_equal(again.columns["score"], places.columns["score"])
    assert again.wkb == places.wkb


def test_the_most_similar_patches(geo, tmp_path):
    vectors = random_vectors()
    path = str(tmp_path / "p.gpkg")
    got, _, result = run(geo, tmp_path, vectors, points=[centre(4, 3)], top=5, places=path)
    found = geo.read_features(path)
    assert (result.places, result.found) == (path, 5)
    np.testing.assert_array_equal(found.columns["rank"], [1, 2, 3, 4, 5])
    others = np.delete(got.ravel(), 3 * 9 + 4)
    np.testing.assert_allclose(found.columns["score"], np.sort(others)[::-1][:5], rtol=1e-7)
    for data, score in zip(found.wkb, found.columns["score"]):
        ring = wkb.shapes(data).polygons[0][0]
        x, y = np.mean(ring[:4], axis=0)
        assert got[int((TOP - y) // GSD), int((x - LEFT) // GSD)] == np.float32(score)
    limit = float(np.sort(others)[-3])
    _, _, result = run(geo, tmp_path, vectors, points=[centre(4, 3)], threshold=limit, places=path)
    assert result.found == 3


def test_points_in_another_crs(geo, tmp_path):
    vectors = random_vectors()
    expected, _, _ = run(geo, tmp_path, vectors, points=[centre(4, 3)])
    grid = geo.describe(str(tmp_path / "e.tif")).grid
    x, y = centre(4, 3)
    lon, lat = geo.transform(grid.crs, geo.parse_crs("EPSG:4326"), [x], [y])
    got, _, _ = run(geo, tmp_path, vectors, points=[(lon[0], lat[0])], crs="EPSG:4326")
    np.testing.assert_array_equal(got, expected)


def test_what_cannot_be(geo, tmp_path):
    vectors = random_vectors()
    for options, kind, words in (
        ({}, InputError, "at least one example"),
        ({"points": [(0, 0)]}, ExtentError, "lies outside of the embeddings"),
        ({"points": [centre(0, 0)], "combine": "median"}, InputError, "max or mean"),
        ({"points": [centre(0, 0)], "top": 3}, InputError, "Name a vector file"),
        ({"points": [centre(0, 0)], "threshold": 2, "places": "x.gpkg"}, InputError, "between -1 and 1"),
        ({"regions": [[[(0, 0), (1, 0), (1, 1)]]]}, ExtentError, "Polygon 1 holds the centre of no patch"),
    ):
        with pytest.raises(kind, match=words):
            run(geo, tmp_path, vectors, **options)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.tif"]
    one = save(geo, tmp_path / "one.tif", utm(geo, 5, 5), np.zeros((1, 5, 5), np.float32))
    with pytest.raises(SourceError, match="one band only"):
        similar(SimilarRequest(one, str(tmp_path / "s.tif"), points=[centre(0, 0)]), geo=geo)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_alike_is_a_cosine(seed, count):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(6, 5))
    examples = rng.normal(size=(count, 5))
    directions = examples / np.linalg.norm(examples, axis=1, keepdims=True)
    got = alike(vectors, np.ones(6, bool), np.zeros(5), directions)
    lengths = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(examples, axis=1)[None]
    np.testing.assert_allclose(got, ((vectors @ examples.T) / lengths).max(axis=1), rtol=1e-5, atol=1e-6)
    assert (np.abs(got) <= 1).all()


def test_in_the_terminal(geo, tmp_path, capsys):
    path = embeddings(geo, tmp_path, random_vectors())
    x, y = centre(4, 3)
    box = wkb.box(BBox(x - 100, y - 100, x + 100, y + 100))
    crs = geo.describe(path).grid.crs
    geo.write_features(str(tmp_path / "r.geojson"), Features(crs, "Polygon", [box]))
    words = [
        "similar",
        path,
        "-o",
        tmp_path / "s.tif",
        "--region",
        tmp_path / "r.geojson",
        "--quiet",
        "--json",
    ]
    words += ["--points", "{},{}".format(*centre(1, 1)), "--top", "4", "--places", tmp_path / "p.gpkg"]
    assert cli.main([str(word) for word in words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outputs"] == {"similarity": str(tmp_path / "s.tif")}
    assert (told["features"], told["examples"], told["range"][1]) == (str(tmp_path / "p.gpkg"), 2, 1.0)
    assert cli.main(["similar", path, "-o", str(tmp_path / "t.tif"), "--points", "5"]) == 2
    assert "--points takes X,Y" in capsys.readouterr().err


def test_examples_from_files(geo, tmp_path):
    points = Features("EPSG:32632", "Point", [wkb.point(*centre(1, 1)), wkb.point(*centre(2, 2))])
    geo.write_features(str(tmp_path / "p.gpkg"), points)
    polygons, places, crs = regions_of(str(tmp_path / "p.gpkg"), geo)
    assert (polygons, places) == ([], [centre(1, 1), centre(2, 2)])
    assert geo.same_crs(crs, geo.parse_crs("EPSG:32632"))
    geo.write_features(str(tmp_path / "none.gpkg"), Features("EPSG:32632", "Point", []))
    with pytest.raises(InputError, match="neither polygons nor points"):
        regions_of(str(tmp_path / "none.gpkg"), geo)
