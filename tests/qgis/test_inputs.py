# SPDX-License-Identifier: GPL-2.0-or-later
"""The dock with several inputs, targets in order, knobs, uncertainty and elevation tied to a coarse layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest
from qgis_window import finish, pump, read_raster, settle, write_raster

pytestmark = pytest.mark.qgis


def add_raster(path, image, name, **options):
    layer = QgsRasterLayer(write_raster(path, image, kind=gdal.GDT_Float32, **options), name)
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def radar(tmp_path):
    rows, cols = np.mgrid[0:70, 0:100]
    image = np.stack([-18 + 0.1 * cols, -10 + 0.1 * rows]).astype(np.float32)
    return add_raster(tmp_path / "s1.tif", image, "radar", names=("VV", "VH"), nodata=-9999)


@pytest.fixture
def heights(tmp_path):
    rows, cols = np.mgrid[0:24, 0:34]
    image = (400 + 5 * rows + 3 * cols)[None].astype(np.float32)
    return add_raster(tmp_path / "coarse.tif", image, "heights", names=("elevation",), nodata=-9999, gsd=30.0)


@pytest.fixture
def panel(dock):
    dock.models.choose("full")
    dock.generate.area.choose("layer")
    return dock.generate


def group():
    return QgsProject.instance().layerTreeRoot().findGroups()[0]


def layers():
    return {node.layer().name(): node.layer() for node in group().findLayers()}


def test_a_model_for_one_kind_offers_no_further_inputs(dock):
    dock.models.choose("toy")
    assert not dock.generate.inputs.add.isVisible()
    assert not dock.generate.inputs.coords.isVisible()


def test_a_further_layer_goes_into_the_model(panel, plugin, layer, radar, tmp_path):
    from terrane.inference import GenerateRequest, generate, open_scene, output_paths

    assert panel.inputs.add.isVisible()
    panel.inputs.add.linkActivated.emit("#")
    box = panel.inputs.more[0]
    assert box.layer.id() == radar.id()  # the one that the model takes, and that is no input yet
    assert box.words.text().replace("\u00a0", " ").startswith("Radar backscatter (S1 GRD) · 2 bands · 10 m")
    panel.targets.set_targets(["LULC"])
    assert panel.bar.button.isEnabled()
    panel.run()
    finish(plugin)
    (tmp_path / "out").mkdir()
    outputs = output_paths(str(tmp_path / "out"), "s", ["LULC"])
    scenes = (open_scene(layer.source()), open_scene(radar.source()))
    generate(GenerateRequest(scenes, ("LULC",), outputs, model="full"))
    made = layers()["Land cover (generated)"]
    np.testing.assert_array_equal(read_raster(made.source()), read_raster(outputs["LULC"]))


def test_there_is_one_input_of_each_kind(panel, layer, radar):
    box = panel.inputs.add_input(layer)
    assert "one of each kind" in box.note.words()
    assert not panel.bar.button.isEnabled()
    QTest.mouseClick(box.less, Qt.MouseButton.LeftButton)
    assert panel.inputs.more == []
    assert panel.bar.button.isEnabled()


def test_a_kind_that_the_model_does_not_take_is_said_next_to_it(dock, layer, radar):
    dock.models.choose("toy")
    dock.generate.source.set_layer(radar)
    assert "does not take" in dock.generate.source.note.words()
    assert not dock.generate.bar.button.isEnabled()


def test_what_is_an_input_is_not_made(panel, heights):
    assert "DEM" in panel.targets.targets()
    box = panel.inputs.add_input(heights)
    assert box.scene.modality == "DEM"
    assert panel.targets.targets() == ("LULC",)
    assert not panel.targets.boxes["DEM"].isEnabled()
    panel.inputs.remove(box)
    assert panel.targets.targets() == ("DEM", "LULC")


def test_targets_are_made_from_top_to_bottom(panel):
    targets = panel.targets
    targets.set_targets(["DEM", "LULC", "NDVI"])
    assert targets.targets() == ("DEM", "LULC", "NDVI")
    assert [target for target, up in targets.ups.items() if up.isVisible()] == ["LULC", "NDVI"]
    targets.ups["NDVI"].setFocus()
    QTest.keyClick(targets.ups["NDVI"], Qt.Key.Key_Space)
    assert targets.targets() == ("DEM", "NDVI", "LULC")
    targets.move_up("NDVI")
    assert targets.targets() == ("NDVI", "DEM", "LULC")
    assert panel._request().targets == ("NDVI", "DEM", "LULC")
    assert targets.boxes["NDVI"].y() < targets.boxes["DEM"].y() or settle(20) is None
    targets.set_targets(["LULC", "DEM"])
    assert targets.targets() == ("LULC", "DEM")


def test_the_order_is_remembered(panel, plugin, layer):
    panel.targets.set_targets(["LULC", "DEM"])
    panel.run()
    finish(plugin)
    plugin.unload()
    plugin.initGui()
    plugin.action.setChecked(True)
    pump(lambda: plugin.dock.generate.source.scene is not None)
    assert plugin.dock.generate.targets.targets() == ("LULC", "DEM")


def test_knobs_arrive_in_the_request(panel):
    from terrane.inference import Options

    quality = panel.quality
    assert panel._request().options == Options()
    quality.steps.setValue(3)
    for box, data in (
        (quality.clamp, 2.0),
        (quality.sampler, "top_p"),
        (quality.precision, "fp32"),
        (quality.overlap, 0.5),
    ):
        box.setCurrentIndex([box.itemData(i) for i in range(box.count())].index(data))
    quality.batch.setValue(2)
    quality.seed.setValue(7)
    panel.inputs.coords.setChecked(True)
    request = panel._request()
    assert request.options == Options(steps=3, clamp=2.0, sampler="top_p", precision="fp32", stride=16)
    assert (request.batch, request.seed, request.coords) == (2, 7, True)
    assert panel.bar.button.isEnabled(), panel.problem.words()


def test_repeating_adds_how_sure_the_model_is(panel, plugin):
    panel.targets.set_targets(["DEM", "LULC"])
    panel.quality.samples.setValue(3)
    assert panel.quality.title() == "Quality: Balanced, 3 times"
    assert not panel.quality.probability.isEnabled()
    panel.run()
    finish(plugin)
    nodes = [(node.name(), node.itemVisibilityChecked()) for node in group().findLayers()]
    assert nodes == [
        ("Land cover (generated)", True),
        ("Land cover: probability (generated)", False),
        ("Land cover: disagreement (generated)", False),
        ("Hillshade (generated)", True),
        ("Elevation (generated)", True),
        ("Elevation: uncertainty (generated)", False),
    ]
    values = read_raster(layers()["Elevation: uncertainty (generated)"].source())
    assert values.max() > 0


def test_probability_from_one_run(panel, plugin):
    panel.targets.set_targets(["LULC"])
    panel.quality.probability.setChecked(True)
    panel.run()
    finish(plugin)
    shares = read_raster(layers()["Land cover: probability (generated)"].source())
    assert 0 < shares[shares >= 0].max() <= 1


def test_elevation_is_tied_to_a_coarse_layer(panel, plugin, layer, heights):
    elevation = panel.elevation
    panel.targets.set_targets(["LULC"])
    assert not elevation.isVisible()
    panel.targets.set_targets(["DEM"])
    assert elevation.isVisible()
    assert elevation.title() == "Elevation: levels agree"
    elevation.layer.setLayer(heights)
    assert elevation.title() == "Elevation: tied to heights"
    request = panel._request()
    assert request.coarse_dem.modality == "DEM"
    assert request.levels == "solved"
    panel.run()
    finish(plugin)
    made = layers()["Elevation (generated)"]
    assert "tied to" in made.metadata().abstract()
    coarse = read_raster(heights.source())
    values = read_raster(made.source())
    assert abs(np.median(values[values > -9999]) - np.median(coarse)) < 60
    elevation.agree.setChecked(False)
    assert panel._request().levels == "tiles"
    assert panel._request().coarse_dem is None
    assert not elevation.layer.isEnabled()


def test_a_coarse_layer_that_cannot_be_one_is_refused_next_to_it(panel, layer):
    panel.targets.set_targets(["DEM"])
    panel.elevation.layer.setLayer(layer)  # twelve bands
    assert panel.elevation.note.words()
    assert not panel.bar.button.isEnabled()


def test_radar_optical_and_places_become_layers(panel, plugin, dock, radar):
    panel.source.set_layer(radar)
    panel.targets.set_targets(["S2L2A", "COORDS"])
    panel.run()
    finish(plugin)
    made = layers()
    assert set(made) == {"Sentinel-2 L2A (generated)", "Location (generated)"}
    assert made["Sentinel-2 L2A (generated)"].bandCount() == 12
    places = made["Location (generated)"]
    assert places.featureCount() > 0
    assert places.labelsEnabled()
    assert Path(places.source().partition("|")[0]).suffix == ".gpkg"
