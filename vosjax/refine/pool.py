"""Refines frame after frame in full batches, which hold the patches of several frames."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

import jax

from vosjax.refine.refiner import Refiner, stage_programs
from vosjax.types import Array

FRAMES = 8  # frames that may wait for their last batch to be filled
BYTES = 2**29  # that they may take together

Key = TypeVar("Key")


def refine_frames(
    refiner: Refiner, frames: Iterable[tuple[Key, Array, Array, Array]]
) -> Iterator[tuple[Key, jax.Array, dict[str, jax.Array]]]:
    """Refines the probabilities of many frames, of which nobody waits for a single one.

        rows = ((index, frame, probs, given) for index, ... in ...)
        for index, probs, counts in refine_frames(refiner, rows):
            ...

    A frame's last batch is filled up with the patches of the frames behind it, so that results come
    some frames later than frames are read: at most `FRAMES`, and fewer if these would take more
    than `BYTES`, but for a single one. Results are those of `refiner.refine_program`.

    Args:
        refiner: of `refiner.load_refiner`.
        frames: for each frame a key of the caller's, and `frame`, `probs` and `given` as for
            `FrameStage.begin`. Sizes and numbers of objects may differ between frames.

    Yields:
        For each frame, in order, its key and what `FrameStage.end` returns.
    """
    pool: _Pool[Key] = _Pool(refiner)
    for key, frame, probs, given in frames:
        pool.add(key, frame, probs, given)
        yield from pool.finished()
    pool.flush()
    yield from pool.finished()


@dataclasses.dataclass(eq=False)
class _Frame(Generic[Key]):
    """A frame that is being refined: `fixed` and `work` are its stage's."""

    key: Key
    fixed: Any
    work: Any


class _Pool(Generic[Key]):
    """A batch that is being filled, and the frames that are not through."""

    def __init__(self, refiner: Refiner):
        self._stage, self._params = refiner.stage, refiner.params
        self._programs = stage_programs(refiner.stage)
        self._batch, self._filled = self._stage.empty(), 0
        self._parts: list[tuple[_Frame[Key], int]] = []  # of the batch: whose, and from where on
        self._frames: collections.deque[_Frame[Key]] = collections.deque()

    def add(self, key: Key, frame: Array, probs: Array, given: Array) -> None:
        """Lays the patches of a frame into batches; those that are full go through the network."""
        own = _Frame(key, *self._programs.begin(self._params, frame, probs, given))
        self._frames.append(own)
        left = int(self._stage.left(own.work))
        while left > 0:
            self._batch = self._programs.cut(own.fixed, own.work, self._batch, self._filled)
            self._parts.append((own, self._filled))
            count = min(left, self._stage.size - self._filled)
            left, self._filled = left - count, self._filled + count
            if self._filled == self._stage.size:
                self.flush()
        size = sum(leaf.nbytes for leaf in jax.tree.leaves((own.fixed, own.work)))
        if len(self._frames) >= min(FRAMES, BYTES // size):
            self.flush()

    def flush(self) -> None:
        """Takes the batch through the network, however full it is."""
        if not self._parts:
            return
        answers = self._programs.answer(self._params, self._batch)
        for own, at in self._parts:
            own.work = self._programs.paste(own.fixed, own.work, self._batch, answers, at)
        self._parts, self._filled = [], 0

    def finished(self) -> Iterator[tuple[Key, jax.Array, dict[str, jax.Array]]]:
        """Gives away the frames before the first one that has patches in the batch."""
        first = self._parts[0][0] if self._parts else None
        while self._frames and self._frames[0] is not first:
            own = self._frames.popleft()
            yield own.key, *self._programs.end(own.fixed, own.work)
