# SPDX-License-Identifier: GPL-2.0-or-later
"""The models there are: what each takes and makes, its size, licence, precisions and their measured error."""

from __future__ import annotations

import html
import os
import shutil
from pathlib import Path
from typing import Any, Optional

from qgis.PyQt.QtCore import QUrl, pyqtSignal
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QMessageBox,
    QPushButton,
    QTextBrowser,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..inference import cards, error_rows, models_folder
from .card_dialog import CardDialog
from .i18n import tr
from .words import amount_word, input_word, listing, reach_lines, short_form, target_word, task_word


class ListPage(QWidget):
    """A list, and what is known of the chosen model. Emits ``removed`` with the id of a model that is gone."""

    removed = pyqtSignal(str)

    def __init__(self, chosen: str = "", parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._cards: dict[str, Any] = {}
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels([tr("Model"), tr("On disk"), tr("Does")])
        self.tree.setRootIsDecorated(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            self.tree.header().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(False)
        self.tree.currentItemChanged.connect(lambda *_: self._describe())
        self.details = QTextBrowser(self)
        self.details.setOpenExternalLinks(True)
        self.folder = QPushButton(tr("Show folder"), self)
        self.folder.clicked.connect(self._show_folder)
        self.remove = QPushButton(tr("Remove…"), self)
        self.remove.clicked.connect(self._ask_to_remove)
        self.about = QPushButton(tr("Model card…"), self)
        self.about.clicked.connect(lambda: CardDialog(self.card, self).show())
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.about)
        row.addWidget(self.folder)
        row.addWidget(self.remove)
        layout = QVBoxLayout(self)
        layout.setSpacing(9)
        layout.addWidget(self.tree, 2)
        layout.addWidget(self.details, 3)
        layout.addLayout(row)
        self.reload(chosen)

    def reload(self, chosen: str = "") -> None:
        """Read the cards again."""
        self.tree.clear()
        self._cards = {}
        for card in cards():
            self._cards[card.id] = card
            does = (
                listing([task_word(task) for task in card.tasks]) if not card.error else tr("cannot be used")
            )
            item = QTreeWidgetItem(self.tree, [card.name, amount_word(_size(card.path)), does])
            item.setData(0, 32, card.id)
            if card.id == chosen:
                self.tree.setCurrentItem(item)
        if self.tree.currentItem() is None and self.tree.topLevelItemCount():
            self.tree.setCurrentItem(self.tree.topLevelItem(0))
        self._describe()

    @property
    def card(self) -> Any:
        """The chosen model's card."""
        item = self.tree.currentItem()
        return self._cards.get(item.data(0, 32)) if item is not None else None

    def _describe(self) -> None:
        card = self.card
        self.details.setHtml(describe(card) if card is not None else "")
        self.about.setEnabled(card is not None and card.about is not None)
        self.folder.setEnabled(card is not None)
        self.remove.setEnabled(card is not None and is_own(card.path))

    def _show_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.card.path)))

    def _ask_to_remove(self) -> None:
        words = tr("Delete the model {name} ({amount}) from this computer?").format(
            name=self.card.name, amount=amount_word(_size(self.card.path))
        )
        if QMessageBox.question(self, tr("Remove model"), words) == QMessageBox.StandardButton.Yes:
            self.remove_chosen()

    def remove_chosen(self) -> None:
        """Delete the chosen model."""
        card = self.card
        if card.path.is_dir():
            shutil.rmtree(card.path, ignore_errors=True)
        else:
            card.path.unlink()
        self.reload()
        self.removed.emit(card.id)


def is_own(path: Path) -> bool:
    """Whether a model lies in the user's folder, and so may be deleted here."""
    return Path(os.path.abspath(path)).parent == Path(os.path.abspath(models_folder()))


def describe(card: Any) -> str:
    """A model in a few lines of HTML."""
    rows = [(tr("Model"), f"{card.name} ({card.id})")]
    if card.error:
        rows.append((tr("Problem"), card.error))
    else:
        rows += [
            (
                tr("Takes"),
                listing([input_word(key) for key in card.inputs]),
            ),
            (tr("Makes"), listing([target_word(key) for key in card.targets])),
            (tr("Does"), listing([task_word(task) for task in card.tasks])),
            (tr("Pixel size"), f"{card.gsd:g} m" if card.gsd else ""),
            (tr("Numbers"), listing(list(card.variants) or ["fp32"])),
            (tr("Licence"), card.license),
            (tr("Forbids"), card.forbids),
            (tr("Note"), short_form(card) if card.notice else ""),
            *reach_lines(card),
        ]
    rows.append((tr("Folder"), str(card.path)))
    table = "".join(
        f"<tr><td style='padding-right:12px'>{html.escape(name)}</td><td>{html.escape(words)}</td></tr>"
        for name, words in rows
        if words
    )
    return f"<table>{table}</table>{_errors(card)}"


def error_lines(card: Any) -> list[tuple[str, str]]:
    """How much rounded numbers change each target, in its own unit: (target, words)."""
    lines = []
    for row in error_rows(card.variants):
        words = (
            row.text
            if row.accepted
            else tr("{error} (too much: used only if asked for)").format(error=row.text)
        )
        steps = "" if row.steps is None else tr(", {count} steps").format(count=row.steps)
        lines.append((f"{target_word(row.target)}{steps}", f"{row.variant}: {words}"))
    return lines


def _errors(card: Any) -> str:
    lines = error_lines(card)
    if not lines:
        return ""
    rows = "".join(
        f"<tr><td style='padding-right:12px'>{html.escape(name)}</td><td>{html.escape(words)}</td></tr>"
        for name, words in lines
    )
    title = html.escape(tr("Difference from full numbers, measured"))
    return f"<p>{title}</p><table>{rows}</table>"


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
