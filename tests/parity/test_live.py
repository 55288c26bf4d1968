# SPDX-License-Identifier: GPL-2.0-or-later
"""The same comparison as test_reference, live: terratorch itself, official dimensions, real chips.

Needs terratorch (``python3 build.py test --parity``). ``TERRANE_PARITY_SIZES=tiny,base`` names the sizes;
tiny alone by default. Weights are random, zero-initialised layers included. Prints the figures it found.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parity_check import differences, error
from terrane.inference.adapters.terramind import TerraMind
from terrane.inference.packs.bind import load_skeletons
from terrane.inference.packs.convert import convert_checkpoint
from terrane.inference.presets import PRESETS
from terrane.inference.runtime import make_runtime

# terratorch and what it imports warn of things that are theirs to mend.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

SIZES = os.environ.get("TERRANE_PARITY_SIZES", "tiny").split(",")
STEPS = int(os.environ.get("TERRANE_PARITY_STEPS", "2"))
TARGETS = ("DEM", "LULC")
TILE = 224
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def reference() -> Any:
    pytest.importorskip("terratorch", reason="live parity needs terratorch (build.py test --parity)")
    from training.export import reference

    return reference


@pytest.fixture(scope="module")
def small_models(reference: Any) -> Any:
    from training.export import small_models

    assert small_models.official is reference.official
    return small_models


@pytest.fixture(scope="module")
def official(reference: Any) -> Any:
    return reference.official


@pytest.fixture(scope="module")
def chips(shared_data: Path) -> Any:
    """The Sentinel-2 L2A chips of TerraMesh, cut to a tile: (3, 12, 224, 224) float32 digital numbers."""
    rasterio = pytest.importorskip("rasterio")
    found = []
    for path in sorted((shared_data / "terramesh" / "S2L2A").glob("*.tif")):
        with rasterio.open(path) as raster:
            found.append(raster.read()[:, :TILE, :TILE].astype(np.float32))
    assert len(found) == 3
    return np.stack(found)


@pytest.fixture(scope="module")
def tokenizers(
    official: Any, reference: Any, small_models: Any, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """The official tokenizers with random weights: (folder of checkpoints, modules)."""
    import torch

    folder = tmp_path_factory.mktemp("tokenizers")
    built = {}
    for number, target in enumerate(TARGETS):
        torch.manual_seed(number)
        built[target] = official.build_tokenizer(target)
        assert small_models.rerandomise(built[target], number)
        torch.save(built[target].state_dict(), folder / f"TerraMind_Tokenizer_{target}.pt")
    return folder, built


@pytest.mark.parametrize("kind", ["onnx", "torch"])
@pytest.mark.parametrize("size", SIZES)
def test_official_sizes_agree_on_real_chips(
    size: str,
    kind: str,
    official: Any,
    reference: Any,
    small_models: Any,
    tokenizers: Any,
    chips: Any,
    tmp_path: Path,
) -> None:
    import torch

    folder, modules = tokenizers
    torch.manual_seed(7)
    mae = official.build_mae(size)
    small_models.rerandomise(mae, 7)
    checkpoint = tmp_path / f"TerraMind_v1_{size}.pt"
    torch.save(mae.state_dict(), checkpoint)
    pack = convert_checkpoint(
        checkpoint, folder, ["S2L2A"], TARGETS, tmp_path / "pack", torch=kind == "torch"
    )
    assert (pack.size, pack.chain) == (size, True)
    model = reference.generation(
        official.mae_arguments(size), mae.state_dict(), modules, ["S2L2A"], TARGETS, tile=TILE
    )
    images = {"S2L2A": chips}
    theirs = reference.run(model, images, STEPS, seed=3)
    found = differences(pack, kind, images, theirs, STEPS)
    print(f"\n{size}, {kind}, {STEPS} steps: " + ", ".join(f"{k} {v:.1e}" for k, v in found.items()))
    assert max(found.values()) < TOLERANCE
    assert found["DEM tokens that differ"] == found["LULC tokens that differ"] == 0


PAIRS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "radar to optical": (("S1GRD",), ("S2L2A",)),
    "elevation to land cover": (("DEM",), ("LULC",)),
    "tokens to optical": (("LULC", "NDVI"), ("S2L2A",)),
    "a place, and where it is": (("S1RTC", "LULC"), ("COORDS", "NDVI")),
    "coordinates": (("RGB", "COORDS"), ("LULC", "NDVI")),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_any_to_any_agrees_at_official_size(
    pair: str, official: Any, reference: Any, small_models: Any, tmp_path: Path
) -> None:
    """Other inputs and targets: each tokenizer they need, with random weights; the tiny model, one tile."""
    import torch
    from toy_values import WORDS

    inputs, targets = PAIRS[pair]
    built: dict[str, Any] = {}
    for number, modality in enumerate(dict.fromkeys((*targets, *inputs))):
        if (modality in targets or modality in official.TOKENISED) and modality != "COORDS":
            torch.manual_seed(number)
            built[modality] = official.build_tokenizer(modality)
            small_models.rerandomise(built[modality], number)
            torch.save(built[modality].state_dict(), tmp_path / f"TerraMind_Tokenizer_{modality}.pt")
    if "COORDS" in (*inputs, *targets):
        small_models.write_vocabulary(WORDS, tmp_path / "coords" / "config.json")
        built["COORDS"] = small_models.coords_tokenizer(tmp_path / "coords" / "config.json")
    torch.manual_seed(7)
    mae = official.build_mae("tiny")
    small_models.rerandomise(mae, 7)
    small_models.talkative(mae, 7)
    torch.save(mae.state_dict(), tmp_path / "TerraMind_v1_tiny.pt")
    pack = convert_checkpoint(tmp_path, None, inputs, targets, tmp_path / "pack")
    model = reference.generation(
        official.mae_arguments("tiny"), mae.state_dict(), built, inputs, targets, tile=TILE
    )
    images = {m: reference.synthetic_scene(m, 1, TILE, 3) for m in inputs}
    theirs = reference.run(model, images, 1, seed=3)
    found = differences(pack, "onnx", images, theirs, 1)
    print(f"\n{pair}: " + ", ".join(f"{k} {v:.1e}" for k, v in found.items()))
    assert max(found.values()) < TOLERANCE


@pytest.mark.parametrize("kind", ["onnx", "torch"])
@pytest.mark.parametrize("size", SIZES)
def test_embeddings_agree_at_official_size(
    size: str, kind: str, official: Any, reference: Any, small_models: Any, tmp_path: Path
) -> None:
    """Adapter.embed and terratorch's backbone ``terramind_v1_<size>``, on two modalities."""
    import torch

    torch.manual_seed(5)
    mae = official.build_mae(size)
    small_models.rerandomise(mae, 5)
    torch.save(mae.state_dict(), tmp_path / f"TerraMind_v1_{size}.pt")
    tokenizer = official.build_tokenizer("LULC")
    torch.save(tokenizer.state_dict(), tmp_path / "TerraMind_Tokenizer_LULC.pt")
    inputs = ("S2L2A", "S1GRD", "LULC")
    pack = convert_checkpoint(tmp_path, None, inputs, ("LULC",), tmp_path / "pack", torch=kind == "torch")
    images = {m: reference.synthetic_scene(m, 2, TILE, 4) for m in inputs}
    state, arguments = mae.state_dict(), official.mae_arguments(size)
    theirs = reference.embedded(arguments, state, {"LULC": tokenizer}, images, tile=TILE)
    adapter = TerraMind(pack, make_runtime(kind, device="cpu"))
    found = error(adapter.embed(images, PRESETS["exact"]), theirs)
    print(f"\n{size}, {kind}: embeddings {found:.1e}")
    assert found < TOLERANCE


