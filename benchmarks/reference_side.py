# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference's part of ``versus_terratorch.py``; runs in the environment that has terratorch.

``weights DIR`` writes random weights in the official layout: TerraMind_v1_tiny.pt and its tokenizers.
``run DIR SCENE.npy RESULT.json`` times ``terratorch.tasks.tiled_inference`` with them on (12, h, w).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TARGETS = ("DEM", "LULC")
SIZE = "tiny"


def tokenizer_file(folder: Path, target: str) -> Path:
    return folder / f"TerraMind_Tokenizer_{target}.pt"


def make_weights(folder: Path) -> None:
    import torch

    from training.export import official
    from training.export.reference import rerandomise

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    modules = {folder / f"TerraMind_v1_{SIZE}.pt": official.build_mae(SIZE)}
    modules.update({tokenizer_file(folder, t): official.build_tokenizer(t) for t in TARGETS})
    for seed, (path, module) in enumerate(modules.items()):
        rerandomise(module, seed)
        torch.save(module.state_dict(), path)


def load(folder: Path) -> Any:
    import torch

    from training.export import official
    from training.export.reference import generation

    state = torch.load(folder / f"TerraMind_v1_{SIZE}.pt", map_location="cpu")
    tokenizers = {}
    for target in TARGETS:
        tokenizers[target] = official.build_tokenizer(target)
        tokenizers[target].load_state_dict(torch.load(tokenizer_file(folder, target), map_location="cpu"))
    model = generation(
        official.mae_arguments(SIZE), state, tokenizers, ["S2L2A"], list(TARGETS), tile=official.TILE
    )
    model.temps = 1.0
    return model


def peak_mb() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith("VmHWM"))


def run(
    folder: Path, scene: Path, result: Path, *, crop: int, stride: int, steps: int, batch: int, threads: int
) -> None:
    import numpy as np
    import torch
    from terratorch.tasks.tiled_inference import tiled_inference

    model = load(folder)
    image = torch.from_numpy(np.load(scene).astype(np.float32))[None]
    loaded = peak_mb()
    calls = []

    def forward(tiles: Any) -> Any:
        calls.append(len(tiles))
        made = model({"S2L2A": tiles}, timesteps=steps)
        return torch.cat([made[target] for target in TARGETS], dim=1)

    torch.set_num_threads(threads)
    began, worked = time.perf_counter(), time.process_time()
    output = tiled_inference(forward, image, crop=crop, stride=stride, batch_size=batch)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    report = {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "tiles": sum(calls),
        "peak_rss_mb": peak_mb(),
        "loaded_rss_mb": loaded,
        "shape": list(output.shape),
        "threads": torch.get_num_threads(),
    }
    result.write_text(json.dumps(report))


if __name__ == "__main__":
    action, place = sys.argv[1], Path(sys.argv[2])
    if action == "weights":
        make_weights(place)
    else:
        options = {k: int(v) for k, v in (pair.split("=") for pair in sys.argv[5:])}
        run(place, Path(sys.argv[3]), Path(sys.argv[4]), **options)
