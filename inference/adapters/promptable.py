# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs promptable models from pairs of ONNX graphs: a view is encoded once, then each prompt is decoded.

Where the numbers come from: mean and deviation, the longer side of 1024 padded at the right and below, and
labels (0 beside the object, 1 on it, 2 and 3 two corners of a box, −1 a point that stands for none) are
those of segment-anything (``modeling/sam.py``, ``modeling/prompt_encoder.py``, ``utils/onnx.py``); SAM 2
stretches to a square (``sam2/utils/transforms.py``); EfficientSAM takes 0–1 and six points at most
(``efficient_sam/efficient_sam.py``). All of them add half a pixel to places: pixels count from their centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, PackError
from ..packs.manifest import Pack
from ..packs.prompt_pack import DECODE, ENCODE, FAMILY, TASK
from ..packs.prompt_settings import (
    EFFICIENT,
    HAS_MASK,
    MASK_INPUT,
    OPTIMUM,
    SAM,
    SAM2,
    SIZE_INPUT,
    settings_from_json,
)
from ..prompts import Prompt
from ..resample import resized, sampled
from ..runtime.base import Array, Runtime
from ..types import Cancel
from .base import Adapter, Floats

MEAN = np.array([123.675, 116.28, 103.53], np.float32)
"""Of red, green and blue, 0–255."""
STD = np.array([58.395, 57.12, 57.375], np.float32)
MOST_POINTS = {EFFICIENT: 6}


