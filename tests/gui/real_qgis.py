# SPDX-License-Identifier: GPL-2.0-or-later
"""A real QGIS window under Xvfb and a window manager, which is gone afterwards whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("Xvfb", "openbox", "qgis")


def missing() -> list[str]:
    """Programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def _program() -> str:
    return shutil.which("qgis.bin") or shutil.which("qgis") or "qgis"


@contextmanager
def process(*command: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own; the whole session is ended on the way out."""
    child = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield child
    finally:
        for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(patience)
                break


@contextmanager
def screen(folder: Path) -> Iterator[str]:
    """A display with a window manager; yields its name."""
    reading, writing = os.pipe()
    with (
        (folder / "xvfb.log").open("wb") as log,
        process(
            "Xvfb",
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            "1400x900x24",
            "-nolisten",
            "tcp",
            pass_fds=(writing,),
            stdout=log,
            stderr=log,
        ),
    ):
        os.close(writing)
        with os.fdopen(reading) as told:
            display = ":" + told.readline().strip()
        with process("openbox", env={**os.environ, "DISPLAY": display}, stdout=log, stderr=log):
            yield display


def make_profile(folder: Path, *, theme: str = "", locale: str = "en_US") -> Path:
    """A profile with the plugin switched on and without first-run dialogs; returns the profiles path."""
    settings = folder / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    settings.parent.mkdir(parents=True)
    look = f"UITheme={theme}\n" if theme else ""
    settings.write_text(
        "[PythonPlugins]\nterrane=true\n"
        "[app]\naskToSaveMemoryLayers=false\nfirstRunVersionFlag=99999\n"
        f"[locale]\nuserLocale={locale}\noverrideFlag=true\n"
        f"[UI]\n{look}"
        "[qgis]\ncheckVersion=false\nnewsFeed\\feedEnabled=false\n",
        encoding="utf-8",
    )
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "terrane").symlink_to(ROOT)
    return folder


def run(
    folder: Path,
    driver: Path,
    *,
    told: dict[str, str],
    theme: str = "",
    locale: str = "en_US",
    seconds: float = 420,
) -> dict[str, Any]:
    """Start QGIS with a driver and wait for what it reports. Raises AssertionError with QGIS's output."""
    profile = make_profile(folder / "profile", theme=theme, locale=locale)
    result, shots, runtime_dir = folder / "result.json", folder / "shots", folder / "xdg"
    shots.mkdir(exist_ok=True)
    runtime_dir.mkdir(mode=0o700)
    keep = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTHON", "VIRTUAL_ENV", "QT_", "PYTEST"))
    }
    env = {
        **keep,
        "QGIS_PLUGINPATH": str(profile / "plugins"),
        "XDG_RUNTIME_DIR": str(runtime_dir),
        "TERRANE_GUI_RESULT": str(result),
        "TERRANE_GUI_SHOTS": str(shots),
        "TERRANE_GUI_DRIVERS": str(driver.parent),
        **told,
    }
    # QGIS takes the first python3 of PATH for its own: never a virtual environment's.
    env["PATH"] = os.pathsep.join([str(Path(_program()).resolve().parent), env.get("PATH", "")])
    env.setdefault("XDG_CACHE_HOME", str(folder / "cache"))
    log_path = folder / "qgis.log"
    with (
        screen(folder) as display,
        log_path.open("wb") as log,
        process(
            _program(),
            "--noversioncheck",
            "--nologo",
            "--nocustomization",
            "--profiles-path",
            str(profile),
            "--profile",
            "default",
            "--code",
            str(driver),
            env={**env, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"},
            stdout=log,
            stderr=log,
        ) as qgis,
    ):
        end = time.monotonic() + seconds
        while not result.exists() and qgis.poll() is None and time.monotonic() < end:
            assert b"Python support will be disabled" not in log_path.read_bytes(), log_path.read_text(
                errors="replace"
            )
            time.sleep(0.2)
        output = log_path.read_text(encoding="utf-8", errors="replace")[-4000:]
        assert result.exists(), f"QGIS reported nothing (ended: {qgis.poll()}):\n{output}"
        report: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        # It must also leave by itself.
        with suppress(subprocess.TimeoutExpired):
            report["exit_code"] = qgis.wait(60)
    assert report["ok"], report.get("error", "") + output
    return report
