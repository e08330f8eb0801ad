"""The compiled programs of the engine, which process frames of several videos at once.

They perform the same computation as the tracker (`tracking.frame`), in three steps: frames are
encoded in batches, each part of a network tracks them on its own device, and labels are computed
after the probabilities of the parts are fused.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.compose.groups import groups
from vosjax.eval.plan import Plan
from vosjax.layers.resize import resize_maps
from vosjax.loading.ensembles import Part
from vosjax.prompt import apply_prompt
from vosjax.tracking.frame import follow_frame, network_size, to_network
from vosjax.tracking.labels import to_labels
from vosjax.tracking.step import MemoryClock
from vosjax.types import Prompt, Spec


class Packing(NamedTuple):
    """How probabilities are kept: with 8 or 16 bits, at `scale` times the frame's size."""

    bits: int
    scale: float


class PartPrograms(NamedTuple):
    """The programs of one part, compiled or lowered, for a batch of B videos; states are donated.

    start          (params) -> state
    encode         (params, frames uint8 [B, T, H, W, 3]) -> features, every leaf [T, B, ...]
    follow         (params, state, features, number in the chunk, clock) -> `FollowedFrame` with
                   probabilities [B, N+1, H, W]
    follow_marked  the same with one more argument, a `Prompt` of labels [B, H, W] and given [B, N]
    """

    start: Any
    encode: Any
    follow: Any
    follow_marked: Any


class Programs(NamedTuple):
    """All programs of a plan.

    parts           `PartPrograms` of each part
    outputs         (list of probabilities [B, N+1, H, W], ids [B, N+1]) -> labels, object stats,
                    packed probabilities or None
    outputs_marked  the same with one more argument, a `Prompt`
    labels          None; where masks are refined, `outputs` only fuse, to probabilities
                    [B, N+1, H, W], and this is (probabilities, ids) -> labels, object stats, packed
    """

    parts: list[PartPrograms]
    outputs: Any
    outputs_marked: Any
    labels: Any = None


def compile_plan(*arguments: Any, **settings: Any) -> Programs:
    """Lowers and compiles all programs of a plan; arguments are those of `lower_plan`.

    programs = compile_plan(plan, 4, parts, devices, fuse=mean, chunk=8, ...)
    """
    lowered = lower_plan(*arguments, **settings)
    programs: Programs = jax.tree.map(lambda program: program.compile(), lowered)
    return programs


def lower_plan(
    plan: Plan,
    batch: int,
    parts: Sequence[Part],
    devices: Sequence[Any],
    *,
    fuse: Callable[[jax.Array], jax.Array],
    chunk: int,
    max_short_side: int | None,
    packing: Packing | None,
    refined: bool = False,
) -> Programs:
    """Lowers all programs of a plan: traced for their devices, and not compiled yet.

        lower_plan(plan, 4, parts, devices, fuse=mean, chunk=8, ...).parts[0].encode.compile()

    Args:
        plan: the plan of all videos.
        batch: number B of videos that run side by side.
        parts: the parts of the network; of their weights, shapes suffice.
        devices: a device for each part, also of a machine that is not there (`ahead.compiler`).
        fuse: fuses the probabilities of members, [members, N+1, H, W] -> [N+1, H, W].
        chunk: number T of frames that are encoded in one batch.
        max_short_side: largest short side in pixels that the network sees, or None.
        packing: how probabilities are returned, or None.
        refined: whether fused probabilities are refined before labels are made of them.

    Returns:
        `Programs` of `jax.stages.Lowered`.
    """
    programs = [
        _lower_part(part, plan, batch, chunk, max_short_side, device)
        for part, device in zip(parts, devices)
    ]
    slots, first = plan.slots * plan.groups, jax.sharding.SingleDeviceSharding(devices[0])
    shape = (batch, slots + 1, *plan.size)
    probs = [jax.ShapeDtypeStruct(shape, jnp.float32, sharding=first)] * len(parts)
    ids = jax.ShapeDtypeStruct((batch, slots + 1), jnp.uint8)
    members, marks, labels = tuple(part.member for part in parts), _prompt_shapes(plan, batch), None
    if refined:
        fused = jax.jit(functools.partial(fuse_parts, members, fuse))
        outputs = [fused.lower(probs, *prompt) for prompt in ((), (marks,))]
        labels = jax.jit(functools.partial(_labels, packing)).lower(probs[0], ids)
    else:
        whole = jax.jit(functools.partial(to_outputs, members, fuse, packing))
        outputs = [whole.lower(probs, ids, *prompt) for prompt in ((), (marks,))]
    return Programs(programs, outputs[0], outputs[1], labels)


