# SPDX-License-Identifier: GPL-2.0-or-later
"""What an .onnx file says of itself: tensors, metadata, opset. Reads a few kilobytes, and no weights.

Field numbers are those of onnx.proto (IR version 10).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from ..errors import PackError
from .onnx_file import entry, external_files, varint

FLOAT, HALF = 1, 10
"""TensorProto.DataType of the inputs that pictures can be fed to."""
TYPES: Mapping[int, str] = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
    10: "float16", 11: "float64", 16: "bfloat16",
}  # fmt: skip

Shape = tuple[Union[int, str], ...]
_Buffer = Union[mmap.mmap, bytes]


@dataclass(frozen=True)
class Tensor:
    """An input or output: lengths, or a name (perhaps "") where a length is not fixed."""

    name: str
    type: int
    shape: Shape


@dataclass(frozen=True)
class Header:
    """A graph's face. ``opset`` is that of ONNX's own operators."""

    ir: int
    opset: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str]
    external: tuple[str, ...]
    """Files that hold weights, relative to the file's folder."""


def read_header(path: Path) -> Header:
    """Read a file's header. Raises PackError where it is missing, empty, damaged or no ONNX file."""
    if not path.is_file():
        raise PackError(f"There is no file {path}.")
    external = tuple(sorted(external_files(path)))
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _model(data, external)
        except (ValueError, IndexError) as error:
            raise PackError(f"{path.name} is damaged or no ONNX file ({error}). Get it again.") from error


def _model(data: _Buffer, external: tuple[str, ...]) -> Header:
    ir, opset = 0, 0
    metadata: dict[str, str] = {}
    graph = (0, 0)
    for number, first, last in _items(data, 0, len(data)):
        if number == 1:
            ir = first
        elif number == 7:
            graph = (first, last)
        elif number == 8:
            domain, version = _opset(data, first, last)
            opset = version if domain in ("", "ai.onnx") else opset
        elif number == 14:
            key, value = entry(data, first, last)
            metadata[key.decode("utf-8")] = value.decode("utf-8", "replace")
    if graph == (0, 0):
        raise ValueError("it holds no graph")
    inputs, outputs = _tensors(data, *graph)
    return Header(ir, opset, inputs, outputs, metadata, external)


def _opset(data: _Buffer, start: int, end: int) -> tuple[str, int]:
    domain, version = "", 0
    for number, first, last in _items(data, start, end):
        if number == 1:
            domain = bytes(data[first:last]).decode("utf-8")
        elif number == 2:
            version = first
    return domain, version


def _tensors(data: _Buffer, start: int, end: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A graph's inputs (without weights, which old files list among them) and outputs."""
    weights: set[str] = set()
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    for number, first, last in _items(data, start, end):
        if number == 5:
            weights.update(_name(data, first, last, 8))
        elif number == 11:
            inputs.append(_value_info(data, first, last))
        elif number == 12:
            outputs.append(_value_info(data, first, last))
    return tuple(one for one in inputs if one.name not in weights), tuple(outputs)


def _name(data: _Buffer, start: int, end: int, field: int) -> Iterator[str]:
    for number, first, last in _items(data, start, end):
        if number == field:
            yield bytes(data[first:last]).decode("utf-8")


def _value_info(data: _Buffer, start: int, end: int) -> Tensor:
    name = "".join(_name(data, start, end, 1))
    kind = 0
    shape: Shape = ()
    for number, first, last in _items(data, start, end):
        if number != 2:
            continue
        for inner, a, b in _items(data, first, last):
            if inner == 1:  # a tensor; sequences and maps are other fields
                kind, shape = _tensor_type(data, a, b)
    return Tensor(name, kind, shape)


def _tensor_type(data: _Buffer, start: int, end: int) -> tuple[int, Shape]:
    kind = 0
    lengths: list[Union[int, str]] = []
    for number, first, last in _items(data, start, end):
        if number == 1:
            kind = first
        elif number == 2:
            lengths = [_dimension(data, a, b) for field, a, b in _items(data, first, last) if field == 1]
    return kind, tuple(lengths)


def _dimension(data: _Buffer, start: int, end: int) -> Union[int, str]:
    for number, first, last in _items(data, start, end):
        if number == 1:
            return first if 0 < first < 1 << 62 else ""
        if number == 2:
            return bytes(data[first:last]).decode("utf-8")
    return ""


def _items(data: _Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Every field between two positions: its number, and its bounds or (whole numbers) its value twice."""
    position = start
    while position < end:
        tag, position = varint(data, position)
        wire = tag & 7
        if wire == 0:
            value, position = varint(data, position)
            yield tag >> 3, value, value
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        elif wire == 2:
            size, position = varint(data, position)
            if position + size > end:
                raise ValueError("it ends too early")
            yield tag >> 3, position, position + size
            position += size
        else:
            raise ValueError("it is not an ONNX file")
