"""The protocol of a box tracker: pure functions that follow one object as a box, frame by frame."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

NORMAL, HARD_NEGATIVE, UNCERTAIN, NOT_FOUND = range(4)
FLAGS = ("normal", "hard_negative", "uncertain", "not_found")  # the names of the four values


class BoxOutput(NamedTuple):
    """What a tracker says of a frame.

    box    float32 [4], (x, y, w, h) in pixels of the frame: the upper left corner, width and
           height, where pixel i covers i to i + 1; for a lost object the last box
    score  float32, the largest score of the target model, about 1 for the object itself
    flag   int32, an index into FLAGS: `NORMAL`; `HARD_NEGATIVE`, something else looks much like the
           object; `UNCERTAIN`, it cannot be told which of two places is the object; `NOT_FOUND`
    """

    box: jax.Array
    score: jax.Array
    flag: jax.Array


class BoxTracker(NamedTuple):
    """A box tracker as pure functions, each of which can be traced by `jax.jit`.

    init(params, frame, box) -> state
        frame uint8 [H, W, 3] RGB, box float32 [4] as in `BoxOutput`. The state is a pytree of
        arrays whose shapes do not depend on the frame or the box, so it can be saved.
    step(params, state, frame) -> (state, `BoxOutput`)
        Finds the object in the next frame. One program serves all frames of a size.
    correct(state, box) -> state
        Takes over position and size from a box that is known to be right, such as that of the
        object's mask. A box of less than one pixel changes nothing.

    A box that lies partly or wholly outside of the frame is allowed everywhere.
    """

    init: Callable[[Any, jax.Array, jax.Array], Any]
    step: Callable[[Any, Any, jax.Array], tuple[Any, BoxOutput]]
    correct: Callable[[Any, jax.Array], Any]
