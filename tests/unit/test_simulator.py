# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulator: the same seed gives the same world, and its parts agree with each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.fields import Noise, parcel_mean, parcels, threshold_for
from training.make_demo import PLACE, wedge
from training.places import LOWEST_SUN, draw_place, sun_at, warmth_at
from training.simulate import ARRAYS, Chip, make_set, ndvi_of, simulate
from training.spectra import (
    BANDS,
    BUILT,
    CLOUDS,
    COVERS,
    CROPS,
    SNOW,
    TREES,
    WATER,
    cover_table,
    water_reflectance,
)
from training.surface import reflectance
from training.world import World, make_world

SIZE = 96


@pytest.fixture(scope="module")
def chips() -> list[Chip]:
    return [simulate(seed, SIZE, SIZE) for seed in range(24)]


def test_the_same_seed_gives_the_same_scene() -> None:
    first, again, other = simulate(5, 64, 80), simulate(5, 64, 80), simulate(6, 64, 80)
    for name in (*ARRAYS, "ndvi", "coords"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.s2l2a != other.s2l2a).any()


@pytest.mark.parametrize(("height", "width"), [(40, 200), (111, 33), (150, 150)])
def test_any_size_can_be_made(height: int, width: int) -> None:
    chip = simulate(3, height, width)
    assert chip.s2l2a.shape == (12, height, width)
    assert chip.s2l1c.shape == (13, height, width)
    assert chip.rgb.shape == (3, height, width)
    assert chip.s1grd.shape == (2, height, width)
    assert chip.dem.shape == chip.lulc.shape == chip.ndvi.shape == (height, width)


def test_values_are_in_range_and_of_the_right_kind(chips: list[Chip]) -> None:
    for chip in chips:
        assert chip.s2l2a.dtype == np.uint16
        assert chip.s2l2a.min() >= 1
        assert chip.lulc.dtype == np.uint8
        assert set(np.unique(chip.lulc)) <= set(range(1, 10))
        assert chip.dem.dtype == np.float32
        assert chip.dem.min() >= -50
        assert chip.dem.max() <= 4100
        assert chip.s1grd.min() >= -35
        assert chip.s1grd.max() <= 15
        assert -180 <= chip.coords[0] <= 180
        assert -90 <= chip.coords[1] <= 90
        assert np.isfinite(chip.ndvi).all()
        assert np.abs(chip.ndvi).max() <= 1.0


def test_ndvi_is_that_of_the_bands(chips: list[Chip]) -> None:
    red = chips[0].s2l2a[BANDS.index("B04")].astype(float)
    infrared = chips[0].s2l2a[BANDS.index("B08")].astype(float)
    np.testing.assert_allclose(chips[0].ndvi, (infrared - red) / (infrared + red), atol=1e-6)
    np.testing.assert_array_equal(chips[0].ndvi, ndvi_of(chips[0].s2l2a))


def test_every_class_turns_up(chips: list[Chip]) -> None:
    more = [simulate(seed, SIZE, SIZE) for seed in range(100, 116)]
    seen = set().union(*(set(np.unique(chip.lulc)) for chip in [*chips, *more]))
    assert seen == set(range(1, 10))


def test_classes_look_as_they_should(chips: list[Chip]) -> None:
    def mean(klass: int, band: str) -> float:
        index = BANDS.index(band)
        return float(np.concatenate([chip.s2l2a[index][chip.lulc == klass] for chip in chips]).mean())

    assert mean(TREES, "B08") > 3 * mean(TREES, "B04")
    assert mean(WATER, "B11") < 0.5 * mean(BUILT, "B11")
    assert mean(SNOW, "B03") > 3 * mean(SNOW, "B11")
    assert mean(CLOUDS, "B02") > 3000


def test_coarse_bands_repeat_within_their_own_pixels() -> None:
    world = make_world(11, 60, 60)
    chip = simulate(11, 60, 60)
    assert world.lulc.shape == chip.lulc.shape
    blue, coastal = (chip.s2l2a[BANDS.index(name)].astype(float) for name in ("B02", "B01"))
    within = [band.reshape(10, 6, 10, 6).std(axis=(1, 3)).mean() for band in (blue, coastal)]
    assert within[1] < within[0]


def test_water_is_flat_where_it_is_a_lake() -> None:
    world = make_world(21, SIZE, SIZE, replace(PLACE, lake=0.3, river_m=0.0, clouds=0.0, built=0.0))
    water = world.lulc == WATER
    assert 0.2 < water.mean() < 0.4
    assert float(np.ptp(world.terrain.elevation[water])) == 0.0


def test_shares_of_the_place_are_kept() -> None:
    place = replace(PLACE, lake=0.0, river_m=0.0, clouds=0.0, built=0.0, trees=0.3)
    world = make_world(8, 128, 128, replace(place, crops=0.0, flooded=0.0))
    assert abs(float((world.ground == TREES).mean()) - 0.3) < 0.05
    assert not (world.ground == BUILT).any()
    assert not (world.lulc == CLOUDS).any()
    assert (make_world(8, 128, 128, replace(place, snow_line=-9000.0)).ground == SNOW).all()


def test_places_are_plausible() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        place = draw_place(rng)
        assert 0 < place.relief_m <= 650
        assert place.relief_m <= 150 or not place.coast
        for share in (place.trees, place.crops, place.built, place.bare, place.season, place.people):
            assert 0 <= share <= 1
        assert LOWEST_SUN <= place.sun_elevation <= 90
        # At half past ten the sun stands in the east: south-east of the north, north-east of the south.
        assert 0 < place.sun_azimuth < 180
        if place.latitude > 25:
            assert place.sun_azimuth > 90
        if place.latitude < -25:
            assert place.sun_azimuth < 90


