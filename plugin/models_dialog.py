# SPDX-License-Identifier: GPL-2.0-or-later
"""Get TerraMind…: where the official weights are, and making a model pack of them on this computer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..inference import TerraneError, models_folder
from . import log
from .i18n import tr
from .jobs import Jobs, Task
from .panels.field import Note, wrapped
from .words import target_word

HUB = "https://huggingface.co/ibm-esa-geospatial"
SIZES = (("tiny", 15.1), ("small", 50.3), ("base", 228.0), ("large", 745.0))
"""Parameters in millions of the official models (paper, and terratorch's register); float32: 4 bytes each."""
TARGETS = ("DEM", "LULC", "NDVI")
_SUFFIXES = (".pt", ".pth", ".ckpt")


class ModelsDialog(QDialog):
    """Emits ``added`` with the new model's id."""

    added = pyqtSignal(str)

    def __init__(self, jobs: Jobs, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Get TerraMind"))
        self.resize(520, 0)
        self._jobs = jobs
        self._task: Optional[Task] = None
        self.checkpoint = QgsFileWidget(self)
        self.checkpoint.setFilter(tr("Checkpoints (*.pt *.pth *.ckpt);;All files (*)"))
        self.checkpoint.lineEdit().setPlaceholderText("TerraMind_v1_tiny.pt")
        self.tokenizers = QgsFileWidget(self)
        self.tokenizers.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.tokenizers.lineEdit().setPlaceholderText("TerraMind_Tokenizer_DEM.pt, …")
        self.name = QLineEdit(self)
        self.name.setPlaceholderText(tr("The model's own name"))
        self.targets = {target: QCheckBox(target_word(target), self) for target in TARGETS}
        for target, box in self.targets.items():
            box.setChecked(target != "NDVI")
            box.toggled.connect(self._check)
        self.note = Note(parent=self)
        self.bar = QProgressBar(self)
        self.bar.hide()
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Close, self)
        self.buttons.rejected.connect(self.reject)
        self.add = QPushButton(tr("Add model"), self)
        self.add.setDefault(True)
        self.add.clicked.connect(self.convert)
        self.buttons.addButton(self.add, QDialogButtonBox.ButtonRole.ActionRole)
        self._lay_out()
        self.checkpoint.fileChanged.connect(self._checkpoint_chosen)
        self.tokenizers.fileChanged.connect(self._check)
        self._check()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setSpacing(9)
        layout.addWidget(self._guide())
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(6)
        form.addRow(tr("Checkpoint"), self.checkpoint)
        form.addRow(tr("Tokenizers folder"), self.tokenizers)
        boxes = QHBoxLayout()
        for box in self.targets.values():
            boxes.addWidget(box)
        boxes.addStretch(1)
        form.addRow(tr("Can make"), boxes)
        form.addRow(tr("Name"), self.name)
        layout.addLayout(form)
        layout.addWidget(self.note)
        layout.addWidget(self.bar)
        layout.addStretch(1)
        layout.addWidget(self.buttons)

    def _guide(self) -> QLabel:
        sizes = ", ".join(f"{name} ({self._megabytes(millions)})" for name, millions in SIZES)
        links = f'<a href="{HUB}">huggingface.co/ibm-esa-geospatial</a>'
        text = "".join(
            f"<p>{line}</p>"
            for line in (
                tr("IBM and ESA publish TerraMind's weights under the Apache 2.0 licence at {link}.").format(
                    link=links
                ),
                tr(
                    "1. Download one checkpoint, TerraMind_v1_….pt: {sizes}. Larger ones are better and slower."
                ).format(sizes=sizes),
                tr(
                    "2. Download the tokenizer of everything you want to make, TerraMind_Tokenizer_DEM.pt and so on "
                    "(up to 1.2 GB each), into one folder."
                ),
                tr(
                    "3. Choose both below. Terrane makes a model of them in seconds, without PyTorch; "
                    "nothing is sent anywhere."
                ),
            )
        )
        label = wrapped(self, text)
        label.setOpenExternalLinks(True)
        return label

    @staticmethod
    def _megabytes(millions: float) -> str:
        megabytes = millions * 4
        return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"

    def _checkpoint_chosen(self, path: str) -> None:
        folder = os.path.dirname(path)
        if folder and not self.tokenizers.filePath() and any("Tokenizer" in name for name in _names(folder)):
            self.tokenizers.setFilePath(folder)
        self._check()

    def _check(self) -> None:
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
        ready = bool(path and folder and self._wanted() and not problem and self._task is None)
        self.add.setEnabled(ready)

    def _wanted(self) -> list[str]:
        return [target for target, box in self.targets.items() if box.isChecked()]

    def convert(self) -> None:
        """Make the pack in a background task."""
        from ..inference import convert_checkpoint

        checkpoint, tokenizers = self.checkpoint.filePath(), self.tokenizers.filePath()
        wanted, name = self._wanted(), self.name.text().strip() or None
        output = models_folder() / _free_name(models_folder(), name or Path(checkpoint).stem)

        def work(progress: Any, cancel: Any) -> Any:
            return convert_checkpoint(
                checkpoint, tokenizers, ["S2L2A"], wanted, output, name=name, progress=progress, cancel=cancel
            )

        self._task = Task(tr("Terrane: adding a model"), work)
        self._task.progress.connect(self._show)
        self._task.ended.connect(self._ended)
        self.note.say("")
        self.bar.setRange(0, 0)
        self.bar.show()
        self._check()
        self._jobs.start(self._task)

    def _show(self, progress: Any) -> None:
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * progress.fraction))

    def _ended(self, task: Task) -> None:
        self._task = None
        self.bar.hide()
        self._check()
        if task.error is None:
            log.info(f"{task.result.name}: {task.result.root}")
            self.added.emit(task.result.id)
            self.accept()
        elif isinstance(task.error, TerraneError):
            self.note.say(str(task.error))
        else:
            self.note.say(tr("Terrane stopped because of a bug; the log has the details for a report."))

    def reject(self) -> None:
        """Closing stops a conversion that runs."""
        if self._task is not None:
            self._task.cancel()
            return
        super().reject()


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _free_name(folder: Path, stem: str) -> str:
    """A folder name that is not taken."""
    safe = "".join(char if char.isalnum() or char in "-_." else "-" for char in stem).strip("-.") or "model"
    name, number = safe, 2
    while (folder / name).exists():
        name, number = f"{safe}-{number}", number + 1
    return name
