# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenes from products as they are downloaded: SAFE trees and zips, band files, STAC items."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import rasterio
from geos import NAMES, make_geo
from products import (
    CORNER,
    GSD,
    TILE,
    make_safe,
    make_stac,
    metadata,
    pixels,
    read_all,
    write_band,
    zip_safe,
)
from rasters import write_scene
from terrane.inference.errors import BandError, SourceError
from terrane.inference.io.scene import check_values, open_scene
from terrane.inference.modalities import MODALITIES

L2A = MODALITIES["S2L2A"].band_names


@pytest.fixture(scope="module", params=NAMES)
def geo(request):
    return make_geo(request.param)


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    return make_safe(tmp_path_factory.mktemp("l2a"))


@pytest.fixture(scope="module")
def safe_1c(tmp_path_factory):
    return make_safe(tmp_path_factory.mktemp("l1c"), "1C")


def check_product(scene, geo, modality="S2L2A"):
    """Values without the offset, on the 10 m grid; the empty corner invalid, and no seam along it."""
    names = MODALITIES[modality].band_names
    assert scene.modality == modality
    assert scene.grid.size == (120, 120)
    assert scene.grid.transform == (10.0, 0.0, CORNER[0], 0.0, -10.0, CORNER[1])
    values, valid = read_all(scene, geo)
    assert values.shape == (len(names), 120, 120)
    assert not valid[:24, -24:].any()
    assert valid.sum() == 120 * 120 - 24 * 24
    assert np.isnan(values[:, ~valid]).all()
    for place, name in enumerate(names):
        exact = pixels(name, 10).astype(float)
        assert np.abs(values[place] - exact)[valid].max() <= (0 if GSD[name] == 10 else 16), name
    check_values(scene, geo)


# Products --------------------------------------------------------------------------------------------


def test_safe_folder(geo, safe):
    scene = open_scene(str(safe), geo=geo)
    check_product(scene, geo)
    assert scene.offset_source == "metadata"
    assert scene.offset_note == "offset −1000, from MTD_MSIL2A.xml (baseline 05.11)"
    assert scene.name == safe.stem
    assert not scene.warnings
    assert [b.offset for b in scene.bands] == [-1000.0] * 12
    assert "R10m" in scene.bands[1].ref.path
    assert "R20m" in scene.bands[8].ref.path


def test_safe_by_its_metadata_file(geo, safe):
    assert open_scene(str(safe / "MTD_MSIL2A.xml"), geo=geo).bands == open_scene(str(safe), geo=geo).bands


def test_safe_zip(geo, safe):
    path = zip_safe(safe)
    scene = open_scene(str(path), geo=geo)
    check_product(scene, geo)
    assert scene.name == safe.stem
    assert scene.source == str(path)
    path.unlink()


def test_safe_l1c(geo, safe_1c):
    scene = open_scene(str(safe_1c), geo=geo)
    check_product(scene, geo, "S2L1C")
    assert "MTD_MSIL1C.xml" in scene.offset_note
    assert len(scene.bands) == 13


def test_baseline_without_offset(geo, tmp_path):
    root = make_safe(tmp_path, offset=None, suffix="tif")
    scene = open_scene(str(root), geo=geo)
    check_product(scene, geo)
    assert scene.offset_note.startswith("no offset, from MTD_MSIL2A.xml")
    assert scene.offset_source == "metadata"


def test_user_overrules_metadata(geo, safe):
    scene = open_scene(str(safe), geo=geo, boa_offset=-500)
    assert scene.offset_source == "user"
    assert scene.offset_note == "offset −500, set by you"
    assert {b.offset for b in scene.bands} == {-500.0}


def test_quantification_and_odd_offsets(geo, tmp_path):
    root = make_safe(tmp_path, suffix="tif")
    text = metadata(offset=-37, quantification=20000)
    (root / "MTD_MSIL2A.xml").write_text(text)
    scene = open_scene(str(root), geo=geo)
    assert {(b.scale, b.offset) for b in scene.bands} == {(0.5, -18.5)}


def test_names_before_november_2016(geo, tmp_path):
    root = tmp_path / "S2A_OPER_PRD_MSIL1C_PDMC_20160101T000000_R108_V20160101T103021.SAFE"
    images = root / "GRANULE" / "S2A_OPER_MSI_L1C_TL_EPA__20160101T000000_A000001_T32TPS_N02.01" / "IMG_DATA"
    for band, gsd in GSD.items():
        name = f"S2A_OPER_MSI_L1C_TL_EPA__20160101T000000_A000001_T32TPS_{band}.tif"
        write_band(images / name, pixels(band, gsd), gsd)
    mtd = root / "S2A_OPER_MTD_SAFL1C_PDMC_20160101T000000_R108_V20160101T103021.xml"
    mtd.write_text(metadata("1C", "02.01", None))
    scene = open_scene(str(root), geo=geo)
    check_product(scene, geo, "S2L1C")
    assert mtd.name in scene.offset_note
    files = sorted(str(p) for p in images.iterdir())
    assert open_scene(files, geo=geo).offset_note == scene.offset_note


