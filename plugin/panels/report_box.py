# SPDX-License-Identifier: GPL-2.0-or-later
"""How good: the accuracy of a few-shot map in words, and which classes are taken for which."""

from __future__ import annotations

from typing import Any, Optional

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .. import fewshot
from ..i18n import tr
from .field import wrapped

_RIGHT = QColor(34, 136, 51, 70)
_WRONG = QColor(238, 102, 119, 70)
_WIDEST = 12
"""Characters of a class in front of its row; tooltips have them all."""


class ReportBox(QWidget):
    """Gone until there is a report."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.words = wrapped(self)
        self.table = QTableWidget(self)
        self.table.setMinimumWidth(60)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setToolTip(
            tr("Tested pixels. Rows: what they are; columns: what the model took them for. F1: 1 is perfect.")
        )
        for header in (self.table.horizontalHeader(), self.table.verticalHeader()):
            header.setTextElideMode(Qt.TextElideMode.ElideRight)
            header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.verticalHeader().setMaximumWidth(_WIDEST * self.fontMetrics().averageCharWidth())
        self.table.verticalHeader().setDefaultSectionSize(round(1.6 * self.fontMetrics().height()))
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.words)
        layout.addWidget(self.table)

    def show_report(self, report: Any) -> None:
        """Tell one report."""
        confused = fewshot.weakest(report)
        self.words.setText(" ".join(filter(None, (fewshot.report_words(report), confused))))
        names = list(report.classes)
        self.table.setVisible(report.accuracy is not None)
        self.table.setRowCount(len(names))
        self.table.setColumnCount(len(names) + 1)
        self.table.setVerticalHeaderLabels(names)
        self.table.setHorizontalHeaderLabels([*names, "F1"])
        for place, name in enumerate(names):
            self.table.horizontalHeaderItem(place).setToolTip(name)
            self.table.verticalHeaderItem(place).setToolTip(name)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setSectionResizeMode(
            len(names), QHeaderView.ResizeMode.ResizeToContents
        )
        for row, (counts, f1) in enumerate(zip(report.confusion, report.f1)):
            for col, count in enumerate(counts):
                color = _RIGHT if row == col else _WRONG
                self._put(row, col, str(count) if count else "", color if count else None)
            self._put(row, len(names), "–" if f1 is None else f"{f1:.2f}", None)
        height = self.table.horizontalHeader().sizeHint().height() + 2 * self.table.frameWidth()
        height += sum(self.table.rowHeight(row) for row in range(len(names)))
        bar = self.table.horizontalScrollBar().sizeHint().height() if len(names) > 5 else 0
        self.table.setFixedHeight(height + bar)

    def _put(self, row: int, col: int, words: str, color: Optional[QColor]) -> None:
        item = QTableWidgetItem(words)
        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        if color is not None:
            item.setBackground(color)
        self.table.setItem(row, col, item)
