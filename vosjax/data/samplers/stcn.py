"""STCN's clips (arXiv 2106.05210 and its public code): three frames of up to two objects.

They come from videos, with a skip that first grows and then falls, or from stills, of which every
frame is a random warp. "Sequence" augmentation shares its random numbers over the frames of a clip;
"pair" augmentation draws new ones for every frame and shares them between image and mask.
"""

import dataclasses

import cv2
import numpy as np

from vosjax.data import choose, jitter, photos, types, warp
from vosjax.data.config import ClipsConfig, DatasetConfig
from vosjax.data.photos import PhotoSource
from vosjax.data.spline import bend
from vosjax.data.synthetic import motion
from vosjax.data.types import Clip, ClipSpec, Labels, RawClip
from vosjax.data.warp import FILL, Transform
from vosjax.datasets import decode
from vosjax.datasets.decode import Picture
from vosjax.datasets.protocol import Header, Source


@dataclasses.dataclass(frozen=True)
class StcnVideoSettings:
    """Probabilities and ranges of clips from videos; the defaults are STCN's."""

    skip: int = 5  # the largest skip, in stored annotated frames
    reverse: float = 0.5  # probability that the clip is played backward
    attempts: int = 5  # draws of the frames until the first one shows an object
    flip: float = 0.5  # probability that the clip is mirrored
    crop_area: tuple[float, float] = (0.36, 1.0)  # as a share of the frame's area
    crop_aspect: tuple[float, float] = (3 / 4, 4 / 3)  # width over height
    sequence_colour: jitter.Strength = jitter.Strength(0.1, 0.03, 0.03, 0.0, grey=0.05)
    angle: float = 15.0  # degrees, +-
    shear: float = 10.0  # degrees, +-
    pair_colour: jitter.Strength = jitter.Strength(0.01, 0.01, 0.01, 0.0)


