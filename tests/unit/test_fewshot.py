# SPDX-License-Identifier: GPL-2.0-or-later
"""Few-shot classification: a map from a few places, tested away from them, kept as a model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasters import CORNER, read, write_scene
from terrane.inference import cli, registry
from terrane.inference.adapters.pixels import normalised_difference, to_pixels, upsampler, vectors_at
from terrane.inference.errors import (
    Cancelled,
    ExtentError,
    InputError,
    ModelError,
    OutputError,
    PackError,
    RuntimeMissing,
)
from terrane.inference.forest import Forest
from terrane.inference.io import default_geo, wkb
from terrane.inference.io.base import Features, OutputSpec
from terrane.inference.io.scene import open_scene
from terrane.inference.packs.manifest import Pack
from terrane.inference.tasks.blocked import Report, cross_validate, far_from, folds_of
from terrane.inference.tasks.fewshot import FewShotRequest, fewshot, forecast_fewshot, uncertainty_pixels
from terrane.inference.tasks.samples import Pixels, Sample, Samples, class_name, place_samples, read_samples
from terrane.inference.tasks.segment import SegmentRequest, segment
from terrane.inference.tasks.suggest import suggest
from terrane.inference.types import BBox, Cancel
from toy_pack import build_toy_pack

NAMES = ("bare", "grass", "water")
HEIGHT, WIDTH = 90, 120


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


def truth() -> np.ndarray:
    """(h, w): three classes in a chequer of 30 pixels, so that each is in many places."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] // 30
    return (x + y) % 3


def scene_image() -> np.ndarray:
    """(12, h, w): three spectra with noise."""
    rng = np.random.default_rng(2)
    spectra = np.array([[1800] * 7 + [2200] * 5, [500] * 7 + [3200] * 5, [700] * 7 + [200] * 5], float)
    image = spectra[truth()].transpose(2, 0, 1) + rng.normal(0, 60, (12, HEIGHT, WIDTH))
    return np.rint(np.maximum(image, 1))


def place(row: float, col: float) -> tuple[float, float]:
    return CORNER[0] + 10 * (col + 0.5), CORNER[1] - 10 * (row + 0.5)


def points(per_class: int = 8, seed: int = 1) -> tuple[Sample, ...]:
    rng, classes = np.random.default_rng(seed), truth()
    found = []
    for value, name in enumerate(NAMES):
        rows, cols = np.nonzero(classes == value)
        kept = rng.permutation(len(rows))[:per_class]
        found += [Sample(name, point=place(rows[k], cols[k])) for k in kept]
    return tuple(found)


def square(row: int, col: int, side: int) -> list[list[tuple[float, float]]]:
    corners = [(row, col), (row, col + side), (row + side, col + side), (row + side, col), (row, col)]
    return [[(CORNER[0] + 10 * c, CORNER[1] - 10 * r) for r, c in corners]]


def request_of(tmp_path: Path, toy: Pack, **options: Any) -> FewShotRequest:
    path = tmp_path / "s2.tif"
    if not path.exists():
        write_scene(path, options.pop("image", scene_image()))
    scene = open_scene(str(path), modality="S2L2A")
    names = options.pop("products", ("classes", "probability", "uncertainty"))
    outputs = {name: str(tmp_path / f"{name}.{'gpkg' if name == 'suggestions' else 'tif'}") for name in names}
    fields = {"samples": Samples(points()), "model": str(toy.root), **options}
    return FewShotRequest(scenes=(scene,), outputs=outputs, **fields)


