# SPDX-License-Identifier: GPL-2.0-or-later
"""Right-click on a raster layer ▸ Terrane ▸ Generate…, Classes to polygons…"""

from __future__ import annotations

from typing import Any, Callable

from qgis.core import QgsRasterLayer
from qgis.PyQt.QtGui import QIcon

from .compat import RASTER_LAYER, QAction
from .i18n import tr
from .icons import icon

Start = Callable[[QgsRasterLayer, str], None]


class LayerActions:
    """The actions, and their removal."""

    def __init__(self, iface: Any, start: Start) -> None:
        self._iface = iface
        self._start = start
        self.actions: dict[str, Any] = {}
        self._add("DEM", tr("Generate elevation (DEM)"), icon("elevation"), self._generate)
        self._add("LULC", tr("Generate land cover (LULC)"), icon("landcover"), self._generate)
        self._add("vectorize", tr("Classes to polygons…"), icon("terrane"), _vectorize)

    def _add(self, name: str, words: str, picture: QIcon, run: Start) -> None:
        action = QAction(picture, words, self._iface.mainWindow())
        action.triggered.connect(lambda: self._run(run, name))
        self._iface.addCustomActionForLayerType(action, "Terrane", RASTER_LAYER, True)
        self.actions[name] = action

    def _run(self, run: Start, name: str) -> None:
        layer = self._iface.activeLayer()
        if isinstance(layer, QgsRasterLayer):
            run(layer, name)

    def _generate(self, layer: QgsRasterLayer, target: str) -> None:
        self._start(layer, target)

    def remove(self) -> None:
        """Take them out of the menu."""
        for action in self.actions.values():
            self._iface.removeCustomActionForLayerType(action)
            action.deleteLater()
        self.actions = {}


def _vectorize(layer: QgsRasterLayer, name: str) -> None:
    """Open the algorithm's own dialog for a layer."""
    import processing

    processing.createAlgorithmDialog(f"terrane:{name}", {"INPUT": layer}).show()