def test_radar_files_share_their_name(geo, tmp_path):
    power = np.random.default_rng(0).gamma(2.0, 0.05, (1, 40, 40)).astype(np.float32)
    paths = [
        write_scene(tmp_path / f"S1A_20250712_{p}.tif", power, names=None, nodata=None, dtype="float32")
        for p in ("vh", "vv")
    ]
    scene = open_scene(paths, geo=geo)
    assert (scene.modality, scene.name) == ("S1GRD", "S1A_20250712")
    assert [b.ref.path for b in scene.bands] == [paths[1], paths[0]]


def test_incomplete_products(geo, safe, tmp_path):
    root = tmp_path / safe.name
    shutil.copytree(safe, root)
    (root / "MTD_MSIL2A.xml").rename(root / "kept.xml")
    with pytest.raises(SourceError, match=r"incomplete: it has no MTD_MSIL2A\.xml"):
        open_scene(str(root), geo=geo)
    (root / "MTD_MSIL2A.xml").write_text("<broken")
    with pytest.raises(SourceError, match=r"MTD_MSIL2A\.xml is damaged"):
        open_scene(str(root), geo=geo)
    (root / "MTD_MSIL2A.xml").write_text("<!DOCTYPE x><x/>")
    with pytest.raises(SourceError, match="not a Sentinel-2 metadata file"):
        open_scene(str(root), geo=geo)
    (root / "kept.xml").replace(root / "MTD_MSIL2A.xml")
    for path in root.rglob("*B09*"):
        path.unlink()
    with pytest.raises(BandError, match="needs B09"):
        open_scene(str(root), geo=geo)
    shutil.rmtree(root / "GRANULE")
    with pytest.raises(SourceError, match="holds no images"):
        open_scene(str(root), geo=geo)


def test_bad_zips(geo, tmp_path):
    import zipfile

    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(SourceError, match="not a complete zip"):
        open_scene(str(tmp_path / "cut.zip"), geo=geo)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(SourceError, match=r"holds no \.SAFE products"):
        open_scene(str(tmp_path / "other.zip"), geo=geo)


# Band files ------------------------------------------------------------------------------------------


def band_files(folder, names=L2A, offset=0, pattern="{tile}_{band}_{gsd}m.tif"):
    return [
        str(
            write_band(
                folder / pattern.format(tile=TILE, band=band, gsd=GSD[band]),
                pixels(band, GSD[band], offset),
                GSD[band],
            )
        )
        for band in names
    ]


def test_single_band_files_in_any_order(geo, tmp_path):
    paths = band_files(tmp_path)
    scene = open_scene(list(reversed(paths)), geo=geo, modality="S2L2A")
    # Without metadata 0 is data in a single band; only pixels that are 0 everywhere are not.
    values, valid = read_all(scene, geo)
    assert valid.sum() >= 120 * 120 - 24 * 24
    np.testing.assert_array_equal(values[3][30:], pixels("B04", 10)[30:])
    assert scene.name == TILE
    assert scene.offset_source == "none"


def test_band_files_with_metadata_beside_them(geo, tmp_path):
    paths = band_files(tmp_path, offset=1000)
    (tmp_path / "MTD_MSIL2A.xml").write_text(metadata())
    check_product(open_scene(paths, geo=geo), geo)


def test_band_files_inside_their_safe_tree(geo, safe):
    files = sorted(safe.rglob("*.jp2"))
    best = {}
    for path in files:
        band = path.stem.split("_")[-2]
        if band != "SCL" and (band not in best or path.parent.name < best[band].parent.name):
            best[band] = path
    scene = open_scene([str(p) for p in best.values()], geo=geo)
    check_product(scene, geo)
    assert "MTD_MSIL2A.xml" in scene.offset_note


def test_all_files_of_a_product_at_once(geo, safe):
    paths = sorted(str(p) for p in safe.rglob("*.jp2"))
    assert len(paths) == 25
    scene = open_scene(paths, geo=geo)
    check_product(scene, geo)
    assert scene.bands == open_scene(str(safe), geo=geo).bands


