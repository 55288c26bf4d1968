# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside the real QGIS (``qgis --code``): marks forests and a cloud, accepts, saves a Shapefile, reports as JSON.

Told by the environment: TERRANE_GUI_SCENE, TERRANE_GUI_MODEL, TERRANE_GUI_MARKS (JSON: for each object its
class and marks, ["point", x, y, belongs] or ["box", x, y, x, y] in the scene's CRS), TERRANE_GUI_SAVE (a
file), and what driver.py is told.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, os.environ["TERRANE_GUI_DRIVERS"])
from driver_parts import begin, pump, settle, shoot, show_scene
from qgis.core import QgsContrastEnhancement, QgsPointXY, QgsProject, QgsRasterMinMaxOrigin
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtTest import QTest
from qgis.utils import iface, plugins


def at(x, y):
    place = iface.mapCanvas().getCoordinateTransform().transform(QgsPointXY(x, y))
    return QPoint(round(place.x()), round(place.y()))


def draw(panel, kind, *told):
    """A box of two corners, or a point and whether it belongs."""
    view, none = iface.mapCanvas().viewport(), Qt.KeyboardModifier.NoModifier
    if panel.marks.kind != kind:
        QTest.mouseClick(panel.marks.buttons[kind], Qt.MouseButton.LeftButton)
    if kind == "box":
        first, last = at(*told[:2]), at(*told[2:])
        QTest.mousePress(view, Qt.MouseButton.LeftButton, none, first)
        QTest.mouseMove(view, last)
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, none, last)
    else:
        button = Qt.MouseButton.LeftButton if told[2] else Qt.MouseButton.RightButton
        QTest.mouseClick(view, button, none, at(*told[:2]))


def work():
    plugin = plugins["terrane"]
    scene, canvas = show_scene(os.environ["TERRANE_GUI_SCENE"])
    scene.renderer().setRedBand(4)
    scene.renderer().setGreenBand(3)
    scene.renderer().setBlueBand(2)
    scene.setContrastEnhancement(
        QgsContrastEnhancement.StretchToMinimumMaximum, QgsRasterMinMaxOrigin.CumulativeCut
    )
    plugin.action.trigger()
    dock = plugin.dock
    pump(lambda: not plugin.jobs.running, 60, "the devices")
    iface.mainWindow().resizeDocks(
        [dock], [int(os.environ.get("TERRANE_GUI_WIDTH", "340"))], Qt.Orientation.Horizontal
    )
    dock.models.choose(os.environ["TERRANE_GUI_MODEL"])
    panel = next(one for one in dock.panels if type(one).__name__ == "DigitizePanel")
    dock.tabs.setCurrentIndex(dock.panels.index(panel))
    settle(1.0)
    shoot("dock-before", dock)
    QTest.mouseClick(panel.marks.buttons["point"], Qt.MouseButton.LeftButton)
    pump(lambda: panel.picking.ready, 120, "looking")
    grid = panel.picking.grid
    objects = json.loads(os.environ["TERRANE_GUI_MARKS"])
    for number, (name, marks) in enumerate(objects):
        panel.classes.set_name(name)
        for mark in marks:
            draw(panel, *mark)
            pump(lambda: panel.found is not None and not panel.picking.busy, 60, "an answer")
        if number == len(objects) - 1:
            settle(1.0)
            pump(lambda: not canvas.isDrawing(), 60, "the drawing")
            iface.messageBar().clearWidgets()
            settle(0.5)
            shoot("prompts", iface.mainWindow())
            shoot("dock", dock)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
        assert len(panel.picked.objects) == number + 1
    settle(0.3)
    rows = [[one.name, one.found.pixels, one.found.area] for one in panel.picked.objects]
    panel.into.ask_path = lambda: os.environ["TERRANE_GUI_SAVE"]
    QTest.mouseClick(panel.into.button, Qt.MouseButton.LeftButton)
    settle(0.5)
    shoot("saved", iface.mainWindow())
    return {
        "objects": rows,
        "transform": list(grid.transform),
        "messages": [item.text() for item in iface.messageBar().items()],
        "layers": [layer.name() for layer in QgsProject.instance().mapLayers().values()],
        "torch": "torch" in sys.modules,
        "there": Path(os.environ["TERRANE_GUI_SAVE"]).exists(),
        "scene": scene.name(),
    }


begin(work)
