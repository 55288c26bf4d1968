# SPDX-License-Identifier: GPL-2.0-or-later
"""Between the engine's progress and stop button, and Processing's feedback."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingFeedback
from qgis.PyQt.QtCore import Qt

from ...inference import Cancel
from ..i18n import tr
from ..words import device_word, duration, progress_word


class Listener:
    """Tells the feedback how far the engine is, and the engine when the user cancels."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        self.cancel = Cancel()
        # Direct: the worker has no event loop that could deliver a queued call.
        feedback.canceled.connect(self.cancel.set, Qt.ConnectionType.DirectConnection)
        if feedback.isCanceled():
            self.cancel.set()

    def progress(self, progress: Any) -> None:
        """An engine Progress."""
        if self._feedback.isCanceled():
            self.cancel.set()
        self._feedback.setProgress(100.0 * progress.fraction)
        words = progress_word(progress.done, progress.total)
        if progress.seconds_left is not None and progress.done < progress.total:
            left = tr("{time} left").format(time=duration(progress.seconds_left))
            words = f"{words} · {left}"
        self._feedback.setProgressText(words)

    def report(self, result: Any) -> None:
        """What a run made and took."""
        for warning in result.warnings:
            self._feedback.pushWarning(warning)
        self._feedback.pushInfo(
            tr("{tiles} tiles in {time} on {device}").format(
                tiles=result.tiles, time=duration(result.seconds), device=device_word(result.device)
            )
        )

    def close(self) -> None:
        """Stop listening."""
        self._feedback.canceled.disconnect(self.cancel.set)
