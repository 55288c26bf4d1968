# SPDX-License-Identifier: GPL-2.0-or-later
"""Packs of models for one task that can be worked out by hand: weights of a few bands, pixel by pixel.

Needs numpy and onnx only. With z the standardised bands red, green, near infrared (not the sensor's order)
and, where radar is an input, VV: logits = WEIGHTS · z + BIAS; values = (10 + 2 z_nir, z_red).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from terrane.inference.packs.manifest import Pack, write_pack

TILE, PATCH = 32, 8
BANDS = {"S2L2A": ("B04", "B03", "B08"), "S1GRD": ("VV",)}
MEAN = {"S2L2A": (1500.0, 1600.0, 2000.0), "S1GRD": (-12.0,)}
STD = {"S2L2A": (500.0, 400.0, 250.0), "S1GRD": (4.0,)}
UNITS = {"S2L2A": "reflectance × 10000", "S1GRD": "dB"}
CLASSES = ("Bare", "Grass", "Wood")
WEIGHTS = np.array([[2.0, 0.5, -3.0, -2.0], [0.0, 1.5, 0.5, 0.0], [-2.0, -1.0, 3.0, 1.0]], np.float32)
BIAS = np.array([0.1, 0.3, -0.2], np.float32)
VALUE_WEIGHTS = np.array([[0.0, 0.0, 2.0, 0.0], [1.0, 0.0, 0.0, 0.0]], np.float32)
VALUE_BIAS = np.array([10.0, 0.0], np.float32)
NAMES = ("Biomass", "Cover")


def standardised(images: dict[str, np.ndarray]) -> np.ndarray:
    """(bands, h, w) of the model's inputs, in its order."""
    parts = [
        (image - np.array(MEAN[m])[:, None, None]) / np.array(STD[m])[:, None, None]
        for m, image in images.items()
    ]
    return np.concatenate(parts).astype(np.float32)


def logits(z: np.ndarray) -> np.ndarray:
    """(classes, h, w) from (bands, h, w)."""
    return np.einsum("cb,bhw->chw", WEIGHTS[:, : len(z)], z) + BIAS[:, None, None]


def values(z: np.ndarray) -> np.ndarray:
    """(2, h, w) from (bands, h, w)."""
    return np.einsum("cb,bhw->chw", VALUE_WEIGHTS[:, : len(z)], z) + VALUE_BIAS[:, None, None]


def build_finetuned_pack(
    root: Path, task: str, inputs: Sequence[str] = ("S2L2A",), *, tile: int = TILE, pack_id: str = ""
) -> Pack:
    """Write the pack of a task: segment, regress or classify."""
    (root / "graphs").mkdir(parents=True)
    outputs = _save(root / "graphs" / "predict.onnx", task, inputs, tile)
    manifest: dict[str, Any] = {
        "id": pack_id or f"toy-{task}",
        "name": f"Toy that can {task}",
        "family": "finetuned",
        "version": "1.0.0",
        "tasks": [task],
        "gsd": 10.0,
        "tile": tile,
        "patch": PATCH,
        "dim": 4,
        "inputs": {
            m: {"bands": list(BANDS[m]), "unit": UNITS[m], "mean": list(MEAN[m]), "std": list(STD[m])}
            for m in inputs
        },
        "targets": {},
        "graphs": {
            "predict": {
                "inputs": {f"image_{m}": ["batch", len(BANDS[m]), tile, tile] for m in inputs},
                "outputs": outputs,
                "forms": {"onnx": {"path": "graphs/predict.onnx", "opset": 18, "ir": 10}},
            }
        },
        "license": {"spdx": "GPL-2.0-or-later"},
    }
    if task == "regress":
        manifest["output"] = {"names": list(NAMES), "unit": "t/ha"}
    else:
        manifest["classes"] = [{"value": i, "name": name} for i, name in enumerate(CLASSES)]
    (root / "LICENSE").write_text("GPL-2.0-or-later\n", encoding="utf-8")
    return write_pack(root, manifest)


def _save(path: Path, task: str, inputs: Sequence[str], tile: int) -> dict[str, list[Any]]:
    """Write the graph; returns its outputs and their shapes."""
    count = sum(len(BANDS[m]) for m in inputs)
    weights, bias = (VALUE_WEIGHTS, VALUE_BIAS) if task == "regress" else (WEIGHTS, BIAS)
    output = "values" if task == "regress" else "logits"
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(weights[:, :count])[:, :, None, None], "weights"),
        numpy_helper.from_array(bias, "bias"),
    ]
    names = [f"image_{m}" for m in inputs]
    nodes = [helper.make_node("Concat", names, ["z"], axis=1)]
    shape: list[Any] = ["batch", len(bias), tile, tile]
    if task == "classify":
        shape = shape[:2]
        constants.append(numpy_helper.from_array(np.array([0, len(bias)], np.int64), "flat"))
        nodes += [
            helper.make_node("Conv", ["z", "weights", "bias"], ["each"]),
            helper.make_node("GlobalAveragePool", ["each"], ["mean"]),
            helper.make_node("Reshape", ["mean", "flat"], [output]),
        ]
    else:
        nodes.append(helper.make_node("Conv", ["z", "weights", "bias"], [output]))
    tensors = [
        helper.make_tensor_value_info(f"image_{m}", TensorProto.FLOAT, ["batch", len(BANDS[m]), tile, tile])
        for m in inputs
    ]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "predict", tensors, [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save_model(model, str(path))
    return {output: shape}
