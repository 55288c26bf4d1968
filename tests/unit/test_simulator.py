# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulator: the same seed gives the same world, and its parts agree with each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.fields import Noise, parcel_mean, parcels, threshold_for
from training.make_demo import CLIMATE, wedge
from training.sensors import ndvi_of
from training.simulate import Chip, make_set, simulate
from training.spectra import BANDS, BUILT, CLOUDS, COVERS, SNOW, TREES, WATER, cover_table
from training.world import HEIGHT_RANGE_M, draw_climate, make_world

SIZE = 96


@pytest.fixture(scope="module")
def chips() -> list[Chip]:
    return [simulate(seed, SIZE, SIZE) for seed in range(24)]


def test_the_same_seed_gives_the_same_scene() -> None:
    first, again, other = simulate(5, 64, 80), simulate(5, 64, 80), simulate(6, 64, 80)
    for name in ("s2l2a", "dem", "lulc", "ndvi"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.s2l2a != other.s2l2a).any()


@pytest.mark.parametrize(("height", "width"), [(40, 200), (111, 33), (150, 150)])
def test_any_size_can_be_made(height: int, width: int) -> None:
    chip = simulate(3, height, width)
    assert chip.s2l2a.shape == (12, height, width)
    assert chip.dem.shape == chip.lulc.shape == chip.ndvi.shape == (height, width)


def test_values_are_in_range_and_of_the_right_kind(chips: list[Chip]) -> None:
    for chip in chips:
        assert chip.s2l2a.dtype == np.uint16
        assert chip.s2l2a.min() >= 1
        assert chip.s2l2a.max() <= 20000
        assert chip.lulc.dtype == np.uint8
        assert set(np.unique(chip.lulc)) <= set(range(1, 10))
        assert chip.dem.dtype == np.float32
        low, high = HEIGHT_RANGE_M
        assert chip.dem.min() >= low
        assert chip.dem.max() <= high
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
    world = make_world(21, SIZE, SIZE, replace(CLIMATE, lake=0.3, river=0.0, clouds=0.0))
    water = world.lulc == WATER
    assert 0.2 < water.mean() < 0.4
    assert float(np.ptp(world.elevation[water])) == 0.0
    assert world.elevation[~water].min() >= world.elevation[water].min()


def test_shares_of_the_climate_are_kept() -> None:
    world = make_world(8, 128, 128, replace(CLIMATE, lake=0.0, river=0.0, clouds=0.2, snow=0.5, built=0.0))
    assert abs(float((world.lulc == CLOUDS).mean()) - 0.2) < 0.01
    assert abs(float((world.ground == SNOW).mean()) - 0.5) < 0.01
    assert not (world.ground == BUILT).any()


def test_climates_are_plausible() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        climate = draw_climate(rng)
        assert 0 < climate.relief_m <= 220
        assert 0 <= climate.trees <= 1
        assert 20 < climate.sun_elevation < 70
        assert climate.relief_m <= 90 or not climate.coast


def test_the_table_of_covers_is_whole() -> None:
    table = cover_table()
    assert table.shape == (len(COVERS), 12)
    assert table.min() > 0
    assert table.max() < 10000


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
