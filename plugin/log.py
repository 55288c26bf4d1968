# SPDX-License-Identifier: GPL-2.0-or-later
"""The "Terrane" tab of QGIS's log panel. Safe to call from any thread."""

from __future__ import annotations

import traceback

from qgis.core import QgsMessageLog

from .compat import MESSAGE_CRITICAL, MESSAGE_INFO, MESSAGE_WARNING

TAB = "Terrane"


def info(text: str) -> None:
    """A note."""
    QgsMessageLog.logMessage(text, TAB, MESSAGE_INFO, False)


def warning(text: str) -> None:
    """Something the user may want to know."""
    QgsMessageLog.logMessage(text, TAB, MESSAGE_WARNING, False)


def bug(error: BaseException) -> None:
    """An error that is ours: with its traceback, for a report."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    QgsMessageLog.logMessage(text, TAB, MESSAGE_CRITICAL, False)
