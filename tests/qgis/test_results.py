# SPDX-License-Identifier: GPL-2.0-or-later
"""How results look: styles by product, in words, and for every eye."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsFeature,
    QgsMultiBandColorRenderer,
    QgsProject,
    QgsSingleBandGrayRenderer,
    QgsVectorLayer,
)
from qgis_window import write_raster
from terrane.plugin import results, styles

pytestmark = pytest.mark.qgis

# Machado, Oliveira & Fernandes 2009, severity 1.0, linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lightness(colors, kind):
    """CIE L* of sRGB colours (n, 3), as seen with a colour blindness."""
    rgb = np.asarray(colors) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.asarray(BLINDNESS[kind]).T, 0, 1)
    y = seen @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(np.maximum(y, 0.008856)) - 16


def ramp(name):
    """The colours of a style's stops."""
    items = ET.parse(styles.FOLDER / f"{name}.qml").iter("item")
    return [tuple(int(item.get("color")[i : i + 2], 16) for i in (1, 3, 5)) for item in items]


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize(
    ("name", "up"), [("DEM", True), ("std", False), ("entropy", False), ("probability", True)]
)
def test_ramps_are_read_by_lightness_alone(name, up, kind):
    values = lightness(ramp(name), kind)
    steps = [b - a if up else a - b for a, b in pairwise(values)]
    assert min(steps) > 3
    assert max(steps) < 3 * min(steps)


def test_light_is_certain():
    assert lightness(ramp("std")[:1], "none")[0] > 95
    assert lightness(ramp("entropy")[:1], "none")[0] > 95
    assert lightness(ramp("probability")[-1:], "none")[0] > 95


def raster(tmp_path, name, image, nodata=-9999):
    return write_raster(tmp_path / f"{name}.tif", image, nodata=nodata, names=None, kind=gdal.GDT_Float32)


def random_image(bands, low, high):
    rng = np.random.default_rng(0)
    return rng.uniform(low, high, (bands, 30, 40)).astype(np.float32)


def test_radar_is_grey_from_the_2nd_to_the_98th_percentile(qgis_app, tmp_path):
    image = random_image(2, -30, 0)
    layer = results.open_result(raster(tmp_path, "S1GRD", image), "S1GRD")
    renderer = layer.renderer()
    assert isinstance(renderer, QgsSingleBandGrayRenderer)
    stretch = renderer.contrastEnhancement()
    assert stretch.minimumValue() == pytest.approx(np.percentile(image[0], 2), abs=0.6)
    assert stretch.maximumValue() == pytest.approx(np.percentile(image[0], 98), abs=0.6)
    assert layer.name() == "Radar S1 GRD (generated)"


def test_optical_is_in_true_colour(qgis_app, tmp_path):
    layer = results.open_result(raster(tmp_path, "S2L2A", random_image(12, 0, 3000)), "S2L2A")
    renderer = layer.renderer()
    assert isinstance(renderer, QgsMultiBandColorRenderer)
    assert (renderer.redBand(), renderer.greenBand(), renderer.blueBand()) == (4, 3, 2)
    assert renderer.redContrastEnhancement().maximumValue() > 2500


@pytest.mark.parametrize(
    ("product", "high", "words"),
    [
        ("DEM_std", 12.0, ("sure", "m, unsure")),
        ("S1GRD_std", 3.0, ("sure", "dB, unsure")),
        ("LULC_probability", 1.0, ("0 %, unsure", "100 %, sure")),
        ("LULC_entropy", 1.0, ("sure", "undecided")),
    ],
)
def test_uncertainty_says_what_its_ends_mean(qgis_app, tmp_path, product, high, words):
    bands = 2 if product.startswith("S1") else 1
    layer = results.open_result(raster(tmp_path, product, random_image(bands, 0, high)), product)
    renderer = layer.renderer()
    assert renderer.classificationMin() == 0.0
    assert renderer.classificationMax() == pytest.approx(high, rel=0.1)
    ends = renderer.shader().rasterShaderFunction().legendSettings()
    assert (ends.minimumLabel(), ends.maximumLabel()[-len(words[1]) :]) == words
    assert layer.metadata().abstract()


def test_uncertainty_lies_below_its_layer_and_is_switched_off(qgis_app, tmp_path):
    outputs = {
        name: raster(tmp_path, name, random_image(1, 0, 500))
        for name in ("DEM", "DEM_std", "NDVI", "NDVI_std")
    }
    made = results.add(outputs, "scene")
    nodes = QgsProject.instance().layerTreeRoot().findGroup(made.group).findLayers()
    assert [(node.name(), node.itemVisibilityChecked()) for node in nodes] == [
        ("NDVI (generated)", True),
        ("NDVI: uncertainty (generated)", False),
        ("Hillshade (generated)", True),
        ("Elevation (generated)", True),
        ("Elevation: uncertainty (generated)", False),
    ]
    results.undo(made)
    assert QgsProject.instance().mapLayers() == {}


def test_places_differ_in_shape_and_carry_their_distance(qgis_app):
    from terrane.plugin import point_styles

    layer = QgsVectorLayer("Point?crs=EPSG:4326&field=role:string&field=dist_km:double", "places", "memory")
    features = []
    for role, distance in (("predicted", 12.4), ("true", 12.4)):
        feature = QgsFeature(layer.fields())
        feature.setAttributes([role, distance])
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    point_styles.apply(layer)
    categories = layer.renderer().categories()
    assert [category.value() for category in categories] == ["predicted", "true"]
    shapes = {category.symbol().symbolLayer(0).properties()["name"] for category in categories}
    assert len(shapes) == 2
    assert layer.labelsEnabled()
    expression = QgsExpression(layer.labeling().settings().fieldName)
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    words = []
    for feature in layer.getFeatures():
        context.setFeature(feature)
        words.append(expression.evaluate(context))
    assert words[0] == "12 km off"
    assert not words[1]


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ("solved, relative", "Levels are relative"),
        ("solved, tied to GLO-90", "tied to GLO-90"),
        ("per tile", "steps between tiles"),
    ],
)
def test_elevation_says_what_its_levels_are(qgis_app, tmp_path, levels, words):
    path = raster(tmp_path, "DEM", random_image(1, 0, 500))
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.SetMetadataItem("TERRANE_LEVELS", levels)
    dataset.SetMetadataItem("TERRANE_MODEL", "toy 1.0.0")
    dataset = None
    abstract = results.open_result(path, "DEM").metadata().abstract()
    assert words in abstract
    assert "EGM2008" in abstract
