# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside the real QGIS (``qgis --code``): opens the dock, presses Generate, waits, reports as JSON.

Told by the environment: TERRANE_GUI_SCENE, TERRANE_GUI_MODEL, TERRANE_GUI_RESULT, TERRANE_GUI_SHOTS (a
folder), TERRANE_GUI_WIDTH (of the dock), TERRANE_GUI_EXTENT (xmin,ymin,xmax,ymax; empty: all).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

from qgis.core import QgsProject, QgsRasterLayer, QgsRectangle, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QDockWidget
from qgis.utils import iface, plugins

SHOTS = Path(os.environ["TERRANE_GUI_SHOTS"])
RESULT = Path(os.environ["TERRANE_GUI_RESULT"])


def pump(until, seconds=120.0, what="it"):
    """Let QGIS work until something is so."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen in {seconds:g} s")
        QCoreApplication.processEvents()
        time.sleep(0.005)


def settle(seconds):
    end = time.monotonic() + seconds
    pump(lambda: time.monotonic() > end)


def shoot(name, widget):
    widget.grab().save(str(SHOTS / f"{name}.png"))


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


def work():
    plugin = plugins["terrane"]
    scene = QgsRasterLayer(os.environ["TERRANE_GUI_SCENE"], "S2 demo")
    assert scene.isValid()
    QgsProject.instance().addMapLayer(scene)
    iface.setActiveLayer(scene)
    canvas = iface.mapCanvas()
    pump(lambda: canvas.mapSettings().destinationCrs() == scene.crs(), 30, "the layer on the map")
    wanted = os.environ.get("TERRANE_GUI_EXTENT", "")
    canvas.setExtent(QgsRectangle(*map(float, wanted.split(","))) if wanted else scene.extent())
    iface.mainWindow().resize(1280, 860)
    browser = iface.mainWindow().findChild(QDockWidget, "Browser")
    if browser is not None:
        browser.close()  # room for the layers
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
    return {
        "layers": [facts(node.layer()) for node in groups[0].findLayers()],
        "group": groups[0].name(),
        "messages": [item.text() for item in bar.items()],
        "unchanged": before[0] == after[0] and before[1].center().distance(after[1].center()) < 1e-6,
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "dock_width": dock.width(),
        "timer_p99_ms": round(1000 * gaps[int(0.99 * (len(gaps) - 1))], 1) if gaps else None,
        "torch": "torch" in sys.modules,
    }


def leave():
    QgsSettings().setValue("app/askToSaveMemoryLayers", False)
    QgsProject.instance().clear()
    QgsProject.instance().setDirty(False)
    iface.actionExit().trigger()


def main():
    try:
        told = {"ok": True, **work()}
    except BaseException:  # noqa: BLE001 - a dialog would hang QGIS: everything goes into the report
        told = {"ok": False, "error": traceback.format_exc()}
        shoot("failed", QApplication.activeWindow() or iface.mainWindow())
    part = RESULT.with_suffix(".part")
    part.write_text(json.dumps(told), encoding="utf-8")
    part.rename(RESULT)
    leave()


QTimer.singleShot(500, main)
