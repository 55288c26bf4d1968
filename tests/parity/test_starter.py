# SPDX-License-Identifier: GPL-2.0-or-later
"""The starter's architecture through the engine, held against terratorch's own generation, live.

Random weights, converted by ``training.make_pack`` like trained ones: every input alone and in company, places,
and chains of targets. Needs terratorch (``python3 build.py test --parity``). Prints the figures it found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parity_check import differences
from terrane.inference.packs.manifest import Pack, load_pack

# terratorch and what it imports warn of things that are theirs to mend.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

TOLERANCE = 1e-5
STEPS = 3
CASES = (
    (("S2L2A",), ("DEM", "LULC")),
    (("S2L2A",), ("LULC", "NDVI", "S1GRD", "DEM")),
    (("S2L1C",), ("S2L2A",)),
    (("RGB",), ("S2L2A", "LULC")),
    (("S1GRD",), ("S2L2A", "NDVI")),
    (("DEM",), ("LULC",)),
    (("S2L2A", "S1GRD"), ("NDVI",)),
    (("S1GRD", "COORDS"), ("LULC", "DEM")),
    (("S2L2A", "COORDS", "DEM"), ("S1GRD", "NDVI", "LULC")),
    (("DEM", "RGB", "S1GRD", "S2L1C", "S2L2A", "COORDS"), ("LULC", "NDVI")),
)


@pytest.fixture(scope="module")
def reference() -> Any:
    pytest.importorskip("terratorch", reason="live parity needs terratorch (build.py test --parity)")
    from training.export import starter_reference

    return starter_reference


@pytest.fixture(scope="module")
def made(reference: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pack, Any, Any, Path]:
    """A pack of random weights, the modules that it was made of, and the vocabulary's file."""
    from training.make_pack import make_pack, pack_bytes
    from training.starter_model import COORDS_FILE

    run = tmp_path_factory.mktemp("run")
    mae, tokenizers = reference.random_modules()
    reference.write_run(mae, tokenizers, run)
    make_pack(run, run / "pack")
    assert pack_bytes(run / "pack") <= 11.9e6  # of 12; figures in the card come to it
    return load_pack(run / "pack"), mae, tokenizers, run / "official" / COORDS_FILE


def scene(reference: Any, modality: str, batch: int, tile: int) -> Any:
    if modality == "COORDS":
        return np.array([(11.37, 48.2), (-71.6, -33.4)], np.float32)[:batch]
    return reference.reference.synthetic_scene(modality, batch, tile, 7)


@pytest.mark.parametrize(("inputs", "targets"), CASES, ids="+".join)
def test_the_engine_makes_what_terratorch_makes(
    inputs: tuple[str, ...], targets: tuple[str, ...], reference: Any, made: Any
) -> None:
    pack, mae, tokenizers, words = made
    assert pack.chain
    images = {modality: scene(reference, modality, 2, pack.tile) for modality in inputs}
    needed = {target: tokenizers[target] for target in targets}
    theirs = reference.generated(
        mae, needed, images, targets, STEPS, 5, words if "COORDS" in inputs else None
    )
    found = differences(pack, "onnx", images, theirs, STEPS)
    print(
        f"\n{'+'.join(inputs)} to {', '.join(targets)}: "
        + ", ".join(f"{k} {v:.1e}" for k, v in found.items())
    )
    assert max(found.values()) <= TOLERANCE
