# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference's part of ``versus_terratorch.py``; runs in the environment that has terratorch.

``weights DIR`` writes random weights in the official layout: TerraMind_v1_tiny.pt and its tokenizers.
``serve DIR`` loads them and times ``terratorch.tasks.tiled_inference``, one line of JSON in, one out.
``memory SIZE`` measures what ``tiled_inference`` itself holds for a SIZE × SIZE scene: a model of no size.
"""

from __future__ import annotations

import gc
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
    from training.export.small_models import rerandomise

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


def peak_mb(field: str = "VmHWM") -> float:
    """Peak of resident memory; "VmRSS" is what is resident now."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith(field))


def run(
    model: Any, scene: str, *, crop: int, stride: int, steps: int, batch: int, threads: int
) -> dict[str, Any]:
    import numpy as np
    import torch
    from terratorch.tasks.tiled_inference import tiled_inference

    image = torch.from_numpy(np.load(scene).astype(np.float32))[None]
    calls = []

    def forward(tiles: Any) -> Any:
        calls.append(len(tiles))
        made = model({"S2L2A": tiles}, timesteps=steps)
        return torch.cat([made[target] for target in TARGETS], dim=1)

    torch.set_num_threads(threads)
    began, worked = time.perf_counter(), time.process_time()
    tiled_inference(forward, image, crop=crop, stride=stride, batch_size=batch)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - worked,
        "tiles": sum(calls),
        "peak_rss_mb": peak_mb(),
    }


def serve(folder: Path) -> None:
    model = load(folder)
    gc.collect()
    print(json.dumps({"rss_mb": peak_mb("VmRSS")}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(model, **json.loads(line))), flush=True)


def memory(size: int) -> None:
    """Peak beyond what is loaded, for 12 bands in and 11 channels (elevation, ten classes) out."""
    import torch
    from terratorch.tasks.tiled_inference import tiled_inference

    tiled_inference(lambda x: x[:, :11].clone(), torch.zeros(1, 12, 300, 300), crop=256, stride=192)
    before = peak_mb()
    image = torch.ones(1, 12, size, size)
    tiled_inference(lambda x: x[:, :11].clone(), image, crop=256, stride=192, batch_size=16)
    print(json.dumps({"beyond_mb": peak_mb() - before}))


if __name__ == "__main__":
    action, words = sys.argv[1], sys.argv[2:]
    if action == "weights":
        make_weights(Path(words[0]))
    elif action == "serve":
        serve(Path(words[0]))
    else:
        memory(int(words[0]))
