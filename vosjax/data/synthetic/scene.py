"""Animates actors in front of a background: camera, paths, depth, look-alikes, deformation."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import cv2
import numpy as np

from vosjax.data.synthetic import colour, sprites
from vosjax.data.synthetic import motion as motions
from vosjax.data.synthetic.motion import Floats, HeightWidth, Transform
from vosjax.data.types import ClipSpec, Frames, Labels
from vosjax.datasets.decode import Picture
from vosjax.schema import Rule

Point = tuple[float, float]  # (x, y) in frame pixels
SceneSettings = TypeVar("SceneSettings", bound=Any)  # a dataclass with a field `scene`


class Actor(NamedTuple):
    """An object, or one part of a jointed object, at its position in frame 0.

    patch   uint8 [h, w, 4]  RGB and opacity
    label   its id; 0 for an occluder or a distractor
    base    float [3, 3]  patch pixels -> frame pixels at time 0
    group   the parts of one group move together
    rank    depth within the scene; larger is nearer
    pivot   (x, y) in frame pixels about which a part swings, or None
    swing   amplitude of that swing in degrees
    """

    patch: sprites.Patch
    label: int
    base: Transform
    group: int
    rank: float
    pivot: Point | None = None
    swing: float = 0.0


class Scene(NamedTuple):
    """Probabilities and strengths of what happens in a scene."""

    motion: motions.Motion = motions.Motion()
    still_camera: Annotated[
        float, Rule("probability that the camera does not move", least=0, most=1)
    ] = 0.25
    resting: Annotated[
        float, Rule("probability that an actor hardly moves of its own", least=0, most=1)
    ] = 0.25
    cross: Annotated[
        float, Rule("probability that an actor changes its depth over time", least=0, most=1)
    ] = 0.35
    tint: Annotated[float, Rule("strength of the drift of each actor's colour", least=0)] = 0.12
    shutter: Annotated[
        float,
        Rule(
            "probability of motion blur, with the shutter open for up to 0.6 of a frame's time",
            least=0,
            most=1,
        ),
    ] = 0.35
    lookalike: Annotated[
        float, Rule("probability of an unlabelled copy of an object", least=0, most=1)
    ] = 0.45
    twin: Annotated[float, Rule("probability of a labelled copy of an object", least=0, most=1)] = (
        0.2
    )


def livelier(settings: SceneSettings, factor: float) -> SceneSettings:
    """Multiplies all motion in the scene of some settings by a factor.

        livelier(RenderedSettings(), 0.5)

    The settings are any dataclass with a field `scene`; a changed copy is returned.
    """
    scene = settings.scene._replace(motion=settings.scene.motion.times(factor))
    return dataclasses.replace(settings, scene=scene)


def centre_of(actor: Actor) -> Point:
    """Returns the position (x, y), in frame pixels, of the centre of an actor's patch at time 0.

    x, y = centre_of(actor)
    """
    height, width = actor.patch.shape[:2]
    return _moved(actor.base, (width / 2, height / 2))


def placed(
    rng: np.random.Generator, patch: sprites.Patch, *, size: HeightWidth, share: float
) -> Transform:
    """Draws a transform, float [3, 3], that places a patch at random in a frame.

        base = placed(rng, patch, size=(480, 640), share=0.3)

    Args:
        rng: draws position, rotation and reflection.
        patch: uint8 [h, w, 4].
        size: (H, W) of the frame.
        share: longer side of the placed patch, as a share of the frame's.
    """
    height, width = patch.shape[:2]
    scale = share * max(size) / max(height, width)
    angle = rng.normal(0, 12)
    x, y = rng.uniform(0.12, 0.88, 2) * (size[1], size[0])
    mirror = np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0, 1.0])
    return (
        motions.shift(x, y)
        @ motions.linear(angle, scale)
        @ mirror
        @ motions.shift(-width / 2, -height / 2)
    )


def copies(
    rng: np.random.Generator,
    actors: Sequence[Actor],
    group: int,
    *,
    label: int,
    size: HeightWidth,
    new_group: int,
) -> list[Actor]:
    """Copies a group of actors to another position, mirrored, scaled and recoloured at random.

        twins = copies(rng, actors, 1, label=2, size=(480, 640), new_group=3)

    Args:
        rng: draws the position and the changes.
        actors: all actors of the scene.
        group: the group to copy.
        label: label of the copy; 0 makes it a look-alike that is not an object.
        size: (H, W) of the frame.
        new_group: group of the copy.

    Returns:
        The actors of the copy.
    """
    parts = [actor for actor in actors if actor.group == group]
    x, y = centre_of(parts[0])
    to_x, to_y = rng.uniform(0.1, 0.9, 2) * (size[1], size[0])
    mirror = np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0, 1.0])
    move = (
        motions.shift(to_x, to_y)
        @ motions.linear(rng.normal(0, 8), np.exp(rng.normal(0, 0.2)))
        @ mirror
    )
    move = move @ motions.shift(-x, -y)
    matrix = colour.mix(rng, colour.Colour(hue=0.15), float(rng.choice([0.15, 0.5, 1.0])))
    rank = rng.uniform(0, 1)
    return [
        part._replace(
            patch=_recolour(part.patch, matrix),
            label=label,
            base=move @ part.base,
            group=new_group,
            rank=rank + 1e-3 * i,
            pivot=part.pivot and _moved(move, part.pivot),
        )
        for i, part in enumerate(parts)
    ]


def add_copies(
    rng: np.random.Generator, actors: Sequence[Actor], *, size: HeightWidth, scene: Scene
) -> list[Actor]:
    """Adds copies of objects at random: unlabelled look-alikes and labelled twins.

        cast = add_copies(rng, actors, size=(480, 640), scene=Scene(twin=0.5))

    Args:
        rng: decides what is added.
        actors: the actors of the scene.
        size: (H, W) of the frame.
        scene: probabilities of both kinds.

    Returns:
        The given actors, followed by their copies.
    """
    labelled = sorted({actor.group for actor in actors if actor.label})
    cast = list(actors)
    for label, probability in ((0, scene.lookalike), (1, scene.twin)):
        if labelled and rng.random() < probability:
            fresh = 1 + max(actor.group for actor in cast)
            top = 1 + max(actor.label for actor in cast)
            cast += copies(
                rng, cast, int(rng.choice(labelled)), label=top * label, size=size, new_group=fresh
            )
    return cast


def animate(
    plate: tuple[Picture, Transform],
    actors: Sequence[Actor],
    *,
    spec: ClipSpec,
    scene: Scene,
    rng: np.random.Generator,
    ids: Labels | None = None,
) -> tuple[Frames, Labels, Floats]:
    """Renders a clip in which the actors and the camera move at random.

        plate = (image, np.eye(3))
        frames, labels, when = animate(plate, actors, spec=spec, scene=Scene(), rng=rng)

    Args:
        plate: (image uint8 [h, w, 3], base float [3, 3]: plate pixels -> frame pixels at time 0).
        actors: the actors, in any order.
        spec: the clip's shape.
        scene: what may happen, and how strongly.
        rng: decides what happens.
        ids: uint8 [h, w], objects that belong to the plate and move with it; None for none.

    Returns:
        Frames uint8 [T, H, W, 3], raw labels uint8 [T, H, W], and the times float [T] of the
        frames.
    """
    size = (spec.height, spec.width)
    middle = (spec.width / 2, spec.height / 2)
    moves = scene.motion
    when = motions.instants(rng, spec.frames)
    camera = motions.travel(
        rng, when, size=size, centre=middle, motion=moves.times(0.4), speed=moves.camera
    )
    if rng.random() < scene.still_camera:
        camera = np.tile(np.eye(3), (spec.frames, 1, 1))
    image, base = plate
    plate_bend = motions.bending(rng, when, 0.4 * moves.bend) if ids is not None else None
    background = sprites.Plate(image, camera @ base, ids, plate_bend)
    paths: dict[int, Transform] = {}
    depths: dict[int, Floats] = {}
    tints: dict[int, Labels] = {}
    for actor in actors:
        if actor.group not in paths:
            paths[actor.group] = _path(rng, when, centre_of(actor), size=size, scene=scene)
            swap = (
                1.5 * motions.curve(rng, when)
                if rng.random() < scene.cross
                else np.zeros(spec.frames)
            )
            depths[actor.group] = swap
            tints[actor.group] = colour.tint(rng, when, scene.tint)
    cast = []
    for actor in actors:
        transform = camera @ paths[actor.group]
        if actor.pivot is not None:
            angle = actor.swing * motions.curve(rng, when, (0.04, 0.25))
            transform = transform @ motions.about(actor.pivot, motions.linear(angle, 1.0))
        bend = (
            motions.bending(rng, when, moves.bend * rng.uniform(0, 1))
            if rng.random() < 0.7
            else None
        )
        cast.append(
            sprites.Layer(
                actor.patch,
                actor.label,
                transform @ actor.base,
                actor.rank + depths[actor.group],
                bend,
                tints[actor.group],
            )
        )
    shutter = rng.uniform(0.1, 0.6) if rng.random() < scene.shutter else 0.0
    frames, labels = sprites.paint(background, cast, size=size, shutter=shutter)
    return frames, labels, when


def _path(
    rng: np.random.Generator, when: Floats, centre: Point, *, size: HeightWidth, scene: Scene
) -> Transform:
    if rng.random() < scene.motion.leave:
        return motions.excursion(rng, when, size=size)
    moves = scene.motion if rng.random() >= scene.resting else scene.motion.times(0.15)
    return motions.travel(rng, when, size=size, centre=centre, motion=moves, speed=moves.speed)


def _moved(transform: Transform, point: Point) -> Point:
    x, y, _ = transform @ np.array([*point, 1.0])
    return x, y


def _recolour(patch: sprites.Patch, matrix: Floats) -> sprites.Patch:
    return np.dstack([cv2.transform(np.ascontiguousarray(patch[..., :3]), matrix), patch[..., 3]])
