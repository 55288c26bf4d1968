# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens a zipped pack safely: into a cache folder that is named after the zip's hash."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from ..errors import DiskFull, PackError
from .files import MANIFEST, cache_dir, is_inside, sha256_file

MAX_FILES = 10_000
MAX_BYTES = 64 * 1024**3
MAX_RATIO = 100
"""Weights hardly shrink; a member above RATIO_FLOOR that grows by more than this is a zip bomb."""
RATIO_FLOOR = 64 * 1024**2
_CHUNK = 1024 * 1024


def extracted(path: Path) -> Path:
    """The folder of a zipped pack, unpacked on first use. Raises PackError, DiskFull."""
    if not zipfile.is_zipfile(path):
        raise PackError(f"{path.name} is neither a pack folder nor a zip of one.")
    home = cache_dir() / "packs" / sha256_file(path)[:32]
    if not home.is_dir():
        _unpack(path, home)
    return _root_of(home, path.name)


def _root_of(home: Path, name: str) -> Path:
    """The folder with pack.json: the top, or the only folder in it."""
    if (home / MANIFEST).is_file():
        return home
    folders = [p for p in home.iterdir() if p.is_dir()]
    if len(folders) == 1 and (folders[0] / MANIFEST).is_file():
        return folders[0]
    raise PackError(f"{name} is not a model pack: it has no pack.json.")


def _unpack(path: Path, home: Path) -> None:
    """All or nothing: unpacked beside its place, then renamed."""
    home.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=home.parent))
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked_members(archive, path.name)
            needed = sum(m.file_size for m in members)
            if needed > shutil.disk_usage(home.parent).free:
                raise DiskFull(f"Unpacking {path.name} needs {needed / 1e6:.0f} MB in {home.parent}.")
            for member in members:
                target = part / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, open(target, "wb") as sink:
                    _copy(source, sink, member, path.name)
        if not home.is_dir():
            os.replace(part, home)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise PackError(f"{path.name} is a damaged zip ({str(error)[:120]}). Get it again.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _checked_members(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    """The files in the zip, once none of them is hostile."""
    infos = archive.infolist()
    if len(infos) > MAX_FILES or sum(i.file_size for i in infos) > MAX_BYTES:
        raise PackError(f"{name} is refused: it unpacks to more than any model pack.")
    members: list[zipfile.ZipInfo] = []
    seen: set[str] = set()
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if not is_inside(info.filename.rstrip("/")):
            raise PackError(f"{name} is refused: its member {info.filename[:80]!r} leaves the pack.")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise PackError(f"{name} is refused: its member {info.filename[:80]!r} is a link or device.")
        if info.flag_bits & 0x1:
            raise PackError(f"{name} is encrypted; unpack it first.")
        if info.file_size > RATIO_FLOOR and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise PackError(f"{name} is refused: {info.filename[:80]!r} is a zip bomb.")
        if info.is_dir():
            continue
        if info.filename.lower() in seen:
            raise PackError(f"{name} is refused: {info.filename[:80]!r} is in it twice.")
        seen.add(info.filename.lower())
        members.append(info)
    return members


def _copy(source: IO[bytes], sink: IO[bytes], member: zipfile.ZipInfo, name: str) -> None:
    """Copy a member, but never more than the zip's directory promised."""
    left = member.file_size
    while True:
        chunk = source.read(_CHUNK)
        if not chunk:
            return
        left -= len(chunk)
        if left < 0:
            raise PackError(f"{name} is refused: {member.filename[:80]!r} is larger than it says.")
        sink.write(chunk)
