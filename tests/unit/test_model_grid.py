# SPDX-License-Identifier: GPL-2.0-or-later
"""The grid on which a model runs, by contracts.md's rules."""

from __future__ import annotations

import math

import pytest
from geos import NAMES, make_geo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from terrane.inference.errors import ExtentError
from terrane.inference.grid import Affine, Grid
from terrane.inference.io.model_grid import model_grids
from terrane.inference.types import BBox, Size


@pytest.fixture(scope="module", params=NAMES)
def geo(request):
    return make_geo(request.param)


def make(geo, code, c, f, gsd, width, height, gsd_y=None):
    return Grid(geo.parse_crs(code), Affine(gsd, 0.0, c, 0.0, -(gsd_y or gsd), f), Size(width, height))


def covers(outer, inner, slack=1e-6):
    return (
        outer.xmin <= inner.xmin + slack
        and outer.ymin <= inner.ymin + slack
        and outer.xmax >= inner.xmax - slack
        and outer.ymax >= inner.ymax - slack
    )


def names(geo, grids):
    return [geo.crs_name(g.crs) for g in grids]


def test_own_pixels_are_kept_to_the_last_digit(geo):
    grid = make(geo, "EPSG:32722", 790236.040382003993727, 7198039.252334283664823, 10.0, 224, 224)
    assert model_grids(grid, 10.0, geo) == [grid]
    nearly = make(geo, "EPSG:32722", 790236.04, 7198039.25, 10.05, 224, 224)
    assert model_grids(nearly, 10.0, geo) == [nearly]


def test_extent_is_snapped_outward_and_clipped(geo):
    grid = make(geo, "EPSG:32632", 500000.3, 5100000.7, 10.0, 300, 200)
    t = grid.transform
    extent = BBox(t.c + 100.0, t.f - 255.0, t.c + 199.9, t.f - 101.0)
    (crop,) = model_grids(grid, 10.0, geo, extent)
    assert crop.transform == Affine(10.0, 0.0, t.c + 100, 0.0, -10.0, t.f - 100)
    assert crop.size == (10, 16)
    (whole,) = model_grids(grid, 10.0, geo, BBox(0, 0, 1e6, 1e7))
    assert whole == grid
    (exact,) = model_grids(grid, 10.0, geo, grid.bounds)
    assert exact == grid


def test_extent_in_another_crs(geo):
    grid = make(geo, "EPSG:32632", 500000.0, 5100000.0, 10.0, 300, 200)
    box = geo.transform_bounds(BBox(500500, 5099000, 501000, 5099500), grid.crs, geo.parse_crs("EPSG:4326"))
    (crop,) = model_grids(grid, 10.0, geo, box, "EPSG:4326")
    assert crop.transform.a == 10.0
    assert covers(crop.bounds, BBox(500500, 5099000, 501000, 5099500))
    assert crop.width <= 53
    assert (crop.transform.c - 500000.0) % 10 == 0


@pytest.mark.parametrize("crs", [None, "EPSG:4326"])
def test_extent_outside_says_where_the_layer_is(geo, crs):
    grid = make(geo, "EPSG:32632", 500000.0, 5100000.0, 10.0, 300, 200)
    with pytest.raises(ExtentError, match=r"covers 500000 5098000 503000 5100000 .*EPSG:32632"):
        model_grids(grid, 10.0, geo, BBox(20.0, 20.0, 21.0, 21.0), crs)


@pytest.mark.parametrize("box", [BBox(1, 0, 0, 1), BBox(0, 0, 0, 1), BBox(0, 0, math.nan, 1)])
def test_empty_extents(geo, box):
    grid = make(geo, "EPSG:32632", 500000.0, 5100000.0, 10.0, 300, 200)
    with pytest.raises(ExtentError, match="empty"):
        model_grids(grid, 10.0, geo, box)


def test_other_pixel_sizes_keep_the_crs(geo):
    for gsd in (20.0, 3.0):
        grid = make(geo, "EPSG:32632", 500003.0, 5100007.0, gsd, 200, 100)
        (got,) = model_grids(grid, 10.0, geo)
        assert got.crs == grid.crs
        assert got.resolution == (10.0, 10.0)
        assert got.transform.c % 10 == 0
        assert got.transform.f % 10 == 0
        assert covers(got.bounds, grid.bounds)


def test_south_up_becomes_north_up_on_the_same_pixels(geo):
    grid = Grid(geo.parse_crs("EPSG:32632"), Affine(10.0, 0, 500001.0, 0, 10.0, 5100002.0), Size(30, 20))
    (got,) = model_grids(grid, 10.0, geo)
    assert got.transform == Affine(10.0, 0, 500001.0, 0, -10.0, 5100202.0)
    assert got.size == (30, 20)


def test_rotated_is_warped_in_its_crs(geo):
    grid = Grid(geo.parse_crs("EPSG:32632"), Affine(8.0, 6.0, 5e5, 6.0, -8.0, 5.1e6), Size(30, 20))
    (got,) = model_grids(grid, 10.0, geo)
    assert got.transform.is_north_up
    assert covers(got.bounds, grid.bounds)


def test_degrees_become_utm(geo):
    grid = make(geo, "EPSG:4326", 9.1, 46.2, 0.0001, 1000, 800)
    (got,) = model_grids(grid, 10.0, geo)
    assert names(geo, [got]) == ["EPSG:32632"]
    assert got.resolution == (10.0, 10.0)
    assert covers(got.bounds, geo.transform_bounds(grid.bounds, grid.crs, got.crs), 0.5)
    (south,) = model_grids(make(geo, "EPSG:4326", -48.1, -25.3, 0.0001, 1000, 800), 10.0, geo)
    assert names(geo, [south]) == ["EPSG:32722"]


