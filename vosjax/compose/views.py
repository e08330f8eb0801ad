"""Test-time augmentation: a network that looks at a video in several ways, as one `Vos`.

Every view keeps its own memory, written with its own answer; the views' probabilities are averaged
at the size of the user's frames (the evaluator of aot-benchmark).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from vosjax.compose import combinators
from vosjax.compose.combinators import as_logits, ensemble, resized
from vosjax.errors import InputError
from vosjax.prompt import apply_prompt, prompt_from_probs
from vosjax.types import Release, Spec, Vos, When

LONG = 5 / 3  # most that a long side has of a limited short side, before scaling


def views(
    vos: Vos,
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    max_short_side: int | None = None,
) -> Vos:
    """A network's augmentations as one network with the same weights.

        augmented = views(vos, scales=(1.0, 1.3), flip=True)
        state = augmented.init(params, Spec(1080, 1920, objects=10, capacity=8))

    The result takes frames of any size: its Spec is that of the user's frames, each of its views
    resizes them once and hands its answer back at that size.

    Args:
      vos: the network.
      scales: factors on its own size rule; each is a view.
      flip: every view also mirrored; the two run in one batch.
      max_short_side: most pixels of the short side before scaling (and 5/3 of it of the long one);
        None leaves that to the network's rule. AOT's multi-scale test is 480 with scales above 1,
        which enlarges small frames.

    Raises:
      ValueError: no scale, or one that is not above 0.
    """
    members = separate_views(vos, scales=scales, max_short_side=max_short_side)
    if flip:
        members = [mirrored(view) for view in members]
    if len(members) == 1:
        return members[0]
    together = ensemble(members)

    def same_weights(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda params, *rest: function((params,) * len(members), *rest)

    return together._replace(
        init=same_weights(together.init),
        encode=same_weights(together.encode),
        predict=same_weights(together.predict),
        commit=same_weights(together.commit),
    )


def separate_views(
    vos: Vos,
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    max_short_side: int | None = None,
) -> list[Vos]:
    """The networks that `views` averages, each on its own: they may run on different devices.

        straight, mirror = separate_views(vos, flip=True)

    Arguments and errors as for `views`.
    """
    scales = tuple(scales)
    if not scales or min(scales) <= 0:
        raise InputError(f"scales {scales} were given; at least one is expected, all above 0")
    members = [native(vos, size_rule(vos, scale, max_short_side)) for scale in scales]
    if flip:
        members += [combinators.flip(view) for view in members]
    return members


def size_rule(
    vos: Vos, scale: float, max_short_side: int | None
) -> Callable[[int, int], tuple[int, int]]:
    """rule(height, width) -> the size at which a view sees a frame; arguments as for `views`.

    height, width = size_rule(vos, 1.3, max_short_side=480)(1080, 1920)
    """

    def rule(height: float, width: float) -> tuple[int, int]:
        if max_short_side is not None:
            short, long = min(height, width), max(height, width)
            ratio = min(1, max_short_side / short, LONG * max_short_side / long)
            height, width = ratio * height, ratio * width
        return vos.size(height, width, scale)

    return rule


def native(vos: Vos, rule: Callable[[int, int], tuple[int, int]]) -> Vos:
    """The network behind frames of the user's size, which it sees resized to `rule(H, W)`.

    outer = native(vos, vos.size)
    """

    def size(height: int, width: int, scale: float = 1.0) -> tuple[int, int]:
        return max(round(height * scale), 1), max(round(width * scale), 1)

    return resized(vos, rule)._replace(size=size)


def mirrored(vos: Vos) -> Vos:
    """A network and its mirror image, averaged, in one batch of two.

        both = mirrored(vos)

    The same as `ensemble([vos, flip(vos)])` with the same weights for both. On the CPU the two run
    one after the other, as empty memory slots then take no time.
    """

    def both(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda arguments: jax.lax.platform_dependent(
            arguments, cpu=lambda own: jax.lax.map(function, own), default=jax.vmap(function)
        )

    def init(params: Any, spec: Spec) -> Any:
        one = vos.init(params, spec)
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (2, *leaf.shape)), one)

    def encode(params: Any, frame: jax.Array, rng: Any = None) -> Any:
        pair = jnp.stack([frame, frame[:, ::-1]])
        return jax.vmap(lambda image: vos.encode(params, image, rng))(pair)

    def predict(params: Any, state: Any, features: Any, rng: Any = None) -> tuple[jax.Array, Any]:
        logits, aux = both(lambda own: vos.predict(params, *own, rng))((state, features))
        probs = _mirror_second(jax.nn.softmax(logits, 1))
        return as_logits(probs.mean(0)), (aux, probs)

    def commit(
        params: Any,
        state: Any,
        aux: Any,
        probs: jax.Array,
        given: jax.Array,
        when: When,
        rng: Any = None,
    ) -> Any:
        aux, own_probs = aux
        prompt = prompt_from_probs(probs, given)
        fed = _mirror_second(jax.vmap(lambda own: apply_prompt(own, prompt))(own_probs))
        return both(lambda own: vos.commit(params, *own, given, when, rng))((state, aux, fed))

    def forget(state: Any, release: Release) -> tuple[Any, jax.Array]:
        state, free = jax.vmap(lambda own: vos.forget(own, release))(state)
        return state, free.all(0)

    return Vos(init, encode, predict, commit, vos.size, vos.slots, forget)


def _mirror_second(pair: jax.Array) -> jax.Array:
    """[2, ..., W] with the second one mirrored."""
    return jnp.stack([pair[0], pair[1][..., ::-1]])
