"""Test-time augmentation: a network that looks at a video in several ways, as one `Vos`.

Every view keeps its own memory, written with its own answer; the views' probabilities are averaged
at the size of the user's frames (the evaluator of aot-benchmark).
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from vosjax.compose import combinators
from vosjax.compose.combinators import as_logits, ensemble, resized
from vosjax.errors import InputError
from vosjax.prompt import apply_prompt, prompt_from_probs
from vosjax.types import Vos

LONG = 5 / 3  # most that a long side has of a limited short side, before scaling


def views(
    vos: Vos,
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    max_short_side: int | None = None,
) -> Vos:
    """A network's augmentations as one network with the same weights.

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
    found = split(vos, scales=scales, max_short_side=max_short_side)
    if flip:
        found = [mirrored(view) for view in found]
    if len(found) == 1:
        return found[0]
    together = ensemble(found)

    def several(function):
        return lambda params, *rest: function((params,) * len(found), *rest)

    return together._replace(
        **{
            name: several(getattr(together, name))
            for name in ("init", "encode", "predict", "commit")
        }
    )


def split(
    vos: Vos,
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    max_short_side: int | None = None,
) -> list[Vos]:
    """The networks that `views` averages, each on its own: they may run on different devices."""
    scales = tuple(scales)
    if not scales or min(scales) <= 0:
        raise InputError(f"scales {scales} were given; at least one is expected, all above 0")
    found = [native(vos, _rule(vos, scale, max_short_side)) for scale in scales]
    if flip:
        found += [combinators.flip(view) for view in found]
    return found


def _rule(vos, scale, max_short_side):
    def rule(height, width):
        if max_short_side is not None:
            short, long = min(height, width), max(height, width)
            ratio = min(1, max_short_side / short, LONG * max_short_side / long)
            height, width = ratio * height, ratio * width
        return vos.size(height, width, scale)

    return rule


def native(vos: Vos, rule: Callable[[int, int], tuple[int, int]]) -> Vos:
    """The network behind frames of the user's size, which it sees resized to `rule(H, W)`."""

    def size(height, width, scale=1.0):
        return tuple(max(round(side * scale), 1) for side in (height, width))

    return resized(vos, rule)._replace(size=size)


def mirrored(vos: Vos) -> Vos:
    """A network and its mirror image, averaged, in one batch of two.

    The same as `ensemble([vos, flip(vos)])` with the same weights for both. On the CPU the two run
    one after the other, as empty memory slots then take no time.
    """

    def both(function):
        return lambda arguments: jax.lax.platform_dependent(
            arguments, cpu=lambda own: jax.lax.map(function, own), default=jax.vmap(function)
        )

    def init(params, spec):
        one = vos.init(params, spec)
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (2, *leaf.shape)), one)

    def encode(params, frame, rng=None):
        pair = jnp.stack([frame, frame[:, ::-1]])
        return jax.vmap(lambda image: vos.encode(params, image, rng))(pair)

    def predict(params, state, features, rng=None):
        logits, aux = both(lambda own: vos.predict(params, *own, rng))((state, features))
        probs = _mirror_second(jax.nn.softmax(logits, 1))
        return as_logits(probs.mean(0)), (aux, probs)

    def commit(params, state, aux, probs, given, when, rng=None):
        aux, own_probs = aux
        prompt = prompt_from_probs(probs, given)
        fed = _mirror_second(jax.vmap(lambda own: apply_prompt(own, prompt))(own_probs))
        return both(lambda own: vos.commit(params, *own, given, when, rng))((state, aux, fed))

    return Vos(init, encode, predict, commit, vos.size, vos.slots)


def _mirror_second(pair):
    """[2, ..., W] with the second one mirrored."""
    return jnp.stack([pair[0], pair[1][..., ::-1]])
