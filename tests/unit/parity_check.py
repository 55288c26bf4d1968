# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a pack on what terratorch was given, and say how far the results lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from terrane.inference.adapters import terramind
from terrane.inference.adapters.base import TileKey
from terrane.inference.adapters.terramind import TerraMind, softmax
from terrane.inference.packs.manifest import Pack
from terrane.inference.presets import PRESETS
from terrane.inference.runtime import make_runtime


class FixedNoise:
    """In place of our random numbers: the noise that the reference used."""

    def __init__(self, noises: Mapping[str, Any]) -> None:
        self.noises = noises

    def __call__(self, seed: int, tile: int, purpose: str, *_: int) -> Any:
        noise = self.noises[purpose.partition("/")[0]][tile]

        class Generator:
            @staticmethod
            def standard_normal(shape: Any, dtype: Any) -> Any:
                assert noise.shape == shape
                return noise.astype(dtype)

        return Generator


def error(ours: Any, theirs: Any) -> float:
    """Largest difference, relative to the largest value."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def differences(
    pack: Pack, kind: str, images: Any, theirs: Mapping[str, Any], steps: int
) -> dict[str, float]:
    """Run a pack on the reference's inputs and noise; the largest relative error of everything compared."""
    noises = {name[:-6]: values for name, values in theirs.items() if name.endswith(".noise")}
    preset = replace(PRESETS["balanced"], sampler="argmax", steps=steps, clamp=None, precision=("fp32",))
    adapter = TerraMind(pack, make_runtime(kind, device="cpu"))
    logits: dict[str, Any] = {}
    original = adapter.run

    tokens: dict[str, Any] = {}

    def spy(graph: str, *args: Any, **options: Any) -> Any:
        out = original(graph, *args, **options)
        if graph.startswith("predict_"):
            logits[graph[8:]] = out["logits"]
        if graph.startswith("tokenize_"):
            tokens[graph[9:]] = out["ids"]
        return out

    ids: dict[str, Any] = {}
    given = [(name[:-6], values) for name, values in theirs.items() if name.endswith(".given")]
    targets = [name[:-7] for name in theirs if name.endswith(".output")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terramind.sampler, "generator", FixedNoise(noises))
        patch.setattr(adapter, "run", spy)
        keys = [TileKey(0, i) for i in range(len(next(iter(images.values()))))]
        outputs = adapter.generate(images, targets, keys, preset, ids_out=ids)
    found = {
        f"{modality} tokens given that differ": float((tokens[modality] != values).mean())
        for modality, values in given
        if modality != "COORDS"
    }
    for target in targets:
        found[f"{target} logits"] = error(logits[target], theirs[f"{target}.logits"])
        found[f"{target} tokens that differ"] = float((ids[target] != theirs[f"{target}.ids"]).mean())
        expected = theirs[f"{target}.output"]
        if target == "COORDS":
            np.testing.assert_array_equal(outputs[target], expected)
            continue
        expected = softmax(expected) if pack.targets[target].logits else expected
        found[f"{target} output"] = error(outputs[target], expected)
        assert np.ptp(expected) > 0
    return found
