"""Turns connected components of class regions into objects, tracked through a video by overlap."""

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.datasets.decode import IGNORE, Labels

_LEAST = 100  # pixels of a part that becomes an object
_MOST = 254


class Follow:
    """Numbers the components of class regions; call it with the class maps of a video in order.

        follow = Follow()
        ids = [follow(classes) for classes in class_maps]

    A component and an object of its class in the frame before claim each other if they share at
    least half of the smaller of the two. A component that is claimed by one object, which claims no
    other, keeps that object's id. If there are several claims, the component becomes 255 (ignored),
    so that no wrong identity is learned. If there is none, and the component is large enough, it
    gets a new id.

    Classes are 1..254, and 255 is ignored. The attribute `classes` is {id: class}.
    """

    def __init__(self) -> None:
        self.classes: dict[int, int] = {}
        self.before: Labels | None = None

    def __call__(self, labels: Labels) -> Labels:
        """Returns the ids, uint8 [H, W], of the components of a class map, uint8 [H, W]."""
        ids = np.where(labels == IGNORE, IGNORE, 0).astype(np.uint8)
        for kind in np.unique(labels):
            if 0 < kind < IGNORE:
                self._follow(int(kind), labels == kind, ids)
        self.before = ids
        return ids

    def _follow(self, kind: int, region: npt.NDArray[np.bool_], ids_so_far: Labels) -> None:
        count, parts = cv2.connectedComponents(region.astype(np.uint8), connectivity=8)
        claims = {part: self._claims(kind, parts == part) for part in range(1, count)}
        claimed = [i for ids in claims.values() for i in ids]
        for part, ids in claims.items():
            inside = parts == part
            if len(ids) == 1 and claimed.count(ids[0]) == 1:
                ids_so_far[inside] = ids[0]
            elif ids or np.count_nonzero(inside) < _LEAST or len(self.classes) == _MOST:
                ids_so_far[inside] = IGNORE
            else:
                self.classes[len(self.classes) + 1] = kind
                ids_so_far[inside] = len(self.classes)

    def _claims(self, kind: int, inside: npt.NDArray[np.bool_]) -> list[int]:
        """Returns the ids of this class that share half of the smaller area with a component."""
        if self.before is None:
            return []
        size = np.count_nonzero(inside)
        counts = np.bincount(self.before[inside], minlength=256)
        return [
            int(i)
            for i in np.flatnonzero(counts)
            if self.classes.get(int(i)) == kind
            and 2 * counts[i] >= min(size, np.count_nonzero(self.before == i))
        ]