def test_a_map_a_report_and_what_the_map_is_not_sure_of(tmp_path: Path, toy: Pack) -> None:
    seen = []
    result = fewshot(request_of(tmp_path, toy), progress=seen.append)
    classes = read(tmp_path / "classes.tif")[0]
    assert (classes == truth()).mean() > 0.97
    with rasterio.open(tmp_path / "classes.tif") as file:
        assert file.dtypes == ("uint8",)
        assert file.nodata == 255
        assert file.colormap(1)[0] == (0x44, 0x77, 0xAA, 255)
        assert file.tags()["TERRANE_TASK"] == "segment"
    probability, uncertainty = read(tmp_path / "probability.tif"), read(tmp_path / "uncertainty.tif")
    assert 1 / 3 <= probability.min() <= probability.max() <= 1
    assert 0 <= uncertainty.min() <= uncertainty.max() <= 1
    # 1 - (p1 - p2), and p2 is at most what p1 leaves.
    assert (uncertainty <= 2 * (1 - probability) + 1e-4).all()
    report = result.report
    assert report.classes == NAMES
    assert report.places == (8, 8, 8)
    assert report.accuracy is not None
    assert report.accuracy > 0.9
    assert report.tested == sum(map(sum, report.confusion)) == 24
    assert [message for message in (p.message for p in seen) if message][:1] == ["Reading the samples"]


def test_equal_requests_give_equal_bytes(tmp_path: Path, toy: Pack) -> None:
    mixed = (*points(4), *(Sample("grass", polygon=square(0, 30, 20)),))
    made = []
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        request = request_of(tmp_path, toy, samples=Samples(mixed), overwrite=True, seed=3)
        fewshot(request)
        made.append(Path(request.outputs["classes"]).read_bytes())
    assert made[0] == made[1]


def test_a_saved_model_gives_the_same_map_without_the_samples(tmp_path: Path, toy: Pack) -> None:
    request = request_of(tmp_path, toy, save_model="My fields", products=("classes",))
    result = fewshot(request)
    assert result.saved == "my-fields"
    card = next(card for card in registry.cards() if card.id == "my-fields")
    assert card.error == ""
    assert (card.tasks, card.inputs, card.name) == (("segment",), ("S2L2A",), "My fields")
    pack = registry.find("my-fields")  # compares the hashes of all files
    assert [c.name for c in pack.classes] == list(NAMES)
    assert pack.license == toy.license
    assert pack.training["fewshot"]["report"]["accuracy"] == pytest.approx(result.report.accuracy, abs=1e-4)
    again = tmp_path / "again.tif"
    segment(SegmentRequest(request.scenes, {"classes": str(again)}, model="my-fields"))
    assert (read(again) == read(tmp_path / "classes.tif")).all()
    with pytest.raises(OutputError, match="already"):
        fewshot(request_of(tmp_path, toy, save_model="My fields", products=()))


def test_a_damaged_classifier_is_told(tmp_path: Path, toy: Pack) -> None:
    fewshot(request_of(tmp_path, toy, save_model="fields", products=()))
    root = registry.user_folder() / "fields"
    np.savez(root / "classifier.npz", weights=np.zeros((3, 5)), bias=np.zeros(3))
    from terrane.inference.adapters import adapter_for
    from terrane.inference.packs.manifest import load_pack
    from terrane.inference.runtime import make_runtime

    with pytest.raises(PackError, match="damaged"):
        registry.find("fields")
    runtime = make_runtime("onnx", device="cpu", threads=1)
    with pytest.raises(PackError, match="does not fit"):
        adapter_for(load_pack(root, verify=False), runtime)
    (root / "classifier.npz").write_bytes(b"PK nothing")
    with pytest.raises(PackError, match="cannot be read"):
        adapter_for(load_pack(root, verify=False), runtime)


def test_the_view_first_then_the_scene(tmp_path: Path, toy: Pack) -> None:
    """An extent limits the map, not the samples."""
    box = BBox(CORNER[0], CORNER[1] - 300, CORNER[0] + 300, CORNER[1])
    fewshot(request_of(tmp_path, toy, extent=box, products=("classes",)))
    view = read(tmp_path / "classes.tif")[0]
    assert view.shape == (30, 30)
    assert (view == truth()[:30, :30]).mean() > 0.97


def test_samples_in_another_crs_are_transformed(tmp_path: Path, toy: Pack) -> None:
    geo = default_geo()
    there = geo.parse_crs("EPSG:4326")
    xs, ys = zip(*(one.point for one in points()))
    lon, lat = geo.transform(geo.parse_crs("EPSG:32632"), there, xs, ys)
    shapes = [wkb.point(x, y) for x, y in zip(lon, lat)]
    columns = {"class": [one.name for one in points()]}
    path = str(tmp_path / "samples.geojson")
    geo.write_features(path, Features(there, "Point", shapes, columns))
    samples = read_samples(path, "class", geo)
    assert samples.names == NAMES
    fewshot(request_of(tmp_path, toy, samples=samples, products=("classes",)))
    assert (read(tmp_path / "classes.tif")[0] == truth()).mean() > 0.97


