# SPDX-License-Identifier: GPL-2.0-or-later
"""Small pieces that panels are made of."""

from __future__ import annotations

from typing import Optional

from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QStyle, QVBoxLayout, QWidget

from ..icons import theme


class Note(QWidget):
    """A line of text with an icon, next to the field that it is about; gone while it is empty."""

    def __init__(self, icon: str = "mIconWarning", parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._icon = QLabel(self)
        size = self.style().pixelMetric(QStyle.PixelMetric.PM_SmallIconSize)
        self._icon.setPixmap(theme(icon).pixmap(QSize(size, size)))
        self.text = wrapped(self)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.text, 1)
        self.hide()

    def say(self, words: str) -> None:
        """Show the words; none hides the line."""
        self.text.setText(words)
        self.setVisible(bool(words))

    def words(self) -> str:
        """What it says now."""
        return str(self.text.text())


class Fold(QgsCollapsibleGroupBox):
    """A group that starts folded, and whose title tells what is set inside."""

    def __init__(self, title: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(title, parent)
        self.setFlat(True)
        self.setCollapsed(True)
        self.setSaveCollapsedState(False)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 6, 0, 6)
        self.body.setSpacing(6)


def wrapped(parent: Optional[QWidget] = None, text: str = "") -> QLabel:
    """A label that wraps and never makes the dock wider."""
    label = QLabel(text, parent)
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label


def caption(text: str, buddy: QWidget, parent: Optional[QWidget] = None) -> QLabel:
    """A field's label, at the top of its row."""
    label = QLabel(text, parent)
    label.setBuddy(buddy)
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    # In line with the text of a combo box or radio button, not with its frame.
    label.setContentsMargins(0, 4, 0, 0)
    return label


def find_data(combo: QComboBox, data: object) -> int:
    """The first item with this data, compared as Python does; -1 where there is none."""
    for index in range(combo.count()):
        if combo.itemData(index) == data:
            return index
    return -1
