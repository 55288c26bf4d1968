# SPDX-License-Identifier: GPL-2.0-or-later
"""Converting checkpoints to packs: what is written, what is left out, and what every bad file is told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from checkpoint_files import write_checkpoint
from terrane.inference.errors import Cancelled, DiskFull, ModelError, OutputError, PackError
from terrane.inference.packs.bind import Skeleton, load_skeletons
from terrane.inference.packs.checkpoint import load_checkpoint
from terrane.inference.packs.convert import convert_checkpoint
from terrane.inference.packs.manifest import Pack, load_pack
from terrane.inference.types import Cancel, Progress

REFERENCE = Path(__file__).resolve().parents[1] / "parity" / "reference"
SKELETONS = REFERENCE / "skeletons"
GELU = REFERENCE / "TerraMind_v1_gelu.pt"


def made(output: Path, **options: Any) -> Pack:
    given: dict[str, Any] = {
        "checkpoint": GELU,
        "tokenizers_dir": REFERENCE,
        "inputs": ["S2L2A"],
        "targets": ["DEM", "LULC"],
        "skeletons": SKELETONS,
    }
    return convert_checkpoint(output=output, **{**given, **options})


def files(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def failed(tmp_path: Path, kind: type[Exception], **options: Any) -> str:
    """Convert in vain; nothing may be left behind."""
    output = tmp_path / "out" / "pack"
    with pytest.raises(kind) as caught:
        made(output, **options)
    assert not output.exists()
    assert not output.parent.exists() or not list(output.parent.iterdir())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(
    tmp_path: Path, name: str, *, drop: Optional[str] = None, reshape: Optional[str] = None, **options: Any
) -> Path:
    """One of the reference's checkpoints with one tensor missing or of another shape."""
    arrays = {key: tensor.numpy() for key, tensor in load_checkpoint(REFERENCE / name).items()}
    if drop:
        del arrays[drop]
    if reshape:
        arrays[reshape] = arrays[reshape][..., :-1]
    return write_checkpoint(tmp_path / name, arrays, **options)


# --- finding files -----------------------------------------------------------------------------------------


def test_a_folder_will_do_and_says_all_that_there_is(tmp_path: Path) -> None:
    """With nothing named, everything that the files in a folder allow, and no more."""
    place = tmp_path / "downloads"
    (place / "TerraMind-1.0-Tokenizer-Coords").mkdir(parents=True)
    shutil.copy(GELU, place / "TerraMind_v1_gelu.pt")
    shutil.copy(REFERENCE / "TerraMind_Tokenizer_LULC.pt", place / "TerraMind_Tokenizer_LULC.pt")
    raw = ("S2L2A", "S1GRD", "DEM")
    pack = made(tmp_path / "one", checkpoint=place, tokenizers_dir=None, inputs=(), targets=())
    assert (tuple(pack.inputs), tuple(pack.targets), pack.vocabulary) == ((*raw, "LULC"), ("LULC",), "")
    assert "tokenize_LULC" in pack.graphs
    assert pack.tasks == ("generate", "embed")
    shutil.copy(REFERENCE / "coords" / "config.json", place / "TerraMind-1.0-Tokenizer-Coords")
    shutil.copy(REFERENCE / "TerraMind_Tokenizer_DEM.pt", place / "my_dem.pt")
    pack = made(tmp_path / "two", checkpoint=place, tokenizers_dir=None, inputs=(), targets=())
    assert tuple(pack.inputs) == (*raw, "LULC", "COORDS")
    assert tuple(pack.targets) == ("DEM", "LULC", "COORDS")
    assert pack.chain
    assert load_pack(pack.root).vocabulary == "coords.json"


def test_tokenizers_encoders_come_only_with_inputs_that_need_them(tmp_path: Path) -> None:
    pack = made(tmp_path / "pack", inputs=["S2L2A", "NDVI"], targets=["DEM"])
    assert set(pack.graphs) == {
        *("embed_S2L2A", "embed_NDVI_ids", "tokenize_NDVI", "encoder", "predict_DEM", "decode_DEM")
    }
    assert not pack.chain
    assert pack.inputs["NDVI"].mean == (0.327,)


