# SPDX-License-Identifier: GPL-2.0-or-later
"""The torch form of a skeleton: an exported program (``.pt2``) without its weights.

A ``.pt2`` file is a zip of the graph as JSON and of raw tensors, so that weights can be bound to it with
numpy, too. What is kept here is the JSON, without the parameters that the graph does not use and without
traces of the export; small constants are kept in full.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import torch

from .graphs import PREFIX, GraphSource

CONSTANT_BYTES = 4096


def torch_form(source: GraphSource, program: torch.export.ExportedProgram) -> tuple[bytes, dict[str, Any]]:
    """The graph's JSON, and what a binder needs to know: weights, constants, outputs."""
    from torch._export.serde.serialize import serialize

    artifact = serialize(program, serialize_state_dict=False, serialize_constants=False)
    content = json.loads(artifact.exported_program)
    module = content["graph_module"]
    graph = module["graph"]
    used = _names(graph["nodes"]) | _names(graph["outputs"])
    weights: dict[str, dict[str, Any]] = {}
    constants: dict[str, dict[str, Any]] = {}
    specs, inputs = [], []
    for spec, argument in zip(module["signature"]["input_specs"], graph["inputs"]):
        ((kind, body),) = spec.items()
        name = _name(argument)
        if kind != "user_input" and name not in used:
            graph["tensor_values"].pop(name, None)
            continue
        specs.append(spec)
        inputs.append(argument)
        full = body.get("parameter_name") or body.get("buffer_name") or body.get("tensor_constant_name")
        if kind == "user_input":
            continue
        held = program.state_dict if full in program.state_dict else program.constants
        tensor = held[full]
        _contiguous(graph["tensor_values"][name])
        if held is program.state_dict:
            weights[full] = {"key": full[len(PREFIX) :], "shape": list(tensor.shape), "kind": kind}
        else:
            constants[full] = _constant(full, tensor)
    module["signature"]["input_specs"], graph["inputs"] = specs, inputs
    module["module_call_graph"] = [entry for entry in module["module_call_graph"] if not entry["fqn"]]
    module["metadata"] = {}
    for node in graph["nodes"]:
        node["metadata"] = {}
    content["guards_code"] = []  # code that only repeats what the shapes say; our runtime lets none through
    outputs = [str(output) for output in source.outputs]
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8"), {"weights": weights, "constants": constants, "outputs": outputs}


def _names(value: Any) -> set[str]:
    """Every ``name`` that occurs below ``as_tensor`` entries."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            name = item.get("name")
            if isinstance(name, str):
                found.add(name)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return found


def _name(argument: Any) -> str:
    (body,) = argument.values()
    return str(body["name"])


def _contiguous(meta: dict[str, Any]) -> None:
    """Weights are written in order, however the module had them."""
    step, strides = 1, []
    for size in reversed(meta["sizes"]):
        strides.append({"as_int": step})
        step *= max(int(size["as_int"]), 1)
    meta["strides"], meta["storage_offset"] = strides[::-1], {"as_int": 0}


def _constant(name: str, tensor: Any) -> dict[str, Any]:
    values = tensor.detach().contiguous().numpy()
    if values.nbytes > CONSTANT_BYTES:
        raise RuntimeError(f"the constant {name} is too large to keep in the graph")
    data = base64.b64encode(values.tobytes()).decode("ascii")
    return {"dtype": str(values.dtype), "shape": list(values.shape), "data": data}
