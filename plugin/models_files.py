# SPDX-License-Identifier: GPL-2.0-or-later
"""From files: a model pack of official weights that are on this computer already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtWidgets import QLineEdit, QWidget

from ..inference import OFFICIAL_SIZES, models_folder, official_bytes, official_files
from .download import endpoint
from .i18n import tr
from .jobs import Jobs
from .models_page import (
    DEFAULT_INPUTS,
    DEFAULT_TARGETS,
    OFFICIAL_INPUTS,
    OFFICIAL_TARGETS,
    Choice,
    Page,
    free_name,
)
from .panels.field import wrapped
from .words import amount_word, input_word, listing, target_word

_SUFFIXES = (".pt", ".pth", ".ckpt")


class FilesPage(Page):
    """A checkpoint and a folder of tokenizers."""

    def __init__(self, jobs: Jobs, parent: Optional[QWidget] = None) -> None:
        super().__init__(jobs, tr("Add model"), parent)
        self.checkpoint = QgsFileWidget(self)
        self.checkpoint.setFilter(tr("Checkpoints (*.pt *.pth *.ckpt);;All files (*)"))
        self.checkpoint.lineEdit().setPlaceholderText("TerraMind_v1_tiny.pt")
        self.tokenizers = QgsFileWidget(self)
        self.tokenizers.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.tokenizers.lineEdit().setPlaceholderText("TerraMind_Tokenizer_DEM.pt, …")
        self.name = QLineEdit(self)
        self.name.setPlaceholderText(tr("The model's own name"))
        self.inputs = Choice({key: input_word(key) for key in OFFICIAL_INPUTS}, DEFAULT_INPUTS, self)
        self.targets = Choice({key: target_word(key) for key in OFFICIAL_TARGETS}, DEFAULT_TARGETS, self)
        guide = wrapped(
            self,
            tr(
                "For computers without network: fetch these files on another one, and copy them into one folder of "
                "this one. Terrane makes a model of them in seconds, without PyTorch; nothing is sent anywhere."
            ),
        )
        self._size = OFFICIAL_SIZES[0]
        self.needed = wrapped(self)
        self.needed.setOpenExternalLinks(True)
        self.column.addWidget(guide)
        self.column.addWidget(self.needed)
        self.form.addRow(tr("Checkpoint"), self.checkpoint)
        self.form.addRow(tr("Tokenizers folder"), self.tokenizers)
        self.form.addRow(tr("Takes"), self.inputs)
        self.form.addRow(tr("Makes"), self.targets)
        self.form.addRow(tr("Name"), self.name)
        self.finish_layout()
        self.checkpoint.fileChanged.connect(self._checkpoint_chosen)
        self.tokenizers.fileChanged.connect(self.check)
        self.inputs.changed.connect(self.check)
        self.targets.changed.connect(self.check)
        self.check()

    def show_size(self, size: str) -> None:
        """Name the files of this size."""
        self._size = size
        self.check()

    def _say_files(self) -> None:
        """The files that what is ticked needs, as links."""
        needed = official_files(self._size, self.inputs.chosen(), self.targets.chosen())
        self.needed.setText(
            tr("TerraMind {size}, about {amount}: {files}").format(
                size=self._size,
                amount=amount_word(official_bytes(needed)),
                files=listing([_link(file) for file in needed]),
            )
        )

    def _checkpoint_chosen(self, path: str) -> None:
        folder = os.path.dirname(path)
        if folder and not self.tokenizers.filePath() and any("Tokenizer" in name for name in _names(folder)):
            self.tokenizers.setFilePath(folder)
        self.check()

    def check(self) -> None:
        """The button is enabled when everything is named; the note says what is missing in what is named."""
        path, folder = self.checkpoint.filePath(), self.tokenizers.filePath()
        problem = ""
        if path and not os.path.isfile(path):
            problem = tr("There is no file {path}.").format(path=path)
        elif folder and not os.path.isdir(folder):
            problem = tr("There is no folder {path}.").format(path=folder)
        elif path and not path.lower().endswith(_SUFFIXES):
            problem = tr("A checkpoint ends in .pt, .pth or .ckpt.")
        self.note.say(problem)
        self._say_files()
        named = path and folder and self.inputs.chosen() and self.targets.chosen()
        self.button.setEnabled(self.running or bool(named and not problem))

    def begin(self) -> None:
        """Make the pack in a background task."""
        from ..inference import convert_checkpoint

        checkpoint, tokenizers = self.checkpoint.filePath(), self.tokenizers.filePath()
        inputs, targets = self.inputs.chosen(), self.targets.chosen()
        name = self.name.text().strip() or None
        output = models_folder() / free_name(models_folder(), name or Path(checkpoint).stem)

        def run(progress: Any, cancel: Any) -> Any:
            return convert_checkpoint(
                checkpoint, tokenizers, inputs, targets, output, name=name, progress=progress, cancel=cancel
            )

        self.work(tr("Terrane: adding a model"), run)


def _link(file: Any) -> str:
    return f'<a href="{endpoint()}/{file.repo}/resolve/main/{file.name}">{file.local_name}</a>'


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []
