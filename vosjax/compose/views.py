"""Test-time augmentation: a network that sees a video in several views, as one `Vos`.

Every view has its own memory and remembers its own masks. The probabilities of the views are
averaged at the size of the user's frames, as in the evaluator of aot-benchmark.
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

LONG = 5 / 3  # largest long side, in units of the largest short side, before scaling


def views(
    vos: Vos,
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    max_short_side: int | None = None,
) -> Vos:
    """Averages several views of a video by one network, with one set of weights.

        augmented = views(vos, scales=(1.0, 1.3), flip=True)
        state = augmented.init(params, Spec(1080, 1920, objects=10, capacity=8))

    The result takes frames of any size: its Spec has the size of the user's frames, and each view
    resizes them, and its probabilities back.

    Args:
        vos: the network.
        scales: factors on its own size rule, one view each.
        flip: whether every view is averaged with its mirror image; the two run in one batch.
        max_short_side: largest short side in pixels before scaling, while the long side is at most
            5/3 of it; None leaves both to the network's rule. AOT's multi-scale test is 480 with
            scales above 1, which enlarges small frames.

    Raises:
        InputError: there is no scale, or one that is not above 0.
    """
    members = separate_views(vos, scales=scales, max_short_side=max_short_side)
    if flip:
        members = [mirrored(view) for view in members]
    if len(members) == 1:
        return members[0]
    together = ensemble(members)

    def same_weights(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda params, *rest, **named: function((params,) * len(members), *rest, **named)

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
    """Returns the networks that `views` averages, which may then run on different devices.

        straight, mirror = separate_views(vos, flip=True)

    The arguments and errors are those of `views`.
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
    """Returns the size rule of a view: a function from a frame's (height, width) to the view's.

        height, width = size_rule(vos, 1.3, max_short_side=480)(1080, 1920)

    Args:
        vos: the network.
        scale: factor on its own size rule.
        max_short_side: as for `views`.
    """

    def rule(height: float, width: float) -> tuple[int, int]:
        if max_short_side is not None:
            short, long = min(height, width), max(height, width)
            ratio = min(1, max_short_side / short, LONG * max_short_side / long)
            height, width = ratio * height, ratio * width
        return vos.size(height, width, scale)

    return rule


def native(vos: Vos, rule: Callable[[int, int], tuple[int, int]]) -> Vos:
    """Makes a network take frames of any size, which it sees resized to `rule(height, width)`.

    outer = native(vos, vos.size)
    """

    def size(height: int, width: int, scale: float = 1.0) -> tuple[int, int]:
        return max(round(height * scale), 1), max(round(width * scale), 1)

    return resized(vos, rule)._replace(size=size)


def mirrored(vos: Vos) -> Vos:
    """Averages a network and its mirror image, in one batch of two.

        both = mirrored(vos)

    This is `ensemble([vos, flip(vos)])` with one set of weights. On CPUs the two run one after the
    other, since empty memory slots then cost nothing.
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
        remembered = _mirror_second(jax.vmap(lambda own: apply_prompt(own, prompt))(own_probs))
        return both(lambda own: vos.commit(params, *own, given, when, rng))(
            (state, aux, remembered)
        )

    def forget(state: Any, release: Release) -> tuple[Any, jax.Array]:
        state, free = jax.vmap(lambda own: vos.forget(own, release))(state)
        return state, free.all(0)

    return Vos(init, encode, predict, commit, vos.size, vos.slots, forget)


def _mirror_second(pair: jax.Array) -> jax.Array:
    """Mirrors the second of two maps [2, ..., W]."""
    return jnp.stack([pair[0], pair[1][..., ::-1]])
