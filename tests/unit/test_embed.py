# SPDX-License-Identifier: GPL-2.0-or-later
"""Embeddings: values, places, overlaps, pictures and per-tile vectors, on a model that is worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasters import CORNER, files_in, ramp_image, read, write_scene
from terrane.inference import cli
from terrane.inference.errors import InputError, ModelError, OutputError
from terrane.inference.io import default_geo, wkb
from terrane.inference.io.scene import open_scene
from terrane.inference.packs.manifest import Pack
from terrane.inference.presets import Options
from terrane.inference.tasks.embed import EmbedRequest, embed, forecast_embed
from terrane.inference.types import BBox
from toy_pack import build_toy_pack, expected_embedding

DIM = 12 + 1 + 16


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


def image_of(height: int, width: int) -> np.ndarray:
    """Whole numbers, so that a byte raster's rounding plays no part."""
    noise = np.random.default_rng(7).integers(-300, 300, (12, height, width))
    return np.rint(ramp_image(height, width)) + noise


def request_of(tmp_path: Path, image: np.ndarray, toy: Pack, **options: Any) -> EmbedRequest:
    source = write_scene(tmp_path / "s2.tif", image)
    outputs = {"embeddings": str(tmp_path / "e.tif"), **options.pop("outputs", {})}
    scene = open_scene(source, modality="S2L2A")
    return EmbedRequest(scenes=(scene,), outputs=outputs, model=str(toy.root), **options)


def test_one_vector_per_patch_where_the_patch_is(tmp_path: Path, toy: Pack) -> None:
    # 70 x 50 pixels: neither is a multiple of the patch, and tiles overlap by a patch.
    image = image_of(50, 70)
    request = request_of(tmp_path, image, toy)
    result = embed(request)
    assert result.outputs == {"embeddings": str(tmp_path / "e.tif")}
    with rasterio.open(tmp_path / "e.tif") as file:
        assert file.transform == rasterio.Affine(80, 0, CORNER[0], 0, -80, CORNER[1])
        assert (file.count, file.height, file.width) == (DIM, 7, 9)
        assert file.crs == "EPSG:32632"
        assert np.isnan(file.nodata)
        assert file.descriptions[:2] == ("e000", "e001")
        tags = file.tags()
        got = file.read()
    assert tags["TERRANE_MODALITY"] == "EMBEDDINGS"
    assert (tags["TERRANE_PATCH"], tags["TERRANE_INPUTS"]) == ("8", "S2L2A")
    assert tags["TERRANE_PACK_SHA256"] == toy.hash
    # Patches that lie whole inside of the scene: a patch's vector does not depend on its tile.
    whole = image[:, :48, :64].astype(np.float32)
    for row in range(6):
        for col in range(8):
            patch = whole[:, row * 8 : row * 8 + 8, col * 8 : col * 8 + 8]
            expected = expected_embedding(np.tile(patch, (1, 4, 4))[None])[0, :, 0, 0]
            np.testing.assert_allclose(got[:, row, col], expected, rtol=2e-5, atol=2e-6)
    assert np.isfinite(got).all(), "a patch has data where any of its pixels has"


def test_patches_without_data(tmp_path: Path, toy: Pack) -> None:
    image = image_of(64, 64)
    image[:, :16, :24] = 0
    image[:, 16, 24] = 0
    embed(request_of(tmp_path, image, toy))
    missing = np.isnan(read(tmp_path / "e.tif"))
    expected = np.zeros((8, 8), bool)
    expected[:2, :3] = True
    np.testing.assert_array_equal(missing, np.broadcast_to(expected, missing.shape))


def test_half_floats(tmp_path: Path, toy: Pack) -> None:
    image = image_of(64, 64)
    embed(request_of(tmp_path, image, toy))
    full = read(tmp_path / "e.tif")
    half = request_of(tmp_path, image, toy, half=True, outputs={"embeddings": str(tmp_path / "h.tif")})
    embed(half)
    np.testing.assert_array_equal(read(tmp_path / "h.tif"), full.astype(np.float16).astype(np.float32))


