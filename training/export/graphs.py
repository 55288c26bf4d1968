# SPDX-License-Identifier: GPL-2.0-or-later
"""TerraMind cut into the graphs of a pack: static wrappers around terratorch's own modules.

A chain step of the reference is one big function of every input and every target. Cut at the token
sequence it becomes ``embed_*`` → ``encoder`` → ``predict_*`` → ``decode_*``, and one set of graphs then
serves any inputs, any targets and any order: what joins them is concatenation, which numpy can do.

Every wrapper holds the reference's module under a name that is cut off again, so that a parameter of the
exported graph carries exactly its key in the official state dict. Shapes are static but for the batch, and
for the number of tokens of ``encoder`` and ``predict_*``. N = (tile / patch)², row-major.

Needs torch; terratorch's objects are handed in, so that this file imports neither of its modules.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional
from unittest import mock

import torch
from torch import nn

PREFIX = "model."
"""Where a wrapper keeps the reference's module; what follows it is the key in the state dict."""


@dataclass(frozen=True)
class GraphSource:
    """One graph to export: a module, example inputs, and what of their shapes is dynamic."""

    name: str
    module: nn.Module
    inputs: Mapping[str, torch.Tensor]
    dynamic: Mapping[str, Mapping[int, str]]
    outputs: tuple[str, ...]