def test_folders_without_the_files_are_told(tmp_path: Path) -> None:
    place = tmp_path / "downloads"
    place.mkdir()
    options: dict[str, Any] = {"checkpoint": place, "tokenizers_dir": None, "inputs": (), "targets": ()}
    assert "holds no TerraMind_v1_<size>.pt" in failed(tmp_path, PackError, **options)
    shutil.copy(GELU, place / "TerraMind_v1_gelu.pt")
    assert "holds no tokenizer" in failed(tmp_path, PackError, **options)
    (place / "config.json").write_text('{"model": "bert"}')
    options.update(inputs=["S2L2A", "COORDS"], targets=["LULC"], tokenizers_dir=REFERENCE)
    assert made(tmp_path / "fine", **options).vocabulary
    options["tokenizers_dir"] = place
    shutil.copy(REFERENCE / "TerraMind_Tokenizer_LULC.pt", place)
    assert (
        "has no vocabulary of coordinates: put config.json of TerraMind-1.0-Tokenizer-Coords there"
        in failed(tmp_path, PackError, **options)
    )
    shutil.copy(GELU, place / "TerraMind_v1_other.pt")
    told = failed(tmp_path, PackError, **options)
    assert "holds several models (TerraMind_v1_gelu.pt, TerraMind_v1_other.pt)" in told


# --- what is written -------------------------------------------------------------------------------------


def test_every_weight_lies_where_its_graph_looks(tmp_path: Path) -> None:
    """Each tensor of the state dict comes back, bit for bit, through ONNX's own reader."""
    onnx = pytest.importorskip("onnx")
    from onnx import numpy_helper

    pack = made(tmp_path / "pack")
    for graph in pack.graphs:
        model = onnx.load(pack.graph_path(graph))
        name = f"TerraMind_Tokenizer_{graph[7:]}.pt" if graph.startswith("decode_") else GELU.name
        state = load_checkpoint(REFERENCE / name)
        bound = [t for t in model.graph.initializer if t.name in state]
        assert bound, graph
        for tensor in bound:
            expected = state[tensor.name].numpy().astype(np.float32)
            np.testing.assert_array_equal(numpy_helper.to_array(tensor), expected)
        assert model.ir_version <= 10
        assert [o.version for o in model.opset_import if not o.domain] == [18]


