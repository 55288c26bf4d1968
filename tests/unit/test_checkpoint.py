# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading checkpoints without torch: exact where they are sound, one sentence where they are not."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_files import archive, storage_bytes, write_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from terrane.inference.errors import PackError
from terrane.inference.packs.checkpoint import load_checkpoint


def refused(path: Path) -> str:
    with pytest.raises(PackError) as caught:
        load_checkpoint(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    assert text.endswith(".")
    return text


# --- sound files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
)
def test_reads_what_was_written(tmp_path: Path, dtype: str) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    path = write_checkpoint(tmp_path / "m.pt", {"a.weight": values, "b": values[0, 0]})
    loaded = load_checkpoint(path)
    assert list(loaded) == ["a.weight", "b"]
    assert loaded["a.weight"].shape == (2, 3, 4)
    assert loaded["a.weight"].dtype == dtype
    np.testing.assert_array_equal(loaded["a.weight"].numpy(), values)
    np.testing.assert_array_equal(loaded["b"].numpy(), values[0, 0])


def test_reads_bfloat16_as_float32(tmp_path: Path) -> None:
    exact = np.array([0.0, -1.5, 3.0e38, 2.0**-120], np.float32)
    halves = (exact.view(np.uint32) >> 16).astype(np.uint16)
    path = write_checkpoint(tmp_path / "m.pt", {"a": halves}, kinds={"a": "BFloat16Storage"})
    tensor = load_checkpoint(path)["a"]
    assert tensor.dtype == "bfloat16"
    kept = (exact.view(np.uint32) & 0xFFFF0000).view(np.float32)
    np.testing.assert_array_equal(tensor.numpy(), kept)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("order", ["little", "big"])
def test_reads_either_byte_order_stored_or_compressed(tmp_path: Path, compression: int, order: str) -> None:
    values = np.linspace(-1, 1, 1000, dtype=np.float32)
    path = write_checkpoint(tmp_path / "m.pt", {"a": values}, compression=compression, order=order)
    np.testing.assert_array_equal(load_checkpoint(path)["a"].numpy(), values)


def test_reads_views_of_one_storage(tmp_path: Path) -> None:
    """A transposed tensor, a slice, and one value repeated without being stored twice."""
    base = np.arange(12, dtype=np.float32)
    views = {
        "transposed": (0, (4, 3), (1, 4)),
        "slice": (5, (2, 2), (4, 1)),
        "repeated": (11, (3,), (0,)),
        "empty": (12, (0, 5), (5, 1)),
    }
    path = write_checkpoint(tmp_path / "m.pt", {"base": base}, views=views)
    loaded = load_checkpoint(path)
    np.testing.assert_array_equal(loaded["transposed"].numpy(), base.reshape(3, 4).T)
    np.testing.assert_array_equal(loaded["slice"].numpy(), [[5, 6], [9, 10]])
    np.testing.assert_array_equal(loaded["repeated"].numpy(), [11, 11, 11])
    assert loaded["empty"].numpy().shape == (0, 5)


@pytest.mark.parametrize("place", ["state_dict", "model", "model_state_dict"])
def test_finds_the_state_dict_in_a_training_checkpoint(tmp_path: Path, place: str) -> None:
    path = write_checkpoint(
        tmp_path / "m.ckpt", {"w": np.ones(3, np.float32)}, nest=place, extra={"epoch": 3, "lr": 1e-3}
    )
    assert list(load_checkpoint(path)) == ["w"]


def test_a_prefix_can_be_taken_off(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "m.pt", {"model.a": np.ones(3, np.float32), "b": np.ones(1)})
    assert list(load_checkpoint(path).below("model.")) == ["a"]


def test_reads_what_torch_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 2)
    state: Any = OrderedDict(layer.state_dict())
    state["parameter"] = torch.nn.Parameter(torch.arange(4.0))
    state["half"] = torch.arange(6, dtype=torch.float16).reshape(2, 3).t()
    state["brain"] = torch.tensor([1.0, -2.5], dtype=torch.bfloat16)
    state["flags"] = torch.tensor([True, False])
    for content in (state, {"model": state, "epoch": 1}, layer.state_dict()):
        path = tmp_path / "torch.pt"
        torch.save(content, path)
        loaded = load_checkpoint(path)
        expected = content.get("model", content)
        assert list(loaded) == list(expected)
        for key, tensor in expected.items():
            plain = tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()
            np.testing.assert_array_equal(loaded[key].numpy(), plain.numpy())


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(0, 5), max_size=4),
    dtype=st.sampled_from(["float32", "float16", "int64", "uint8"]),
    key=st.text(min_size=1, max_size=20),
)
def test_any_tensor_comes_back(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], dtype: str, key: str
) -> None:
    values = np.random.default_rng(0).integers(0, 99, shape).astype(dtype)
    path = write_checkpoint(tmp_path_factory.mktemp("any") / "m.pt", {key: values})
    back = load_checkpoint(path)[key].numpy()
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values)


# --- hostile files ---------------------------------------------------------------------------------------


