# SPDX-License-Identifier: GPL-2.0-or-later
"""The torch form of a pack's graphs: ``.pt2`` files, assembled from skeletons and weights without torch.

A ``.pt2`` file is a zip: the graph as JSON, one raw record per tensor, and tables that name them
(torch's ``torch/export/pt2_archive``, archive version 0). Its weights are always float32, in order.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

from ..errors import PackError
from ..types import Cancel
from .bind import Skeleton, Written
from .checkpoint import Tensor

FOLDER = "torch"
_DTYPES = {"float32": 7, "int64": 5, "int32": 4}
"""Torch's ScalarType numbers in its archives (torch/_export/serde/schema.py)."""
_STRIDED = 7
_FIXED = {
    "archive_format": b"pt2",
    "archive_version": b"0",
    "byteorder": b"little",
    ".data/version": b"6\n",
    "data/sample_inputs/model.pt": b"",
}
_DATE = (1980, 1, 1, 0, 0, 0)


def torch_bytes(skeleton: Skeleton, graphs: tuple[str, ...]) -> int:
    """Bytes of the weights of some graphs' torch form; each graph holds its own."""
    specs = [spec for graph in graphs for spec in _bind(skeleton, graph)["weights"].values()]
    return sum(4 * int(np.prod(spec["shape"], dtype=np.int64)) for spec in specs)


def write_torch_graph(
    skeleton: Skeleton,
    state: Mapping[str, Tensor],
    graph: str,
    path: Path,
    *,
    written: Optional[Written] = None,
    cancel: Optional[Cancel] = None,
) -> None:
    """Write one graph with its weights. The state dict fits: the skeleton's ``problems`` said so.

    Raises PackError where the skeleton has no torch form, Cancelled, OSError.
    """
    bind = _bind(skeleton, graph)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, record, values in _tensors(skeleton, bind, state):
            if cancel is not None:
                cancel.raise_if_set()
            _write(archive, f"{graph}/{record}", memoryview(values.reshape(-1)).cast("B"))
            if written is not None and name in bind["weights"]:
                written(values.nbytes)
        for kind, record in (("weights", "weight"), ("constants", "tensor")):
            table = {name: _entry(spec, f"{record}_{i}") for i, (name, spec) in enumerate(bind[kind].items())}
            file = f"{graph}/data/{kind}/model_{kind}_config.json"
            _write(archive, file, json.dumps({"config": table}).encode())
        _write(archive, f"{graph}/models/model.json", skeleton.member(f"{graph}.pt2.json"))
        _write(archive, f"{graph}/extra/outputs.json", json.dumps(bind["outputs"]).encode())
        for name, content in _FIXED.items():
            _write(archive, f"{graph}/{name}", content)


def _bind(skeleton: Skeleton, graph: str) -> Mapping[str, Any]:
    bind: Optional[Mapping[str, Any]] = skeleton.graphs[graph].get("torch")
    if bind is None:
        raise PackError(f"The graph skeleton {skeleton.path.name} has no torch form.")
    return bind


def _tensors(
    skeleton: Skeleton, bind: Mapping[str, Any], state: Mapping[str, Tensor]
) -> Iterator[tuple[str, str, Any]]:
    """Every tensor's name, record and values, as they are stored."""
    for index, (name, spec) in enumerate(bind["weights"].items()):
        values = np.ascontiguousarray(skeleton.values(state, spec["key"])).astype("<f4", copy=False)
        yield name, f"data/weights/weight_{index}", values
    for index, (name, spec) in enumerate(bind["constants"].items()):
        kind = np.dtype(spec["dtype"]).newbyteorder("<")
        yield name, f"data/constants/tensor_{index}", np.frombuffer(base64.b64decode(spec["data"]), kind)


def _entry(spec: Mapping[str, Any], record: str) -> dict[str, Any]:
    step, strides = 1, []
    for size in reversed(spec["shape"]):
        strides.append({"as_int": step})
        step *= max(size, 1)
    meta = {
        "dtype": _DTYPES[spec.get("dtype", "float32")],
        "sizes": [{"as_int": size} for size in spec["shape"]],
        "requires_grad": False,
        "device": {"type": "cpu", "index": None},
        "strides": strides[::-1],
        "storage_offset": {"as_int": 0},
        "layout": _STRIDED,
    }
    parameter = spec.get("kind") == "parameter"
    return {"path_name": record, "is_param": parameter, "use_pickle": False, "tensor_meta": meta}


def _write(archive: zipfile.ZipFile, name: str, content: Any) -> None:
    with archive.open(zipfile.ZipInfo(name, _DATE), "w", force_zip64=len(content) > 1 << 30) as record:
        record.write(content)
