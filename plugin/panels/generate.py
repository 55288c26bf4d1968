# SPDX-License-Identifier: GPL-2.0-or-later
"""Generate: from the layers that are there to the layers one wants."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Optional

from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QWidget

from .. import runs, settings
from ..i18n import tr
from ..models_list import error_lines
from ..words import layer_word, progress_word
from ..workbench import Workbench
from .area_box import LAYER, AreaBox
from .elevation_box import ElevationBox
from .field import Fields, Note, lay_out_panel
from .forecasting import Timer, forecast_words
from .inputs_box import InputsBox
from .offer import Offer
from .quality_box import QualityBox
from .run_bar import RunBar
from .running import Runner
from .save_box import SaveBox
from .starter_note import StarterNote
from .targets_box import TargetsBox


class GeneratePanel(QWidget):
    """The panel: fields, the line that says what a run will take, and the button."""

    def __init__(self, bench: Workbench, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self.offer = Offer(bench.models, self)
        self.inputs = InputsBox(self)
        self.source = self.inputs.first
        self.area = AreaBox(bench.iface, self)
        self.targets = TargetsBox(self)
        self.quality = QualityBox(self)
        self.elevation = ElevationBox(self)
        self.save = SaveBox(self)
        self.problem = Note(parent=self)
        self.starter = StarterNote(bench, self)
        self.bar = RunBar(tr("Generate"), self)
        self.runner = Runner(bench, self.bar, self)
        self.timer = Timer(bench, self)
        self._modality = ""
        self._ready = False
        self._pack: tuple[str, Any] = ("", None)
        self._done = 0
        """Tiles of an interrupted run with just these settings."""
        self._unfinished: Optional[runs.Run] = None
        """An interrupted run to the same files with other settings, the area perhaps."""
        self._lay_out()
        self._connect()

    def _connect(self) -> None:
        self.inputs.changed.connect(self._source_changed)
        for box in (self.area, self.targets, self.quality, self.elevation, self.save):
            box.changed.connect(self.refresh)
        self.bench.models.changed.connect(self._model_changed)
        self.area.forecast.linkActivated.connect(lambda: self.timer.start(self._request(), self._geo()))
        self.timer.known.connect(self.refresh)
        self.bar.run.connect(self.run)
        self.bar.again.connect(lambda: self.run(again=True))
        self.bar.cancel.connect(self.cancel)
        self.runner.ended.connect(self.refresh)

    def _lay_out(self) -> None:
        rows = (
            (tr("From"), self.inputs, self.source.combo),
            (tr("Over"), self.area, self.area.buttons["map"]),
            (tr("Into"), self.targets, self.targets),
        )
        lay_out_panel(
            self,
            (self.offer, Fields(rows, self), self.quality, self.elevation, self.save),
            (self.problem, self.starter, self.bar),
        )

    # What other parts of the plugin ask for.

    def activate(self) -> None:
        """The panel is being looked at: bring everything up to date."""
        if not self._ready:
            self.source.suggest(self.bench.iface.activeLayer())
        self._ready = True
        self._model_changed()
        self.inputs.recognise()
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
        self.inputs.offer(card.inputs if card is not None else ())
        self.starter.refresh()
        self.quality.show_errors(error_lines(card) if card is not None else ())
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
        self.inputs.coords.setChecked(last.coords)
        self.elevation.set_levels(last.levels)
        self.quality.set_choices(last)
        self.save.set_choices(last)

    def refresh(self) -> None:
        """Forecast the run, and say next to each field what keeps it from starting."""
        if not self._ready or not self.isVisible():
            return
        self.targets.exclude([scene.modality for scene in self.inputs.scenes])
        wanted = self.targets.targets()
        self.elevation.setVisible("DEM" in wanted)
        self.quality.offer_probability("LULC" in wanted)
        for note in (self.area.note, self.targets.note, self.elevation.note, self.save.note, self.problem):
            note.say("")
        self.area.forecast.setText("")
        self._done, self._unfinished = 0, None
        self.bar.set_ready(self._forecast() and self.bench.models.runtime_ready)
        self.area.forecast.setVisible(bool(self.area.forecast.text()))

    def _forecast(self) -> bool:
        """Whether the run can start; fills the forecast line or the note of the field at fault."""
        from ...inference import ExtentError, TerraneError, forecast

        self.bar.offer(0, 0)
        card = self.bench.models.card
        usable = self.inputs.check()
        if self.source.scene is None or card is None or not usable:
            return False
        if "generate" not in card.tasks:
            self.problem.say(tr("This model does not generate; choose another one above."))
            return False
        if not self.targets.targets():
            self.targets.note.say(tr("Tick what to make."))
            return False
        if not self._coarse_is_fine():
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
        self._done = found.tiles_done
        self.bar.offer(found.tiles_done, found.tiles)
        if not self._done:
            self._offer_other(request.outputs)
        self.area.forecast.setText(forecast_words(found, timing=self.timer.running))
        return self.save.accepts(request.outputs.values(), found.bytes_needed)

    def _offer_other(self, outputs: Any) -> None:
        """An interrupted run to the same files, from before the map moved or QGIS was closed."""
        from ...inference import find_journal

        journal = find_journal(outputs)
        if journal is None or not journal.done:
            return
        self._unfinished = runs.find(outputs)
        if self._unfinished is not None:
            self.bar.offer(journal.done, journal.total, elsewhere=True)
        else:
            self.problem.say(
                tr("{button} replaces an unfinished run with other settings ({progress} done).").format(
                    button=self.bar.button.text(), progress=progress_word(journal.done, journal.total)
                )
            )

    def _coarse_is_fine(self) -> bool:
        from ...inference import TerraneError

        try:
            _ = self.elevation.scene
        except TerraneError as error:
            self.elevation.note.say(str(error))
            self.elevation.setCollapsed(False)
            return False
        return True

    def _geo(self) -> Any:
        """What reads the inputs, the coarse elevation among them."""
        geo, coarse = self.inputs.geo, self.elevation.input
        if geo is None or coarse is None:
            return geo
        from ..layer_geo import LayerGeo

        return LayerGeo(geo, coarse.geo)

    def _tiles(self) -> tuple[int, int]:
        """Side of the model's tiles and patches in pixels."""
        from ...inference import find_model

        model = self.bench.models.model
        if self._pack[0] != model:
            self._pack = (model, find_model(model, verify=False))
        return self._pack[1].tile, self._pack[1].patch

    def _request(self, folder: str = "") -> Any:
        """The frozen request of what the fields say now. Raises TerraneError."""
        from ...inference import GenerateRequest, output_paths

        scenes = self.inputs.scenes
        area = self.area.area()
        wanted = self.targets.targets()
        folder = folder or self.save.path() or self.runner.kept
        preferences = settings.preferences()
        request = GenerateRequest(
            **self.quality.fields(*self._tiles()),
            scenes=scenes,
            targets=wanted,
            outputs={},
            model=self.bench.models.model,
            extent=area.extent,
            extent_crs=area.crs,
            region=area.region,
            overwrite=self.save.overwrite.isChecked(),
            device=preferences.device,
            threads=preferences.threads or None,
            coords=self.inputs.use_coords,
            levels=self.elevation.levels,
            coarse_dem=self.elevation.scene if "DEM" in wanted else None,
        )
        if not folder:
            return request
        return replace(request, outputs=output_paths(folder, scenes[0].name, request.products))

    # The run.

    def run(self, *, again: bool = False) -> None:
        """Start, or continue an interrupted run unless ``again``; all the worker needs is in the request."""
        if self.runner.running:
            return
        self.refresh()
        if not self.bar.button.isEnabled():
            return
        if self._unfinished is not None and not again:
            self.repeat(self._unfinished, resume=True)
            return
        resume = self._done > 0 and not again
        folder = self.save.path() or self.runner.folder(keep=resume)
        request = replace(self._request(folder), resume=resume)
        self._remember()
        card = self.bench.models.card
        run = runs.record(
            request,
            [box.recipe for box in self.inputs.boxes if box.recipe is not None],
            coarse=self.elevation.recipe if request.coarse_dem is not None else None,
            title=self.source.title,
            licence=card.license if card is not None else "",
            temporary=not self.save.path(),
        )
        self._start(request, self._geo(), run)

    def repeat(self, run: runs.Run, *, resume: bool) -> None:
        """Go on with a run of the list, or do it again."""
        from ...inference import TerraneError

        if self.runner.running:
            return
        try:
            request, geo = run.rebuild()
        except TerraneError as error:
            self.bench.report(error)
            return
        if not resume and run.temporary:
            outputs = {
                name: os.path.join(self.runner.folder(keep=False), os.path.basename(path))
                for name, path in run.outputs.items()
            }
            request, run = replace(request, outputs=outputs), replace(run, outputs=outputs)
        self._start(replace(request, resume=resume, overwrite=not resume or request.overwrite), geo, run)

    def _start(self, request: Any, geo: Any, run: runs.Run) -> None:
        self.runner.start(
            request, geo, title=run.title, licence=run.licence, temporary=run.temporary, run=run
        )

    def cancel(self) -> None:
        """Stop the run at once."""
        self.runner.cancel()

    def _remember(self) -> None:
        scene = self.source.scene
        if scene is None:
            return
        last = replace(
            settings.choices(scene.modality),
            model=self.bench.models.model,
            targets=self.targets.targets(),
            folder=self.save.path(),
            overwrite=self.save.overwrite.isChecked(),
            coords=self.inputs.coords.isChecked(),
            levels=self.elevation.levels,
        )
        settings.save_choices(scene.modality, self.quality.choices(last))
