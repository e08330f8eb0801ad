"""Checks that completed videos are still valid: same inputs, and files as they were written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vosjax.datasets.protocol import Encoded
from vosjax.errors import InputError
from vosjax.eval import folder as run_folder
from vosjax.eval.videos import EvalVideo, read_given
from vosjax.io import lock
from vosjax.io.names import some
from vosjax.runs import books, digests

TOGETHER = 16  # frames that are read at once

Digests = dict[str, str]  # {kind of input: digest}


class FrameDigests:
    """Computes digests of a video's frames from the very bytes that are decoded.

        seen = FrameDigests(video)
        encoded = seen.read(0)          # and so on, in any order
        seen.total()                    # digest of all frames; reads those that were not read

    Attributes:
        video: a video of a dataset.
    """

    def __init__(self, video: EvalVideo) -> None:
        """Starts without reading anything."""
        self.video = video
        self._parts: dict[int, str] = {}

    def read(self, index: int) -> Encoded:
        """Reads a frame as it is stored.

        Raises:
            InputError: the frame cannot be read.
        """
        (encoded,) = self.video.source.read(self.video.number, [index])
        self._note(index, encoded)
        return encoded

    def total(self) -> str:
        """Returns one digest of the names and the contents of all frames.

        Raises:
            InputError: a frame that was not read yet cannot be.
        """
        video = self.video
        left = [index for index in range(len(video.frames)) if index not in self._parts]
        for start in range(0, len(left), TOGETHER):
            some = left[start : start + TOGETHER]
            for index, encoded in zip(some, video.source.read(video.number, some)):
                self._note(index, encoded)
        return digests.of_parts((name, self._parts[t]) for t, name in enumerate(video.frames))

    def _note(self, index: int, encoded: Encoded) -> None:
        self._parts[index] = digests.of_bytes(encoded.image)


def inputs(video: EvalVideo, *, year: int, seen: FrameDigests | None = None) -> Digests:
    """Returns digests of the inputs of a video's run: its frames and its given masks.

        inputs(video, year=2017)    # {'frames': '9f86...', 'given masks': '6030...'}

    Args:
        video: a video of a dataset.
        year: year of DAVIS, see `videos.read_given`.
        seen: digests of frames that were read already.

    Raises:
        InputError: a frame or a given mask cannot be read.
    """
    frames = (seen or FrameDigests(video)).total()
    return {"frames": frames, **given_masks(video, year=year)}


def given_masks(video: EvalVideo, *, year: int) -> Digests:
    """Returns the digest of the label maps that give a video's objects, however they are stored.

        given_masks(video, year=2017)    # {'given masks': '6030...'}

    Raises:
        InputError: a mask cannot be read.
    """
    labels = {index: read_given(video, index, year=year) for index in video.given}
    return {"given masks": digests.of_labels(labels)}


class Findings(NamedTuple):
    """The result of an audit.

    again    {video: why it has to be run again}
    unknown  videos of earlier versions, whose records hold no digests; they count as valid
    """

    again: dict[str, str]
    unknown: list[str]


def audit(
    folder: run_folder.Folder,
    videos: Sequence[EvalVideo],
    inputs_of: Callable[[EvalVideo], Digests],
) -> Findings:
    """Checks the completed videos of a run and removes the record of each that is not valid.

        audit("runs/davis", videos, lambda video: inputs(video, year=2017))

    So exactly those videos are run again whose inputs have changed, or of whose files one was lost,
    truncated or replaced. Frames and files are read once, which takes 0.1 to 1 s for 100 MB. A
    video whose lock another process holds is left to that process.

    Args:
        folder: the folder of the run.
        videos: the videos to check; those that are not complete are passed over.
        inputs_of: returns the digests of a video's inputs.

    Raises:
        InputError: a record cannot be read or removed for lack of permission.
    """
    findings = Findings({}, [])
    for video in videos:
        facts = run_folder.read_record(folder, video)
        if facts is None:
            continue
        if "made" not in facts or "inputs" not in facts:
            findings.unknown.append(video.name)
            continue
        reason = _changed(video, facts["inputs"], inputs_of) or _fault(folder, video, facts)
        if reason is None:
            continue
        try:
            with lock.locked(run_folder.lock_file(folder, video), what=video.name):
                run_folder.forget(folder, video)
            findings.again[video.name] = reason
        except lock.Held:
            continue
    return findings


def _changed(
    video: EvalVideo, before: Any, inputs_of: Callable[[EvalVideo], Digests]
) -> str | None:
    """Says which inputs have changed since a video was run, in a few words; None if none has."""
    try:
        now = inputs_of(video)
    except InputError as error:  # the run will report it
        return str(error)
    if not isinstance(before, Mapping):
        return "its record is damaged"
    changed = [name for name in now if before.get(name) != now[name]]
    return f"{' and '.join(changed)} changed since" if changed else None


def _fault(folder: run_folder.Folder, video: EvalVideo, facts: run_folder.Record) -> str | None:
    recorded, expected = (
        facts["made"],
        books.names(run_folder.files(folder, video, facts["files"]), folder),
    )
    if not isinstance(recorded, Mapping) or set(expected) - set(recorded):
        return "its record is damaged"
    faults = books.faults({name: recorded[name] for name in expected}, folder)
    return some(faults, 1) if faults else None
