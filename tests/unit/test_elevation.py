# SPDX-License-Identifier: GPL-2.0-or-later
"""Elevation from tiles with levels of their own, through the journal, with and without heights to tie to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.warp import Resampling, calculate_default_transform, reproject
from rasters import CORNER, UTM32, read, write_scene
from terrane.inference import presets
from terrane.inference.errors import InputError
from terrane.inference.io import default_geo
from terrane.inference.io.base import OutputSpec
from terrane.inference.io.scene import Scene, open_scene
from terrane.inference.modalities import MODALITIES
from terrane.inference.packs.manifest import Pack
from terrane.inference.tasks.elevation import AsTheyCome, Levelled
from terrane.inference.tasks.generate import GenerateRequest, generate
from terrane.inference.tasks.outputs import output_spec, values_to_pixels
from terrane.inference.tasks.tiled import Product, lay_out, run_tiled
from toy_pack import build_toy_pack

NODATA = -9999.0


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Tiles of 32 with a stride of 24."""
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


def terrain(height: int, width: int) -> np.ndarray:
    """(h, w) whole metres from 500 to 900: hills, and a slope to the south-east."""
    y, x = np.mgrid[0:height, 0:width]
    return np.rint(600 + 60 * np.sin(x / 19.0) * np.cos(y / 13.0) + 0.6 * x + 0.4 * y)


def scene_of(tmp_path: Path, surface: np.ndarray, valid: Optional[np.ndarray] = None) -> Scene:
    """A scene whose first band is the terrain."""
    image = np.repeat(surface[None], 12, axis=0)
    if valid is not None:
        image = np.where(valid, image, 0)
    return open_scene(write_scene(tmp_path / "s2.tif", image), modality="S2L2A")


def coarse_of(
    tmp_path: Path, surface: np.ndarray, crs: str = UTM32, gsd: float = 30.0, name: str = "glo30"
) -> Scene:
    """The terrain averaged to 30 m pixels or so, in any CRS, as an elevation model that covers it all."""
    place = Affine(10, 0, CORNER[0], 0, -10, CORNER[1])
    h, w = surface.shape
    bounds = (CORNER[0], CORNER[1] - 10 * h, CORNER[0] + 10 * w, CORNER[1])
    step = gsd / 111000 if crs == "EPSG:4326" else gsd
    to, width, height = calculate_default_transform(UTM32, crs, w, h, *bounds, resolution=step)
    heights = np.full((height, width), NODATA, np.float32)
    reproject(
        surface.astype(np.float32), heights, src_transform=place, src_crs=UTM32, dst_transform=to,
        dst_crs=crs, dst_nodata=NODATA, resampling=Resampling.average,
    )  # fmt: skip
    path = tmp_path / f"{name}.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=1, dtype="float32", crs=crs,
        transform=to, nodata=NODATA,
    ) as out:  # fmt: skip
        out.write(heights, 1)
    return open_scene(str(path), modality="DEM")


def run(tmp_path: Path, scene: Scene, toy: Pack, leveller: Any, spread: float = 100.0) -> tuple[Any, Any]:
    """The finished elevation (h, w) and its tags: tiles of the truth, each with a random level."""

    def compute(images: Mapping[str, np.ndarray], keys: Sequence[Any], cancel: Any) -> dict[str, np.ndarray]:
        levels = [np.random.default_rng((7, key.tile)).normal(0, spread) for key in keys]
        return {"DEM": images["S2L2A"][:, :1] + np.array(levels, np.float32)[:, None, None, None]}

    layout = lay_out([scene], toy, default_geo(), preset=presets.get("balanced"))
    spec: OutputSpec = output_spec(MODALITIES["DEM"], ("DEM",), {})
    product = Product("DEM", "DEM", 1, spec, values_to_pixels(spec))
    goal = tmp_path / "s2_DEM.tif"
    run_tiled(
        layout, [product], compute, {"DEM": str(goal)}, fingerprint={}, batch=3, levels={"DEM": leveller}
    )
    with rasterio.open(goal) as made:
        return made.read(1), made.tags()


