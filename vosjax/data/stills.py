"""Training clips from single photos with instance masks, in a mixture of two styles.

*Independent*: AOT's static pre-training (arXiv 2106.02638 and its public code), where every frame
is a random affine copy of the photo of its own, and two such clips are merged. *Coherent*: the
photo's objects are lifted off an inpainted background, objects of other photos join them, and all
of them move on smooth paths, deform, cross each other, leave the frame and come back.
"""

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.data import photos, types
from vosjax.data import warp as warps
from vosjax.data.photos import Photo, PhotoSource
from vosjax.data.synthetic import colour as colours
from vosjax.data.synthetic import motion, rendered, shapes
from vosjax.data.synthetic import scene as scenes
from vosjax.data.types import Clip, ClipSpec, RawClip
from vosjax.data.warp import Transform
from vosjax.schema import Checked, setting

Times = npt.NDArray[np.float64]  # [T]


@dataclasses.dataclass(frozen=True)
class StillsSettings(Checked):
    """Probabilities and ranges of clips from photos.

    The defaults of the independent style are those of AOT's static pre-training.
    """

    coherent: float = setting(0.75, "share of clips in the coherent style", least=0, most=1)
    scene: scenes.Scene = setting(scenes.Scene(), "what happens in a coherent clip")
    colour: colours.Colour = setting(colours.Colour(), "colour augmentation")
    # independent style
    warp: warps.Warp = setting(warps.Warp(), "the warp of each frame, in the independent style")
    frame_jitter: float = setting(
        0.4, "colour jitter of single frames in that style, relative to `colour`", least=0
    )
    merge: float = setting(1.0, "probability that two clips are merged", least=0, most=1)
    # coherent style
    lift: float = setting(
        0.65, "probability that the photo's own objects move on their own", least=0, most=1
    )
    pasted: int = setting(3, "largest number of objects pasted from other photos", least=1)
    crowd: float = setting(
        0.0, "probability of a crowd: many small objects from similar photos", least=0, most=1
    )
    crowd_count: tuple[int, int] = setting(
        (5, 9), "range of the number of objects in a crowd, inclusive", least=1
    )
    crowd_size: tuple[float, float] = setting(
        (0.12, 0.5),
        "range of the longer side of a crowd's objects, as a share of the frame's",
        above=0,
    )
    kin: int = setting(
        40, "photos at most this far apart in the list sorted by name count as similar", least=0
    )
    pasted_size: tuple[float, float] = setting(
        (0.2, 0.9),
        "range of the longer side of pasted objects, as a share of the frame's",
        above=0,
    )
    least_area: float = setting(
        0.004, "objects below this share of their photo's area are not cut out", least=0, most=1
    )
    zoom: tuple[float, float] = setting(
        (1.0, 1.8), "range of the factor by which the photo is enlarged to fill the frame", above=0
    )
    figure: float = setting(
        0.2, "probability of a rendered object in front of the photo", least=0, most=1
    )
    occluder: float = setting(
        0.25, "probability of an unlabelled occluder with the texture of a photo", least=0, most=1
    )


