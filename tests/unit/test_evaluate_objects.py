# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects against the truth: hand-worked figures, properties, real boxes and buildings, a model end to end."""

from __future__ import annotations

import csv
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geos import NAMES, make_geo
from hypothesis import given, settings
from hypothesis import strategies as st
from rasters import write_scene
from terrane.inference import convex
from terrane.inference.cli import main
from terrane.inference.errors import Cancelled, InputError
from terrane.inference.io import default_geo, wkb
from terrane.inference.io.base import Features
from terrane.inference.io.image import open_image
from terrane.inference.object_metrics import (
    Shapes,
    average_precision,
    figures,
    match,
    overlaps,
)
from terrane.inference.packs.peer_pack import add_model
from terrane.inference.tasks.evaluate_objects import EvaluateObjectsRequest, evaluate_objects
from terrane.inference.tasks.segment import SegmentRequest, segment
from terrane.inference.types import Cancel


def square(x: float, y: float, width: float = 10.0, height: float = 10.0) -> list[Any]:
    return [[[(x, y), (x + width, y), (x + width, y + height), (x, y + height)]]]


def count(truth: list[Any], found: list[Any], scores: Any = None, iou: float = 0.5) -> Any:
    zeros = np.zeros(len(truth), np.int64), np.zeros(len(found), np.int64)
    scores = None if scores is None else np.array(scores, np.float64)
    matches = match(Shapes(truth), Shapes(found), *zeros, scores, iou=iou)
    return figures(matches, len(truth), np.ones(len(found), np.bool_), scores)


def overlap(a: list[Any], b: list[Any]) -> float:
    zero = np.zeros(1, np.int64)
    return float(overlaps(Shapes([a]), Shapes([b]), zero, zero)[0])


def save(path: Path, objects: list[Any], crs: str, **columns: Any) -> str:
    shapes = [wkb.multipolygon(polygons) for polygons in objects]
    default_geo().write_features(str(path), Features(crs, "MultiPolygon", shapes, columns), overwrite=True)
    return str(path)


def test_overlaps_of_shapes_that_are_not_convex() -> None:
    ring = [square(0, 0)[0][0], square(2, 2, 6, 6)[0][0]]  # 100 less a hole of 36
    letter = [[[(0, 0), (10, 0), (10, 2), (2, 2), (2, 10), (0, 10)]]]  # an L of 36
    assert Shapes([[ring], letter]).areas.tolist() == [64, 36]
    assert overlap([ring], square(0, 0)) == pytest.approx(0.64)
    assert overlap([ring], square(3, 3, 4, 4)) == 0  # inside the hole
    assert overlap(letter, square(0, 0)) == pytest.approx(0.36)
    assert overlap(letter, square(5, 5)) == 0
    assert overlap(letter, [ring]) == pytest.approx(36 / 64)
    assert overlap([ring], [[ring[0][::-1], ring[1]]]) == pytest.approx(1)  # whichever way rings turn
    two = [square(0, 0)[0], square(20, 0)[0]]
    assert overlap(two, square(5, 0, 20, 10)) == pytest.approx(100 / 300)


def test_oriented_boxes_overlap_exactly() -> None:
    turned = convex.corners(np.array([[0, 0, 10, 10, math.pi / 4]]))[0]
    common = 200 * (math.sqrt(2) - 1)  # an octagon: two squares of side 10 about one centre
    assert overlap([[turned.tolist()]], square(-5, -5)) == pytest.approx(common / (200 - common))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_overlaps_agree_with_shapely(seed: int) -> None:
    geometry = pytest.importorskip("shapely.geometry")
    draw = random.Random(seed)

    def star() -> list[tuple[float, float]]:
        turns = sorted(draw.uniform(0, 2 * math.pi) for _ in range(draw.randint(5, 25)))
        x, y = draw.uniform(5e5, 5e5 + 9), draw.uniform(5e6, 5e6 + 9)
        radii = [draw.uniform(1, 10) for _ in turns]
        return [(x + r * math.cos(t), y + r * math.sin(t)) for r, t in zip(radii, turns)]

    a, b = star(), star()
    first, second = geometry.Polygon(a), geometry.Polygon(b)
    if first.is_valid and second.is_valid:
        expected = first.intersection(second).area / first.union(second).area
        assert overlap([[a]], [[b]]) == pytest.approx(expected, abs=1e-6)


