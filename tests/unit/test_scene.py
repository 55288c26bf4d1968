# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenes from stacked rasters: bands, offsets, units, and values that cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from geos import NAMES, make_geo
from products import (
    make_safe,
    make_stac,
    read_all,
)
from rasters import BANDS, ramp_image, write_scene
from terrane.inference.errors import BandError, SourceError
from terrane.inference.io.base import BandRef
from terrane.inference.io.scene import check_values, open_scene, recognise_source
from terrane.inference.modalities import MODALITIES

L2A = MODALITIES["S2L2A"].band_names


@pytest.fixture(scope="module", params=NAMES)
def geo(request):
    return make_geo(request.param)


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    return make_safe(tmp_path_factory.mktemp("l2a"))


# Stacks ----------------------------------------------------------------------------------------------


def test_stack_by_description(geo, tmp_path):
    image = ramp_image(60, 70)
    order = [5, 0, 11, 3, 1, 2, 4, 6, 7, 8, 9, 10]
    path = write_scene(tmp_path / "s.tif", image[order], names=tuple(BANDS[i] for i in order))
    scene = open_scene(path, geo=geo)
    assert scene.modality == "S2L2A"
    values, valid = read_all(scene, geo)
    assert valid.all()
    np.testing.assert_array_equal(values, image.astype("uint16"))


def test_bands_by_hand(geo, tmp_path):
    image = ramp_image(40, 40)
    path = write_scene(tmp_path / "s.tif", image, names=tuple(f"x{i}" for i in range(12)))
    mapping = {name: 12 - i for i, name in enumerate(BANDS)}
    scene = open_scene(path, geo=geo, modality="S2L2A", bands=mapping)
    values, _ = read_all(scene, geo)
    np.testing.assert_array_equal(values, image.astype("uint16")[::-1])
    refs = {name: BandRef(path, 12 - i) for i, name in enumerate(BANDS)}
    assert open_scene(path, geo=geo, modality="S2L2A", bands=refs).bands == scene.bands
    with pytest.raises(BandError, match="has no band B99"):
        open_scene(path, geo=geo, modality="S2L2A", bands={"B99": 1})
    with pytest.raises(BandError, match="set to band 13; the input has 12"):
        open_scene(path, geo=geo, modality="S2L2A", bands={**mapping, "B02": 13})
    with pytest.raises(BandError, match="still needs B02"):
        open_scene(path, geo=geo, modality="S2L2A", bands={"B01": 1})


def test_part_of_the_bands_by_hand(geo, tmp_path):
    names = ("mystery", *BANDS[1:])
    path = write_scene(tmp_path / "s.tif", ramp_image(40, 40), names=names)
    with pytest.raises(BandError, match="needs B01"):
        open_scene(path, geo=geo, modality="S2L2A")
    scene = open_scene(path, geo=geo, modality="S2L2A", bands={"B01": 1})
    assert [b.ref.index for b in scene.bands] == list(range(1, 13))


def test_shifted_values_are_noticed(geo, tmp_path):
    image = ramp_image(64, 64)
    plain = open_scene(write_scene(tmp_path / "a.tif", image - 800), geo=geo)
    assert plain.warnings == ()
    shifted = open_scene(write_scene(tmp_path / "b.tif", image + 100), geo=geo)
    assert "shifted by +1000" in shifted.warnings[0]
    assert {b.offset for b in shifted.bands} == {0.0}
    told = open_scene(write_scene(tmp_path / "c.tif", image + 100), geo=geo, boa_offset=-1000)
    assert told.warnings == ()
    values, _ = read_all(told, geo)
    np.testing.assert_array_equal(values, (image + 100).astype("uint16") - 1000.0)


def test_offset_never_makes_reflectance_negative(geo, tmp_path):
    image = ramp_image(32, 32)
    image[:, :4] = 950
    scene = open_scene(write_scene(tmp_path / "a.tif", image), geo=geo, boa_offset=-1000)
    values, valid = read_all(scene, geo)
    assert valid.all()
    assert (values[:, :4] == 0).all()


def test_gdal_scale_and_offset(geo, tmp_path):
    path = write_scene(tmp_path / "a.tif", ramp_image(32, 32))
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.0001,) * 12, (-0.1,) * 12
    scene = open_scene(path, geo=geo)
    assert {(b.scale, b.offset) for b in scene.bands} == {(1.0, -1000.0)}
    assert scene.offset_note == "offset −1000, from a.tif's own tags"


def test_offset_tags(geo, tmp_path):
    path = write_scene(tmp_path / "a.tif", ramp_image(32, 32))
    with rasterio.open(path, "r+") as file:
        file.update_tags(BOA_ADD_OFFSET="-1000")
    assert open_scene(path, geo=geo).offset_source == "metadata"


