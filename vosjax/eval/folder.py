"""A run's folder: the files of every video, what tells that they are complete, and what failed.

run.json                          settings, versions, status
videos/NAME.json                  written last: the video is complete; what it was made of, its
                                  files and their digests
failed/NAME.json                  why a video could not be run
masks/NAME/FRAME.png              palette PNGs
scores/NAME.csv                   a row for every object in every frame
probabilities/NAME/FRAME.npz      if they are kept
results.json                      scores, tables and speed, once all videos are done

Several processes may share the folder: each holds the lock of the videos that it is at
(videos/.NAME.lock), and shares the one of the folder (.lock). Names of videos that leave no room
for an ending are shortened (`io.files.fitted`), but for those of folders.
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
from vosjax.runs import books
from vosjax.tracking.frame import to_scores

WRITERS = 2  # threads that compress masks and probabilities
WAITING = 64  # files that may wait for them
KINDS = ("masks", "scores", "probabilities")  # of files, as records name them

Folder = str | os.PathLike[str]
Record = dict[str, Any]  # the content of a JSON file


class Damaged(InputError):
    """A file of a run that is no JSON any more."""


class Writer:
    """Writes the files of one video as its frames come.

        writer = Writer("runs/davis", video, ids=(1, 2))
        for output in outputs:
            writer.write(output)
        writer.finish({"name": video.name})

    The record, which makes the video complete, is written last.
    """

    def __init__(self, folder: Folder, video: EvalVideo, ids: tuple[int, ...]) -> None:
        """Begins a video; `ids` are its objects in the order of their slots.

        A record of an earlier run is removed first: what is killed from here on is not complete.
        The caller holds the video's lock, so that what is swept here is nobody's.

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

    def write(self, output: EngineOutput) -> None:
        """Takes the next frame; raises what went wrong with an earlier one."""
        video, index = self._video, output.index
        frame = video.frames[index]
        slots = {key: slot for slot, key in enumerate(self._ids, 1) if video.starts[key] <= index}
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
        """Writes empty masks of this size (H, W) for the frames before the first object."""
        for index in range(min(self._video.starts.values())):
            if index in self._indices:
                path = mask_file(self._folder, self._video, index)
                self._submit(write_label_png, path, np.zeros(size, np.uint8))

    def finish(self, facts: Record) -> None:
        """Waits for the files and writes the record with these facts."""
        for job in self._jobs:
            job.result()
        self.close()
        finish(self._folder, self._video, facts, kinds=self._kinds)

    def close(self) -> None:
        """Drops what was not begun."""
        self._pool.shutdown(cancel_futures=True)
        self._scores.close()

    def _submit(self, write: Callable[..., Any], *arguments: Any) -> None:
        while self._jobs and (len(self._jobs) >= WAITING or self._jobs[0].done()):
            self._jobs.pop(0).result()
        self._jobs.append(self._pool.submit(write, *arguments))


def frames_to_write(video: EvalVideo) -> set[int]:
    """The frames whose masks are written: those that are scored, annotated or wanted by a server.

    Of a video tracked over all frames that is about every fifth.
    """
    return {*video.written, *video.scored, *(video.truths or ())}


def mask_file(folder: Folder, video: EvalVideo, index: int) -> pathlib.Path:
    """Where the mask of a frame lies in a run's folder."""
    return pathlib.Path(folder) / "masks" / video.name / f"{video.frames[index]}.png"


def probabilities_file(folder: Folder, video: EvalVideo, index: int) -> pathlib.Path:
    """Where the probabilities of a frame lie in a run's folder."""
    return pathlib.Path(folder) / "probabilities" / video.name / f"{video.frames[index]}.npz"


def done(folder: Folder, video: EvalVideo) -> Record | None:
    """The record of a video whose files are all there, else None.

    It looks at no content: whether the files are those that were written, of the same frames, is
    found by `audit`. A record that is torn, empty or of another video counts as none.
    """
    if video.damage:
        return None
    facts = read_record(folder, video)
    if facts is None or not isinstance(facts.get("files", []), list):
        return None
    paths = files(folder, video, facts["files"])
    return facts if all(path.is_file() for path in paths) else None


def read_record(folder: Folder, video: EvalVideo) -> Record | None:
    """The record of a video, None where there is none, or one that cannot be its.

    Raises:
        InputError: it may not be read.
    """
    path = _record(folder, video)
    with reading(path):
        try:
            facts: Record = {"files": ["masks"], **json.loads(path.read_text(encoding="utf-8"))}
            fits = facts["name"] == video.name and set(facts["files"]) <= set(KINDS)
            return facts if fits else None
        except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
            return None


def files(folder: Folder, video: EvalVideo, kinds: Collection[str]) -> Iterator[pathlib.Path]:
    """The files of these kinds that a video's run leaves."""
    first = min(video.starts.values())
    for index in sorted(frames_to_write(video)):
        if "masks" in kinds:
            yield mask_file(folder, video, index)
        if "probabilities" in kinds and index >= first:
            yield probabilities_file(folder, video, index)
    if "scores" in kinds:
        yield scores_file(folder, video)


def scores_file(folder: Folder, video: EvalVideo) -> pathlib.Path:
    """Where the table of a video's scores lies in a run's folder."""
    return pathlib.Path(folder) / "scores" / fitted(video.name, ".csv")


def _record(folder: Folder, video: EvalVideo) -> pathlib.Path:
    return pathlib.Path(folder) / "videos" / fitted(video.name, ".json")


def _failure(folder: Folder, name: str) -> pathlib.Path:
    return pathlib.Path(folder) / "failed" / fitted(name, ".json")


def lock_file(folder: Folder, video: EvalVideo) -> pathlib.Path:
    """The lock that whoever runs a video holds."""
    return pathlib.Path(folder) / "videos" / fitted(f".{video.name}", ".lock")


def forget(folder: Folder, video: EvalVideo) -> None:
    """Removes a video's record, so that it is run again; the caller holds the video's lock."""
    with writing(folder):
        _record(folder, video).unlink(missing_ok=True)


def finish(
    folder: Folder, video: EvalVideo, facts: Record, *, kinds: Collection[str] = ("masks",)
) -> None:
    """Writes the record of a video whose files, of these kinds, are all written.

    They are on the disk before the record is, and their digests are in it.

    Raises:
        InputError: a file cannot be read again, or the record not be written.
    """
    paths = list(files(folder, video, kinds))
    with writing(folder):
        sync(paths)
    made = books.made(paths, folder)
    write_json(_record(folder, video), facts | {"files": list(kinds), "made": made})
    with writing(folder):
        _failure(folder, video.name).unlink(missing_ok=True)


def fail(folder: Folder, name: str, error: Exception) -> None:
    """Records why a video could not be run; the next run tries it again."""
    write_json(_failure(folder, name), {"name": name, "error": str(error)})


def failures(folder: Folder) -> dict[str, str]:
    """{video: why it failed}; what is no such record is left out, and the next run's affair.

    Raises:
        InputError: a record may not be read.
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


def _json(path: pathlib.Path) -> Record:
    with reading(path):
        try:
            content: Record = json.loads(path.read_text(encoding="utf-8"))
            return content
        except (ValueError, RecursionError) as error:
            raise Damaged(
                f"{path} is damaged ({error}): run again, or name another folder"
            ) from error
