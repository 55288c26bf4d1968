# SPDX-License-Identifier: GPL-2.0-or-later
"""A model pack so simple that its outputs can be worked out by hand. Needs numpy and onnx only.

Standardised pixels are averaged per patch and band: that is a token. A target's value is a weighted
mean of the bands (DEM and LULC: all twelve alike; NDVI: half of B08 minus half of B04), averaged over
all modalities that are given, and rounded to the nearest of the target's levels. Elevation and NDVI
are decoded by a "diffusion" step that returns the level, land cover by logits of 12 for the class.
``expected`` computes the same in numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from terrane.inference.packs.manifest import Pack, write_pack

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
MEAN, STD = 2000.0, 1000.0
STATISTICS = {"DEM": (500.0, 300.0), "NDVI": (0.0, 1.0)}
UNITS = {"DEM": "m", "NDVI": "", "LULC": "class"}
LEVELS = {
    "DEM": np.linspace(-1.5, 1.5, 31, dtype=np.float32),
    "NDVI": np.linspace(-1.5, 1.5, 61, dtype=np.float32),
    "LULC": np.linspace(-1.0, 1.0, 9, dtype=np.float32),
}
DIM = len(BANDS)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def band_weights(target: str) -> np.ndarray:
    """(12,) float32: how a target's value follows from the standardised bands."""
    if target == "NDVI":
        weights = np.zeros(DIM, np.float32)
        weights[BANDS.index("B08")], weights[BANDS.index("B04")] = 0.5, -0.5
        return weights
    return np.full(DIM, 1 / DIM, np.float32)


