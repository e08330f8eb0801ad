"""`mark()` and `Marker`: the mask of one object in one frame, from a box and clicks.

A `Marker` looks at one frame. It encodes a window of the frame once, and answers every further
click in that window by the head alone. Every answer is the mean of those to the window and to its
mirror image, and takes three looks, of which each sees the mask of the one before, as training's
steps do, but for those that move closer to a click. Of what is given at once, the box or the clicks
on the object are looked at first, and all clicks then correct the answer. docs/marking.md has what
each of these is worth.
"""

import functools
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from vosjax.boxes.given import checked_box
from vosjax.compile_cache import compile_cache
from vosjax.errors import InputError, shown
from vosjax.interactive import window
from vosjax.interactive.clues import NO_CLICKS, Clicks, clue_maps
from vosjax.interactive.network import InteractiveNetwork, load_network, network_input
from vosjax.interactive.window import Box, Window

LOOKS = 3  # at an object that is searched for, and at one that is known
KEPT = 4  # windows whose features are kept
LOOSE = 1.25  # a window that is kept serves an object whose own is not so much smaller or larger
STROKE = 4  # so many clicks on the object say how large it is
SPREAD = 3.5  # side of the window in which it is looked for then, per longer side of their box

Probability = npt.NDArray[np.float32]  # [H, W], 0..1
Mask = npt.NDArray[np.bool_]  # [H, W]


class MarkModel(NamedTuple):
    """An interactive network with its weights, compiled on its first call.

    side     side of the window that it sees
    encode   encode(image uint8 [S, S, 3]) -> features, which hold those of the mirror image, too
    segment  segment(features, clues float32 [S, S, 4]) -> probability float32 [S, S]
    """

    side: int
    encode: Any
    segment: Any


def load_marker(source: str | os.PathLike[str] | None = None) -> MarkModel:
    """Loads an interactive network for `mark` and `Marker`.

        model = load_marker()

    Args:
        source: a folder of weights, as configs/train_interactive.py makes; None takes the embedded
            ones.

    Raises:
        InputError: there are no such weights, or they are those of another kind of network.
    """
    network, params, _ = load_network(source)
    return compiled(network, params)


def compiled(network: InteractiveNetwork, params: Any) -> MarkModel:
    """Compiles an interactive network with given weights.

    Its answer is the mean, in logits, of those to the window and to its mirror image.

        model = compiled(network, network.init_params(jax.random.key(0)))

    Args:
        network: the network.
        params: its weights.
    """
    compile_cache()

    @jax.jit
    def encode(params: Any, image: jax.Array) -> Any:
        return network.encode(params, network_input(_with_mirrored(image)))

    @jax.jit
    def segment(params: Any, features: Any, clues: jax.Array) -> Any:
        straight, mirrored = network.segment(params, features, _with_mirrored(clues))
        return jax.nn.sigmoid((straight + mirrored[:, ::-1]) / 2)

    params = jax.device_put(params)
    return MarkModel(
        network.side, functools.partial(encode, params), functools.partial(segment, params)
    )


def _with_mirrored(maps: jax.Array) -> jax.Array:
    """Returns maps [S, S, C] and their mirror images, [2, S, S, C]."""
    return jnp.stack([maps, maps[:, ::-1]])