def test_reflectance_from_0_to_1(geo, tmp_path):
    path = write_scene(tmp_path / "a.tif", ramp_image(32, 32) / 10000, nodata=None, dtype="float32")
    scene = open_scene(path, geo=geo)
    assert any("multiplied by 10,000" in w for w in scene.warnings)
    values, _ = read_all(scene, geo)
    np.testing.assert_allclose(values, ramp_image(32, 32), rtol=1e-5)
    check_values(scene, geo)
    thousands = write_scene(tmp_path / "b.tif", ramp_image(32, 32), nodata=None, dtype="float32")
    assert {b.scale for b in open_scene(thousands, geo=geo).bands} == {1.0}


def test_zero_everywhere_is_no_data_but_one_zero_is_not(geo, tmp_path):
    image = ramp_image(32, 32)
    image[:, 3, 4] = 0
    image[10, 5, 6] = 0
    scene = open_scene(write_scene(tmp_path / "a.tif", image, nodata=None), geo=geo)
    _, valid = read_all(scene, geo)
    assert not valid[3, 4]
    assert valid[5, 6]
    assert valid.sum() == 32 * 32 - 1


def test_radar_in_power_and_in_decibels(geo, tmp_path):
    power = np.random.default_rng(0).gamma(2.0, 0.05, (2, 40, 40)).astype(np.float32) + 1e-4
    power[:, 3, 3] = 0
    path = write_scene(tmp_path / "a.tif", power, names=("VV", "VH"), nodata=None, dtype="float32")
    scene = open_scene(path, geo=geo)
    assert scene.modality == "S1GRD"
    assert scene.warnings == ("The values are linear power; they are converted to dB.",)
    values, valid = read_all(scene, geo)
    assert (~valid).sum() == 1
    np.testing.assert_allclose(values[:, valid], 10 * np.log10(power[:, valid]), rtol=1e-4)
    check_values(scene, geo)
    decibels = 10 * np.log10(power + 1e-6)
    path = write_scene(tmp_path / "b.tif", decibels, names=("VH", "VV"), nodata=None, dtype="float32")
    scene = open_scene(path, geo=geo, modality="S1RTC")
    assert scene.warnings == ()
    np.testing.assert_array_equal(read_all(scene, geo)[0], decibels[::-1])
    raw = write_scene(tmp_path / "c.tif", power * 5000, names=("VV", "VH"), nodata=None, dtype="float32")
    with pytest.raises(BandError, match="calibrate"):
        open_scene(raw, geo=geo)


def test_scene_on_another_grid(geo, tmp_path):
    from terrane.inference.io.model_grid import model_grids

    path = write_scene(
        tmp_path / "a.tif", ramp_image(64, 64), crs="EPSG:4326", gsd=0.0001, corner=(9.0, 46.0)
    )
    scene = open_scene(path, geo=geo)
    (grid,) = model_grids(scene.grid, 10.0, geo)
    values, valid = read_all(scene, geo, grid)
    assert valid.mean() > 0.9
    assert np.nanmin(values) > 900
    assert np.nanmax(values) < 3200


# Refusals --------------------------------------------------------------------------------------------


def test_refusals(geo, tmp_path):
    image = ramp_image(32, 32)
    with pytest.raises(SourceError, match="There is no file"):
        open_scene(str(tmp_path / "none.tif"), geo=geo)
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        nowhere = write_scene(tmp_path / "a.tif", image, crs=None)
    with pytest.raises(SourceError, match=r"a\.tif has no georeference"):
        open_scene(nowhere, geo=geo)
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(nowhere, "r+") as file:
        file.transform = rasterio.Affine(10, 0, 500000, 0, -10, 5100000)
    with pytest.raises(SourceError, match=r"a\.tif has no CRS; assign one"):
        open_scene(nowhere, geo=geo)
    with pytest.raises(BandError, match="not clear what b holds"):
        open_scene(write_scene(tmp_path / "b.tif", image[:5], names=None), geo=geo)
    with pytest.raises(BandError, match="needs 12 bands"):
        open_scene(str(tmp_path / "b.tif"), geo=geo, modality="S2L2A")
    with pytest.raises(BandError, match="no modality"):
        open_scene(str(tmp_path / "b.tif"), geo=geo, modality="S9")
    with pytest.raises(SourceError, match="No input"):
        open_scene([], geo=geo)
    with pytest.raises(SourceError, match="has no band 9"):
        open_scene([BandRef(str(tmp_path / "b.tif"), 9)], geo=geo, modality="DEM")


