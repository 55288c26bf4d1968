# SPDX-License-Identifier: GPL-2.0-or-later
"""What models for one task make: their layers' names, styles and metadata, and how they join the project."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsColorRampLegendNodeSettings,
    QgsColorRampShader,
    QgsFillSymbol,
    QgsGradientColorRamp,
    QgsLayerMetadata,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsPalLayerSettings,
    QgsRasterBandStats,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsSingleBandPseudoColorRenderer,
    QgsStyle,
    QgsTextBufferSettings,
    QgsTextFormat,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.PyQt.QtCore import QLocale
from qgis.PyQt.QtGui import QColor

from . import results, styles
from .compat import SHADER_INTERPOLATED
from .i18n import tr

PRODUCTS: Mapping[str, tuple[str, ...]] = {
    "segment": ("classes", "probability"),
    "regress": ("values",),
    "classify": ("tiles",),
    "detect": ("objects",),
    "upscale": ("upscaled",),
    "recognise": ("tiles",),
}
"""Task to its products, as the engine calls them."""
VECTORS = ("tiles", "objects")
"""Products that are polygons."""
PICTURE = "IMAGE"
"""What users' own models take: bands by number, whatever they show."""
_OUTLINE = "#ff7f00"
"""Of objects of a single class: seen on fields, forests and roofs alike."""
_OPACITY = 0.6
"""Of classified tiles: the image stays visible below."""


@dataclass(frozen=True)
class Model:
    """What layers need to know of the model that made them."""

    name: str
    license: str = ""
    classes: tuple[tuple[str, str], ...] = ()
    """Name and colour (#RRGGBB) by class."""
    quantity: str = ""
    """What a regression estimates, with its unit."""
    unit: str = ""


def known(model: str) -> Model:
    """A model by id or path; what cannot be known is left out."""
    from ..inference import TerraneError, find_model

    try:
        pack = find_model(model, verify=False)
    except TerraneError:
        return Model(model)
    quantity = unit = ""
    if pack.output is not None:
        unit = pack.output.unit
        quantity = f"{pack.output.names[0]} ({unit})" if unit else pack.output.names[0]
    classes = tuple((c.name, c.color) for c in pack.classes)
    return Model(pack.name, pack.license, classes, quantity, unit)


def run(request: Any, *, progress: Any, cancel: Any, geo: Any) -> Any:
    """Run a request for any of the tasks (worker thread); all files are among the result's outputs."""
    from .. import inference

    result = getattr(inference, request.task)(request, progress=progress, cancel=cancel, geo=geo)
    if result.features is None:
        return result
    (product,) = PRODUCTS[request.task]
    return replace(result, outputs={**result.outputs, product: result.features})


def picture_bands(model: str) -> int:
    """How many bands of a plain picture a model takes; 0 for one that wants to know what the bands are."""
    from ..inference import TerraneError, find_model

    try:
        pack = find_model(model, verify=False)
    except TerraneError:
        return 0
    return len(pack.inputs[PICTURE].bands) if PICTURE in pack.inputs else 0


def open_input(chosen: Any, geo: Any, picture: int, boa_offset: Optional[float]) -> Any:
    """An input as the engine's scene: of as many bands as a picture's model takes, else as what it is recognised as."""
    from ..inference import open_image, open_scene

    if picture:
        return open_image(chosen.source, picture, geo)
    return open_scene(chosen.source, modality=chosen.modality, geo=geo, boa_offset=boa_offset)


def forecast(request: Any, geo: Any) -> Any:
    """What a run will take. Raises TerraneError."""
    from .. import inference

    return getattr(inference, f"forecast_{request.task}")(request, geo=geo)


def request_class(task: str) -> Any:
    """The engine's request for a task."""
    from .. import inference

    return getattr(inference, f"{task.capitalize()}Request")


def product_word(product: str) -> str:
    """A product as a field or message calls it."""
    return {
        "classes": tr("Classes"),
        "probability": tr("Probability of the class"),
        "values": tr("Estimated values"),
        "tiles": tr("Classified tiles"),
        "objects": tr("Objects"),
        "upscaled": tr("Finer pixels"),
    }[product]


def meaning(product: str) -> str:
    """What a product holds."""
    return {
        "classes": tr("A raster of the model's classes, from 0; 255 where there is no data."),
        "probability": tr("How likely the model takes the chosen class to be, from 0 to 1."),
        "values": tr("What the model estimates, in the unit that it was trained in."),
        "tiles": tr("One polygon per tile that the model looked at; score is the probability of its class."),
        "objects": tr("One polygon per object, with its class, score, area and perimeter."),
        "upscaled": tr("The image as the model draws it on finer pixels: likely detail, not seen detail."),
    }[product]


def layer_word(product: str, model: Model) -> str:
    """The name of a result layer."""
    words = model.quantity if product == "values" and model.quantity else product_word(product)
    return tr("{what} (estimated)").format(what=words)


def open_result(path: str, product: str, model: Model, *, scene: str = "") -> QgsMapLayer:
    """A result as a layer with name, style and metadata. It is not added to the project."""
    name = layer_word(product, model)
    layer: QgsMapLayer = (
        QgsVectorLayer(path, name, "ogr") if product in VECTORS else QgsRasterLayer(path, name, "gdal")
    )
    if layer.isValid():
        finish(layer, product, model, scene=scene)
    return layer


def finish(layer: QgsMapLayer, product: str, model: Model, *, scene: str = "") -> None:
    """Style and metadata of a result layer."""
    if product == "classes":
        _style_classes(layer, model)
    elif product == "probability":
        styles.apply(layer, "CLASSES_probability")
    elif product == "values":
        _style_values(layer, model)
    elif product == "objects":
        _style_objects(layer, model)
    elif product == "tiles":
        _style_tiles(layer, model)
    _describe(layer, product, model, scene)


