# SPDX-License-Identifier: GPL-2.0-or-later
"""A model pack so simple that its outputs can be worked out by hand. Needs numpy and onnx only.

``toy_values`` says what it computes, and computes the same in numpy (``expected`` and others, which can be
imported from here, too).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from terrane.inference.packs.manifest import Pack, write_pack
from toy_values import (
    ALL_INPUTS,
    ALL_TARGETS,
    BANDS,
    DIM,
    LATITUDES,
    LEVELS,
    LONGITUDES,
    MEAN,
    NAMES,
    SPECIAL,
    STATISTICS,
    STD,
    TOKENISED,
    UNITS,
    WORDS,
    band_weights,
    expected,
    expected_embedding,
    expected_place,
    latitude_weight,
    vocabulary,
)

__all__ = [
    "ALL_INPUTS",
    "ALL_TARGETS",
    "BANDS",
    "LEVELS",
    "MEAN",
    "STATISTICS",
    "STD",
    "WORDS",
    "build_toy_pack",
    "expected",
    "expected_embedding",
    "expected_place",
    "vocabulary",
]
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


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


def _as_tokens(g: _Graph, columns: str, n: int) -> tuple[dict[str, Any], int]:
    """(B,12,N) to tokens (B,N,D): bands, then zeros; emb holds which patch it is."""
    dim = DIM + 1 + n
    g.add("Transpose", [columns], "bands", perm=[0, 2, 1])
    wide, emb = np.eye(DIM, dim), np.zeros((n, dim))
    emb[:, DIM + 1 :] = np.eye(n)
    g.add("MatMul", ["bands", g.const("wide", wide)], "tokens")
    g.add("Mul", ["tokens", g.const("zero", 0.0)], "none")
    g.add("Add", ["none", g.const("place", emb[None])], "emb")
    shape = ["batch", n, dim]
    return {"tokens": (FLOAT, shape), "emb": (FLOAT, shape)}, dim


def _cells(g: _Graph, modality: str, n: int, patch: int) -> str:
    """Image (B,C,T,T) to patch means (B,C,N)."""
    channels = len(NAMES[modality])
    g.add("AveragePool", ["image"], "cells", kernel_shape=[patch, patch], strides=[patch, patch])
    return g.add("Reshape", ["cells", g.const("flat", [0, channels, n], np.int64)], "columns")


def _embed(modality: str, tile: int, patch: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    n, channels = (tile // patch) ** 2, len(NAMES[modality])
    g = _Graph()
    columns = _cells(g, modality, n, patch)
    if channels != DIM:
        g.add("ReduceMean", [columns, g.const("axis", [1], np.int64)], "mean", keepdims=1)
        columns = g.add("Mul", ["mean", g.const("twelve", np.ones((1, DIM, 1)))], "repeated")
    out, _ = _as_tokens(g, columns, n)
    return g, {"image": (FLOAT, ["batch", channels, tile, tile])}, out


def _embed_ids(target: str, n: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    g = _Graph()
    table = np.repeat(LEVELS[target][:, None], DIM, axis=1)
    g.add("Gather", [g.const("table", table), "ids"], "rows", axis=0)
    g.add("Transpose", ["rows"], "columns", perm=[0, 2, 1])
    out, _ = _as_tokens(g, "columns", n)
    return g, {"ids": (INT64, ["batch", n])}, out


def _tokenize(modality: str, tile: int, patch: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    n = (tile // patch) ** 2
    g = _Graph()
    columns = _cells(g, modality, n, patch)
    if modality == "LULC":
        g.add("Round", [columns], "rounded")
        g.add("Sub", ["rounded", g.const("one", 1.0)], "shifted")
        top = g.const("top", len(LEVELS["LULC"]) - 1.0)
        g.add("Clip", ["shifted", g.const("bottom", 0.0), top], "clipped")
        g.add("Reshape", ["clipped", g.const("row", [0, n], np.int64)], "numbers")
        g.add("Cast", ["numbers"], "ids", to=INT64)
    else:
        g.add("Transpose", [columns], "column", perm=[0, 2, 1])
        g.add("Sub", ["column", g.const("levels", LEVELS[modality][None, None])], "distance")
        g.add("Abs", ["distance"], "far")
        g.add("ArgMin", ["far"], "ids", axis=2, keepdims=0)
    return g, {"image": (FLOAT, ["batch", 1, tile, tile])}, {"ids": (INT64, ["batch", n])}


def _embed_words(n: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    g, dim = _Graph(), DIM + 1 + n
    table = np.zeros((len(WORDS), dim))
    table[7 : 7 + len(LATITUDES), DIM] = LATITUDES / 90
    g.add("Gather", [g.const("table", table), "ids"], "tokens", axis=0)
    g.add("Mul", ["tokens", g.const("zero", 0.0)], "emb")
    shape = ["batch", 4, dim]
    return g, {"ids": (INT64, ["batch", 4])}, {"tokens": (FLOAT, shape), "emb": (FLOAT, shape)}


def _encoder(busy: int, dim: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
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
    g.add("Mul", [last, g.const("bands", np.arange(dim) < DIM)], "encoded")
    shape = ["batch", "length", dim]
    out = {"context": (FLOAT, shape), "encoded": (FLOAT, shape)}
    return g, {"tokens": (FLOAT, shape), "emb": (FLOAT, shape)}, out


def _mean_of_patches(g: _Graph, n: int) -> str:
    """Context (B,M,D) to the mean over modalities of each patch's bands, (B,N,12)."""
    begin, end = g.const("first_place", [DIM + 1], np.int64), g.const("last_place", [DIM + 1 + n], np.int64)
    axis = g.const("last_axis", [2], np.int64)
    g.add("Slice", ["context", begin, end, axis], "places")
    g.add("Transpose", ["places"], "by_place", perm=[0, 2, 1])
    zero, bands = g.const("none_before", [0], np.int64), g.const("all_bands", [DIM], np.int64)
    g.add("Slice", ["context", zero, bands, axis], "bands")
    g.add("MatMul", ["by_place", "bands"], "sums")
    g.add("ReduceSum", ["by_place", axis], "counts", keepdims=1)
    return g.add("Div", ["sums", "counts"], "mixed")


