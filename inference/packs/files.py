# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of a pack: their SHA-256, and paths that stay inside."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
import time
from pathlib import Path, PurePosixPath
from typing import Optional, Union

MANIFEST = "pack.json"
_CHUNK = 4 * 1024 * 1024
_SETTLED_NS = 3_000_000_000
"""A file is remembered once its time stamp is older than the coarsest file system's clock (FAT: 2 s)."""
_LARGE = 16 * 1024 * 1024
"""Bytes from which a digest is remembered on disk, too: a gigabyte of weights takes a second at each start."""
_REMEMBERED = "digests.json"
_MOST = 1000
"""Digests on disk; the oldest are forgotten."""
_lock = threading.Lock()
_known: dict[tuple[str, int, int, int], str] = {}


def cache_dir() -> Path:
    """Where zipped packs are unpacked: TERRANE_CACHE, else the system's folder for caches."""
    given = os.environ.get("TERRANE_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "terrane" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "terrane"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "terrane"


def sha256_file(path: Union[str, Path]) -> str:
    """Hex digest of a file's content; not read again while path, size and both times stay the same."""
    path = os.path.abspath(path)
    stat = os.stat(path)
    key = (path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    with _lock:
        known = _known.get(key)
    if known is None and stat.st_size >= _LARGE:
        known = _recall(key)
    if known is not None:
        return known
    digest = _digest(path)
    now = time.time_ns()
    if now - stat.st_mtime_ns > _SETTLED_NS:
        with _lock:
            _known[key] = digest
            if stat.st_size >= _LARGE and now - stat.st_ctime_ns > _SETTLED_NS:
                _remember(key, digest)
    return digest


def _recall(key: tuple[str, int, int, int]) -> Optional[str]:
    """A digest that an earlier process computed; None unless size and times are still those."""
    found = _remembered().get(key[0])
    if not isinstance(found, list) or found[:-1] != list(key[1:]):
        return None
    return found[-1] if isinstance(found[-1], str) else None


def _remember(key: tuple[str, int, int, int], digest: str) -> None:
    """Keep a digest for later processes; a folder that cannot be written to only costs time."""
    with contextlib.suppress(OSError):
        file = cache_dir() / _REMEMBERED
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = {**_remembered(), key[0]: [*key[1:], digest]}
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        part.write_text(json.dumps(dict(list(kept.items())[-_MOST:])), encoding="utf-8")
        os.replace(part, file)


def _remembered() -> dict[str, object]:
    try:
        found = json.loads((cache_dir() / _REMEMBERED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


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