@dataclass(frozen=True, eq=False)
class Encoded:
    """A view as the encoder sees it, ready for prompts."""

    features: dict[str, Array]
    """By the decoder's names."""
    view: tuple[int, int]
    """Rows and columns of the view."""
    fed: tuple[int, int]
    """Rows and columns that the encoder was given for it, without padding."""
    square: tuple[int, int]
    """Rows and columns with padding: what the decoder's masks cover."""

    def part(self, rows: int, columns: int) -> tuple[float, float]:
        """How much of a mask of so many rows and columns covers the view."""
        return rows * self.fed[0] / self.square[0], columns * self.fed[1] / self.square[1]


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a model sees at a prompt: several masks, of which the best has to be chosen."""

    logits: Floats
    """(n, rows, columns), above 0 where the object is; the first ``part`` of it covers the view."""
    scores: Optional[Floats]
    """(n,) how good the model says each is."""
    part: tuple[float, float]
    view: tuple[int, int]

    def in_view(self, number: int) -> Floats:
        """One mask's logits (h, w) in the view's pixels."""
        return sampled(self.logits[number], self.part, *self.view)

    def best(self, prompt: Prompt) -> int:
        """The one to show: of four the first where the prompt is clear (segment-anything's ``select_masks``
        takes it from two points on), else the best by score."""
        first = 0
        if len(self.logits) == 4:
            if prompt.box is not None or len(prompt.points) > 1:
                return 0
            first = 1
        if self.scores is None:
            return first
        return first + int(np.argmax(self.scores[first:]))


class Prompted(Protocol):
    """What answers prompts, whatever runs it."""

    pack: Pack

    def encode(self, image: npt.NDArray[np.uint8], *, cancel: Optional[Cancel] = None) -> Any:
        """Look at a view (h, w, 3) once. Raises Cancelled, PackError, OutOfMemory."""
        ...

    def decode(self, encoded: Any, prompt: Prompt, *, cancel: Optional[Cancel] = None) -> Candidates:
        """Answer a prompt that lies within the view. Raises as ``encode``, and ModelError."""
        ...


class Promptable(Adapter):
    """Runs packs of the family ``promptable``."""

    family = FAMILY
    tasks = frozenset({TASK})

    def __init__(self, pack: Pack, runtime: Runtime) -> None:
        super().__init__(pack, runtime)
        self.settings = settings_from_json(pack.settings)

    def check(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        """Raise ModelError always: it answers prompts, and makes nothing of whole scenes."""
        del inputs, targets
        self._cannot("generate")

    def encode(self, image: npt.NDArray[np.uint8], *, cancel: Optional[Cancel] = None) -> Encoded:
        """Look at a view (h, w, 3) once. Raises Cancelled, PackError, OutOfMemory."""
        settings, view = self.settings, (image.shape[0], image.shape[1])
        fed = self._fed(view)
        padded = settings.layout in (SAM, OPTIMUM) and (settings.fixed or not settings.raw)
        square = (settings.side, settings.side) if settings.layout != EFFICIENT else fed
        picture = resized(image, *fed)
        if settings.layout == EFFICIENT:
            picture = picture / np.float32(255)
        elif not settings.raw:
            picture = (picture - MEAN) / STD
        if padded and fed != square:
            picture = np.pad(picture, ((0, square[0] - fed[0]), (0, square[1] - fed[1]), (0, 0)))
        if not settings.channels_last:
            picture = picture.transpose(2, 0, 1)
        if settings.batched:
            picture = picture[None]
        given = self._graph(ENCODE, {settings.image: self._typed(settings.image, picture)}, cancel)
        missing = set(settings.feeds.values()) - set(given)
        if missing:
            raise PackError(
                f"The encoder of {self.pack.id} does not give {', '.join(sorted(missing))}; add the model again."
            )
        features = {name: given[source] for name, source in settings.feeds.items()}
        return Encoded(features, view, fed, square)

    def decode(self, encoded: Encoded, prompt: Prompt, *, cancel: Optional[Cancel] = None) -> Candidates:
        """Answer a prompt that lies within the view. Raises as ``encode``, and ModelError."""
        settings = self.settings
        places, labels = self._points(encoded, prompt)
        feeds = dict(encoded.features)
        lead = (1, 1) if settings.layout in (EFFICIENT, OPTIMUM) else (1,)
        feeds[settings.points] = places.reshape(*lead, -1, 2)
        feeds[settings.labels] = labels.reshape(*lead, -1)
        for name in settings.others:
            feeds[name] = self._other(name, encoded)
        given = self._graph(DECODE, {name: self._typed(name, value) for name, value in feeds.items()}, cancel)
        return self._candidates(given, encoded)

    def _fed(self, view: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of what the encoder is given for a view."""
        settings = self.settings
        if settings.layout == SAM2 or (settings.layout == EFFICIENT and settings.fixed):
            return settings.side, settings.side
        scale = settings.side / max(view)
        if settings.layout == EFFICIENT:
            # It makes a square of it by itself: more than that is lost, less is not made up.
            scale = min(scale, 1.0)
        return max(1, int(view[0] * scale + 0.5)), max(1, int(view[1] * scale + 0.5))

    def _points(self, encoded: Encoded, prompt: Prompt) -> tuple[Floats, Floats]:
        """Places (n, 2) in what the encoder was given, counted from pixels' centres, and labels (n,)."""
        layout = self.settings.layout
        places, labels = [*prompt.points], [float(one) for one in prompt.positive]
        most = MOST_POINTS.get(layout, 10**6) - (2 if prompt.box else 0)
        if len(places) > most:
            kept = np.linspace(0, len(places) - 1, most).round().astype(int)
            places, labels = [places[i] for i in kept], [labels[i] for i in kept]
        if prompt.box is not None and layout == OPTIMUM:
            if not places:
                raise ModelError(f"The model {self.pack.id} takes points only; click on the object instead.")
        elif prompt.box is not None:
            places += [prompt.box[:2], prompt.box[2:]]
            labels += [2.0, 3.0]
        ratio = np.array([encoded.fed[1] / encoded.view[1], encoded.fed[0] / encoded.view[0]])
        scaled = np.asarray(places, np.float64).reshape(-1, 2) * ratio - 0.5
        if layout == SAM and prompt.box is None:
            # As the published export wants it where there is no box; SAM 2's exports add it themselves.
            scaled, labels = np.concatenate((scaled, [[0.0, 0.0]])), [*labels, -1.0]
        return scaled.astype(np.float32), np.asarray(labels, np.float32)

    def _other(self, name: str, encoded: Encoded) -> Array:
        if name in MASK_INPUT:
            side = 4 * max(array.shape[-1] for key, array in encoded.features.items() if _is_embedding(key))
            shape = self.pack.graphs[DECODE].inputs.get(name, ())
            fixed = [v for v in shape[-2:] if isinstance(v, int) and v > 0]
            return np.zeros((1, 1, *(fixed if len(fixed) == 2 else (side, side))), np.float32)
        if name in HAS_MASK:
            return np.zeros(1, np.float32)
        assert name in SIZE_INPUT
        if self.settings.masks == "low_res_masks":
            # The graph's own full-size masks are not used: it need not spend long on them.
            return np.maximum(np.array(encoded.fed, np.float32) // 4, 1)
        return np.array(encoded.fed if self.settings.layout == EFFICIENT else encoded.view, np.float32)

    def _candidates(self, given: dict[str, Array], encoded: Encoded) -> Candidates:
        settings = self.settings
        if settings.masks not in given:
            raise PackError(f"The decoder of {self.pack.id} gives no {settings.masks}; add the model again.")
        logits = np.asarray(given[settings.masks], np.float32)
        if logits.ndim < 2 or not logits.size or not np.isfinite(logits).all():
            raise PackError(
                f"The decoder of {self.pack.id} gives masks that are no numbers; use another model."
            )
        logits = logits.reshape(-1, *logits.shape[-2:])
        scores = (
            np.asarray(given[settings.scores], np.float32).reshape(-1) if settings.scores in given else None
        )
        if scores is not None and len(scores) != len(logits):
            raise PackError(
                f"The decoder of {self.pack.id} gives {len(logits)} masks, but {len(scores)} scores."
            )
        rows, columns = logits.shape[1:]
        whole = settings.masks == "masks" and SIZE_INPUT[0] in settings.others
        part = (float(rows), float(columns)) if whole else encoded.part(rows, columns)
        return Candidates(logits, scores, part, encoded.view)

    def _typed(self, name: str, value: Array) -> Array:
        return np.asarray(value, self.settings.types.get(name, "float32"))

    def _graph(self, graph: str, feeds: dict[str, Array], cancel: Optional[Cancel]) -> dict[str, Array]:
        return self._loaded(graph, self.runtime.name).run(feeds, cancel=cancel)


def _is_embedding(name: str) -> bool:
    """Whether a feature is the coarsest one, at a sixteenth of the square: not SAM 2's finer ones."""
    return name.startswith("image_embed")
