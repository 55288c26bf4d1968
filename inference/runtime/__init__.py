# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs graphs: ONNX Runtime, or PyTorch. Neither is imported before one is made."""

from __future__ import annotations

from typing import Optional

from ..errors import InputError
from .base import Runtime

KINDS = ("onnx", "torch")


def make_runtime(kind: str = "onnx", *, device: str = "auto", threads: Optional[int] = None) -> Runtime:
    """A runtime of one kind on one device.

    ``device``: auto, cpu, cuda, directml or coreml for onnx; auto, cpu, cuda or mps for torch.
    ``threads``: None for all cores (inside QGIS: all but one). Raises RuntimeMissing when it is not
    installed, InputError for a kind or device that does not exist.
    """
    if threads is not None and threads < 1:
        raise InputError(f"{threads} threads cannot run anything; give at least 1.")
    if kind == "onnx":
        from .onnx_runtime import OnnxRuntime

        return OnnxRuntime(device=device, threads=threads)
    if kind == "torch":
        from .torch_runtime import TorchRuntime

        runtime: Runtime = TorchRuntime(device=device, threads=threads)
        return runtime
    raise InputError(f"There is no runtime {kind!r}. Choose one of {', '.join(KINDS)}.")


def available_devices() -> list[str]:
    """Devices that the installed ONNX Runtime was built for, best first; empty when there is none."""
    from . import onnx_runtime

    return onnx_runtime.available_devices()
