# SPDX-License-Identifier: GPL-2.0-or-later
"""Styles and metadata for layers that Processing loads."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingLayerPostProcessorInterface, QgsRasterLayer

from .. import results, styles
from ..words import layer_word


class Styler(QgsProcessingLayerPostProcessorInterface):
    """Kept alive by the algorithm until the layer is loaded."""

    def __init__(self, modality: str) -> None:
        super().__init__()
        self._modality = modality

    def postProcessLayer(self, layer: Any, _context: Any, _feedback: Any) -> None:
        """See QgsProcessingLayerPostProcessorInterface (main thread)."""
        if isinstance(layer, QgsRasterLayer) and layer.isValid():
            layer.setName(layer_word(self._modality))
            styles.apply(layer, self._modality)
            results.describe(layer, self._modality)
            layer.triggerRepaint()
