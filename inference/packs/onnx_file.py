# SPDX-License-Identifier: GPL-2.0-or-later
"""Which other files an .onnx file reads. Walks its protobuf by hand: ``onnx`` is not in QGIS's Python.

Field numbers are those of onnx.proto (IR version 10); fields that cannot lead to a tensor are skipped.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Union

from ..errors import PackError

_CHILDREN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_MAX_DEPTH = 64
_Buffer = Union[mmap.mmap, bytes]


def external_files(path: Path) -> set[str]:
    """The ``location`` of every tensor whose values lie in another file. Raises PackError naming the file."""
    if path.stat().st_size == 0:
        raise PackError(f"The graph {path.name} is empty. Get the model pack again.")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return set(_locations(data, 0, len(data), "model", 0))
        except (ValueError, IndexError) as error:
            raise PackError(
                f"The graph {path.name} is damaged ({error}). Get the model pack again."
            ) from error


def _locations(data: _Buffer, start: int, end: int, kind: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    for number, first, last in _fields(data, start, end):
        child = _CHILDREN[kind].get(number)
        if child == "entry":
            key, value = entry(data, first, last)
            if key == b"location":
                yield value.decode("utf-8")
        elif child is not None:
            yield from _locations(data, first, last, child, depth + 1)


def entry(data: _Buffer, start: int, end: int) -> tuple[bytes, bytes]:
    """Key and value of a StringStringEntryProto between two positions."""
    parts = {number: bytes(data[first:last]) for number, first, last in _fields(data, start, end)}
    return parts.get(1, b""), parts.get(2, b"")


def _fields(data: _Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number and bounds of every length-delimited field between two positions."""
    position = start
    while position < end:
        tag, position = varint(data, position)
        wire = tag & 7
        if wire == 0:
            _, position = varint(data, position)
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
    if position != end:
        raise ValueError("it ends too early")


def varint(data: _Buffer, position: int) -> tuple[int, int]:
    """A whole number and the position after it. Raises ValueError, IndexError where there is none."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("it is not an ONNX file")