@pytest.mark.parametrize("seed", [0, 1])
def test_small_models_agree_from_export_to_result(
    seed: int, official: Any, reference: Any, small_models: Any, tmp_path: Path
) -> None:
    """New random weights, skeletons exported here and now, both runtimes."""
    import torch

    from training.export.make_reference import mae_skeleton, save_checkpoint, tokenizer_skeleton

    size, books = "tiny" if seed else "base", {"DEM": "4-3-2", "NDVI": "3-3-2"}
    small = small_models.Small(size, codebooks=books, images=("S2L2A", "S1GRD"))
    torch.manual_seed(seed)
    mae = small_models.build_mae(small)
    small_models.rerandomise(mae, seed)
    save_checkpoint(mae.state_dict(), tmp_path / "TerraMind_v1_x.pt")
    mae_skeleton(small, "x", mae, tmp_path / "skeletons" / "x.zip")
    built = {}
    for target in small.targets:
        built[target] = small_models.build_tokenizer(small, target)
        small_models.rerandomise(built[target], seed)
        save_checkpoint(built[target].state_dict(), tmp_path / f"TerraMind_Tokenizer_{target}.pt")
        tokenizer_skeleton(target, built[target], small.tile, tmp_path / "skeletons" / f"x-{target}.zip")
    pack = convert_checkpoint(
        tmp_path / "TerraMind_v1_x.pt",
        tmp_path,
        small.images,
        small.targets,
        tmp_path / "pack",
        skeletons=tmp_path / "skeletons",
        torch=True,
    )
    with small_models.small_vocabularies(small):
        model = reference.generation(
            small.arguments, mae.state_dict(), built, small.images, small.targets, tile=small.tile
        )
    images = {m: reference.synthetic_scene(m, 2, small.tile, seed) for m in small.images}
    theirs = reference.run(model, images, 10, seed=seed)
    for kind in ("onnx", "torch"):
        found = differences(pack, kind, images, theirs, 10)
        print(f"\nsmall {seed}, {kind}: " + ", ".join(f"{k} {v:.1e}" for k, v in found.items()))
        assert max(found.values()) < TOLERANCE


