"""Whether videos that are done still are: their inputs as they were, their files as written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vosjax.datasets.protocol import Encoded
from vosjax.errors import InputError
from vosjax.eval import folder as files
from vosjax.eval.videos import EvalVideo, read_given
from vosjax.io import lock
from vosjax.io.video.types import some
from vosjax.runs import books, digests

TOGETHER = 16  # frames that are read at a time

Digests = dict[str, str]  # {what was given: its digest}


class FrameDigests:
    """Digests of a video's frames, taken from the very bytes that are decoded.

        seen = FrameDigests(video)
        encoded = seen.read(0)          # and so on, in any order
        seen.total()                    # of all frames; reads those that were not read

    Attributes:
      video: of a dataset.
    """

    def __init__(self, video: EvalVideo) -> None:
        """Begins; nothing is read."""
        self.video = video
        self._parts: dict[int, str] = {}

    def read(self, index: int) -> Encoded:
        """A frame as stored.

        Raises:
            InputError: it cannot be read.
        """
        (encoded,) = self.video.source.read(self.video.number, [index])
        self._note(index, encoded)
        return encoded

    def total(self) -> str:
        """One digest of the names and the content of all frames.

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
    """Digests of all that decides a video's masks but for the network: its frames, given masks.

        inputs(video, year=2017)    # {'frames': '9f86...', 'given masks': '6030...'}

    Args:
        video: of a dataset.
        year: of `videos.read_given`.
        seen: what is known of the frames already.

    Raises:
        InputError: a frame or a given mask cannot be read.
    """
    frames = (seen or FrameDigests(video)).total()
    return {"frames": frames, **given_masks(video, year=year)}


def given_masks(video: EvalVideo, *, year: int) -> Digests:
    """The digest of the label maps that a video's objects are given by, whatever their files.

        given_masks(video, year=2017)    # {'given masks': '6030...'}

    Raises:
        InputError: a mask cannot be read.
    """
    labels = {index: read_given(video, index, year=year) for index in video.given}
    return {"given masks": digests.of_labels(labels)}


class Findings(NamedTuple):
    """What an audit found.

    again    {video: why it is made again}
    unknown  videos of earlier versions, whose records hold no digests: they are taken as they are
    """

    again: dict[str, str]
    unknown: list[str]


def audit(
    folder: files.Folder, videos: Sequence[EvalVideo], inputs_of: Callable[[EvalVideo], Digests]
) -> Findings:
    """Looks at the videos that are done and removes the record of each that is not as it was.

        audit("runs/davis", videos, lambda video: inputs(video, year=2017))

    So the videos of other content, and those with files that were lost, torn or replaced, are run
    again, and no others. Frames and files are read once: 0.1 to 1 s for 100 MB. A video whose lock
    another process holds is that one's affair.

    Args:
        folder: of the run.
        videos: to be looked at; those that are not done are passed over.
        inputs_of: inputs_of(video) -> digests of what the video is made of.

    Raises:
        InputError: a record may not be read or removed.
    """
    findings = Findings({}, [])
    for video in videos:
        facts = files.read_record(folder, video)
        if facts is None:
            continue
        if "made" not in facts or "inputs" not in facts:
            findings.unknown.append(video.name)
            continue
        why = _changed(video, facts["inputs"], inputs_of) or _fault(folder, video, facts)
        if why is None:
            continue
        try:
            with lock.locked(files.lock_file(folder, video), what=video.name):
                files.forget(folder, video)
            findings.again[video.name] = why
        except lock.Held:
            continue
    return findings


def _changed(
    video: EvalVideo, before: Any, inputs_of: Callable[[EvalVideo], Digests]
) -> str | None:
    """What was given anew since a video was made, in a few words."""
    try:
        now = inputs_of(video)
    except InputError as error:  # which the run will tell
        return str(error)
    if not isinstance(before, Mapping):
        return "its record is damaged"
    changed = [name for name in now if before.get(name) != now[name]]
    return f"{' and '.join(changed)} changed since" if changed else None


def _fault(folder: files.Folder, video: EvalVideo, facts: files.Record) -> str | None:
    made, expected = facts["made"], books.names(files.files(folder, video, facts["files"]), folder)
    if not isinstance(made, Mapping) or set(expected) - set(made):
        return "its record is damaged"
    faults = books.faults({name: made[name] for name in expected}, folder)
    return some(faults, 1) if faults else None
