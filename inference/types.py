# SPDX-License-Identifier: GPL-2.0-or-later
"""Small values that every layer speaks: sizes, windows, boxes, progress and cancellation."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Callable, NamedTuple, Optional

from .errors import Cancelled


class Size(NamedTuple):
    """A raster's size in pixels."""

    width: int
    height: int


class Window(NamedTuple):
    """A rectangle of pixels: ``col`` and ``row`` of its upper left pixel, then its size."""

    col: int
    row: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The (rows, columns) slices that cut this window out of an array."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def intersection(self, other: Window) -> Optional[Window]:
        """The common part of two windows, or None where they do not overlap."""
        col, row = max(self.col, other.col), max(self.row, other.row)
        right = min(self.col + self.width, other.col + other.width)
        bottom = min(self.row + self.height, other.row + other.height)
        if right <= col or bottom <= row:
            return None
        return Window(col, row, right - col, bottom - row)


class BBox(NamedTuple):
    """A rectangle in map units: ``xmin <= xmax``, ``ymin <= ymax``."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass(frozen=True)
class Progress:
    """How far a run is. ``seconds_left`` is None until it can be estimated."""

    done: int
    total: int
    seconds_left: Optional[float] = None
    message: str = ""

    @property
    def fraction(self) -> float:
        """Part done, 0 to 1."""
        return self.done / self.total if self.total else 0.0


ProgressCallback = Callable[[Progress], None]


class Cancel:
    """A thread-safe stop button. Graphs that are running register a hook, so that it works at once."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._hooks: list[Callable[[], None]] = []

    def set(self) -> None:
        """Press the button: every registered hook is called once."""
        with self._lock:
            self._event.set()
            hooks, self._hooks = self._hooks, []
        for hook in hooks:
            hook()

    def is_set(self) -> bool:
        """Whether the button was pressed."""
        return self._event.is_set()

    def raise_if_set(self) -> None:
        """Raise ``Cancelled`` when the button was pressed."""
        if self._event.is_set():
            raise Cancelled

    def add_hook(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` when the button is pressed (at once, if it already was)."""
        with self._lock:
            if not self._event.is_set():
                self._hooks.append(hook)
                return
        hook()

    def remove_hook(self, hook: Callable[[], None]) -> None:
        """Forget a hook; unknown hooks are ignored."""
        with self._lock:
            if hook in self._hooks:
                self._hooks.remove(hook)
