# SPDX-License-Identifier: GPL-2.0-or-later
"""Elevation: making the levels of tiles agree, and tying them to what was measured."""

from __future__ import annotations

from typing import Any, Optional

from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QFormLayout, QSizePolicy, QWidget

from ..compat import RASTER_FILTER
from ..i18n import tr
from ..layers import Input, from_layers
from ..runs import Recipe, recipe_of
from .field import Fold, Note

SOLVED, TILES = "solved", "tiles"


class ElevationBox(Fold):
    """Shown where elevation is made; the defaults need nothing of the user."""

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("Elevation"), parent)
        self.agree = QCheckBox(tr("Make tile levels agree"), self)
        self.agree.setChecked(True)
        self.agree.setToolTip(
            tr(
                "The model gives every tile a height of its own; where tiles overlap, the steps are taken out."
            )
        )
        self.layer = QgsMapLayerComboBox(self)
        self.layer.setFilters(RASTER_FILTER)
        self.layer.setAllowEmptyLayer(True)
        self.layer.setCurrentIndex(0)
        self.layer.setMinimumContentsLength(8)
        self.layer.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.layer.setToolTip(
            tr(
                "A measured elevation layer, for instance of 30 or 90 m. Without one, heights are relative: the "
                "relief is the model's, the level above the sea may be off."
            )
        )
        self.note = Note(parent=self)
        self._key: Any = None
        self._scene: Any = None
        self._input: Optional[Input] = None
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Tie to"), self.layer)
        self.body.addWidget(self.agree)
        self.body.addLayout(form)
        self.body.addWidget(self.note)
        self.agree.toggled.connect(self._changed)
        self.layer.layerChanged.connect(self._changed)
        self._changed()

    def set_levels(self, levels: str) -> None:
        """Show a remembered choice."""
        self.agree.setChecked(levels != TILES)

    @property
    def levels(self) -> str:
        """solved, or tiles."""
        return SOLVED if self.agree.isChecked() else TILES

    @property
    def scene(self) -> Any:
        """The coarse elevation as the engine reads it; None where there is none. Raises SourceError, BandError."""
        from ...inference import open_scene

        layer = self.layer.currentLayer() if self.agree.isChecked() else None
        key = None if layer is None else (layer.id(), layer.source(), layer.crs().toWkt())
        if key != self._key:
            self._key, self._scene, self._input = None, None, None
            if layer is not None:
                self._input = from_layers([layer])
                self._scene = open_scene(self._input.source, modality="DEM", geo=self._input.geo)
            self._key = key
        return self._scene

    @property
    def input(self) -> Optional[Input]:
        """Where ``scene`` is read from."""
        return self._input

    @property
    def recipe(self) -> Optional[Recipe]:
        """How ``scene`` is opened, for the list of runs."""
        if self._scene is None or self._input is None:
            return None
        return recipe_of(self._scene, self._input.source, None, self._input.geo.layer_ids())

    def _changed(self) -> None:
        layer = self.layer.currentLayer() if self.agree.isChecked() else None
        self.layer.setEnabled(self.agree.isChecked())
        if layer is not None:
            words = tr("tied to {layer}").format(layer=layer.name())
        else:
            words = tr("levels agree") if self.agree.isChecked() else tr("as the model leaves it")
        self.setTitle(tr("Elevation: {how}").format(how=words))
        self.changed.emit()
