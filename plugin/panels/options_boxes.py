# SPDX-License-Identifier: GPL-2.0-or-later
"""Into, Quality and Save: what to make, how well, and where it goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Optional

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..i18n import tr
from ..settings import Choices
from ..words import preset_word, target_word, unit_word
from .field import Fold, Note, find_data, wrapped

PRESET_ORDER = ("fast", "balanced", "exact")
DEFAULT_TARGETS = ("DEM", "LULC")
_ORDER = ("DEM", "LULC", "NDVI")


class TargetsBox(QWidget):
    """Check boxes for what the model can make."""

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.boxes: dict[str, QCheckBox] = {}
        self._wanted: tuple[str, ...] = DEFAULT_TARGETS
        """What to tick among what the next model offers."""
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(3)
        self.note = Note(parent=self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._grid)
        layout.addWidget(self.note)

    def offer(self, targets: Sequence[str]) -> None:
        """Show these targets; what was ticked before stays ticked."""
        known = [target for target in _ORDER if target in targets]
        known += [target for target in targets if target not in known]
        if known == list(self.boxes):
            return
        ticked = self.targets() or self._wanted
        for box in self.boxes.values():
            self._grid.removeWidget(box)
            box.deleteLater()
        self.boxes = {}
        for row, target in enumerate(known):
            box = QCheckBox(target_word(target), self)
            box.setToolTip(unit_word(target))
            box.setChecked(target in ticked)
            box.toggled.connect(self.changed)
            self._grid.addWidget(box, row, 0)
            self.boxes[target] = box

    def targets(self) -> tuple[str, ...]:
        """What is ticked, in the order in which it is made."""
        return tuple(target for target, box in self.boxes.items() if box.isChecked())

    def set_targets(self, targets: Sequence[str]) -> None:
        """Tick these and no others; those that no model offers yet are ticked when one does."""
        self._wanted = tuple(targets)
        for target, box in self.boxes.items():
            box.blockSignals(True)
            box.setChecked(target in targets)
            box.blockSignals(False)
        self.changed.emit()


class QualityBox(Fold):
    """The preset first; what experts turn behind it."""

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("Quality"), parent)
        self.preset = QComboBox(self)
        for preset in PRESET_ORDER:
            self.preset.addItem(preset_word(preset)[0], preset)
        self.summary = wrapped(self)
        self.body.addWidget(self.preset)
        self.body.addWidget(self.summary)
        self.expert = Fold(tr("Expert"), self)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.seed = QSpinBox(self)
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip(tr("Exact results are drawn: the same seed draws the same result again."))
        self.grid = QComboBox(self)
        self.grid.addItem(tr("The model's"), "model")
        self.grid.addItem(tr("The layer's"), "input")
        self.grid.setToolTip(
            tr(
                "Whose pixels the results have. They are the same where the layer has the "
                "model's pixel size in metres; else results are warped to the layer's pixels."
            )
        )
        self.batch = QSpinBox(self)
        self.batch.setRange(0, 64)
        self.batch.setSpecialValueText(tr("Automatic"))
        self.batch.setToolTip(tr("Tiles that run through the model at once: more need more memory."))
        form.addRow(tr("Seed"), self.seed)
        form.addRow(tr("Pixel grid"), self.grid)
        form.addRow(tr("Tiles at once"), self.batch)
        self.expert.body.addLayout(form)
        self.body.addWidget(self.expert)
        self.preset.currentIndexChanged.connect(self._changed)
        self.grid.currentIndexChanged.connect(self._changed)
        self.set_choices(Choices())

    def set_choices(self, value: Choices) -> None:
        """Show remembered choices."""
        self.preset.setCurrentIndex(max(0, find_data(self.preset, value.preset)))
        self.grid.setCurrentIndex(max(0, find_data(self.grid, value.grid)))
        self.seed.setValue(value.seed)
        self.batch.setValue(value.batch)
        self._changed()

    def _changed(self) -> None:
        name, words = preset_word(self.preset.currentData())
        self.summary.setText(words)
        self.setTitle(tr("Quality: {preset}").format(preset=name))
        self.changed.emit()


class SaveBox(Fold):
    """Temporary layers, or files in a folder."""

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("Save"), parent)
        self.folder = QgsFileWidget(self)
        self.folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.folder.setDialogTitle(tr("Folder for the results"))
        self.folder.lineEdit().setPlaceholderText(tr("[Temporary layers]"))
        self.folder.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.folder.setToolTip(tr("Empty: temporary layers, gone when QGIS closes."))
        self.overwrite = QCheckBox(tr("Replace files that exist"), self)
        self.body.addWidget(self.folder)
        self.body.addWidget(self.overwrite)
        self.note = Note(parent=self)
        self.body.addWidget(self.note)
        self.folder.fileChanged.connect(self._changed)
        self.overwrite.toggled.connect(self._changed)
        self._changed()

    def path(self) -> str:
        """The folder; empty for temporary layers."""
        return str(self.folder.filePath()).strip()

    def set_choices(self, value: Choices) -> None:
        """Show remembered choices; a folder that is gone is forgotten."""
        self.folder.setFilePath(value.folder if os.path.isdir(value.folder) else "")
        self.overwrite.setChecked(value.overwrite)
        self._changed()

    def _changed(self) -> None:
        path = self.path()
        name = os.path.basename(os.path.normpath(path)) if path else tr("temporary layers")
        self.setTitle(tr("Save: {place}").format(place=name))
        self.overwrite.setEnabled(bool(path))
        self.changed.emit()

    def complain(self, words: str) -> None:
        """Say what is wrong here, unfolded so that it is seen."""
        self.note.say(words)
        if words:
            self.setCollapsed(False)
