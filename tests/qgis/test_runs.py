# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of runs: what it keeps, does again, and hands to the terminal and to Processing."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest
from qgis_window import finish, read_raster, settle
from terrane.plugin import run_texts, runs

pytestmark = pytest.mark.qgis
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def panel(dock):
    return dock.panels[-1]


@pytest.fixture
def done(dock, plugin, layer, tmp_path):
    """A finished run with saved outputs and a rectangle as its area."""
    out = tmp_path / "out"
    out.mkdir()
    generate = dock.generate
    generate.save.folder.setFilePath(str(out))
    generate.targets.set_targets(["LULC", "NDVI"])
    generate.area.set_rectangle(layer.extent().buffered(-120), layer.crs())
    generate.quality.steps.setValue(1)
    generate.run()
    finish(plugin)
    dock.tabs.setCurrentIndex(dock.tabs.count() - 1)
    return runs.load()[0]


def test_a_run_is_listed_in_words(done, dock, panel):
    words = panel.list.item(0).text()
    assert words.startswith("S2 scene → Land cover and NDVI\n")
    assert "done in" in words
    assert panel.repeat.text() == "Run again"
    assert not panel.empty.isVisible()


def test_the_same_request_comes_back(done):
    request, geo = done.rebuild()
    assert request.targets == ("LULC", "NDVI")
    assert request.options.steps == 1
    assert request.scenes[0].modality == "S2L2A"
    assert geo is not None
    assert dict(request.outputs) == dict(done.outputs)


def test_run_again_makes_it_again(done, dock, plugin, panel):
    before = {name: read_raster(path) for name, path in done.outputs.items()}
    count = len(QgsProject.instance().mapLayers())
    QTest.mouseClick(panel.repeat, Qt.MouseButton.LeftButton)
    assert dock.tabs.currentIndex() == 0
    finish(plugin)
    assert len(QgsProject.instance().mapLayers()) == count + 2
    for name, path in done.outputs.items():
        np.testing.assert_array_equal(read_raster(path), before[name])
    assert len(runs.load()) == 1


def test_the_command_does_the_same(done, packs):
    before = {name: read_raster(path) for name, path in done.outputs.items()}
    for path in done.outputs.values():
        os.unlink(path)
    words = shlex.split(run_texts.as_command(done))
    assert words[:2] == ["terrane", "generate"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".link")}
    told = subprocess.run(
        [sys.executable, "-m", "terrane", *words[1:]], env=env, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    for name, path in done.outputs.items():
        np.testing.assert_array_equal(read_raster(path), before[name])


def test_the_call_does_the_same(done, plugin, monkeypatch):
    before = {name: read_raster(path) for name, path in done.outputs.items()}
    text = run_texts.as_call(done)
    found = {}

    class Processing:
        @staticmethod
        def run(algorithm, parameters):
            found.update(algorithm=algorithm, parameters=parameters)

    monkeypatch.setitem(sys.modules, "processing", Processing)
    exec(text, {})
    assert found["algorithm"] == "terrane:generate"
    from qgis.core import QgsProcessingContext, QgsProcessingFeedback

    for path in done.outputs.values():
        os.unlink(path)
    algorithm = QgsApplication.processingRegistry().algorithmById("terrane:generate").create()
    known = {parameter.name() for parameter in algorithm.parameterDefinitions()}
    assert set(found["parameters"]) <= known
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    results, ok = algorithm.run(found["parameters"], context, QgsProcessingFeedback(), {}, False)
    assert ok
    for name, path in done.outputs.items():
        assert results[f"OUTPUT_{name}"] == path
        np.testing.assert_array_equal(read_raster(path), before[name])


def test_copy_goes_to_the_clipboard(done, panel):
    panel.copy.menu().actions()[0].trigger()
    assert QgsApplication.clipboard().text() == run_texts.as_command(done)
    polygons = replace(done, region=((((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),),))
    assert not run_texts.can_be_text(polygons)


def test_a_layer_that_is_gone_is_one_sentence(dock, plugin, window, layer, panel):
    copy = QgsRasterLayer(layer.source(), "other crs")
    from qgis.core import QgsCoordinateReferenceSystem

    copy.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))  # known to the layer alone: read through QGIS
    QgsProject.instance().addMapLayer(copy)
    dock.generate.source.set_layer(copy)
    dock.generate.area.choose("layer")
    dock.generate.run()
    finish(plugin)
    run = runs.load()[0]
    assert list(run.inputs[0].layers.values()) == [copy.id()]
    assert not run_texts.can_be_text(run)
    request, _ = run.rebuild()
    assert "32633" in request.scenes[0].grid.crs
    QgsProject.instance().removeMapLayer(copy.id())
    dock.generate.repeat(run, resume=False)
    settle(20)
    assert any("not in the project any more" in item.text() for item in window.bar.items())


def test_forget(done, panel):
    QTest.mouseClick(panel.forget, Qt.MouseButton.LeftButton)
    assert runs.load() == []
    assert panel.list.count() == 0
    assert panel.empty.isVisible()
    assert not panel.repeat.isEnabled()


def test_a_broken_list_is_no_obstacle(qgis_app):
    file = Path(QgsApplication.qgisSettingsDirPath()) / "terrane" / "runs.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    for text in ("{", '[{"title": 1}]', "[1]"):
        file.write_text(text)
        assert runs.load() == []