def test_parts_that_are_not_needed_are_left_out(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole", inputs=["S2L2A", "S1GRD"], targets=["DEM", "LULC", "NDVI"])
    part = made(tmp_path / "part", targets=["LULC"])
    assert set(part.graphs) == {"embed_S2L2A", "encoder", "predict_LULC", "decode_LULC"}
    assert part.weight_bytes() < 0.6 * whole.weight_bytes()
    assert not part.chain
    assert whole.chain
    assert {"embed_S1GRD", "embed_NDVI_ids", "predict_NDVI", "decode_NDVI"} <= set(whole.graphs)
    stored = [f for f in part.files if f.endswith(".bin")]
    assert sorted(stored) == sorted(
        f"graphs/{n}.bin" for n in ("decode_LULC", "decoder", "embed_S2L2A", "encoder", "predict_LULC")
    )


def test_the_pack_is_whole_and_says_what_it_is(tmp_path: Path) -> None:
    pack = made(tmp_path / "pack", name="My TerraMind!")
    assert load_pack(pack.root) == pack
    assert (pack.id, pack.name, pack.tile, pack.patch) == ("my-terramind", "My TerraMind!", 64, 16)
    assert pack.targets["DEM"].decoder == "diffusion"
    assert pack.targets["LULC"].logits == 10
    assert pack.inputs["S2L2A"].offset == "remove"
    assert (pack.root / "README.md").read_text(encoding="utf-8").startswith("# My TerraMind!")
    assert "GNU GENERAL PUBLIC LICENSE" in (pack.root / "LICENSE").read_text(encoding="utf-8")


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = made(tmp_path / "one"), made(tmp_path / "two")
    assert files(one.root) == files(two.root)
    assert one.hash == two.hash


def test_entries_can_be_added(tmp_path: Path) -> None:
    pack = made(tmp_path / "pack", manifest={"version": "2.1", "training": {"data": "simulated"}})
    assert pack.version == "2.1"
    assert pack.training["data"] == "simulated"


def test_the_architecture_is_told_from_the_shapes(tmp_path: Path) -> None:
    assert made(tmp_path / "a").name == "small gelu"
    assert made(tmp_path / "b", checkpoint=REFERENCE / "TerraMind_v1_silu.pt").name == "small silu"


@pytest.mark.parametrize("prefix", ["", "sampler.model.", "model."])
@pytest.mark.parametrize("nest", [None, "state_dict"])
def test_wrapped_state_dicts_convert_alike(tmp_path: Path, prefix: str, nest: Optional[str]) -> None:
    arrays = {prefix + key: tensor.numpy() for key, tensor in load_checkpoint(GELU).items()}
    path = write_checkpoint(
        tmp_path / "wrapped.ckpt", arrays, nest=nest, extra={"epoch": 1} if nest else None
    )
    wrapped, plain = made(tmp_path / "wrapped", checkpoint=path), made(tmp_path / "plain")
    assert wrapped.files == plain.files


def test_tokenizers_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    for target in ("DEM", "LULC"):
        folder = tmp_path / "tokenizers" / target
        folder.mkdir(parents=True)
        shutil.copy(REFERENCE / f"TerraMind_Tokenizer_{target}.pt", folder / f"best_{target.lower()}.pt")
    assert made(tmp_path / "pack", tokenizers_dir=tmp_path / "tokenizers").files == made(tmp_path / "b").files


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    seen: list[Progress] = []
    made(tmp_path / "pack", progress=seen.append)
    assert all(a.done < b.done for a, b in zip(seen, seen[1:]))
    assert 0.97 < seen[-1].fraction <= 1


def test_converting_needs_neither_torch_nor_onnx(tmp_path: Path, run_python: Any) -> None:
    code = f"""
import sys
sys.modules.update(dict.fromkeys(["torch", "onnx", "onnxruntime", "google.protobuf"]))
from terrane.inference.packs.convert import convert_checkpoint
convert_checkpoint({str(GELU)!r}, {str(REFERENCE)!r}, ["S2L2A"], ["LULC"], {str(tmp_path / "pack")!r},
                   skeletons={str(SKELETONS)!r}, torch=True)
assert not [m for m in sys.modules if m.split(".")[0] in ("torch", "onnx") and sys.modules[m]]
"""
    run_python(code)
    assert load_pack(tmp_path / "pack").graphs["encoder"].forms.keys() == {"onnx", "torch"}


@pytest.fixture
def run_python() -> Any:
    import subprocess

    def run(code: str) -> None:
        path = os.pathsep.join(p for p in sys.path if p)
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})

    return run


