# SPDX-License-Identifier: GPL-2.0-or-later
"""A run that was killed goes on where it stopped, and its result is that of a run that never was."""

from __future__ import annotations

import dataclasses
import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasters import files_in, ramp_image, write_scene
from terrane.inference.errors import DiskFull, OutputError
from terrane.inference.io.scene import open_scene
from terrane.inference.packs.manifest import Pack
from terrane.inference.tasks import journal as journals
from terrane.inference.tasks.generate import GenerateRequest, forecast, generate
from terrane.inference.tasks.journal import Journal, Stored, discard_journal, find_journal
from terrane.inference.types import Cancel, Progress, Size
from toy_pack import build_toy_pack


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "toy")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Slow enough to be killed in the middle."""
    return build_toy_pack(tmp_path_factory.mktemp("packs") / "slow", busy=1)


def ask(tmp_path: Path, out: Path, pack: Pack, **changes: Any) -> GenerateRequest:
    """Three rows of six tiles, some of them empty, with drawn tokens and three products."""
    image = ramp_image(80, 150)
    image[:, 20:70, 40:120] = 0
    path = tmp_path / "s2.tif"
    if not path.exists():
        write_scene(path, image)
    out.mkdir(exist_ok=True)
    targets = ("DEM", "LULC", "NDVI")
    request = GenerateRequest(
        scenes=(open_scene(str(path), modality="S2L2A"),),
        targets=targets,
        outputs={t: str(out / f"s2_{t}.tif") for t in targets},
        model=str(pack.root),
        preset="exact",
        seed=5,
        batch=3,
        device="cpu",
        threads=1,
    )
    return dataclasses.replace(request, **changes)


def stopped(request: GenerateRequest, tiles: int) -> None:
    """Run until so many tiles are done, then press the button."""
    cancel = Cancel()

    def press(progress: Progress) -> None:
        if progress.done >= tiles:
            cancel.set()

    with pytest.raises(Exception, match="Cancelled"):
        generate(request, progress=press, cancel=cancel)


def bytes_of(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in files_in(out)}


CHILD = """
import sys
from test_resume import ask, generate
from pathlib import Path
from toy_pack import build_toy_pack
from terrane.inference.packs.manifest import load_pack
tmp, out, pack = map(Path, sys.argv[1:4])
print("ready", flush=True)
generate(ask(tmp, out, load_pack(pack), resume=True))
"""


def child(tmp_path: Path, out: Path, pack: Pack) -> subprocess.Popen[str]:
    paths = [str(Path(__file__).parent), *sys.path]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    line = [sys.executable, "-c", CHILD, str(tmp_path), str(out), str(pack.root)]
    return subprocess.Popen(line, env=env, stdout=subprocess.PIPE, text=True)


def test_killed_three_times_it_makes_the_same_files(tmp_path: Path, slow: Pack) -> None:
    """SIGKILL at random moments of a real process, then resume: every byte, pixels and tags, is the same."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    started = time.monotonic()
    generate(ask(tmp_path, whole, slow))
    took = time.monotonic() - started
    dice, progress = random.Random(time.time_ns()), [0]
    for _ in range(3):
        with child(tmp_path, killed, slow) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0.05, 0.3) * took)
            assert run.poll() is None
            run.kill()
        assert all(name.startswith(".terrane-") for name in files_in(killed))
        found = find_journal(ask(tmp_path, killed, slow).outputs)
        progress.append(found.done if found else 0)
    assert progress == sorted(progress)
    request = ask(tmp_path, killed, slow, resume=True, overwrite=True)
    result = generate(request)
    assert result.resumed <= result.tiles
    assert bytes_of(killed) == bytes_of(whole)


@pytest.mark.parametrize("tiles", [3, 6, 9, 15, 18])
def test_a_cancelled_run_resumes_to_the_same_bytes(tmp_path: Path, toy: Pack, tiles: int) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    generate(ask(tmp_path, whole, toy))
    stopped(ask(tmp_path, out, toy), tiles)
    seen: list[Progress] = []
    result = generate(ask(tmp_path, out, toy, resume=True), progress=seen.append)
    assert seen[0].done >= min(tiles, 18)
    assert result.resumed > 0
    assert result.tiles == 18
    assert bytes_of(out) == bytes_of(whole)


