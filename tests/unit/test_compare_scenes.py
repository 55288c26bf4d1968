# SPDX-License-Identifier: GPL-2.0-or-later
"""Change between two scenes: distances and thresholds that are known, real image pairs, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from geos import NAMES, make_geo, plain_tif, save, utm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasters import BANDS, files_in, ramp_image, write_scene
from terrane.inference import CompareRequest, compare, outline_change, recognise_pair
from terrane.inference.cli import main
from terrane.inference.errors import BandError, Cancelled, ExtentError, InputError, ModelError, SourceError
from terrane.inference.io.base import BandRef, OutputSpec
from terrane.inference.tasks import change_scenes
from terrane.inference.tasks.change_scenes import cosine_distance
from terrane.inference.types import Cancel
from toy_pack import build_toy_pack, expected_embedding

DATES = Path(__file__).resolve().parents[3] / "shared" / "data" / "aerial" / "two_dates"
if not DATES.exists():
    DATES = Path("/work/shared/data/aerial/two_dates")


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return str(build_toy_pack(tmp_path_factory.mktemp("packs") / "toy").root)


@pytest.fixture(params=NAMES)
def geo(request):
    return make_geo(request.param)


@pytest.fixture
def dates(tmp_path):
    """Two Sentinel-2 scenes of 8 × 6 patches that differ in the patches of the columns 2 and 3, rows 1 and 2."""
    before = np.rint(ramp_image(48, 64))
    after = before.copy()
    after[:, 8:24, 16:32] = np.random.default_rng(2).integers(200, 6000, (12, 1, 1))
    return write_scene(tmp_path / "a.tif", before), write_scene(tmp_path / "b.tif", after)


def values_of(geo, path):
    grid = geo.describe(path).grid
    values, valid = geo.reader([BandRef(path)], grid).read(grid.window)
    return np.where(valid[0], values[0], np.nan)


def run(geo, folder, before, after, **options):
    request = CompareRequest(before, after, str(folder / "m.tif"), overwrite=True, **options)
    return compare(request, geo=geo)


# --- numbers ---------------------------------------------------------------------------------------------


def test_distances_of_known_angles():
    a = np.array([[1, 0], [3, 0], [2, 0], [0, 5], [0, 0], [0, 0]], np.float32)
    b = np.array([[5, 0], [0, 2], [-1, 0], [4, 4], [0, 0], [1, 0]], np.float32)
    expected = [0, 1, 2, 1 - math.sqrt(0.5), 0, 1]
    np.testing.assert_allclose(cosine_distance(a, b), np.float32(expected), rtol=1e-6, atol=0)


finite = arrays(np.float32, (5, 4), elements=st.floats(-100, 100, width=32))


@given(finite, finite)
def test_distances_are_symmetric_and_nothing_is_far_from_itself(a, b):
    np.testing.assert_array_equal(cosine_distance(a, a), 0)
    there = cosine_distance(a, b)
    np.testing.assert_array_equal(there, cosine_distance(b, a))
    assert ((there >= 0) & (there <= 2)).all()
    np.testing.assert_allclose(cosine_distance(a * 8, b), there, atol=1e-6)


def test_change_vector_of_known_bands(geo, tmp_path):
    # Per band: mean 2 and deviation 1 before; twice that after, but for two pixels that swap.
    grid = utm(geo, 4, 1)
    before = np.array([[[1, 3, 1, 3]], [[1, 1, 3, 3]]], np.float32)
    after = np.array([[[2, 6, 6, 2]], [[2, 2, 6, 6]]], np.float32)
    paths = [
        plain_tif(tmp_path / name, values, grid) for name, values in (("a.tif", before), ("b.tif", after))
    ]
    result = run(geo, tmp_path, *paths, polygons=str(tmp_path / "m.gpkg"))
    assert (result.method, result.chosen_by) == ("bands", "otsu")
    np.testing.assert_allclose(values_of(geo, result.output), [[0, 0, math.sqrt(2), math.sqrt(2)]], atol=1e-6)
    assert result.threshold == pytest.approx(math.sqrt(2) / 2)
    assert (result.changed.pixels, result.compared.pixels, result.found) == (2, 4, 1)
    found = geo.read_features(str(tmp_path / "m.gpkg"))
    assert list(found.columns) == ["magnitude", "area_m2", "perim_m", "pixels", "model"]
    assert found.columns["magnitude"][0] == pytest.approx(math.sqrt(2))
    assert found.columns["pixels"].tolist() == [2]
    assert result.changed.area == pytest.approx(found.columns["area_m2"].sum())
    assert geo.describe(result.output).bands[0].unit == "standard deviations"


@given(arrays(np.float32, (2, 3, 5), elements=st.floats(0, 1000, width=32)), st.integers(1, 3))
def test_an_image_and_itself_in_another_light(tmp_path_factory, values, rows):
    folder, geo = tmp_path_factory.mktemp("p"), make_geo("rasterio")
    path = plain_tif(folder / "a.tif", values, utm(geo, 5, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(change_scenes, "STRIP_PIXELS", 10 * rows)
        result = run(geo, folder, path, path, polygons=str(folder / "m.gpkg"))
        brighter = plain_tif(folder / "b.tif", values * 2 + 64, utm(geo, 5, 3))
        other = run(geo, folder, path, brighter)
    assert (result.changed.pixels, result.changed.area, result.found) == (0, 0.0, 0)
    if all(band.std() > 1 for band in values):
        assert np.nanmax(values_of(geo, other.output)) < 1e-3


def test_a_sample_tells_the_balance_as_well(geo, tmp_path, monkeypatch):
    before = np.random.default_rng(1).normal(100, 5, (2, 60, 60)).astype(np.float32)
    paths = [
        plain_tif(tmp_path / n, v, utm(geo, 60, 60))
        for n, v in (("a.tif", before), ("b.tif", before * 3 - 7))
    ]
    monkeypatch.setattr(change_scenes, "SAMPLE", 100)
    monkeypatch.setattr(change_scenes, "STRIP_PIXELS", 7 * 120)
    assert np.nanmax(values_of(geo, run(geo, tmp_path, *paths).output)) < 1e-4
    # One row of data, between the lattice's.
    hole = np.full_like(before, -1)
    hole[:, 31] = before[:, 31]
    alone = plain_tif(tmp_path / "c.tif", hole, utm(geo, 60, 60), nodata=-1)
    result = run(geo, tmp_path, paths[0], alone)
    assert (result.compared.pixels, result.changed.pixels) == (60, 0)


def test_polygons_of_another_threshold(geo, tmp_path):
    spec = OutputSpec("float32", -9999.0, ["m"], tags={"TERRANE_MODEL": "toy"})
    path = save(geo, tmp_path / "m.tif", utm(geo, 4, 1), np.float32([[[0.1, 0.5, 0.9, -9999]]]), spec)
    out = str(tmp_path / "o.gpkg")
    assert outline_change(path, out, 0.2, geo=geo) == 1
    assert geo.read_features(out).columns["magnitude"].tolist() == pytest.approx([0.7])
    assert outline_change(path, out, 0.9, geo=geo, overwrite=True) == 0


# --- with a model ----------------------------------------------------------------------------------------


def test_features_find_the_patches_that_changed(geo, dates, toy, tmp_path):
    before = files_in(tmp_path)
    polygons = str(tmp_path / "m.gpkg")
    seen = []
    request = CompareRequest(*dates, str(tmp_path / "m.tif"), polygons=polygons, model=toy)
    result = compare(request, geo=geo, progress=seen.append)
    assert (result.method, result.device) == ("model", "CPUExecutionProvider")
    got = values_of(geo, result.output)
    expected = np.zeros((6, 8))
    images = [geo.reader([BandRef(p, i) for i in range(1, 13)], geo.describe(p).grid) for p in dates]
    cut = [r.read(geo.describe(dates[0]).grid.window)[0][:, :32, :32][None] for r in images]
    a, b = (expected_embedding(c)[0] for c in cut)
    a, b = a / np.linalg.norm(a, axis=0), b / np.linalg.norm(b, axis=0)
    expected[:4, :4] = 1 - (a * b).sum(axis=0)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert (got[1:3, 2:4] > result.threshold).all()
    assert (result.changed.pixels, result.found) == (4, 1)
    assert geo.read_features(polygons).columns["pixels"].tolist() == [4]
    assert geo.read_features(polygons).columns["area_m2"][0] == pytest.approx(160 * 160, rel=2e-3)
    assert geo.describe(result.output).tags["TERRANE_MODEL"].startswith("toy")
    assert {p.message for p in seen} >= {"First date", "Second date", "Comparing", "Outlining"}
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert files_in(tmp_path) == sorted([*before, "m.tif", "m.gpkg"])


def test_a_scene_and_itself(geo, dates, toy, tmp_path):
    result = run(geo, tmp_path, dates[0], dates[0], model=toy, polygons=str(tmp_path / "m.gpkg"))
    assert (result.changed.pixels, result.found, result.histogram.pixels) == (0, 0, 48)
    assert np.nanmax(values_of(geo, result.output)) == 0


def test_each_date_has_its_own_offset(dates, toy, tmp_path, capsys):
    shifted = write_scene(tmp_path / "shifted.tif", np.rint(ramp_image(48, 64)) + 1000)
    words = [
        "compare",
        dates[0],
        shifted,
        "--model",
        toy,
        "--threshold",
        "1e-6",
        "--overwrite",
        "--quiet",
        "--json",
    ]
    out = ["-o", str(tmp_path / "m.tif")]
    assert main([*words, *out]) == 0
    assert json.loads(capsys.readouterr().out)["changed_pixels"] > 0
    assert main([*words, *out, "--boa-offset", "0", "-1000"]) == 0
    assert json.loads(capsys.readouterr().out)["changed_pixels"] == 0
    assert main([*words, *out, "--boa-offset", "0", "0", "0"]) == 2
    assert "one number for both dates, or two" in capsys.readouterr().err


def test_the_second_scene_comes_onto_the_first_ones_model_grid(geo, dates, toy, tmp_path):
    # The same pixels shifted by whole patches: half of it remains.
    moved = write_scene(
        tmp_path / "moved.tif", np.rint(ramp_image(48, 64))[:, :, 32:], corner=(500320.0, 5100000.0)
    )
    result = run(geo, tmp_path, dates[0], moved, model=toy)
    assert geo.describe(result.output).grid.size == (4, 6)
    assert np.nanmax(values_of(geo, result.output)) == 0


def test_embeddings_themselves_are_compared(geo, dates, toy, tmp_path, capsys):
    for path in dates:
        assert main(["embed", path, "--model", toy, "-o", str(tmp_path), "--quiet"]) == 0
    made = [str(tmp_path / f"{name}_embeddings.tif") for name in "ab"]
    direct = run(geo, tmp_path, *dates, model=toy)
    expected = values_of(geo, direct.output)
    result = run(geo, tmp_path, *made)
    assert result.method == "model"
    assert result.model.startswith("toy")
    np.testing.assert_array_equal(values_of(geo, result.output), expected)
    with pytest.raises(InputError, match="two of a kind"):
        run(geo, tmp_path, dates[0], made[1])


@pytest.mark.parametrize("phase", ["First date", "Second date", "Comparing", "Counting", "Outlining"])
def test_cancel_leaves_nothing(geo, dates, toy, tmp_path, phase):
    cancel, before = Cancel(), files_in(tmp_path)

    def progress(seen):
        if seen.message == phase:
            cancel.set()

    request = CompareRequest(*dates, str(tmp_path / "m.tif"), polygons=str(tmp_path / "m.gpkg"), model=toy)
    with pytest.raises(Cancelled):
        compare(request, progress=progress, cancel=cancel, geo=geo)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("phase", ["Balancing", "Comparing", "Counting", "Outlining"])
def test_cancel_band_by_band(dates, tmp_path, phase):
    cancel, before = Cancel(), files_in(tmp_path)

    def progress(seen):
        if seen.message == phase:
            cancel.set()

    request = CompareRequest(*dates, str(tmp_path / "m.tif"), method="bands")
    with pytest.raises(Cancelled):
        compare(request, progress=progress, cancel=cancel)
    assert files_in(tmp_path) == before


def test_large_changes_do_not_spoil_the_balance(geo, tmp_path):
    # A quarter changes ten times as much as the rest varies; the rest is the same in another light.
    before = np.random.default_rng(1).normal(100, 5, (3, 40, 40)).astype(np.float32)
    after = before * 2 + 30
    after[:, :20, :20] += 100
    paths = [
        plain_tif(tmp_path / name, values, utm(geo, 40, 40))
        for name, values in (("a.tif", before), ("b.tif", after))
    ]
    got = values_of(geo, run(geo, tmp_path, *paths).output)
    np.testing.assert_allclose(got[20:], 0, atol=1e-4)
    np.testing.assert_allclose(got[:20, :20], 10, rtol=0.05)


# --- what is offered, and what is refused ----------------------------------------------------------------


def test_the_way_is_recognised(geo, dates, toy, tmp_path):
    assert recognise_pair(*dates, geo, model=toy).method == "model"
    assert recognise_pair(*dates, geo, model=toy, method="bands").method == "bands"
    grid = utm(geo, 8, 8, 0.5)
    bytes_ = [plain_tif(tmp_path / n, np.full((1, 8, 8), 3, np.uint8), grid) for n in ("c.tif", "d.tif")]
    assert recognise_pair(*bytes_, geo).method == "classes"
    assert recognise_pair(*bytes_, geo, method="bands").method == "bands"
    gray = [plain_tif(tmp_path / n, np.ones((4, 8, 8), np.uint8), grid) for n in ("e.tif", "f.tif")]
    assert recognise_pair(*gray, geo).method == "bands"
    color = [
        plain_tif(tmp_path / n, np.ones((3, 8, 8), np.uint8), grid, photometric="RGB")
        for n in ("g.tif", "h.tif")
    ]
    found = recognise_pair(*color, geo)
    assert found.method == "bands"
    assert "at 10 m; these pixels are 0.5 m" in found.warnings[-1]
    assert recognise_pair(*color, geo, method="model").method == "model"


def test_what_is_refused_writes_nothing(geo, dates, toy, tmp_path):
    grid = utm(geo, 64, 48, c=500000.0, f=5100000.0)
    far = write_scene(tmp_path / "far.tif", ramp_image(48, 64), corner=(700000.0, 5100000.0))
    few = write_scene(tmp_path / "few.tif", ramp_image(48, 64)[:5], names=BANDS[:5])
    three = plain_tif(tmp_path / "3.tif", np.ones((5, 48, 64), np.float32), grid)
    four = plain_tif(tmp_path / "4.tif", np.ones((4, 48, 64), np.float32), grid)
    empty = plain_tif(tmp_path / "0.tif", np.zeros((4, 48, 64), np.float32), grid, nodata=0)
    color = plain_tif(tmp_path / "c.tif", np.ones((3, 48, 64), np.uint8), grid, photometric="RGB")
    classes = plain_tif(tmp_path / "k.tif", np.ones((1, 48, 64), np.uint8), grid)
    before = files_in(tmp_path)
    cases = [
        (ExtentError, "do not overlap", {"after": far}),
        (BandError, "S2L2A|Sentinel-2", {"after": few, "modality": "S2L2A"}),
        (BandError, "has 5 bands and 4.tif 4", {"before": three, "after": four}),
        (InputError, "same sensor", {"after": four}),
        (InputError, "is an image and k.tif a raster of classes", {"after": classes}),
        (SourceError, "no pixel with data in common", {"before": four, "after": empty}),
        (BandError, "not clear what 4.tif holds", {"before": four, "after": four, "method": "model"}),
        (ModelError, "gives no embeddings", {"method": "model", "before": color, "after": color}),
        (InputError, "between 0 and 2", {"threshold": 3.0}),
        (InputError, "from 0 on", {"threshold": -1.0}),
        (InputError, "table of transitions", {"table": str(tmp_path / "t.csv")}),
        (ModelError, "no model", {"model": "nothing-of-this-name"}),
    ]
    for kind, words, options in cases:
        fields = {"before": dates[0], "after": dates[1], "model": toy, **options}
        with pytest.raises(kind, match=words):
            compare(CompareRequest(output=str(tmp_path / "m.tif"), **fields), geo=geo)
    assert files_in(tmp_path) == before


@pytest.mark.skipif(not DATES.exists(), reason=f"{DATES} is missing")
def test_a_real_pair(tmp_path, capsys):
    before, after = sorted(map(str, DATES.glob("*.tif")))
    out = ["-o", str(tmp_path / "m.tif"), "--polygons", str(tmp_path / "m.gpkg"), "--min-area", "2000"]
    assert main(["compare", before, after, *out, "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["method"], found["threshold_by"]) == ("bands", "otsu")
    assert found["compared_pixels"] == 675282
    assert found["value"] == pytest.approx(25 * found["changed_pixels"], rel=5e-3)
    assert (
        0.15 < found["changed_pixels"] / found["compared_pixels"] < 0.45
    )  # water rose between 2009 and 2012
    geo = make_geo("rasterio")
    shapes = geo.read_features(str(tmp_path / "m.gpkg"))
    assert len(shapes.wkb) == found["polygons"] > 50
    assert shapes.columns["area_m2"].min() >= 2000
    assert shapes.columns["magnitude"].min() > found["threshold"]
