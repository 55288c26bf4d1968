# SPDX-License-Identifier: GPL-2.0-or-later
"""What a model family does with a pack's graphs: one class per family, with declared capabilities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Optional

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, PackError
from ..packs.manifest import Pack
from ..presets import Preset
from ..runtime.base import Array, Graph, Runtime
from ..types import Cancel

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TileKey:
    """What a tile's random numbers depend on, and nothing else."""

    seed: int
    tile: int
    sample: int = 0


class Adapter(ABC):
    """A model family. Graphs are loaded when they are first needed and kept."""

    family: ClassVar[str]
    """The family in pack.json that this class runs."""
    tasks: ClassVar[frozenset[str]]
    """Tasks that it can do."""

    def __init__(self, pack: Pack, runtime: Runtime) -> None:
        self.pack = pack
        self.runtime = runtime
        self._graphs: dict[tuple[str, str], Graph] = {}

    @abstractmethod
    def check(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        """Raise ModelError unless the pack makes these targets from these inputs. Opens no weights."""

    @abstractmethod
    def generate(
        self,
        images: Mapping[str, Floats],
        targets: Sequence[str],
        keys: Sequence[TileKey],
        preset: Preset,
        *,
        cancel: Optional[Cancel] = None,
        ids_out: Optional[dict[str, Ids]] = None,
    ) -> dict[str, Floats]:
        """Make the targets of a batch of tiles.

        images: per modality (B, bands, T, T) float32 in the modality's unit, NaN where there is no data.
        keys: one per tile. ids_out, where given, receives each target's tokens (B, N).
        Returns per target (B, bands, T, T) float32 in the target's unit; land cover as class
        probabilities (B, classes, T, T), so that overlapping tiles can be averaged.
        Raises ModelError, PackError, OutOfMemory, Cancelled.
        """

    def form(self, graph: str, preset: Preset) -> str:
        """The form of a graph to run: the preset's first precision that the pack has, else full precision."""
        spec = self.pack.graphs.get(graph)
        if spec is None:
            raise PackError(f"Pack {self.pack.id} holds no graph {graph!r}. Use a pack made for this.")
        for precision in preset.precision:
            name = f"{self.runtime.name}-{precision}"
            if precision != "fp32" and name in spec.forms:
                return name
        return self.runtime.name

    def run(
        self,
        graph: str,
        inputs: Mapping[str, Array],
        output: str,
        preset: Preset,
        cancel: Optional[Cancel],
    ) -> dict[str, Array]:
        """Run a graph of the pack by name, and make sure that it gives ``output``."""
        form = self.form(graph, preset)
        if (graph, form) not in self._graphs:
            if cancel is not None:
                cancel.raise_if_set()
            self._graphs[graph, form] = self.runtime.load(self.pack.graph_path(graph, form))
        result = self._graphs[graph, form].run(inputs, cancel=cancel)
        if output not in result:
            raise PackError(f"Pack {self.pack.id}: the graph {graph} gives no {output!r}.")
        return result

    def require_task(self, task: str) -> None:
        """Raise ModelError unless both the family and the pack can do a task."""
        if task not in self.tasks or task not in self.pack.tasks:
            raise ModelError(f"The model {self.pack.id} cannot {task}; it can {', '.join(self.pack.tasks)}.")
