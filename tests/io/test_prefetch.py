"""Reading ahead in a separate thread."""

import threading
import time

import pytest

from vosjax.errors import InputError
from vosjax.io.video import open_video, prefetch
from vosjax.io.video.prefetch import interruptibly


def test_prefetch_keeps_order_and_content():
    assert list(prefetch(range(100), depth=3)) == list(range(100))
    assert list(prefetch([], depth=1)) == []


def test_prefetch_raises_in_its_place():
    def source():
        yield 1
        raise InputError("frame 1: damaged")

    items = prefetch(source())
    assert next(items) == 1
    with pytest.raises(InputError, match="frame 1"):
        next(items)


def test_prefetch_is_at_most_its_depth_ahead():
    made, go = [], threading.Event()

    def source():
        for i in range(50):
            made.append(i)
            if i == 5:
                go.set()
            yield i

    items = prefetch(source(), depth=4)
    assert next(items) == 0
    assert go.wait(10)  # 0 is out, 1..4 wait, 5 is at hand
    assert len(made) <= 7
    items.close()


def test_closing_prefetch_ends_its_thread_and_closes_the_source():
    closed = threading.Event()

    def source():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    items = prefetch(source(), depth=2)
    next(items)
    items.close()
    assert closed.is_set()
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]


def frozen(wake, closed):
    """Gives one frame and then waits, as a camera does that froze."""
    try:
        yield 0
        wake.wait()
        yield 1
    finally:
        closed.set()


def test_closing_prefetch_does_not_wait_for_a_source_that_froze():
    wake, closed = threading.Event(), threading.Event()
    items = prefetch(frozen(wake, closed))
    assert next(items) == 0
    begin = time.monotonic()
    items.close()
    assert time.monotonic() - begin < 5 and not closed.is_set()
    wake.set()
    assert closed.wait(10), "once it wakes, the thread that was left behind closes the source"


def test_waiting_for_a_frozen_source_ends_where_it_is_to_stop():
    wake, closed, stop = threading.Event(), threading.Event(), threading.Event()
    items = prefetch(frozen(wake, closed), stop=stop.is_set)
    threading.Timer(0.3, stop.set).start()
    assert list(items) == [0]
    wake.set()


def test_items_that_are_there_are_given_before_it_stops():
    items = prefetch(iter(range(3)), stop=lambda: True)
    assert next(items) == 0


def test_a_call_of_a_library_can_be_interrupted():
    assert interruptibly(lambda: 7) == 7
    with pytest.raises(InputError, match="no camera"):
        interruptibly(lambda: open_video(-1))


def test_prefetch_needs_room_for_one():
    with pytest.raises(ValueError, match="depth"):
        next(prefetch([], depth=0))
