# SPDX-License-Identifier: GPL-2.0-or-later
"""What panels share: QGIS's interface, the jobs, the chosen model, and how outcomes are told."""

from __future__ import annotations

from typing import Any, Callable, Optional

from qgis.PyQt.QtWidgets import QPushButton

from ..inference import Cancelled, TerraneError
from . import log
from .compat import MESSAGE_CRITICAL, MESSAGE_INFO, MESSAGE_SUCCESS, MESSAGE_WARNING
from .i18n import tr
from .jobs import Jobs

_SHORT, _LONG = 6, 30
"""Seconds that a message stays."""


class Workbench:
    """Handed to every panel."""

    def __init__(self, iface: Any, jobs: Jobs, models: Any) -> None:
        self.iface = iface
        self.jobs = jobs
        self.models = models
        self.repeat: Optional[Callable[..., None]] = None
        """Does a run of the list again, or goes on with it; the dock sets it."""

    def succeed(self, words: str, *, undo: Optional[Callable[[], None]] = None) -> None:
        """A run ended well."""
        item = self.iface.messageBar().createMessage(words)
        self._log_button(item)
        if undo is not None:
            self._button(item, tr("Undo"), lambda: (undo(), self.iface.messageBar().popWidget(item)))
        self.iface.messageBar().pushWidget(item, MESSAGE_SUCCESS, _LONG)

    def report(self, error: BaseException, kept: str = "") -> None:
        """A run ended otherwise: what the user can mend as it is, bugs with a pointer to the log.

        ``kept``: what is left of it, in words.
        """
        bar = self.iface.messageBar()
        if isinstance(error, Cancelled):
            words = f"{tr('Cancelled.')} {kept}" if kept else tr("Cancelled; nothing was added.")
            bar.pushWidget(self._message(words), MESSAGE_INFO, 2 * _SHORT if kept else _SHORT)
            return
        if isinstance(error, TerraneError):
            log.warning(str(error))
            item = self._message(f"{error} {kept}".strip())
            self._log_button(item)
            bar.pushWidget(item, MESSAGE_WARNING, 0)
            return
        item = self._message(tr("Terrane stopped because of a bug; the log has the details for a report."))
        self._log_button(item)
        bar.pushWidget(item, MESSAGE_CRITICAL, 0)

    def log_result(self, result: Any) -> None:
        """What a run made and took, for the log."""
        lines = [f"{target}: {path}" for target, path in result.outputs.items()]
        lines.append(
            f"{result.model} · {result.preset} · {result.device} · {result.tiles} tiles "
            f"({result.skipped} skipped) · {result.seconds:.1f} s"
        )
        log.info("\n".join(lines))
        for warning in result.warnings:
            log.warning(warning)

    def open_log(self) -> None:
        """Show the log at our tab, as far as this QGIS can."""
        try:
            self.iface.openMessageLog(log.TAB)
        except TypeError:  # QGIS before 3.36 opens the log, whatever its tab
            self.iface.openMessageLog()

    def _message(self, words: str) -> Any:
        return self.iface.messageBar().createMessage("Terrane", words)

    def _log_button(self, item: Any) -> None:
        self._button(item, tr("Show log"), self.open_log)

    def _button(self, item: Any, words: str, action: Callable[[], object]) -> None:
        button = QPushButton(words, item)
        button.clicked.connect(lambda: action())
        item.layout().addWidget(button)