def _predict(target: str, n: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    """logits = −50 · (value − level)²."""
    g, levels, dim = _Graph(), LEVELS[target], DIM + 1 + n
    _mean_of_patches(g, n)
    g.add("MatMul", ["mixed", g.const("weights", band_weights(target)[:, None])], "plain")
    begin, end = g.const("latitude", [DIM], np.int64), g.const("after", [DIM + 1], np.int64)
    g.add("Slice", ["context", begin, end, g.const("axis", [2], np.int64)], "latitudes")
    g.add("ReduceSum", ["latitudes", g.const("words", [1], np.int64)], "north", keepdims=1)
    g.add("Mul", ["north", g.const("share", latitude_weight(target))], "added")
    g.add("Add", ["plain", "added"], "value")
    g.add("Sub", ["value", g.const("levels", levels[None, None, :])], "distance")
    g.add("Mul", ["distance", "distance"], "squared")
    g.add("Mul", ["squared", g.const("sharpness", -50.0)], "logits")
    out = {"logits": (FLOAT, ["batch", n, len(levels)])}
    return g, {"context": (FLOAT, ["batch", "length", dim])}, out


def _predict_words(n: int) -> tuple[_Graph, dict[str, Any], dict[str, Any]]:
    """logits of latitude, longitude and [S_2], in this order, whatever was written before."""
    g, count = _Graph(), len(WORDS)
    place, kind = np.zeros((3, count)), np.full((3, count), -1e9)
    first = 7 + len(LATITUDES)
    place[0, 7:first], kind[0, 7:first] = LATITUDES / 45, 0
    place[1, first:], kind[1, first:] = LONGITUDES / 90, 0
    kind[2, SPECIAL.index("[S_2]")] = 0
    mean = g.add("ReduceMean", [_mean_of_patches(g, n), g.const("all", [1, 2], np.int64)], "mean", keepdims=1)
    g.add("Sub", [mean, g.const("place", place[None])], "distance")
    g.add("Mul", ["distance", "distance"], "squared")
    g.add("Mul", ["squared", g.const("sharpness", -1e6)], "near")
    g.add("Add", ["near", g.const("kind", kind[None])], "plain")
    g.add("Cast", ["ids"], "written", to=FLOAT)
    g.add("Mul", ["written", g.const("zero", 0.0)], "nothing")
    g.add("Unsqueeze", ["nothing", g.const("last", [2], np.int64)], "column")
    g.add("Add", ["plain", "column"], "logits")
    ins = {"context": (FLOAT, ["batch", "length", DIM + 1 + n]), "ids": (INT64, ["batch", 3])}
    return g, ins, {"logits": (FLOAT, ["batch", 3, count])}


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
    channels = len(NAMES[target])
    table = np.repeat(LEVELS[target][:, None], channels, axis=1)
    g.add("Gather", [g.const("table", table), "ids"], "values", axis=0)
    _upsample(g, "values", "levels", channels, tile, patch)
    g.add("Mul", ["noisy", g.const("gain", gain)], "texture")
    g.add("Cast", ["timestep"], "time", to=FLOAT)
    g.add("Reshape", ["time", g.const("column", [-1, 1, 1, 1], np.int64)], "times")
    g.add("Mul", ["times", g.const("zero", 0.0)], "timeless")
    g.add("Add", ["levels", "texture"], "textured")
    g.add("Add", ["textured", "timeless"], "x0")
    shape = ["batch", channels, tile, tile]
    ins = {"noisy": (FLOAT, shape), "timestep": (INT64, ["batch"]), "ids": (INT64, ["batch", n])}
    return g, ins, {"x0": (FLOAT, shape)}


def _target_spec(target: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"bands": list(NAMES[target]), "unit": UNITS[target]}
    if target == "COORDS":
        return {**spec, "decoder": "text"}
    spec["codebook"] = [len(LEVELS[target])]
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
    statistics = {"mean": [mean] * len(NAMES[target]), "std": [std] * len(NAMES[target])}
    return {**spec, "decoder": "diffusion", **statistics, "clamp": 1.0, "diffusion": diffusion}


def _input_spec(modality: str) -> dict[str, Any]:
    offset = "remove" if modality.startswith("S2") else "none"
    spec = {"bands": list(NAMES[modality]), "unit": UNITS[modality], "offset": offset}
    if modality in STATISTICS:
        mean, std = STATISTICS[modality]
        spec.update(mean=[mean] * len(NAMES[modality]), std=[std] * len(NAMES[modality]))
    return spec


def _graphs(
    tile: int, patch: int, inputs: Sequence[str], targets: Sequence[str], chain: bool, gain: float, busy: int
) -> dict[str, tuple[_Graph, dict[str, Any], dict[str, Any]]]:
    n = (tile // patch) ** 2
    graphs = {"encoder": _encoder(busy, DIM + 1 + n)}
    for modality in inputs:
        if modality in TOKENISED:
            graphs[f"tokenize_{modality}"] = _tokenize(modality, tile, patch)
            graphs[f"embed_{modality}_ids"] = _embed_ids(modality, n)
        elif modality != "COORDS":
            graphs[f"embed_{modality}"] = _embed(modality, tile, patch)
    for target in targets:
        if target == "COORDS":
            graphs["predict_COORDS"] = _predict_words(n)
            continue
        graphs[f"predict_{target}"] = _predict(target, n)
        graphs[f"decode_{target}"] = _decode(target, tile, patch, gain)
        if chain:
            graphs[f"embed_{target}_ids"] = _embed_ids(target, n)
    if "COORDS" in (*inputs, *targets):
        graphs["embed_COORDS_ids"] = _embed_words(n)
    return graphs


def build_toy_pack(
    folder: str | Path,
    tile: int = 32,
    patch: int = 8,
    *,
    inputs: Sequence[str] = ("S2L2A",),
    targets: Sequence[str] = ("DEM", "LULC", "NDVI"),
    id: str = "toy",  # noqa: A002
    gsd: float = 10.0,
    chain: bool = True,
    gain: float = 0.0,
    busy: int = 0,
) -> Pack:
    """Write a toy pack into ``folder`` (made when missing) and return it.

    ``inputs`` and ``targets``: some of ``ALL_INPUTS`` and ``ALL_TARGETS``. ``gain`` lets the noise show
    through in each denoising step; ``busy`` slows the encoder down by so many matrix products, for tests
    that cancel.
    """
    folder = Path(folder)
    (folder / "graphs").mkdir(parents=True, exist_ok=True)
    specs = {}
    made = _graphs(tile, patch, inputs, targets, chain, gain, busy)
    for name, (graph, given, outputs) in made.items():
        graph.save(folder / "graphs" / f"{name}.onnx", given, outputs, external=name.startswith("decode"))
        specs[name] = {
            "inputs": {k: shape for k, (_, shape) in given.items()},
            "outputs": {k: shape for k, (_, shape) in outputs.items()},
            "forms": {"onnx": {"path": f"graphs/{name}.onnx", "opset": 18, "ir": 10}},
        }
    (folder / "LICENSE").write_text("CC0-1.0\n", encoding="utf-8")
    (folder / "README.md").write_text("# Toy pack\n\nRounded band means, for tests.\n", encoding="utf-8")
    manifest = {
        "id": id,
        "name": "Toy model",
        "family": "terramind",
        "size": "toy",
        "version": "1.0.0",
        "tasks": ["generate", "embed"],
        "gsd": gsd,
        "tile": tile,
        "patch": patch,
        "dim": DIM + 1 + (tile // patch) ** 2,
        "synthetic": True,
        "notice": "toy model for tests",
        "chain": chain,
        "inputs": {modality: _input_spec(modality) for modality in inputs},
        "targets": {target: _target_spec(target) for target in targets},
        "graphs": specs,
        "variants": {"fp32": {"error": {}}},
        "license": {"spdx": "CC0-1.0", "forbids": ""},
    }
    if "COORDS" in (*inputs, *targets):
        (folder / "coords.json").write_bytes(vocabulary())
        manifest["vocabulary"] = "coords.json"
    return write_pack(folder, manifest)
