# SPDX-License-Identifier: GPL-2.0-or-later
"""What a synthetic model says of itself."""

from __future__ import annotations

from typing import Any

from ..i18n import tr
from .field import Note, link, together


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