@pytest.mark.parametrize(
    ("samples", "kind", "words"),
    [
        ((), InputError, "no samples"),
        ((Sample("grass", point=place(5, 5)),), InputError, "All samples are 'grass'"),
        ((Sample("a", point=(0, 0)), Sample("b", point=(1, 1))), ExtentError, "No sample lies on the scene"),
        (
            (Sample("a", point=place(5, 5)), Sample("b", point=(1, 1))),
            ExtentError,
            "no data under the samples of b",
        ),
    ],
)
def test_bad_samples_are_told_in_a_sentence(
    tmp_path: Path, toy: Pack, samples: Any, kind: Any, words: str
) -> None:
    with pytest.raises(kind, match=words):
        fewshot(request_of(tmp_path, toy, samples=Samples(samples)))
    assert not (tmp_path / "classes.tif").exists()


def test_other_faults(tmp_path: Path, toy: Pack) -> None:
    with pytest.raises(InputError, match="classifier must be"):
        fewshot(request_of(tmp_path, toy, classifier="svm"))
    with pytest.raises(InputError, match="strength"):
        fewshot(request_of(tmp_path, toy, strength=0.0))
    with pytest.raises(InputError, match="1 to 100"):
        fewshot(request_of(tmp_path, toy, suggestions=0))
    with pytest.raises(InputError, match="possible are"):
        fewshot(request_of(tmp_path, toy, products=("maps",)))
    geo = default_geo()
    path = str(tmp_path / "s.gpkg")
    shape = wkb.point(*place(1, 1))
    geo.write_features(path, Features("EPSG:32632", "Point", [shape], {"kind": [""], "n": [1.0]}))
    with pytest.raises(InputError, match="has no attribute 'class'; it has: kind, n"):
        read_samples(path, "class", geo)
    with pytest.raises(InputError, match="no points or polygons with a class"):
        read_samples(path, "kind", geo)
    assert read_samples(path, "n", geo).names == ("1",)
    fewshot(request_of(tmp_path, toy, save_model="small", products=()))
    with pytest.raises(ModelError, match="gives no features"):
        fewshot(request_of(tmp_path, toy, model="small"))


def test_places_outside_and_without_data_are_counted(tmp_path: Path, toy: Pack) -> None:
    image = scene_image()
    image[:, :10, :10] = 0
    more = (*points(), Sample("grass", point=(0, 0)), Sample("grass", point=place(5, 5)))
    result = fewshot(request_of(tmp_path, toy, image=image, samples=Samples(more, unnamed=2), products=()))
    words = " ".join(result.warnings)
    assert "2 of the samples have no class" in words
    assert "1 of 26 samples lie outside of the scene" in words
    assert "pixels under samples have no data" in words


def test_cancel_leaves_nothing(tmp_path: Path, toy: Pack) -> None:
    cancel = Cancel()
    with pytest.raises(Cancelled):
        fewshot(request_of(tmp_path, toy, save_model="x"), progress=lambda _: cancel.set(), cancel=cancel)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s2.tif"]
    assert not list(registry.user_folder().iterdir())


def test_suggestions_lie_where_the_map_is_unsure_and_apart(tmp_path: Path, toy: Pack) -> None:
    request = request_of(tmp_path, toy, products=("suggestions", "uncertainty"), suggestions=5)
    result = fewshot(request)
    assert result.features == str(tmp_path / "suggestions.gpkg")
    assert set(result.outputs) == {"uncertainty"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s2.tif", "suggestions.gpkg", "uncertainty.tif"]
    found = default_geo().read_features(result.features)
    assert list(found.columns["rank"]) == [1, 2, 3, 4, 5]
    scores = np.asarray(found.columns["score"])
    assert (np.diff(scores) <= 0).all()
    assert scores[0] > read(tmp_path / "uncertainty.tif").mean()
    assert set(found.columns["class"]) <= set(NAMES)
    places = np.array([wkb.shapes(data).points[0] for data in found.wkb])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)[np.triu_indices(5, 1)]
    assert apart.min() >= 2 * 8 * 10


