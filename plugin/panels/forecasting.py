# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run will take: size, tiles, time and disk in one line, and measuring the time."""

from __future__ import annotations

import os
import shutil
from typing import Any, Optional

from qgis.core import QgsProcessingUtils
from qgis.PyQt.QtCore import QObject, pyqtSignal

from .. import log
from ..i18n import tr
from ..jobs import Task
from ..words import amount_word, duration, extent_word, tiles_word
from ..workbench import Workbench
from .field import link, together


def forecast_words(found: Any, *, timing: bool = False, offer: bool = True) -> str:
    """An engine Forecast in one line. Without a known time, a link offers to measure it, if ``offer``."""
    parts = [extent_word(found.width_m, found.height_m), tiles_word(found.tiles)]
    if found.seconds is not None:
        parts.append(tr("about {time}").format(time=duration(found.seconds)))
    elif timing:
        parts.append(tr("measuring the time…"))
    parts.append(amount_word(found.bytes_needed))
    line = " · ".join(map(together, parts))
    if found.seconds is None and not timing and offer:
        line += " · " + link(together(tr("How long?")))
    return line


def disk_problem(folder: str, needed: int) -> str:
    """A sentence where a disk has too little space; empty where it has enough, or nobody knows."""
    place = folder or QgsProcessingUtils.tempFolder()
    while place and not os.path.isdir(place):
        place = os.path.dirname(place)
    try:
        free = shutil.disk_usage(place or os.curdir).free
    except OSError:
        return ""
    if free >= needed:
        return ""
    words = (
        tr("This run needs up to {needed} here, and {free} are free; choose a folder on another disk.")
        if folder
        else tr(
            "Temporary layers would need up to {needed}, and {free} are free; choose a folder to save in."
        )
    )
    return words.format(needed=amount_word(needed), free=amount_word(free))


class Timer(QObject):
    """Runs a few tiles in the background to learn how long a run takes here; the engine remembers it."""

    known = pyqtSignal()

    def __init__(self, bench: Workbench, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._bench = bench
        self._task: Optional[Task] = None

    @property
    def running(self) -> bool:
        """Whether it is measuring now."""
        return self._task is not None

    def start(self, request: Any, geo: Any) -> None:
        """Measure; ``known`` follows."""
        from ...inference import calibrate

        if self._task is not None:
            return
        self._task = Task(
            tr("Terrane: measuring the time"),
            lambda _progress, cancel: calibrate(request, geo=geo, cancel=cancel),
        )
        self._task.ended.connect(self._ended)
        self._bench.jobs.start(self._task)
        self.known.emit()

    def _ended(self, task: Task) -> None:
        self._task = None
        if task.error is not None and not task.cancelled:
            log.warning(str(task.error))
        self.known.emit()
