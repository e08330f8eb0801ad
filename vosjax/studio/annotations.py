"""What is known of a video's masks: the protocol that propagation needs, and a form in memory."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]  # [H, W] of object ids, 0 the background
MaskScore = tuple[float, int, bool]  # mean probability, area in pixels, absent
IDS = 256  # ids are 1 to 255


class MadeFrame(NamedTuple):
    """A frame whose masks were made.

    frame   its index
    labels  uint8 [H, W] of ids
    scores  {id: its score} of the objects that were made or whose area changed
    """

    frame: int
    labels: Labels
    scores: dict[int, MaskScore]


class Annotations(Protocol):
    """What is known of a video; it may change while a propagation runs."""

    def labels(self, frame: int) -> Labels | None:
        """Returns the label map of a frame, or None if there is none."""
        ...

    def pins(self) -> dict[int, frozenset[int]]:
        """Returns the pinned frames, with the ids of the objects that were given there."""
        ...

    def scores(self, frame: int) -> dict[int, MaskScore]:
        """Returns the scores of the objects of a frame."""
        ...

    def ids(self) -> frozenset[int]:
        """Returns the ids of all objects that there are."""
        ...


class InMemory:
    """Annotations in memory, for programs that propagate without a studio.

        known = InMemory(ids=[1, 2])
        known.pin(0, labels)
        for step in follow(known, frames, plan_from(known, 0, "forward", count=100), trackers):
            known.take(step.combined(known))

    Attributes:
        objects: ids of all objects.
        maps: {frame: uint8 [H, W]}.
        rows: {frame: {id: score}}.
        pinned: {frame: ids of the objects that were given there}.
    """

    def __init__(self, ids: Iterable[int]) -> None:
        """Takes the ids of the objects."""
        self.objects = frozenset(ids)
        self.maps: dict[int, Labels] = {}
        self.rows: dict[int, dict[int, MaskScore]] = {}
        self.pinned: dict[int, frozenset[int]] = {}

    def labels(self, frame: int) -> Labels | None:
        """As `Annotations.labels`."""
        return self.maps.get(frame)

    def pins(self) -> dict[int, frozenset[int]]:
        """As `Annotations.pins`."""
        return dict(self.pinned)

    def scores(self, frame: int) -> dict[int, MaskScore]:
        """As `Annotations.scores`."""
        return self.rows.get(frame, {})

    def ids(self) -> frozenset[int]:
        """As `Annotations.ids`."""
        return self.objects

    def pin(self, frame: int, labels: Labels, ids: Iterable[int] | None = None) -> None:
        """Gives the masks of objects in a frame, as a user does.

        Args:
            frame: index of the frame.
            labels: uint8 [H, W] of ids.
            ids: the objects that are given; None for all. Others keep their pixels.
        """
        chosen = self.objects if ids is None else frozenset(ids)
        own = np.where(np.isin(labels, sorted(chosen)), labels, 0).astype(np.uint8)
        before = self.maps.get(frame)
        if before is not None:
            rest = np.where(np.isin(before, sorted(chosen)), 0, before)
            own = np.where(own > 0, own, rest).astype(np.uint8)
        areas = np.bincount(own.ravel(), minlength=IDS)
        self.maps[frame] = own
        self.pinned[frame] = self.pinned.get(frame, frozenset()) | chosen
        fresh: dict[int, MaskScore] = {id: (1.0, int(areas[id]), not areas[id]) for id in chosen}
        self.rows[frame] = self.rows.get(frame, {}) | fresh

    def take(self, made: MadeFrame | None) -> None:
        """Takes what a propagation made of a frame."""
        if made is not None:
            self.maps[made.frame] = made.labels
            self.rows[made.frame] = self.rows.get(made.frame, {}) | made.scores
