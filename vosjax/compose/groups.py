"""Groups of slots: room for more objects than one state of a network holds, or more memory."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.types import UNUSED_LOGIT, Release, Spec, Vos, When

SURE = 1e-5  # least distance of merged probabilities from 0 and 1, as in aot-benchmark


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class ObjectCount:
    """The number of objects in a state of `groups`; static."""

    count: int


class GroupsState(NamedTuple):
    """State of `groups`: G groups of S slots.

    known    [G, S] bool, the slots that hold an object
    states   the states of the groups, every leaf [G, ...]
    objects  number of slots that the Spec asked for, at most G * S
    """

    known: jax.Array
    states: Any
    objects: ObjectCount


@functools.lru_cache(maxsize=64)
def groups(vos: Vos, count: int) -> Vos:
    """Makes room for `count * vos.slots` objects, in groups of slots that share one encoding.

        many = groups(vos, 3)                                # 30 objects if vos.slots is 10
        state = many.init(params, spec._replace(objects=30))

    Slot n belongs to group (n - 1) // vos.slots. To a group, the objects of other groups are
    background. A group remembers nothing before the frame in which its first object is given. The
    Spec's `objects` may be any number up to the total. One group is the network itself.

    Args:
        vos: the network of one group.
        count: number of groups.

    Raises:
        ValueError: `count` is below 1, or the network takes any number of objects, so that it
            needs no groups. The result's `init` raises it for a Spec of more objects than fit.
    """
    if count < 1 or vos.slots is None:
        raise ValueError(
            f"{count} groups of {vos.slots} slots were asked for; at least one group, "
            "of a network with a limit of slots, is expected"
        )
    if count == 1:
        return vos
    slots, total = vos.slots, vos.slots * count

    def init(params: Any, spec: Spec) -> GroupsState:
        if spec.objects > total:
            raise ValueError(
                f"{spec.objects} objects were asked of {count} groups of {slots}, "
                f"which hold {total}; make more groups"
            )
        one = vos.init(params, spec._replace(objects=slots))
        states = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), one)
        return GroupsState(jnp.zeros((count, slots), bool), states, ObjectCount(spec.objects))

    def predict(params: Any, state: GroupsState, features: Any, rng: Any = None) -> tuple[Any, Any]:
        def one(own: Any) -> tuple[Any, Any]:
            logits, aux = vos.predict(params, own, features, rng)
            return logits, aux

        # One after the other on CPUs, where branches (for empty memory slots) then cost nothing;
        # vmap would turn them into selects.
        logits, aux = jax.lax.platform_dependent(
            state.states, cpu=lambda states: jax.lax.map(one, states), default=jax.vmap(one)
        )
        used = jnp.concatenate([jnp.ones(1, bool), state.known.reshape(-1)])
        logits = jnp.where(used[:, None, None], merge_groups(logits), UNUSED_LOGIT)
        return logits[: state.objects.count + 1], aux

    def by_group(flags: Any, state: GroupsState) -> jax.Array:
        """Splits flags [N] of all objects into [G, S]; spare slots get zeros."""
        return jnp.pad(flags, (0, total - state.objects.count)).reshape(count, slots)

    def commit(
        params: Any,
        state: GroupsState,
        aux: Any,
        probs: jax.Array,
        given: jax.Array,
        when: When,
        rng: Any = None,
    ) -> GroupsState:
        def one(own: Any, aux: Any, probs: jax.Array, given: jax.Array) -> Any:
            return vos.commit(params, own, aux, probs, given, when, rng)

        spare = total - state.objects.count
        given = by_group(given, state)
        parts = split_groups(jnp.pad(probs, ((0, spare), (0, 0), (0, 0))), count)
        return GroupsState(
            state.known | given, jax.vmap(one)(state.states, aux, parts, given), state.objects
        )

    def forget(state: GroupsState, release: Release) -> tuple[GroupsState, jax.Array]:
        followed, reclaim, first, last = (by_group(flags, state) for flags in release[:4])

        def one(own: Any, *slots: jax.Array) -> tuple[Any, jax.Array]:
            followed, reclaim, first, last = slots
            return vos.forget(own, Release(followed, reclaim, first, last, release.annotated))

        states, free = jax.vmap(one)(state.states, followed, reclaim, first, last)
        known = state.known & followed
        return GroupsState(known, states, state.objects), free.reshape(-1)[: state.objects.count]

    return Vos(init, vos.encode, predict, commit, vos.size, total, forget, vos.appearance)


def merge_groups(logits: jax.Array) -> jax.Array:
    """Merges the logits of groups into those of all objects, as in aot-benchmark.

        logits = merge_groups(logits)      # [G, S+1, H, W] -> [G*S+1, H, W]

    The probabilities of a group are the softmax of its logits, and those of the background are
    multiplied over the groups. They are clipped to 1e-5 .. 1 - 1e-5 and returned as log-odds, so
    that a softmax over all objects normalises the odds.
    """
    probs = jax.nn.softmax(logits, 1)
    background = probs[:, 0].prod(0)[None]
    objects = probs[:, 1:].reshape(-1, *probs.shape[2:])
    merged = jnp.clip(jnp.concatenate([background, objects]), SURE, 1 - SURE)
    return jnp.log(merged) - jnp.log1p(-merged)


def split_groups(probs: jax.Array, count: int) -> jax.Array:
    """Splits the probabilities of all objects into those of each group.

        parts = split_groups(probs, 2)      # [N+1, H, W] -> [2, N/2+1, H, W]

    The background of a group is the maximum over everything outside the group. So an object has
    the highest probability in its group exactly where it has the highest of all.
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
    """Enlarges a state to more memory frames, more groups or both, without changing its contents.

        state = enlarge(vos, params, state, spec._replace(capacity=16))

    Args:
        vos: the network of one group.
        params: its weights.
        state: a state of `groups(vos, from_count)`.
        spec: the new Spec.
        from_count: number of groups in `state`.
        to_count: number of groups in the result.

    Raises:
        ValueError: the Spec is smaller than that of the state.
    """
    if from_count == 1 < to_count:
        assert vos.slots is not None
        known = jnp.ones((1, vos.slots), bool)
        state = GroupsState(
            known, jax.tree.map(lambda leaf: leaf[None], state), ObjectCount(vos.slots)
        )
    network = groups(vos, to_count) if to_count > 1 else vos
    empty, structure = jax.tree.flatten(network.init(params, spec))
    leaves = jax.tree.leaves(state)
    if any(
        new < present
        for after, before in zip(empty, leaves, strict=True)
        for new, present in zip(after.shape, before.shape, strict=True)
    ):
        raise ValueError(f"a state cannot shrink to {spec}; ask for at least its present size")
    grown = [
        jax.lax.dynamic_update_slice(after, before.astype(after.dtype), (0,) * after.ndim)
        for after, before in zip(empty, leaves)
    ]
    return jax.tree.unflatten(structure, grown)
