# SPDX-License-Identifier: GPL-2.0-or-later
"""Graphs read weights from their own pack alone."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from terrane.inference.errors import PackError
from terrane.inference.packs.manifest import load_pack, write_pack
from terrane.inference.packs.onnx_file import external_files
from toy_pack import build_toy_pack


def outside(name: str, location: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=location)
    return tensor


def save(path: Path) -> None:
    """A model that hides tensors in every place where the format allows one."""
    inner = helper.make_graph([], "inner", [], [], [outside("b", "branch.bin")])
    nodes = [
        helper.make_node("Constant", [], ["x"], value=outside("c", "constant.bin")),
        helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner),
    ]
    sparse = helper.make_sparse_tensor(outside("s", "sparse.bin"), outside("i", "indices.bin"), [8])
    graph = helper.make_graph(
        nodes, "outer", [], [], [outside("w", "weights.bin")], sparse_initializer=[sparse]
    )
    function = helper.make_function(
        "local",
        "F",
        [],
        ["z"],
        [helper.make_node("Constant", [], ["z"], value=outside("f", "function.bin"))],
        [],
    )
    path.write_bytes(helper.make_model(graph, functions=[function]).SerializeToString())


def test_every_place_is_looked_at(tmp_path: Path) -> None:
    save(tmp_path / "m.onnx")
    names = {"weights", "branch", "constant", "sparse", "indices", "function"}
    assert external_files(tmp_path / "m.onnx") == {f"{name}.bin" for name in names}


def test_a_real_graph(tmp_path: Path) -> None:
    pack = build_toy_pack(tmp_path)
    assert external_files(Path(pack.graph_path("decode_DEM"))) == {"decode_DEM.bin"}
    assert external_files(Path(pack.graph_path("encoder"))) == set()


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "other.bin", ""])
def test_graphs_that_read_elsewhere_are_refused(tmp_path: Path, location: str) -> None:
    pack = build_toy_pack(tmp_path / "toy")
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    path = tmp_path / "toy" / "graphs" / "encoder.onnx"
    model = onnx.load_model(str(path), load_external_data=False)
    model.graph.initializer.append(outside("evil", location))
    path.write_bytes(model.SerializeToString())
    data = json.loads((pack.root / "pack.json").read_text(encoding="utf-8"))
    write_pack(pack.root, data)
    with pytest.raises(PackError, match=r"graphs/encoder\.onnx reads .*not one of the pack's files"):
        load_pack(pack.root)


def read_or_refuse(path: Path) -> None:
    """Anything but a set of names or a PackError that names the file is a bug."""
    with contextlib.suppress(PackError):
        assert isinstance(external_files(path), set)
        return
    with pytest.raises(PackError, match=path.name):
        external_files(path)


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.onnx"
    path.write_bytes(content)
    read_or_refuse(path)


@given(st.data())
def test_damaged_graphs_are_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    save(path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    read_or_refuse(path)
