"""The gated propagation module (GPM) of DeAOT: two streams of tokens that share one attention.

Yang and Yang, "Decoupling Features in Hierarchical Propagation for Video Object Segmentation"
(2022). Tokens are [P, C] of one frame, P = h * w row by row: x describes the appearance of a patch,
and y the object that it belongs to. Attention maps are computed from x alone; what is read with
them is gated and goes through a depthwise convolution. There is no position embedding and no
feed-forward layer.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.conv import Depthwise
from vosjax.layers.drop_path import drop_path
from vosjax.layers.local_attention import LocalAttention
from vosjax.layers.norm import group_norm, layer_norm
from vosjax.memory.read import read

STREAMS = 2


class Gated(nn.Module):
    """Gates the output of attention [P, D]; then a depthwise 5x5 convolution and a projection.

    In training, whole channels are dropped after the convolution.
    """

    features: int
    dropout: float

    @nn.compact
    def __call__(
        self, mixed: jax.Array, gate: jax.Array, grid: tuple[int, int], rng: Any = None
    ) -> jax.Array:
        maps = (mixed * gate).reshape(1, *grid, -1)
        maps = Depthwise(5, name="depthwise")(maps)
        tokens = maps.reshape(mixed.shape)
        if rng is not None:
            kept = jax.random.bernoulli(rng, 1 - self.dropout, tokens.shape[-1:])
            tokens = tokens * kept.astype(tokens.dtype) / (1 - self.dropout)
        return nn.Dense(self.features, name="projection")(tokens)


def single_head(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    valid: jax.Array,
    *,
    top_k: int | None = None,
) -> jax.Array:
    """Reads without heads: query [P, C], key [M, P, C], value [M, P, D] -> [P, D]; see `read`."""
    return read(query[:, None], key[:, :, None], value[:, :, None], valid, top_k=top_k)[:, 0]


class SelfPropagation(nn.Module):
    """Self-attention of the tokens [P, 2C] of both streams with q = k and values [P, 4C]."""

    key_size: int
    dropout: float

    @nn.compact
    def __call__(self, z: jax.Array, grid: tuple[int, int], rng: Any = None) -> jax.Array:
        wide = z.shape[-1]
        streams = jnp.split(z, STREAMS, -1)
        query = nn.Dense(self.key_size, name="query_key")(z)
        value, gate = (
            nn.silu(
                jnp.concatenate(
                    [
                        nn.Dense(wide, name=f"{name}{i}")(stream)
                        for i, stream in enumerate(streams, 1)
                    ],
                    -1,
                )
            )
            for name in ("value", "gate")
        )
        mixed = single_head(query, query[None], value[None], jnp.ones(1, bool))
        return Gated(wide, self.dropout, name="out")(mixed, gate, grid, rng)


class Block(nn.Module):
    """One block; the first one has no identity stream as input and starts it."""

    first: bool
    features: int
    key_size: int
    top_k: int | None
    drop_path: float
    dropout: float

    def setup(self) -> None:
        wide = STREAMS * self.features
        self.norm1, self.norm2, self.identity_norm2 = layer_norm(), layer_norm(), layer_norm()
        self.query_value = nn.Dense(self.key_size + wide)
        self.gate, self.identity_value = nn.Dense(wide), nn.Dense(wide)
        if not self.first:
            self.identity_norm1, self.identity_gate = layer_norm(), nn.Dense(wide)
        self.short = LocalAttention(1, offset=False)
        self.long_out = Gated(wide, self.dropout)
        self.short_out = Gated(wide, self.dropout)
        self.self_propagation = SelfPropagation(self.key_size, self.dropout)

    def fuse(self, kept: Any, identity: jax.Array) -> Any:
        """Fuses the identity embedding [P, C] into a frame's kept entry.

        Returns {'k' [P, key_size], 'v' [P, 4C]}. The second half of 'v' carries the identities;
        keys do not change.
        """
        source = identity if self.first else jnp.concatenate([kept["b"], identity], -1)
        identity_value = nn.silu(self.identity_value(source))
        return {"k": kept["k"], "v": jnp.concatenate([kept["v"], identity_value], -1)}

    def __call__(
        self,
        x: jax.Array,
        y: jax.Array | None,
        grid: tuple[int, int],
        *,
        identity: Any = None,
        long: Any = None,
        valid: Any = None,
        short: Any = None,
        rng: Any = None,
    ) -> Any:
        """Runs the block over both streams [P, C] of a grid (h, w).

        Args:
            x: tokens of appearance [P, C].
            y: tokens of identity [P, C]; None in the first block.
            grid: (h, w).
            identity: identity embedding [P, C] of a reference frame; None for a propagated one.
            long: for a propagated frame, the remembered {'k', 'v'}: [M, P, ...].
            valid: for a propagated frame, [M] bool, the entries of `long` that hold a frame.
            short: for a propagated frame, {'k', 'v'}: [P, ...] of the previous frame.
            rng: key for stochastic depth and dropout, or None.

        Returns:
            Both streams, and the entry: for a reference frame with its identities fused into it,
            for a propagated frame still without (see `fuse`).
        """
        keys = [None] * 5 if rng is None else jax.random.split(rng, 5)
        a = self.norm1(x)
        query, value = jnp.split(self.query_value(a), [self.key_size], -1)
        entry = {"k": query, "v": nn.silu(value)}
        gate = nn.silu(self.gate(a))
        if self.first:
            gate = jnp.concatenate([gate, jnp.ones_like(gate)], -1)
        else:
            entry["b"] = self.identity_norm1(y)
            gate = jnp.concatenate([gate, nn.silu(self.identity_gate(entry["b"]))], -1)
        if identity is not None:
            entry = short = self.fuse(entry, identity)
            long, valid = jax.tree.map(lambda leaf: leaf[None], entry), jnp.ones(1, bool)
        far = single_head(query, long["k"], long["v"], valid, top_k=self.top_k)
        near = self.short(query, short["k"], short["v"], grid)
        propagated = self.long_out(far, gate, grid, keys[0]) + self.short_out(
            near, gate, grid, keys[1]
        )
        to_x, to_y = jnp.split(propagated, STREAMS, -1)
        x, y = x + to_x, to_y if y is None else y + to_y
        z = jnp.concatenate([self.norm2(x), self.identity_norm2(y)], -1)
        to_x, to_y = jnp.split(self.self_propagation(z, grid, keys[2]), STREAMS, -1)
        x = x + drop_path(to_x[None], self.drop_path, keys[3])[0]
        y = y + drop_path(to_y[None], self.drop_path, keys[4])[0]
        return x, y, entry


class Propagation(nn.Module):
    """A stack of blocks; the last output is normalised, each stream over the whole map.

    An entry of the memory is a tuple of one {'k', 'v'} per block, so that a block reads its part
    without a copy.
    """

    layers: int
    features: int = 256
    key_size: int = 128
    top_k: int | None = None
    drop_path: float = 0.1
    dropout: float = 0.1

    def setup(self) -> None:
        self.blocks = [
            Block(i == 0, self.features, self.key_size, self.top_k, self.drop_path, self.dropout)
            for i in range(self.layers)
        ]
        self.norm = group_norm(STREAMS)

    def __call__(
        self,
        x: jax.Array,
        grid: tuple[int, int],
        *,
        identity: Any = None,
        long: Any = None,
        valid: Any = None,
        short: Any = None,
        rng: Any = None,
    ) -> Any:
        """Runs the stack over the tokens of a frame.

        Args:
            x: tokens [P, C].
            grid: (h, w).
            identity: identity embedding [P, C] of a reference frame; None for a propagated one.
            long: for a propagated frame, a tuple of L {'k' [M, P, key_size], 'v' [M, P, 4C]}.
            valid: for a propagated frame, [M] bool, the entries of `long` that hold a frame.
            short: for a propagated frame, the entry of the previous frame, like `long` without M.
            rng: key for stochastic depth and dropout, or None.

        Returns:
            Outputs [L, P, 2C], of which the last one is normalised, and a tuple of L entries: for a
            reference frame with its identities fused into them, for a propagated frame still
            without (see `fuse`).
        """
        keys = [None] * self.layers if rng is None else jax.random.split(rng, self.layers)
        y, outputs, entries = None, [], []
        for i, block in enumerate(self.blocks):
            memory = (
                {} if identity is not None else {"long": long[i], "valid": valid, "short": short[i]}
            )
            x, y, entry = block(x, y, grid, identity=identity, rng=keys[i], **memory)
            outputs.append(jnp.concatenate([x, y], -1))
            entries.append(entry)
        outputs[-1] = self.norm(outputs[-1][None])[0]
        return jnp.stack(outputs), tuple(entries)

    def fuse(self, kept: Any, identity: jax.Array) -> Any:
        """Fuses the identity embedding [P, C] into the kept entries of a propagated frame."""
        return tuple(block.fuse(entry, identity) for block, entry in zip(self.blocks, kept))
