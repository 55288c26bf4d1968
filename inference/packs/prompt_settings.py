# SPDX-License-Identifier: GPL-2.0-or-later
"""How a promptable model's encoder and decoder are fed, recognised by the names in their graphs.

Names and shapes as published: segment-anything's ``scripts/export_onnx_model.py`` and
``segment_anything/utils/onnx.py`` (decoder; its encoders come from other exporters, such as
github.com/vietanhdev/samexporter, whose names differ), MobileSAM the same; EfficientSAM's
``export_to_onnx.py`` (github.com/yformer/EfficientSAM); SAM 2 and 2.1 as samexporter's ``export_sam2.py``
writes them, or onnxruntime's ``tools/transformers/models/sam2``; Optimum's SAM export (as transformers.js runs it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

from ..errors import PackError
from .onnx_header import TYPES, Header, Tensor

SAM = "sam"
SAM2 = "sam2"
EFFICIENT = "efficientsam"
OPTIMUM = "optimum"
TORCH = "torch"
"""Transformers' classes: no graphs, a folder of config.json and safetensors."""

WORDS: Mapping[str, str] = {
    SAM: "Segment Anything or MobileSAM",
    SAM2: "SAM 2",
    EFFICIENT: "EfficientSAM",
    OPTIMUM: "Segment Anything as Optimum exports it",
    TORCH: "a model of the transformers library",
}
SIDE = 1024
"""Pixels along the longer side of what these models see, where the graph does not say."""

_POINTS: Mapping[str, tuple[str, str]] = {
    EFFICIENT: ("batched_point_coords", "batched_point_labels"),
    OPTIMUM: ("input_points", "input_labels"),
    SAM: ("point_coords", "point_labels"),
}
MASK_INPUT = ("mask_input", "input_masks")
HAS_MASK = ("has_mask_input", "has_input_masks")
SIZE_INPUT = ("orig_im_size", "original_image_size")
_MASKS = ("low_res_masks", "masks", "output_masks", "pred_masks")
_SCORES = ("iou_predictions", "iou_scores", "scores", "iou_pred")


@dataclass(frozen=True)
class PromptSettings:
    """How to feed a pair."""

    layout: str
    side: int = SIDE
    """Pixels of the square that the encoder sees."""
    image: str = ""
    """The encoder's input."""
    raw: bool = False
    """Whether the encoder takes values 0–255 and normalises them itself."""
    channels_last: bool = False
    batched: bool = True
    """Whether the encoder's input has an axis for several images."""
    fixed: bool = True
    """Whether the encoder takes images of one size only."""
    points: str = ""
    labels: str = ""
    feeds: Mapping[str, str] = field(default_factory=dict)
    """Decoder's input to encoder's output."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Of the inputs of both: what they take."""
    others: tuple[str, ...] = ()
    """The decoder's further inputs: an earlier mask, whether there is one, the view's size."""
    masks: str = ""
    scores: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a pack's ``settings``."""
        return asdict(self)


def settings_from_json(stored: Mapping[str, Any]) -> PromptSettings:
    """Settings of a pack. Raises PackError."""
    known = {key: stored[key] for key in PromptSettings.__dataclass_fields__ if key in stored}
    if known.get("layout") not in WORDS:
        raise PackError(
            f"The pack has the layout {known.get('layout')!r}, which this version does not run; update Terrane."
        )
    known["others"] = tuple(known.get("others", ()))
    return PromptSettings(**known)


def is_decoder(header: Header) -> bool:
    """Whether a graph takes points and labels, and features of an image."""
    return _layout(header) is not None


