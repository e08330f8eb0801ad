"""AOT's clips (arXiv 2106.02638 and its public training code).

From videos: frames are chosen by gaps, scaled, cropped to a window that shows an object of the
reference, mirrored, padded, changed in colour, and often merged with a clip of another video. From
photos: every frame is a random warp of the photo, and the clip is merged with a second one.
"""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data import choose, jitter, photos, types, window
from vosjax.data import warp as warps
from vosjax.data.config import ClipsConfig, DatasetConfig
from vosjax.data.photos import PhotoSource
from vosjax.data.stills import Stills
from vosjax.data.types import Clip, ClipSpec, Labels, RawClip
from vosjax.datasets import decode
from vosjax.datasets.decode import Picture
from vosjax.datasets.protocol import Encoded, Header, Source
from vosjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class VideoSettings:
    """Probabilities and ranges of clips from videos; the defaults are those of AOT's main stage."""

    max_frame_gap: int = 3  # largest distance of two frames, in annotated frames
    reverse: float = 0.5  # probability that the video is played backward
    attempts: int = 5  # draws of the frames, see `choose.by_gaps`
    least_reference: int = 200  # object pixels that the reference must exceed
    short_side: int = 480  # pixels at scale 1
    scale: tuple[float, float] = (0.7, 1.3)  # range of the scale factor
    crops: int = 5  # windows that are tried to find one that shows an object
    flip: float = 0.5  # probability that the clip is mirrored
    merge: float = 0.3  # probability that another clip is merged into it
    merges: int = 1  # most merges, each with that probability
    guests: float = 0.0  # probability that objects from photos cross the video
    colour: jitter.Strength = jitter.NONE  # jitter.V2 in the reference's augmentation v2

    def plain(self) -> "VideoSettings":
        """Returns settings with random crops only, as in the last phase of arXiv 2206.09585.

        The gaps remain, since they belong to sampling and not to augmentation.
        """
        return dataclasses.replace(
            self, reverse=0.0, scale=(1.0, 1.0), flip=0.0, merge=0.0, guests=0.0, colour=jitter.NONE
        )