def test_values_that_cannot_be(geo, tmp_path):
    image = ramp_image(32, 32)

    def check(name, pixels, match, error=BandError, modality=None, **options):
        scene = open_scene(write_scene(tmp_path / name, pixels, **options), geo=geo, modality=modality)
        with pytest.raises(error, match=match):
            check_values(scene, geo)

    check("zeros.tif", image * 0, "holds no valid pixel", SourceError)
    check("bytes.tif", image / 100, "cannot be reflectance", nodata=0)
    check("huge.tif", image * 20, "reach from .* takes reflectance")
    dem = {"names": None, "dtype": "float32", "nodata": None}
    check("dem.tif", image[:1] * 100, "metres of elevation", modality="DEM", **dem)
    check("ndvi.tif", image[:1], "from -1 to 1", modality="NDVI", **dem)
    check("lulc.tif", image[:1] / 1000, "fractions", modality="LULC", **dem)
    nan = np.full((1, 32, 32), np.nan, dtype=np.float32)
    check("nan.tif", nan, "holds no valid pixel", SourceError, modality="DEM", **dem)


def test_large_scene_with_few_valid_pixels_is_not_refused(geo, tmp_path):
    image = np.zeros((12, 900, 800), dtype=np.float32)
    image[:, 888:892, 3:7] = 1234
    path = write_scene(tmp_path / "a.tif", image)
    check_values(open_scene(path, geo=geo), geo)
    path = write_scene(tmp_path / "b.tif", image * 0)
    with pytest.raises(SourceError, match="holds no valid pixel"):
        check_values(open_scene(path, geo=geo), geo)


# Recognition -----------------------------------------------------------------------------------------


def test_what_the_dock_shows(geo, safe, tmp_path):
    seen = recognise_source(str(safe), geo)
    assert (seen.modality, seen.label, seen.gsd) == ("S2L2A", "Sentinel-2 L2A", 10.0)
    assert (seen.offset, seen.problem) == (-1000.0, "")
    assert seen.candidates[seen.bands["B8A"]][0] == "B8A"
    path = write_scene(tmp_path / "s.tif", ramp_image(32, 32)[:11], names=BANDS[:11])
    seen = recognise_source(path, geo, modality="S2L2A")
    assert seen.bands["B12"] is None
    assert seen.bands["B11"] == 10
    assert "needs B12" in seen.problem
    seen = recognise_source(path, geo)
    assert seen.modality is None
    assert "say which modality" in seen.problem


# Real data -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", ["282D_485L_3_3", "38D_378R_2_3", "637U_59R_1_3"])
@pytest.mark.parametrize("modality", ["S2L2A", "S2L1C", "S1RTC", "S2RGB", "DEM", "NDVI", "LULC"])
def test_terramesh_chips(geo, shared_data, chip, modality):
    path = shared_data / "terramesh" / modality / f"{chip}.tif"
    scene = open_scene(str(path), geo=geo)
    assert scene.modality == modality.replace("S2RGB", "RGB")
    check_values(scene, geo)
    shifted = modality == "S2L1C" and chip.startswith("282D")
    assert bool(scene.warnings) == shifted
    _, valid = read_all(scene, geo)
    assert valid.mean() > 0.99


def test_real_metadata(shared_data):
    from terrane.inference.io.metadata import parse_mtd, parse_stac

    folder = shared_data / "sentinel2_metadata"
    for root in sorted(folder.iterdir()):
        facts = parse_mtd((root / "MTD_MSIL2A.xml").read_bytes(), "MTD_MSIL2A.xml")
        new = "N0400" in root.name
        assert facts.level == "S2L2A"
        assert facts.scale == 1.0
        assert facts.baseline == ("04.00" if new else "02.14")
        assert {facts.offset(b) for b in L2A} == {-1000.0 if new else 0.0}
        _, bands = parse_stac(str(root / "expected_output.json"))
        found = {b.name for b in bands}
        assert set(L2A) <= found
        offsets = {b.offset for b in bands if b.name in L2A}
        assert offsets == ({-1000.0} if new else {0.0})


def test_awkward_inputs(geo, shared_data):
    folder = shared_data / "awkward"
    for name, match in {
        "RGB.byte.gcp.vrt": "ground control points",
        "rotated.tif": "no CRS",
        "float_nan.tif": "no CRS",
    }.items():
        with pytest.raises(SourceError, match=match):
            open_scene(str(folder / name), geo=geo, modality="DEM")
    with pytest.raises(BandError, match=r"needs 12 bands|needs B01"):
        open_scene(str(folder / "all-nodata.tif"), geo=geo, modality="S2L2A")
    scene = open_scene(str(folder / "RGB.byte.tif"), geo=geo)
    assert scene.modality == "RGB"
    rgba = open_scene(str(folder / "RGBA.uint16.tif"), geo=geo, modality="RGB")
    assert [b.ref.index for b in rgba.bands] == [3, 2, 1]


def test_item_is_json_that_round_trips(tmp_path):
    assert json.loads(make_stac(tmp_path).read_text())["id"].endswith("L2A")
