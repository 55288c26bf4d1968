# SPDX-License-Identifier: GPL-2.0-or-later
"""Models made of a few samples: an encoder that stays as it is, and a small classifier of its features.

The pack holds the encoder's graphs as its own family names them, and ``classifier.npz``: arrays that numpy
reads without running anything. ``training.fewshot`` of pack.json names the encoder's family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Optional

import numpy as np

from ..errors import ModelError, PackError
from ..logistic import Logistic
from ..packs.fewshot_pack import CLASSIFIER, FAMILY, Classifier, read_classifier
from ..packs.manifest import Pack
from ..presets import Preset
from ..runtime.base import Runtime
from ..types import Cancel
from .base import Adapter, Floats, Images
from .finetuned import check_inputs
from .pixels import feature_names, pixel_bands, to_pixels
from .terramind import softmax


class FewShot(Adapter):
    """Runs packs of the family ``fewshot``.

    ``classifier`` stands in for the pack's file, and ``encoder`` for its graphs, where these are at hand.
    """

    family = FAMILY
    tasks = frozenset({"segment"})

    def __init__(
        self,
        pack: Pack,
        runtime: Runtime,
        classifier: Optional[Classifier] = None,
        encoder: Optional[Adapter] = None,
    ) -> None:
        super().__init__(pack, runtime)
        self._encoder = encoder or encoder_of(pack, runtime)
        self._classifier = classifier or read_classifier(pack)
        wanted = len(feature_names(pack.inputs, pack.dim))
        if self._classifier.features != wanted or self._classifier.classes != len(pack.classes):
            raise PackError(
                f"Pack {pack.id}: {CLASSIFIER} does not fit the model; train it again from its samples."
            )

    def check(self, inputs: Sequence[str], targets: Sequence[str]) -> None:
        """Raise ModelError unless exactly the pack's inputs are given. Opens no weights."""
        if targets:
            self._cannot("generate")
        check_inputs(self.pack.id, tuple(self.pack.inputs), inputs)

    def predict(
        self, images: Mapping[str, Images], preset: Preset, *, cancel: Optional[Cancel] = None
    ) -> Floats:
        """Class probabilities (B, C, T, T); see the base class."""
        self.check(tuple(images), ())
        grids, bands = self.features(images, preset, cancel=cancel)
        if cancel is not None:
            cancel.raise_if_set()
        rule = self._classifier.rule
        if isinstance(rule, Logistic):
            return np.asarray(softmax(self._logits(rule, grids, bands)), np.float32)
        answers = []
        for grid, tile in zip(to_pixels(grids, self.pack.patch), bands):
            rows = np.concatenate((grid, tile)).reshape(len(grid) + len(tile), -1).T
            answers.append(rule.probabilities(rows).T.reshape(-1, *tile.shape[1:]))
        return np.asarray(np.stack(answers), np.float32)

    def features(
        self, images: Mapping[str, Images], preset: Preset, *, cancel: Optional[Cancel] = None
    ) -> tuple[Floats, Floats]:
        """The encoder's vectors (B, D, t, t), and bands and indices (B, n, T, T)."""
        return self._encoder.embed(images, preset, cancel=cancel), pixel_bands(images, self.pack.inputs)

    def _logits(self, rule: Logistic, grids: Floats, bands: Floats) -> Floats:
        """(B, C, T, T). Weights first, then bilinear: both are linear, and classes are fewer than features."""
        deep, shallow = np.split(rule.weights.astype(np.float32), [self.pack.dim], axis=1)
        logits = to_pixels(np.einsum("cd,bdts->bcts", deep, grids, optimize=True), self.pack.patch)
        logits += np.einsum("cn,bnyx->bcyx", shallow, bands, optimize=True)
        return np.asarray(logits + rule.bias.astype(np.float32)[:, None, None], np.float32)


def encoder_of(pack: Pack, runtime: Runtime) -> Adapter:
    """The adapter of the encoder that lies in a pack. Raises PackError where it is none that we know."""
    from . import FAMILIES

    family = str(pack.training.get(FAMILY, {}).get("family", ""))
    if family == FAMILY or family not in FAMILIES:
        raise PackError(f"Pack {pack.id} does not say whose encoder it holds; train it again.")
    if "embed" not in FAMILIES[family].tasks:
        raise ModelError(f"Models of the family {family} give no features to train on.")
    return FAMILIES[family](replace(pack, family=family, tasks=("embed",)), runtime)
