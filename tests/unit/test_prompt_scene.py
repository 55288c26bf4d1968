# SPDX-License-Identifier: GPL-2.0-or-later
"""Prompts from a layer: one object per feature, in any CRS, in windows of a scene; and everything in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import prompt_models
import pytest
from geos import make_geo, save, utm
from terrane.inference import cli
from terrane.inference.errors import Cancelled, ExtentError, InputError, ModelError
from terrane.inference.io import wkb
from terrane.inference.io.base import Features, OutputSpec
from terrane.inference.io.image import open_image
from terrane.inference.packs.prompt_pack import add_promptable
from terrane.inference.tasks import prompt_scene
from terrane.inference.tasks.prompt_objects import Found, united
from terrane.inference.tasks.prompt_scene import PromptRequest, segment_prompts
from terrane.inference.types import Cancel, Size, Window

LEFT, TOP, GSD = 500000.0, 5100000.0, 0.5
pytest.importorskip("pyogrio")


@pytest.fixture
def geo() -> Any:
    return make_geo("rasterio")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "models"
    monkeypatch.setenv("TERRANE_MODELS", str(folder))
    return add_promptable(prompt_models.pair(tmp_path / "pair"), folder, name="sam").id


def scene(geo: Any, tmp_path: Path, image: np.ndarray, dtype: str = "uint8") -> str:
    grid = utm(geo, image.shape[1], image.shape[0], GSD, LEFT, TOP)
    path = str(tmp_path / "scene.tif")
    save(geo, path, grid, image.transpose(2, 0, 1).astype(dtype), OutputSpec(dtype, None, ("r", "g", "b")))
    return path


def place(col: float, row: float) -> tuple[float, float]:
    return LEFT + GSD * col, TOP - GSD * row


def layer(
    geo: Any, tmp_path: Path, shapes: list[bytes], kind: str, columns: dict[str, Any], crs: str = ""
) -> str:
    path = str(tmp_path / "prompts.gpkg")
    geo.write_features(path, Features(crs or "EPSG:32632", kind, shapes, columns), overwrite=True)
    return path


def run(geo: Any, source: str, model: str, tmp_path: Path, **more: Any) -> tuple[Any, Features]:
    output = str(tmp_path / "out.gpkg")
    request = PromptRequest(open_image(source, 3, geo), model, output, overwrite=True, **more)
    result = segment_prompts(request, geo=geo)
    return result, geo.read_features(output)


def field(size: int = 400) -> np.ndarray:
    """A dark field with three blocks of a colour each: 12 by 20, 14 by 10, 20 by 20 pixels."""
    image = np.full((size, size, 3), 40, np.uint8)
    image[8:20, 10:30] = (200, 30, 30)
    image[300:314, 350:360] = (30, 200, 30)
    image[180:200, 180:200] = (30, 30, 200)
    return image


def test_one_object_per_feature_with_its_attributes(geo, tmp_path, model):
    source = scene(geo, tmp_path, field())
    shapes = [wkb.point(*place(355, 305)), wkb.point(*place(12.5, 9.5)), wkb.point(*place(190, 190))]
    columns = {"id": [7, 8, 9], "what": ["pool", "roof", "tank"], "score": [1.5, 2.5, 3.5]}
    prompts = layer(geo, tmp_path, shapes, "Point", columns)
    result, found = run(geo, source, model, tmp_path, prompts=prompts)
    assert (result.prompts, result.objects, result.windows, result.warnings) == (3, 3, 3, ())
    assert list(found.columns["id"]) == [7, 8, 9]
    assert list(found.columns["what"]) == ["pool", "roof", "tank"]
    assert list(found.columns["score_1"]) == [1.5, 2.5, 3.5]
    assert list(found.columns["pixels"]) == [140, 240, 400]
    assert found.columns["score"] == pytest.approx([0.95] * 3)
    [[ring]] = wkb.shapes(found.wkb[1]).polygons
    assert set(ring) == {place(10, 8), place(30, 8), place(30, 20), place(10, 20)}
    assert found.columns["area_m2"][1] == pytest.approx(60 / 0.9996**2, rel=1e-5)


def test_prompts_in_another_crs(geo, tmp_path, model):
    source = scene(geo, tmp_path, field())
    x, y = place(190, 190)
    lon, lat = geo.transform("EPSG:32632", "EPSG:4326", [x], [y])
    prompts = layer(geo, tmp_path, [wkb.point(lon[0], lat[0])], "Point", {}, "EPSG:4326")
    _, found = run(geo, source, model, tmp_path, prompts=prompts)
    assert list(found.columns["pixels"]) == [400]
    wrong = layer(geo, tmp_path, [wkb.point(x, y)], "Point", {}, "EPSG:32633")
    with pytest.raises(ExtentError, match=r"Feature 1 .* outside of the scene.*EPSG:32633"):
        run(geo, source, model, tmp_path, prompts=wrong)


def test_neighbours_share_a_view(geo, tmp_path, model):
    source = scene(geo, tmp_path, field())
    shapes = [wkb.point(*place(185 + i, 190)) for i in range(5)]
    result, found = run(geo, source, model, tmp_path, prompts=layer(geo, tmp_path, shapes, "Point", {}))
    assert result.windows == 1 and list(found.columns["pixels"]) == [400] * 5


def test_polygons_stand_for_boxes(geo, tmp_path, model):
    source = scene(geo, tmp_path, field())
    box = [place(170, 185), place(190, 185), place(190, 217), place(170, 217)]
    result, found = run(
        geo, source, model, tmp_path, prompts=layer(geo, tmp_path, [wkb.polygon([box])], "Polygon", {})
    )
    # A box alone is all in it.
    assert list(found.columns["pixels"]) == [20 * 32] and result.objects == 1


def geojson(tmp_path: Path, *features: tuple[dict[str, Any], dict[str, Any]]) -> str:
    path = tmp_path / "prompts.geojson"
    listed = [{"type": "Feature", "geometry": g, "properties": p} for g, p in features]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": listed}))
    return str(path)


def test_multipoints_with_signs_and_lines(geo, tmp_path, model):
    source = scene(geo, tmp_path, field())
    several = {"type": "MultiPoint", "coordinates": [place(190, 190), place(182, 183), place(175, 185)]}
    line = {"type": "LineString", "coordinates": [place(182, 183), place(198, 197)]}
    prompts = geojson(tmp_path, (several, {"label": "+ + -"}), (line, {"label": "+"}))
    _, found = run(geo, source, model, tmp_path, prompts=prompts)
    # The block; and what of it lies in the scribble's frame.
    assert list(found.columns["pixels"]) == [400, 16 * 14]
    for label, words in (("++", "one sign for each"), ("-", "not where it is")):
        bad = geojson(tmp_path, (several, {"label": label}))
        with pytest.raises(InputError, match=words):
            run(geo, source, model, tmp_path, prompts=bad)


def test_a_scene_of_sixteen_bits_is_stretched(geo, tmp_path, model):
    source = scene(geo, tmp_path, field().astype(np.uint16) * 30, "uint16")
    prompts = layer(geo, tmp_path, [wkb.point(*place(190, 190))], "Point", {})
    _, found = run(geo, source, model, tmp_path, prompts=prompts)
    assert found.columns["pixels"][0] >= 400


def test_a_prompt_at_which_nothing_is_seen_is_told(geo, tmp_path, model):
    source = scene(geo, tmp_path, field())
    pair = {"type": "MultiPoint", "coordinates": [place(190, 190), place(191, 191)]}
    prompts = geojson(tmp_path, (pair, {"label": "+-"}))
    result, found = run(geo, source, model, tmp_path, prompts=prompts)
    assert result.objects == 0 and len(found.wkb) == 0
    assert result.warnings == ("At 1 of 1 prompts the model sees no object; they are left out.",)


def test_everything_of_a_scene_larger_than_the_model_sees(geo, tmp_path, model):
    image = field(112)
    image[40:60, 40:70] = (30, 200, 30)  # across the windows' borders, which lie at 48 and 64
    result, found = run(geo, scene(geo, tmp_path, image), model, tmp_path, everything=True)
    assert result.windows == 4
    assert 600 in list(found.columns["pixels"]) and 240 in list(found.columns["pixels"])


def test_parts_of_an_object_are_joined():
    size, windows = Size(100, 40), [Window(0, 0, 60, 40), Window(40, 0, 60, 40)]
    left = Found(Window(30, 10, 30, 10), np.ones((10, 30), bool), 0.9)
    right = Found(Window(40, 10, 40, 10), np.ones((10, 40), bool), 0.95)
    other = Found(Window(42, 25, 5, 5), np.ones((5, 5), bool), 0.99)
    twin = Found(Window(42, 25, 5, 5), np.ones((5, 5), bool), 0.97)
    first, second = united([[left, other], [right, twin]], windows, size)
    assert (first.window, first.score, first.bits.sum()) == (Window(42, 25, 5, 5), 0.99, 25)
    assert (second.window, second.score) == (Window(30, 10, 50, 10), 0.95)
    assert second.bits.all()


def test_cancel_and_bad_requests(geo, tmp_path, model):
    source = scene(geo, tmp_path, field())
    cancel = Cancel()
    cancel.set()
    output = str(tmp_path / "out.gpkg")
    request = PromptRequest(open_image(source, 3, geo), model, output, everything=True)
    with pytest.raises(Cancelled):
        segment_prompts(request, geo=geo, cancel=cancel)
    assert not Path(output).exists()
    with pytest.raises(InputError, match="either"):
        run(geo, source, model, tmp_path)
    with pytest.raises(ModelError, match="takes no prompts"):
        run(geo, source, "starter", tmp_path, everything=True)
    huge = layer(geo, tmp_path, [wkb.polygon([[place(0, 0), place(399, 0), place(399, 9)]])], "Polygon", {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prompt_scene, "MOST_SIDE", 300)
        with pytest.raises(ExtentError, match="coarser"):
            run(geo, source, model, tmp_path, prompts=huge)


def test_the_command_line(geo, tmp_path, model, capsys):
    source = scene(geo, tmp_path, field())
    prompts = layer(geo, tmp_path, [wkb.point(*place(190, 190))], "Point", {"name": ["tank"]})
    words = ["segment", source, "--model", "sam", "-o", str(tmp_path / "o.geojson"), "--quiet", "--json"]
    assert cli.main([*words, "--prompts", prompts]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verb"], told["model"], told["prompts"], told["objects"]) == ("segment", "sam", 1, 1)
    read = json.loads(Path(told["features"]).read_text())
    assert read["features"][0]["properties"]["name"] == "tank"
    assert read["features"][0]["properties"]["pixels"] == 400
    assert cli.main(words) == 2
    assert "--prompts FILE, or --everything" in capsys.readouterr().err
    assert cli.main([*words, "--prompts", prompts, "--stride", "9"]) == 2
    assert "--stride does not go" in capsys.readouterr().err


def test_adding_a_pair_on_the_command_line(tmp_path, model, capsys):
    encoder, decoder = prompt_models.pair(tmp_path / "more", "sam2")
    assert cli.main(["models", "add", str(encoder), str(decoder), "--name", "second", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["tasks"], told["settings"]["layout"]) == ("second", ["prompt"], "sam2")
    assert cli.main(["models", "add", str(tmp_path / "more"), "--name", "third"]) == 0
    assert "terrane segment SCENE --model third --prompts FILE" in capsys.readouterr().err
    assert cli.main(["models", "add", str(encoder), str(encoder)]) == 2
    assert "no decoder" in capsys.readouterr().err
