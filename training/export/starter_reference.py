# SPDX-License-Identifier: GPL-2.0-or-later
"""The starter with random weights, and what terratorch's own generation makes of it. Needs terratorch.

``python -m training.export.starter_reference FOLDER`` writes checkpoints of random weights that
``training.make_pack`` converts like trained ones: for tests of everything but what was learned.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Optional
from unittest import mock

import torch

from .. import starter_model as starter
from . import official, reference
from .small_models import checkpoint, coords_tokenizer, rerandomise


def random_modules(seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """The masked autoencoder and the tokenizers by target, weights rounded to what a pack stores (float16)."""
    torch.manual_seed(seed)
    mae = starter.build_mae().eval()
    rerandomise(mae, seed)
    checkpoint(mae, torch.float16)
    tokenizers = {}
    for number, target in enumerate(starter.TARGETS):
        tokenizers[target] = starter.build_tokenizer(target).eval()
        rerandomise(tokenizers[target], seed + number)
        checkpoint(tokenizers[target], torch.float16)
    return mae, tokenizers


def write_run(mae: Any, tokenizers: Mapping[str, Any], run: Path) -> None:
    """Write a run folder as training leaves it, ready for ``training.make_pack``."""
    folder = run / "official"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(mae.state_dict(), folder / starter.MAE_FILE)
    for target, tokenizer in tokenizers.items():
        torch.save(tokenizer.state_dict(), folder / starter.tokenizer_file(target))


@contextlib.contextmanager
def _starters_sizes() -> Iterator[None]:
    """Terratorch reads sizes and statistics from its tables: make them the starter's meanwhile."""
    from terratorch.models.backbones.terramind.model.modality_info import MODALITY_INFO

    given = official.registered("tiny")
    for name in ("mean", "std"):
        own = {spec["key"]: list(spec[name]) for spec in starter.TARGETS.values() if name in spec}
        given[f"pretraining_{name}"] = {**given[f"pretraining_{name}"], **own}
    changed: dict[str, dict[str, int]] = {
        spec["key"]: {"patch_size": starter.PATCH}
        for spec in (*starter.INPUTS.values(), *starter.TARGETS.values())
    }
    for target, spec in starter.TARGETS.items():
        changed[spec["key"]]["vocab_size"] = starter.vocabulary(target)
    changed[starter.COORDS["key"]] = {"vocab_size": starter.WORDS}
    with contextlib.ExitStack() as stack:
        for key, values in changed.items():
            stack.enter_context(mock.patch.dict(MODALITY_INFO[key], values))
        stack.enter_context(mock.patch.object(official, "PATCH", starter.PATCH))
        stack.enter_context(mock.patch.object(official, "registered", return_value=given))
        yield


def generated(
    mae: Any,
    tokenizers: Mapping[str, Any],
    images: Mapping[str, Any],
    targets: Sequence[str],
    steps: int,
    seed: int,
    words: Optional[Path] = None,
) -> dict[str, Any]:
    """What terratorch generates of (B,C,T,T) arrays in their units and (B,2) degrees; see ``reference.run``.

    ``words``: the vocabulary's file, where COORDS is among the inputs.
    """
    from terratorch.models.backbones.terramind.model.tm_utils import LayerNorm, build_1d_sincos_posemb

    arguments = {**starter.MAE, "norm_layer": partial(LayerNorm, eps=1e-6, bias=False)}
    state = dict(mae.state_dict())
    # Terratorch keeps places for 512 words, of which a place on the Earth has three; they are constants.
    positions = f"encoder_embeddings.{starter.COORDS['key']}.pos_emb"
    state[positions] = build_1d_sincos_posemb(max_len=512, embed_dim=int(mae.dim))
    built = dict(tokenizers)
    if words is not None:
        built["COORDS"] = coords_tokenizer(words)
    with _starters_sizes():
        model = reference.generation(arguments, state, built, list(images), targets, tile=starter.TILE)
        found: dict[str, Any] = reference.run(model, images, steps, seed)
    return found


def main(folder: Path) -> int:
    """Write a run folder of random weights."""
    write_run(*random_modules(), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
