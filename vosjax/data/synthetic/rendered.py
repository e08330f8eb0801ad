"""Rendered clips, which need no data: textured shapes and jointed figures over textured plates."""

import dataclasses

import numpy as np

from vosjax.data import types
from vosjax.data.synthetic import colour as colours
from vosjax.data.synthetic import motion, shapes, textures
from vosjax.data.synthetic import scene as scenes
from vosjax.data.synthetic.motion import HeightWidth, Transform
from vosjax.data.synthetic.sprites import Patch
from vosjax.data.types import Clip, ClipSpec
from vosjax.datasets.decode import Picture
from vosjax.schema import Checked, setting


@dataclasses.dataclass(frozen=True)
class RenderedSettings(Checked):
    """Probabilities and ranges of rendered clips."""

    objects: tuple[int, int] = setting((1, 5), "range of the number of objects", least=1)
    size: tuple[float, float] = setting(
        (0.2, 0.8), "range of an object's longer side, as a share of the frame's", above=0
    )
    crowd: float = setting(0.0, "probability of many small objects", least=0, most=1)
    crowd_count: tuple[int, int] = setting(
        (6, 10), "range of the number of objects in a crowd, inclusive", least=1
    )
    crowd_size: tuple[float, float] = setting(
        (0.12, 0.4),
        "range of the longer side of a crowd's objects, as a share of the frame's",
        above=0,
    )
    jointed: float = setting(
        0.35, "probability that an object is a body with limbs", least=0, most=1
    )
    scenery: int = setting(4, "largest number of unlabelled shapes in the background", least=0)
    scene: scenes.Scene = setting(scenes.Scene(), "what happens in a clip")
    colour: colours.Colour = setting(colours.Colour(), "colour augmentation")


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A source of any number of rendered clips.

        clip = Rendered().clip(0, np.random.default_rng(0), ClipSpec(5, 240, 432))

    A clip depends on the random generator alone, not on its index.

    Attributes:
        settings: of the clips.
        least: pixels that an object must exceed in frame 0, see `types.assign_slots`.
    """

    settings: RenderedSettings = RenderedSettings()
    least: int | None = None

    def __len__(self) -> int:
        return 1 << 20

    def clip(self, index: int, rng: np.random.Generator, spec: ClipSpec) -> Clip:
        """Renders a clip (see `types`)."""
        settings, size = self.settings, (spec.height, spec.width)
        crowd = settings.crowd > 0 and rng.random() < settings.crowd
        low, high = settings.crowd_count if crowd else settings.objects
        actors: list[scenes.Actor] = []
        for label in range(1, rng.integers(low, high + 1) + 1):
            share = np.exp(rng.uniform(*np.log(settings.crowd_size if crowd else settings.size)))
            actors += figure(
                rng,
                size=size,
                share=share,
                label=label,
                group=label,
                rank=rng.uniform(0, 1),
                jointed=rng.random() < settings.jointed,
            )
        actors = scenes.add_copies(rng, actors, size=size, scene=settings.scene)
        actors += _scenery(rng, size, settings.scenery)
        frames, labels, when = scenes.animate(
            _backdrop(rng, size), actors, spec=spec, scene=settings.scene, rng=rng
        )
        frames = colours.alter(frames, when=when, colour=settings.colour, rng=rng)
        return types.assign_slots(frames, labels, spec=spec, rng=rng, least=self.least)


def render_clip(
    seed: int,
    *,
    size: HeightWidth,
    frames: int,
    objects: int,
    settings: RenderedSettings = RenderedSettings(),
    max_objects: int = 10,
    shuffle: bool = True,
    least: int | None = None,
) -> Clip:
    """Renders one clip (see `types`), determined by its seed.

        clip = render_clip(3, size=(240, 432), frames=20, objects=2)

    The random numbers are NumPy's and the same everywhere; single pixels may differ between builds
    of OpenCV.

    Args:
        seed: seed of all random numbers.
        size: (H, W) of the frames.
        frames: number of frames.
        objects: number of objects; those that are hidden in frame 0 do not become live.
        settings: everything else.
        max_objects: number of slots.
        shuffle: as in `types.ClipSpec`.
        least: pixels that an object must exceed in frame 0; None takes `types.minimum_pixels`.

    Raises:
        ValueError: `objects` is not in 1..max_objects.
    """
    if not 1 <= objects <= max_objects:
        raise ValueError(f"objects is {objects}; expected 1 to max_objects = {max_objects}")
    spec = types.ClipSpec(frames, *size, max_objects, shuffle)
    settings = dataclasses.replace(settings, objects=(objects, objects))
    return Rendered(settings, least).clip(0, np.random.default_rng(seed), spec)


def validation_clips(
    count: int, *, size: HeightWidth = (240, 432), frames: int = 20, max_objects: int = 10
) -> list[Clip]:
    """Renders `count` fixed clips for validation during training.

        validation_clips(4, size=(193, 193), frames=8)

    Each holds 1 to 4 objects, or 1 to `max_objects` if that is less.
    """
    return [
        render_clip(
            7_000_000 + i,
            size=size,
            frames=frames,
            objects=1 + i % min(4, max_objects),
            max_objects=max_objects,
            shuffle=False,
        )
        for i in range(count)
    ]


def figure(
    rng: np.random.Generator,
    *,
    size: HeightWidth,
    share: float,
    label: int,
    group: int,
    rank: float,
    jointed: bool,
) -> list[scenes.Actor]:
    """Draws the actors of one object: a textured shape, or a body with two to five swinging limbs.

        actors = figure(rng, size=(240, 432), share=0.4, label=1, group=1, rank=0.5, jointed=True)

    Args:
        rng: draws the object.
        size: (H, W) of the frame.
        share: longer side of the object, as a share of the frame's.
        label, group, rank: as in `scene.Actor`.
        jointed: whether it is a body with limbs.
    """
    side = round(share * max(size))
    if not jointed:
        outline = shapes.OUTLINES[rng.integers(len(shapes.OUTLINES))](rng)
        patch = _textured(rng, outline, max(side, 16))
        return [
            scenes.Actor(
                patch, label, scenes.placed(rng, patch, size=size, share=share), group, rank
            )
        ]
    body_side = max(round(0.55 * side), 16)
    body = _textured(rng, (shapes.ellipse if rng.random() < 0.5 else shapes.blob)(rng), body_side)
    base = scenes.placed(rng, body, size=size, share=body_side / max(size))
    height, width = body.shape[:2]
    actors = [scenes.Actor(body, label, base, group, rank)]
    for i in range(rng.integers(2, 6)):
        long = max(round(rng.uniform(0.3, 0.6) * side), 16)
        patch = _textured(rng, shapes.limb(rng), long)
        angle = rng.uniform(0, 360)
        joint = (
            width / 2 + 0.36 * width * np.cos(np.deg2rad(angle)),
            height / 2 + 0.36 * height * np.sin(np.deg2rad(angle)),
        )
        onto = (
            motion.shift(*joint)
            @ motion.linear(angle, 1.0)
            @ motion.shift(-0.12 * long, -patch.shape[0] / 2)
        )
        x, y, _ = base @ np.array([*joint, 1.0])
        actors.append(
            scenes.Actor(
                patch,
                label,
                base @ onto,
                group,
                rank + (i % 2 * 2 - 1) * 1e-3,
                (x, y),
                rng.uniform(10, 45),
            )
        )
    return actors


def _textured(rng: np.random.Generator, outline: shapes.Outline, side: int) -> Patch:
    alpha = shapes.opacity(outline, side)
    image = textures.texture(rng, alpha.shape)
    if rng.random() < 0.6:
        image = textures.shaded(rng, image, alpha)
    return np.dstack([image, alpha])


def _backdrop(rng: np.random.Generator, size: HeightWidth) -> tuple[Picture, Transform]:
    """Draws a textured plate larger than the frame, and its transform."""
    height, width = (round(1.3 * side) for side in size)
    image = textures.landscape(rng, (height, width))
    return image, motion.shift(-0.15 * size[1], -0.15 * size[0])


def _scenery(rng: np.random.Generator, size: HeightWidth, most: int) -> list[scenes.Actor]:
    """Draws unlabelled shapes behind the objects, and occasionally one in front."""
    actors: list[scenes.Actor] = []
    for i in range(rng.integers(0, most + 1)):
        share = rng.uniform(0.1, 0.5)
        front = rng.random() < 0.12
        actors += figure(
            rng,
            size=size,
            share=share,
            label=0,
            group=-1 - i,
            rank=1.5 if front else -1.0 - i,
            jointed=False,
        )
    return actors
