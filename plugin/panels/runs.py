# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs: the last ones, to go on with, to do again, or to take elsewhere."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QDateTime, QLocale, QSize, Qt
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .. import results, run_texts, runs
from ..i18n import tr
from ..icons import icon, theme
from ..words import duration, listing, progress_word
from ..workbench import Workbench
from .field import Note, wrapped

_PICTURES = {"DEM": "elevation", "LULC": "landcover", "NDVI": "ndvi"}
_ROLE = Qt.ItemDataRole.UserRole


class RunsPanel(QWidget):
    """A list, newest first, and what can be done with the chosen run."""

    def __init__(self, bench: Workbench, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self.list = QListWidget(self)
        self.list.setWordWrap(True)
        self.list.setIconSize(QSize(24, 24))
        self.list.setAlternatingRowColors(True)
        self.list.setAccessibleName(tr("Runs"))
        self.empty = wrapped(self, tr("Runs of the Generate tab are listed here."))
        self.note = Note(parent=self)
        self.repeat = QPushButton(tr("Run again"), self)
        self.repeat.setAutoDefault(True)
        self.copy = QToolButton(self)
        self.copy.setIcon(theme("mActionEditCopy"))
        self.copy.setAccessibleName(tr("Copy as"))
        self.copy.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.copy)
        menu.addAction(tr("Terminal command"), lambda: self._copy(run_texts.as_command))
        menu.addAction(tr("Python (Processing)"), lambda: self._copy(run_texts.as_call))
        self.copy.setMenu(menu)
        self.forget = QToolButton(self)
        self.forget.setIcon(theme("mActionRemove"))
        self.forget.setAccessibleName(tr("Forget"))
        self.forget.setToolTip(
            tr("Takes the run off this list, and throws away what an unfinished one has done.")
        )
        row = QHBoxLayout()
        row.addWidget(self.copy)
        row.addWidget(self.forget)
        row.addStretch(1)
        row.addWidget(self.repeat)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 9)
        layout.setSpacing(6)
        layout.addWidget(self.empty)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.note)
        layout.addLayout(row)
        self.list.currentItemChanged.connect(lambda *_: self._chosen())
        self.list.itemActivated.connect(lambda _item: self._repeat())
        self.repeat.clicked.connect(self._repeat)
        self.forget.clicked.connect(self._forget)

    def activate(self) -> None:
        """The panel is being looked at."""
        self.list.clear()
        for run in runs.load():
            item = QListWidgetItem(icon(_picture(run)), self._words(run), self.list)
            item.setData(_ROLE, run)
            item.setToolTip("\n".join(run.outputs.values()))
        self.empty.setVisible(self.list.count() == 0)
        if self.list.count():
            self.list.setCurrentRow(0)
        self._chosen()

    def close_tools(self) -> None:
        """The plugin is being unloaded."""

    @property
    def run(self) -> Optional[runs.Run]:
        """The chosen run."""
        item = self.list.currentItem()
        return item.data(_ROLE) if item is not None else None

    @staticmethod
    def _words(run: runs.Run) -> str:
        when = QLocale().toString(
            QDateTime.fromSecsSinceEpoch(int(run.started)), QLocale.FormatType.ShortFormat
        )
        made = listing(results.result_words(list(run.request["targets"])))
        journal = _journal(run)
        if run.state == runs.DONE:
            state = tr("done in {time}").format(time=duration(run.seconds))
        elif journal is not None and journal.done:
            state = tr("interrupted, {progress} done").format(
                progress=progress_word(journal.done, journal.total)
            )
        else:
            state = tr("stopped")
        return f"{run.title} → {made}\n{when} · {state}"

    def _chosen(self) -> None:
        run = self.run
        self.note.say("")
        for widget in (self.repeat, self.copy, self.forget):
            widget.setEnabled(run is not None)
        if run is None:
            return
        journal = _journal(run)
        unfinished = journal is not None and journal.done
        self.repeat.setText(tr("Continue") if unfinished else tr("Run again"))
        text = run_texts.can_be_text(run)
        self.copy.setEnabled(text)
        self.copy.setToolTip(
            ""
            if text
            else tr("Inputs that are no files, and areas that are polygons, cannot be written down.")
        )

    def _repeat(self) -> None:
        run = self.run
        if run is not None and self.bench.repeat is not None:
            journal = _journal(run)
            self.bench.repeat(run, resume=bool(journal is not None and journal.done))

    def _copy(self, text: Any) -> None:
        if self.run is not None:
            QgsApplication.clipboard().setText(text(self.run))

    def _forget(self) -> None:
        from ...inference import TerraneError, discard_journal

        run = self.run
        if run is None:
            return
        try:
            if run.state != runs.DONE:
                discard_journal(run.outputs)
        except TerraneError as error:
            self.note.say(str(error))
            return
        runs.forget(run)
        self.activate()


def _journal(run: runs.Run) -> Any:
    from ...inference import find_journal

    return None if run.state == runs.DONE else find_journal(run.outputs)


def _picture(run: runs.Run) -> str:
    return next((_PICTURES[key] for key in run.request["targets"] if key in _PICTURES), "terrane")
