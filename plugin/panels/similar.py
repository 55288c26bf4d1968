# SPDX-License-Identifier: GPL-2.0-or-later
"""Find similar: embeddings are made once, kept as a layer, and compared with the places that one clicks."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from typing import Any, Callable, Optional

from qgis.core import QgsProcessingUtils, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QComboBox, QSizePolicy, QWidget

from .. import results, settings, similarity
from ..i18n import tr
from ..jobs import Task
from ..layers import gdal_source
from ..workbench import Workbench
from .area_box import LAYER, AreaBox
from .examples_box import ExamplesBox
from .field import Fields, Note, find_data, lay_out_panel, link, together, wrapped
from .forecasting import disk_problem, forecast_words
from .inputs_box import InputsBox
from .run_bar import RunBar
from .running import Runner
from .starter_note import StarterNote
from .threshold_box import ThresholdBox


class EmbedRunner(Runner):
    """Makes embeddings. ``made``: the id of the layer that came of the last run."""

    made = ""

    def work(self, request: Any, *, progress: Any, cancel: Any, geo: Any) -> Any:
        """See Runner."""
        from ...inference import embed

        return embed(request, progress=progress, cancel=cancel, geo=geo)

    def names(self, products: list[str]) -> list[str]:
        """See Runner."""
        del products
        return [similarity.product_word(similarity.EMBEDDINGS)]

    def add(self, result: Any, title: str, licence: str) -> results.Results:
        """See Runner."""
        del licence
        added = similarity.add(result.outputs, title)
        self.made = added.made[similarity.EMBEDDINGS]
        return added


class SimilarPanel(QWidget):
    """First what to search in, then what to look for, then how alike it must be."""

    def __init__(self, bench: Workbench, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.bench = bench
        self.within = QComboBox(self)
        self.within.setMinimumContentsLength(8)
        self.within.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.within.setToolTip(
            tr("Embeddings to search in. They are made once for an image, and kept as a layer.")
        )
        self.inputs = InputsBox(self)
        self.area = AreaBox(bench.iface, self)
        self.examples = ExamplesBox(bench.iface, self)
        self.threshold = ThresholdBox(self)
        self.problem = Note(parent=self)
        self.starter = StarterNote(bench, self)
        self.bar = RunBar(tr("Make embeddings"), self)
        self.runner = EmbedRunner(bench, self.bar, self)
        self._task: Optional[Task] = None
        self._again = False
        """Examples changed while a comparison ran."""
        self._ready = False
        self._done = 0
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.rows = Fields(
            (
                (tr("In"), self.within, self.within),
                (tr("From"), self.inputs, self.inputs.first.combo),
                (tr("Over"), self.area, self.area.buttons["map"]),
                (tr("Like"), self.examples, self.examples.pick),
                (tr("Show"), self.threshold, self.threshold.slider),
            ),
            self,
        )
        self.hint = wrapped(self)
        lay_out_panel(self, (self.rows, self.hint), (self.problem, self.starter, self.bar))

    def _connect(self) -> None:
        self.within.currentIndexChanged.connect(lambda: self._within_changed())
        for box in (self.inputs, self.area):
            box.changed.connect(self.refresh)
        self.examples.changed.connect(self.compare)
        self.threshold.wanted.connect(self.make_polygons)
        self.bench.models.changed.connect(self._model_changed)
        self.problem.text.linkActivated.connect(lambda: self.bench.models.open_dialog())
        self.bar.run.connect(self.run)
        self.bar.again.connect(lambda: self.run(again=True))
        self.bar.cancel.connect(self.cancel)
        self.runner.ended.connect(self._embedded)
        project = QgsProject.instance()
        project.layersAdded.connect(self._layers_changed)
        project.layersRemoved.connect(self._layers_changed)

    # What other parts of the plugin ask for.

    def activate(self) -> None:
        """The panel is being looked at: bring everything up to date."""
        if not self._ready:
            self.inputs.first.suggest(self.bench.iface.activeLayer())
        self._ready = True
        self._list()
        self._model_changed()
        self.inputs.recognise()
        self.refresh()

    def take(self, paths: list[str]) -> None:
        """Dropped files become layers, the first of them the input."""
        from ..layers import is_product

        for path in paths:
            if is_product(path):
                self.inputs.first.set_product(path)
                self.area.choose(LAYER)
                return
            layer = self.bench.iface.addRasterLayer(path)
            if isinstance(layer, QgsRasterLayer) and layer.isValid():
                self.inputs.first.set_layer(layer)
                return

    def close_tools(self) -> None:
        """The plugin is being unloaded."""
        for timer in self.findChildren(QTimer):
            timer.stop()
        project = QgsProject.instance()
        project.layersAdded.disconnect(self._layers_changed)
        project.layersRemoved.disconnect(self._layers_changed)
        self.area.close_tools()
        self.examples.close_tools()

    # What to search in.

    @property
    def embeddings(self) -> Optional[QgsRasterLayer]:
        """The layer of embeddings that is chosen; None: new ones are to be made."""
        layer = QgsProject.instance().mapLayer(str(self.within.currentData() or ""))
        return layer if isinstance(layer, QgsRasterLayer) else None

    def _list(self, wanted: Optional[str] = None) -> None:
        """Offer the project's embeddings, the newest first."""
        chosen = str(self.within.currentData() or "") if wanted is None else wanted
        found = [
            layer for layer in QgsProject.instance().mapLayers().values() if similarity.is_embeddings(layer)
        ]
        self.within.blockSignals(True)
        self.within.clear()
        for layer in reversed(found):
            self.within.addItem(layer.name(), layer.id())
        self.within.addItem(tr("New embeddings of an image"), "")
        place = find_data(self.within, chosen)
        self.within.setCurrentIndex(place if place >= 0 else self.within.count() - 1)
        self.within.blockSignals(False)
        self.rows.show_row(self.within, bool(found))
        self._within_changed()

    def _layers_changed(self, *_: Any) -> None:
        if self._ready:
            self._list()

    def _within_changed(self) -> None:
        there = self.embeddings is not None
        for field in (self.inputs, self.area):
            self.rows.show_row(field, not there)
        self.rows.show_row(self.examples, there)
        self.rows.show_row(self.threshold, there and self.threshold.layer is not None)
        self.refresh()

    def _model_changed(self) -> None:
        card = self.bench.models.card
        able = card is not None and "embed" in card.tasks
        self.inputs.offer(tuple(card.inputs) if card is not None and able else ())
        self.refresh()

    # Keeping fields, forecast and button true.

    def refresh(self) -> None:
        """Forecast the run, and say next to each field what keeps it from starting."""
        if not self._ready or not self.isVisible():
            return
        self.area.note.say("")
        self.problem.say("")
        self.area.forecast.setText("")
        there = self.embeddings is not None
        self.hint.setText(
            ""
            if there
            else tr("Once for an image; then each click on the map finds what is like that place.")
        )
        self.hint.setVisible(not there)
        self.bar.setVisible(not there or self.bar.running)
        if not there:
            self._done = 0
            self.bar.set_ready(self._forecast() and self.bench.models.runtime_ready)
        self.area.forecast.setVisible(bool(self.area.forecast.text()))

    def _forecast(self) -> bool:
        """Whether embeddings can be made; fills the forecast line or the note of the field at fault."""
        from ...inference import ExtentError, TerraneError, forecast_embed

        self.bar.offer(0, 0)
        card = self.bench.models.card
        if card is None:
            return False
        if "embed" not in card.tasks:
            words = tr("This model gives no embeddings; choose another one above.")
            self.problem.say(f"{words} {link(together(tr('Add model…')))}")
            return False
        usable = self.inputs.check()
        if self.inputs.first.scene is None or not usable:
            return False
        try:
            found = forecast_embed(self._request(self.runner.kept), geo=self.inputs.geo)
        except ExtentError as error:
            self.area.note.say(str(error))
            return False
        except TerraneError as error:
            self.problem.say(str(error))
            return False
        self._done = found.tiles_done
        self.bar.offer(found.tiles_done, found.tiles)
        self.area.forecast.setText(forecast_words(found, offer=False))
        short = disk_problem("", found.bytes_needed)
        self.problem.say(short)
        return not short

    def _request(self, folder: str) -> Any:
        """The frozen request of what the fields say now. Raises TerraneError."""
        from ...inference import EmbedRequest

        area = self.area.area()
        scenes = self.inputs.scenes
        stem = os.path.join(folder, scenes[0].name)
        names = (similarity.EMBEDDINGS, similarity.PCA)
        preferences = settings.preferences()
        return EmbedRequest(
            scenes=scenes,
            outputs={name: f"{stem}_{name}.tif" if folder else "" for name in names},
            model=self.bench.models.model,
            extent=area.extent,
            extent_crs=area.crs,
            region=area.region,
            coords=self.inputs.use_coords,
            device=preferences.device,
            threads=preferences.threads or None,
        )

    # Making embeddings.

    def run(self, *, again: bool = False) -> None:
        """Make embeddings, or go on with an interrupted run unless ``again``."""
        if self.runner.running or self.embeddings is not None:
            return
        self.refresh()
        if not self.bar.button.isEnabled():
            return
        resume = self._done > 0 and not again
        folder = self.runner.folder(keep=resume)
        request = replace(self._request(folder), resume=resume)
        title = self.inputs.first.title
        self.runner.start(request, self.inputs.geo, title=title, licence="", temporary=True)

    def cancel(self) -> None:
        """Stop whatever runs."""
        self.runner.cancel()
        if self._task is not None:
            self._task.cancel()

    def _embedded(self) -> None:
        made, self.runner.made = self.runner.made, ""
        if made:
            self._list(made)
            self.examples.pick.setChecked(True)
        self.refresh()

    # Comparing.

    def compare(self) -> None:
        """Compare the examples with all places, in the background; the layer follows."""
        source = self.embeddings
        if source is None or not self.examples.examples.count:
            return
        if self._task is not None:
            self._again = True
            return
        beside = source.id()
        self._start(lambda result: self._compared(result, beside))

    def make_polygons(self) -> None:
        """Add what is shown as polygons."""
        layer, limit = self.threshold.layer, self.threshold.threshold
        if self.embeddings is None or layer is None or limit is None or self._task is not None:
            return
        beside = layer.id()
        self._start(
            lambda result: similarity.put(result.places, similarity.PLACES, beside),
            places="similar_places.gpkg",
            threshold=limit,
        )

    def _start(self, then: Callable[[Any], Any], places: str = "", **wanted: Any) -> None:
        """Compare in the background; ``then`` gets the engine's result (main thread)."""
        from ...inference import SimilarRequest, similar

        folder = tempfile.mkdtemp(prefix="terrane-", dir=QgsProcessingUtils.tempFolder())
        examples = self.examples.examples
        request = SimilarRequest(
            embeddings=gdal_source(self.embeddings),
            output=os.path.join(folder, "similarity.tif"),
            points=examples.points,
            regions=examples.regions,
            crs=examples.crs,
            centre=self.examples.centre.isChecked(),
            places=os.path.join(folder, places) if places else None,
            **wanted,
        )
        words = tr("Terrane: looking for similar places")
        task = Task(words, lambda progress, cancel: similar(request, progress=progress, cancel=cancel))
        task.ended.connect(lambda ended: self._ended(ended, then))
        self._task = task
        self.bar.setVisible(True)
        self.bar.start()
        self.bench.jobs.start(task)

    def _ended(self, task: Task, then: Callable[[Any], Any]) -> None:
        from ...inference import ExtentError

        self._task = None
        again, self._again = self._again, False
        self.bar.end()
        self.refresh()
        if again:
            self.compare()
        elif isinstance(task.error, ExtentError):
            self.examples.note.say(str(task.error))
        elif task.error is not None:
            self.bench.report(task.error)
        else:
            then(task.result)

    def _compared(self, result: Any, beside: str) -> None:
        old = self.threshold.layer_id
        made = similarity.put(result.output, similarity.SIMILARITY, beside, replacing=old)
        self.threshold.show_layer(made.id())
        self._within_changed()
