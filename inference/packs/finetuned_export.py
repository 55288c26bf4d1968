# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a static torch module as the ONNX file of a pack. Needs torch, onnxscript and onnx_ir."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import PackError

OPSET, IR_VERSION = 18, 10
EXTERNAL_FROM = 1 << 20
"""Bytes of weights from which they get a file of their own."""


def export(
    module: Any, examples: Sequence[Any], names: Sequence[str], output: str, path: Path
) -> tuple[int, int]:
    """Write a static module as ONNX (opset 18, IR at most 10, dynamic batch); returns (opset, IR version).

    Weights of more than a megabyte go to ``<path>.data``. Raises PackError where torch cannot export it.
    """
    import torch

    batch = torch.export.Dim("batch", min=1, max=4096)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                module,
                tuple(examples),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(names),
                output_names=[output],
                dynamic_shapes=(tuple({0: batch} for _ in examples),),
                verbose=False,
            )
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            raise PackError(f"torch cannot export this model to ONNX ({str(error)[:200]}).") from error
    model = program.model
    _tidy(model)
    large = (
        sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value) > EXTERNAL_FROM
    )
    program.save(str(path), external_data=large)
    return int(model.opset_imports.get("", OPSET)), int(model.ir_version)


def _tidy(model: Any) -> None:
    """Forget paths and line numbers of the machine that exported; call the dynamic axis ``batch``."""
    import onnx_ir

    model.ir_version = min(int(model.ir_version), IR_VERSION)
    model.producer_name, model.producer_version, model.doc_string = "terrane", "", ""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = ""
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.metadata_props.clear()
        if value.shape is not None:
            value.shape = onnx_ir.Shape(["batch", *list(value.shape)[1:]])
