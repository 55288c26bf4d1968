# SPDX-License-Identifier: GPL-2.0-or-later
"""Change between two rasters of classes: exact values, sums, properties, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from geos import CLASSES, NAMES, make_geo, plain_tif, save, utm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasters import files_in
from terrane.inference import CompareRequest, compare
from terrane.inference.cli import main
from terrane.inference.errors import Cancelled, ExtentError, InputError, OutputError, SourceError
from terrane.inference.grid import Affine, Grid
from terrane.inference.io.base import BandRef, OutputSpec
from terrane.inference.io.categories import category_names
from terrane.inference.tasks import change_classes
from terrane.inference.tasks.common_grid import map_scale
from terrane.inference.types import Cancel, Size

BEFORE = np.array([[2, 2, 2, 5], [2, 1, 2, 5], [2, 2, 2, 0]], np.uint8)
AFTER = np.array([[2, 5, 5, 5], [2, 1, 5, 5], [2, 2, 1, 4]], np.uint8)
"""Of the eleven pixels with a class on both dates: three Trees became Built area, one Trees became Water."""


@pytest.fixture(params=NAMES)
def geo(request):
    return make_geo(request.param)


@pytest.fixture
def pair(geo, tmp_path):
    grid = utm(geo, 4, 3)
    before = save(geo, tmp_path / "a.tif", grid, BEFORE[None], CLASSES)
    return before, save(geo, tmp_path / "b.tif", grid, AFTER[None], CLASSES)


def values_of(geo, path):
    grid = geo.describe(path).grid
    values, valid = geo.reader([BandRef(path)], grid).read(grid.window)
    return np.where(valid[0], values[0], np.nan)


def run(geo, folder, before, after, **options):
    return compare(CompareRequest(before, after, str(folder / "c.tif"), overwrite=True, **options), geo=geo)


def test_raster_polygons_and_table_say_the_same(geo, pair, tmp_path):
    polygons, table = str(tmp_path / "c.gpkg"), str(tmp_path / "c.csv")
    result = run(geo, tmp_path, *pair, polygons=polygons, table=table)
    assert (result.method, result.found, result.changed.pixels, result.compared.pixels) == (
        "classes",
        2,
        4,
        11,
    )
    np.testing.assert_array_equal(
        values_of(geo, result.output), [[0, 25, 25, 0], [0, 0, 25, 0], [0, 0, 21, np.nan]]
    )
    names = category_names(result.output)
    assert (names[0], names[25], names[21]) == ("No change", "Trees → Built area", "Trees → Water")
    found = geo.read_features(polygons)
    assert list(found.columns) == [
        "class", "name", "from_class", "from_name", "to_class", "to_name", "area_m2", "perim_m", "pixels"
    ]  # fmt: skip
    assert max(map(len, found.columns)) == 10
    assert found.columns["class"].tolist() == [25, 21]
    assert found.columns["from_class"].tolist() == [2, 2]
    assert found.columns["to_name"].tolist() == ["Built area", "Water"]
    assert found.columns["pixels"].tolist() == [3, 1]
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    changes = {(row["from_class"], row["to_class"]): row for row in rows if row["change"] not in ("", "0")}
    assert {key: int(row["pixels"]) for key, row in changes.items()} == {("2", "5"): 3, ("2", "1"): 1}
    assert float(changes["2", "5"]["area_m2"]) == pytest.approx(found.columns["area_m2"][0], abs=1e-3)
    assert result.changed.area == pytest.approx(sum(found.columns["area_m2"]))
    assert rows[-1]["pixels"] == "11"


def test_row_sums_are_the_first_dates_classes(geo, pair, tmp_path):
    found = run(geo, tmp_path, *pair).transitions
    assert found.classes == (1, 2, 5)
    np.testing.assert_array_equal(found.pixels, [[1, 0, 0], [1, 4, 3], [0, 0, 2]])
    both = (BEFORE != 0) & (AFTER != 0)
    area = map_scale(geo.describe(pair[0]).grid, geo).area(
        *(axis + 0.5 for axis in np.meshgrid(np.arange(4.0), np.arange(3.0)))
    )
    for row, value in enumerate(found.classes):
        own = both & (value == BEFORE)
        assert found.pixels[row].sum() == own.sum()
        assert found.area[row].sum() == pytest.approx(area[own].sum(), rel=1e-9)
    shown = found.to_json()
    assert shown["before"]["pixels"] == [1, 8, 2]
    assert shown["after"]["pixels"] == [2, 4, 5]


classes = arrays(np.uint8, (6, 7), elements=st.integers(0, 4))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(classes, classes, st.integers(1, 6))
def test_strips_do_not_matter_and_sums_are_exact(tmp_path_factory, monkeypatch, before, after, rows):
    folder, geo = tmp_path_factory.mktemp("p"), make_geo("rasterio")
    spec = OutputSpec("uint8", 0.0, ["c"])
    paths = [
        save(geo, folder / name, utm(geo, 7, 6), values[None], spec)
        for name, values in (("a.tif", before), ("b.tif", after))
    ]
    polygons = str(folder / "c.gpkg")
    both = (before != 0) & (after != 0)
    if not both.any():
        with pytest.raises(SourceError, match="no pixel with a class on both dates"):
            run(geo, folder, *paths)
        return
    with monkeypatch.context() as patch:
        patch.setattr(change_classes, "STRIP_PIXELS", 7 * rows)
        result = run(geo, folder, *paths, polygons=polygons)
    found = result.transitions
    for i, a in enumerate(found.classes):
        assert found.pixels[i].sum() == (both & (before == a)).sum()
        for j, b in enumerate(found.classes):
            assert found.pixels[i, j] == (both & (before == a) & (after == b)).sum()
    expected = np.where(both, np.where(before == after, 0, before.astype(int) * 10 + after), np.nan)
    np.testing.assert_array_equal(values_of(geo, result.output), expected)
    assert int(sum(geo.read_features(polygons).columns["pixels"])) == found.changed_pixels


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(classes.filter(lambda values: values.any()))
def test_nothing_changed_between_a_raster_and_itself(tmp_path_factory, values):
    folder, geo = tmp_path_factory.mktemp("p"), make_geo("rasterio")
    path = save(geo, folder / "a.tif", utm(geo, 7, 6), values[None], OutputSpec("uint8", 0.0, ["c"]))
    result = run(geo, folder, path, path, polygons=str(folder / "c.gpkg"))
    assert (result.changed.pixels, result.changed.area, result.found) == (0, 0.0, 0)
    assert np.nanmax(values_of(geo, result.output)) == 0


@pytest.mark.parametrize(
    ("most", "code", "dtype"),
    [(9, 19, "uint8"), (50, 150, "uint16"), (500, 1500, "int32"), (4095, 8191, "int32")],
)
def test_codes_leave_room_for_all_classes(geo, tmp_path, most, code, dtype):
    grid = utm(geo, 2, 1)
    before = plain_tif(tmp_path / "a.tif", np.array([[[1, most]]], np.uint16), grid)
    after = plain_tif(tmp_path / "b.tif", np.array([[[most, most]]], np.uint16), grid)
    result = run(geo, tmp_path, before, after, method="classes", polygons=str(tmp_path / "c.gpkg"))
    np.testing.assert_array_equal(values_of(geo, result.output), [[code, 0]])
    assert geo.describe(result.output).bands[0].dtype == dtype
    assert geo.read_features(str(tmp_path / "c.gpkg")).columns["to_class"].tolist() == [most]


def test_small_polygons_are_left_out_but_counted(geo, pair, tmp_path):
    polygons = str(tmp_path / "c.gpkg")
    result = run(geo, tmp_path, *pair, polygons=polygons, min_area=250)
    assert (result.found, result.changed.pixels) == (1, 4)
    assert geo.read_features(polygons).columns["pixels"].tolist() == [3]


def test_the_second_is_moved_onto_the_first_ones_pixels(geo, pair, tmp_path):
    # Twice as fine, and beginning two metres elsewhere: nearest neighbour still meets the same classes.
    fine = np.repeat(np.repeat(AFTER, 2, 0), 2, 1)
    grid = utm(geo, 8, 6, 5.0, 500000.123456789 + 1, 5100000.5 - 1)
    other = save(geo, tmp_path / "fine.tif", grid, fine[None], CLASSES)
    first, second = run(geo, tmp_path, *pair), run(geo, tmp_path, pair[0], other)
    np.testing.assert_array_equal(first.transitions.pixels, second.transitions.pixels)


def test_another_crs_is_reprojected(geo, tmp_path):
    before = np.full((40, 40), 2, np.uint8)
    after = before.copy()
    after[10:30, 10:30] = 5
    grid = utm(geo, 40, 40)
    paths = [
        save(geo, tmp_path / name, grid, v[None], CLASSES)
        for name, v in (("a.tif", before), ("b.tif", after))
    ]
    lonlat = geo.parse_crs("EPSG:4326")
    box = geo.transform_bounds(grid.bounds, grid.crs, lonlat)
    step = 2e-5
    size = Size(int((box.xmax - box.xmin) / step) + 1, int((box.ymax - box.ymin) / step) + 1)
    there = Grid(lonlat, Affine(step, 0, box.xmin, 0, -step, box.ymax), size)
    moved = str(tmp_path / "moved.tif")
    geo.warp(moved, [paths[1]], there, CLASSES, resampling="nearest")
    got = run(geo, tmp_path, paths[0], moved).transitions
    same = run(geo, tmp_path, *paths).transitions
    assert got.classes == same.classes == (2, 5)
    assert abs(got.pixels - same.pixels).max() <= 40
    assert got.area.sum() == pytest.approx(got.pixels.sum() * 100, rel=2e-3)


def test_only_what_both_cover_is_compared(geo, pair, tmp_path):
    east = utm(geo, 4, 3, c=500000.123456789 + 20)
    other = save(geo, tmp_path / "east.tif", east, AFTER[None], CLASSES)
    result = run(geo, tmp_path, pair[0], other)
    assert geo.describe(result.output).grid.size == (2, 3)
    assert result.compared.pixels == int(((BEFORE[:, 2:] != 0) & (AFTER[:, :2] != 0)).sum())


def test_places_that_do_not_meet_are_refused(geo, pair, tmp_path):
    far = save(geo, tmp_path / "far.tif", utm(geo, 4, 3, c=900000.0), AFTER[None], CLASSES)
    empty = save(geo, tmp_path / "empty.tif", utm(geo, 4, 3), np.zeros((1, 3, 4), np.uint8), CLASSES)
    before = files_in(tmp_path)
    with pytest.raises(ExtentError, match="do not overlap"):
        run(geo, tmp_path, pair[0], far)
    with pytest.raises(SourceError, match="no pixel with a class on both dates"):
        run(geo, tmp_path, pair[0], empty)
    assert files_in(tmp_path) == before


def test_what_is_refused_writes_nothing(geo, pair, tmp_path):
    grid = utm(geo, 4, 3)
    image = save(
        geo, tmp_path / "image.tif", grid, np.ones((1, 3, 4), np.float32), OutputSpec("float32", None, ["x"])
    )
    halves = plain_tif(tmp_path / "h.tif", np.full((1, 3, 4), 0.5, np.float32), grid)
    many = plain_tif(tmp_path / "m.tif", np.full((1, 3, 4), 5000, np.uint16), grid)
    (tmp_path / "there.tif").write_bytes(b"x")
    before = files_in(tmp_path)
    cases = [
        (InputError, "two of a kind", {"after": image}),
        (InputError, "no raster of classes", {"after": halves, "method": "classes"}),
        (InputError, "whole numbers from 0 to 4095", {"after": many, "method": "classes"}),
        (InputError, "compared by auto, classes, model, bands", {"method": "otherwise"}),
        (InputError, "Classes are the same or not", {"threshold": 0.5}),
        (InputError, "square metres", {"min_area": float("nan")}),
        (InputError, "same name", {"polygons": str(tmp_path / "c.tif")}),
        (InputError, "would replace", {"output": pair[1], "overwrite": True}),
        (OutputError, "already exists", {"output": str(tmp_path / "there.tif")}),
        (OutputError, "no name of a vector file", {"polygons": str(tmp_path / "c.xyz")}),
        (SourceError, "no file", {"after": str(tmp_path / "missing.tif")}),
    ]
    for kind, words, options in cases:
        fields = {"before": pair[0], "after": pair[1], "output": str(tmp_path / "c.tif"), **options}
        with pytest.raises(kind, match=words):
            compare(CompareRequest(**fields), geo=geo)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("phase", ["Counting", "Writing"])
def test_cancel_leaves_nothing(geo, pair, tmp_path, monkeypatch, phase):
    monkeypatch.setattr(change_classes, "STRIP_PIXELS", 4)
    cancel, before = Cancel(), files_in(tmp_path)

    def progress(seen):
        if seen.message == phase:
            cancel.set()

    request = CompareRequest(
        *pair, str(tmp_path / "c.tif"), polygons=str(tmp_path / "c.gpkg"), table=str(tmp_path / "c.csv")
    )
    with pytest.raises(Cancelled):
        compare(request, progress=progress, cancel=cancel, geo=geo)
    assert files_in(tmp_path) == before


def test_command_line(tmp_path, capsys):
    geo = make_geo("rasterio")
    grid = utm(geo, 4, 3)
    paths = [
        save(geo, tmp_path / name, grid, v[None], CLASSES)
        for name, v in (("a.tif", BEFORE), ("b.tif", AFTER))
    ]
    words = ["compare", *paths, "-o", str(tmp_path / "c.tif"), "--table", str(tmp_path / "c.csv"), "--quiet"]
    assert main([*words, "--polygons", str(tmp_path / "c.gpkg"), "--json"]) == 0
    envelope = json.loads(capsys.readouterr().out)
    assert envelope["outputs"] == {"change": str(tmp_path / "c.tif")}
    assert envelope["features"].endswith("c.gpkg")
    assert envelope["table"].endswith("c.csv")
    assert envelope["unit"] == "m²"
    assert envelope["value"] == pytest.approx(400, rel=1e-2)
    assert envelope["transitions"]["pixels"] == [[1, 0, 0], [1, 4, 3], [0, 0, 2]]
    assert main(words) == 2
    assert "already exists" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "c.tif"), str(tmp_path / "c.csv")]
    assert (
        Path(tmp_path / "c.csv")
        .read_text(encoding="utf-8")
        .startswith("change,from_class,from_name,to_class")
    )
