# SPDX-License-Identifier: GPL-2.0-or-later
"""One contract for both Geo implementations: headers, outputs, polygons and coordinate systems."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from geos import CLASSES, ELEVATION, NAMES, make_geo, noise, plain_tif, save, utm
from terrane.inference.errors import ExtentError, InputError, SourceError
from terrane.inference.grid import Affine, Grid
from terrane.inference.io.base import BandRef, OutputSpec
from terrane.inference.types import BBox, Size, Window


@pytest.fixture(params=NAMES)
def geo(request):
    return make_geo(request.param)


@pytest.fixture
def both():
    return [make_geo(name) for name in NAMES]


# Headers ---------------------------------------------------------------------------------------------


def test_describe_tells_what_the_file_says(geo, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    grid = utm(geo)
    path = plain_tif(tmp_path / "a.tif", np.ones((3, 70, 90), dtype="uint16"), grid, nodata=0)
    with rasterio.open(path, "r+") as file:
        file.set_band_description(1, "B02")
        file.update_tags(2, wavelength="0.56", wavelength_units="Micrometers")
        file.update_tags(PROJECT="x")
        file.scales, file.offsets = (0.0001,) * 3, (-0.1,) * 3
        file.set_band_unit(1, "reflectance")
    info = geo.describe(path)
    assert info.driver == "GTiff"
    assert info.grid is not None
    assert info.grid.transform == grid.transform
    assert info.grid.size == (90, 70)
    assert geo.crs_name(info.grid.crs) == "EPSG:32632"
    first, second, _ = info.bands
    assert (first.index, first.dtype, first.description, first.nodata) == (1, "uint16", "B02", 0)
    assert (first.scale, first.offset, first.unit) == (0.0001, -0.1, "reflectance")
    assert second.wavelength_nm == pytest.approx(560)
    assert info.tags["PROJECT"] == "x"


def test_bad_inputs_are_one_sentence(geo, tmp_path):
    (tmp_path / "text.tif").write_text("not a raster")
    grid = utm(geo)
    good = plain_tif(tmp_path / "good.tif", noise((1, 70, 90)), grid)
    data = Path(good).read_bytes()
    (tmp_path / "cut.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match="There is no file"):
        geo.describe(str(tmp_path / "none.tif"))
    with pytest.raises(SourceError, match="is a folder"):
        geo.describe(str(tmp_path))
    with pytest.raises(SourceError, match=r"text\.tif is not a raster"):
        geo.describe(str(tmp_path / "text.tif"))
    with pytest.raises(SourceError, match="has no band 2; it has 1"):
        geo.reader([BandRef(good, 2)], grid)
    with pytest.raises(SourceError, match=r"cut\.tif"):
        geo.reader([BandRef(str(tmp_path / "cut.tif"))], grid).read(grid.window)


def test_awkward_files(geo, shared_data):
    folder = shared_data / "awkward"
    problems = {
        "RGB.byte.gcp.vrt": "control points",
        "rotated.tif": "no CRS",
        "float32.tif": "no CRS",
        "float_nan.tif": "no CRS",
    }
    for path in sorted(folder.iterdir()):
        info = geo.describe(str(path))
        if path.name in problems:
            assert info.grid is None
            assert problems[path.name] in info.problem
            with pytest.raises(SourceError, match=problems[path.name]):
                geo.reader([BandRef(str(path))], utm(geo))
            continue
        assert info.grid is not None, path.name
        assert not info.problem
        window = Window(0, 0, min(64, info.grid.width), min(64, info.grid.height))
        geo.reader([BandRef(str(path))], info.grid).read(window)
    info = geo.describe(str(folder / "RGBA.uint16.tif"))
    assert [b.color for b in info.bands] == ["blue", "green", "red", "alpha"]


def test_awkward_files_are_the_same_to_both(both, shared_data):
    for path in sorted((shared_data / "awkward").iterdir()):
        infos = [geo.describe(str(path)) for geo in both]
        assert infos[0].tags == infos[1].tags
        assert [(b.index, b.dtype, b.description, b.color) for b in infos[0].bands] == [
            (b.index, b.dtype, b.description, b.color) for b in infos[1].bands
        ]
        if infos[0].grid is None:
            assert infos[1].grid is None
            continue
        assert infos[0].grid.transform == infos[1].grid.transform
        assert both[0].same_crs(infos[0].grid.crs, infos[1].grid.crs)
        window = Window(0, 0, min(100, infos[0].grid.width), min(100, infos[0].grid.height))
        reads = [
            geo.reader([BandRef(str(path), b.index) for b in info.bands], info.grid).read(window)
            for geo, info in zip(both, infos)
        ]
        jpeg = 2 if path.name == "goes.tif" else 0  # decoders of libjpeg's versions differ in rounding
        np.testing.assert_allclose(reads[0][0], reads[1][0], rtol=0, atol=jpeg, err_msg=path.name)


def test_all_nodata_has_no_valid_pixel(geo, shared_data):
    path = str(shared_data / "awkward" / "all-nodata.tif")
    info = geo.describe(path)
    _, valid = geo.reader([BandRef(path, b.index) for b in info.bands], info.grid).read(info.grid.window)
    assert not valid.any()


# Writing ---------------------------------------------------------------------------------------------


def test_output_says_all_that_it_should(geo, both, tmp_path):
    grid = utm(geo, 700, 600)
    values = np.random.default_rng(1).integers(0, 10, (1, 600, 700)).astype("uint8")
    path = save(geo, tmp_path / "lulc.tif", grid, values, CLASSES)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lulc.tif", "lulc.tif.aux.xml"]
    for reading in both:
        info = reading.describe(path)
        assert info.grid.transform == grid.transform
        assert reading.same_crs(info.grid.crs, grid.crs)
        band = info.bands[0]
        assert (band.description, band.unit, band.nodata, band.dtype) == ("LULC", "class", 0.0, "uint8")
        assert {k: info.tags[k] for k in CLASSES.tags} == CLASSES.tags
        got, valid = reading.reader([BandRef(path)], grid).read(grid.window)
        np.testing.assert_array_equal(valid, values != 0)
        np.testing.assert_array_equal(got[valid], values[valid])
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == [2, 4]
        colours = file.colormap(1)
        assert {v: colours[v] for v in CLASSES.colors} == CLASSES.colors
        assert file.profile["compress"] == "deflate"


def test_class_names_reach_gdal(geo, tmp_path):
    gdal = pytest.importorskip("osgeo.gdal")
    grid = utm(geo)
    path = save(geo, tmp_path / "lulc.tif", grid, np.ones((1, 70, 90), dtype="uint8"), CLASSES)
    dataset = gdal.Open(path)
    dataset.GetMetadata()  # GDAL 3.6 reads the sidecar file with the first question of this kind
    band = dataset.GetRasterBand(1)
    assert band.GetCategoryNames() == list(CLASSES.categories)
    assert band.GetColorTable().GetColorEntry(1) == CLASSES.colors[1]


@pytest.mark.parametrize("nodata", [-9999.0, 0.1, -3.4028234663852886e38, math.nan])
def test_floats_survive_to_the_last_digit(geo, both, tmp_path, nodata):
    grid = utm(geo, 300, 130, 10.0, 790236.040382003993727, 7198039.252334283664823)
    values = noise((2, 130, 300), 3) * np.float32(1e-3)
    spec = OutputSpec("float32", nodata, ["a", "b"], ["m", ""])
    path = save(geo, tmp_path / "a.tif", grid, values, spec)
    for reading in both:
        info = reading.describe(path)
        assert info.grid.transform == grid.transform
        assert [b.description for b in info.bands] == ["a", "b"]
        assert [b.unit for b in info.bands] == ["m", ""]
        for band in info.bands:
            assert band.nodata == pytest.approx(nodata, rel=1e-7, nan_ok=True)
        got, valid = reading.reader([BandRef(path, 1), BandRef(path, 2)], grid).read(grid.window)
        assert valid.all()
        np.testing.assert_array_equal(got, values)


@pytest.mark.parametrize("count", [3, 200])
def test_half_floats(geo, both, tmp_path, count):
    grid = utm(geo, 150, 130, 160.0)
    values = noise((count, 130, 150), 4) / 100
    values[:, 3, 5] = np.nan
    spec = OutputSpec(
        "float32", math.nan, [f"e{i:03d}" for i in range(count)], half=True, tags={"TERRANE_A": "b"}
    )
    path = save(geo, tmp_path / "a.tif", grid, values, spec)
    for reading in both:
        info = reading.describe(path)
        assert info.grid.transform == grid.transform
        assert (info.bands[1].description, info.tags["TERRANE_A"]) == ("e001", "b")
        got, valid = reading.reader([BandRef(path, i + 1) for i in range(count)], grid).read(grid.window)
        np.testing.assert_array_equal(got, values.astype("float16").astype("float32"))
        np.testing.assert_array_equal(valid, np.isfinite(values))
    save(geo, tmp_path / "b.tif", grid, values, OutputSpec("float32", math.nan, spec.band_names))
    assert Path(path).stat().st_size < 0.6 * (tmp_path / "b.tif").stat().st_size


def test_outputs_are_equal_to_the_byte(both, tmp_path):
    values = noise((1, 600, 700), 5)
    values[0, :100, :100] = -9999
    classes = np.random.default_rng(2).integers(0, 10, (1, 600, 700)).astype("uint8")
    contents = {"dem": set(), "lulc": set(), "side": set()}
    for number, geo in enumerate([*both, both[0]]):
        grid = utm(geo, 700, 600)
        dem = save(geo, tmp_path / f"{number}.tif", grid, values)
        writer = geo.writer(str(tmp_path / f"{number}c.tif"), grid, CLASSES)
        for row in range(599, -1, -50):
            top = max(0, row - 49)
            writer.write(Window(0, top, 700, row - top + 1), classes[:, top : row + 1])
        writer.commit()
        contents["dem"].add(Path(dem).read_bytes())
        contents["lulc"].add((tmp_path / f"{number}c.tif").read_bytes())
        contents["side"].add((tmp_path / f"{number}c.tif.aux.xml").read_bytes())
    assert {k: len(v) for k, v in contents.items()} == {"dem": 1, "lulc": 1, "side": 1}


def test_warp_joins_parts_onto_another_grid(geo, tmp_path):
    grid = utm(geo, 100, 80)
    full = np.full((1, 80, 100), 5.0, dtype=np.float32)
    left, right = grid.crop(Window(0, 0, 60, 80)), grid.crop(Window(50, 0, 50, 80))
    a = save(geo, tmp_path / "a.tif", left, full[:, :, :60])
    b = save(geo, tmp_path / "b.tif", right, full[:, :, :50] + 2)
    geo.warp(str(tmp_path / "c.tif"), [a, b], grid, ELEVATION, resampling="bilinear")
    got, valid = geo.reader([BandRef(str(tmp_path / "c.tif"))], grid).read(grid.window)
    assert valid.all()
    assert (got[0, :, :60] == 5).all()
    assert (got[0, :, 60:] == 7).all()


def test_warp_keeps_classes_and_nodata(geo, tmp_path):
    grid = utm(geo, 100, 80)
    values = np.full((1, 80, 100), 3, dtype="uint8")
    values[0, :, 50:] = 9
    path = save(geo, tmp_path / "a.tif", grid, values, CLASSES)
    wide = Grid(grid.crs, grid.transform._replace(a=7.0, e=-7.0, c=grid.transform.c - 70), Size(200, 100))
    geo.warp(str(tmp_path / "b.tif"), [path], wide, CLASSES, resampling="nearest")
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(tmp_path / "b.tif") as file:
        got = file.read(1)
    assert set(np.unique(got)) == {0, 3, 9}
    assert (got[:, :10] == 0).all()


# Polygons and CRSs -----------------------------------------------------------------------------------


def test_rasterize_takes_pixels_by_their_centres(geo):
    grid = utm(geo, 20, 20, 10.0, 0.0, 200.0)
    square = [
        [(20.0, 180.0), (80.0, 180.0), (80.0, 120.0), (20.0, 120.0)],
        [(40, 160), (60, 160), (60, 140), (40, 140)],
    ]
    mask = geo.rasterize([square], grid, grid.window)
    expected = np.zeros((20, 20), dtype=bool)
    expected[2:8, 2:8] = True
    expected[4:6, 4:6] = False
    np.testing.assert_array_equal(mask, expected)
    part = geo.rasterize([square], grid, Window(3, 1, 5, 6))
    np.testing.assert_array_equal(part, expected[1:7, 3:8])


def test_neighbours_share_no_pixel(geo):
    grid = utm(geo, 50, 50, 1.0, 0.0, 50.0)
    corners = [(3.3, 4.1), (40.7, 8.9), (44.2, 45.5), (5.5, 40.1)]
    centre = (22.0, 25.0)
    parts = [[[corners[i], corners[(i + 1) % 4], centre]] for i in range(4)]
    masks = [geo.rasterize([p], grid, grid.window) for p in parts]
    assert np.sum(masks, axis=0).max() == 1
    np.testing.assert_array_equal(np.any(masks, axis=0), geo.rasterize([[corners]], grid, grid.window))


def test_crs_helpers(geo):
    utm32, lonlat, feet = (geo.parse_crs(t) for t in ("EPSG:32632", "EPSG:4326", "EPSG:2263"))
    assert geo.same_crs(utm32, geo.parse_crs("+proj=utm +zone=32 +datum=WGS84 +units=m"))
    assert not geo.same_crs(utm32, geo.parse_crs("EPSG:32633"))
    assert geo.same_crs(lonlat, geo.parse_crs("OGC:CRS84"))
    assert geo.crs_name(utm32) == "EPSG:32632"
    assert geo.metres_per_unit(utm32) == 1.0
    assert geo.metres_per_unit(lonlat) is None
    assert geo.metres_per_unit(feet) == pytest.approx(0.3048006096)
    with pytest.raises(InputError, match="not a coordinate system"):
        geo.parse_crs("EPSG:99999999")
    with pytest.raises(InputError, match="not a coordinate system"):
        geo.parse_crs("nonsense")


def test_coordinates_are_east_north_whatever_the_authority_says(geo):
    utm32, lonlat = geo.parse_crs("EPSG:32632"), geo.parse_crs("EPSG:4326")
    xs, ys = geo.transform(lonlat, utm32, [9.0, 10.0, 9.0], [48.0, 49.0, 91.0])
    assert (xs[0], ys[0]) == (pytest.approx(500000, abs=1e-3), pytest.approx(5316300.224, abs=1e-2))
    assert math.isfinite(xs[1])
    assert math.isinf(xs[2])
    back = geo.transform(utm32, lonlat, xs[:2], ys[:2])
    assert back[0] == pytest.approx([9.0, 10.0], abs=1e-9)
    assert geo.transform(lonlat, lonlat, [1.0], [2.0]) == ([1.0], [2.0])


def test_bounds_are_densified(geo):
    utm32, lonlat = geo.parse_crs("EPSG:32632"), geo.parse_crs("EPSG:4326")
    box = geo.transform_bounds(BBox(6.0, 47.0, 12.0, 48.0), lonlat, utm32)
    corners = geo.transform(lonlat, utm32, [6.0, 12.0, 6.0, 12.0], [47.0, 47.0, 48.0, 48.0])
    assert box.ymin < min(corners[1]) - 1000, "the southern edge bulges at the central meridian"
    geos = geo.parse_crs("+proj=geos +lon_0=-75 +h=35786023 +sweep=x")
    with pytest.raises(ExtentError):
        geo.transform_bounds(BBox(100.0, 10.0, 110.0, 20.0), lonlat, geos)


# What the process must not notice --------------------------------------------------------------------


@pytest.mark.parametrize("on", [False, True])
def test_gdal_keeps_the_process_as_it_was(tmp_path, capfd, on):
    geo = make_geo("gdal")
    from osgeo import gdal, osr

    before = gdal.GetUseExceptions()
    (gdal.UseExceptions if on else gdal.DontUseExceptions)()
    (osr.UseExceptions if on else osr.DontUseExceptions)()
    try:
        grid = utm(geo)
        path = save(geo, tmp_path / "a.tif", grid, noise((1, 70, 90)))
        target = Grid(geo.parse_crs("EPSG:4326"), Affine(0.0001, 0, 9.0, 0, -0.0001, 46.05), Size(50, 50))
        geo.reader([BandRef(path)], target).read(target.window)
        with pytest.raises(SourceError):
            geo.describe(__file__)
        with pytest.raises(InputError):
            geo.parse_crs("nonsense")
        xs, _ = geo.transform(target.crs, geo.parse_crs("EPSG:3857"), [9.0, 9.0], [48.0, 91.0])
        assert math.isfinite(xs[0])
        assert math.isinf(xs[1])
        assert bool(gdal.GetUseExceptions()) == on
        assert bool(osr.GetUseExceptions()) == on
    finally:
        osr.DontUseExceptions()  # the order matters: they are a stack
        (gdal.UseExceptions if before else gdal.DontUseExceptions)()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
