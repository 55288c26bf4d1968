# SPDX-License-Identifier: GPL-2.0-or-later
"""Users' own ONNX models in *segment* and *regress*: their answers to rasters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ..adapters import pictures
from ..adapters.base import Adapter
from ..adapters.peer import Peer
from ..errors import BandError
from ..io.base import Float32, Geo, Mask, OutputSpec
from ..io.scene import Scene
from ..io.values import sample
from ..packs.answers import NODATA_CLASS, NODATA_VALUE, parse_classes
from ..packs.manifest import Pack
from ..packs.peer_pack import FAMILY, IMAGE
from ..packs.peer_settings import BYTE, SEGMENTOR, PeerSettings, settings_from_json
from ..types import Cancel
from .assemble import Product
from .predict import SOURCE, Answer, Plan

CLASSES, PROBABILITY = "classes", "probability"


def is_peer(pack: Pack) -> bool:
    """Whether a model is a user's own."""
    return pack.family == FAMILY


def class_outputs(pack: Pack, *, probability: bool = False) -> tuple[str, ...]:
    """What *segment* makes with a model: "classes", and for further outputs "classes_2", …"""
    heads = len(settings_from_json(pack.settings).heads) if is_peer(pack) else 1
    kinds = (CLASSES, PROBABILITY) if probability else (CLASSES,)
    return tuple(kind if head == 0 else f"{kind}_{head + 1}" for head in range(heads) for kind in kinds)


def check_scaling(scene: Scene, settings: PeerSettings, geo: Geo) -> None:
    """Raise BandError where values reach beyond 8 bits and nobody has said what they mean.

    Deepness divides by 255 whatever comes; 16-bit pixels would then be far brighter than anything that the
    model has seen.
    """
    if settings.scaling_chosen or settings.high != (BYTE,):
        return
    values = sample(scene, geo)
    if values.size and float(values.max()) > BYTE:
        raise BandError(
            f"The values of {scene.name} reach {float(values.max()):g}, but the model expects 0 to 255: say "
            "which become 0 and 1 with the setting scaling=LOW:HIGH (0:65535, 0:10000, or one per band), or "
            "scaling=0:255 to divide by 255 all the same."
        )


def peer_plan(plan: Plan, geo: Geo, *, run: bool) -> Plan:
    """A plan with what a user's model makes of pictures. ``run``: look at the values, too."""
    settings = settings_from_json(plan.pack.settings)
    if run:
        check_scaling(plan.request.scene, settings, geo)
    if settings.kind == SEGMENTOR:
        products = tuple(
            product for head in range(len(settings.heads)) for product in _classes(plan, settings, head)
        )
    else:
        products = (_values(plan, settings),)
    return replace(plan, products=products, answer=_answer(plan, settings))


def _answer(plan: Plan, settings: PeerSettings) -> Answer:
    def ask(
        adapter: Adapter, images: Mapping[str, Any], cancel: Optional[Cancel]
    ) -> Mapping[str, npt.NDArray[Any]]:
        answers = peer_of(adapter).answers(images[IMAGE], plan.preset, cancel)
        if settings.kind == SEGMENTOR:
            return {f"{SOURCE}_{head}": values for head, values in enumerate(answers)}
        return {SOURCE: np.concatenate(answers, axis=1)}

    return ask


def peer_of(adapter: Adapter) -> Peer:
    """An adapter that is known to be a user's model's."""
    if not isinstance(adapter, Peer):
        raise TypeError("only a user's own ONNX model can do this")
    return adapter


def _classes(plan: Plan, settings: PeerSettings, head: int) -> list[Product]:
    """The raster of classes of one output and, if wanted, of the likelihood of the chosen one."""
    suffix = f"_{head + 1}" if head else ""
    names, single = settings.heads[head], settings.single[head]
    classes = parse_classes([{"value": i, "name": name} for i, name in enumerate(names)])
    source, framed = f"{SOURCE}_{head}", settings.margin > 0
    channels = len(names) + framed

    def likelihoods(values: Float32) -> Float32:
        return pictures.unframed(values) if framed else values

    def class_pixels(values: Float32, valid: Mask) -> npt.NDArray[np.uint8]:
        best = pictures.chosen(likelihoods(values), settings.threshold, single)
        return np.where(valid, best, NODATA_CLASS).astype(np.uint8)[None]

    def probability_pixels(values: Float32, valid: Mask) -> Float32:
        seen = likelihoods(values)
        best = pictures.chosen(seen, settings.threshold, single)
        share = np.take_along_axis(seen, best[None], axis=0)[0]
        return np.where(valid, share, np.float32(NODATA_VALUE))[None].astype(np.float32)

    spec = OutputSpec(
        dtype="uint8",
        nodata=float(NODATA_CLASS),
        band_names=("Class",),
        colors={c.value: c.rgba for c in classes},
        categories=tuple(c.name for c in classes),
        tags={**plan.tags, "TERRANE_MODALITY": "CLASSES"},
    )
    made = [Product(CLASSES + suffix, source, channels, spec, class_pixels, resampling="nearest")]
    if PROBABILITY + suffix in plan.request.outputs:
        note = "What the model gives for the chosen class, from 0 to 1."
        tags = {**plan.tags, "TERRANE_MODALITY": "CLASSES_probability", "TERRANE_NOTE": note}
        second = OutputSpec("float32", NODATA_VALUE, ("Probability of the class",), tags=tags)
        made.append(Product(PROBABILITY + suffix, source, channels, second, probability_pixels))
    return made


def _values(plan: Plan, settings: PeerSettings) -> Product:
    """The raster of a regressor: a band for each output, in floating point."""
    names = tuple(head[0] for head in settings.heads)
    spec = OutputSpec(
        dtype="float32",
        nodata=NODATA_VALUE,
        band_names=names,
        units=(settings.unit,) * len(names),
        tags={**plan.tags, "TERRANE_MODALITY": "VALUES"},
    )
    framed = settings.margin > 0

    def pixels(values: Float32, valid: Mask) -> Float32:
        if framed:
            values = np.concatenate([pictures.unframed(values[i : i + 2]) for i in range(0, len(values), 2)])
        return np.where(valid & np.isfinite(values), values, np.float32(NODATA_VALUE)).astype(np.float32)

    return Product("values", SOURCE, len(names) * (1 + framed), spec, pixels)
