# SPDX-License-Identifier: GPL-2.0-or-later
"""What the model gave, tile by tile, kept beside the outputs until these are complete.

A hidden folder holds one file of fixed-size records per source (tile n begins at n × its size), the
validity of the input's pixels as bits, a log, and what decides the result's bytes (``journal.json``). A
line of the log stands for a finished batch and carries the CRC of the bytes that belong to it, and of
itself: what a crash or a power failure tore is told from what is whole, and computed again. Nothing here
waits for the disk; a line that arrived before its bytes does no harm.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Optional

import numpy as np
import numpy.typing as npt

from ..errors import OutputError
from ..io.base import Mask
from ..types import Cancel, Size
from .staging import PREFIX, explained, hold, in_use

SUFFIX = ".journal"
FORMAT = 1
HEADER, LOG, LOCK = "journal.json", "log", "lock"
SHARE = 65535
"""Shares from 0 to 1 are kept as whole numbers of 16 bits: to 8e-6, at half the size of float32."""

FORMS: Mapping[str, Any] = {"float32": np.dtype("<f4"), "share": np.dtype("<u2"), "float64": np.dtype("<f8")}
"""How values can be kept."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Stored:
    """One source of a run as the journal keeps it."""

    name: str
    shape: tuple[int, ...]
    """Of one tile: (channels, h, w), or (k,)."""
    form: str = "float32"
    """A key of ``FORMS``."""

    @property
    def size(self) -> int:
        """Bytes of a tile."""
        return math.prod(self.shape) * int(FORMS[self.form].itemsize)

    def pack(self, values: Array) -> bytes:
        """A tile's values as bytes. Raises ValueError for another shape."""
        if values.shape != self.shape:
            raise ValueError(f"{self.name} has shape {values.shape}, not {self.shape}")
        if self.form == "share":
            values = np.rint(np.clip(values, 0, 1) * np.float32(SHARE))
        return np.ascontiguousarray(values, FORMS[self.form]).tobytes()

    def unpack(self, data: bytes) -> Array:
        """Bytes as a tile's values, float32 or float64."""
        values: Array = np.frombuffer(data, FORMS[self.form]).reshape(self.shape)
        return values * np.float32(1 / SHARE) if self.form == "share" else values


@dataclass(frozen=True)
class JournalInfo:
    """An interrupted run that can be resumed."""

    done: int
    """Tiles that need not be computed again."""
    total: int
    path: str
    created: float
    """When it began, seconds since 1970."""
    size: int
    """Bytes that it takes."""


def journal_path(outputs: Mapping[str, str]) -> Path:
    """Where the journal of a run with these outputs is: beside the first of them."""
    paths = [Path(os.path.abspath(path)) for path in outputs.values()]
    folder = paths[0].parent
    names = sorted(os.path.normcase(p.name if p.parent == folder else str(p)) for p in paths)
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    return folder / f"{PREFIX}{digest}{SUFFIX}"


def find_journal(outputs: Mapping[str, str]) -> Optional[JournalInfo]:
    """The interrupted run that was to make these outputs; None where there is none, or it still runs."""
    if not outputs:
        return None
    folder = journal_path(outputs)
    header = _header(folder)
    if header is None or in_use(folder / LOCK):
        return None
    done = sum(entry["count"] for entry in _batches(_log(folder)).values())
    size = sum(path.stat().st_size for path in folder.glob("*.bin"))
    return JournalInfo(done, header["tiles"], str(folder), header["created"], size)


def discard_journal(outputs: Mapping[str, str]) -> None:
    """Delete the journal of an interrupted run. Raises OutputError where that run is alive."""
    folder = journal_path(outputs)
    if not folder.exists():
        return
    if in_use(folder / LOCK):
        raise _busy(outputs)
    shutil.rmtree(folder, ignore_errors=True)


def differences(outputs: Mapping[str, str], fingerprint: Mapping[str, str]) -> Optional[list[str]]:
    """What an interrupted run had otherwise, in words; None where there is no interrupted run."""
    header = _header(journal_path(outputs)) if outputs else None
    if header is None:
        return None
    theirs = header["fingerprint"]
    return [key for key in {**fingerprint, **theirs} if fingerprint.get(key) != theirs.get(key)]


