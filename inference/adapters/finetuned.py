# SPDX-License-Identifier: GPL-2.0-or-later
"""Models that were trained for one task: a whole terratorch model (TiM included) in one graph, ``predict``.

Inputs ``image_<modality>`` (B, bands, T, T) standardised; output ``logits`` (B, classes, T, T) or
(B, classes), or ``values`` (B, bands, T, T).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional, cast

import numpy as np

from ..errors import ModelError, PackError
from ..presets import Preset
from ..types import Cancel
from .base import Adapter, Floats, Images
from .terramind import softmax
from .tokens import standardise

GRAPH = "predict"


class FineTuned(Adapter):
    """Runs packs of the family ``finetuned``."""

    family = "finetuned"
    tasks = frozenset({"segment", "regress", "classify"})

    def check(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        """Raise ModelError unless exactly the pack's inputs are given. Opens no weights."""
        if targets:
            self._cannot("generate")
        check_inputs(self.pack.id, tuple(self.pack.inputs), inputs)

    def predict(
        self, images: Mapping[str, Images], preset: Preset, *, cancel: Optional[Cancel] = None
    ) -> Floats:
        """What the model says of a batch of tiles; see the base class."""
        self.check(tuple(images), ())
        size = self.pack.tile
        feeds = {}
        for modality, spec in self.pack.inputs.items():
            image = cast(Floats, images[modality])
            if image.ndim != 4 or image.shape[1:] != (len(spec.bands), size, size):
                raise ValueError(f"{modality} has shape {image.shape}, not tiles of {size} pixels")
            feeds[f"image_{modality}"] = standardise(image, spec)
        output = "values" if self.pack.output is not None else "logits"
        answer = cast(Floats, self.run(GRAPH, feeds, output, preset, cancel)[output])
        count = len(self.pack.output.names) if self.pack.output is not None else len(self.pack.classes)
        expected = (len(next(iter(feeds.values()))), count)
        if "classify" not in self.pack.tasks:
            expected = (*expected, size, size)  # type: ignore[assignment]
        if answer.shape != expected:
            raise PackError(f"Pack {self.pack.id}: the graph {GRAPH} gives {answer.shape}, not {expected}.")
        if not np.isfinite(answer).all():
            raise PackError(f"Pack {self.pack.id}: the graph {GRAPH} gives answers that are no numbers.")
        return answer if self.pack.output is not None else softmax(answer)


def check_inputs(model: str, taken: Sequence[str], given: Sequence[str]) -> None:
    """Raise ModelError unless a model that needs all of ``taken`` is given just these."""
    for modality in given:
        if modality not in taken:
            raise ModelError(f"The model {model} does not take {modality}; it takes {', '.join(taken)}.")
    missing = [modality for modality in taken if modality not in given]
    if missing:
        raise ModelError(
            f"The model {model} needs {' and '.join(missing)} as well; it takes {', '.join(taken)} together."
        )
