# SPDX-License-Identifier: GPL-2.0-or-later
"""The Generate button, and the progress that takes its place."""

from __future__ import annotations

from typing import Any, Optional

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ..i18n import tr
from ..words import duration, progress_word
from .field import wrapped


class RunBar(QStackedWidget):
    """Two faces: ready, and running. Ready offers to continue where an interrupted run was offered."""

    run = pyqtSignal()
    """The button was pressed; what ``offer`` was told says whether that means to continue."""
    again = pyqtSignal()
    """Start again in place of continuing."""
    cancel = pyqtSignal()

    def __init__(self, words: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._verb = words
        self.left = wrapped(self)
        self.left.hide()
        self.button = QPushButton(words, self)
        self.button.setAutoDefault(True)
        self.button.clicked.connect(self.run)
        self.restart = QPushButton(tr("Start again"), self)
        self.restart.setToolTip(tr("Throw away what the interrupted run has done, and begin anew."))
        self.restart.clicked.connect(self.again)
        self.restart.hide()
        ready = QWidget(self)
        rows = QVBoxLayout(ready)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(6)
        rows.addWidget(self.left)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.restart)
        row.addWidget(self.button)
        rows.addLayout(row)
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.words = QLabel(self)
        self.stop = QPushButton(tr("Cancel"), self)
        self.stop.clicked.connect(self._stop)
        running = QWidget(self)
        column = QVBoxLayout(running)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.bar)
        below = QHBoxLayout()
        below.addWidget(self.words, 1)
        below.addWidget(self.stop)
        column.addLayout(below)
        self.addWidget(ready)
        self.addWidget(running)
        self.currentChanged.connect(self._fit)
        self._fit()

    def _fit(self) -> None:
        """As high as the face that shows, no higher."""
        self.currentWidget().layout().activate()
        self.setMaximumHeight(self.currentWidget().sizeHint().height())
        self.setMinimumHeight(self.currentWidget().minimumSizeHint().height())

    @property
    def running(self) -> bool:
        """Whether progress shows."""
        return self.currentIndex() == 1

    def offer(self, done: int, total: int, *, elsewhere: bool = False) -> None:
        """An interrupted run can be continued; 0 tiles done: there is none.

        ``elsewhere``: it has other settings than those that show.
        """
        found = done > 0
        words = (
            tr("An earlier run was interrupted: {progress} done. It goes on with its own area and settings.")
            if elsewhere
            else tr("Interrupted: {progress} done.")
        )
        self.left.setText(words.format(progress=progress_word(done, total)) if found else "")
        self.left.setVisible(found)
        self.restart.setVisible(found)
        self.button.setText(tr("Continue") if found else self._verb)
        self._fit()

    def set_verb(self, words: str) -> None:
        """What the button does."""
        self._verb = words
        self.button.setText(words)

    def set_ready(self, ready: bool) -> None:
        """Whether a run can start."""
        self.button.setEnabled(ready)
        self.restart.setEnabled(ready)

    def start(self) -> None:
        """Show progress that is not known yet."""
        self.bar.setRange(0, 0)
        self.words.setText(tr("Getting ready…"))
        self.stop.setEnabled(True)
        self.setCurrentIndex(1)

    def show_progress(self, progress: Any) -> None:
        """An engine Progress, in tiles."""
        if not self.running or not self.stop.isEnabled():
            return
        self.bar.setRange(0, max(1, progress.total))
        self.bar.setValue(progress.done)
        words = progress_word(progress.done, progress.total)
        if progress.done >= progress.total:
            words = tr("Writing layers…")
        elif progress.seconds_left is not None:
            left = tr("{time} left").format(time=duration(progress.seconds_left))
            words = f"{words} · {left}"
        self.words.setText(words)

    def end(self) -> None:
        """Show the button again."""
        self.setCurrentIndex(0)

    def _stop(self) -> None:
        self.stop.setEnabled(False)
        self.words.setText(tr("Stopping…"))
        self.cancel.emit()