class Journal:
    """An open journal: written by one thread while the model runs, read when results are put together."""

    def __init__(
        self,
        outputs: Mapping[str, str],
        fingerprint: Mapping[str, str],
        stored: Sequence[Stored],
        *,
        tiles: int,
        sizes: Sequence[Size],
        resume: bool,
        cancel: Optional[Cancel] = None,
    ) -> None:
        """Begin, or with ``resume`` go on where there is something to go on with.

        ``sizes`` are those of the parts' grids. Raises OutputError where another run is at it, or where
        the interrupted one was asked for something else; DiskFull; Cancelled.
        """
        self.folder = journal_path(outputs)
        self.tiles = tiles
        self._stored = {one.name: one for one in stored}
        self._sizes = list(sizes)
        self._files: dict[str, IO[bytes]] = {}
        self._kept: dict[int, bool] = {}
        self._masks: set[tuple[int, int]] = set()
        try:
            self._open(outputs, dict(fingerprint), resume, cancel)
        except OSError as error:
            self.close()
            raise explained(error, self.folder) from error
        except BaseException:
            self.close()
            raise

    def _open(
        self, outputs: Mapping[str, str], fingerprint: dict[str, str], resume: bool, cancel: Optional[Cancel]
    ) -> None:
        if in_use(self.folder / LOCK):
            raise _busy(outputs)
        other = differences(outputs, fingerprint)
        if resume and other:
            raise OutputError(
                f"The interrupted run of these outputs was another one: it differs in {', '.join(other)}. "
                "Run it as it was, or without resuming to start afresh."
            )
        fresh = not resume or other is None
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(exist_ok=True)
        self._files[LOCK] = hold(self.folder / LOCK)
        for name in [*self._stored, *(_mask_name(part) for part in range(len(self._sizes)))]:
            path = self.folder / f"{name}.bin"
            path.touch()
            self._files[name] = open(path, "r+b", buffering=0)  # noqa: SIM115 - closed by close()
        entries = [] if fresh else [entry for entry in _log(self.folder) if self._whole(entry, cancel)]
        self._rewrite_log(entries)
        self._files[LOG] = open(self.folder / LOG, "ab", buffering=0)  # noqa: SIM115
        for entry in entries:
            self._learn(entry)
        if fresh:
            header = {
                "format": FORMAT,
                "created": time.time(),
                "tiles": self.tiles,
                "fingerprint": fingerprint,
            }
            _replace(self.folder / HEADER, json.dumps(header, indent=1).encode())

    @property
    def done(self) -> int:
        """Tiles that are known, skipped ones included."""
        return len(self._kept)

    @property
    def skipped(self) -> int:
        """Tiles without a valid pixel."""
        return sum(not kept for kept in self._kept.values())

    @property
    def worthwhile(self) -> bool:
        """Whether anything in it had to be computed."""
        return any(self._kept.values())

    def knows(self, tile: int) -> bool:
        """Whether a tile (by its number in the whole run) was computed, or found to be empty."""
        return tile in self._kept

    def holds(self, tile: int) -> bool:
        """Whether there are values of this tile."""
        return self._kept.get(tile, False)

    def has_mask(self, part: int, top: int) -> bool:
        """Whether the validity of the rows that begin at ``top`` is known."""
        return (part, top) in self._masks

    def put(self, tiles: Sequence[int], kept: Sequence[int], results: Mapping[str, Array]) -> None:
        """Keep a batch: ``tiles`` are consecutive numbers, ``results`` (len(kept), …) per source."""
        crc = 0
        try:
            for place, tile in enumerate(kept):
                for name, one in self._stored.items():
                    data = one.pack(results[name][place])
                    crc = zlib.crc32(data, crc)
                    _write(self._files[name], tile * one.size, data)
            entry = {"first": tiles[0], "count": len(tiles), "kept": list(kept), "crc": crc}
            self._append(entry)
        except OSError as error:
            raise explained(error, self.folder) from error

    def put_mask(self, part: int, top: int, valid: Mask) -> None:
        """Keep the validity (h, w) of whole rows of a part's grid."""
        data = np.packbits(valid, axis=1).tobytes()
        try:
            _write(self._files[_mask_name(part)], top * self._row_bytes(part), data)
            self._append({"part": part, "top": top, "rows": len(valid), "crc": zlib.crc32(data)})
        except OSError as error:
            raise explained(error, self.folder) from error

    def read(self, source: str, tile: int) -> Array:
        """A tile's values; it must be one that ``holds``."""
        one = self._stored[source]
        return one.unpack(_read(self._files[source], tile * one.size, one.size))

    def mask(self, part: int, top: int, rows: int) -> Mask:
        """The validity (rows, w) of whole rows."""
        width = self._row_bytes(part)
        data = _read(self._files[_mask_name(part)], top * width, rows * width)
        bits = np.frombuffer(data, np.uint8).reshape(rows, width)
        return np.unpackbits(bits, axis=1, count=self._sizes[part].width).view(np.bool_)

    def close(self) -> None:
        """Close all files; the journal stays and can be resumed."""
        for file in self._files.values():
            with suppress(OSError):
                file.close()
        self._files = {}

    def discard(self) -> None:
        """Close, and delete it."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _row_bytes(self, part: int) -> int:
        return -(-self._sizes[part].width // 8)

    def _append(self, entry: Mapping[str, Any]) -> None:
        file = self._files[LOG]
        _write(file, file.seek(0, os.SEEK_END), _line(entry))
        self._learn(entry)

    def _learn(self, entry: Mapping[str, Any]) -> None:
        if "part" in entry:
            self._masks.add((entry["part"], entry["top"]))
            return
        kept = set(entry["kept"])
        self._kept.update((t, t in kept) for t in range(entry["first"], entry["first"] + entry["count"]))

    def _whole(self, entry: Mapping[str, Any], cancel: Optional[Cancel]) -> bool:
        """Whether the bytes that a line stands for are there as they were written."""
        if cancel is not None:
            cancel.raise_if_set()
        crc = 0
        if "part" in entry:
            width = self._row_bytes(entry["part"])
            file = self._files[_mask_name(entry["part"])]
            crc = zlib.crc32(_read(file, entry["top"] * width, entry["rows"] * width))
            return bool(crc == entry["crc"])
        for tile in entry["kept"]:
            for name, one in self._stored.items():
                crc = zlib.crc32(_read(self._files[name], tile * one.size, one.size), crc)
        return bool(crc == entry["crc"])

    def _rewrite_log(self, entries: Iterable[Mapping[str, Any]]) -> None:
        _replace(self.folder / LOG, b"".join(map(_line, entries)))


def _busy(outputs: Mapping[str, str]) -> OutputError:
    name = next(iter(outputs.values()))
    return OutputError(f"Another run is making {name} just now. Wait for it, or choose another name.")


def _mask_name(part: int) -> str:
    return f"valid-{part}"


def _line(entry: Mapping[str, Any]) -> bytes:
    text = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a log that are whole."""
    entries = []
    with suppress(OSError):
        for line in (folder / LOG).read_bytes().split(b"\n"):
            crc, _, text = line.partition(b" ")
            if text and crc == b"%08x" % zlib.crc32(text):
                entries.append(json.loads(text))
    return entries


def _batches(entries: Iterable[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {entry["first"]: entry for entry in entries if "first" in entry}


def _header(folder: Path) -> Optional[dict[str, Any]]:
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return header if isinstance(header, dict) and header.get("format") == FORMAT else None


def _replace(path: Path, data: bytes) -> None:
    """Write a small file that is whole or not there."""
    part = path.with_name(path.name + ".new")
    part.write_bytes(data)
    os.replace(part, path)


def _write(file: IO[bytes], place: int, data: bytes) -> None:
    file.seek(place)
    view = memoryview(data)
    while view:
        # An unbuffered file may take less than it is given, for instance on a disk that is nearly full.
        view = view[file.write(view) :]


def _read(file: IO[bytes], place: int, size: int) -> bytes:
    """Bytes of a file, zeros where it ends."""
    file.seek(place)
    data = b""
    while len(data) < size:
        more = file.read(size - len(data))
        if not more:
            return data.ljust(size, b"\0")
        data = data + more if data else more
    return data
