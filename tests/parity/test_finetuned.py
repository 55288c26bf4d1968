# SPDX-License-Identifier: GPL-2.0-or-later
"""Packs of fine-tuned models against what terratorch answered (training/export/make_finetuned_reference).

Runs without torch: the packs were converted from Lightning checkpoints of terratorch's own classes with
random weights; one of them thinks in land cover on the way (TiM, ``tim_temps=0``).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from terrane.inference.adapters import adapter_for
from terrane.inference.packs.manifest import Pack, load_pack
from terrane.inference.presets import PRESETS
from terrane.inference.runtime import make_runtime

FOLDER = Path(__file__).parent / "finetuned"
ABOUT = json.loads((FOLDER / "about.json").read_text(encoding="utf-8"))
TOLERANCE = 1e-4
ORDER = ("S2L2A", "S1GRD", "DEM")
"""In which the reference drew its inputs."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))


def drawn(pack: Pack) -> dict[str, np.ndarray]:
    """The inputs in their units: what the reference saw, destandardised."""
    rng = np.random.default_rng(ABOUT["seed"])
    images = {}
    for modality in (m for m in ORDER if m in pack.inputs):
        spec = pack.inputs[modality]
        shape = (ABOUT["count"], len(spec.bands), pack.tile, pack.tile)
        z = rng.standard_normal(shape).astype(np.float32)
        std, mean = (np.array(v, np.float32)[:, None, None] for v in (spec.std, spec.mean))
        images[modality] = z * std + mean
    return images


@pytest.mark.parametrize("name", sorted(ABOUT["recipes"]))
def test_answers_are_terratorchs(name: str) -> None:
    pack = load_pack(FOLDER / f"{name}.zip")
    expected = np.load(FOLDER / "answers.npz")[name]
    if pack.output is None:
        shifted = np.exp(expected - expected.max(axis=1, keepdims=True))
        expected = shifted / shifted.sum(axis=1, keepdims=True)
    adapter = adapter_for(pack, make_runtime("onnx", device="cpu", threads=2))
    found = adapter.predict(drawn(pack), PRESETS["exact"])
    assert found.shape == expected.shape and expected.std() > 1e-4
    difference = float(np.abs(found - expected).max())
    print(f"{name}: {difference:.2e}")
    assert difference <= TOLERANCE


def test_one_tile_is_answered_like_a_batch() -> None:
    pack = load_pack(FOLDER / "segment-tim.zip")
    adapter = adapter_for(pack, make_runtime("onnx", device="cpu", threads=2))
    images = drawn(pack)
    both = adapter.predict(images, PRESETS["exact"])
    first = adapter.predict({m: image[:1] for m, image in images.items()}, PRESETS["exact"])
    np.testing.assert_allclose(first, both[:1], atol=1e-5)


def test_packs_say_what_they_are() -> None:
    pack = load_pack(FOLDER / "segment-tim.zip")
    assert pack.family == "finetuned" and pack.tasks == ("segment",) and pack.tile == 64 and pack.patch == 16
    assert set(pack.inputs) == {"S2L2A", "S1GRD"} and len(pack.inputs["S2L2A"].bands) == 12
    assert [c.name for c in pack.classes] == ["Land", "Water", "Trees"]
    assert [c.color for c in pack.classes][1:] == ["#1A5BAB", "#358221"], "land cover's own colours"
    assert pack.training["thinks_in"] == "LULC"
    regress = load_pack(FOLDER / "regress.zip")
    assert regress.output is not None and regress.output.unit == "t/ha"
    for made in (pack, regress):
        spec = made.graphs["predict"].forms["onnx"]
        assert (spec.opset, spec.ir) == (18, 10)
        assert made.variants["fp32"]["reference"]["max"] <= TOLERANCE
