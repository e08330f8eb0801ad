"""`Tracker` takes uint8 frames and returns labels and scores, with one compiled call per frame.

It handles what networks do not: the user's resolution, the user's object ids, the clock of the
memory and its capacity.
"""

import copy
import math
import numbers
import os
import pickle
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import jax
import numpy as np

from vosjax.errors import InputError, Note, shown
from vosjax.loading.pretrained import Loaded, load
from vosjax.refine.refiner import Counts, Refiner, added
from vosjax.schema import NEVER
from vosjax.tracking import snapshot
from vosjax.tracking.books import Books
from vosjax.tracking.frame import (
    FrameOutput,
    checked_frame,
    lost_objects,
    nothing_marked,
)
from vosjax.tracking.slots import (
    HostArray,
    MemoryCounters,
    ObjectSlots,
    checked_labels,
    to_slots,
)
from vosjax.tracking.state import FrameCall, NetworkState
from vosjax.tracking.step import MemoryClock, remembers
from vosjax.types import Prompt, Spec

SLOTS = 10  # slots of a new tracker if neither the user nor the network limits the objects


def check_count(name: str, value: Any) -> None:
    """Checks that a setting is None or a whole number from 1 to `NEVER`.

        check_count("mem_every", 2.5)       # InputError: mem_every is 2.5; a whole number ...

    Args:
        name: name of the setting, for the message.
        value: its value.

    Raises:
        InputError: the value is anything else.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if value is not None and not (whole and 1 <= value <= NEVER):
        raise InputError(
            f"{name} is {shown(value)}; a whole number, at least 1 and at most {NEVER}, is expected"
        )


class Tracker:
    """Tracks objects through a video that is given frame by frame.

        tracker = Tracker()
        labels, scores = tracker.step(frame, mask)   # mask: uint8 [H, W] of ids, 0 the background
        labels, scores = tracker.step(next_frame)

    A mask may come with any frame. It adds objects or corrects them, and is returned exactly as
    given. Programs are only recompiled if there are more objects at a time than slots, or more
    remembered frames than there is room for (up to `max_mem_frames`).

    Objects may come and go for as long as the video lasts. The slot of a removed object is given to
    another one once the memory holds nothing of the removed object (`Vos.forget`;
    docs/architecture.md says what that costs in each network).
    """

    def __init__(
        self,
        model: Loaded | None = None,
        *,
        objects: int | None = None,
        mem_every: int | None = None,
        capacity: int = 4,
        max_mem_frames: int | None = None,
        max_short_side: int | None = None,
        refine: Refiner | None = None,
    ) -> None:
        """Makes a tracker without objects.

        Args:
            model: the model, see `load`; None loads the embedded default.
            objects: expected number of objects, if known; there may be more.
            mem_every: number of frames from one remembered frame to the next; None takes the
                model's default.
            capacity: initial number of memory frames; doubled when full, up to the limit.
            max_mem_frames: largest number of memory frames, beyond which a new one replaces the
                oldest one that was not annotated; None takes the model's default. Annotated frames
                are kept as long as an object that was given in them is tracked.
            max_short_side: largest short side in pixels that the network sees; None leaves it to
                the network's own rule.
            refine: refines the labels of every frame (`refine.refiner.load_refiner`); what the
                network remembers stays unrefined.

        Raises:
            InputError: a setting is not a whole number from 1 to `NEVER`.
        """
        self.model = load() if model is None else model
        config = self.model.config
        self.mem_every = config["mem_every"] if mem_every is None else mem_every
        self.max_mem_frames = config["max_mem_frames"] if max_mem_frames is None else max_mem_frames
        for name, value in dict(
            objects=objects,
            mem_every=self.mem_every,
            capacity=capacity,
            max_mem_frames=self.max_mem_frames,
            max_short_side=max_short_side,
        ).items():
            check_count(name, value)
        most = self.model.model.vos.slots
        group = min(objects or most or SLOTS, most or NEVER)
        slots = ObjectSlots.empty(group, math.ceil((objects or 1) / group))
        self.time = 0  # index of the next frame
        self.refined: Counts = {}  # of the results that were handed out
        self._refiner = refine
        self._queued: HostArray | None = None  # labels of `add`
        self._state = self._network_state(
            max_short_side, slots, MemoryCounters(min(capacity, self.max_mem_frames))
        )

    def step(self, frame: HostArray, labels: HostArray | None = None) -> FrameOutput:
        """Takes the next frame.

            labels, scores = tracker.step(frame)

        Args:
            frame: uint8 [H, W, 3] RGB; all frames have the size of the first one.
            labels: integers [H, W] of object ids 1..255, 0 for pixels that are not marked; None for
                most frames. Objects that are already tracked are corrected, all others are added.

        Returns:
            Labels uint8 [H, W] of ids, and {id: `ObjectScore`} of the tracked objects.

        Raises:
            ValueError: the frame or the labels have another dtype, shape or size; or the labels
                hold no object, or ids out of range.
        """
        return self.submit(frame, labels)()

    def submit(
        self, frame: HostArray, labels: HostArray | None = None
    ) -> Callable[[], FrameOutput]:
        """Does `step` without waiting for its result, which the returned function gives.

            result = tracker.submit(frame)
            next_frame = camera.read()      # while this one is computed
            labels, scores = result()

        Args:
            frame: as for `step`.
            labels: as for `step`.

        Raises:
            ValueError: as for `step`.
        """
        call = self.prepare(frame, labels)
        size = self._state.frame_size
        assert size is not None
        if call is None:
            return lambda: FrameOutput(np.zeros(size, np.uint8), {})
        output_labels, object_stats, counts = self._state.run(call.frame, call.prompt, call.clock)
        for array in (output_labels, object_stats):
            array.copy_to_host_async()
        waiting = [counts]

        def result() -> FrameOutput:
            while waiting:  # counted once, however often the result is asked for
                self.refined = added(self.refined, waiting.pop())
            return call.output(np.asarray(output_labels), np.asarray(object_stats))

        return result

    def prepare(self, frame: HostArray, labels: HostArray | None = None) -> FrameCall | None:
        """Does what `submit` does on the host; the network's part is left to the caller.

            call = tracker.prepare(frame)       # to be run in a batch with frames of other trackers

        The caller has to run the call before anything else is done with the tracker. Without
        objects there is nothing to be run, and the result is None.

        Args:
            frame: as for `step`.
            labels: as for `step`.

        Raises:
            ValueError: as for `step`.
        """
        state = self._state
        frame = checked_frame(frame, state.frame_size, self.time)
        size = state.frame_size = frame.shape[:2]
        if labels is None:
            labels, self._queued = self._queued, None
        if labels is not None:
            labels = checked_labels(labels, size)
            state.enrol([id for id in np.unique(labels).tolist() if id], self.time)
            self._tell_of_lost(labels)
        time, self.time = self.time, self.time + 1
        followed, last = state.objects.followed, state.memory.last
        if not followed:
            return None
        prompt = nothing_marked(size, state.objects.count)
        if labels is not None:
            prompt = Prompt(*to_slots(labels, state.objects.ids))
        slots = (np.flatnonzero(prompt.given) + 1).tolist()
        if remembers(bool(slots), time, last, self.mem_every):
            state.remember(time, slots, self.max_mem_frames)
        clock = MemoryClock(np.int32(time), np.int32(last), np.int32(self.mem_every))
        return FrameCall(state, frame, prompt, clock, followed)

    def add(self, labels: HostArray) -> None:
        """Marks objects in the next frame, like the `labels` of `step`.

            tracker.add(np.where(inside, 7, 0))

        Args:
            labels: as for `step`; they are checked with that frame.
        """
        self._queued = np.array(labels)

    def remove(self, object: int) -> None:
        """Stops tracking an object; its pixels go to the next most probable object there.

            tracker.remove(7)

        Args:
            object: the object's id.

        Raises:
            ValueError: no object with this id is tracked.
        """
        if object not in self._state.objects.followed:
            raise ValueError(f"there is no object {object}; there are: {self.objects}")
        self._state.remove(object, self.time)

    def compile(self, height: int, width: int) -> jax.stages.Compiled:
        """Compiles ahead for frames of a size; the compiled program knows its memory use and cost.

            tracker.compile(480, 854).memory_analysis().temp_size_in_bytes

        Args:
            height: height of the frames in pixels.
            width: width of the frames in pixels.

        Raises:
            ValueError: the video has another size.
        """
        size = self._state.frame_size = self._state.frame_size or (height, width)
        if size != (height, width):
            raise ValueError(
                f"asked to compile for {height}x{width}, the video is {size[0]}x{size[1]} "
                "(height x width)"
            )
        return self._state.compile()

    @property
    def objects(self) -> list[int]:
        """The ids of the tracked objects, in ascending order."""
        return sorted(self._state.objects.followed)

    @property
    def spec(self) -> Spec | None:
        """The Spec of the network's state; None before the first frame."""
        return None if self._state.frame_size is None else self._state.spec

    @property
    def traces(self) -> int:
        """How often the programs of this tracker were traced, by it or by other trackers."""
        return sum(program.traces[0] for program in self._state.programs.values())

    @property
    def state_bytes(self) -> int:
        """The size of the network's state in bytes; it changes only when memory or slots grow."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self._state.arrays))

    @property
    def state(self) -> snapshot.Snapshot:
        """Everything except the weights, on the host; `restore` continues from it bit by bit."""
        books = Books(
            weights=self.model.card.get("sha256", ""),
            mem_every=self.mem_every,
            max_mem_frames=self.max_mem_frames,
            max_short_side=self._state.max_short_side,
            size=self._state.frame_size,
            time=self.time,
            objects=self._state.objects,
            memory=self._state.memory,
            refined=self.refined,
        )
        return snapshot.take(self._state.arrays, self._queued, books)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `state` to a file atomically, including labels of `add` that wait for a frame.

            tracker.save("tracker.npz")

        Args:
            path: the file.

        Raises:
            DiskFull: the disk is full.
        """
        snapshot.save(path, self.state)

    @classmethod
    def restore(
        cls,
        saved: snapshot.Snapshot | str | os.PathLike[str],
        model: Loaded | None = None,
        *,
        refine: Refiner | None = None,
    ) -> "Tracker":
        """Makes a tracker that continues from a `state`, or from a file that `save` wrote.

            tracker = Tracker.restore("tracker.npz", model)

        Args:
            saved: the file or the state.
            model: a model with the same weights; None loads the embedded default.
            refine: as for a new tracker; it is not part of a saved state.

        Raises:
            InputError: the file is missing, damaged or of another version, or was saved with other
                weights.
        """
        if not isinstance(saved, snapshot.Snapshot):
            saved = snapshot.load(saved)
        network, queued, books = snapshot.take(*saved)
        tracker = cls(
            model,
            mem_every=books.mem_every,
            max_mem_frames=books.max_mem_frames,
            refine=refine,
        )
        snapshot.check_weights(books.weights, tracker.model.card.get("sha256", ""))
        if books.objects.group > (tracker.model.model.vos.slots or NEVER):
            raise snapshot.misfit()
        state = tracker._network_state(books.max_short_side, books.objects, books.memory)
        state.frame_size = books.size
        if books.objects.followed:
            state.arrays = snapshot.fit(network, state.shapes())
        tracker.time, tracker._queued, tracker._state = books.time, queued, state
        tracker.refined = books.refined
        return tracker

    def __deepcopy__(self, memo: dict[int, object]) -> "Tracker":
        """Makes an independent tracker in the same state; the weights are shared."""
        return Tracker.restore(self.state, self.model, refine=self._refiner)

    def __copy__(self) -> "Tracker":
        return copy.deepcopy(self)

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError(
            "a tracker holds functions, which pickle cannot store: write its state by "
            "Tracker.save(path), and go on by Tracker.restore(path, vosjax.load(...)) there"
        )

    def _tell_of_lost(self, labels: HostArray) -> None:
        """Warns about objects that are too small to have a pixel at the network's size."""
        state = self._state
        lost = lost_objects(labels, state.spec)
        if not lost:
            return
        sizes = ", ".join(
            f"object {id} ({pixels} pixel{'s' * (pixels > 1)})" for id, pixels in lost.items()
        )
        raised = "raise max_short_side (--config.max_short_side), or " * bool(state.max_short_side)
        warnings.warn(
            "too small to have a pixel at the network's size, "
            f"{state.spec.height}x{state.spec.width} (height x width): {sizes}. What such an "
            f"object touches is marked in its place, and it is easily lost: {raised}crop the "
            "video around it",
            Note,
            stacklevel=4,
        )

    def _network_state(
        self, max_short_side: int | None, objects: ObjectSlots, memory: MemoryCounters
    ) -> NetworkState:
        vos = self.model.model.vos._replace(slots=objects.group)
        return NetworkState(
            vos, self.model.params, max_short_side, objects, memory, refiner=self._refiner
        )
