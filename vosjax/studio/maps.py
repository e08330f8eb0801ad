"""Label maps on disk, each once, in a file that is called after its content."""

import collections
import hashlib
import os
import pathlib
import re
import threading
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.errors import Damaged, InputError
from vosjax.io.content import load_file
from vosjax.io.files import sync, sync_all, write_bytes

HELD = 64 << 20  # bytes of decoded maps that are kept in memory
MANY = 100  # files beyond which the whole disk is waited for, which is quicker then
HASH = re.compile(r"[0-9a-f]{32}")

Labels = npt.NDArray[np.uint8]  # [H, W] of object ids, 0 the background


class Closed(InputError):
    """The video was removed, or the server ends: nothing more is stored."""


class StoredMap(NamedTuple):
    """A label map that is stored.

    hash   what its file is called after
    areas  {id: number of its pixels} of the objects that are seen
    """

    hash: str
    areas: dict[int, int]


class Maps:
    """The label maps of a video.

        maps = Maps("project/videos/dog/maps", (480, 854))
        name = maps.put(labels)
        maps.get(name)

    A file of 8-bit grey levels, the object ids, is called after a digest of its pixels, so that it
    never changes. It may be used from several threads.
    """

    def __init__(self, folder: str | os.PathLike[str], size: tuple[int, int]) -> None:
        """Takes the folder, which is made when it is needed, and (H, W) of the maps."""
        self.folder, self.size = pathlib.Path(folder), size
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # held while a file is made, so that `close` is an end
        self._closed = False
        self._held: collections.OrderedDict[str, Labels] = collections.OrderedDict()
        self._unsynced: set[str] = set()

    def put(self, labels: Labels, *, durable: bool = True) -> str:
        """Stores a label map.

        Args:
            labels: uint8 [H, W].
            durable: whether to wait for the disk; else `sync` does so later.

        Returns:
            Its hash.

        Raises:
            DiskFull: the disk is full.
            Closed: the maps are closed.
            ValueError: the map has another type or size.
        """
        if labels.dtype != np.uint8 or labels.shape != self.size:
            raise ValueError(f"a label map is {labels.dtype} {list(labels.shape)}")
        labels = np.ascontiguousarray(labels)
        name = hashlib.sha256(f"{labels.shape}".encode() + labels.tobytes()).hexdigest()[:32]
        path = self.path(name)
        if not path.exists():
            encoded = cv2.imencode(".png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
            with self._writing:
                if self._closed:
                    raise Closed("the video was removed meanwhile")
                write_bytes(path, encoded.tobytes(), durable=durable)
                if not durable:
                    with self._lock:
                        self._unsynced.add(name)
        elif durable:
            with self._writing, self._lock:
                late = name in self._unsynced
            if late:
                sync([path])
        self._keep(name, labels)
        return name

    def store(self, labels: Labels, *, durable: bool = True) -> StoredMap:
        """Stores a label map as `put` does, and counts the pixels of its objects.

        maps.store(labels).areas        # {1: 2310}
        """
        areas = np.bincount(labels.ravel(), minlength=1)
        seen = {id: int(areas[id]) for id in np.flatnonzero(areas).tolist() if id}
        return StoredMap(self.put(labels, durable=durable), seen)

    def get(self, name: str) -> Labels:
        """Returns the label map of a hash, which must not be written to.

        Raises:
            InputError: there is no such map, or its file is damaged.
        """
        with self._lock:
            labels = self._held.get(name)
            if labels is not None:
                self._held.move_to_end(name)
                return labels
        data = load_file(self.path(name), name=f"label map {name}")
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if decoded is None or decoded.dtype != np.uint8 or decoded.shape != self.size:
            raise Damaged(f"label map {self.path(name)} is damaged: undo, or mark the frame again")
        labels = decoded.astype(np.uint8)
        self._keep(name, labels)
        return labels

    def path(self, name: str) -> pathlib.Path:
        """Returns the file of a hash.

        Raises:
            InputError: it has not the form of a hash.
        """
        if not HASH.fullmatch(name):
            raise InputError("a label map is called by 32 hexadecimal digits")
        return self.folder / name[:2] / f"{name}.png"

    def sync(self) -> None:
        """Waits until every stored map is on the disk."""
        with self._lock:
            names = set(self._unsynced)
        if len(names) > MANY:
            sync_all()
        else:
            sync(self.path(name) for name in names)
        with self._lock:  # not before: who syncs at the same moment has to wait for them, too
            self._unsynced -= names

    def close(self) -> None:
        """Syncs, and stores nothing more: the folder may be moved from then on."""
        with self._writing:
            self._closed = True
        self.sync()

    def _keep(self, name: str, labels: Labels) -> None:
        with self._lock:
            if name not in self._held:
                kept = labels.copy()
                kept.setflags(write=False)
                self._held[name] = kept
            self._held.move_to_end(name)
            most = max(HELD // max(labels.nbytes, 1), 2)
            while len(self._held) > most:
                self._held.popitem(last=False)
