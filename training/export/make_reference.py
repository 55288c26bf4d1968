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
from .graphs import decoder_graph, mae_graphs, tokenize_graph
from .reference import diffused, embedded, filtered, generation, run, spelled, synthetic_scene
from .skeleton import depths, export, write
from .small_models import (
    Small,
    build_mae,
    build_tokenizer,
    checkpoint,
    coords_tokenizer,
    rerandomise,
    small_vocabularies,
    talkative,
    write_vocabulary,
)

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "parity" / "reference"

MODELS = {"gelu": (Small("tiny"), torch.float16), "silu": (Small("base"), None)}
"""Both kinds of official architecture; one checkpoint in half, one in full precision."""

CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dem_lulc": (("S2L2A",), ("DEM", "LULC")),
    "lulc_dem": (("S2L2A",), ("LULC", "DEM")),
    "two_inputs": (("S2L2A", "S1GRD"), ("NDVI",)),
    "tokens": (("LULC", "NDVI"), ("DEM",)),
    "from_dem": (("DEM",), ("LULC", "NDVI")),
    "many": (("S1GRD", "NDVI", "S2L2A", "COORDS"), ("LULC", "DEM")),
    "place_last": (("S1GRD", "LULC"), ("NDVI", "COORDS")),
    "place_first": (("S2L2A",), ("COORDS", "DEM")),
    "place_between": (("S2L2A", "DEM"), ("NDVI", "COORDS", "LULC")),
}
BRIEF = ("from_dem", "many", "place_between")
"""Cases whose land cover is kept as tokens alone: its pixels are ten random numbers each."""
EMBEDDED: tuple[tuple[str, ...], ...] = (("S2L2A",), ("S1GRD", "DEM"), ("S2L2A", "LULC", "NDVI", "COORDS"))
STEPS = 3
"""Of whole runs; four are walked (1000 // 3 leaves a rest)."""
DDIM_STEPS = (1, 2, 3, 10, 50)
TOP_P = ((0.8, 1.0), (0.8, 0.5), (0.95, 1.5), (0.0, 1.0))
SHARPER = 8.0
"""Random weights give flat logits; times this, top-p has something to cut."""
BATCH = 2


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """torch.save, with nothing in it that changes from run to run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        torch.save({key: value.clone().contiguous() for key, value in state.items()}, file)


def mae_skeleton(small: Small, name: str, mae: Any, path: Path) -> None:
    """The same kind of skeleton that ships for the official sizes."""
    images = {m: official.IMAGES[m] for m in small.images}
    targets = {m: official.TARGETS[m] for m in small.targets}
    taken = (*small.images, *small.tokenised, *official.WORDS)
    pack = {
        "id": f"small-{name}",
        "name": f"small {name}",
        "family": "terramind",
        "size": "small",
        "version": "1.0.0",
        "gsd": official.GSD,
        "license": {"spdx": "GPL-2.0-or-later"},
        "notice": "random weights, for tests",
    }
    bind = {
        "kind": "mae",
        "tokenizers": "small",
        "pack": pack,
        "tile": small.tile,
        "patch": official.PATCH,
        "dim": small.dim,
        "inputs": {m: official.input_spec(m) for m in taken},
        "targets": {m: official.word_spec(m) for m in official.WORDS},
        "blocks": depths(mae.state_dict()),
    }
    sources = mae_graphs(mae, images, targets, targets, official.WORDS, tile=small.tile, patch=official.PATCH)
    write(path, [export(s) for s in sources], bind)


def tokenizer_skeleton(target: str, tokenizer: Any, tile: int, path: Path) -> None:
    """The skeleton of a small tokenizer."""
    spec = official.target_spec(target, tokenizer)
    bind = {"kind": "tokenizer", "set": "small", "modality": target, "target": spec}
    graphs = (decoder_graph(tokenizer, target, tile=tile), tokenize_graph(tokenizer, target, tile=tile))
    write(path, [export(graph) for graph in graphs], bind)


def arrays(
    small: Small, state: dict[str, Any], tokenizers: dict[str, Any], scenes: dict[str, Any]
) -> dict[str, Any]:
    """Everything that terratorch computes for one small model."""
    found: dict[str, Any] = {}
    for case, (inputs, targets) in CASES.items():
        with small_vocabularies(small):
            model = generation(small.arguments, state, tokenizers, inputs, targets, tile=small.tile)
        images = {m: scenes[m] for m in inputs}
        for name, values in run(model, images, STEPS, seed=11).items():
            if case not in BRIEF or name != "LULC.output":
                found[f"{case}.{name}"] = values
    for inputs in EMBEDDED:
        images = {m: scenes[m] for m in inputs}
        with small_vocabularies(small):
            values = embedded(small.arguments, state, tokenizers, images, tile=small.tile)
        found[f"embed.{'+'.join(inputs)}"] = values
    ids, noise = found["dem_lulc.DEM.ids"], found["dem_lulc.DEM.noise"]
    for steps in DDIM_STEPS:
        found[f"ddim.{steps}"] = diffused(tokenizers["DEM"], ids, noise, steps)
    logits = found["dem_lulc.DEM.logits"][0] * SHARPER
    for index, (p, temperature) in enumerate(TOP_P):
        found[f"top_p.{index}"] = filtered(logits, p, temperature)
    return found


def main(folder: Path = FOLDER) -> int:
    """Write the reference anew."""
    about: dict[str, Any] = {"top_p": TOP_P, "ddim": DDIM_STEPS, "steps": STEPS, "sharper": SHARPER}
    about["cases"] = {name: {"inputs": i, "targets": t} for name, (i, t) in CASES.items()}
    about["embedded"] = EMBEDDED
    changed = about["rerandomised"] = {}
    small = MODELS["gelu"][0]
    taken = (*small.images, *small.tokenised, *official.WORDS)
    scenes = {m: synthetic_scene(m, BATCH, small.tile, 7) for m in taken}
    torch.set_num_threads(1)  # sums in another order differ in the last digit
    torch.manual_seed(100)
    tokenizers = {target: build_tokenizer(small, target) for target in small.targets}
    for number, (target, tokenizer) in enumerate(tokenizers.items()):
        changed[target] = rerandomise(tokenizer, number)
        saved = checkpoint(tokenizer, torch.float16)
        save_checkpoint(saved, folder / f"TerraMind_Tokenizer_{target}.pt")
        tokenizer_skeleton(target, tokenizer, small.tile, folder / "skeletons" / f"small-{target}.zip")
    words = folder / "coords" / "config.json"
    write_vocabulary(small.words, words)
    tokenizers["COORDS"] = coords_tokenizer(words)
    for number, (name, (model, dtype)) in enumerate(MODELS.items()):
        torch.manual_seed(number)
        mae = build_mae(model)
        changed[name] = rerandomise(mae, number)
        talkative(mae, number)
        state = checkpoint(mae, dtype)
        save_checkpoint(state, folder / f"TerraMind_v1_{name}.pt")
        full = {key: value.float() for key, value in state.items()}
        found = arrays(model, full, tokenizers, scenes)
        np.savez_compressed(folder / f"{name}.npz", **found)
        mae_skeleton(model, name, mae, folder / "skeletons" / f"{name}.zip")
    rng = np.random.default_rng(5)
    places = rng.uniform((10.0, 47.0), (13.75, 49.75), (40, 2)).astype(np.float32)
    ids = rng.integers(0, len(small.words), (40, 2))
    scenes.update(spelled(tokenizers["COORDS"], places, ids))
    np.savez_compressed(folder / "scenes.npz", **scenes)
    text = json.dumps(about, indent=1, sort_keys=True)
    (folder / "about.json").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
