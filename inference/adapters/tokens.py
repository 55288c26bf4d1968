# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into TerraMind's encoder: every modality as tokens, whatever it came as.

Raw modalities are cut into patches (``embed_<M>``); land cover and NDVI go through their tokenizers
(``tokenize_<M>``, then ``embed_<M>_ids``); coordinates are words (``embed_COORDS_ids``). Attention does not
see the order of tokens, so that they are simply put one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Optional, cast

import numpy as np
import numpy.typing as npt

from ..coords import LENGTH, CoordsVocabulary, load_vocabulary
from ..errors import PackError
from ..packs.manifest import InputSpec
from ..presets import Preset
from ..runtime.base import Array
from ..types import Cancel
from .base import Adapter, Floats, Ids, Images

COORDS = "COORDS"


@dataclass(frozen=True)
class Part:
    """One modality's tokens and embeddings of position and kind, each (B, n, D)."""

    tokens: Array
    emb: Array
    lengths: Optional[npt.NDArray[np.int64]] = None
    """How many of them count in each tile, where that differs; None: all."""


@dataclass(frozen=True)
class Context:
    """What the encoder made of a batch: groups of tiles with equally many tokens, as a rule one."""

    groups: tuple[tuple[Ids, Array], ...]
    """Rows of the batch, and their (rows, M, D)."""


class TokenAdapter(Adapter):
    """An adapter whose model reads tokens of several modalities together."""

    def takes(self, modality: str) -> bool:
        """Whether the pack holds what an input needs."""
        graphs = self.pack.graphs
        if modality not in self.pack.inputs:
            return False
        if modality == COORDS:
            return bool(self.pack.vocabulary) and "embed_COORDS_ids" in graphs
        tokenised = f"tokenize_{modality}" in graphs and f"embed_{modality}_ids" in graphs
        return tokenised or f"embed_{modality}" in graphs

    @cached_property
    def vocabulary(self) -> CoordsVocabulary:
        """How the pack's coordinates are spelled. Raises PackError."""
        if not self.pack.vocabulary:
            raise PackError(f"Pack {self.pack.id} has no vocabulary of coordinates; convert the model again.")
        return load_vocabulary(self.pack.root / self.pack.vocabulary)

    def input_part(
        self, modality: str, image: Images, count: int, preset: Preset, cancel: Optional[Cancel]
    ) -> Part:
        """An input of ``count`` tiles as tokens: an image in its unit, or places (B, 2)."""
        if modality == COORDS:
            if image.shape != (count, 2):
                raise ValueError(f"{modality} has shape {image.shape}; the model takes {(count, 2)}")
            return self.words_part(self.vocabulary.encode(image), preset, cancel)
        spec, size = self.pack.inputs[modality], self.pack.tile
        expected = (count, len(spec.bands), size, size)
        if image.shape != expected:
            raise ValueError(f"{modality} has shape {image.shape}; the model takes {expected}")
        feeds = {"image": standardise(image, spec)}
        if f"embed_{modality}" in self.pack.graphs:
            out = self.run(f"embed_{modality}", feeds, "tokens", preset, cancel)
            return self._part(f"embed_{modality}", out, self.pack.tokens)
        graph = f"tokenize_{modality}"
        ids = self.run(graph, feeds, "ids", preset, cancel)["ids"]
        if ids.shape != (count, self.pack.tokens):
            raise PackError(
                f"Pack {self.pack.id}: the graph {graph} does not give {self.pack.tokens} tokens."
            )
        return self.ids_part(modality, cast(Ids, ids.astype(np.int64, copy=False)), preset, cancel)

    def ids_part(self, modality: str, ids: Ids, preset: Preset, cancel: Optional[Cancel]) -> Part:
        """Tokens of an image, given or generated: (B, N) ids."""
        graph = f"embed_{modality}_ids"
        return self._part(graph, self.run(graph, {"ids": ids}, "tokens", preset, cancel), self.pack.tokens)

    def words_part(
        self, ids: Ids, preset: Preset, cancel: Optional[Cancel], lengths: Optional[Ids] = None
    ) -> Part:
        """Coordinates as words: (B, L) ids with L ≤ 4, of which ``lengths`` count."""
        graph, length = f"embed_{COORDS}_ids", ids.shape[1]
        padded = np.zeros((len(ids), LENGTH), np.int64)
        padded[:, :length] = ids
        part = self._part(graph, self.run(graph, {"ids": padded}, "tokens", preset, cancel), LENGTH)
        return Part(part.tokens[:, :length], part.emb[:, :length], lengths)

    def _part(self, graph: str, out: Mapping[str, Array], count: int) -> Part:
        tokens, emb = out["tokens"], out.get("emb")
        if emb is None or tokens.ndim != 3 or tokens.shape != emb.shape or tokens.shape[1] != count:
            raise PackError(
                f"Pack {self.pack.id}: the graph {graph} does not give {count} tokens and their "
                "embeddings, as pack.json says."
            )
        return Part(tokens, emb)

    def encode(self, parts: Sequence[Part], preset: Preset, cancel: Optional[Cancel]) -> Context:
        """Read all parts together. Tiles with different numbers of tokens are read apart, without padding."""
        groups = []
        for rows in _alike(parts):
            feeds = _joined(parts, rows)
            groups.append((rows, self.run("encoder", feeds, "context", preset, cancel)["context"]))
        return Context(tuple(groups))

    def encoded(self, parts: Sequence[Part], preset: Preset, cancel: Optional[Cancel]) -> Floats:
        """The encoder's own output after its last norm, (B, M, D); parts of equal lengths only."""
        rows = np.arange(len(parts[0].tokens))
        out = self.run("encoder", _joined(parts, rows), "encoded", preset, cancel)
        return cast(Floats, out["encoded"])

    def from_context(
        self,
        graph: str,
        context: Context,
        feeds: Mapping[str, Array],
        preset: Preset,
        cancel: Optional[Cancel],
    ) -> Floats:
        """The logits that a graph makes of a context and of what else it takes, checked: (B, n, V)."""
        results: list[tuple[Ids, Array]] = []
        for rows, values in context.groups:
            given = {"context": values, **{name: array[rows] for name, array in feeds.items()}}
            logits = self.run(graph, given, "logits", preset, cancel)["logits"]
            if logits.ndim != 3 or len(logits) != len(rows):
                raise PackError(
                    f"Pack {self.pack.id}: the graph {graph} gives logits of shape {logits.shape}, "
                    "not some for each tile."
                )
            if not np.isfinite(logits).all():
                raise PackError(f"Pack {self.pack.id}: the graph {graph} gives logits that are no numbers.")
            results.append((rows, logits))
        if len(results) == 1:
            return cast(Floats, results[0][1])
        whole = np.empty((sum(len(rows) for rows, _ in results), *results[0][1].shape[1:]), np.float32)
        for rows, values in results:
            whole[rows] = values
        return whole


