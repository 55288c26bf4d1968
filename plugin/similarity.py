# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers of embeddings and of what is similar: names, styles and metadata, and how they join the project."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from qgis.core import (
    QgsColorRampLegendNodeSettings,
    QgsColorRampShader,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsFillSymbol,
    QgsGeometry,
    QgsLayerMetadata,
    QgsMapLayer,
    QgsProject,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRasterTransparency,
    QgsSingleBandPseudoColorRenderer,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor

from . import results
from .compat import SHADER_INTERPOLATED
from .i18n import tr

EMBEDDINGS, PCA, VECTORS, SIMILARITY, PLACES = "embeddings", "pca", "vectors", "similarity", "places"
_VECTOR = (VECTORS, PLACES)
_PROPERTY = "terrane/product"
"""Layers remember what they are, so that a saved project still offers its embeddings."""
_OPACITY = 0.75
"""Of similarity: the image stays visible below."""
_RAMP = ((0.02, "#00224e"), (0.5, "#35456c"), (0.8, "#666970"), (0.92, "#948e77"), (0.98, "#c8b866"))
"""Share of the patches that are less similar, and its colour; the rest runs up to ``_SAME``, so that the
few that are most alike stand out however alike everything is. Cividis (Nuñez, Anderton, Renslow 2018):
even in lightness, and the same to the colour-blind."""
_SAME = "#fee838"
_SAMPLE = 250_000
"""Pixels that QGIS looks at: its own default."""


def product_word(product: str) -> str:
    """A product as a field or message calls it."""
    return {
        EMBEDDINGS: tr("Embeddings"),
        PCA: tr("Embeddings as a picture"),
        VECTORS: tr("Embeddings of tiles"),
        SIMILARITY: tr("Similarity"),
        PLACES: tr("Similar places"),
    }[product]


def meaning(product: str) -> str:
    """What a product holds."""
    return {
        EMBEDDINGS: tr("What the model makes of each patch of the image: one pixel per patch, many bands."),
        PCA: tr(
            "The three strongest components of the embeddings as colours: patches of a kind have colours of a "
            "kind. The colours mean nothing by themselves."
        ),
        VECTORS: tr("One polygon per tile with the mean of its embeddings."),
        SIMILARITY: tr("How alike each patch is to the examples: 1 for the same, 0 for nothing in common."),
        PLACES: tr("The most similar patches as polygons, the best first."),
    }[product]


def open_result(path: str, product: str, *, scene: str = "") -> QgsMapLayer:
    """A result as a layer with name, style and metadata. It is not added to the project."""
    name = product_word(product)
    layer: QgsMapLayer = (
        QgsVectorLayer(path, name, "ogr") if product in _VECTOR else QgsRasterLayer(path, name, "gdal")
    )
    if layer.isValid():
        finish(layer, product, scene=scene)
    return layer


def finish(layer: QgsMapLayer, product: str, *, scene: str = "") -> None:
    """Style and metadata of a result layer."""
    layer.setCustomProperty(_PROPERTY, product)
    if product == SIMILARITY:
        style_similarity(layer)
    elif product == PLACES:
        symbol = QgsFillSymbol.createSimple(
            {"color": "215,48,31,90", "outline_color": "#d7301f", "outline_width": "0.1"}
        )
        layer.setRenderer(QgsSingleSymbolRenderer(symbol))
    tags = results.provenance(layer)
    lines = [meaning(product)]
    if scene or tags.get("SOURCE"):
        lines.append(tr("Made by a model from {scene}.").format(scene=scene or tags["SOURCE"]))
    if tags.get("MODEL"):
        pack = tags.get("PACK_SHA256", "?")[:12]
        lines.append(tr("Model {model}, pack {hash}.").format(model=tags["MODEL"], hash=pack))
    lines += results.model_lines(tags)
    metadata = QgsLayerMetadata(layer.metadata())
    metadata.setTitle(layer.name())
    metadata.setType("dataset")
    metadata.setAbstract("\n".join(lines))
    metadata.setKeywords({"gmd:topicCategory": ["synthetic", "TerraMind", product]})
    metadata.setCrs(layer.crs())
    layer.setMetadata(metadata)


def add(outputs: Mapping[str, str], title: str) -> results.Results:
    """Add embeddings on top of the layer tree (main thread), switched off: they are for finding, and the
    image is for looking."""
    name = results.group_name(title)
    made: dict[str, str] = {}
    layers = []
    for product in (PCA, EMBEDDINGS):
        if product in outputs:
            layer = open_result(outputs[product], product, scene=title)
            layer.setName(f"{product_word(product)} · {title}" if product == EMBEDDINGS else layer.name())
            layers.append((layer, False, False))
            made[product] = layer.id()
    results.show(name, layers)
    return results.Results(name, tuple(layer.id() for layer, _, _ in layers), made)


