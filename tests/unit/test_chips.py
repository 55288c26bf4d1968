# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders of chips, and pairs of modalities."""

from __future__ import annotations

from pathlib import Path

import pytest
from terrane.inference.errors import InputError, ModelError, SourceError
from terrane.inference.tasks.chips import Pair, all_pairs, chips_of, find_chips, parse_pairs


def lay_out(root: Path, **modalities: str) -> str:
    """Empty files ``<modality>/<chip>.tif``: what is found goes by names alone."""
    for modality, chips in modalities.items():
        (root / modality).mkdir()
        for chip in chips.split():
            (root / modality / f"{chip}.tif").touch()
    return str(root)


def test_chips_are_found_by_name(tmp_path: Path) -> None:
    chips = find_chips(lay_out(tmp_path, S2L2A="b a c", DEM="c a", S2RGB="a", NOTES="x"))
    assert list(chips.files) == ["S2L2A", "RGB", "DEM"]
    assert chips.names(("S2L2A", "DEM")) == ["a", "c"]
    assert chips.names(("S2L2A", "RGB", "DEM")) == ["a"]
    assert chips.names(("S2L2A", "LULC")) == []


def test_other_files_are_no_chips(tmp_path: Path) -> None:
    root = lay_out(tmp_path, S2L2A="a", DEM="a")
    (tmp_path / "DEM" / "a.tif.aux.xml").touch()
    (tmp_path / "DEM" / "b.TIFF").touch()
    assert sorted(find_chips(root).files["DEM"]) == ["a", "b"]


def test_a_folder_without_chips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        find_chips(str(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match="TerraMesh's layout"):
        find_chips(lay_out(tmp_path, S2L2A="a"))


def test_pairs_are_parsed() -> None:
    assert parse_pairs("s2l2a:dem, S1GRD+DEM:LULC,S2L2A:DEM,S2L2A+COORDS:LULC") == (
        Pair(("S2L2A",), "DEM"),
        Pair(("S1GRD", "DEM"), "LULC"),
        Pair(("S2L2A", "COORDS"), "LULC"),
    )
    assert str(Pair(("S1GRD", "DEM"), "LULC")) == "S1GRD+DEM:LULC"
    assert Pair(("S2L2A", "COORDS"), "LULC").images == ("S2L2A",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("S2L2A", "INPUT:TARGET"),
        ("S2L2A:", "INPUT:TARGET"),
        (":DEM", "INPUT:TARGET"),
        ("S2L2A+:DEM", "INPUT:TARGET"),
        ("S2:DEM", "S2 is no modality"),
        ("S2L2A:DEM:LULC", "DEM:LULC is no modality"),
        ("DEM:DEM", "twice"),
        ("S2L2A+S2L2A:DEM", "twice"),
        ("S2L2A:COORDS", "not compared as images"),
        ("COORDS:DEM", "needs an image"),
    ],
)
def test_other_texts_are_no_pairs(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_pairs(text)


def test_every_pair_that_can_be_compared(tmp_path: Path) -> None:
    chips = find_chips(lay_out(tmp_path, S2L2A="a", DEM="a b", LULC="b"))
    found = all_pairs(("S2L2A", "DEM", "S1GRD"), ("DEM", "LULC", "NDVI"), chips)
    assert [str(pair) for pair in found] == ["S2L2A:DEM", "DEM:LULC"]
    with pytest.raises(ModelError, match="no chip of an input and a target together"):
        all_pairs(("S1GRD",), ("DEM",), chips)


def test_chips_of_a_pair(tmp_path: Path) -> None:
    chips = find_chips(lay_out(tmp_path, S2L2A="a b c", DEM="c b a", LULC="d"))
    assert chips_of(Pair(("S2L2A",), "DEM"), chips, None) == ["a", "b", "c"]
    assert chips_of(Pair(("S2L2A", "COORDS"), "DEM"), chips, 2) == ["a", "b"]
    with pytest.raises(InputError, match="no NDVI"):
        chips_of(Pair(("S2L2A",), "NDVI"), chips, None)
    with pytest.raises(InputError, match="no chip with all of them"):
        chips_of(Pair(("S2L2A",), "LULC"), chips, None)