def _alike(parts: Sequence[Part]) -> list[Ids]:
    """Rows with the same number of tokens in every part, in groups."""
    uneven = [part.lengths for part in parts if part.lengths is not None]
    if not uneven:
        return [np.arange(len(parts[0].tokens))]
    kinds, which = np.unique(np.stack(uneven, axis=1), axis=0, return_inverse=True)
    return [np.flatnonzero(which.reshape(-1) == kind) for kind in range(len(kinds))]


def _joined(parts: Sequence[Part], rows: Ids) -> dict[str, Array]:
    """The encoder's inputs for some rows, which have equally many tokens in each part."""
    tokens, emb = [], []
    for part in parts:
        count = part.tokens.shape[1] if part.lengths is None else int(part.lengths[rows[0]])
        tokens.append(part.tokens[rows, :count])
        emb.append(part.emb[rows, :count])
    return {"tokens": np.concatenate(tokens, axis=1), "emb": np.concatenate(emb, axis=1)}


def standardise(image: Images, spec: InputSpec) -> Floats:
    """(x − mean) / std per band, then 0 (the mean, or class 0) where there is no data. A new array."""
    mean = np.asarray(spec.mean or [0.0] * len(spec.bands), np.float32)[:, None, None]
    std = np.asarray(spec.std or [1.0] * len(spec.bands), np.float32)[:, None, None]
    z: Floats = np.subtract(image, mean, dtype=np.float32)
    z /= std
    return np.nan_to_num(z, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
