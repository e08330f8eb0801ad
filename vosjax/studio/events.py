"""Tells the pages that show a video what happens to it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

WAITING = 512  # events that may wait for a page; a slower one is told to fetch the state again
LOOK = 0.5  # seconds from one look whether the server ends to the next
QUIET = 15.0  # seconds after which a line keeps the connection alive


class Events:
    """Events of one video, for any number of listeners.

    events = Events()
    events.send({"type": "state", "revision": 3})      # from any thread
    async for event in events.listen(first):                # in the server's loop
        ...
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[_Listener] = []
        self._closed = False

    @property
    def listeners(self) -> int:
        """The number of listeners."""
        return len(self._listeners)

    def send(self, event: dict[str, Any]) -> None:
        """Sends an event to all listeners."""
        with self._lock:
            for listener in self._listeners:
                listener.post(event)

    def close(self) -> None:
        """Ends all listeners."""
        with self._lock:
            self._closed = True
            for listener in self._listeners:
                listener.post(None)

    async def listen(
        self, first: Callable[[], dict[str, Any]], ending: Callable[[], bool] = lambda: False
    ) -> AsyncIterator[dict[str, Any] | None]:
        """Yields events as they come, and None after a while without any.

        A listener that does not keep up loses events, and gets one that tells it to fetch the
        state again.

        Args:
            first: returns the first event; it is called when no later one can be missed any more.
            ending: is asked now and then; the events end when it returns True.
        """
        listener = _Listener(asyncio.get_running_loop())
        with self._lock:
            if self._closed:
                return
            self._listeners.append(listener)
        try:
            yield first()
            quiet = 0.0
            while not ending():
                try:
                    event = await asyncio.wait_for(listener.queue.get(), LOOK)
                except TimeoutError:
                    quiet += LOOK
                    if quiet >= QUIET:
                        quiet = 0.0
                        yield None
                    continue
                quiet = 0.0
                if event is None:
                    return
                yield event
        finally:
            with self._lock:
                self._listeners.remove(listener)


class _Listener:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def post(self, event: dict[str, Any] | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._put, event)
        except RuntimeError:  # the loop is closed, so nobody listens any more
            pass

    def _put(self, event: dict[str, Any] | None) -> None:
        if self.queue.qsize() >= WAITING:
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait({"type": "state", "revision": None})
        self.queue.put_nowait(event)
