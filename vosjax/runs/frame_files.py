"""The files of a segmentation: where they are in its folder, and the threads that write them."""

import collections
import concurrent.futures
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from vosjax.io.files import sync
from vosjax.io.overlay import overlay
from vosjax.io.palette import write_label_png
from vosjax.io.refusals import disk_full, writing
from vosjax.io.scores import ObjectScore, ScoreWriter
from vosjax.io.video import Frame
from vosjax.io.writer import OverlayWriter
from vosjax.runs import books, clear, profile, waiting

Future = concurrent.futures.Future[Any]

AHEAD = 8  # frames whose files may wait to be written
TOGETHER = 16  # masks that are brought to the disk at once, while others are written
STATE = pathlib.Path("state") / "tracker.npz"
BOOKS = STATE.with_name("books.jsonl")
BACKWARD = STATE.with_name("backward")  # outputs of the backward pass, beside that pass's state


def mask_file(folder: pathlib.Path, index: int) -> pathlib.Path:
    """Returns the path of a frame's mask in a run's folder.

    mask_file(pathlib.Path("out"), 3)     # out/masks/00003.png
    """
    return folder / "masks" / f"{index:05d}.png"


def run_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files in a folder that a run has made, or may have made.

    files = run_files(pathlib.Path("out"))
    """
    named = [folder / name for name in ("scores.csv", "overlay.mp4")]
    masks = clear.matching(folder / "masks", r"\d{5,}\.png")
    left = waiting.waiting_files(folder)
    return named + masks + left + state_files(folder) + profile.files(folder)


def state_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns those of the `run_files` that are needed only to resume the run.

    files = state_files(pathlib.Path("out"))
    """
    named = [folder / name for name in (STATE, BOOKS, BACKWARD.with_suffix(".npz"))]
    return named + clear.matching(folder / BACKWARD, r"\d{5,}\.npz")


def drop_state(folder: pathlib.Path) -> None:
    """Removes the files that are needed only to resume the run.

    drop_state(pathlib.Path("out"))
    """
    clear.clear(folder, state_files(folder))


def made(folder: pathlib.Path, masks: dict[int, str]) -> dict[str, str]:
    """Returns {file: digest} of everything a run has made; `masks` are the digests in its books.

    digests = made(pathlib.Path("out"), books.masks)
    """
    named = [folder / name for name in ("scores.csv", "overlay.mp4")]
    tables = books.made([path for path in named if path.exists()], folder)
    return tables | {
        f"masks/{mask_file(folder, index).name}": masks[index] for index in sorted(masks)
    }


class FrameFiles:
    """Writes the files of frames in threads: masks and tables in order, the film beside them.

    A third thread brings masks to the disk meanwhile, so that `settle` has little to wait for.
    """

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
        self.failed = False  # whether files of a frame are missing, so that no state may be saved
        self._books = books.FrameBooks(folder / BOOKS, resume=resume)
        self._unsettled: list[pathlib.Path] = []
        self._threads = {
            name: concurrent.futures.ThreadPoolExecutor(1, name)
            for name in ("files", "film", "disk")
        }
        self._waiting: collections.deque[list[Future]] = collections.deque()
        self._settling: list[Future] = []

    def put(
        self,
        index: int,
        name: str,
        frame: Frame,
        labels: np.ndarray,
        scores: Mapping[int, ObjectScore],
    ) -> None:
        """Queues a frame's files for writing; raises the error of an earlier frame, if any."""
        while len(self._waiting) >= AHEAD or (self._waiting and _done(self._waiting[0])):
            self._take()
        jobs = [self._threads["files"].submit(self._write, index, name, labels, scores)]
        if self._film is not None:
            jobs.append(self._threads["film"].submit(self._draw, index, self._film, frame, labels))
        self._waiting.append(jobs)

    def flush(self) -> None:
        """Waits until everything is written."""
        while self._waiting:
            self._take()

    def settle(self) -> None:
        """Waits until everything is written and on the disk."""
        self.flush()
        with writing(self._folder):
            while self._settling:
                self._settling.pop().result()
            sync([*self._unsettled, self._scores.path, self._books.path])
        self._unsettled.clear()

    @property
    def masks(self) -> dict[int, str]:
        """{frame: digest of its mask} of the frames that have been written."""
        return self._books.masks

    def _take(self) -> None:
        """Waits for the oldest queued frame, and raises its error, if there was one."""
        try:
            for job in self._waiting.popleft():
                job.result()
        except BaseException:
            self.failed = True
            raise
        if len(self._unsettled) >= TOGETHER:
            # The thread that writes masks only appends to this list.
            masks, self._unsettled[:TOGETHER] = self._unsettled[:TOGETHER], []
            self._settling.append(self._threads["disk"].submit(sync, masks))

    def close(self) -> None:
        """Ends the threads; frames whose writing has not begun are dropped."""
        for thread in self._threads.values():
            thread.shutdown(cancel_futures=True)
        self._books.close()

    def _write(
        self, index: int, name: str, labels: np.ndarray, scores: Mapping[int, ObjectScore]
    ) -> None:
        # Scores are written first, so that a frame with a mask has all its rows.
        with disk_full(self._folder, frame=index - 1):
            rows = self._scores.write(index, name, scores.values())
            mask = mask_file(self._folder, index)
            write_label_png(mask, labels, self._palette)
            self._books.note(index, mask=mask, rows=rows)
            self._unsettled.append(mask)

    def _draw(self, index: int, film: OverlayWriter, frame: Frame, labels: np.ndarray) -> None:
        with disk_full(self._folder, frame=index - 1):
            film.write(overlay(frame.image, labels, palette=self._palette), frame.time)


def _done(jobs: list[Future]) -> bool:
    return all(job.done() for job in jobs)
