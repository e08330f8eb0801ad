"""Scores of two baselines without a network on a dataset, which show how hard its videos are.

    python -m vosjax.bench.baselines --data DAVIS

`copy` uses the mask of the first frame for all frames; `flow` warps it from frame to frame by
optical flow (DIS, OpenCV's medium preset). Both are scored by the rules of DAVIS, as in
`--mode eval`.
"""

import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from vosjax.eval import protocols, scoring, videos
from vosjax.io.door import Parser, guarded
from vosjax.io.palette import write_label_png
from vosjax.io.terminal import say

Labels = np.ndarray  # uint8 [H, W]
Method = Callable[[videos.EvalVideo, Labels], Iterator[Labels]]


def copied(video: videos.EvalVideo, first: Labels) -> Iterator[Labels]:
    """Yields `first`, uint8 [H, W], for every frame of a video."""
    for _ in video.frames:
        yield first


def carried(video: videos.EvalVideo, first: Labels) -> Iterator[Labels]:
    """Yields `first`, uint8 [H, W], warped by optical flow from frame to frame.

    The flow goes from a frame to the one before it: each pixel takes the label of the position that
    it came from (the nearest pixel; outside of the frame it is background).
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    labels, before = first, _grey(video, 0)
    yield labels
    columns, rows = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in first.shape[::-1]))
    for index in range(1, len(video.frames)):
        now = _grey(video, index)
        moved = flow.calc(now, before, None)
        labels = cv2.remap(
            labels, columns + moved[..., 0], rows + moved[..., 1], cv2.INTER_NEAREST
        ).astype(np.uint8)
        before = now
        yield labels


METHODS: dict[str, Method] = {"copy": copied, "flow": carried}


def measure(data: str | os.PathLike[str], method: Method) -> scoring.Scores:
    """Scores a method on all videos of a dataset folder that have public ground truth.

        measure("DAVIS", copied)["global"]["J&F-Mean"]  # 0..1

    Args:
        data: the folder of a dataset.
        method: one of `METHODS`.

    Raises:
        InputError: there is no such dataset, or a file cannot be read.
    """
    annotated = [video for video in videos.discover(data) if video.truths is not None]
    with tempfile.TemporaryDirectory(prefix="vosjax-") as folder:
        for video in annotated:
            first = videos.read_given(video, 0)
            for frame, labels in zip(video.frames, method(video, first)):
                write_label_png(pathlib.Path(folder) / video.name / f"{frame}.png", labels)
        return scoring.score(videos.truths(annotated), folder, protocol=protocols.davis())


def main(argv: Sequence[str] | None = None) -> int:
    """Prints J, F and their mean of both methods, by video and over all; returns the exit code."""
    return guarded("baselines", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.baselines", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", required=True, help="a dataset in DAVIS's layout")
    data = parser.parse_args(words).data
    results = {name: measure(data, method) for name, method in METHODS.items()}
    say(f"{'video':<24}" + "".join(f"{f'{name} J':>9}{'F':>7}{'J&F':>7}" for name in METHODS))
    for video in next(iter(results.values()))["sequences"]:
        _row(video, [result["sequences"][video] for result in results.values()])
    _row("mean over objects", [result["global"] for result in results.values()])


def _row(name: str, tables: list[scoring.Scores]) -> None:
    columns = (("J-Mean", 9), ("F-Mean", 7), ("J&F-Mean", 7))
    say(
        f"{name:<24}"
        + "".join(f"{100 * table[key]:{width}.1f}" for table in tables for key, width in columns)
    )


def _grey(video: videos.EvalVideo, index: int) -> np.ndarray:
    return cv2.cvtColor(videos.read_frame(video, index), cv2.COLOR_RGB2GRAY)


if __name__ == "__main__":
    sys.exit(main())
