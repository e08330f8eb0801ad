"""The books of a run: which files it made, with their digests, so that others are told from them.

While a video is segmented they are a line of JSON for each frame, appended when the frame's files
are written; once it is complete they move into run.json.
"""

import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from vosjax.errors import InputError
from vosjax.io.files import write_bytes
from vosjax.io.names import printable
from vosjax.io.palette import read_label_png
from vosjax.io.refusals import reading, writing
from vosjax.io.scores import rows_by_frame
from vosjax.runs import digests


class FrameBooks:
    """Notes the digests of each frame's mask and scores, a line a frame.

        books = FrameBooks("out/state/books.jsonl", resume=0)
        books.note(0, mask=pathlib.Path("out/masks/00000.png"), rows=b"0,00000,1,...")

    A line is one write, so that a killed process leaves at most one that is cut off, which is not
    read.

    Attributes:
      masks: {frame: digest of its mask}.
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: int) -> None:
        """Goes on behind frame `resume` - 1; what the file says of later frames is dropped.

        Raises:
          InputError: the file cannot be written.
        """
        self.path = pathlib.Path(path)
        kept = [entry for entry in read_frames(path).values() if entry["frame"] < resume]
        self.masks = {entry["frame"]: entry["mask"] for entry in kept}
        write_bytes(self.path, b"".join(map(_line, kept)), durable=False)
        with writing(self.path):
            self._file = open(self.path, "ab", buffering=0)

    def note(
        self,
        frame: int,
        *,
        mask: pathlib.Path,
        rows: bytes,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Notes a frame whose mask file and rows of scores are written, and what it counted."""
        entry: dict[str, Any] = {
            "frame": frame,
            "mask": digests.of_file(mask),
            "rows": digests.of_bytes(rows),
        }
        if counts is not None:
            entry["counts"] = dict(counts)
        with writing(self.path):
            self._file.write(_line(entry))
        self.masks[frame] = entry["mask"]

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_frames(path: str | os.PathLike[str]) -> dict[int, dict[str, Any]]:
    """{frame: its entry} of the books that `FrameBooks` keeps; {} where there are none.

    Lines that are cut off or are no entries are left out.

    Raises:
      InputError: the file may not be read.
    """
    path = pathlib.Path(path)
    with reading(path):
        try:
            lines = path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return {}
    entries = {}
    for line in lines:
        try:
            entry = json.loads(line)
            kept = {name: entry[name] for name in ("frame", "mask", "rows")}
            if "counts" in entry:
                counts = entry["counts"].items()
                kept["counts"] = {str(name): int(count) for name, count in counts}
            entries[int(entry["frame"])] = kept
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
    return entries


def frame_fault(
    books: str | os.PathLike[str], masks: Mapping[int, pathlib.Path], scores: pathlib.Path
) -> str | None:
    """What is wrong with the files of frames that a run made, in a few words; None: nothing.

        frame_fault("out/state/books.jsonl", {0: out / "masks" / "00000.png"}, out / "scores.csv")

    Args:
      books: the file that `FrameBooks` keeps.
      masks: {frame: mask file} of the frames that are looked at.
      scores: the table of scores.
    """
    entries = read_frames(books)
    for frame, mask in masks.items():
        wrong = file_fault(mask, entries.get(frame, {}).get("mask"))
        if wrong:
            return wrong
    try:
        rows = rows_by_frame(scores)
    except FileNotFoundError:
        return f"{scores} is lost"
    except InputError as error:
        return str(error)
    for frame in masks:
        if digests.of_bytes(rows.get(frame, b"")) != entries[frame]["rows"]:
            return f"{scores} has other rows for frame {frame} than were written"
    return None


def made(files: Iterable[pathlib.Path], folder: str | os.PathLike[str]) -> dict[str, str]:
    """{path below the folder: digest} of files that were made.

    made([out / "scores.csv"], out)     # {'scores.csv': '9f86...'}
    """
    files = list(files)
    return {name: digests.of_file(path) for name, path in zip(names(files, folder), files)}


def names(files: Iterable[pathlib.Path], folder: str | os.PathLike[str]) -> list[str]:
    """What files are called in the books: their paths below the folder.

    names([out / "masks" / "00000.png"], out)   # ['masks/00000.png']
    """
    folder = pathlib.Path(folder)
    return [path.relative_to(folder).as_posix() for path in files]


def faults(made: Any, folder: str | os.PathLike[str]) -> list[str]:
    """What is wrong with the files of which `made` told, a few words each.

        faults({"scores.csv": "9f86..."}, "out")    # ['out/scores.csv is lost']

    Args:
      made: {path below the folder: digest}.
      folder: that they lie in.
    """
    folder = pathlib.Path(folder)
    if not isinstance(made, dict) or not made:
        return [f"{folder} has no list of what was made"]
    wrong = (file_fault(folder / name, digest) for name, digest in made.items())
    return [fault for fault in wrong if fault]


def file_fault(path: pathlib.Path, digest: Any) -> str | None:
    """What is wrong with one file that was made; None: nothing.

    file_fault(out / "masks" / "00003.png", "9f86...")  # 'out/masks/00003.png is empty'

    Args:
      path: of the file.
      digest: of what was written; None where nothing is known of it.
    """
    name = printable(path)
    if not path.exists():
        return f"{name} is lost"
    if digest is None:
        return f"{name} is not in the run's books"
    try:
        if digests.of_file(path) == digest:
            return None
        if path.stat().st_size == 0:
            return f"{name} is empty"
        if path.suffix == ".png":
            read_label_png(path)
    except InputError as error:
        return f"{name} is torn" if path.is_file() and path.suffix == ".png" else str(error)
    return f"{name} is not what was written"


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"
