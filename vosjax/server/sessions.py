"""Sessions: a tracker each, whose frames come one after the other from a client of the net."""

import asyncio
import concurrent.futures
import contextlib
import functools
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from vosjax.errors import InputError
from vosjax.interactive.marker import Marker, MarkModel, load_marker
from vosjax.io.scores import ObjectScore
from vosjax.loading.pretrained import Loaded
from vosjax.server import prompts
from vosjax.server.config import ServeConfig
from vosjax.server.device import Device, DeviceFailed
from vosjax.server.forms import Prompt
from vosjax.server.pictures import label_png, read_frame, read_labels
from vosjax.server.refusal import GONE, Refused, one_line
from vosjax.tracking.slots import HostArray
from vosjax.tracking.tracker import Tracker

T = TypeVar("T")
WAITING = 4  # frames of one session that may wait for their turn
CAPACITY = 4  # memory frames of a new session that is not batched; it grows

Vanished = Callable[[], Awaitable[bool]]  # whether a client has gone


class Taken(NamedTuple):
    """The result of a frame.

    frame   its index in the session
    scores  {id: `ObjectScore`}
    png     the labels as a PNG
    """

    frame: int
    scores: dict[int, ObjectScore]
    png: bytes


class Session:
    """A tracker, and who may use it when; made by `Sessions`.

    id       a name that cannot be guessed
    tracker  the tracker
    size     (H, W) of its frames; None while it is not known
    prompt   what waits for the next frame
    users    how many requests have their turn or wait for it
    streams  the tasks of its WebSockets and videos
    """

    def __init__(self, id: str, tracker: Tracker, size: tuple[int, int] | None = None) -> None:
        """Makes a session that is not in use."""
        self.id, self.tracker, self.size = id, tracker, size
        self.prompt = Prompt()
        self._turn, self.users, self._queued = asyncio.Lock(), 0, 0
        self._used = time.monotonic()
        self.streams: set[asyncio.Task[Any]] = set()
        self._closed = ""

    @contextlib.contextmanager
    def queued(self) -> Any:
        """Counts a request that will want a turn, before its body is read.

            with session.queued():
                ...

        Raises:
            Refused: too many wait already.
        """
        if self._queued > WAITING:
            raise Refused(
                429,
                f"{WAITING} frames of this session wait already: send the next one when a result "
                "has come",
                Retry_After="1",
            )
        self._queued += 1
        try:
            yield
        finally:
            self._queued -= 1

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for one's turn, and has the session alone while the block runs.

            async with session.turn():
                ...

        Raises:
            Refused: the session is removed meanwhile.
        """
        self.users += 1
        try:
            async with self._turn:
                if self._closed:
                    raise Refused(410, self._closed)
                yield
        finally:
            self.users -= 1
            self._used = time.monotonic()

    @contextlib.contextmanager
    def streaming(self) -> Any:
        """Has the task that runs the block cancelled when the session is removed.

        with session.streaming():
            ...
        """
        task = asyncio.current_task()
        assert task is not None
        self.streams.add(task)
        try:
            yield
        finally:
            self.streams.discard(task)

    def check_size(self, frame: HostArray) -> None:
        """Raises InputError if a frame has another size than those before."""
        if self.size is not None and frame.shape[:2] != self.size:
            raise InputError(
                f"the frame is {frame.shape[1]}x{frame.shape[0]}, this session's are "
                f"{self.size[1]}x{self.size[0]} (width x height): make a new session for frames of "
                "another size"
            )

    def idle(self) -> float:
        """Returns for how many seconds nobody has used it; 0 while a frame is under way."""
        return 0.0 if self.users or self._queued else time.monotonic() - self._used

    def close(self, why: str) -> None:
        """Ends the session: whoever waits for a turn is told why, and streams are cancelled."""
        self._closed = why
        for task in self.streams:
            task.cancel()


class Sessions:
    """All sessions of a server.

        sessions = Sessions(vosjax.load(), ServeConfig())
        session = sessions.create(await sessions.tracker(objects=2))
        taken = await sessions.step(session, jpeg, Prompt(boxes={1: (20, 20, 64, 48)}))

    Everything is called in the event loop; what takes time is done in the device's thread, and
    pictures are decoded and encoded in some others.
    """

    def __init__(
        self,
        model: Loaded,
        limits: ServeConfig,
        *,
        max_short_side: int | None = None,
        batch: int = 1,
        marker: MarkModel | None = None,
    ) -> None:
        """Starts the threads.

        Args:
            model: the network of all sessions.
            limits: what clients may ask for.
            max_short_side: largest short side that the network sees, if a session says nothing.
            batch: most frames in one call of the device.
            marker: the network that boxes and points are shown to; None loads the embedded one
                when it is first needed.
        """
        self.model, self.limits, self.batch = model, limits, batch
        self.device = Device(batch=batch, gather=limits.gather / 1000)
        self._pictures = concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "pictures")
        self._max_short_side, self._marker = max_short_side, marker
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        """The number of sessions."""
        return len(self._sessions)

    def __iter__(self) -> Any:
        """All sessions."""
        return iter(list(self._sessions.values()))

    def get(self, id: str) -> Session:
        """Returns a session: `sessions.get(id)`; raises `Refused` (404) if there is none."""
        if id not in self._sessions:
            raise Refused(404, "there is no such session: it was removed, or was idle for too long")
        return self._sessions[id]

    def check_room(self) -> None:
        """Raises `Refused` (503) if there is room for no more sessions."""
        if len(self) >= self.limits.max_sessions:
            raise Refused(
                503,
                f"all {self.limits.max_sessions} sessions are taken: remove one, or wait until one "
                f"has been idle for {self.limits.idle:g} s",
                Retry_After=str(max(int(self.limits.idle), 1)),
            )

    async def tracker(self, **settings: int | None) -> Tracker:
        """Makes a tracker within the limits.

            tracker = await sessions.tracker(objects=2, mem_every=None)

        Args:
            **settings: of `Tracker`, of which `objects`, `mem_every`, `max_mem_frames` and
                `max_short_side` may be given; None takes the server's.

        Raises:
            InputError: a setting is beyond the limits.
        """
        self.check_mem_frames(settings.get("max_mem_frames"))
        objects, most = settings.get("objects"), self.limits.max_objects
        if objects is not None and objects > most:
            raise InputError(f"{objects} objects are expected: at most {most} are followed here")
        side = settings.get("max_short_side") or self._max_short_side
        frames = settings.get("max_mem_frames") or min(
            self.model.config["max_mem_frames"], self.limits.max_mem_frames
        )
        chosen: dict[str, Any] = {
            **settings,
            "max_short_side": side,
            "max_mem_frames": frames,
            # Frames are batched whose states have room for equally many, so all have it at once.
            "capacity": frames if self.batch > 1 else CAPACITY,
        }
        return await self.on_device(lambda: Tracker(self.model, **chosen))

    def check_mem_frames(self, frames: int | None) -> None:
        """Raises InputError if more memory frames are asked for than the limit."""
        most = self.limits.max_mem_frames
        if frames is not None and frames > most:
            raise InputError(f"{frames} memory frames are asked for: at most {most} are kept here")

    def create(
        self, tracker: Tracker, size: tuple[int, int] | None = None, *, id: str | None = None
    ) -> Session:
        """Adds a session.

            session = sessions.create(tracker)

        Args:
            tracker: its tracker.
            size: (H, W) of its frames, if it is known.
            id: its name; None makes one.

        Raises:
            Refused: there is room for no more.
        """
        self.check_room()
        session = Session(id or secrets.token_urlsafe(18), tracker, size)
        self._sessions[session.id] = session
        return session

    def remove(self, session: Session, why: str = "the session was removed") -> None:
        """Removes a session and frees what it holds: `sessions.remove(session)`."""
        self._sessions.pop(session.id, None)
        session.close(why)

    def remove_idle(self) -> None:
        """Removes sessions that nobody has used for too long: `sessions.remove_idle()`."""
        for session in self:
            if session.idle() > self.limits.idle:
                self.remove(session, f"the session was idle for {self.limits.idle:g} s")

    async def close(self) -> None:
        """Removes all sessions and ends the threads, when what they do is done."""
        for session in self:
            self.remove(session, "the server ends")
        await asyncio.to_thread(self.device.close)
        self._pictures.shutdown()

    async def on_device(self, work: Callable[[], T]) -> T:
        """Does work in the device's thread: `await sessions.on_device(lambda: tracker.state)`."""
        return await finished(self.device.call(work))

    async def aside(self, work: Callable[..., T], *arguments: Any, **settings: Any) -> T:
        """Does work on the host in a thread: `await sessions.aside(label_png, labels)`."""
        loop = asyncio.get_running_loop()
        call = functools.partial(work, *arguments, **settings)
        return await loop.run_in_executor(self._pictures, call)

    async def decoded(self, data: bytes) -> HostArray:
        """Decodes a picture of the net, uint8 [H, W, 3] RGB; raises InputError if it is none."""
        return await self.aside(read_frame, data, most=self.limits.max_pixels)

    async def step(
        self,
        session: Session,
        frame: HostArray,
        prompt: Prompt,
        vanished: Vanished | None = None,
    ) -> Taken:
        """Takes a session's next frame.

            taken = await sessions.step(session, await sessions.decoded(jpeg), Prompt())

        If it is cancelled before the device has begun, the session stays as it was.

        Args:
            session: the session.
            frame: uint8 [H, W, 3] RGB.
            prompt: what the user says about it; if it is empty, the one that waits is taken.
            vanished: says whether the client has gone; it is asked when the session's turn comes.

        Raises:
            InputError: the frame or prompt does not fit the session, or asks for too much. The
                session stays as it was.
            Refused: the session is removed, or the device failed, upon which it is removed.
        """
        async with session.turn():
            if vanished is not None and await vanished():
                raise Refused(GONE, "the client has gone")
            tracker, given = session.tracker, prompt
            if given.is_empty():
                given = session.prompt
            if frame.shape[0] * frame.shape[1] > self.limits.max_pixels:
                raise InputError(f"a frame has more than {self.limits.max_pixels:,} pixels")
            session.check_size(frame)
            labels = await self._labels(tracker, frame, given)
            try:
                for id in given.remove:
                    await self.on_device(functools.partial(tracker.remove, id))
                output = await finished(self.device.step(tracker, frame, labels))
            except DeviceFailed as error:
                self.remove(session, "the session was removed, as the device failed")
                line = f"{one_line(error)}; the session is lost, go on from its last snapshot"
                raise Refused(500, line) from error
            except ValueError as error:
                raise InputError(one_line(error)) from error
            if given is session.prompt:
                session.prompt = Prompt()
            session.size = output.labels.shape[:2]
            index = tracker.time - 1
        return Taken(index, output.scores, await self.aside(label_png, output.labels))

    async def _labels(self, tracker: Tracker, frame: HostArray, prompt: Prompt) -> HostArray | None:
        """Returns the labels of a prompt, or None if it marks nothing."""
        prompts.check_removed(prompt, tracker)
        mask = None
        if prompt.mask is not None:
            mask = await self.aside(read_labels, prompt.mask, frame.shape[:2])
        objects = prompts.objects_of(prompt, mask)
        if objects:
            prompts.check_objects(tracker, objects, prompt, self.limits)
        if prompt.boxes or prompt.points:
            return await self.on_device(lambda: self._marked(frame, prompt, mask))
        return mask

    def _marked(self, frame: HostArray, prompt: Prompt, under: HostArray | None) -> HostArray:
        self._marker = self._marker or load_marker()
        return prompts.marked(Marker(frame, model=self._marker), prompt, under)


async def finished(future: "Future[T]") -> T:
    """Waits for work of the device's thread; if the waiting is cancelled, until it has ended.

        output = await finished(device.step(tracker, frame))

    So nobody uses a tracker while the device does. Work that has not begun never does.

    Args:
        future: the work.
    """
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not future.cancel():
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                waiting.exception()  # it is nobody's any more
        raise
