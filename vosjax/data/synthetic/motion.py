"""Smooth random motion: affine transforms and elastic waves as arrays over the frames of a clip."""

from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.schema import Rule

Floats = npt.NDArray[np.float64]
Transform = npt.NDArray[np.float64]  # [..., 3, 3]
HeightWidth = tuple[int, int]  # (H, W)


class Motion(NamedTuple):
    """Strength of the motion per unit of time, which is about one frame.

    Lengths are fractions of the frame's longer side.
    """

    speed: Annotated[
        float,
        Rule(
            "top speed of objects; each draws its own, log-uniform from a twentieth of it", least=0
        ),
    ] = 0.1
    camera: Annotated[float, Rule("top speed of the camera, drawn likewise", least=0)] = 0.06
    turn: Annotated[float, Rule("rotation in degrees", least=0)] = 9.0
    zoom: Annotated[float, Rule("change of the logarithm of the scale", least=0)] = 0.08
    squash: Annotated[
        float, Rule("change of aspect and shear, as of objects that turn in depth", least=0)
    ] = 0.2
    bend: Annotated[
        float, Rule("amplitude of elastic waves, as a fraction of the object's size", least=0)
    ] = 0.07
    leave: Annotated[
        float,
        Rule("probability that an object's path leads out of the frame and back", least=0, most=1),
    ] = 0.1

    def times(self, factor: float) -> "Motion":
        """Returns the motion with all strengths multiplied by `factor`; probabilities stay."""
        strengths = {name: factor * getattr(self, name) for name in self._fields if name != "leave"}
        return self._replace(**strengths)


