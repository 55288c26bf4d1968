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


class RunBar(QStackedWidget):
    """Two faces: ready, and running."""

    run = pyqtSignal()
    cancel = pyqtSignal()

    def __init__(self, words: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.button = QPushButton(words, self)
        self.button.setAutoDefault(True)
        self.button.clicked.connect(self.run)
        ready = QWidget(self)
        row = QHBoxLayout(ready)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(self.button)
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
        self.setMaximumHeight(self.currentWidget().sizeHint().height())
        self.setMinimumHeight(self.currentWidget().minimumSizeHint().height())

    @property
    def running(self) -> bool:
        """Whether progress shows."""
        return self.currentIndex() == 1

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