class Marker:
    """Marks objects in one frame.

        marker = Marker(frame)
        first = marker.probability(box=(120, 80, 64, 48))
        better = marker.probability(points=[(130, 90), (60, 70, False)], so_far=first)
        mask = better > 0.5

    Objects are marked one after the other. An answer depends on what it is given alone (box, all
    points so far, and the probability so far), except that a correction may be made in a window
    that was looked at before.
    """

    def __init__(self, frame: Any, *, model: MarkModel | None = None) -> None:
        """Looks at a frame.

        Args:
            frame: uint8 [H, W, 3] RGB.
            model: of `load_marker`; None loads the embedded network.

        Raises:
            InputError: the frame is something else, or no weights are embedded.
        """
        self._frame = checked_frame(frame)
        self._model = load_marker() if model is None else model
        self._features: dict[Window, Any] = {}

    def probability(
        self, *, box: Any = None, points: Sequence[Any] = (), so_far: Any = None
    ) -> Probability:
        """Returns the probability of the object at every pixel.

            mask = marker.probability(points=[(130, 90)]) > 0.5

        Args:
            box: (x, y, width, height) in pixels, around the object; None for none.
            points: (x, y) of clicks on the object, or (x, y, False) of clicks beside it, in pixels.
            so_far: float [H, W] or bool [H, W], the answer before the latest click; None for none.

        Returns:
            float32 [H, W] in 0..1.

        Raises:
            InputError: neither a box nor a click on the object is given and nothing is known so
                far; or one of them is no box or no point, or lies outside of the frame.
        """
        size = self._frame.shape[:2]
        if box is not None:
            box = clipped_box(box, size)
        clicks = checked_points(points, size)
        known = None if so_far is None else checked_probability(so_far, size)
        kept = () if known is None else tuple(self._features)
        if box is None and (known is None or not (known > 0.5).any()):
            known = self._searched(_on_object(clicks), known)
            if clicks.inside.all() or not (known > 0.5).any():
                return known
        elif known is None:
            known = self._improved(box, NO_CLICKS, None, kept)
            if not len(clicks.at):
                return known
        return self._improved(box, clicks, known, kept)

    def _improved(
        self,
        box: Box | None,
        clicks: Clicks,
        known: Probability | None,
        kept: tuple[Window, ...],
    ) -> Probability:
        """Looks several times at an object whose box is given, or known from the mask so far."""
        found = box
        for _ in range(LOOKS):
            if box is None and known is not None:
                found = window.mask_box(known > 0.5) or found
            assert found is not None
            seen = self._window(_joined(found, clicks), kept)
            kept = (*kept, seen)
            known = self._look(seen, box, clicks, known)
        assert known is not None
        return known

    def _searched(self, clicks: Clicks, known: Probability | None) -> Probability:
        """Looks for an object of which clicks on it tell, closer and closer.

        What was seen from afar would mislead a closer look, which begins anew.
        """
        if not len(clicks.at):
            raise InputError(
                "nothing says where the object is: give a box, or a point that lies on it"
            )
        seen = _first_window(clicks, self._frame.shape[:2])
        for _ in range(LOOKS):
            answer = self._look(seen, None, clicks, known)
            found = window.mask_box(answer > 0.5)
            closer = seen if found is None else self._window(_joined(found, clicks), (seen,))
            known = answer if closer == seen else None
            seen = closer
        return answer

    def _window(self, box: Box, kept: Sequence[Window]) -> Window:
        """Returns a window for an object: the last one that is kept and serves, else its own."""
        wanted = _smaller(window.around(box), window.whole(*self._frame.shape[:2]))
        serving = [
            one
            for one in kept
            if one.inside(box) and wanted.side / LOOSE <= one.side <= wanted.side * LOOSE
        ]
        return serving[-1] if serving else wanted

    def _look(
        self, seen: Window, box: Box | None, clicks: Clicks, known: Probability | None
    ) -> Probability:
        side = self._model.side
        if seen not in self._features:
            if len(self._features) == KEPT:
                del self._features[next(iter(self._features))]
            crop = window.cut(self._frame, seen, side)
            self._features[seen] = self._model.encode(crop)
        scale = side / seen.side
        clues = clue_maps(
            side,
            box=None
            if box is None
            else (
                (box[0] - seen.left) * scale,
                (box[1] - seen.top) * scale,
                box[2] * scale,
                box[3] * scale,
            ),
            clicks=clicks._replace(at=window.to_window(clicks.at, seen, side)),
            mask=None if known is None else window.cut_mask(known, seen, side),
        )
        answer = np.asarray(self._model.segment(self._features[seen], clues))
        return window.paste(answer, seen, *self._frame.shape[:2])


def _on_object(clicks: Clicks) -> Clicks:
    """Returns the clicks that lie on the object."""
    return Clicks(clicks.at[clicks.inside], clicks.inside[clicks.inside])


def _first_window(clicks: Clicks, size: tuple[int, int]) -> Window:
    """Returns the window in which an object is looked for: the whole frame, or around a stroke."""
    whole = window.whole(*size)
    if len(clicks.at) < STROKE:
        return whole
    (left, top), (right, bottom) = clicks.at.min(0).tolist(), clicks.at.max(0).tolist()
    return _smaller(window.around((left, top, right - left, bottom - top), margin=SPREAD), whole)


def _smaller(one: Window, whole: Window) -> Window:
    """Returns a window, or that of the whole frame if it is no larger."""
    return one if one.side < whole.side else whole


