# SPDX-License-Identifier: GPL-2.0-or-later
"""The dock: what it recognises, says, refuses and makes, as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy_pack
from osgeo import gdal
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qgis.PyQt.QtGui import QDropEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QPushButton, QScrollArea, QToolButton, QWidget
from qgis_window import finish, messages, pump, ramp_image, read_raster, settle, write_raster

pytestmark = pytest.mark.qgis


def group():
    """The result group's layers by name, top first."""
    tree = QgsProject.instance().layerTreeRoot()
    groups = tree.findGroups()
    return groups[0] if groups else None


def test_builds_at_300_pixels_without_clipping(dock, window):
    window.window.resizeDocks([dock], [300], Qt.Orientation.Horizontal)
    settle(100)
    assert dock.width() <= 320
    generate = dock.generate
    generate.quality.setCollapsed(False)
    generate.quality.expert.setCollapsed(False)
    generate.elevation.setCollapsed(False)
    generate.save.setCollapsed(False)
    settle(100)
    right = dock.mapToGlobal(QPoint(dock.width(), 0)).x()
    for child in dock.widget().findChildren(QWidget):
        if child.isVisible() and child.metaObject().className() in (
            "QRadioButton",
            "QCheckBox",
            "QPushButton",
        ):
            assert child.mapToGlobal(QPoint(child.width(), 0)).x() <= right, child.text()
            assert child.width() >= child.minimumSizeHint().width(), child.text()
    for tab in range(dock.tabs.count()):
        dock.tabs.setCurrentIndex(tab)
        settle(50)
        for scroll in dock.stack.currentWidget().findChildren(QScrollArea):
            if scroll.isVisible():
                assert scroll.widget().minimumSizeHint().width() <= scroll.viewport().width()


def test_titles_of_tabs_are_readable_in_a_narrow_dock(dock):
    buttons = dock.tabs.findChildren(QToolButton)
    assert [button.text() for button in buttons] == [dock.tabs.tabText(i) for i in range(dock.tabs.count())]
    for number, button in enumerate(buttons):
        assert button.width() >= button.sizeHint().width(), button.text()
        assert dock.tabs.rect().contains(button.geometry())
        button.click()
        assert dock.tabs.currentIndex() == dock.stack.currentIndex() == number
    places = [button.geometry() for button in buttons]
    assert not any(a.intersects(b) for i, a in enumerate(places) for b in places[i + 1 :])


def test_recognises_a_layer_and_forecasts(dock):
    words = dock.generate.source.words.text().replace("\u00a0", " ")
    assert words.startswith("Sentinel-2 L2A · 12 bands · 10 m")
    assert "Change…" in words
    assert dock.generate.source.problem == ""
    dock.generate.area.choose("layer")
    forecast = dock.generate.area.forecast.text().replace("\u00a0", " ")
    assert forecast.startswith("1.0 × 0.7 km · ")
    assert "tiles" in forecast
    assert dock.generate.bar.button.isEnabled()
    assert dock.models.card.id == "toy"
    assert list(dock.generate.targets.boxes) == ["DEM", "LULC", "NDVI"]
    assert dock.generate.targets.targets() == ("DEM", "LULC")


def test_forecast_follows_the_map(dock, window):
    before = dock.generate.area.forecast.text()
    box = QgsRectangle(500000, 5099600, 500400, 5100000)
    window.canvas.setExtent(box)
    pump(lambda: dock.generate.area.forecast.text() != before)
    assert "m" in dock.generate.area.forecast.text()


def test_generates_layers_exactly_in_place(dock, plugin, window, layer, scene_path):
    project = QgsProject.instance()
    crs, extent = project.crs(), window.canvas.extent()
    dock.generate.area.choose("layer")
    dock.generate.targets.set_targets(["DEM", "LULC", "NDVI"])
    QTest.mouseClick(dock.generate.bar.button, Qt.MouseButton.LeftButton)
    assert dock.generate.bar.running
    finish(plugin)
    assert not dock.generate.bar.running
    made = group()
    assert made.name().startswith("S2 scene · Terrane ")
    names = [node.layer().name() for node in made.findLayers()]
    assert names == [
        "NDVI (generated)",
        "Land cover (generated)",
        "Hillshade (generated)",
        "Elevation (generated)",
    ]
    by_name = {node.layer().name(): node.layer() for node in made.findLayers()}
    for result in by_name.values():
        assert result.isValid()
        assert result.crs() == layer.crs()
        assert result.extent() == layer.extent()
        assert (result.width(), result.height()) == (100, 70)
        assert result.isTemporary()
    assert (project.crs(), window.canvas.extent()) == (crs, extent)
    # Values: exactly those of a headless run of the same request.
    from terrane.inference import GenerateRequest, generate, open_scene

    outputs = {
        target: str(Path(scene_path).with_name(f"check_{target}.tif")) for target in ("DEM", "LULC", "NDVI")
    }
    generate(GenerateRequest((open_scene(scene_path),), ("DEM", "LULC", "NDVI"), outputs, model="toy"))
    for target, name in (("DEM", "Elevation"), ("LULC", "Land cover"), ("NDVI", "NDVI")):
        np.testing.assert_array_equal(
            read_raster(by_name[f"{name} (generated)"].source()), read_raster(outputs[target])
        )
    hole = read_raster(by_name["Land cover (generated)"].source())[0, 5:15, 80:95]
    assert (hole == 0).all()
    abstract = by_name["Elevation (generated)"].metadata().abstract()
    for words in ("Synthetic", "EGM2008", "toy 1.0.0", "preset balanced", "seed 0"):
        assert words in abstract
    assert by_name["Elevation (generated)"].metadata().licenses() == [dock.models.card.license]
    assert any("added" in text for text in messages(window))


