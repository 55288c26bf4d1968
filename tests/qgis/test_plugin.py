# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin as a whole: it loads fast and light, without a runtime, and unloads without a trace."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from qgis.core import QgsApplication
from qgis_window import pump

pytestmark = pytest.mark.qgis


def run_python(code, **env):
    """A fresh interpreter with QGIS; returns its standard output."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD = """
    import sys, time
    from qgis.core import QgsApplication
    from qgis.gui import QgsMapCanvas
    import osgeo.gdal
    application = QgsApplication([], True)
    application.initQgis()
    started = time.perf_counter()
    from terrane import classFactory
    plugin = classFactory(None)
    plugin.initProcessing()
    seconds = time.perf_counter() - started
    heavy = [name for name in ("torch", "onnxruntime", "rasterio", "shapely") if name in sys.modules]
    print(seconds, heavy, plugin.provider.algorithm("generate") is not None)
    plugin.unload()
    application.exitQgis()
"""


def test_loads_fast_and_imports_nothing_heavy():
    seconds, rest = run_python(LOAD).split(maxsplit=1)
    assert rest.strip() == "[] True"
    assert float(seconds) < 2.0  # the goal is 0.3 s; a busy machine that tests is given more


def test_loads_without_a_runtime(tmp_path):
    # -S would take QGIS away, too: a finder that knows no onnxruntime stands for its absence.
    hide = """
        import sys
        class Hide:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] == "onnxruntime":
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Hide())
    """
    code = textwrap.dedent(hide) + textwrap.dedent(LOAD)
    assert "[] True" in run_python(code, TERRANE_RUNTIME=str(tmp_path / "empty"))


def test_everything_is_there_and_goes_again(plugin, window):
    assert window.toolbar == [plugin.action]
    assert [name for name, _ in window.menu] == ["Terrane"]
    assert len(window.layer_actions) == 3
    assert {entry[1] for entry in window.layer_actions} == {"Terrane"}
    assert len(window.factories) == 1
    registry = QgsApplication.processingRegistry()
    assert registry.algorithmById("terrane:generate") is not None
    plugin.action.setChecked(True)
    pump(lambda: plugin.dock is not None and plugin.dock.isVisible())
    assert window.docks
    entry = plugin._path_entry
    plugin.unload()
    assert not (window.toolbar or window.menu or window.layer_actions or window.factories or window.docks)
    assert registry.providerById("terrane") is None
    assert entry not in sys.path
    plugin.initGui()  # what the fixture's unload expects


def test_options_page_stores_what_was_chosen(plugin, window, tmp_path):
    from terrane.plugin import settings

    page = window.factories[0].createWidget(None)
    page.threads.setValue(1)
    page.device.setCurrentIndex(1)
    page.runtime.setFilePath(str(tmp_path))
    page.apply()
    stored = settings.preferences()
    assert (stored.threads, stored.device, stored.runtime_folder) == (1, "cpu", str(tmp_path))
    page.deleteLater()


def test_closing_the_dock_unticks_the_action_and_is_remembered(dock, plugin):
    from terrane.plugin import settings

    assert settings.dock_was_open()
    dock.close()
    assert not plugin.action.isChecked()
    assert not settings.dock_was_open()


@pytest.fixture
def installer(qgis_app, tmp_path):
    """An installer into a folder of the test's, and what it said in the end."""
    from terrane.plugin.runtime_folder import Installer

    made = Installer(target=tmp_path / "profile" / "py3")
    made.ended = []
    made.done.connect(made.ended.append)
    return made


def test_installation_without_an_index_says_so_and_leaves_nothing(installer, tmp_path):
    environment = installer._process.processEnvironment()
    for name, value in (
        ("PIP_NO_INDEX", "1"),
        ("PIP_FIND_LINKS", str(tmp_path)),
        ("PIP_CONFIG_FILE", os.devnull),
    ):
        environment.insert(name, value)
    installer._process.setProcessEnvironment(environment)
    installer.start()
    pump(lambda: installer.ended, 60)
    assert "no ONNX Runtime for this Python" in installer.ended[0]
    assert list((tmp_path / "profile").iterdir()) == []


def test_installation_can_be_cancelled(installer, tmp_path):
    installer.start()
    installer.cancel()
    pump(lambda: installer.ended, 60)
    assert installer.ended == ["Cancelled; nothing was installed."]
    assert list((tmp_path / "profile").iterdir()) == []
