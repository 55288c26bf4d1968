# SPDX-License-Identifier: GPL-2.0-or-later
"""Digests of weights are remembered between processes, and forgotten as soon as a file may have changed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from terrane.inference.packs import files


@pytest.fixture(autouse=True)
def eager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as large and as settled; each test has a cache and a memory of its own."""
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "_LARGE", 1)
    monkeypatch.setattr(files, "_SETTLED_NS", -1)
    monkeypatch.setattr(files, "_known", {})


def fresh_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Forget what this process knows; returns the list of files that are read from now on."""
    read: list[str] = []
    monkeypatch.setattr(files, "_known", {})
    original = files._digest
    monkeypatch.setattr(files, "_digest", lambda path: read.append(path) or original(path))
    return read


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"some weights")
    expected = hashlib.sha256(b"some weights").hexdigest()
    assert files.sha256_file(file) == expected
    read = fresh_process(monkeypatch)
    assert files.sha256_file(file) == expected
    assert read == []


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_changed_file_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_time: bool
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"some weights")
    before = file.stat()
    files.sha256_file(file)
    read = fresh_process(monkeypatch)
    file.write_bytes(b"other weight")
    if keep_time:  # the time of writing can be set, that of the change to the file's entry cannot
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert files.sha256_file(file) == hashlib.sha256(b"other weight").hexdigest()
    assert read == [str(file)]


def test_small_and_fresh_files_are_not_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"some weights")
    monkeypatch.setattr(files, "_SETTLED_NS", 3_000_000_000)
    files.sha256_file(file)
    monkeypatch.setattr(files, "_SETTLED_NS", -1)
    monkeypatch.setattr(files, "_LARGE", 1000)
    files.sha256_file(file)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", ["", "[1]", '{"x": 3}', "not json"])
def test_a_damaged_memory_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"some weights")
    memory = tmp_path / "cache" / "digests.json"
    memory.parent.mkdir()
    memory.write_text(content.replace('"x"', json.dumps(str(file))), encoding="utf-8")
    assert files.sha256_file(file) == hashlib.sha256(b"some weights").hexdigest()


def test_a_folder_that_cannot_be_written_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blocked").write_bytes(b"")
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path / "blocked"))
    file = tmp_path / "weights.bin"
    file.write_bytes(b"some weights")
    assert files.sha256_file(file) == hashlib.sha256(b"some weights").hexdigest()
