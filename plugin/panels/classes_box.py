# SPDX-License-Identifier: GPL-2.0-or-later
"""Classes: their names and colours, and the places of each that were marked on the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .. import fewshot
from ..class_marks import ClassMarks
from ..i18n import tr
from ..icons import theme
from ..layers import layer_with_selection
from ..point_tool import PointTool
from ..polygon_tool import PolygonTool
from .field import Note

PALETTE = (
    *("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB", "#EE7733"),
    *("#0077BB", "#33BBEE", "#EE3377", "#CC3311", "#009988", "#882255", "#DDCC77", "#999933"),
)
"""As the engine colours classes without a colour: Paul Tol's schemes, safe for colour-blind eyes."""
_ROWS = 4
_ALIKE = {
    "forest": "trees",
    "wood": "trees",
    "fields": "crops",
    "field": "crops",
    "city": "built",
    "lake": "water",
}
"""What users call land cover, to the word that its table has."""


@dataclass(frozen=True)
class Place:
    """A marked place."""

    name: str
    geometry: QgsGeometry
    crs: QgsCoordinateReferenceSystem


class ClassesBox(QWidget):
    """Emits ``changed`` when there are other places, ``listed`` when there are other classes."""

    changed = pyqtSignal()
    listed = pyqtSignal()

    def __init__(self, iface: Any, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._iface = iface
        self._canvas: QgsMapCanvas = iface.mapCanvas()
        self._points = PointTool(self._canvas)
        self._polygons = PolygonTool(self._canvas)
        self._marks = ClassMarks(self._canvas)
        self.colors: dict[str, str] = {}
        """Class to #RRGGBB, in the order in which they were added."""
        self.places: list[Place] = []
        self._make_widgets()
        self._lay_out()
        self._connect()
        self._say()

    def _make_widgets(self) -> None:
        self.name = QLineEdit(self)
        self.name.setPlaceholderText(tr("New class, for example water"))
        self.name.setMinimumWidth(60)
        self.new = QPushButton(tr("Add"), self)
        self.list = QListWidget(self)
        self.list.setMinimumWidth(60)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setToolTip(tr("The class that the next places belong to. Double-click changes its colour."))
        self.point = QPushButton(tr("Points"), self)
        self.point.setCheckable(True)
        self.point.setToolTip(
            tr("Click places of the chosen class on the map; Esc or the right button ends.")
        )
        self.polygon = QPushButton(tr("Polygons"), self)
        self.polygon.setCheckable(True)
        self.polygon.setToolTip(
            tr("Click the corners of an area of the chosen class; the right button closes it, Esc drops it.")
        )
        self.selected = QPushButton(tr("Selection"), self)
        self.selected.setToolTip(tr("Take the selected polygons of a polygon layer for the chosen class."))
        self.undo = QPushButton(tr("Undo"), self)
        self.undo.setToolTip(tr("Take the last place back."))
        self.remove = QToolButton(self)
        self.remove.setIcon(theme("symbologyRemove"))
        self.remove.setAutoRaise(True)
        self.remove.setToolTip(tr("Remove the chosen class and its places."))
        self.note = Note(parent=self)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.name, 1)
        top.addWidget(self.new)
        top.addWidget(self.remove)
        grid = QGridLayout()
        grid.setSpacing(6)
        for place, button in enumerate((self.point, self.polygon, self.selected, self.undo)):
            grid.addWidget(button, place // 2, place % 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.list)
        layout.addLayout(grid)
        layout.addWidget(self.note)

    def _connect(self) -> None:
        self.new.clicked.connect(self.add_typed)
        self.name.returnPressed.connect(self.add_typed)
        self.list.currentItemChanged.connect(lambda *_: self._color_tool())
        self.list.itemDoubleClicked.connect(lambda _: self.choose_color())
        self.point.toggled.connect(lambda on: self._use(self._points, self.polygon, on=on))
        self.polygon.toggled.connect(lambda on: self._use(self._polygons, self.point, on=on))
        self.selected.clicked.connect(self.take_selection)
        self.undo.clicked.connect(self.take_back)
        self.remove.clicked.connect(self.remove_class)
        self._points.picked.connect(
            lambda point, _more: self.add_place(QgsGeometry.fromPointXY(QgsPointXY(point)))
        )
        self._polygons.drawn.connect(self.add_place)
        self._points.ended.connect(lambda: self.point.setChecked(False))
        self._polygons.ended.connect(lambda: self.polygon.setChecked(False))
        self._canvas.destinationCrsChanged.connect(self._remark)

    # What there is.

    @property
    def chosen(self) -> str:
        """The class that the next places belong to; empty where there is none."""
        item = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    @property
    def ready(self) -> bool:
        """Whether at least two classes have a place."""
        return len({place.name for place in self.places}) > 1

    def samples(self) -> Any:
        """The engine's samples, all in the CRS of the first place. Raises ExtentError."""
        from ...inference import ExtentError, Sample

        if not self.places:
            return fewshot.engine_samples((), QgsCoordinateReferenceSystem())
        goal, found = self.places[0].crs, []
        for place in self.places:
            geometry = QgsGeometry(place.geometry)
            try:
                geometry.transform(QgsCoordinateTransform(place.crs, goal, QgsProject.instance()))
            except QgsCsException as error:
                raise ExtentError(tr("A place cannot be brought into the CRS of the others.")) from error
            found += [Sample(place.name, **shape) for shape in fewshot.shapes_of(geometry, goal)]
        return fewshot.engine_samples(found, goal, colors=tuple(self.colors.items()))

    # What a user does.

    def add_typed(self) -> None:
        """Add the class whose name was typed, and choose it."""
        self.add_class(self.name.text())
        self.name.clear()

    def add_class(self, name: str) -> None:
        """Add a class, or choose it where it is there already."""
        name = name.strip()
        if not name:
            self.name.setFocus()
            return
        if name not in self.colors:
            self.colors[name] = _color_for(name, set(self.colors.values()))
        self._say(name)
        self.note.say("")
        self.listed.emit()

    def add_place(self, geometry: QgsGeometry) -> None:
        """A place of the chosen class was marked, in the map's CRS."""
        self._add([geometry], self._canvas.mapSettings().destinationCrs())

    def take_selection(self) -> None:
        """Take the selected polygons of the active or first layer that has any."""
        layers = [self._iface.activeLayer(), *QgsProject.instance().mapLayers().values()]
        layer = layer_with_selection(layers)
        if layer is None:
            self.note.say(tr("No polygon is selected; select one or more in a polygon layer."))
            return
        self._add([QgsGeometry(f.geometry()) for f in layer.getSelectedFeatures()], layer.crs())

    def _add(self, geometries: list[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> None:
        name = self.chosen
        if not name:
            self.note.say(tr("Add a class first, and choose it in the list."))
            return
        self.places += [Place(name, geometry, crs) for geometry in geometries]
        self._changed()

    def take_back(self) -> None:
        """Take the last place back."""
        if self.places:
            self.places.pop()
            self._changed()

    def remove_class(self) -> None:
        """Remove the chosen class and its places."""
        name = self.chosen
        if name:
            had = any(place.name == name for place in self.places)
            del self.colors[name]
            self.places = [place for place in self.places if place.name != name]
            self._say()
            self._remark()
            (self.changed if had else self.listed).emit()

    def _changed(self) -> None:
        self.note.say("")
        self._say()
        self._remark()
        self.changed.emit()

    # The map and the list.

    def _use(self, tool: Any, other: QPushButton, *, on: bool) -> None:
        if on:
            other.setChecked(False)
            if not self.chosen:
                self.note.say(tr("Add a class first, and choose it in the list."))
            tool.begin()
        else:
            tool.cancel()

    def _color_tool(self) -> None:
        if self.chosen:
            self._polygons.set_color(QColor(self.colors[self.chosen]))

    def _remark(self) -> None:
        self._marks.show([(one.geometry, one.crs, self.colors[one.name]) for one in self.places])

    def _say(self, choose: str = "") -> None:
        choose = choose or self.chosen
        self.list.blockSignals(True)
        self.list.clear()
        for name, color in self.colors.items():
            count = sum(place.name == name for place in self.places)
            words = tr("1 place") if count == 1 else tr("{count} places").format(count=count)
            swatch = QPixmap(14, 14)
            swatch.fill(QColor(color))
            item = QListWidgetItem(QIcon(swatch), f"{name} · {words}", self.list)
            item.setData(Qt.ItemDataRole.UserRole, name)
            if name == choose:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and self.list.count():
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        row = self.list.sizeHintForRow(0) if self.list.count() else 0
        self.list.setFixedHeight(min(self.list.count(), _ROWS) * row + 2 * self.list.frameWidth() + 2)
        self.list.setVisible(bool(self.colors))
        for button in (self.point, self.polygon, self.selected, self.remove):
            button.setEnabled(bool(self.colors))
        self.undo.setEnabled(bool(self.places))
        self._color_tool()

    def choose_color(self) -> None:
        """Ask for another colour of the chosen class."""
        name = self.chosen
        color = QColorDialog.getColor(QColor(self.colors[name]), self, name) if name else QColor()
        if color.isValid():
            self.set_color(name, color.name())

    def set_color(self, name: str, color: str) -> None:
        """Give a class another colour (#RRGGBB)."""
        self.colors[name] = color
        self._say()
        self._remark()
        self.listed.emit()

    def close_tools(self) -> None:
        """Leave nothing of ours on the map (the plugin is being unloaded)."""
        self._canvas.destinationCrsChanged.disconnect(self._remark)
        for tool in (self._points, self._polygons):
            tool.blockSignals(True)
            tool.cancel()
        self._polygons.remove()
        self._marks.clear()


def _color_for(name: str, used: set[str]) -> str:
    """The colour that land cover of this name has elsewhere in Terrane, else the one of the palette that is
    least like those in use."""
    from ...inference import MODALITIES

    asked = set(name.lower().split())
    asked |= {_ALIKE.get(word, word) for word in asked}
    for known in MODALITIES["LULC"].classes:
        color = QColor(*known.color[:3]).name()
        if asked & set(known.name.lower().split()) and color not in used:
            return color
    return max(PALETTE, key=lambda color: min((_apart(color, other) for other in used), default=0))


def _apart(one: str, other: str) -> int:
    a, b = QColor(one), QColor(other)
    return (a.red() - b.red()) ** 2 + (a.green() - b.green()) ** 2 + (a.blue() - b.blue()) ** 2
