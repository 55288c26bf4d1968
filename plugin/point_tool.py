# SPDX-License-Identifier: GPL-2.0-or-later
"""Clicking places on the map, and marking them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsPointXY,
    QgsProject,
)
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsVertexMarker
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor

_MARK = QColor(215, 48, 31)


class PointTool(QgsMapTool):
    """Click places, as many as you like. Emits ``picked`` in the map's CRS, and whether Shift was held;
    ``ended`` on Esc, the right button or another tool."""

    picked = pyqtSignal(QgsPointXY, bool)
    ended = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self._previous: Optional[QgsMapTool] = None
        self.setCursor(Qt.CursorShape.CrossCursor)

    def begin(self) -> None:
        """Take over the mouse."""
        if self.canvas().mapTool() is not self:
            self._previous = self.canvas().mapTool()
            self.canvas().setMapTool(self)
        self.canvas().setFocus()

    def canvasReleaseEvent(self, event: Any) -> None:
        """A click: a place, or with the right button the end."""
        if event.button() == Qt.MouseButton.LeftButton:
            more = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.picked.emit(self.toMapCoordinates(event.pos()), more)
        elif event.button() == Qt.MouseButton.RightButton:
            self.cancel()

    def keyPressEvent(self, event: Any) -> None:
        """Esc ends."""
        if event.key() == Qt.Key.Key_Escape:
            event.ignore()
            self.cancel()

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
        super().deactivate()
        self.ended.emit()


class Marks:
    """Crosses on the map."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._markers: list[QgsVertexMarker] = []

    def show(self, places: Sequence[tuple[float, float]], crs: QgsCoordinateReferenceSystem) -> None:
        """Mark places (in ``crs``) in place of the earlier ones; those that this map cannot show are not."""
        self.clear()
        goal = self._canvas.mapSettings().destinationCrs()
        step = QgsCoordinateTransform(crs, goal, QgsProject.instance())
        for x, y in places:
            try:
                point = step.transform(QgsPointXY(x, y))
            except QgsCsException:
                continue
            marker = QgsVertexMarker(self._canvas)
            marker.setCenter(point)
            marker.setColor(_MARK)
            marker.setPenWidth(2)
            marker.setIconSize(12)
            self._markers.append(marker)

    def clear(self) -> None:
        """Take all marks off the map."""
        scene = self._canvas.scene()
        for marker in self._markers:
            if scene is not None:
                scene.removeItem(marker)
        self._markers = []