def test_constants_of_the_models_code_may_be_missing(tmp_path: Path) -> None:
    """Position embeddings, and biases of norms that have none: terratorch, too, makes them itself."""
    state = load_checkpoint(REFERENCE / "TerraMind_v1_silu.pt")
    arrays = {key: tensor.numpy().copy() for key, tensor in state.items()}
    constants = [key for key in arrays if key.endswith("pos_emb")]
    biases = [key for key in arrays if "norm" in key and key.endswith(".bias")]
    assert constants
    assert biases
    for key in biases:
        arrays[key][:] = 0
    full = write_checkpoint(tmp_path / "full.pt", arrays)
    short = write_checkpoint(
        tmp_path / "short.pt", {k: v for k, v in arrays.items() if k not in (*constants, *biases)}
    )
    inputs = ["S2L2A", "COORDS"]
    one, two = (made(tmp_path / p.stem, checkpoint=p, inputs=inputs, torch=True) for p in (full, short))
    for name in one.files:
        first, second = ((pack.root / name).read_bytes() for pack in (one, two))
        if name.endswith(".bin"):
            pair = [np.frombuffer(data[: len(data) // 4 * 4], np.float32) for data in (first, second)]
            # A text has positions up to 511, where the last digit of a wavelength shows.
            np.testing.assert_allclose(*pair, rtol=0, atol=2e-6 if "COORDS" in name else 2e-7)
        elif name.endswith(".onnx"):
            assert first == second


def test_every_official_model_and_tokenizer_has_its_graphs() -> None:
    """Shipped, and small: every size takes and makes everything."""
    shipped = {skeleton.path.stem: skeleton for skeleton in load_skeletons()}
    pictures = ("S2L2A", "S1GRD", "S1RTC", "DEM", "LULC", "NDVI")
    for size in ("tiny", "small", "base", "large"):
        graphs = shipped[f"terramind-{size}"].graphs
        assert {f"predict_{m}" for m in (*pictures, "COORDS")} <= set(graphs)
        assert {f"embed_{m}" for m in ("S2L1C", "S2L2A", "RGB", "S1GRD", "S1RTC", "DEM")} <= set(graphs)
        assert {f"embed_{m}_ids" for m in (*pictures, "COORDS")} <= set(graphs)
        assert set(graphs["encoder"]["outputs"]) == {"context", "encoded"}
        assert set(shipped[f"terramind-{size}"].bind["inputs"]) == {*pictures, "S2L1C", "RGB", "COORDS"}
    for modality in pictures:
        assert set(shipped[f"terramind-v1-{modality}"].graphs) == {
            f"decode_{modality}",
            f"tokenize_{modality}",
        }
    assert sum(skeleton.path.stat().st_size for skeleton in shipped.values()) < 4_000_000


# --- what is refused -------------------------------------------------------------------------------------


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, GELU.name, drop="encoder.1.attn.qkv.weight")
    text = failed(tmp_path, PackError, checkpoint=path)
    assert text == "TerraMind_v1_gelu.pt does not fit small gelu: encoder.1.attn.qkv.weight is missing."


def test_a_tensor_of_another_shape_is_named_with_both(tmp_path: Path) -> None:
    path = changed(tmp_path, GELU.name, reshape="decoder.0.mlp.fc1.weight")
    text = failed(tmp_path, PackError, checkpoint=path)
    assert "decoder.0.mlp.fc1.weight has shape (192, 47), not (192, 48)" in text


def test_a_deeper_model_is_not_taken_for_a_shallower_one(tmp_path: Path) -> None:
    arrays = {key: tensor.numpy() for key, tensor in load_checkpoint(GELU).items()}
    arrays.update({k.replace("encoder.2.", "encoder.3."): v for k, v in arrays.items() if "encoder.2." in k})
    path = write_checkpoint(tmp_path / "deep.pt", arrays)
    assert "it has 4 encoder blocks, not 3" in failed(tmp_path, PackError, checkpoint=path)


def test_integer_weights_are_refused(tmp_path: Path) -> None:
    arrays = {key: tensor.numpy() for key, tensor in load_checkpoint(GELU).items()}
    arrays["mask_token"] = arrays["mask_token"].astype(np.int64)
    path = write_checkpoint(tmp_path / "int.pt", arrays)
    assert "mask_token holds int64, not floating point" in failed(tmp_path, PackError, checkpoint=path)


def test_a_tokenizer_in_place_of_the_model_and_the_other_way_round(tmp_path: Path) -> None:
    text = failed(tmp_path, PackError, checkpoint=REFERENCE / "TerraMind_Tokenizer_DEM.pt")
    assert text.startswith("TerraMind_Tokenizer_DEM.pt is not a TerraMind model")
    folder = tmp_path / "tokenizers"
    folder.mkdir()
    shutil.copy(GELU, folder / "TerraMind_Tokenizer_DEM.pt")
    text = failed(tmp_path, PackError, tokenizers_dir=folder, targets=["DEM"])
    assert text.startswith("TerraMind_Tokenizer_DEM.pt does not fit the DEM tokenizer: ")


def test_another_modalitys_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizers"
    folder.mkdir()
    shutil.copy(REFERENCE / "TerraMind_Tokenizer_DEM.pt", folder / "TerraMind_Tokenizer_LULC.pt")
    assert "does not fit the LULC tokenizer" in failed(
        tmp_path, PackError, tokenizers_dir=folder, targets=["LULC"]
    )


def test_tokenizers_that_are_not_there(tmp_path: Path) -> None:
    assert "There is no folder" in failed(tmp_path, PackError, tokenizers_dir=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    text = failed(tmp_path, PackError, tokenizers_dir=tmp_path / "empty")
    assert "TerraMind_Tokenizer_DEM.pt" in text


def test_unknown_modalities_are_named_with_what_there_is(tmp_path: Path) -> None:
    assert "cannot take RGB here; it can take S2L2A, S1GRD, DEM, LULC, NDVI, COORDS." in failed(
        tmp_path, ModelError, inputs=["RGB"]
    )
    assert "cannot make S2L2A here; it can make DEM, LULC, NDVI, COORDS." in failed(
        tmp_path, ModelError, targets=["S2L2A"]
    )


@pytest.mark.parametrize("content", [b"", b"<html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_wrong_files_leave_nothing_behind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "TerraMind_v1_tiny.pt"
    path.write_bytes(content)
    assert "TerraMind_v1_tiny.pt" in failed(tmp_path, PackError, checkpoint=path)


def test_damage_found_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    path = changed(tmp_path, GELU.name)
    data = bytearray(path.read_bytes())
    data[data.index(load_checkpoint(path)["mask_token"].numpy().tobytes())] ^= 0xFF
    path.write_bytes(data)
    assert "damaged" in failed(tmp_path, PackError, checkpoint=path)


def test_an_existing_output_is_kept(tmp_path: Path) -> None:
    output = tmp_path / "pack"
    made(output)
    before = files(output)
    with pytest.raises(OutputError, match="exists"):
        made(output, targets=["LULC"])
    assert files(output) == before
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"")
    with pytest.raises(PackError):
        made(output, checkpoint=bad, overwrite=True)
    assert files(output) == before
    made(output, targets=["LULC"], overwrite=True)
    assert set(load_pack(output).targets) == {"LULC"}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_folder_that_is_no_pack_is_never_replaced(tmp_path: Path) -> None:
    output = tmp_path / "photos"
    output.mkdir()
    (output / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match="not a model pack"):
        made(output, overwrite=True)
    assert (output / "holiday.jpg").exists()
    with pytest.raises(OutputError, match="folder"):
        made(tmp_path / "pack.zip")


def test_cancel_leaves_nothing_behind(tmp_path: Path) -> None:
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.fraction > 0.3:
            cancel.set()

    failed(tmp_path, Cancelled, progress=stop, cancel=cancel)


def test_too_little_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "MB" in failed(tmp_path, DiskFull)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        made(tmp_path / "file" / "pack")


# --- skeletons -------------------------------------------------------------------------------------------


def test_the_skeletons_that_ship_are_sound() -> None:
    skeletons = {s.path.stem: s for s in load_skeletons()}
    sizes = {s.bind["pack"]["size"]: s for s in skeletons.values() if s.kind == "mae"}
    assert {"tiny", "base", "starter"} <= set(sizes)
    assert {"terramind-v1-DEM", "terramind-v1-LULC", "terramind-v1-NDVI"} <= set(skeletons)
    assert sum(s.path.stat().st_size for s in skeletons.values()) < 3_000_000
    assert (sizes["tiny"].bind["dim"], sizes["base"].bind["dim"]) == (192, 768)
    for skeleton in skeletons.values():
        check_places(skeleton)


def check_places(skeleton: Skeleton) -> None:
    """Tensors do not overlap, lie within their file, and are where the graphs look for them."""
    onnx = pytest.importorskip("onnx")
    widths = {"float32": 4, "float16": 2}
    places: dict[str, set[tuple[int, int]]] = {}
    for name, weights in skeleton.bins.items():
        end = 0
        for weight in weights:
            length = int(np.prod(weight.shape, dtype=np.int64)) * widths[weight.dtype]
            assert weight.offset >= end
            assert weight.offset % 64 == 0
            end = weight.offset + length
            places.setdefault(name, set()).add((weight.offset, length))
        assert end == skeleton.bind["bins"][name]["size"]
    for graph, spec in skeleton.graphs.items():
        model = onnx.ModelProto.FromString(skeleton.member(f"{graph}.onnx"))
        assert model.ir_version <= 10
        assert {value.name for value in model.graph.input} == set(spec["inputs"])
        assert {value.name for value in model.graph.output} == set(spec["outputs"])
        for tensor in model.graph.initializer:
            where = {e.key: e.value for e in tensor.external_data}
            if where:
                assert where["location"] in spec["bins"]
                assert (int(where["offset"]), int(where["length"])) in places[where["location"]]
            else:
                assert len(tensor.raw_data) < 5000


def test_damaged_skeletons_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no graph skeletons"):
        load_skeletons(tmp_path)
    (tmp_path / "bad.zip").write_bytes(b"PK")
    with pytest.raises(PackError, match=r"bad\.zip is damaged"):
        load_skeletons(tmp_path)


def test_a_skeletons_names_stay_inside(tmp_path: Path) -> None:
    import zipfile

    bind = {"format": 1, "kind": "mae", "graphs": {"../../x": {}}, "bins": {}}
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("bind.json", json.dumps(bind))
        archive.writestr("../../x.onnx", b"")
    with pytest.raises(PackError, match="does not fit"):
        load_skeletons(tmp_path)
