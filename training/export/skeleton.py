# SPDX-License-Identifier: GPL-2.0-or-later
"""A skeleton: graphs without weights, and the list of what to write where to give them their weights.

A weight of a skeleton's ONNX graph is external data at a place that is fixed beforehand (file, offset,
length). Binding a checkpoint is then nothing but writing its tensors at those places: neither onnx nor
protobuf is needed, and the graph file is copied as it is.

A ``.bin`` file holds what one graph alone needs, or, where several ``predict_*`` graphs share it, their
common decoder: every tensor is stored once, and graphs that a pack does not need leave nothing behind.
Where a skeleton is to be small, the fixed positions of all grids of tokens are one tensor of one more file.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto

from .graphs import PREFIX, GraphSource, exported_program
from .torch_skeleton import torch_form

OPSET = 18
IR_VERSION = 10
SMALL_ALIGNMENT, PAGE_ALIGNMENT, PAGE_FROM = 64, 4096, 1 << 16
INLINE_BYTES = 4096
"""A constant that is in no state dict (the quantiser's levels) is kept in the graph; none is larger."""
HALF_FROM = 2048
"""Elements from which float16 storage is worth a Cast."""
SHARED = "decoder.bin"
POSITIONS = "positions.bin"
ZIP_DATE = (1980, 1, 1, 0, 0, 0)

_DTYPES = {TensorProto.FLOAT: ("float32", 4), TensorProto.FLOAT16: ("float16", 2)}


@dataclass
class ExportedGraph:
    """A graph with its weights still named, not yet placed."""

    name: str
    model: Any
    keys: dict[str, tuple[int, ...]]
    """State-dict key → shape of every weight it needs."""
    inputs: dict[str, list[Any]]
    outputs: dict[str, list[Any]]
    torch_graph: bytes
    torch_bind: dict[str, Any]
    defaults: dict[str, str]
    """Buffers that the model's code computes itself: a checkpoint without them is complete."""


@dataclass
class _Bin:
    tensors: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 0


def export(source: GraphSource) -> ExportedGraph:
    """Export one graph to ONNX, drop its weights, and make what is left short and deterministic."""
    exported = exported_program(source)
    torch_graph, torch_bind = torch_form(source, exported)
    program = torch.onnx.export(
        exported,
        dynamo=True,
        opset_version=OPSET,
        optimize=False,
        input_names=list(source.inputs),
        output_names=list(source.outputs),
        verbose=False,
    )
    if program is None:
        raise RuntimeError(f"torch.onnx.export gave nothing for {source.name}")
    known = {PREFIX + key for key in source.module.model.state_dict()}  # type: ignore[union-attr, operator]
    weights, shapes = {}, {}
    used = _used(program.model.graph)
    for name, value in list(program.model.graph.initializers.items()):
        if name not in used:
            del program.model.graph.initializers[name]
        elif name in known:
            weights[name] = value.const_value
            shapes[name] = tuple(int(n) for n in value.const_value.shape)
            value.const_value = _placeholder(name)
    model = onnx.ModelProto.FromString(_serialised(program))
    symbols = _symbols(source, model)
    _tidy(model, set(shapes), symbols)
    return ExportedGraph(
        source.name,
        model,
        {name[len(PREFIX) :]: shape for name, shape in shapes.items()},
        {value.name: _shape(value) for value in model.graph.input},
        {value.name: _shape(value) for value in model.graph.output},
        torch_graph,
        torch_bind,
        _defaults(source.module.model),
    )


def _defaults(module: Any) -> dict[str, str]:
    """Position embeddings, and the biases of norms that have none."""
    found = {}
    for key, _ in module.named_buffers():
        if key.endswith(".pos_emb"):
            text = hasattr(module.get_submodule(key.rpartition(".")[0]), "max_sincos_pos_emb")
            found[key] = "sincos1d" if text else "sincos2d"
        elif key.endswith(".bias"):
            found[key] = "zeros"
    return found


def _used(graph: Any) -> set[str]:
    return {value.name for node in graph for value in node.inputs if value is not None}


def _placeholder(name: str) -> Any:
    import numpy as np
    import onnx_ir

    return onnx_ir.tensor(np.zeros(0, np.float32), name=name)


def _serialised(program: Any) -> bytes:
    import onnx_ir

    return bytes(onnx_ir.serde.serialize_model(program.model).SerializeToString())


def _symbols(source: GraphSource, model: Any) -> dict[str, str]:
    """Dynamic axes: the exporter's names (s40) → ours (batch, tokens)."""
    found = {}
    for value in model.graph.input:
        for axis, label in source.dynamic.get(value.name, {}).items():
            found[value.type.tensor_type.shape.dim[axis].dim_param] = label
    return found


def _shape(value: Any) -> list[Any]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _tidy(model: Any, weights: set[str], symbols: Mapping[str, str]) -> None:
    """Drop traces of the export, name values shortly, mark weights as external without a place yet."""
    graph = model.graph
    if model.ir_version > IR_VERSION or [o.version for o in model.opset_import if not o.domain] != [OPSET]:
        raise RuntimeError(f"exported at IR {model.ir_version}, {model.opset_import}")
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    model.doc_string, graph.doc_string, graph.name = "", "", "terrane"
    model.producer_name, model.producer_version = "terrane", ""
    for value in [*graph.input, *graph.output]:
        value.doc_string = ""
        del value.metadata_props[:]
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = symbols[dim.dim_param]
    kept = {value.name: value.name for value in [*graph.input, *graph.output]}
    for tensor in graph.initializer:
        tensor.doc_string = ""
        name = tensor.name
        kept[name] = name[len(PREFIX) :] if name in weights else f"c{len(kept)}"
        tensor.name = kept[name]
        if name not in weights and len(tensor.raw_data) > INLINE_BYTES:
            raise RuntimeError(f"{name} is in no state dict and too large to keep in the graph")
    for node in graph.node:
        node.name, node.doc_string = "", ""
        del node.metadata_props[:]
        for names in (node.output, node.input):
            for index, name in enumerate(names):
                if name:
                    names[index] = kept.setdefault(name, f"v{len(kept)}")


def place(graphs: Sequence[ExportedGraph], storage: str, *, one_grid: bool = False) -> dict[str, _Bin]:
    """Give every weight its file and offset, in place in the graphs; returns the files.

    ``one_grid``: fixed positions of images (``sincos2d``) of equal shape are stored once, under the key of the
    first; right for models whose positions are never trained.
    """
    users: dict[str, int] = {}
    for graph in graphs:
        if graph.name.startswith("predict_"):
            for key in graph.keys:
                users[key] = users.get(key, 0) + 1
    bins: dict[str, _Bin] = {}
    for graph in graphs:
        for tensor in list(graph.model.graph.initializer):
            if tensor.name not in graph.keys:
                continue
            shared = graph.name.startswith("predict_") and users[tensor.name] > 1
            file = SHARED if shared else f"{graph.name}.bin"
            where = tensor.name
            if one_grid and graph.defaults.get(tensor.name) == "sincos2d":
                file, where = POSITIONS, f"positions {graph.keys[tensor.name]}"
            _place(graph, tensor, file, bins.setdefault(file, _Bin()), storage, where)
    return bins


def _place(graph: ExportedGraph, tensor: Any, file: str, target: _Bin, storage: str, where: str) -> None:
    """``where`` names the place in the file: tensors of the same name there share it."""
    shape = graph.keys[tensor.name]
    count = 1
    for length in shape:
        count *= length
    half = storage == "float16" and count >= HALF_FROM
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    if tensor.data_type != TensorProto.FLOAT:
        raise RuntimeError(f"{tensor.name} is not float32")
    dtype, width = _DTYPES[kind]
    if where not in target.places:
        alignment = PAGE_ALIGNMENT if count * width >= PAGE_FROM else SMALL_ALIGNMENT
        offset = -(-target.size // alignment) * alignment
        target.places[where] = (offset, count * width)
        target.size = offset + count * width
        entry = {"key": tensor.name, "shape": list(shape), "dtype": dtype, "offset": offset}
        if tensor.name in graph.defaults:
            entry["default"] = graph.defaults[tensor.name]
        target.tensors.append(entry)
    offset, length = target.places[where]
    key = tensor.name
    tensor.Clear()
    tensor.name, tensor.data_type = key, kind
    tensor.dims.extend(shape)
    tensor.data_location = TensorProto.EXTERNAL
    for name, value in (("location", file), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=name, value=value)
    if half:
        _cast_back(graph.model.graph, tensor)


def _cast_back(graph: Any, tensor: Any) -> None:
    """Stored as float16, computed as float32: a Cast that the runtime folds when it loads the graph."""
    name = tensor.name
    tensor.name = f"{name}:float16"
    node = onnx.helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT)
    graph.node.insert(0, node)


def write(
    path: Path,
    graphs: Sequence[ExportedGraph],
    bind: Mapping[str, Any],
    *,
    storage: str = "float32",
    one_grid: bool = False,
) -> None:
    """Write a skeleton: a zip of ``bind.json``, and an ``.onnx`` and a ``.pt2.json`` per graph.

    The same graphs give the same bytes every time. ``one_grid``: see ``place``.
    """
    bins = place(graphs, storage, one_grid=one_grid)
    described = {}
    for graph in graphs:
        files = sorted({_location(t) for t in graph.model.graph.initializer if t.external_data})
        described[graph.name] = {
            "inputs": graph.inputs,
            "outputs": graph.outputs,
            "opset": OPSET,
            "ir": graph.model.ir_version,
            "bins": files,
            "torch": graph.torch_bind,
        }
    manifest = {
        "format": 1,
        **bind,
        "storage": storage,
        "graphs": described,
        "bins": {name: {"size": b.size, "tensors": b.tensors} for name, b in sorted(bins.items())},
    }
    text = json.dumps(manifest, indent=None, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    members = {"bind.json": text.encode("utf-8")}
    for graph in graphs:
        onnx.checker.check_model(_checkable(graph.model))
        members[f"{graph.name}.onnx"] = graph.model.SerializeToString(deterministic=True)
        members[f"{graph.name}.pt2.json"] = graph.torch_graph
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipped(members))


def _location(tensor: Any) -> str:
    return next(str(entry.value) for entry in tensor.external_data if entry.key == "location")


def _checkable(model: Any) -> Any:
    """A copy whose weights are graph inputs, since the checker wants the external files to exist."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    external = [t for t in copy.graph.initializer if t.external_data]
    for tensor in external:
        value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        copy.graph.input.append(value)
        copy.graph.initializer.remove(tensor)
    return copy


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip with a fixed date and order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name], compresslevel=9)
    return buffer.getvalue()


def depths(keys: Iterable[str]) -> dict[str, int]:
    """How many ``encoder.N`` and ``decoder.N`` blocks a state dict has: they tell sizes apart."""
    found: dict[str, int] = {}
    for key in keys:
        match = re.match(r"(encoder|decoder)\.(\d+)\.", key)
        if match:
            found[match[1]] = max(found.get(match[1], 0), int(match[2]) + 1)
    return found
