"""Samples for an interactive network: an object of a picture, and how a user might point at it.

A sample is a square window of a photo or of a frame of a video, in which one object is wanted:

    images  uint8 [S, S, 3]    RGB
    truth   uint8 [S, S]       0 and 1; 255 is ignored, as is all that lies beyond the picture
    clues   float32 [S, S, 4]  a box, clicks, or both (`interactive.clues`); no mask so far

A user's box is the object's, moved a little at each side. A first click lies well inside the
object, as people click; more clicks lie anywhere on it or beside it.
"""

import bisect
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data import jitter, photos, sets, types
from vosjax.data.config import DatasetConfig
from vosjax.datasets.protocol import Source
from vosjax.errors import InputError
from vosjax.interactive import window
from vosjax.interactive.clues import NO_CLICKS, Clicks, clue_maps
from vosjax.interactive.window import Box, Window

COLOURS = jitter.Strength(0.3, 0.3, 0.3, 0.05, jitter=0.5, grey=0.05, blur=0.1)
SHORT_SIDE = 480  # larger pictures are reduced to it
LEAST = 0.0008  # smallest object, as a share of the picture
LEAST_PIXELS = 60
TRIES = 20  # pictures that are looked at for an object
Mask = npt.NDArray[np.uint8]  # [S, S], 1 on the object


class MarkSpec(NamedTuple):
    """How samples are made.

    side    side S of the window in pixels
    colour  whether colours are changed at random
    whole   probability that the window is the whole picture instead of the object's surroundings
    loose   range of the window's side per longer side of the object's box
    shift   standard deviation of the sides of a user's box, per side of the object's
    """

    side: int
    colour: bool = True
    whole: float = 0.15
    loose: tuple[float, float] = (1.15, 2.2)
    shift: float = 0.03


class Marked:
    """The annotated pictures of one dataset, photos or videos, as a source of samples.

    Marked(DatasetConfig("stills", only="^coco_")).clip(0, np.random.default_rng(0), MarkSpec(257))
    """

    def __init__(self, dataset: DatasetConfig, root: str = "") -> None:
        opened = sets.open_dataset(dataset, root)
        self._photos, self._videos = opened.photos, opened.videos
        self._ends = [] if opened.videos is None else _ends(opened.videos)
        self._name = dataset.folder
        if not len(self):
            raise InputError(f"the set {dataset.folder} holds no picture with a mask")

    def __len__(self) -> int:
        """Returns the number of pictures."""
        return self._ends[-1] if self._photos is None else len(self._photos)

    def read(self, index: int) -> tuple[Any, Any]:
        """Reads a picture, uint8 [H, W, 3], and its labels, uint8 [H, W], of at most 480 rows.

        image, labels = source.read(0)

        Raises:
            InputError: a file cannot be read.
        """
        if self._photos is not None:
            image, mask = self._photos[index]
        else:
            assert self._videos is not None
            video = bisect.bisect_right(self._ends, index)
            frame = self._videos.header(video).annotated[
                index - (self._ends[video - 1] if video else 0)
            ]
            (stored,) = self._videos.read(video, [frame])
            image, mask = stored.image, stored.mask
        return photos.read(image, mask, short_side=SHORT_SIDE, enlarge=False)

    def clip(self, index: int, rng: np.random.Generator, spec: Any) -> dict[str, Any]:
        """Makes a sample of picture `index`, or of another one if no object is in it.

        Args:
            index: index of the picture.
            rng: draws everything; equal generators give equal samples.
            spec: a `MarkSpec`.

        Raises:
            InputError: a file cannot be read, or none of 20 pictures shows an object.
        """
        for _ in range(TRIES):
            image, labels = self.read(index)
            ids = markable(labels)
            if ids.size:
                return sample(image, labels, int(rng.choice(ids)), rng, spec)
            index = int(rng.integers(len(self)))
        raise InputError(
            f"{TRIES} pictures of the set {self._name} show no object that could be marked: "
            "give a set with masks"
        )


