# SPDX-License-Identifier: GPL-2.0-or-later
"""Mark: the tools that show an object on the map, what the model says to it, and yes or no."""

from __future__ import annotations

from typing import Optional

from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QSize, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from ..i18n import tr
from ..icons import theme
from ..prompt_tools import BOX, KINDS, POINT, POLYGON, SCRIBBLE, PromptTool
from .field import Note, wrapped

_ICONS = {
    POINT: "mActionCapturePoint",
    BOX: "mActionRectangleExtent",
    SCRIBBLE: "mActionStreamingDigitize",
    POLYGON: "mActionCapturePolygon",
}
_ICON = 20
"""Pixels."""


def tool_word(kind: str) -> str:
    """What a tool is called."""
    return {POINT: tr("Point"), BOX: tr("Box"), SCRIBBLE: tr("Scribble"), POLYGON: tr("Polygon")}[kind]


def tool_help(kind: str) -> str:
    """What a tool does, while it is in hand."""
    return {
        POINT: tr("Click on the object. Right click, or Ctrl: this does not belong to it."),
        BOX: tr("Drag a box around the object. Then click to add or take away."),
        SCRIBBLE: tr("Draw a stroke over the object. Right button, or Ctrl: this does not belong to it."),
        POLYGON: tr(
            "Click around the object; right click or Enter closes. Ctrl at the first: does not belong."
        ),
    }[kind]


class MarkBox(QWidget):
    """Tool buttons; ``accept``, ``undo`` and ``reject`` by button. The panel owns what the marks are."""

    picked_up = pyqtSignal(str)
    """A tool was taken in hand."""
    accept = pyqtSignal()
    undo = pyqtSignal()
    reject = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.tool = PromptTool(canvas)
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(False)  # none may be in hand
        tools = QHBoxLayout()
        tools.setSpacing(3)
        for kind in KINDS:
            button = QToolButton(self)
            button.setIcon(theme(_ICONS[kind]))
            button.setIconSize(QSize(_ICON, _ICON))
            button.setCheckable(True)
            button.setAutoRaise(True)
            button.setToolTip(f"<b>{tool_word(kind)}</b><br>{tool_help(kind)}")
            button.setAccessibleName(tool_word(kind))
            button.clicked.connect(lambda on, kind=kind: self._clicked(kind, on))
            self._group.addButton(button)
            self.buttons[kind] = button
            tools.addWidget(button)
        tools.addStretch(1)
        self.words = wrapped(self)
        # Two lines whatever it says: the buttons below stay under the mouse.
        self.words.setMinimumHeight(2 * self.words.fontMetrics().lineSpacing())
        self.words.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.note = Note(parent=self)
        self.yes = QPushButton(tr("Accept"), self)
        self.yes.setToolTip(tr("Keep this object (Enter)"))
        self.back = QPushButton(tr("Undo"), self)
        self.back.setToolTip(tr("Take back the last mark (Backspace)"))
        self.no = QPushButton(tr("Reject"), self)
        self.no.setToolTip(tr("Forget this object (Delete or Esc)"))
        answers = QHBoxLayout()
        answers.setSpacing(6)
        for button, signal in ((self.yes, self.accept), (self.back, self.undo), (self.no, self.reject)):
            button.clicked.connect(lambda _on=False, signal=signal: signal.emit())
            answers.addWidget(button)
        answers.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(tools)
        layout.addWidget(self.words)
        layout.addWidget(self.note)
        layout.addLayout(answers)
        self.tool.ended.connect(self._put_down)
        self.show_state("", marks=False, answer=False)

    @property
    def kind(self) -> str:
        """The tool in hand; empty: none."""
        return next((kind for kind, button in self.buttons.items() if button.isChecked()), "")

    def choose(self, kind: str) -> None:
        """Take a tool in hand."""
        for one, button in self.buttons.items():
            button.setChecked(one == kind)
        self.tool.begin(kind)
        self.picked_up.emit(kind)

    def _clicked(self, kind: str, on: bool) -> None:
        if on:
            self.choose(kind)
        else:
            self.tool.cancel()

    def _put_down(self) -> None:
        for button in self.buttons.values():
            button.setChecked(False)
        self.picked_up.emit("")

    def set_usable(self, usable: bool) -> None:
        """Whether the tools can be taken."""
        for button in self.buttons.values():
            button.setEnabled(usable)
        if not usable and self.kind:
            self.tool.cancel()

    def show_state(self, words: str, *, marks: bool, answer: bool) -> None:
        """What goes on, and which answers can be given."""
        self.words.setText(
            words or (tool_help(self.kind) if self.kind else tr("Take a tool, and show an object."))
        )
        self.yes.setEnabled(answer)
        self.back.setEnabled(marks)
        self.no.setEnabled(marks)

    def close_tools(self) -> None:
        """Give the mouse back, and leave nothing on the map."""
        self.tool.blockSignals(True)
        self.tool.cancel()
        self.tool.remove()
