# SPDX-License-Identifier: GPL-2.0-or-later
"""Drawing a rectangle on the map, and showing on it what a run will cover."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
)
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor

from .compat import POLYGON_GEOMETRY

_EDGE = QColor(26, 91, 171)
_FILL = QColor(26, 91, 171, 40)


class RectangleTool(QgsMapTool):
    """Drag a rectangle. Emits ``drawn`` in the map's CRS, or ``cancelled`` on Esc or another tool."""

    drawn = pyqtSignal(QgsRectangle)
    cancelled = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self._start: Optional[QgsPointXY] = None
        self._previous: Optional[QgsMapTool] = None
        self._band = _rubber_band(canvas)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def begin(self) -> None:
        """Take over the mouse until a rectangle is drawn or Esc is pressed."""
        if self.canvas().mapTool() is not self:
            self._previous = self.canvas().mapTool()
            self.canvas().setMapTool(self)
        self.canvas().setFocus()

    def canvasPressEvent(self, event: Any) -> None:
        """First corner."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._start = self.toMapCoordinates(event.pos())

    def canvasMoveEvent(self, event: Any) -> None:
        """Stretch the rectangle."""
        if self._start is not None:
            box = QgsRectangle(self._start, self.toMapCoordinates(event.pos()))
            self._band.setToGeometry(QgsGeometry.fromRect(box), None)

    def canvasReleaseEvent(self, event: Any) -> None:
        """Second corner; a mere click is not a rectangle."""
        if self._start is None:
            return
        box = QgsRectangle(self._start, self.toMapCoordinates(event.pos()))
        self._start = None
        self._band.reset(POLYGON_GEOMETRY)
        if (
            box.width() > 2 * self.canvas().mapUnitsPerPixel()
            and box.height() > 2 * self.canvas().mapUnitsPerPixel()
        ):
            self._give_back()
            self.drawn.emit(box)

    def keyPressEvent(self, event: Any) -> None:
        """Esc cancels."""
        if event.key() == Qt.Key.Key_Escape:
            event.ignore()
            self.cancel()

    def cancel(self) -> None:
        """Stop without a rectangle."""
        if self.canvas().mapTool() is self:
            self._give_back()
            self.cancelled.emit()

    def deactivate(self) -> None:
        """Another tool took over."""
        self._start = None
        self._band.reset(POLYGON_GEOMETRY)
        super().deactivate()

    def remove(self) -> None:
        """Take the rubber band off the map for good."""
        scene = self.canvas().scene()
        if scene is not None:
            scene.removeItem(self._band)

    def _give_back(self) -> None:
        canvas, previous, self._previous = self.canvas(), self._previous, None
        if previous is not None:
            canvas.setMapTool(previous)
        else:
            canvas.unsetMapTool(self)


class AreaOutline:
    """The outline of an area on the map, whatever CRS it comes in."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._band = _rubber_band(canvas)

    def show(self, box: QgsRectangle, crs: QgsCoordinateReferenceSystem) -> None:
        """Draw the box (in ``crs``); a box that this map cannot show is not drawn."""
        geometry = QgsGeometry.fromRect(box).densifyByCount(20)
        settings = self._canvas.mapSettings()
        try:
            geometry.transform(QgsCoordinateTransform(crs, settings.destinationCrs(), QgsProject.instance()))
        except QgsCsException:
            self.hide()
            return
        self._band.setToGeometry(geometry, None)

    def hide(self) -> None:
        """Take the outline away."""
        self._band.reset(POLYGON_GEOMETRY)

    def remove(self) -> None:
        """Take it off the map for good."""
        scene = self._canvas.scene()
        if scene is not None:
            scene.removeItem(self._band)


def _rubber_band(canvas: QgsMapCanvas) -> QgsRubberBand:
    band = QgsRubberBand(canvas, POLYGON_GEOMETRY)
    band.setStrokeColor(_EDGE)
    band.setFillColor(_FILL)
    band.setWidth(2)
    return band