def test_styles_say_what_the_values_mean(dock, plugin):
    from terrane.inference import MODALITIES

    dock.generate.area.choose("layer")
    dock.generate.targets.set_targets(["DEM", "LULC", "NDVI"])
    dock.generate.run()
    finish(plugin)
    by_name = {node.layer().name(): node.layer() for node in group().findLayers()}
    classes = by_name["Land cover (generated)"].renderer().classes()
    expected = [(c.value, c.name, c.color[:3]) for c in MODALITIES["LULC"].classes if c.value]
    found = [(int(c.value), c.label, (c.color.red(), c.color.green(), c.color.blue())) for c in classes]
    assert found == expected
    elevation = by_name["Elevation (generated)"]
    values = read_raster(elevation.source())
    low, high = elevation.renderer().classificationMin(), elevation.renderer().classificationMax()
    assert np.floor(values[values > -9999].min()) <= low < high <= np.ceil(values.max())
    function = by_name["NDVI (generated)"].renderer().shader().rasterShaderFunction()
    middle = next(item for item in function.colorRampItemList() if item.value == pytest.approx(0.2))
    assert min(middle.color.red(), middle.color.green(), middle.color.blue()) > 235


def test_undo_takes_everything_out_again(dock, plugin, window, layer):
    dock.generate.area.choose("layer")
    dock.generate.run()
    finish(plugin)
    assert len(QgsProject.instance().mapLayers()) == 4
    undo = next(b for b in window.bar.findChildren(QPushButton) if b.text() == "Undo")
    QTest.mouseClick(undo, Qt.MouseButton.LeftButton)
    assert list(QgsProject.instance().mapLayers()) == [layer.id()]
    assert group() is None


def test_cancel_stops_at_once_and_leaves_nothing(dock, plugin, window, layer, tmp_path):
    dock.models.choose("slow")
    dock.generate.area.choose("layer")
    out = tmp_path / "out"
    out.mkdir()
    dock.generate.save.folder.setFilePath(str(out))
    dock.generate.run()
    pump(lambda: "of" in dock.generate.bar.words.text())
    QTest.mouseClick(dock.generate.bar.stop, Qt.MouseButton.LeftButton)
    finish(plugin, 10)
    assert list(QgsProject.instance().mapLayers()) == [layer.id()]
    assert list(out.iterdir()) == []
    assert not dock.generate.bar.running
    assert any("Cancelled" in text for text in messages(window))


def test_unloading_cancels_what_runs(dock, plugin, layer):
    dock.models.choose("slow")
    dock.generate.area.choose("layer")
    dock.generate.run()
    pump(lambda: "of" in dock.generate.bar.words.text())
    task = dock.generate.runner.task
    plugin.unload()
    assert task.stopped.is_set()
    settle(50)
    assert list(QgsProject.instance().mapLayers()) == [layer.id()]
    plugin.initGui()


