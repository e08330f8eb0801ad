"""`Tracker`: uint8 frames in, labels and scores out, one compiled call a frame.

It owns what is not a network's affair: the user's resolution, the user's object ids, the clock of
the memory and the room in it.
"""

import functools
import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.compose.combinators import enlarge, groups
from vosjax.io.writer import ObjectScore
from vosjax.layers.resize import resize, resize_maps, resize_nearest
from vosjax.loading.pretrained import Loaded, load
from vosjax.prompt import apply_prompt
from vosjax.tracking import snapshot
from vosjax.tracking.step import MemoryClock, remembers, step
from vosjax.types import Prompt, Spec, Vos

SLOTS = 10  # objects that a tracker starts with room for, where neither user nor network say
IDS = 256
# Counters of a snapshot by their names of version 0.1.
COUNTERS = {"gap": "mem_every", "limit": "max_mem_frames", "cap": "max_short_side"}


class FrameOutput(NamedTuple):
    """labels uint8 [H, W] of the user's ids, 0 the background; scores {id: `Score`}."""

    labels: np.ndarray
    scores: dict[int, ObjectScore]


class Tracker:
    """Follows objects through a video that is given frame by frame.

        tracker = Tracker()
        labels, scores = tracker.step(frame, mask)   # mask: uint8 [H, W] of ids, 0 the background
        labels, scores = tracker.step(next_frame)

    A mask may come with any frame; it adds objects or corrects them, and comes out as it was
    given. More objects than there are slots for, or more remembered frames than there is room for
    (up to `limit`), cost one compilation each; nothing else does.
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
    ):
        """Args:
          model: of `load`; None loads the embedded default.
          objects: how many there will be, as far as is known; others can follow.
          mem_every: frames from one remembered frame to the next; None takes the model's own.
          capacity: memory frames to start with; doubled when full, up to the limit.
          max_mem_frames: most memory frames; then the oldest that was not annotated makes room.
            None takes the model's own. Annotated frames are kept in any case.
          max_short_side: most pixels of the short side that the network sees; None: its own rule
            alone.

        Raises:
          ValueError: a number below 1.
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
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; at least 1 is expected")
        vos = self.model.model.vos
        each = objects or vos.slots or SLOTS
        self._vos = vos._replace(slots=each if vos.slots is None else min(each, vos.slots))
        self._groups = math.ceil((objects or 1) / self._vos.slots)
        self._max_short_side = max_short_side
        self._capacity = min(capacity, self.max_mem_frames)
        self._size = None  # (H, W) of the user's frames
        self._state = None  # of the network; None while there is no object
        self._programs = {}
        self._queued = None
        self._forget()
        self.time = 0  # index of the next frame

    def _forget(self):
        self._state, self._used, self._slot = None, 0, {}
        self._filled = self._pinned = self._last = 0
        self._ids = np.zeros(self._groups * self._vos.slots + 1, np.uint8)

    def step(self, frame: np.ndarray, labels: np.ndarray | None = None) -> FrameOutput:
        """Takes the next frame.

        Args:
          frame: uint8 [H, W, 3] RGB; every frame has the size of the first.
          labels: integers [H, W] of object ids 1..255, 0 where nothing is said; None in most
            frames. An id that was seen before is corrected, a new one is a new object.

        Raises:
          ValueError: another type, shape or size; labels without an object or with other ids.
        """
        return self.submit(frame, labels)()

    def submit(
        self, frame: np.ndarray, labels: np.ndarray | None = None
    ) -> Callable[[], FrameOutput]:
        """`step` that does not wait: the result comes from calling what is returned.

        So the next frame can be read and submitted while this one is computed.
        """
        frame = self._checked(frame)
        if labels is None:
            labels, self._queued = self._queued, None
        given = np.zeros(len(self._ids) - 1, bool)
        slots = self._nothing
        if labels is not None:
            slots, given = self._enrol(self._marked(labels))
        annotated = bool(given.any())
        time, self.time = self.time, self.time + 1
        if not self._slot:
            return lambda: FrameOutput(np.zeros(self._size, np.uint8), {})
        remember = remembers(annotated, time, self._last, self.mem_every)
        if remember:
            self._make_room(annotated)
        clock = MemoryClock(np.int32(time), np.int32(self._last), np.int32(self.mem_every))
        if remember:
            self._last = time
        self._state, labels, verdict = self._program()(
            self.model.params, self._state, frame, slots, given, self._ids, clock
        )
        order = dict(self._slot)
        return lambda: FrameOutput(np.asarray(labels), scores(np.asarray(verdict), order))

    def add(self, labels: np.ndarray) -> None:
        """Marks objects in the frame that is stepped next, as the `labels` of `step` do."""
        self._queued = np.array(labels)

    def remove(self, object: int) -> None:
        """Stops following an object; its pixels go to whatever is second there.

        Raises:
          ValueError: there is no such object.
        """
        if object not in self._slot:
            raise ValueError(f"there is no object {object}; there are: {sorted(self._slot)}")
        ids = self._ids.copy()
        ids[self._slot.pop(object)] = 0
        self._ids = ids
        if not self._slot:
            self._forget()

    def compile(self, height: int, width: int) -> jax.stages.Compiled:
        """Compiles ahead for frames of this size; what is returned tells of memory and cost."""
        if self._size is None:
            self._resize((height, width))
        if self._size != (height, width):
            raise ValueError(
                f"asked to compile for {height}x{width}, the video is "
                "{}x{} (height x width)".format(*self._size)
            )
        state = jax.eval_shape(
            functools.partial(self._network().init, spec=self.spec), self.model.params
        )
        frame = jax.ShapeDtypeStruct((height, width, 3), np.uint8)
        given = np.zeros(len(self._ids) - 1, bool)
        return (
            self._program()
            .lower(
                self.model.params,
                state,
                frame,
                self._nothing,
                given,
                self._ids,
                MemoryClock(*[np.int32(0)] * 3),
            )
            .compile()
        )

    @property
    def objects(self) -> list[int]:
        """The ids that are followed now."""
        return sorted(self._slot)

    @property
    def spec(self) -> Spec | None:
        """What is compiled for; None before the first frame."""
        if self._size is None:
            return None
        short = min(self._size)
        ratio = min(1, self._max_short_side / short) if self._max_short_side else 1
        height, width = self._vos.size(*(max(round(side * ratio), 1) for side in self._size))
        return Spec(height, width, len(self._ids) - 1, self._capacity)

    @property
    def traces(self) -> int:
        """How often the programs that this tracker has used were traced, by it or before it."""
        return sum(counter[0] for _, counter in self._programs.values())

    @property
    def state_bytes(self) -> int:
        """Bytes of the network's state; constant but where the memory or the slots grow."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self._state))

    @property
    def state(self) -> snapshot.Snapshot:
        """Everything but the weights, on the host; `resume` goes on from it bit by bit."""
        kept = dict(
            size=self._size,
            mem_every=self.mem_every,
            max_mem_frames=self.max_mem_frames,
            max_short_side=self._max_short_side,
            capacity=self._capacity,
            slots=self._vos.slots,
            groups=self._groups,
            ids=self._ids.tolist(),
            used=self._used,
            filled=self._filled,
            pinned=self._pinned,
            last=self._last,
            time=self.time,
            weights=self.model.card.get("sha256", ""),
        )
        return snapshot.Snapshot(jax.tree.map(np.array, self._state), kept)

    def save(self, path) -> None:
        """Writes `state` to a file, atomically.

        Raises:
          DiskFull: the disk is full.
        """
        snapshot.save(path, self.state)

    @classmethod
    def restore(cls, path, model: Loaded | None = None) -> "Tracker":
        """The tracker that `save` wrote, with the same weights.

        Raises:
          InputError: no such file, or one of other weights.
        """
        return cls.resume(snapshot.load(path), model)

    @classmethod
    def resume(cls, state: snapshot.Snapshot, model: Loaded | None = None) -> "Tracker":
        """A tracker that goes on from a `state`, or from one that `snapshot.load` read."""
        kept = {COUNTERS.get(name, name): value for name, value in state.counters.items()}
        tracker = cls(
            model,
            objects=kept["slots"],
            **{name: kept[name] for name in COUNTERS.values()},
        )
        snapshot.check_weights(kept["weights"], tracker.model.card.get("sha256", ""))
        tracker._groups, tracker._capacity = kept["groups"], kept["capacity"]
        tracker._ids = np.array(kept["ids"], np.uint8)
        tracker._slot = {
            int(tracker._ids[slot]): int(slot) for slot in np.flatnonzero(tracker._ids)
        }
        tracker._used, tracker._filled, tracker._pinned, tracker._last, tracker.time = (
            kept[name] for name in ("used", "filled", "pinned", "last", "time")
        )
        if kept["size"] is not None:
            tracker._resize(tuple(kept["size"]))
        if tracker._slot:
            tracker._state = snapshot.fit(
                state.network,
                jax.eval_shape(
                    functools.partial(tracker._network().init, spec=tracker.spec),
                    tracker.model.params,
                ),
            )
        return tracker

    def _network(self) -> Vos:
        return groups(self._vos, self._groups)

    def _program(self):
        key = (self._network(), self.spec, self._size)
        if key not in self._programs:
            self._programs[key] = _compiled(*key)
        return self._programs[key][0]

    def _resize(self, size):
        self._size = size
        self._nothing = jnp.zeros(size, jnp.int32)

    def _checked(self, frame):
        frame = np.array(frame)  # a copy: the caller may reuse its buffer while we compute
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise ValueError(
                f"a frame was given as {frame.dtype} {list(frame.shape)}; uint8 "
                "[H, W, 3] RGB is expected"
            )
        if self._size is None:
            self._resize(frame.shape[:2])
        if frame.shape[:2] != self._size:
            raise ValueError(
                "frame {} is {}x{}, those before are {}x{} (height x width); start a "
                "new tracker for frames of another size".format(
                    self.time, *frame.shape[:2], *self._size
                )
            )
        return frame

    def _marked(self, labels):
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iub" or labels.shape != self._size:
            raise ValueError(
                f"labels were given as {labels.dtype} {list(labels.shape)}; integers "
                f"{list(self._size)}, as the frame, are expected"
            )
        if not labels.any() or labels.min() < 0 or labels.max() >= IDS:
            raise ValueError(
                f"labels hold ids {labels.min()} to {labels.max()}; at least one "
                f"object is expected, and ids up to {IDS - 1}"
            )
        return labels.astype(np.int32)

    def _enrol(self, labels):
        """Labels of ids as int32 [H, W] of slots, and which slots they speak of."""
        found = [int(id) for id in np.unique(labels) if id]
        if self._state is None:
            self._last = self.time
        for id in found:
            if id not in self._slot:
                self._slot[id] = self._free_slot()
                ids = self._ids.copy()
                ids[self._slot[id]] = id
                self._ids = ids
        if self._state is None:
            # Copied, since leaves of an empty state may share a buffer, which cannot be donated.
            self._state = jax.tree.map(jnp.copy, self._network().init(self.model.params, self.spec))
        table = np.zeros(IDS, np.int32)
        given = np.zeros(len(self._ids) - 1, bool)
        for id in found:
            table[id] = self._slot[id]
            given[self._slot[id] - 1] = True
        return table[labels], given

    def _free_slot(self) -> int:
        """Slots are used once: the memory may still know who held one that was freed."""
        self._used += 1
        if self._used == len(self._ids):
            before, self._groups = self._groups, self._groups + 1
            self._ids = np.concatenate([self._ids, np.zeros(self._vos.slots, np.uint8)])
            if self._state is not None:
                self._state = enlarge(
                    self._vos,
                    self.model.params,
                    self._state,
                    self.spec,
                    from_count=before,
                    to_count=self._groups,
                )
        return self._used

    def _make_room(self, annotated: bool):
        """Before a frame is remembered: doubles a full memory that may still grow."""
        full = self._filled == self._capacity
        pinned = self._pinned == self._capacity
        if full and (self._capacity < self.max_mem_frames or pinned):
            larger = 2 * self._capacity if pinned else min(2 * self._capacity, self.max_mem_frames)
            if larger > self.max_mem_frames:
                warnings.warn(
                    f"all {self._capacity} memory frames are annotated and the limit is "
                    f"{self.max_mem_frames}: the memory grows to {larger} frames, as annotated "
                    "frames are always kept",
                    stacklevel=4,
                )
            self._capacity = larger
            self._state = enlarge(
                self._vos,
                self.model.params,
                self._state,
                self.spec,
                from_count=self._groups,
                to_count=self._groups,
            )
        self._filled = min(self._filled + 1, self._capacity)
        self._pinned += annotated


@functools.lru_cache(maxsize=64)
def _compiled(vos: Vos, spec: Spec, size: tuple[int, int]):
    """The program of one frame, and a list with the number of its traces."""
    traces = [0]

    def run(params, state, frame, labels, given, ids, clock):
        traces[0] += 1
        small = resize(frame.astype(jnp.float32), spec.height, spec.width, kind="cubic") / 255
        prompt = Prompt(resize_nearest(labels, spec.height, spec.width), given)
        answer = step(vos, params, state, small, prompt, clock, allowed=ids[1:] > 0)
        probs = apply_prompt(resize_maps(answer.predicted, *size), Prompt(labels, given))
        return answer.state, *to_labels(probs, ids)

    return jax.jit(run, donate_argnums=1), traces


def to_labels(probs: jax.Array, ids: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Labels and a verdict on each slot.

    Args:
      probs: [N+1, H, W].
      ids: uint8 [N+1], the id of each slot.

    Returns:
      labels uint8 [H, W]; float32 [N, 3]: mean probability in the slot's mask, mean distance to
      the second best there, and its pixels.
    """
    channels = jnp.arange(probs.shape[0], dtype=jnp.int32)[:, None, None]
    winner = jnp.argmax(probs, 0).astype(jnp.int32)
    best = probs.max(0)
    second = jnp.where(channels == winner, 0, probs).max(0)
    inside = channels[1:] == winner
    area = inside.sum((1, 2)).astype(jnp.float32)
    sums = [jnp.where(inside, value, 0).sum((1, 2)) for value in (best, best - second)]
    means = [total / jnp.maximum(area, 1) for total in sums]
    return ids[winner], jnp.stack([*means, area], 1)


def scores(verdict: np.ndarray, slots: dict[int, int]) -> dict[int, ObjectScore]:
    """The verdict [N, 3] of `judge` as {id: `Score`}, of the objects in {id: slot}."""
    found = {}
    for id, slot in sorted(slots.items()):
        probability, margin, area = (float(value) for value in verdict[slot - 1])
        found[id] = ObjectScore(id, probability, margin, int(area), area == 0)
    return found
