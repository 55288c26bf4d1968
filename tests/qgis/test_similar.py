# SPDX-License-Identifier: GPL-2.0-or-later
"""Embeddings and similarity in QGIS: the algorithms, the Find similar panel, and the layers that come of both."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEvent, QPoint, QPointF, Qt
from qgis.PyQt.QtGui import QMouseEvent
from qgis.PyQt.QtWidgets import QApplication
from qgis_window import CORNER, finish, messages, pump, read_raster, settle, write_raster
from toy_pack import expected_embedding

pytestmark = pytest.mark.qgis

GSD = 80.0
"""Metres to a patch of the toy: 8 pixels of 10 m."""


@pytest.fixture
def provider(qgis_app):
    from terrane import classFactory

    plugin = classFactory(None)
    plugin.initProcessing()
    yield plugin.provider
    plugin.unload()


@pytest.fixture
def scene_path(tmp_path):
    """A scene of 12 by 8 patches in four quarters, two of them alike."""
    kinds = np.array([[0, 1], [2, 0]])[np.arange(64)[:, None] // 32, np.arange(96)[None] // 48]
    spectra = np.random.default_rng(5).integers(500, 4000, (3, 12))
    image = spectra[kinds].transpose(2, 0, 1).astype(np.float32)
    return write_raster(tmp_path / "S2_scene.tif", image)


def run(provider, name, *, context=None, **parameters):
    algorithm = provider.algorithm(name).create()
    context = context or QgsProcessingContext()
    context.setProject(QgsProject.instance())
    feedback = QgsProcessingFeedback()
    results, done = algorithm.run(parameters, context, feedback, {}, False)
    if not done:
        raise QgsProcessingException(feedback.textLog())
    return results


def centre(col, row):
    return CORNER[0] + GSD * (col + 0.5), CORNER[1] - GSD * (row + 0.5)


def polygons(*boxes):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32632", "Areas", "memory")
    features = []
    for box in boxes:
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(*box)))
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def embeddings(provider, layer, tmp_path):
    path = str(tmp_path / "embeddings.tif")
    run(provider, "embed", INPUT=layer, MODEL="toy", OUTPUT_EMBEDDINGS=path)
    made = QgsRasterLayer(path, "Embeddings")
    QgsProject.instance().addMapLayer(made)
    return made


# --- Processing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["embed", "similar"])
def test_every_parameter_is_documented(provider, name):
    algorithm = provider.algorithm(name)
    for parameter in algorithm.parameterDefinitions():
        assert parameter.help(), parameter.name()
    assert algorithm.shortHelpString() and algorithm.canExecute()[0]


def test_embed_writes_what_was_asked_for(provider, layer, scene_path, tmp_path):
    path = str(tmp_path / "embeddings.tif")
    assert run(provider, "embed", INPUT=layer, MODEL="toy", OUTPUT_EMBEDDINGS=path) == {
        "OUTPUT_EMBEDDINGS": path
    }
    got = read_raster(path)
    assert got.shape[1:] == (8, 12)
    image = read_raster(scene_path).astype(np.float32)[None, :, :32, :32]
    np.testing.assert_allclose(got[:, :4, :4], expected_embedding(image)[0], rtol=1e-4, atol=1e-5)
    outputs = {
        "OUTPUT_EMBEDDINGS": str(tmp_path / "e.tif"),
        "OUTPUT_PCA": str(tmp_path / "p.tif"),
        "OUTPUT_VECTORS": str(tmp_path / "v.gpkg"),
    }
    assert run(provider, "embed", INPUT=layer, MODEL="toy", FLOAT16=True, **outputs) == outputs
    assert read_raster(outputs["OUTPUT_PCA"]).shape == (3, 8, 12)
    tiles = QgsVectorLayer(outputs["OUTPUT_VECTORS"], "tiles")
    assert tiles.featureCount() > 1
    assert "e000" in [field.name() for field in tiles.fields()]
    half = gdal.Open(outputs["OUTPUT_EMBEDDINGS"])
    assert half.GetRasterBand(1).GetMetadataItem("NBITS", "IMAGE_STRUCTURE") == "16"


def test_layers_are_named_and_styled(provider, layer, embeddings, tmp_path):
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    project = QgsProject.instance()
    context.setProject(project)
    x, y = centre(1, 1)
    algorithm = provider.algorithm("similar").create()  # keeps what styles its layers
    parameters = {
        "INPUT": embeddings,
        "POINT": f"{x},{y} [EPSG:32632]",
        "OUTPUT_SIMILARITY": QgsProcessingOutputLayerDefinition(str(tmp_path / "s.tif"), project),
        "OUTPUT_PLACES": QgsProcessingOutputLayerDefinition(str(tmp_path / "p.gpkg"), project),
    }
    assert algorithm.prepare(parameters, context, feedback), feedback.textLog()
    results = algorithm.runPrepared(parameters, context, feedback)
    loaded = context.layersToLoadOnCompletion()
    assert {details.name for details in loaded.values()} == {"Similarity", "Similar places"}
    shown = QgsRasterLayer(results["OUTPUT_SIMILARITY"], "any")
    loaded[results["OUTPUT_SIMILARITY"]].postProcessor().postProcessLayer(shown, context, feedback)
    assert isinstance(shown.renderer(), QgsSingleBandPseudoColorRenderer)
    assert shown.renderer().classificationMax() == 1.0
    assert "Model toy 1.0.0" in shown.metadata().abstract()


def test_similar_finds_the_other_quarter(provider, embeddings, tmp_path):
    path = str(tmp_path / "s.tif")
    x, y = centre(1, 1)
    run(provider, "similar", INPUT=embeddings, POINT=f"{x},{y} [EPSG:32632]", OUTPUT_SIMILARITY=path)
    values = read_raster(path)[0]
    assert values[1, 1] == 1
    alike = np.zeros((8, 12), bool)
    alike[:4, :6] = alike[4:, 6:] = True
    assert values[alike].min() > 0.999 > values[~alike].max()


def test_examples_of_every_kind(provider, embeddings, tmp_path):
    layer = QgsVectorLayer("Point?crs=EPSG:4326", "Points", "memory")
    feature = QgsFeature()
    geometry = QgsGeometry.fromPointXY(QgsPointXY(*centre(8, 1)))
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform

    crs = [QgsCoordinateReferenceSystem(f"EPSG:{code}") for code in (32632, 4326)]
    geometry.transform(QgsCoordinateTransform(*crs, QgsProject.instance()))
    feature.setGeometry(geometry)
    layer.dataProvider().addFeatures([feature])
    QgsProject.instance().addMapLayer(layer)
    x, y = centre(1, 6)
    areas = polygons((x - 90, y - 90, x + 90, y + 90))
    outputs = {"OUTPUT_SIMILARITY": str(tmp_path / "s.tif"), "OUTPUT_PLACES": str(tmp_path / "p.gpkg")}
    run(
        provider, "similar", INPUT=embeddings, POINTS=layer, REGIONS=areas, THRESHOLD=0.999, TOP=50, **outputs
    )
    values = read_raster(outputs["OUTPUT_SIMILARITY"])[0]
    alike = np.zeros((8, 12), bool)
    alike[:4, 6:] = alike[4:, :6] = True
    assert values[alike].min() > 0.999 > values[~alike].max()
    # The 48 that are alike, but for the point's patch and the polygon's nine.
    centres = sum((values[r, c] > 0.999) for r in range(8) for c in range(12))
    found = QgsVectorLayer(outputs["OUTPUT_PLACES"], "places").featureCount()
    assert centres == 48 and 48 - 1 - 9 <= found < 48


def test_what_cannot_be_is_one_sentence(provider, layer, embeddings, tmp_path):
    path = str(tmp_path / "s.tif")
    with pytest.raises(QgsProcessingException, match="at least one example"):
        run(provider, "similar", INPUT=embeddings, OUTPUT_SIMILARITY=path)
    with pytest.raises(QgsProcessingException, match="lies outside of the embeddings"):
        run(provider, "similar", INPUT=embeddings, POINT="0,0 [EPSG:32632]", OUTPUT_SIMILARITY=path)


# --- the panel -------------------------------------------------------------------------------------------


@pytest.fixture
def panel(dock):
    from terrane.plugin.panels.similar import SimilarPanel

    made = next(panel for panel in dock.panels if isinstance(panel, SimilarPanel))
    dock.tabs.setCurrentIndex(dock.panels.index(made))
    settle()
    return made


def embed(panel, plugin):
    panel.area.choose("layer")
    settle()
    panel.bar.button.click()
    finish(plugin)
    assert panel.embeddings is not None, panel.problem.words()


def click(window, x, y, *, more=False):
    canvas = window.canvas
    place = canvas.getCoordinateTransform().transform(x, y)
    at = QPoint(round(place.x()), round(place.y()))
    held = Qt.KeyboardModifier.ShiftModifier if more else Qt.KeyboardModifier.NoModifier
    for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
        viewport = canvas.viewport()
        event = QMouseEvent(
            kind,
            QPointF(at),
            QPointF(viewport.mapToGlobal(at)),
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton,
            held,
        )
        QApplication.sendEvent(viewport, event)


def test_the_dock_makes_embeddings_once_and_finds_with_a_click(panel, plugin, window):
    assert panel.bar.button.isEnabled(), panel.problem.words()
    assert panel.bar.button.text() == "Make embeddings"
    assert not panel.examples.isVisible()
    embed(panel, plugin)
    assert any("Embeddings added" in text for text in messages(window))
    root = QgsProject.instance().layerTreeRoot()
    group = root.children()[0]
    assert [node.name() for node in group.children()] == ["Embeddings as a picture", "Embeddings · S2 scene"]
    assert not any(node.itemVisibilityChecked() for node in group.children())
    # The mouse is ours at once.
    assert panel.examples.pick.isChecked() and panel.examples.isVisible() and not panel.bar.isVisible()
    click(window, *centre(1, 1))
    pump(lambda: panel.threshold.layer is not None)
    layer = panel.threshold.layer
    assert group.children()[0].layer() is layer and layer.name() == "Similarity"
    assert read_raster(layer.source())[0][1, 1] == 1
    # Another click replaces the layer; Shift adds an example.
    click(window, *centre(8, 1))
    pump(lambda: panel.threshold.layer not in (None, layer) and not plugin.jobs.running)
    second = read_raster(panel.threshold.layer.source())[0]
    assert second[1, 8] == 1 and second[1, 1] < 1
    first = panel.threshold.layer.id()
    click(window, *centre(1, 1), more=True)
    pump(lambda: panel.threshold.layer is not None and panel.threshold.layer.id() != first)
    pump(lambda: not plugin.jobs.running)
    both = read_raster(panel.threshold.layer.source())[0]
    assert both[1, 8] == 1 and both[1, 1] == 1
    names = [layer.name() for layer in QgsProject.instance().mapLayers().values()]
    assert names.count("Similarity") == 1


def test_the_slider_hides_what_is_less_alike(panel, plugin, window):
    embed(panel, plugin)
    assert not panel.threshold.isVisible()
    click(window, *centre(1, 1))
    pump(lambda: panel.threshold.layer is not None)
    box = panel.threshold
    assert panel.threshold.isVisible()
    assert (box.limit.text(), box.polygons.isEnabled()) == ("all", False)
    box.slider.setValue(199)
    assert 0.999 < box.threshold < 1, "it is finest where it matters"
    assert box.limit.text() == f"from {box.threshold:.3f}"
    hidden = box.layer.renderer().rasterTransparency().transparentSingleValuePixelList()
    assert [(entry.min, entry.max) for entry in hidden] == [(-2.0, pytest.approx(box.threshold))]
    box.polygons.click()
    pump(
        lambda: any(layer.name() == "Similar places" for layer in QgsProject.instance().mapLayers().values())
    )
    places = QgsProject.instance().mapLayersByName("Similar places")[0]
    assert places.featureCount() == 47, "the two quarters that are alike, without the example"


def test_selected_polygons_are_examples(panel, plugin, window):
    embed(panel, plugin)
    panel.examples.selected.click()
    assert "No polygon is selected" in panel.examples.note.words()
    x, y = centre(2, 1)
    areas = polygons((x - 90, y - 90, x + 90, y + 90))
    areas.selectAll()
    panel.examples.selected.click()
    pump(lambda: panel.threshold.layer is not None)
    assert panel.examples.note.words() == ""
    assert panel.examples.words.text() == "1 polygon"
    assert read_raster(panel.threshold.layer.source())[0][:4, :6].min() > 0.999


def test_a_click_beside_the_embeddings_is_told_there(panel, plugin, window):
    embed(panel, plugin)
    panel.examples.add_point(QgsPointXY(CORNER[0] - 5000, CORNER[1]), False)
    finish(plugin)
    assert "lies outside of the embeddings" in panel.examples.note.words()
    assert panel.threshold.layer is None


def test_saved_embeddings_are_offered_again(panel, scene_path, tmp_path):
    from terrane.inference import EmbedRequest, embed, open_scene

    path = str(tmp_path / "saved.tif")
    embed(EmbedRequest((open_scene(scene_path),), {"embeddings": path}, "toy"))
    embeddings = QgsRasterLayer(path, "Saved")
    QgsProject.instance().addMapLayer(embeddings)
    settle()
    assert panel.within.count() == 2
    panel.within.setCurrentIndex(0)
    assert panel.embeddings is embeddings
    QgsProject.instance().removeMapLayer(embeddings.id())
    settle()
    assert panel.embeddings is None and panel.inputs.isVisible()


def test_cancel_leaves_nothing(panel, plugin, window, dock):
    dock.models.choose("slow")
    panel.area.choose("layer")
    settle()
    before = set(QgsProject.instance().mapLayers())
    panel.bar.button.click()
    pump(lambda: panel.runner.task is not None)
    panel.bar.stop.click()
    finish(plugin)
    assert set(QgsProject.instance().mapLayers()) == before
    assert any("Cancelled" in text for text in messages(window))


def test_esc_gives_the_mouse_back(panel, plugin, window):
    embed(panel, plugin)
    tool = window.canvas.mapTool()
    assert tool is not None and panel.examples.pick.isChecked()
    tool.cancel()
    settle()
    assert not panel.examples.pick.isChecked()
    assert window.canvas.mapTool() is not tool
