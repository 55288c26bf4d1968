# SPDX-License-Identifier: GPL-2.0-or-later
"""A run from the button to its layers, and what is left of it when it was interrupted."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, Optional

from qgis.core import QgsProcessingUtils
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from .. import results, runs
from ..i18n import tr
from ..jobs import Task
from ..runs import Run
from ..words import duration, listing, progress_word
from ..workbench import Workbench
from .run_bar import RunBar

_AFTER_MS = 100


class Runner(QObject):
    """Runs one request at a time in the background. ``kept``: the temporary folder of an interrupted run."""

    ended = pyqtSignal()

    def __init__(self, bench: Workbench, bar: RunBar, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._bench, self._bar = bench, bar
        self._task: Optional[Task] = None
        self.kept = ""

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._task is not None

    @property
    def task(self) -> Optional[Task]:
        """The run that is under way."""
        return self._task

    def folder(self, *, keep: bool) -> str:
        """A temporary folder for results: that of the interrupted run, or a new one."""
        if keep and self.kept:
            return self.kept
        self._forget()
        return tempfile.mkdtemp(prefix="terrane-", dir=QgsProcessingUtils.tempFolder())

    def _forget(self) -> None:
        if self.kept:
            shutil.rmtree(self.kept, ignore_errors=True)
        self.kept = ""

    def start(
        self, request: Any, geo: Any, *, title: str, licence: str, temporary: bool, run: Optional[Run] = None
    ) -> None:
        """Run; layers, messages and ``ended`` follow. ``run`` is what the list of runs keeps of it, if anything."""
        words = tr("Terrane: {targets} of {scene}").format(
            targets=listing(self.names(list(request.outputs))), scene=title
        )
        task = Task(
            words, lambda progress, cancel: self.work(request, progress=progress, cancel=cancel, geo=geo)
        )
        task.progress.connect(self._bar.show_progress)
        task.ended.connect(lambda ended: self._ended(ended, request, title, licence, temporary, run))
        self._task = task
        if run is not None:
            runs.keep(run)
        self._bar.start()
        self._bench.jobs.start(task)

    # What a panel for another kind of work replaces.

    def work(self, request: Any, *, progress: Any, cancel: Any, geo: Any) -> Any:
        """Run the request and return the engine's result (worker thread)."""
        from ...inference import generate

        return generate(request, progress=progress, cancel=cancel, geo=geo)

    def names(self, products: list[str]) -> list[str]:
        """Products in words."""
        return results.result_words(products)

    def add(self, result: Any, title: str, licence: str) -> results.Results:
        """Add the layers of a result to the project (main thread)."""
        return results.add(result.outputs, title, licence=licence)

    def cancel(self) -> None:
        """Stop the run at once."""
        if self._task is not None:
            self._task.cancel()

    def _ended(
        self, task: Task, request: Any, title: str, licence: str, temporary: bool, run: Optional[Run]
    ) -> None:
        self._task = None
        self._bar.end()
        if run is not None:
            done = task.error is None
            runs.close(run, runs.DONE if done else runs.STOPPED, task.result.seconds if done else 0.0)
        if task.error is None:
            if temporary:
                self.kept = ""  # the folder is the layers' now
            self._show(task.result, title, licence)
        else:
            self._bench.report(task.error, self._left(request, temporary=temporary))
        self.ended.emit()

    def _left(self, request: Any, *, temporary: bool) -> str:
        """What an interrupted run leaves, in words; what it leaves in a temporary folder is kept."""
        from ...inference import discard_journal, find_journal

        journal = find_journal(request.outputs)
        folder = os.path.dirname(next(iter(request.outputs.values())))
        if journal is None or not journal.done:
            discard_journal(request.outputs)
            if temporary:
                shutil.rmtree(folder, ignore_errors=True)
            return ""
        words = tr("{progress} are kept: press Continue to go on.").format(
            progress=progress_word(journal.done, journal.total)
        )
        if temporary:
            self.kept = folder
            words += " " + tr("They are gone when QGIS closes; runs that are saved to a folder are not.")
        return words

    def _show(self, result: Any, title: str, licence: str) -> None:
        made = self.add(result, title, licence)
        self._bench.models.show_device(result.device)
        self._bench.log_result(result)
        words = tr("{layers} added · {time}").format(
            layers=listing(self.names(list(result.outputs))), time=duration(result.seconds)
        )
        # After QGIS's own note that a task is complete, which would cover it.
        later = QTimer(self)
        later.setSingleShot(True)
        later.timeout.connect(lambda: self._bench.succeed(words, undo=lambda: results.undo(made)))
        later.timeout.connect(later.deleteLater)
        later.start(_AFTER_MS)
