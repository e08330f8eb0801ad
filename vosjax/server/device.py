"""The one thread in which everything is done that uses the accelerator.

Sessions hand their frames to it, each one at a time. Frames of one kind that wait together go
through the network in one call. Programs are compiled in a second thread, so that a session of a
new size, or a new batch size, holds nobody up: until its program is there, a first frame waits, and
a batch is divided into sizes that are compiled.
"""

import collections
import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import numpy as np

from vosjax.errors import InputError
from vosjax.server.batch import SIZES, Kind, compiled_batch, divided, kind_of, run_batch
from vosjax.tracking.frame import FrameOutput
from vosjax.tracking.slots import HostArray
from vosjax.tracking.state import FrameCall
from vosjax.tracking.tracker import Tracker

T = TypeVar("T")
PROGRAMS = 64  # compiled programs that are kept
RECENT = 1.0  # seconds; a session whose last frame is older is not waited for


class DeviceFailed(RuntimeError):
    """The device could not compute a frame, for example for want of memory."""


class _Frame(NamedTuple):
    tracker: Tracker
    frame: HostArray
    labels: HostArray | None
    future: "Future[FrameOutput]"


class _Job(NamedTuple):
    work: Callable[[], Any]
    future: "Future[Any]"


class _Compiled(NamedTuple):
    key: tuple[Kind, int]
    program: Any  # or the exception that compiling raised


class _Waiting(NamedTuple):
    call: FrameCall
    future: "Future[FrameOutput]"