@dataclasses.dataclass(frozen=True)
class VideoClips:
    """A source of clips from videos.

        clip = VideoClips(Folder("DAVIS")).clip(0, np.random.default_rng(0), ClipSpec(5, 465, 465))

    Attributes:
        source: the videos, see `datasets.protocol`.
        settings: probabilities and ranges, see `VideoSettings`.
        guests: photos whose objects cross the videos, or None.
    """

    source: Source
    settings: VideoSettings = VideoSettings()
    guests: Stills | None = None

    def __len__(self) -> int:
        return len(self.source)

    def clip(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> Clip:
        """Makes a clip (see `types`) of video `index`."""
        frames, labels = self._raw(index, rng, spec)
        for _ in range(self.settings.merges):
            if not (
                rng.random() < self.settings.merge
                or (self.settings.merge and not len(types.visible_ids(labels[0], 0)))
            ):
                break
            other = self._raw(int(rng.integers(len(self))), rng, spec)
            frames, labels = types.merge((frames, labels), other)
        if self.guests is not None and rng.random() < self.settings.guests:
            frames, labels = types.merge((frames, labels), self.guests.guests(rng, spec))
        return types.assign_slots(frames, labels, spec=spec, rng=rng)

    def _raw(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> RawClip:
        """Returns frames uint8 [T, H, W, 3] and labels uint8 [T, H, W], at most `max_objects`."""
        settings = self.settings
        header = self.source.header(index)
        candidates = choose.candidates(header)
        chosen = choose.by_gaps(
            candidates.areas,
            spec.frames,
            max_gap=settings.max_frame_gap,
            rng=rng,
            reverse=settings.reverse,
            attempts=settings.attempts,
            least=settings.least_reference,
        )
        indices = candidates.frames[chosen].tolist()
        scale = rng.uniform(*settings.scale) * settings.short_side / min(header.size)
        flip = rng.random() < settings.flip
        distinct = list(dict.fromkeys(indices))  # reflection at the end may repeat a frame
        stored = dict(zip(distinct, self.source.read(index, distinct)))
        masks = {t: _mask(encoded, header) for t, encoded in stored.items()}
        view, kept = _view(masks[indices[0]], scale, rng, spec, settings)
        pictures = {t: view.picture(encoded, header) for t, encoded in stored.items()}
        orient: Callable[[Picture], Picture] = _mirrored if flip else np.asarray
        labels = np.stack([orient(view.labels(masks[t])) for t in indices])
        labels = types.keep(labels, kept)
        frames = np.empty((spec.frames, spec.height, spec.width, 3), np.uint8)
        for frame, t in zip(frames, indices):
            changed = jitter.apply(pictures[t], jitter.draw(rng, settings.colour))
            frame[:] = orient(view.padded(changed, warps.FILL))
        return frames, labels


def _mirrored(frame: Picture) -> Picture:
    return cv2.flip(frame, 1)


def _view(
    reference: Labels,
    scale: float,
    rng: np.random.Generator,
    spec: ClipSpec,
    settings: VideoSettings,
) -> tuple[window.View, npt.NDArray[np.intp]]:
    """Draws windows until one shows an object; returns the last one and the ids that it keeps."""
    least = types.minimum_pixels(spec.height, spec.width)
    height, width = reference.shape
    for _ in range(settings.crops):
        view = window.draw((height, width), scale, (spec.height, spec.width), rng)
        ids = types.visible_ids(view.labels(reference), least)
        if len(ids):
            break
    if len(ids) > spec.max_objects:
        ids = rng.choice(ids, spec.max_objects, replace=False)
    return view, ids


def _mask(encoded: Encoded, header: Header) -> Labels:
    name = f"mask {encoded.name} of {header.name}"
    if not encoded.mask:
        return np.zeros(header.size, np.uint8)
    labels = decode.mask(encoded.mask, name=name)
    if labels.shape != header.size:
        raise InputError(
            f"{name} is {labels.shape[1]}x{labels.shape[0]}, the video "
            f"{header.size[1]}x{header.size[0]}: masks must have the size of "
            "the frames"
        )
    return labels


@dataclasses.dataclass(frozen=True)
class StaticSettings:
    """Probabilities and ranges of clips from photos; the defaults are AOT's for pre-training."""

    warp: warps.Warp = warps.Warp()
    colour: jitter.Strength = jitter.STATIC_V1  # jitter.V2 in the reference's augmentation v2
    merge: float = 1.0  # probability that two clips are merged


@dataclasses.dataclass(frozen=True)
class StaticClips:
    """A source of clips from photos, exactly as published.

        clips = StaticClips(photos.pairs("stills"))
        clip = clips.clip(0, np.random.default_rng(0), ClipSpec(5, 465, 465))

    (`stills.Stills` also lifts objects off their background and sets them in motion.)

    Attributes:
        photos: the photos, see `photos.PhotoSource`.
        settings: probabilities and ranges, see `StaticSettings`.
    """

    photos: PhotoSource
    settings: StaticSettings = StaticSettings()

    def __len__(self) -> int:
        return len(self.photos)

    def clip(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> Clip:
        """Makes a clip (see `types`) whose main photo is `photos[index]`."""
        raw = self._raw(index, rng, spec)
        if rng.random() < self.settings.merge or not len(types.visible_ids(raw[1][0], 0)):
            raw = types.merge(raw, self._raw(int(rng.integers(len(self))), rng, spec))
        return types.assign_slots(*raw, spec=spec, rng=rng)

    def _raw(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> RawClip:
        photo = photos.read(
            *self.photos[int(index)],
            enlarge=False,
            short_side=round(1.2 * max(spec.height, spec.width)),
        )
        frames, labels = warps.warped(photo, rng, spec, self.settings.warp)
        for t, frame in enumerate(frames):
            frames[t] = jitter.apply(frame, jitter.draw(rng, self.settings.colour))
        ids = types.visible_ids(labels[0], 0)
        if len(ids) > spec.max_objects:
            ids = rng.choice(ids, spec.max_objects, replace=False)
        return frames, types.keep(labels, np.asarray(ids, int))


def of_videos(source: Source, dataset: DatasetConfig, config: ClipsConfig) -> VideoClips:
    """Returns a source of AOT's clips from videos; `config.plain` leaves random crops only.

    clips = of_videos(source, DatasetConfig("YTB"), ClipsConfig())
    """
    settings = VideoSettings(
        max_frame_gap=dataset.max_frame_gap,
        merge=config.merge,
        colour=jitter.V2 if config.colour else jitter.NONE,
    )
    return VideoClips(source, settings.plain() if config.plain else settings)


def of_photos(source: PhotoSource, dataset: DatasetConfig, config: ClipsConfig) -> StaticClips:
    """Returns a source of AOT's clips from photos.

    clips = of_photos(source, DatasetConfig("COCO"), ClipsConfig())
    """
    colour = jitter.V2 if config.colour else jitter.STATIC_V1
    return StaticClips(source, StaticSettings(colour=colour))