def _lower_part(
    part: Part, plan: Plan, batch: int, chunk: int, max_short_side: int | None, device: Any
) -> PartPrograms:
    vos = groups(part.vos._replace(slots=plan.slots), plan.groups)
    spec = Spec(
        *network_size(vos, plan.size, max_short_side), plan.slots * plan.groups, plan.capacity
    )
    here = jax.sharding.SingleDeviceSharding(device)

    def placed(shapes: Any) -> Any:
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), shapes
        )

    def start(params: Any) -> Any:
        one = vos.init(params, spec)
        return jax.tree.map(lambda leaf: jnp.zeros((batch, *leaf.shape), leaf.dtype) + leaf, one)

    def encode(params: Any, frames: jax.Array) -> Any:
        encode_frame = jax.named_scope("encode")(functools.partial(vos.encode, params))
        features = jax.vmap(jax.vmap(encode_frame))(to_network(frames, spec))
        return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), features)

    def follow(
        params: Any,
        state: Any,
        features: Any,
        number: jax.Array,
        clock: MemoryClock,
        prompt: Prompt | None = None,
    ) -> Any:
        def one(state: Any, features: Any, prompt: Prompt | None) -> Any:
            marked = jnp.asarray(prompt is not None)  # of all videos: a branch stays a branch
            if prompt is None:
                prompt = Prompt(jnp.zeros(plan.size, jnp.int32), jnp.zeros(spec.objects, bool))
            return follow_frame(
                vos,
                params,
                state,
                features,
                prompt,
                clock,
                spec=spec,
                size=plan.size,
                annotated=marked,
            )

        return jax.vmap(one)(state, jax.tree.map(lambda leaf: leaf[number], features), prompt)

    params = placed(part.params)
    frames = placed(jax.ShapeDtypeStruct((batch, chunk, *plan.size, 3), jnp.uint8))
    started = jax.jit(start).lower(params)
    encoded = jax.jit(encode).lower(params, frames)
    state = placed(jax.eval_shape(start, params))
    features = placed(jax.eval_shape(encode, params, frames))
    number: Any = jax.ShapeDtypeStruct((), jnp.int32)
    common = params, state, features, number, MemoryClock(number, number, number)
    followed = jax.jit(follow, donate_argnums=1)
    return PartPrograms(
        started,
        encoded,
        followed.lower(*common),
        followed.lower(*common, _prompt_shapes(plan, batch)),
    )


def _prompt_shapes(plan: Plan, batch: int) -> Prompt:
    labels: Any = jax.ShapeDtypeStruct((batch, *plan.size), jnp.int32)
    given: Any = jax.ShapeDtypeStruct((batch, plan.slots * plan.groups), jnp.bool_)
    return Prompt(labels, given)


def to_outputs(
    members: Sequence[int],
    fuse: Callable[[jax.Array], jax.Array],
    packing: Packing | None,
    probs: Sequence[jax.Array],
    ids: jax.Array,
    prompt: Prompt | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Computes the outputs for one frame of B videos from the probabilities of all parts.

        labels, object_stats, packed = to_outputs((0, 0, 1), mean, None, probs, ids)

    The views of a member are averaged, members are fused, and the prompt is laid over the result.

    Args:
        members: for each part, the number of the member that it is a view of.
        fuse: fuses the probabilities of members, [members, N+1, H, W] -> [N+1, H, W].
        packing: how probabilities are returned, or None.
        probs: probabilities of each part, float32 [B, N+1, H, W].
        ids: uint8 [B, N+1], the id of each slot, and 0 for the background.
        prompt: the given objects, labels [B, H, W] and given [B, N], or None.

    Returns:
        Labels uint8 [B, H, W] and object stats [B, N, 3], as from `to_labels`; and the packed
        probabilities [B, N, h, w], or None.
    """
    return _labels(packing, fuse_parts(members, fuse, probs, prompt), ids)


@jax.named_scope("fuse")
def fuse_parts(
    members: Sequence[int],
    fuse: Callable[[jax.Array], jax.Array],
    probs: Sequence[jax.Array],
    prompt: Prompt | None = None,
) -> jax.Array:
    """Fuses the probabilities of all parts, and lays the prompt over the result.

        fused = fuse_parts((0, 0, 1), mean, probs)      # [B, N+1, H, W]

    Args:
        members: as for `to_outputs`.
        fuse: as for `to_outputs`.
        probs: as for `to_outputs`.
        prompt: as for `to_outputs`.
    """
    views = [
        [view for member, view in zip(members, probs) if member == number]
        for number in sorted(set(members))
    ]
    means = jnp.stack([sum(own) / len(own) for own in views], 1)

    def one(means: jax.Array, prompt: Prompt | None) -> jax.Array:
        fused = means[0] if len(views) == 1 else fuse(means)
        return fused if prompt is None else apply_prompt(fused, prompt)

    fused: jax.Array = jax.vmap(one)(means, prompt)
    return fused


def _labels(
    packing: Packing | None, probs: jax.Array, ids: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    def one(probs: jax.Array, ids: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array | None]:
        return *to_labels(probs, ids), None if packing is None else pack(probs, packing)

    return jax.vmap(one)(probs, ids)


def pack(probs: jax.Array, packing: Packing) -> jax.Array:
    """Reduces the objects' probabilities in size and rounds them to integers.

        packed = pack(probs, Packing(bits=8, scale=0.5))      # [N+1, H, W] -> uint8 [N, H/2, W/2]

    Args:
        probs: float32 [N+1, H, W], the background first.
        packing: number of bits and scale.
    """
    height, width = (max(round(side * packing.scale), 1) for side in probs.shape[1:])
    small = resize_maps(probs[1:], height, width)
    kind = {8: jnp.uint8, 16: jnp.uint16}[packing.bits]
    return jnp.round(small * (2**packing.bits - 1)).astype(kind)