def test_a_forecast_counts_what_is_done(tmp_path: Path, toy: Pack) -> None:
    request = ask(tmp_path, tmp_path / "out", toy)
    assert forecast(request).tiles_done == 0
    stopped(request, 12)
    found = find_journal(request.outputs)
    assert found is not None
    assert (found.done, found.total) == (12, 18)
    assert time.time() - 60 < found.created <= time.time()
    assert 12 * 1000 < found.size < forecast(request).bytes_needed
    assert forecast(request).tiles_done == 12
    assert forecast(dataclasses.replace(request, seed=6)).tiles_done == 0


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"seed": 6}, "seed"),
    ({"preset": "fast"}, "preset"),
    ({"batch": 4}, "batch"),
    ({"threads": 2}, "threads"),
    ({"targets": ("LULC", "DEM", "NDVI")}, "targets"),
]


@pytest.mark.parametrize(("changes", "word"), CHANGES)
def test_another_request_is_not_mixed_in(
    tmp_path: Path, toy: Pack, changes: dict[str, Any], word: str
) -> None:
    request = ask(tmp_path, tmp_path / "out", toy)
    stopped(request, 12)
    with pytest.raises(OutputError, match=f"another one: it differs in .*{word}"):
        generate(dataclasses.replace(request, resume=True, **changes))
    assert find_journal(request.outputs) is not None
    generate(dataclasses.replace(request, **changes))
    assert find_journal(request.outputs) is None


def test_a_changed_scene_is_not_mixed_in(tmp_path: Path, toy: Pack) -> None:
    request = ask(tmp_path, tmp_path / "out", toy)
    stopped(request, 12)
    os.utime(tmp_path / "s2.tif", ns=(0, 10**18))
    with pytest.raises(OutputError, match="differs in scene"):
        generate(dataclasses.replace(request, resume=True))


def test_resuming_nothing_starts_afresh(tmp_path: Path, toy: Pack) -> None:
    result = generate(ask(tmp_path, tmp_path / "out", toy, resume=True))
    assert result.resumed == 0
    with pytest.raises(OutputError, match="exists"):
        generate(ask(tmp_path, tmp_path / "out", toy, resume=True))


def test_two_runs_do_not_share_a_journal(tmp_path: Path, toy: Pack) -> None:
    request = ask(tmp_path, tmp_path / "out", toy)
    errors: list[Exception] = []

    def meanwhile(progress: Progress) -> None:
        if progress.done == 12 and not errors:
            assert find_journal(request.outputs) is None
            with pytest.raises(OutputError, match="Another run is making") as caught:
                generate(dataclasses.replace(request, resume=True))
            errors.append(caught.value)
            with pytest.raises(OutputError, match="Another run is making"):
                discard_journal(request.outputs)

    generate(request, progress=meanwhile)
    assert len(errors) == 1