@dataclasses.dataclass(frozen=True)
class Stills:
    """A source of clips from photos.

        clips = Stills(photos.pairs("stills"))
        clip = clips.clip(0, np.random.default_rng(0), ClipSpec(3, 193, 193))

    Attributes:
        photos: the photos, see `photos.PhotoSource`.
        settings: probabilities and ranges, see `StillsSettings`.
    """

    photos: PhotoSource
    settings: StillsSettings = StillsSettings()

    def __len__(self) -> int:
        return len(self.photos)

    def clip(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> Clip:
        """Makes a clip (see `types`) whose main photo is `photos[index]`."""
        if rng.random() < self.settings.coherent:
            frames, labels, when = self._coherent(index, rng, spec)
            colour = self.settings.colour
        else:
            frames, labels = self._independent(index, rng, spec)
            when = np.arange(spec.frames, dtype=float)
            colour = self.settings.colour._replace(frame_jitter=self.settings.frame_jitter)
        frames = colours.alter(frames, when=when, colour=colour, rng=rng)
        return types.assign_slots(frames, labels, spec=spec, rng=rng)

    def guests(self, rng: np.random.Generator, spec: ClipSpec) -> RawClip:
        """Makes a clip of moving objects without a background, for `types.merge`.

        Returns:
            Frames uint8 [T, H, W, 3], black outside of the objects, and raw labels uint8
            [T, H, W].
        """
        size = (spec.height, spec.width)
        actors = self._pasted(int(rng.integers(len(self))), rng, spec, group=1, fewest=1)
        actors = scenes.add_copies(rng, actors, size=size, scene=self.settings.scene)
        nothing = np.zeros((*size, 3), np.uint8), np.eye(3)
        frames, labels, when = scenes.animate(
            nothing, actors, spec=spec, scene=self.settings.scene, rng=rng
        )
        return colours.alter(frames, when=when, colour=self.settings.colour, rng=rng), labels

    def _photo(self, index: int, spec: ClipSpec) -> Photo:
        return photos.load(
            *self.photos[index],
            short_side=round(1.2 * max(spec.height, spec.width)),
            least_area=self.settings.least_area,
        )

    def _independent(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> RawClip:
        photo = self._photo(index, spec)
        raw = warps.warped((photo.image, photo.ids), rng, spec, self.settings.warp)
        if rng.random() < self.settings.merge or not raw[1][0].any():
            other = self._photo(int(rng.integers(len(self))), spec)
            frames, labels = warps.warped((other.image, other.ids), rng, spec, self.settings.warp)
            ids = types.visible_ids(labels, 0)
            room = types.IGNORE - 1 - len(types.visible_ids(raw[1], 0))
            if len(ids) > room:  # more objects than a clip has ids for
                labels = types.keep(labels, ids[:room])
            raw = types.merge(raw, (frames, labels))
        return raw

    def _coherent(
        self, index: int, rng: np.random.Generator, spec: ClipSpec
    ) -> tuple[types.Frames, types.Labels, Times]:
        settings, size = self.settings, (spec.height, spec.width)
        photo = self._photo(index, spec)
        height, width = photo.ids.shape
        base = _framed(rng, (height, width), size, settings.zoom)
        lift = rng.random() < settings.lift
        actors = []
        if lift:
            actors = [
                scenes.Actor(patch, i, base @ motion.shift(*corner), group=i, rank=i / 256)
                for i, patch, corner in photo.cutouts
            ]
        group = 1 + int(photo.ids[photo.ids < types.IGNORE].max(initial=0))
        actors += self._pasted(index, rng, spec, group=group, fewest=0 if photo.cutouts else 1)
        group = max([group, *(1 + actor.group for actor in actors)])
        if rng.random() < settings.figure:
            share = np.exp(rng.uniform(*np.log(settings.pasted_size)))
            actors += rendered.figure(
                rng,
                size=size,
                share=share,
                label=group,
                group=group,
                rank=rng.uniform(0, 1),
                jointed=rng.random() < 0.5,
            )
        actors = scenes.add_copies(rng, actors, size=size, scene=settings.scene)
        if rng.random() < settings.occluder:
            actors.append(self._occluder(rng, spec))
        plate = (photo.filled if lift else photo.image, base)
        return scenes.animate(
            plate, actors, spec=spec, scene=settings.scene, rng=rng, ids=None if lift else photo.ids
        )

    def _pasted(
        self, index: int, rng: np.random.Generator, spec: ClipSpec, *, group: int, fewest: int
    ) -> list[scenes.Actor]:
        """Cuts actors out of other photos; their groups and labels count from `group` on."""
        settings, size = self.settings, (spec.height, spec.width)
        crowd = settings.crowd > 0 and rng.random() < settings.crowd
        low, high = settings.crowd_count if crowd else (fewest, settings.pasted)
        actors = []
        for _ in range(rng.integers(low, high + 1)):
            near = int(rng.integers(index - settings.kin, index + settings.kin + 1))
            other = near % len(self) if crowd else int(rng.integers(len(self)))
            donor = self._photo(other, spec)
            if not donor.cutouts:
                continue
            _, patch, _ = donor.cutouts[rng.integers(len(donor.cutouts))]
            span = settings.crowd_size if crowd else settings.pasted_size
            share = np.exp(rng.uniform(*np.log(span)))
            patch = fitted(patch, share * max(size))
            base = scenes.placed(rng, patch, size=size, share=share)
            actors.append(scenes.Actor(patch, group, base, group, rng.uniform(0, 1)))
            group += 1
        return actors

    def _occluder(self, rng: np.random.Generator, spec: ClipSpec) -> scenes.Actor:
        """Makes an unlabelled actor in front of most others: a shape with a photo's texture."""
        size = (spec.height, spec.width)
        share = rng.uniform(0.15, 0.5)
        alpha = shapes.opacity(
            shapes.OUTLINES[rng.integers(len(shapes.OUTLINES))](rng), round(share * max(size))
        )
        photo = self._photo(int(rng.integers(len(self))), spec).filled
        height, width = alpha.shape
        y, x = (
            rng.integers(0, photo.shape[0] - height + 1),
            rng.integers(0, photo.shape[1] - width + 1),
        )
        patch = np.dstack([photo[y : y + height, x : x + width], alpha])
        base = scenes.placed(rng, patch, size=size, share=share)
        return scenes.Actor(patch, 0, base, group=-1, rank=1.5)


def fitted(patch: npt.NDArray[np.uint8], longest: float) -> npt.NDArray[np.uint8]:
    """Shrinks a patch, uint8 [h, w, 4], to a longer side of about `longest` pixels.

        small = fitted(patch, longest=200)

    Warps do not smooth, so a patch that is shown much smaller is shrunk before. A patch of less
    than about 1.4 times that size is returned as it is.
    """
    height, width = patch.shape[:2]
    factor = longest / max(height, width)
    if factor > 0.7:
        return patch
    if factor * min(height, width) < 1:  # a thread: OpenCV would leave nothing of it
        size = max(1, round(factor * width)), max(1, round(factor * height))
        return cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(patch, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _framed(
    rng: np.random.Generator,
    shape: tuple[int, int],
    size: tuple[int, int],
    zoom: tuple[float, float],
) -> Transform:
    """Returns a transform [3, 3] by which a random part of a photo (h, w) fills a frame (H, W)."""
    scale = max(size[0] / shape[0], size[1] / shape[1]) * rng.uniform(*zoom)
    spare_y, spare_x = shape[0] * scale - size[0], shape[1] * scale - size[1]
    base = motion.shift(-rng.uniform(0, 1) * spare_x, -rng.uniform(0, 1) * spare_y) @ motion.linear(
        0.0, scale
    )
    if rng.random() < 0.5:
        base = base @ motion.shift(shape[1], 0) @ np.diag([-1.0, 1.0, 1.0])
    return base
