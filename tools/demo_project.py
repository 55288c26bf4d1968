# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the demo's ``demo.qgz`` and ``preview.png``. Runs in QGIS's Python, offscreen, with the plugin's
folder on PYTHONPATH::

    python tools/demo_project.py SCENE DEM LULC PROJECT PREVIEW

Both show the layers with the plugin's own styles; the picture is drawn by QGIS's own renderer.
"""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsContrastEnhancement,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsMultiBandColorRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsReferencedRectangle,
)
from qgis.PyQt.QtCore import QRectF, QSize, Qt
from qgis.PyQt.QtGui import QColor, QFont, QImage, QLinearGradient, QPainter, QPen
from terrane.plugin import styles

PANEL, GAP, TOP, BOTTOM = 500, 24, 64, 112
INK, SOFT, PAPER = QColor("#22272b"), QColor("#68727a"), QColor("#ffffff")
TRUE_COLOUR = ("B04", "B03", "B02")
STRETCH = QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
SHARES = (0.02, 0.98)
"""Shares of the pixels where the stretch begins and ends, QGIS's own."""


def main(arguments: list[str]) -> int:
    """Make both files from the three rasters."""
    application = QgsApplication([], False)
    application.initQgis()
    make(*arguments)
    QgsProject.instance().clear()
    application.exitQgis()  # every layer is gone by now: QGIS crashes on those that outlive it
    return 0


def make(scene: str, dem: str, lulc: str, project_file: str, preview: str) -> None:
    """Make the project and the picture."""
    layers = make_layers(scene, dem, lulc)
    write_project(layers, project_file)
    draw(layers, preview)


def make_layers(scene: str, dem: str, lulc: str) -> dict[str, Any]:
    """The demo's layers by role, styled."""
    name = "Sentinel-2 (simulated)"
    layers = {
        "scene": QgsRasterLayer(scene, name, "gdal"),
        "dem": QgsRasterLayer(dem, "Elevation (generated)", "gdal"),
        "shade": QgsRasterLayer(dem, "Hillshade (generated)", "gdal"),
        "lulc": QgsRasterLayer(lulc, "Land cover (generated)", "gdal"),
    }
    broken = [role for role, layer in layers.items() if not layer.isValid()]
    if broken:
        raise SystemExit(f"QGIS cannot open: {', '.join(broken)}")
    styles.apply(layers["dem"], "DEM")
    styles.apply(layers["lulc"], "LULC")
    styles.apply_hillshade(layers["shade"])
    show_true_colour(layers["scene"])
    return layers


def show_true_colour(layer: Any) -> None:
    """Red, green, blue with one stretch for all three: one each would turn soil grey and meadows blue."""
    bands = {layer.bandName(i).split(":")[-1].strip(): i for i in range(1, layer.bandCount() + 1)}
    chosen = [bands.get(name, fallback) for name, fallback in zip(TRUE_COLOUR, (4, 3, 2))]
    renderer = QgsMultiBandColorRenderer(layer.dataProvider(), *chosen)
    provider = layer.dataProvider()
    cuts = [provider.cumulativeCut(band, *SHARES) for band in chosen]
    for band, use in zip(chosen, ("Red", "Green", "Blue")):
        enhancement = QgsContrastEnhancement(provider.dataType(band))
        enhancement.setMinimumValue(min(low for low, _ in cuts))
        enhancement.setMaximumValue(max(high for _, high in cuts))
        enhancement.setContrastEnhancementAlgorithm(STRETCH)
        getattr(renderer, f"set{use}ContrastEnhancement")(enhancement)
    layer.setRenderer(renderer)


def write_project(layers: dict[str, Any], path: str) -> None:
    """Save a project with relative paths; land cover is on top, elevation and its shade below."""
    project = QgsProject.instance()
    project.setTitle("Terrane demo")
    project.setCrs(layers["scene"].crs())
    project.setFilePathStorage(Qgis.FilePathType.Relative)
    group = project.layerTreeRoot().addGroup("Terrane demo")
    for role in ("lulc", "shade", "dem", "scene"):
        copy = layers[role].clone()
        project.addMapLayer(copy, False)
        group.addLayer(copy).setExpanded(role == "lulc")
    project.viewSettings().setDefaultViewExtent(
        QgsReferencedRectangle(layers["scene"].extent(), layers["scene"].crs())
    )
    if not project.write(path):
        raise SystemExit(f"{path} could not be written: {project.error()}")


