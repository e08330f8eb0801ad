"""STCN's fusion of the features of masks and frame, and its decoder; called object by object."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.residual import Conv, JointBlock, ResBlock, upsample

VALUE = 512  # channels of a value, and of the compressed features of a query
REDUCTION = 16


class Cbam(nn.Module):
    """Channel attention, then spatial attention (CBAM, Woo et al. 2018), of x [B, h, w, C]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        squeeze = nn.Dense(x.shape[-1] // REDUCTION, name="squeeze")
        excite = nn.Dense(x.shape[-1], name="excite")

        def gate(pooled: jax.Array) -> jax.Array:
            return excite(nn.relu(squeeze(pooled)))

        x = x * nn.sigmoid(gate(x.mean((1, 2))) + gate(x.max((1, 2))))[:, None, None]
        pooled = jnp.stack([x.max(-1), x.mean(-1)], -1)
        return x * nn.sigmoid(Conv(1, 7, name="spatial")(pooled))


class Fuser(nn.Module):
    """Fuses a mask's features [B, h, w, 256] and the frame's f16 to values [B, h, w, 512]."""

    cbam: bool

    def setup(self) -> None:
        self.block1 = JointBlock(256, 1024, VALUE)
        self.block2 = ResBlock(VALUE)
        if self.cbam:
            self.attention = Cbam()

    def share(self, f16: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the contribution of the frame, which all objects share."""
        return self.block1.share(f16)

    def __call__(self, x: jax.Array, shared: Any) -> jax.Array:
        x = self.block1(x, shared)
        return self.block2(x + self.attention(x) if self.cbam else x)

    def whole(self, x: jax.Array, f16: jax.Array) -> jax.Array:
        """Fuses without sharing, for initialisation."""
        return self(x, self.share(f16))


class Decoder(nn.Module):
    """Maps a readout [B, h, w, 512] and the frame's features to the object's logits [B, H, W]."""

    def setup(self) -> None:
        self.compress = JointBlock(VALUE, VALUE, 512)
        self.skip8, self.block8 = Conv(512), ResBlock(256)
        self.skip4, self.block4 = Conv(256), ResBlock(256)
        self.pred = Conv(1)

    def share(self, thin: jax.Array, f8: jax.Array, f4: jax.Array) -> tuple[Any, ...]:
        """Returns the contribution of the frame, which all objects share."""
        return self.compress.share(thin), self.skip8(f8), self.skip4(f4)

    def __call__(self, readout: jax.Array, shared: Any) -> jax.Array:
        thin, skip8, skip4 = shared
        x = self.compress(readout, thin)
        x = self.block8(skip8 + upsample(x, 2))
        x = self.block4(skip4 + upsample(x, 2))
        return upsample(self.pred(nn.relu(x).astype(jnp.float32)), 4)[..., 0]

    def whole(self, readout: jax.Array, thin: jax.Array, f8: jax.Array, f4: jax.Array) -> jax.Array:
        """Decodes one object without sharing, for initialisation."""
        return self(readout, self.share(thin, f8, f4))
