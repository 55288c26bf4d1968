# SPDX-License-Identifier: GPL-2.0-or-later
"""The first time: only the starter model is there, and the official weights are offered, once."""

from __future__ import annotations

from typing import Any, Optional

from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from ...inference import OFFICIAL_LICENSE, OFFICIAL_SIZES, official_bytes, official_files
from .. import settings
from ..download import endpoint
from ..i18n import tr
from ..models_page import DEFAULT_INPUTS, DEFAULT_TARGETS, LICENCE
from ..words import amount_word, input_word, listing, size_word, target_word
from .field import link, together, wrapped


class Offer(QFrame):
    """Lies above the fields while only the starter is there, until it is answered; it holds up nothing."""

    def __init__(self, models: Any, parent: Optional[QWidget] = None) -> None:
        """``models``: the dock's model bar."""
        super().__init__(parent)
        self._models = models
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName(tr("Official TerraMind weights"))
        self.sizes = QButtonGroup(self)
        self.buttons: dict[str, QRadioButton] = {}
        self.download = QPushButton(tr("Download"), self)
        self.later = QPushButton(tr("Go on with the starter"), self)
        self.offline = wrapped(self, link(tr("No network here?")))
        self._lay_out()
        self.buttons[OFFICIAL_SIZES[0]].setChecked(True)
        self.download.clicked.connect(lambda: models.open_dialog(fetch=self.size))
        self.later.clicked.connect(self.dismiss)
        self.offline.linkActivated.connect(lambda _link: models.open_dialog(by_hand=self.size))
        models.changed.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        title = QLabel(tr("Official TerraMind weights"), self)
        bold = title.font()
        bold.setBold(True)
        title.setFont(bold)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 6, 9, 6)
        layout.setSpacing(6)
        layout.addWidget(title)
        layout.addWidget(
            wrapped(
                self,
                tr(
                    "Only the starter model is here. TerraMind has learned from millions of real places. Download "
                    "it once; then it works without network."
                ),
            )
        )
        layout.addLayout(self._rows())
        licence = f'<a href="{LICENCE}">{together(OFFICIAL_LICENSE)}</a>'
        server = f'<a href="{endpoint()}/ibm-esa-geospatial">{endpoint().partition("//")[2]}</a>'
        terms = wrapped(
            self,
            tr("From IBM and ESA at {server}. Downloading accepts the licence {licence}.").format(
                server=server, licence=licence
            ),
        )
        terms.setOpenExternalLinks(True)
        layout.addWidget(terms)
        layout.addWidget(Buttons((self.later, self.download), self))
        layout.addWidget(self.offline)
        order = [*self.buttons.values(), terms, self.later, self.download, self.offline]
        for one, following in zip(order, order[1:]):
            QWidget.setTabOrder(one, following)

    def _rows(self) -> QGridLayout:
        """A size per row: name, what there is to download, and how it differs from the others."""
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(2, 1)
        for row, size in enumerate(OFFICIAL_SIZES):
            amount = amount_word(official_bytes(files(size)))
            button = QRadioButton(size, self)
            button.setAccessibleName(f"TerraMind {size}, {amount}, {size_word(size)}")
            button.setToolTip(
                tr("Larger ones are better and slower.")
                + " "
                + tr("Takes {inputs}, makes {targets}; other kinds of data under Add model….").format(
                    inputs=listing([input_word(key) for key in DEFAULT_INPUTS]),
                    targets=listing([target_word(key) for key in DEFAULT_TARGETS]),
                )
            )
            self.sizes.addButton(button)
            self.buttons[size] = button
            number = QLabel(together(amount), self)
            number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(button, row, 0)
            grid.addWidget(number, row, 1)
            grid.addWidget(wrapped(self, size_word(size)), row, 2)
        return grid

    @property
    def size(self) -> str:
        """The chosen size."""
        return next(size for size, button in self.buttons.items() if button.isChecked())

    def refresh(self) -> None:
        """Show the offer as long as it is of use."""
        self.setVisible(self._models.only_starter and not settings.offer_dismissed())

    def dismiss(self) -> None:
        """Not now, and not again."""
        settings.dismiss_offer()
        self.refresh()

    def resizeEvent(self, event: Any) -> None:
        """Nothing of it is cut off: it scrolls with the fields."""
        super().resizeEvent(event)
        self.setMinimumHeight(self.layout().heightForWidth(self.width()))


def files(size: str) -> Any:
    """What is downloaded of a size where nothing else is chosen."""
    return official_files(size, DEFAULT_INPUTS, DEFAULT_TARGETS)


class Buttons(QWidget):
    """Buttons side by side, or one below the other where they are too wide; the last is the first below."""

    def __init__(self, buttons: tuple[QPushButton, ...], parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._buttons = buttons
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(6)
        for button in buttons:
            self._row.addWidget(button)

    def resizeEvent(self, event: Any) -> None:
        """Arrange anew where the width asks for it."""
        super().resizeEvent(event)
        wide = sum(button.sizeHint().width() + 6 for button in self._buttons) - 6 <= self.width()
        direction = QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.BottomToTop
        if self._row.direction() != direction:
            self._row.setDirection(direction)

    def minimumSizeHint(self) -> QSize:
        """As wide as the widest."""
        hint = super().minimumSizeHint()
        return QSize(max(button.minimumSizeHint().width() for button in self._buttons), hint.height())
