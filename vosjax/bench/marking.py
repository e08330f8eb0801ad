"""Measures what boxes and clicks give: J of the interactive network, beside methods without one.

    python -m vosjax.bench.marking --data STILLS [--only REGEX] [--objects 100] [--weights FOLDER]

Objects of a dataset with masks (photos or videos) are marked as a user would: by their true box; by
a straight stroke through their middle; by one click there; and by two more clicks, each in the
middle of the largest mistake. The box itself and OpenCV's GrabCut from the box are the floor. J is
the IoU with the truth over the whole picture, 255 ignored.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data import types
from vosjax.data.config import DatasetConfig
from vosjax.eval.metrics import region_similarity
from vosjax.interactive.marker import Marker, MarkModel, load_marker
from vosjax.interactive.window import mask_box
from vosjax.io.door import Parser, count, guarded
from vosjax.io.terminal import say
from vosjax.runs import machine
from vosjax.studio.painting import sampled
from vosjax.train.marked import Marked, markable

CLICKS = 3
GRABCUT_ROUNDS = 5
CLICKS_OF_A_STROKE = 8
DIRECTIONS = 12  # of strokes that are tried
WELL_INSIDE = 0.35  # of the object's greatest depth
LENGTH = 0.8  # of the way that is well inside
WAYS = (
    "box itself",
    "GrabCut",
    "box",
    "stroke",
    *(f"{number} clicks" for number in range(1, CLICKS + 1)),
)
Mask = npt.NDArray[np.bool_]


def measure(
    source: Marked, model: MarkModel, *, objects: int, seed: int = 0
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Marks objects of a dataset in every way.

        scores, seconds = measure(Marked(DatasetConfig("stills")), load_marker(), objects=100)

    Args:
        source: the dataset.
        model: the interactive network.
        objects: number of objects, which are drawn from as many pictures.
        seed: seed of the choice.

    Returns:
        {way: J of each object}, and {way: seconds of each object}: those of a click do not hold the
        first look at the picture.
    """
    scores: dict[str, list[float]] = {way: [] for way in WAYS}
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    rng = np.random.default_rng(seed)
    while len(scores["box"]) < objects:
        image, labels = source.read(int(rng.integers(len(source))))
        ids = markable(labels)
        if not ids.size:
            continue
        truth, counted = labels == rng.choice(ids), labels != types.IGNORE
        for way, took, mask in answers(image, truth, counted, model):
            scores[way].append(region_similarity(truth, mask, void=~counted))
            seconds[way].append(took)
    return scores, seconds


def answers(image: Any, truth: Mask, counted: Mask, model: MarkModel) -> Any:
    """Yields (way, seconds, mask) of every way of `WAYS` for one object.

    Args:
        image: uint8 [H, W, 3] RGB.
        truth: the object, bool [H, W].
        counted: pixels that are not ignored, bool [H, W].
        model: the interactive network.
    """
    box = mask_box(truth)
    assert box is not None
    plain = np.zeros(truth.shape, bool)
    x, y, width, height = map(int, box)
    plain[y : y + height, x : x + width] = True
    yield "box itself", 0.0, plain
    begin = time.perf_counter()
    mask = grabcut(image, plain)
    yield "GrabCut", time.perf_counter() - begin, mask
    begin = time.perf_counter()
    mask = Marker(image, model=model).probability(box=box) > 0.5
    yield "box", time.perf_counter() - begin, mask
    along = [(x, y, True) for x, y in sampled(stroke(truth & counted), CLICKS_OF_A_STROKE)]
    begin = time.perf_counter()
    mask = Marker(image, model=model).probability(points=along) > 0.5
    yield "stroke", time.perf_counter() - begin, mask
    marker, points, known = Marker(image, model=model), list[tuple[float, float, bool]](), None
    mask = np.zeros(truth.shape, bool)
    for number in range(1, CLICKS + 1):
        click = next_click(mask, truth, counted)
        points += [click] if click else []
        begin = time.perf_counter()
        known = marker.probability(points=points, so_far=known)
        mask = known > 0.5
        yield f"{number} clicks", time.perf_counter() - begin, mask