def test_hand_worked_figures() -> None:
    truth = [square(0, 0), square(100, 0), square(200, 0)]
    # 0.9: right (overlap 90 / 110). 0.8: the same object again. 0.7: nothing there. 0.6: right.
    found = [square(1, 0), square(0, 0), square(500, 0), square(100, 0)]
    got = count(truth, found, [0.9, 0.8, 0.7, 0.6])
    assert (got.truth, got.predicted, got.matched) == (3, 4, 2)
    assert (got.precision, got.recall, got.f1) == (0.5, 2 / 3, 4 / 7)
    assert got.mean_iou == pytest.approx((90 / 110 + 1) / 2)
    # Precision 1 up to recall 1/3, then 2/4 up to 2/3.
    assert got.ap == pytest.approx(1 / 3 + 1 / 3 * 0.5)
    assert count(truth, found).ap is None
    assert count(truth, found).mean_iou == pytest.approx(1)  # no scores: the larger overlap goes first


def test_the_limit_belongs_to_the_match() -> None:
    half = [square(0, 0, 5, 10)]
    assert count([square(0, 0)], half, iou=0.5).matched == 1
    assert count([square(0, 0)], half, iou=0.51).matched == 0
    assert count([square(0, 0)], [square(0, 0)], iou=1.0).matched == 1
    with pytest.raises(ValueError, match="more than 0"):
        count([square(0, 0)], half, iou=0)


def test_nothing_found_and_nothing_there() -> None:
    none = count([square(0, 0)], [], [])
    assert math.isnan(none.precision) and (none.recall, none.f1, none.ap) == (0, 0, 0)
    empty = count([], [square(0, 0)], [0.5])
    assert math.isnan(empty.recall) and (empty.precision, empty.f1) == (0, 0) and math.isnan(empty.ap)
    both = count([], [], [])
    assert math.isnan(both.f1)


def test_equal_scores_are_one_point() -> None:
    hits, scores = np.array([True, False, True]), np.array([0.5, 0.5, 0.4])
    assert average_precision(hits, scores, 2) == average_precision(hits[[1, 0, 2]], scores, 2)
    assert average_precision(hits, scores, 2) == pytest.approx(2 / 3)


PLACES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 20), st.integers(1, 20)),
    min_size=1,
    max_size=12,
    unique=True,
)


@settings(max_examples=60, deadline=None)
@given(PLACES, PLACES, st.randoms(use_true_random=False))
def test_properties(true: list[Any], found: list[Any], draw: Any) -> None:
    truth, boxes = [square(*p) for p in true], [square(*p) for p in found]
    scores = [draw.random() for _ in boxes]
    perfect = count(truth, truth, [draw.random() for _ in truth])
    assert perfect.precision == perfect.recall == perfect.f1 == 1
    assert perfect.ap == pytest.approx(1) and perfect.mean_iou == pytest.approx(1)
    got = count(truth, boxes, scores)
    assert 0 <= got.ap <= got.recall <= 1 and got.matched <= min(len(truth), len(boxes))
    order = list(range(len(boxes)))
    draw.shuffle(order)
    again = count(truth, [boxes[i] for i in order], [scores[i] for i in order])
    assert (again.matched, again.ap) == (got.matched, got.ap)
    more = count(truth, [*boxes, square(500, 500)], [*scores, draw.random()])
    assert more.precision <= got.precision and more.recall == got.recall and more.ap <= got.ap + 1e-12


