"""Which frame a mask is for: what was asked for, what a file tells, and where names win.

| given | frame |
|---|---|
| one mask | 0 |
| `NAME=FILE`, a file of a folder, an image of an annotation file, a key of a .npz | of that name |
| the same, where a frame's name is that number: `2` for `00002` | of that name |
| `2=FILE` where no name is that number; a folder, where frames have no names | of that index |
| a page of a stack or of an animated file | its index |
| an annotation file for one image, which is no frame's name | 0 |
"""

import os
import pathlib
import re
import unicodedata
from typing import Any, NamedTuple

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks.raw import Page, Raw, TargetVideo
from vosjax.io.names import number, printable


class Entry(NamedTuple):
    """One mask or file of masks.

    source  a path or what `read_mask` takes
    name    what messages call it
    frame   its index where that was given, else None: the file tells it, or it is 0
    stem    a frame's name by the file's own name, for files of a folder that may tell another
    """

    source: Any
    name: str
    frame: int | None = None
    stem: str | None = None


class Frames:
    """The frames of a video, found by name or number."""

    def __init__(self, video: TargetVideo) -> None:
        self.video = video
        self.count = len(video.names) if video.names is not None else video.count
        self._names = {_normal(name): index for index, name in enumerate(video.names or ())}
        self._numbers: dict[int, list[int]] = {}
        for index, name in enumerate(video.names or ()):
            value = number(name)
            if value is not None:
                self._numbers.setdefault(value, []).append(index)

    def named(self, name: str) -> int | None:
        """The frame of a name, or whose name is the same number; None if there is none."""
        exact = self._names.get(_normal(name))
        value = number(name)
        alike = [] if value is None else self._numbers.get(value, [])
        return exact if exact is not None or len(alike) != 1 else alike[0]

    def find(self, frame: Any, wording: str, doubts: list[str]) -> int:
        """The index of a frame that a user gave by name or number.

        Args:
            frame: a name, or a number as a text; an index as an integer.
            wording: what the user wrote, for messages.
            doubts: gets a sentence where the number could be a name as well as an index.

        Raises:
            InputError: there is no such frame.
        """
        if isinstance(frame, str):
            index, value = self.named(frame), number(frame)
            if index is not None:
                is_other = value is not None and value != index and frame == str(value)
                if value is not None and is_other and value < len(self.video.names or ()):
                    doubts.append(
                        f"{frame} means the frame named {self.label(index)}, counted from 0 it is "
                        f"frame {index}; the one of index {frame} is {self.label(value)}"
                    )
                return index
            index = self._checked(value, frame, wording)
            if self.video.names is not None:
                doubts.append(
                    f"no frame is named {printable(frame)}, so it means frame {index} counted from "
                    f"0, which is {self.label(index)}"
                )
            return index
        is_index = isinstance(frame, (int, np.integer)) and not isinstance(frame, bool)
        return self._checked(int(frame) if is_index else None, frame, wording)

    def find_file(self, stem: str, name: str) -> int:
        """The frame of a file in a folder of masks.

        Raises:
            InputError: there is none.
        """
        if self.video.names is None:
            return self._checked(number(stem), stem, name)
        index = self.named(stem)
        if index is None:
            raise InputError(
                f"{name} matches no frame: its stem must be the name of a frame, they run from "
                f"{self.label(0)} to {self.label(len(self.video.names) - 1)}"
            )
        return index

    def label(self, index: int | None) -> str:
        """The name of a frame, its index where it has none."""
        if index is None or self.video.names is None:
            return str(index)
        return printable(self.video.names[index])

    def _checked(self, index: int | None, frame: Any, wording: str) -> int:
        last = "" if self.count is None else f", 0 to {self.count - 1}"
        if index is None:
            or_name = "" if self.video.names is None else ", or its name"
            shown = printable(repr(frame)[:100])
            raise InputError(
                f"{wording}: {shown} is no frame: its number{last} is expected{or_name}"
            )
        if index < 0 or (self.count is not None and index >= self.count):
            raise InputError(
                f"{wording}: frame {index} is outside of the video: its number{last} is expected, "
                "counted from 0"
            )
        return index


def assign(
    entry: Entry, pages: list[Page], frames: Frames, doubts: list[str]
) -> list[tuple[int, Raw]]:
    """The frame of each page of an entry.

    Args:
        entry: what was asked for.
        pages: what its file holds.
        frames: of the video.
        doubts: gets a sentence where a name could be meant otherwise.

    Raises:
        InputError: a page for no frame, or several where one is expected.
    """
    if entry.frame is not None:
        page = _only(entry, pages, frames)
        named = frames.named(_stem(page.frame)) if isinstance(page.frame, str) else None
        if named not in (None, entry.frame):
            doubts.append(
                f"{entry.name} is for the image {printable(page.frame)}, but is taken for frame "
                f"{frames.label(entry.frame)}, as was asked"
            )
        return [(entry.frame, page.raw)]
    placed = []
    for page in pages:
        if isinstance(page.frame, int):
            placed.append((frames.find(page.frame, page.raw.name, doubts), page.raw))
        elif page.frame is not None:
            placed.append((_named(entry, page, len(pages), frames, doubts), page.raw))
        else:
            _doubt_first(entry, frames, doubts)
            placed.append((0, page.raw))
    return placed


def _only(entry: Entry, pages: list[Page], frames: Frames) -> Page:
    """The page that is meant where one frame was given."""
    if len(pages) == 1:
        return pages[0]
    fitting = [
        page
        for page in pages
        if isinstance(page.frame, str) and frames.named(_stem(page.frame)) == entry.frame
    ]
    if len(fitting) != 1:
        raise InputError(
            f"{entry.name} holds {len(pages)} masks, one is expected for frame "
            f"{frames.label(entry.frame)}: give the file without a frame, or one of its masks"
        )
    return fitting[0]


def _named(entry: Entry, page: Page, count: int, frames: Frames, doubts: list[str]) -> int:
    """The frame of a page whose file names it."""
    stem = _stem(page.frame)
    index = frames.named(stem)
    if index is not None:
        return index
    if entry.stem is not None and count == 1:
        return frames.find_file(entry.stem, entry.name)
    if count > 1:
        return frames.find_file(stem, f"{page.raw.name}: {printable(page.frame)}")
    doubts.append(
        f"{entry.name} is for the image {printable(page.frame)}, which is no frame's name, so it "
        f"is taken for the first frame; write FRAME=FILE for another"
    )
    return 0


def _doubt_first(entry: Entry, frames: Frames, doubts: list[str]) -> None:
    """Says that a lone file is for the first frame though a later one bears its name."""
    if not isinstance(entry.source, (str, os.PathLike)) or frames.video.names is None:
        return
    stem = pathlib.Path(entry.source).stem
    if frames.named(stem):
        doubts.append(
            f"{entry.name} is taken for the first frame, {frames.label(0)}, though another one "
            f"bears its name; write {printable(stem)}=FILE to give it to that one"
        )


def _stem(file_name: Any) -> str:
    """The name of an image without its folders and ending, whichever system wrote it."""
    return re.sub(r"\.[A-Za-z]\w{0,4}$", "", re.split(r"[/\\]", file_name)[-1])


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)
