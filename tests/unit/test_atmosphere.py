# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated Sentinel-2: formulas with known values, and what air, clouds and optics must do."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("scipy")

from terrane.training import atmosphere as air_of
from terrane.training.fields import Noise

WOOD = np.array([0.018, 0.018, 0.034, 0.019, 0.064, 0.2, 0.24, 0.256, 0.267, 0.267, 0.112, 0.046])


def scene(seed=1, size=48, cloud=0.0, cirrus=0.0, base=100.0, warmth=15.0):
    zero = np.zeros((size, size), dtype=np.float32)
    noise = Noise(np.random.default_rng(seed), size, size)
    place = SimpleNamespace(sun_elevation=45.0, sun_azimuth=150.0, aridity=0.3, warmth=warmth)
    return SimpleNamespace(
        place=place,
        elevation=zero + base,
        cloud=zero + cloud,
        cirrus=zero + cirrus,
        shadow=zero.copy(),
        noise=noise,
    )


def wood(size=48):
    return np.broadcast_to(WOOD[:, None, None], (12, size, size)).astype(np.float32)


def air(aerosol=0.1):
    return air_of.Air(aerosol, 1.3, 300.0, 2.0, float(np.sqrt(0.5)))


def test_two_stream_is_exact():
    assert air_of.two_stream(0.0) == 0.0
    assert air_of.two_stream(20.0) == pytest.approx(3.0 / 5.0)


def test_rayleigh_thickness_is_the_published_one():
    # At 45 degrees north and sea level; 0.236 is also what 6S gives for B01.
    assert air_of.rayleigh_thickness(0.443) == pytest.approx(0.236, abs=0.001)
    assert air_of.rayleigh_thickness(0.55) == pytest.approx(0.0973, abs=0.0005)


def test_air_lets_the_ground_through_and_back():
    pair = (air_of.air_terms(air(), 0.0), air_of.air_terms(air(), 500.0))
    rise = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    ground = np.linspace(0, 0.9, 16, dtype=np.float32).reshape(4, 4)
    for band in range(13):
        seen = air_of._through_air(ground, pair, band, rise)
        np.testing.assert_allclose(air_of._to_ground(seen, pair, band, rise), ground, atol=1e-5)


def test_dust_lifts_blue_most_and_height_thins_air():
    more = air_of.air_terms(air(0.3), 0.0).path - air_of.air_terms(air(0.1), 0.0).path
    assert np.argmax(more) == 0
    assert (np.diff(more[:5]) < 0).all()
    assert air_of.air_terms(air(), 3000.0).path[0] < 0.8 * air_of.air_terms(air(), 0.0).path[0]


def test_dark_woods_have_the_known_levels_above_the_air():
    seen = np.median(
        [np.median(air_of.observe(scene(s), wood()).s2l1c, axis=(1, 2)) for s in range(12)], axis=0
    )
    assert 1050 < seen[0] < 1400
    assert 750 < seen[1] < 1000
    assert 550 < seen[2] < 800
    assert 320 < seen[3] < 520
    assert seen[9] < 0.5 * seen[8]


def test_correction_gives_the_ground_back_within_its_errors():
    images = [np.median(air_of.observe(scene(s), wood()).s2l2a, axis=(1, 2)) for s in range(12)]
    np.testing.assert_allclose(np.median(images, axis=0) / 10000.0, WOOD, atol=0.006, rtol=0.06)
    assert np.std(images, axis=0)[0] > np.std(images, axis=0)[3]


def test_cirrus_band_sees_cirrus_and_high_dry_ground_only():
    def level(**keys):
        return float(np.median(air_of.observe(scene(**keys), wood()).s2l1c[10]))

    assert level() < 25
    assert level(cirrus=0.2) > 100
    assert level(base=4500.0, warmth=-10.0) > 3 * level()


def test_clouds_hide_and_shadows_darken_blue_least():
    clear, cloudy, shaded = scene(), scene(cloud=60.0), scene()
    shaded.shadow[:] = 0.9
    a, b, c = (air_of.observe(world, wood()).s2l2a.astype(float) for world in (clear, cloudy, shaded))
    assert np.median(b[1]) > 6000
    assert np.median(b[10]) < np.median(b[1])
    # Without the correction's own errors, which fall on blue.
    diffuse = air_of.air_terms(air(), 0.0).diffuse
    assert (np.diff(diffuse) <= 0).all()
    assert 0.2 < diffuse[0] < 0.45
    assert diffuse[12] < 0.08
    assert np.median(c[7]) < 0.4 * np.median(a[7])


def test_coarse_bands_repeat_their_pixels_and_types_hold():
    seen = air_of.observe(scene(size=50), wood(50) * np.random.default_rng(0).uniform(0.5, 1.5, (12, 50, 50)))
    assert (seen.s2l2a.shape, seen.s2l1c.shape, seen.rgb.shape) == ((12, 50, 50), (13, 50, 50), (3, 50, 50))
    assert (seen.s2l2a.dtype, seen.s2l1c.dtype, seen.rgb.dtype) == (np.uint16, np.uint16, np.uint8)
    assert min(seen.s2l2a.min(), seen.s2l1c.min()) >= 1
    for band, size in enumerate(air_of.NATIVE):
        image = seen.s2l1c[band]
        first = image[::size, ::size]
        whole = np.repeat(np.repeat(first, size, 0), size, 1)[:50, :50]
        assert (image == whole).all(), band


def test_the_same_seed_gives_the_same_bits():
    one, two = (air_of.observe(scene(7, cloud=3.0, cirrus=0.1), wood()) for _ in range(2))
    assert (one.s2l2a == two.s2l2a).all()
    assert (one.s2l1c == two.s2l1c).all()
    assert (one.rgb == two.rgb).all()


def test_noise_meets_the_specified_ratio():
    sun = 0.8
    for band in range(13):
        reference = np.pi * air_of.L_REF[band] / (air_of.E_SUN[band] * sun)
        assert reference / air_of.noise_std(reference, band, sun) == pytest.approx(air_of.SNR[band])


def test_surroundings_keep_an_even_field():
    np.testing.assert_allclose(air_of._surroundings(np.full((40, 60), 0.3, np.float32), 1), 0.3, rtol=1e-5)


def test_offset_is_added_once_and_never_wraps():
    image = np.array([[1, 65000]], dtype=np.uint16)
    assert air_of.with_offset(image).tolist() == [[1001, 65535]]
    assert air_of.with_offset(image).dtype == np.uint16