def markable(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Returns the ids of the objects of a picture that are large enough to be marked, ascending.

    ids = markable(labels)      # labels uint8 [H, W]
    """
    return types.visible_ids(labels, max(LEAST * labels.size, LEAST_PIXELS))


def _ends(videos: Source) -> list[int]:
    """Returns how many annotated frames the videos have together, up to each."""
    counts = [len(videos.header(video).annotated) for video in range(len(videos))]
    return list(itertools.accumulate(counts))


def sample(
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    object_id: int,
    rng: np.random.Generator,
    spec: MarkSpec,
) -> dict[str, Any]:
    """Makes a sample of one object.

        sample(image, labels, 3, np.random.default_rng(0), MarkSpec(257))["clues"]

    Args:
        image: uint8 [H, W, 3] RGB.
        labels: uint8 [H, W], ids; 255 is ignored.
        object_id: the object that is wanted.
        rng: draws everything.
        spec: how samples are made.

    Returns:
        A dict of arrays, see the top of this file.
    """
    truth = (labels == object_id).astype(np.uint8)
    truth[labels == types.IGNORE] = types.IGNORE
    if rng.random() < 0.5:
        image, truth = (np.ascontiguousarray(array[:, ::-1]) for array in (image, truth))
    box = window.mask_box(truth == 1)
    assert box is not None
    seen = _window(box, image.shape[:2], rng, spec)
    crop = window.cut(image, seen, spec.side)
    inside = window.cut_labels(truth, seen, spec.side, beyond=types.IGNORE)
    if spec.colour:
        crop = jitter.apply(crop, jitter.draw(rng, COLOURS))
    return dict(images=crop, truth=inside, clues=_clues(inside == 1, rng, spec))


def _window(box: Box, size: Sequence[int], rng: np.random.Generator, spec: MarkSpec) -> Window:
    if rng.random() < spec.whole:
        return window.whole(*size)
    around = window.around(box, margin=float(rng.uniform(*spec.loose)))
    slack = (around.side - max(box[2:])) / 2
    across, down = rng.uniform(-0.8, 0.8, 2) * max(slack, 0)
    return around._replace(left=around.left + across, top=around.top + down)


def _clues(mask: npt.NDArray[np.bool_], rng: np.random.Generator, spec: MarkSpec) -> Any:
    box = window.mask_box(mask)
    if box is None:  # too small to be seen in the window
        return clue_maps(spec.side)
    kind = rng.random()
    with_box, with_clicks = kind < 0.6, kind > 0.45
    clicks = drawn_clicks(mask, rng) if with_clicks else NO_CLICKS
    return clue_maps(
        spec.side, box=drawn_box(box, rng, spec.shift) if with_box else None, clicks=clicks
    )


def drawn_box(box: Box, rng: np.random.Generator, shift: float) -> Box:
    """Draws the box that a user might draw around an object.

        drawn_box((10, 10, 50, 40), np.random.default_rng(0), 0.03)

    Args:
        box: the object's box.
        rng: draws the sides.
        shift: standard deviation of each side, per width or height of the object.
    """
    x, y, width, height = box
    left, right = rng.normal(0, shift * width, 2)
    top, bottom = rng.normal(0, shift * height, 2)
    return x + left, y + top, max(width + right - left, 1), max(height + bottom - top, 1)


def drawn_clicks(mask: npt.NDArray[np.bool_], rng: np.random.Generator) -> Clicks:
    """Draws one click well inside of an object, and in half of the cases up to three more.

        clicks = drawn_clicks(mask, np.random.default_rng(0))

    Args:
        mask: bool [S, S], not empty.
        rng: draws the clicks.
    """
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    deep = depth >= rng.uniform(0.2, 1.0) * depth.max()
    places, inside = [_pixel(deep, rng)], [True]
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 4)):
            on = bool(rng.random() < 0.5)
            area = mask if on else ~mask
            if area.any():
                places.append(_pixel(area, rng))
                inside.append(on)
    return Clicks(np.array(places, np.float32), np.array(inside))


def _pixel(area: npt.NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    pixels = np.flatnonzero(area)
    row, column = divmod(int(pixels[rng.integers(pixels.size)]), area.shape[1])
    return column + 0.5, row + 0.5
