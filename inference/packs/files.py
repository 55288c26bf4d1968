# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of a pack: their SHA-256, and paths that stay inside."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path, PurePosixPath
from typing import Union

MANIFEST = "pack.json"
_CHUNK = 4 * 1024 * 1024
_SETTLED_NS = 3_000_000_000
"""A file is remembered once its time stamp is older than the coarsest file system's clock (FAT: 2 s)."""
_lock = threading.Lock()
_known: dict[tuple[str, int, int], str] = {}


def sha256_file(path: Union[str, Path]) -> str:
    """Hex digest of a file's content; not read again while path, size and time stay the same."""
    path = os.path.abspath(path)
    stat = os.stat(path)
    key = (path, stat.st_size, stat.st_mtime_ns)
    with _lock:
        known = _known.get(key)
    if known is not None:
        return known
    digest = _digest(path)
    if time.time_ns() - stat.st_mtime_ns > _SETTLED_NS:
        with _lock:
            _known[key] = digest
    return digest


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def is_inside(name: str) -> bool:
    """Whether a path with forward slashes is relative and stays where it is put, on every system."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or any(ord(c) < 32 for c in name):
        return False
    return "\\" not in name and ":" not in name and not PurePosixPath(name).is_absolute()
