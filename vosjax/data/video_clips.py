"""Training clips from videos by AOT's recipe (arXiv 2106.02638 and its public training code).

Frames are chosen by gaps, scaled, cropped to a window in which an object of the reference is seen,
mirrored, padded, changed in colour, and often merged with a clip of another video.
"""

import dataclasses

import cv2
import numpy as np

from vosjax.data import choose, jitter, types
from vosjax.data.warp import FILL
from vosjax.datasets import decode
from vosjax.datasets import protocol as protocol
from vosjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class VideoSettings:
    """Probabilities and ranges; the values are those of AOT's main stage."""

    gap: int = 3  # largest distance of two frames, in annotated frames
    reverse: float = 0.5
    attempts: int = 5
    least_reference: int = 200  # object pixels of a frame that may be the reference
    short_side: int = 480  # pixels at scale 1
    scale: tuple[float, float] = (0.7, 1.3)
    crops: int = 5  # windows tried for one that shows an object
    flip: float = 0.5
    merge: float = 0.3
    merges: int = 1  # at most so many times, each with that probability
    guests: float = 0.0  # probability that objects of photos cross the video
    colour: jitter.Strength = jitter.NONE  # v2: jitter.V2

    def plain(self):
        """Random crops and nothing else (gaps remain, they are sampling): the last phase of
        arXiv 2206.09585."""
        return dataclasses.replace(
            self, reverse=0.0, scale=(1.0, 1.0), flip=0.0, merge=0.0, guests=0.0, colour=jitter.NONE
        )


@dataclasses.dataclass(frozen=True)
class VideoClips:
    """Source of clips from a source of videos (see `datasets.protocol`).

    `guests` is a `stills.Stills`, or None, whose objects cross the videos.
    """

    source: object
    settings: VideoSettings = VideoSettings()
    guests: object = None

    def __len__(self):
        return len(self.source)

    def clip(self, index, rng, spec):
        """A sealed clip (see `types`) of video `index`."""
        frames, labels = self._raw(index, rng, spec)
        for _ in range(self.settings.merges):
            if not (
                rng.random() < self.settings.merge
                or (self.settings.merge and not len(types.visible_ids(labels[0], 0)))
            ):
                break
            other = self._raw(rng.integers(len(self)), rng, spec)
            frames, labels = types.merge((frames, labels), other)
        if self.guests is not None and rng.random() < self.settings.guests:
            frames, labels = types.merge((frames, labels), self.guests.guests(rng, spec))
        return types.assign_slots(frames, labels, spec=spec, rng=rng)

    def _raw(self, index, rng, spec):
        """Frames uint8 [T, H, W, 3] and labels uint8 [T, H, W] of at most `max_objects` ids."""
        settings = self.settings
        header = self.source.header(index)
        usable = protocol.annotated(header)
        if not len(usable):  # nothing to segment: background, to be merged with another clip
            usable, areas = np.arange(len(header.areas)), np.zeros((len(header.areas), 0), int)
        else:
            areas = header.areas[usable]
        places = choose.by_gaps(
            areas,
            spec.frames,
            gap=settings.gap,
            rng=rng,
            reverse=settings.reverse,
            attempts=settings.attempts,
            least=settings.least_reference,
        )
        indices = usable[places]
        scale = rng.uniform(*settings.scale) * settings.short_side / min(header.size)
        flip = rng.random() < settings.flip
        once = list(dict.fromkeys(indices.tolist()))  # the end of a video is reflected
        needed = dict(zip(once, self.source.read(index, once)))
        masks = {t: _mask(encoded, header) for t, encoded in needed.items()}
        view, kept = _view(masks[int(indices[0])], scale, rng, spec, settings)
        pictures = {t: view.picture(encoded, header) for t, encoded in needed.items()}
        turned = _mirrored if flip else np.asarray
        labels = np.stack([turned(view.labels(masks[int(t)])) for t in indices])
        labels = types.keep(labels, kept)
        frames = np.empty((spec.frames, spec.height, spec.width, 3), np.uint8)
        for t, place in enumerate(indices.tolist()):
            changed = jitter.apply(pictures[place], jitter.draw(rng, settings.colour))
            frames[t] = turned(view.padded(changed, FILL))
        return frames, labels


