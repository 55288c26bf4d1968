# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of each class became what, as a table with sums."""

from __future__ import annotations

from typing import Any, Optional

from qgis.PyQt.QtCore import QLocale, Qt
from qgis.PyQt.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem, QWidget

from .. import change
from ..i18n import tr

_ROWS = 9
"""Rows that show without scrolling."""


class MatrixTable(QTableWidget):
    """Rows are what was, columns what is; areas, with the pixels in each cell's tip."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName(tr("Transitions"))
        self.setToolTip(tr("Rows: the first date. Columns: the second date."))
        small = self.font()
        small.setPointSizeF(0.9 * small.pointSizeF() if small.pointSizeF() > 0 else 9.0)
        self.setFont(small)

    def show_transitions(self, found: Any) -> str:
        """Take the engine's Transitions; returns the unit of the areas."""
        names = [found.name(value) for value in found.classes] + [tr("All")]
        count = len(names)
        self.setRowCount(count)
        self.setColumnCount(count)
        self.setVerticalHeaderLabels(names)
        self.setHorizontalHeaderLabels(["→ " + name for name in names[:-1]] + names[-1:])
        rows = (*range(count - 1), slice(None))
        unit = change.table_unit(float(found.area.sum()))
        for i, row in enumerate(rows):
            for j, col in enumerate(rows):
                pixels, area = int(found.pixels[row, col].sum()), float(found.area[row, col].sum())
                item = self._cell(pixels, area, unit)
                font = item.font()
                font.setItalic(count - 1 in (i, j))
                font.setBold(pixels > 0 and i != j and not font.italic())
                item.setFont(font)
                self.setItem(i, j, item)
        self.resizeColumnsToContents()
        self.resizeRowsToContents()
        self._fit()
        return unit[1]

    @staticmethod
    def _cell(pixels: int, area: float, unit: tuple[float, str, int]) -> QTableWidgetItem:
        """An area in the table's unit, with what it is exactly in its tip."""
        size, _, digits = unit
        least = 10.0**-digits
        words = QLocale().toString(max(area / size, least), "f", digits) if pixels else "–"
        if pixels and area / size < least / 2:
            words = f"< {words}"
        item = QTableWidgetItem(words)
        item.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
        item.setToolTip(tr("{area} · {count} pixels").format(area=change.area_word(area), count=pixels))
        return item

    def _fit(self) -> None:
        """As high as its rows, up to a limit."""
        shown = sum(self.rowHeight(row) for row in range(min(self.rowCount(), _ROWS)))
        bar = self.horizontalScrollBar().sizeHint().height()
        self.setFixedHeight(shown + self.horizontalHeader().sizeHint().height() + bar + 2 * self.frameWidth())
