# SPDX-License-Identifier: GPL-2.0-or-later
"""``terrane:vectorize`` in QGIS: the layer that loads, its style, its attributes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsDistanceArea,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

pytestmark = pytest.mark.qgis

VALUES = np.array([[1, 1, 1, 2], [1, 3, 1, 2], [1, 1, 1, 0]], np.uint8)


@pytest.fixture
def provider(qgis_app):
    from terrane import classFactory

    plugin = classFactory(None)
    plugin.initProcessing()
    yield plugin.provider
    plugin.unload()


@pytest.fixture
def classes(qgis_app, tmp_path):
    path = str(tmp_path / "classes.tif")
    dataset = gdal.GetDriverByName("GTiff").Create(path, 4, 3, 1, gdal.GDT_Byte)
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32632)
    dataset.SetProjection(crs.ExportToWkt())
    dataset.SetGeoTransform((500000.0, 10.0, 0, 5100000.0, 0, -10.0))
    band = dataset.GetRasterBand(1)
    band.WriteRaster(0, 0, 4, 3, VALUES.tobytes())
    band.SetNoDataValue(0)
    band.SetCategoryNames(["", "Water", "Trees", "Häuser"])
    del band, dataset
    layer = QgsRasterLayer(path, "Classes")
    QgsProject.instance().addMapLayer(layer)
    yield layer
    QgsProject.instance().removeAllMapLayers()


def run(provider, **parameters):
    algorithm = provider.algorithm("vectorize").create()
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    context.setProject(QgsProject.instance())
    results, done = algorithm.run(parameters, context, feedback, {}, False)
    if not done:
        raise QgsProcessingException(feedback.textLog())
    return results, feedback


def test_polygons_load_with_their_style_and_areas(provider, classes, tmp_path):
    results, _ = run(provider, INPUT=classes, OUTPUT=str(tmp_path / "o.gpkg"))
    layer = QgsVectorLayer(results["OUTPUT"], "o", "ogr")
    assert layer.isValid()
    assert isinstance(layer.renderer(), QgsCategorizedSymbolRenderer)
    assert [c.label() for c in layer.renderer().categories()] == ["Water", "Trees", "Häuser"]
    measure = QgsDistanceArea()
    measure.setSourceCrs(layer.crs(), QgsProject.instance().transformContext())
    measure.setEllipsoid("EPSG:7030")
    found = {feature["class"]: feature for feature in layer.getFeatures()}
    assert {value: feature["pixels"] for value, feature in found.items()} == {1: 8, 2: 2, 3: 1}
    assert found[3]["name"] == "Häuser"
    for feature in found.values():
        assert feature.geometry().isGeosValid()
        assert feature["area_m2"] == pytest.approx(measure.measureArea(feature.geometry()), rel=1e-5)
        assert feature["perim_m"] == pytest.approx(measure.measurePerimeter(feature.geometry()), rel=1e-5)


def test_shapefiles_say_what_they_lose(provider, classes, tmp_path):
    results, feedback = run(provider, INPUT=classes, LEAVE_OUT="1, 2", OUTPUT=str(tmp_path / "o.shp"))
    layer = QgsVectorLayer(results["OUTPUT"], "o", "ogr")
    assert [feature["name"] for feature in layer.getFeatures()] == ["Häuser"]
    assert "no style" in feedback.textLog()


def test_bad_words_are_refused(provider, classes, tmp_path):
    with pytest.raises(QgsProcessingException, match="numbers with commas"):
        run(provider, INPUT=classes, LEAVE_OUT="water", OUTPUT=str(tmp_path / "o.gpkg"))
