# SPDX-License-Identifier: GPL-2.0-or-later
"""Few-shot maps in QGIS: the algorithm, the panel, and the layers that come of them."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsPalettedRasterRenderer,
    QgsPointXY,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEvent, QPoint, QPointF, Qt
from qgis.PyQt.QtGui import QMouseEvent
from qgis.PyQt.QtWidgets import QApplication
from qgis_window import CORNER, finish, messages, pump, read_raster, settle, write_raster

pytestmark = pytest.mark.qgis

HEIGHT, WIDTH = 90, 120
NAMES = ("bare", "grass", "water")


@pytest.fixture
def provider(qgis_app):
    from terrane import classFactory

    plugin = classFactory(None)
    plugin.initProcessing()
    yield plugin.provider
    plugin.unload()


def truth():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] // 30
    return (x + y) % 3


@pytest.fixture
def scene_path(tmp_path):
    """Three classes in a chequer of 30 pixels."""
    rng = np.random.default_rng(2)
    spectra = np.array([[1800] * 7 + [2200] * 5, [500] * 7 + [3200] * 5, [700] * 7 + [300] * 5], float)
    image = spectra[truth()].transpose(2, 0, 1) + rng.normal(0, 60, (12, HEIGHT, WIDTH))
    return write_raster(tmp_path / "S2_scene.tif", np.rint(np.maximum(image, 1)).astype(np.float32))


def places(per_class=6):
    """(name, x, y) of some pixels of each class."""
    rng, classes, found = np.random.default_rng(1), truth(), []
    for value, name in enumerate(NAMES):
        rows, cols = np.nonzero(classes == value)
        kept = rng.permutation(len(rows))[:per_class]
        found += [(name, CORNER[0] + 10 * (cols[k] + 0.5), CORNER[1] - 10 * (rows[k] + 0.5)) for k in kept]
    return found


def samples_layer(crs="EPSG:32632", chosen=None):
    layer = QgsVectorLayer(f"Point?crs={crs}&field=kind:string", "Samples", "memory")
    step = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:32632"), layer.crs(), QgsProject.instance()
    )
    features = []
    for name, x, y in places() if chosen is None else chosen:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromPointXY(step.transform(QgsPointXY(x, y))))
        feature["kind"] = name
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    QgsProject.instance().addMapLayer(layer)
    return layer


def run(provider, **parameters):
    algorithm = provider.algorithm("fewshot").create()
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    feedback = QgsProcessingFeedback()
    results, done = algorithm.run(parameters, context, feedback, {}, False)
    if not done:
        raise QgsProcessingException(feedback.textLog())
    return results, feedback.textLog()


def test_every_parameter_is_documented(provider):
    algorithm = provider.algorithm("fewshot")
    for parameter in algorithm.parameterDefinitions():
        assert parameter.help(), parameter.name()
    assert algorithm.shortHelpString() and algorithm.canExecute()[0]


@pytest.mark.parametrize("crs", ["EPSG:32632", "EPSG:4326"])
def test_the_algorithm_maps_and_tells_how_well(provider, layer, tmp_path, crs):
    outputs = {
        "OUTPUT_CLASSES": str(tmp_path / "c.tif"),
        "OUTPUT_UNCERTAINTY": str(tmp_path / "u.tif"),
        "OUTPUT_SUGGESTIONS": str(tmp_path / "s.gpkg"),
    }
    results, log = run(
        provider, INPUT=layer, MODEL="toy", SAMPLES=samples_layer(crs), CLASS_FIELD="kind", COUNT=3, **outputs
    )
    assert results == outputs
    assert (read_raster(outputs["OUTPUT_CLASSES"])[0] == truth()).mean() > 0.97
    assert "right, tested on" in log
    found = QgsVectorLayer(outputs["OUTPUT_SUGGESTIONS"], "s")
    assert 1 <= found.featureCount() <= 3
    assert {f["class"] for f in found.getFeatures()} <= set(NAMES)
    from terrane.plugin import fewshot as maps

    shown = maps.open_result(outputs["OUTPUT_CLASSES"], "classes", [(n, "#112233") for n in NAMES])
    assert isinstance(shown.renderer(), QgsPalettedRasterRenderer)
    assert [c.label for c in shown.renderer().classes()] == list(NAMES)


def test_the_model_is_kept_and_runs_without_samples(provider, layer, tmp_path):
    one, two = str(tmp_path / "one.tif"), str(tmp_path / "two.tif")
    kept = str(tmp_path / "kept-here")
    fields = {"INPUT": layer, "MODEL": "toy", "SAMPLES": samples_layer(), "CLASS_FIELD": "kind"}
    _, log = run(provider, **fields, SAVE_MODEL=kept, OUTPUT_CLASSES=one)
    assert "Kept as the model" in log
    algorithm = provider.algorithm("segment").create()
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    context.setProject(QgsProject.instance())
    _, done = algorithm.run(
        {"INPUT": layer, "MODEL": kept, "OUTPUT_CLASSES": two},
        context,
        feedback,
        {},
        False,
    )
    assert done, feedback.textLog()
    assert (read_raster(one) == read_raster(two)).all()


def test_bad_samples_are_told(provider, layer):
    with pytest.raises(QgsProcessingException, match="All samples are"):
        run(
            provider, INPUT=layer, MODEL="toy", SAMPLES=samples_layer(chosen=places()[:3]), CLASS_FIELD="kind"
        )
    with pytest.raises(QgsProcessingException, match="no attribute"):
        run(provider, INPUT=layer, MODEL="toy", SAMPLES=samples_layer(), CLASS_FIELD="other")
    far = [("a", 0, 0), ("b", 10, 10)]
    with pytest.raises(QgsProcessingException, match="No sample lies on the scene"):
        run(provider, INPUT=layer, MODEL="toy", SAMPLES=samples_layer(chosen=far), CLASS_FIELD="kind")


# --- the panel -------------------------------------------------------------------------------------------


@pytest.fixture
def panel(dock):
    from terrane.plugin.panels.fewshot import FewShotPanel

    made = next(panel for panel in dock.panels if isinstance(panel, FewShotPanel))
    dock.tabs.setCurrentIndex(dock.panels.index(made))
    settle()
    return made


def send(window, kind, x, y, button=Qt.MouseButton.LeftButton):
    canvas = window.canvas
    place = canvas.getCoordinateTransform().transform(x, y)
    at = QPoint(round(place.x()), round(place.y()))
    viewport = canvas.viewport()
    event = QMouseEvent(
        kind, QPointF(at), QPointF(viewport.mapToGlobal(at)), button, button, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(viewport, event)


def click(window, x, y, button=Qt.MouseButton.LeftButton):
    for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
        send(window, kind, x, y, button)


def mark(panel, window, chosen):
    """Click places, the classes in the order in which they come."""
    for name, x, y in chosen:
        if panel.classes.chosen != name:
            panel.classes.add_class(name)
        panel.classes.point.setChecked(True)
        click(window, x, y)


def layers_named(name):
    return [layer for layer in QgsProject.instance().mapLayers().values() if layer.name() == name]


def test_clicks_become_a_map_of_the_view(panel, plugin, window):
    assert not panel.bar.button.isEnabled()
    assert "Name two or more classes" in panel.hint.text()
    panel.classes.name.setText("bare")
    panel.classes.new.click()
    panel.classes.add_class("grass")
    assert "Mark a few places" in panel.hint.text()
    panel.at_once.setChecked(False)
    mark(panel, window, places())
    assert len(panel.classes.places) == 18
    assert panel.classes._marks.count == 18
    assert [panel.classes.list.item(i).text() for i in range(3)] == [f"{name} · 6 places" for name in NAMES]
    panel.area.choose("layer")
    pump(panel.bar.button.isEnabled)
    panel.bar.button.click()
    finish(plugin)
    pump(panel.report.isVisible)
    assert "right, tested on 18 pixels" in panel.report.words.text()
    table = panel.report.table
    assert (table.rowCount(), table.columnCount()) == (3, 4)
    assert sum(int(table.item(r, c).text() or 0) for r in range(3) for c in range(3)) == 18
    classes = layers_named("Classes (estimated)")
    assert len(classes) == 1
    assert [c.label for c in classes[0].renderer().classes()] == list(NAMES)
    colors = {c.label: c.color.name().upper() for c in classes[0].renderer().classes()}
    assert colors == {name: panel.classes.colors[name].upper() for name in NAMES}
    assert (read_raster(classes[0].source())[0] == truth()).mean() > 0.97
    assert len(layers_named("Places to mark next")) == 1
    # Another place: the view at once, in place of the last map.
    panel.at_once.setChecked(True)
    mark(panel, window, [places(7)[6]])
    finish(plugin)
    again = layers_named("Classes (estimated)")
    assert [layer.id() for layer in again if layer.id() in panel.runner.made] == [again[0].id()]
    assert len(again) == 1
    panel.classes.undo.click()
    assert len(panel.classes.places) == 18
    finish(plugin)


def test_polygons_are_drawn_and_selections_taken(panel, window):
    panel.at_once.setChecked(False)
    panel.classes.add_class("grass")
    panel.classes.polygon.setChecked(True)
    x, y = CORNER
    for dx, dy in ((100, -100), (250, -100), (250, -250)):
        click(window, x + dx, y + dy)
    send(window, QEvent.Type.MouseMove, x + 200, y - 300)
    click(window, x + 100, y - 250, Qt.MouseButton.RightButton)
    assert len(panel.classes.places) == 1
    assert panel.classes.places[0].geometry.area() == pytest.approx(150 * 150 / 2, rel=0.1)
    panel.classes.selected.click()
    assert "No polygon is selected" in panel.classes.note.words()
    areas = QgsVectorLayer("Polygon?crs=EPSG:32632", "Areas", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(x + 400, y - 400, x + 500, y - 300)))
    areas.dataProvider().addFeatures([feature])
    QgsProject.instance().addMapLayer(areas)
    areas.selectAll()
    panel.classes.selected.click()
    assert len(panel.classes.places) == 2
    assert panel.classes._marks.count == 2
    samples = panel.classes.samples()
    assert [len(place.polygon[0]) for place in samples.places] == [4, 5]
    panel.classes.remove.click()
    assert (panel.classes.places, panel.classes.colors, panel.classes._marks.count) == ([], {}, 0)


def test_the_panel_keeps_a_model(panel, plugin, window, dock, monkeypatch, tmp_path, packs):
    import shutil

    shutil.copytree(packs / "toy", tmp_path / "models" / "toy")
    monkeypatch.setenv("TERRANE_MODELS", str(tmp_path / "models"))
    panel.at_once.setChecked(False)
    mark(panel, window, places())
    assert not panel.save.isEnabled()
    panel.model_name.setText("My fields")
    pump(panel.save.isEnabled)
    panel.save.click()
    finish(plugin)
    pump(lambda: any("Kept as the model my-fields" in text for text in messages(window)))
    items = [dock.models.combo.itemText(i) for i in range(dock.models.combo.count())]
    assert any("My fields" in text for text in items)
    # A second one of that name is refused in a sentence.
    panel.model_name.setText("My fields")
    pump(panel.save.isEnabled)
    panel.save.click()
    finish(plugin)
    pump(lambda: any("already" in text for text in messages(window)))


def test_a_model_without_features_is_told(panel, dock, monkeypatch):
    class Card:
        tasks, inputs, notice, about = ("segment",), ("S2L2A",), "", None

    monkeypatch.setattr(type(dock.models), "card", property(lambda _: Card()))
    panel._model_changed()
    assert "gives no features" in panel.problem.words()
    assert not panel.bar.button.isEnabled()


def test_cancel_leaves_nothing(panel, plugin, window, dock):
    dock.models.choose("slow")
    panel.at_once.setChecked(False)
    mark(panel, window, places())
    panel.area.choose("layer")
    pump(panel.bar.button.isEnabled)
    before = set(QgsProject.instance().mapLayers())
    panel.bar.button.click()
    pump(lambda: panel.runner.task is not None)
    panel.bar.stop.click()
    finish(plugin)
    assert set(QgsProject.instance().mapLayers()) == before
    assert not panel.report.isVisible()
