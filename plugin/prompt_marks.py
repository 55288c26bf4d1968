# SPDX-License-Identifier: GPL-2.0-or-later
"""What the prompt tools leave on the map: marks by their sign, the answer, and the objects that were accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from qgis.gui import QgsMapCanvas, QgsMapCanvasItem, QgsRubberBand
from qgis.PyQt.QtCore import QPointF, QRectF, Qt
from qgis.PyQt.QtGui import QColor, QPainter, QPen

from .compat import LINE_GEOMETRY, POLYGON_GEOMETRY

BELONGS, NOT = QColor(26, 91, 171), QColor(199, 74, 0)
"""Blue and orange: apart for the colour-blind, too, and a plus and a minus besides."""
_PAPER = QColor(255, 255, 255, 230)
_ANSWER = QColor(255, 215, 0)
_ABOVE = 2
"""Marks lie over the answer, and this over what was accepted."""
_RADIUS = 8.0
"""Screen pixels."""


def style_band(band: QgsRubberBand, *, belongs: bool) -> None:
    """The look of a mark: a line with a white seam, nearly clear inside."""
    colour = BELONGS if belongs else NOT
    band.setStrokeColor(colour)
    band.setSecondaryStrokeColor(_PAPER)
    band.setFillColor(QColor(colour.red(), colour.green(), colour.blue(), 24))
    band.setWidth(2)
    if not belongs:
        band.setLineStyle(Qt.PenStyle.DashLine)
    else:
        band.setLineStyle(Qt.PenStyle.SolidLine)


class Sign(QgsMapCanvasItem):
    """A plus or a minus at a place."""

    def __init__(self, canvas: QgsMapCanvas, place: QgsPointXY, *, belongs: bool) -> None:
        super().__init__(canvas)
        self._place, self.belongs = place, belongs
        self.setZValue(self.zValue() + _ABOVE)
        self.updatePosition()

    def updatePosition(self) -> None:
        """The map moved."""
        self.setPos(self.toCanvasCoordinates(self._place))

    def boundingRect(self) -> QRectF:
        """See QGraphicsItem."""
        reach = _RADIUS + 2.0
        return QRectF(-reach, -reach, 2 * reach, 2 * reach)

    def paint(self, painter: QPainter, _option: Any = None, _widget: Any = None) -> None:
        """A disc with a white rim and the sign in it."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(_PAPER, 2.0))
        painter.setBrush(BELONGS if self.belongs else NOT)
        painter.drawEllipse(QPointF(0, 0), _RADIUS, _RADIUS)
        painter.setPen(QPen(Qt.GlobalColor.white, 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        arm = 0.55 * _RADIUS
        painter.drawLine(QPointF(-arm, 0), QPointF(arm, 0))
        if self.belongs:
            painter.drawLine(QPointF(0, -arm), QPointF(0, arm))


class MarksOnMap:
    """The marks of the object that is being picked. They are in the map's CRS."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self.items: list[Any] = []

    def show(self, marks: Iterable[Any]) -> None:
        """Marks (see prompt_tools) in place of the earlier ones."""
        self.clear()
        for mark in marks:
            places = [QgsPointXY(x, y) for x, y in mark.places]
            if len(places) == 1:
                self.items.append(Sign(self._canvas, places[0], belongs=mark.belongs))
                continue
            line = mark.kind == "scribble"
            band = QgsRubberBand(self._canvas, LINE_GEOMETRY if line else POLYGON_GEOMETRY)
            style_band(band, belongs=mark.belongs)
            if line:
                band.setWidth(4)
                shape = QgsGeometry.fromPolylineXY(places)
            elif mark.kind == "box":
                shape = QgsGeometry.fromRect(QgsRectangle(places[0], places[1]))
            else:
                shape = QgsGeometry.fromPolygonXY([places])
            band.setToGeometry(shape, None)
            band.setZValue(band.zValue() + _ABOVE)
            self.items.append(band)

    def clear(self) -> None:
        """Take all marks off the map."""
        _remove(self._canvas, self.items)
        self.items = []


class ShapesOnMap:
    """The answer to the clicks, and the accepted objects in the colours of their classes."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._answer: Optional[QgsRubberBand] = None
        self._accepted: list[QgsRubberBand] = []
        self._bright: Optional[QgsRubberBand] = None

    def show_answer(self, shape: Optional[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> None:
        """The outline that the model answers with (in ``crs``); None: no answer."""
        if self._answer is None:
            self._answer = self._band(_ANSWER, fill=70, width=2)
            self._answer.setZValue(self._answer.zValue() + 1)
        self._set(self._answer, shape, crs)

    def show_accepted(
        self, shapes: Mapping[str, Sequence[tuple[QgsGeometry, QgsCoordinateReferenceSystem]]]
    ) -> None:
        """Accepted objects, each in its CRS, by colour."""
        _remove(self._canvas, self._accepted)
        self._accepted = []
        for colour, members in shapes.items():
            band = self._band(QColor(colour), fill=80, width=2)
            self._accepted.append(band)
            for shape, crs in members:
                self._add(band, shape, crs)

    def show_bright(self, shape: Optional[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> None:
        """The object that is chosen in the list."""
        if self._bright is None:
            self._bright = self._band(QColor(255, 255, 255), fill=0, width=3)
            self._bright.setZValue(self._bright.zValue() + 1)
        self._set(self._bright, shape, crs)

    @property
    def answer(self) -> Optional[QgsGeometry]:
        """What is shown as the answer, in the map's CRS."""
        if self._answer is None or not self._answer.size():
            return None
        return self._answer.asGeometry()

    def clear(self) -> None:
        """Take everything off the map."""
        _remove(self._canvas, [*self._accepted, *filter(None, (self._answer, self._bright))])
        self._accepted, self._answer, self._bright = [], None, None

    def _band(self, colour: QColor, *, fill: int, width: int) -> QgsRubberBand:
        band = QgsRubberBand(self._canvas, POLYGON_GEOMETRY)
        band.setStrokeColor(colour)
        band.setSecondaryStrokeColor(QColor(0, 0, 0, 160))
        band.setFillColor(QColor(colour.red(), colour.green(), colour.blue(), fill))
        band.setWidth(width)
        return band

    def _set(
        self, band: QgsRubberBand, shape: Optional[QgsGeometry], crs: QgsCoordinateReferenceSystem
    ) -> None:
        band.reset(POLYGON_GEOMETRY)
        if shape is not None:
            self._add(band, shape, crs)

    def _add(self, band: QgsRubberBand, shape: QgsGeometry, crs: QgsCoordinateReferenceSystem) -> None:
        moved = QgsGeometry(shape)
        goal = self._canvas.mapSettings().destinationCrs()
        try:
            moved.transform(QgsCoordinateTransform(crs, goal, QgsProject.instance()))
        except QgsCsException:
            return  # this map cannot show it
        band.addGeometry(moved, None)


def _remove(canvas: QgsMapCanvas, items: Iterable[Any]) -> None:
    scene = canvas.scene()
    for item in items:
        if scene is not None:
            scene.removeItem(item)
