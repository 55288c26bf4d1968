# SPDX-License-Identifier: GPL-2.0-or-later
"""The rendered view: every pixel of a known raster comes back at its place, whatever the map does."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsRectangle, QgsVectorLayer
from qgis_window import CORNER, pump, settle, show_on_map, write_raster

pytestmark = pytest.mark.qgis


@pytest.fixture
def picture(tmp_path):
    """60 × 80 pixels of noise in three bytes, 2 m, each pixel unlike its neighbours."""
    values = np.random.default_rng(3).integers(0, 256, (3, 60, 80)).astype(np.uint8)
    path = write_raster(tmp_path / "picture.tif", values, gsd=2.0, nodata=None, names=(), kind=gdal.GDT_Byte)
    layer = QgsRasterLayer(path, "Picture")
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    return layer, values.transpose(1, 2, 0)


def render(canvas, layer=None, **limits):
    from terrane.plugin.rendered_view import Drawing, frame

    drawing = Drawing(frame(canvas, layer, **limits))
    got = []
    drawing.done.connect(got.append)
    drawing.failed.connect(got.append)
    drawing.start()
    pump(lambda: got)
    if isinstance(got[0], BaseException):
        raise got[0]
    assert got[0].shape == (drawing.frame.grid.height, drawing.frame.grid.width, 3)
    return got[0], drawing.frame.grid


def truth(values, grid):
    """The raster's values at the centres of a grid's pixels, and which of these lie on it."""
    rows, columns = np.mgrid[0 : grid.height, 0 : grid.width]
    x, y = grid.transform.apply(columns + 0.5, rows + 0.5)
    column = np.floor((x - CORNER[0]) / 2.0).astype(int)
    row = np.floor((CORNER[1] - y) / 2.0).astype(int)
    inside = (column >= 0) & (column < 80) & (row >= 0) & (row < 60)
    return values[np.clip(row, 0, 59), np.clip(column, 0, 79)], inside


def test_a_layer_comes_back_in_its_own_pixels(picture, window):
    layer, values = picture
    show_on_map(window, layer)
    image, grid = render(window.canvas, layer)
    assert tuple(grid.transform) == (2.0, 0.0, CORNER[0], 0.0, -2.0, CORNER[1])
    np.testing.assert_array_equal(image, values)
    # Zoomed into a corner between pixels: whole pixels of the raster again, those that show.
    window.canvas.setExtent(QgsRectangle(CORNER[0] + 21, CORNER[1] - 70, CORNER[0] + 63, CORNER[1] - 41))
    settle(20)
    seen = window.canvas.mapSettings().visibleExtent()
    image, grid = render(window.canvas, layer)
    box = grid.bounds
    assert box.xmin <= seen.xMinimum() < box.xmin + 2 and box.xmax - 2 < seen.xMaximum() <= box.xmax
    assert (grid.transform.c - CORNER[0]) % 2 == 0 and (CORNER[1] - grid.transform.f) % 2 == 0
    expected, inside = truth(values, grid)
    assert inside.all()
    np.testing.assert_array_equal(image, expected)


def test_a_map_finer_than_the_raster_comes_back_in_the_maps_pixels(picture, window):
    layer, values = picture
    show_on_map(window, layer)
    window.canvas.setExtent(QgsRectangle(CORNER[0] - 20, CORNER[1] - 30, CORNER[0] + 43, CORNER[1] + 9))
    settle(20)
    image, grid = render(window.canvas)
    shown = window.canvas.mapSettings()
    assert grid.transform.a == shown.mapUnitsPerPixel()
    assert (grid.transform.c, grid.transform.f) == (
        shown.visibleExtent().xMinimum(),
        shown.visibleExtent().yMaximum(),
    )
    assert (grid.width, grid.height) == (shown.outputSize().width(), shown.outputSize().height())
    expected, inside = truth(values, grid)
    # Some ten map pixels to a pixel of the raster: only those next to an edge may round otherwise.
    assert inside.any()
    assert (image == expected).all(axis=2)[inside].mean() > 0.97
    paper = window.canvas.canvasColor()
    away = image[~inside & ~_near(inside)]
    assert away.size and (away == (paper.red(), paper.green(), paper.blue())).all()


def _near(mask):
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= grown[:, :-1].copy()
    grown[:, :-1] |= grown[:, 1:].copy()
    return grown


@pytest.mark.parametrize("turn", [0.0, 30.0, -90.0, 137.0])
def test_a_turned_map_is_rendered_upright(picture, window, turn):
    layer, values = picture
    show_on_map(window, layer)
    window.canvas.setRotation(turn)
    settle(20)
    whole, grid = render(window.canvas, layer)
    assert grid.transform.is_north_up
    expected, inside = truth(values, grid)
    assert inside.all() and whole.size
    np.testing.assert_array_equal(whole, expected)
    # The whole map as well; what is seen lies inside of it.
    image, grid = render(window.canvas)
    assert grid.transform.is_north_up
    box, seen = grid.bounds, window.canvas.mapSettings().visiblePolygon()
    pixel = grid.transform.a
    for corner in (seen[index] for index in range(4)):
        assert box.xmin - pixel <= corner.x() <= box.xmax + pixel
        assert box.ymin - pixel <= corner.y() <= box.ymax + pixel
    expected, inside = truth(values, grid)
    assert (image == expected).all(axis=2)[inside].mean() > 0.6


def test_the_image_is_bounded(picture, window):
    layer, values = picture
    show_on_map(window, layer)
    image, grid = render(window.canvas, layer, longest=40)
    assert max(grid.width, grid.height) == 40
    seen = window.canvas.mapSettings().visibleExtent()
    pixel = grid.transform.a
    assert pixel == pytest.approx(max(seen.intersect(layer.extent()).width(), 0) / 40)
    assert grid.bounds.xmin == layer.extent().xMinimum() or grid.bounds.xmin == seen.xMinimum()
    # The scale, which decides what shows, is the map's.
    from terrane.plugin.rendered_view import frame

    assert frame(window.canvas, layer, longest=40).settings.scale() == pytest.approx(
        window.canvas.mapSettings().scale(), rel=1e-6
    )
    expected, inside = truth(values, grid)
    assert (image == expected).all(axis=2)[inside].mean() > 0.5


def test_another_crs_puts_things_where_they_are(tmp_path, window):
    """One bright pixel of 100 m: found again in web Mercator, at its coordinates to half a pixel."""
    values = np.zeros((3, 21, 21), np.uint8)
    values[:, 10, 12] = 255
    path = write_raster(tmp_path / "dot.tif", values, gsd=100.0, nodata=None, names=(), kind=gdal.GDT_Byte)
    layer = QgsRasterLayer(path, "Dot")
    QgsProject.instance().addMapLayer(layer)
    show_on_map(window, layer)
    mercator = QgsCoordinateReferenceSystem("EPSG:3857")
    window.canvas.setDestinationCrs(mercator)
    from qgis.core import QgsCoordinateTransform, QgsPointXY

    step = QgsCoordinateTransform(layer.crs(), mercator, QgsProject.instance())
    window.canvas.setExtent(step.transformBoundingBox(layer.extent()))
    settle(20)
    image, grid = render(window.canvas, layer)
    assert "3857" in grid.crs or "Pseudo-Mercator" in grid.crs
    rows, columns = np.nonzero(image[..., 0] == 255)
    # The background may be white, too: the dot is the bright patch inside of the dark raster.
    at = step.transform(QgsPointXY(CORNER[0] + 1250, CORNER[1] - 1050))
    column, row = grid.transform.invert(at.x(), at.y())
    near = (abs(rows - row) < 40) & (abs(columns - column) < 40)
    assert near.any()
    assert columns[near].mean() + 0.5 == pytest.approx(column, abs=1.5)
    assert rows[near].mean() + 0.5 == pytest.approx(row, abs=1.5)


def test_a_web_map_and_a_styled_raster_are_seen_as_they_look(tmp_path, picture, window):
    layer, values = picture
    show_on_map(window, layer)
    # XYZ tiles from a folder: one dark red tile for the whole world.
    tile = np.zeros((3, 256, 256), np.uint8)
    tile[0] = 120
    memory = gdal.GetDriverByName("MEM").Create("", 256, 256, 3)
    memory.WriteRaster(0, 0, 256, 256, tile.tobytes())
    gdal.GetDriverByName("PNG").CreateCopy(str(tmp_path / "tile.png"), memory)
    web = QgsRasterLayer(f"type=xyz&url=file://{tmp_path}/tile.png&zmin=0&zmax=0", "Tiles", "wms")
    assert web.isValid()
    QgsProject.instance().addMapLayer(web)
    image, grid = render(window.canvas, web)
    assert (image[5:-5, 5:-5] == (120, 0, 0)).all()
    assert grid.transform.a == window.canvas.mapSettings().mapUnitsPerPixel()
    # A layer half as bright as its values: what is seen counts.
    layer.setOpacity(0.5)
    paper = np.array(window.canvas.canvasColor().getRgb()[:3])
    image, _ = render(window.canvas, layer)
    assert abs(image.astype(int) - (values.astype(int) + paper) // 2).max() <= 2


def test_what_cannot_be_seen_is_one_sentence(picture, window):
    from terrane.inference import ExtentError

    layer, _ = picture
    with pytest.raises(ExtentError, match=r"The map .*add an image first|no CRS"):
        render(window.canvas)
    show_on_map(window, layer)
    window.canvas.setExtent(QgsRectangle(0, 0, 100, 100))
    settle(20)
    with pytest.raises(ExtentError, match="Picture is not in sight; zoom to it first"):
        render(window.canvas, layer)
    show_on_map(window, layer)
    layer.setScaleBasedVisibility(True)
    layer.setMinimumScale(100)
    with pytest.raises(ExtentError, match="Picture is hidden at this scale"):
        render(window.canvas, layer)


def test_a_stopped_drawing_says_nothing(picture, window):
    from terrane.plugin.rendered_view import Drawing, frame

    layer, _ = picture
    show_on_map(window, layer)
    drawing = Drawing(frame(window.canvas))
    said = []
    drawing.done.connect(said.append)
    drawing.failed.connect(said.append)
    drawing.start()
    drawing.stop()
    settle(200)
    assert said == []


def test_labels_and_selections_are_left_out(picture, window):
    """A selected polygon is drawn as an unselected one."""
    layer, _ = picture
    areas = QgsVectorLayer("Polygon?crs=EPSG:32632", "Areas", "memory")
    from qgis.core import QgsFeature, QgsFillSymbol, QgsGeometry, QgsSingleSymbolRenderer

    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(layer.extent()))
    areas.dataProvider().addFeatures([feature])
    areas.setRenderer(
        QgsSingleSymbolRenderer(QgsFillSymbol.createSimple({"color": "10,20,30", "outline_style": "no"}))
    )
    QgsProject.instance().addMapLayer(areas)
    show_on_map(window, layer)
    window.canvas.setLayers([areas, layer])
    areas.selectAll()
    image, grid = render(window.canvas)
    assert tuple(image[grid.height // 2, grid.width // 2]) == (10, 20, 30)
