# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of metadata and users as values, and guesses by the shapes of a model's outputs."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Union

from ..errors import InputError, PackError
from .manifest import Pack
from .onnx_header import Tensor
from .peer_settings import (
    DETECTOR,
    RECOGNITION,
    SEGMENTOR,
    SUPERRESOLUTION,
    ULTRALYTICS,
    ULTRALYTICS_MASKS,
    ULTRALYTICS_OBB,
    YOLO_V5,
    check_settings,
    settings_from_json,
)


def parse_value(text: str) -> Any:
    """A value of the metadata: JSON, else a Python literal (as Ultralytics writes), else the text itself."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return text


def parse_names(stated: Any) -> list[tuple[str, ...]]:
    """Class names by output: a dict with the keys 0, 1, 2, … or a list of names, or a list of such dicts."""
    if isinstance(stated, Mapping):
        by_number = {str(key): str(value) for key, value in stated.items()}
        wanted = [str(i) for i in range(len(by_number))]
        return [tuple(by_number[i] for i in wanted)] if set(wanted) == set(by_number) else []
    if isinstance(stated, (list, tuple)):
        if stated and all(isinstance(one, str) for one in stated):
            return [tuple(stated)]
        return [(parse_names(one) or [()])[0] for one in stated]
    return []


def parse_scaling(text: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lows and highs of "0:255", of one LOW:HIGH per band with commas, or of "none" (0:1). Raises PackError."""
    if text.strip().lower() == "none":
        return (0.0,), (1.0,)
    try:
        pairs = [tuple(map(float, word.split(":"))) for word in text.split(",")]
        return tuple(low for low, _ in pairs), tuple(high for _, high in pairs)
    except ValueError as error:
        raise PackError(f"The scaling {text!r} is not LOW:HIGH, such as 0:255, or one per band.") from error


def guess_kind(output: Tensor, image: Tensor, fitting: Sequence[str]) -> str:
    """The likeliest kind by the first output's shape."""
    sides: list[Union[int, str]] = list(output.shape[-2:])
    size = image.shape[-1]
    if len(output.shape) == 2:
        return RECOGNITION
    if len(output.shape) == 4:
        larger = [side for side in sides if isinstance(side, int) and isinstance(size, int) and side > size]
        return SUPERRESOLUTION if len(larger) == 2 else SEGMENTOR
    square = isinstance(sides[0], int) and sides[0] == sides[1]
    return SEGMENTOR if square and SEGMENTOR in fitting else DETECTOR


def guess_layout(outputs: Sequence[Tensor], names: int) -> str:
    """The likeliest layout: more rows than columns is v5's; the other way round is Ultralytics'."""
    rows, columns = outputs[0].shape[1:3]
    if not (isinstance(rows, int) and isinstance(columns, int)) or rows >= columns:
        return YOLO_V5
    if len(outputs) > 1 and len(outputs[1].shape) == 4:
        return ULTRALYTICS_MASKS
    return ULTRALYTICS_OBB if names and rows == 4 + names + 1 else ULTRALYTICS


def filled_names(names: Sequence[str], channels: int) -> tuple[str, ...]:
    """As many names as a segmentor's output has classes: one channel is two, the background and the other."""
    wanted = max(channels, 2)
    rest = [f"channel_{i}" for i in range(wanted)] if channels > 1 else ["background", "channel_0"]
    return (*names, *rest[len(names) :])[:wanted]


RUN_ANSWERS: Mapping[str, str] = {
    "overlap": "overlap",
    "threshold": "threshold",
    "confidence": "confidence",
    "iou": "iou",
    "factor": "factor",
    "output_high": "output_high",
}
"""Settings that a single run may change, and their fields; "scaling" is one more."""


def with_settings(pack: Pack, answers: Mapping[str, str]) -> Pack:
    """A pack with some of its settings as a run wants them. Raises InputError, PackError."""
    if not answers:
        return pack
    if not pack.settings:
        raise InputError(f"The model {pack.id} has no settings to set; leave out --set.")
    settings = settings_from_json(pack.settings)
    for key, text in answers.items():
        if key == "scaling":
            low, high = parse_scaling(text)
            settings = replace(settings, low=low, high=high, scaling_chosen=True)
            continue
        if key not in RUN_ANSWERS:
            raise InputError(
                f"A run cannot set {key!r}; it can set scaling, {', '.join(RUN_ANSWERS)}. Add the model again "
                "to change anything else."
            )
        try:
            number = float(text)
        except ValueError as error:
            raise InputError(f"{key} is {text[:40]!r}, which is no number.") from error
        value: Any = round(number) if key == "overlap" else number
        settings = replace(settings, **{RUN_ANSWERS[key]: value})
    check_settings(settings)
    return replace(pack, settings=settings.to_json())