@dataclasses.dataclass(frozen=True)
class View:
    """A window of a scaled frame: `source` (y, x, height, width) of the stored frame becomes `size`
    (height, width), which stands at `corner` (y, x) of the clip's frame `full`."""

    source: tuple
    size: tuple
    corner: tuple
    full: tuple

    def picture(self, encoded, header):
        """The window of an encoded frame, uint8 [*size, 3], decoded as small as will do."""
        y, x, height, width = self.source
        reduce = decode.reduction(max(self.size[0] / height, self.size[1] / width))
        name = f"frame {encoded.name} of {header.name}"
        image = decode.image(encoded.image, reduce=reduce, name=name)
        expected = tuple(-(-side // reduce) for side in header.size)
        if image.shape[:2] != expected:
            raise InputError(
                f"{name} is {image.shape[1] * reduce}x{image.shape[0] * reduce},"
                f" the video {header.size[1]}x{header.size[0]}: all frames of "
                "a video must have one size"
            )
        bottom, right = -(-(y + height) // reduce), -(-(x + width) // reduce)
        window = image[y // reduce : bottom, x // reduce : right]
        if window.shape[:2] == self.size:
            return np.ascontiguousarray(window)
        return cv2.resize(window, self.size[::-1], interpolation=cv2.INTER_CUBIC)

    def labels(self, mask):
        """The window of a label map, padded with background: uint8 [*full]."""
        y, x, height, width = self.source
        window = mask[y : y + height, x : x + width]
        if window.shape != self.size:
            window = cv2.resize(window, self.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return self.padded(window, 0)

    def padded(self, window, fill):
        """A window as a whole frame of the clip."""
        if self.size == self.full:
            return window
        y, x = self.corner
        bottom, right = self.full[0] - self.size[0] - y, self.full[1] - self.size[1] - x
        return cv2.copyMakeBorder(window, y, bottom, x, right, cv2.BORDER_CONSTANT, value=fill)


def window(shape, scale, full, rng):
    """A random `View` of a frame (H, W) scaled by `scale`, for a clip's frame `full` (H, W).

    A scaled side that is shorter than the clip's is taken whole and padded on both sides at random.
    """
    source, size, corner = [], [], []
    for side, wanted in zip(shape, full):
        scaled = max(1, round(side * scale))
        out = min(wanted, scaled)
        taken = min(side, max(1, round(out / scale))) if scaled > wanted else side
        source.append((int(rng.integers(side - taken + 1)), taken))
        size.append(out)
        corner.append(int(rng.integers(wanted - out + 1)))
    (y, height), (x, width) = source
    return View((y, x, height, width), tuple(size), tuple(corner), tuple(full))


def _mirrored(frame):
    return cv2.flip(frame, 1)


def _view(reference, scale, rng, spec, settings):
    """The first of a few windows that shows an object, else the last, and the ids it keeps."""
    least = types.minimum_pixels(spec.height, spec.width)
    for _ in range(settings.crops):
        view = window(reference.shape, scale, (spec.height, spec.width), rng)
        ids = types.visible_ids(view.labels(reference), least)
        if len(ids):
            break
    if len(ids) > spec.max_objects:
        ids = rng.choice(ids, spec.max_objects, replace=False)
    return view, ids


def _mask(encoded, header):
    name = f"mask {encoded.name} of {header.name}"
    if not encoded.mask:
        return np.zeros(header.size, np.uint8)
    labels = decode.mask(encoded.mask, name=name)
    if labels.shape != tuple(header.size):
        raise InputError(
            f"{name} is {labels.shape[1]}x{labels.shape[0]}, the video "
            f"{header.size[1]}x{header.size[0]}: masks must have the size of "
            "the frames"
        )
    return labels
