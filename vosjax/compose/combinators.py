"""Flip, scale and ensemble map a `Vos` to a `Vos`: `ensemble([vos, flip(scale(vos, 1.3))])`."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax.errors import InputError
from vosjax.layers.resize import resize, resize_maps
from vosjax.prompt import apply_prompt, prompt_from_probs
from vosjax.types import UNUSED_LOGIT, Release, Size, Spec, Vos, When


def flip(vos: Vos) -> Vos:
    """Makes a network see the mirrored video; masks are mirrored back.

    mirrored = flip(vos)
    """

    def encode(params: Any, frame: jax.Array, rng: Any = None) -> Any:
        return vos.encode(params, frame[:, ::-1], rng)

    def predict(params: Any, state: Any, features: Any, rng: Any = None) -> tuple[jax.Array, Any]:
        logits, aux = vos.predict(params, state, features, rng)
        return logits[..., ::-1], aux

    def commit(
        params: Any,
        state: Any,
        aux: Any,
        probs: jax.Array,
        given: jax.Array,
        when: When,
        rng: Any = None,
    ) -> Any:
        return vos.commit(params, state, aux, probs[..., ::-1], given, when, rng)

    return vos._replace(encode=encode, predict=predict, commit=commit, appearance=None)


def scale(vos: Vos, factor: float) -> Vos:
    """Makes a network see frames resized by a factor, at a size rounded by its own size rule.

    larger = scale(vos, 1.3)
    """
    return resized(vos, lambda height, width: vos.size(height, width, factor))


def resized(vos: Vos, rule: Callable[[int, int], tuple[int, int]]) -> Vos:
    """Makes a network see frames resized to `rule(height, width)`.

        half = resized(vos, lambda height, width: vos.size(height, width, 0.5))

    Frames have the size of the outer Spec and are resized with OpenCV's cubic kernel; logits and
    probabilities are resized bilinearly.

    Args:
        vos: the network.
        rule: maps the (height, width) of a frame to those that the network sees.
    """

    def init(params: Any, spec: Spec) -> Any:
        height, width = rule(spec.height, spec.width)
        return vos.init(params, spec._replace(height=height, width=width))

    def encode(params: Any, frame: jax.Array, rng: Any = None) -> tuple[Any, Size]:
        outer = Size(*frame.shape[:2])
        return vos.encode(params, resize(frame, *rule(*outer), kind="cubic"), rng), outer

    def predict(
        params: Any, state: Any, features: tuple[Any, Size], rng: Any = None
    ) -> tuple[jax.Array, Any]:
        inner, outer = features
        logits, aux = vos.predict(params, state, inner, rng)
        return resize_maps(logits, *outer), aux

    def commit(
        params: Any,
        state: Any,
        aux: Any,
        probs: jax.Array,
        given: jax.Array,
        when: When,
        rng: Any = None,
    ) -> Any:
        inner = resize_maps(probs, *rule(*probs.shape[1:]))
        return vos.commit(params, state, aux, inner, given, when, rng)

    return vos._replace(init=init, encode=encode, predict=predict, commit=commit, appearance=None)


def mean(probs: jax.Array) -> jax.Array:
    """Fuses the probabilities of E networks by their mean.

    fused = mean(probs)      # [E, N+1, H, W] -> [N+1, H, W]
    """
    return probs.mean(0)


def confidence_weighted(probs: jax.Array) -> jax.Array:
    """Fuses the probabilities of E networks by a mean weighted by confidence in each pixel.

        fused = confidence_weighted(probs)      # [E, N+1, H, W] -> [N+1, H, W]

    The weight of a network in a pixel is its highest probability there.
    """
    weights = probs.max(1, keepdims=True)
    return (weights * probs).sum(0) / weights.sum(0)


class Fusion(NamedTuple):
    """How the M networks of an ensemble are fused: pure functions with a state, like a `Vos`.

    init(spec, members) -> state
        An empty state: a pytree of arrays whose shapes depend on the Spec and on M alone.
    encode(frame) -> features
        What fusing needs of a frame [H, W, 3] float32; runs together with the networks' `encode`.
    fuse(state, features, probs) -> (probs, aux)
        [M, N+1, H, W] -> [N+1, H, W]. `aux` is what `commit` needs from this frame.
    commit(state, aux, probs, given, when) -> state
        As `Vos.commit`, with the final probabilities of the frame.
    forget(state, release) -> state
        Removes the objects that are no longer followed, see `types.Release`.
    """

    init: Callable[..., Any]
    encode: Callable[..., Any]
    fuse: Callable[..., Any]
    commit: Callable[..., Any]
    forget: Callable[[Any, Release], Any]


@functools.lru_cache  # equal fusions are one object, so that programs are not compiled twice
def stateless(function: Callable[[jax.Array], jax.Array]) -> Fusion:
    """Makes a fusion that uses only the probabilities of the current frame.

        weighted = ensemble(members, fusion=stateless(confidence_weighted))

    Args:
        function: fuses probabilities, [M, N+1, H, W] -> [N+1, H, W].
    """
    return Fusion(
        init=lambda spec, members: (),
        encode=lambda frame: (),
        fuse=lambda state, features, probs: (function(probs), ()),
        commit=lambda state, aux, probs, given, when: state,
        forget=lambda state, release: state,
    )


MEAN = stateless(mean)


class EnsembleState(NamedTuple):
    """State of `ensemble`: the states of the members, and that of their fusion."""

    members: tuple[Any, ...]
    fusion: Any


def ensemble(members: Sequence[Vos], *, feedback: str = "own", fusion: Fusion = MEAN) -> Vos:
    """Combines several networks into one, whose `params` are the tuple of their params.

        both = ensemble([aot.vos, stcn.vos], feedback="fused")
        state = both.init((aot_params, stcn_params), spec)

    Args:
        members: the networks. All see frames at the size of the first one; use `scale` for a member
            that is to see another size.
        feedback: 'own': each member remembers its own probabilities, with the user's marks laid
            over them, as the augmentations of aot-benchmark do; 'fused': all members remember the
            fused probabilities.
        fusion: how their probabilities are fused.

    Raises:
        InputError: there are no members, or `feedback` is unknown.
    """
    members = tuple(members)
    if not members:
        raise InputError("an ensemble of no networks was asked for; give at least one")
    if feedback not in ("own", "fused"):
        raise InputError(f"feedback {feedback!r} was given; it is 'own' or 'fused'")

    def init(params: Any, spec: Spec) -> EnsembleState:
        return EnsembleState(
            tuple(vos.init(own, spec) for vos, own in zip(members, params, strict=True)),
            fusion.init(spec, len(members)),
        )

    def encode(params: Any, frame: jax.Array, rng: Any = None) -> tuple[tuple[Any, ...], Any]:
        return tuple(
            vos.encode(own, frame, rng) for vos, own in zip(members, params, strict=True)
        ), fusion.encode(frame)

    def predict(
        params: Any, state: EnsembleState, features: Any, rng: Any = None
    ) -> tuple[jax.Array, Any]:
        features, fusion_features = features
        predictions = [
            vos.predict(own, *rest, rng)
            for vos, own, *rest in zip(members, params, state.members, features, strict=True)
        ]
        probs = jnp.stack([jax.nn.softmax(logits, 0) for logits, _ in predictions])
        with jax.named_scope("fuse"):
            fused, fusion_aux = fusion.fuse(state.fusion, fusion_features, probs)
        aux = tuple(aux for _, aux in predictions)
        return as_logits(fused), (aux, probs if feedback == "own" else None, fusion_aux)

    def commit(
        params: Any,
        state: EnsembleState,
        aux: Any,
        probs: jax.Array,
        given: jax.Array,
        when: When,
        rng: Any = None,
    ) -> EnsembleState:
        aux, own_probs, fusion_aux = aux
        if own_probs is None:
            remembered = [probs] * len(members)
        else:
            prompt = prompt_from_probs(probs, given)
            remembered = [apply_prompt(own, prompt) for own in own_probs]
        return EnsembleState(
            tuple(
                vos.commit(own, *rest, given, when, rng)
                for vos, own, *rest in zip(
                    members, params, state.members, aux, remembered, strict=True
                )
            ),
            fusion.commit(state.fusion, fusion_aux, probs, given, when),
        )

    def forget(state: EnsembleState, release: Release) -> tuple[EnsembleState, jax.Array]:
        """Forgets in every member; a slot is free if it is free in all of them."""
        cleared, free = zip(
            *(vos.forget(own, release) for vos, own in zip(members, state.members, strict=True))
        )
        return EnsembleState(cleared, fusion.forget(state.fusion, release)), jnp.stack(free).all(0)

    slots = [vos.slots for vos in members if vos.slots is not None]
    return Vos(init, encode, predict, commit, members[0].size, min(slots, default=None), forget)


def as_logits(probs: jax.Array) -> jax.Array:
    """Returns logits whose softmax is `probs`; where a probability is zero, they are -1e10.

    logits = as_logits(fused)      # [N+1, H, W] -> [N+1, H, W]
    """
    positive = probs > 1e-30
    return jnp.where(positive, jnp.log(jnp.where(positive, probs, 1)), UNUSED_LOGIT)
