# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes tests/parity/finetuned: packs of small fine-tuned models, and what terratorch itself says of them.

    PYTHONPATH=.link:. python -m training.export.make_finetuned_reference

Needs terratorch. The packs are made by ``convert_finetuned`` from checkpoints that Lightning wrote, with
random weights; inputs are drawn by numpy from a seed, so that only the answers are stored.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from terrane.inference.packs.convert_finetuned import FineTuned, convert_finetuned

from . import finetuned

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "parity" / "finetuned"
RECIPES = {
    "segment-tim": finetuned.Recipe("segment", "UNetDecoder", thinks=("LULC",), seed=1),
    "regress": finetuned.Recipe("regress", "FCNDecoder", modalities=("S2L2A",), seed=2),
    "classify": finetuned.Recipe("classify", "IdentityDecoder", modalities=("S1GRD",), seed=3),
}
SEED, COUNT = 11, 2


def drawn(recipe: finetuned.Recipe) -> dict[str, torch.Tensor]:
    """Standardised inputs (COUNT, bands, T, T); test_finetuned.py draws the same."""
    rng = np.random.default_rng(SEED)
    side = finetuned.TILE
    return {
        m: torch.from_numpy(rng.standard_normal((COUNT, finetuned.BANDS[m], side, side)).astype(np.float32))
        for m in recipe.modalities
    }


def make(name: str, recipe: finetuned.Recipe, work: Path) -> tuple[Any, float]:
    """Write one pack; returns terratorch's answer and the converter's own error."""
    task = finetuned.build_task(recipe)
    checkpoint = finetuned.write_checkpoint(task, work / f"{name}.ckpt")
    config = work / f"{name}.yaml"
    config.write_text(yaml.safe_dump(finetuned.configuration(recipe)), encoding="utf-8")
    options = FineTuned(
        name=f"Parity {name}", unit="t/ha" if recipe.task == "regress" else "", license="CC0-1.0"
    )
    pack = convert_finetuned(checkpoint, work / name, config=config, options=options)
    shutil.make_archive(str(FOLDER / name), "zip", work / name)
    answer = finetuned.answer(task, drawn(recipe)).numpy()
    return answer, pack.variants["fp32"]["reference"]["max"]


def main() -> None:
    """Make all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    answers, errors = {}, {}
    with tempfile.TemporaryDirectory() as work:
        for name, recipe in RECIPES.items():
            answers[name], errors[name] = make(name, recipe, Path(work))
            print(name, errors[name], flush=True)
    np.savez_compressed(FOLDER / "answers.npz", **answers)
    from importlib import metadata

    about = {
        "terratorch": metadata.version("terratorch"),
        "torch": torch.__version__,
        "seed": SEED,
        "count": COUNT,
        "recipes": {name: recipe.name for name, recipe in RECIPES.items()},
        "errors": errors,
    }
    (FOLDER / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
