# SPDX-License-Identifier: GPL-2.0-or-later
"""An int8 form of a graph. Needs ``onnx``, so that it runs outside QGIS only.

Diffusion decoders are convolutions: these are computed on 8-bit integers (static QDQ, per channel), with
ranges that were seen on real tiles. Decoders that are transformers have their matrix products quantised
with ranges found while they run (dynamic). Weights have 7 bits: without VNNI instructions processors add
two products in 16 bits, which overflow with 8.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from ..errors import PackError, RuntimeMissing
from ..runtime.base import Array
from ..types import Cancel, ProgressCallback
from ..types import Progress as Step
from .onnx_file import external_files

MAX_IR, MAX_OPSET = 10, 18
"""What onnxruntime 1.19 reads."""
_EXTERNAL_FROM = 1024
"""Bytes from which a tensor lies beside the graph."""
_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")
"""The mark of a graph that was prepared; without it the quantiser recommends to do so."""


def quantise_static(
    source: Path,
    output: Path,
    feeds: Sequence[Mapping[str, Array]],
    work: Path,
    *,
    progress: Optional[ProgressCallback] = None,
    cancel: Optional[Cancel] = None,
) -> None:
    """Quantise the convolutions of a graph; ranges are the least and greatest values on ``feeds``.

    The first and the last convolutions stay as they are: they hold little work, and most of the accuracy.
    ``work`` is a folder for temporary files. Raises RuntimeMissing, PackError, Cancelled.
    """
    quantization = _quantization()
    prepared = _prepared(source, work, feeds[0])
    with _quiet():
        quantization.quantize_static(
            str(prepared),
            str(work / "static.onnx"),
            _reader(quantization.CalibrationDataReader, feeds, progress, cancel),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_ends(prepared),
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
    _store(work / "static.onnx", output)


def quantise_dynamic(source: Path, output: Path, work: Path) -> None:
    """Quantise the matrix products of a graph by constant weights. Raises RuntimeMissing, PackError."""
    quantization = _quantization()
    prepared = _prepared(source, work)
    with _quiet():
        quantization.quantize_dynamic(
            str(prepared),
            str(work / "dynamic.onnx"),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=quantization.QuantType.QInt8,
        )
    _store(work / "dynamic.onnx", output)


def _quantization() -> Any:
    try:
        import onnx  # noqa: F401
        from onnxruntime import quantization
    except ImportError as error:
        raise RuntimeMissing(
            f"Quantising needs the packages onnx and onnxruntime ({error}): pip install onnx onnxruntime"
        ) from error
    return quantization


def _prepared(source: Path, work: Path, feed: Optional[Mapping[str, Array]] = None) -> Path:
    """The graph with what is constant computed beforehand, in one file: weights must be constants."""
    import onnx
    import onnxruntime as ort
    from onnx.external_data_helper import load_external_data_for_model

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(work / "basic.onnx")
    options.log_severity_level = 4
    try:
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own share no base class
        raise PackError(f"The graph {source.name} cannot be quantised: {str(error)[:200]}") from error
    model = onnx.load(str(work / "basic.onnx"), load_external_data=False)
    try:
        load_external_data_for_model(model, str(source.parent))
    except onnx.checker.ValidationError:  # it takes no file with several hard links, such as backups keep
        for name in external_files(work / "basic.onnx"):
            shutil.copyfile(source.parent / name, work / name)
        load_external_data_for_model(model, str(work))
    used = {node.domain for node in model.graph.node}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{number}"
    model.metadata_props.add(key=_PREPARED[0], value=_PREPARED[1])
    path = work / "prepared.onnx"
    if feed is not None:
        _fix_shapes(model, feed, path)
    onnx.save_model(model, str(path))
    return path


def _fix_shapes(model: Any, feed: Mapping[str, Array], scratch: Path) -> None:
    """Write shapes that only reshape something as constants, but for the batch.

    Each one would cost a pass over its image: what is quantised must be converted back to be asked for its
    shape. The shapes are those that batches of one and of two show.
    """
    import onnx
    import onnxruntime as ort
    from onnx import helper, numpy_helper

    users: dict[str, list[tuple[str, int]]] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            users.setdefault(name, []).append((node.op_type, place))
    names = [
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Shape" and all(user == ("Reshape", 1) for user in users.get(node.output[0], []))
    ]
    own = len(model.graph.output)
    model.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.INT64, None) for name in names
    )
    onnx.save_model(model, str(scratch))
    del model.graph.output[own:]
    session = ort.InferenceSession(str(scratch), providers=["CPUExecutionProvider"])
    twice = {name: np.concatenate([array, array]) for name, array in feed.items()}
    shapes = zip(names, session.run(names, dict(feed)), session.run(names, twice))
    known = {
        name: one[1:] for name, one, two in shapes if one[0] * 2 == two[0] and (one[1:] == two[1:]).all()
    }
    kept = [node for node in model.graph.node if node.op_type != "Shape" or node.output[0] not in known]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    for name, rest in known.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array([-1, *rest], np.int64), name))


def _ends(path: Path) -> list[str]:
    """Names of the convolutions that no other one precedes on the image's way in, or follows on its way out."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    makers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    images = [value.name for value in graph.input if len(value.type.tensor_type.shape.dim) == 4]
    first = _nearest(images, lambda name: users.get(name, []), lambda node: node.output)
    last = _nearest(
        [value.name for value in graph.output],
        lambda name: [makers[name]] if name in makers else [],
        lambda node: node.input,
    )
    return sorted(first | last)


def _nearest(names: Sequence[str], step: Any, beyond: Any) -> set[str]:
    found: set[str] = set()
    seen, waiting = set(names), list(names)
    while waiting:
        for node in step(waiting.pop()):
            if node.op_type == "Conv":
                found.add(node.name)
                continue
            new = [name for name in beyond(node) if name and name not in seen]
            seen.update(new)
            waiting += new
    return found


def _reader(
    base: Any,
    feeds: Sequence[Mapping[str, Array]],
    progress: Optional[ProgressCallback],
    cancel: Optional[Cancel],
) -> Any:
    class Reader(base):  # type: ignore[misc]
        """Hands out the feeds one by one."""

        def __init__(self) -> None:
            self._done = 0

        def get_next(self) -> Optional[dict[str, Array]]:
            if cancel is not None:
                cancel.raise_if_set()
            if progress is not None:
                progress(Step(self._done, max(1, len(feeds)), message="Calibrating"))
            if self._done == len(feeds):
                return None
            self._done += 1
            return dict(feeds[self._done - 1])

    return Reader()


def _store(made: Path, output: Path) -> None:
    """Check what the quantiser made, and put it in place with its weights beside it."""
    import onnx

    model = onnx.load(str(made))
    model.ir_version = min(model.ir_version, MAX_IR)
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    known = set(opsets) <= {"", "ai.onnx"}
    if not known or max(opsets.values()) > MAX_OPSET:
        raise PackError(f"The quantised graph {output.name} needs operators that Terrane's runtimes lack.")
    if not any(node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") for node in model.graph.node):
        raise PackError(f"The graph {output.name} holds nothing that int8 makes faster.")
    bins = output.with_suffix(".bin").name
    onnx.save_model(
        model, str(output), save_as_external_data=True, location=bins, size_threshold=_EXTERNAL_FROM
    )
    made.unlink()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser logs to the root logger; stderr belongs to the progress line."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def opset_and_ir(path: Path) -> tuple[int, int]:
    """A graph's version of the standard operators, and of the file format."""
    import onnx

    model = onnx.load(os.fspath(path), load_external_data=False)
    return max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), model.ir_version
