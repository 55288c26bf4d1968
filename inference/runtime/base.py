# SPDX-License-Identifier: GPL-2.0-or-later
"""One named graph: a dict of arrays in, a dict of arrays out. Nothing above knows what runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Protocol

import numpy.typing as npt

from ..types import Cancel

Array = npt.NDArray[Any]


class Graph(Protocol):
    """A loaded graph, ready to run."""

    def run(self, inputs: Mapping[str, Array], *, cancel: Optional[Cancel] = None) -> dict[str, Array]:
        """Run once. Raises Cancelled when ``cancel`` is pressed meanwhile, OutOfMemory, PackError."""
        ...


class Runtime(Protocol):
    """Loads graphs on one device."""

    name: str
    """onnx or torch."""
    device: str
    """What really runs it, as reported: CPUExecutionProvider, CUDAExecutionProvider, cpu, cuda, mps…"""

    def load(self, path: str) -> Graph:
        """Load a graph file (.onnx with its external data beside it, or .pt2). Raises PackError."""
        ...
