"""Matching networks (STM and its heirs) as a `Vos`: everything but their encoders and decoder.

The memory holds keys, and one value for each object. A frame's query reads it, every object is
decoded alone, and soft aggregation makes one answer of the objects. An object that appears later
reads what was remembered since then. Objects are slots of one state, so any number of them can live
in it; frames of any size are padded to multiples of 16 inside.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax import memory
from vosjax.errors import InputError
from vosjax.layers.branch import branch
from vosjax.layers.objects import STRIDE, aggregate, crop, paste
from vosjax.layers.precision import compute_dtype
from vosjax.memory.affinity import Kernel
from vosjax.memory.read import read
from vosjax.types import Release, Size, Spec, Vos, When


class MatchingFeatures(NamedTuple):
    """An encoded frame.

    query  [P, 1, C]   what it asks the memory
    maps   whatever the family's decoder and memory encoder want of it
    size   of the frame, unpadded
    """

    query: jax.Array
    maps: Any
    size: Size


class MatchingEntry(NamedTuple):
    """A remembered frame.

    key        [P, 1 or N, C]
    value      [P, N, D]   the values of all objects side by side: one gather reads them all
    live       [N] bool    the objects that had been given by then
    temporary  [] bool     whether it is the previous frame, which gives way to whatever comes next
    """

    key: jax.Array
    value: jax.Array
    live: jax.Array
    temporary: jax.Array


class MatchingState(NamedTuple):
    """The memory, and which slots [N] hold an object."""

    bank: memory.Bank
    live: jax.Array


class MatchingAux(NamedTuple):
    """What `commit` wants of a prediction.

    features  of the frame
    probs     [N, H', W'], of the objects, padded
    """

    features: MatchingFeatures
    probs: jax.Array


class MatchingFamily(NamedTuple):
    """What a family brings to `build`.

    encode      (params, frame [H, W, 3]) -> features
    decode      (params, features, readout [P, N, D], live [N], together) -> probabilities of the
                objects [N, H', W']; `together` as for `layers.objects.map_objects`
    memorise    (params, features, masks [N, H', W'], live [N], together) -> key and value of a
                `MatchingEntry`
    metric      of the read
    key, value  their widths C and D
    own_keys    whether every object has keys of its own
    soft_given  True: given masks are aggregated like predicted ones, and what is remembered beyond
                the frame's borders is what was predicted there. False: masks are remembered as they
                are given, with nothing beyond the borders
    """

    encode: Callable[..., MatchingFeatures]
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
    """Builds the network of a family.

        vos = build(family, top_k=20, kernel=None, last_frame=False, short_side=480)

    Args:
      family: what tells it from the others.
      top_k: of the read; None reads everything.
      kernel: standard deviation of a kernelised read in stride-16 cells, or None.
      last_frame: whether the previous frame is always in memory, in one slot more than the Spec's
        capacity; else only remembered frames are.
      max_short_side: most pixels of a frame's short side before scaling; None for no limit.
    """

    def init(params: Any, spec: Spec) -> MatchingState:
        if spec.objects < 1 or spec.capacity < 1:
            raise InputError(
                f"{spec.objects} objects and {spec.capacity} memory frames were asked "
                "for; at least one of each is expected"
            )
        places = math.prod(grid(spec.height, spec.width))
        keys, dtype = spec.objects if family.own_keys else 1, compute_dtype(params)
        entry = MatchingEntry(
            jnp.zeros((places, keys, family.key), dtype),
            jnp.zeros((places, spec.objects, family.value), dtype),
            jnp.zeros(spec.objects, bool),
            jnp.zeros((), bool),
        )
        return MatchingState(
            memory.init(entry, spec.capacity + last_frame), jnp.zeros(spec.objects, bool)
        )

    def encode(params: Any, frame: jax.Array, rng: jax.Array | None = None) -> MatchingFeatures:
        return family.encode(params, frame)

    def predict(
        params: Any, state: MatchingState, features: MatchingFeatures, rng: jax.Array | None = None
    ) -> Any:
        bank, live = state.bank, state.live
        # A slot that nobody has given agrees with all the others, so that one softmax serves them.
        valid = bank.valid[:, None] & (bank.data.live | ~live)
        spread = None if kernel is None else Kernel(kernel, grid(*features.size)[1])
        readout = read(
            features.query,
            bank.data.key,
            bank.data.value,
            valid,
            top_k=top_k,
            metric=family.metric,
            kernel=spread,
        )
        logits = aggregate(family.decode(params, features, readout, live, rng is not None), live)
        aux = MatchingAux(features, jax.nn.softmax(logits, 0)[1:])
        return crop(logits, *features.size), aux

    def commit(
        params: Any,
        state: MatchingState,
        aux: MatchingAux,
        probs: jax.Array,
        given: jax.Array,
        when: When,
        rng: jax.Array | None = None,
    ) -> MatchingState:
        live = state.live | given
        shown = live[:, None, None]
        keep = when.annotated | when.remember
        stores = keep | last_frame

        def memorise() -> Any:
            border = aux.probs if family.soft_given else jnp.zeros_like(aux.probs)
            masks = jnp.where(shown, paste(border, probs[1:]), 0)
            if family.soft_given:
                soft = jax.nn.softmax(aggregate(masks, live), 0)[1:]
                masks = jnp.where(when.annotated, soft, masks)
            return family.memorise(params, aux.features, masks, live, rng is not None)

        shapes = jax.eval_shape(memorise)
        key, value = branch(
            stores, memorise, lambda: tuple(jnp.zeros(s.shape, s.dtype) for s in shapes)
        )
        writes = stores & jnp.any(live)  # a group without objects keeps no memory
        bank = state.bank._replace(valid=state.bank.valid & ~(state.bank.data.temporary & writes))
        entry = MatchingEntry(key, value, live, jnp.logical_not(keep))
        bank = memory.write(bank, entry, time=when.time, when=writes, pin=when.annotated)
        return MatchingState(bank, live)

    def forget(state: MatchingState, release: Release) -> tuple[MatchingState, jax.Array]:
        """Every object has values of its own, and entries know whose are in force."""
        bank = memory.unpin(state.bank, release.annotated)
        live = state.live & release.followed
        bank = bank._replace(data=bank.data._replace(live=bank.data.live & release.followed))
        bank = memory.drop(bank, jnp.broadcast_to(~jnp.any(live), bank.valid.shape))
        return MatchingState(bank, live), jnp.logical_not(release.followed)

    def size(height: int, width: int, scale: float = 1.0) -> tuple[int, int]:
        short = min(height, width)
        target = int(min(short, max_short_side or short) * scale)
        high, wide = (
            max(target if side == short else int(target * side / short), 1)
            for side in (height, width)
        )
        return high, wide

    return Vos(init, encode, predict, commit, size, None, forget)


def grid(height: int, width: int) -> tuple[int, int]:
    """The stride-16 grid (h, w) of a frame after padding.

    grid(480, 854)      # (30, 54)
    """
    return -(-height // STRIDE), -(-width // STRIDE)
