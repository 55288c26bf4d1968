# SPDX-License-Identifier: GPL-2.0-or-later
"""What the drivers inside the real QGIS share: waiting, pictures, the scene on the map, the report, the end."""

from __future__ import annotations

import json
import os
import time
import traceback
from pathlib import Path

from qgis.core import QgsProject, QgsRasterLayer, QgsRectangle, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, QTimer
from qgis.PyQt.QtWidgets import QApplication, QDockWidget
from qgis.utils import iface

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


def show_scene(path):
    """The scene on the map, at TERRANE_GUI_EXTENT where that is given; returns the layer and the canvas."""
    scene = QgsRasterLayer(path, "S2 demo")
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
    return scene, canvas


def leave():
    QgsSettings().setValue("app/askToSaveMemoryLayers", False)
    QgsProject.instance().clear()
    QgsProject.instance().setDirty(False)
    iface.actionExit().trigger()


def begin(work):
    """Do the work once QGIS is up, report what it returns or how it failed, and leave."""

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