def test_damaged_records_are_computed_again(tmp_path: Path, toy: Pack) -> None:
    """What a power failure may leave: zeros, noise and lost lines. None of it may reach a result."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    generate(ask(tmp_path, whole, toy))
    request = ask(tmp_path, out, toy)
    stopped(request, 18)
    folder = journals.journal_path(request.outputs)
    with open(folder / "DEM.bin", "r+b") as file:
        file.seek(100)
        file.write(b"\0" * 4000)
    with open(folder / "LULC.bin", "r+b") as file:
        file.truncate(os.path.getsize(folder / "LULC.bin") - 5000)
    with open(folder / "valid-0.bin", "r+b") as file:
        file.write(b"\xff" * 40)
    log = (folder / "log").read_bytes().split(b"\n")
    log[4] = log[4][:-3] + b"x"
    (folder / "log").write_bytes(b"\n".join(log)[:-20] + b"\0\0\0")
    result = generate(dataclasses.replace(request, resume=True))
    assert 0 < result.resumed < 18
    assert bytes_of(out) == bytes_of(whole)


def test_a_disk_that_fills_up_keeps_what_is_done(tmp_path: Path, toy: Pack) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    generate(ask(tmp_path, whole, toy))
    request = ask(tmp_path, out, toy)
    real, left = journals._write, [200_000]

    def write(file: Any, place: int, data: bytes) -> None:
        left[0] -= len(data)
        if left[0] < 0:
            real(file, place, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file, place, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journals, "_write", write)
        with pytest.raises(DiskFull, match="is full") as caught:
            generate(request)
    found = find_journal(request.outputs)
    assert found is not None
    assert caught.value.kept == (found.done, 18)
    assert 0 < found.done < 18
    assert generate(dataclasses.replace(request, resume=True)).resumed > 0
    assert bytes_of(out) == bytes_of(whole)


def test_a_journal_of_another_format_is_left_behind(tmp_path: Path, toy: Pack) -> None:
    request = ask(tmp_path, tmp_path / "out", toy)
    stopped(request, 12)
    (journals.journal_path(request.outputs) / "journal.json").write_text('{"format": 99}')
    assert find_journal(request.outputs) is None
    assert generate(dataclasses.replace(request, resume=True)).resumed == 0


SHAPES = [
    Stored("a", (2, 4, 4)),
    Stored("b", (3, 2, 2), "share"),
    Stored("place", (2,), "float64"),
]


def opened(folder: Path, resume: bool, tiles: int = 12) -> Journal:
    outputs = {"DEM": str(folder / "s_DEM.tif")}
    return Journal(outputs, {"seed": "0"}, SHAPES, tiles=tiles, sizes=[Size(21, 30)], resume=resume)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_torn_a_journal_gives_what_was_put_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    random_values = np.random.default_rng(data.draw(st.integers(0, 1000)))
    written: dict[int, Optional[dict[str, np.ndarray]]] = {}
    mask = random_values.random((30, 21)) < 0.5
    journal = opened(folder, resume=False)
    for first in data.draw(st.permutations(range(0, 12, 3))):
        tiles = [first, first + 1, first + 2]
        kept = [t for t in tiles if data.draw(st.booleans())]
        values = {
            "a": random_values.normal(size=(len(kept), 2, 4, 4)).astype(np.float32),
            "b": random_values.random((len(kept), 3, 2, 2)).astype(np.float32),
            "place": random_values.normal(size=(len(kept), 2)),
        }
        journal.put(tiles, kept, values)
        written.update(dict.fromkeys(tiles))
        written.update({t: {k: v[i] for k, v in values.items()} for i, t in enumerate(kept)})
    journal.put_mask(0, 0, mask[:10])
    journal.put_mask(0, 10, mask[10:])
    journal.close()
    for name in ("a.bin", "b.bin", "place.bin", "valid-0.bin", "log"):
        path = journal.folder / name
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(0, 2))):
            if content:
                place = data.draw(st.integers(0, len(content) - 1))
                content[place] ^= data.draw(st.integers(1, 255))
        if data.draw(st.booleans()):
            content = content[: data.draw(st.integers(0, len(content)))]
        path.write_bytes(content)
    again = opened(folder, resume=True)
    for tile, values_of in written.items():
        if not again.knows(tile):
            continue
        assert again.holds(tile) == (values_of is not None)
        if values_of is not None:
            np.testing.assert_array_equal(again.read("a", tile), values_of["a"])
            np.testing.assert_array_equal(again.read("place", tile), values_of["place"])
            np.testing.assert_allclose(again.read("b", tile), values_of["b"], atol=0.5 / 65535 + 1e-7)
    for top, rows in ((0, 10), (10, 20)):
        if again.has_mask(0, top):
            np.testing.assert_array_equal(again.mask(0, top, rows), mask[top : top + rows])
    again.discard()
    assert not again.folder.exists()
