# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages of the models dialog share: a form, a note, progress, and a button that becomes Cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..inference import TerraneError
from . import log
from .i18n import tr
from .jobs import Jobs, Task
from .panels.field import Note

LICENCE = "https://www.apache.org/licenses/LICENSE-2.0"
"""Of the official weights (``OFFICIAL_LICENSE``)."""
OFFICIAL_INPUTS = ("S2L2A", "S2L1C", "RGB", "S1GRD", "S1RTC", "DEM", "LULC", "NDVI", "COORDS")
OFFICIAL_TARGETS = ("DEM", "LULC", "NDVI", "S1GRD", "S1RTC", "S2L2A", "COORDS")
DEFAULT_INPUTS, DEFAULT_TARGETS = ("S2L2A",), ("DEM", "LULC")
"""What is fetched where nothing else is chosen: the tokenizers of more are gigabytes."""


class Page(QWidget):
    """A way to get a model. Emits ``added`` with the new model's id."""

    added = pyqtSignal(str)

    def __init__(self, jobs: Jobs, verb: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._jobs, self._verb = jobs, verb
        self._task: Optional[Task] = None
        self.note = Note(parent=self)
        self.bar = QProgressBar(self)
        self.bar.hide()
        self.button = QPushButton(verb, self)
        self.button.setAutoDefault(True)
        self.button.clicked.connect(self.press)
        self.column = QVBoxLayout(self)
        self.column.setSpacing(9)
        self.form = QFormLayout()
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setVerticalSpacing(6)

    def finish_layout(self) -> None:
        """Form, note, progress and button, below what the page has added itself."""
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addStretch(0)
        row.addWidget(self.button)
        self.column.addLayout(self.form)
        self.column.addWidget(self.note)
        self.column.addStretch(1)
        self.column.addLayout(row)

    @property
    def running(self) -> bool:
        """Whether anything is under way."""
        return self._task is not None

    def press(self) -> None:
        """Begin, or stop."""
        if self.running:
            self.stop()
        else:
            self.begin()

    def begin(self) -> None:
        """Do what the page is for."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop what is under way."""
        if self._task is not None:
            self._task.cancel()

    def work(self, title: str, run: Callable[[Any, Any], Any]) -> None:
        """Run in the background; the result is a pack, or its id."""
        self._task = Task(title, run)
        self._task.progress.connect(self._show)
        self._task.ended.connect(self._ended)
        self.show_busy()
        self._jobs.start(self._task)

    def show_busy(self) -> None:
        """Progress shows, and the button stops it."""
        self.note.say("")
        self.bar.setRange(0, 0)
        self.bar.show()
        self.button.setText(tr("Cancel"))
        self.button.setEnabled(True)

    def show_idle(self) -> None:
        """The button begins again."""
        self.bar.hide()
        self.button.setText(self._verb)
        self.check()

    def check(self) -> None:
        """Enable the button when everything is named, and say what is wrong with what is named."""

    def _show(self, progress: Any) -> None:
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * progress.fraction))
        self.bar.setToolTip(progress.message)

    def _ended(self, task: Task) -> None:
        self._task = None
        self.show_idle()
        if task.error is None:
            self.succeeded(task.result)
        elif isinstance(task.error, TerraneError):
            self.note.say(str(task.error))
        else:
            self.note.say(tr("Terrane stopped because of a bug; the log has the details for a report."))

    def succeeded(self, result: Any) -> None:
        """A model was added."""
        model = getattr(result, "id", result)
        log.info(str(model))
        self.added.emit(str(model))


class Choice(QWidget):
    """Check boxes for modalities, in two columns."""

    changed = pyqtSignal()

    def __init__(
        self, words: dict[str, str], ticked: tuple[str, ...], parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(3)
        self.boxes: dict[str, QCheckBox] = {}
        for place, (key, word) in enumerate(words.items()):
            box = QCheckBox(word, self)
            box.setChecked(key in ticked)
            box.toggled.connect(self.changed)
            grid.addWidget(box, place // 2, place % 2)
            self.boxes[key] = box

    def chosen(self) -> list[str]:
        """What is ticked."""
        return [key for key, box in self.boxes.items() if box.isChecked()]


def free_name(folder: Path, stem: str) -> str:
    """A folder name that is not taken."""
    safe = "".join(char if char.isalnum() or char in "-_." else "-" for char in stem).strip("-.") or "model"
    name, number = safe, 2
    while (folder / name).exists():
        name, number = f"{safe}-{number}", number + 1
    return name
