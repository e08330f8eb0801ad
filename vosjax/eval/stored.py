"""A picture inside a prepared dataset that stands where a file's path stands in a plain one."""

import io
from typing import Any, NamedTuple


class Stored(NamedTuple):
    """One frame's image or mask.

    source  of `vosjax.datasets.protocol`; can be sent to other processes
    video   its number there
    index   of the frame
    stem    the frame's name
    kind    'image' or 'mask'
    """

    source: Any
    video: int
    index: int
    stem: str
    kind: str

    def __str__(self):
        return f"{self.stem} of {self.source.header(self.video).name}"


class _Stream(io.BytesIO):
    """Bytes that messages call by their picture's name."""

    def __init__(self, stored):
        (frame,) = stored.source.read(stored.video, [stored.index])
        super().__init__(getattr(frame, stored.kind))
        self._name = str(stored)

    def __str__(self):
        return self._name


def open_picture(file):
    """What `read_image` and `read_label_png` take: a path as it is, else a stream."""
    return _Stream(file) if isinstance(file, Stored) else file
