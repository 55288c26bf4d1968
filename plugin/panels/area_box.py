# SPDX-License-Identifier: GPL-2.0-or-later
"""Over: what part of the input to work on."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRectangle
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QButtonGroup, QGridLayout, QRadioButton, QVBoxLayout, QWidget

from ..i18n import tr
from ..layers import Area, area_of_box, area_of_selection, layer_with_selection
from ..map_tools import AreaOutline, RectangleTool
from .field import Note, wrapped

MAP, LAYER, SELECTION, DRAW = "map", "layer", "selection", "draw"
_SETTLE_MS = 200
"""The map must rest for this long before a forecast is made."""


class AreaBox(QWidget):
    """Emits ``changed`` when the area does: the map moved, a selection changed, a rectangle was drawn."""

    changed = pyqtSignal()

    def __init__(self, iface: Any, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._iface = iface
        self._canvas: QgsMapCanvas = iface.mapCanvas()
        self._drawn: Optional[tuple[QgsRectangle, QgsCoordinateReferenceSystem]] = None
        self._tool = RectangleTool(self._canvas)
        self._outline = AreaOutline(self._canvas)
        self.group = QButtonGroup(self)
        self.buttons: dict[str, QRadioButton] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(3)
        for place, (key, words, tip) in enumerate(self._options()):
            button = QRadioButton(words, self)
            button.setToolTip(tip)
            self.buttons[key] = button
            self.group.addButton(button)
            grid.addWidget(button, place // 2, place % 2)
        grid.setColumnStretch(1, 1)
        self.forecast = wrapped(self)
        self.note = Note(parent=self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(grid)
        layout.addWidget(self.forecast)
        layout.addWidget(self.note)
        self.buttons[MAP].setChecked(True)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self.changed)
        self._connect()

    def _options(self) -> list[tuple[str, str, str]]:
        return [
            (MAP, tr("Map view"), tr("What the map shows now")),
            (LAYER, tr("Whole layer"), tr("Everything the input covers")),
            (SELECTION, tr("Selection"), tr("Inside the selected polygons of a polygon layer")),
            (DRAW, tr("Draw…"), tr("Drag a rectangle on the map; Esc cancels")),
        ]

    def _connect(self) -> None:
        self._canvas.extentsChanged.connect(self._map_moved)
        self._canvas.destinationCrsChanged.connect(self._map_moved)
        self._canvas.selectionChanged.connect(self._selection_changed)
        self._tool.drawn.connect(self._rectangle_drawn)
        self._tool.cancelled.connect(self._drawing_cancelled)
        self.group.buttonClicked.connect(self._clicked)

    # What is chosen.

    @property
    def kind(self) -> str:
        """map, layer, selection or draw."""
        return next(key for key, button in self.buttons.items() if button.isChecked())

    def choose(self, kind: str) -> None:
        """Choose as a click would, without starting to draw."""
        self.buttons[kind].setChecked(True)
        self._show_outline()
        self.changed.emit()

    def set_rectangle(self, box: QgsRectangle, crs: QgsCoordinateReferenceSystem) -> None:
        """Take a rectangle as drawn."""
        self._drawn = (box, crs)
        self.choose(DRAW)

    def area(self) -> Area:
        """Where to generate. Raises ExtentError with a sentence for this field."""
        from ...inference import ExtentError

        if self.kind == MAP:
            return area_of_box(self._canvas.extent(), self._canvas.mapSettings().destinationCrs())
        if self.kind == SELECTION:
            return area_of_selection(self._selected_layer())
        if self.kind == DRAW:
            if self._drawn is None:
                raise ExtentError(tr("Drag a rectangle on the map."))
            return area_of_box(*self._drawn)
        return Area()

    def _selected_layer(self) -> Any:
        layers = [self._iface.activeLayer(), *QgsProject.instance().mapLayers().values()]
        return layer_with_selection(layers)

    # What happens.

    def _clicked(self) -> None:
        if self.kind == DRAW:
            self._tool.begin()
        self._show_outline()
        self.changed.emit()

    def _map_moved(self) -> None:
        if self.kind == MAP:
            self._timer.start()

    def _selection_changed(self) -> None:
        if self.kind == SELECTION:
            self._timer.start()

    def _rectangle_drawn(self, box: QgsRectangle) -> None:
        self.set_rectangle(box, self._canvas.mapSettings().destinationCrs())

    def _drawing_cancelled(self) -> None:
        if self._drawn is None:
            self.choose(MAP)

    def _show_outline(self) -> None:
        if self.kind == DRAW and self._drawn is not None:
            self._outline.show(*self._drawn)
        else:
            self._outline.hide()

    def close_tools(self) -> None:
        """Leave nothing of ours on the map (the plugin is being unloaded)."""
        for signal, slot in (
            (self._canvas.extentsChanged, self._map_moved),
            (self._canvas.destinationCrsChanged, self._map_moved),
            (self._canvas.selectionChanged, self._selection_changed),
        ):
            signal.disconnect(slot)
        self._timer.stop()
        self._tool.cancel()
        self._tool.remove()
        self._outline.remove()