def test_saves_to_a_folder_and_refuses_to_overwrite(dock, plugin, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    dock.generate.area.choose("layer")
    dock.generate.save.folder.setFilePath(str(out))
    dock.generate.run()
    finish(plugin)
    assert sorted(p.name for p in out.glob("*.tif")) == ["S2_scene_DEM.tif", "S2_scene_LULC.tif"]
    dock.generate.refresh()
    assert "already there" in dock.generate.save.note.words()
    assert not dock.generate.bar.button.isEnabled()
    dock.generate.save.overwrite.setChecked(True)
    assert dock.generate.save.note.words() == ""
    assert dock.generate.bar.button.isEnabled()
    tags = gdal.Open(str(out / "S2_scene_DEM.tif")).GetMetadata()
    assert tags["TERRANE_MODEL"] == "toy 1.0.0"


def test_remembers_choices_per_modality(dock, plugin, window, layer):
    dock.generate.area.choose("layer")
    dock.generate.targets.set_targets(["NDVI"])
    dock.generate.quality.preset.setCurrentIndex(0)
    dock.generate.run()
    finish(plugin)
    plugin.unload()
    plugin.initGui()
    plugin.action.setChecked(True)
    pump(lambda: plugin.dock.generate.source.scene is not None)
    assert plugin.dock.generate.targets.targets() == ("NDVI",)
    assert plugin.dock.generate.quality.preset.currentData() == "fast"
    assert plugin.dock.models.model == "toy"


def test_selection_and_rectangle(dock, plugin, window, layer):
    area = dock.generate.area
    area.choose("selection")
    assert "select" in area.note.words()
    assert not dock.generate.bar.button.isEnabled()
    polygons = QgsVectorLayer("Polygon?crs=EPSG:32632", "polygons", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(500100, 5099500, 500400, 5099800)))
    polygons.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(polygons)
    polygons.selectAll()
    dock.generate.refresh()
    assert area.note.words() == ""
    dock.generate.targets.set_targets(["DEM"])
    dock.generate.run()
    finish(plugin)
    result = next(n.layer() for n in group().findLayers() if n.layer().name() == "Elevation (generated)")
    assert result.extent() == QgsRectangle(500100, 5099500, 500400, 5099800)
    # A rectangle, dragged on the map.
    area.buttons["draw"].click()
    assert window.canvas.mapTool() is area._tool
    transform = window.canvas.getCoordinateTransform()
    start, end = (transform.transform(QgsPointXY(x, y)) for x, y in ((500200, 5099900), (500600, 5099500)))
    viewport = window.canvas.viewport()
    QTest.mousePress(
        viewport,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        QPoint(round(start.x()), round(start.y())),
    )
    QTest.mouseMove(viewport, QPoint(round(end.x()), round(end.y())))
    QTest.mouseRelease(
        viewport,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        QPoint(round(end.x()), round(end.y())),
    )
    drawn = area.area().extent
    assert drawn.xmin == pytest.approx(500200, abs=10)
    assert drawn.ymin == pytest.approx(5099500, abs=10)
    assert window.canvas.mapTool() is not area._tool


def test_escape_leaves_the_rectangle_tool(dock, window):
    area = dock.generate.area
    area.buttons["draw"].click()
    QTest.keyClick(window.canvas, Qt.Key.Key_Escape)
    assert window.canvas.mapTool() is not area._tool
    assert area.kind == "map"


def test_map_elsewhere_is_refused_next_to_the_field(dock, window):
    window.canvas.setExtent(QgsRectangle(0, 0, 1000, 1000))
    pump(lambda: dock.generate.area.note.words() != "")
    assert not dock.generate.bar.button.isEnabled()


def test_band_table_takes_the_users_word(dock, plugin, tmp_path):
    from terrane.plugin.panels.bands_dialog import BandsDialog
    from terrane.plugin.panels.source_box import SourceSettings

    image = ramp_image(40, 40)
    shuffled = write_raster(tmp_path / "plain.tif", image[::-1], names=None)
    layer = QgsRasterLayer(shuffled, "plain")
    QgsProject.instance().addMapLayer(layer)
    source = dock.generate.source
    source.set_layer(layer)
    dialog = BandsDialog(source.input, source.recognition, SourceSettings("S2L2A"), dock)
    assert dialog.table.rowCount() == 12
    refs = [ref for _, ref in source.recognition.candidates]
    for band, ref in zip(toy_pack.BANDS, refs[::-1]):
        dialog.set_band(band, ref)
    dialog.offset.setCurrentIndex(2)
    settings = dialog.settings()
    assert settings.boa_offset == -1000.0
    assert settings.bands["B01"] == refs[-1]
    source.set_settings(settings)
    assert [band.ref.index for band in source.scene.bands] == list(range(12, 0, -1))
    assert source.scene.bands[0].offset == -1000.0
    assert "offset −1000" in source.words.text().replace("\u00a0", " ")
    dialog.set_band("B02", refs[-1])
    assert "same band" in dialog.note.words()
    dialog.deleteLater()


def test_too_few_bands_is_said_next_to_the_field(dock, tmp_path):
    path = write_raster(tmp_path / "three.tif", ramp_image(40, 40)[:3], names=("B04", "B03", "B8A"))
    layer = QgsRasterLayer(path, "three")
    QgsProject.instance().addMapLayer(layer)
    dock.generate.source.set_layer(layer)
    assert dock.generate.source.problem
    assert dock.generate.source.note.words() == dock.generate.source.problem
    assert not dock.generate.bar.button.isEnabled()