def render(layers: list[Any], size: QSize) -> QImage:
    """A map of some layers (the first on top) as QGIS draws it."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[-1].crs())
    settings.setExtent(layers[-1].extent())
    settings.setOutputSize(size)
    settings.setBackgroundColor(QColor("#f2f2f0"))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


def draw(layers: dict[str, Any], path: str) -> None:
    """The input, the elevation and the land cover side by side, each with its legend."""
    extent = layers["scene"].extent()
    height = round(PANEL * extent.height() / extent.width())
    panels = (
        ("Sentinel-2, true colour", "input: simulated by the project", [layers["scene"]]),
        ("Elevation", "generated, metres", [layers["shade"], layers["dem"]]),
        ("Land cover", "generated, classes", [layers["lulc"]]),
    )
    image = QImage(3 * PANEL + 4 * GAP, TOP + height + BOTTOM, QImage.Format.Format_RGB32)
    image.fill(PAPER)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for i, (title, subtitle, shown) in enumerate(panels):
        left = GAP + i * (PANEL + GAP)
        _text(painter, left, 30, title, 17, INK, bold=True)
        _text(painter, left, 52, subtitle, 12, SOFT)
        painter.drawImage(left, TOP, render(shown, QSize(PANEL, height)))
        painter.setPen(QPen(QColor("#c9ced2"), 1))
        painter.drawRect(QRectF(left - 0.5, TOP - 0.5, PANEL + 1, height + 1))
    below = TOP + height + 18
    _scale_bar(painter, GAP, below, PANEL / extent.width())
    _elevation_legend(painter, 2 * GAP + PANEL, below, layers["dem"])
    _class_legend(painter, 3 * GAP + 2 * PANEL, below, layers["lulc"])
    _text(painter, GAP, image.height() - 14, NOTICE, 12, SOFT)
    painter.end()
    if not image.save(path):
        raise SystemExit(f"{path} could not be written")


NOTICE = "Starter model, trained on simulated scenes: for trying things out."


def _text(
    painter: QPainter, x: float, y: float, text: str, size: int, colour: QColor, *, bold: bool = False
) -> None:
    font = QFont("DejaVu Sans")
    font.setPixelSize(size)
    font.setBold(bold)
    painter.setFont(font)
    painter.setPen(colour)
    painter.drawText(round(x), round(y), text)


def _scale_bar(painter: QPainter, left: float, top: float, pixels_per_metre: float) -> None:
    metres = next(
        m for m in (5000, 2000, 1000, 500, 200, 100) if m * pixels_per_metre < PANEL / 3 or m == 100
    )
    painter.fillRect(QRectF(left, top, metres * pixels_per_metre, 5), INK)
    label = f"{metres // 1000} km" if metres >= 1000 else f"{metres} m"
    _text(painter, left + metres * pixels_per_metre + 8, top + 8, label, 12, INK)


def _elevation_legend(painter: QPainter, left: float, top: float, layer: Any) -> None:
    items = layer.renderer().shader().rasterShaderFunction().colorRampItemList()
    gradient = QLinearGradient(left, 0, left + PANEL, 0)
    for i, item in enumerate(items):
        gradient.setColorAt(i / (len(items) - 1), item.color)
    painter.fillRect(QRectF(left, top, PANEL, 12), gradient)
    for share in (0.0, 0.5, 1.0):
        value = items[0].value + share * (items[-1].value - items[0].value)
        label = f"{value:.0f} m"
        font_width = painter.fontMetrics().horizontalAdvance(label)
        _text(painter, left + share * (PANEL - font_width), top + 30, label, 12, INK)


def _class_legend(painter: QPainter, left: float, top: float, layer: Any) -> None:
    """The classes that occur, three to a row."""
    present = _values(layer)
    shown = [entry for entry in layer.renderer().classes() if entry.value in present]
    for i, entry in enumerate(shown):
        x, y = left + (i % 3) * PANEL / 3, top + (i // 3) * 22
        painter.setPen(QPen(QColor("#9aa3a9"), 1))
        painter.setBrush(entry.color)
        painter.drawRect(QRectF(x + 0.5, y + 0.5, 14, 11))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        _text(painter, x + 22, y + 11, entry.label, 12, INK)


def _values(layer: Any) -> set[int]:
    provider = layer.dataProvider()
    block = provider.block(1, layer.extent(), layer.width(), layer.height())
    return set(bytes(block.data()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
