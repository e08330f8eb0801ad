"""Training clips by STCN's recipe (arXiv 2106.05210 and its public code): three frames of up to two
objects, from videos with a growing skip, or from stills with warps of their own.

"Sequence" changes share their random numbers over the frames, "pair" changes have new ones in
every frame and share them between image and mask.
"""

import dataclasses

import cv2
import numpy as np

from vosjax.data import choose, jitter, photos, types, warp
from vosjax.data.synthetic import motion
from vosjax.data.warp import FILL
from vosjax.datasets import decode
from vosjax.datasets import protocol as protocol


@dataclasses.dataclass(frozen=True)
class StcnVideoSettings:
    """Probabilities and ranges of clips from videos; the values are STCN's."""

    skip: int = 5  # the largest skip, in stored annotated frames
    reverse: float = 0.5
    attempts: int = 5
    flip: float = 0.5
    crop_area: tuple[float, float] = (0.36, 1.0)
    crop_aspect: tuple[float, float] = (3 / 4, 4 / 3)
    sequence_colour: jitter.Strength = jitter.Strength(0.1, 0.03, 0.03, 0.0, grey=0.05)
    angle: float = 15.0  # degrees, +-
    shear: float = 10.0  # degrees, +-
    pair_colour: jitter.Strength = jitter.Strength(0.01, 0.01, 0.01, 0.0)


@dataclasses.dataclass(frozen=True)
class StcnVideoClips:
    """Source of clips from a source of videos (see `datasets.protocol`)."""

    source: object
    settings: StcnVideoSettings = StcnVideoSettings()

    def __len__(self):
        return len(self.source)

    def clip(self, index, rng, spec):
        """A sealed clip (see `types`) of video `index`, of at most `spec.max_objects` objects.

        Frames are chosen anew, a few times, while the first one shows no object.
        """
        settings = self.settings
        header = self.source.header(index)
        usable = protocol.annotated(header)
        usable = usable if len(usable) else np.arange(len(header.areas))
        for _ in range(settings.attempts):
            places = usable[
                choose.by_skip(
                    len(usable), spec.frames, skip=settings.skip, rng=rng, reverse=settings.reverse
                )
            ]
            frames, labels = self._warped(index, places, header, rng, spec)
            if len(types.visible_ids(labels[0], 0)):
                break
        return types.assign_slots(frames, labels, spec=spec, rng=rng, least=0)

    def _warped(self, index, places, header, rng, spec):
        settings, size = self.settings, (spec.height, spec.width)
        whole = warp.resized_crop(
            rng, header.size, size, area=settings.crop_area, aspect=settings.crop_aspect
        )
        if rng.random() < settings.flip:
            whole = motion.shift(spec.width, 0) @ np.diag([-1.0, 1.0, 1.0]) @ whole
        shared = jitter.draw(rng, settings.sequence_colour)
        reduce = decode.reduction(np.abs(whole[[0, 1], [0, 1]]).max())
        frames = np.empty((len(places), *size, 3), np.uint8)
        labels = np.zeros((len(places), *size), np.uint8)
        for t, encoded in enumerate(self.source.read(index, places)):
            image = decode.image(
                encoded.image, reduce=reduce, name=f"frame {encoded.name} of {header.name}"
            )
            frame = _affine(image, whole @ _enlarged(reduce), size)
            frame = jitter.apply(frame, shared)
            turn = motion.about(
                (spec.width / 2, spec.height / 2),
                motion.linear(
                    rng.uniform(-1, 1) * settings.angle,
                    1.0,
                    shear=np.tan(np.deg2rad(rng.uniform(-1, 1) * settings.shear)),
                ),
            )
            frame = _affine(frame, turn, size, FILL)
            frames[t] = jitter.apply(frame, jitter.draw(rng, settings.pair_colour))
            if encoded.mask:
                mask = decode.mask(encoded.mask, name=f"mask {encoded.name} of {header.name}")
                labels[t] = _nearest(_nearest(mask, whole, size), turn, size)
        return frames, labels


@dataclasses.dataclass(frozen=True)
class StcnStillSettings:
    """Probabilities and ranges of clips from stills; the values are STCN's."""

    sequence_scale: tuple[float, float] = (0.8, 1.5)
    flip: float = 0.5
    sequence_colour: jitter.Strength = jitter.Strength(0.1, 0.05, 0.05, 0.05, grey=0.05)
    angle: float = 20.0  # degrees, +-
    scale: tuple[float, float] = (0.9, 1.1)
    shear: float = 10.0  # degrees, +-
    pair_colour: jitter.Strength = jitter.Strength(0.1, 0.05, 0.05, 0.0)
    spline: float = 0.33  # probability of a thin-plate-spline warp
    controls: int = 12  # its control points
    push: float = 0.02  # their deviation, relative to the frame