@dataclasses.dataclass(frozen=True)
class StcnVideoClips:
    """A source of STCN's clips from videos.

        clips = StcnVideoClips(Folder("DAVIS"))
        clip = clips.clip(0, np.random.default_rng(0), ClipSpec(3, 384, 384, max_objects=2))

    Attributes:
        source: the videos, see `datasets.protocol`.
        settings: probabilities and ranges, see `StcnVideoSettings`.
    """

    source: Source
    settings: StcnVideoSettings = StcnVideoSettings()

    def __len__(self) -> int:
        return len(self.source)

    def clip(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> Clip:
        """Makes a clip (see `types`) of video `index` with at most `spec.max_objects` objects.

        While the first frame shows no object, the frames are drawn again, up to
        `settings.attempts` times.
        """
        settings = self.settings
        header = self.source.header(index)
        candidates = choose.candidates(header).frames
        for _ in range(settings.attempts):
            chosen = choose.by_skip(
                len(candidates), spec.frames, skip=settings.skip, rng=rng, reverse=settings.reverse
            )
            frames, labels = self._warped(index, candidates[chosen].tolist(), header, rng, spec)
            if len(types.visible_ids(labels[0], 0)):
                break
        return types.assign_slots(frames, labels, spec=spec, rng=rng, least=0)

    def _warped(
        self,
        index: int,
        indices: list[int],
        header: Header,
        rng: np.random.Generator,
        spec: ClipSpec,
    ) -> RawClip:
        settings, size = self.settings, (spec.height, spec.width)
        whole = warp.resized_crop(
            rng, header.size, size, area=settings.crop_area, aspect=settings.crop_aspect
        )
        if rng.random() < settings.flip:
            whole = motion.shift(spec.width, 0) @ np.diag([-1.0, 1.0, 1.0]) @ whole
        shared = jitter.draw(rng, settings.sequence_colour)
        reduce = decode.reduction(np.abs(whole[[0, 1], [0, 1]]).max())
        frames = np.empty((len(indices), *size, 3), np.uint8)
        labels = np.zeros((len(indices), *size), np.uint8)
        for t, encoded in enumerate(self.source.read(index, indices)):
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
            frame = _affine(frame, turn, size)
            frames[t] = jitter.apply(frame, jitter.draw(rng, settings.pair_colour))
            if encoded.mask:
                mask = decode.mask(encoded.mask, name=f"mask {encoded.name} of {header.name}")
                labels[t] = _nearest(_nearest(mask, whole, size), turn, size)
        return frames, labels


@dataclasses.dataclass(frozen=True)
class StcnStillSettings:
    """Probabilities and ranges of clips from stills; the defaults are STCN's."""

    sequence_scale: tuple[float, float] = (0.8, 1.5)
    flip: float = 0.5  # probability that the clip is mirrored
    sequence_colour: jitter.Strength = jitter.Strength(0.1, 0.05, 0.05, 0.05, grey=0.05)
    angle: float = 20.0  # degrees, +-
    scale: tuple[float, float] = (0.9, 1.1)
    shear: float = 10.0  # degrees, +-
    pair_colour: jitter.Strength = jitter.Strength(0.1, 0.05, 0.05, 0.0)
    spline: float = 0.33  # probability of a thin-plate-spline warp
    controls: int = 12  # its control points
    push: float = 0.02  # standard deviation of their displacements, relative to the frame


@dataclasses.dataclass(frozen=True)
class StcnStillClips:
    """A source of STCN's clips from photos.

        clips = StcnStillClips(photos.pairs("stills"))
        clip = clips.clip(0, np.random.default_rng(0), ClipSpec(3, 384, 384, max_objects=2))

    Attributes:
        photos: the photos, see `photos.PhotoSource`.
        settings: probabilities and ranges, see `StcnStillSettings`.
    """

    photos: PhotoSource
    settings: StcnStillSettings = StcnStillSettings()

    def __len__(self) -> int:
        return len(self.photos)

    def clip(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> Clip:
        """Makes a clip (see `types`) of one photo, whose objects count as one.

        STCN trains on sets for salient object detection, which mark one region in each photo. All
        affine transforms of a frame are composed into one matrix, so that it is resampled once.
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
            transform = crop @ np.diag([fit, fit, 1.0]) @ motion.about(centre, moved) @ whole
            frame = _affine(image, transform, size)
            label = _nearest(ids, transform, size)
            if rng.random() < settings.spline:
                frame, label = bend(
                    frame, label, rng, controls=settings.controls, push=settings.push
                )
            frame = jitter.apply(frame, shared)
            frames[t] = jitter.apply(frame, jitter.draw(rng, settings.pair_colour))
            labels[t] = label
        return types.assign_slots(frames, labels, spec=spec, rng=rng, least=0)


def of_videos(source: Source, dataset: DatasetConfig, config: ClipsConfig) -> StcnVideoClips:
    """Returns a source of STCN's clips from videos.

        clips = of_videos(source, DatasetConfig("YTB"), ClipsConfig())

    `config.skip` counts frames of the full rate, so it is divided by `dataset.thin`.
    """

    skip = max(1, config.skip // dataset.thin)
    return StcnVideoClips(source, StcnVideoSettings(skip=skip))


def of_photos(source: PhotoSource, dataset: DatasetConfig, config: ClipsConfig) -> StcnStillClips:
    """Returns a source of STCN's clips from photos.

    clips = of_photos(source, DatasetConfig("ECSSD"), ClipsConfig())
    """
    return StcnStillClips(source)


def _enlarged(factor: int) -> Transform:
    """Returns the transform from the pixels of a reduced picture to those of the full one."""
    return np.diag([factor, factor, 1.0])


def _pixels(transform: Transform) -> Transform:
    """Converts a transform (pixel centres at halves) to cv2's [2, 3] (centres at integers)."""
    return (motion.shift(-0.5, -0.5) @ transform @ motion.shift(0.5, 0.5))[:2]


def _affine(image: Picture, transform: Transform, size: tuple[int, int]) -> Picture:
    return cv2.warpAffine(
        image, _pixels(transform), size[::-1], flags=cv2.INTER_CUBIC, borderValue=FILL
    )


def _nearest(labels: Labels, transform: Transform, size: tuple[int, int]) -> Labels:
    return cv2.warpAffine(
        labels, _pixels(transform), size[::-1], flags=cv2.INTER_NEAREST, borderValue=0
    )
