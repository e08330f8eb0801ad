"""Matching networks (STM, STCN, FAMNet) as a `Vos`: everything except their encoders and decoder.

The memory holds keys, and a value for each object. The query of a frame reads it, every object is
decoded separately, and soft aggregation combines the objects. An object that appears later reads
only what was remembered since then. A state has room for any number of objects, and frames of any
size are padded to multiples of 16.
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

    query  [P, 1, C], by which the memory is read
    maps   what the family's decoder and memory encoder need of the frame
    size   (H, W) of the frame before padding
    """

    query: jax.Array
    maps: Any
    size: Size


class MatchingEntry(NamedTuple):
    """A remembered frame.

    key        [P, 1 or N, C]
    value      [P, N, D]   the values of all objects side by side, so that one gather reads them
    live       [N] bool    the objects that had been given by then
    temporary  [] bool     whether the entry is that of the previous frame, which the next replaces
    """

    key: jax.Array
    value: jax.Array
    live: jax.Array
    temporary: jax.Array


class MatchingState(NamedTuple):
    """The memory of a matching network.

    bank  the entries of the remembered frames
    live  [N] bool, the slots that hold an object
    """

    bank: memory.Bank
    live: jax.Array


class MatchingAux(NamedTuple):
    """What `commit` needs from a prediction.

    features  the encoded frame
    probs     [N, H', W'], the objects' probabilities in the padded frame
    """

    features: MatchingFeatures
    probs: jax.Array


class MatchingFamily(NamedTuple):
    """What distinguishes a family from the others.

    encode      (params, frame [H, W, 3]) -> features
    decode      (params, features, readout [P, N, D], live [N], together) -> probabilities of the
                objects [N, H', W']; `together` as for `layers.objects.map_objects`
    memorise    (params, features, masks [N, H', W'], live [N], together) -> key and value of a
                `MatchingEntry`
    appearance  (features) -> [h, w, C], as in `Vos`
    metric      metric of the read, see `memory.read`
    key, value  numbers of channels C and D
    own_keys    whether every object has keys of its own
    soft_given  True: given masks are aggregated like predicted ones, and the padding of a
                remembered mask is what was predicted there. False: masks are remembered as they are
                given, with zeros in the padding
    """

    encode: Callable[..., MatchingFeatures]
    decode: Callable[..., jax.Array]
    memorise: Callable[..., tuple[jax.Array, jax.Array]]
    appearance: Callable[[MatchingFeatures], jax.Array]
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

        vos = build(family, top_k=20, kernel=None, last_frame=False, max_short_side=480)

    Args:
        family: what distinguishes it from the others.
        top_k: number of memory positions that a query reads; None reads all.
        kernel: standard deviation of a kernelised read in stride-16 cells, or None.
        last_frame: whether the previous frame is always in memory, in addition to the Spec's
            capacity.
        max_short_side: largest short side in pixels, before scaling; None for no limit.
    """

    def init(params: Any, spec: Spec) -> MatchingState:
        if spec.objects < 1 or spec.capacity < 1:
            raise InputError(
                f"{spec.objects} objects and {spec.capacity} memory frames were asked "
                "for; at least one of each is expected"
            )
        positions = math.prod(grid(spec.height, spec.width))
        keys, dtype = spec.objects if family.own_keys else 1, compute_dtype(params)
        entry = MatchingEntry(
            jnp.zeros((positions, keys, family.key), dtype),
            jnp.zeros((positions, spec.objects, family.value), dtype),
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
        # Slots without an object are valid everywhere, so that all objects can share one softmax.
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
        with jax.named_scope("decoder"):
            decoded = family.decode(params, features, readout, live, rng is not None)
        logits = aggregate(decoded, live)
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
        present = live[:, None, None]
        keep = when.annotated | when.remember
        stores = keep | last_frame

        @jax.named_scope("memorise")
        def memorise() -> Any:
            border = aux.probs if family.soft_given else jnp.zeros_like(aux.probs)
            masks = jnp.where(present, paste(border, probs[1:]), 0)
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
        """Marks the values of released objects as invalid in all entries."""
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

    return Vos(init, encode, predict, commit, size, None, forget, family.appearance)


def grid(height: int, width: int) -> tuple[int, int]:
    """Returns the stride-16 grid (h, w) of a frame after padding.

    grid(480, 854)      # (30, 54)
    """
    return -(-height // STRIDE), -(-width // STRIDE)
