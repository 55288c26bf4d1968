# SPDX-License-Identifier: GPL-2.0-or-later
"""The zip of ``build.py package``, unpacked as QGIS unpacks it, works in a QGIS of its own."""

from __future__ import annotations

import os
import subprocess
import zipfile

import pytest

from tools import environment, packaging

pytestmark = pytest.mark.qgis


@pytest.fixture(scope="module")
def qgis_with_zip(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a fresh profile whose plugin folder holds the unpacked zip."""
    folder = tmp_path_factory.mktemp("installed")
    packaging.write_zip(folder / "terrane.zip")
    plugins = folder / "profiles" / "default" / "python" / "plugins"
    with zipfile.ZipFile(folder / "terrane.zip") as archive:
        archive.extractall(plugins)
    return {**os.environ, "QGIS_CUSTOM_CONFIG_PATH": str(folder), "QT_QPA_PLATFORM": "offscreen"}


def _qgis_process(env: dict[str, str], *arguments: str) -> str:
    program = environment.qgis_process()
    assert program is not None, "qgis_process is missing"
    done = subprocess.run(
        [str(program), *arguments], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_unpacked_zip_offers_its_algorithm(qgis_with_zip: dict[str, str]) -> None:
    _qgis_process(qgis_with_zip, "plugins", "enable", "terrane")
    assert "terrane:generate" in _qgis_process(qgis_with_zip, "list")
    told = _qgis_process(qgis_with_zip, "help", "terrane:generate")
    assert "INPUT" in told
    assert "Traceback" not in told
