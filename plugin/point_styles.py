# SPDX-License-Identifier: GPL-2.0-or-later
"""How a layer of predicted places looks: a point where the model believes a tile to be, and how far off it is."""

from __future__ import annotations

from typing import Optional

from qgis.core import (
    QgsMarkerSymbol,
    QgsPalLayerSettings,
    QgsSingleSymbolRenderer,
    QgsTextBufferSettings,
    QgsTextFormat,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.PyQt.QtGui import QColor

from .i18n import tr

_KILOMETRES = ("dist_km", "distance", "km")
_METRES = ("dist_m", "distance_m")
_POINT, _EDGE = "#d9562b", "#ffffff"
"""Vermilion, which the common colour blindnesses keep apart from green land and blue water."""


def apply(layer: QgsVectorLayer) -> None:
    """A marker with the distance to the true place beside it, where the layer has one."""
    marker = QgsMarkerSymbol.createSimple(
        {"name": "circle", "color": _POINT, "outline_color": _EDGE, "outline_width": "0.4", "size": "3"}
    )
    layer.setRenderer(QgsSingleSymbolRenderer(marker))
    words = _label(layer)
    if words is None:
        return
    settings = QgsPalLayerSettings()
    settings.fieldName = words
    settings.isExpression = True
    text = QgsTextFormat()
    halo = QgsTextBufferSettings()
    halo.setEnabled(True)
    halo.setColor(QColor(_EDGE))
    text.setBuffer(halo)
    settings.setFormat(text)
    layer.setLabeling(QgsVectorLayerSimpleLabeling(settings))
    layer.setLabelsEnabled(True)


def _label(layer: QgsVectorLayer) -> Optional[str]:
    """An expression: "12 km off"; None where the layer tells no distance."""
    names = layer.fields().names()
    for candidates, factor in ((_KILOMETRES, 1), (_METRES, 1000)):
        for name in candidates:
            if name in names:
                number = f'format_number("{name}" / {factor}, 0)'
                text = tr("{distance} km off").replace("'", "''").split("{distance}")
                return f"'{text[0]}' || {number} || '{text[-1]}'"
    return None
