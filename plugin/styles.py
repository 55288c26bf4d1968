# SPDX-License-Identifier: GPL-2.0-or-later
"""How result layers look: the .qml files of resources/styles, stretched to the data and in the user's words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsColorRampLegendNodeSettings,
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
)

from . import log
from .i18n import tr
from .words import class_word, split_product, value_word

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "styles"
_SAMPLE = 250_000
"""Pixels that QGIS looks at for the stretch: its own default."""
_LOW, _HIGH = 0.02, 0.98
_RED = 4
"""The band of an optical image that its uncertainty is shown for."""


def apply(layer: QgsRasterLayer, product: str) -> None:
    """Give a result layer its style; a product without one keeps QGIS's default."""
    modality, kind = split_product(product)
    if not _load(layer, _style(product)):
        return
    renderer = layer.renderer()
    if isinstance(renderer, QgsPalettedRasterRenderer):
        for item in renderer.classes():
            renderer.setLabel(int(item.value), class_word(int(item.value), item.label))
    elif isinstance(renderer, QgsSingleBandGrayRenderer):
        renderer.setContrastEnhancement(_enhancement(layer, 1))
    elif isinstance(renderer, QgsMultiBandColorRenderer):
        renderer.setRedContrastEnhancement(_enhancement(layer, 4))
        renderer.setGreenContrastEnhancement(_enhancement(layer, 3))
        renderer.setBlueContrastEnhancement(_enhancement(layer, 2))
    elif isinstance(renderer, QgsSingleBandPseudoColorRenderer):
        _apply_ramp(layer, renderer, modality, kind)


def _style(product: str) -> str:
    modality, kind = split_product(product)
    if kind:
        return kind
    return modality[:2] if modality[:2] in ("S1", "S2") else modality


def _apply_ramp(
    layer: QgsRasterLayer, renderer: QgsSingleBandPseudoColorRenderer, modality: str, kind: str
) -> None:
    if kind == "std":
        if modality.startswith("S2"):
            renderer.setBand(_RED)
        high = _round_up(
            layer.dataProvider().cumulativeCut(renderer.band(), 0.0, _HIGH, layer.extent(), _SAMPLE)[1]
        )
        _spread(renderer, 0.0, high, lambda value: value_word(modality, value))
        _say_ends(renderer, tr("sure"), tr("{value}, unsure").format(value=value_word(modality, high)))
    elif kind == "entropy":
        _say_ends(renderer, tr("sure"), tr("undecided"))
    elif kind == "probability":
        _spread(renderer, 0.0, 1.0, lambda value: f"{100 * value:.0f} %")
        _say_ends(renderer, tr("0 %, unsure"), tr("100 %, sure"))
    elif modality == "DEM":
        low, high = _stretch(layer)
        _spread(renderer, low, high, lambda value: f"{value:.0f} m")


def apply_hillshade(layer: QgsRasterLayer) -> None:
    """The shade that lies over an elevation layer."""
    _load(layer, "hillshade")


def _load(layer: QgsRasterLayer, name: str) -> bool:
    file = FOLDER / f"{name}.qml"
    if not file.is_file():
        return False
    message, done = layer.loadNamedStyle(str(file))
    if not done:
        log.warning(message)
    return bool(done)


def _stretch(layer: QgsRasterLayer) -> tuple[float, float]:
    """The 2nd and 98th percentile in whole metres; widened where the land is flat."""
    low, high = layer.dataProvider().cumulativeCut(1, _LOW, _HIGH, layer.extent(), _SAMPLE)
    if not high - low >= 1.0:
        middle = (low + high) / 2 if low <= high else 0.0
        low, high = middle - 0.5, middle + 0.5
    return float(math.floor(low)), float(math.ceil(high))


def _enhancement(layer: QgsRasterLayer, band: int) -> QgsContrastEnhancement:
    """Black to white from the 2nd to the 98th percentile."""
    low, high = layer.dataProvider().cumulativeCut(band, _LOW, _HIGH, layer.extent(), _SAMPLE)
    enhancement = QgsContrastEnhancement(layer.dataProvider().dataType(band))
    enhancement.setContrastEnhancementAlgorithm(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
    )
    enhancement.setMinimumValue(low)
    enhancement.setMaximumValue(high if high > low else low + 1.0)
    return enhancement


def _round_up(value: float) -> float:
    """One or two digits that a legend can show; above 0 in any case."""
    if not value > 0 or not math.isfinite(value):
        return 1.0
    step = 10.0 ** math.floor(math.log10(value)) / 5
    return float(math.ceil(value / step) * step)


def _spread(renderer: QgsSingleBandPseudoColorRenderer, low: float, high: float, label: Any) -> None:
    """Move the stops of the ramp evenly onto a range."""
    function = renderer.shader().rasterShaderFunction()
    old = function.colorRampItemList()
    items = []
    for place, item in enumerate(old):
        value = low + (high - low) * place / (len(old) - 1)
        items.append(QgsColorRampShader.ColorRampItem(value, item.color, label(value)))
    function.setColorRampItemList(items)
    function.setMinimumValue(low)
    function.setMaximumValue(high)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)


def _say_ends(renderer: QgsSingleBandPseudoColorRenderer, low: str, high: str) -> None:
    """What the two ends of the ramp mean, in the legend."""
    ends = QgsColorRampLegendNodeSettings()
    ends.setMinimumLabel(low)
    ends.setMaximumLabel(high)
    renderer.shader().rasterShaderFunction().setLegendSettings(ends)
