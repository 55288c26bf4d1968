# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkpoints as torch.save writes them, sound or not, made without torch."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

KINDS = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
View = tuple[Any, Any, Any]


class _Storage:
    def __init__(self, kind: str, record: str, count: int) -> None:
        self.kind, self.record, self.count = kind, record, count


class _Tensor:
    def __init__(self, storage: _Storage, view: View) -> None:
        self.storage, self.view = storage, view


class _Name:
    """A global, pickled by its name alone."""

    def __init__(self, module: str, name: str) -> None:
        self.text = f"c{module}\n{name}\n".encode()


class _Writer(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Python's own pickler, writing what torch's writes: names instead of objects."""

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, _Storage):
            return ("storage", _Name("torch", value.kind), value.record, "cpu", value.count)
        return None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Name):
            self.write(obj.text)
        elif isinstance(obj, _Tensor):
            offset, shape, strides = obj.view
            self.save(_Name("torch._utils", "_rebuild_tensor_v2"))
            self.save((obj.storage, offset, shape, strides, False, OrderedDict()))
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def storage_bytes(values: Any, order: str = "little") -> bytes:
    """An array's raw bytes in a byte order."""
    kind = values.dtype.newbyteorder("<" if order == "little" else ">")
    return bytes(np.ascontiguousarray(values).astype(kind).tobytes())


def archive(path: Path, records: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip with torch's folder in it."""
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, data in records.items():
            made.writestr(f"archive/{name}", data)
    return path


def write_checkpoint(
    path: Path,
    tensors: Mapping[str, Any],
    *,
    views: Optional[Mapping[str, View]] = None,
    kinds: Optional[Mapping[str, str]] = None,
    nest: Optional[str] = None,
    extra: Optional[Mapping[str, Any]] = None,
    order: str = "little",
    compression: int = zipfile.ZIP_STORED,
    cut: Optional[Mapping[str, int]] = None,
) -> Path:
    """A checkpoint of some arrays, and of views (offset, shape, strides) into the first one's storage."""
    records = {"byteorder": order.encode(), "version": b"3\n"}
    state: dict[str, Any] = OrderedDict()
    first: Optional[_Storage] = None
    for number, (key, values) in enumerate(tensors.items()):
        values = np.asarray(values)
        kind = (kinds or {}).get(key, KINDS.get(str(values.dtype), ""))
        storage = _Storage(kind, str(number), int(values.size))
        first = first or storage
        steps = [int(np.prod(values.shape[i + 1 :])) for i in range(values.ndim)]
        state[key] = _Tensor(storage, (0, tuple(int(n) for n in values.shape), tuple(steps)))
        data = storage_bytes(values, order)
        records[f"data/{number}"] = data[: (cut or {}).get(str(number), len(data))]
    for key, view in (views or {}).items():
        assert first is not None
        state[key] = _Tensor(first, view)
    content = {nest: state, **(extra or {})} if nest else state
    buffer = io.BytesIO()
    _Writer(buffer, 2).dump(content)
    return archive(path, {"data.pkl": buffer.getvalue(), **records}, compression)