def stroke(truth: Mask) -> list[tuple[float, float]]:
    """Returns the ends (x, y) of a stroke such as a user draws through an object.

        stroke(np.pad(np.ones((5, 21), bool), 9))

    It goes through the pixel farthest from all others' in the direction in which it stays well
    inside the object for longest, and stops before it leaves.
    """
    depth = _depth(truth)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    inside = np.pad(depth > WELL_INSIDE * depth.max(), 1)
    inside[row + 1, column + 1] = True
    longest: tuple[float, list[tuple[float, float]]] | None = None
    for angle in np.linspace(0, np.pi, DIRECTIONS, endpoint=False):
        way = np.array([np.cos(angle), np.sin(angle)])
        ends, length = [], 0.0
        for step in (way, -way):
            steps = np.arange(1, sum(truth.shape))[:, None] * step
            at = np.rint(steps + (column, row)).astype(int) + 1
            at = at.clip(0, np.array(inside.shape[::-1]) - 1)  # the border is outside
            far = int(inside[at[:, 1], at[:, 0]].argmin())
            ends.append(tuple(LENGTH * far * step + (column + 0.5, row + 0.5)))
            length += far
        if longest is None or length > longest[0]:
            longest = length, ends
    assert longest is not None
    return longest[1]


def next_click(mask: Mask, truth: Mask, counted: Mask) -> tuple[float, float, bool] | None:
    """Returns a click in the middle of the largest mistake, (x, y, whether on the object).

        next_click(np.zeros((9, 9), bool), truth, counted)

    None if nothing is wrong. The middle is the pixel farthest from all that is right, of the
    connected mistake that reaches deepest, as is usual in the field.
    """
    deepest: tuple[float, tuple[float, float, bool]] | None = None
    for wrong, on in ((truth & ~mask & counted, True), (mask & ~truth & counted, False)):
        depth = _depth(wrong)
        if depth.max() > 0 and (deepest is None or depth.max() > deepest[0]):
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            deepest = float(depth.max()), (float(column) + 0.5, float(row) + 0.5, on)
    return None if deepest is None else deepest[1]


def _depth(mask: Mask) -> npt.NDArray[np.float32]:
    """Returns the distance of each pixel of a mask from all that is not in it; 0 elsewhere."""
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(depth, np.float32)[1:-1, 1:-1]


def grabcut(image: Any, box: Mask) -> Mask:
    """Returns OpenCV's GrabCut of a picture, begun from a box, bool [H, W].

    mask = grabcut(image, plain)
    """
    labels = np.where(box, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    if box.all():
        return box
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(image, labels, None, *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a table of all ways; returns the exit code."""
    return guarded("marking", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.marking", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", required=True, help="photos or videos with masks")
    parser.add_argument("--only", default="", help="names in which this expression is found")
    parser.add_argument("--objects", type=count, default=100)
    parser.add_argument("--weights", help="an interactive network; the embedded one if left out")
    options = parser.parse_args(words)
    source = Marked(DatasetConfig(options.data, only=options.only))
    model = load_marker(options.weights)
    measure(source, model, objects=1)  # compiles
    scores, seconds = measure(source, model, objects=options.objects)
    versions = machine.versions()
    say(
        f"{versions['device']} ({versions['platform']}), jax {versions['jax']}; "
        f"{options.objects} objects of {options.data}",
        f"{'':<12}{'mean J':>8}{'median J':>10}{'J >= 0.8':>10}{'ms (median)':>13}",
    )
    for way in WAYS:
        good = 100 * statistics.fmean(score >= 0.8 for score in scores[way])
        say(
            f"{way:<12}{statistics.fmean(scores[way]):8.3f}{statistics.median(scores[way]):10.3f}"
            f"{good:9.0f}%{1000 * statistics.median(seconds[way]):13.0f}"
        )


if __name__ == "__main__":
    sys.exit(main())