def test_suggestions_of_a_hand_made_map(tmp_path: Path) -> None:
    geo = default_geo()
    values = np.zeros((40, 40), np.float32)
    values[4:8, 4:8], values[20:24, 32:36], values[22, 8] = 0.9, 0.8, 1.0
    with rasterio.open(write_scene(tmp_path / "g.tif", np.ones((1, 40, 40)), names=None)) as file:
        crs = file.crs.to_wkt()
    grid = geo.describe(str(tmp_path / "g.tif")).grid
    assert crs
    writer = geo.writer(str(tmp_path / "u.tif"), grid, OutputSpec("float32", -9999.0, ("u",)))
    writer.write(grid.window, values[None])
    writer.commit()
    found = suggest(str(tmp_path / "u.tif"), geo, 3, cell=4)
    # A single undecided pixel counts a sixteenth of an undecided cell.
    assert np.allclose(found.columns["score"], [0.9, 0.8, 1 / 16])
    first = wkb.shapes(found.wkb[0]).points[0]
    assert first == (CORNER[0] + 60, CORNER[1] - 60)
    taken = (np.array([5]), np.array([5]))
    assert len(suggest(str(tmp_path / "u.tif"), geo, 3, cell=4, taken=taken).wkb) == 2


def test_polygons_give_their_pixels(tmp_path: Path, toy: Pack) -> None:
    from terrane.inference.presets import get
    from terrane.inference.tasks.layout import lay_out

    request = request_of(tmp_path, toy)
    layout = lay_out(request.scenes, toy, default_geo(), preset=get("balanced"))
    tiny = [[(x + 3, y) for x, y in place_ring] for place_ring in square(50, 50, 0)]
    shapes = (
        Sample("b", polygon=square(10, 20, 4)), Sample("a", polygon=square(40, 40, 40)),
        Sample("a", polygon=[[tiny[0][0], tiny[0][1], tiny[0][2], tiny[0][0]]]),
    )  # fmt: skip
    pixels, outside = place_samples(Samples(shapes), layout, default_geo(), seed=0)
    assert outside == 0
    small = pixels.chosen(pixels.place == 0)
    assert sorted(zip(small.row, small.col)) == [(r, c) for r in range(10, 14) for c in range(20, 24)]
    assert (small.label == 1).all()
    large = pixels.chosen(pixels.place == 1)
    assert len(large) == 200
    assert large.row.min() >= 40
    assert large.row.max() < 80
    assert (pixels.place == 2).sum() == 1


def test_names_of_classes() -> None:
    assert [class_name(v) for v in (3.0, "  x ", float("nan"), None, 2, 1.5)] == [
        "3",
        "x",
        "",
        "",
        "2",
        "1.5",
    ]
    assert Samples(tuple(Sample(n, point=(0, 0)) for n in ("10", "9", "b", "a"))).names == (
        "9",
        "10",
        "a",
        "b",
    )
    given_colors = Samples((Sample("a", point=(0, 0)), Sample("b", point=(0, 0))), colors=(("b", "#010203"),))
    assert [c.color for c in given_colors.classes()] == ["#4477AA", "#010203"]


def pixels_of(rows: Any, cols: Any, labels: Any) -> Pixels:
    rows, cols, labels = (np.asarray(v, np.int64) for v in (rows, cols, labels))
    return Pixels(np.zeros_like(rows), rows, cols, labels, np.arange(len(rows)))


