# SPDX-License-Identifier: GPL-2.0-or-later
"""What the terminal adds: a progress line, a stop button on Ctrl-C, tables."""

from __future__ import annotations

import io
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Callable, TextIO, TypeVar

from .errors import Cancelled
from .types import Cancel, Progress

T = TypeVar("T")

BAR = 24
"""Characters of the bar."""


def duration(seconds: float) -> str:
    """Seconds for people: "48 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class ProgressLine:
    """Progress on a stream: one line that is redrawn in a terminal, a line now and then elsewhere.

    ``unit`` is what is counted, in the singular; empty shows per cent.
    """

    EVERY = 5.0
    """Seconds between lines where the stream is no terminal."""

    def __init__(self, stream: TextIO, unit: str = "tile") -> None:
        self._stream, self._unit = stream, unit
        self._live = stream.isatty()
        self._width = 0
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Show it."""
        now = time.monotonic()
        last = progress.done >= progress.total
        if now < self._next and not last:
            return
        self._next = now + (0.1 if self._live else self.EVERY)
        self._show(self.text(progress))

    def text(self, progress: Progress) -> str:
        """The line, without the bar's redrawing."""
        words = f"{progress.fraction:.0%}"
        if self._unit:
            plural = "" if progress.total == 1 else "s"
            words = f"{progress.done} of {progress.total} {self._unit}{plural}"
        if progress.message:
            words += f" · {progress.message}"
        elif progress.seconds_left is not None and progress.done < progress.total:
            words += f" · {duration(progress.seconds_left)} left"
        if not self._live:
            return words
        filled = round(BAR * progress.fraction)
        return f"{'█' * filled}{'░' * (BAR - filled)}  {words}"

    def _show(self, text: str) -> None:
        if not self._live:
            self._write(text + "\n")
            return
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def close(self) -> None:
        """Clear the line, so that what follows starts on a fresh one."""
        if self._live and self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0


def run_cancellable(work: Callable[[Cancel], T]) -> T:
    """Run work in a thread while this one listens for Ctrl-C and SIGTERM, which press its stop button.

    A signal's handler only runs between two steps of the main thread's Python code: it would wait for a
    graph to end if the main thread ran it.
    """
    cancel = Cancel()
    pressed = threading.Event()
    box: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            box.append(work(cancel))
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            errors.append(error)

    thread = threading.Thread(target=body, name="terrane-run")
    with _Signals(pressed):
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            if pressed.is_set():
                cancel.set()
    if errors:
        raise errors[0]
    if not box:
        raise Cancelled
    return box[0]


class _Signals:
    """Sets a flag on SIGINT and SIGTERM, and restores the earlier handlers; only in the main thread."""

    def __init__(self, flag: threading.Event) -> None:
        self._flag = flag
        self._old: dict[int, object] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, lambda *_: self._flag.set())

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)  # type: ignore[arg-type]


def say(text: str) -> None:
    """One line of a result, on stdout."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """One line beside the result, on stderr."""
    sys.stderr.write(f"terrane: {text}\n")


def forgiving_streams() -> None:
    """Characters that a terminal's encoding lacks become "?", not a crash."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def table(rows: Sequence[Sequence[str]]) -> None:
    """Rows on stdout, in columns as wide as they need; the last column is not padded."""
    lines = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
