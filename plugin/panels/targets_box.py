# SPDX-License-Identifier: GPL-2.0-or-later
"""Into: what to make, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Optional

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QGridLayout, QToolButton, QVBoxLayout, QWidget

from ..i18n import tr
from ..icons import theme
from ..words import target_word, unit_word
from .field import Note

DEFAULT_TARGETS = ("DEM", "LULC")
_ORDER = ("DEM", "LULC", "NDVI", "S1GRD", "S1RTC", "S2L2A", "COORDS")


class TargetsBox(QWidget):
    """Check boxes for what the model can make, from top to bottom in the order in which it is made."""

    changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.boxes: dict[str, QCheckBox] = {}
        self.ups: dict[str, QToolButton] = {}
        self._order: list[str] = []
        self._wanted: tuple[str, ...] = DEFAULT_TARGETS
        """What to tick among what the next model offers."""
        self._inputs: Collection[str] = ()
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(3)
        self._grid.setHorizontalSpacing(6)
        self._grid.setColumnStretch(0, 1)
        self.note = Note(parent=self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._grid)
        layout.addWidget(self.note)

    def offer(self, targets: Sequence[str]) -> None:
        """Show these targets; what was ticked before stays ticked."""
        known = [target for target in _ORDER if target in targets]
        known += [target for target in targets if target not in known]
        if sorted(known) == sorted(self.boxes):
            return
        ticked = self._ticked() or self._wanted
        for widget in (*self.boxes.values(), *self.ups.values()):
            self._grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.boxes, self.ups, self._order = {}, {}, known
        for target in known:
            self._add(target, ticked=target in ticked)
        self._put_in_order(ticked)
        self._arrange()

    def _add(self, target: str, *, ticked: bool) -> None:
        box = QCheckBox(target_word(target), self)
        box.setChecked(ticked)
        box.toggled.connect(self._toggled)
        up = QToolButton(self)
        up.setIcon(theme("mActionArrowUp"))
        up.setAutoRaise(True)
        # As high as the check box beside it: rows must not jump when it comes and goes.
        up.setFixedSize(box.sizeHint().height(), box.sizeHint().height())
        up.setToolTip(
            tr(
                "Make this earlier. Made from top to bottom: the model uses what it has made for what follows."
            )
        )
        up.setAccessibleName(tr("Make {target} earlier").format(target=target_word(target)))
        up.clicked.connect(lambda: self.move_up(target))
        self.boxes[target], self.ups[target] = box, up

    def exclude(self, inputs: Collection[str]) -> None:
        """What is an input is not made."""
        self._inputs = inputs
        self._arrange()

    def targets(self) -> tuple[str, ...]:
        """What is ticked, in the order in which it is made."""
        return tuple(target for target in self._ticked() if target not in self._inputs)

    def _ticked(self) -> tuple[str, ...]:
        return tuple(target for target in self._order if self.boxes[target].isChecked())

    def set_targets(self, targets: Sequence[str]) -> None:
        """Tick these and no others; those that no model offers yet are ticked when one does."""
        self._wanted = tuple(targets)
        for target, box in self.boxes.items():
            box.blockSignals(True)
            box.setChecked(target in targets)
            box.blockSignals(False)
        self._put_in_order(targets)
        self._arrange()
        self.changed.emit()

    def move_up(self, target: str) -> None:
        """Make a target before the one that is made before it now."""
        made = list(self.targets())
        place = made.index(target) if target in made else 0
        if place == 0:
            return
        made[place - 1], made[place] = made[place], made[place - 1]
        self._put_in_order(made)
        self._arrange()
        (self.ups[target] if self.ups[target].isVisible() else self.boxes[target]).setFocus()
        self.changed.emit()

    def _put_in_order(self, targets: Sequence[str]) -> None:
        """These in this order, on the rows that they take up now; all others stay where they are."""
        known = [target for target in targets if target in self.boxes]
        rows = [row for row, target in enumerate(self._order) if target in known]
        for row, target in zip(rows, known):
            self._order[row] = target

    def _toggled(self) -> None:
        self._arrange()
        self.changed.emit()

    def _arrange(self) -> None:
        made = self.targets()
        before: Optional[QWidget] = None
        for row, target in enumerate(self._order):
            box, up = self.boxes[target], self.ups[target]
            self._grid.addWidget(box, row, 0)
            self._grid.addWidget(up, row, 1)
            up.setVisible(target in made[1:])
            box.setEnabled(target not in self._inputs)
            box.setToolTip(tr("This is an input already.") if target in self._inputs else unit_word(target))
            for widget in (box, up):
                if before is not None:
                    QWidget.setTabOrder(before, widget)
                before = widget