class Device:
    """Runs frames and other work of all sessions, in one thread of its own.

        device = Device(batch=8)
        output = device.step(tracker, frame).result()
        device.close()

    calls    how many calls of the network there were, by batch size: {1: 12, 4: 30}
    """

    def __init__(self, *, batch: int = 1, gather: float = 0.004) -> None:
        """Starts the thread.

        Args:
            batch: largest number of frames in one call.
            gather: longest time in seconds for which a frame waits for those of other sessions.
        """
        self.calls: collections.Counter[int] = collections.Counter()
        self._most = max(size for size in SIZES if size <= batch)
        self._gather = gather if self._most > 1 else 0.0
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._programs: collections.OrderedDict[tuple[Kind, int], Any] = collections.OrderedDict()
        self._compiling: set[tuple[Kind, int]] = set()
        self._parked: dict[tuple[Kind, int], list[_Waiting]] = {}
        self._ready: list[_Waiting] = []
        self._seen: dict[int, float] = {}  # when a tracker last had a frame, by its `id`
        self._pace = 0.0  # seconds that the last round took
        self._closed = False
        self._compiler = concurrent.futures.ThreadPoolExecutor(1, "compile")
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def step(
        self, tracker: Tracker, frame: HostArray, labels: HostArray | None = None
    ) -> "Future[FrameOutput]":
        """Takes a tracker's next frame, in a batch with those of others.

            labels, scores = device.step(tracker, frame).result()

        A tracker's next frame may only be given once the result of the one before is there. A
        future that is cancelled before its turn leaves the tracker as it was.

        Args:
            tracker: a tracker without refinement, which nothing else uses meanwhile.
            frame: as for `Tracker.step`.
            labels: as for `Tracker.step`.

        Returns:
            A future of the result; it raises ValueError as `Tracker.step`, and `DeviceFailed`,
            after which the tracker is of no use.
        """
        future: Future[FrameOutput] = Future()
        return self._put(_Frame(tracker, frame, labels, future))

    def call(self, work: Callable[[], T]) -> "Future[T]":
        """Does other work in the device's thread.

            device.call(lambda: tracker.remove(7)).result()

        Args:
            work: a function without arguments.
        """
        future: Future[T] = Future()
        return self._put(_Job(work, future))

    @property
    def compiling(self) -> int:
        """How many programs are being compiled."""
        return len(self._compiling)

    def close(self) -> None:
        """Ends the threads, when everything that was handed in is done: `device.close()`."""
        self._closed = True
        self._tasks.put(None)
        self._thread.join()
        self._compiler.shutdown()

    def _put(self, task: _Frame | _Job) -> "Future[Any]":
        if self._closed:
            raise RuntimeError("the device is closed: nothing more can be computed")
        self._tasks.put(task)
        return task.future

    def _run(self) -> None:
        closing = False
        while not closing or self._ready or self._parked:
            # A frame that is cancelled, or a job, may have been all there was.
            closing = not self._handle(self._tasks.get()) or closing
            deadline = time.monotonic() + self._gather
            while self._ready:
                wait = deadline - time.monotonic() if self._more_to_come() else 0.0
                try:
                    closing = not self._handle(self._tasks.get(wait > 0, max(wait, 0))) or closing
                except queue.Empty:
                    break
            if self._ready:
                self._round()

    def _handle(self, task: Any) -> bool:
        """Carries out a task; returns False if it says that no more will come."""
        if task is None:
            return False
        if isinstance(task, _Compiled):
            self._arrived(task)
        elif task.future.set_running_or_notify_cancel():
            try:
                if isinstance(task, _Job):
                    task.future.set_result(task.work())
                else:
                    self._prepare(task)
            except ValueError as error:  # the user's mistake
                task.future.set_exception(error)
            except Exception as error:  # as when a state grows and there is no memory for it
                task.future.set_exception(error if isinstance(task, _Job) else _failed(error))
        return True

    def _prepare(self, task: _Frame) -> None:
        self._seen[id(task.tracker)] = time.monotonic()
        call = task.tracker.prepare(task.frame, task.labels)
        if call is None:
            nothing = np.zeros(task.frame.shape[:2], np.uint8)
            task.future.set_result(FrameOutput(nothing, {}))
            return
        waiting, key = _Waiting(call, task.future), (kind_of(call), 1)
        if self._program(key, call) is None:
            self._parked.setdefault(key, []).append(waiting)
        else:
            self._ready.append(waiting)

    def _more_to_come(self) -> bool:
        """Returns whether other sessions, which had a frame just now, may soon have another."""
        horizon = time.monotonic() - max(RECENT, 2 * self._pace)
        self._seen = {key: seen for key, seen in self._seen.items() if seen > horizon}
        return len(self._ready) < min(self._most, len(self._seen))

    def _program(self, key: tuple[Kind, int], call: FrameCall) -> Any:
        """Returns a compiled program; or None, and has it compiled."""
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        if key not in self._compiling:
            self._compiling.add(key)
            self._compiler.submit(self._compile, key, call)
        return None

    def _compile(self, key: tuple[Kind, int], call: FrameCall) -> None:
        kind, count = key
        program: Any
        try:
            if count == 1:
                program = call.state.compile()
            else:
                program = compiled_batch(kind, call.state.params, count)
        except Exception as error:
            program = error
        self._tasks.put(_Compiled(key, program))

    def _arrived(self, compiled: _Compiled) -> None:
        key, program = compiled
        self._compiling.discard(key)
        parked = self._parked.pop(key, [])
        if isinstance(program, Exception):
            for waiting in parked:
                waiting.future.set_exception(_failed(program))
            return  # a batch is divided again, and its program asked for again
        self._programs[key] = program
        if len(self._programs) > PROGRAMS:
            self._programs.popitem(last=False)
        self._ready += parked

    def _round(self) -> None:
        """Takes all frames that are ready through the network."""
        start, ready, self._ready = time.monotonic(), self._ready, []
        groups: dict[Kind, list[_Waiting]] = {}
        for waiting in ready:
            if waiting.call.prompt.given.any():
                self._single(waiting)
            else:
                groups.setdefault(kind_of(waiting.call), []).append(waiting)
        for kind, group in groups.items():
            self._batches(kind, group)
        self._pace = time.monotonic() - start

    def _batches(self, kind: Kind, group: list[_Waiting]) -> None:
        rest = group
        while rest:
            size = divided(len(rest), self._most)[0]
            program = self._program((kind, size), rest[0].call) if size > 1 else None
            while size > 1 and program is None:
                size = SIZES[SIZES.index(size) - 1]
                program = self._programs.get((kind, size)) if size > 1 else None
            part, rest = rest[:size], rest[size:]
            if size == 1:
                self._single(part[0])
                continue
            self.calls[size] += 1
            try:
                outputs = run_batch(program, [waiting.call for waiting in part], size)
            except Exception as error:
                for waiting in part:
                    waiting.future.set_exception(_failed(error))
                continue
            for waiting, output in zip(part, outputs):
                waiting.future.set_result(output)

    def _single(self, waiting: _Waiting) -> None:
        call, state = waiting.call, waiting.call.state
        program = self._programs.get((kind_of(call), 1))
        self.calls[1] += 1
        try:
            if program is None:  # it was dropped for newer ones since the frame was prepared
                program = state.compile()
            ids = np.array(state.objects.ids, np.uint8)
            state.arrays, labels, object_stats, _ = program(
                state.params, state.arrays, call.frame, call.prompt, ids, call.clock
            )
            output = call.output(np.asarray(labels), np.asarray(object_stats))
        except Exception as error:
            waiting.future.set_exception(_failed(error))
            return
        waiting.future.set_result(output)


def _failed(error: Exception) -> Exception:
    if isinstance(error, InputError):
        return error
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    failed = DeviceFailed(f"the device could not compute the frame: {reason}")
    failed.__cause__ = error
    return failed
