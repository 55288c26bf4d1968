# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers of what changed between two dates: names, styles and numbers, and how they join the project."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import (
    QgsColorRampLegendNodeSettings,
    QgsColorRampShader,
    QgsFillSymbol,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsRasterShader,
    QgsSingleBandPseudoColorRenderer,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QLocale
from qgis.PyQt.QtGui import QColor

from . import results
from .compat import SHADER_INTERPOLATED
from .i18n import tr
from .similarity import hide_below

_RAMP = ("#fee08b", "#fc8d59", "#d7301f", "#7f0000")
"""From just above nothing to the most; below the threshold nothing shows."""
_OPACITY = 0.8
"""The image stays visible below."""
_HIGH = 0.99
_SAMPLE = 250_000
"""Pixels that QGIS looks at: its own default."""
OUTLINE = "#d7301f"


def method_word(method: str) -> str:
    """How two layers are compared."""
    return {
        "auto": tr("As recognised"),
        "classes": tr("Class by class"),
        "model": tr("By what the model makes of them"),
        "bands": tr("Band by band"),
    }[method]


def pair_words(pair: Any) -> str:
    """What an engine Pair was recognised as."""
    return {
        "classes": tr("Two rasters of classes: compared class by class."),
        "model": tr("Two scenes: compared by what the model makes of each patch."),
        "embeddings": tr("Two rasters of embeddings: compared patch by patch."),
        "bands": tr(
            "Two images: compared band by band, each date brought to the same brightness and contrast."
        ),
    }[pair.method]


def phase_word(message: str) -> str:
    """A phase of the engine's, in words."""
    return {
        "Balancing": tr("Balancing both dates…"),
        "First date": tr("Looking at the first date…"),
        "Second date": tr("Looking at the second date…"),
        "Comparing": tr("Comparing…"),
        "Counting": tr("Counting…"),
        "Outlining": tr("Drawing outlines…"),
        "Writing": tr("Writing…"),
    }.get(message, message)


def area_word(square_metres: float) -> str:
    """An area as people say it: m², ha from 1 ha on, km² from 1 km² on."""
    for least, unit in ((1e6, tr("km²")), (1e4, tr("ha"))):
        if square_metres >= least:
            return f"{QLocale().toString(square_metres / least, 'f', 2)} {unit}"
    return f"{QLocale().toString(square_metres, 'f', 0)} {tr('m²')}"


def table_unit(total: float) -> tuple[float, str, int]:
    """One unit for all of a table whose sum is so many square metres: its m², its name, and digits after
    the point."""
    if total >= 1e7:
        return 1e6, tr("km²"), 2
    return (1e4, tr("ha"), 2) if total >= 1e5 else (1.0, tr("m²"), 0)


def share_words(changed: float, compared: float, area: float) -> str:
    """How much changed: "12.3 % · 4.56 km²"."""
    share = QLocale().toString(100 * changed / compared if compared else 0.0, "f", 1)
    return f"{share} % · {area_word(area)}"


def style_changes(layer: QgsRasterLayer, legend: Any) -> None:
    """Colours and names of the changes that occur; everything else is clear."""
    classes = [QgsPalettedRasterRenderer.Class(code, QColor(*color), name) for code, name, color in legend]
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes))


def style_magnitudes(layer: QgsRasterLayer, threshold: float) -> None:
    """Yellow to dark red from the threshold to (almost) the greatest, nothing below; see ``show_above``."""
    provider = layer.dataProvider()
    high = float(provider.cumulativeCut(1, 0.0, _HIGH, layer.extent(), _SAMPLE)[1])
    low = min(threshold, high)
    span = high - low if high > low else 1e-6
    function = QgsColorRampShader()
    function.setColorRampType(SHADER_INTERPOLATED)
    places = [low + span * step / (len(_RAMP) - 1) for step in range(len(_RAMP))]
    function.setColorRampItemList(
        [QgsColorRampShader.ColorRampItem(v, QColor(c), f"{v:.3f}") for v, c in zip(places, _RAMP)]
    )
    function.setMinimumValue(places[0])
    function.setMaximumValue(places[-1])
    ends = QgsColorRampLegendNodeSettings()
    ends.setMinimumLabel(tr("{value}, changed").format(value=f"{places[0]:.3f}"))
    ends.setMaximumLabel(tr("{value}, changed most").format(value=f"{places[-1]:.3f}"))
    function.setLegendSettings(ends)
    shader = QgsRasterShader()
    shader.setRasterShaderFunction(function)
    renderer = QgsSingleBandPseudoColorRenderer(provider, 1)
    renderer.setShader(shader)
    renderer.setClassificationMin(places[0])
    renderer.setClassificationMax(places[-1])
    renderer.setOpacity(_OPACITY)
    layer.setRenderer(renderer)
    show_above(layer, threshold)


def show_above(layer: QgsRasterLayer, threshold: float) -> None:
    """Show only what changed by more than a threshold."""
    hide_below(layer, threshold)


def style_polygons(layer: QgsVectorLayer) -> None:
    """Red outlines over a light fill."""
    symbol = QgsFillSymbol.createSimple(
        {"color": "215,48,31,60", "outline_color": OUTLINE, "outline_width": "0.3"}
    )
    layer.setRenderer(QgsSingleSymbolRenderer(symbol))


def raster_layer(result: Any) -> QgsRasterLayer:
    """The raster of an engine's CompareResult as a layer. It is not added to the project."""
    name = tr("Change") if result.method == "classes" else tr("Magnitude of change")
    layer = QgsRasterLayer(result.output, name, "gdal")
    if layer.isValid():
        finish(layer, result)
    return layer


def finish(layer: QgsMapLayer, result: Any) -> None:
    """Style and abstract of a loaded layer of a CompareResult."""
    if isinstance(layer, QgsVectorLayer):
        if result.method != "classes":
            style_polygons(layer)
    elif result.method == "classes":
        style_changes(layer, result.legend)
    else:
        style_magnitudes(layer, result.threshold)
    tags = results.provenance(layer)
    words = tr("{pair}: {share} changed.").format(
        pair=tags.get("SOURCE", "?"),
        share=share_words(result.changed.pixels, result.compared.pixels, result.changed.area),
    )
    metadata = layer.metadata()
    metadata.setAbstract(
        "\n".join([words, *([tags["NOTE"]] if tags.get("NOTE") else []), *results.model_lines(tags)])
    )
    layer.setMetadata(metadata)


def polygon_layer(path: str, result: Any) -> QgsVectorLayer:
    """Polygons of a CompareResult as a layer. It is not added to the project."""
    layer = QgsVectorLayer(path, tr("Change polygons"), "ogr")
    if layer.isValid():
        finish(layer, result)
    return layer


def add(result: Any, title: str) -> tuple[str, Optional[str]]:
    """Add what came of a comparison on top of the layer tree (main thread); ids of raster and polygons."""
    raster = raster_layer(result)
    layers: list[tuple[QgsMapLayer, bool, bool]] = []
    polygons = None
    if result.polygons is not None:
        polygons = polygon_layer(result.polygons, result)
        # One of both shows: they say the same.
        layers.append((polygons, False, False))
    layers.append((raster, True, True))
    results.show(results.group_name(title), layers)
    return raster.id(), None if polygons is None else polygons.id()