def test_run_that_fails_says_so_in_the_message_bar(dock, plugin, window, layer, tmp_path):
    path = write_raster(tmp_path / "wild.tif", np.full((12, 40, 40), 60000.0, np.float32))
    wild = QgsRasterLayer(path, "wild")
    QgsProject.instance().addMapLayer(wild)
    dock.generate.source.set_layer(wild)
    dock.generate.area.choose("layer")
    if dock.generate.bar.button.isEnabled():
        dock.generate.run()
        finish(plugin)
        assert any("reflectance" in text for text in messages(window))
    else:
        assert "reflectance" in dock.generate.source.note.words()
    assert group() is None


def test_context_menu_generates_one_target_of_the_whole_layer(plugin, window, layer):
    from terrane.plugin import settings

    settings.save_choices("S2L2A", settings.Choices(model="toy"))
    window.active = layer
    action = next(entry[0] for entry in window.layer_actions if "land cover" in entry[0].text())
    action.trigger()
    pump(lambda: group() is not None)
    finish(plugin)
    assert [node.layer().name() for node in group().findLayers()] == ["Land cover (generated)"]


def test_several_single_band_layers_make_a_scene(dock, plugin, tmp_path):
    image = ramp_image(60, 60)
    layers = []
    for number, name in enumerate(toy_pack.BANDS):
        step = 6 if name in ("B01", "B09") else 2 if name in ("B05", "B06", "B07", "B8A", "B11", "B12") else 1
        path = write_raster(
            tmp_path / f"T32_{name}.tif",
            image[number : number + 1, ::step, ::step],
            gsd=10.0 * step,
            names=None,
        )
        layers.append(QgsRasterLayer(path, name))
    QgsProject.instance().addMapLayers(layers)
    from terrane.plugin.panels.layers_dialog import LayersDialog

    dialog = LayersDialog(dock)
    assert {layer.id() for layer in dialog.layers()} == {layer.id() for layer in layers}
    dock.generate.source.set_layers(dialog.layers())
    dialog.deleteLater()
    assert dock.generate.source.problem == ""
    assert dock.generate.source.title == "12 layers"
    assert dock.generate.source.scene.name == "T32"
    dock.generate.area.choose("layer")
    dock.generate.run()
    finish(plugin)
    result = next(
        node.layer() for node in group().findLayers() if node.layer().name() == "Elevation (generated)"
    )
    assert (result.width(), result.height()) == (60, 60)


def test_dropped_tif_becomes_the_input(dock, window, tmp_path):
    path = write_raster(tmp_path / "dropped.tif", ramp_image(40, 40))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(path)])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    dock.dropEvent(event)
    assert dock.generate.source.title == "dropped"
    assert dock.generate.source.problem == ""


def test_dropped_folder_that_is_no_product_is_refused_with_words(dock, tmp_path):
    folder = tmp_path / "X.SAFE"
    folder.mkdir()
    dock.generate.take([str(folder)])
    assert dock.generate.source.title == "X.SAFE"
    assert "incomplete" in dock.generate.source.note.words()


def test_missing_runtime_is_said_and_offered(plugin, window, layer, monkeypatch):
    from terrane.plugin import runtime_folder

    monkeypatch.setattr(runtime_folder, "is_installed", lambda: False)
    plugin.action.setChecked(True)
    pump(lambda: plugin.dock.generate.source.scene is not None)
    row = plugin.dock.models.runtime
    assert row.isVisible()
    assert row.button.text() == "Install"
    assert "ONNX Runtime" in row.words.text()
    assert not plugin.dock.generate.bar.button.isEnabled()


def test_layer_removed_under_the_dock(dock, layer):
    QgsProject.instance().removeMapLayer(layer.id())
    settle(20)
    assert dock.generate.source.scene is None
    assert "Add a Sentinel-2 image" in dock.generate.source.words.text()
    assert not dock.generate.bar.button.isEnabled()


def test_another_crs_on_the_map(dock, plugin, window, layer):
    from qgis.core import QgsCoordinateReferenceSystem

    window.canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:4326"))
    show = window.canvas.mapSettings().layerExtentToOutputExtent(layer, layer.extent())
    window.canvas.setExtent(show)
    dock.generate.area.choose("map")
    assert dock.generate.area.note.words() == ""
    dock.generate.targets.set_targets(["LULC"])
    dock.generate.run()
    finish(plugin)
    result = group().findLayers()[0].layer()
    assert result.crs() == layer.crs()
    assert layer.extent().contains(result.extent())
