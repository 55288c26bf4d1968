# SPDX-License-Identifier: GPL-2.0-or-later
"""Save: where results go."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Optional

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QSizePolicy, QWidget

from ..i18n import tr
from ..settings import Choices
from ..words import listing
from .field import Fold, Note
from .forecasting import disk_problem


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

    def accepts(self, paths: Iterable[str], needed: int) -> bool:
        """Whether results can go there: files to ``paths``, ``needed`` bytes; says what is in the way."""
        folder = self.path()
        if folder and (not os.path.isdir(folder) or not os.access(folder, os.W_OK)):
            self.complain(tr("This folder does not exist or cannot be written."))
            return False
        short = disk_problem(folder, needed)
        if short:
            self.complain(short)
            return False
        there = [os.path.basename(path) for path in paths if os.path.exists(path)]
        if there and not self.overwrite.isChecked():
            self.complain(
                tr("{files} already there; choose another folder, or replace files that exist.").format(
                    files=listing(there)
                )
            )
            return False
        return True
