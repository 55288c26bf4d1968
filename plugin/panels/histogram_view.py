# SPDX-License-Identifier: GPL-2.0-or-later
"""A histogram with a line that one drags: what lies to its right is meant."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any, Optional

from qgis.PyQt.QtCore import QLineF, QPointF, QRectF, QSize, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from qgis.PyQt.QtWidgets import QSizePolicy, QWidget

from ..change import OUTLINE
from ..i18n import tr

_HEIGHT = 120
_MARGIN = 6
_GRIP = 5
"""Half the width of the handle that sits on the line."""
_STEP, _LEAP = 1 / 400, 1 / 20
"""Parts of the axis that keys move the line by."""


class HistogramView(QWidget):
    """Bars as high as the square root of their counts: few places changed much, and they shall be seen.

    Emits ``moved`` with the threshold whenever the user moves the line, by mouse or arrow keys.
    """

    moved = pyqtSignal(float)

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._counts: list[int] = []
        self._edges: list[float] = []
        self._threshold = 0.0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setAccessibleName(tr("Threshold of change"))
        self.setToolTip(tr("Drag the line: what lies to its right counts as change."))

    def sizeHint(self) -> QSize:
        """See QWidget."""
        return QSize(240, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """See QWidget."""
        return QSize(120, _HEIGHT)

    @property
    def threshold(self) -> float:
        """Where the line stands."""
        return self._threshold

    def show_histogram(self, counts: Sequence[int], edges: Sequence[float], threshold: float) -> None:
        """Take counts (n) between edges (n + 1), and the line's place."""
        self._counts, self._edges = list(counts), list(edges)
        self.set_threshold(threshold)

    def set_threshold(self, threshold: float) -> None:
        """Move the line, without a signal."""
        self._threshold = min(max(threshold, self._low), self._high)
        self.update()

    @property
    def _low(self) -> float:
        return self._edges[0] if self._edges else 0.0

    @property
    def _high(self) -> float:
        return self._edges[-1] if self._edges else 0.0

    def above(self) -> float:
        """How many of what was counted lie right of the line; the bin under it counts in part."""
        if not self._counts or self._threshold >= self._high:
            return 0.0
        place = max(0, bisect.bisect_right(self._edges, self._threshold) - 1)
        left, right = self._edges[place], self._edges[place + 1]
        part = (right - self._threshold) / (right - left) if right > left else 0.0
        return sum(self._counts[place + 1 :]) + self._counts[place] * part

    # Between values and pixels.

    def _frame(self) -> QRectF:
        text = self.fontMetrics().height()
        return QRectF(_MARGIN, 2, max(1, self.width() - 2 * _MARGIN), max(1, self.height() - text - 6))

    def x_of(self, value: float) -> float:
        """Where a value stands, in pixels."""
        frame, span = self._frame(), self._high - self._low
        return frame.left() + (frame.width() * (value - self._low) / span if span > 0 else 0.0)

    def _value_at(self, x: float) -> float:
        frame = self._frame()
        part = min(max((x - frame.left()) / frame.width(), 0.0), 1.0)
        return self._low + part * (self._high - self._low)

    # What Qt calls.

    def paintEvent(self, _event: Any) -> None:
        """Bars, line, and the ends of the axis."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame, palette = self._frame(), self.palette()
        painter.fillRect(frame, palette.color(QPalette.ColorRole.Base))
        if self._counts:
            self._paint_bars(painter, frame)
        faint = QColor(palette.color(QPalette.ColorRole.WindowText))
        faint.setAlpha(90)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(QLineF(frame.bottomLeft(), frame.bottomRight()))
        if self._counts:
            self._paint_ends(painter, frame)
            self._paint_line(painter, frame)
        painter.end()

    def _paint_bars(self, painter: QPainter, frame: QRectF) -> None:
        """Bars of two pixels' width at least: equally many bins share one where they are finer."""
        share = max(1, math.ceil(2 * len(self._counts) / max(1.0, frame.width())))
        heights = [sum(self._counts[i : i + share]) for i in range(0, len(self._counts), share)]
        most = math.sqrt(max(1, *heights))
        plain = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        plain.setAlpha(110)
        wide = frame.width() * share / len(self._counts)
        line = self.x_of(self._threshold)
        for place, count in enumerate(heights):
            high = (frame.height() - 4) * math.sqrt(count) / most
            left = frame.left() + place * wide
            bar = QRectF(left, frame.bottom() - high, min(wide, frame.right() - left), high)
            painter.fillRect(bar, QColor(OUTLINE) if left + wide / 2 > line else plain)

    def _paint_ends(self, painter: QPainter, frame: QRectF) -> None:
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        below = QRectF(frame.left(), frame.bottom() + 2, frame.width(), self.fontMetrics().height() + 2)
        for value, side in (
            (self._low, Qt.AlignmentFlag.AlignLeft),
            (self._high, Qt.AlignmentFlag.AlignRight),
        ):
            painter.drawText(below, int(side), f"{value:.3g}")

    def _paint_line(self, painter: QPainter, frame: QRectF) -> None:
        x = self.x_of(self._threshold)
        role = QPalette.ColorRole.Highlight if self.hasFocus() else QPalette.ColorRole.WindowText
        color = self.palette().color(role)
        painter.setPen(QPen(color, 2))
        painter.drawLine(QLineF(x, frame.top(), x, frame.bottom()))
        painter.setBrush(color)
        painter.setPen(Qt.PenStyle.NoPen)
        tip = frame.top() + 2 * _GRIP
        painter.drawPolygon(
            QPolygonF([QPointF(x - _GRIP, frame.top()), QPointF(x + _GRIP, frame.top()), QPointF(x, tip)])
        )

    def mousePressEvent(self, event: Any) -> None:
        """The line jumps to the mouse."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._move_to(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """The line follows the mouse."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._move_to(event)

    def _move_to(self, event: Any) -> None:
        place = event.position() if hasattr(event, "position") else event.localPos()
        self._move(self._value_at(place.x()))

    def keyPressEvent(self, event: Any) -> None:
        """Arrows move the line a little, Page Up and Page Down further, Home and End to the ends."""
        span = self._high - self._low
        goal = {
            Qt.Key.Key_Left: self._threshold - span * _STEP,
            Qt.Key.Key_Right: self._threshold + span * _STEP,
            Qt.Key.Key_PageDown: self._threshold - span * _LEAP,
            Qt.Key.Key_PageUp: self._threshold + span * _LEAP,
            Qt.Key.Key_Home: self._low,
            Qt.Key.Key_End: self._high,
        }.get(event.key())
        if goal is None:
            super().keyPressEvent(event)
        else:
            self._move(goal)

    def focusInEvent(self, event: Any) -> None:
        """The line shows that keys move it."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: Any) -> None:
        """Back to plain."""
        super().focusOutEvent(event)
        self.update()

    def _move(self, value: float) -> None:
        if not self._counts:
            return
        self.set_threshold(value)
        self.moved.emit(self._threshold)
