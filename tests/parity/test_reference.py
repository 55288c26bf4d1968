# SPDX-License-Identifier: GPL-2.0-or-later
"""Our converter, graphs, sampler and DDIM against what terratorch computed (training/export/make_reference).

The committed checkpoints are small TerraMinds of the official classes with random weights, zero-initialised
layers included; the arrays are terratorch's own. Everything here runs without torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terrane.inference import ddim, sampler
from terrane.inference.adapters import terramind
from terrane.inference.adapters.base import TileKey
from terrane.inference.adapters.terramind import TerraMind, softmax
from terrane.inference.packs.convert import convert_checkpoint
from terrane.inference.packs.manifest import Pack
from terrane.inference.presets import PRESETS
from terrane.inference.runtime import make_runtime

FOLDER = Path(__file__).parent / "reference"
ABOUT = json.loads((FOLDER / "about.json").read_text(encoding="utf-8"))
MODELS = ("gelu", "silu")
INPUTS = ("S2L2A", "S1GRD", "DEM", "LULC", "NDVI", "COORDS")
TARGETS = ("DEM", "LULC", "NDVI")
EMBEDDED = [(model, "+".join(inputs)) for model in MODELS for inputs in ABOUT["embedded"]]
CASES = [(model, case) for model in MODELS for case in ABOUT["cases"]]
TOLERANCE = 1e-4
Arrays = Mapping[str, Any]


def error(ours: Any, theirs: Any) -> float:
    """Largest difference, relative to the largest value."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pack]:
    folder = tmp_path_factory.mktemp("packs")
    return {
        model: convert_checkpoint(
            FOLDER / f"TerraMind_v1_{model}.pt",
            FOLDER,
            INPUTS,
            (*TARGETS, "COORDS"),
            folder / model,
            skeletons=FOLDER / "skeletons",
        )
        for model in MODELS
    }


@pytest.fixture(scope="module")
def arrays() -> dict[str, dict[str, Any]]:
    found = {}
    for name in (*MODELS, "scenes"):
        with np.load(FOLDER / f"{name}.npz") as archive:
            found[name] = dict(archive)
    return found


@pytest.fixture(scope="module")
def run(packs: dict[str, Pack]) -> Callable[..., Any]:
    runtime = make_runtime("onnx", device="cpu", threads=1)
    graphs: dict[tuple[str, str], Any] = {}

    def run_graph(model: str, graph: str, **inputs: Any) -> Any:
        if (model, graph) not in graphs:
            graphs[model, graph] = runtime.load(packs[model].graph_path(graph))
        return graphs[model, graph].run(inputs)

    return run_graph


class FixedNoise:
    """In place of our random numbers: the noise that the reference used."""

    def __init__(self, noises: Mapping[str, Any]) -> None:
        self.noises = noises

    def __call__(self, seed: int, tile: int, purpose: str, *_: int) -> Any:
        target = purpose.split("/", maxsplit=1)[0]
        noise = self.noises[target][tile]

        class Generator:
            @staticmethod
            def standard_normal(shape: Any, dtype: Any) -> Any:
                assert noise.shape == shape
                return noise.astype(dtype)

        return Generator


