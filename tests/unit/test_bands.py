# SPDX-License-Identifier: GPL-2.0-or-later
"""Bands are found by name, wavelength, colour or order, and modalities are recognised from headers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference.bands import (
    band_code,
    match_bands,
    modality_by_id,
    named_band,
    path_hint,
    recognise,
)
from terrane.inference.errors import BandError
from terrane.inference.io.base import BandInfo
from terrane.inference.modalities import LAND_COVER, MODALITIES

S2 = MODALITIES["S2L2A"]
L2A = S2.band_names
L1C = MODALITIES["S2L1C"].band_names


def infos(descriptions, dtype="uint16", colors=(), wavelengths=()):
    return [
        BandInfo(
            i,
            dtype,
            text,
            color=colors[i - 1] if colors else "",
            wavelength_nm=wavelengths[i - 1] if wavelengths else None,
        )
        for i, text in enumerate(descriptions, start=1)
    ]


def test_the_table():
    assert list(MODALITIES) == ["S2L2A", "S2L1C", "RGB", "S1GRD", "S1RTC", "DEM", "LULC", "NDVI", "COORDS"]
    assert L2A == ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
    assert (*L2A[:10], "B10", *L2A[10:]) == L1C
    assert [c.value for c in LAND_COVER] == list(range(10))
    assert LAND_COVER[1].color == (0x1A, 0x5B, 0xAB, 255)
    assert LAND_COVER[0].color[3] == 0
    assert MODALITIES["DEM"].output_nodata == -9999
    assert {m.kind for m in MODALITIES.values()} == {"raw", "tokenized", "text"}
    assert modality_by_id("s2l2a") is S2
    with pytest.raises(BandError, match="no modality 'S3'"):
        modality_by_id("S3")


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("B02", "B02"),
        ("B2", "B02"),
        ("b8a", "B8A"),
        ("B08", "B08"),
        ("B8", "B08"),
        ("Band 2 - Blue", "B02"),
        ("Band 8A", "B8A"),
        ("B2, central wavelength 490 nm", "B02"),
        ("T32TMT_20250712T103021_B8A_20m", "B8A"),
        ("S2A_32TMT_B12.tif", "B12"),
        ("blue", "B02"),
        ("Red", "B04"),
        ("red edge 1", "B05"),
        ("rededge3", "B07"),
        ("Red Edge", None),
        ("nir", "B08"),
        ("nir08", "B8A"),
        ("Narrow NIR", "B8A"),
        ("NIR narrow", "B8A"),
        ("nir09", "B09"),
        ("Water vapour", "B09"),
        ("swir16", "B11"),
        ("SWIR 2", "B12"),
        ("coastal", "B01"),
        ("Coastal aerosol", "B01"),
        ("B10", None),
        ("cirrus", None),
        ("", None),
        ("SCL", None),
        ("B02 minus B03", None),
    ],
)
def test_names_of_bands(text, band):
    assert named_band(S2, text) == band


def test_codes():
    assert band_code("T33XWJ_20220413T150759_B02_10m") == "B02"
    assert band_code("MTD_MSIL2A") is None
    assert band_code("AB02") is None


@given(st.permutations(L2A))
def test_any_order_is_put_right(order):
    match = match_bands("S2L2A", infos(order))
    assert tuple(order[p] for p in match.places) == L2A
    assert match.how == "description"


def test_extra_bands_are_ignored():
    names = ["SCL", "AOT", *reversed(L2A), "WVP"]
    match = match_bands(S2, infos(names))
    assert tuple(names[p] for p in match.places) == L2A


def test_numbered_bands_are_not_sentinel_bands():
    match = match_bands("S2L2A", infos([f"Band {i}" for i in range(1, 13)]))
    assert match.places == tuple(range(12))
    assert match.how == "order"


def test_wavelengths():
    order = list(range(12))
    random.Random(3).shuffle(order)
    stac = (443, 490, 560, 665, 704, 740, 783, 842, 865, 945, 1610, 2190)
    match = match_bands("S2L2A", infos([""] * 12, wavelengths=[stac[i] for i in order]))
    assert [order[p] for p in match.places] == list(range(12))
    assert match.how == "wavelength"


def test_count_and_order():
    assert match_bands("S2L2A", infos([""] * 12)).places == tuple(range(12))
    assert match_bands("S2L1C", infos(["bands"] * 13)).places == tuple(range(13))
    without = match_bands("S2L2A", infos([""] * 13))
    assert without.places == (*range(10), 11, 12)
    assert "B10 left out" in without.note
    with_alpha = infos([""] * 4, "uint8", ["red", "green", "blue", "alpha"])
    assert match_bands("RGB", with_alpha).places == (0, 1, 2)
    swapped = infos([""] * 4, "uint16", ["blue", "green", "red", "alpha"])
    assert match_bands("RGB", swapped).places == (2, 1, 0)


def test_what_is_missing_is_named():
    with pytest.raises(BandError, match=r"needs B09 and B12, which cannot be found; the input has 10 bands"):
        match_bands("S2L2A", infos([b for b in L2A if b not in ("B09", "B12")]))
    with pytest.raises(BandError, match=r"needs 12 bands .* the input has 3 bands\. Say which"):
        match_bands("S2L2A", infos(["", "", ""]))
    with pytest.raises(BandError, match="needs 12 bands"):
        match_bands("S2L2A", infos(["Band 1"]))
    with pytest.raises(BandError, match="Two bands look like B02"):
        match_bands("S2L2A", infos(["B02", "blue", *L2A[2:]]))


def test_radar_and_single_bands():
    assert match_bands("S1GRD", infos(["Sigma0_VH_db", "Sigma0_VV_db"], "float32")).places == (1, 0)
    assert match_bands("S1RTC", infos(["", ""], "float64")).places == (0, 1)
    assert match_bands("DEM", infos(["elevation"], "float32")).places == (0,)
    assert match_bands("LULC", infos([""], "uint8")).places == (0,)


@pytest.mark.parametrize(
    ("bands", "path", "modality"),
    [
        (infos(L2A), "x.tif", "S2L2A"),
        (infos(L1C), "x.tif", "S2L1C"),
        (infos(L1C), "S2A_MSIL2A_x.tif", "S2L2A"),
        (infos([""] * 12, "int16"), "x.tif", "S2L2A"),
        (infos(["bands"] * 13, "int16"), "x.tif", "S2L1C"),
        (infos([f"Band {i}" for i in range(1, 13)]), "x.tif", "S2L2A"),
        (infos([""] * 12), "/data/S2L2A/282D.tif", "S2L2A"),
        (infos([f"quarter {i}" for i in range(12)]), "x.tif", None),
        (infos(["", "", ""], "uint8", ["red", "green", "blue"]), "x.tif", "RGB"),
        (infos(["a", "b", "c", "d"]), "x.tif", None),
        (infos(["VV", "VH"], "float32"), "S1A_IW_GRDH_1SDV.tif", "S1GRD"),
        (infos(["VV", "VH"], "float32"), "/d/S1RTC/1.tif", "S1RTC"),
        (infos(["bands", "bands"], "float64"), "/d/S1RTC/1.tif", "S1RTC"),
        (infos(["", ""], "float64"), "/d/other/1.tif", None),
        (infos([""], "int16"), "/d/DEM/1.tif", "DEM"),
        (infos([""], "float32"), "alps_ndvi.tif", "NDVI"),
        (infos(["LULC"], "uint8"), "x.tif", "LULC"),
        (infos([""], "uint8"), "x.tif", None),
    ],
)
def test_recognition(bands, path, modality):
    assert recognise(bands, path) == modality


def test_file_names_count_before_folders():
    assert path_hint("/data/DEM/scene_ndvi.tif") == "NDVI"
    assert path_hint("/data/terramesh/S2RGB/1.tif") == "RGB"
    assert path_hint("/data/academy/1.tif") is None