class Bend(NamedTuple):
    """An elastic deformation: a sum of K sine waves over a patch, in units of its longer side.

    wave   float [K, 2]     cycles along x and y
    phase  float [K]
    push   float [T, K, 2]  displacement amplitude in every frame
    """

    wave: Floats
    phase: Floats
    push: Floats

    def at(self, frame: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Returns the displacement (dx, dy) in one frame at relative positions x, y (any shape)."""
        angle = x[..., None] * self.wave[:, 0] + y[..., None] * self.wave[:, 1]
        shift = np.sin(2 * np.pi * angle + self.phase) @ self.push[frame]
        return shift[..., 0], shift[..., 1]


def instants(rng: np.random.Generator, frames: int) -> Floats:
    """Draws times, float [T], from 0 on with uneven gaps, like those of frames of a video.

    when = instants(rng, frames=5)      # [0, ...]
    """
    return np.concatenate([[0.0], np.cumsum(rng.uniform(0.3, 1.7, frames - 1))])


def curve(
    rng: np.random.Generator, when: Floats, cycles: tuple[float, float] = (0.02, 0.2)
) -> Floats:
    """Draws a smooth curve, float [T] in -1..1: three sines with `cycles` per unit of time.

    offsets = curve(rng, instants(rng, 5), cycles=(0.02, 0.2))
    """
    rate = rng.uniform(*cycles, 3)
    phase = rng.uniform(0, 2 * np.pi, 3)
    weight = rng.dirichlet(np.ones(3))
    return np.sin(2 * np.pi * when[:, None] * rate + phase) @ weight


def growing(rng: np.random.Generator, when: Floats) -> Floats:
    """Draws a smooth curve, float [T], from 0 on: drift plus wobble, with a slope in about -1..1.

    path = growing(rng, instants(rng, 5))
    """
    wobble = curve(rng, when)
    return 0.7 * rng.uniform(-1, 1) * when + 1.5 * (wobble - wobble[0])


def shift(x: npt.ArrayLike, y: npt.ArrayLike) -> Transform:
    """Returns translations, float [..., 3, 3].

        shift(10, 5) @ np.array([1, 2, 1])  # [11, 7, 1]

    Args:
        x: distance to the right, a number or an array.
        y: distance downward, a number or an array.
    """
    right, down = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    matrix = np.zeros(right.shape + (3, 3))
    matrix[..., [0, 1, 2], [0, 1, 2]] = 1
    matrix[..., 0, 2], matrix[..., 1, 2] = right, down
    return matrix


def linear(
    angle: npt.ArrayLike,
    scale: npt.ArrayLike,
    aspect: npt.ArrayLike = 0.0,
    shear: npt.ArrayLike = 0.0,
) -> Transform:
    """Returns transforms, float [..., 3, 3]: scale, then shear, then rotation about the origin.

        linear(90.0, 2.0) @ np.array([1, 0, 1])  # [0, 2, 1]

    All arguments are numbers or arrays that broadcast.

    Args:
        angle: of the rotation, in degrees.
        scale: a factor.
        aspect: logarithm of a factor along x, whose inverse is applied along y.
        shear: tangent of the angle by which the y axis leans.
    """
    turn, size, log_aspect, slant = np.broadcast_arrays(
        *(np.asarray(value, float) for value in (angle, scale, aspect, shear))
    )
    cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    along, across = size * np.exp(log_aspect), size * np.exp(-log_aspect)
    matrix = np.zeros(turn.shape + (3, 3))
    matrix[..., 0, 0], matrix[..., 0, 1] = cos * along, (cos * slant - sin) * across
    matrix[..., 1, 0], matrix[..., 1, 1] = sin * along, (sin * slant + cos) * across
    matrix[..., 2, 2] = 1
    return matrix


def about(centre: tuple[float, float], transform: Transform) -> Transform:
    """Makes a transform [..., 3, 3] about the origin act about the point (x, y) instead.

    turned = about((320, 240), linear(90.0, 1.0))
    """
    return shift(*centre) @ transform @ shift(-centre[0], -centre[1])


def travel(
    rng: np.random.Generator,
    when: Floats,
    *,
    size: HeightWidth,
    centre: tuple[float, float],
    motion: Motion,
    speed: float,
) -> Transform:
    """Draws a smooth path: transforms float [T, 3, 3] of frame pixels, the identity at time 0.

        path = travel(rng, when, size=(480, 854), centre=(427, 240), motion=Motion(), speed=0.1)

    Args:
        rng: draws the path.
        when: float [T], the times of the frames.
        size: (H, W) of the frame.
        centre: (x, y) in pixels of the point about which it turns and scales.
        motion: how strongly it turns and scales.
        speed: top speed, as a fraction of the frame's longer side per unit of time.
    """
    side = max(size)
    pace = side * speed * np.exp(rng.uniform(np.log(0.05), 0.0))
    heading = rng.uniform(0, 2 * np.pi) + 1.5 * curve(rng, when)
    gaps = np.diff(when, prepend=when[0]) * pace
    x, y = np.cumsum(np.cos(heading) * gaps), np.cumsum(np.sin(heading) * gaps)
    strength = rng.uniform(0, 1) ** 2  # most actors turn and scale little
    turned = linear(
        motion.turn * strength * growing(rng, when),
        np.exp(np.clip(motion.zoom * strength * growing(rng, when), -1.2, 1.2)),
        *(motion.squash * strength * _from_zero(curve(rng, when)) for _ in range(2)),
    )
    return shift(x, y) @ about(centre, turned)


def excursion(rng: np.random.Generator, when: Floats, *, size: HeightWidth) -> Transform:
    """Draws a path out of the frame and back: translations float [T, 3, 3], the identity at 0.

    moves = excursion(rng, instants(rng, 5), size=(480, 640))
    """
    height, width = size
    aim = rng.uniform(0, 2 * np.pi)
    reach = (height + width) / 2 * rng.uniform(0.8, 1.2)
    progress = (
        np.sin(np.pi * np.clip(when / max(when[-1], 1e-6) * rng.uniform(0.9, 1.3), 0, 1)) ** 2
    )
    return shift(np.cos(aim) * reach * progress, np.sin(aim) * reach * progress)


def bending(rng: np.random.Generator, when: Floats, amplitude: float, *, waves: int = 4) -> Bend:
    """Draws a `Bend` that grows over time, up to `amplitude` of the patch's longer side.

    bend = bending(rng, instants(rng, 5), 0.1, waves=4)
    """
    wave = rng.uniform(-1.3, 1.3, (waves, 2))
    direction = rng.normal(size=(waves, 2))
    size = np.sqrt((wave**2).sum(1, keepdims=True)) + 0.5
    gain = np.stack([_from_zero(curve(rng, when)) for _ in range(waves)], 1)
    gain = gain + 0.5 * rng.uniform(-1, 1, waves)  # bent in frame 0 as well, so shapes vary more
    push = amplitude * gain[:, :, None] * direction / size / np.sqrt(waves)
    return Bend(wave=wave, phase=rng.uniform(0, 2 * np.pi, waves), push=push)


def _from_zero(values: Floats) -> Floats:
    return values - values[0]
