# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers that are more than a file give the engine the same pixels as files do."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRasterRange,
    QgsRectangle,
)
from qgis_window import ramp_image, write_raster
from terrane.inference import (
    Affine,
    BandRef,
    ExtentError,
    GdalGeo,
    Grid,
    Size,
    SourceError,
    Window,
    open_scene,
    recognise_source,
)
from terrane.plugin import layers
from terrane.plugin.layer_geo import PREFIX, LayerGeo

pytestmark = pytest.mark.qgis
WINDOWS = (Window(0, 0, 40, 30), Window(7, 11, 20, 10), Window(-5, -5, 20, 20), Window(200, 0, 10, 10))


@pytest.fixture
def virtual(layer):
    """A layer of QGIS's virtual raster provider: the scene's second band times one."""
    parameters = QgsRasterDataProvider.VirtualRasterParameters()
    parameters.crs, parameters.extent = layer.crs(), layer.extent()
    parameters.width, parameters.height = layer.width(), layer.height()
    parameters.formula = '"S2 scene@2"'
    source = QgsRasterDataProvider.VirtualRasterInputLayers()
    source.name, source.uri, source.provider = "S2 scene", layer.source(), "gdal"
    parameters.rInputLayers = [source]
    made = QgsRasterLayer(
        QgsRasterDataProvider.encodeVirtualRasterProviderUri(parameters), "B03", "virtualraster"
    )
    assert made.isValid(), made.error().summary()
    return made


def grids(geo, layer):
    """The layer's own pixels, shifted ones, coarser ones, and another CRS."""
    own = geo.describe(layer.source()).grid
    lonlat = geo.parse_crs("EPSG:4326")
    box = geo.transform_bounds(own.bounds, own.crs, lonlat)
    step = (box.xmax - box.xmin) / 90
    return [
        own,
        Grid(own.crs, own.transform._replace(c=own.transform.c + 3.7, f=own.transform.f - 2.1), own.size),
        Grid(own.crs, Affine(20, 0, own.transform.c, 0, -20, own.transform.f), Size(50, 35)),
        Grid(lonlat, Affine(step, 0, box.xmin, 0, -step, box.ymax), Size(90, 60)),
    ]


@pytest.mark.parametrize("place", range(4))
def test_provider_reads_as_the_file_does(layer, virtual, place):
    geo = LayerGeo()
    name = geo.add(virtual)
    grid = grids(geo, layer)[place]
    with_provider = geo.reader([BandRef(name, 1)], grid)
    with_file = GdalGeo().reader([BandRef(layer.source(), 2)], grid)
    for window in WINDOWS:
        values, valid = with_provider.read(window)
        expected, expected_valid = with_file.read(window)
        # The virtual raster provider keeps nodata as a bitmap; the hole must stay a hole.
        assert (valid != expected_valid).mean() < 0.02
        both = valid & expected_valid
        np.testing.assert_allclose(values[both], expected[both], rtol=1e-5, atol=0.5)
    with_provider.close()
    with_file.close()


def test_plain_files_go_by_their_path(layer):
    chosen = layers.from_layers([layer])
    assert chosen.source == layer.source()
    assert layers.is_plain_file(layer)


def test_a_crs_set_by_the_user_counts(scene_path):
    layer = QgsRasterLayer(scene_path, "moved")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    chosen = layers.from_layers([layer])
    assert chosen.source == PREFIX + "moved"
    found = recognise_source(chosen.source, chosen.geo)
    assert found.modality == "S2L2A"
    assert chosen.geo.crs_name(found.grid.crs) == "EPSG:32633"


def test_nodata_set_by_the_user_counts(scene_path):
    layer = QgsRasterLayer(scene_path, "ranges")
    layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(0, 1500)])
    chosen = layers.from_layers([layer])
    grid = chosen.geo.describe(chosen.source).grid
    values, valid = chosen.geo.reader([BandRef(chosen.source, 1)], grid).read(grid.window)
    raw = GdalGeo().reader([BandRef(scene_path, 1)], grid).read(grid.window)[0]
    np.testing.assert_array_equal(valid[0], raw[0] > 1500)
    np.testing.assert_array_equal(values[0][valid[0]], raw[0][valid[0]])


def test_layer_and_file_mix_in_one_scene(scene_path, tmp_path):
    image = ramp_image(50, 50)
    made = []
    for number, name in enumerate(
        ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
    ):
        path = write_raster(tmp_path / f"x_{name}.tif", image[number : number + 1], names=None, epsg=32632)
        layer = QgsRasterLayer(path, f"x_{name}")
        if number % 2:
            layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(-5, -4)])
        made.append(layer)
    chosen = layers.from_layers(made)
    assert sum(source.startswith(PREFIX) for source in chosen.source) == 6
    scene = open_scene(chosen.source, geo=chosen.geo)
    assert [band.name for band in scene.bands][:3] == ["B01", "B02", "B03"]


def test_layer_without_crs_is_refused_by_name(tmp_path):
    path = write_raster(tmp_path / "nowhere.tif", ramp_image(20, 20), epsg=None)
    layer = QgsRasterLayer(path, "nowhere")
    layer.setCrs(QgsCoordinateReferenceSystem())
    with pytest.raises(SourceError, match="nowhere"):
        chosen = layers.from_layers([layer])
        open_scene(chosen.source, geo=chosen.geo)


def test_polygons_become_rings(layer):
    ring = QgsGeometry.fromWkt("CURVEPOLYGON(CIRCULARSTRING(0 0, 10 10, 20 0, 10 -10, 0 0))")
    multi = QgsGeometry.fromWkt("MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))")
    hole = QgsGeometry.fromWkt("POLYGON((0 0,9 0,9 9,0 9,0 0),(1 1,2 1,2 2,1 1))")
    area = layers.area_of_polygons([ring, multi, hole], layer.crs())
    assert len(area.region) == 4
    assert len(area.region[0][0]) > 20
    assert [len(polygon) for polygon in area.region] == [1, 1, 1, 2]
    with pytest.raises(ExtentError):
        layers.area_of_polygons([QgsGeometry.fromWkt("POINT(0 0)"), QgsGeometry()], layer.crs())
    with pytest.raises(ExtentError):
        layers.area_of_box(QgsRectangle(), layer.crs())