def test_picture(tmp_path: Path, toy: Pack) -> None:
    image = image_of(96, 128)
    image[:, :16, :16] = 0
    embed(request_of(tmp_path, image, toy, outputs={"pca": str(tmp_path / "p.tif")}))
    vectors, picture = read(tmp_path / "e.tif"), read(tmp_path / "p.tif")
    with rasterio.open(tmp_path / "p.tif") as file:
        assert (file.count, file.dtypes[0], file.nodata) == (3, "uint8", 0)
        shares = [float(word.rstrip("%")) / 100 for word in file.tags()["TERRANE_VARIANCE"].split()]
    known = np.isfinite(vectors).all(axis=0)
    np.testing.assert_array_equal((picture != 0).all(axis=0), known)
    table = vectors[:, known].T.astype(np.float64)
    centred = table - table.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(shares, (singular**2 / (singular**2).sum())[:3], atol=6e-4)
    for band in range(3):
        axis = axes[band] * np.sign(axes[band][np.abs(axes[band]).argmax()])
        scores = centred @ axis
        low, high = np.percentile(scores, [2, 98])
        expected = np.clip(1 + 254 * (scores - low) / (high - low), 1, 255)
        assert np.abs(picture[band][known] - expected).max() <= 1


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
def test_vectors_per_tile(tmp_path: Path, toy: Pack, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    image = image_of(64, 96)
    options = Options(stride=32)
    result = embed(request_of(tmp_path, image, toy, options=options, outputs={"vectors": str(path)}))
    assert result.features == str(path)
    if suffix == ".parquet":
        from pyarrow import parquet

        table = parquet.read_table(path)
        vectors = np.array(table["embedding"].to_pylist())
        shapes = table["geometry"].to_pylist()
    else:
        features = default_geo().read_features(str(path))
        vectors = np.stack([features.columns[f"e{i:03d}"] for i in range(DIM)], axis=1)
        shapes = features.wkb
        np.testing.assert_array_equal(features.columns["col"], [0, 1, 2, 0, 1, 2])
    assert len(shapes) == 6
    for number, shape in enumerate(shapes):
        row, col = divmod(number, 3)
        tile = image[None, :, row * 32 : row * 32 + 32, col * 32 : col * 32 + 32]
        np.testing.assert_allclose(
            vectors[number],
            expected_embedding(tile.astype(np.float32)).mean(axis=(0, 2, 3)),
            rtol=1e-4,
            atol=1e-5,
        )
        x, y = CORNER[0] + col * 320, CORNER[1] - row * 320
        assert wkb.shapes(shape) == wkb.shapes(wkb.box(BBox(x, y - 320, x + 320, y)))


def test_a_resumed_run_is_the_same(tmp_path: Path, toy: Pack) -> None:
    from terrane.inference.errors import Cancelled
    from terrane.inference.types import Cancel, Progress

    image = image_of(128, 128)
    embed(request_of(tmp_path, image, toy))
    whole = (tmp_path / "e.tif").read_bytes()
    (tmp_path / "e.tif").unlink()
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.done >= 8:
            cancel.set()

    request = request_of(tmp_path, image, toy, resume=True)
    with pytest.raises(Cancelled):
        embed(request, cancel=cancel, progress=stop)
    assert not (tmp_path / "e.tif").exists()
    assert embed(request).resumed > 0
    assert (tmp_path / "e.tif").read_bytes() == whole


def test_what_cannot_be(tmp_path: Path, toy: Pack) -> None:
    image = image_of(40, 40)
    with pytest.raises(InputError, match="one pixel per patch"):
        embed(request_of(tmp_path, image, toy, grid="input"))
    with pytest.raises(InputError, match="at most so many components"):
        embed(request_of(tmp_path, image, toy, components=DIM + 1))
    (tmp_path / "p.tif").write_bytes(b"x")
    with pytest.raises(OutputError, match="already exists"):
        embed(request_of(tmp_path, image, toy, outputs={"pca": str(tmp_path / "p.tif")}))
    assert files_in(tmp_path) == ["p.tif", "s2.tif"]
    with pytest.raises(ModelError, match="does not take S1GRD"):
        scene = open_scene(
            write_scene(tmp_path / "s1.tif", image[:2] - 4000, names=("VV", "VH"), dtype="int16"),
            modality="S1GRD",
        )
        embed(
            EmbedRequest(
                scenes=(scene,), outputs={"embeddings": str(tmp_path / "x.tif")}, model=str(toy.root)
            )
        )


def test_forecast(tmp_path: Path, toy: Pack) -> None:
    seen = forecast_embed(request_of(tmp_path, image_of(64, 96), toy))
    assert seen.tiles == 12
    assert seen.bytes_needed > 8 * 12 * DIM * 4


def test_in_the_terminal(tmp_path: Path, toy: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    scene = write_scene(tmp_path / "s2.tif", image_of(64, 96))
    out = tmp_path / "out"
    words = ["embed", scene, "-o", out, "--model", toy.root, "--pca", "--float16", "--json", "--quiet"]
    words += ["--vectors", tmp_path / "v.gpkg"]
    assert cli.main([str(word) for word in words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verb"] == "embed"
    assert told["outputs"] == {
        "embeddings": str(out / "s2_embeddings.tif"),
        "pca": str(out / "s2_pca.tif"),
    }
    assert told["features"] == str(tmp_path / "v.gpkg")
    assert files_in(out) == ["s2_embeddings.tif", "s2_pca.tif"]
    assert cli.main([str(word) for word in words]) == 2
    assert "already exists" in capsys.readouterr().err


def test_in_python(tmp_path: Path, toy: Pack) -> None:
    import terrane

    image = image_of(64, 96)
    model = terrane.load(toy.root)
    known = model.embed(terrane.open(write_scene(tmp_path / "s2.tif", image), modality="S2L2A"))
    assert known.read().shape == (DIM, 8, 12)
    x, y = CORNER[0] + 80 * 3.5, CORNER[1] - 80 * 2.5
    with known.similar([(x, y)]) as found:
        assert found.read()[0, 2, 3] == 1
        found.save(tmp_path / "like.tif")
    kept = known.save(tmp_path / "known.tif")
    again = terrane.Embeddings.of(kept).similar([(x, y)])
    np.testing.assert_array_equal(again.read(), read(tmp_path / "like.tif"))
    temporary = Path(known.path)
    known.close()
    assert not temporary.exists()
