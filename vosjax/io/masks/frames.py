"""Decides which frame a mask is for, by the user's words, the file, and the names of frames.

| the user gives | frame |
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
    """A mask, or a file of masks.

    source  a path, or anything else that `read_mask` takes
    name    what messages call it
    frame   the frame's index if the user named it, else None: the file tells it, or it is 0
    stem    for a file of a folder, which may tell another frame: the frame's name by its own name
    default index of the frame if neither the user nor the file tells it
    """

    source: Any
    name: str
    frame: int | None = None
    stem: str | None = None
    default: int = 0


class Frames:
    """The frames of a video, to be found by name or number."""

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
        """Returns the index of the frame of this name, or whose name is this number, else None.

        frames.named("2")       # the index of the frame '00002'
        """
        exact = self._names.get(_normal(name))
        value = number(name)
        alike = [] if value is None else self._numbers.get(value, [])
        return exact if exact is not None or len(alike) != 1 else alike[0]

    def find(self, frame: Any, wording: str, doubts: list[str]) -> int:
        """Returns the index of a frame that the user gave by name or number.

            index = frames.find("2", "2=later.png", doubts)

        Args:
            frame: a name, a number as a text, or an index as an integer.
            wording: what the user wrote, for messages.
            doubts: gets a sentence if the number could be a name as well as an index.

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
        """Returns the index of the frame for a file in a folder of masks.

            index = frames.find_file("00002", "mask masks/00002.png")

        Args:
            stem: the file's name without its ending.
            name: what messages call the file.

        Raises:
            InputError: there is no such frame.
        """
        if self.video.names is None:
            return self._checked(number(without_prefix(stem)), stem, name)
        index = self.named(stem)
        if index is None:
            raise InputError(
                f"{name} matches no frame: its stem must be the name of a frame, they run from "
                f"{self.label(0)} to {self.label(len(self.video.names) - 1)}"
            )
        return index

    def told(self, file_name: str | None, index: int | None) -> str | int | None:
        """Returns what an annotation file tells of an image's frame: a name, or else an index.

            frames.told("00002.jpg", 1)

        Args:
            file_name: the name of the image's file, which counts if it is that of a frame.
            index: index of the frame, if the file tells it.
        """
        named = None if file_name is None else self.named(_stem(file_name))
        return file_name if index is None or named is not None else index

    def label(self, index: int | None) -> str:
        """Returns what messages call a frame: its name, or its index if frames have no names."""
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
    """Assigns a frame to each page of an entry.

        pairs = assign(entry, pages, frames, doubts)

    Args:
        entry: the mask or file that the user gave.
        pages: what the file holds.
        frames: the frames of the video.
        doubts: gets a sentence if a name could also mean another frame.

    Returns:
        Pairs of a frame's index and its raw mask.

    Raises:
        InputError: a page is for no frame, or there are several pages where one is expected.
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
            _doubt_default(entry, frames, doubts)
            placed.append((entry.default, page.raw))
    return placed


def _only(entry: Entry, pages: list[Page], frames: Frames) -> Page:
    """Returns the page that is meant, if the user named one frame."""
    if len(pages) == 1:
        return pages[0]
    fitting = [
        page
        for page in pages
        if page.frame == entry.frame
        or (isinstance(page.frame, str) and frames.named(_stem(page.frame)) == entry.frame)
    ]
    if len(fitting) != 1:
        raise InputError(
            f"{entry.name} holds {len(pages)} masks, one is expected for frame "
            f"{frames.label(entry.frame)}: give the file without a frame, or one of its masks"
        )
    return fitting[0]


def _named(entry: Entry, page: Page, count: int, frames: Frames, doubts: list[str]) -> int:
    """Returns the index of the frame for a page whose file names it."""
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
        f"is taken for {_default(entry, frames)}; write FRAME=FILE for another"
    )
    return entry.default


def _doubt_default(entry: Entry, frames: Frames, doubts: list[str]) -> None:
    """Adds a doubt if a single file that tells no frame has the name of another than it is for."""
    if not isinstance(entry.source, (str, os.PathLike)) or frames.video.names is None:
        return
    stem = pathlib.Path(entry.source).stem
    if frames.named(stem) not in (None, entry.default):
        doubts.append(
            f"{entry.name} is taken for {_default(entry, frames)}, though another one "
            f"bears its name; write {printable(stem)}=FILE to give it to that one"
        )


def _default(entry: Entry, frames: Frames) -> str:
    ordinal = "the first frame" if entry.default == 0 else f"frame {entry.default}"
    return ordinal if frames.video.names is None else f"{ordinal}, {frames.label(entry.default)}"


def without_prefix(stem: str) -> str:
    """Returns the number in a name such as `frame_00012`, and any other name as it is.

    without_prefix("frame_00012")       # '00012'
    """
    return re.sub(r"(?i)^frame[_ -]?(?=\d+$)", "", stem)


def _stem(file_name: Any) -> str:
    """Returns the name of an image without its folders (of any system) and its ending."""
    return re.sub(r"\.[A-Za-z]\w{0,4}$", "", re.split(r"[/\\]", file_name)[-1])


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)