def _style_classes(layer: QgsRasterLayer, model: Model) -> None:
    items = [
        QgsPalettedRasterRenderer.Class(value, QColor(color), name)
        for value, (name, color) in enumerate(model.classes)
    ]
    if items:
        layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, items))


def _style_values(layer: QgsRasterLayer, model: Model) -> None:
    """Viridis, even to the colour-blind, from the 2nd to the 98th percentile."""
    ramp = QgsStyle.defaultStyle().colorRamp("Viridis")
    if ramp is None:  # a style database without the usual ramps
        ramp = QgsGradientColorRamp(QColor("#440154"), QColor("#fde725"))
    provider = layer.dataProvider()
    low, high = provider.cumulativeCut(1, 0.02, 0.98, layer.extent(), 250_000)
    if not high > low:
        stats = provider.bandStatistics(1, QgsRasterBandStats.All, layer.extent(), 250_000)
        low, high = stats.minimumValue - 0.5, stats.minimumValue + 0.5
    step = 10.0 ** math.floor(math.log10(high - low)) / 10
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    renderer = QgsSingleBandPseudoColorRenderer(provider, 1)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)
    renderer.createShader(ramp, SHADER_INTERPOLATED)
    function = renderer.shader().rasterShaderFunction()
    function.setMinimumValue(low)
    function.setMaximumValue(high)
    if isinstance(function, QgsColorRampShader):
        function.setClip(False)
        ends = QgsColorRampLegendNodeSettings()
        for value, say in ((low, ends.setMinimumLabel), (high, ends.setMaximumLabel)):
            say(f"{QLocale().toString(value, 'g', 4)} {model.unit}".strip())
        function.setLegendSettings(ends)
    layer.setRenderer(renderer)


def _style_tiles(layer: QgsVectorLayer, model: Model) -> None:
    categories = []
    for name, color in model.classes:
        symbol = QgsFillSymbol.createSimple({"color": color, "outline_color": color, "outline_width": "0.3"})
        symbol.setOpacity(_OPACITY)
        categories.append(QgsRendererCategory(name, symbol, name))
    if categories:
        layer.setRenderer(QgsCategorizedSymbolRenderer("name", categories))


def _style_objects(layer: QgsVectorLayer, model: Model) -> None:
    """Outlines in the colour of their class, so that what was found stays in sight; name and score beside."""
    classes = model.classes or (("", _OUTLINE),)
    categories = []
    for name, color in classes:
        symbol = QgsFillSymbol.createSimple(
            {"style": "no", "color": color, "outline_color": color, "outline_width": "0.5"}
        )
        categories.append(QgsRendererCategory(name, symbol, name))
    if model.classes:
        layer.setRenderer(QgsCategorizedSymbolRenderer("name", categories))
    else:
        layer.renderer().setSymbol(categories[0].symbol().clone())
    label = QgsPalLayerSettings()
    label.isExpression = True
    label.fieldName = "trim(coalesce(\"name\", '') || ' ' || coalesce(format_number(\"score\", 2), ''))"
    text = QgsTextFormat()
    text.setSize(8)
    halo = QgsTextBufferSettings()
    halo.setEnabled(True)
    halo.setSize(0.8)
    text.setBuffer(halo)
    label.setFormat(text)
    layer.setLabeling(QgsVectorLayerSimpleLabeling(label))
    layer.setLabelsEnabled(True)


def _describe(layer: QgsMapLayer, product: str, model: Model, scene: str) -> None:
    tags = results.provenance(layer)
    lines = [
        tr("Estimated by a model from {scene}, not measured.").format(scene=scene or tags.get("SOURCE", "?"))
    ]
    if product == "probability":
        lines.append(tr("How likely the model takes the chosen class to be, from 0 to 1."))
    elif product == "tiles":
        lines.append(
            tr("One polygon per tile that the model looked at; score is the probability of its class.")
        )
    lines += results.model_lines(tags)
    pack = tags.get("PACK_SHA256", "")[:12]
    lines.append(
        tr("Model {model}, pack {hash}; {grid}.").format(
            model=tags.get("MODEL", model.name), hash=pack, grid=tags.get("TILE_GRID", "?")
        )
        if pack
        else tr("Model {model}.").format(model=model.name)
    )
    metadata = QgsLayerMetadata(layer.metadata())
    metadata.setTitle(layer.name())
    metadata.setType("dataset")
    metadata.setAbstract("\n".join(lines))
    metadata.setKeywords({"gmd:topicCategory": ["synthetic", "TerraMind", product]})
    metadata.setCrs(layer.crs())
    if model.license and model.license != "NOASSERTION":
        metadata.setLicenses([model.license])
    layer.setMetadata(metadata)


def add(outputs: Mapping[str, str], model: Model, title: str) -> results.Results:
    """Add the results of a run on top of the layer tree (main thread); the probability is switched off."""
    name = results.group_name(title)
    layers: list[tuple[QgsMapLayer, bool, bool]] = []
    made: dict[str, str] = {}
    for product in sorted(outputs, key=_place):
        layer = open_result(outputs[product], product, model, scene=title)
        layers.append((layer, True, product != "probability"))
        made[product] = layer.id()
    results.show(name, layers)
    return results.Results(name, tuple(layer.id() for layer, _, _ in layers), made)


def _place(product: str) -> int:
    order: Sequence[str] = list(dict.fromkeys(name for names in PRODUCTS.values() for name in names))
    return order.index(product)
