# SPDX-License-Identifier: GPL-2.0-or-later
"""How result layers look: the .qml files of resources/styles, stretched to the data and in the user's words."""

from __future__ import annotations

import math
from pathlib import Path

from qgis.core import (
    QgsColorRampShader,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsSingleBandPseudoColorRenderer,
)

from . import log
from .words import class_word

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "styles"
_SAMPLE = 250_000
"""Pixels that QGIS looks at for the stretch: its own default."""


def apply(layer: QgsRasterLayer, modality: str) -> None:
    """Give a result layer its style; a modality without one keeps QGIS's default."""
    if not _load(layer, modality):
        return
    renderer = layer.renderer()
    if modality == "DEM" and isinstance(renderer, QgsSingleBandPseudoColorRenderer):
        low, high = _stretch(layer)
        _spread(renderer, low, high, "{:.0f} m")
    elif isinstance(renderer, QgsPalettedRasterRenderer):
        for item in renderer.classes():
            renderer.setLabel(int(item.value), class_word(int(item.value), item.label))


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
    low, high = layer.dataProvider().cumulativeCut(1, 0.02, 0.98, layer.extent(), _SAMPLE)
    if not high - low >= 1.0:
        middle = (low + high) / 2 if low <= high else 0.0
        low, high = middle - 0.5, middle + 0.5
    return float(math.floor(low)), float(math.ceil(high))


def _spread(renderer: QgsSingleBandPseudoColorRenderer, low: float, high: float, label: str) -> None:
    """Move the stops of the ramp evenly onto a range."""
    function = renderer.shader().rasterShaderFunction()
    old = function.colorRampItemList()
    items = []
    for place, item in enumerate(old):
        value = low + (high - low) * place / (len(old) - 1)
        items.append(QgsColorRampShader.ColorRampItem(value, item.color, label.format(value)))
    function.setColorRampItemList(items)
    function.setMinimumValue(low)
    function.setMaximumValue(high)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)
