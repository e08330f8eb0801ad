"""The files of a segmentation: where they lie in its folder, and how they are written in order."""

import collections
import concurrent.futures
import pathlib
from collections.abc import Mapping

import numpy as np

from vosjax.io.files import sync
from vosjax.io.overlay import overlay
from vosjax.io.palette import write_label_png
from vosjax.io.refusals import disk_full, writing
from vosjax.io.scores import ObjectScore, ScoreWriter
from vosjax.io.video import Frame
from vosjax.io.writer import OverlayWriter
from vosjax.runs import books, clear

AHEAD = 8  # frames whose files may be waiting to be written
STATE = pathlib.Path("state") / "tracker.npz"
BOOKS = STATE.with_name("books.jsonl")
BACKWARD = STATE.with_name("backward")  # outputs of the pass backward; beside it that pass's state


def mask_file(folder: pathlib.Path, index: int) -> pathlib.Path:
    """Where the mask of a frame lies in a run's folder."""
    return folder / "masks" / f"{index:05d}.png"


def run_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files that a run made, or may have made, in a folder."""
    named = [folder / name for name in ("scores.csv", "overlay.mp4")]
    return named + clear.matching(folder / "masks", r"\d{5,}\.png") + state_files(folder)


def state_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Of these, what only a run that goes on needs."""
    named = [folder / name for name in (STATE, BOOKS, BACKWARD.with_suffix(".npz"))]
    return named + clear.matching(folder / BACKWARD, r"\d{5,}\.npz")


def drop_state(folder: pathlib.Path) -> None:
    """Removes what only a run that goes on needs."""
    clear.clear(folder, state_files(folder))


def made(folder: pathlib.Path, masks: dict[int, str]) -> dict[str, str]:
    """{file: digest} of all that a run made; the masks' digests are those of its books."""
    named = [folder / name for name in ("scores.csv", "overlay.mp4")]
    tables = books.made([path for path in named if path.exists()], folder)
    return tables | {
        f"masks/{mask_file(folder, index).name}": masks[index] for index in sorted(masks)
    }


class FrameFiles:
    """Writes the files of frames in a thread, in order."""

    def __init__(
        self,
        folder: pathlib.Path,
        palette: np.ndarray,
        scores: ScoreWriter,
        film: OverlayWriter | None,
        *,
        resume: int,
    ) -> None:
        self._folder, self._palette = folder, palette
        self._scores, self._film = scores, film
        self.failed = False  # whether a frame lacks files: then no state may stand on them
        self._books = books.FrameBooks(folder / BOOKS, resume=resume)
        self._unsettled: list[pathlib.Path] = []
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "files")
        self._waiting: collections.deque = collections.deque()

    def put(
        self,
        index: int,
        name: str,
        frame: Frame,
        labels: np.ndarray,
        scores: Mapping[int, ObjectScore],
    ) -> None:
        """Has a frame's files written; raises what went wrong with an earlier one."""
        while len(self._waiting) >= AHEAD or (self._waiting and self._waiting[0].done()):
            self._take()
        self._waiting.append(self._thread.submit(self._write, index, name, frame, labels, scores))

    def flush(self) -> None:
        """Waits until everything is written."""
        while self._waiting:
            self._take()

    def settle(self) -> None:
        """Waits until everything is written, and on the disk."""
        self.flush()
        with writing(self._folder):
            sync([*self._unsettled, self._scores.path, self._books.path])
        self._unsettled.clear()

    @property
    def masks(self) -> dict[int, str]:
        """{frame: digest of its mask} of the frames that are written."""
        return self._books.masks

    def _take(self) -> None:
        """Waits for the frame that was put first; raises what went wrong with it."""
        try:
            self._waiting.popleft().result()
        except BaseException:
            self.failed = True
            raise

    def close(self) -> None:
        """Ends the thread; what has not been begun is dropped."""
        self._thread.shutdown(cancel_futures=True)
        self._books.close()

    def _write(
        self,
        index: int,
        name: str,
        frame: Frame,
        labels: np.ndarray,
        scores: Mapping[int, ObjectScore],
    ) -> None:
        # Scores go first: a frame whose mask stands has all its files.
        with disk_full(self._folder, frame=index - 1):
            rows = self._scores.write(index, name, scores.values())
            if self._film is not None:
                shown = overlay(frame.image, labels, palette=self._palette)
                self._film.write(shown, frame.time)
            mask = mask_file(self._folder, index)
            write_label_png(mask, labels, self._palette)
            self._books.note(index, mask=mask, rows=rows)
            self._unsettled.append(mask)
