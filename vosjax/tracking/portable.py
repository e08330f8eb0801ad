"""A network's step as a portable program: StableHLO that any installation of JAX loads and runs.

    init(weights) -> (params, state)
    step(params, state, frame, mask, given) -> (state, labels, scores)

Weights, params and state are lists of arrays, so that a caller needs none of the project's types.
The programs have one size of frame, one number of objects and one capacity of the memory, which is
a ring: nothing is compiled again however long the video is.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from vosjax.compose.groups import groups
from vosjax.errors import InputError
from vosjax.loading.pretrained import Loaded
from vosjax.tracking.frame import network_size, step_frame, to_network
from vosjax.tracking.labels import labels_at
from vosjax.tracking.step import MemoryClock, remembers
from vosjax.types import Prompt, Spec

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
MOST_OBJECTS = 255  # labels are uint8


class PortableStep(NamedTuple):
    """What `portable_step` makes.

    init     init(weights) -> (params, state), exported
    step     step(params, state, frame, mask, given) -> (state, labels, scores), exported
    weights  the arrays that `init` takes, float32 or integers, by the paths of the parameters
    layout   what every argument and result is, as JSON: names, shapes, dtypes, meanings
    """

    init: export.Exported
    step: export.Exported
    weights: dict[str, np.ndarray[Any, Any]]
    layout: dict[str, Any]


def portable_step(
    model: Loaded,
    size: tuple[int, int],
    *,
    objects: int,
    capacity: int,
    platforms: Sequence[str] = PLATFORMS,
    max_short_side: int | None = None,
) -> PortableStep:
    """Exports the step of a network.

        portable = portable_step(vosjax.load(), (480, 854), objects=3, capacity=8)

    `step` takes a frame uint8 [H, W, 3] RGB, a mask uint8 [H, W] of objects 1..N, which is read
    where `given` bool [N] says that an object is marked in this frame, and returns labels uint8
    [H, W] and scores float32 [N, 3]: the mean probability in each object's mask, the mean margin
    over the second-best object there, and the mask's pixels. A marked object's mask is returned as
    given. Objects that were never marked get no pixels.

    Args:
        model: the network with its weights, see `load`; or several as one, which are averaged.
        size: (H, W) of the frames.
        objects: number of objects N, 1..255; more than the network has slots for take groups.
        capacity: number of memory frames M. When it is full, the oldest frame that was not
            annotated is replaced; when all were, an annotated one replaces the oldest.
        platforms: where the program can be run, of `PLATFORMS`.
        max_short_side: as for `Tracker`.

    Raises:
        InputError: there are more than 255 objects; or a platform is unknown.
    """
    unknown = [name for name in platforms if name not in PLATFORMS]
    if unknown or not platforms:
        raise InputError(
            f"platforms is {list(platforms)}; some of {', '.join(PLATFORMS)} are expected"
        )
    if not 1 <= objects <= MOST_OBJECTS:
        raise InputError(f"objects is {objects}; 1 to {MOST_OBJECTS} are expected")
    single = model.model.vos
    count = 1 if single.slots is None else -(-objects // single.slots)
    vos = groups(single, count) if count > 1 else single
    spec = Spec(*network_size(single, size, max_short_side), objects, capacity)
    mem_every, numbers = model.config["mem_every"], np.arange(1, objects + 1, dtype=np.int32)

    paths, tree = jax.tree_util.tree_flatten_with_path(model.params)
    kinds = [leaf.dtype for _, leaf in paths]
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]
    weights = {name: _wide(leaf) for name, (_, leaf) in zip(names, paths)}
    shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in weights.values()]
    empty = jax.eval_shape(lambda params: vos.init(params, spec), model.params)
    state_tree = jax.tree.structure(empty)

    def init(weights: list[jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
        params = [leaf.astype(kind) for leaf, kind in zip(weights, kinds, strict=True)]
        network = jax.tree.leaves(vos.init(jax.tree.unflatten(tree, params), spec))
        clock = [jnp.zeros(objects, bool), jnp.int32(0), jnp.int32(0)]
        return params, [*clock, *network]

    def step(
        params: list[jax.Array],
        state: list[jax.Array],
        frame: jax.Array,
        mask: jax.Array,
        given: jax.Array,
    ) -> tuple[list[jax.Array], jax.Array, jax.Array]:
        known, time, last, *network = state
        known = known | given
        mask = mask.astype(jnp.int32)
        marked = jnp.isin(mask, jnp.where(given, numbers, 0))
        prompt = Prompt(jnp.where(marked, mask, 0), given)
        weights = jax.tree.unflatten(tree, params)
        features = vos.encode(weights, to_network(frame, spec), None)
        # Before the first object there is nothing to remember.
        last = jnp.where(known.any(), last, time)
        clock = MemoryClock(time, last, jnp.int32(mem_every))
        output = step_frame(
            vos,
            weights,
            jax.tree.unflatten(state_tree, network),
            features,
            prompt,
            clock,
            spec=spec,
            allowed=known,
        )
        ids = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.where(known, numbers, 0)])
        labels, stats = labels_at(output.predicted, prompt, ids, size)
        last = jnp.where(remembers(given.any(), time, last, mem_every), time, last)
        return (
            [known, time + 1, last, *jax.tree.leaves(output.state)],
            labels.astype(jnp.uint8),
            stats,
        )

    params, state = jax.eval_shape(init, shapes)
    inputs = (
        jax.ShapeDtypeStruct((*size, 3), jnp.uint8),
        jax.ShapeDtypeStruct(size, jnp.uint8),
        jax.ShapeDtypeStruct((objects,), bool),
    )
    started = _exported(init, platforms, shapes)
    stepped = _exported(step, platforms, params, state, *inputs)
    layout = {
        "frame": {"height": size[0], "width": size[1]},
        "network": {"height": spec.height, "width": spec.width},
        "objects": objects,
        "memory frames": capacity,
        "mem_every": mem_every,
        "platforms": list(platforms),
        "jax": jax.__version__,
        "weights": _rows(names, shapes),
        "params": _rows(names, params),
        "state": _rows(_state_names(empty), state),
        "inputs": _rows(("frame", "mask", "given"), inputs),
        "results": _rows(
            ("labels", "scores"),
            (
                jax.ShapeDtypeStruct(size, jnp.uint8),
                jax.ShapeDtypeStruct((objects, 3), jnp.float32),
            ),
        ),
    }
    return PortableStep(started, stepped, weights, layout)


def _exported(
    function: Callable[..., Any], platforms: Sequence[str], *shapes: Any
) -> export.Exported:
    return export.export(jax.jit(function), platforms=list(platforms))(*shapes)


def _wide(leaf: Any) -> np.ndarray[Any, Any]:
    """Returns a weight as NumPy alone can store it: narrower floats as float32, without loss."""
    array = np.asarray(leaf)
    return array.astype(np.float32) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _state_names(state: Any) -> list[str]:
    named = jax.tree_util.tree_leaves_with_path(state)
    own = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in named]
    return ["known objects", "time", "last remembered", *own]


def _rows(names: Sequence[str], shapes: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": list(one.shape), "dtype": np.dtype(one.dtype).name}
        for name, one in zip(names, shapes, strict=True)
    ]
