# SPDX-License-Identifier: GPL-2.0-or-later
"""What a synthetic model says of itself: the short form of its card."""

from __future__ import annotations

from typing import Any, Optional

from qgis.PyQt.QtWidgets import QWidget

from ..card_dialog import CardDialog
from ..i18n import tr
from ..words import short_form
from ..workbench import Workbench
from .field import Note, together

_CARD, _GET = "card", "get"
"""What the links say when they are followed."""


class StarterNote(Note):
    """What the model is, reaches and is not for, in a line; its full card, and the way to the real ones."""

    def __init__(self, bench: Workbench, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent=parent)
        self._bench = bench
        self._card: Any = None
        self.text.linkActivated.connect(self._follow)
        bench.models.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Show the note of the chosen model."""
        self.show_card(self._bench.models.card)

    def show_card(self, card: Any) -> None:
        """Show the short form of a synthetic model; none for others."""
        self._card = card
        if card is None or not card.notice:
            self.say("")
            return
        links = [_link(_CARD, tr("Model card…"))] if card.about is not None else []
        links.append(_link(_GET, tr("Get TerraMind…")))
        self.say(f"{short_form(card)} {' · '.join(links)}")
        self.setAccessibleName(short_form(card))

    def _follow(self, where: str) -> None:
        if where.lstrip("#") == _CARD:
            CardDialog(self._card, self).show()
        else:
            self._bench.models.open_dialog()


def _link(where: str, words: str) -> str:
    return f'<a href="#{where}">{together(words)}</a>'
