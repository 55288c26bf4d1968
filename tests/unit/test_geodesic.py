# SPDX-License-Identifier: GPL-2.0-or-later
"""Distances on the ellipsoid against PROJ's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from terrane.inference.geodesic import EQUATORIAL_RADIUS, distance

pyproj = pytest.importorskip("pyproj")
GEOD = pyproj.Geod(ellps="WGS84")

lon = st.floats(-180, 180)
lat = st.floats(-90, 90)


@given(lon, lat, lon, lat)
@example(0, 0, 180, 0)  # opposite points
@example(0, 0, 179.4, 0)  # where leaving the equator begins to be shorter (179.396°)
@example(0, 0, 179.39, 0)
@example(0, 0.5, 179.7, -0.5)  # Vincenty does not converge
@example(10, 90, -170, -90)
@example(10, 89.9999999, 190, 89.9999999)
@example(0, -30, 180, 30)
@example(179.9, -17, -179.9, -17)
@example(0, 1e-12, 90, -1e-12)
@example(0, 1e-13, 90, 0)
@example(5, 5, 5, 5)
def test_distance_agrees_with_proj(lon1, lat1, lon2, lat2):
    ours = distance(lon1, lat1, lon2, lat2)
    theirs = GEOD.inv(lon1, lat1, lon2, lat2)[2]
    assert ours.shape == ()
    assert float(ours) == pytest.approx(theirs, abs=1e-5)


@given(lon, lat, st.floats(-1e-4, 1e-4), st.floats(-1e-4, 1e-4))
def test_short_distances_keep_their_digits(lon1, lat1, east, north):
    lat2 = min(90.0, max(-90.0, lat1 + north))
    theirs = GEOD.inv(lon1, lat1, lon1 + east, lat2)[2]
    assert float(distance(lon1, lat1, lon1 + east, lat2)) == pytest.approx(theirs, abs=1e-6)


@given(lon, lat, st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
def test_nearly_opposite_points(lon1, lat1, east, north):
    lon2, lat2 = lon1 + 180 + east, min(90.0, max(-90.0, -lat1 + north))
    theirs = GEOD.inv(lon1, lat1, lon2, lat2)[2]
    assert float(distance(lon1, lat1, lon2, lat2)) == pytest.approx(theirs, abs=1e-5)


def test_arrays_broadcast_and_unknown_places_stay_unknown():
    result = distance(np.array([[0.0], [np.nan]]), 0.0, np.array([1.0, 361.0, 0.0]), np.array([0, 0, 91.0]))
    assert result.shape == (2, 3)
    one_degree = np.radians(EQUATORIAL_RADIUS)
    np.testing.assert_allclose(result[0, :2], one_degree)
    assert np.isnan(result[0, 2])
    assert np.isnan(result[1]).all()


def test_many_points_at_once():
    random = np.random.default_rng(1)
    places = random.uniform(-180, 180, (4, 5000)) * np.array([1, 0.5, 1, 0.5])[:, None]
    theirs = GEOD.inv(*places)[2]
    np.testing.assert_allclose(distance(*places), theirs, atol=1e-5)
