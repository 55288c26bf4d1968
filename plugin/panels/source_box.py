# SPDX-License-Identifier: GPL-2.0-or-later
"""From: the layer, layers or product to read, and what was recognised in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from qgis.core import QgsMapLayer, QgsRasterLayer
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..compat import RASTER_FILTER
from ..i18n import tr
from ..icons import theme
from ..layers import Input, from_layers, from_path
from ..runs import Recipe, recipe_of
from ..words import bands_word, input_word, offset_word
from .field import Note, link, together, wrapped


@dataclass(frozen=True)
class SourceSettings:
    """The user's word on an input; what is left out is recognised."""

    modality: Optional[str] = None
    bands: Mapping[str, Any] = field(default_factory=dict)
    """Band name to BandRef."""
    boa_offset: Optional[float] = None


class SourceBox(QWidget):
    """Emits ``changed`` when another input, or another reading of it, is chosen."""

    changed = pyqtSignal()
    removed = pyqtSignal()
    """The button beside a further input was pressed."""

    def __init__(self, parent: Optional[QWidget] = None, *, further: bool = False) -> None:
        """``further``: not the first input, so that it can be taken away again."""
        super().__init__(parent)
        self._further = further
        self._chosen: Optional[Input] = None
        """A product or a set of layers; None: the combo box's layer."""
        self._settings: dict[str, SourceSettings] = {}
        self._recognition: Any = None
        self._scene: Any = None
        self._input: Optional[Input] = None
        self._problem = ""
        self._known_key: Any = None
        self._picture = 0
        self.combo = QgsMapLayerComboBox(self)
        self.combo.setFilters(RASTER_FILTER)
        self.combo.setMinimumContentsLength(8)
        self.combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.combo.setToolTip(
            tr("Another layer of the same place.")
            if further
            else tr("The layer that holds the satellite image.")
        )
        self.combo.currentIndexChanged.connect(self._picked)
        self.more = QToolButton(self)
        self.more.setText("…")
        self.more.setToolTip(tr("Other inputs: several layers, or a product on disk"))
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.more)
        menu.addAction(tr("Several single-band layers…"), self.choose_layers)
        menu.addAction(tr("Open product folder (.SAFE)…"), self._choose_folder)
        menu.addAction(tr("Open product file (.zip, STAC item)…"), self._choose_file)
        self.more.setMenu(menu)
        self.less = QToolButton(self)
        self.less.setIcon(theme("mActionRemove"))
        self.less.setToolTip(tr("Leave this input out"))
        self.less.setVisible(further)
        self.less.clicked.connect(self.removed)
        self.words = wrapped(self)
        self.words.linkActivated.connect(lambda: self.edit())
        self.note = Note(parent=self)
        self._lay_out()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.combo, 1)
        top.addWidget(self.more)
        top.addWidget(self.less)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.words)
        layout.addWidget(self.note)

    # What is chosen.

    @property
    def title(self) -> str:
        """The user's name for the input; empty where there is none."""
        if self._chosen is not None:
            return self._chosen.title
        layer = self.combo.currentLayer()
        return layer.name() if layer is not None else ""

    @property
    def layer(self) -> Optional[QgsMapLayer]:
        """The layer that is chosen, where the input is one layer."""
        return self.combo.currentLayer() if self._chosen is None else None

    @property
    def scene(self) -> Any:
        """The engine's Scene, or None where there is a problem."""
        return self._scene

    @property
    def input(self) -> Optional[Input]:
        """What the engine reads."""
        return self._input

    @property
    def recipe(self) -> Optional[Recipe]:
        """How the input is opened, for the list of runs; None where there is a problem."""
        if self._scene is None or self._input is None:
            return None
        settings = self._settings.get(self._settings_key(), SourceSettings())
        return recipe_of(self._scene, self._input.source, settings.boa_offset, self._input.geo.layer_ids())

    @property
    def recognition(self) -> Any:
        """What the headers say."""
        return self._recognition

    @property
    def problem(self) -> str:
        """Why it cannot be used as it is; empty when it can."""
        return self._problem

    def set_layer(self, layer: Optional[QgsMapLayer]) -> None:
        """Choose a layer."""
        self._choose(None)
        self.combo.setLayer(layer)

    def layers(self) -> list[QgsRasterLayer]:
        """The raster layers on offer."""
        offered = [self.combo.layer(place) for place in range(self.combo.count())]
        return [layer for layer in offered if isinstance(layer, QgsRasterLayer)]

    @staticmethod
    def kind_of(layer: QgsRasterLayer) -> Optional[str]:
        """The modality of which a layer is recognised as a whole."""
        from ...inference import TerraneError, recognise_source

        try:
            chosen = from_layers([layer])
            found = recognise_source(chosen.source, chosen.geo)
        except TerraneError:
            return None
        return None if found.problem else found.modality

    def suggest(self, active: Optional[QgsMapLayer]) -> None:
        """Start with the active layer if it may be an image, else with the layer of most bands."""
        images = self.layers()
        if self._chosen is not None or not images:
            return
        if active is not None and active in images and active.bandCount() > 1:
            self.combo.setLayer(active)
        else:
            self.combo.setLayer(max(images, key=lambda layer: layer.bandCount()))

    def set_product(self, path: str) -> None:
        """Choose a product on disk."""
        self._choose(from_path(path))

    def set_layers(self, layers: Sequence[QgsRasterLayer]) -> None:
        """Choose several layers as one scene."""
        from ...inference import TerraneError

        try:
            chosen = from_layers(layers)
        except TerraneError as error:
            self.note.say(str(error))
            return
        self._choose(chosen)

    def _choose(self, chosen: Optional[Input]) -> None:
        """Make something that is no layer the choice, as an item below the layers (None: take it away)."""
        self._chosen = chosen
        blocked = self.combo.blockSignals(True)
        self.combo.setAdditionalItems([chosen.title] if chosen is not None else [])
        if chosen is not None:
            self.combo.setCurrentIndex(self.combo.count() - 1)
        self.combo.blockSignals(blocked)
        self._picked()

    def _picked(self) -> None:
        if self._chosen is not None and self.combo.currentLayer() is not None:
            self._chosen = None
            self.combo.setAdditionalItems([])
        self.recognise()

    # Other inputs.

    def choose_layers(self) -> None:
        """Ask for several layers."""
        from .layers_dialog import LayersDialog

        dialog = LayersDialog(self)
        if dialog.exec():
            self.set_layers(dialog.layers())

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, tr("Open product folder (.SAFE)"))
        if path:
            self.set_product(path)

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, tr("Open product"), "", tr("Products (*.zip *.json);;All files (*)")
        )
        if path:
            self.set_product(path)

    # What it is.

    def recognise(self, *, again: bool = False) -> None:
        """Read headers and say what was found; cheap when nothing has changed."""
        key = self._key()
        if key == self._known_key and not again:
            return
        self._known_key = key
        self._recognition = self._scene = self._input = None
        self._problem = ""
        if not self.title:
            self.words.setText(
                tr("Choose a layer.")
                if self._further
                else tr("Add a Sentinel-2 image to the project, or drop a file here.")
            )
        else:
            self._read()
        self._say()
        self.changed.emit()

    def take_pictures(self, bands: int) -> None:
        """Read an input as its first so many bands, whatever they are; 0: recognise what they are."""
        if bands != self._picture:
            self._picture = bands
            self.recognise(again=True)

    def _key(self) -> Any:
        if self._chosen is not None:
            return (self._chosen.source, self._settings.get(self._settings_key()))
        layer = self.combo.currentLayer()
        if layer is None:
            return None
        return (layer.id(), layer.source(), layer.crs().toWkt(), self._settings.get(self._settings_key()))

    def _settings_key(self) -> str:
        if self._chosen is not None:
            return str(self._chosen.source)
        layer = self.combo.currentLayer()
        return layer.id() if layer is not None else ""

    def _read(self) -> None:
        from ...inference import TerraneError, open_image, open_scene, recognise_source

        settings = self._settings.get(self._settings_key(), SourceSettings())
        try:
            self._input = self._chosen or from_layers([self.combo.currentLayer()])
            source, geo = self._input.source, self._input.geo
            if self._picture:
                self._scene = open_image(source, self._picture, geo)
                return
            self._recognition = recognise_source(source, geo, modality=settings.modality)
            self._scene = open_scene(
                source,
                modality=settings.modality,
                bands=settings.bands or None,
                boa_offset=settings.boa_offset,
                geo=geo,
            )
        except TerraneError as error:
            self._problem = str(error)

    def _say(self) -> None:
        found, scene = self._recognition, self._scene
        parts: list[str] = []
        if scene is not None:
            parts = [
                input_word(scene.modality),
                bands_word(len(scene.bands)),
                self._resolution(scene.grid),
            ]
            if scene.offset_note:
                # Where it comes from is for the tooltip.
                parts.append(offset_word(scene.offset_note.partition(",")[0]))
        elif found is not None:
            parts = [bands_word(len(found.candidates)), tr("not recognised")]
        if found is not None:
            parts.append(link(tr("Change…")))
        if self.title:
            self.words.setText(" · ".join(part if "<a" in part else together(part) for part in parts))
        self.words.setToolTip(scene.offset_note if scene is not None else "")
        self.words.setVisible(bool(self.words.text()))
        self.complain("")

    def complain(self, words: str) -> None:
        """Say what is wrong here; without words, what was found when it was read."""
        scene = self._scene
        self.note.say(words or self._problem or "\n".join(scene.warnings if scene is not None else ()))

    def _resolution(self, grid: Any) -> str:
        metres = self._input.geo.metres_per_unit(grid.crs) if self._input is not None else None
        size = min(grid.resolution)
        return f"{size * metres:g} m" if metres is not None else f"{size:.3g}°"

    # The user's word.

    def edit(self) -> None:
        """Open the band table."""
        from .bands_dialog import BandsDialog

        if self._recognition is None or self._input is None:
            return
        settings = self._settings.get(self._settings_key(), SourceSettings())
        dialog = BandsDialog(self._input, self._recognition, settings, self)
        if dialog.exec():
            self.set_settings(dialog.settings())

    def set_settings(self, settings: SourceSettings) -> None:
        """Take the user's word on this input."""
        if settings == SourceSettings():
            self._settings.pop(self._settings_key(), None)
        else:
            self._settings[self._settings_key()] = settings
        self.recognise()
