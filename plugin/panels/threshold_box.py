# SPDX-License-Identifier: GPL-2.0-or-later
"""Show: from how alike on places are visible, and what is visible as polygons."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from .. import similarity
from ..i18n import tr

_STEPS = 200
"""Positions of the slider."""


class ThresholdBox(QWidget):
    """Works on one similarity layer. Emits ``wanted`` when polygons are asked for."""

    wanted = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.layer_id = ""
        """The similarity layer; it may be gone from the project."""
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setRange(0, _STEPS)
        self.slider.setAccessibleName(tr("Least similarity"))
        self.slider.setToolTip(tr("Hides what is less alike."))
        self.limit = QLabel(self)
        widest = tr("from {value}").format(value="-0.000")
        self.limit.setMinimumWidth(self.limit.fontMetrics().horizontalAdvance(widest))
        self.polygons = QPushButton(tr("Make polygons"), self)
        self.polygons.setToolTip(
            tr("Adds what is shown as a polygon layer, one square per patch; the examples are left out.")
        )
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.slider, 1)
        line.addWidget(self.limit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(line)
        layout.addWidget(self.polygons, 0, Qt.AlignmentFlag.AlignLeft)
        self.slider.valueChanged.connect(self._slid)
        self.polygons.clicked.connect(lambda: self.wanted.emit())
        self.refresh()

    @property
    def layer(self) -> Optional[QgsRasterLayer]:
        """The layer that shows how alike places are; None before the first comparison."""
        layer = QgsProject.instance().mapLayer(self.layer_id)
        return layer if isinstance(layer, QgsRasterLayer) else None

    @property
    def threshold(self) -> Optional[float]:
        """The least similarity that shows; None: everything does."""
        layer = self.layer
        if layer is None or self.slider.value() == 0:
            return None
        low, high = similarity.value_range(layer)
        # Finer towards the end: what matters lies close to 1.
        return high - (high - low) * (1 - self.slider.value() / _STEPS) ** 2

    def show_layer(self, layer_id: str) -> None:
        """Work on this layer, all of which shows."""
        self.layer_id = layer_id
        self.slider.blockSignals(True)
        self.slider.setValue(0)
        self.slider.blockSignals(False)
        self.refresh()

    def refresh(self) -> None:
        """Say what shows."""
        limit = self.threshold
        self.limit.setText(tr("all") if limit is None else tr("from {value}").format(value=f"{limit:.3f}"))
        self.polygons.setEnabled(limit is not None)

    def _slid(self) -> None:
        layer, limit = self.layer, self.threshold
        if layer is not None:
            similarity.hide_below(layer, -2.0 if limit is None else limit)
        self.refresh()