@pytest.mark.parametrize(("model", "case"), CASES)
def test_whole_runs_agree(
    model: str,
    case: str,
    packs: dict[str, Pack],
    arrays: dict[str, Arrays],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scene values in, DEM in metres and class probabilities out, every chain step between them."""
    theirs, about = arrays[model], ABOUT["cases"][case]
    noises = {t: theirs[f"{case}.{t}.noise"] for t in about["targets"] if f"{case}.{t}.noise" in theirs}
    monkeypatch.setattr(terramind.sampler, "generator", FixedNoise(noises))
    preset = replace(PRESETS["balanced"], sampler="argmax", steps=ABOUT["steps"], clamp=None)
    adapter = TerraMind(packs[model], make_runtime("onnx", device="cpu", threads=1))
    logits: dict[str, Any] = {}
    original = adapter.run

    def spy(graph: str, *args: Any, **options: Any) -> Any:
        out = original(graph, *args, **options)
        if graph.startswith("predict_"):
            logits[graph[8:]] = out["logits"]
        return out

    monkeypatch.setattr(adapter, "run", spy)
    images = {m: arrays["scenes"][m] for m in about["inputs"]}
    ids: dict[str, Any] = {}
    keys = [TileKey(0, 0), TileKey(0, 1)]
    outputs = adapter.generate(images, about["targets"], keys, preset, ids_out=ids)
    for target in about["targets"]:
        assert error(logits[target], theirs[f"{case}.{target}.logits"]) < TOLERANCE
        np.testing.assert_array_equal(ids[target], theirs[f"{case}.{target}.ids"])
        expected = theirs.get(f"{case}.{target}.output")
        if target == "COORDS":
            np.testing.assert_array_equal(outputs[target], expected)
        elif expected is not None:
            expected = softmax(expected) if target == "LULC" else expected
            assert error(outputs[target], expected) < TOLERANCE
            assert np.ptp(outputs[target]) > 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("modality", "case"), [("LULC", "tokens"), ("NDVI", "tokens"), ("NDVI", "many")])
def test_tokenised_inputs_agree(
    model: str,
    modality: str,
    case: str,
    packs: dict[str, Pack],
    run: Callable[..., Any],
    arrays: dict[str, Arrays],
) -> None:
    """Every token of maps that enter by way of their tokenizers."""
    image = terramind.standardise(arrays["scenes"][modality], packs[model].inputs[modality])
    ours = run(model, f"tokenize_{modality}", image=image)["ids"]
    theirs = arrays[model][f"{case}.{modality}.given"]
    np.testing.assert_array_equal(ours, theirs)
    assert len(np.unique(ours)) > 3


@pytest.mark.parametrize("model", MODELS)
def test_numbers_that_are_no_class_are_no_data(model: str, run: Callable[..., Any]) -> None:
    """The reference fails on them; here they are class 0."""
    rng = np.random.default_rng(2)
    image = rng.integers(0, 10, (1, 1, 64, 64)).astype(np.float32)
    strange = np.where(image == 0, rng.choice([-3, 10, 255], image.shape), image).astype(np.float32)
    plain, mended = (run(model, "tokenize_LULC", image=given)["ids"] for given in (image, strange))
    np.testing.assert_array_equal(plain, mended)


@pytest.mark.parametrize(("model", "inputs"), EMBEDDED)
def test_embeddings_agree(model: str, inputs: str, packs: dict[str, Pack], arrays: dict[str, Arrays]) -> None:
    """Adapter.embed and terratorch's backbone with merge_method "mean"."""
    adapter = TerraMind(packs[model], make_runtime("onnx", device="cpu", threads=1))
    images = {m: arrays["scenes"][m] for m in inputs.split("+")}
    theirs = arrays[model][f"embed.{inputs}"]
    assert error(adapter.embed(images, PRESETS["exact"]), theirs) < TOLERANCE


def test_places_are_spelled_as_the_reference_does(packs: dict[str, Pack], arrays: dict[str, Arrays]) -> None:
    """Our reader of the vocabulary against the package ``tokenizers``, both ways."""
    scenes = arrays["scenes"]
    vocabulary = TerraMind(packs["gelu"], make_runtime("onnx", device="cpu", threads=1)).vocabulary
    np.testing.assert_array_equal(vocabulary.encode(scenes["coords.places"]), scenes["coords.encoded"])
    decoded = np.array([vocabulary.decode(row) for row in scenes["coords.ids"]])
    np.testing.assert_array_equal(decoded, scenes["coords.decoded"])
    assert 3 < np.isfinite(decoded).all(axis=1).sum() < len(decoded) - 3


def test_the_sentinel_of_coordinates_to_come_counts(
    packs: dict[str, Pack], arrays: dict[str, Arrays], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference puts it into the input from the start: without it the first target's logits differ."""
    theirs = arrays["gelu"]["place_between.NDVI.logits"]
    adapter = TerraMind(packs["gelu"], make_runtime("onnx", device="cpu", threads=1), chain=False)
    found: list[Any] = []
    original = adapter.run

    def spy(graph: str, *args: Any, **options: Any) -> Any:
        out = original(graph, *args, **options)
        if graph == "predict_NDVI":
            found.append(out["logits"])
        return out

    monkeypatch.setattr(adapter, "run", spy)
    images = {m: arrays["scenes"][m] for m in ("S2L2A", "DEM")}
    adapter.generate(images, ("NDVI",), [TileKey(0, 0), TileKey(0, 1)], PRESETS["fast"])
    assert error(found[0], theirs) > 10 * TOLERANCE


@pytest.mark.parametrize("model", MODELS)
def test_class_logits_agree(model: str, run: Callable[..., Any], arrays: dict[str, Arrays]) -> None:
    ids = arrays[model]["dem_lulc.LULC.ids"]
    ours = run(model, "decode_LULC", ids=ids)["image"]
    theirs = arrays[model]["dem_lulc.LULC.output"]
    assert error(ours, theirs) < TOLERANCE
    np.testing.assert_array_equal(ours.argmax(1), theirs.argmax(1))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("steps", ABOUT["ddim"])
def test_diffusion_agrees(
    model: str, steps: int, packs: dict[str, Pack], run: Callable[..., Any], arrays: dict[str, Arrays]
) -> None:
    """The same noise denoised in 1 to 50 steps, 3 among them (which are four in the reference)."""
    spec = packs[model].targets["DEM"]
    assert spec.diffusion is not None
    ids, noise = arrays[model]["dem_lulc.DEM.ids"], arrays[model]["dem_lulc.DEM.noise"]

    def predict(noisy: Any, timestep: int) -> Any:
        step = np.full(len(ids), timestep, np.int64)
        return run(model, "decode_DEM", noisy=noisy, timestep=step, ids=ids)["x0"]

    ours = ddim.denoise(predict, noise, spec.diffusion, steps=steps, clamp=spec.clamp)
    assert error(ours, arrays[model][f"ddim.{steps}"]) < TOLERANCE


@pytest.mark.parametrize("model", MODELS)
def test_the_second_target_sees_the_first(
    model: str, packs: dict[str, Pack], arrays: dict[str, Arrays]
) -> None:
    """Chaining is what the reference does: without it the second target's logits differ visibly."""
    assert packs[model].chain
    theirs = arrays[model]
    runtime = make_runtime("onnx", device="cpu", threads=1)
    embedded, second = [], {}
    for graph, feeds in (
        ("embed_S2L2A", {"image": terramind.standardise(
            arrays["scenes"]["S2L2A"], packs[model].inputs["S2L2A"])}),
        ("embed_DEM_ids", {"ids": theirs["dem_lulc.DEM.ids"]}),
    ):  # fmt: skip
        out = runtime.load(packs[model].graph_path(graph)).run(feeds)
        embedded.append((out["tokens"], out["emb"]))
        both = [np.concatenate(parts, axis=1) for parts in zip(*embedded)]
        context = runtime.load(packs[model].graph_path("encoder")).run({"tokens": both[0], "emb": both[1]})
        feeds = {"context": context["context"]}
        second[graph] = runtime.load(packs[model].graph_path("predict_LULC")).run(feeds)["logits"]
    assert error(second["embed_DEM_ids"], theirs["dem_lulc.LULC.logits"]) < TOLERANCE
    assert error(second["embed_S2L2A"], theirs["dem_lulc.LULC.logits"]) > 100 * TOLERANCE


class _Draws:
    """A generator whose uniform numbers are given."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def random(self, count: int) -> Any:
        assert count == len(self.values)
        return self.values


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("index", range(len(ABOUT["top_p"])))
def test_top_p_draws_from_the_reference_distribution(
    model: str, index: int, arrays: dict[str, Arrays]
) -> None:
    """Uniform numbers a millionth to either side of every step of the reference's cumulative distribution."""
    p, temperature = ABOUT["top_p"][index]
    logits = arrays[model]["dem_lulc.DEM.logits"][0] * np.float32(ABOUT["sharper"])
    theirs = arrays[model][f"top_p.{index}"].astype(np.float64)
    for row in range(len(logits)):
        kept = np.flatnonzero(theirs[row])
        edges = np.concatenate([[0.0], theirs[row, kept].cumsum() / theirs[row].sum()])
        wide = np.flatnonzero(np.diff(edges) > 4e-6)
        low, high = edges[wide] + 1e-6, edges[wide + 1] - 1e-6
        for draws in (low, high):
            repeated = np.repeat(logits[row : row + 1], len(draws), axis=0)
            drawn = sampler.top_p(repeated, _Draws(draws), p=p, temperature=temperature)  # type: ignore[arg-type]
            np.testing.assert_array_equal(drawn, kept[wide])


def test_zero_initialised_layers_are_not_zero() -> None:
    """A fresh UNet gives zero whatever goes in: the reference lists what was given random values."""
    changed = ABOUT["rerandomised"]
    assert "decoder.out.2.weight" in changed["DEM"]
    assert any(name.endswith("norm1.bias") for name in changed["silu"])
    assert sum(f.stat().st_size for f in FOLDER.rglob("*") if f.is_file()) < 9_500_000
