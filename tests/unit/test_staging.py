# SPDX-License-Identifier: GPL-2.0-or-later
"""Outputs that appear all together or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from terrane.inference.errors import DiskFull, OutputError
from terrane.inference.tasks import staging as module
from terrane.inference.tasks.staging import Staging, check_outputs, check_space, clean_stale


def fill(staging: Staging, target: str, text: str, sidecar: str = "") -> None:
    Path(staging.path(target)).write_text(text)
    if sidecar:
        Path(staging.path(target) + ".aux.xml").write_text(sidecar)


def test_outputs_appear_on_delivery_only(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    outputs = {"DEM": str(tmp_path / "a.tif"), "LULC": str(tmp_path / "other" / "b.tif")}
    with Staging(outputs) as staging:
        fill(staging, "DEM", "dem")
        fill(staging, "LULC", "lulc", "classes")
        Path(staging.scratch("DEM", "0.tif")).write_text("scratch")
        assert not any(Path(p).exists() for p in outputs.values())
        staging.deliver()
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert found == ["a.tif", os.path.join("other", "b.tif"), os.path.join("other", "b.tif.aux.xml")]
    assert (tmp_path / "a.tif").read_text() == "dem"
    assert not list(tmp_path.rglob(".terrane-*"))


def test_nothing_is_left_when_something_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with Staging({"DEM": str(tmp_path / "a.tif")}) as staging:
            fill(staging, "DEM", "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_overwriting_replaces_the_raster_and_its_old_sidecar(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("old")
    (tmp_path / "a.tif.aux.xml").write_text("statistics of the old one")
    with Staging({"DEM": str(tmp_path / "a.tif")}) as staging:
        fill(staging, "DEM", "new")
        staging.deliver()
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    assert (tmp_path / "a.tif").read_text() == "new"


def test_a_failed_delivery_takes_everything_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"DEM": str(tmp_path / "a.tif"), "LULC": str(tmp_path / "b.tif")}
    (tmp_path / "a.tif").write_text("old")
    real = os.replace

    def replace(source: os.PathLike[str], goal: os.PathLike[str]) -> None:
        if str(goal).endswith("b.tif"):
            raise OSError(errno.EACCES, "Permission denied")
        real(source, goal)

    with Staging(outputs) as staging:
        fill(staging, "DEM", "new")
        fill(staging, "LULC", "new")
        monkeypatch.setattr(module.os, "replace", replace)
        with pytest.raises(OutputError, match=r"b\.tif cannot be written \(Permission denied\)"):
            staging.deliver()
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
    assert (tmp_path / "a.tif").read_text() == "old"


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.tempfile, "mkdtemp", full)
    with pytest.raises(DiskFull, match="is full"), Staging({"DEM": str(tmp_path / "a.tif")}):
        pass


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from terrane.inference.tasks.staging import Staging\n"
        f"with Staging({{'DEM': {str(tmp_path / 'a.tif')!r}}}) as staging:\n"
        "    open(staging.path('DEM'), 'w').close()\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=env) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        clean_stale(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        run.kill()
    assert len(list(tmp_path.iterdir())) == 1
    with Staging({"DEM": str(tmp_path / "a.tif")}) as staging:
        assert len(list(tmp_path.iterdir())) == 1
        assert os.path.isdir(os.path.dirname(staging.path("DEM")))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_lock_gets_a_minute(tmp_path: Path) -> None:
    folder = tmp_path / ".terrane-abc.part"
    folder.mkdir()
    clean_stale(tmp_path)
    assert folder.is_dir()
    os.utime(folder, (time.time() - 120,) * 2)
    clean_stale(tmp_path)
    assert not folder.exists()


def test_outputs_are_checked_before_any_work(tmp_path: Path) -> None:
    source, old = tmp_path / "s.tif", tmp_path / "old.tif"
    source.write_text("s")
    old.write_text("o")

    def check(outputs: dict[str, Path], overwrite: bool = False) -> None:
        check_outputs({k: str(v) for k, v in outputs.items()}, [str(source)], overwrite=overwrite)

    check({"DEM": tmp_path / "a.tif", "LULC": tmp_path / "b.tif"})
    check({"DEM": old}, overwrite=True)
    for outputs, overwrite in (
        ({"DEM": old}, False),
        ({"DEM": source}, True),
        ({"DEM": tmp_path / "a.tif", "LULC": tmp_path / "x" / ".." / "a.tif"}, False),
        ({"DEM": tmp_path}, False),
        ({"DEM": tmp_path / "none" / "a.tif"}, False),
    ):
        with pytest.raises(OutputError):
            check(outputs, overwrite)
    assert old.read_text() == "o"


def test_space_is_summed_per_disk(tmp_path: Path) -> None:
    outputs = {"DEM": str(tmp_path / "a.tif"), "LULC": str(tmp_path / "b.tif")}
    check_space(outputs, {"DEM": 1, "LULC": 1})
    with pytest.raises(DiskFull, match="may need"):
        check_space(outputs, {"DEM": 10**18, "LULC": 1})