class EmbedImage(nn.Module):
    """``image (B,C,T,T)`` standardised → ``tokens (B,N,D)``, ``emb (B,N,D)`` (position + modality)."""

    def __init__(self, mae: Any, key: str) -> None:
        super().__init__()
        self.model = mae
        self.key = key

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed one raw modality."""
        out = self.model.encoder_embeddings[self.key]({"tensor": image})
        return out["x"], out["emb"]


class EmbedIds(EmbedImage):
    """``ids (B,N) int64`` → ``tokens``, ``emb``: a tokenised input, or an earlier target of the chain."""

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        """Embed one tokenised modality."""
        out = self.model.encoder_embeddings[self.key]({"tensor": ids})
        return out["x"], out["emb"]


class EmbedWords(EmbedImage):
    """``ids (B,L) int64`` → ``tokens``, ``emb``, each (B,L,D): a text without gaps, such as coordinates.

    Position i's values depend on its own id alone, so that a shorter text is the beginning of a longer one.
    """

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        """Embed a text."""
        text = self.model.encoder_embeddings[self.key]
        tokens = text.token_emb(ids)
        emb = text.pos_emb[:, : ids.shape[1]] + text.mod_emb
        return tokens, emb.expand(ids.shape[0], -1, -1)


class Encoder(nn.Module):
    """``tokens (B,M,D)``, ``emb (B,M,D)`` → ``context (B,M,D)``: what every target's decoder looks at;
    ``encoded (B,M,D)``: the encoder's own output after its last norm, as the backbone gives it."""

    def __init__(self, mae: Any) -> None:
        super().__init__()
        self.model = mae

    def forward(self, tokens: torch.Tensor, emb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode all inputs together. Without a mask: padding never enters here."""
        encoded = self.model.forward_encoder(tokens + emb, None)
        return self.model.decoder_proj_context(encoded) + emb, encoded


class Predict(nn.Module):
    """``context (B,M,D)`` → ``logits (B,N,V)`` of all tokens of one target at once."""

    def __init__(self, mae: Any, key: str) -> None:
        super().__init__()
        self.model = mae
        self.key = key

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        """One decoding step from nothing but mask tokens.

        The reference decodes them in a random order, which attention without positions cannot see.
        """
        target = self.model.decoder_embeddings[self.key]
        queries = self.model.mask_token + (target.pos_emb + target.mod_emb)
        queries = queries.expand(context.shape[0], -1, -1)
        decoded = self.model.forward_decoder(queries, context, None, None)
        return target.forward_logits(decoded)  # type: ignore[no-any-return]


class PredictWords(Predict):
    """``context (B,M,D)``, ``ids (B,L) int64`` → ``logits (B,L,V)`` of the word after each of a text.

    Causal: what follows a word does not change its logits, so that one static length serves every step of
    the reference's word-by-word generation.
    """

    def forward(self, context: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """One pass over what was written so far."""
        target = self.model.decoder_embeddings[self.key]
        length = ids.shape[1]
        written = target.token_emb(ids) + (target.pos_emb[:, :length] + target.mod_emb)
        causal = torch.ones((1, length, length), dtype=torch.bool).triu(1)
        decoded = self.model.forward_decoder(written, context, None, causal)
        return target.forward_logits(decoded)  # type: ignore[no-any-return]


class Tokenize(nn.Module):
    """``image (B,C,T,T)`` standardised → ``ids (B,N) int64``: a tokenizer's encoder and its quantiser."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self.model = tokenizer

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Codes of an image, row by row."""
        with _without_autocast(self.model.encoder):
            ids = self.model.tokenize(image)
        return ids.reshape(ids.shape[0], -1).to(torch.int64)


@contextlib.contextmanager
def _without_autocast(encoder: Any) -> Iterator[None]:
    """The reference's encoder switches CUDA's autocast off, which a graph would hold as code; it has none."""
    module = sys.modules[type(encoder).__module__]
    with mock.patch.object(module, "autocast", return_value=contextlib.nullcontext()):
        yield


class TokenizeClasses(Tokenize):
    """``image (B,1,T,T)`` of class numbers → ``ids (B,N) int64``.

    The reference's encoder makes channels of classes itself, but accepts no number that is not one; here
    what is none of the classes from 1 counts as class 0, no data.
    """

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Codes of a map, row by row."""
        classes = torch.arange(1, int(self.model.n_channels), dtype=image.dtype)[None, :, None, None]
        named = (image.round() == classes).to(image.dtype)
        none = 1 - named.sum(dim=1, keepdim=True)
        return super().forward(torch.cat([none, named], dim=1))


class DecodeDirect(nn.Module):
    """``ids (B,N) int64`` → ``image (B,C,T,T)``: standardised values, or class logits."""

    def __init__(self, tokenizer: Any, side: int) -> None:
        super().__init__()
        self.model = tokenizer
        self.side = side

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Codebook lookup and one pass of the ViT decoder."""
        grid = ids.reshape(-1, self.side, self.side)
        codes = self.model.quantize.indices_to_embedding(grid)
        return self.model.decode_quant(codes)  # type: ignore[no-any-return]


class DecodeDiffusion(DecodeDirect):
    """``noisy (B,C,T,T)``, ``timestep (B,) int64``, ``ids (B,N) int64`` → ``x0 (B,C,T,T)``: one UNet step."""

    def forward(  # type: ignore[override]
        self, noisy: torch.Tensor, timestep: torch.Tensor, ids: torch.Tensor
    ) -> torch.Tensor:
        """One prediction of the clean image."""
        grid = ids.reshape(-1, self.side, self.side)
        codes = self.model.quantize.indices_to_embedding(grid)
        return self.model.decoder(noisy, timestep, codes)  # type: ignore[no-any-return]


def mae_graphs(
    mae: Any,
    images: Mapping[str, str],
    ids: Mapping[str, str],
    targets: Mapping[str, str],
    words: Optional[Mapping[str, str]] = None,
    *,
    tile: int,
    patch: int,
) -> list[GraphSource]:
    """All graphs of a masked autoencoder.

    ``mae`` is terratorch's ``TerraMind``; ``images``, ``ids``, ``targets`` and ``words`` map a modality
    (S2L2A, DEM, COORDS…) to the name of its embedding in ``mae`` (``untok_sen2l2a@224``, ``tok_dem@224``…).
    Words are predicted, too, where the decoder has an embedding of them.
    """
    count, dim = (tile // patch) ** 2, int(mae.dim)
    batch, tokens = {0: "batch"}, {0: "batch", 1: "tokens"}
    example = torch.zeros(2, count + 3, dim)
    graphs = []
    for modality, key in images.items():
        channels = mae.encoder_embeddings[key].num_channels
        image = torch.zeros(2, channels, tile, tile)
        source = GraphSource(
            f"embed_{modality}", EmbedImage(mae, key), {"image": image}, {"image": batch}, ("tokens", "emb")
        )
        graphs.append(source)
    for modality, key in ids.items():
        zeros = torch.zeros(2, count, dtype=torch.int64)
        source = GraphSource(
            f"embed_{modality}_ids", EmbedIds(mae, key), {"ids": zeros}, {"ids": batch}, ("tokens", "emb")
        )
        graphs.append(source)
    inputs = {"tokens": example, "emb": example.clone()}  # one tensor would become one input
    outputs = ("context", "encoded")
    graphs.append(GraphSource("encoder", Encoder(mae), inputs, dict.fromkeys(inputs, tokens), outputs))
    for modality, key in targets.items():
        source = GraphSource(
            f"predict_{modality}", Predict(mae, key), {"context": example}, {"context": tokens}, ("logits",)
        )
        graphs.append(source)
    for modality, key in (words or {}).items():
        graphs.extend(_word_graphs(mae, modality, key, example))
    return graphs


def _word_graphs(mae: Any, modality: str, key: str, context: torch.Tensor) -> list[GraphSource]:
    batch, tokens = {0: "batch"}, {0: "batch", 1: "tokens"}
    length = int(mae.modality_info[key]["max_tokens"])
    ids = torch.zeros(2, length, dtype=torch.int64)
    embed = GraphSource(
        f"embed_{modality}_ids", EmbedWords(mae, key), {"ids": ids}, {"ids": batch}, ("tokens", "emb")
    )
    if key not in mae.decoder_embeddings:
        return [embed]
    # One place of the sequence is the sentinel that the encoder is given, not the decoder.
    given = {"context": context, "ids": ids[:, : length - 1].clone()}
    axes = {"context": tokens, "ids": batch}
    return [embed, GraphSource(f"predict_{modality}", PredictWords(mae, key), given, axes, ("logits",))]


def tokenize_graph(tokenizer: Any, modality: str, *, tile: int) -> GraphSource:
    """The encoder of one tokenizer, for modalities that enter as tokens."""
    classes = modality == "LULC"
    image = torch.zeros(2, 1 if classes else int(tokenizer.n_channels), tile, tile)
    module = TokenizeClasses(tokenizer) if classes else Tokenize(tokenizer)
    return GraphSource(f"tokenize_{modality}", module, {"image": image}, {"image": {0: "batch"}}, ("ids",))


def decoder_graph(tokenizer: Any, modality: str, *, tile: int) -> GraphSource:
    """The decoder of one tokenizer: terratorch's ``VQVAE`` (direct) or ``DiVAE`` (one diffusion step)."""
    side = tile // int(tokenizer.patch_size)
    ids = torch.zeros(2, side * side, dtype=torch.int64)
    batch = {0: "batch"}
    if not hasattr(tokenizer, "noise_scheduler"):
        module: nn.Module = DecodeDirect(tokenizer, side)
        return GraphSource(f"decode_{modality}", module, {"ids": ids}, {"ids": batch}, ("image",))
    inputs = {
        "noisy": torch.zeros(2, int(tokenizer.n_channels), tile, tile),
        "timestep": torch.zeros(2, dtype=torch.int64),
        "ids": ids,
    }
    module = DecodeDiffusion(tokenizer, side)
    return GraphSource(f"decode_{modality}", module, inputs, dict.fromkeys(inputs, batch), ("x0",))


def exported_program(source: GraphSource) -> torch.export.ExportedProgram:
    """The torch form of a graph: what a ``.pt2`` file holds."""
    dims: dict[str, Optional[Any]] = {}
    shapes: dict[str, Any] = {}
    for name in source.inputs:
        axes = source.dynamic.get(name, {})
        for axis in axes.values():
            dims.setdefault(axis, torch.export.Dim(axis, min=1))
        shapes[name] = {axis: dims[label] for axis, label in axes.items()}
    module = source.module.eval()
    with torch.no_grad():
        return torch.export.export(module, (), dict(source.inputs), dynamic_shapes=shapes)
