# SPDX-License-Identifier: GPL-2.0-or-later
"""Peak memory, and timings of earlier runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from terrane.inference.tasks.machine import Timings, default_timings_path, peak_rss_mb


def test_the_peak_grows_with_what_is_touched() -> None:
    before = peak_rss_mb()
    assert before is not None
    held = np.ones(int((before + 50) * 1e6 / 8))
    after = peak_rss_mb()
    assert after is not None
    assert after >= held.nbytes / 1e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's quirk")
def test_the_peak_is_not_the_parents() -> None:
    ballast = np.ones(30_000_000)
    code = "from terrane.inference.tasks.machine import peak_rss_mb; print(peak_rss_mb())"
    env = {"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert float(done.stdout) < ballast.nbytes / 1e6


def test_timings_are_remembered_per_key(tmp_path: Path) -> None:
    timings = Timings(tmp_path / "deep" / "timings.json")
    assert timings.recall("a") is None
    timings.remember("a", 0.5)
    timings.remember("b", 2)
    timings.remember("a", 0.25)
    assert Timings(tmp_path / "deep" / "timings.json").recall("a") == 0.25
    assert timings.recall("b") == 2.0
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["timings.json"]


def test_only_the_last_timings_are_kept(tmp_path: Path) -> None:
    timings = Timings(tmp_path / "timings.json")
    timings.LIMIT = 3
    for number in range(5):
        timings.remember(str(number), 1.0 + number)
    assert [timings.recall(str(n)) for n in range(5)] == [None, None, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": "fast"}', '{"a": -1.0}', '{"a": null}'])
def test_a_spoilt_file_costs_only_the_forecast(tmp_path: Path, text: str) -> None:
    path = tmp_path / "timings.json"
    path.write_text(text)
    assert Timings(path).recall("a") is None
    Timings(path).remember("a", 1.5)
    assert Timings(path).recall("a") == 1.5


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    timings = Timings(tmp_path / "file" / "timings.json")
    timings.remember("a", 1.0)
    assert timings.recall("a") is None


def test_timings_lie_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TERRANE_CACHE", str(tmp_path))
    assert default_timings_path() == tmp_path / "timings.json"
