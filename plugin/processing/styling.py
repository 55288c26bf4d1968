# SPDX-License-Identifier: GPL-2.0-or-later
"""Styles and metadata for layers that Processing loads."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingLayerPostProcessorInterface

from .. import results
from ..words import layer_word


class Styler(QgsProcessingLayerPostProcessorInterface):
    """Kept alive by the algorithm until the layer is loaded."""

    def __init__(self, product: str) -> None:
        super().__init__()
        self._product = product

    def postProcessLayer(self, layer: Any, _context: Any, _feedback: Any) -> None:
        """See QgsProcessingLayerPostProcessorInterface (main thread)."""
        if layer.isValid():
            layer.setName(layer_word(self._product))
            results.finish(layer, self._product)
            layer.triggerRepaint()
