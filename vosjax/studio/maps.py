"""Label maps on disk, each once, in a file that is called after its content."""

import collections
import hashlib
import os
import pathlib
import re
import threading

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
            ValueError: the map has another type or size.
        """
        if labels.dtype != np.uint8 or labels.shape != self.size:
            raise ValueError(f"a label map is {labels.dtype} {list(labels.shape)}")
        labels = np.ascontiguousarray(labels)
        name = hashlib.sha256(f"{labels.shape}".encode() + labels.tobytes()).hexdigest()[:32]
        path = self.path(name)
        if not path.exists():
            encoded = cv2.imencode(".png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
            write_bytes(path, encoded.tobytes(), durable=durable)
            if not durable:
                with self._lock:
                    self._unsynced.add(name)
        self._keep(name, labels)
        return name

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
            names, self._unsynced = self._unsynced, set()
        if len(names) > MANY:
            sync_all()
        else:
            sync(self.path(name) for name in names)

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
