"""Matching networks (STM and its heirs) as a `Vos`: all but their encoders and their decoder.

The memory holds keys and one value an object; a frame's query reads it, every object is decoded
alone, and soft aggregation makes one answer of the objects. An object that appears later reads
what was remembered since then. Objects are slots of one state, so any number of them can live in
it, and frames of any size are padded to multiples of 16 inside.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax import memory
from vosjax.errors import InputError
from vosjax.layers.branch import branch
from vosjax.layers.objects import STRIDE, aggregate, crop, place
from vosjax.layers.precision import compute_dtype
from vosjax.memory.read import Kernel, read
from vosjax.types import Size, Spec, Vos


class Frame(NamedTuple):
    """An encoded frame.

    query   [P, 1, C]   what it asks the memory
    maps    whatever the family's decoder and memory encoder want of it
    size    of the frame, unpadded
    """

    query: jax.Array
    maps: Any
    size: Size


class Entry(NamedTuple):
    """A remembered frame.

    key         [P, 1 or N, C]
    value       [P, N, D]   rows of all objects side by side: one gather reads them all
    live        [N] bool    objects that had been given by then
    temporary   [] bool     the previous frame, which gives way to whatever comes next
    """

    key: jax.Array
    value: jax.Array
    live: jax.Array
    temporary: jax.Array


class MatchingState(NamedTuple):
    """The memory, and which slots [N] have been given."""

    bank: memory.Bank
    live: jax.Array


class Aux(NamedTuple):
    """What `commit` wants of a prediction: the frame, and the padded probabilities [N, H', W']."""

    frame: Frame
    probs: jax.Array


class MatchingFamily(NamedTuple):
    """What a family brings.

    encode      (params, frame [H, W, 3]) -> Frame
    decode      (params, Frame, readout [P, N, D], live [N], together) -> object probabilities
                [N, H', W']; `together` as for `layers.objects.each`
    memorise    (params, Frame, masks [N, H', W'], live [N], together) -> (key, value) of an `Entry`
    metric      of the read
    key, value  widths C and D
    own_keys    True: every object has keys of its own
    soft_given  True: given masks are aggregated like predicted ones, and what is remembered beyond
                the frame's borders is what was predicted there; False: as given, and nothing
    """

    encode: Callable[..., Frame]
    decode: Callable[..., jax.Array]
    memorise: Callable[..., tuple[jax.Array, jax.Array]]
    metric: str
    key: int
    value: int
    own_keys: bool
    soft_given: bool


def build(
    family: MatchingFamily,
    *,
    top_k: int | None,
    kernel: float | None,
    last_frame: bool,
    max_short_side: int | None,
) -> Vos:
    """The network of a family.

    Args:
      family: see above.
      top_k: of the read; None reads everything.
      kernel: deviation in stride-16 cells of a kernelised read, or None.
      last_frame: the previous frame is always in memory, in one slot more than the Spec's
        capacity; else only remembered frames are.
      max_short_side: most pixels of a frame's short side before scaling; None for no limit.
    """

    def init(params, spec: Spec) -> MatchingState:
        if spec.objects < 1 or spec.capacity < 1:
            raise InputError(
                f"{spec.objects} objects and {spec.capacity} memory frames were asked "
                "for; at least one of each is expected"
            )
        places = math.prod(grid(spec.height, spec.width))
        keys, dtype = spec.objects if family.own_keys else 1, compute_dtype(params)
        entry = Entry(
            jnp.zeros((places, keys, family.key), dtype),
            jnp.zeros((places, spec.objects, family.value), dtype),
            jnp.zeros(spec.objects, bool),
            jnp.zeros((), bool),
        )
        return MatchingState(
            memory.init(entry, spec.capacity + last_frame), jnp.zeros(spec.objects, bool)
        )

    def encode(params, frame, rng=None) -> Frame:
        return family.encode(params, frame)

    def predict(params, state: MatchingState, frame: Frame, rng=None):
        bank, live = state.bank, state.live
        # A slot that nobody has given agrees with all the others, so that one softmax serves them.
        valid = bank.valid[:, None] & (bank.data.live | ~live)
        spread = None if kernel is None else Kernel(kernel, grid(*frame.size)[1])
        readout = read(
            frame.query,
            bank.data.key,
            bank.data.value,
            valid,
            top_k=top_k,
            metric=family.metric,
            kernel=spread,
        )
        logits = aggregate(family.decode(params, frame, readout, live, rng is not None), live)
        return crop(logits, *frame.size), Aux(frame, jax.nn.softmax(logits, 0)[1:])

    def commit(
        params, state: MatchingState, aux: Aux, probs, given, when, rng=None
    ) -> MatchingState:
        live = state.live | given
        shown = live[:, None, None]
        keep = when.annotated | when.remember
        stores = keep | last_frame

        def memorise():
            border = aux.probs if family.soft_given else jnp.zeros_like(aux.probs)
            masks = jnp.where(shown, place(border, probs[1:]), 0)
            if family.soft_given:
                soft = jax.nn.softmax(aggregate(masks, live), 0)[1:]
                masks = jnp.where(when.annotated, soft, masks)
            return family.memorise(params, aux.frame, masks, live, rng is not None)

        shapes = jax.eval_shape(memorise)
        key, value = branch(
            stores, memorise, lambda: tuple(jnp.zeros(s.shape, s.dtype) for s in shapes)
        )
        writes = stores & jnp.any(live)  # a group without objects keeps no memory
        bank = state.bank._replace(valid=state.bank.valid & ~(state.bank.data.temporary & writes))
        entry = Entry(key, value, live, jnp.logical_not(keep))
        bank = memory.write(bank, entry, time=when.time, when=writes, pin=when.annotated)
        return MatchingState(bank, live)

    def size(height, width, scale=1.0):
        short = min(height, width)
        target = int(min(short, max_short_side or short) * scale)
        sides = (
            max(target if side == short else int(target * side / short), 1)
            for side in (height, width)
        )
        return tuple(sides)

    return Vos(init, encode, predict, commit, size, None)


def grid(height: int, width: int) -> tuple[int, int]:
    """The stride-16 grid (h, w) of a frame, padded."""
    return -(-height // STRIDE), -(-width // STRIDE)
