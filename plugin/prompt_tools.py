# SPDX-License-Identifier: GPL-2.0-or-later
"""Marking an object on the map: points, boxes, scribbles and polygons that say what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from qgis.core import QgsGeometry, QgsPointXY, QgsRectangle
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import Qt, pyqtSignal

from .compat import LINE_GEOMETRY, POLYGON_GEOMETRY
from .prompt_marks import style_band

POINT, BOX, SCRIBBLE, POLYGON = "point", "box", "scribble", "polygon"
KINDS = (POINT, BOX, SCRIBBLE, POLYGON)
ACCEPT, UNDO, REJECT = "accept", "undo", "reject"
_KEYS = {
    Qt.Key.Key_Return: ACCEPT,
    Qt.Key.Key_Enter: ACCEPT,
    Qt.Key.Key_Backspace: UNDO,
    Qt.Key.Key_Delete: REJECT,
}
_NEAR = 4
"""Screen pixels that the mouse moves before a drag counts, and between the vertices of a scribble."""


@dataclass(frozen=True)
class Mark:
    """One thing that the user drew, in the map's CRS: a point, two corners, a line or a ring."""

    kind: str
    places: tuple[tuple[float, float], ...]
    belongs: bool = True
    """Whether it shows what belongs to the object, or what does not."""


class PromptTool(QgsMapTool):
    """Draws marks of one kind, as many as you like. Left: belongs; right or Ctrl: does not.

    Emits ``marked`` with a Mark; ``asked`` for the keys Enter, Backspace and Delete; ``escaped`` for Esc, which
    the owner may use up by returning to drawing; ``ended`` when another tool took over or it gave the mouse back.
    """

    marked = pyqtSignal(object)
    asked = pyqtSignal(str)
    escaped = pyqtSignal()
    ended = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self.kind = POINT
        self._previous: Optional[QgsMapTool] = None
        self._places: list[QgsPointXY] = []
        self._pressed: Any = None
        self._belongs = True
        self._twice = False
        """A double click has ended a polygon, and its button is still down."""
        self._line = QgsRubberBand(canvas, LINE_GEOMETRY)
        self._area = QgsRubberBand(canvas, POLYGON_GEOMETRY)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def begin(self, kind: str) -> None:
        """Take over the mouse to draw marks of this kind."""
        self._drop()
        self.kind = kind
        if self.canvas().mapTool() is not self:
            self._previous = self.canvas().mapTool()
            self.canvas().setMapTool(self)
        self.canvas().setFocus()

    # The mouse.

    def canvasPressEvent(self, event: Any) -> None:
        """The start of a drag; what a button and Ctrl mean holds until it is let go."""
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            return
        if self.kind == POLYGON and self._places:
            return  # its sign is that of its first vertex
        self._pressed = event.pos()
        self._belongs = not (
            event.button() == Qt.MouseButton.RightButton
            or event.modifiers() & Qt.KeyboardModifier.ControlModifier
        )
        if self.kind in (BOX, SCRIBBLE):
            self._places = [self.toMapCoordinates(event.pos())]

    def canvasMoveEvent(self, event: Any) -> None:
        """Show what is being drawn."""
        at = self.toMapCoordinates(event.pos())
        if self.kind == SCRIBBLE and self._places:
            last = self.toCanvasCoordinates(self._places[-1])
            if (event.pos() - last).manhattanLength() >= _NEAR:
                self._places.append(at)
            self._show(self._places, POINT)
        elif self.kind in (BOX, POLYGON) and self._places:
            self._show([*self._places, at], self.kind)

    def canvasReleaseEvent(self, event: Any) -> None:
        """A mark is drawn, or one more vertex of a polygon."""
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            return
        at = self.toMapCoordinates(event.pos())
        twice, self._twice = self._twice, False
        if twice:
            return
        if self.kind == POLYGON:
            self._vertex(at, finish=event.button() == Qt.MouseButton.RightButton)
            return
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return
        places, belongs = [*self._places, at], self._belongs
        self._drop()
        moved = (event.pos() - pressed).manhattanLength() >= _NEAR
        if self.kind == POINT or not moved:
            # A click with any of the tools is a point.
            self._emit(POINT, [at], belongs)
        elif self.kind == BOX:
            self._emit(BOX, places, True)
        else:
            self._emit(SCRIBBLE, places, belongs)

    def canvasDoubleClickEvent(self, event: Any) -> None:
        """The second click of a double click ends a polygon; its first has set the last vertex."""
        if self.kind == POLYGON:
            self._twice = True
            self._vertex(self.toMapCoordinates(event.pos()), finish=True)

    def _vertex(self, at: QgsPointXY, *, finish: bool) -> None:
        """One more vertex of the polygon, or its end."""
        if not finish:
            self._places.append(at)
            self._show([*self._places, at], POLYGON)
            return
        places, belongs = self._places, self._belongs
        self._drop()
        if len(places) >= 3:
            self._emit(POLYGON, places, belongs)

    def _emit(self, kind: str, places: list[QgsPointXY], belongs: bool) -> None:
        self.marked.emit(Mark(kind, tuple((place.x(), place.y()) for place in places), belongs))

    # The keyboard.

    def keyPressEvent(self, event: Any) -> None:
        """Enter, Backspace, Delete and Esc; what is half drawn goes first."""
        if event.key() == Qt.Key.Key_Escape:
            event.ignore()
            if not self._drop():
                self.escaped.emit()
        elif event.key() in _KEYS:
            event.ignore()
            asked = _KEYS[event.key()]
            if self.kind == POLYGON and self._places:
                self._edit_polygon(asked)
            else:
                self.asked.emit(asked)

    def _edit_polygon(self, asked: str) -> None:
        """Keys while a polygon is being drawn."""
        if asked == UNDO:
            self._places.pop()
            self._show(self._places, POLYGON)
        elif asked == ACCEPT:
            self._vertex(self._places[-1], finish=True)
        else:
            self._drop()

    # Coming and going.

    def cancel(self) -> None:
        """Give the mouse back."""
        canvas, previous, self._previous = self.canvas(), self._previous, None
        if canvas.mapTool() is not self:
            return
        if previous is not None:
            canvas.setMapTool(previous)
        else:
            canvas.unsetMapTool(self)

    def deactivate(self) -> None:
        """Another tool took over, or we gave back."""
        self._drop()
        super().deactivate()
        self.ended.emit()

    def remove(self) -> None:
        """Take what is being drawn off the map for good."""
        scene = self.canvas().scene()
        if scene is not None:
            scene.removeItem(self._line)
            scene.removeItem(self._area)

    def _drop(self) -> bool:
        """Forget what is half drawn; whether there was anything."""
        there = bool(self._places)
        self._places, self._pressed = [], None
        self._line.reset(LINE_GEOMETRY)
        self._area.reset(POLYGON_GEOMETRY)
        return there

    def _show(self, places: list[QgsPointXY], kind: str) -> None:
        self._line.reset(LINE_GEOMETRY)
        self._area.reset(POLYGON_GEOMETRY)
        if kind == BOX:
            style_band(self._area, belongs=True)
            self._area.setToGeometry(QgsGeometry.fromRect(QgsRectangle(places[0], places[-1])), None)
        elif kind == POLYGON and len(places) > 2:
            style_band(self._area, belongs=self._belongs)
            self._area.setToGeometry(QgsGeometry.fromPolygonXY([places]), None)
        elif len(places) > 1:
            style_band(self._line, belongs=self._belongs)
            self._line.setToGeometry(QgsGeometry.fromPolylineXY(places), None)
