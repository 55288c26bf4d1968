# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the .qml files beside it with QGIS: ``QT_QPA_PLATFORM=offscreen python resources/styles/make_styles.py``.

The land ramp climbs in CIE L* from 34 to 97 in even steps while its hue turns from green over ochre to
pale rock: it reads the same in grey and under the common colour blindnesses. Land cover's colours are
the ESRI 10 m scheme of ``terrane.inference.MODALITIES``. NDVI turns from brown over white to a green
that leans to blue (so that red-green blindness keeps the two ends apart), centred on 0.2. What the model
is unsure of has one hue, and the darker it is the less sure: lightness alone carries it. Radar is grey,
optical images are in true colour; the plugin stretches both to the data.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from osgeo import gdal, osr
from qgis.core import (
    QgsApplication,
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsHillshadeRenderer,
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsRasterRenderer,
    QgsRasterShader,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor, QPainter
from terrane.inference import MODALITIES

FOLDER = Path(__file__).resolve().parent
LAND = ("#2e593b", "#436c41", "#617f46", "#87904c", "#b09f5a", "#d3af77", "#ebc39d", "#f7dbc5", "#fdf5ed")
NDVI = ((-0.4, "#6b3d0a"), (-0.1, "#b98d53"), (0.2, "#f7f5f0"), (0.5, "#7fbf8c"), (0.8, "#00573c"))
UNSURE = ("#fcfbfd", "#e5e3ef", "#cac8e2", "#aca9d0", "#8e87bd", "#705faa", "#4a1486")
"""Purples of ColorBrewer (C. Brewer, single hue), respaced: CIE L* falls from 99 to 22."""


def _layer(folder: str, dtype: int, bands: int = 1) -> QgsRasterLayer:
    path = str(Path(folder) / f"{dtype}-{bands}.tif")
    raster = gdal.GetDriverByName("GTiff").Create(path, 4, 4, bands, dtype)
    srs = osr.SpatialReference()
    srs.ImportFromEPSG(32632)
    raster.SetProjection(srs.ExportToWkt())
    raster.SetGeoTransform((0, 10, 0, 40, 0, -10))
    for band in range(1, bands + 1):
        raster.GetRasterBand(band).WriteArray(np.arange(16).reshape(4, 4))
    raster = None
    return QgsRasterLayer(path, "style", "gdal")


def _ramp(layer: QgsRasterLayer, stops: list[tuple[float, str]]) -> QgsRasterRenderer:
    low, high = stops[0][0], stops[-1][0]
    function = QgsColorRampShader(low, high, None, QgsColorRampShader.Type.Interpolated)
    function.setColorRampItemList(
        [QgsColorRampShader.ColorRampItem(value, QColor(color), f"{value:g}") for value, color in stops]
    )
    shader = QgsRasterShader(low, high)
    shader.setRasterShaderFunction(function)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)
    return renderer


def _stretched(layer: QgsRasterLayer, low: float, high: float) -> QgsContrastEnhancement:
    enhancement = QgsContrastEnhancement(layer.dataProvider().dataType(1))
    enhancement.setContrastEnhancementAlgorithm(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
    )
    enhancement.setMinimumValue(low)
    enhancement.setMaximumValue(high)
    return enhancement


def _radar(layer: QgsRasterLayer) -> QgsRasterRenderer:
    renderer = QgsSingleBandGrayRenderer(layer.dataProvider(), 1)
    renderer.setContrastEnhancement(_stretched(layer, -25.0, 0.0))
    return renderer


def _true_colour(layer: QgsRasterLayer) -> QgsRasterRenderer:
    renderer = QgsMultiBandColorRenderer(layer.dataProvider(), 4, 3, 2)
    renderer.setRedContrastEnhancement(_stretched(layer, 0.0, 3000.0))
    renderer.setGreenContrastEnhancement(_stretched(layer, 0.0, 3000.0))
    renderer.setBlueContrastEnhancement(_stretched(layer, 0.0, 3000.0))
    return renderer


def _hillshade(layer: QgsRasterLayer) -> QgsRasterRenderer:
    renderer = QgsHillshadeRenderer(layer.dataProvider(), 1, 315.0, 45.0)
    renderer.setZFactor(2.0)
    renderer.setMultiDirectional(True)
    return renderer


def _save(layer: QgsRasterLayer, renderer: QgsRasterRenderer, name: str) -> None:
    layer.setRenderer(renderer)
    categories = layer.Symbology | layer.Rendering
    message, ok = layer.saveNamedStyle(str(FOLDER / f"{name}.qml"), layer.StyleCategories(categories))
    if not ok:
        raise SystemExit(message)


def main() -> None:
    """Write a .qml for each kind of result."""
    application = QgsApplication([], False)
    application.initQgis()
    with tempfile.TemporaryDirectory() as folder:
        layer = _layer(folder, gdal.GDT_Float32)
        _save(
            layer,
            _ramp(layer, [(1000.0 * i / (len(LAND) - 1), color) for i, color in enumerate(LAND)]),
            "DEM",
        )
        _save(layer, _ramp(layer, list(NDVI)), "NDVI")
        steps = [i / (len(UNSURE) - 1) for i in range(len(UNSURE))]
        _save(layer, _ramp(layer, list(zip(steps, UNSURE))), "std")
        _save(layer, _ramp(layer, list(zip(steps, UNSURE))), "entropy")
        _save(layer, _ramp(layer, list(zip(steps, reversed(UNSURE)))), "probability")
        radar, optical = _layer(folder, gdal.GDT_Float32, 2), _layer(folder, gdal.GDT_UInt16, 12)
        _save(radar, _radar(radar), "S1")
        _save(optical, _true_colour(optical), "S2")
        shade = layer.clone()
        shade.setBlendMode(QPainter.CompositionMode.CompositionMode_SoftLight)
        _save(shade, _hillshade(shade), "hillshade")
        cover = _layer(folder, gdal.GDT_Byte)
        classes = [
            QgsPalettedRasterRenderer.Class(item.value, QColor(*item.color), item.name)
            for item in MODALITIES["LULC"].classes
            if item.value != 0
        ]
        _save(cover, QgsPalettedRasterRenderer(cover.dataProvider(), 1, classes), "LULC")
        del layer, shade, cover, radar, optical
    application.exitQgis()


if __name__ == "__main__":
    main()
