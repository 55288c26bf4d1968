# SPDX-License-Identifier: GPL-2.0-or-later
"""What a model family does with a pack's graphs: one class per family, with declared capabilities."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NoReturn, Optional

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, PackError
from ..packs.manifest import Pack
from ..packs.variants import accepted
from ..presets import Preset
from ..runtime.base import Array, Graph, Runtime
from ..types import Cancel

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Images = npt.NDArray[Any]
"""What goes in and comes out per modality: float32 images, float64 places."""


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
        self._graphs: dict[tuple[str, str], Future[Graph]] = {}
        self._lock = threading.Lock()

    @abstractmethod
    def check(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        """Raise ModelError unless the pack makes these targets from these inputs. Opens no weights."""

    def generate(
        self,
        images: Mapping[str, Images],
        targets: Sequence[str],
        keys: Sequence[TileKey],
        preset: Preset,
        *,
        cancel: Optional[Cancel] = None,
        ids_out: Optional[dict[str, Ids]] = None,
    ) -> dict[str, Images]:
        """Make the targets of a batch of tiles.

        images: per modality (B, bands, T, T) float32 in the modality's unit, NaN where there is no data;
        land cover as class ids (B, 1, T, T); COORDS as (B, 2) float64 longitude and latitude in degrees.
        keys: one per tile. ids_out, where given, receives each target's tokens (B, N).
        Returns per target (B, bands, T, T) float32 in the target's unit; land cover as class
        probabilities (B, classes, T, T), so that overlapping tiles can be averaged; COORDS as (B, 2)
        float64 degrees, NaN where the tokens spell no place.
        Raises ModelError, PackError, OutOfMemory, Cancelled.
        """
        del images, targets, keys, preset, cancel, ids_out
        self._cannot("generate")

    def samples(
        self,
        images: Mapping[str, Images],
        targets: Sequence[str],
        keys: Sequence[TileKey],
        preset: Preset,
        count: int,
        *,
        cancel: Optional[Cancel] = None,
    ) -> Iterator[dict[str, Images]]:
        """Make the targets of a batch of tiles ``count`` times, each time with other random numbers.

        Sample s is what ``generate`` gives for the same keys with ``sample=s``. Raises as ``generate``.
        """
        for sample in range(count):
            yield self.generate(
                images, targets, [replace(key, sample=sample) for key in keys], preset, cancel=cancel
            )

    def embed(
        self, images: Mapping[str, Images], preset: Preset, *, cancel: Optional[Cancel] = None
    ) -> Floats:
        """What the encoder makes of a batch of tiles: (B, D, T / patch, T / patch) float32.

        images as for ``generate``. One vector per patch after the encoder's last norm, averaged over the
        input modalities. Raises ModelError, PackError, OutOfMemory, Cancelled.
        """
        del images, preset, cancel
        self._cannot("embed")

    def predict(
        self, images: Mapping[str, Images], preset: Preset, *, cancel: Optional[Cancel] = None
    ) -> Floats:
        """What a model trained for one task says of a batch of tiles.

        images as for ``generate``. Segmentation: class probabilities (B, C, T, T); regression: values
        (B, bands, T, T) in the pack's unit; classification: probabilities (B, C). float32.
        Raises ModelError, PackError, OutOfMemory, Cancelled.
        """
        del images, preset, cancel
        self._cannot("predict")

    def form(self, graph: str, preset: Preset) -> str:
        """The form of a graph to run: the preset's first precision that the pack has, else full precision.

        Among several precisions, a variant counts where its measured error is accepted and where it is faster,
        which int8 is on CPUs; one alone, always.
        """
        spec = self.pack.graphs.get(graph)
        if spec is None:
            raise PackError(f"Pack {self.pack.id} holds no graph {graph!r}. Use a pack made for this.")
        for precision in preset.precision:
            name = f"{self.runtime.name}-{precision}"
            if precision == "fp32" or name not in spec.forms:
                continue
            target = graph[len("decode_") :] if graph.startswith("decode_") else ""
            if len(preset.precision) == 1:
                return name
            if self._on_cpu and accepted(self.pack.variants, precision, target, preset.steps):
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
        if cancel is not None:
            cancel.raise_if_set()
        result = self._loaded(graph, form).run(inputs, cancel=cancel)
        if output not in result:
            raise PackError(f"Pack {self.pack.id}: the graph {graph} gives no {output!r}.")
        return result

    def preload(self, targets: Sequence[str], preset: Preset) -> None:
        """Begin to load the decoders of targets, the largest graphs, while scenes are read and tokens made.

        On a CPU alone, where nothing but memory is asked for. What goes wrong is told when a graph is run.
        """
        if not self._on_cpu:
            return
        for graph in (f"decode_{target}" for target in targets):
            if graph not in self.pack.graphs:
                continue
            words = (graph, self.form(graph, preset))
            if words not in self._graphs:
                # Not a daemon: a process must not end while ONNX Runtime is at work.
                threading.Thread(target=self._try, args=words, name="terrane-loader").start()

    @property
    def _on_cpu(self) -> bool:
        return self.runtime.device.lower() in ("cpu", "cpuexecutionprovider")

    def _try(self, graph: str, form: str) -> None:
        with contextlib.suppress(Exception):  # whoever runs the graph tries again, and is told
            self._loaded(graph, form)

    def _loaded(self, graph: str, form: str) -> Graph:
        """A graph, once it is loaded: by this thread, or by the one that began to. Failures are tried again."""
        with self._lock:
            future = self._graphs.get((graph, form))
            mine = future is None
            if future is None:
                future = self._graphs[graph, form] = Future()
        if mine:
            try:
                future.set_result(self.runtime.load(self.pack.graph_path(graph, form)))
            except BaseException as error:  # noqa: BLE001 - raised below, and in whoever waits
                del self._graphs[graph, form]
                future.set_exception(error)
        return future.result()

    def require_task(self, task: str) -> None:
        """Raise ModelError unless both the family and the pack can do a task."""
        if task not in self.tasks or task not in self.pack.tasks:
            self._cannot(task)

    def _cannot(self, what: str) -> NoReturn:
        raise ModelError(f"The model {self.pack.id} cannot {what}; it can {', '.join(self.pack.tasks)}.")
