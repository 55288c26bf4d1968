# SPDX-License-Identifier: GPL-2.0-or-later
"""What both Geo implementations read, warped or not, must be the same to the last digit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geos import NAMES, make_geo, noise, plain_tif, utm
from terrane.inference.grid import Affine, Grid
from terrane.inference.io.base import BandRef
from terrane.inference.types import Size, Window


@pytest.fixture(params=NAMES)
def geo(request):
    return make_geo(request.param)


@pytest.fixture
def both():
    return [make_geo(name) for name in NAMES]


def test_own_grid_gives_the_pixels_themselves(geo, tmp_path):
    grid = utm(geo)
    values = noise((2, 70, 90))
    path = plain_tif(tmp_path / "a.tif", values, grid)
    reader = geo.reader([BandRef(path, 2), BandRef(path, 1)], grid)
    got, valid = reader.read(Window(13, 7, 50, 40))
    assert got.dtype == np.float32
    assert valid.dtype == np.bool_
    assert valid.all()
    np.testing.assert_array_equal(got, values[::-1, 7:47, 13:63])
    reader.close()


def test_aligned_crop_reads_without_resampling(geo, tmp_path):
    grid = utm(geo)
    values = noise((1, 70, 90))
    path = plain_tif(tmp_path / "a.tif", values, grid)
    crop = grid.crop(Window(-5, 60, 40, 30))
    got, valid = geo.reader([BandRef(path)], crop).read(crop.window)
    assert valid[0, :10, 5:].all()
    assert not valid[0, 10:].any()
    assert not valid[0, :, :5].any()
    assert np.isnan(got[~valid]).all()
    np.testing.assert_array_equal(got[0, :10, 5:], values[0, 60:, :35])


def test_window_beyond_the_raster_is_invalid(geo, tmp_path):
    grid = utm(geo)
    path = plain_tif(tmp_path / "a.tif", noise((1, 70, 90)), grid)
    got, valid = geo.reader([BandRef(path)], grid).read(Window(200, 200, 8, 9))
    assert got.shape == (1, 9, 8)
    assert not valid.any()
    assert np.isnan(got).all()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_nodata_is_invalid(geo, tmp_path, dtype):
    grid = utm(geo)
    values = np.arange(70 * 90).reshape(1, 70, 90).astype(dtype)
    path = plain_tif(tmp_path / "a.tif", values, grid, nodata=7)
    got, valid = geo.reader([BandRef(path)], grid).read(grid.window)
    np.testing.assert_array_equal(valid, values != 7)
    np.testing.assert_array_equal(got[valid], values[valid].astype(np.float32))


def test_nan_is_invalid_with_and_without_nodata(geo, tmp_path):
    grid = utm(geo)
    values = noise((1, 70, 90))
    values[0, 3:9, 4:8] = np.nan
    values[0, 20, 20] = -9999
    for nodata, holes in ((None, 24), (math.nan, 24), (-9999.0, 25)):
        path = plain_tif(tmp_path / f"{nodata}.tif", values, grid, nodata=nodata)
        _, valid = geo.reader([BandRef(path)], grid).read(grid.window)
        assert (~valid).sum() == holes


def test_extra_nodata_applies_per_band(geo, tmp_path):
    grid = utm(geo)
    values = np.full((2, 70, 90), 5, dtype="uint16")
    values[0, 2, 2] = 0
    path = plain_tif(tmp_path / "a.tif", values, grid)
    _, valid = geo.reader([BandRef(path, 1), BandRef(path, 2)], grid, nodata=0.0).read(grid.window)
    assert not valid[0, 2, 2]
    assert valid[1].all()
    assert (~valid).sum() == 1


def test_alpha_and_mask_bands_are_honoured(geo, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    grid = utm(geo)
    values = np.full((4, 70, 90), 9, dtype="uint8")
    values[3] = 255
    values[3, 10:20, 10:20] = 0
    path = plain_tif(tmp_path / "alpha.tif", values, grid, photometric="RGB", alpha="YES")
    _, valid = geo.reader([BandRef(path, 1)], grid).read(grid.window)
    assert (~valid).sum() == 100
    path = plain_tif(tmp_path / "mask.tif", values[:1], grid)
    mask = np.full((70, 90), 255, dtype="uint8")
    mask[:5] = 0
    with rasterio.open(path, "r+") as file:
        file.write_mask(mask)
    _, valid = geo.reader([BandRef(path, 1)], grid).read(grid.window)
    np.testing.assert_array_equal(valid[0], mask > 0)


def test_finer_grid_is_interpolated_linearly(geo, tmp_path):
    coarse = utm(geo, 40, 30, 20.0)
    ramp = (np.arange(40, dtype=np.float32) * 100)[None, None].repeat(30, axis=1)
    path = plain_tif(tmp_path / "a.tif", ramp, coarse)
    fine = utm(geo, 80, 60, 10.0)
    got, valid = geo.reader([BandRef(path)], fine).read(Window(2, 0, 70, 60))
    assert valid.all()
    expected = (np.arange(2, 72) + 0.5) / 2 * 100 - 50
    np.testing.assert_allclose(got[0], expected[None].repeat(60, axis=0), atol=1e-3)


def test_holes_keep_their_place_when_warped(geo, tmp_path):
    coarse = utm(geo, 40, 30, 20.0)
    values = np.full((1, 30, 40), 300, dtype="uint16")
    values[0, 10:15, 10:20] = 0
    path = plain_tif(tmp_path / "a.tif", values, coarse, nodata=0)
    fine = utm(geo, 80, 60, 10.0)
    got, valid = geo.reader([BandRef(path)], fine).read(fine.window)
    expected = (values[0] != 0).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(valid[0], expected)
    assert (got[valid] == 300).all(), "holes must not darken their surroundings"


@pytest.mark.parametrize(("gsd", "shift"), [(10.0, 0.0), (7.0, 3.3), (19.0, -55.0)])
def test_fast_interpolation_is_the_warpers(geo, tmp_path, gsd, shift):
    source = utm(geo, 50, 40, 20.0)
    values = noise((2, 40, 50))
    values[0, 10:13, 5:30] = np.nan
    values[1, :, 20] = np.nan
    path = plain_tif(tmp_path / "a.tif", values, source)
    t = source.transform
    grid = Grid(source.crs, Affine(gsd, 0, t.c + shift, 0, -gsd, t.f - shift), Size(120, 100))
    refs = [BandRef(path, 1), BandRef(path, 2)]
    fast = geo.reader(refs, grid)
    assert type(fast).__name__ == "LinearReader"
    got, valid = fast.read(grid.window)
    part, _ = fast.read(Window(17, 11, 30, 20))
    np.testing.assert_array_equal(part, got[:, 11:31, 17:47])

    class Slow(type(geo)):
        def _scale(self, source, grid):
            return (0.999999, 0.999999)

    slow = Slow().reader(refs, grid)
    assert type(slow).__name__ == "WarpReader"
    expected, mask = slow.read(grid.window)
    np.testing.assert_array_equal(valid, mask)
    np.testing.assert_allclose(got, expected, atol=0.02)
    near, mask = geo.reader(refs, grid, resampling="nearest").read(grid.window)
    np.testing.assert_array_equal(valid, mask)
    np.testing.assert_array_equal(np.isnan(near), ~mask)


def test_strips_and_the_whole_agree(geo, tmp_path):
    grid = utm(geo, 300, 260)
    path = plain_tif(tmp_path / "a.tif", noise((1, 260, 300)), grid)
    target = Grid(geo.parse_crs("EPSG:4326"), Affine(0.00012, 0, 9.0, 0, -0.00009, 46.052), Size(280, 240))
    whole, mask = geo.reader([BandRef(path)], target).read(target.window)
    assert mask.mean() > 0.7
    reader = geo.reader([BandRef(path)], target)
    for row in range(0, 240, 37):
        window = Window(0, row, 280, min(37, 240 - row))
        part, _ = reader.read(window)
        np.testing.assert_array_equal(part, whole[:, row : row + window.height])


def test_shrinking_averages(geo, tmp_path):
    grid = utm(geo, 200, 200, 2.0)
    board = (np.indices((200, 200)).sum(axis=0) % 2 * 100).astype(np.float32)[None]
    path = plain_tif(tmp_path / "a.tif", board, grid)
    coarse = utm(geo, 40, 40, 10.0)
    for method in ("bilinear", "average"):
        got, valid = geo.reader([BandRef(path)], coarse, resampling=method).read(Window(2, 2, 36, 36))
        assert valid.all()
        assert np.abs(got - 50).max() < 5, method


@pytest.mark.parametrize("sign", [(1, 1), (-1, -1), (1, -1)])
def test_flipped_rasters_are_put_upright(geo, tmp_path, sign):
    right, down = sign
    upright = utm(geo, 60, 50)
    values = noise((1, 50, 60))
    t = upright.transform
    turned = Affine(
        t.a * right,
        0.0,
        t.c if right > 0 else t.c + t.a * 60,
        0.0,
        t.e * down if down < 0 else t.e,
        t.f if down > 0 else t.f + t.e * 50,
    )
    stored = values[:, ::down, ::right]
    path = plain_tif(
        tmp_path / "a.tif", np.ascontiguousarray(stored), Grid(upright.crs, turned, upright.size)
    )
    got, valid = geo.reader([BandRef(path)], upright).read(upright.window)
    assert valid.all()
    np.testing.assert_allclose(got, values, atol=1e-3)


def test_rotated_raster_lands_where_its_transform_says(geo, tmp_path):
    angle = math.radians(30)
    cos, sin = 10 * math.cos(angle), 10 * math.sin(angle)
    crs = geo.parse_crs("EPSG:32632")
    turned = Grid(crs, Affine(cos, sin, 500000.0, sin, -cos, 5100000.0), Size(120, 120))
    x, y = np.meshgrid(np.arange(120) + 0.5, np.arange(120) + 0.5)
    east = cos * x + sin * y
    path = plain_tif(tmp_path / "a.tif", east[None].astype(np.float32), turned)
    upright = Grid(crs, Affine(10.0, 0, 500600.0, 0, -10.0, 5100200.0), Size(30, 30))
    got, valid = geo.reader([BandRef(path)], upright).read(upright.window)
    assert valid.all()
    np.testing.assert_allclose(got[0], (600 + (np.arange(30) + 0.5) * 10)[None].repeat(30, axis=0), atol=0.01)


def test_other_crs_agrees_with_a_surface_that_is_known(geo, tmp_path):
    lonlat = Grid(geo.parse_crs("EPSG:4326"), Affine(0.0002, 0, 9.0, 0, -0.0002, 46.1), Size(300, 250))
    lon = 9.0 + (np.arange(300) + 0.5) * 0.0002
    path = plain_tif(tmp_path / "a.tif", lon[None, None].repeat(250, axis=1).astype(np.float64), lonlat)
    grid = utm(geo, 300, 300, 10.0, 501000.0, 5104000.0)
    got, valid = geo.reader([BandRef(path)], grid).read(grid.window)
    assert valid.all()
    xs = [grid.transform.apply(c + 0.5, 150.5)[0] for c in range(300)]
    expected, _ = geo.transform(grid.crs, lonlat.crs, xs, [grid.transform.apply(0, 150.5)[1]] * 300)
    np.testing.assert_allclose(got[0, 150], expected, atol=2e-6)


def test_source_beyond_the_antimeridian(geo, tmp_path):
    lonlat = Grid(geo.parse_crs("EPSG:4326"), Affine(0.001, 0, 179.9, 0, -0.001, -16.0), Size(200, 100))
    path = plain_tif(tmp_path / "a.tif", np.full((1, 100, 200), 4, dtype="uint8"), lonlat)
    for zone in ("EPSG:32760", "EPSG:32701"):
        crs = geo.parse_crs(zone)
        x = 179.95 if zone == "EPSG:32760" else -179.95
        (px,), (py,) = geo.transform(lonlat.crs, crs, [x], [-16.05])
        grid = Grid(crs, Affine(100.0, 0, px, 0, -100.0, py), Size(20, 20))
        _, valid = geo.reader([BandRef(path)], grid).read(grid.window)
        assert valid.all(), zone


def test_identical_reads(both, tmp_path):
    grid = utm(both[0], 200, 180)
    values = noise((2, 180, 200))
    values[0, 50:60, 70:100] = np.nan
    path = plain_tif(tmp_path / "a.tif", values, grid)
    targets = [
        ("EPSG:4326", Affine(0.0002, 0, 9.001, 0, -0.00015, 46.05), Size(120, 110)),
        ("EPSG:3857", Affine(21.0, 0, 1001900.0, 0, -17.0, 5788900.0), Size(140, 120)),
        ("EPSG:32632", Affine(3.3, 0, 500011.0, 0, -4.1, 5099990.0), Size(300, 300)),
        ("EPSG:32632", Affine(35.0, 0, 499911.0, 0, -35.0, 5100090.0), Size(60, 60)),
    ]
    for code, transform, size in targets:
        for method in ("nearest", "bilinear", "cubic", "average", "mode"):
            results = []
            for geo in both:
                target = Grid(geo.parse_crs(code), transform, size)
                reader = geo.reader([BandRef(path, 1), BandRef(path, 2)], target, resampling=method)
                results.append(reader.read(target.window))
                reader.close()
            assert results[0][1].any()
            np.testing.assert_array_equal(results[0][1], results[1][1], err_msg=f"{code} {method}")
            np.testing.assert_array_equal(results[0][0], results[1][0], err_msg=f"{code} {method}")
