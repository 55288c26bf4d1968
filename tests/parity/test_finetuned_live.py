# SPDX-License-Identifier: GPL-2.0-or-later
"""Fine-tuned models against terratorch itself: every decoder, task and kind of encoder, TiM by argmax.

Needs terratorch (``python3 build.py test --parity``). Backbones are terratorch's classes with few and
narrow layers and random weights; checkpoints are written by Lightning. Prints the differences it found.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terrane.inference.adapters import adapter_for
from terrane.inference.errors import Cancelled, InputError, PackError
from terrane.inference.packs.convert_finetuned import FineTuned, convert_finetuned
from terrane.inference.packs.manifest import Pack
from terrane.inference.presets import PRESETS
from terrane.inference.runtime import make_runtime
from terrane.inference.types import Cancel
from terrane.inference.worker_client import run_worker

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

TOLERANCE = 1e-4
PIXELS = ("UNetDecoder", "UperNetDecoder", "FCNDecoder", "LinearDecoder")
TIM = ("LULC", "NDVI")


@pytest.fixture(scope="module")
def toys() -> Any:
    pytest.importorskip("terratorch", reason="live parity needs terratorch (build.py test --parity)")
    from training.export import finetuned

    return finetuned


def converted(toys: Any, recipe: Any, folder: Path, **changes: Any) -> tuple[Any, Pack]:
    """The task, and the pack of its checkpoint and yaml."""
    import yaml

    task = toys.build_task(recipe)
    checkpoint = toys.write_checkpoint(task, folder / "model.ckpt")
    config = folder / "model.yaml"
    config.write_text(yaml.safe_dump(toys.configuration(recipe)), encoding="utf-8")
    pack = convert_finetuned(checkpoint, folder / "pack", config=config, **changes)
    return task, pack


def destandardised(toys: Any, modality: str, image: np.ndarray) -> np.ndarray:
    std, mean = (np.array(table[modality], np.float32)[:, None, None] for table in (toys.STDS, toys.MEANS))
    return (image * std + mean).astype(np.float32)


def difference(toys: Any, recipe: Any, task: Any, pack: Pack, tile: int = 64) -> float:
    """Largest difference of the adapter's answer from terratorch's, over a batch."""
    inputs = toys.images(recipe, 5, count=3, tile=tile)
    expected = toys.answer(task, inputs)
    if recipe.task != "regress":
        expected = expected.softmax(dim=1)
    adapter = adapter_for(pack, make_runtime("onnx", device="cpu", threads=2))
    raw = {m: destandardised(toys, m, image.numpy()) for m, image in inputs.items()}
    found = adapter.predict(raw, PRESETS["exact"])
    assert found.shape == tuple(expected.shape)
    assert float(expected.std()) > 1e-4, "the reference says something"
    return float(np.abs(found - expected.numpy()).max())


@pytest.mark.parametrize("thinks", [(), TIM], ids=["plain", "tim"])
@pytest.mark.parametrize("decoder", PIXELS)
@pytest.mark.parametrize("task", ["segment", "regress"])
def test_rasters(toys: Any, tmp_path: Path, task: str, decoder: str, thinks: tuple[str, ...]) -> None:
    recipe = toys.Recipe(task, decoder, thinks=thinks)
    model, pack = converted(toys, recipe, tmp_path)
    assert pack.tile == toys.TILE and pack.tasks == (task,)
    stored = pack.variants["fp32"]["reference"]["max"]
    found = difference(toys, recipe, model, pack)
    print(f"{recipe.name}: {found:.2e} (logits or values: {stored:.2e})")
    assert found <= TOLERANCE and stored <= TOLERANCE


@pytest.mark.parametrize("thinks", [(), TIM], ids=["plain", "tim"])
@pytest.mark.parametrize("decoder", ["IdentityDecoder", "FCNDecoder"])
def test_classes_of_scenes(toys: Any, tmp_path: Path, decoder: str, thinks: tuple[str, ...]) -> None:
    recipe = toys.Recipe("classify", decoder, thinks=thinks)
    model, pack = converted(toys, recipe, tmp_path)
    found = difference(toys, recipe, model, pack)
    print(f"{recipe.name}: {found:.2e}")
    assert found <= TOLERANCE
    assert [c.name for c in pack.classes] == list(toys.CLASSES)


@pytest.mark.parametrize(
    ("modalities", "merge"),
    [(("S2L2A",), "mean"), (("S2L2A", "S1GRD", "DEM"), "max"), (("S2L2A", "DEM"), "concat")],
)
def test_inputs_and_merging(toys: Any, tmp_path: Path, modalities: tuple[str, ...], merge: str) -> None:
    recipe = toys.Recipe("segment", modalities=modalities, merge=merge)
    model, pack = converted(toys, recipe, tmp_path)
    assert tuple(pack.inputs) == modalities
    found = difference(toys, recipe, model, pack)
    print(f"{recipe.name}: {found:.2e}")
    assert found <= TOLERANCE


def test_other_tiles_than_it_was_built_for(toys: Any, tmp_path: Path) -> None:
    recipe = toys.Recipe("segment", thinks=("LULC",))
    model, pack = converted(toys, recipe, tmp_path, options=FineTuned(tile=96))
    assert pack.tile == 96
    found = difference(toys, recipe, model, pack, tile=96)
    print(f"tile 96: {found:.2e}")
    assert found <= TOLERANCE
    with pytest.raises(InputError, match="multiple of 32"):
        converted(toys, recipe, tmp_path, options=FineTuned(tile=100), overwrite=True)


def test_checkpoint_alone(toys: Any, tmp_path: Path) -> None:
    """Without a yaml: settings from the checkpoint, statistics from a file."""
    recipe = toys.Recipe("segment", modalities=("S2L2A",))
    task = toys.build_task(recipe)
    checkpoint = toys.write_checkpoint(task, tmp_path / "model.ckpt")
    with pytest.raises(PackError, match="mean and standard deviation S2L2A"):
        convert_finetuned(checkpoint, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()
    statistics = tmp_path / "statistics.json"
    statistics.write_text(
        json.dumps({"S2L2A": {"mean": toys.MEANS["S2L2A"], "std": toys.STDS["S2L2A"]}}), encoding="utf-8"
    )
    options = FineTuned(tile=64, classes=("A", "B", "C"), name="My model", license="MIT")
    pack = convert_finetuned(checkpoint, tmp_path / "pack", statistics=statistics, options=options)
    assert (pack.id, pack.license, [c.name for c in pack.classes]) == ("my-model", "MIT", ["A", "B", "C"])
    assert difference(toys, recipe, task, pack) <= TOLERANCE
    trained = convert_finetuned(checkpoint, tmp_path / "trained", statistics="pretraining", options=options)
    assert trained.inputs["S2L2A"].mean[0] == pytest.approx(1390.458)


def test_a_checkpoint_that_wants_to_run_something(toys: Any, tmp_path: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "touched",))

    torch.save({"state_dict": {"model.x": torch.zeros(1)}, "extra": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(PackError, match="was not loaded"):
        convert_finetuned(tmp_path / "evil.ckpt", tmp_path / "pack")
    assert not (tmp_path / "touched").exists()


def test_weights_that_do_not_fit(toys: Any, tmp_path: Path) -> None:
    import torch

    recipe = toys.Recipe("segment", modalities=("S2L2A",))
    task = toys.build_task(recipe)
    path = toys.write_checkpoint(task, tmp_path / "model.ckpt")
    content = torch.load(path, weights_only=False)
    del content["state_dict"]["model.head.head.2.bias"]
    torch.save(content, path)
    with pytest.raises(PackError, match=r"lacks head\.head\.2\.bias"):
        convert_finetuned(path, tmp_path / "pack", statistics="pretraining")


def test_a_worker_converts_and_can_be_stopped(toys: Any, tmp_path: Path) -> None:
    """In a child process of this Python; the second time it is stopped in the middle."""
    recipe = toys.Recipe("segment", "LinearDecoder", modalities=("S2L2A",))
    # The child knows the official backbones only: it reads the checkpoint, and refuses the toy in words.
    checkpoint = toys.write_checkpoint(toys.build_task(recipe), tmp_path / "model.ckpt")
    request = {"checkpoint": str(checkpoint), "output": str(tmp_path / "pack"), "statistics": "pretraining"}
    needed: list[int] = []
    with pytest.raises(PackError, match="terratorch cannot build"):
        run_worker(sys.executable, "convert-finetuned", request, on_memory=needed.append)
    assert needed[0] > 10**9
    cancel = Cancel()
    with pytest.raises(Cancelled):
        run_worker(
            sys.executable, "convert-finetuned", request, progress=lambda _: cancel.set(), cancel=cancel
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.ckpt"]