def test_web_mercator_is_metres_only_at_the_equator(geo):
    grid = make(geo, "EPSG:3857", 1000000.0, 5800000.0, 10.0, 500, 500)
    (got,) = model_grids(grid, 10.0, geo)
    assert names(geo, [got]) == ["EPSG:32631"] or names(geo, [got]) == ["EPSG:32632"]
    equator = make(geo, "EPSG:3857", 1000000.0, 100000.0, 10.0, 500, 500)
    assert model_grids(equator, 10.0, geo) == [equator]


def test_feet_become_utm(geo):
    grid = make(geo, "EPSG:2263", 990000.0, 200000.0, 32.8084, 300, 300)
    (got,) = model_grids(grid, 10.0, geo)
    assert names(geo, [got]) == ["EPSG:32618"]


def test_national_metric_grids_are_kept(geo):
    grid = make(geo, "EPSG:2056", 2600000.0, 1200000.0, 10.0, 300, 300)
    assert model_grids(grid, 10.0, geo) == [grid]


@pytest.mark.parametrize(("lat", "code"), [(86.0, "EPSG:32661"), (-82.0, "EPSG:32761")])
def test_poles(geo, lat, code):
    grid = make(geo, "EPSG:4326", 20.0, lat, 0.0005, 400, 200)
    (got,) = model_grids(grid, 10.0, geo)
    assert names(geo, [got]) == [code]
    assert covers(got.bounds, geo.transform_bounds(grid.bounds, grid.crs, got.crs), 1.0)


def test_wide_extents_are_split_by_zone(geo):
    narrow = make(geo, "EPSG:4326", 3.0, 46.0, 0.001, 12000, 100)
    assert names(geo, model_grids(narrow, 100.0, geo)) == ["EPSG:32632"]
    wide = make(geo, "EPSG:4326", 3.0, 46.0, 0.001, 12500, 100)
    assert names(geo, model_grids(wide, 100.0, geo)) == ["EPSG:32631", "EPSG:32632", "EPSG:32633"]


@pytest.mark.parametrize("west", [179.95, -180.05])
def test_antimeridian_is_split(geo, west):
    grid = make(geo, "EPSG:4326", west, -16.0, 0.0005, 200, 100)
    grids = model_grids(grid, 10.0, geo)
    assert names(geo, grids) == ["EPSG:32760", "EPSG:32701"]
    for got in grids:
        assert got.width < 600


def test_extents_in_0_to_360(geo):
    grid = make(geo, "EPSG:4326", -120.0, 40.0, 0.0005, 2000, 1000)
    (got,) = model_grids(grid, 10.0, geo, BBox(240.1, 39.7, 240.2, 39.8))
    assert names(geo, [got]) == ["EPSG:32611"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    c=st.floats(200000, 800000),
    f=st.floats(1000000, 9000000),
    gsd=st.floats(9.91, 10.09),
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_any_extent_of_a_fitting_grid_stays_on_its_pixels(geo, c, f, gsd, width, height, cut):
    grid = make(geo, "EPSG:32633", c, f, gsd, width, height)
    b = grid.bounds
    xs, ys = sorted(cut[:2]), sorted(cut[2:])
    extent = BBox(
        b.xmin + xs[0] * (b.xmax - b.xmin),
        b.ymin + ys[0] * (b.ymax - b.ymin),
        b.xmin + xs[1] * (b.xmax - b.xmin),
        b.ymin + ys[1] * (b.ymax - b.ymin),
    )
    if extent.xmin >= extent.xmax or extent.ymin >= extent.ymax:
        return
    (got,) = model_grids(grid, 10.0, geo, extent)
    assert (got.transform.a, got.transform.e) == (gsd, -gsd)
    col, row = grid.transform.invert(got.transform.c, got.transform.f)
    assert abs(col - round(col)) < 1e-4
    assert abs(row - round(row)) < 1e-4
    assert covers(got.bounds, extent, 1e-3)
    assert covers(b, got.bounds, 1e-3)
    assert (got.width - 2) * gsd < extent.xmax - extent.xmin + 1e-3
    assert (got.height - 2) * gsd < extent.ymax - extent.ymin + 1e-3


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lon=st.floats(-180, 179.5),
    lat=st.floats(-79, 83),
    wide=st.floats(0.01, 20),
    high=st.floats(0.01, 0.5),
    gsd=st.sampled_from([0.5, 10.0, 60.0]),
)
def test_any_place_on_earth_is_covered(geo, lon, lat, wide, high, gsd):
    grid = make(geo, "EPSG:4326", lon, lat, wide / 100, 100, 100, high / 100)
    grids = model_grids(grid, gsd, geo)
    lonlat = geo.parse_crs("EPSG:4326")
    for got in grids:
        assert got.resolution == (gsd, gsd)
        assert (got.transform.c / gsd) == pytest.approx(round(got.transform.c / gsd), abs=1e-6)
    b = grid.bounds
    for i in range(7):
        for j in range(3):
            x, y = b.xmin + (b.xmax - b.xmin) * i / 6, b.ymin + (b.ymax - b.ymin) * j / 2
            assert any(inside(geo, lonlat, got, x, y, gsd) for got in grids), (x, y)


def inside(geo, lonlat, grid, x, y, slack):
    xs, ys = geo.transform(lonlat, grid.crs, [(x + 180) % 360 - 180], [y])
    b = grid.bounds
    return b.xmin - slack <= xs[0] <= b.xmax + slack and b.ymin - slack <= ys[0] <= b.ymax + slack
