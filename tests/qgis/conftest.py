# SPDX-License-Identifier: GPL-2.0-or-later
"""A real QGIS, offscreen: a window with a map and a message bar, scenes, and a model that can be checked by hand."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, QEvent
from qgis_window import Window, pump, ramp_image, show_on_map, write_raster
from toy_pack import ALL_INPUTS, ALL_TARGETS, build_toy_pack

gdal.UseExceptions()


@pytest.fixture(scope="session")
def packs(tmp_path_factory):
    """A folder of models: a quick toy, two that are slow enough to be cancelled, one for all modalities."""
    folder = tmp_path_factory.mktemp("models")
    build_toy_pack(folder / "toy")
    build_toy_pack(folder / "slow", id="slow", busy=150)
    build_toy_pack(folder / "steady", id="steady", busy=2)
    build_toy_pack(folder / "full", id="full", inputs=ALL_INPUTS, targets=ALL_TARGETS, gain=0.2)
    return folder


@pytest.fixture(autouse=True)
def clean(qgis_app, packs, monkeypatch, tmp_path):
    """Models of ours alone, and nothing remembered from another test."""
    monkeypatch.setenv("TERRANE_MODELS", str(packs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    QgsSettings().remove("terrane")
    (Path(QgsApplication.qgisSettingsDirPath()) / "terrane" / "runs.json").unlink(missing_ok=True)
    QgsProject.instance().clear()
    yield
    QgsProject.instance().clear()
    QgsSettings().remove("terrane")
    # QGIS crashes on layers that outlive it, and frames of caught errors keep them in cycles.
    gc.collect()


@pytest.fixture
def scene_path(tmp_path):
    """A 12-band scene of 100 × 70 pixels with a hole."""
    image = ramp_image(70, 100)
    image[:, 5:15, 80:95] = 0
    return write_raster(tmp_path / "S2_scene.tif", image)


@pytest.fixture
def layer(scene_path):
    """The scene in the project."""
    layer = QgsRasterLayer(scene_path, "S2 scene")
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def window(qgis_app):
    """A window with a map that shows nothing yet."""
    made = Window()
    made.window.show()
    yield made
    made.window.close()
    made.window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def plugin(window):
    """The plugin in that window."""
    from terrane import classFactory

    made = classFactory(window)
    made.initGui()
    yield made
    made.unload()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def dock(plugin, window, layer):
    """The open dock with the scene chosen and shown on the map."""
    show_on_map(window, layer)
    window.active = layer
    plugin.action.setChecked(True)
    pump(lambda: plugin.dock.generate.source.scene is not None)
    plugin.dock.models.choose("toy")
    pump(lambda: not plugin.jobs.running)
    return plugin.dock
