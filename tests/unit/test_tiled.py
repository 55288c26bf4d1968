# SPDX-License-Identifier: GPL-2.0-or-later
"""The tiling that all tasks share, with models made of two lines of numpy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasters import files_in, ramp_image, read, write_scene
from terrane.inference import presets
from terrane.inference.errors import DiskFull, InputError
from terrane.inference.io import default_geo
from terrane.inference.io.base import OutputSpec
from terrane.inference.io.scene import open_scene
from terrane.inference.packs.manifest import Pack
from terrane.inference.seams import Correction
from terrane.inference.tasks.tiled import Layout, PlacedVectors, Product, Tiles, lay_out, run_tiled
from terrane.inference.types import Cancel
from toy_pack import build_toy_pack

BALANCED = presets.get("balanced")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


def layout_of(tmp_path: Path, image: np.ndarray, pack: Pack, **options: Any) -> Layout:
    gsd = options.pop("gsd", 10.0)
    scene = open_scene(write_scene(tmp_path / "s2.tif", image, gsd=gsd), modality="S2L2A")
    return lay_out([scene], pack, default_geo(), preset=BALANCED, **options)


def product(name: str, channels: int = 1, **options: Any) -> Product:
    spec = OutputSpec("float32", -9999.0, tuple(f"{name} {i}" for i in range(channels)))
    return Product(
        name,
        name,
        channels,
        spec,
        lambda values, valid: np.where(valid, values, np.float32(-9999)).astype(np.float32),
        **options,
    )


def first_bands(count: int) -> Any:
    def compute(images: Mapping[str, np.ndarray], keys: Sequence[Any], cancel: Cancel) -> Any:
        image = images["S2L2A"]
        b, _, t, _ = image.shape
        patches = image[:, :count].reshape(b, count, t // 8, 8, t // 8, 8).mean(axis=(3, 5))
        return {"copy": image[:, :count], "patches": patches, "mean": image.mean(axis=(2, 3)).astype(float)}

    return compute


@pytest.mark.parametrize("size", [(32, 32), (64, 56), (61, 75), (20, 9), (100, 33)])
def test_patches_come_back_in_place(tmp_path: Path, toy: Pack, size: tuple[int, int]) -> None:
    """One pixel per patch of 8, whatever the scene's size: the grid grows over the edge."""
    image = ramp_image(*size).round()
    out = tmp_path / "out"
    out.mkdir()
    layout = layout_of(tmp_path, image, toy, align=8)
    path = str(out / "patches.tif")
    made = [product("patches", 3, scale=8)]
    run_tiled(layout, made, first_bands(3), {"patches": path}, fingerprint={"model": "a"}, batch=2)
    rows, cols = -(-size[0] // 8), -(-size[1] // 8)
    with rasterio.open(path) as result, rasterio.open(tmp_path / "s2.tif") as source:
        assert result.shape == (rows, cols)
        assert result.res == (80.0, 80.0)
        assert (result.transform.c, result.transform.f) == (source.transform.c, source.transform.f)
    values = read(path)
    inner = (slice(None), slice(0, size[0] // 8), slice(0, size[1] // 8))
    whole = image[:3, : size[0] // 8 * 8, : size[1] // 8 * 8]
    expected = whole.reshape(3, size[0] // 8, 8, size[1] // 8, 8).mean(axis=(2, 4))
    np.testing.assert_allclose(values[inner], expected, rtol=1e-5)
    assert (values != -9999).all()


def test_several_sources_share_a_run(tmp_path: Path, toy: Pack) -> None:
    image = ramp_image(50, 70).round()
    image[:, 10:30, 20:60] = 0
    out = tmp_path / "out"
    out.mkdir()
    layout = layout_of(tmp_path, image, toy, align=8)
    outputs = {"copy": str(out / "copy.tif"), "patches": str(out / "patches.tif")}
    made = [product("copy", 2), product("patches", 2, scale=8)]
    run_tiled(layout, made, first_bands(2), outputs, fingerprint={}, batch=3)
    copy, patches = read(outputs["copy"]), read(outputs["patches"])
    hole = (image == 0).all(axis=0)
    np.testing.assert_array_equal(copy[0, :50, :70] == -9999, hole)
    np.testing.assert_allclose(copy[:, :50, :70][:, ~hole], image[:2][:, ~hole], rtol=1e-6)
    # A patch is valid where any of its pixels is.
    np.testing.assert_array_equal(
        patches[0] != -9999,
        (~np.pad(hole, ((0, 6), (0, 2)), constant_values=True)).reshape(7, 8, 9, 8).any((1, 3)),
    )


def test_patches_can_come_back_on_the_inputs_grid(tmp_path: Path, toy: Pack) -> None:
    layout = layout_of(tmp_path, ramp_image(40, 40).round(), toy, align=8, grid="input", gsd=20.0)
    path = str(tmp_path / "patches.tif")
    made = [product("patches", 1, scale=8)]
    run_tiled(layout, made, first_bands(1), {"patches": path}, fingerprint={}, batch=2)
    with rasterio.open(path) as result:
        assert result.res == (160.0, 160.0)
        assert result.shape == (5, 5)


def test_vectors_come_with_their_tiles(tmp_path: Path, toy: Pack) -> None:
    image = ramp_image(32, 104).round()
    image[:, :, :60] = 0
    layout = layout_of(tmp_path, image, toy)
    goal = str(tmp_path / "places.json")

    def write(placed: Sequence[PlacedVectors], path: str) -> None:
        (one,) = placed
        assert path != goal
        content = [[tile.window.col, *values] for tile, values in zip(one.tiles, one.values["mean"][:, :2])]
        Path(path).write_text(json.dumps(content))

    result = run_tiled(
        layout,
        [],
        first_bands(1),
        {"places": goal},
        fingerprint={},
        batch=2,
        vectors={"mean": 12},
        features={"places": write},
    )
    assert (result.tiles, result.skipped, result.computed) == (4, 2, 2)
    places = json.loads(Path(goal).read_text())
    assert [place[0] for place in places] == [48, 72]
    assert places[1][1] == pytest.approx(image[0, :, 72:].mean())
    assert sorted(files_in(tmp_path)) == ["places.json", "s2.tif"]


def test_levels_are_added_before_blending(tmp_path: Path, toy: Pack) -> None:
    layout = layout_of(tmp_path, ramp_image(32, 80).round(), toy)
    seen = []

    class OneHigher:
        warnings = ()

        def solve(self, tiles: Tiles, cancel: Cancel) -> Correction:
            seen.extend(tile.index for tile in tiles.plan if tiles.holds(tile))
            first = tiles.read(next(iter(tiles.plan)))
            assert first.shape == (1, 32, 32)
            assert tiles.valid(tiles.grid.window).all()
            nothing = np.zeros((3, 32), np.float32)
            return Correction(np.array([0.0, 100.0, 0.0]), nothing, nothing)

        def tags(self, tags: Mapping[str, str]) -> dict[str, str]:
            return {**tags, "RAISED": "1"}

    outputs = {"copy": str(tmp_path / "copy.tif")}
    compute = first_bands(1)
    run_tiled(
        layout, [product("copy")], compute, outputs, fingerprint={}, batch=1, levels={"copy": OneHigher()}
    )
    added = read(outputs["copy"])[0] - ramp_image(32, 80).round()[0]
    assert seen == [0, 1, 2]
    np.testing.assert_allclose(added[:, :24], 0, atol=1e-2)
    np.testing.assert_allclose(added[:, 33:47], 100, atol=1e-2)
    assert ((added[:, 25:31] > 0) & (added[:, 25:31] < 100)).all()
    with rasterio.open(outputs["copy"]) as made:
        assert made.tags()["RAISED"] == "1"


def test_shares_are_kept_to_eight_millionths(tmp_path: Path, toy: Pack) -> None:
    layout = layout_of(tmp_path, ramp_image(32, 32).round(), toy)
    shares = np.random.default_rng(1).random((1, 4, 32, 32)).astype(np.float32)
    outputs = {"share": str(tmp_path / "share.tif")}
    made = [product("share", 4, form="share")]
    run_tiled(layout, made, lambda *_: {"share": shares}, outputs, fingerprint={}, batch=1)
    np.testing.assert_allclose(read(outputs["share"]), shares[0], atol=0.5 / 65535 + 1e-7)


def test_a_model_of_the_wrong_shape_is_a_bug(tmp_path: Path, toy: Pack) -> None:
    layout = layout_of(tmp_path, ramp_image(32, 32).round(), toy)
    outputs = {"copy": str(tmp_path / "copy.tif")}
    with pytest.raises(ValueError, match="should come as"):
        run_tiled(layout, [product("copy", 2)], first_bands(1), outputs, fingerprint={}, batch=1)
    assert files_in(tmp_path) == ["s2.tif"]


def test_outputs_are_asked_for_by_name(tmp_path: Path, toy: Pack) -> None:
    layout = layout_of(tmp_path, ramp_image(32, 32).round(), toy)
    for outputs, text in (
        ({}, "Name an output for copy"),
        ({"copy": str(tmp_path / "a.tif"), "b": str(tmp_path / "b.tif")}, "output for b, which is not"),
    ):
        with pytest.raises(InputError, match=text):
            run_tiled(layout, [product("copy")], first_bands(1), outputs, fingerprint={}, batch=1)


def test_a_disk_that_is_too_small_is_told_before(
    tmp_path: Path, toy: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = layout_of(tmp_path, ramp_image(90, 90).round(), toy)
    usage = type("usage", (), {"free": 2_000_000})
    monkeypatch.setattr("terrane.inference.tasks.staging.shutil.disk_usage", lambda _: usage)
    outputs = {"copy": str(tmp_path / "copy.tif")}
    with pytest.raises(DiskFull, match=r"may need .* where 2\.0 MB are free"):
        run_tiled(layout, [product("copy")], lambda *_: pytest.fail("ran"), outputs, fingerprint={}, batch=1)
    assert files_in(tmp_path) == ["s2.tif"]
