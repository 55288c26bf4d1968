# SPDX-License-Identifier: GPL-2.0-or-later
"""``build.py link``: this checkout as a plugin in a QGIS profile, with its runtime, switched on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

from . import environment as env
from .environment import ROOT, VENV, BuildError, say

PLUGIN = "terrane"


def link(profile: str, profiles_path: Optional[Path]) -> int:
    """Link, fill the runtime folder and switch the plugin on; safe to repeat."""
    python = env.qgis_python()
    if python is None:
        raise BuildError(f"No QGIS found here. {env.how_to_get_qgis()}")
    folder = (profiles_path or default_profiles_path()).expanduser().resolve() / "profiles" / profile
    install_into(folder, python)
    say("Start QGIS (restart it if it is running): the plugin is switched on.")
    return 0


def install_into(profile: Path, python: Path) -> None:
    """Everything ``link`` does, for a profile folder (made when missing) and QGIS's Python."""
    place = link_checkout(profile)
    say(f"   plugin:  {place}")
    runtime = profile / PLUGIN / env.python_tag(python)
    env.fill_runtime(runtime, python_with_pip(python))
    say(f"   runtime: {runtime}")
    enable_plugin(profile / "QGIS" / "QGIS3.ini")


def default_profiles_path() -> Path:
    """Where QGIS 3 keeps its profiles on this system."""
    if os.name == "nt":
        return Path(os.environ["APPDATA"]) / "QGIS" / "QGIS3"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "QGIS" / "QGIS3"
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "QGIS" / "QGIS3"


def link_checkout(profile: Path) -> Path:
    """Make ``<profile>/python/plugins/terrane`` mean this checkout.

    A symbolic link; on Windows a junction, which needs no rights. Whatever else stands there is left
    alone: BuildError says what to remove.
    """
    place = profile / "python" / "plugins" / PLUGIN
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        if place.resolve() == ROOT:
            return place
        place.unlink()
    elif place.exists():
        if place.resolve() == ROOT:  # a junction
            return place
        raise BuildError(
            f"{place} exists and is no link; remove it first (is the plugin installed from a zip?)"
        )
    if os.name == "nt":
        command = ["cmd", "/c", "mklink", "/J", str(place), str(ROOT)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise BuildError(f"could not make the junction {place}")
    else:
        place.symlink_to(ROOT, target_is_directory=True)
    return place


def python_with_pip(python: Path) -> Path:
    """QGIS's Python when it has pip (Windows, macOS), else a virtual environment made from it."""
    probe = [str(python), "-m", "pip", "--version"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return python
    env.apt_install(["python3-venv"])
    return env.make_venv(VENV, python, system_site_packages=True)


def enable_plugin(ini: Path) -> None:
    """Set ``terrane=true`` under ``[PythonPlugins]``; every other line stays as it is."""
    lines = ini.read_text(encoding="utf-8").splitlines() if ini.exists() else []
    if "[PythonPlugins]" not in lines:
        lines += ["", "[PythonPlugins]"] if lines else ["[PythonPlugins]"]
    start = lines.index("[PythonPlugins]") + 1
    end = next((i for i in range(start, len(lines)) if lines[i].startswith("[")), len(lines))
    section = [line for line in lines[start:end] if not line.startswith(f"{PLUGIN}=")]
    new = [*lines[:start], f"{PLUGIN}=true", *section, *lines[end:]]
    if new == lines:
        return
    ini.parent.mkdir(parents=True, exist_ok=True)
    if ini.exists():
        shutil.copy2(ini, ini.with_suffix(".ini.before-terrane"))
    ini.write_text("\n".join(new) + "\n", encoding="utf-8")
