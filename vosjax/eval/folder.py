"""The folder of a run: the files of every video, the record that completes it, and failures.

run.json                          settings, versions, status
videos/NAME.json                  written last, when the video is complete: digests of its inputs,
                                  its files and their digests
failed/NAME.json                  why a video could not be run
masks/NAME/FRAME.png              palette PNGs
scores/NAME.csv                   a row for every object in every frame
probabilities/NAME/FRAME.npz      if they are kept
results.json                      scores, tables and speed, once all videos are done

Several processes may share the folder: each holds the locks of the videos that it runs
(videos/.NAME.lock), and all share that of the folder (.lock). In names of files, though not of
folders, a video's name that leaves no room for an ending is shortened (`io.files.fitted`).
"""

import concurrent.futures
import json
import os
import pathlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.eval import probabilities
from vosjax.eval.engine import EngineOutput
from vosjax.eval.videos import EvalVideo
from vosjax.io.files import fitted, is_temporary, sweep, sync, write_json
from vosjax.io.palette import write_label_png
from vosjax.io.refusals import reading, writing
from vosjax.io.scores import ScoreWriter
from vosjax.refine.refiner import Counts, added
from vosjax.runs import books
from vosjax.tracking.labels import to_scores

WRITERS = 2  # threads that compress masks and probabilities
WAITING = 64  # files that may wait for them
KINDS = ("masks", "scores", "probabilities")  # the kinds of files that a record names

Folder = str | os.PathLike[str]
Record = dict[str, Any]  # the content of a JSON file


class Damaged(InputError):
    """A file of a run that is no longer valid JSON."""


class Writer:
    """Writes the files of one video while it is being tracked.

        writer = Writer("runs/davis", video, ids=(1, 2))
        for output in outputs:
            writer.write(output)
        writer.finish({"name": video.name})

    The record, which makes the video complete, is written last.
    """

    def __init__(self, folder: Folder, video: EvalVideo, ids: tuple[int, ...]) -> None:
        """Begins a video; `ids` are its objects in the order of their slots.

        The record of an earlier run is removed first, since from here on the files are incomplete.
        The caller holds the video's lock, so temporary files that are removed here belong to no
        other process.

        Raises:
            InputError: the files cannot be written.
        """
        self._folder, self._video, self._ids = pathlib.Path(folder), video, ids
        self._indices, self._kinds = frames_to_write(video), ["masks", "scores"]
        forget(folder, video)
        with writing(folder):
            for kind in ("masks", "probabilities"):
                sweep(self._folder / kind / video.name)
            for file in (scores_file(folder, video), _record(folder, video)):
                sweep(file.parent, stem=file.stem)
        self._pool = concurrent.futures.ThreadPoolExecutor(WRITERS, "write")
        self._jobs: list[concurrent.futures.Future[Any]] = []
        self._scores = ScoreWriter(scores_file(folder, video))
        self._refined: Counts = {}

    def write(self, output: EngineOutput) -> None:
        """Writes the next frame; raises any error that occurred while writing an earlier one."""
        video, index = self._video, output.index
        frame = video.frames[index]
        slots = {key: slot for slot, key in enumerate(self._ids, 1) if video.starts[key] <= index}
        self._refined = added(self._refined, output.counts)
        self._scores.write(index, frame, to_scores(output.object_stats, slots).values())
        if index not in self._indices:
            return
        self._submit(write_label_png, mask_file(self._folder, video, index), output.labels)
        if output.packed is not None:
            self._kinds[2:] = ["probabilities"]
            self._submit(
                probabilities.write,
                probabilities_file(self._folder, video, index),
                output.packed[: len(self._ids)],
                self._ids,
                output.labels.shape,
            )

    def empty(self, size: tuple[int, int]) -> None:
        """Writes empty masks of size (H, W) for the frames before the first object."""
        for index in range(min(self._video.starts.values())):
            if index in self._indices:
                path = mask_file(self._folder, self._video, index)
                self._submit(write_label_png, path, np.zeros(size, np.uint8))

    def finish(self, facts: Record) -> None:
        """Waits until all files are written, then writes the record with these facts."""
        for job in self._jobs:
            job.result()
        self.close()
        refined = {"refined": self._refined} if self._refined else {}
        finish(self._folder, self._video, facts | refined, kinds=self._kinds)

    def close(self) -> None:
        """Cancels writes that have not begun."""
        self._pool.shutdown(cancel_futures=True)
        self._scores.close()

    def _submit(self, write: Callable[..., Any], *arguments: Any) -> None:
        while self._jobs and (len(self._jobs) >= WAITING or self._jobs[0].done()):
            self._jobs.pop(0).result()
        self._jobs.append(self._pool.submit(write, *arguments))


def frames_to_write(video: EvalVideo) -> set[int]:
    """Returns the indices of the frames whose masks are written: scored, annotated or submitted.

    In a video of YouTube-VOS that is tracked over all frames, that is about every fifth frame.
    """
    return {*video.written, *video.scored, *(video.truths or ())}


def mask_file(folder: Folder, video: EvalVideo, index: int) -> pathlib.Path:
    """Returns the path of a frame's mask in a run's folder."""
    return pathlib.Path(folder) / "masks" / video.name / f"{video.frames[index]}.png"


def probabilities_file(folder: Folder, video: EvalVideo, index: int) -> pathlib.Path:
    """Returns the path of a frame's probabilities in a run's folder."""
    return pathlib.Path(folder) / "probabilities" / video.name / f"{video.frames[index]}.npz"


def done(folder: Folder, video: EvalVideo) -> Record | None:
    """Returns the record of a video if all of its files exist, else None.

    The files are not opened: `audit` checks their contents and the video's inputs. A record that
    is truncated, empty or that of another video counts as missing.
    """
    if video.damage:
        return None
    facts = read_record(folder, video)
    if facts is None or not isinstance(facts.get("files", []), list):
        return None
    paths = files(folder, video, facts["files"])
    return facts if all(path.is_file() for path in paths) else None


def read_record(folder: Folder, video: EvalVideo) -> Record | None:
    """Reads the record of a video; None if it is missing, damaged or that of another video.

    Raises:
        InputError: permission to read it is missing.
    """
    path = _record(folder, video)
    with reading(path):
        try:
            facts: Record = {"files": ["masks"], **json.loads(path.read_text(encoding="utf-8"))}
            valid = facts["name"] == video.name and set(facts["files"]) <= set(KINDS)
            return facts if valid else None
        except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
            return None


def files(folder: Folder, video: EvalVideo, kinds: Collection[str]) -> Iterator[pathlib.Path]:
    """Yields the paths of all files of these kinds that the run of a video writes."""
    first = min(video.starts.values())
    for index in sorted(frames_to_write(video)):
        if "masks" in kinds:
            yield mask_file(folder, video, index)
        if "probabilities" in kinds and index >= first:
            yield probabilities_file(folder, video, index)
    if "scores" in kinds:
        yield scores_file(folder, video)


def scores_file(folder: Folder, video: EvalVideo) -> pathlib.Path:
    """Returns the path of a video's table of scores in a run's folder."""
    return pathlib.Path(folder) / "scores" / fitted(video.name, ".csv")


def _record(folder: Folder, video: EvalVideo) -> pathlib.Path:
    return pathlib.Path(folder) / "videos" / fitted(video.name, ".json")


def _failure(folder: Folder, name: str) -> pathlib.Path:
    return pathlib.Path(folder) / "failed" / fitted(name, ".json")


def lock_file(folder: Folder, video: EvalVideo) -> pathlib.Path:
    """Returns the path of the lock that the process running a video holds."""
    return pathlib.Path(folder) / "videos" / fitted(f".{video.name}", ".lock")


def forget(folder: Folder, video: EvalVideo) -> None:
    """Removes a video's record, so that it is run again; the caller holds the video's lock."""
    with writing(folder):
        _record(folder, video).unlink(missing_ok=True)


def finish(
    folder: Folder, video: EvalVideo, facts: Record, *, kinds: Collection[str] = ("masks",)
) -> None:
    """Writes the record of a video after all files of these kinds are written.

    The files are flushed to disk before the record is written, and their digests stand in it.

    Raises:
        InputError: a file cannot be read back, or the record cannot be written.
    """
    paths = list(files(folder, video, kinds))
    with writing(folder):
        sync(paths)
    made = books.made(paths, folder)
    write_json(_record(folder, video), facts | {"files": list(kinds), "made": made})
    with writing(folder):
        _failure(folder, video.name).unlink(missing_ok=True)


def fail(folder: Folder, name: str, error: Exception) -> None:
    """Records why a video could not be run; the next run tries again."""
    write_json(_failure(folder, name), {"name": name, "error": str(error)})


def failures(folder: Folder) -> dict[str, str]:
    """Returns {video: why it failed}; damaged records are ignored.

    Raises:
        InputError: permission to read a record is missing.
    """
    failed = {}
    for path in sorted((pathlib.Path(folder) / "failed").glob("*.json")):
        if is_temporary(path):
            continue
        try:
            facts = _json(path)
            failed[str(facts["name"])] = str(facts["error"])
        except (Damaged, LookupError, TypeError):
            continue
    return failed


def results(folder: Folder) -> Record:
    """Reads the results.json of a run.

    Raises:
        InputError: it is missing or damaged.
    """
    path = pathlib.Path(folder) / "results.json"
    if not path.is_file():
        raise InputError(
            f"{folder} holds no results.json: name the folder of a complete run of "
            "--mode eval or --mode fuse"
        )
    return _json(path)


def _json(path: pathlib.Path) -> Record:
    with reading(path):
        try:
            content: Record = json.loads(path.read_text(encoding="utf-8"))
            return content
        except (ValueError, RecursionError) as error:
            raise Damaged(
                f"{path} is damaged ({error}): run again, or name another folder"
            ) from error
