# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples on the map, in the colours of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsProject,
)
from qgis.gui import QgsMapCanvas, QgsRubberBand, QgsVertexMarker
from qgis.PyQt.QtGui import QColor

from .compat import POINT_GEOMETRY, POLYGON_GEOMETRY

_EDGE = QColor(255, 255, 255)


class ClassMarks:
    """Discs with a white rim for points, outlines for polygons."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._items: list[Any] = []

    @property
    def count(self) -> int:
        """Places that are shown."""
        return len([item for item in self._items if isinstance(item, QgsRubberBand)]) + (
            len([item for item in self._items if isinstance(item, QgsVertexMarker)]) // 2
        )

    def show(self, places: Sequence[tuple[QgsGeometry, QgsCoordinateReferenceSystem, str]]) -> None:
        """Show geometries in their CRS and #RRGGBB, in place of the earlier ones; those that this map
        cannot show are not."""
        self.clear()
        goal = self._canvas.mapSettings().destinationCrs()
        for geometry, crs, color in places:
            moved = QgsGeometry(geometry)
            try:
                moved.transform(QgsCoordinateTransform(crs, goal, QgsProject.instance()))
            except QgsCsException:
                continue
            if moved.type() == POINT_GEOMETRY:
                self._disc(moved, _EDGE, 13)
                self._disc(moved, QColor(color), 9)
            else:
                band = QgsRubberBand(self._canvas, POLYGON_GEOMETRY)
                inside = QColor(color)
                inside.setAlpha(60)
                band.setFillColor(inside)
                band.setStrokeColor(QColor(color))
                band.setSecondaryStrokeColor(_EDGE)
                band.setWidth(2)
                band.setToGeometry(moved, None)
                self._items.append(band)

    def _disc(self, point: QgsGeometry, color: QColor, size: int) -> None:
        marker = QgsVertexMarker(self._canvas)
        marker.setIconType(QgsVertexMarker.IconType.ICON_CIRCLE)
        marker.setColor(color)
        marker.setFillColor(color)
        marker.setIconSize(size)
        marker.setPenWidth(1)
        marker.setCenter(point.asPoint())
        self._items.append(marker)

    def clear(self) -> None:
        """Take all of them off the map."""
        scene = self._canvas.scene()
        for item in self._items:
            if scene is not None:
                scene.removeItem(item)
        self._items = []