def test_the_terrain_comes_back_but_for_one_constant(tmp_path: Path, toy: Pack) -> None:
    surface = terrain(150, 190)
    made, tags = run(tmp_path, scene_of(tmp_path, surface), toy, Levelled(default_geo()))
    away = made - surface
    assert np.ptp(away) < 0.2
    assert abs(away.mean()) < 60  # of levels that scatter by 100 m
    assert tags["TERRANE_LEVELS"] == "solved, relative"
    assert tags["TERRANE_NOTE"].startswith(MODALITIES["DEM"].note)
    assert "relative" in tags["TERRANE_NOTE"]
    assert tags["TERRANE_NOTE"].count("EGM2008") == 1


def test_tiles_can_be_left_as_they_come(tmp_path: Path, toy: Pack) -> None:
    surface = terrain(80, 80)
    made, tags = run(tmp_path, scene_of(tmp_path, surface), toy, AsTheyCome())
    away = made - surface
    first = np.random.default_rng((7, 0)).normal(0, 100)
    assert away[:24, :24].mean() == pytest.approx(first, abs=0.01)
    assert np.ptp(away) > 50
    assert tags["TERRANE_LEVELS"] == "per tile"
    assert "steps" in tags["TERRANE_NOTE"]


@pytest.mark.parametrize(
    ("crs", "gsd"), [(UTM32, 30.0), ("EPSG:4326", 30.0), ("EPSG:4326", 90.0), ("EPSG:3857", 60.0)]
)
def test_a_coarse_model_ties_the_levels(tmp_path: Path, toy: Pack, crs: str, gsd: float) -> None:
    surface = terrain(120, 150)
    coarse = coarse_of(tmp_path, surface, crs, gsd)
    leveller = Levelled(default_geo(), coarse)
    made, tags = run(tmp_path, scene_of(tmp_path, surface), toy, leveller)
    away = made - surface
    assert abs(away.mean()) < 1
    assert np.ptp(away) < 4
    assert tags["TERRANE_LEVELS"] == "solved, tied to glo30"
    assert "vertical reference of glo30" in tags["TERRANE_NOTE"]
    assert leveller.warnings == ()


def test_holes_and_separate_areas(tmp_path: Path, toy: Pack) -> None:
    surface = terrain(96, 200)
    valid = np.ones(surface.shape, bool)
    valid[:, 90:130] = False  # wider than a tile: two areas
    valid[10:40, 20:50] = False
    scene = scene_of(tmp_path, surface, valid)
    made, _ = run(tmp_path, scene, toy, Levelled(default_geo()))
    assert (made[~valid] == NODATA).all()
    for area in (np.s_[:, :90], np.s_[:, 130:]):
        away = (made - surface)[area][valid[area]]
        assert np.ptp(away) < 0.5

    heights = surface.copy()
    heights[:, 110:] = NODATA
    west = coarse_of(tmp_path, heights[:, :100], name="west")
    leveller = Levelled(default_geo(), west)
    (tmp_path / "s2_DEM.tif").unlink()
    made, tags = run(tmp_path, scene, toy, leveller)
    assert np.abs((made - surface)[:, :90][valid[:, :90]]).max() < 4
    assert tags["TERRANE_LEVELS"] == "solved, tied to west (in part)"
    assert leveller.warnings
    assert leveller.warnings[0] in tags["TERRANE_NOTE"]


def test_a_coarse_model_of_another_place_leaves_levels_relative(tmp_path: Path, toy: Pack) -> None:
    surface = terrain(80, 80)
    coarse = coarse_of(tmp_path, surface)
    with rasterio.open(tmp_path / "glo30.tif", "r+") as file:
        file.transform = Affine(30, 0, CORNER[0] + 1e5, 0, -30, CORNER[1])
    leveller = Levelled(default_geo(), coarse)
    made, tags = run(tmp_path, scene_of(tmp_path, surface), toy, leveller)
    assert np.ptp(made - surface) < 0.2
    assert tags["TERRANE_LEVELS"] == "solved, relative"
    assert leveller.warnings == ("glo30 has no heights here, so the levels are relative.",)


