# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside the real QGIS (``qgis --code``): opens the dock, presses Generate, waits, reports as JSON.

Told by the environment: TERRANE_GUI_SCENE, TERRANE_GUI_MODEL, TERRANE_GUI_RESULT, TERRANE_GUI_SHOTS (a
folder), TERRANE_GUI_WIDTH (of the dock), TERRANE_GUI_EXTENT (xmin,ymin,xmax,ymax; empty: all).
"""

from __future__ import annotations

import os
import shutil
import sys
import time

sys.path.insert(0, os.environ["TERRANE_GUI_DRIVERS"])
from driver_parts import SHOTS, begin, pump, settle, shoot, show_scene
from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication
from qgis.utils import iface, plugins


def facts(layer):
    """What can be compared with a headless run."""
    box = layer.extent()
    return {
        "name": layer.name(),
        "source": layer.source(),
        "crs": layer.crs().authid(),
        "extent": [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
        "size": [layer.width(), layer.height()],
        "valid": layer.isValid(),
        "abstract": layer.metadata().abstract(),
    }


def vectorize_dialog(plugin, layer):
    """What the layer menu's "Classes to polygons…" opens: the algorithm, and its input."""
    iface.setActiveLayer(layer)
    before = set(QApplication.topLevelWidgets())
    plugin.layer_actions.actions["vectorize"].trigger()
    (dialog,) = [
        one
        for one in set(QApplication.topLevelWidgets()) - before
        if one.isVisible() and hasattr(one, "algorithm")
    ]
    settle(0.5)
    shoot("vectorize", dialog)
    told = [
        dialog.algorithm().id(),
        dialog.createProcessingParameters()["INPUT"] in (layer.id(), layer.source()),
    ]
    dialog.close()
    return told


def work():
    plugin = plugins["terrane"]
    canvas = show_scene(os.environ["TERRANE_GUI_SCENE"])[1]
    plugin.action.trigger()
    dock = plugin.dock
    pump(lambda: dock.generate.source.scene is not None, 60, "recognition")
    pump(lambda: not plugin.jobs.running, 60, "the devices")
    iface.mainWindow().resizeDocks(
        [dock], [int(os.environ.get("TERRANE_GUI_WIDTH", "340"))], Qt.Orientation.Horizontal
    )
    dock.models.choose(os.environ["TERRANE_GUI_MODEL"])
    dock.generate.area.choose("map")
    settle(1.0)
    assert dock.generate.bar.button.isEnabled(), (
        dock.generate.area.note.words() + dock.generate.problem.words()
    )
    shoot("dock-before", dock)
    before = (QgsProject.instance().crs().authid(), canvas.extent())
    extent = canvas.extent()
    gaps, last = [], [time.monotonic()]
    timer = QTimer()

    def tick():
        now = time.monotonic()
        gaps.append(now - last[0])
        last[0] = now

    timer.timeout.connect(tick)
    timer.start(10)
    QTest.mouseClick(dock.generate.bar.button, Qt.MouseButton.LeftButton)
    assert dock.generate.bar.running
    pump(lambda: dock.generate.bar.bar.maximum() > 0, 120, "the first progress")
    pump(lambda: dock.generate.bar.bar.value() > 8 or not plugin.jobs.running, 120, "some tiles")
    shoot("dock-running", dock)
    pump(lambda: not plugin.jobs.running, 400, "the run")
    timer.stop()
    settle(0.3)
    groups = QgsProject.instance().layerTreeRoot().findGroups()
    bar = iface.messageBar()
    assert groups, f"no result: {[item.text() for item in bar.items()]}"
    after = (QgsProject.instance().crs().authid(), canvas.extent())
    pump(lambda: not canvas.isDrawing(), 60, "the drawing")
    settle(1.5)
    shoot("window", iface.mainWindow())
    shoot("dock", dock)
    for node in groups[0].findLayers():  # temporary files end with QGIS
        shutil.copy(node.layer().source(), SHOTS)
    gaps.sort()
    dialog = vectorize_dialog(plugin, next(node.layer() for node in groups[0].findLayers()))
    return {
        "dialog": dialog,
        "layers": [facts(node.layer()) for node in groups[0].findLayers()],
        "group": groups[0].name(),
        "messages": [item.text() for item in bar.items()],
        "unchanged": before[0] == after[0] and before[1].center().distance(after[1].center()) < 1e-6,
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "dock_width": dock.width(),
        "timer_p99_ms": round(1000 * gaps[int(0.99 * (len(gaps) - 1))], 1) if gaps else None,
        "torch": "torch" in sys.modules,
    }


begin(work)
