# SPDX-License-Identifier: GPL-2.0-or-later
"""The short form of a model's figures: from the manifest into files, and what the terminal says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from terrane.inference import cards, cli
from terrane.inference.packs.manifest import load_pack, write_pack
from terrane.inference.packs.reach import Reach, reach_words, reaches
from terrane.inference.registry import about
from terrane.inference.tasks.outputs import provenance
from toy_pack import build_toy_pack

ACCURACY = {
    "preset": "balanced",
    "simulated": {
        "scenes": 60,
        "LULC": {"accuracy": 0.8211, "mean IoU": 0.6},
        "DEM": {"detail correlation": 0.5},
    },
    "real": {
        "chips": {"282D": {"LULC": {"accuracy": 0.7}}},
        "mean": {"LULC": {"accuracy": 0.52}, "NDVI": {"mean absolute error": 0.071}},
    },
}
WORDS = (
    "land cover: share of pixels that are right 0.82 simulated, 0.52 real; NDVI: mean absolute error 0.07 real; "
    "elevation: correlation of relief within a tile 0.50 simulated"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A toy that was measured."""
    folder = tmp_path / "models" / "toy"
    build_toy_pack(folder)
    content = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    content["training"] = {"data": "scenes", "accuracy": ACCURACY}
    write_pack(folder, content)
    return folder


def test_figures_become_a_line() -> None:
    found = reaches({"accuracy": ACCURACY})
    assert found[0] == Reach("LULC", "accuracy", 0.8211, 0.52)
    assert reach_words(found) == WORDS
    assert reach_words(()) == ""


@pytest.mark.parametrize(
    "training",
    [
        None,
        {},
        {"accuracy": "high"},
        {"accuracy": {"simulated": {"LULC": {"accuracy": True}}}},
        {"accuracy": {"real": {"mean": {"LULC": {"accuracy": float("nan")}}}, "simulated": [1]}},
    ],
)
def test_what_is_no_figure_is_left_out(training: Any) -> None:
    assert reaches(training) == ()


def test_every_output_carries_them(folder: Path) -> None:
    given: dict[str, Any] = {"preset": "fast", "seed": 0, "plans": (), "source": "a.tif", "targets": ("DEM",)}
    tags = provenance(load_pack(folder), **given)
    assert tags["TERRANE_NOTICE"] == "toy model for tests"
    assert tags["TERRANE_ACCURACY"] == WORDS


def test_cards_know_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_MODELS", str(folder.parent))
    card = next(card for card in cards() if card.id == "toy")
    assert reach_words(card.reaches) == WORDS
    assert card.about == folder / "README.md"
    starter = next(card for card in cards() if card.id == "starter")
    assert starter.about is not None
    assert starter.about.is_file()


def test_the_terminal_says_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "info", str(folder)]) == 0
    said = capsys.readouterr().out
    assert WORDS in said
    assert str(folder / "README.md") in said
    assert "mean IoU" not in said  # that is for the card
    assert cli.main(["models", "info", str(folder), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["reaches"] == WORDS
    assert described["training"]["accuracy"] == ACCURACY
    assert about(load_pack(folder)) == Path(described["card"])
