"""A run's folder: the files of every video, what tells that they are complete, and what failed.

run.json                          settings, versions, status
videos/NAME.json                  written last: the video is complete; which files it has
failed/NAME.json                  why a video could not be run
masks/NAME/FRAME.png              palette PNGs
scores/NAME.csv                   a row for every object in every frame
probabilities/NAME/FRAME.npz      if they are kept
results.json                      scores, tables and speed, once all videos are done
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
from vosjax.io.files import is_temporary, sweep, write_json
from vosjax.io.palette import write_label_png
from vosjax.io.scores import ScoreWriter
from vosjax.tracking.frame import to_scores

WRITERS = 2  # threads that compress masks and probabilities
WAITING = 64  # files that may wait for them

Folder = str | os.PathLike[str]
Record = dict[str, Any]  # the content of a JSON file


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
        """
        self._folder, self._video, self._ids = pathlib.Path(folder), video, ids
        self._indices, self._kinds = frames_to_write(video), ["masks", "scores"]
        _record(folder, video).unlink(missing_ok=True)
        for kind in ("masks", "probabilities"):
            sweep(self._folder / kind / video.name)
        for kind in ("scores", "videos"):
            sweep(self._folder / kind, stem=video.name)
        self._pool = concurrent.futures.ThreadPoolExecutor(WRITERS, "write")
        self._jobs: list[concurrent.futures.Future[Any]] = []
        self._scores = ScoreWriter(self._folder / "scores" / f"{video.name}.csv")

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
    """The record of a video whose files are all there, else None."""
    if video.damage:
        return None
    try:
        facts: Record = json.loads(_record(folder, video).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or not isinstance(facts.get("files", []), list):
        return None
    files = _files(folder, video, facts.get("files", ("masks",)))
    return facts if all(path.is_file() for path in files) else None


def _files(folder: Folder, video: EvalVideo, kinds: Collection[str]) -> Iterator[pathlib.Path]:
    first = min(video.starts.values())
    for index in frames_to_write(video):
        yield mask_file(folder, video, index)
        if "probabilities" in kinds and index >= first:
            yield probabilities_file(folder, video, index)
    if "scores" in kinds:
        yield pathlib.Path(folder) / "scores" / f"{video.name}.csv"


def _record(folder: Folder, video: EvalVideo) -> pathlib.Path:
    return pathlib.Path(folder) / "videos" / f"{video.name}.json"


def finish(
    folder: Folder, video: EvalVideo, facts: Record, *, kinds: Collection[str] = ("masks",)
) -> None:
    """Writes the record of a video whose files, of these kinds, are all written."""
    write_json(_record(folder, video), facts | {"files": list(kinds)})
    (pathlib.Path(folder) / "failed" / f"{video.name}.json").unlink(missing_ok=True)


def fail(folder: Folder, name: str, error: Exception) -> None:
    """Records why a video could not be run; the next run tries it again."""
    write_json(
        pathlib.Path(folder) / "failed" / f"{name}.json", {"name": name, "error": str(error)}
    )


def failures(folder: Folder) -> dict[str, str]:
    """{video: why it failed}."""
    paths = sorted(
        path for path in (pathlib.Path(folder) / "failed").glob("*.json") if not is_temporary(path)
    )
    return {facts["name"]: facts["error"] for facts in map(_json, paths)}


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
    try:
        content: Record = json.loads(path.read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged ({error}): run again, or name another folder"
        ) from error
