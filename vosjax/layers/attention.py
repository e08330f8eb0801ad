"""Multi-head attention over the tokens of one frame."""

import flax.linen as nn
import jax

from vosjax.memory.read import read


def split_heads(x: jax.Array, heads: int) -> jax.Array:
    """Splits the channels into heads: [..., C] -> [..., heads, C / heads].

    split_heads(jnp.zeros((9, 256)), 8).shape      # (9, 8, 32)
    """
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


def join_heads(x: jax.Array) -> jax.Array:
    """Joins the heads' channels: [..., heads, C] -> [..., heads * C].

    join_heads(jnp.zeros((9, 8, 32))).shape      # (9, 256)
    """
    return x.reshape(*x.shape[:-2], -1)


class SelfAttention(nn.Module):
    """Self-attention in which positions are added to queries and keys only (AOT, section 5.1)."""

    heads: int
    features: int = 256

    @nn.compact
    def __call__(self, x: jax.Array, position: jax.Array) -> jax.Array:
        """Maps tokens x [P, C] with positions [P, C] to [P, features]."""
        positioned = (x + position).astype(x.dtype)
        query, key, value = (
            split_heads(nn.Dense(self.features, name=name)(source), self.heads)
            for name, source in (("query", positioned), ("key", positioned), ("value", x))
        )
        mixed = read(query, key[None], value[None], jax.numpy.ones(1, bool))
        return nn.Dense(self.features, name="projection")(join_heads(mixed))
