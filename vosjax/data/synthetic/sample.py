"""The sample clip of the quickstart, composed to show what makes the task hard.

A spotted creature walks in from the left and passes in front of a striped ball, which rolls behind
it. A fish floats above, and a second fish of the same kind, which is not an object, comes close to
it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from vosjax.data.synthetic import motion, shapes, sprites, textures
from vosjax.data.synthetic.motion import Transform
from vosjax.data.types import Clip
from vosjax.datasets.decode import Picture

Colours = Sequence[tuple[int, int, int]]  # RGB
Times = npt.NDArray[np.integer]  # [T]

SIZE = (240, 432)
FRAMES = 30
_PAINT = 2022  # the seed of all textures


def sample_clip() -> Clip:
    """Renders the sample clip (see `types`): 30 frames of 240x432 pixels with 3 objects.

        sample_clip()["frames"].shape  # (30, 240, 432, 3)

    The ids are 1 for the creature, 2 for the ball and 3 for the fish. All three are visible in
    frame 0, and the ball is partly occluded for a while; the second fish has label 0. Every call
    returns equal arrays.
    """
    rng = np.random.default_rng(_PAINT)
    time = np.arange(FRAMES)
    pan = motion.shift(-0.6 * time, 2 * np.sin(time / 9))
    plate = sprites.Plate(_scenery(rng), pan @ motion.shift(-20, -16))
    cast = [*_creature(rng, time, pan), _ball(rng, time, pan), *_fish(rng, time, pan)]
    frames, labels = sprites.paint(plate, cast, size=SIZE, shutter=0.2)
    return dict(frames=frames, labels=labels, live=np.arange(10) < 3, objects=np.int32(3))


def _coloured(rng: np.random.Generator, pattern: textures.Pattern, anchors: Colours) -> Picture:
    """Colours a pattern, float [h, w] in 0..1, along RGB `anchors`, with some roughness."""
    at, levels = np.linspace(0, 1, len(anchors)), np.asarray(anchors, float)
    image = np.stack([np.interp(pattern, at, levels[:, i]) for i in range(3)], -1)
    height, width = pattern.shape
    rough = 0.85 + 0.3 * textures.fractal(rng, (height, width), roughness=0.8, coarsest=8)
    return np.clip(image * rough[..., None], 0, 255).astype(np.uint8)


def _scenery(rng: np.random.Generator) -> Picture:
    """Draws sky, hills and a meadow."""
    height, width = SIZE[0] + 40, SIZE[1] + 60
    image = _coloured(
        rng,
        textures.fractal(rng, (height, width), roughness=0.5),
        [(120, 165, 205), (225, 235, 240)],
    )
    rows, columns = np.mgrid[:height, :width]
    for base, bump, anchors in (
        (115, 45, [(70, 95, 105), (125, 150, 150)]),
        (150, 22, [(60, 95, 40), (140, 165, 75)]),
    ):
        ridge = (
            base
            - bump * np.sin(columns / (50 + base / 4) + base)
            - 20 * textures.fractal(rng, (1, width))
        )
        ground = _coloured(
            rng, textures.fractal(rng, (height, width), roughness=0.75, coarsest=6), anchors
        )
        image = np.where((rows > ridge)[..., None], ground, image)
    return np.ascontiguousarray(image)


def _patch(
    rng: np.random.Generator,
    outline: shapes.Outline,
    side: int,
    anchors: Colours,
    pattern: Callable[[np.random.Generator, textures.HeightWidth], textures.Pattern],
) -> sprites.Patch:
    alpha = shapes.opacity(outline, side)
    height, width = alpha.shape
    image = _coloured(rng, pattern(rng, (height, width)), anchors)
    return np.dstack([textures.shaded(rng, image, alpha), alpha])


def _centred(patch: sprites.Patch) -> Transform:
    return motion.shift(-patch.shape[1] / 2, -patch.shape[0] / 2)


def _creature(rng: np.random.Generator, time: Times, pan: Transform) -> list[sprites.Layer]:
    """Draws a body with a head and four walking legs, label 1, nearest to the viewer."""
    coat = [(205, 150, 85), (245, 215, 165), (110, 60, 30)]
    walk = pan @ motion.shift(70 + 8.2 * time, 150 + 4 * np.abs(np.sin(time / 3.2)))
    depth = np.full(len(time), 3.0)
    body = _patch(rng, shapes.ellipse(np.random.default_rng(7)), 104, coat, textures.spots)
    head = _patch(rng, shapes.ellipse(np.random.default_rng(3)), 46, coat, textures.spots)
    nod = motion.shift(54, -26) @ motion.about((0, 0), motion.linear(10 * np.sin(time / 4), 1.0))
    parts = []
    for i, x in enumerate((-36, -22, 24, 38)):
        leg = _patch(rng, shapes.limb(np.random.default_rng(i)), 60, coat, textures.spots)
        step = motion.linear(90 + 24 * np.sin(time / 3.2 + np.pi * (i % 2)), 1.0)
        hang = walk @ motion.shift(x, 14) @ step @ motion.shift(-8, -leg.shape[0] / 2)
        parts.append(sprites.Layer(leg, 1, hang, depth - 0.1 + 0.2 * (i % 2)))
    return [
        *parts,
        sprites.Layer(body, 1, walk @ _centred(body), depth),
        sprites.Layer(head, 1, walk @ nod @ _centred(head), depth + 0.2),
    ]


def _ball(rng: np.random.Generator, time: Times, pan: Transform) -> sprites.Layer:
    """Draws a striped ball, label 2, that rolls to the left behind the creature."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ball = _patch(
        rng,
        np.stack([np.cos(turn), np.sin(turn)], 1),
        76,
        [(200, 45, 50), (245, 240, 230)],
        textures.stripes,
    )
    roll = pan @ motion.shift(330 - 5 * time, 166.0) @ motion.linear(-8.0 * time, 1.0)
    return sprites.Layer(ball, 2, roll @ _centred(ball), np.full(len(time), 2.0))


def _fish(rng: np.random.Generator, time: Times, pan: Transform) -> list[sprites.Layer]:
    """Draws a fish, label 3, and an unlabelled one of its kind that drifts towards it and away."""
    turn = np.linspace(-2.75, 2.75, 60)
    body = np.stack([0.75 * np.cos(turn), 0.36 * np.sin(turn)], 1)
    outline = np.concatenate([body, [(-1.1, 0.42), (-0.95, 0.0), (-1.1, -0.42)]])
    kite = _patch(
        rng, outline, 96, [(25, 90, 150), (70, 190, 190), (240, 220, 90)], textures.stripes
    )
    other = np.dstack([(0.85 * kite[..., :3] + (20, 8, 0)).astype(np.uint8), kite[..., 3]])
    sway = motion.bending(np.random.default_rng(5), time.astype(float), 0.05)
    path = (
        pan
        @ motion.shift(110 + 3.5 * time, 62 + 12 * np.sin(time / 5))
        @ motion.linear(8 * np.sin(time / 4), 1.0)
    )
    near = (
        pan
        @ motion.shift(370 - 90 * np.sin(time / 12), 58 - 10 * np.sin(time / 4))
        @ motion.linear(-8 * np.sin(time / 5), 0.9)
    )
    return [
        sprites.Layer(kite, 3, path @ _centred(kite), np.full(len(time), 1.0), sway),
        sprites.Layer(other, 0, near @ _centred(other), np.full(len(time), 0.5), sway),
    ]
