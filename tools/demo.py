# SPDX-License-Identifier: GPL-2.0-or-later
"""``build.py demo``: the demo scene through the real plugin, in a profile of its own, or headless."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Optional

from . import environment as env
from .environment import ROOT, VENV, BuildError, Steps, run, say
from .linking import install_into

WORK = ROOT / ".demo"
OUT = WORK / "out"
PROFILE = WORK / "profile"
SCENE = ROOT / "resources" / "demo" / "s2_demo.tif"
TARGETS = ("DEM", "LULC")


def demo(*, headless: bool = False) -> int:
    """Generate elevation and land cover from the demo scene; leave layers, a picture and a project."""
    steps = Steps()
    say(f"Terrane's demo on {env.describe_machine()}")
    qgis = None if headless else _find_qgis(steps)
    with steps.step("environment (.venv)"):
        python = env.make_venv(VENV, qgis or Path(sys.executable), system_site_packages=qgis is not None)
        if not qgis:
            env.install_requirements(python, VENV, "headless")
            env.install_requirements(python, VENV, "build")
            env.install_terrane(python, VENV)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    outputs = {target: OUT / f"s2_demo_{target}.tif" for target in TARGETS}
    if qgis:
        _through_qgis(qgis, outputs, steps)
        made = [*outputs.values(), *_picture_and_project(python, outputs, steps)]
    else:
        _through_terminal(python, outputs, steps)
        made = [*outputs.values(), _plain_picture(python, outputs, steps)]
    _report(made, steps)
    return 0


def _find_qgis(steps: Steps) -> Optional[Path]:
    with steps.step("QGIS"):
        env.apt_install((*env.QGIS_APT, "fonts-dejavu-core"))
        python = env.qgis_python()
        if python is None or env.qgis_process() is None:
            say(f"   QGIS is not here, so the demo runs without it. {env.how_to_get_qgis()}")
            return None
        say(f"   {env.qgis_process()}")
    return python


def qgis_environment() -> dict[str, str]:
    """QGIS with the demo's own profile, without a screen."""
    runtime_dir = WORK / "xdg"
    runtime_dir.mkdir(parents=True, exist_ok=True)
    runtime_dir.chmod(0o700)
    return env.clean_environment(
        QT_QPA_PLATFORM="offscreen",
        QGIS_CUSTOM_CONFIG_PATH=str(PROFILE),
        XDG_RUNTIME_DIR=str(runtime_dir),
    )


def _through_qgis(python: Path, outputs: dict[str, Path], steps: Steps) -> None:
    """``terrane:generate`` of the linked plugin, through ``qgis_process``."""
    process = env.qgis_process()
    assert process is not None
    with steps.step("plugin in a profile of its own (.demo/profile)"):
        install_into(PROFILE / "profiles" / "default", python)
    with steps.step("qgis_process run terrane:generate"):
        layers = [f"--OUTPUT_{target}={path}" for target, path in outputs.items()]
        targets = [f"--TARGETS={target}" for target in TARGETS]
        run(
            process,
            "run",
            "terrane:generate",
            f"--INPUT={SCENE}",
            *targets,
            *layers,
            env=qgis_environment(),
            quiet=True,
        )
    _check_made(outputs)


def _through_terminal(python: Path, outputs: dict[str, Path], steps: Steps) -> None:
    with steps.step("terrane generate"):
        options = ("--to", *TARGETS, "-o", str(OUT), "--overwrite")
        run(python, "-m", "terrane", "generate", SCENE, *options, env=env.clean_environment())
    _check_made(outputs)


def _check_made(outputs: dict[str, Path]) -> None:
    missing = [str(path) for path in outputs.values() if not path.exists()]
    if missing:
        raise BuildError(f"generate ended without writing {', '.join(missing)}")


def _picture_and_project(python: Path, outputs: dict[str, Path], steps: Steps) -> list[Path]:
    """``preview.png`` and ``demo.qgz``, made by QGIS itself."""
    project, picture = OUT / "demo.qgz", OUT / "preview.png"
    scene = OUT / SCENE.name
    shutil.copy2(SCENE, scene)  # beside the project, so that the folder can be moved or sent as a whole
    with steps.step("project and picture, drawn by QGIS"):
        script = ROOT / "tools" / "demo_project.py"
        plugins = PROFILE / "profiles" / "default" / "python" / "plugins"
        drawing = {**qgis_environment(), "PYTHONPATH": str(plugins)}
        run(python, script, scene, *outputs.values(), project, picture, env=drawing, quiet=True)
    return [scene, project, picture]


def _plain_picture(python: Path, outputs: dict[str, Path], steps: Steps) -> Path:
    """``preview.png`` without QGIS."""
    picture = OUT / "preview.png"
    with steps.step("picture"):
        script = ROOT / "tools" / "demo_picture.py"
        run(python, script, SCENE, *outputs.values(), picture, env=env.clean_environment(), quiet=True)
    return picture


def _report(made: list[Path], steps: Steps) -> None:
    say("\nMade:")
    for path in made:
        say(f"  {os.path.relpath(path):40s} {path.stat().st_size / 1e6:6.2f} MB")
    project = OUT / "demo.qgz"
    if project in made:
        say(f"\nOpen it with: qgis {os.path.relpath(project)}")
    say(f"\nTime:\n{steps.table()}")
