"""Frames of several sessions through one program, padded to a few batch sizes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vosjax.tracking.frame import FrameOutput, step_frame, to_network
from vosjax.tracking.labels import labels_at
from vosjax.tracking.state import FrameCall
from vosjax.tracking.step import MemoryClock
from vosjax.types import Prompt, Spec, Vos

SIZES = (1, 2, 4, 8, 16, 32, 64)  # of batches, so that few programs are compiled
FULL = 0.75  # share of a batch that has to be filled; else it is divided


class Kind(NamedTuple):
    """What frames have in common that can go through one program.

    network  the network of all groups
    spec     the Spec of the states
    size     (H, W) of the users' frames
    """

    network: Vos
    spec: Spec
    size: tuple[int, int]


def kind_of(call: FrameCall) -> Kind:
    """Returns the kind of a frame.

        kind_of(tracker.prepare(frame)).spec.capacity

    Args:
        call: the frame.
    """
    assert call.state.frame_size is not None
    return Kind(call.state.network, call.state.spec, call.state.frame_size)


def divided(count: int, most: int) -> list[int]:
    """Divides frames among batches of the few sizes that are compiled.

        divided(7, most=8)      # [8]: one place stays empty
        divided(5, most=8)      # [4, 1]

    Args:
        count: number of frames.
        most: largest batch.

    Returns:
        The sizes, whose sum is at least `count`.
    """
    allowed = [size for size in SIZES if size <= most]
    parts = []
    while count > 0:
        above = next((size for size in allowed if size >= count), allowed[-1])
        part = above if count >= FULL * above else max(n for n in allowed if n <= count)
        parts.append(part)
        count -= part
    return parts


def compiled_batch(kind: Kind, params: Any, count: int) -> Any:
    """Compiles the frame of several sessions, none of which is given a prompt.

        program = compiled_batch(kind, model.params, 4)
        states, labels, object_stats = program(params, states, frames, ids, clocks)

    States are a tuple of `count` states, which are not donated, so that a failing call loses
    nothing; frames uint8 [count, H, W, 3]; ids uint8 [count, N+1]; clocks a `MemoryClock` of int32
    [count]. Results are the states after the frames, labels uint8 [count, H, W] and object stats
    [count, N, 3].

    Args:
        kind: what the frames have in common.
        params: the network's weights, or their shapes.
        count: number of frames.
    """
    vos, spec, size = kind

    def whole(
        params: Any, states: Any, frames: jax.Array, ids: jax.Array, clocks: MemoryClock
    ) -> tuple[Any, jax.Array, jax.Array]:
        nothing = Prompt(jnp.zeros(size, jnp.int32), jnp.zeros(spec.objects, bool))

        def one(state: Any, frame: jax.Array, ids: jax.Array, clock: MemoryClock) -> Any:
            with jax.named_scope("encode"):
                features = vos.encode(params, to_network(frame, spec), None)
            output = step_frame(
                vos,
                params,
                state,
                features,
                nothing,
                clock,
                spec=spec,
                allowed=ids[1:] > 0,
                annotated=np.bool_(False),  # known while tracing, so that no branch is left
            )
            return output.state, *labels_at(output.predicted, None, ids, size)

        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
        after, labels, object_stats = jax.vmap(one)(stacked, frames, ids, clocks)
        leaves, form = jax.tree.flatten(after)
        apart = [jax.tree.unflatten(form, [leaf[i] for leaf in leaves]) for i in range(count)]
        return tuple(apart), labels, object_stats

    state = jax.eval_shape(lambda params: vos.init(params, spec), params)
    numbers: Any = jax.ShapeDtypeStruct((count,), jnp.int32)
    lowered = jax.jit(whole).lower(
        params,
        (state,) * count,
        jax.ShapeDtypeStruct((count, *size, 3), jnp.uint8),
        jax.ShapeDtypeStruct((count, spec.objects + 1), jnp.uint8),
        MemoryClock(numbers, numbers, numbers),
    )
    return lowered.compile()


def run_batch(program: Any, calls: Sequence[FrameCall], count: int) -> list[FrameOutput]:
    """Runs the frames of some sessions in one program, and gives each its new state.

        outputs = run_batch(compiled_batch(kind, params, 4), calls, 4)

    Args:
        program: what `compiled_batch` returned.
        calls: at most `count` frames of one kind, without prompts.
        count: the size of the program's batch; empty places hold the first frame again.
    """
    rows = [*calls, *[calls[0]] * (count - len(calls))]
    ids = np.array([call.state.objects.ids for call in rows], np.uint8)
    times: Any = [np.array(part, np.int32) for part in zip(*(call.clock for call in rows))]
    states, labels, object_stats = program(
        calls[0].state.params,
        tuple(call.state.arrays for call in rows),
        np.stack([call.frame for call in rows]),
        ids,
        MemoryClock(*times),
    )
    labels, object_stats = np.asarray(labels), np.asarray(object_stats)  # what failed raises here
    for call, state in zip(calls, states):
        call.state.arrays = state
    return [call.output(*row) for call, *row in zip(calls, labels, object_stats)]