class Runs:
    """A pickle that calls something when it is loaded."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


@pytest.mark.parametrize(
    ("call", "arguments", "named"),
    [
        (os.system, ("touch {marker}",), "system"),
        (eval, ("open(r'{marker}', 'w')",), ".eval"),
        (exec, ("open(r'{marker}', 'w')",), ".exec"),
        (open, ("{marker}", "w"), "io.open"),
        (getattr, (os, "system"), "getattr"),
        (__import__, ("antigravity",), "__import__"),
        (bytearray, (10**12,), "bytearray"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_something_is_refused_by_name(
    tmp_path: Path, call: Any, arguments: Any, named: str, protocol: int
) -> None:
    marker = tmp_path / "ran"
    arguments = tuple(a.format(marker=marker) if isinstance(a, str) else a for a in arguments)
    if call is getattr:
        arguments = ("text", "upper")
    data = pickle.dumps({"w": Runs(call, *arguments)}, protocol=protocol)
    path = archive(tmp_path / "evil.pt", {"data.pkl": data})
    text = refused(path)
    assert "asks to run" in text
    assert named in text
    assert not marker.exists()


def op(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


GLOBAL = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"ctorch\nFloatStorage\n"


@pytest.mark.parametrize(
    "data",
    [
        op(GLOBAL, b"}", b"U\x08__code__K\x01s", b"b"),  # BUILD: set an attribute of a known function
        op(GLOBAL, b"N", b"}U\x05_callK\x01s\x86b"),  # the same through slots
        op(STORAGE, b")R"),  # call a storage class
        op(STORAGE, b")\x81"),  # make one with __new__
        op(b"ccollections\nOrderedDict\n", b"(K\x01K\x02l\x85R"),  # an OrderedDict of numbers
        op(GLOBAL, b"(K\x01K\x00))tR"),  # a tensor of no storage
        op(b"U\x01xQ"),  # a reference that is no storage
        op(b"(U\x07storage", STORAGE, b"U\x010U\x03cpuJ\xff\xff\xff\xfftQ"),  # a storage of -1 values
        op(b"h\x63"),  # a memo that was never set
        b"\x80\x02}",  # no end
        b"",
        b"cos\nsystem",  # no end within a name
        op(b"\x82\x01"),  # the extension registry
        op(b"(" * 100_000),
    ],
)
def test_a_pickle_that_plays_tricks_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(archive(tmp_path / "evil.pt", {"data.pkl": data, "data/0": b"\0" * 8}))


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (13,), (1,)),
        (12, (1,), (1,)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (0, (2, 2), (100, 1)),
        (0, (2,), (-1,)),
        (0, (2, 2), (1,)),
        (0, (2**62, 2**62), (2**62, 1)),
        (13, (0,), (1,)),
        (True, (1,), (1,)),
        (0.0, (1,), (1,)),
    ],
)
def test_a_tensor_that_leaves_its_storage_is_refused(
    tmp_path: Path, offset: Any, shape: Any, strides: Any
) -> None:
    base = {"base": np.arange(12, dtype=np.float32)}
    refused(write_checkpoint(tmp_path / "m.pt", base, views={"bad": (offset, shape, strides)}))


def test_a_storage_shorter_than_it_says_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "m.pt", {"a": np.ones(8, np.float32)}, cut={"0": 31})
    assert "shorter" in refused(path)


def test_a_pickle_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terrane.inference.packs.checkpoint.MAX_PICKLE_BYTES", 10)
    assert "larger" in refused(write_checkpoint(tmp_path / "m.pt", {"a": np.ones(8)}))


# --- wrong files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n  <html><body>404", "web page"),
        (b"<?xml version='1.0'?><Error/>", "web answer"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (struct.pack("<Q", 60) + b'{"__metadata__":{}}' + b" " * 41, "safetensors"),
        (pickle.dumps({"a": 1}, protocol=2), "bare pickle"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "before 1.6"),
        (b"GIF89a" * 100, "is not a checkpoint"),
        (b"PK\x03\x04", "cut off"),
    ],
)
def test_other_files_are_refused_for_what_they_are(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert said in refused(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "There is no file" in refused(tmp_path / "none.pt")
    assert "cannot be opened" in refused(tmp_path)


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "photos.pt"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("holiday.jpg", b"x")
    assert "not one that torch.save wrote" in refused(path)


@pytest.mark.parametrize("content", [{}, {"epoch": 1}, [1, 2], 7, {"state_dict": {"a": 1}}])
def test_a_checkpoint_without_tensors(tmp_path: Path, content: Any) -> None:
    path = archive(tmp_path / "m.pt", {"data.pkl": pickle.dumps(content, protocol=2)})
    assert "no state dict" in refused(path)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = write_checkpoint(tmp_path / "whole.pt", {"a": np.arange(50, dtype=np.float32)}).read_bytes()
    path = tmp_path / "cut.pt"
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        refused(path)


def test_a_flipped_bit_is_noticed_where_it_matters(tmp_path: Path) -> None:
    values = np.arange(50, dtype=np.float32)
    path = write_checkpoint(tmp_path / "m.pt", {"a": values})
    whole = bytearray(path.read_bytes())
    at = whole.index(storage_bytes(values))
    whole[at + 100] ^= 1
    path.write_bytes(whole)
    tensor = load_checkpoint(path)["a"]
    with pytest.raises(PackError, match="checksum"):
        tensor.numpy()


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 10**6), value=st.integers(0, 255))
def test_any_changed_byte_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int
) -> None:
    """Whatever is flipped: the same tensors, or PackError, and nothing else."""
    folder = tmp_path_factory.mktemp("flip")
    values = np.arange(20, dtype=np.float32)
    path = write_checkpoint(folder / "m.pt", {"weight": values})
    whole = bytearray(path.read_bytes())
    whole[at % len(whole)] = value
    path.write_bytes(whole)
    try:
        loaded = load_checkpoint(path)
        arrays = [tensor.numpy() for tensor in loaded.values()]
    except PackError:
        return
    assert all(array.size <= 20 for array in arrays)


def test_nothing_is_held_open(tmp_path: Path) -> None:
    """A refused file can be deleted at once, on Windows too."""
    path = tmp_path / "m.pt"
    path.write_bytes(b"PK\x03\x04 and no more")
    refused(path)
    path.unlink()
    assert not path.exists()
