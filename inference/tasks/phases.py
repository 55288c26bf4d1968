# SPDX-License-Identifier: GPL-2.0-or-later
"""One progress bar over several phases of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from ..types import Progress, ProgressCallback

TOTAL = 1000
"""Steps of the whole bar."""


@dataclass(frozen=True)
class Phase:
    """A stretch of the bar, from ``first`` to ``last`` of ``TOTAL``."""

    report: Optional[ProgressCallback]
    first: int
    last: int
    message: str

    def at(self, done: int, total: int) -> None:
        """So much of this phase is done."""
        if self.report is not None:
            part = done / total if total else 1.0
            step = self.first + round(part * (self.last - self.first))
            self.report(Progress(step, TOTAL, None, self.message))

    def follow(self, progress: Progress) -> None:
        """Pass on the progress of a run that is this phase."""
        self.at(progress.done, progress.total)


def phases(report: Optional[ProgressCallback], shares: Mapping[str, float]) -> dict[str, Phase]:
    """Phases one after the other, by message; ``shares`` say how long each takes, in any unit."""
    made, before, whole = {}, 0.0, sum(shares.values())
    for message, share in shares.items():
        first, last = round(TOTAL * before / whole), round(TOTAL * (before + share) / whole)
        made[message] = Phase(report, first, last, message)
        before += share
    return made