@pytest.mark.parametrize("size", [(20, 12), (32, 32), (32, 100)])
def test_scenes_of_one_tile_or_one_row(tmp_path: Path, toy: Pack, size: tuple[int, int]) -> None:
    surface = terrain(*size)
    made, tags = run(tmp_path, scene_of(tmp_path, surface), toy, Levelled(default_geo()))
    assert np.ptp(made - surface) < 0.2
    assert tags["TERRANE_LEVELS"] == "solved, relative"


def test_a_single_tile_is_tied_too(tmp_path: Path, toy: Pack) -> None:
    surface = terrain(30, 30)
    coarse = coarse_of(tmp_path, surface)
    made, _ = run(tmp_path, scene_of(tmp_path, surface), toy, Levelled(default_geo(), coarse))
    assert np.abs(made - surface).max() < 3


def request(scene: Scene, toy: Pack, tmp_path: Path, *targets: str, **changes: Any) -> GenerateRequest:
    outputs = {t: str(tmp_path / f"out_{t}.tif") for t in targets}
    return GenerateRequest((scene,), targets, outputs, model=str(toy.root), **changes)


def test_generate_levels_unless_told_not_to(tmp_path: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, terrain(70, 70) + 1500)
    result = generate(request(scene, toy, tmp_path, "DEM", "NDVI"))
    with rasterio.open(result.outputs["DEM"]) as made:
        assert made.tags()["TERRANE_LEVELS"] == "solved, relative"
    with rasterio.open(result.outputs["NDVI"]) as made:
        assert "TERRANE_LEVELS" not in made.tags()
    solved = read(result.outputs["DEM"])
    result = generate(request(scene, toy, tmp_path, "DEM", "NDVI", levels="tiles", overwrite=True))
    with rasterio.open(result.outputs["DEM"]) as made:
        assert made.tags()["TERRANE_LEVELS"] == "per tile"
    coarse = coarse_of(tmp_path, terrain(70, 70))
    tied = generate(request(scene, toy, tmp_path, "DEM", coarse_dem=coarse, overwrite=True))
    assert read(tied.outputs["DEM"]).mean() == pytest.approx(terrain(70, 70).mean(), abs=3)
    assert solved.mean() != pytest.approx(terrain(70, 70).mean(), abs=20)


def test_what_makes_no_sense_is_refused(tmp_path: Path, toy: Pack) -> None:
    scene = scene_of(tmp_path, terrain(40, 40))
    coarse = coarse_of(tmp_path, terrain(40, 40))
    for changes, words in (
        ({"levels": "flat"}, '"solved" or "tiles"'),
        ({"levels": "tiles", "coarse_dem": coarse}, "leave the levels at solved"),
        ({"coarse_dem": scene}, "must be DEM"),
    ):
        with pytest.raises(InputError, match=words):
            generate(request(scene, toy, tmp_path, "DEM", **changes))
    with pytest.raises(InputError, match="add DEM"):
        generate(request(scene, toy, tmp_path, "NDVI", coarse_dem=coarse))


def test_a_sliver_of_a_tile_keeps_to_its_neighbours(tmp_path: Path, toy: Pack) -> None:
    surface = terrain(32, 76)
    valid = np.ones(surface.shape, bool)
    valid[:, 50:] = False  # the third of four tiles, from pixel 48 on, holds two columns
    valid[4:, 48:] = False  # of four pixels each
    coarse = coarse_of(tmp_path, surface)
    leveller = Levelled(default_geo(), coarse)
    made, tags = run(tmp_path, scene_of(tmp_path, surface, valid), toy, leveller)
    assert leveller.warnings == ()
    assert tags["TERRANE_LEVELS"] == "solved, tied to glo30"
    assert np.abs(made - surface)[valid].max() < 5
