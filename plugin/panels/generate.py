# SPDX-License-Identifier: GPL-2.0-or-later
"""Generate: from the layer that is there to the layers one wants."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from typing import Any, Optional

from qgis.core import QgsProcessingUtils, QgsRasterLayer
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from .. import results, settings
from ..i18n import tr
from ..jobs import Task
from ..words import duration, extent_word, layer_word, listing, tiles_word
from ..workbench import Workbench
from .area_box import LAYER, AreaBox
from .field import Fields, Note, link, together
from .options_boxes import QualityBox, SaveBox, TargetsBox
from .run_bar import RunBar
from .source_box import SourceBox

_AFTER_MS = 100


class StarterNote(Note):
    """One line about a model that is only for trying things out, and the way to the real ones."""

    def show_card(self, card: Any) -> None:
        """Show the notice of a synthetic model; none for others."""
        if card is None or not card.notice:
            self.say("")
            return
        notice = tr("The starter model is for trying things out.") if card.id == "starter" else card.notice
        more = link(together(tr("Get TerraMind…")))
        self.say(f"{notice} {more}")
        self.setToolTip(card.notice)


class GeneratePanel(QWidget):
    """The panel: fields, the line that says what a run will take, and the button."""

    def __init__(self, bench: Workbench, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self.source = SourceBox(self)
        self.area = AreaBox(bench.iface, self)
        self.targets = TargetsBox(self)
        self.quality = QualityBox(self)
        self.save = SaveBox(self)
        self.problem = Note(parent=self)
        self.starter = StarterNote(parent=self)
        self.bar = RunBar(tr("Generate"), self)
        self._task: Optional[Task] = None
        self._modality = ""
        self._ready = False
        self._lay_out()
        self.source.changed.connect(self._source_changed)
        for box in (self.area, self.targets, self.quality, self.save):
            box.changed.connect(self.refresh)
        self.bench.models.changed.connect(self._model_changed)
        self.starter.text.linkActivated.connect(lambda: self.bench.models.open_dialog())
        self.bar.run.connect(self.run)
        self.bar.cancel.connect(self.cancel)

    def _lay_out(self) -> None:
        fields = QWidget(self)
        rows = (
            (tr("From"), self.source, self.source.combo),
            (tr("Over"), self.area, self.area.buttons["map"]),
            (tr("Into"), self.targets, self.targets),
        )
        column = QVBoxLayout(fields)
        column.setContentsMargins(9, 3, 9, 6)
        column.setSpacing(9)
        column.addWidget(Fields(rows, fields))
        column.addWidget(self.quality)
        column.addWidget(self.save)
        column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(fields)
        bottom = QVBoxLayout()
        bottom.setContentsMargins(9, 0, 9, 9)
        bottom.setSpacing(6)
        bottom.addWidget(self.problem)
        bottom.addWidget(self.starter)
        bottom.addWidget(self.bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll, 1)
        layout.addLayout(bottom)

    # What other parts of the plugin ask for.

    def activate(self) -> None:
        """The panel is being looked at: bring everything up to date."""
        if not self._ready:
            self.source.suggest(self.bench.iface.activeLayer())
        self._ready = True
        self._model_changed()
        self.source.recognise()
        self.refresh()

    def start_with(self, layer: QgsRasterLayer, target: str) -> None:
        """One target of a whole layer, as the layer's context menu asks for it."""
        self.activate()
        self.source.set_layer(layer)
        if target not in self.targets.boxes:
            self.problem.say(
                tr("This model does not make {target}; choose another model above.").format(
                    target=layer_word(target)
                )
            )
            return
        self.targets.set_targets([target])
        self.area.choose(LAYER)
        self.run()

    def take(self, paths: list[str]) -> None:
        """Dropped files: products are read as they are, rasters become layers first."""
        from ..layers import is_product

        layers = []
        for path in paths:
            if is_product(path):
                self.source.set_product(path)
                self.area.choose(LAYER)
                return
            layer = self.bench.iface.addRasterLayer(path)
            if layer is not None and layer.isValid():
                layers.append(layer)
        if len(layers) == 1:
            self.source.set_layer(layers[0])
        elif layers:
            self.source.set_layers(layers)

    def close_tools(self) -> None:
        """The plugin is being unloaded."""
        for timer in self.findChildren(QTimer):
            timer.stop()
        self.area.close_tools()

    # Keeping fields, forecast and button true.

    def _model_changed(self) -> None:
        card = self.bench.models.card
        self.targets.offer(card.targets if card is not None else ())
        self.starter.show_card(card)
        self.refresh()

    def _source_changed(self) -> None:
        scene = self.source.scene
        if scene is not None and scene.modality != self._modality:
            self._modality = scene.modality
            self._recall(settings.choices(scene.modality))
        self.area.buttons[LAYER].setText(
            tr("Whole layer") if self.source.layer is not None else tr("Whole scene")
        )
        self.refresh()

    def _recall(self, last: settings.Choices) -> None:
        if last.model:
            self.bench.models.choose(last.model)
        if last.targets:
            self.targets.set_targets(last.targets)
        self.quality.set_choices(last)
        self.save.set_choices(last)

    def refresh(self) -> None:
        """Forecast the run, and say next to each field what keeps it from starting."""
        if not self._ready or not self.isVisible():
            return
        for note in (self.area.note, self.targets.note, self.problem):
            note.say("")
        self.save.note.say("")
        self.area.forecast.setText("")
        self.bar.button.setEnabled(self._forecast() and self.bench.models.runtime_ready)
        self.area.forecast.setVisible(bool(self.area.forecast.text()))

    def _forecast(self) -> bool:
        """Whether the run can start; fills the forecast line or the note of the field at fault."""
        from ...inference import ExtentError, TerraneError, forecast

        if self.source.scene is None or self.bench.models.card is None:
            return False
        if not self.targets.targets():
            self.targets.note.say(tr("Tick what to make."))
            return False
        try:
            request = self._request()
            found = forecast(request, geo=self._geo())
        except ExtentError as error:
            self.area.note.say(str(error))
            return False
        except TerraneError as error:
            self.problem.say(str(error))
            return False
        parts = [extent_word(found.width_m, found.height_m), tiles_word(found.tiles)]
        if found.seconds is not None:
            parts.append(tr("about {time}").format(time=duration(found.seconds)))
        self.area.forecast.setText(" · ".join(map(together, parts)))
        return self._can_save(request)

    def _can_save(self, request: Any) -> bool:
        folder = self.save.path()
        if not folder:
            return True
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            self.save.complain(tr("This folder does not exist or cannot be written."))
            return False
        there = [os.path.basename(path) for path in request.outputs.values() if os.path.exists(path)]
        if there and not self.save.overwrite.isChecked():
            self.save.complain(
                tr("{files} already there; choose another folder, or replace files that exist.").format(
                    files=listing(there)
                )
            )
            return False
        return True

    def _geo(self) -> Any:
        return self.source.input.geo if self.source.input is not None else None

    def _request(self, folder: str = "") -> Any:
        """The frozen request of what the fields say now. Raises ExtentError."""
        from ...inference import GenerateRequest

        scene, card = self.source.scene, self.bench.models.card
        area = self.area.area()
        wanted = self.targets.targets()
        folder = folder or self.save.path()
        preferences = settings.preferences()
        return GenerateRequest(
            scenes=(scene,),
            targets=wanted,
            outputs={target: os.path.join(folder, f"{scene.name}_{target}.tif") for target in wanted},
            model=self.bench.models.model,
            preset=self.quality.preset.currentData(),
            seed=self.quality.seed.value(),
            extent=area.extent,
            extent_crs=area.crs,
            region=area.region,
            grid=self.quality.grid.currentData(),
            overwrite=self.save.overwrite.isChecked() if card is not None else False,
            device=preferences.device,
            threads=preferences.threads or None,
            batch=self.quality.batch.value() or None,
        )

    # The run.

    def run(self) -> None:
        """Start; everything the worker needs is in the request."""
        if self._task is not None:
            return
        self.refresh()
        if not self.bar.button.isEnabled():
            return
        from ...inference import generate

        folder = self.save.path() or tempfile.mkdtemp(prefix="terrane-", dir=QgsProcessingUtils.tempFolder())
        request, geo = self._request(folder), self._geo()
        self._remember()
        title = self.source.title
        words = tr("Terrane: {targets} of {scene}").format(
            targets=listing(results.result_words(request.targets)), scene=title
        )
        task = Task(
            words, lambda progress, cancel: generate(request, progress=progress, cancel=cancel, geo=geo)
        )
        task.progress.connect(self.bar.show_progress)
        task.ended.connect(lambda ended: self._ended(ended, title))
        self._task = task
        self.bar.start()
        self.bench.jobs.start(task)

    def cancel(self) -> None:
        """Stop the run at once."""
        if self._task is not None:
            self._task.cancel()

    def _remember(self) -> None:
        if self.source.scene is None:
            return
        settings.save_choices(
            self.source.scene.modality,
            replace(
                settings.choices(self.source.scene.modality),
                model=self.bench.models.model,
                targets=self.targets.targets(),
                preset=self.quality.preset.currentData(),
                grid=self.quality.grid.currentData(),
                folder=self.save.path(),
                overwrite=self.save.overwrite.isChecked(),
                seed=self.quality.seed.value(),
                batch=self.quality.batch.value(),
            ),
        )

    def _ended(self, task: Task, title: str) -> None:
        self._task = None
        self.bar.end()
        if task.error is not None:
            self.bench.report(task.error)
        else:
            self._show(task.result, title)
        self.refresh()

    def _show(self, result: Any, title: str) -> None:
        card = self.bench.models.card
        made = results.add(result.outputs, title, licence=card.license if card is not None else "")
        self.bench.models.show_device(result.device)
        self.bench.log_result(result)
        words = tr("{layers} added · {time}").format(
            layers=listing(results.result_words(list(result.outputs))), time=duration(result.seconds)
        )
        # After QGIS's own note that a task is complete, which would cover it.
        later = QTimer(self)
        later.setSingleShot(True)
        later.timeout.connect(lambda: self.bench.succeed(words, undo=lambda: results.undo(made)))
        later.timeout.connect(later.deleteLater)
        later.start(_AFTER_MS)
