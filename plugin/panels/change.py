# SPDX-License-Identifier: GPL-2.0-or-later
"""Change: two layers in; what changed as layers, and as a matrix or a histogram with a threshold."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from typing import Any, Optional

from qgis.core import QgsProcessingUtils, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QComboBox, QDoubleSpinBox, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from .. import change, results
from ..compat import RASTER_FILTER
from ..i18n import tr
from ..jobs import Task
from ..layers import gdal_source
from ..workbench import Workbench
from .field import Fields, Note, lay_out_panel, wrapped
from .histogram_view import HistogramView
from .matrix_table import MatrixTable
from .run_bar import RunBar

METHODS = ("auto", "classes", "model", "bands")


class ChangePanel(QWidget):
    """First which two layers, then what changed between them."""

    def __init__(self, bench: Workbench, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self.before, self.after = self._chooser(), self._chooser()
        self.method = QComboBox(self)
        for name in METHODS:
            self.method.addItem(change.method_word(name), name)
        self.method.setMinimumContentsLength(8)
        self.method.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.method.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.least = QDoubleSpinBox(self)
        self.least.setRange(0, 1e9)
        self.least.setDecimals(0)
        self.least.setSingleStep(100)
        self.least.setSuffix(f" {tr('m²')}")
        self.least.setToolTip(tr("Smaller polygons are left out. Raster and figures count every pixel."))
        self.seen = wrapped(self)
        self.problem = Note(parent=self)
        self.summary = wrapped(self)
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.matrix = MatrixTable(self)
        self.histogram = HistogramView(self)
        self.polygons = QPushButton(tr("Make polygons"), self)
        self.polygons.setToolTip(tr("Adds what lies right of the line as a polygon layer."))
        self.bar = RunBar(tr("Find changes"), self)
        self.result: Any = None
        """The engine's answer that shows; None before the first."""
        self.layer_id = ""
        """The raster of change; it may be gone from the project."""
        self._polygons_id = ""
        self._task: Optional[Task] = None
        self._ready = False
        self._lay_out()
        self._connect()

    def _chooser(self) -> QgsMapLayerComboBox:
        made = QgsMapLayerComboBox(self)
        made.setFilters(RASTER_FILTER)
        made.setAllowEmptyLayer(True)
        made.setMinimumContentsLength(8)
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        return made

    def _lay_out(self) -> None:
        self.rows = Fields(
            (
                (tr("Before"), self.before, self.before),
                (tr("After"), self.after, self.after),
                (tr("Compare"), self.method, self.method),
                (tr("Least area"), self.least, self.least),
            ),
            self,
        )
        self.outcome = QWidget(self)
        column = QVBoxLayout(self.outcome)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for widget in (self.summary, self.matrix, self.histogram):
            column.addWidget(widget)
        column.addWidget(self.polygons, 0, Qt.AlignmentFlag.AlignLeft)
        self.outcome.hide()
        lay_out_panel(self, (self.rows, self.seen, self.outcome), (self.problem, self.bar))

    def _connect(self) -> None:
        for box in (self.before, self.after):
            box.layerChanged.connect(lambda *_: self.refresh())
        self.method.currentIndexChanged.connect(lambda *_: self.refresh())
        self.bench.models.changed.connect(self.refresh)
        self.histogram.moved.connect(self._moved)
        self.polygons.clicked.connect(lambda: self.make_polygons())
        self.bar.run.connect(self.run)
        self.bar.cancel.connect(self.cancel)

    # What other parts of the plugin ask for.

    def activate(self) -> None:
        """The panel is being looked at: bring everything up to date."""
        if not self._ready:
            self._suggest()
        self._ready = True
        self.refresh()

    def take(self, paths: list[str]) -> None:
        """Dropped files become layers: the first one before, the next one after."""
        for box, path in zip((self.before, self.after), paths):
            layer = self.bench.iface.addRasterLayer(path)
            if isinstance(layer, QgsRasterLayer) and layer.isValid():
                box.setLayer(layer)

    def close_tools(self) -> None:
        """The plugin is being unloaded."""
        self.cancel()

    def _suggest(self) -> None:
        """The layer that is looked at, and another one of as many bands."""
        found = [
            layer
            for layer in QgsProject.instance().mapLayers().values()
            if isinstance(layer, QgsRasterLayer) and layer.providerType() == "gdal"
        ]
        active = self.bench.iface.activeLayer()
        first = active if active in found else (found[0] if found else None)
        bands = 0 if first is None else first.bandCount()
        other = [one for one in found if one is not first and one.bandCount() == bands]
        self.before.setLayer(first)
        self.after.setLayer(other[0] if other else None)

    # Which two, and how.

    def _sources(self) -> Optional[tuple[str, str]]:
        """What the engine reads; None, and the note says why, where something lacks."""
        layers = self.before.currentLayer(), self.after.currentLayer()
        if None in layers:
            self.seen.setText(tr("Choose two layers of the same place: two maps of classes, or two images."))
            return None
        if layers[0] is layers[1]:
            self.problem.say(tr("Both are the same layer; choose another date."))
            return None
        if any(layer.providerType() != "gdal" for layer in layers):
            self.problem.say(tr("Both layers must be raster files."))
            return None
        return gdal_source(layers[0]), gdal_source(layers[1])

    def _request(self, sources: tuple[str, str], folder: str) -> Any:
        from ...inference import CompareRequest

        return CompareRequest(
            *sources,
            output=os.path.join(folder, "change.tif"),
            polygons=os.path.join(folder, "change.gpkg"),
            method=str(self.method.currentData()),
            model=self.bench.models.model or "starter",
            min_area=self.least.value(),
        )

    def refresh(self) -> None:
        """Say how the two will be compared, or what keeps them from it."""
        if not self._ready or not self.isVisible() or self._task is not None:
            return
        self.problem.say("")
        self.seen.setText("")
        sources = self._sources()
        self.bar.set_ready(sources is not None and self._recognise(sources))
        self.seen.setVisible(bool(self.seen.text()))

    def _recognise(self, sources: tuple[str, str]) -> bool:
        from ...inference import TerraneError, default_geo, recognise_pair

        request = self._request(sources, "")
        try:
            pair = recognise_pair(*sources, default_geo(), method=request.method, model=request.model)
        except TerraneError as error:
            self.problem.say(str(error))
            return False
        self.seen.setText(" ".join((change.pair_words(pair), *pair.warnings)))
        if pair.method == "model" and not self.bench.models.runtime_ready:
            self.problem.say(
                tr("ONNX Runtime is not installed yet: press Install above, or compare band by band.")
            )
            return False
        return True

    # Comparing.

    def run(self) -> None:
        """Compare the two layers, in the background."""
        from ...inference import compare

        sources = None if self._task is not None else self._sources()
        if sources is None or not self.bar.button.isEnabled():
            return
        title = tr("{before} → {after}").format(
            before=self.before.currentLayer().name(), after=self.after.currentLayer().name()
        )
        request = self._request(sources, self._folder())
        task = Task(
            tr("Terrane: finding changes"),
            lambda progress, cancel: compare(request, progress=progress, cancel=cancel),
        )
        self._start(task, lambda result: self._compared(result, title))

    def make_polygons(self) -> None:
        """Polygons of what lies right of the line, in place of the earlier ones."""
        from ...inference import outline_change

        if self._task is not None or self.layer is None or self.result is None:
            return
        source, limit, least = self.result.output, self.histogram.threshold, self.least.value()
        path = os.path.join(self._folder(), "change.gpkg")
        task = Task(
            tr("Terrane: drawing outlines"),
            lambda progress, cancel: outline_change(
                source, path, limit, min_area=least, progress=progress, cancel=cancel
            ),
        )
        self._start(task, lambda _count: self._outlined(path))

    @staticmethod
    def _folder() -> str:
        return tempfile.mkdtemp(prefix="terrane-", dir=QgsProcessingUtils.tempFolder())

    def _start(self, task: Task, then: Any) -> None:
        task.progress.connect(self._show_progress)
        task.ended.connect(lambda ended: self._ended(ended, then))
        self._task = task
        self.polygons.setEnabled(False)
        self.bar.start()
        self.bench.jobs.start(task)

    def _show_progress(self, progress: Any) -> None:
        if self.bar.running and self.bar.stop.isEnabled():
            self.bar.bar.setRange(0, max(1, progress.total))
            self.bar.bar.setValue(progress.done)
            self.bar.words.setText(change.phase_word(progress.message))

    def cancel(self) -> None:
        """Stop whatever runs."""
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: Task, then: Any) -> None:
        self._task = None
        self.bar.end()
        self.polygons.setEnabled(True)
        if task.error is None:
            then(task.result)
        else:
            self.bench.report(task.error)
        self.refresh()

    # What came of it.

    @property
    def layer(self) -> Optional[QgsRasterLayer]:
        """The raster of change; None before the first comparison, and once it is gone."""
        found = QgsProject.instance().mapLayer(self.layer_id)
        return found if isinstance(found, QgsRasterLayer) else None

    def _compared(self, result: Any, title: str) -> None:
        self.result = result
        raster, polygons = change.add(result, title)
        self.layer_id, self._polygons_id = raster, polygons or ""
        classes = result.method == "classes"
        self.matrix.setVisible(classes)
        for widget in (self.histogram, self.polygons):
            widget.setVisible(not classes)
        if classes:
            unit = self.matrix.show_transitions(result.transitions)
            self._say(result.changed.pixels, result.changed.area)
            self.summary.setText(f"{self.summary.text()} {tr('The table is in {unit}.').format(unit=unit)}")
        else:
            seen = result.histogram
            self.histogram.show_histogram(seen.counts, seen.edges, result.threshold)
            self._say(result.changed.pixels, result.changed.area)
        self.outcome.show()
        layers = tuple(one for one in (raster, polygons) if one)
        made = results.Results(results.group_name(title), layers, {})
        self.bench.succeed(
            tr("Change added: {share}").format(
                share=change.share_words(result.changed.pixels, result.compared.pixels, result.changed.area)
            ),
            undo=lambda: results.undo(made),
        )

    def _say(self, pixels: float, area: float) -> None:
        share = change.share_words(pixels, self.result.compared.pixels, area)
        if self.result.method == "classes":
            self.summary.setText(tr("{share} changed.").format(share=share))
            return
        value = f"{self.histogram.threshold:.3f}"
        self.summary.setText(tr("{share} changed by more than {value}.").format(share=share, value=value))

    def _moved(self, threshold: float) -> None:
        """The line was moved: the map and the numbers follow."""
        compared, pixels = self.result.compared, self.histogram.above()
        self._say(pixels, compared.area * pixels / compared.pixels)
        if self.layer is not None:
            change.show_above(self.layer, threshold)

    def _outlined(self, path: str) -> None:
        project = QgsProject.instance()
        old = project.mapLayer(self._polygons_id)
        made = change.polygon_layer(path, replace(self.result, threshold=self.histogram.threshold))
        node = project.layerTreeRoot().findLayer(self.layer_id)
        parent = node.parent() if node is not None else project.layerTreeRoot()
        project.addMapLayer(made, False)
        parent.insertLayer(0, made)
        if isinstance(old, QgsVectorLayer):
            project.removeMapLayer(old.id())
        self._polygons_id = made.id()
