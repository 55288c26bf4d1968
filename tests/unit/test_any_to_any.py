# SPDX-License-Identifier: GPL-2.0-or-later
"""Any inputs to any targets with the toy pack: several inputs, tokenised ones, coordinates in and out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from terrane.inference import presets
from terrane.inference.adapters import TerraMind, TileKey
from terrane.inference.coords import START, STOP, CoordsVocabulary
from terrane.inference.errors import ModelError, PackError
from terrane.inference.packs.manifest import Pack
from terrane.inference.runtime import make_runtime
from toy_pack import (
    ALL_INPUTS,
    ALL_TARGETS,
    WORDS,
    build_toy_pack,
    expected,
    expected_embedding,
    expected_place,
)
from toy_values import NAMES, STATISTICS

BALANCED, FAST, EXACT = (presets.get(name) for name in ("balanced", "fast", "exact"))
B, T = 3, 32


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("any"), inputs=ALL_INPUTS, targets=ALL_TARGETS)


@pytest.fixture(scope="module")
def plain(pack: Pack) -> TerraMind:
    return TerraMind(pack, make_runtime(device="cpu"), chain=False)


@pytest.fixture(scope="module")
def chained(pack: Pack) -> TerraMind:
    return TerraMind(pack, make_runtime(device="cpu"))


def image(modality: str) -> np.ndarray:
    rng = np.random.default_rng(len(modality))
    if modality == "COORDS":
        return np.array([[11.6, 48.1], [-179.9, -0.1], [0.0, 89.9]])
    shape = (B, len(NAMES[modality]), T, T)
    if modality == "LULC":
        return rng.integers(0, 10, shape).astype(np.float32)
    mean, std = STATISTICS[modality]
    blocks = np.kron(rng.standard_normal((B, shape[1], 4, 4)), np.ones((1, 1, 8, 8)))
    values = (mean + std * (0.5 * blocks + 0.1 * rng.standard_normal(shape))).astype(np.float32)
    values[0, :, :4, :9] = np.nan
    return values


def images(*modalities: str) -> dict[str, np.ndarray]:
    return {modality: image(modality) for modality in modalities}


def keys(seed: int = 0) -> list[TileKey]:
    return [TileKey(seed, i) for i in range(B)]


def check(out: Mapping[str, Any], target: str, given: Mapping[str, np.ndarray]) -> None:
    if target == "COORDS":
        low, high = (expected_place(given, nudge=sign * 1e-6) for sign in (-1, 1))
        assert ((out[target] == low) | (out[target] == high)).all()
        return
    found = out[target].argmax(axis=1)[:, None] if target == "LULC" else out[target]
    low, high = (expected(given, target, nudge=sign * 1e-5) for sign in (-1, 1))
    assert found.shape == low.shape
    assert (
        np.isclose(found, low, rtol=1e-5, atol=1e-5) | np.isclose(found, high, rtol=1e-5, atol=1e-5)
    ).all()


@pytest.mark.parametrize("modality", [m for m in ALL_INPUTS if m != "COORDS"])
def test_each_input_alone_makes_every_target(plain: TerraMind, modality: str) -> None:
    given = images(modality)
    targets = [target for target in ALL_TARGETS if target != modality]
    out = plain.generate(given, targets, keys(), FAST)
    assert list(out) == targets
    for target in targets:
        check(out, target, given)


@pytest.mark.parametrize(
    "modalities", [("S2L2A", "S1GRD"), ("LULC", "NDVI"), ("DEM", "S1RTC", "COORDS"), ALL_INPUTS[:6]]
)
def test_inputs_together(plain: TerraMind, modalities: tuple[str, ...]) -> None:
    given = images(*modalities)
    targets = [target for target in ALL_TARGETS if target not in modalities]
    out = plain.generate(given, targets, keys(), FAST)
    for target in targets:
        check(out, target, given)


def test_coordinates_change_what_is_made(plain: TerraMind) -> None:
    without = plain.generate(images("S2L2A"), ("DEM", "NDVI"), keys(), FAST)
    given = images("S2L2A", "COORDS")
    out = plain.generate(given, ("DEM", "NDVI"), keys(), FAST)
    check(out, "DEM", given)
    assert np.abs(out["DEM"][0] - without["DEM"][0]).max() > 10
    np.testing.assert_array_equal(out["NDVI"], without["NDVI"])


@pytest.mark.parametrize("order", list(permutations(("DEM", "COORDS", "LULC"))))
def test_chains_go_in_the_users_order(chained: TerraMind, pack: Pack, order: tuple[str, ...]) -> None:
    """Each target sees the tokens of those before it, as if they had been given."""
    seen: list[tuple[str, int]] = []
    original, given = chained.run, images("LULC" if "LULC" not in order else "S1GRD", "NDVI")

    def spy(graph: str, inputs: Mapping[str, Any], *args: Any) -> Any:
        if graph.startswith("predict_"):
            seen.append((graph[8:], inputs["context"].shape[1]))
        return original(graph, inputs, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chained, "run", spy)
        ids: dict[str, np.ndarray] = {}
        out = chained.generate(given, order, keys(), FAST, ids_out=ids)
    check(out, order[0], given)
    assert list(ids) == list(order)
    # 16 tokens for each picture; one of coordinates to come, two of those that came, none when they are last.
    count, expected_counts = 32 + (order[-1] != "COORDS"), []
    for target in order:
        expected_counts.extend([(target, count)] * (3 if target == "COORDS" else 1))
        count += 1 if target == "COORDS" else 16
    assert seen == expected_counts


def test_coordinates_written_join_the_input(pack: Pack) -> None:
    """Elevation after coordinates knows the latitude that was written."""
    adapter = TerraMind(pack, make_runtime(device="cpu"))
    given = images("S1GRD")
    out = adapter.generate(given, ("COORDS", "DEM"), keys(), FAST)
    check(out, "COORDS", given)
    check(out, "DEM", {**given, "COORDS": out["COORDS"]})


def test_what_spells_no_place_is_nan_and_tiles_stay_apart(pack: Pack) -> None:
    """One tile stops at once: its tokens are fewer, and neither it nor the others notice."""
    adapter = TerraMind(pack, make_runtime(device="cpu"))
    original, given = adapter.run, images("S1GRD")
    whole = adapter.generate(given, ("COORDS", "DEM"), keys(), FAST)

    def run(graph: str, inputs: Mapping[str, Any], *args: Any) -> Any:
        out = original(graph, inputs, *args)
        if graph == "predict_COORDS":
            logits = out["logits"].copy()
            logits[1, 0, STOP] = 10
            return {"logits": logits}
        return out

    adapter.run = run  # type: ignore[method-assign]
    ids: dict[str, np.ndarray] = {}
    out = adapter.generate(given, ("COORDS", "DEM"), keys(), FAST, ids_out=ids)
    assert np.isnan(out["COORDS"][1]).all()
    np.testing.assert_array_equal(ids["COORDS"][1], [STOP] * 3)
    for tile in (0, 2):
        np.testing.assert_array_equal(out["COORDS"][tile], whole["COORDS"][tile])
        np.testing.assert_array_equal(out["DEM"][tile], whole["DEM"][tile])
    alone = {"S1GRD": given["S1GRD"][1:2]}
    np.testing.assert_allclose(out["DEM"][1:2], expected(alone, "DEM"), rtol=1e-5)


def test_drawn_coordinates_repeat_and_differ_by_sample(pack: Pack) -> None:
    adapter = TerraMind(pack, make_runtime(device="cpu"))
    original = adapter.run

    def flat(graph: str, *args: Any) -> Any:
        out = original(graph, *args)
        return {"logits": np.clip(out["logits"] * 1e-4, -30, 0)} if graph == "predict_COORDS" else out

    adapter.run = flat  # type: ignore[method-assign]
    given = images("S2L2A", "DEM")
    samples = list(adapter.samples(given, ("COORDS", "NDVI"), keys(), EXACT, 3))
    again = adapter.generate(given, ("COORDS", "NDVI"), [TileKey(0, i, 2) for i in range(B)], EXACT)
    np.testing.assert_array_equal(samples[2]["COORDS"], again["COORDS"])
    np.testing.assert_array_equal(samples[2]["NDVI"], again["NDVI"])
    assert not np.array_equal(samples[0]["COORDS"], samples[1]["COORDS"])


@pytest.mark.parametrize("modalities", [("S2L2A",), ("S1GRD", "DEM"), ("LULC", "NDVI", "COORDS")])
def test_embeddings_are_averaged_over_pictures(plain: TerraMind, modalities: tuple[str, ...]) -> None:
    given = images(*modalities)
    found = plain.embed(given, FAST)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected_embedding(given), atol=1e-5)


def test_what_cannot_be_embedded_is_said(plain: TerraMind, pack: Pack) -> None:
    with pytest.raises(ModelError, match="needs an image"):
        plain.embed(images("COORDS"), FAST)
    old = dataclasses.replace(pack, tasks=("generate",))
    with pytest.raises(ModelError, match="cannot embed; it can generate"):
        TerraMind(old, plain.runtime).embed(images("S2L2A"), FAST)


def test_what_a_pack_lacks_is_said(pack: Pack, plain: TerraMind) -> None:
    graphs = {name: spec for name, spec in pack.graphs.items() if name != "tokenize_LULC"}
    without = TerraMind(dataclasses.replace(pack, graphs=graphs, vocabulary=""), plain.runtime)
    takes = "S2L2A, S2L1C, RGB, S1GRD, S1RTC, DEM, NDVI"
    for modality in ("LULC", "COORDS"):
        with pytest.raises(ModelError, match=f"does not take {modality}; it takes {takes}.$"):
            without.check((modality,), ("S2L2A",))
    with pytest.raises(PackError, match="no vocabulary"):
        without.generate(images("S2L2A"), ("COORDS",), keys(), FAST)


def test_wrong_shapes_are_a_bug(plain: TerraMind) -> None:
    with pytest.raises(ValueError, match="COORDS has shape"):
        plain.generate({**images("S2L2A"), "COORDS": np.zeros((B, 3))}, ("DEM",), keys(), FAST)


def test_tiles_do_not_depend_on_their_batch(chained: TerraMind) -> None:
    given, targets = images("LULC", "S1GRD", "COORDS"), ("DEM", "NDVI")
    whole = chained.generate(given, targets, keys(), EXACT)
    for tile in range(B):
        one = {modality: values[tile : tile + 1] for modality, values in given.items()}
        alone = chained.generate(one, targets, [TileKey(0, tile)], EXACT)
        for target in targets:
            np.testing.assert_array_equal(alone[target][0], whole[target][tile])


def test_the_toy_knows_every_place(pack: Pack, plain: TerraMind) -> None:
    vocabulary: CoordsVocabulary = plain.vocabulary
    assert vocabulary.tokenizer.vocabulary["[S_1]"] == START
    assert len(WORDS) == 7 + 721 + 1441
