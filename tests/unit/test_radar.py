# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated Sentinel-1: formulas with known values, slopes, speckle, levels of covers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("scipy")

from terrane.training import radar
from terrane.training.fields import Noise
from terrane.training.spectra import BUILT, RANGE, SNOW, TREES, WATER


def scene(ground=TREES, seed=1, size=64, green=0.8, height=15.0, wetness=0.3, warmth=15.0):
    zero = np.zeros((size, size), dtype=np.float32)
    label = np.arange(size * size).reshape(size, size) // 100
    return SimpleNamespace(
        place=SimpleNamespace(warmth=warmth, aridity=0.3),
        elevation=zero + 50.0,
        ground=np.full((size, size), ground, dtype=np.uint8),
        green=zero + green,
        litter=zero + 0.1,
        height=zero + height,
        wetness=zero + wetness,
        parcel=label,
        block=label,
        noise=Noise(np.random.default_rng(seed), size, size),
    )


def level(**keys):
    return np.median(
        [np.median(radar.backscatter(scene(seed=s, **keys)), axis=(1, 2)) for s in range(10)], axis=0
    )


def test_water_cloud_model_is_exact():
    a, b, plants, cosine, soil = 0.1, 0.5, 0.8, 0.8, 0.05
    passed = np.exp(-1.0)
    expected = a * plants * cosine * (1 - passed) + passed * soil
    assert radar.water_cloud(soil, plants, cosine, a, b) == pytest.approx(expected)
    assert radar.water_cloud(soil, 0.0, cosine, a, b) == pytest.approx(soil)


def test_soil_follows_oh_and_grows_with_water_and_roughness():
    vv, vh = radar.soil_backscatter(0.15, 1.0, np.deg2rad(38.0))
    assert 10 * np.log10(vh) == pytest.approx(-23.3, abs=0.2)
    assert 10 * np.log10(vv) == pytest.approx(-11.5, abs=0.2)
    assert radar.soil_backscatter(0.3, 1.0, 0.66)[0] > vv
    assert radar.soil_backscatter(0.15, 2.0, 0.66)[1] > vh


def test_wind_brightens_water():
    vv, vh = radar.water_backscatter(np.array([2.0, 5.0, 10.0]), np.deg2rad(38.0))
    assert (np.diff(vv) > 0).all()
    assert 10 * np.log10(vv[1]) == pytest.approx(-17.0, abs=0.01)
    assert 10 * np.log10(vh[1]) == pytest.approx(0.580 * 5 - 35.652, abs=0.01)


def test_slopes_towards_the_radar_are_brighter():
    incidence = np.deg2rad(38.0)
    flat = np.zeros((8, 8), dtype=np.float32)
    cosine, area = radar.slope_terms(flat, incidence, np.deg2rad(80.0))
    np.testing.assert_allclose(cosine, np.cos(incidence), rtol=1e-6)
    np.testing.assert_allclose(area, 1.0, rtol=1e-6)
    # Ground rising to the east faces a radar that looks east; the tilt is 15 degrees.
    rise = np.tile(np.arange(8, dtype=np.float32) * 10 * np.tan(np.deg2rad(15.0)), (8, 1)).astype(np.float32)
    facing = radar.slope_terms(rise, incidence, np.deg2rad(90.0))
    away = radar.slope_terms(rise, incidence, np.deg2rad(270.0))
    np.testing.assert_allclose(facing[0], np.cos(np.deg2rad(23.0)), rtol=1e-5)
    np.testing.assert_allclose(facing[1], np.sin(incidence) / np.sin(np.deg2rad(23.0)), rtol=1e-5)
    np.testing.assert_allclose(away[0], np.cos(np.deg2rad(53.0)), rtol=1e-5)
    # Ground that rises to the north (row 0) faces a radar that looks north.
    north = np.ascontiguousarray(rise.T[::-1])
    np.testing.assert_allclose(
        radar.slope_terms(north, incidence, 0.0)[0], np.cos(np.deg2rad(23.0)), rtol=1e-5
    )


def test_speckle_has_the_looks_of_the_product():
    field = radar.speckle(np.random.default_rng(0), (400, 400))
    assert field.mean() == pytest.approx(1.0, abs=0.02)
    assert field.std() / field.mean() == pytest.approx(1.0 / np.sqrt(radar.LOOKS), rel=0.03)
    assert 0.1 < np.corrcoef(field[:, :-1].ravel(), field[:, 1:].ravel())[0, 1] < 0.4
    assert field.min() > 0


def test_covers_have_published_levels():
    water, wood, grass = (
        level(ground=WATER, green=0, height=0),
        level(),
        level(ground=RANGE, green=0.4, height=0.4),
    )
    town = level(ground=BUILT, green=0.2, height=7.0)
    assert -25 < water[0] < -12
    assert -9.5 < wood[0] < -7
    assert -15.5 < wood[1] < -12.5
    assert -16 < grass[0] < -9
    assert -5 < town[0] < 1
    assert wood[0] - water[0] > 4


def test_wet_snow_is_dark_and_dry_snow_shows_the_ground():
    wet = level(ground=SNOW, green=0, height=0, warmth=6.0)
    dry = level(ground=SNOW, green=0, height=0, warmth=-12.0)
    bare = level(ground=6, green=0, height=0, warmth=-12.0)
    assert -21 < wet[0] < -14
    assert dry[0] > wet[0]
    assert abs(dry[0] - bare[0]) < 2.5


def test_clouds_are_not_seen_and_the_same_seed_gives_the_same_bits():
    one, two = scene(), scene()
    one.cloud = np.full((64, 64), 50.0, np.float32)
    a, b = radar.backscatter(one), radar.backscatter(two)
    assert a.dtype == np.float32
    assert a.shape == (2, 64, 64)
    assert (a == b).all()
    assert a.min() >= radar.LOWEST_DB
    assert a.max() <= radar.HIGHEST_DB
