"""The gated propagation module (GPM) of DeAOT: two streams of tokens that share one attention.

Yang and Yang, "Decoupling Features in Hierarchical Propagation for Video Object Segmentation"
(2022). Tokens are [P, C] of one frame, P = h * w row by row: x carries what a patch looks like, y
which object it belongs to. Attention maps come from x alone; what they carry over is gated and
passes a depthwise convolution. There is no position embedding and no feed-forward layer.
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
    """What attention brought [P, D], times a gate, through a depthwise 5x5 and a projection.

    While training, whole channels are dropped after the convolution.
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
    """`read` without heads: query [P, C], key [M, P, C], value [M, P, D] -> [P, D]."""
    return read(query[:, None], key[:, :, None], value[:, :, None], valid, top_k=top_k)[:, 0]


class SelfPropagation(nn.Module):
    """Tokens [P, 2C] of both streams attend to each other with q = k; values four times as wide."""

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
    """One layer; the first one meets no identity stream yet and starts it."""

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
        """The memory entry {'k' [P, key_size], 'v' [P, 4C]}, given the identity embedding [P, C].

        The second half of 'v' tells of identities; keys do not change.
        """
        source = identity if self.first else jnp.concatenate([kept["b"], identity], -1)
        carried = nn.silu(self.identity_value(source))
        return {"k": kept["k"], "v": jnp.concatenate([kept["v"], carried], -1)}

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
        """Runs the layer over both streams [P, C] of a grid (h, w).

        Args:
          x: tokens of appearance.
          y: tokens of identity; None in the first layer.
          grid: (h, w).
          identity: [P, C] of a reference frame; None for a propagated one.
          long: {'k', 'v'} of [M, P, ...], of a propagated frame.
          valid: [M] bool, the entries of `long` that hold a frame.
          short: {'k', 'v'} of [P, ...], of the previous frame, of a propagated frame.
          rng: key for stochastic depth and dropout, or None.

        Returns:
          Both streams; the entry, fused with the identities of a reference frame, yet to be fused
          (`fuse`) of a propagated one.
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
        brought = self.long_out(far, gate, grid, keys[0]) + self.short_out(
            near, gate, grid, keys[1]
        )
        to_x, to_y = jnp.split(brought, STREAMS, -1)
        x, y = x + to_x, to_y if y is None else y + to_y
        z = jnp.concatenate([self.norm2(x), self.identity_norm2(y)], -1)
        to_x, to_y = jnp.split(self.self_propagation(z, grid, keys[2]), STREAMS, -1)
        x = x + drop_path(to_x[None], self.drop_path, keys[3])[0]
        y = y + drop_path(to_y[None], self.drop_path, keys[4])[0]
        return x, y, entry


class Propagation(nn.Module):
    """A stack of blocks; the last output is normalised, each stream over the whole map.

    Memory entries are tuples with one {'k', 'v'} a layer, so that a layer reads its own without a
    copy.
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
        """Runs the stack over tokens x [P, C].

        Args:
          x: tokens.
          grid: (h, w).
          identity: [P, C] of a reference frame; None for a propagated one.
          long: tuple of L {'k' [M, P, key_size], 'v' [M, P, 4C]}, of a propagated frame.
          valid: [M] bool.
          short: likewise without M, of a propagated frame.
          rng: key for stochastic depth and dropout, or None.

        Returns:
          Outputs [L, P, 2C], of which the last is normalised, and a tuple of L entries, fused for
          a reference frame and yet to be fused (`fuse`) for a propagated one.
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
        """The memory entries of a propagated frame, of those that its prediction left behind."""
        return tuple(block.fuse(entry, identity) for block, entry in zip(self.blocks, kept))
