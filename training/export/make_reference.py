# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the committed reference: small checkpoints in the official layout, and what terratorch makes of them.

``python -m training.export.make_reference`` in an environment with terratorch and onnx writes
``tests/parity/reference``: checkpoints, skeletons of the same small models, and arrays. Deterministic.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import official
from .graphs import decoder_graph, mae_graphs
from .reference import (
    Small,
    build_mae,
    build_tokenizer,
    checkpoint,
    diffused,
    filtered,
    generation,
    rerandomise,
    run,
    synthetic_scene,
)
from .skeleton import depths, export, write

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "parity" / "reference"

MODELS = {"gelu": (Small("tiny"), torch.float16), "silu": (Small("base"), None)}
"""Both kinds of official architecture; one checkpoint in half, one in full precision."""

CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dem_lulc": (("S2L2A",), ("DEM", "LULC")),
    "lulc_dem": (("S2L2A",), ("LULC", "DEM")),
    "two_inputs": (("S2L2A", "S1GRD"), ("NDVI",)),
}
STEPS = 3
"""Of whole runs; four are walked (1000 // 3 leaves a rest)."""
DDIM_STEPS = (1, 2, 3, 10, 50)
TOP_P = ((0.8, 1.0), (0.8, 0.5), (0.95, 1.5), (0.0, 1.0))
BATCH = 2


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """torch.save, with nothing in it that changes from run to run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        torch.save({key: value.clone().contiguous() for key, value in state.items()}, file)


def small_skeletons(small: Small, name: str, mae: Any, tokenizers: dict[str, Any], folder: Path) -> None:
    """The same skeletons that ship for the official sizes, for one small model."""
    images = {m: official.IMAGES[m] for m in small.images}
    targets = {m: official.TARGETS[m] for m in small.targets}
    bind = {
        "kind": "mae",
        "tokenizers": f"small-{name}",
        "pack": {
            "id": f"small-{name}",
            "name": f"small {name}",
            "family": "terramind",
            "size": "small",
            "version": "1.0.0",
            "gsd": official.GSD,
            "license": {"spdx": "GPL-2.0-or-later"},
            "notice": "random weights, for tests",
        },
        "tile": small.tile,
        "patch": official.PATCH,
        "dim": small.dim,
        "inputs": {m: official.input_spec(m) for m in images},
        "blocks": depths(mae.state_dict()),
    }
    sources = mae_graphs(mae, images, targets, targets, tile=small.tile, patch=official.PATCH)
    write(folder / f"{name}.zip", [export(s) for s in sources], bind)
    for target, tokenizer in tokenizers.items():
        spec = official.target_spec(target, tokenizer)
        bind = {"kind": "tokenizer", "set": f"small-{name}", "modality": target, "target": spec}
        write(
            folder / f"{name}-{target}.zip",
            [export(decoder_graph(tokenizer, target, tile=small.tile))],
            bind,
        )


def arrays(small: Small, state: dict[str, Any], tokenizers: dict[str, Any]) -> dict[str, Any]:
    """Everything that terratorch computes for one small model."""
    found: dict[str, Any] = {}
    for modality in small.images:
        found[f"input.{modality}"] = synthetic_scene(modality, BATCH, small.tile, 7).astype(np.float32)
    for case, (inputs, targets) in CASES.items():
        model = generation(small.arguments, state, tokenizers, inputs, targets, tile=small.tile)
        images = {m: found[f"input.{m}"] for m in inputs}
        for name, values in run(model, images, STEPS, seed=11).items():
            found[f"{case}.{name}"] = values
    ids = found["dem_lulc.DEM.ids"]
    noise = found["dem_lulc.DEM.noise"]
    for steps in DDIM_STEPS:
        found[f"ddim.{steps}"] = diffused(tokenizers["DEM"], ids, noise, steps)
    logits = found["dem_lulc.DEM.logits"][0] * 8
    for index, (p, temperature) in enumerate(TOP_P):
        found[f"top_p.{index}"] = filtered(logits, p, temperature)
    return found


def main(folder: Path = FOLDER) -> int:
    """Write the reference anew."""
    about: dict[str, Any] = {"top_p": TOP_P, "ddim": DDIM_STEPS, "steps": STEPS, "rerandomised": {}}
    about["cases"] = {name: {"inputs": i, "targets": t} for name, (i, t) in CASES.items()}
    for number, (name, (small, dtype)) in enumerate(MODELS.items()):
        from .reference import small_vocabularies

        torch.manual_seed(number)
        mae = build_mae(small)
        tokenizers = {target: build_tokenizer(small, target) for target in small.targets}
        about["rerandomised"][name] = {"mae": rerandomise(mae, number)}
        for target, tokenizer in tokenizers.items():
            about["rerandomised"][name][target] = rerandomise(tokenizer, number)
        state = checkpoint(mae, dtype)
        save_checkpoint(state, folder / name / f"TerraMind_v1_{name}.pt")
        for target, tokenizer in tokenizers.items():
            saved = checkpoint(tokenizer, torch.float16)
            save_checkpoint(saved, folder / name / f"TerraMind_Tokenizer_{target}.pt")
        full = {key: value.float() for key, value in state.items()}
        with small_vocabularies(small):
            found = arrays(small, full, tokenizers)
        np.savez_compressed(folder / name / "arrays.npz", **found)
        small_skeletons(small, name, mae, tokenizers, folder / "skeletons")
    text = json.dumps(about, indent=1, sort_keys=True)
    (folder / "about.json").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
