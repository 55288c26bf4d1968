# SPDX-License-Identifier: GPL-2.0-or-later
"""From: the satellite image, further layers of the same place, and the place itself."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from ..i18n import tr
from ..layers import joined_geo
from ..words import input_word, listing
from .field import link, wrapped
from .source_box import SourceBox

COORDS = "COORDS"


class InputsBox(QWidget):
    """The first input defines the grid; there is one input of each kind."""

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._takes: tuple[str, ...] = ()
        self.first = SourceBox(self)
        self.more: list[SourceBox] = []
        self.add = wrapped(self, link(tr("Add another layer of the same place…")))
        self.add.setToolTip(
            tr(
                "Radar, elevation, land cover: the more the model sees of a place, the better. One of each kind."
            )
        )
        self.add.linkActivated.connect(lambda: self.add_input())
        self.coords = QCheckBox(tr("Use the location"), self)
        self.coords.setToolTip(tr("Tells the model where on Earth each tile lies."))
        self.coords.toggled.connect(self.changed)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        for widget in (self.first, self.add, self.coords):
            self._column.addWidget(widget)
        self.first.changed.connect(self.changed)
        self.offer(())

    def offer(self, takes: tuple[str, ...], *, picture: int = 0) -> None:
        """Show what a model with these inputs can use; ``picture``: it takes so many bands by number."""
        self._takes = takes
        self.first.take_pictures(picture)
        self.coords.setVisible(COORDS in takes)
        self._fit()

    def _fit(self) -> None:
        images = [modality for modality in self._takes if modality != COORDS]
        self.add.setVisible(1 + len(self.more) < len(images))

    # Further inputs.

    def add_input(self, layer: Optional[QgsRasterLayer] = None) -> SourceBox:
        """One more input: this layer, else the likeliest one."""
        box = SourceBox(self, further=True)
        box.removed.connect(lambda: self.remove(box))
        self._column.insertWidget(1 + len(self.more), box)
        self.more.append(box)
        box.set_layer(layer or self._likeliest())
        box.recognise()
        box.changed.connect(self.changed)
        self._fit()
        box.combo.setFocus()
        self.changed.emit()
        return box

    def remove(self, box: SourceBox) -> None:
        """Take a further input away."""
        self.more.remove(box)
        self._column.removeWidget(box)
        box.hide()
        box.deleteLater()
        self._fit()
        self.changed.emit()

    def _likeliest(self) -> Optional[QgsRasterLayer]:
        """A layer that is not an input yet: one of a kind that the model takes, else any."""
        used = {box.layer.id() for box in self.boxes if box.layer is not None}
        layers = [layer for layer in self.first.layers() if layer.id() not in used]
        missing = set(self._takes) - {scene.modality for scene in self.scenes}
        fitting = (layer for layer in layers if SourceBox.kind_of(layer) in missing)
        return next(fitting, layers[0] if layers else None)

    # What is chosen.

    @property
    def boxes(self) -> list[SourceBox]:
        """All inputs, the one that defines the grid first."""
        return [self.first, *self.more]

    @property
    def scenes(self) -> tuple[Any, ...]:
        """The engine's scenes, of the inputs that can be used."""
        return tuple(box.scene for box in self.boxes if box.scene is not None)

    @property
    def use_coords(self) -> bool:
        """Whether the model is told the place."""
        return COORDS in self._takes and self.coords.isChecked()

    @property
    def geo(self) -> Any:
        """What reads all inputs; None where there is none."""
        known = [box.input for box in self.boxes if box.input is not None]
        return joined_geo(known) if known else None

    def recognise(self) -> None:
        """Look at all inputs again where they have changed."""
        for box in self.boxes:
            box.recognise()

    def check(self) -> bool:
        """Whether all inputs can be used together; says next to each why not."""
        seen: set[str] = set()
        fine = True
        for box in self.boxes:
            words = self._complaint(box, seen)
            box.complain(words)
            fine = fine and not words and box.scene is not None
            if box.scene is not None:
                seen.add(box.scene.modality)
        return fine

    def _complaint(self, box: SourceBox, seen: set[str]) -> str:
        if box.scene is None:
            return ""
        modality = box.scene.modality
        if modality in seen:
            return tr("{kind} is an input already; there can be one of each kind.").format(
                kind=input_word(modality)
            )
        if self._takes and modality not in self._takes:
            takes = listing([input_word(kind) for kind in self._takes if kind != COORDS])
            return tr("This model does not take {kind}; it takes {kinds}.").format(
                kind=input_word(modality), kinds=takes
            )
        return ""
