# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever stops a run leaves nothing behind but the journal of what is done: no file, no folder, no thread."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from rasters import files_in, ramp_image, read, write_scene
from terrane.inference.adapters.terramind import TerraMind
from terrane.inference.errors import (
    Cancelled,
    DiskFull,
    OutOfMemory,
    OutputError,
    SourceError,
    TerraneError,
)
from terrane.inference.io.rasterio_geo import RasterioGeo
from terrane.inference.io.scene import open_scene
from terrane.inference.packs.manifest import Pack
from terrane.inference.tasks.generate import GenerateRequest, discard_journal, find_journal, generate
from terrane.inference.types import Cancel, Progress
from toy_pack import build_toy_pack


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A quarter of a minute per batch, ten of them: whoever cancels it must get through to the running graph."""
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "slow", busy=400)


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "out"
    folder.mkdir()
    yield folder
    assert not [t.name for t in threading.enumerate() if t.name.startswith("terrane-")]
    left = [name for name in files_in(folder) if ".journal" not in name]
    assert left == []


def ask(tmp_path: Path, out: Path, pack: Pack, height: int = 120) -> GenerateRequest:
    scene = open_scene(write_scene(tmp_path / "s2.tif", ramp_image(height, 100)), modality="S2L2A")
    targets = ("DEM", "LULC")
    return GenerateRequest(
        scenes=(scene,),
        targets=targets,
        outputs={t: str(out / f"s2_{t}.tif") for t in targets},
        model=str(pack.root),
        batch=2,
    )


class FaultyGeo(RasterioGeo):
    """Fails where it is told to."""

    def __init__(self, *, fail: str, after: int, error: Callable[[], Exception]) -> None:
        super().__init__()
        self.fail, self.after, self.error = fail, after, error

    def count(self, what: str) -> None:
        if what == self.fail:
            self.after -= 1
            if self.after < 0:
                raise self.error()

    def writer(self, *args: Any, **kwargs: Any) -> Any:
        self.count("writer")
        return Watched(super().writer(*args, **kwargs), self)

    def reader(self, *args: Any, **kwargs: Any) -> Any:
        return Watched(super().reader(*args, **kwargs), self)


class Watched:
    """A reader or writer whose calls are counted."""

    def __init__(self, inner: Any, geo: FaultyGeo) -> None:
        self._inner, self._geo = inner, geo

    def __getattr__(self, name: str) -> Any:
        self._geo.count(name)
        return getattr(self._inner, name)


FAULTS = [
    ("writer", 1, lambda: OutputError("It cannot be written."), OutputError),
    ("write", 0, lambda: DiskFull("The disk is full."), DiskFull),
    ("write", 5, lambda: DiskFull("The disk is full."), DiskFull),
    ("commit", 0, lambda: DiskFull("The disk is full."), DiskFull),
    ("commit", 1, lambda: DiskFull("The disk is full."), DiskFull),
    ("read", 3, lambda: SourceError("A block is damaged."), SourceError),
    ("read", 4, lambda: RuntimeError("a bug"), RuntimeError),
    ("read", 4, MemoryError, OutOfMemory),
]


@pytest.mark.parametrize(("place", "after", "make", "error"), FAULTS)
def test_a_failure_of_rasters_leaves_nothing(
    tmp_path: Path, out: Path, toy: Pack, place: str, after: int, make: Any, error: type[Exception]
) -> None:
    request = ask(tmp_path, out, toy)
    with pytest.raises(error) as caught:
        generate(request, geo=FaultyGeo(fail=place, after=after, error=make))
    kept = find_journal(request.outputs)
    assert kept is not None
    assert 0 < kept.done <= kept.total == 20
    if isinstance(caught.value, TerraneError):
        assert caught.value.kept == (kept.done, kept.total)
    again = generate(dataclasses.replace(request, resume=True))
    assert again.resumed == kept.done
    assert sorted(files_in(out)) == ["s2_DEM.tif", "s2_LULC.tif", "s2_LULC.tif.aux.xml"]
    for name in files_in(out):
        (out / name).unlink()


@pytest.mark.parametrize(
    ("raised", "error"), [(MemoryError, OutOfMemory), (ZeroDivisionError, ZeroDivisionError)]
)
def test_a_failure_of_the_model_leaves_nothing(
    tmp_path: Path,
    out: Path,
    toy: Pack,
    monkeypatch: pytest.MonkeyPatch,
    raised: type[Exception],
    error: type[Exception],
) -> None:
    real, calls = TerraMind.generate, []

    def failing(self: TerraMind, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise raised
        return real(self, *args, **kwargs)

    monkeypatch.setattr(TerraMind, "generate", failing)
    request = ask(tmp_path, out, toy)
    with pytest.raises(error):
        generate(request)
    kept = find_journal(request.outputs)
    assert kept is not None
    assert kept.done == 6


@pytest.mark.parametrize("after", [0, 2, 10, 11, 12])
def test_cancelling_at_any_time_keeps_what_is_done(tmp_path: Path, out: Path, toy: Pack, after: int) -> None:
    cancel = Cancel()
    calls = []

    def press(_: Progress) -> None:
        calls.append(1)
        if len(calls) > after:
            cancel.set()

    request = ask(tmp_path, out, toy)
    with pytest.raises(Cancelled) as caught:
        generate(request, progress=press, cancel=cancel)
    kept = find_journal(request.outputs)
    done = kept.done if kept else 0
    assert done == min(2 * after, 20)
    assert str(caught.value) == (
        f"Cancelled; {done} of 20 tiles are kept." if done else "Cancelled; nothing was written."
    )
    if not done:
        assert files_in(out) == []
    discard_journal(request.outputs)
    assert files_in(out) == []


def test_a_button_pressed_before_the_start_starts_nothing(tmp_path: Path, out: Path, toy: Pack) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        generate(ask(tmp_path, out, toy), progress=lambda _: pytest.fail("started"), cancel=cancel)


def test_cancelling_stops_a_graph_that_is_running(tmp_path: Path, out: Path, slow: Pack) -> None:
    cancel = Cancel()
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        cancel.set()

    threading.Timer(1.5, press).start()
    with pytest.raises(Cancelled):
        generate(ask(tmp_path, out, slow), cancel=cancel)
    assert time.monotonic() - pressed[0] < 8


def test_a_callback_that_fails_ends_the_run(tmp_path: Path, out: Path, toy: Pack) -> None:
    def broken(progress: Progress) -> None:
        if progress.done:
            raise KeyError("the face's own bug")

    with pytest.raises(KeyError):
        generate(ask(tmp_path, out, toy), progress=broken)


def command(tmp_path: Path, out: Path, pack: Pack, *more: str) -> list[str]:
    scene = str(tmp_path / "s2.tif")
    options = ["--to", "DEM", "LULC", "-o", str(out), "--model", str(pack.root), *more]
    return [sys.executable, "-m", "terrane", "generate", scene, *options]


def start(line: list[str]) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env=env)


def wait_for(
    folder: Path, pattern: str, process: subprocess.Popen[str], seconds: float = 30
) -> Optional[Path]:
    """The first file below a folder that fits, once it is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        for path in folder.rglob(pattern):
            return path
        time.sleep(0.02)
    return None


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_exits_130_and_leaves_no_output(tmp_path: Path, out: Path, slow: Pack, number: int) -> None:
    ask(tmp_path, out, slow)
    with start(command(tmp_path, out, slow)) as run:
        assert wait_for(out, "journal.json", run) is not None
        run.send_signal(number)
        pressed = time.monotonic()
        stdout, stderr = run.communicate(timeout=30)
    assert time.monotonic() - pressed < 8
    assert run.returncode == 130
    assert stdout == ""
    assert "Cancelled; nothing was written." in stderr
    assert "Traceback" not in stderr


def test_a_killed_run_leaves_no_output_and_the_next_one_cleans_up(
    tmp_path: Path, toy: Pack, slow: Pack
) -> None:
    folder = tmp_path / "killed"
    ask(tmp_path, folder, toy)
    with start(command(tmp_path, folder, slow)) as run:
        assert wait_for(folder, "journal.json", run) is not None
        run.kill()
    left = files_in(folder)
    assert left
    assert all(name.startswith(".terrane-") for name in left)
    with start(command(tmp_path, folder, toy)) as run:
        stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 0, stderr
    assert stdout.split() == [str(folder / "s2_DEM.tif"), str(folder / "s2_LULC.tif")]
    assert not [name for name in files_in(folder) if name.startswith(".")]
    assert np.isfinite(read(folder / "s2_DEM.tif")).all()
