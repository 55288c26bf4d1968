# SPDX-License-Identifier: GPL-2.0-or-later
"""The starter's shapes: its words, its skeletons, and a pack of random weights made like the shipped one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_files import write_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from terrane.inference.coords import CoordsVocabulary, load_vocabulary
from terrane.inference.packs.bind import Skeleton, load_skeletons
from terrane.inference.packs.manifest import Pack, load_pack
from terrane.inference.presets import PRESETS

from training.make_pack import MARKS, fill, finish, make_pack, pack_bytes
from training.model_card import card, reaches
from training.starter_model import (
    INPUTS,
    MAE_FILE,
    TARGETS,
    WORDS,
    coords_ids,
    coords_words,
    tokenizer_file,
    vocabulary,
    write_vocabulary,
)

SKELETONS = {skeleton.path.stem: skeleton for skeleton in load_skeletons()}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> CoordsVocabulary:
    return load_vocabulary(write_vocabulary(tmp_path_factory.mktemp("words")))


@given(lon=st.floats(-180, 180), lat=st.floats(-90, 90))
def test_training_and_engine_spell_places_alike(words: CoordsVocabulary, lon: float, lat: float) -> None:
    np.testing.assert_array_equal(words.encode(np.array([[lon, lat]])), coords_ids([lon], [lat]))


def test_every_place_has_words(words: CoordsVocabulary) -> None:
    assert len(coords_words()) == WORDS == len(words.tokenizer.vocabulary)
    for place in ((-180.0, -90.0), (180.0, 90.0), (0.0, 0.0), (11.25, -33.5)):
        assert words.decode(list(coords_ids(*place))) == place
    assert coords_ids(np.zeros((2, 3)), np.zeros((2, 3))).shape == (2, 3, 3)
    with pytest.raises(ValueError, match="outside"):
        coords_ids([181.0], [0.0])


def test_vocabularies_are_small() -> None:
    assert all(600 <= vocabulary(target) <= 1300 for target in TARGETS)


# --- packs -----------------------------------------------------------------------------------------------


def random_state(skeleton: Skeleton) -> dict[str, Any]:
    """Random numbers of a size that keeps a signal alive; norms near one."""
    rng = np.random.default_rng(0)
    state = {}
    for weights in skeleton.bins.values():
        for weight in weights:
            if not weight.default:
                norm = len(weight.shape) == 1 and weight.key.endswith("weight")
                values = rng.standard_normal(weight.shape) / (1 if norm else max(weight.shape) ** 0.5)
                state[weight.key] = (1 + 0.1 * values if norm else values).astype(np.float32)
    return state


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    run = tmp_path_factory.mktemp("run")
    official = run / "official"
    official.mkdir()
    write_checkpoint(official / MAE_FILE, random_state(SKELETONS["starter"]))
    for target in TARGETS:
        write_checkpoint(official / tokenizer_file(target), random_state(SKELETONS[f"starter-{target}"]))
    make_pack(run, run / "pack")
    return load_pack(run / "pack")


def test_it_takes_and_makes_all(pack: Pack) -> None:
    assert set(pack.inputs) == {*INPUTS, "COORDS"}
    assert set(pack.targets) == set(TARGETS)
    assert pack.chain
    assert pack.synthetic
    assert pack.targets["DEM"].mean == (0.0,)
    assert pack_bytes(pack.root) <= 11.9e6  # of 12; the card's figures come to it


def test_positions_of_tokens_are_stored_once(pack: Pack) -> None:
    dim, tokens = pack.dim, pack.tokens
    assert (pack.root / "graphs" / "positions.bin").stat().st_size == 2 * dim * tokens
    # … and are those of the checkpoint, whichever graphs are taken.
    assert SKELETONS["starter"].bins["positions.bin"][0].default == "sincos2d"


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        *(((modality,), ("LULC",)) for modality in INPUTS),
        (("S1GRD", "COORDS"), ("S2L2A", "DEM", "NDVI")),
        ((*INPUTS, "COORDS"), ("NDVI", "LULC")),
    ],
    ids=str,
)
def test_it_runs_with_any_inputs(inputs: tuple[str, ...], targets: tuple[str, ...], pack: Pack) -> None:
    pytest.importorskip("onnxruntime")
    from terrane.inference.adapters.base import TileKey
    from terrane.inference.adapters.terramind import TerraMind
    from terrane.inference.runtime import make_runtime

    rng = np.random.default_rng(1)
    images = {}
    for modality in inputs:
        if modality == "COORDS":
            images[modality] = np.array([[11.4, 48.1]])
            continue
        spec = pack.inputs[modality]
        mean, std = (np.reshape(values, (1, -1, 1, 1)) for values in (spec.mean, spec.std))
        noise = rng.standard_normal((1, len(spec.bands), pack.tile, pack.tile))
        images[modality] = (mean + std * noise).astype(np.float32)
    adapter = TerraMind(pack, make_runtime("onnx", device="cpu", threads=1))
    made = adapter.generate(images, targets, [TileKey(0, 0)], PRESETS["fast"])
    assert list(made) == list(targets)
    for target, image in made.items():
        assert image.shape == (1, pack.targets[target].channels, pack.tile, pack.tile)
        assert np.isfinite(image).all()
        assert np.ptp(image) > 0


# --- card ------------------------------------------------------------------------------------------------


def test_the_card_says_what_was_measured(pack: Pack, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "pack"
    shutil.copytree(pack.root, root)
    assert "Not measured yet" in (root / "README.md").read_text(encoding="utf-8")
    figures = {
        "preset": "balanced",
        "pack_sha256": "0" * 64,
        "seconds": 3,
        "simulated": {
            "scenes": 60,
            "LULC": {"accuracy": 0.8123, "mean IoU": 0.55},
            "round trip": {"accuracy": 0.9},
            "rule": {"accuracy": 0.5},
            "NDVI": {"mean absolute error": 0.04},
        },
        "real": {"chips": {"282D": {"LULC": {"accuracy": 0.7}}}},
        "others": {"RGB:LULC": {"simulated": {"accuracy": 0.6}}},
    }
    finish(root, figures)
    text = (root / "README.md").read_text(encoding="utf-8")
    assert "| land cover: overall accuracy | 0.812 | 0.900 | 0.500 |" in text
    assert "| NDVI: mean absolute error | 0.040 | – | – |" in text
    assert "| 282D | 0.700 |" in text
    assert "| RGB → LULC | accuracy 0.600 | – |" in text
    for section in ("What it is", "Inputs", "Outputs", "Trained on", "What it is not for", "Licence"):
        assert f"## {section}\n" in text
    content = json.loads((root / "pack.json").read_text(encoding="utf-8"))
    assert set(content["training"]["accuracy"]) == {"preset", "simulated", "real", "others"}
    assert load_pack(root).notice


@pytest.mark.parametrize("figures", [None, {}, {"simulated": {}}, {"real": {"chips": {}}}, {"simulated": 3}])
def test_a_card_without_figures(figures: Any, pack: Pack) -> None:
    content = json.loads((pack.root / "pack.json").read_text(encoding="utf-8"))
    content["training"]["accuracy"] = figures
    assert card(content).startswith("# Starter")
    assert reaches(figures)


def test_figures_fill_the_place_kept_for_them(tmp_path: Path) -> None:
    page = tmp_path / "models.md"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n<!-- end -->\n")
    fill(page, "| new |")
    fill(page, "| newer |")
    assert page.read_text() == f"before\n{MARKS[0]}\n| newer |\n{MARKS[1]}\nafter\n<!-- end -->\n"


def test_the_pack_standardises_as_training_did(pack: Pack) -> None:
    for name, spec in INPUTS.items():
        assert (pack.inputs[name].mean, pack.inputs[name].std) == (spec["mean"], spec["std"])
    for name in ("DEM", "NDVI", "S1GRD", "S2L2A"):
        assert (pack.targets[name].mean, pack.targets[name].std) == (
            TARGETS[name]["mean"],
            TARGETS[name]["std"],
        )