def mark(
    frame: Any, *, box: Any = None, points: Sequence[Any] = (), model: MarkModel | None = None
) -> Mask:
    """Returns the mask of one object in a frame, given a box around it, points on it, or both.

        mask = vosjax.mark(frame, box=(120, 80, 64, 48), points=[(130, 90), (60, 70, False)])

    For many objects or many clicks in one frame, `Marker` encodes the frame once.

    Args:
        frame: uint8 [H, W, 3] RGB.
        box: (x, y, width, height) in pixels: the upper left corner, width and height, where pixel i
            covers i to i + 1.
        points: (x, y) of points on the object, or (x, y, False) of points beside it, in pixels.
        model: of `load_marker`; None takes the embedded network.

    Returns:
        bool [H, W].

    Raises:
        InputError: neither a box nor a point on the object is given; or one of them is no box or no
            point, or lies outside of the frame.
    """
    return Marker(frame, model=model or _embedded()).probability(box=box, points=points) > 0.5


@functools.lru_cache(maxsize=1)
def _embedded() -> MarkModel:
    return load_marker()


def checked_frame(frame: Any) -> npt.NDArray[np.uint8]:
    """Returns a frame as an array, uint8 [H, W, 3].

        checked_frame(np.zeros((480, 854, 3), np.uint8))

    Raises:
        InputError: it is something else.
    """
    array = np.asarray(frame)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or 0 in array.shape:
        raise InputError(
            f"the frame is {array.dtype} {list(array.shape)}; uint8 [H, W, 3] RGB is expected"
        )
    return np.ascontiguousarray(array)


def clipped_box(box: Any, size: tuple[int, int]) -> Box:
    """Returns the part of a user's box that lies in the frame, as four floats.

        clipped_box((-20, 80, 64, 48), (480, 854))      # (0.0, 80.0, 44.0, 48.0)

    Args:
        box: four numbers (x, y, width, height).
        size: (H, W) of the frame.

    Raises:
        InputError: as for `boxes.given.checked_box`.
    """
    x, y, width, height = checked_box(box, size, within="frame").tolist()
    left, top = max(x, 0.0), max(y, 0.0)
    return left, top, min(x + width, size[1]) - left, min(y + height, size[0]) - top


def checked_points(points: Sequence[Any], size: tuple[int, int]) -> Clicks:
    """Returns a user's points as `Clicks`.

        checked_points([(130, 90), (60, 70, False)], (480, 854)).inside      # [True, False]

    Args:
        points: (x, y), or (x, y, whether it lies on the object).
        size: (H, W) of the frame.

    Raises:
        InputError: one is no point, or lies outside of the frame.
    """
    if isinstance(points, str) or not isinstance(points, Sequence | np.ndarray):
        raise InputError(f"points is {shown(points)}; a list of (x, y) is expected")
    at, inside = [], []
    for point in points:
        numbers = _numbers(point)
        if numbers.shape not in ((2,), (3,)) or not np.isfinite(numbers).all():
            raise InputError(
                f"the point is {shown(point)}; two finite numbers (x, y) are expected, and False "
                "as a third part for a point that is not on the object"
            )
        x, y, *on = numbers.tolist()
        if not (0 <= x <= size[1] and 0 <= y <= size[0]):
            raise InputError(
                f"the point (x {x:g}, y {y:g}) lies outside of the frame, which is "
                f"{size[1]}x{size[0]} (width x height): give it in pixels of the frame"
            )
        at.append((x, y))
        inside.append(bool(on[0]) if on else True)
    return Clicks(np.array(at, np.float32).reshape(-1, 2), np.array(inside, bool))


def checked_probability(so_far: Any, size: tuple[int, int]) -> Probability:
    """Returns what is known of an object so far as float32 [H, W].

        checked_probability(np.zeros((480, 854), bool), (480, 854))

    Raises:
        InputError: it has another size, or values outside of 0..1.
    """
    array = np.asarray(so_far)
    if array.shape != tuple(size) or array.dtype.kind not in "bf":
        raise InputError(
            f"the mask so far is {array.dtype} {list(array.shape)}; bool or float {list(size)} "
            "is expected, as the frame's size"
        )
    array = array.astype(np.float32)
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise InputError("the mask so far holds other values than probabilities in 0..1")
    return array


def _numbers(values: Any) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.zeros(0)


def _joined(box: Box, clicks: Clicks) -> Box:
    """Returns the smallest box around a box and all clicks on the object."""
    points = clicks.at[clicks.inside].tolist()
    left = min([box[0], *(x for x, _ in points)])
    top = min([box[1], *(y for _, y in points)])
    right = max([box[0] + box[2], *(x for x, _ in points)])
    bottom = max([box[1] + box[3], *(y for _, y in points)])
    return left, top, right - left, bottom - top
