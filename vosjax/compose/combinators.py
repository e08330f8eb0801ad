"""Combinators: each takes and gives a `Vos`, so they nest (`ensemble([v, flip(scale(v, 1.3))])`)."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.errors import InputError
from vosjax.layers.resize import resize, resize_maps
from vosjax.prompt import apply_prompt, prompt_from_probs
from vosjax.types import UNUSED_LOGIT, Size, Spec, Vos

SURE = 1e-5  # merged probabilities of groups keep this distance from 0 and 1, as in aot-benchmark


def flip(vos: Vos) -> Vos:
    """The network looking at the mirrored video."""

    def encode(params, frame, rng=None):
        return vos.encode(params, frame[:, ::-1], rng)

    def predict(params, state, features, rng=None):
        logits, aux = vos.predict(params, state, features, rng)
        return logits[..., ::-1], aux

    def commit(params, state, aux, probs, given, when, rng=None):
        return vos.commit(params, state, aux, probs[..., ::-1], given, when, rng)

    return vos._replace(encode=encode, predict=predict, commit=commit)


def scale(vos: Vos, factor: float) -> Vos:
    """The network looking at frames resized by `factor` (then rounded by its own size rule)."""
    return resized(vos, lambda height, width: vos.size(height, width, factor))


def resized(vos: Vos, rule: Callable[[int, int], tuple[int, int]]) -> Vos:
    """The network looking at frames resized to `rule(height, width)`.

    The frame, of the size of the outer Spec, is resized by OpenCV's cubic kernel; logits and
    probabilities travel bilinearly.
    """

    def init(params, spec):
        height, width = rule(spec.height, spec.width)
        return vos.init(params, spec._replace(height=height, width=width))

    def encode(params, frame, rng=None):
        outer = Size(*frame.shape[:2])
        return vos.encode(params, resize(frame, *rule(*outer), kind="cubic"), rng), outer

    def predict(params, state, features, rng=None):
        features, outer = features
        logits, aux = vos.predict(params, state, features, rng)
        return resize_maps(logits, *outer), aux

    def commit(params, state, aux, probs, given, when, rng=None):
        inner = resize_maps(probs, *rule(*probs.shape[1:]))
        return vos.commit(params, state, aux, inner, given, when, rng)

    return vos._replace(init=init, encode=encode, predict=predict, commit=commit)


def mean(probs: jax.Array) -> jax.Array:
    """Fuses probabilities [E, N+1, H, W] of E networks into [N+1, H, W] by their mean."""
    return probs.mean(0)


def confidence_weighted(probs: jax.Array) -> jax.Array:
    """Fuses likewise, each network weighted in every pixel by its highest probability there."""
    weights = probs.max(1, keepdims=True)
    return (weights * probs).sum(0) / weights.sum(0)


class Fusion(NamedTuple):
    """How an ensemble's M networks become one, as four pure functions, the likes of a `Vos`'s.

    init(spec, members) -> state
        Empty; a pytree of arrays whose shapes depend on the Spec and on M alone.
    encode(frame) -> seen
        What fusing needs of a frame [H, W, 3]; runs where frames are encoded.
    fuse(state, seen, probs) -> (probs, aux)
        [M, N+1, H, W] -> [N+1, H, W]. `aux` is what `commit` will want of this frame.
    commit(state, aux, probs, given, when) -> state
        As `Vos.commit`: what was decided for the frame, with the user's marks laid over it.
    """

    init: Callable[..., Any]
    encode: Callable[..., Any]
    fuse: Callable[..., Any]
    commit: Callable[..., Any]


@functools.lru_cache  # so that programs that use it are the same
def stateless(function: Callable[[jax.Array], jax.Array]) -> Fusion:
    """A fusion of nothing but the probabilities: [M, N+1, H, W] -> [N+1, H, W]."""
    return Fusion(
        lambda spec, members: (),
        lambda frame: (),
        lambda state, seen, probs: (function(probs), ()),
        lambda state, aux, probs, given, when: state,
    )


class EnsembleState(NamedTuple):
    """State of `ensemble`: those of the members, and that of their fusion."""

    members: tuple
    fusion: Any


def ensemble(
    members: Sequence[Vos], *, feedback: str = "own", fusion: Fusion = stateless(mean)
) -> Vos:
    """Several networks over one video; `params` is the tuple of theirs.

    Args:
      members: the networks. All see frames of the first one's size rule; `scale` a member that is
        to see others.
      feedback: 'own', each member remembers its own probabilities (with the user's marks laid over
        them), as the augmentations of aot-benchmark do; 'fused', all remember the fused ones.
      fusion: of their probabilities.

    Raises:
      ValueError: no members, or an unknown kind of feedback.
    """
    members = tuple(members)
    if not members:
        raise InputError("an ensemble of no networks was asked for; give at least one")
    if feedback not in ("own", "fused"):
        raise InputError(f"feedback {feedback!r} was given; it is 'own' or 'fused'")

    def init(params, spec):
        return EnsembleState(
            tuple(vos.init(own, spec) for vos, own in zip(members, params, strict=True)),
            fusion.init(spec, len(members)),
        )

    def encode(params, frame, rng=None):
        return tuple(
            vos.encode(own, frame, rng) for vos, own in zip(members, params, strict=True)
        ), fusion.encode(frame)

    def predict(params, state, features, rng=None):
        features, seen = features
        answers = [
            vos.predict(own, *rest, rng)
            for vos, own, *rest in zip(members, params, state.members, features, strict=True)
        ]
        probs = jnp.stack([jax.nn.softmax(logits, 0) for logits, _ in answers])
        fused, noted = fusion.fuse(state.fusion, seen, probs)
        aux = tuple(aux for _, aux in answers)
        return as_logits(fused), (aux, probs if feedback == "own" else None, noted)

    def commit(params, state, aux, probs, given, when, rng=None):
        aux, own_probs, noted = aux
        if own_probs is None:
            fed = [probs] * len(members)
        else:
            prompt = prompt_from_probs(probs, given)
            fed = [apply_prompt(own, prompt) for own in own_probs]
        return EnsembleState(
            tuple(
                vos.commit(own, *rest, given, when, rng)
                for vos, own, *rest in zip(members, params, state.members, aux, fed, strict=True)
            ),
            fusion.commit(state.fusion, noted, probs, given, when),
        )

    slots = [vos.slots for vos in members if vos.slots is not None]
    return Vos(init, encode, predict, commit, members[0].size, min(slots, default=None))


def as_logits(probs: jax.Array) -> jax.Array:
    """Logits whose softmax is `probs`; those of unused slots where a probability is zero."""
    some = probs > 1e-30
    return jnp.where(some, jnp.log(jnp.where(some, probs, 1)), UNUSED_LOGIT)


@jax.tree_util.register_static
class Count(NamedTuple):
    """How many objects a state of `groups` speaks of; static."""

    objects: int


class GroupsState(NamedTuple):
    """State of `groups`.

    known   [G, S] bool   slots that were given at some time
    states  the states of the groups, every leaf [G, ...]
    count   of the objects, at most G * S
    """

    known: jax.Array
    states: Any
    count: Count


@functools.lru_cache(maxsize=64)
def groups(vos: Vos, count: int) -> Vos:
    """Room for `count * vos.slots` objects: groups of slots that share one encoding.

    Slot n belongs to group (n - 1) // vos.slots; whatever is in other groups is background to a
    group. A group remembers from the frame on in which its first object is given. The Spec's
    `objects` may be any number up to the total. One group is the network itself.

    Raises:
      ValueError: count below 1, or a network without a limit of slots (which needs no groups).
    """
    if count < 1 or vos.slots is None:
        raise ValueError(
            f"{count} groups of {vos.slots} slots were asked for; at least one group, "
            "of a network with a limit of slots, is expected"
        )
    if count == 1:
        return vos
    slots, total = vos.slots, vos.slots * count

    def init(params, spec):
        if spec.objects > total:
            raise ValueError(
                f"{spec.objects} objects were asked of {count} groups of {slots}, "
                f"which hold {total}; make more groups"
            )
        one = vos.init(params, spec._replace(objects=slots))
        states = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), one)
        return GroupsState(jnp.zeros((count, slots), bool), states, Count(spec.objects))

    def predict(params, state, features, rng=None):
        def one(own):
            return vos.predict(params, own, features, rng)

        # One after the other on the CPU: there the branches of a group (empty memory slots) stay
        # branches and take no time, where vmap would make selections of them.
        logits, aux = jax.lax.platform_dependent(
            state.states, cpu=lambda states: jax.lax.map(one, states), default=jax.vmap(one)
        )
        used = jnp.concatenate([jnp.ones(1, bool), state.known.reshape(-1)])
        logits = jnp.where(used[:, None, None], merge(logits), UNUSED_LOGIT)
        return logits[: state.count.objects + 1], aux

    def commit(params, state, aux, probs, given, when, rng=None):
        def one(own, aux, probs, given):
            return vos.commit(params, own, aux, probs, given, when, rng)

        spare = total - state.count.objects
        given = jnp.pad(given, (0, spare)).reshape(count, slots)
        parts = split(jnp.pad(probs, ((0, spare), (0, 0), (0, 0))), count)
        return GroupsState(
            state.known | given, jax.vmap(one)(state.states, aux, parts, given), state.count
        )

    return Vos(init, vos.encode, predict, commit, vos.size, total)


def merge(logits: jax.Array) -> jax.Array:
    """Logits [G, S+1, H, W] of groups -> logits [G*S+1, H, W] of all objects, as aot-benchmark.

    Softmax in each group, backgrounds multiplied, then the logit of the result clamped to
    1e-5 .. 1 - 1e-5 (a softmax over it renormalises odds).
    """
    probs = jax.nn.softmax(logits, 1)
    background = probs[:, 0].prod(0)[None]
    objects = probs[:, 1:].reshape(-1, *probs.shape[2:])
    merged = jnp.clip(jnp.concatenate([background, objects]), SURE, 1 - SURE)
    return jnp.log(merged) - jnp.log1p(-merged)


def split(probs: jax.Array, count: int) -> jax.Array:
    """Probabilities [N+1, H, W] of all objects -> [G, N/G+1, H, W] as each group sees them.

    A group's background is the strongest of everything outside it, so that where an object wins
    over all, it wins in its group too, and nowhere else.
    """
    objects = probs[1:].reshape(count, -1, *probs.shape[1:])
    tops = objects.max(1)
    outside = [
        jnp.max(jnp.stack([probs[0], *(tops[j] for j in range(count) if j != i)]), 0)
        for i in range(count)
    ]
    parts = jnp.concatenate([jnp.stack(outside)[:, None], objects], 1)
    return parts / jnp.maximum(parts.sum(1, keepdims=True), 1e-30)


def enlarge(
    vos: Vos, params: Any, state: Any, spec: Spec, *, from_count: int = 1, to_count: int = 1
) -> Any:
    """The same state with more memory frames, more groups or both; what is in it stays as it is.

    Args:
      vos: the network of one group.
      params: its weights.
      state: a state of `groups(vos, from_count)`, not larger than the Spec in anything.
      spec: the new Spec.
      from_count: groups in `state`.
      to_count: groups in the result.

    Raises:
      ValueError: the Spec is smaller than the state in something.
    """
    if from_count == 1 < to_count:
        known = jnp.ones((1, vos.slots), bool)
        state = GroupsState(known, jax.tree.map(lambda leaf: leaf[None], state), Count(vos.slots))
    network = groups(vos, to_count) if to_count > 1 else vos
    fresh, shape = jax.tree.flatten(network.init(params, spec))
    old = jax.tree.leaves(state)
    if any(
        new < present
        for after, before in zip(fresh, old, strict=True)
        for new, present in zip(after.shape, before.shape, strict=True)
    ):
        raise ValueError(f"a state cannot shrink to {spec}; ask for at least its present size")
    grown = [
        jax.lax.dynamic_update_slice(after, before.astype(after.dtype), (0,) * after.ndim)
        for after, before in zip(fresh, old)
    ]
    return jax.tree.unflatten(shape, grown)
