"""Pictures of the report: the worst boundaries of a run, before and after refinement."""

import base64
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from vosjax.datasets.decode import Labels, Picture
from vosjax.errors import InputError
from vosjax.eval.protocols import VOID
from vosjax.eval.videos import EvalVideo, read_frame, read_labels
from vosjax.io.overlay import overlay
from vosjax.io.palette import DAVIS, read_label_png

WIDTH = 420  # width of a shown picture in pixels
QUALITY = 80  # of its JPEG
SIDE = 105  # of the square around a boundary that is shown, in pixels of the frame
SHOWN = 6  # boundaries that are shown
APART = 5  # least distance in frames between two of a video


class Run(NamedTuple):
    """A run: its name on the page, its folder and the content of its results.json."""

    name: str
    folder: pathlib.Path
    results: dict[str, Any]


class Figure(NamedTuple):
    """A picture with its caption, its width and height in pixels, and its JPEG in base64."""

    caption: str
    width: int
    height: int
    jpeg: str


def figure(image: Picture, labels: Labels, caption: str) -> Figure:
    """Returns a frame with its objects tinted, as a picture of the page.

        figure(frame, labels, "truth").jpeg

    Args:
        image: uint8 [H, W, 3] RGB.
        labels: uint8 [H, W] of ids; 255 is void.
        caption: the text below it.
    """
    tinted = overlay(image, np.where(labels == VOID, 0, labels), palette=DAVIS)
    ratio = min(1, WIDTH / tinted.shape[1])
    small = cv2.resize(tinted, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    ok, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not ok:
        raise InputError(f"OpenCV {cv2.__version__} could not encode a JPEG")
    height, width = small.shape[:2]
    return Figure(caption, width, height, base64.b64encode(data.tobytes()).decode())


def worst_boundaries(runs: Sequence[Run], videos: Sequence[EvalVideo]) -> list[dict[str, Any]]:
    """Returns the places where boundaries were worst before refinement, in all runs.

        worst_boundaries(load(["runs/davis", "runs/davis_refined"]), videos)

    These are the frames with the lowest boundary accuracy F in the first run that refines nothing;
    of each, the square that holds the most of its wrong pixels.

    Args:
        runs: the runs of the page.
        videos: the videos of the dataset.

    Returns:
        {'video', 'name' of the frame, 'value' F in percent, 'figures'} of each place, the worst
        first; none unless there are runs with refinement and without.

    Raises:
        InputError: a frame or mask that is shown cannot be read.
    """
    plain = [run for run in runs if "refine" not in run.results["settings"]]
    if not plain or len(plain) == len(runs):
        return []
    by_name = {video.name: video for video in videos}
    shown: list[dict[str, Any]] = []
    picked: dict[str, list[int]] = {name: [] for name in by_name}
    for value, name, frame in sorted(_accuracies(plain[0])):
        if name not in by_name or frame not in by_name[name].frames or len(shown) == SHOWN:
            continue
        video, index = by_name[name], by_name[name].frames.index(frame)
        if len(picked[name]) == 2 or any(abs(index - one) < APART for one in picked[name]):
            continue
        masks = {run.name: _mask(run, video, index) for run in runs}
        before = masks[plain[0].name]
        if before is None:
            continue
        picked[name].append(index)
        image, truth = read_frame(video, index), read_labels(video, index)
        rows, columns = _worst_square(truth, before)
        figures = [
            figure(_enlarged(image[rows, columns]), _enlarged(labels[rows, columns]), caption)
            for caption, labels in {"truth": truth, **masks}.items()
            if labels is not None
        ]
        shown.append(
            {"video": name, "name": frame, "value": f"{100 * value:.1f}", "figures": figures}
        )
    return shown


def _accuracies(run: Run) -> list[tuple[float, str, str]]:
    """Returns (mean F over objects, video, frame) for every scored frame of a run."""
    values: dict[tuple[str, str], list[float]] = {}
    for name, video in run.results["sequences"].items():
        for curve in video["objects"].values():
            for frame, value in zip(curve["frames"], curve.get("F", ())):
                values.setdefault((name, frame), []).append(value)
    return [(float(np.mean(f)), name, frame) for (name, frame), f in values.items()]


def _mask(run: Run, video: EvalVideo, index: int) -> Labels | None:
    file = run.folder / "masks" / video.name / f"{video.frames[index]}.png"
    return read_label_png(file) if file.is_file() else None


def _worst_square(truth: Labels, mask: Labels) -> tuple[slice, slice]:
    """Returns the rows and columns of the square in which most pixels are wrong."""
    wrong = ((truth != mask) & (truth != VOID)).astype(np.float32)
    side = [min(SIDE, length) for length in wrong.shape]
    totals = cv2.boxFilter(wrong, -1, (side[1], side[0]), normalize=False)
    centre = np.unravel_index(totals.argmax(), totals.shape)
    starts = [
        int(np.clip(at - length // 2, 0, whole - length))
        for at, length, whole in zip(centre, side, wrong.shape)
    ]
    return slice(starts[0], starts[0] + side[0]), slice(starts[1], starts[1] + side[1])


def _enlarged(picture: np.ndarray) -> Any:
    factor = max(WIDTH // picture.shape[1], 1)
    return picture.repeat(factor, 0).repeat(factor, 1)