def put(path: str, product: str, beside: str, *, replacing: str = "") -> QgsMapLayer:
    """Add one layer above the layer with the id ``beside``, in place of an earlier one (main thread)."""
    project = QgsProject.instance()
    old = project.mapLayer(replacing) if replacing else None
    layer = open_result(path, product)
    node = project.layerTreeRoot().findLayer(beside)
    parent = node.parent() if node is not None else project.layerTreeRoot()
    project.addMapLayer(layer, False)
    parent.insertLayer(0, layer).setExpanded(True)
    if old is not None:
        project.removeMapLayer(old.id())
    return layer


def is_embeddings(layer: Optional[QgsMapLayer]) -> bool:
    """Whether a layer holds embeddings that can be read: ours, or any raster file that says so."""
    if not isinstance(layer, QgsRasterLayer) or not layer.isValid() or layer.providerType() != "gdal":
        return False
    known = layer.customProperty(_PROPERTY)
    if known is None and layer.bandCount() > 1 and os.path.exists(layer.source()):
        known = _product_of(layer)
        # Headers are read once: this is asked for every layer whenever the project changes.
        layer.setCustomProperty(_PROPERTY, known)
    return bool(known == EMBEDDINGS)


def _product_of(layer: QgsRasterLayer) -> str:
    from ..inference import TerraneError

    try:
        return EMBEDDINGS if results.provenance(layer).get("MODALITY") == "EMBEDDINGS" else ""
    except TerraneError:
        return ""


def in_crs(
    features: Iterable[QgsFeature], source: QgsCoordinateReferenceSystem, goal: QgsCoordinateReferenceSystem
) -> list[QgsGeometry]:
    """The geometries of features in another CRS. Raises ExtentError where one cannot be moved there."""
    from ..inference import ExtentError

    step = QgsCoordinateTransform(source, goal, QgsProject.instance())
    moved = []
    for feature in features:
        geometry = QgsGeometry(feature.geometry())
        if geometry.isNull() or geometry.isEmpty():
            continue
        try:
            geometry.transform(step)
        except QgsCsException as error:
            raise ExtentError(tr("An example cannot be placed on the embeddings.")) from error
        moved.append(geometry)
    return moved


def style_similarity(layer: QgsRasterLayer) -> None:
    """Colours by rank, up to 1, and half transparent; see ``hide_below``."""
    provider = layer.dataProvider()
    renderer = QgsSingleBandPseudoColorRenderer(provider, 1)
    function = QgsColorRampShader()
    function.setColorRampType(SHADER_INTERPOLATED)
    items: list[Any] = []
    for share, color in _RAMP:
        value = float(provider.cumulativeCut(1, share, 1.0, layer.extent(), _SAMPLE)[0])
        if -1 <= value < 1 and (not items or value > items[-1].value):
            items.append(QgsColorRampShader.ColorRampItem(value, QColor(color), f"{value:.3f}"))
    if not items:  # nothing but the example itself
        items.append(QgsColorRampShader.ColorRampItem(-1.0, QColor(_RAMP[0][1]), "-1"))
    items.append(QgsColorRampShader.ColorRampItem(1.0, QColor(_SAME), "1"))
    function.setColorRampItemList(items)
    function.setMinimumValue(items[0].value)
    function.setMaximumValue(1.0)
    ends = QgsColorRampLegendNodeSettings()
    ends.setMinimumLabel(f"{items[0].value:.3f}")
    ends.setMaximumLabel(tr("1, the same"))
    function.setLegendSettings(ends)
    shader = QgsRasterShader()
    shader.setRasterShaderFunction(function)
    renderer.setShader(shader)
    renderer.setClassificationMin(items[0].value)
    renderer.setClassificationMax(1.0)
    renderer.setOpacity(_OPACITY)
    layer.setRenderer(renderer)


def hide_below(layer: QgsRasterLayer, threshold: float) -> None:
    """Make patches that are less similar than a threshold invisible."""
    entry = QgsRasterTransparency.TransparentSingleValuePixel()
    entry.min, entry.max = -2.0, threshold
    if hasattr(entry, "percentTransparent"):
        entry.percentTransparent = 100.0
    else:  # QGIS 3.38 and later
        entry.opacity = 0.0
    transparency = QgsRasterTransparency()
    transparency.setTransparentSingleValuePixelList([entry])
    layer.renderer().setRasterTransparency(transparency)
    layer.triggerRepaint()


def value_range(layer: QgsRasterLayer) -> tuple[float, float]:
    """What the threshold can be: from the ramp's lower end to 1."""
    renderer: Any = layer.renderer()
    return float(renderer.classificationMin()), 1.0
