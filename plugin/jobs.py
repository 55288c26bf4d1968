# SPDX-License-Identifier: GPL-2.0-or-later
"""Work in the background: a QgsTask computes from a frozen request; everything else happens on the main thread."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any, Callable, Optional, Union

from qgis.core import QgsApplication, QgsTask
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..inference import Cancel, Cancelled, TerraneError
from . import log
from .compat import TASK_FLAGS

Work = Callable[[Callable[[Any], None], Cancel], Any]
"""Called in the worker thread with a progress callback and a stop button; touches no Qt."""

_PATIENCE = 10.0
"""Seconds to wait for a cancelled task when QGIS closes: a graph stops within one operator."""


class Task(QgsTask):
    """Runs ``work`` in QGIS's task manager. ``progress`` and ``ended`` arrive on the main thread."""

    progress = pyqtSignal(object)
    """An engine Progress."""
    ended = pyqtSignal(object)
    """This task, when its outcome is known: ``result``, or ``error``."""

    def __init__(self, title: str, work: Work) -> None:
        super().__init__(title, TASK_FLAGS)
        self.result: Any = None
        self.error: Optional[BaseException] = None
        self.cancelled = False
        self.stopped = threading.Event()
        self._work = work
        self._cancel = Cancel()

    def run(self) -> bool:
        """Worker thread."""
        try:
            self._cancel.raise_if_set()
            self.result = self._work(self._report, self._cancel)
            return True
        except Cancelled as error:
            self.cancelled, self.error = True, error
        except TerraneError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - a bug is logged with its traceback on the main thread
            self.error = error
        finally:
            self.stopped.set()
        return False

    def _report(self, progress: Any) -> None:
        self.setProgress(100.0 * progress.fraction)
        self.progress.emit(progress)

    def cancel(self) -> None:
        """Stop at once: reaches the graph that is running."""
        self._cancel.set()
        super().cancel()

    def finished(self, ok: bool) -> None:
        """Main thread; also called when the task was cancelled before it could start."""
        if not ok and self.error is None:
            self.cancelled, self.error = True, Cancelled()
        if self.error is not None and not isinstance(self.error, TerraneError):
            log.bug(self.error)
        self.ended.emit(self)


class QuietTask(QObject):
    """As Task, without QGIS's task manager, which has a message for each task that ends: for what every click
    sets off."""

    progress = pyqtSignal(object)
    ended = pyqtSignal(object)
    _done = pyqtSignal()

    def __init__(self, work: Work, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self.result: Any = None
        self.error: Optional[BaseException] = None
        self.stopped = threading.Event()
        self._work = work
        self._cancel = Cancel()
        self._done.connect(self._finish)

    def start(self) -> None:
        """Begin in a thread of its own."""
        threading.Thread(target=self._run, name="Terrane", daemon=True).start()

    def _run(self) -> None:
        """Worker thread."""
        try:
            self._cancel.raise_if_set()
            self.result = self._work(self.progress.emit, self._cancel)
        except Exception as error:  # noqa: BLE001 - a bug is logged with its traceback on the main thread
            self.error = error
        finally:
            self.stopped.set()
        with suppress(RuntimeError):  # QGIS is closing
            self._done.emit()

    def _finish(self) -> None:
        """Main thread."""
        if self.error is not None and not isinstance(self.error, TerraneError):
            log.bug(self.error)
        self.ended.emit(self)

    def cancel(self) -> None:
        """Stop at once: reaches the graph that is running."""
        self._cancel.set()

    def isActive(self) -> bool:
        """Whether its thread still works."""
        return not self.stopped.is_set()


class Jobs(QObject):
    """The plugin's tasks. ``shutdown`` cancels what still runs: on unload, and when QGIS closes."""

    def __init__(self, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._tasks: list[Union[Task, QuietTask]] = []

    @property
    def running(self) -> bool:
        """Whether anything is under way."""
        return bool(self._tasks)

    def start(self, task: Union[Task, QuietTask]) -> None:
        """Hand a task to QGIS, or start a quiet one, and keep it alive until it has ended."""
        self._tasks.append(task)
        task.ended.connect(self._forget)
        if isinstance(task, QuietTask):
            task.start()
            return
        QgsApplication.taskManager().addTask(task)

    def _forget(self, task: Union[Task, QuietTask]) -> None:
        if task in self._tasks:
            self._tasks.remove(task)

    def shutdown(self) -> None:
        """Cancel everything and wait for the worker threads to let go."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            for signal in (task.ended, task.progress):
                try:
                    signal.disconnect()
                except TypeError:  # nothing was connected
                    continue
            task.cancel()
        deadline = time.monotonic() + _PATIENCE
        for task in tasks:
            # A task that never started has no thread to wait for.
            while not task.stopped.is_set() and task.isActive() and time.monotonic() < deadline:
                time.sleep(0.01)
