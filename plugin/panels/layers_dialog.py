# SPDX-License-Identifier: GPL-2.0-or-later
"""Choosing several layers that together hold the bands of one scene."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from ..i18n import tr
from .field import wrapped


class LayersDialog(QDialog):
    """A list of the project's raster layers with check boxes; single-band layers are ticked."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Several single-band layers"))
        self.resize(380, 420)
        text = wrapped(
            self,
            tr(
                "Tick the layers that hold the bands of one scene. "
                "They may differ in resolution; which is which is told by their names."
            ),
        )
        self.list = QListWidget(self)
        nodes = QgsProject.instance().layerTreeRoot().findLayers()
        for layer in (node.layer() for node in nodes):
            if not isinstance(layer, QgsRasterLayer):
                continue
            item = QListWidgetItem(layer.name(), self.list)
            item.setData(Qt.ItemDataRole.UserRole, layer.id())
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            single = layer.bandCount() == 1
            item.setCheckState(Qt.CheckState.Checked if single else Qt.CheckState.Unchecked)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.list.itemChanged.connect(self._check)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.buttons)
        self._check()

    def layers(self) -> list[QgsRasterLayer]:
        """The ticked layers."""
        project = QgsProject.instance()
        items = [self.list.item(row) for row in range(self.list.count())]
        ticked = [item for item in items if item.checkState() == Qt.CheckState.Checked]
        found = [project.mapLayer(item.data(Qt.ItemDataRole.UserRole)) for item in ticked]
        return [layer for layer in found if layer is not None]

    def _check(self) -> None:
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(self.layers()))
