# SPDX-License-Identifier: GPL-2.0-or-later
"""Change between two dates in QGIS: the algorithm, the Change panel, its histogram and matrix, and the layers."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEvent, QPointF, Qt
from qgis.PyQt.QtGui import QKeyEvent, QMouseEvent
from qgis.PyQt.QtWidgets import QApplication
from qgis_window import finish, messages, pump, read_raster, settle, write_raster

pytestmark = pytest.mark.qgis

BEFORE = np.array([[2, 2, 2, 5], [2, 1, 2, 5], [2, 2, 2, 0]], np.uint8)
AFTER = np.array([[2, 5, 5, 5], [2, 1, 5, 5], [2, 2, 1, 4]], np.uint8)
NAMES = ["", "Water", "Wald", "", "Crops", "Häuser"]


def class_layer(path, values, name):
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 4, 3, 1, gdal.GDT_Byte)
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32632)
    dataset.SetProjection(crs.ExportToWkt())
    dataset.SetGeoTransform((500000.0, 10.0, 0, 5100000.0, 0, -10.0))
    band = dataset.GetRasterBand(1)
    band.WriteRaster(0, 0, 4, 3, values.tobytes())
    band.SetNoDataValue(0)
    band.SetCategoryNames(NAMES)
    del band, dataset
    layer = QgsRasterLayer(str(path), name)
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def classes(qgis_app, tmp_path):
    return class_layer(tmp_path / "a.tif", BEFORE, "2009"), class_layer(tmp_path / "b.tif", AFTER, "2012")


@pytest.fixture
def images(qgis_app, tmp_path):
    """Two images of four bands that differ in a corner of 20 × 20 pixels."""
    values = np.random.default_rng(4).integers(90, 110, (4, 60, 80)).astype(np.float32)
    after = values + np.random.default_rng(5).integers(-2, 3, values.shape)
    after[:, :20, :20] += 100
    made = []
    for name, image in (("early", values), ("late", after)):
        path = write_raster(tmp_path / f"{name}.tif", image, names=[""] * 4)
        made.append(QgsRasterLayer(path, name))
        QgsProject.instance().addMapLayer(made[-1])
    return made


@pytest.fixture
def provider(qgis_app):
    from terrane import classFactory

    plugin = classFactory(None)
    plugin.initProcessing()
    yield plugin.provider
    plugin.unload()


def run(provider, **parameters):
    algorithm = provider.algorithm("compare").create()
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    context.setProject(QgsProject.instance())
    results, done = algorithm.run(parameters, context, feedback, {}, False)
    if not done:
        raise QgsProcessingException(feedback.textLog())
    return results, feedback


# --- Processing ------------------------------------------------------------------------------------------


def test_every_parameter_is_documented(provider):
    algorithm = provider.algorithm("compare")
    for parameter in algorithm.parameterDefinitions():
        assert parameter.help(), parameter.name()
    assert algorithm.shortHelpString() and algorithm.canExecute()[0]


def test_classes_give_raster_polygons_and_table(provider, classes, tmp_path):
    outputs = {
        "OUTPUT": str(tmp_path / "c.tif"),
        "OUTPUT_POLYGONS": str(tmp_path / "c.gpkg"),
        "OUTPUT_TABLE": str(tmp_path / "c.csv"),
    }
    results, feedback = run(provider, BEFORE=classes[0], AFTER=classes[1], **outputs)
    assert results == outputs
    assert "36.4 % · 400 m² changed" in feedback.textLog()
    np.testing.assert_array_equal(
        read_raster(outputs["OUTPUT"])[0][:, :3], [[0, 25, 25], [0, 0, 25], [0, 0, 21]]
    )
    layer = QgsVectorLayer(outputs["OUTPUT_POLYGONS"], "c", "ogr")
    assert isinstance(layer.renderer(), QgsCategorizedSymbolRenderer)
    assert [c.label() for c in layer.renderer().categories()] == ["Wald → Water", "Wald → Häuser"]
    found = {f["name"]: f for f in layer.getFeatures()}
    assert (found["Wald → Häuser"]["from_class"], found["Wald → Häuser"]["to_class"]) == (2, 5)
    with open(outputs["OUTPUT_TABLE"], encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["pixels"] for row in rows if row["change"] == "25"] == ["3"]


def test_layers_are_styled(provider, classes, tmp_path):
    context, feedback, project = QgsProcessingContext(), QgsProcessingFeedback(), QgsProject.instance()
    context.setProject(project)
    algorithm = provider.algorithm("compare").create()
    parameters = {
        "BEFORE": classes[0],
        "AFTER": classes[1],
        "OUTPUT": QgsProcessingOutputLayerDefinition(str(tmp_path / "c.tif"), project),
        "OUTPUT_POLYGONS": QgsProcessingOutputLayerDefinition(str(tmp_path / "c.gpkg"), project),
    }
    assert algorithm.prepare(parameters, context, feedback), feedback.textLog()
    results = algorithm.runPrepared(parameters, context, feedback)
    loaded = context.layersToLoadOnCompletion()
    shown = QgsRasterLayer(results["OUTPUT"], "any")
    loaded[results["OUTPUT"]].postProcessor().postProcessLayer(shown, context, feedback)
    assert isinstance(shown.renderer(), QgsPalettedRasterRenderer)
    assert [c.label for c in shown.renderer().classes()] == ["Wald → Häuser", "Wald → Water"]
    assert "36.4 %" in shown.metadata().abstract()


def test_images_give_a_magnitude(provider, images, tmp_path):
    path = str(tmp_path / "m.tif")
    results, feedback = run(provider, BEFORE=images[0], AFTER=images[1], OUTPUT=path, THRESHOLD=1.0)
    assert results == {"OUTPUT": path}
    assert "Threshold: 1.0000" in feedback.textLog()
    above = read_raster(path)[0] > 1
    assert above[:20, :20].all() and above.sum() == 400


def test_what_cannot_be_is_one_sentence(provider, classes, images, tmp_path):
    path = str(tmp_path / "m.tif")
    with pytest.raises(QgsProcessingException, match="two of a kind"):
        run(provider, BEFORE=classes[0], AFTER=images[1], OUTPUT=path)
    with pytest.raises(QgsProcessingException, match="Classes are the same or not"):
        run(provider, BEFORE=classes[0], AFTER=classes[1], THRESHOLD=1.0, OUTPUT=path)


# --- the panel -------------------------------------------------------------------------------------------


@pytest.fixture
def panel(dock):
    from terrane.plugin.panels.change import ChangePanel

    made = next(panel for panel in dock.panels if isinstance(panel, ChangePanel))
    dock.tabs.setCurrentIndex(dock.panels.index(made))
    settle()
    return made


def choose(panel, layers):
    panel.before.setLayer(layers[0])
    panel.after.setLayer(layers[1])
    settle()


def compare(panel, plugin, layers):
    choose(panel, layers)
    assert panel.bar.button.isEnabled(), panel.problem.words()
    panel.bar.button.click()
    finish(plugin)


def test_classes_come_with_their_matrix(panel, plugin, window, classes):
    choose(panel, classes)
    assert "compared class by class" in panel.seen.text()
    compare(panel, plugin, classes)
    assert "36.4 % · 400 m²" in messages(window)[-1]
    assert panel.matrix.isVisible() and not panel.histogram.isVisible()
    table = panel.matrix
    assert [table.horizontalHeaderItem(i).text() for i in range(4)] == [
        "→ Water",
        "→ Wald",
        "→ Häuser",
        "All",
    ]
    shown = [[table.item(i, j).text() for j in range(4)] for i in range(4)]
    assert shown[1] == ["100", "400", "300", "801"]
    assert panel.summary.text().endswith("The table is in m².")
    assert table.item(1, 3).toolTip() == "801 m² · 8 pixels"
    root = QgsProject.instance().layerTreeRoot()
    group = root.children()[0]
    assert [node.name() for node in group.children()] == ["Change polygons", "Change"]
    assert [node.itemVisibilityChecked() for node in group.children()] == [False, True]
    assert group.name().startswith("2009 → 2012")


def test_the_line_in_the_histogram_moves_map_and_number(panel, plugin, window, images):
    choose(panel, images)
    assert "compared band by band" in panel.seen.text()
    compare(panel, plugin, images)
    view = panel.histogram
    assert view.isVisible() and not panel.matrix.isVisible()
    layer = panel.layer
    assert isinstance(layer.renderer(), QgsSingleBandPseudoColorRenderer)
    assert view.threshold == pytest.approx(panel.result.threshold)
    assert view.above() == pytest.approx(400)
    assert panel.summary.text().startswith("8.3 % · 4.00 ha changed by more than")

    def hidden():
        entries = layer.renderer().rasterTransparency().transparentSingleValuePixelList()
        return entries[0].max

    assert hidden() == pytest.approx(view.threshold)
    # With the mouse to the very left: everything is change.
    for kind, x in ((QEvent.Type.MouseButtonPress, view.x_of(view.threshold)), (QEvent.Type.MouseMove, 0)):
        button = Qt.MouseButton.LeftButton
        place = QPointF(x, 30)
        QApplication.sendEvent(view, QMouseEvent(kind, place, button, button, Qt.KeyboardModifier.NoModifier))
    assert view.threshold == pytest.approx(panel.result.histogram.edges[0])
    assert panel.summary.text().startswith("100.0 %")
    assert hidden() == pytest.approx(view.threshold)
    # And by keys to the right end: nothing is.
    key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_End, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(view, key)
    assert view.above() == 0 and panel.summary.text().startswith("0.0 %")


def test_polygons_follow_the_line(panel, plugin, window, images):
    compare(panel, plugin, images)

    def polygons():
        return QgsProject.instance().mapLayersByName("Change polygons")

    assert sum(f["pixels"] for f in polygons()[0].getFeatures()) == 400
    view = panel.histogram
    QApplication.sendEvent(
        view, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Home, Qt.KeyboardModifier.NoModifier)
    )
    panel.polygons.click()
    pump(lambda: not plugin.jobs.running)
    settle()
    (layer,) = polygons()
    assert sum(f["pixels"] for f in layer.getFeatures()) > 4700
    assert min(f["magnitude"] for f in layer.getFeatures()) > view.threshold


def test_scenes_go_through_the_model(panel, plugin, window, dock, layer, tmp_path):
    image = read_raster(layer.source()).astype(np.float32)
    image[:, 16:32, 16:32] = np.random.default_rng(1).integers(300, 5000, (12, 1, 1))
    other = QgsRasterLayer(write_raster(tmp_path / "later.tif", image), "Later")
    QgsProject.instance().addMapLayer(other)
    choose(panel, (layer, other))
    assert "what the model makes of each patch" in panel.seen.text()
    compare(panel, plugin, (layer, other))
    got = read_raster(panel.result.output)[0]
    assert panel.result.model == "toy" and got[2:4, 2:4].min() > panel.result.threshold
    assert panel.result.changed.pixels == 4


def test_cancel_adds_nothing(panel, plugin, window, dock, layer, tmp_path):
    dock.models.choose("slow")
    other = QgsRasterLayer(write_raster(tmp_path / "later.tif", read_raster(layer.source())), "Later")
    QgsProject.instance().addMapLayer(other)
    choose(panel, (layer, other))
    before = set(QgsProject.instance().mapLayers())
    panel.bar.button.click()
    pump(lambda: panel.bar.running)
    panel.bar.stop.click()
    finish(plugin)
    assert set(QgsProject.instance().mapLayers()) == before
    assert "Cancelled" in messages(window)[-1]
    assert panel.bar.button.isEnabled() and not panel.outcome.isVisible()


def test_what_does_not_go_together_is_told(panel, classes, images):
    choose(panel, (classes[0], images[0]))
    assert "compare two of a kind" in panel.problem.words() and not panel.bar.button.isEnabled()
    choose(panel, (classes[0], classes[0]))
    assert "the same layer" in panel.problem.words() and not panel.bar.button.isEnabled()
    choose(panel, (None, classes[0]))
    assert "Choose two layers" in panel.seen.text() and not panel.bar.button.isEnabled()
    choose(panel, classes)
    assert panel.problem.words() == "" and panel.bar.button.isEnabled()
