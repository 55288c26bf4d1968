# SPDX-License-Identifier: GPL-2.0-or-later
"""How a layer of predicted places looks: where the model believes tiles to be, and where they are.

The two differ in shape as well as in colour (vermilion and blue of Okabe and Ito's palette, which the common
colour blindnesses keep apart).
"""

from __future__ import annotations

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsMarkerSymbol,
    QgsPalLayerSettings,
    QgsRendererCategory,
    QgsTextBufferSettings,
    QgsTextFormat,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.PyQt.QtGui import QColor

from .i18n import tr

ROLE, DISTANCE = "role", "dist_km"
PREDICTED, TRUE = "predicted", "true"
_HALO = "#ffffff"


def apply(layer: QgsVectorLayer) -> None:
    """Markers by role, and beside each prediction how far off it is."""
    looks = (
        (PREDICTED, "circle", "#d55e00", tr("Where the model believes it to be")),
        (TRUE, "diamond", "#0072b2", tr("Where it is")),
    )
    categories = [
        QgsRendererCategory(
            role,
            QgsMarkerSymbol.createSimple(
                {"name": shape, "color": color, "outline_color": _HALO, "outline_width": "0.4", "size": "3"}
            ),
            words,
        )
        for role, shape, color, words in looks
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer(ROLE, categories))
    settings = QgsPalLayerSettings()
    settings.fieldName = _label()
    settings.isExpression = True
    text = QgsTextFormat()
    halo = QgsTextBufferSettings()
    halo.setEnabled(True)
    halo.setColor(QColor(_HALO))
    text.setBuffer(halo)
    settings.setFormat(text)
    layer.setLabeling(QgsVectorLayerSimpleLabeling(settings))
    layer.setLabelsEnabled(True)


def _label() -> str:
    """An expression: "12 km off" at predictions."""
    before, after = (part.replace("'", "''") for part in tr("{distance} km off").split("{distance}"))
    number = f'format_number("{DISTANCE}", 0)'
    return f"CASE WHEN \"{ROLE}\" = '{PREDICTED}' THEN '{before}' || {number} || '{after}' END"