def test_two_scenes_at_once_are_refused(geo, tmp_path):
    paths = band_files(tmp_path) + band_files(tmp_path, ["B02"], pattern="T32TPS_20250801T103021_{band}.tif")
    with pytest.raises(BandError, match="Two bands look like B02"):
        open_scene(paths, geo=geo, modality="S2L2A")


def test_folder_of_short_names(geo, tmp_path):
    band_files(tmp_path, pattern="{band}.tif")
    (tmp_path / "notes.txt").write_text("x")
    scene = open_scene(str(tmp_path), geo=geo, modality="S2L2A")
    assert [b.ref.path[-7:-4] for b in scene.bands] == list(L2A)
    assert scene.name == tmp_path.name
    assert open_scene(str(tmp_path), geo=geo).modality == "S2L2A"


def test_folder_without_bands(geo, tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(SourceError, match=r"neither a \.SAFE product nor a folder"):
        open_scene(str(tmp_path), geo=geo)


def test_a_stranger_among_the_files(geo, tmp_path):
    paths = band_files(tmp_path)
    with rasterio.open(paths[4], "r+") as file:
        file.transform = rasterio.Affine(20, 0, 900000, 0, -20, 5100000)
    with pytest.raises(SourceError, match="does not overlap"):
        open_scene(paths, geo=geo, modality="S2L2A")


# STAC ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [False, True])
def test_stac_item_with_offset(geo, tmp_path, new):
    scene = open_scene(str(make_stac(tmp_path, new=new)), geo=geo)
    check_product(scene, geo)
    assert scene.offset_note == "offset −1000, from item.json"
    assert scene.name == "S2A_32TPS_20250712_0_L2A"
    assert all("R60m" not in b.ref.path for b in scene.bands if GSD[b.name] < 60)


def test_stac_flag_wins_over_raster_bands(geo, tmp_path):
    scene = open_scene(str(make_stac(tmp_path, applied=True)), geo=geo)
    check_product(scene, geo)
    assert scene.offset_note.startswith("no offset")


def test_stac_assets_without_bands(geo, tmp_path):
    power = np.random.default_rng(0).gamma(2.0, 0.05, (1, 40, 40)).astype(np.float32)
    assets = {}
    for name in ("vh", "vv"):
        write_scene(tmp_path / f"{name}.tif", power, names=None, nodata=None, dtype="float32")
        assets[name] = {"href": f"{name}.tif", "roles": ["data"]}
    item = tmp_path / "s1.json"
    item.write_text(json.dumps({"type": "Feature", "id": "S1A 1", "properties": {}, "assets": assets}))
    scene = open_scene(str(item), geo=geo)
    assert (scene.modality, scene.name) == ("S1GRD", "S1A_1")
    assert [b.ref.path[-6:] for b in scene.bands] == ["vv.tif", "vh.tif"]


def test_stac_item_that_promises_too_much(geo, tmp_path):
    path = make_stac(tmp_path)
    item = json.loads(path.read_text())
    item["assets"]["B02_10"]["eo:bands"] += [{"name": "B10"}]
    path.write_text(json.dumps(item))
    with pytest.raises(SourceError, match="has fewer bands"):
        open_scene(str(path), geo=geo)
    item["assets"]["B02_10"]["gsd"] = item["assets"]["B02_10"]["raster:bands"] = "ten"
    path.write_text(json.dumps(item))
    with pytest.raises(SourceError, match="asset 'B02_10' makes no sense"):
        open_scene(str(path), geo=geo)


def test_stac_without_local_files(geo, tmp_path):
    path = make_stac(tmp_path)
    for folder in ("R10m", "R20m", "R60m"):
        shutil.rmtree(tmp_path / folder)
    with pytest.raises(SourceError, match=r"None of the bands .* is on this machine"):
        open_scene(str(path), geo=geo)
    path.write_text("{}")
    with pytest.raises(SourceError, match="has no assets"):
        open_scene(str(path), geo=geo)
    path.write_text("{")
    with pytest.raises(SourceError, match="not a STAC item"):
        open_scene(str(path), geo=geo)


def test_files_without_a_common_name_are_named_after_their_folder(geo, tmp_path):
    # Once looped for ever.
    folder = tmp_path / "harvest"
    folder.mkdir()
    paths = []
    for name in L2A:
        path = folder / f"{'abcdefghijkl'[L2A.index(name)]}x{name.lower()}y.tif"
        write_band(path, pixels(name, GSD[name]), GSD[name])
        paths.append(str(path))
    scene = open_scene(paths, modality="S2L2A", bands={name: i + 1 for i, name in enumerate(L2A)}, geo=geo)
    assert scene.name == "harvest"