@dataclasses.dataclass(frozen=True)
class StcnStillClips:
    """Source of clips from photos; `photos[i]` is (image, mask), paths or encoded bytes."""

    photos: object
    settings: StcnStillSettings = StcnStillSettings()

    def __len__(self):
        return len(self.photos)

    def clip(self, index, rng, spec):
        """A sealed clip (see `types`) of one photo: its objects are one, as STCN's salient sets.

        All affine changes of a frame make one warp.
        """
        settings, size = self.settings, (spec.height, spec.width)
        image, ids = photos.read(
            *self.photos[int(index)], enlarge=False, short_side=round(1.2 * max(size))
        )
        ids = np.where(ids == types.IGNORE, ids, (ids > 0).astype(np.uint8))
        height, width = ids.shape
        centre = (width / 2, height / 2)
        whole = motion.about(centre, motion.linear(0.0, rng.uniform(*settings.sequence_scale)))
        if rng.random() < settings.flip:
            whole = motion.shift(width, 0) @ np.diag([-1.0, 1.0, 1.0]) @ whole
        shared = jitter.draw(rng, settings.sequence_colour)
        fit = max(size[0] / height, size[1] / width)
        frames = np.empty((spec.frames, *size, 3), np.uint8)
        labels = np.empty((spec.frames, *size), np.uint8)
        for t in range(spec.frames):
            moved = motion.linear(
                rng.uniform(-1, 1) * settings.angle,
                rng.uniform(*settings.scale),
                shear=np.tan(np.deg2rad(rng.uniform(-1, 1) * settings.shear)),
            )
            spare_y, spare_x = height * fit - size[0], width * fit - size[1]
            crop = motion.shift(-rng.uniform(0, 1) * spare_x, -rng.uniform(0, 1) * spare_y)
            place = crop @ np.diag([fit, fit, 1.0]) @ motion.about(centre, moved) @ whole
            frame = _affine(image, place, size, FILL)
            label = _nearest(ids, place, size)
            if rng.random() < settings.spline:
                frame, label = _bent(frame, label, rng, settings)
            frame = jitter.apply(frame, shared)
            frames[t] = jitter.apply(frame, jitter.draw(rng, settings.pair_colour))
            labels[t] = label
        return types.assign_slots(frames, labels, spec=spec, rng=rng, least=0)


def spline(points, values, at):
    """A thin-plate spline [..., K] at `at` [..., 2] that takes `values` [C, K] at `points` [C, 2].

    It is an affine map plus a sum of r^2 log r^2 over the distances r to the points.
    """
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(points, points)
    system[:count, count:] = np.column_stack([np.ones(count), points])
    system[count:, :count] = system[:count, count:].T
    right = np.zeros((count + 3, values.shape[1]))
    right[:count] = values
    weights = np.linalg.lstsq(system, right, rcond=None)[0]  # points may coincide
    bent = _kernel(at, points) @ weights[:count]
    return bent + weights[count] + at @ weights[count + 1 :]


def _kernel(at, points):
    squared = ((at[..., None, :] - points) ** 2).sum(-1)
    return squared * np.log(np.maximum(squared, 1e-12))


def _bent(frame, label, rng, settings):
    """Frame and label under one random thin-plate-spline warp."""
    height, width = label.shape
    points = rng.uniform(0, 1, (settings.controls, 2))
    pushed = points + settings.push * rng.standard_normal(points.shape)
    rows, columns = -(-height // 16) + 1, -(-width // 16) + 1  # smooth: every 16th pixel will do
    x, y = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    coarse = spline(points, pushed, np.stack([x, y], -1)).astype(np.float32)
    matrix = np.array([[(columns - 1) / (width - 1), 0, 0], [0, (rows - 1) / (height - 1), 0]])
    fine = cv2.warpAffine(
        coarse,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    fine *= np.float32([width - 1, height - 1])
    return (
        cv2.remap(frame, fine, None, cv2.INTER_LINEAR, borderValue=FILL),
        cv2.remap(label, fine, None, cv2.INTER_NEAREST, borderValue=0),
    )


def _enlarged(factor):
    """Reduced picture's pixels -> full pixels."""
    return np.diag([factor, factor, 1.0])


def _pixels(place):
    """A map of the plane (pixel centres at halves) as cv2 wants it (centres at whole numbers)."""
    return (motion.shift(-0.5, -0.5) @ place @ motion.shift(0.5, 0.5))[:2]


def _affine(image, place, size, fill=FILL):
    return cv2.warpAffine(
        image, _pixels(place), size[::-1], flags=cv2.INTER_CUBIC, borderValue=fill
    )


def _nearest(labels, place, size):
    return cv2.warpAffine(
        labels, _pixels(place), size[::-1], flags=cv2.INTER_NEAREST, borderValue=0
    )