def test_the_sun_stands_where_the_almanac_has_it() -> None:
    noon, azimuth = sun_at(50.0, 172, 12.0)
    assert noon == pytest.approx(90 - 50 + 23.45, abs=0.02)
    assert azimuth == pytest.approx(180.0, abs=1e-6)
    assert sun_at(0.0, 81, 6.0)[0] == pytest.approx(0.0, abs=0.5)


def test_winters_are_cold_and_the_tropics_warm() -> None:
    assert warmth_at(60.0, 17) < warmth_at(60.0, 200) < warmth_at(5.0, 200)
    assert warmth_at(-40.0, 200) < warmth_at(-40.0, 17)


def _scene(**changes: float) -> World:
    return make_world(3, SIZE, SIZE, replace(PLACE, clouds=0.0, cirrus=0.0, **changes))


def test_slopes_towards_the_sun_are_brighter() -> None:
    world = _scene(relief_m=300.0, lake=0.0, river_m=0.0, sun_azimuth=90.0, sun_elevation=35.0)
    infrared = reflectance(world)[BANDS.index("B08")]
    falls_east = -np.gradient(world.terrain.elevation, axis=1)
    towards, away = np.quantile(falls_east, (0.85, 0.15))
    assert infrared[falls_east > towards].mean() > 1.3 * infrared[falls_east < away].mean()


def test_fields_are_greener_in_the_growing_season() -> None:
    def green(season: float) -> float:
        worlds = [make_world(seed, SIZE, SIZE, replace(PLACE, season=season, crops=0.8)) for seed in range(6)]
        return float(np.mean([world.green[world.ground == CROPS].mean() for world in worlds]))

    assert green(0.9) > green(0.1)


def test_clear_water_is_blue_and_sediment_makes_it_bright() -> None:
    clear, lost = water_reflectance(0.3, 0.1, 0.02)
    murky, _ = water_reflectance(3.0, 30.0, 0.3)
    red = BANDS.index("B04")
    assert clear[1] > clear[2] > clear[red]
    assert murky[red] > 5 * clear[red]
    assert clear[BANDS.index("B11")] < 0.002
    assert (np.diff(lost[2:]) > -0.3).all()


def test_clouds_throw_their_shadow_away_from_the_sun() -> None:
    place = replace(PLACE, clouds=0.02, sun_azimuth=180.0, sun_elevation=60.0)
    world = make_world(4, 224, 224, place)
    thick = world.cloud > 1.0
    # The sun in the south: shadows fall to the north, which is up, and wrap round at the edge.
    lag = [float((np.roll(thick, -k, axis=0) & (world.shadow > 0.6)).sum()) for k in range(1, 200)]
    assert thick.any()
    assert int(np.argmax(lag)) + 1 < 200
    assert max(lag) > 0.9 * (world.shadow > 0.632).sum()


def test_the_table_of_covers_is_whole() -> None:
    table = cover_table()
    assert table.shape == (len(COVERS), 12)
    assert table.min() > 0
    assert table.max() < 1.0


def test_noise_is_standardised_and_smooth() -> None:
    noise = Noise(np.random.default_rng(1), 90, 70)
    field = noise.smooth(20, 60)
    assert field.shape == (90, 70)
    assert field.dtype == np.float32
    assert abs(float(field.mean())) < 1e-4
    assert abs(float(field.std()) - 1) < 1e-3
    assert float(np.abs(np.diff(field, axis=0)).mean()) < 0.2
    constant = np.full((90, 70), 3.0, np.float32)
    np.testing.assert_allclose(noise.blur(constant, 5.0), constant, rtol=1e-5)


def test_thresholds_choose_the_share_asked_for() -> None:
    field = np.arange(1000, dtype=np.float32).reshape(10, 100)
    assert (field > threshold_for(field, 0.25)).mean() == pytest.approx(0.25, abs=0.01)
    assert threshold_for(field, 0.0) == np.inf
    assert threshold_for(field, 0.5, np.zeros(field.shape, bool)) == np.inf


def test_parcels_cover_the_ground_without_gaps() -> None:
    labels = parcels(np.random.default_rng(2), (80, 90), 20.0, 10.0)
    assert labels.shape == (80, 90)
    assert labels.min() == 0
    assert len(np.unique(labels)) == labels.max() + 1
    mean = parcel_mean(np.ones((80, 90), np.float32), labels)
    np.testing.assert_allclose(mean, 1.0)


def test_sets_are_written_once(tmp_path) -> None:
    make_set(tmp_path, 50, 2, 48, workers=1)
    assert {path.stem for path in tmp_path.glob("*.npy")} == {*ARRAYS, "coords"}
    covers = np.load(tmp_path / "lulc.npy")
    np.testing.assert_array_equal(covers[1], simulate(51, 48, 48).lulc)
    stamp = (tmp_path / "s2l2a.npy").stat().st_mtime_ns
    make_set(tmp_path, 50, 2, 48, workers=1)
    assert (tmp_path / "s2l2a.npy").stat().st_mtime_ns == stamp


def test_the_demo_has_an_empty_corner() -> None:
    inside = wedge(800, 1000)
    assert not inside[0, 0]
    assert inside[0, -1]
    assert inside[-1, 0]
    assert 0.02 < float((~inside).mean()) < 0.1