def expected(image: np.ndarray, target: str, patch: int = 8, clamp: float = 1.0) -> np.ndarray:
    """What the pack gives without chaining: values (B,1,T,T), or class ids for LULC, float32.

    ``image`` is (B,12,T,T) in reflectance × 10000, NaN where there is none.
    """
    z = np.nan_to_num((image - MEAN) / STD, nan=0.0).astype(np.float32)
    b, c, t, _ = z.shape
    cells = z.reshape(b, c, t // patch, patch, t // patch, patch).mean(axis=(3, 5))
    value = np.tensordot(band_weights(target), cells, axes=(0, 1))
    ids = np.abs(value[..., None] - LEVELS[target]).argmin(axis=-1)
    if target == "LULC":
        cells = ids + 1
    else:
        mean, std = STATISTICS[target]
        cells = np.clip(LEVELS[target][ids], -clamp, clamp) * std + mean
    return np.kron(cells, np.ones((1, patch, patch))).astype(np.float32)[:, None]


class _Graph:
    """Collects nodes and constants of one graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def const(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def save(self, path: Path, inputs: Mapping[str, Any], outputs: Mapping[str, Any], external: bool) -> None:
        def infos(tensors: Mapping[str, Any]) -> list[Any]:
            return [helper.make_tensor_value_info(n, t, list(s)) for n, (t, s) in tensors.items()]

        graph = helper.make_graph(self.nodes, path.stem, infos(inputs), infos(outputs), self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        if external:
            # Shapes stay inline: onnxruntime cannot infer shapes from external tensors.
            onnx.save_model(
                model, str(path), save_as_external_data=True, location=path.stem + ".bin", size_threshold=100
            )
        else:
            onnx.save_model(model, str(path))


def _embed(tile: int, patch: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    n = (tile // patch) ** 2
    g = _Graph()
    g.add("AveragePool", ["image"], "cells", kernel_shape=[patch, patch], strides=[patch, patch])
    g.add("Reshape", ["cells", g.const("flat", [0, DIM, n], np.int64)], "columns")
    g.add("Transpose", ["columns"], "tokens", perm=[0, 2, 1])
    g.add("Mul", ["tokens", g.const("zero", 0.0)], "emb")
    out = {"tokens": (FLOAT, ["batch", n, DIM]), "emb": (FLOAT, ["batch", n, DIM])}
    return g, {"image": (FLOAT, ["batch", DIM, tile, tile])}, out


def _embed_ids(target: str, n: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    g = _Graph()
    table = np.repeat(LEVELS[target][:, None], DIM, axis=1)
    g.add("Gather", [g.const("table", table), "ids"], "tokens", axis=0)
    g.add("Mul", ["tokens", g.const("zero", 0.0)], "emb")
    out = {"tokens": (FLOAT, ["batch", n, DIM]), "emb": (FLOAT, ["batch", n, DIM])}
    return g, {"ids": (INT64, ["batch", n])}, out


def _encoder(busy: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    """context = tokens + emb; ``busy`` multiplications of 1024 × 1024 make it slow."""
    g = _Graph()
    last = g.add("Add", ["tokens", "emb"], "sum")
    if busy:
        g.add("ReduceMean", ["sum"], "mean", keepdims=0)
        matrix = g.add("Add", [g.const("square", np.full((1024, 1024), 1e-3)), "mean"], "square_0")
        # A loop, because each MatMul node would keep its own packed copy of the matrix.
        body = helper.make_graph(
            [
                helper.make_node("MatMul", ["before", "square"], ["after"]),
                helper.make_node("Identity", ["go"], ["go_on"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("turn", INT64, []),
                helper.make_tensor_value_info("go", TensorProto.BOOL, []),
                helper.make_tensor_value_info("before", FLOAT, [1024, 1024]),
            ],
            [
                helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("after", FLOAT, [1024, 1024]),
            ],
        )
        turns, always = g.const("turns", busy, np.int64), g.const("always", True, np.bool_)
        matrix = g.add("Loop", [turns, always, matrix], "multiplied", body=body)
        g.add("ReduceMean", [matrix], "work", keepdims=0)
        g.add("Mul", ["work", g.const("nothing", 0.0)], "none")
        last = g.add("Add", ["sum", "none"], "slow")
    g.add("Identity", [last], "context")
    shape = ["batch", "length", DIM]
    return g, {"tokens": (FLOAT, shape), "emb": (FLOAT, shape)}, {"context": (FLOAT, shape)}


def _predict(target: str, n: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    """logits = −50 · (value − level)²."""
    g, levels = _Graph(), LEVELS[target]
    g.add("Reshape", ["context", g.const("stacked", [0, -1, n, DIM], np.int64)], "modalities")
    g.add("ReduceMean", ["modalities", g.const("axis", [1], np.int64)], "mixed", keepdims=0)
    g.add("MatMul", ["mixed", g.const("weights", band_weights(target)[:, None])], "value")
    g.add("Sub", ["value", g.const("levels", levels[None, None, :])], "distance")
    g.add("Mul", ["distance", "distance"], "squared")
    g.add("Mul", ["squared", g.const("sharpness", -50.0)], "logits")
    out = {"logits": (FLOAT, ["batch", n, len(levels)])}
    return g, {"context": (FLOAT, ["batch", "length", DIM])}, out


def _upsample(g: _Graph, source: str, output: str, channels: int, tile: int, patch: int) -> None:
    """(B,N,channels) per patch to (B,channels,T,T)."""
    s = tile // patch
    g.add("Transpose", [source], "by_channel", perm=[0, 2, 1])
    g.add("Reshape", ["by_channel", g.const("cells", [0, channels, s, 1, s, 1], np.int64)], "spread")
    g.add("Mul", ["spread", g.const("ones", np.ones((1, 1, 1, patch, 1, patch)))], "repeated")
    g.add("Reshape", ["repeated", g.const("whole", [0, channels, tile, tile], np.int64)], output)


def _decode(target: str, tile: int, patch: int, gain: float) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    n = (tile // patch) ** 2
    g = _Graph()
    if target == "LULC":
        table = np.zeros((len(LEVELS[target]), 10))
        table[np.arange(len(table)), np.arange(len(table)) + 1] = 12.0
        g.add("Gather", [g.const("table", table), "ids"], "values", axis=0)
        _upsample(g, "values", "image", 10, tile, patch)
        return g, {"ids": (INT64, ["batch", n])}, {"image": (FLOAT, ["batch", 10, tile, tile])}
    g.add("Gather", [g.const("table", LEVELS[target][:, None]), "ids"], "values", axis=0)
    _upsample(g, "values", "levels", 1, tile, patch)
    g.add("Mul", ["noisy", g.const("gain", gain)], "texture")
    g.add("Cast", ["timestep"], "time", to=FLOAT)
    g.add("Reshape", ["time", g.const("column", [-1, 1, 1, 1], np.int64)], "times")
    g.add("Mul", ["times", g.const("zero", 0.0)], "timeless")
    g.add("Add", ["levels", "texture"], "textured")
    g.add("Add", ["textured", "timeless"], "x0")
    shape = ["batch", 1, tile, tile]
    ins = {"noisy": (FLOAT, shape), "timestep": (INT64, ["batch"]), "ids": (INT64, ["batch", n])}
    return g, ins, {"x0": (FLOAT, shape)}


def _target_spec(target: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"bands": [target], "unit": UNITS[target], "codebook": [len(LEVELS[target])]}
    if target == "LULC":
        return {**spec, "decoder": "direct", "logits": 10}
    mean, std = STATISTICS[target]
    diffusion = {
        "train_steps": 1000,
        "beta_start": 0.0001,
        "beta_end": 0.02,
        "prediction": "sample",
        "zero_terminal_snr": True,
        "spacing": "trailing",
        "steps": 10,
    }
    return {
        **spec,
        "decoder": "diffusion",
        "mean": [mean],
        "std": [std],
        "clamp": 1.0,
        "diffusion": diffusion,
    }


def build_toy_pack(
    folder: str | Path,
    tile: int = 32,
    patch: int = 8,
    *,
    targets: Sequence[str] = ("DEM", "LULC", "NDVI"),
    id: str = "toy",  # noqa: A002
    gsd: float = 10.0,
    chain: bool = True,
    gain: float = 0.0,
    busy: int = 0,
) -> Pack:
    """Write a toy pack into ``folder`` (made when missing) and return it.

    ``gain`` lets the noise show through in each denoising step; ``busy`` slows the encoder down by so
    many matrix products, for tests that cancel.
    """
    folder = Path(folder)
    (folder / "graphs").mkdir(parents=True, exist_ok=True)
    n = (tile // patch) ** 2
    graphs = {"embed_S2L2A": _embed(tile, patch), "encoder": _encoder(busy)}
    for target in targets:
        graphs[f"predict_{target}"] = _predict(target, n)
        graphs[f"decode_{target}"] = _decode(target, tile, patch, gain)
        if chain:
            graphs[f"embed_{target}_ids"] = _embed_ids(target, n)
    specs = {}
    for name, (graph, inputs, outputs) in graphs.items():
        graph.save(folder / "graphs" / f"{name}.onnx", inputs, outputs, external=name.startswith("decode"))
        specs[name] = {
            "inputs": {k: shape for k, (_, shape) in inputs.items()},
            "outputs": {k: shape for k, (_, shape) in outputs.items()},
            "forms": {"onnx": {"path": f"graphs/{name}.onnx", "opset": 18, "ir": 10}},
        }
    (folder / "LICENSE").write_text("CC0-1.0\n", encoding="utf-8")
    (folder / "README.md").write_text("# Toy pack\n\nRounded band means, for tests.\n", encoding="utf-8")
    s2 = {"bands": list(BANDS), "unit": "reflectance × 10000", "offset": "remove"}
    manifest = {
        "id": id,
        "name": "Toy model",
        "family": "terramind",
        "size": "toy",
        "version": "1.0.0",
        "tasks": ["generate"],
        "gsd": gsd,
        "tile": tile,
        "patch": patch,
        "dim": DIM,
        "synthetic": True,
        "notice": "toy model for tests",
        "chain": chain,
        "inputs": {"S2L2A": {**s2, "mean": [MEAN] * DIM, "std": [STD] * DIM}},
        "targets": {target: _target_spec(target) for target in targets},
        "graphs": specs,
        "variants": {"fp32": {"error": {}}},
        "license": {"spdx": "CC0-1.0", "forbids": ""},
    }
    return write_pack(folder, manifest)
