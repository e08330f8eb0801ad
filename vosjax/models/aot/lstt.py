"""The long short-term transformer (LSTT) of AOT, blocks V1 and V2.

Tokens are [P, C] of one frame, P = h * w row by row. A block processes a frame in one of two ways:
a reference frame attends to its own keys and values, into which its identities are fused; a
propagated frame attends to those in the memory.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.attention import SelfAttention, join_heads, split_heads
from vosjax.layers.conv import Depthwise
from vosjax.layers.drop_path import drop_path
from vosjax.layers.local_attention import LocalAttention
from vosjax.layers.norm import group_norm, layer_norm
from vosjax.layers.position import sine_position
from vosjax.memory.read import read

NORM_GROUPS = 32  # of the GroupNorm in the feed-forward layers


class FeedForward(nn.Module):
    """Linear, GroupNorm over the whole map, GELU (erf), depthwise 5x5, linear: [P, C] -> [P, C]."""

    hidden: int
    features: int

    def setup(self) -> None:
        self.expand, self.contract = nn.Dense(self.hidden), nn.Dense(self.features)
        self.norm, self.depthwise = group_norm(NORM_GROUPS), Depthwise(5)

    def activate(self, maps: jax.Array) -> jax.Array:
        """Applies what is between the linear layers to maps [1, h, w, hidden]."""
        return self.depthwise(nn.gelu(self.norm(maps), approximate=False))

    def __call__(self, x: jax.Array, grid: tuple[int, int]) -> jax.Array:
        maps = self.expand(x).reshape(1, *grid, self.hidden)
        return self.contract(self.activate(maps).reshape(-1, self.hidden))


class Block(nn.Module):
    """One LSTT block, for normalised tokens b and the identity embedding E.

    V1: Q = K = query(b); the memory holds K and value(b + E) (AOT, Yang et al. 2021; as in the
    reference implementation, the identity is added before the projection).
    V2: [Q V] = query_value(b), K = Q; with [g e] = identity(E) the memory holds K (1 + tanh g) and
    V + e (arXiv 2206.09585, eq. 3, where sigma is 1 + tanh as in the authors' code). The authors'
    code has one gate per head; `gate_heads` 1 is the single-channel map of the paper.
    """

    version: str
    heads: int
    gate_heads: int
    features: int
    hidden: int
    top_k: int | None
    drop_path: float

    def setup(self) -> None:
        self.norm1, self.norm2, self.norm3 = layer_norm(), layer_norm(), layer_norm()
        self.self_attention = SelfAttention(self.heads, self.features)
        if self.version == "v2":
            self.query_value = nn.Dense(2 * self.features)
            self.identity = nn.Dense(self.gate_heads + self.features)
        else:
            self.query, self.value = nn.Dense(self.features), nn.Dense(self.features)
        self.long_projection = nn.Dense(self.features)
        self.short, self.short_projection = LocalAttention(self.heads), nn.Dense(self.features)
        self.feed_forward = FeedForward(self.hidden, self.features)

    def fuse(
        self, key: jax.Array, value: jax.Array, identity: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Fuses the identity embedding [P, C] into a frame's key and value [P, C]."""
        if self.version != "v2":
            return key, self.value(value + identity)
        projected = self.identity(identity)
        gate, shift = projected[:, : self.gate_heads], projected[:, self.gate_heads :]
        gated = split_heads(key, self.gate_heads) * (1 + jnp.tanh(gate))[..., None]
        return join_heads(gated), value + shift

    def __call__(
        self,
        x: jax.Array,
        position: jax.Array,
        grid: tuple[int, int],
        *,
        identity: jax.Array | None = None,
        long: Any = None,
        layer: int = 0,
        valid: Any = None,
        short: Any = None,
        rng: Any = None,
    ) -> Any:
        """Runs the block over tokens x [P, C] of a grid (h, w).

        Args:
            x: tokens [P, C].
            position: position embedding [P, C].
            grid: (h, w).
            identity: identity embedding [P, C] of a reference frame; None for a propagated one.
            long: for a propagated frame, the remembered keys and values [M, L, P, C] of all blocks.
            layer: the number of this block in `long`.
            valid: for a propagated frame, [M] bool, the entries of `long` that hold a frame.
            short: for a propagated frame, key and value [P, C] of the previous frame.
            rng: key for stochastic depth, or None.

        Returns:
            Tokens [P, C], and key and value [P, C]: for a reference frame with its identities fused
            into them, for a propagated frame still without (see `fuse`).
        """
        first, second = (None, None) if rng is None else jax.random.split(rng)
        attended = self.self_attention(self.norm1(x), position)
        x = x + drop_path(attended[None], self.drop_path, first)[0]
        b = self.norm2(x)
        if self.version == "v2":
            query, value = jnp.split(self.query_value(b), 2, -1)
        else:
            query, value = self.query(b), b
        pair = (query, value)
        if identity is not None:
            pair = self.fuse(*pair, identity)
            long, layer = tuple(part[None, None] for part in pair), 0
            valid, short = jnp.ones(1, bool), pair
        far = read(
            split_heads(query, self.heads),
            split_heads(long[0], self.heads),
            split_heads(long[1], self.heads),
            valid,
            top_k=self.top_k,
            layer=layer,
        )
        near = self.short(query, short[0], short[1], grid)
        x = x + self.long_projection(join_heads(far)) + self.short_projection(near)
        fed = self.feed_forward(self.norm3(x), grid)
        return x + drop_path(fed[None], self.drop_path, second)[0], pair


class LSTT(nn.Module):
    """A stack of blocks, of whose outputs normalised copies go to the decoder.

    With a `depth`, only that many blocks are run (AOST), but all have weights. Output i is always
    normalised by norm i.
    """

    layers: int
    version: str
    gate_heads: int = 8
    heads: int = 8
    features: int = 256
    hidden: int = 1024
    top_k: int | None = None
    drop_path: float = 0.1
    depth: int | None = None

    def setup(self) -> None:
        self.blocks = [
            Block(
                self.version,
                self.heads,
                self.gate_heads,
                self.features,
                self.hidden,
                self.top_k,
                self.drop_path,
            )
            for _ in range(self.layers)
        ]
        self.norms = [layer_norm() for _ in range(self.layers)]

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
        """Runs the first L blocks, where L is the depth.

        Args:
            x: tokens [P, C].
            grid: (h, w).
            identity: identity embedding [P, C] of a reference frame; None for a propagated one.
            long: for a propagated frame, {'k', 'v'}: [M, L, P, C].
            valid: for a propagated frame, [M] bool, the entries of `long` that hold a frame.
            short: for a propagated frame, {'k', 'v'}: [L, P, C] of the previous frame.
            rng: key for stochastic depth, or None.

        Returns:
            Normalised outputs [L, P, C], and {'k', 'v'}: [L, P, C]: for a reference frame with its
            identities fused into them, for a propagated frame still without (see `fuse`).
        """
        position = sine_position(*grid, channels=self.features)
        keys = [None] * self.layers if rng is None else jax.random.split(rng, self.layers)
        depth = None if self.is_initializing() else self.depth
        outputs, pairs = [], []
        for i, (block, norm) in enumerate(zip(self.blocks[:depth], self.norms[:depth])):
            memory = (
                {}
                if identity is not None
                else {
                    "long": (long["k"], long["v"]),
                    "layer": i,
                    "valid": valid,
                    "short": (short["k"][i], short["v"][i]),
                }
            )
            x, pair = block(x, position, grid, identity=identity, rng=keys[i], **memory)
            outputs.append(norm(x))
            pairs.append(pair)
        keys, values = (jnp.stack(part) for part in zip(*pairs))
        return jnp.stack(outputs), {"k": keys, "v": values}

    def fuse(self, kept: Any, identity: jax.Array) -> Any:
        """Fuses identities [P, C] into the keys and values {'k', 'v'}: [L, P, C] of a frame."""
        pairs = [
            block.fuse(key, value, identity)
            for block, key, value in zip(self.blocks, kept["k"], kept["v"])
        ]
        keys, values = (jnp.stack(part) for part in zip(*pairs))
        return {"k": keys, "v": values}
