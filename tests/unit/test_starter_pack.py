# SPDX-License-Identifier: GPL-2.0-or-later
"""The shipped starter pack: whole, small, marked as a toy, and really trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from terrane.inference.packs.manifest import Pack, load_pack

PACK = Path(__file__).resolve().parents[2] / "resources" / "starter"
DEMO = PACK.parent / "demo" / "s2_demo.tif"


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK)


def test_it_is_whole_and_small(pack: Pack) -> None:
    assert pack.id == "starter"
    assert {"DEM", "LULC", "NDVI"} <= set(pack.targets)
    assert sum(path.stat().st_size for path in PACK.rglob("*")) <= 12e6
    assert (PACK / "LICENSE").is_file()
    assert DEMO.stat().st_size < 12e6


def test_it_says_what_it_is(pack: Pack) -> None:
    assert pack.synthetic
    assert pack.notice == "starter model, trained on simulated scenes: for trying things out"
    assert "simulated" in (PACK / "README.md").read_text(encoding="utf-8")


def test_it_takes_and_makes_what_its_model_does(pack: Pack) -> None:
    from training.starter_model import INPUTS, TARGETS

    if not pack.chain:
        pytest.skip("the shipped weights are those of the first starter model")
    assert set(pack.inputs) == {*INPUTS, "COORDS"}
    assert set(pack.targets) == set(TARGETS)
    assert pack.targets["DEM"].mean == (0.0,)
    assert "level" in pack.targets["DEM"].note


def test_it_has_learned_land_cover(pack: Pack, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("rasterio")
    import terrane

    from training.evaluate import generate, write_chip
    from training.simulate import UNSEEN_SEED, simulate

    model = terrane.load(PACK)
    right = []
    for seed in range(UNSEEN_SEED + 500, UNSEEN_SEED + 506):
        chip = simulate(seed)
        path = tmp_path / f"{seed}.tif"
        write_chip(path, chip.s2l2a)
        made = generate(model, path, ["LULC"], "balanced")
        right.append(float((made["LULC"] == chip.lulc).mean()))
    assert np.mean(right) >= 0.60
