# SPDX-License-Identifier: GPL-2.0-or-later
"""Vector files: one contract for both Geos, every format, and the geometry bytes themselves."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from geos import NAMES, make_geo
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference.errors import DiskFull, OutputError, RuntimeMissing, SourceError
from terrane.inference.io import vectors, wkb
from terrane.inference.io.base import Features
from terrane.inference.types import BBox

SUFFIXES = (".gpkg", ".geojson", ".shp", ".fgb")


def need_pyogrio():
    if find_spec("pyogrio") is None:
        pytest.skip("pyogrio is not installed")


@pytest.fixture(params=NAMES)
def geo(request):
    if request.param == "rasterio":
        need_pyogrio()
    return make_geo(request.param)


@pytest.fixture
def both():
    need_pyogrio()
    return [make_geo(name) for name in NAMES]


def tiles(geo, crs="EPSG:32632", count=3):
    boxes = [BBox(500000.1 + 100 * i, 5100000.7, 500050.3 + 100 * i, 5100060.9) for i in range(count)]
    columns = {
        "tile": np.arange(count, dtype=np.int32),
        "score": np.array([0.1, np.nan, -1e-7][:count], dtype=np.float64),
        "name": ["Äcker & <Wald>", "", "x" * 200][:count],
    }
    return Features(geo.parse_crs(crs), "Polygon", [wkb.box(b) for b in boxes], columns)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_features_come_back_from_either_geo(geo, both, tmp_path, suffix):
    features = tiles(geo)
    path = tmp_path / f"tiles{suffix}"
    geo.write_features(str(path), features)
    assert not list(tmp_path.glob(".*")), "no temporary file is left"
    for reading in both:
        got = reading.read_features(str(path))
        assert got.geometry == "Polygon"
        np.testing.assert_array_equal(got.columns["tile"], [0, 1, 2])
        assert got.columns["tile"].dtype == np.int64
        np.testing.assert_allclose(got.columns["score"], features.columns["score"], rtol=1e-9)
        assert list(got.columns["name"]) == features.columns["name"]
        lonlat = suffix == ".geojson"
        assert reading.same_crs(got.crs, reading.parse_crs("EPSG:4326" if lonlat else "EPSG:32632"))
        for mine, other in zip(features.wkb, got.wkb):
            expected, found = wkb.shapes(mine).polygons[0][0], wkb.shapes(other).polygons[0][0]
            if lonlat:
                xs, ys = reading.transform(got.crs, features.crs, *zip(*found))
                assert {(round(x, 3), round(y, 3)) for x, y in zip(xs, ys)} == {
                    (round(x, 3), round(y, 3)) for x, y in expected
                }
            else:
                assert set(found) == set(expected), "to the last digit"


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".fgb"])
@pytest.mark.parametrize(
    "crs",
    [
        "EPSG:4326",
        "EPSG:2263",
        "+proj=tmerc +lat_0=1.23456789012 +lon_0=9.87654321 +k=0.99987654 +x_0=1234.5 +datum=WGS84",
    ],
)
def test_the_crs_is_kept(geo, both, tmp_path, suffix, crs):
    features = replace(tiles(geo), crs=geo.parse_crs(crs))
    path = str(tmp_path / f"tiles{suffix}")
    geo.write_features(path, features)
    for reading in both:
        got = reading.read_features(path)
        assert reading.same_crs(got.crs, features.crs)
        back = reading.transform(got.crs, features.crs, [500000.1], [5100000.7])
        assert back == ([pytest.approx(500000.1, abs=1e-6)], [pytest.approx(5100000.7, abs=1e-6)])


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".parquet"])
def test_empty_layers(geo, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = str(tmp_path / f"none{suffix}")
    empty = Features("EPSG:32632", "Point", [], {"name": [], "value": np.zeros(0)})
    geo.write_features(path, empty)
    if suffix != ".parquet":
        assert len(geo.read_features(path).wkb) == 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_points_and_multipolygons(geo, tmp_path, suffix):
    point = Features("EPSG:4326", "Point", [wkb.point(9.123456789, -48.5)], {"lon": [9.123456789]})
    geo.write_features(str(tmp_path / f"p{suffix}"), point)
    got = geo.read_features(str(tmp_path / f"p{suffix}"))
    assert wkb.shapes(got.wkb[0]).points == [(9.123456789, -48.5)]
    squares = [[[(0, 0), (1, 0), (1, 1), (0, 1)]], [[(2, 0), (3, 0), (3, 1)]]]
    many = Features("EPSG:4326", "MultiPolygon", [wkb.multipolygon(squares)], {"id": [7]})
    geo.write_features(str(tmp_path / f"m{suffix}"), many)
    got = geo.read_features(str(tmp_path / f"m{suffix}"))
    assert [len(p[0]) for p in wkb.shapes(got.wkb[0]).polygons] == [5, 4]


def test_layer_names(geo, tmp_path):
    path = str(tmp_path / "a.gpkg")
    geo.write_features(path, tiles(geo), layer="Kacheln")
    assert len(geo.read_features(path, layer="Kacheln").wkb) == 3
    with pytest.raises(SourceError, match=r"a\.gpkg has no layer a"):
        geo.read_features(path, layer="a")


TAGS = {"TERRANE_NOTICE": "a <toy> ü", "TERRANE_SEED": "0"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tags_are_kept_where_there_is_a_place(geo, tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    geo.write_features(str(path), replace(tiles(geo), tags=TAGS))
    assert len(geo.read_features(str(path)).wkb) == 3
    if suffix == ".gpkg":
        before = path.read_bytes()
        with closing(sqlite3.connect(path)) as file:
            (text,) = file.execute("select metadata from gpkg_metadata").fetchone()
        items = ET.fromstring(text).iter("MDI")
        assert {item.get("key"): item.text for item in items} == TAGS
        geo.write_features(str(path), replace(tiles(geo), tags=TAGS), overwrite=True)
        assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_files_are_replaced_on_demand_only(geo, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    geo.write_features(str(path), tiles(geo))
    before = path.read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        geo.write_features(str(path), tiles(geo, count=1))
    assert path.read_bytes() == before
    geo.write_features(str(path), tiles(geo, count=1), overwrite=True)
    assert len(geo.read_features(str(path)).wkb) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_features_make_equal_bytes(geo, tmp_path, suffix):
    contents = set()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        geo.write_features(str(tmp_path / folder / f"t{suffix}"), tiles(geo))
        contents.add(tuple((p.name, p.read_bytes()) for p in sorted((tmp_path / folder).iterdir())))
    assert len(contents) == 1


def test_what_cannot_be_written_is_one_sentence(geo, tmp_path, monkeypatch):
    features = tiles(geo)
    with pytest.raises(OutputError, match=r"end it with one of \.gpkg"):
        geo.write_features(str(tmp_path / "a.dwg"), features)
    with pytest.raises(OutputError, match="does not exist"):
        geo.write_features(str(tmp_path / "none" / "a.gpkg"), features)
    wide = replace(features, columns={f"e{i:03d}": [0.0] * 3 for i in range(300)})
    with pytest.raises(OutputError, match=r"ESRI Shapefile takes 255.*\.gpkg"):
        geo.write_features(str(tmp_path / "a.shp"), wide)
    geo.write_features(str(tmp_path / "wide.gpkg"), wide)
    assert len(geo.read_features(str(tmp_path / "wide.gpkg")).columns) == 300
    (tmp_path / "open.gpkg").write_bytes(b"")
    (tmp_path / "open.gpkg-wal").write_bytes(b"")
    with pytest.raises(OutputError, match="open in another program"):
        geo.write_features(str(tmp_path / "open.gpkg"), features, overwrite=True)
    before = sorted(os.listdir(tmp_path))

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vectors.os, "replace", full)
    with pytest.raises(DiskFull, match=r"is full; a\.gpkg was not written"):
        geo.write_features(str(tmp_path / "a.gpkg"), features)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_short_is_not_delivered(geo, tmp_path, suffix, monkeypatch):
    """What a library wrote is counted before it gets its name."""
    save = type(geo)._save_features

    def cut(self, path, format_, features, layer, cancel):
        save(self, path, format_, features, layer, cancel)
        for name in os.listdir(os.path.dirname(path)):
            whole = os.path.join(os.path.dirname(path), name)
            os.truncate(whole, os.path.getsize(whole) // 3)

    monkeypatch.setattr(type(geo), "_save_features", cut)
    with pytest.raises(OutputError, match="not whole"):
        geo.write_features(str(tmp_path / f"a{suffix}"), tiles(geo))
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_read_is_one_sentence(geo, tmp_path):
    (tmp_path / "text.gpkg").write_text("nothing")
    with pytest.raises(SourceError, match="There is no file"):
        geo.read_features(str(tmp_path / "none.gpkg"))
    with pytest.raises(SourceError, match=r"text\.gpkg is not a vector file"):
        geo.read_features(str(tmp_path / "text.gpkg"))
    geo.write_features(str(tmp_path / "a.shp"), tiles(geo))
    (tmp_path / "a.prj").unlink()
    with pytest.raises(SourceError, match=r"a\.shp has no CRS"):
        geo.read_features(str(tmp_path / "a.shp"))


@pytest.mark.parametrize("name", ["elevenchars", "fid", "2nd", "a b", ""])
def test_attribute_names_are_checked(geo, tmp_path, name):
    with pytest.raises(ValueError, match="attribute name"):
        geo.write_features(str(tmp_path / "a.gpkg"), replace(tiles(geo), columns={name: [1, 2, 3]}))
    assert os.listdir(tmp_path) == []


def test_columns_are_checked(geo, tmp_path):
    for columns, words in (
        ({"a": [1, 2]}, "2 values for 3"),
        ({"a": np.zeros((3, 2))}, "no single values"),
        ({"a": [1, 2, 3], "A": [1, 2, 3]}, "used once"),
    ):
        with pytest.raises(ValueError, match=words):
            geo.write_features(str(tmp_path / "a.gpkg"), replace(tiles(geo), columns=columns))


def test_parquet_is_geoparquet_with_lists(geo, tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    vectors_ = np.arange(12, dtype=np.float32).reshape(3, 4) / 7
    path = str(tmp_path / "v.parquet")
    features = replace(tiles(geo), tags=TAGS)
    geo.write_features(path, replace(features, columns={"tile": [0, 1, 2], "embedding": vectors_}))
    table = parquet.read_table(path)
    np.testing.assert_array_equal(np.array(table["embedding"].to_pylist(), dtype=np.float32), vectors_)
    assert table["geometry"].to_pylist() == features.wkb
    assert {key: table.schema.metadata[key.encode()].decode() for key in TAGS} == TAGS
    meta = json.loads(table.schema.metadata[b"geo"])
    column = meta["columns"][meta["primary_column"]]
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Polygon"])
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32632}


def test_parquet_says_what_it_needs(geo, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(RuntimeMissing, match="pip install pyarrow"):
        geo.write_features(str(tmp_path / "a.parquet"), tiles(geo))
    monkeypatch.setitem(__import__("sys").modules, "qgis.core", object())
    with pytest.raises(OutputError, match=r"outside QGIS only; choose a \.gpkg"):
        geo.write_features(str(tmp_path / "a.parquet"), tiles(geo))


# Well-known binary -----------------------------------------------------------------------------------


finite = st.floats(-1e7, 1e7)


@given(st.lists(st.tuples(finite, finite), min_size=3, max_size=8, unique=True))
def test_polygons_survive(places):
    ring = wkb.shapes(wkb.polygon([places])).polygons[0][0]
    assert ring == [*places, places[0]]


def test_bytes_are_those_of_the_standard():
    assert wkb.point(1, 2) == struct.pack("<BIdd", 1, 1, 1.0, 2.0)
    ogr = pytest.importorskip("osgeo.ogr")
    text = ogr.CreateGeometryFromWkb(wkb.box(BBox(0, 1, 2, 3))).ExportToWkt()
    assert text == "POLYGON ((0 1,2 1,2 3,0 3,0 1))"
    for name, points, polygons in (
        ("POINT Z (1 2 3)", [(1, 2)], 0),
        ("POINT EMPTY", [], 0),
        ("MULTIPOINT M ((1 2 9),(3 4 9))", [(1, 2), (3, 4)], 0),
        ("MULTIPOLYGON ZM (((0 0 1 1,1 0 1 1,1 1 1 1,0 0 1 1)),((5 5 1 1,6 5 1 1,6 6 1 1,5 5 1 1)))", [], 2),
        ("GEOMETRYCOLLECTION (POINT (1 2),POLYGON ((0 0,1 0,1 1,0 0)))", [(1, 2)], 1),
    ):
        geometry = ogr.CreateGeometryFromWkt(name)
        for order in (ogr.wkbNDR, ogr.wkbXDR):
            kinds = [geometry.ExportToIsoWkb(order)]
            if not geometry.IsEmpty():  # the older spelling knows no empty point
                kinds.append(geometry.ExportToWkb(order))
            for data in kinds:
                found = wkb.shapes(bytes(data))
                assert found.points == points
                assert len(found.polygons) == polygons


def test_bad_geometries_are_refused():
    with pytest.raises(ValueError, match="three different"):
        wkb.polygon([[(0, 0), (1, 1)]])
    with pytest.raises(ValueError, match="finite"):
        wkb.point(math.nan, 0)
    whole = wkb.box(BBox(0, 0, 1, 1))
    for cut in range(len(whole)):
        with pytest.raises(ValueError):
            wkb.shapes(whole[:cut])
    with pytest.raises(ValueError, match="left over"):
        wkb.shapes(whole + b"x")
    with pytest.raises(ValueError, match="points and polygons"):
        wkb.shapes(struct.pack("<BII4d", 1, 2, 2, 0, 0, 1, 1))


def test_transform_moves_every_vertex():
    squares = [[[(0, 0), (1, 0), (1, 1)], [(0.1, 0.1), (0.2, 0.1), (0.2, 0.2)]], [[(5, 5), (6, 5), (6, 6)]]]

    def shift(xs, ys):
        return [x + 10 for x in xs], [-y for y in ys]

    moved = wkb.shapes(wkb.transform(wkb.multipolygon(squares), shift)).polygons
    assert moved[0][1][0] == (10.1, -0.1)
    assert moved[1][0][2] == (16, -6)
    assert wkb.transform(wkb.point(1, 2), shift) == wkb.point(11, -2)