def read_pair(encoder: Header, decoder: Header) -> PromptSettings:
    """How to feed two graphs. Raises PackError where they are no pair, or of a kind that is not known."""
    layout = _layout(decoder)
    if layout is None:
        raise PackError(
            "The second file is no decoder of a promptable model: it takes no points and labels; "
            "give the encoder first, then its decoder."
        )
    if len(encoder.inputs) != 1:
        raise PackError(
            "The encoder must take one picture and nothing else; export it again as encoder and decoder."
        )
    points, labels = _POINTS[SAM if layout == SAM2 else layout]
    names = [one.name for one in decoder.inputs]
    others = tuple(n for n in names if n in (*MASK_INPUT, *HAS_MASK, *SIZE_INPUT))
    wanted = [one for one in decoder.inputs if one.name not in (points, labels, *others)]
    given = [one.name for one in decoder.outputs]
    masks = next((name for name in _MASKS if name in given), None)
    if masks is None:
        raise PackError(
            f"The decoder gives {', '.join(given)}, but no masks; export it with its published names."
        )
    picture = encoder.inputs[0]
    face = _picture(picture, layout)
    if not face["fixed"]:
        face["side"] = _side_of(decoder)
    return PromptSettings(
        layout=layout,
        feeds={one.name: _partner(one, wanted, encoder) for one in wanted},
        types={one.name: TYPES.get(one.type, "float32") for one in (*decoder.inputs, picture)},
        points=points,
        labels=labels,
        others=others,
        masks=masks,
        scores=next((name for name in _SCORES if name in given), ""),
        **face,
    )


def _layout(decoder: Header) -> Optional[str]:
    names = {one.name for one in decoder.inputs}
    for layout, (points, labels) in _POINTS.items():
        if points in names and labels in names:
            fine = any(n.startswith(("high_res_feats", "image_features")) for n in names)
            return SAM2 if layout == SAM and fine else layout
    return None


def _picture(picture: Tensor, layout: str) -> dict[str, Any]:
    """What an encoder's input says. A picture without an axis for several, with its channels last, or of whole
    numbers is not normalised (samexporter's ``--use-preprocess``); EfficientSAM does so itself, from 0–1."""
    shape = picture.shape
    whole = TYPES.get(picture.type, "float32") not in ("float32", "float16", "float64")
    last = bool(shape) and shape[-1] == 3
    if len(shape) not in (3, 4) or not (last or shape[-3] in (3, "", *_named(shape[-3]))):
        raise PackError(
            f"The encoder takes {list(shape)}, not a picture of three bands; export it again as published."
        )
    rows = shape[-3] if last else shape[-2]
    fixed = isinstance(rows, int) and rows > 0
    return {
        "image": picture.name,
        "raw": layout != EFFICIENT and (last or whole or len(shape) == 3),
        "channels_last": last,
        "batched": len(shape) == 4,
        "fixed": fixed,
        "side": int(rows) if fixed else SIDE,
    }


def _side_of(decoder: Header) -> int:
    """Pixels of the square, from an earlier mask's: these have a quarter as many."""
    shapes = [one.shape for one in decoder.inputs if one.name in MASK_INPUT]
    last = shapes[0][-1] if shapes and shapes[0] else 0
    return 4 * last if isinstance(last, int) and last > 0 else SIDE


def _named(length: Any) -> tuple[Any, ...]:
    return (length,) if isinstance(length, str) else ()


def _partner(wanted: Tensor, all_wanted: list[Tensor], encoder: Header) -> str:
    """The encoder's output for a decoder's input: of its name, else the only one. Raises PackError."""
    found = next((one for one in encoder.outputs if one.name == wanted.name), None)
    if found is None and len(all_wanted) == 1 and len(encoder.outputs) == 1:
        found = encoder.outputs[0]
    if found is None:
        raise PackError(
            f"The decoder needs {wanted.name}, which the encoder does not give; the two do not belong together."
        )
    lengths = list(zip(found.shape, wanted.shape))
    unequal = any(
        isinstance(a, int) and isinstance(b, int) and a > 0 and b > 0 and a != b for a, b in lengths
    )
    if unequal or (found.shape and wanted.shape and len(found.shape) != len(wanted.shape)):
        raise PackError(
            f"The encoder gives {found.name} as {list(found.shape)}, but the decoder takes {list(wanted.shape)}; "
            "the two do not belong together."
        )
    return found.name
