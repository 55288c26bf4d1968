# SPDX-License-Identifier: GPL-2.0-or-later
"""A window of real QGIS widgets that stands for ``iface``, and scenes to put on its map."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from osgeo import gdal, osr
from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgsMapCanvas, QgsMessageBar
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtWidgets import QMainWindow, QVBoxLayout, QWidget
from toy_pack import BANDS

CORNER = (500000.0, 5100000.0)


class Window:
    """What the plugin needs of ``iface``, made of real QGIS widgets."""

    def __init__(self):
        self.window = QMainWindow()
        body = QWidget()
        layout = QVBoxLayout(body)
        self.bar = QgsMessageBar(body)
        self.bar.setFixedHeight(48)
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # a message must not move the map
        self.bar.setSizePolicy(policy)
        self.canvas = QgsMapCanvas(body)
        layout.addWidget(self.bar)
        layout.addWidget(self.canvas)
        self.window.setCentralWidget(body)
        self.window.resize(900, 600)
        self.active = None
        self.menu, self.toolbar, self.layer_actions, self.factories, self.docks = [], [], [], [], []
        self.log_opened = 0

    def mapCanvas(self):
        return self.canvas

    def mainWindow(self):
        return self.window

    def messageBar(self):
        return self.bar

    def activeLayer(self):
        return self.active

    def addRasterLayer(self, path):
        layer = QgsRasterLayer(path, Path(path).stem)
        QgsProject.instance().addMapLayer(layer)
        return layer

    def addRasterToolBarIcon(self, action):
        self.toolbar.append(action)

    def removeRasterToolBarIcon(self, action):
        self.toolbar.remove(action)

    def addPluginToRasterMenu(self, name, action):
        self.menu.append((name, action))

    def removePluginRasterMenu(self, name, action):
        self.menu.remove((name, action))

    def addCustomActionForLayerType(self, action, menu, kind, all_layers):
        self.layer_actions.append((action, menu, kind, all_layers))

    def removeCustomActionForLayerType(self, action):
        before = len(self.layer_actions)
        self.layer_actions = [entry for entry in self.layer_actions if entry[0] is not action]
        return len(self.layer_actions) < before

    def registerOptionsWidgetFactory(self, factory):
        self.factories.append(factory)

    def unregisterOptionsWidgetFactory(self, factory):
        self.factories.remove(factory)

    def addDockWidget(self, area, dock):
        self.docks.append(dock)
        self.window.addDockWidget(area, dock)

    def removeDockWidget(self, dock):
        self.docks.remove(dock)
        self.window.removeDockWidget(dock)

    def showOptionsDialog(self, parent, page):
        raise AssertionError("no test opens the options dialog")

    def openMessageLog(self):
        self.log_opened += 1


def pump(until, seconds=30.0):
    """Let Qt work until something is so."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        QCoreApplication.processEvents()
        time.sleep(0.005)


def settle(milliseconds=50):
    """Let queued events arrive."""
    end = time.monotonic() + milliseconds / 1000
    pump(lambda: time.monotonic() > end)


def write_raster(path, image, *, epsg=32632, gsd=10.0, corner=CORNER, nodata=0, names=BANDS, kind=None):
    """(bands, h, w) as a GeoTIFF; returns the path."""
    bands, height, width = image.shape
    kind = gdal.GDT_UInt16 if kind is None else kind
    raster = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, kind)
    if epsg:
        srs = osr.SpatialReference()
        srs.ImportFromEPSG(epsg)
        raster.SetProjection(srs.ExportToWkt())
        raster.SetGeoTransform((corner[0], gsd, 0, corner[1], 0, -gsd))
    for number in range(bands):
        band = raster.GetRasterBand(number + 1)
        band.WriteArray(image[number])
        if nodata is not None:
            band.SetNoDataValue(nodata)
        if names:
            band.SetDescription(names[number])
    raster.FlushCache()
    del raster
    return str(path)


def ramp_image(height, width):
    """(12, h, w) float32 reflectance × 10000 from 1000 to 3000."""
    y, x = np.mgrid[0:height, 0:width]
    surface = 1000 + 1900 * (0.5 + 0.25 * np.sin(x / 17.0) + 0.25 * np.cos(y / 23.0))
    return (surface[None] + 10 * np.arange(12)[:, None, None]).astype(np.float32)


def read_raster(path):
    """(bands, h, w)."""
    raster = gdal.Open(str(path))
    array = raster.ReadAsArray()
    return array if array.ndim == 3 else array[None]


def show_on_map(window, layer):
    """The layer fills the map."""
    window.canvas.setDestinationCrs(layer.crs())
    window.canvas.setLayers([layer])
    window.canvas.setExtent(layer.extent())
    QgsProject.instance().setCrs(layer.crs())
    settle(20)


def messages(window):
    """What the message bar says, newest last."""
    return [item.text() for item in window.bar.items()]


def finish(plugin, seconds=60):
    """Wait until the plugin's jobs have ended and said so."""
    pump(lambda: not plugin.jobs.running, seconds)
    settle(200)  # the message comes after QGIS's own
