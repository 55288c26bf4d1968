# SPDX-License-Identifier: GPL-2.0-or-later
"""TerraMind (arXiv 2504.11171): any modalities to any others, by way of discrete tokens.

Pixels become tokens (``embed_*``), a transformer reads them (``encoder``), predicts the tokens of a
target (``predict_*``), and the target's tokenizer decodes them (``decode_*``), directly or by diffusion.
Graphs and tensors are described in pack.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional, cast

import numpy as np

from .. import ddim, sampler
from ..errors import ModelError, PackError
from ..packs.manifest import InputSpec, Pack, TargetSpec
from ..presets import Preset
from ..runtime.base import Array, Runtime
from ..types import Cancel
from .base import Adapter, Floats, Ids, Images, TileKey


@dataclass(frozen=True)
class _Start:
    """What a batch's draws share."""

    parts: Sequence[tuple[Array, Array]]
    """Tokens and embeddings of every input."""
    context: Array
    logits: dict[str, Floats]
    """Target → logits from ``context``, as far as they were needed."""


class TerraMind(Adapter):
    """Runs packs of the family ``terramind``.

    ``chain``: the tokens of each target join the input of the next, in the order given (the
    reference's way); None: as the pack says.
    """

    family = "terramind"
    tasks = frozenset({"generate"})

    def __init__(self, pack: Pack, runtime: Runtime, *, chain: Optional[bool] = None) -> None:
        super().__init__(pack, runtime)
        self.chain = pack.chain if chain is None else chain

    def check(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        """Raise ModelError unless the pack makes these targets from these inputs. Opens no weights."""
        self.require_task("generate")
        name = self.pack.id
        taken = [m for m in self.pack.inputs if f"embed_{m}" in self.pack.graphs]
        made = list(self.pack.targets)
        if not inputs or not targets:
            raise ModelError(f"The model {name} needs at least one input and one target.")
        for modality in inputs:
            if modality not in taken:
                raise ModelError(f"The model {name} does not take {modality}; it takes {', '.join(taken)}.")
        for target in targets:
            if target not in made:
                raise ModelError(f"The model {name} does not make {target}; it makes {', '.join(made)}.")
            if target in inputs:
                raise ModelError(f"{target} is an input already; leave it out of the targets.")
        if len(set(targets)) != len(targets):
            raise ModelError(f"A target is named twice: {', '.join(targets)}.")

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
        start = self._start(images, len(keys), preset, cancel)
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
        start = self._start(images, len(keys), preset, cancel)
        for sample in range(count):
            drawn = [replace(key, sample=sample) for key in keys]
            yield self._chain(start, targets, drawn, preset, cancel, None)

    def _start(
        self, images: Mapping[str, Images], count: int, preset: Preset, cancel: Optional[Cancel]
    ) -> _Start:
        parts = [
            self._embed(modality, images[modality], count, preset, cancel)
            for modality in self.pack.inputs
            if modality in images
        ]
        return _Start(parts, self._encode(parts, preset, cancel), {})

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
        parts, context = list(start.parts), start.context
        results: dict[str, Images] = {}
        for target in targets:
            if len(parts) > len(start.parts):
                context = self._encode(parts, preset, cancel)
            logits = start.logits.get(target) if context is start.context else None
            if logits is None:
                logits = self._logits(target, context, len(keys), preset, cancel)
            if context is start.context:
                start.logits[target] = logits
            ids = self._sample(target, logits, keys, preset)
            if ids_out is not None:
                ids_out[target] = ids
            if self.chain and target != targets[-1]:
                parts.append(self._embed_ids(target, ids, preset, cancel))
            results[target] = self._decode(target, ids, keys, preset, cancel)
        return results

    def _embed(
        self, modality: str, image: Floats, count: int, preset: Preset, cancel: Optional[Cancel]
    ) -> tuple[Array, Array]:
        spec, size = self.pack.inputs[modality], self.pack.tile
        expected = (count, len(spec.bands), size, size)
        if image.shape != expected:
            raise ValueError(f"{modality} has shape {image.shape}; the model takes {expected}")
        feeds = {"image": standardise(image, spec)}
        out = self.run(f"embed_{modality}", feeds, "tokens", preset, cancel)
        return self._token_pair(f"embed_{modality}", out)

    def _embed_ids(
        self, target: str, ids: Ids, preset: Preset, cancel: Optional[Cancel]
    ) -> tuple[Array, Array]:
        graph = f"embed_{target}_ids"
        return self._token_pair(graph, self.run(graph, {"ids": ids}, "tokens", preset, cancel))

    def _token_pair(self, graph: str, out: Mapping[str, Array]) -> tuple[Array, Array]:
        tokens, emb = out["tokens"], out.get("emb")
        if (
            emb is None
            or tokens.ndim != 3
            or tokens.shape != emb.shape
            or tokens.shape[1] != self.pack.tokens
        ):
            raise PackError(
                f"Pack {self.pack.id}: the graph {graph} does not give {self.pack.tokens} tokens and their "
                "embeddings, as pack.json says."
            )
        return tokens, emb

    def _encode(
        self, parts: Sequence[tuple[Array, Array]], preset: Preset, cancel: Optional[Cancel]
    ) -> Array:
        feeds = {
            "tokens": np.concatenate([tokens for tokens, _ in parts], axis=1),
            "emb": np.concatenate([emb for _, emb in parts], axis=1),
        }
        return self.run("encoder", feeds, "context", preset, cancel)["context"]

    def _logits(
        self, target: str, context: Array, count: int, preset: Preset, cancel: Optional[Cancel]
    ) -> Floats:
        """(B, M, D) context to (B, N, V) logits, checked."""
        out = self.run(f"predict_{target}", {"context": context}, "logits", preset, cancel)
        logits = cast(Floats, out["logits"])
        if logits.ndim != 3 or logits.shape[:2] != (count, self.pack.tokens):
            raise PackError(
                f"Pack {self.pack.id}: the graph predict_{target} gives logits of shape {logits.shape}, "
                f"not {self.pack.tokens} tokens for each tile."
            )
        if not np.isfinite(logits).all():
            raise PackError(
                f"Pack {self.pack.id}: the graph predict_{target} gives logits that are no numbers."
            )
        return logits

    def _sample(self, target: str, logits: Floats, keys: Sequence[TileKey], preset: Preset) -> Ids:
        """(B, N, V) logits to (B, N) tokens, each tile with its own random numbers."""
        if preset.sampler == "argmax":
            return sampler.argmax(logits)
        drawn = [
            sampler.top_p(
                logits[i],
                sampler.generator(key.seed, key.tile, f"{target}/tokens", 0, key.sample),
                p=preset.top_p,
                temperature=preset.temperature,
            )
            for i, key in enumerate(keys)
        ]
        return np.stack(drawn)

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


def standardise(image: Floats, spec: InputSpec) -> Floats:
    """(x − mean) / std per band, then 0 (the mean) where there is no data. A new array."""
    mean = np.asarray(spec.mean or [0.0] * len(spec.bands), np.float32)[:, None, None]
    std = np.asarray(spec.std or [1.0] * len(spec.bands), np.float32)[:, None, None]
    z: Floats = np.subtract(image, mean, dtype=np.float32)
    z /= std
    return np.nan_to_num(z, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


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