@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 30))
def test_folds_are_blocks_and_training_keeps_its_distance(seed: int, block: int, margin: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = pixels_of(*rng.integers(0, 200, (2, 40)), rng.integers(0, 3, 40))
    fold = folds_of(pixels, block, 5)
    for key in set(zip(pixels.row // block, pixels.col // block)):
        inside = (pixels.row // block == key[0]) & (pixels.col // block == key[1])
        assert len(set(fold[inside])) == 1
    tested = fold == 0
    trained = far_from(pixels, tested, margin)
    assert not (tested & trained).any()
    for i in np.flatnonzero(~tested):
        reach = np.maximum(abs(pixels.row[tested] - pixels.row[i]), abs(pixels.col[tested] - pixels.col[i]))
        assert trained[i] == (reach >= margin).all()


def test_neighbours_do_not_help() -> None:
    """Labels that follow the place and nothing else: learnt by heart next door, worth nothing further off."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 2, (20, 20))
    rows, cols = np.mgrid[0:200:5, 0:200:5].reshape(2, -1)
    pixels = pixels_of(rows, cols, cells[rows // 10, cols // 10])
    features = np.stack((rows, cols), axis=1).astype(float)

    def nearest(train: Any, labels: Any) -> Any:
        def answer(test: Any) -> Any:
            near = ((test[:, None] - train[None]) ** 2).sum(axis=2).argmin(axis=1)
            return np.eye(2)[labels[near]]

        return answer

    flattering = cross_validate(features, pixels, ("a", "b"), nearest, block=1, margin=0, gsd=10.0)
    honest = cross_validate(features, pixels, ("a", "b"), nearest, block=20, margin=10, gsd=10.0)
    assert flattering.accuracy > 0.7
    assert 0.35 < honest.accuracy < 0.65
    assert (honest.block_m, honest.margin_m) == (200.0, 100.0)


def test_a_report_worked_out_by_hand() -> None:
    report = Report(
        ("a", "b", "c"), (1, 1, 1), (9, 5, 1), 320.0, 160.0, 2, ((6, 2, 0), (1, 4, 0), (0, 0, 0)), ("c",)
    )
    assert report.tested == 13
    assert report.accuracy == pytest.approx(10 / 13)
    assert report.f1 == (pytest.approx(12 / 15), pytest.approx(8 / 11), None)
    assert report.sentence() == (
        "Accuracy 77%, tested on 13 pixels at least 160 m away from those trained on; not tested: c, whose "
        "samples lie too close together."
    )
    empty = Report(("a", "b"), (1, 1), (1, 1), 320.0, 160.0, 0, ((0, 0), (0, 0)), ("a", "b"))
    assert empty.accuracy is None
    assert "mark places further apart" in empty.sentence()
    json.dumps(report.to_json(), allow_nan=False)


@given(st.integers(1, 12), st.integers(1, 9))
def test_bringing_patches_to_pixels(patches: int, patch: int) -> None:
    matrix = upsampler(patches, patch)
    assert matrix.shape == (patches * patch, patches)
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-5)
    assert (matrix >= 0).all()
    # A ramp of patch centres stays a ramp between the outermost centres.
    centres = (np.arange(patches) + 0.5) * patch
    wanted = np.clip(np.arange(patches * patch) + 0.5, centres[0], centres[-1])
    assert np.allclose(matrix @ centres, wanted, atol=1e-3)


def test_features_of_single_pixels_are_those_of_the_tile() -> None:
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(3, 4, 4)).astype(np.float32)
    bands = rng.normal(size=(2, 32, 32)).astype(np.float32)
    rows, cols = rng.integers(0, 32, (2, 10))
    whole = np.concatenate((to_pixels(grid, 8), bands))
    assert np.allclose(vectors_at(grid, bands, 8, rows, cols), whole[:, rows, cols].T, atol=1e-5)
    a, b = np.array([3.0, 0.0, -1.0], np.float32), np.array([1.0, 0.0, 0.5], np.float32)
    assert normalised_difference(a, b).tolist() == [0.5, 0.0, 0.0]


def test_uncertainty_of_hand_made_shares() -> None:
    values = np.array([[[0.5, 0.2, 0.0]], [[0.3, 0.2, 0.0]], [[0.2, 0.1, 0.0]]], np.float32)
    valid = np.array([[True, True, True]])
    assert np.allclose(uncertainty_pixels(values, valid), [[[0.8, 1.0, -9999.0]]])
    assert uncertainty_pixels(values, ~valid).tolist() == [[[-9999.0] * 3]]


def test_a_forecast_counts_the_tiles_of_the_map(tmp_path: Path, toy: Pack) -> None:
    request = request_of(tmp_path, toy)
    seen = forecast_fewshot(request)
    assert seen.tiles == fewshot(request).tiles
    assert seen.bytes_needed > 0


def test_on_the_command_line(tmp_path: Path, toy: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    geo = default_geo()
    scene = write_scene(tmp_path / "s2.tif", scene_image())
    samples = str(tmp_path / "samples.gpkg")
    shapes = [wkb.point(*one.point) for one in points()]
    geo.write_features(samples, Features("EPSG:32632", "Point", shapes, {"kind": [p.name for p in points()]}))
    words = ["fewshot", scene, "--modality", "S2L2A", "--samples", samples, "--class-field", "kind"]
    words += ["--model", str(toy.root), "-o", str(tmp_path / "out"), "--uncertainty", "--report"]
    words += [str(tmp_path / "r.json"), "--suggest", str(tmp_path / "s.gpkg"), "--save-model", "mine"]
    assert cli.main([*words, "--quiet", "--json"]) == 0
    envelope = json.loads(capsys.readouterr().out)
    assert (envelope["schema"], envelope["verb"], envelope["saved"]) == (1, "fewshot", "mine")
    assert set(envelope["outputs"]) == {"classes", "uncertainty"}
    assert all(Path(path).exists() for path in (*envelope["outputs"].values(), envelope["features"]))
    assert json.loads((tmp_path / "r.json").read_text()) == envelope["report"]
    assert envelope["report"]["accuracy"] > 0.9
    assert cli.main([*words, "--quiet"]) == 2
    assert "exists" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite"]) == 0
    told = capsys.readouterr()
    assert "Accuracy" in told.err
    assert "F1" in told.err
    assert (
        cli.main(["segment", scene, "--modality", "S2L2A", "--model", "mine", "-o", str(tmp_path / "o2")])
        == 0
    )
    assert (read(tmp_path / "o2" / "s2_classes.tif") == read(tmp_path / "out" / "s2_classes.tif")).all()
    assert cli.main([*words, "--forecast", "--json", "--overwrite"]) == 0


def grown(features: Any, labels: np.ndarray, classes: int, **_: Any) -> Forest:
    """A forest that is a stump per class: trained by hand, for machines without scikit-learn."""
    means = np.stack([np.asarray(features)[labels == k].mean(axis=0) for k in range(classes)])
    best = int(np.argmax(means.std(axis=0) / (1 + means.mean(axis=0).__abs__())))
    order = np.argsort(means[:, best])
    cuts = [(means[a, best] + means[b, best]) / 2 for a, b in zip(order, order[1:])]
    # 0: first cut, 1: leaf, 2: second cut, 3 and 4: leaves.
    values = np.zeros((5, classes), np.float32)
    values[1, order[0]] = values[3, order[1]] = values[4, order[2]] = 1
    left, right = np.array([1, -1, 3, -1, -1]), np.array([2, -1, 4, -1, -1])
    feature, cut = np.full(5, best), np.array([cuts[0], 0, cuts[1], 0, 0], float)
    return Forest(np.array([0]), left, right, feature, cut, values, np.asarray(features).shape[1])


def test_a_forest_is_kept_and_asked_like_any_other(
    tmp_path: Path, toy: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terrane.inference.tasks.training.fit_forest", grown)
    monkeypatch.setattr("terrane.inference.tasks.training.require_forests", lambda: None)
    request = request_of(tmp_path, toy, classifier="forest", save_model="wood", products=("classes",))
    fewshot(request)
    assert (read(tmp_path / "classes.tif")[0] == truth()).mean() > 0.6
    assert registry.find("wood").training["fewshot"]["classifier"] == "forest"
    again = tmp_path / "again.tif"
    segment(SegmentRequest(request.scenes, {"classes": str(again)}, model="wood"))
    assert (read(again) == read(tmp_path / "classes.tif")).all()


def test_a_forest_without_scikit_learn_is_refused_before_any_work(
    tmp_path: Path, toy: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    seen: list[Any] = []
    with pytest.raises(RuntimeMissing, match="scikit-learn"):
        fewshot(request_of(tmp_path, toy, classifier="forest"), progress=seen.append)
    assert seen == []
