"""A network of a few lines that keeps the protocol, for tests that need no real one."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax import memory
from vosjax.layers.precision import compute_dtype
from vosjax.layers.resize import resize_maps
from vosjax.loading.pretrained import Loaded
from vosjax.memory.read import read
from vosjax.types import UNUSED_LOGIT, Model, Vos

STRIDE, KEY = 8, 12


class State(NamedTuple):
    bank: Any
    last: jax.Array
    live: jax.Array


def vos(*, slots=4, hard=True, top_k=None) -> Vos:
    """Patches of a frame vote for what similar patches of remembered frames were."""

    def grid(spec):
        return spec.height // STRIDE, spec.width // STRIDE

    def pool(maps):  # [N+1, H, W] -> [P, N+1]
        channels, height, width = maps.shape
        cells = maps.reshape(channels, height // STRIDE, STRIDE, width // STRIDE, STRIDE)
        return cells.mean((2, 4)).reshape(channels, -1).T

    def init(params, spec):
        places = grid(spec)[0] * grid(spec)[1]
        dtype = compute_dtype(params)
        keys, values = jnp.zeros((places, KEY), dtype), jnp.zeros((places, spec.objects + 1), dtype)
        return State(
            memory.init({"k": keys, "v": values}, spec.capacity),
            values,
            jnp.zeros(spec.objects, bool),
        )

    def encode(params, frame, rng=None):
        height, width, _ = frame.shape
        cells = frame.reshape(height // STRIDE, STRIDE, width // STRIDE, STRIDE, 3)
        cells = cells.transpose(0, 2, 1, 3, 4).reshape(-1, STRIDE * STRIDE * 3)
        cells = (cells - 0.5).astype(compute_dtype(params))
        return 4 * jnp.tanh(cells @ params["key"]), jnp.zeros((height, width))

    def predict(params, state, features, rng=None):
        key, plane = features
        votes = read(
            key[:, None],
            state.bank.data["k"][:, :, None],
            state.bank.data["v"][:, :, None],
            state.bank.valid,
            top_k=top_k,
            metric="l2",
        )[:, 0]
        height, width = plane.shape
        logits = ((votes + 0.2 * state.last) * params["gain"]).astype(jnp.float32)
        logits = logits.at[:, 0].add(1e-3).T.reshape(-1, height // STRIDE, width // STRIDE)
        logits = resize_maps(logits, height, width)
        used = jnp.concatenate([jnp.ones(1, bool), state.live])
        return jnp.where(used[:, None, None], logits, UNUSED_LOGIT), key

    def commit(params, state, aux, probs, given, when, rng=None):
        fed = probs
        if hard:
            fed = jax.nn.one_hot(probs.argmax(0), probs.shape[0], axis=0)
        value = pool(fed).astype(compute_dtype(params))
        live = state.live | given
        holds = live.any()
        bank = memory.write(
            state.bank,
            {"k": aux, "v": value},
            time=when.time,
            when=holds & when.remember,
            pin=when.annotated,
        )
        return State(bank, jnp.where(holds, value, state.last), live)

    def forget(state, release):
        """Patches of a removed object become background; every slot has a vote of its own."""
        kept = jnp.concatenate([jnp.ones(1, bool), release.followed])

        def cleared(value):
            return jnp.where(kept, value, 0).at[..., 0].add(jnp.where(kept, 0, value).sum(-1))

        bank, live = memory.unpin(state.bank, release.annotated), state.live & release.followed
        bank = bank._replace(data=bank.data | {"v": cleared(bank.data["v"])})
        bank = memory.drop(bank, jnp.broadcast_to(~live.any(), bank.valid.shape))
        last = jnp.where(live.any(), cleared(state.last), 0)
        return State(bank, last, live), ~release.followed

    def size(height, width, scale=1.0):
        return tuple(max(round(side * scale / STRIDE), 1) * STRIDE for side in (height, width))

    return Vos(init, encode, predict, commit, size, slots, forget)


def fresh(rng):
    return {
        "key": 2 * jax.random.normal(rng, (STRIDE * STRIDE * 3, KEY)) / STRIDE,
        "gain": jnp.array(8.0),
    }


def model(*, mem_every=2, max_mem_frames=8, **settings) -> Loaded:
    """A `Loaded` toy."""
    network = Model(vos(**settings), fresh, None, lambda path: "head")
    return Loaded(
        network,
        fresh(jax.random.PRNGKey(0)),
        {"sha256": "toy"},
        {"family": "toy", "model": {}, "mem_every": mem_every, "max_mem_frames": max_mem_frames},
    )
