# SPDX-License-Identifier: GPL-2.0-or-later
"""Zipped packs: good ones open, hostile ones are refused and leave nothing behind."""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from terrane.inference.errors import DiskFull, PackError
from terrane.inference.packs import archive
from terrane.inference.packs.manifest import Pack, load_pack
from toy_pack import build_toy_pack


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def left_behind(tmp_path: Path) -> list[str]:
    return [p.as_posix() for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".zip"]


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members:
            out.writestr(name, data)
    return path


@pytest.mark.parametrize("top", [True, False])
def test_a_zip_of_a_pack_opens(built: Pack, tmp_path: Path, cache: Path, top: bool) -> None:
    root, base = (built.root.parent, "toy") if top else (built.root, ".")
    path = Path(shutil.make_archive(str(tmp_path / "model"), "zip", root, base))
    pack = load_pack(path)
    assert pack.hash == built.hash
    assert cache in pack.root.parents
    assert load_pack(path).root == pack.root
    assert len(list((cache / "packs").iterdir())) == 1


def test_a_damaged_member_is_refused(built: Pack, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "model"), "zip", built.root))
    with zipfile.ZipFile(path) as source:
        info = source.getinfo("graphs/encoder.onnx")
    data = bytearray(path.read_bytes())
    data[info.header_offset + 60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(PackError, match=r"model\.zip is a damaged zip"):
        load_pack(path)
    assert left_behind(tmp_path) == []


def test_a_truncated_zip_is_refused(built: Pack, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "model"), "zip", built.root))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PackError, match=r"model\.zip is neither a pack folder nor a zip"):
        load_pack(path)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"other\.zip is not a model pack"):
        load_pack(zipped(tmp_path / "other.zip", ("readme.txt", b"hello")))


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:/evil", "a//b", "./x", "a\nb"])
def test_paths_that_leave_the_pack_are_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "evil.zip", ("pack.json", b"{}"), (name, b"x"))
    with pytest.raises(PackError, match=r"evil\.zip is refused: its member .* leaves the pack"):
        load_pack(path)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("graphs/link")
    info.external_attr = (kind | 0o777) << 16
    path = zipped(tmp_path / "evil.zip", ("pack.json", b"{}"), (info, b"/etc/passwd"))
    with pytest.raises(PackError, match="is a link or device"):
        load_pack(path)
    assert left_behind(tmp_path) == []


def test_zip_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "RATIO_FLOOR", 2**20)
    path = zipped(tmp_path / "bomb.zip", ("pack.json", b"{}"), ("zeros.bin", bytes(2**22)))
    with pytest.raises(PackError, match="zip bomb"):
        load_pack(path)
    assert left_behind(tmp_path) == []


def test_a_zip_that_lies_about_sizes_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "liar.zip", ("pack.json", b"{}"), ("weights.bin", bytes(100_000)))
    data = path.read_bytes()
    lie = data.replace(struct.pack("<L", 100_000), struct.pack("<L", 10))
    assert lie != data
    path.write_bytes(lie)
    with pytest.raises(PackError, match=r"liar\.zip"):
        load_pack(path)
    assert left_behind(tmp_path) == []


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    path = zipped(tmp_path / "many.zip", *((f"{i}.txt", b"") for i in range(4)))
    with pytest.raises(PackError, match="unpacks to more than any model pack"):
        load_pack(path)


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "twice.zip", ("pack.json", b"{}"), ("Pack.JSON", b"[]"))
    with pytest.raises(PackError, match="is in it twice"):
        load_pack(path)


def test_encrypted_zips_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "secret.zip", ("pack.json", b"{}"))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(PackError, match="encrypted"):
        load_pack(path)


def test_a_full_disk_is_said_before_unpacking(
    built: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "model"), "zip", built.root))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: usage(100, 90, 10))
    with pytest.raises(DiskFull, match=r"Unpacking model\.zip needs"):
        load_pack(path)
    assert left_behind(tmp_path) == []