def test_ten_thousand_objects_are_indexed() -> None:
    truth = [square(12 * (i % 100), 12 * (i // 100)) for i in range(10_000)]
    found = [square(12 * (i % 100) + 1, 12 * (i // 100)) for i in range(10_000)]
    started = time.monotonic()
    assert count(truth, found, np.linspace(0, 1, 10_000)).f1 == 1
    assert time.monotonic() - started < 30  # n × m exact overlaps take an hour
    with pytest.raises(Cancelled):
        cancel = Cancel()
        cancel.set()
        numbers = np.zeros(len(truth), np.int64)
        match(Shapes(truth), Shapes(found), numbers, numbers, cancel=cancel)


@pytest.mark.parametrize("name", NAMES)
def test_classes_and_two_crs(tmp_path: Path, name: str) -> None:
    geo = make_geo(name)
    if name == "rasterio":
        pytest.importorskip("pyogrio")
    here, x, y = "EPSG:32632", 500000.0, 5100000.0
    truth = [square(x, y), square(x + 50, y), square(x + 100, y)]
    true = save(tmp_path / "truth.geojson", truth, here, name=["house", "house", "tree"])
    found = [square(x + 1, y), square(x + 100, y), square(x + 50, y)]
    columns = {"name": ["house", "tree", "tree"], "score": [0.9, 0.5, 0.8]}
    guess = save(tmp_path / "found.gpkg", found, here, **columns)
    result = evaluate_objects(EvaluateObjectsRequest(guess, true, "name"), geo=geo)
    assert (result.overall.matched, result.overall.precision) == (2, 2 / 3)
    house, tree = result.classes["house"], result.classes["tree"]
    assert (house.precision, house.recall, house.ap) == (1, 0.5, 0.5)
    assert house.mean_iou == pytest.approx(90 / 110, abs=1e-5)  # GeoJSON in degrees, GeoPackage in metres
    assert (tree.precision, tree.recall, tree.ap) == (0.5, 1, 0.5)
    assert result.mean_ap == 0.5
    assert evaluate_objects(EvaluateObjectsRequest(guess, true), geo=geo).overall.matched == 3


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = "EPSG:32632"
    true = save(tmp_path / "truth.gpkg", [square(500000, 5e6), square(500050, 5e6)], here)
    found = save(tmp_path / "found.gpkg", [square(500000, 5e6)], here)
    assert main(["evaluate", "--objects", found, "--truth", true]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].split() == ["all", "2", "1", "1", "1.000", "0.500", "0.667", "1.000", "–"]
    assert "no average precision" in err
    assert main(["evaluate", "--objects", found, "--truth", true, "--iou", "0.7", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["overall"] == {
        "truth": 2, "predicted": 1, "matched": 1, "precision": 1, "recall": 0.5, "f1": 0.666667, "mean_iou": 1
    }  # fmt: skip
    assert content["iou"] == 0.7 and "map" not in content


def test_faults_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = "EPSG:32632"
    good = save(tmp_path / "good.gpkg", [square(500000, 5e6)], here)
    flat = save(tmp_path / "flat.gpkg", [[[[(0, 0), (1, 1), (2, 2)]]]], here)
    both = ["--objects", good, "--truth", good]
    for words, said in (
        (["--objects", good], "give both"),
        ([], "--chips DIR"),
        ([*both, "-o", "report"], "one at a time"),
        ([*both, "--iou", "0"], "more than 0"),
        ([*both, "--class-field", "kind"], "no attribute kind"),
        (["--objects", flat, "--truth", good], "Feature 1 of flat.gpkg"),
        (["--objects", str(tmp_path / "none.gpkg"), "--truth", good], "none.gpkg"),
    ):
        assert main(["evaluate", *words]) == 2
        err = capsys.readouterr().err
        assert said in err and len(err.strip().splitlines()) == 1
    points = tmp_path / "points.gpkg"
    default_geo().write_features(str(points), Features(here, "Point", [wkb.point(1, 2)]))
    with pytest.raises(InputError, match="no polygon"):
        evaluate_objects(EvaluateObjectsRequest(str(points), good))


def tree_boxes(shared_data: Path) -> list[tuple[float, ...]]:
    with open(shared_data / "aerial/trees/OSBS_029.csv", newline="") as file:
        return [
            tuple(float(row[k]) for k in ("xmin", "ymin", "xmax", "ymax")) for row in csv.DictReader(file)
        ]


def test_real_trees(shared_data: Path, tmp_path: Path) -> None:
    boxes = tree_boxes(shared_data)
    assert len(boxes) == 61
    truth = [square(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes]
    perfect = count(truth, truth, np.linspace(0.1, 0.9, 61))
    assert perfect.f1 == 1 and perfect.ap == pytest.approx(1) and perfect.mean_iou == pytest.approx(1)
    # Moved by a quarter of its width, a box overlaps with itself by 3 of 5 parts: no limit above 0.6 is met.
    # 20 more are 10 km away; 41 of 61 are right then.
    moved = [
        square(x0 + ((x1 - x0) / 4 if i < 41 else 1e5), y0, x1 - x0, y1 - y0)
        for i, (x0, y0, x1, y1) in enumerate(boxes)
    ]
    numbers = np.arange(41)
    assert overlaps(Shapes(moved), Shapes(truth), numbers, numbers) == pytest.approx(0.6)
    got = count(truth, moved)
    assert (got.matched, got.precision, got.recall) == (41, 41 / 61, 41 / 61)
    assert count(truth[:41], moved[:20], iou=0.61).matched == 0


def test_real_buildings_in_two_crs(shared_data: Path, tmp_path: Path) -> None:
    path, geo = str(shared_data / "aerial/buildings/atlanta_buildings.geojson"), default_geo()
    same = evaluate_objects(EvaluateObjectsRequest(path, path))
    assert (same.overall.truth, same.overall.f1, same.mean_ap) == (43, 1, None)
    assert same.overall.mean_iou == pytest.approx(1)
    read = geo.read_features(path)
    half = Features(read.crs, "MultiPolygon", [wkb.multipolygon(wkb.shapes(d).polygons) for d in read.wkb[:30]],
                    {"score": np.linspace(1, 0.1, 30)})  # fmt: skip
    degrees = str(tmp_path / "found.geojson")  # RFC 7946: WGS 84
    geo.write_features(degrees, half)
    got = evaluate_objects(EvaluateObjectsRequest(degrees, path))
    assert (got.overall.precision, got.overall.recall) == (1, 30 / 43)
    assert got.mean_ap == pytest.approx(30 / 43)
    assert got.overall.mean_iou == pytest.approx(1, abs=1e-4)


def test_a_model_end_to_end(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peers' red detector (a segmentor) over a picture with three red blocks; truth knows two and a fourth."""
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path / "models"))
    image = np.zeros((3, 512, 512), np.float32)
    for row, col in ((40, 60), (200, 300), (400, 100)):
        image[0, row : row + 40, col : col + 50] = 255
    corner, gsd = (500000.0, 5100000.0), 0.03
    scene = write_scene(
        tmp_path / "scene.tif", image, gsd=gsd, corner=corner, dtype="uint8", nodata=None, names=None
    )
    pack, _ = add_model(
        shared_data / "onnx_peer/one_output_sigmoid_red_detector.onnx",
        tmp_path / "models",
        {},
        overwrite=True,
    )
    classes, found = str(tmp_path / "classes.tif"), str(tmp_path / "found.gpkg")
    opened = open_image(scene, len(next(iter(pack.inputs.values())).bands), default_geo())
    segment(SegmentRequest(scenes=(opened,), outputs={"classes": classes}, model=pack.id))
    assert main(["vectorize", classes, "-o", found, "--leave-out", "0", "--quiet"]) == 0
    crs = default_geo().read_features(found).crs

    def block(row: float, col: float) -> list[Any]:
        return square(corner[0] + gsd * col, corner[1] - gsd * (row + 40), gsd * 50, gsd * 40)

    # The second is drawn 10 pixels too far to the right: 40 / 60 of overlap.
    truth = save(tmp_path / "truth.gpkg", [block(40, 60), block(200, 310), block(10, 400)], crs)
    got = evaluate_objects(EvaluateObjectsRequest(found, truth)).overall
    assert (got.truth, got.predicted, got.matched) == (3, 3, 2)
    assert (got.precision, got.recall) == (2 / 3, 2 / 3)
    assert got.mean_iou == pytest.approx((1 + 40 / 60) / 2, abs=1e-6)
