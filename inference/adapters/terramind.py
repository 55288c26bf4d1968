# SPDX-License-Identifier: GPL-2.0-or-later
"""TerraMind (arXiv 2504.11171): any modalities to any others, by way of discrete tokens.

Inputs become tokens (:mod:`.tokens`), a transformer reads them (``encoder``), predicts the tokens of a
target (``predict_*``), and the target's tokenizer decodes them (``decode_*``), directly or by diffusion.
Coordinates are written word by word instead. Graphs and tensors are described in pack.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional, cast

import numpy as np

from .. import ddim, sampler
from ..coords import GENERATED, START, STOP
from ..errors import ModelError, PackError
from ..packs.manifest import Pack, TargetSpec
from ..presets import Preset
from ..runtime.base import Array, Runtime
from ..types import Cancel
from .base import Floats, Ids, Images, TileKey
from .tokens import COORDS, Context, Part, TokenAdapter, standardise

__all__ = ["TerraMind", "destandardise", "softmax", "standardise"]


@dataclass(frozen=True)
class _Start:
    """What a batch's draws share."""

    parts: Mapping[str, Part]
    """Every modality that the first target sees."""
    context: Context
    logits: dict[str, Floats]
    """Target → logits from ``context``, as far as they were needed."""


class TerraMind(TokenAdapter):
    """Runs packs of the family ``terramind``.

    ``chain``: the tokens of each target join the input of the next, in the order given (the
    reference's way); None: as the pack says.
    """

    family = "terramind"
    tasks = frozenset({"generate", "embed"})

    def __init__(self, pack: Pack, runtime: Runtime, *, chain: Optional[bool] = None) -> None:
        super().__init__(pack, runtime)
        self.chain = pack.chain if chain is None else chain

    def check(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        """Raise ModelError unless the pack makes these targets from these inputs. Opens no weights."""
        self.require_task("generate")
        name = self.pack.id
        made = list(self.pack.targets)
        if not inputs or not targets:
            raise ModelError(f"The model {name} needs at least one input and one target.")
        self._check_inputs(inputs)
        for target in targets:
            if target not in made:
                raise ModelError(f"The model {name} does not make {target}; it makes {', '.join(made)}.")
            if target in inputs:
                raise ModelError(f"{target} is an input already; leave it out of the targets.")
        if len(set(targets)) != len(targets):
            raise ModelError(f"A target is named twice: {', '.join(targets)}.")

    def _check_inputs(self, inputs: Sequence[str]) -> None:
        taken = [modality for modality in self.pack.inputs if self.takes(modality)]
        for modality in inputs:
            if modality not in taken:
                raise ModelError(
                    f"The model {self.pack.id} does not take {modality}; it takes {', '.join(taken)}."
                )

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
        """Make the targets of a batch of tiles; see the base class."""
        self.check(tuple(images), targets)
        start = self._start(images, targets, len(keys), preset, cancel)
        return self._chain(start, targets, keys, preset, cancel, ids_out)

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
        """Several draws; what does not depend on the draw (all up to the first tokens) is computed once."""
        self.check(tuple(images), targets)
        start = self._start(images, targets, len(keys), preset, cancel)
        for sample in range(count):
            drawn = [replace(key, sample=sample) for key in keys]
            yield self._chain(start, targets, drawn, preset, cancel, None)

    def embed(
        self, images: Mapping[str, Images], preset: Preset, *, cancel: Optional[Cancel] = None
    ) -> Floats:
        """What the encoder makes of each patch, averaged over the input images; see the base class.

        As terratorch's backbone with merge_method "mean": coordinates are read, but not averaged.
        """
        self.require_task("embed")
        pictures = [modality for modality in images if modality != COORDS]
        if not pictures:
            raise ModelError(f"The model {self.pack.id} needs an image to embed.")
        self._check_inputs(tuple(images))
        count = len(images[pictures[0]])
        parts = {m: self.input_part(m, images[m], count, preset, cancel) for m in images}
        encoded = self.encoded(list(parts.values()), preset, cancel)
        ends = np.cumsum([part.tokens.shape[1] for part in parts.values()])
        wanted = [
            encoded[:, end - self.pack.tokens : end]
            for end, modality in zip(ends, parts)
            if modality != COORDS
        ]
        merged = wanted[0] if len(wanted) == 1 else np.mean(wanted, axis=0, dtype=np.float32)
        side = self.pack.tile // self.pack.patch
        return np.ascontiguousarray(merged.transpose(0, 2, 1)).reshape(count, -1, side, side)

    def _start(
        self,
        images: Mapping[str, Images],
        targets: Sequence[str],
        count: int,
        preset: Preset,
        cancel: Optional[Cancel],
    ) -> _Start:
        parts = {m: self.input_part(m, image, count, preset, cancel) for m, image in images.items()}
        if self.chain and COORDS in targets[:-1]:
            # In the reference the sentinel of coordinates still to come stands in the input from the start.
            parts[COORDS] = self.words_part(np.full((count, 1), START, np.int64), preset, cancel)
        return _Start(parts, self.encode(list(parts.values()), preset, cancel), {})

    def _chain(
        self,
        start: _Start,
        targets: Sequence[str],
        keys: Sequence[TileKey],
        preset: Preset,
        cancel: Optional[Cancel],
        ids_out: Optional[dict[str, Ids]],
    ) -> dict[str, Images]:
        """Targets one after the other, each seeing the tokens of those before it where that is wanted."""
        parts, context = dict(start.parts), start.context
        results: dict[str, Images] = {}
        for number, target in enumerate(targets):
            if number and self.chain:
                context = self.encode(list(parts.values()), preset, cancel)
            further = self.chain and number + 1 < len(targets)
            if target == COORDS:
                ids, words, lengths, results[COORDS] = self._write(context, keys, preset, cancel)
                if further:
                    parts[COORDS] = self.words_part(words, preset, cancel, lengths)
            else:
                ids = self._sample(target, self._logits(start, target, context, preset, cancel), keys, preset)
                if further:
                    parts[target] = self.ids_part(target, ids, preset, cancel)
                results[target] = self._decode(target, ids, keys, preset, cancel)
            if ids_out is not None:
                ids_out[target] = ids
        return results

    def _logits(
        self, start: _Start, target: str, context: Context, preset: Preset, cancel: Optional[Cancel]
    ) -> Floats:
        """(B, N, V); those that follow from the first context alone are kept for the next draw."""
        if context is start.context and target in start.logits:
            return start.logits[target]
        logits = self.from_context(f"predict_{target}", context, {}, preset, cancel)
        if logits.shape[1] != self.pack.tokens:
            raise PackError(
                f"Pack {self.pack.id}: the graph predict_{target} gives logits of shape {logits.shape}, "
                f"not {self.pack.tokens} tokens for each tile."
            )
        if context is start.context:
            start.logits[target] = logits
        return logits

    def _sample(
        self, target: str, logits: Floats, keys: Sequence[TileKey], preset: Preset, step: int = 0
    ) -> Ids:
        """(B, N, V) logits to (B, N) tokens, each tile with its own random numbers."""
        if preset.sampler == "argmax":
            return sampler.argmax(logits)
        drawn = [
            sampler.top_p(
                logits[i],
                sampler.generator(key.seed, key.tile, f"{target}/tokens", step, key.sample),
                p=preset.top_p,
                temperature=preset.temperature,
            )
            for i, key in enumerate(keys)
        ]
        return np.stack(drawn)

    def _write(
        self, context: Context, keys: Sequence[TileKey], preset: Preset, cancel: Optional[Cancel]
    ) -> tuple[Ids, Ids, Ids, Images]:
        """Coordinates, word by word: what was generated (B, 3), what of it joins the input and how much
        (B, L) and (B,), and the places (B, 2)."""
        given = np.zeros((len(keys), GENERATED), np.int64)
        given[:, 0] = START
        written = np.full((len(keys), GENERATED), STOP, np.int64)
        for step in range(GENERATED):
            logits = self.from_context(f"predict_{COORDS}", context, {"ids": given}, preset, cancel)
            drawn = self._sample(COORDS, logits[:, step : step + 1], keys, preset, step)[:, 0]
            over = (written[:, :step] == STOP).any(axis=1)
            written[:, step] = np.where(over, STOP, drawn)
            if (written[:, : step + 1] == STOP).any(axis=1).all():
                break
            if step + 1 < GENERATED:
                given[:, step + 1] = written[:, step]
        kept = [self.vocabulary.merged(row) for row in written]
        lengths = np.array([len(row) for row in kept], np.int64)
        words = np.zeros((len(keys), int(lengths.max())), np.int64)
        for row, ids in zip(words, kept):
            row[: len(ids)] = ids
        places = np.array([self.vocabulary.decode(row) for row in kept], np.float64)
        return written, words, lengths, places

    def _decode(
        self, target: str, ids: Ids, keys: Sequence[TileKey], preset: Preset, cancel: Optional[Cancel]
    ) -> Floats:
        spec = self.pack.targets[target]
        if spec.decoder == "diffusion":
            image = self._diffuse(target, spec, ids, keys, preset, cancel)
        else:
            out = self.run(f"decode_{target}", {"ids": ids}, "image", preset, cancel)
            image = cast(Floats, out["image"])
        expected = (len(keys), spec.channels, self.pack.tile, self.pack.tile)
        if image.shape != expected:
            raise PackError(
                f"Pack {self.pack.id}: the graph decode_{target} gives {image.shape}, not {expected}."
            )
        return softmax(image) if spec.logits is not None else destandardise(image, spec)

    def _diffuse(
        self,
        target: str,
        spec: TargetSpec,
        ids: Ids,
        keys: Sequence[TileKey],
        preset: Preset,
        cancel: Optional[Cancel],
    ) -> Floats:
        if spec.diffusion is None:
            raise PackError(f"Pack {self.pack.id}: {target} has no diffusion settings.")
        shape = (spec.channels, self.pack.tile, self.pack.tile)
        noise = np.stack(
            [
                sampler.generator(key.seed, key.tile, f"{target}/noise", 0, key.sample).standard_normal(
                    shape, dtype=np.float32
                )
                for key in keys
            ]
        )

        def predict(noisy: Floats, timestep: int) -> Floats:
            feeds: dict[str, Array] = {
                "noisy": noisy,
                "timestep": np.full(len(keys), timestep, np.int64),
                "ids": ids,
            }
            return cast(Floats, self.run(f"decode_{target}", feeds, "x0", preset, cancel)["x0"])

        return ddim.denoise(
            predict,
            noise,
            spec.diffusion,
            steps=preset.steps if preset.steps is not None else spec.diffusion.steps,
            clamp=preset.clamp if preset.clamp is not None else spec.clamp,
            cancel=cancel,
        )


def destandardise(image: Floats, spec: TargetSpec) -> Floats:
    """Undo the standardisation, x · std + mean per band: in the target's unit."""
    mean = np.asarray(spec.mean, np.float32)[:, None, None]
    std = np.asarray(spec.std, np.float32)[:, None, None]
    result: Floats = image * std + mean
    return result


def softmax(logits: Floats) -> Floats:
    """Class probabilities over axis 1."""
    weights: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
