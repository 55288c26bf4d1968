# SPDX-License-Identifier: GPL-2.0-or-later
"""Change…: which layer band is which Sentinel band, what the image is, and whether it carries the offset."""

from __future__ import annotations

from typing import Any, Optional

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...inference import MODALITIES, TerraneError, recognise_source
from ..i18n import tr
from ..layers import Input
from ..words import input_word
from .field import Note, find_data, wrapped
from .source_box import SourceSettings

_OPTICAL = ("S2L2A", "S2L1C")


class BandsDialog(QDialog):
    """Edits SourceSettings for one input."""

    def __init__(
        self, source: Input, recognition: Any, settings: SourceSettings, parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Bands of {name}").format(name=source.title))
        self.resize(420, 560)
        self._source, self._recognition = source, recognition
        self.modality = QComboBox(self)
        for modality in MODALITIES.values():
            if modality.kind != "text":
                self.modality.addItem(input_word(modality.id, modality.label), modality.id)
        current = settings.modality or recognition.modality or "S2L2A"
        self.modality.setCurrentIndex(max(0, find_data(self.modality, current)))
        self.table = QTableWidget(0, 2, self)
        self.table.setHorizontalHeaderLabels([tr("Band"), tr("Comes from")])
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self._build_offset(settings)
        self.note = Note(parent=self)
        self._lay_out()
        self._fill(settings)
        self.modality.currentIndexChanged.connect(lambda: self._fill(SourceSettings()))

    def _build_offset(self, settings: SourceSettings) -> None:
        known = self._recognition.offset_note or tr("no offset known")
        self.offset = QComboBox(self)
        self.offset.addItem(tr("Automatic ({known})").format(known=known), None)
        self.offset.addItem(tr("None: values are reflectance × 10,000"), 0.0)
        self.offset.addItem(tr("−1000: products since January 2022"), -1000.0)
        self.offset.addItem(tr("Other"), "other")
        self.offset.setMinimumContentsLength(12)
        self.value = QSpinBox(self)
        self.value.setRange(-10000, 10000)
        self.value.setToolTip(tr("What is added to each digital number to get reflectance × 10,000"))
        given = settings.boa_offset
        place = (
            find_data(self.offset, given)
            if given in (None, 0.0, -1000.0)
            else find_data(self.offset, "other")
        )
        self.offset.setCurrentIndex(place)
        self.value.setValue(round(given or 0))
        self.value.setVisible(self.offset.currentData() == "other")
        self.offset.currentIndexChanged.connect(
            lambda: self.value.setVisible(self.offset.currentData() == "other")
        )

    def _lay_out(self) -> None:
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel | buttons.RestoreDefaults, self)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.buttons.button(buttons.RestoreDefaults).clicked.connect(self._restore)
        row = QHBoxLayout()
        row.addWidget(self.offset, 1)
        row.addWidget(self.value)
        self.offset_row = QWidget(self)
        self.offset_row.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Image type"), self.modality)
        form.addRow(tr("Offset"), self.offset_row)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(
            wrapped(self, tr("Bands that keep “Automatic” are matched by name, wavelength or order."))
        )
        layout.addWidget(self.table, 1)
        layout.addWidget(self.note)
        layout.addWidget(self.buttons)

    def _fill(self, settings: SourceSettings) -> None:
        """One row per band of the modality."""
        found = self._recognise()
        modality = MODALITIES[self.modality.currentData()]
        self.offset_row.setEnabled(modality.id in _OPTICAL)
        self.table.setRowCount(len(modality.bands))
        for row, band in enumerate(modality.bands):
            words = band.name if band.wavelength_nm is None else f"{band.name} · {band.wavelength_nm:.0f} nm"
            item = QTableWidgetItem(words)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            item.setData(Qt.ItemDataRole.UserRole, band.name)
            self.table.setItem(row, 0, item)
            place = found.bands.get(band.name) if found is not None else None
            combo = self._choices(place)
            wanted = settings.bands.get(band.name)
            if wanted is not None:
                combo.setCurrentIndex(max(0, find_data(combo, wanted)))
            combo.currentIndexChanged.connect(self._check)
            self.table.setCellWidget(row, 1, combo)
        self._check()

    def _recognise(self) -> Any:
        try:
            return recognise_source(
                self._source.source, self._source.geo, modality=self.modality.currentData()
            )
        except TerraneError as error:
            self.note.say(str(error))
            return None

    def _choices(self, place: Optional[int]) -> QComboBox:
        combo = QComboBox(self.table)
        candidates = self._recognition.candidates
        matched = "–" if place is None else candidates[place][0]
        combo.addItem(tr("Automatic: {band}").format(band=matched), None)
        combo.setProperty("matched", place is not None)
        for number, (words, ref) in enumerate(candidates, start=1):
            combo.addItem(f"{number}: {words}", ref)
        return combo

    def _rows(self) -> list[tuple[str, QComboBox]]:
        return [
            (self.table.item(row, 0).data(Qt.ItemDataRole.UserRole), self.table.cellWidget(row, 1))
            for row in range(self.table.rowCount())
        ]

    def _check(self) -> None:
        """Say what is missing or used twice."""
        missing = [
            name
            for name, combo in self._rows()
            if combo.currentData() is None and not combo.property("matched")
        ]
        used: dict[Any, list[str]] = {}
        for name, combo in self._rows():
            if combo.currentData() is not None:
                used.setdefault(combo.currentData(), []).append(name)
        twice = [names for names in used.values() if len(names) > 1]
        problem = ""
        if missing:
            problem = tr("Say which band is {bands}.").format(bands=", ".join(missing))
        elif twice:
            problem = tr("{bands} come from the same band.").format(bands=", ".join(twice[0]))
        self.note.say(problem)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not missing)

    def _restore(self) -> None:
        self.offset.setCurrentIndex(0)
        if self._recognition.modality:
            self.modality.setCurrentIndex(find_data(self.modality, self._recognition.modality))
        self._fill(SourceSettings())

    def set_band(self, name: str, ref: Any) -> None:
        """Choose a band as a user would."""
        for band, combo in self._rows():
            if band == name:
                combo.setCurrentIndex(find_data(combo, ref))

    def settings(self) -> SourceSettings:
        """What the user said; what is as recognised is left out."""
        bands = {name: combo.currentData() for name, combo in self._rows() if combo.currentData() is not None}
        modality = self.modality.currentData()
        offset = self.offset.currentData()
        if offset == "other":
            offset = float(self.value.value())
        if modality not in _OPTICAL:
            offset = None
        return SourceSettings(None if modality == self._recognition.modality else modality, bands, offset)