def test_shipped_skeletons_fit_the_official_layout(official: Any) -> None:
    """Every tensor that a skeleton asks for is in terratorch's own state dict, with that shape."""
    import torch

    known = {s.path.stem: s for s in load_skeletons()}
    for name, skeleton in known.items():
        if name.startswith("starter"):
            continue
        with torch.device("cpu"), official.uninitialised():
            part = name.removeprefix("terramind-").removeprefix("v1-")
            module = official.build_mae(part) if skeleton.kind == "mae" else official.build_tokenizer(part)
        shapes = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        for weights in skeleton.bins.values():
            for weight in weights:
                assert shapes[weight.key] == weight.shape, (name, weight.key)
        if skeleton.kind == "tokenizer":
            assert skeleton.bind["target"] == official.target_spec(part, module)
            assert set(skeleton.graphs) == {f"decode_{part}", f"tokenize_{part}"}
        else:
            assert set(skeleton.graphs) == {
                "encoder",
                *(f"embed_{m}" for m in official.IMAGES),
                *(f"embed_{m}_ids" for m in official.TARGETS),
                *(f"predict_{m}" for m in (*official.TARGETS, *official.WORDS)),
                *(f"embed_{m}_ids" for m in official.WORDS),
            }
            assert set(skeleton.bind["inputs"]) == {*(*official.IMAGES, *official.TOKENISED, *official.WORDS)}


def test_shipped_starter_skeletons_are_those_of_its_model(reference: Any, tmp_path: Path) -> None:
    """Exporting again gives the same bytes: the build is deterministic, and nobody forgot it."""
    from training.export import make_skeletons

    known = make_skeletons.recipes()
    for name in ("starter-NDVI", "starter-LULC"):
        path = tmp_path / f"{name}.zip"
        with reference.official.uninitialised():
            known[name](path)
        assert path.read_bytes() == (make_skeletons.FOLDER / path.name).read_bytes(), name
