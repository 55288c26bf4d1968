# SPDX-License-Identifier: GPL-2.0-or-later
"""Quality: how well a run is made, and how sure the model is of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from ..i18n import tr
from ..settings import Choices
from ..words import preset_word
from .field import Fold, find_data, wrapped

PRESET_ORDER = ("fast", "balanced", "exact")
_MOST_SAMPLES, _MOST_STEPS = 100, 100
_NARROW = 70
"""Pixels that a field has at least."""


class QualityBox(Fold):
    """The preset first; what experts turn behind it."""

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("Quality"), parent)
        self._rows: list[QWidget] = []
        self.preset = QComboBox(self)
        for preset in PRESET_ORDER:
            self.preset.addItem(preset_word(preset)[0], preset)
        self.summary = wrapped(self)
        self.body.addWidget(self.preset)
        self.body.addWidget(self.summary)
        self.body.addLayout(self._uncertainty())
        self.expert = Fold(tr("Expert"), self)
        self.expert.body.addLayout(self._model_knobs())
        self.body.addWidget(self.expert)
        for box in (self.preset, self.sampler, self.clamp, self.precision, self.overlap, self.grid):
            box.currentIndexChanged.connect(self._changed)
        for number in (self.samples, self.steps):
            number.valueChanged.connect(self._changed)
        self.probability.toggled.connect(self._changed)
        self.set_choices(Choices())

    def _uncertainty(self) -> QFormLayout:
        self.samples = self._number(
            1,
            _MOST_SAMPLES,
            tr("Once"),
            tr(
                "Makes everything so many times, each time drawn by chance, to see how sure the model is: the mean, "
                "and how far the draws differ; for land cover how likely each class is. Takes as many times longer."
            ),
        )
        self.samples.setSuffix(tr(" times"))
        self.probability = QCheckBox(tr("Land cover probability"), self)
        self.probability.setToolTip(tr("One more layer: how likely the chosen class is, from 0 to 1."))
        form = _form()
        form.addRow(tr("Repeat"), _narrow(self.samples))
        form.addRow(self.probability)
        return form

    def _model_knobs(self) -> QFormLayout:
        self.steps = self._number(
            0,
            _MOST_STEPS,
            tr("Preset"),
            tr(
                "How often an image is refined: once gives the expected value, smooth; more add texture, and time."
            ),
        )
        self.clamp = self._choice(
            tr(
                "How far values may lie from the mean of what the model was trained on, in standard deviations. The "
                "published model keeps to 1, which cuts off high mountains; wider is not always better."
            ),
            (tr("As published (1 σ)"), 1.0),
            ("2 σ", 2.0),
            ("3 σ", 3.0),
        )
        self.sampler = self._choice(
            tr(
                "The likeliest is the same each time; drawn by chance looks livelier, and differs with the seed."
            ),
            (tr("The likeliest"), "argmax"),
            (tr("Drawn by chance"), "top_p"),
        )
        self.precision = self._choice(
            tr("Rounded numbers are several times faster, where the model has them."),
            (tr("Full (fp32)"), "fp32"),
            (tr("Rounded (int8)"), "int8"),
        )
        self.overlap = self._choice(
            tr("How much neighbouring tiles share: more makes seams smoother, and takes longer."),
            (tr("Little (1/14)"), 1 / 14),
            (tr("Some (1/7)"), 1 / 7),
            (tr("Much (2/7)"), 2 / 7),
            (tr("Half"), 1 / 2),
        )
        self._run_knobs()
        form = _form()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        for words, field in (
            (tr("Steps"), self.steps),
            (tr("Range"), self.clamp),
            (tr("Choice"), self.sampler),
            (tr("Numbers"), self.precision),
            (tr("Overlap"), self.overlap),
            (tr("Seed"), self.seed),
            (tr("Tiles at once"), self.batch),
            (tr("Pixel grid"), self.grid),
        ):
            form.addRow(words, _narrow(field))
        return form

    def _run_knobs(self) -> None:
        self.seed = self._number(0, 2**31 - 1, "", tr("What is drawn is the same again with the same seed."))
        self.batch = self._number(
            0, 64, tr("Automatic"), tr("Tiles that run through the model at once: more need more memory.")
        )
        self.grid = QComboBox(self)
        self.grid.addItem(tr("The model's"), "model")
        self.grid.addItem(tr("The layer's"), "input")
        self.grid.setToolTip(
            tr(
                "Whose pixels the results have. They are the same where the layer has the "
                "model's pixel size in metres; else results are warped to the layer's pixels."
            )
        )

    def _number(self, low: int, high: int, special: str, tip: str) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(low, high)
        box.setSpecialValueText(special)
        box.setToolTip(tip)
        return box

    def _choice(self, tip: str, *options: tuple[str, Any]) -> QComboBox:
        box = QComboBox(self)
        box.addItem(tr("Preset"), None)
        for words, data in options:
            box.addItem(words, data)
        box.setToolTip(tip)
        box.setMinimumContentsLength(8)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        return box

    # What is chosen.

    def set_choices(self, value: Choices) -> None:
        """Show remembered choices."""
        for box, data in (
            (self.preset, value.preset),
            (self.grid, value.grid),
            (self.sampler, value.sampler),
            (self.clamp, value.clamp),
            (self.precision, value.precision),
            (self.overlap, value.overlap),
        ):
            box.setCurrentIndex(max(0, find_data(box, data)))
        for number, amount in (
            (self.samples, value.samples),
            (self.steps, value.steps),
            (self.seed, value.seed),
            (self.batch, value.batch),
        ):
            number.setValue(amount)
        self.probability.setChecked(value.probability)
        self._changed()

    def choices(self, last: Choices) -> Choices:
        """The choices with what is set here."""
        return replace(
            last,
            preset=self.preset.currentData(),
            grid=self.grid.currentData(),
            seed=self.seed.value(),
            batch=self.batch.value(),
            samples=self.samples.value(),
            probability=self.probability.isChecked(),
            steps=self.steps.value(),
            clamp=self.clamp.currentData(),
            sampler=self.sampler.currentData(),
            precision=self.precision.currentData(),
            overlap=self.overlap.currentData(),
        )

    def fields(self, tile: int, patch: int) -> dict[str, Any]:
        """What is set here as fields of the engine's request, for a model with such tiles, in pixels."""
        from ...inference import Options

        part = self.overlap.currentData()
        patches = tile // patch
        stride = None if part is None else max(1, patches - round(patches * part)) * patch
        return {
            "preset": self.preset.currentData(),
            "seed": self.seed.value(),
            "grid": self.grid.currentData(),
            "batch": self.batch.value() or None,
            "samples": self.samples.value(),
            "probability": self.probability.isChecked(),
            "options": Options(
                steps=self.steps.value() or None,
                clamp=self.clamp.currentData(),
                sampler=self.sampler.currentData(),
                precision=self.precision.currentData(),
                stride=stride,
            ),
        }

    def show_errors(self, lines: Sequence[tuple[str, str]]) -> None:
        """How much rounded numbers change each target, for the tip of their field."""
        words = tr("Rounded numbers are several times faster, where the model has them.")
        self.precision.setToolTip("\n".join([words, *(f"{name}: {error}" for name, error in lines)]))

    def offer_probability(self, offered: bool) -> None:
        """Whether land cover is made."""
        self.probability.setVisible(offered)

    def _changed(self) -> None:
        name, words = preset_word(self.preset.currentData())
        times = self.samples.value()
        if times > 1:
            words = tr("Drawn {count} times: the mean, and how far the draws differ.").format(count=times)
            name = tr("{preset}, {count} times").format(preset=name, count=times)
        self.probability.setEnabled(times == 1)
        self.summary.setText(words)
        self.setTitle(tr("Quality: {preset}").format(preset=name))
        self.changed.emit()


def _narrow(field: QWidget) -> QWidget:
    """A field that never makes the dock wider than its labels need."""
    field.setMinimumWidth(_NARROW)
    field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return field


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(6)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
