"""A run's folder: the files of every video, what tells that they are complete, and what failed.

run.json                          settings, versions, status
videos/NAME.json                  written last: the video is complete; which files it has
failed/NAME.json                  why a video could not be run
masks/NAME/FRAME.png              palette PNGs
scores/NAME.csv                   a verdict on every object in every frame
probabilities/NAME/FRAME.npz      if they are kept
results.json                      scores, tables and speed, once all videos are through
"""

import concurrent.futures
import json
import pathlib

import numpy as np

from vosjax.errors import InputError
from vosjax.eval import probabilities
from vosjax.eval.engine import EngineOutput
from vosjax.eval.layout import EvalVideo
from vosjax.io.files import is_temporary, sweep, write_json
from vosjax.io.palette import write_label_png
from vosjax.io.scores import ScoreWriter
from vosjax.tracking.frame import to_scores

WRITERS = 2  # threads that compress masks and probabilities
WAITING = 64  # files that may wait for them


class Writer:
    """Writes the files of one video as its frames come, and its record when it is closed well."""

    def __init__(self, folder, sequence: EvalVideo, ids: tuple[int, ...]):
        """`ids`: the objects in the order of their slots.

        A record of before is taken back first: what is killed from here on is not complete.
        """
        self._folder, self._sequence, self._ids = pathlib.Path(folder), sequence, ids
        self._wanted, self._kinds = frames_to_write(sequence), ["masks", "scores"]
        _record(folder, sequence).unlink(missing_ok=True)
        for kind in ("masks", "probabilities"):
            sweep(self._folder / kind / sequence.name)
        for kind in ("scores", "videos"):
            sweep(self._folder / kind, stem=sequence.name)
        self._pool = concurrent.futures.ThreadPoolExecutor(WRITERS, "write")
        self._jobs = []
        self._scores = ScoreWriter(self._folder / "scores" / f"{sequence.name}.csv")

    def write(self, outcome: EngineOutput) -> None:
        """Takes the next frame; raises what went wrong with an earlier one."""
        frame, name = self._sequence.frames[outcome.index], self._sequence.name
        known = {
            key: slot
            for slot, key in enumerate(self._ids, 1)
            if self._sequence.starts[key] <= outcome.index
        }
        self._scores.write(
            outcome.index, frame.stem, to_scores(outcome.object_stats, known).values()
        )
        if outcome.index not in self._wanted:
            return
        self._submit(
            write_label_png, self._folder / "masks" / name / f"{frame.stem}.png", outcome.labels
        )
        if outcome.packed is not None:
            self._kinds[2:] = ["probabilities"]
            self._submit(
                probabilities.write,
                self._folder / "probabilities" / name / f"{frame.stem}.npz",
                outcome.packed[: len(self._ids)],
                self._ids,
                outcome.labels.shape,
            )

    def empty(self, size: tuple[int, int]) -> None:
        """Writes the frames before the first object."""
        for index in range(min(self._sequence.starts.values())):
            if index in self._wanted:
                self._submit(
                    write_label_png,
                    mask_file(self._folder, self._sequence, index),
                    np.zeros(size, np.uint8),
                )

    def finish(self, facts: dict) -> None:
        """Waits for the files and writes the record."""
        for job in self._jobs:
            job.result()
        self.close()
        finish(self._folder, self._sequence, facts, kinds=self._kinds)

    def close(self) -> None:
        """Drops what was not begun."""
        self._pool.shutdown(cancel_futures=True)
        self._scores.close()

    def _submit(self, write, *arguments):
        while self._jobs and (len(self._jobs) >= WAITING or self._jobs[0].done()):
            self._jobs.pop(0).result()
        self._jobs.append(self._pool.submit(write, *arguments))


def frames_to_write(sequence: EvalVideo) -> set[int]:
    """The frames whose masks are written: those that are scored, annotated or wanted by a server.

    Of a video tracked over all frames that is every fifth or so.
    """
    return {*sequence.written, *sequence.scored, *(sequence.truths or ())}


def mask_file(folder, sequence: EvalVideo, index: int) -> pathlib.Path:
    """Where the mask of a frame lies in a run's folder."""
    return pathlib.Path(folder) / "masks" / sequence.name / f"{sequence.frames[index].stem}.png"


def done(folder, sequence: EvalVideo) -> dict | None:
    """The record of a video whose files are all there, else None."""
    try:
        facts = json.loads(_record(folder, sequence).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    wanted = _files(folder, sequence, facts.get("files", ("masks",)))
    return facts if all(path.is_file() for path in wanted) else None


def _files(folder, sequence, kinds):
    folder, first = pathlib.Path(folder), min(sequence.starts.values())
    for index in frames_to_write(sequence):
        yield mask_file(folder, sequence, index)
        if "probabilities" in kinds and index >= first:
            yield (folder / "probabilities" / sequence.name / f"{sequence.frames[index].stem}.npz")
    if "scores" in kinds:
        yield folder / "scores" / f"{sequence.name}.csv"


def _record(folder, sequence) -> pathlib.Path:
    return pathlib.Path(folder) / "videos" / f"{sequence.name}.json"


def finish(folder, sequence: EvalVideo, facts: dict, *, kinds=("masks",)) -> None:
    """Writes the record of a video whose files, of these kinds, are all written."""
    folder = pathlib.Path(folder)
    write_json(_record(folder, sequence), facts | {"files": list(kinds)})
    (folder / "failed" / f"{sequence.name}.json").unlink(missing_ok=True)


def fail(folder, name: str, error: Exception) -> None:
    """Records why a video could not be run; it is tried again by the next run."""
    write_json(
        pathlib.Path(folder) / "failed" / f"{name}.json", {"name": name, "error": str(error)}
    )


def failures(folder) -> dict[str, str]:
    """{video: why}."""
    found = sorted(
        path for path in (pathlib.Path(folder) / "failed").glob("*.json") if not is_temporary(path)
    )
    return {facts["name"]: facts["error"] for facts in map(_json, found)}


def results(folder) -> dict:
    """The results.json of a run.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = pathlib.Path(folder) / "results.json"
    if not path.is_file():
        raise InputError(
            f"{folder} holds no results.json: name the folder of a complete run of "
            "--mode eval or --mode fuse"
        )
    return _json(path)


def _json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is damaged ({error}): run again, or name another folder"
        ) from error
