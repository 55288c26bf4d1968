# SPDX-License-Identifier: GPL-2.0-or-later
"""Tabs that go on in a second row where the dock is narrow: every title stays readable."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QEvent, QPoint, QRect, QSize, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QButtonGroup, QSizePolicy, QToolButton, QWidget

_GAP = 2
"""Pixels between buttons."""


class TabRows(QWidget):
    """One button per tab, of which one is pressed; ``QTabBar``'s names for what both can do."""

    currentChanged = pyqtSignal(int)

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def addTab(self, title: str) -> int:
        """Add a tab behind the others; returns its number. The first one is the current one."""
        button = QToolButton(self)
        button.setText(title)
        button.setCheckable(True)
        button.setAutoRaise(True)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        number = self.count()
        self._group.addButton(button, number)
        button.setChecked(number == 0)
        button.toggled.connect(lambda on: self.currentChanged.emit(number) if on else None)
        button.show()
        self._arrange()
        return number

    def count(self) -> int:
        """How many there are."""
        return len(self._group.buttons())

    def tabText(self, number: int) -> str:
        """A tab's title."""
        return str(self._group.button(number).text())

    def currentIndex(self) -> int:
        """The current tab's number, -1 where there is none."""
        return int(self._group.checkedId())

    def setCurrentIndex(self, number: int) -> None:
        """Go to a tab."""
        self._group.button(number).setChecked(True)

    def heightForWidth(self, width: int) -> int:
        """See QWidget."""
        places = self._places(width)
        return max((place.bottom() + 1 for place in places), default=0)

    def sizeHint(self) -> QSize:
        """See QWidget."""
        width = self.width()
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """See QWidget: as wide as the longest title."""
        widest = max((button.sizeHint().width() for button in self._group.buttons()), default=0)
        return QSize(widest, self.heightForWidth(max(self.width(), widest)))

    def resizeEvent(self, _event: object) -> None:
        """See QWidget."""
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        """See QWidget: another font needs other places."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._arrange()

    def _arrange(self) -> None:
        for button, place in zip(self._group.buttons(), self._places(self.width())):
            button.setGeometry(place)
        self.setFixedHeight(max(1, self.heightForWidth(self.width())))

    def _places(self, width: int) -> list[QRect]:
        """Where the buttons go: as few rows as fit, equally many in each, equally wide in a row's whole width."""
        hints = [button.sizeHint() for button in self._group.buttons()]
        if not hints:
            return []
        high = max(hint.height() for hint in hints)
        rows = next(
            (rows for rows in range(1, len(hints)) if _fits(hints, -(-len(hints) // rows), width)), len(hints)
        )
        each = -(-len(hints) // rows)
        places = []
        for number in range(len(hints)):
            row, column = divmod(number, each)
            left, right = (round(at * (width + _GAP) / each) for at in (column, column + 1))
            corner = QPoint(left, row * (high + _GAP))
            places.append(QRect(corner, QSize(max(1, right - left - _GAP), high)))
        return places


def _fits(hints: list[QSize], each: int, width: int) -> bool:
    """Whether so many buttons a row have room for their titles, all columns of one width."""
    return each * (max(hint.width() for hint in hints) + _GAP) - _GAP <= width
