# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading, inference and writing side by side: two threads with short queues around the caller's own.

``Ahead`` runs an iterator one item ahead of whoever consumes it; ``Behind`` hands items to a function that
may lag a little. Both stop at once when told to, hand on whatever their thread raised, and have ended
their thread by the time they are closed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Callable, Generic, Optional, TypeVar

from ..errors import Cancelled
from ..types import Cancel

T = TypeVar("T")

# Windows does not deliver Ctrl-C to a thread that waits without a limit.
_NAP = 0.2


class Channel(Generic[T]):
    """A bounded queue between two threads that either of them can end."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._stopped = False

    def put(self, item: T) -> bool:
        """Wait for room and put an item; False when the channel was stopped instead."""
        with self._changed:
            while len(self._items) >= self._depth and not self._stopped:
                self._changed.wait(_NAP)
            if self._stopped:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self) -> Optional[T]:
        """Wait for an item; None when there will be no more, or when the channel was stopped."""
        with self._changed:
            while not self._items and not self._ended and not self._stopped:
                self._changed.wait(_NAP)
            if self._stopped or not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self) -> None:
        """Nothing more will be put; what is there can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Drop everything; both sides return at once."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopped


class Ahead(Generic[T]):
    """Iterates over ``items`` in a thread of its own, ``depth`` items ahead of the consumer."""

    def __init__(self, items: Iterable[T], *, depth: int = 1, cancel: Optional[Cancel] = None) -> None:
        self._channel: Channel[T] = Channel(depth)
        self._error: Optional[BaseException] = None
        self._cancel = cancel
        self._thread = threading.Thread(target=self._run, args=(items,), name="terrane-reader", daemon=True)
        if cancel is not None:
            cancel.add_hook(self._channel.stop)
        self._thread.start()

    def _run(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                if not self._channel.put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._error = error
        finally:
            self._channel.end()

    def __iter__(self) -> Iterator[T]:
        while (item := self._channel.take()) is not None:
            yield item
        if self._cancel is not None:
            self._cancel.raise_if_set()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop and wait for the thread: nothing is read any more after this."""
        if self._cancel is not None:
            self._cancel.remove_hook(self._channel.stop)
        self._channel.stop()
        self._thread.join()


class Behind(Generic[T]):
    """Calls ``work(item)`` in a thread of its own for each item put, at most ``depth`` waiting."""

    def __init__(self, work: Callable[[T], None], *, depth: int = 2, cancel: Optional[Cancel] = None) -> None:
        self._channel: Channel[T] = Channel(depth)
        self._error: Optional[BaseException] = None
        self._cancel = cancel
        self._thread = threading.Thread(target=self._run, args=(work,), name="terrane-writer", daemon=True)
        if cancel is not None:
            cancel.add_hook(self._channel.stop)
        self._thread.start()

    def _run(self, work: Callable[[T], None]) -> None:
        try:
            while (item := self._channel.take()) is not None:
                work(item)
        except BaseException as error:  # noqa: BLE001 - raised again in the producer's thread
            self._error = error
            self._channel.stop()

    def put(self, item: T) -> None:
        """Hand over an item; raises what the thread raised, or Cancelled."""
        if not self._channel.put(item):
            self._raise()

    def finish(self) -> None:
        """Wait until everything put has been worked on; raises what the thread raised, or Cancelled."""
        self._channel.end()
        while self._thread.is_alive():
            self._thread.join(_NAP)
        if self._channel.stopped:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
        raise Cancelled

    def close(self) -> None:
        """Stop and wait for the thread: nothing is written any more after this."""
        if self._cancel is not None:
            self._cancel.remove_hook(self._channel.stop)
        self._channel.stop()
        self._thread.join()
