# SPDX-License-Identifier: GPL-2.0-or-later
"""Before and after an interruption: forecast, disk, Cancel, Continue, another session, Processing."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRectangle,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest
from qgis_window import finish, messages, pump, read_raster, settle

pytestmark = pytest.mark.qgis


@pytest.fixture
def panel(dock):
    dock.models.choose("steady")
    dock.generate.quality.batch.setValue(1)
    dock.generate.area.choose("layer")
    dock.generate.targets.set_targets(["DEM"])
    return dock.generate


@pytest.fixture
def out(panel, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    panel.save.folder.setFilePath(str(folder))
    return folder


def stop_halfway(panel, plugin):
    """Press Generate, wait for some tiles, press Cancel."""
    QTest.mouseClick(panel.bar.button, Qt.MouseButton.LeftButton)
    pump(lambda: panel.bar.bar.maximum() > 0 and panel.bar.bar.value() >= 2)
    QTest.mouseClick(panel.bar.stop, Qt.MouseButton.LeftButton)
    finish(plugin)


def expected(layer, tmp_path, **changes):
    """The elevation of an uninterrupted run."""
    from terrane.inference import GenerateRequest, generate, open_scene

    path = str(tmp_path / "whole.tif")
    request = GenerateRequest(
        (open_scene(layer.source()),), ("DEM",), {"DEM": path}, model="steady", batch=1, **changes
    )
    generate(request)
    return read_raster(path)


def elevation():
    nodes = QgsProject.instance().layerTreeRoot().findLayers()
    return next(node.layer() for node in nodes if node.name() == "Elevation (generated)")


def test_continue_after_cancel_gives_the_same(panel, plugin, window, layer, out, tmp_path):
    stop_halfway(panel, plugin)
    assert any("press Continue" in text for text in messages(window))
    assert list(out.glob("*.tif")) == []
    assert panel.bar.button.text() == "Continue"
    assert panel.bar.restart.isVisible()
    words = panel.bar.left.text()
    assert words.startswith("Interrupted: ")
    done = int(words.split()[1])
    assert done >= 2
    QTest.mouseClick(panel.bar.button, Qt.MouseButton.LeftButton)
    pump(lambda: panel.bar.bar.maximum() > 0)
    assert panel.bar.bar.value() >= done
    finish(plugin)
    np.testing.assert_array_equal(read_raster(out / "S2_scene_DEM.tif"), expected(layer, tmp_path))
    assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == []
    assert panel.bar.button.text() == "Generate"


def test_temporary_layers_can_be_continued_in_the_same_session(panel, plugin, window, layer, tmp_path):
    stop_halfway(panel, plugin)
    assert any("gone when QGIS closes" in text for text in messages(window))
    assert panel.bar.button.text() == "Continue"
    panel.run()
    finish(plugin)
    np.testing.assert_array_equal(read_raster(elevation().source()), expected(layer, tmp_path))


def test_start_again_forgets_what_was_done(panel, plugin, out):
    stop_halfway(panel, plugin)
    QTest.mouseClick(panel.bar.restart, Qt.MouseButton.LeftButton)
    pump(lambda: panel.bar.bar.maximum() > 0)
    assert panel.bar.bar.value() < 2
    panel.cancel()
    finish(plugin)


def test_other_settings_do_not_continue(panel, plugin, layer, out):
    stop_halfway(panel, plugin)
    panel.quality.seed.setValue(5)
    panel.refresh()
    # The run before goes on with its own settings, and says so.
    assert "its own area and settings" in panel.bar.left.text()
    panel.targets.set_targets(["LULC"])
    assert panel.bar.button.text() == "Generate"
    assert not panel.bar.left.isVisible()


def test_an_unfinished_run_that_nobody_remembers_is_named(panel, plugin, out):
    from terrane.plugin import runs

    stop_halfway(panel, plugin)
    runs.forget(runs.load()[0])
    panel.quality.seed.setValue(5)
    panel.refresh()
    assert "Generate replaces an unfinished run" in panel.problem.words()
    assert panel.bar.button.isEnabled()


def test_goes_on_in_another_session_although_the_map_moved(panel, plugin, window, layer, out, tmp_path):
    box = QgsRectangle(500050, 5099400, 500900, 5099950)
    panel.area.set_rectangle(box, layer.crs())
    stop_halfway(panel, plugin)
    plugin.unload()
    plugin.initGui()
    plugin.action.setChecked(True)
    pump(lambda: plugin.dock.generate.source.scene is not None)
    panel = plugin.dock.generate
    panel.area.choose("layer")  # not the rectangle of before
    assert panel.save.path() == str(out)
    assert panel.bar.button.text() == "Continue"
    QTest.mouseClick(panel.bar.button, Qt.MouseButton.LeftButton)
    finish(plugin)
    made = elevation()
    assert made.extent() == box
    from terrane.inference import BBox

    whole = expected(layer, tmp_path, extent=BBox(500050, 5099400, 500900, 5099950))
    np.testing.assert_array_equal(read_raster(made.source()), whole)


def test_time_is_measured_on_request(dock, plugin, layer):
    panel = dock.generate
    panel.area.choose("layer")
    assert "How long?" in panel.area.forecast.text().replace("\u00a0", " ")
    panel.area.forecast.linkActivated.emit("#")
    assert "measuring" in panel.area.forecast.text().replace("\u00a0", " ")
    finish(plugin)
    words = panel.area.forecast.text().replace("\u00a0", " ")
    assert "about" in words
    assert "How long" not in words


def test_forecast_names_tiles_and_disk_and_refuses_a_small_disk(panel, out, monkeypatch):
    words = panel.area.forecast.text().replace("\u00a0", " ")
    assert "tiles" in words
    assert "kB" in words or "MB" in words
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 9, 1))
    panel.refresh()
    assert "needs up to" in panel.save.note.words()
    assert not panel.bar.button.isEnabled()
    panel.save.folder.setFilePath("")
    assert "choose a folder" in panel.save.note.words()


class Told(QgsProcessingFeedback):
    def __init__(self):
        super().__init__()
        self.words = []

    def setProgressText(self, text):
        self.words.append(text)


def process(parameters, *, stop=False):
    """terrane:generate as the dialog runs it; (ok, results, what it said)."""
    algorithm = QgsApplication.processingRegistry().algorithmById("terrane:generate").create()
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    feedback = Told()
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
    done = []
    task.executed.connect(lambda ok, results: done.append((ok, results)))
    task.taskTerminated.connect(lambda: done.append((False, {})))
    QgsApplication.taskManager().addTask(task)
    if stop:
        pump(lambda: done or any(words.startswith(("2 ", "3 ", "4 ", "5 ")) for words in feedback.words))
        feedback.cancel()
    pump(lambda: done, 60)
    return (*done[0], feedback.words)


def test_processing_resumes(plugin, layer, tmp_path):
    path = tmp_path / "dem.tif"
    parameters = {"INPUT": layer.id(), "MODEL": "steady", "TARGETS": ["DEM"], "BATCH": 1}
    parameters["OUTPUT_DEM"] = str(path)
    process(parameters, stop=True)
    settle(50)
    assert not path.exists()
    ok, results, words = process({**parameters, "RESUME": True})
    assert ok
    assert Path(results["OUTPUT_DEM"]) == path
    assert int(words[0].split()[0]) >= 2
    np.testing.assert_array_equal(read_raster(path), expected(layer, tmp_path))
