# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that read ahead and write behind: order, bounds, errors, cancelling."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from terrane.inference.errors import Cancelled, DiskFull, SourceError
from terrane.inference.tasks.streaming import Ahead, Behind
from terrane.inference.types import Cancel


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("terrane-")]


def put_all(behind: Behind[int]) -> None:
    for i in range(100):
        behind.put(i)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert threads() == []


def test_items_come_in_order() -> None:
    ahead = Ahead(range(100))
    assert list(ahead) == list(range(100))
    ahead.close()


def test_no_more_than_asked_is_read_ahead() -> None:
    read = []

    def items() -> Iterator[int]:
        for i in range(50):
            read.append(i)
            yield i

    ahead = Ahead(items(), depth=2)
    for i in ahead:
        time.sleep(0.001)
        # One in the consumer's hand, two waiting, one in the reader's hand.
        assert len(read) <= i + 4
    ahead.close()
    assert len(read) == 50


def test_a_readers_error_reaches_the_consumer_after_what_was_read() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise SourceError("The file is cut short.")

    ahead = Ahead(items(), depth=5)
    seen = []
    with pytest.raises(SourceError, match="cut short"):
        seen.extend(iter(ahead))
    ahead.close()
    ahead.close()


def test_closing_early_ends_the_reader() -> None:
    ahead = Ahead(iter(int, 1))
    assert next(iter(ahead)) == 0
    ahead.close()


def test_cancel_wakes_a_waiting_consumer_at_once() -> None:
    release = threading.Event()

    def items() -> Iterator[int]:
        release.wait(10)
        yield 1

    cancel = Cancel()
    ahead = Ahead(items(), cancel=cancel)
    threading.Timer(0.05, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        list(ahead)
    assert time.monotonic() - started < 5
    release.set()
    ahead.close()


def test_work_is_done_in_order_and_finished() -> None:
    done: list[int] = []
    behind: Behind[int] = Behind(done.append)
    for i in range(100):
        behind.put(i)
    behind.finish()
    behind.close()
    assert done == list(range(100))


def test_a_writers_error_reaches_the_producer() -> None:
    def work(item: int) -> None:
        if item == 3:
            raise DiskFull("The disk is full.")

    behind: Behind[int] = Behind(work, depth=1)
    with pytest.raises(DiskFull):
        put_all(behind)
    behind.close()
    behind = Behind(work, depth=5)
    behind.put(3)
    with pytest.raises(DiskFull):
        behind.finish()
    behind.close()


def test_closing_early_leaves_the_rest_unwritten() -> None:
    done: list[int] = []
    gate = threading.Event()

    def work(item: int) -> None:
        gate.wait(10)
        done.append(item)

    behind: Behind[int] = Behind(work, depth=3)
    for i in range(3):
        behind.put(i)
    threading.Timer(0.05, gate.set).start()
    behind.close()
    assert done in ([], [0])


def test_cancel_frees_a_producer_that_waits_for_room() -> None:
    gate = threading.Event()
    cancel = Cancel()
    behind: Behind[int] = Behind(lambda _: gate.wait(10) and None, depth=1, cancel=cancel)
    threading.Timer(0.05, cancel.set).start()
    with pytest.raises(Cancelled):
        put_all(behind)
    gate.set()
    behind.close()


def test_a_pressed_button_stops_everything_from_the_start() -> None:
    cancel = Cancel()
    cancel.set()
    ahead = Ahead(range(3), cancel=cancel)
    with pytest.raises(Cancelled):
        list(ahead)
    ahead.close()
    behind: Behind[int] = Behind(lambda _: None, cancel=cancel)
    with pytest.raises(Cancelled):
        behind.put(1)
    with pytest.raises(Cancelled):
        behind.finish()
    behind.close()
