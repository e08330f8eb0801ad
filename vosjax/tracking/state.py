"""A tracker's network state: its compiled programs, how it grows, and how objects are cleared."""

import dataclasses
import functools
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.compose.groups import enlarge, groups
from vosjax.errors import Note
from vosjax.refine.refiner import Refiner
from vosjax.tracking.frame import (
    FrameOutput,
    FrameProgram,
    frame_program,
    network_size,
    nothing_marked,
)
from vosjax.tracking.labels import to_scores
from vosjax.tracking.slots import HostArray, MemoryCounters, ObjectSlots, release
from vosjax.tracking.step import MemoryClock
from vosjax.types import Prompt, Spec, Vos


@dataclasses.dataclass
class NetworkState:
    """The state of a network, with the records of what is in it.

    vos             the network of one group of slots
    params          its weights
    max_short_side  largest short side in pixels that it sees; None for the network's own rule alone
    objects         which object is in which slot
    memory          what the memory holds
    frame_size      (H, W) of the user's frames; None before the first one
    arrays          the network's own state; None while no object is tracked
    programs        the compiled programs used so far, by what they were compiled for
    refiner         refines the output of every frame, which the network does not see; or None
    """

    vos: Vos
    params: Any
    max_short_side: int | None
    objects: ObjectSlots
    memory: MemoryCounters
    frame_size: tuple[int, int] | None = None
    arrays: Any = None
    programs: dict[Any, FrameProgram] = dataclasses.field(default_factory=dict)
    refiner: Refiner | None = None

    @property
    def network(self) -> Vos:
        """The network of all groups."""
        return groups(self.vos, self.objects.groups)

    @property
    def spec(self) -> Spec:
        """The Spec of `arrays`."""
        assert self.frame_size is not None
        height, width = network_size(self.vos, self.frame_size, self.max_short_side)
        return Spec(height, width, self.objects.count, self.memory.capacity)

    def shapes(self) -> Any:
        """Returns the shapes and dtypes of `arrays`."""
        return jax.eval_shape(functools.partial(self.network.init, spec=self.spec), self.params)

    def program(self) -> FrameProgram:
        """Returns the compiled frame for the present shapes."""
        assert self.frame_size is not None
        stage = None if self.refiner is None else self.refiner.stage
        key = (self.network, self.spec, self.frame_size, stage)
        if key not in self.programs:
            self.programs[key] = frame_program(*key)
        return self.programs[key]

    def run(self, frame: HostArray, prompt: Prompt, clock: MemoryClock) -> tuple[Any, Any, Any]:
        """Takes a frame through the network.

            labels, object_stats, counts = state.run(frame, prompt, clock)

        Args:
            frame: uint8 [H, W, 3] RGB.
            prompt: what the user marked in the frame.
            clock: decides whether the frame is remembered.

        Returns:
            Labels uint8 [H, W] of ids, the objects' statistics, and what the refinement counted.
        """
        ids = np.array(self.objects.ids, np.uint8)
        stage_params = () if self.refiner is None else (self.refiner.params,)
        self.arrays, labels, object_stats, counts = self.program().run(
            self.params, self.arrays, frame, prompt, ids, clock, *stage_params
        )
        return labels, object_stats, counts

    def compile(self) -> jax.stages.Compiled:
        """Compiles the frame for the present shapes."""
        assert self.frame_size is not None
        lowered = self.program().network.lower(
            self.params,
            self.shapes(),
            np.zeros((*self.frame_size, 3), np.uint8),
            nothing_marked(self.frame_size, self.objects.count),
            np.array(self.objects.ids, np.uint8),
            MemoryClock(np.int32(0), np.int32(0), np.int32(0)),
        )
        compiled: jax.stages.Compiled = lowered.compile()
        return compiled

    def enrol(self, ids: list[int], time: int) -> None:
        """Gives slots to those of the ids that are not tracked yet, from frame `time` on.

            state.enrol([1, 7], time=0)

        Args:
            ids: ids of objects.
            time: index of the frame.
        """
        if self.arrays is None:
            self.memory.last = time
        for id in ids:
            if id not in self.objects.followed:
                self.objects.put(id, self._free_slot(), time)
        if self.arrays is None:
            # Copied, since leaves of an empty state may share a buffer, which cannot be donated.
            self.arrays = jax.tree.map(jnp.copy, self.network.init(self.params, self.spec))

    def remove(self, id: int, time: int) -> None:
        """Stops tracking an object from frame `time` on; without objects, the state is as new.

            state.remove(7, time=120)

        Args:
            id: id of the object.
            time: index of the frame.
        """
        self.memory.forget(self.objects.remove(id, time))
        if self.objects.followed:
            self._forget()
        else:
            self.objects = ObjectSlots.empty(self.objects.group, self.objects.groups)
            self.memory, self.arrays = MemoryCounters(self.memory.capacity), None

    def remember(self, time: int, slots: list[int], max_mem_frames: int) -> None:
        """Counts a remembered frame; a full memory that may still grow is first doubled.

            state.remember(time=5, slots=[], max_mem_frames=32)

        Args:
            time: index of the frame.
            slots: slots of the objects that are given in it.
            max_mem_frames: largest capacity, unless all remembered frames are annotated.
        """
        before, needed = self.memory.capacity, self.memory.needed(max_mem_frames)
        if needed > before:
            if needed > max_mem_frames:
                warnings.warn(
                    f"all {before} memory frames are annotated and the limit is {max_mem_frames}: "
                    f"the memory grows to {needed} frames, as annotated frames are always kept",
                    Note,
                    stacklevel=4,
                )
            self.memory.capacity = needed
            self._enlarge(self.objects.groups)
        self.memory.remember(time, slots)

    def _free_slot(self) -> int:
        """Returns a slot that was never used, or one that can be cleared, or one of a new group."""
        slot = self.objects.never_used()
        if slot is None:
            slot = next((freed for freed in self.objects.freed if self._forget(freed)), None)
        if slot is None:
            before = self.objects.groups
            self.objects.add_group()
            self._enlarge(before)
            slot = self.objects.never_used()
        assert slot is not None
        return slot

    def _forget(self, reclaim: int | None = None) -> bool:
        """Has the network forget what is not followed; whether the reclaimed slot is free then."""
        gone = release(self.objects, self.memory, reclaim)
        self.arrays, free = self.network.forget(self.arrays, gone)
        return reclaim is not None and bool(free[reclaim - 1])

    def _enlarge(self, from_groups: int) -> None:
        if self.arrays is not None:
            self.arrays = enlarge(
                self.vos,
                self.params,
                self.arrays,
                self.spec,
                from_count=from_groups,
                to_count=self.objects.groups,
            )


class FrameCall(NamedTuple):
    """A frame that waits for its network: everything on the host has been done (`Tracker.prepare`).

    state     the network's state, whose `arrays` become those after the frame
    frame     uint8 [H, W, 3] RGB
    prompt    what the user marked in it
    clock     decides whether it is remembered
    followed  {id: slot} of the objects that are followed
    """

    state: NetworkState
    frame: HostArray
    prompt: Prompt
    clock: MemoryClock
    followed: dict[int, int]

    def output(self, labels: HostArray, object_stats: HostArray) -> FrameOutput:
        """Returns the frame's result, of labels uint8 [H, W] of ids and object stats [N, 3]."""
        return FrameOutput(labels, to_scores(object_stats, self.followed))
