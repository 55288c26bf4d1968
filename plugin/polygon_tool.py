# SPDX-License-Identifier: GPL-2.0-or-later
"""Drawing polygons on the map, corner by corner."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsGeometry, QgsPointXY
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor

from .compat import POLYGON_GEOMETRY


class PolygonTool(QgsMapTool):
    """Click corners; the right button closes the polygon, Esc drops it, and again ends.

    Emits ``drawn`` with a geometry in the map's CRS; ``ended`` on another tool.
    """

    drawn = pyqtSignal(QgsGeometry)
    ended = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self._previous: Optional[QgsMapTool] = None
        self._corners: list[QgsPointXY] = []
        self._band = QgsRubberBand(canvas, POLYGON_GEOMETRY)
        self._band.setWidth(2)
        self.set_color(QColor(215, 48, 31))
        self.setCursor(Qt.CursorShape.CrossCursor)

    def set_color(self, color: QColor) -> None:
        """Draw in the colour of a class."""
        inside = QColor(color)
        inside.setAlpha(70)
        self._band.setStrokeColor(color)
        self._band.setFillColor(inside)

    def begin(self) -> None:
        """Take over the mouse."""
        if self.canvas().mapTool() is not self:
            self._previous = self.canvas().mapTool()
            self.canvas().setMapTool(self)
        self.canvas().setFocus()

    def canvasReleaseEvent(self, event: Any) -> None:
        """A corner, or the end of the polygon."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._corners.append(self.toMapCoordinates(event.pos()))
            self._show(self._corners)
        elif event.button() == Qt.MouseButton.RightButton:
            self._close()

    def canvasMoveEvent(self, event: Any) -> None:
        """Show the polygon as it would be."""
        if self._corners:
            self._show([*self._corners, self.toMapCoordinates(event.pos())])

    def keyPressEvent(self, event: Any) -> None:
        """Esc drops the polygon, or ends."""
        if event.key() != Qt.Key.Key_Escape:
            return
        event.ignore()
        if self._corners:
            self._drop()
        else:
            self.cancel()

    def cancel(self) -> None:
        """Give the mouse back."""
        self._drop()
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
        """Take the rubber band off the map for good."""
        scene = self.canvas().scene()
        if scene is not None:
            scene.removeItem(self._band)

    def _show(self, corners: list[QgsPointXY]) -> None:
        self._band.setToGeometry(QgsGeometry.fromPolygonXY([corners]), None)

    def _close(self) -> None:
        corners = list(self._corners)
        self._drop()
        if len(corners) < 3:
            self.cancel()
            return
        self.drawn.emit(QgsGeometry.fromPolygonXY([corners]))

    def _drop(self) -> None:
        self._corners = []
        self._band.reset(POLYGON_GEOMETRY)
