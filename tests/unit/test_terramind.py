# SPDX-License-Identifier: GPL-2.0-or-later
"""The TerraMind adapter on the toy pack, whose outputs can be worked out by hand."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terrane.inference import presets, sampler
from terrane.inference.adapters import FAMILIES, TerraMind, TileKey, adapter_for
from terrane.inference.adapters.terramind import softmax, standardise
from terrane.inference.errors import Cancelled, ModelError, PackError
from terrane.inference.packs.manifest import InputSpec, Pack, load_pack
from terrane.inference.presets import Preset
from terrane.inference.runtime import make_runtime
from terrane.inference.runtime.onnx_runtime import OnnxRuntime
from terrane.inference.types import Cancel
from toy_pack import LEVELS, MEAN, STATISTICS, STD, build_toy_pack, expected

EXACT, BALANCED, FAST = (presets.get(name) for name in ("exact", "balanced", "fast"))
TARGETS = ("DEM", "LULC", "NDVI")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def adapter(pack: Pack) -> TerraMind:
    return TerraMind(pack, make_runtime(device="cpu"), chain=False)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """(4,12,32,32) reflectances that differ from patch to patch, with a hole in the first tile."""
    rng = np.random.default_rng(1)
    patches = np.kron(rng.uniform(200, 3800, (4, 12, 4, 4)), np.ones((1, 1, 8, 8)))
    image = (patches * 0.7 + rng.uniform(0, 1200, (4, 12, 32, 32))).astype(np.float32)
    image[0, :, :5, :7] = np.nan
    return image


def keys(count: int = 4, seed: int = 0, first: int = 0) -> list[TileKey]:
    return [TileKey(seed, first + i) for i in range(count)]


def classes(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(axis=1)[:, None].astype(np.float32)


@pytest.mark.parametrize("preset", [BALANCED, FAST])
def test_outputs_are_what_the_toy_says(adapter: TerraMind, images: np.ndarray, preset: Preset) -> None:
    tokens: dict[str, np.ndarray] = {}
    out = adapter.generate({"S2L2A": images}, TARGETS, keys(), preset, ids_out=tokens)
    assert list(out) == list(TARGETS)
    for target in ("DEM", "NDVI"):
        assert out[target].shape == (4, 1, 32, 32)
        assert out[target].dtype == np.float32
        np.testing.assert_allclose(out[target], expected(images, target), rtol=1e-6, atol=1e-6)
    assert out["LULC"].shape == (4, 10, 32, 32)
    np.testing.assert_allclose(out["LULC"].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(classes(out["LULC"]), expected(images, "LULC"))
    assert {name: ids.shape for name, ids in tokens.items()} == dict.fromkeys(TARGETS, (4, 16))


def test_a_tile_of_nothing_is_the_mean(adapter: TerraMind) -> None:
    empty = np.full((1, 12, 32, 32), np.nan, np.float32)
    out = adapter.generate({"S2L2A": empty}, ("DEM",), keys(1), FAST)
    np.testing.assert_allclose(out["DEM"], STATISTICS["DEM"][0])


def test_the_clamp_is_the_preset_s_or_the_pack_s(adapter: TerraMind) -> None:
    bright = np.full((1, 12, 32, 32), MEAN + 1.4 * STD, np.float32)
    for clamp in (None, 0.5, 2.0):
        preset = dataclasses.replace(FAST, clamp=clamp)
        out = adapter.generate({"S2L2A": bright}, ("DEM",), keys(1), preset)
        np.testing.assert_allclose(out["DEM"], 500 + 300 * min(1.4, clamp or 1.0), rtol=1e-5)


def test_exact_draws_and_repeats(adapter: TerraMind, images: np.ndarray) -> None:
    first = adapter.generate({"S2L2A": images}, TARGETS, keys(), EXACT)
    again = adapter.generate({"S2L2A": images}, TARGETS, keys(), EXACT)
    other = adapter.generate({"S2L2A": images}, TARGETS, keys(seed=1), EXACT)
    likeliest = adapter.generate({"S2L2A": images}, TARGETS, keys(), BALANCED)
    for target in TARGETS:
        np.testing.assert_array_equal(first[target], again[target])
    assert (first["DEM"] != other["DEM"]).any()
    assert (first["DEM"] != likeliest["DEM"]).any()
    # Drawn levels stay close to the likeliest.
    assert np.abs(first["DEM"] - likeliest["DEM"]).max() < 120


@pytest.mark.parametrize("gain", [0.0, 0.3])
def test_tiles_do_not_depend_on_their_batch(tmp_path: Path, images: np.ndarray, gain: float) -> None:
    pack = build_toy_pack(tmp_path, gain=gain)
    adapter = TerraMind(pack, make_runtime(device="cpu"))
    preset = dataclasses.replace(EXACT, steps=3)
    together = adapter.generate({"S2L2A": images}, TARGETS, keys(), preset)
    for i in (2, 0, 3, 1):
        alone = adapter.generate({"S2L2A": images[i : i + 1]}, TARGETS, keys(1, first=i), preset)
        for target in TARGETS:
            np.testing.assert_array_equal(alone[target][0], together[target][i])


def test_noise_shows_through_where_the_network_lets_it(tmp_path: Path) -> None:
    """One step: x0 = level + gain · noise, so that the noise itself can be read from the output."""
    adapter = TerraMind(build_toy_pack(tmp_path, gain=0.1), make_runtime(device="cpu"))
    flat = np.full((2, 12, 32, 32), MEAN, np.float32)
    sampled = [TileKey(3, 5), TileKey(3, 5, sample=1)]
    out = adapter.generate({"S2L2A": flat}, ("DEM",), sampled, dataclasses.replace(FAST, clamp=9.0))
    for i, key in enumerate(sampled):
        noise = sampler.generator(3, 5, "DEM/noise", 0, key.sample).standard_normal((1, 32, 32), np.float32)
        np.testing.assert_allclose((out["DEM"][i] - 500) / 300, 0.1 * noise, atol=1e-5)


def test_earlier_targets_join_the_input_in_the_user_s_order(pack: Pack, images: np.ndarray) -> None:
    """Chained, LULC is decided on the mean of the bands' value and the elevation's level."""
    adapter = TerraMind(pack, make_runtime(device="cpu"))
    assert adapter.chain
    tokens: dict[str, np.ndarray] = {}
    one = images[1:2]
    adapter.generate({"S2L2A": one}, ("DEM", "LULC"), keys(1), BALANCED, ids_out=tokens)
    value = ((one - MEAN) / STD).reshape(1, 12, 4, 8, 4, 8).mean(axis=(1, 3, 5)).ravel()
    level = LEVELS["DEM"][tokens["DEM"][0]]
    chained = np.abs(((value + level) / 2)[:, None] - LEVELS["LULC"]).argmin(axis=1)
    np.testing.assert_array_equal(tokens["LULC"][0], chained)
    # In the other order LULC comes first, and depends on the bands alone.
    reverse: dict[str, np.ndarray] = {}
    out = adapter.generate({"S2L2A": one}, ("LULC", "DEM"), keys(1), BALANCED, ids_out=reverse)
    assert list(out) == ["LULC", "DEM"]
    np.testing.assert_array_equal(reverse["LULC"][0], np.abs(value[:, None] - LEVELS["LULC"]).argmin(axis=1))


class CountingRuntime(OnnxRuntime):
    """ONNX Runtime that remembers which graphs were loaded and run."""

    def __init__(self) -> None:
        super().__init__(device="cpu", threads=1)
        self.loaded: list[str] = []
        self.ran: list[str] = []

    def load(self, path: str) -> Any:
        self.loaded.append(Path(path).stem)
        graph, ran = super().load(path), self.ran

        class Counted:
            def run(self, inputs: Mapping[str, Any], *, cancel: Cancel | None = None) -> dict[str, Any]:
                ran.append(Path(path).stem)
                return graph.run(inputs, cancel=cancel)

        return Counted()


def test_graphs_are_loaded_once_and_only_when_needed(pack: Pack, images: np.ndarray) -> None:
    runtime = CountingRuntime()
    adapter = TerraMind(pack, runtime, chain=False)
    assert runtime.loaded == []
    for _ in range(2):
        adapter.generate({"S2L2A": images}, ("DEM", "LULC"), keys(), BALANCED)
    assert sorted(runtime.loaded) == sorted(set(runtime.loaded))
    assert "predict_NDVI" not in runtime.loaded
    once = [
        "embed_S2L2A",
        "encoder",
        "predict_DEM",
        "decode_DEM",
        "decode_DEM",
        "predict_LULC",
        "decode_LULC",
    ]
    assert runtime.ran == once * 2  # one encoder pass for all targets, two denoising steps


def test_chained_targets_need_an_encoder_pass_each(pack: Pack, images: np.ndarray) -> None:
    runtime = CountingRuntime()
    TerraMind(pack, runtime).generate({"S2L2A": images}, TARGETS, keys(), FAST)
    assert runtime.ran.count("encoder") == 3
    assert "embed_NDVI_ids" not in runtime.ran


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (["S1GRD"], ["DEM"], "model toy does not take S1GRD; it takes S2L2A"),
        (["DEM"], ["LULC"], "does not take DEM"),
        (["S2L2A"], ["S1RTC"], "model toy does not make S1RTC; it makes DEM, LULC, NDVI"),
        (["S2L2A"], ["DEM", "DEM"], "named twice"),
        (["S2L2A"], [], "at least one input and one target"),
        ([], ["DEM"], "at least one input and one target"),
    ],
)
def test_what_a_model_cannot_do_is_refused(
    adapter: TerraMind, inputs: list[str], targets: list[str], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        adapter.check(inputs, targets)


def test_tasks_and_families_are_checked(pack: Pack) -> None:
    runtime = make_runtime(device="cpu")
    assert isinstance(adapter_for(pack, runtime), TerraMind)
    with pytest.raises(ModelError, match="cannot generate; it can segment"):
        adapter_for(dataclasses.replace(pack, tasks=("segment",)), runtime).check(["S2L2A"], ["DEM"])
    with pytest.raises(ModelError, match=r"family 'clay'.*runs terramind"):
        adapter_for(dataclasses.replace(pack, family="clay"), runtime)


def test_adapters_declare_what_they_do() -> None:
    for cls in FAMILIES.values():
        assert cls.family
        assert cls.tasks


def test_images_of_another_shape_are_a_bug(adapter: TerraMind) -> None:
    with pytest.raises(ValueError, match=r"has shape \(1, 12, 16, 16\); the model takes \(1, 12, 32, 32\)"):
        adapter.generate({"S2L2A": np.zeros((1, 12, 16, 16), np.float32)}, ("DEM",), keys(1), FAST)


def test_int8_forms_are_used_where_the_preset_wants_them(tmp_path: Path) -> None:
    pack = build_toy_pack(tmp_path)
    encoder = pack.graphs["encoder"]
    both = dataclasses.replace(encoder, forms={**encoder.forms, "onnx-int8": encoder.forms["onnx"]})
    adapter = TerraMind(dataclasses.replace(pack, graphs={**pack.graphs, "encoder": both}), make_runtime())
    asked = dataclasses.replace(BALANCED, precision=("int8",))
    assert adapter.form("encoder", asked) == "onnx-int8"
    assert adapter.form("encoder", BALANCED) == "onnx", "its error is not known"
    assert adapter.form("encoder", EXACT) == "onnx"
    assert adapter.form("embed_S2L2A", BALANCED) == "onnx"


def test_graphs_that_do_not_match_their_manifest_are_named(pack: Pack, images: np.ndarray) -> None:
    runtime = make_runtime(device="cpu")
    graphs = {**pack.graphs, "encoder": pack.graphs["embed_DEM_ids"]}
    with pytest.raises(PackError, match="cannot be used"):
        TerraMind(dataclasses.replace(pack, graphs=graphs), runtime).generate(
            {"S2L2A": images}, ("DEM",), keys(), FAST
        )
    graphs = {**pack.graphs, "predict_DEM": pack.graphs["encoder"]}
    with pytest.raises(PackError, match="cannot be used"):
        TerraMind(dataclasses.replace(pack, graphs=graphs), runtime).generate(
            {"S2L2A": images}, ("DEM",), keys(), FAST
        )
    graphs = {name: spec for name, spec in pack.graphs.items() if name != "decode_DEM"}
    with pytest.raises(PackError, match="no graph 'decode_DEM'"):
        TerraMind(dataclasses.replace(pack, graphs=graphs), runtime).generate(
            {"S2L2A": images}, ("DEM",), keys(), FAST
        )


def test_cancel_works_inside_a_graph(tmp_path: Path, images: np.ndarray) -> None:
    adapter = TerraMind(build_toy_pack(tmp_path, busy=400), make_runtime(device="cpu"))
    cancel = Cancel()
    timer = threading.Timer(0.4, cancel.set)
    timer.start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        adapter.generate({"S2L2A": images}, ("DEM",), keys(), FAST, cancel=cancel)
    timer.join()
    assert time.monotonic() - start < 5


def test_cancel_works_before_the_first_graph(adapter: TerraMind, images: np.ndarray) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        adapter.generate({"S2L2A": images}, ("DEM",), keys(), FAST, cancel=cancel)


def test_standardised_values() -> None:
    spec = InputSpec(bands=("A", "B"), unit="", mean=(10.0, 20.0), std=(2.0, 4.0))
    image = np.array([[[[12.0, np.nan]], [[np.inf, 16.0]]]], np.float32)
    result = standardise(image, spec)
    np.testing.assert_array_equal(result, [[[[1.0, 0.0]], [[0.0, -1.0]]]])
    assert np.isnan(image[0, 0, 0, 1])  # the caller's array is left alone


def test_softmax_of_large_logits() -> None:
    out = softmax(np.array([[1000.0, 0.0], [1000.0, -1000.0]], np.float32)[..., None, None])
    np.testing.assert_allclose(out[..., 0, 0], [[1, 0], [1, 0]])


def test_a_loaded_pack_runs_like_a_built_one(pack: Pack, images: np.ndarray) -> None:
    runtime = make_runtime(device="cpu")
    ours = adapter_for(load_pack(pack.root), runtime).generate({"S2L2A": images}, TARGETS, keys(), EXACT)
    theirs = adapter_for(pack, runtime).generate({"S2L2A": images}, TARGETS, keys(), EXACT)
    for target in TARGETS:
        np.testing.assert_array_equal(ours[target], theirs[target])


@pytest.mark.parametrize("chain", [False, True])
def test_samples_are_draws_that_share_what_they_can(pack: Pack, images: np.ndarray, chain: bool) -> None:
    adapter = TerraMind(pack, make_runtime(device="cpu"), chain=chain)
    drawn = dataclasses.replace(EXACT, steps=1)
    runs: list[str] = []
    original = adapter.run

    def spy(graph: str, *args: Any, **options: Any) -> Any:
        runs.append(graph)
        return original(graph, *args, **options)

    adapter.run = spy  # type: ignore[method-assign]
    samples = list(adapter.samples({"S2L2A": images}, ("DEM", "LULC"), keys(), drawn, 3))
    assert runs.count("embed_S2L2A") == runs.count("predict_DEM") == 1
    assert runs.count("encoder") == (4 if chain else 1)
    assert len(samples) == 3
    for number, sample in enumerate(samples):
        its_keys = [dataclasses.replace(key, sample=number) for key in keys()]
        alone = adapter.generate({"S2L2A": images}, ("DEM", "LULC"), its_keys, drawn)
        for target, values in alone.items():
            np.testing.assert_array_equal(sample[target], values)
    assert not np.array_equal(samples[0]["DEM"], samples[1]["DEM"])


def test_what_a_family_cannot_do_is_said(adapter: TerraMind, images: np.ndarray) -> None:
    with pytest.raises(ModelError, match="toy cannot predict; it can generate, embed"):
        adapter.predict({"S2L2A": images}, FAST)


class SlowRuntime:
    """Loads graphs with another runtime, not before it is told to; counts what it loads."""

    name, device = "onnx", "CPUExecutionProvider"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.loaded: list[str] = []
        self.failures = 0
        self._real = make_runtime(device="cpu", threads=1)

    def load(self, path: str) -> Any:
        self.loaded.append(path)
        self.go.wait(20)
        if self.failures:
            self.failures -= 1
            raise PackError("not now")
        return self._real.load(path)


def test_decoders_are_loaded_ahead_and_once(pack: Pack, images: np.ndarray) -> None:
    runtime = SlowRuntime()
    adapter = TerraMind(pack, runtime)
    adapter.preload(("DEM", "LULC", "COORDS"), FAST)
    waiting = time.monotonic() + 10
    while len(runtime.loaded) < 2 and time.monotonic() < waiting:
        time.sleep(0.01)
    assert sorted(runtime.loaded) == [pack.graph_path("decode_DEM"), pack.graph_path("decode_LULC")]
    runtime.go.set()
    made = adapter.generate({"S2L2A": images}, ("DEM", "LULC"), keys(), FAST)
    assert len(runtime.loaded) == len(set(runtime.loaded))
    plain = TerraMind(pack, make_runtime(device="cpu", threads=1))
    expected = plain.generate({"S2L2A": images}, ("DEM", "LULC"), keys(), FAST)
    for target, values in expected.items():
        np.testing.assert_array_equal(made[target], values)


def test_a_graph_that_did_not_load_ahead_is_tried_again(pack: Pack, images: np.ndarray) -> None:
    runtime = SlowRuntime()
    runtime.failures = 1
    runtime.go.set()
    adapter = TerraMind(pack, runtime)
    adapter.preload(("DEM",), FAST)
    for thread in threading.enumerate():
        if thread.name == "terrane-loader":
            thread.join()
    assert runtime.failures == 0
    assert adapter.generate({"S2L2A": images}, ("DEM",), keys(), FAST)["DEM"].any()
