# SPDX-License-Identifier: GPL-2.0-or-later
"""Class rasters to polygons: what is in the files, in every format, by both Geos, and what is refused."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from geos import CLASSES, NAMES, make_geo, plain_tif, save, utm
from terrane.inference import VectorizeRequest, vectorize
from terrane.inference.cli import main
from terrane.inference.errors import Cancelled, InputError, OutputError, SourceError
from terrane.inference.grid import Affine, Grid
from terrane.inference.io import wkb
from terrane.inference.types import Cancel, Size

pyproj = pytest.importorskip("pyproj")
FORMATS = (".gpkg", ".shp", ".geojson", ".fgb", ".parquet")


@pytest.fixture(params=NAMES)
def geo(request):
    return make_geo(request.param)


VALUES = np.array(
    [
        [1, 1, 1, 2, 2, 0],
        [1, 4, 1, 2, 2, 0],
        [1, 1, 1, 2, 5, 5],
        [2, 2, 2, 2, 5, 5],
    ],
    np.uint8,
)


@pytest.fixture
def classes(geo, tmp_path):
    return save(geo, tmp_path / "classes.tif", utm(geo, 6, 4), VALUES[None], CLASSES)


def geodesic(geo, crs, data):
    """Area and perimeter of a polygon on the ellipsoid, by PROJ."""
    rings = wkb.shapes(data).polygons[0]
    ellipsoid, area, around = pyproj.Geod(ellps="WGS84"), 0.0, 0.0
    for number, ring in enumerate(rings):
        dense = []
        for (ax, ay), (bx, by) in zip(ring, ring[1:]):
            dense += [(ax + (bx - ax) * i / 20, ay + (by - ay) * i / 20) for i in range(20)]
        lons, lats = geo.transform(crs, geo.parse_crs("EPSG:4326"), *zip(*dense))
        one, length = ellipsoid.polygon_area_perimeter(lons, lats)
        area += abs(one) if number == 0 else -abs(one)
        around += length
    return area, around


def test_polygons_say_what_they_are(geo, classes, tmp_path):
    out = str(tmp_path / "o.gpkg")
    result = vectorize(VectorizeRequest(classes, out), geo=geo)
    found = geo.read_features(out)
    assert (result.polygons, result.classes, result.warnings) == (4, 4, ())
    assert list(found.columns) == ["class", "name", "area_m2", "perim_m", "pixels", "model", "run"]
    assert found.columns["class"].tolist() == [1, 2, 4, 5]
    assert found.columns["name"].tolist() == ["Water", "Trees", "Crops", "Built area"]
    assert found.columns["pixels"].tolist() == [8, 9, 1, 4]
    assert set(found.columns["model"]) == {'stärter <1> & "2"'}
    assert set(found.columns["run"]) == {"seed 0"}
    for data, area, around in zip(found.wkb, found.columns["area_m2"], found.columns["perim_m"]):
        expected = geodesic(geo, found.crs, data)
        assert area == pytest.approx(expected[0], rel=1e-6)
        assert around == pytest.approx(expected[1], rel=1e-6)


def test_vertices_lie_on_pixel_corners_to_the_last_digit(geo, classes, tmp_path):
    out = str(tmp_path / "o.gpkg")
    vectorize(VectorizeRequest(classes, out), geo=geo)
    grid = geo.describe(classes).grid
    corners = {grid.transform.apply(c, r) for c in range(7) for r in range(5)}
    found = geo.read_features(out)
    for data in found.wkb:
        for ring in wkb.shapes(data).polygons[0]:
            assert set(ring) <= corners
    first = wkb.shapes(found.wkb[0]).polygons[0]
    assert len(first) == 2  # the crop pixel is a hole of the water


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format(geo, classes, tmp_path, suffix):
    out = str(tmp_path / f"o{suffix}")
    result = vectorize(VectorizeRequest(classes, out), geo=geo)
    if suffix == ".parquet":
        table = pytest.importorskip("pyarrow.parquet").read_table(out)
        assert table.column("class").to_pylist() == [1, 2, 4, 5]
        return
    found = geo.read_features(out)
    assert sorted(found.columns["class"].tolist()) == [1, 2, 4, 5]
    assert set(found.columns["model"]) == {'stärter <1> & "2"'}
    if suffix == ".shp":
        assert Path(tmp_path / "o.cpg").read_text() == "UTF-8"
        assert "no style" in result.warnings[0]
    if suffix == ".geojson":
        _check_rfc7946(json.loads(Path(out).read_text(encoding="utf-8")))


def _check_rfc7946(document):
    assert "crs" not in document
    for feature in document["features"]:
        for number, ring in enumerate(feature["geometry"]["coordinates"]):
            assert all(8 < x < 10 and 45 < y < 47 for x, y in ring)
            double = sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(ring, ring[1:]))
            assert (double > 0) == (number == 0)  # right-hand rule


def test_the_style_lies_inside(geo, classes, tmp_path):
    out = str(tmp_path / "o.gpkg")
    vectorize(VectorizeRequest(classes, out), geo=geo)
    with sqlite3.connect(out) as database:
        ((table, default, qml),) = database.execute(
            "SELECT f_table_name, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
    database.close()
    assert (table, default) == ("o", 1)
    assert 'attr="class"' in qml
    assert 'label="Water"' in qml


def test_equal_runs_make_equal_bytes(geo, classes, tmp_path):
    paths = [tmp_path / name / "o.gpkg" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        vectorize(VectorizeRequest(classes, str(path)), geo=geo)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_score_is_the_mean_confidence(geo, classes, tmp_path):
    grid = utm(geo, 6, 4)
    shares = np.linspace(0, 1, 24, dtype=np.float32).reshape(1, 4, 6)
    confidence = plain_tif(tmp_path / "p.tif", shares, grid)
    out = str(tmp_path / "o.gpkg")
    vectorize(VectorizeRequest(classes, out, confidence=confidence), geo=geo)
    found = geo.read_features(out)
    for value, score in zip(found.columns["class"], found.columns["score"]):
        assert score == pytest.approx(float(shares[0][value == VALUES].mean()), rel=1e-6)


def test_small_patches_join_their_largest_neighbour(geo, classes, tmp_path):
    out = str(tmp_path / "o.gpkg")
    vectorize(VectorizeRequest(classes, out, min_area=450.0), geo=geo)
    found = geo.read_features(out)
    # One pixel of crops joins the water around it; four of buildings (400 m²) join nine of trees.
    assert found.columns["class"].tolist() == [1, 2]
    assert found.columns["pixels"].tolist() == [9, 13]
    assert len(wkb.shapes(found.wkb[0]).polygons[0]) == 1


def test_classes_can_be_left_out(geo, classes, tmp_path):
    out = str(tmp_path / "o.gpkg")
    vectorize(VectorizeRequest(classes, out, leave_out=(1, 5)), geo=geo)
    assert geo.read_features(out).columns["class"].tolist() == [2, 4]


def test_simplified_areas_are_those_of_the_shapes(geo, tmp_path):
    rng = np.random.default_rng(3)
    coarse = rng.integers(1, 5, (12, 14)).repeat(6, axis=0).repeat(6, axis=1)
    values = np.roll(coarse, 2, axis=0).astype(np.uint8)
    for row in range(len(values)):
        values[row] = np.roll(values[row], row // 2)
    path = save(geo, tmp_path / "c.tif", utm(geo, 84, 72), values[None], CLASSES)
    out = str(tmp_path / "o.gpkg")
    vectorize(VectorizeRequest(path, out, simplify=1.0, smooth=2), geo=geo)
    found = geo.read_features(out)
    assert found.columns["pixels"].sum() == values.size
    for data, area, around in zip(found.wkb, found.columns["area_m2"], found.columns["perim_m"]):
        expected = geodesic(geo, found.crs, data)
        assert area == pytest.approx(expected[0], rel=1e-6)
        assert around == pytest.approx(expected[1], rel=1e-6)


def test_degrees_have_ellipsoidal_areas_too(geo, tmp_path):
    grid = Grid(geo.parse_crs("EPSG:4326"), Affine(0.01, 0, 8.0, 0, -0.01, 60.0), Size(30, 20))
    values = np.ones((1, 20, 30), np.uint8)
    values[:, 5:9, 4:20] = 2
    path = save(geo, tmp_path / "c.tif", grid, values, CLASSES)
    out = str(tmp_path / "o.gpkg")
    vectorize(VectorizeRequest(path, out), geo=geo)
    found = geo.read_features(out)
    for data, area, around in zip(found.wkb, found.columns["area_m2"], found.columns["perim_m"]):
        expected = geodesic(geo, found.crs, data)
        assert area == pytest.approx(expected[0], rel=2e-6)
        assert around == pytest.approx(expected[1], rel=2e-6)


def test_what_is_refused_writes_nothing(geo, classes, tmp_path):
    grid = utm(geo, 6, 4)
    floats = plain_tif(tmp_path / "f.tif", np.full((1, 4, 6), 0.5, np.float32), grid)
    out = str(tmp_path / "o.gpkg")
    cases = [
        (VectorizeRequest(floats, out), InputError, "no raster of classes"),
        (VectorizeRequest(str(tmp_path / "none.tif"), out), SourceError, "There is no file"),
        (VectorizeRequest(classes, str(tmp_path / "o.txt")), OutputError, "no name of a vector file"),
        (VectorizeRequest(classes, out, min_area=-1), InputError, "least area"),
        (VectorizeRequest(classes, out, simplify=float("nan")), InputError, "simplified"),
        (VectorizeRequest(classes, out, smooth=9), InputError, "smoothing"),
    ]
    before = sorted(path.name for path in tmp_path.iterdir())
    for request, error, words in cases:
        with pytest.raises(error, match=words):
            vectorize(request, geo=geo)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_raster_without_data_makes_a_layer_without_polygons(geo, tmp_path):
    path = save(geo, tmp_path / "c.tif", utm(geo, 6, 4), np.zeros((1, 4, 6), np.uint8), CLASSES)
    out = str(tmp_path / "o.gpkg")
    assert vectorize(VectorizeRequest(path, out, simplify=1, smooth=1, min_area=500), geo=geo).polygons == 0
    assert len(geo.read_features(out).wkb) == 0


def test_cancel_leaves_nothing(geo, classes, tmp_path):
    cancel = Cancel()
    with pytest.raises(Cancelled):
        vectorize(
            VectorizeRequest(classes, str(tmp_path / "o.gpkg")),
            geo=geo,
            cancel=cancel,
            progress=lambda _: cancel.set(),
        )
    assert not (tmp_path / "o.gpkg").exists()


def test_the_command(classes, tmp_path, capsys):
    out = str(tmp_path / "o.shp")
    assert main(["vectorize", classes, "-o", out, "--simplify", "1", "--json"]) == 0
    envelope = json.loads(capsys.readouterr().out)
    assert (envelope["verb"], envelope["features"], envelope["polygons"]) == ("vectorize", out, 4)
    assert main(["vectorize", classes, "-o", out]) == 2
    assert "exists" in capsys.readouterr().err


class CountedCancel(Cancel):
    """Pressed after so many looks at it."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    def raise_if_set(self):
        self.looks -= 1
        if self.looks < 0:
            self.set()
        super().raise_if_set()


@pytest.mark.parametrize("options", [{}, {"simplify": 1.0, "smooth": 2, "min_area": 300.0}])
def test_cancel_stops_every_phase_and_leaves_nothing(geo, tmp_path, options):
    values = np.random.default_rng(3).integers(1, 4, (1, 24, 24)).astype(np.uint8)
    source = save(geo, tmp_path / "noise.tif", utm(geo, 24, 24), values, CLASSES)
    out = tmp_path / "out"
    out.mkdir()
    request = VectorizeRequest(source, str(out / "o.gpkg"), **options)
    counted = CountedCancel(10**9)
    vectorize(request, geo=geo, cancel=counted)
    looks = 10**9 - counted.looks
    (out / "o.gpkg").unlink()
    assert looks > 30  # strips, links, rings, polygons, and their writing
    for stop in range(0, looks, max(1, looks // 40)):
        with pytest.raises(Cancelled):
            vectorize(request, geo=geo, cancel=CountedCancel(stop))
        assert list(out.iterdir()) == []
