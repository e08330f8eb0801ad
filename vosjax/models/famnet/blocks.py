"""STM's decoder and FAMNet's additions to it; they are called for one object at a time."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.residual import Conv, JointConv, ResBlock, upsample

VALUE = 512  # channels of a value
HIDDEN = 256
RATES = (1, 6, 12, 18)


def warp(x: jax.Array, flow: jax.Array) -> jax.Array:
    """Upsamples a map by two along a flow.

        warp(x, jnp.zeros((2 * h, 2 * w, 2)))      # bilinear upsampling by two

    Pixel p of the result is x at (p + flow) / 2, interpolated bilinearly with half-pixel centres
    and repeated borders.

    Args:
        x: [h, w, C].
        flow: [2h, 2w, 2], the offsets of rows and columns, in pixels of the larger map.

    Returns:
        [2h, 2w, C].
    """
    rows, cols = flow.shape[:2]
    corners, parts = [], []
    for axis, count in enumerate((rows, cols)):
        centre = jnp.arange(count, dtype=flow.dtype) + 0.5
        centre = centre[:, None] if axis == 0 else centre[None]
        at = jnp.clip((centre + flow[..., axis]) / 2 - 0.5, 0, count // 2 - 1)
        low = jnp.clip(jnp.floor(at), 0, max(count // 2 - 2, 0))
        corners.append(low.astype(jnp.int32))
        parts.append((at - low)[..., None])
    (row, col), (down, right) = corners, parts
    next_row = jnp.minimum(row + 1, rows // 2 - 1)
    next_col = jnp.minimum(col + 1, cols // 2 - 1)
    above = x[row, col] * (1 - right) + x[row, next_col] * right
    below = x[next_row, col] * (1 - right) + x[next_row, next_col] * right
    return above * (1 - down) + below * down


class Align(nn.Module):
    """Upsampling by two along a learned flow: the flow alignment module of SFNet (Li et al. 2020).

    The flow is a 3x3 convolution of both maps, each reduced to 128 channels. Its kernel starts at
    zero, so that the module starts as plain bilinear upsampling.
    """

    features: int = 128

    @nn.compact
    def __call__(self, x: jax.Array, skip: jax.Array) -> jax.Array:
        """Maps x [1, h, w, C] and skip [1, 2h, 2w, C] to [1, 2h, 2w, C]."""
        coarse = upsample(Conv(self.features, 1, name="reduce_coarse")(x), 2)
        fine = Conv(self.features, 1, name="reduce_fine")(skip)
        flow = nn.Conv(
            2,
            (3, 3),
            padding=((1, 1), (1, 1)),
            kernel_init=nn.initializers.zeros,
            dtype=jnp.float32,
            name="flow",
        )(jnp.concatenate([coarse, fine], -1))
        return warp(x[0], flow[0])[None].astype(x.dtype)


class Aspp(nn.Module):
    """Atrous spatial pyramid pooling of readout and query value, added to the readout.

    Four dilated 3x3 convolutions to 256 channels each (DeepLab, Chen et al. 2017) are joined by a
    1x1 convolution that starts at zero, so that the module starts as the identity.
    """

    def setup(self) -> None:
        self.branches = [JointConv(VALUE, VALUE, HIDDEN, rate) for rate in RATES]
        self.join = nn.Dense(VALUE, kernel_init=nn.initializers.zeros)

    def share(self, value: jax.Array) -> tuple[jax.Array, ...]:
        """Returns the contribution of the frame, which all objects share."""
        return tuple(branch.share(value) for branch in self.branches)

    def __call__(self, readout: jax.Array, shared: Any) -> jax.Array:
        dilated = [nn.relu(branch(readout, part)) for branch, part in zip(self.branches, shared)]
        return readout + self.join(jnp.concatenate(dilated, -1))


class Decoder(nn.Module):
    """Maps a readout [1, h, w, 512] and the frame's features to the object's logits [1, H, W, 2].

    Channel 0 is the background's, channel 1 the object's.
    """

    align: bool
    aspp: bool

    def setup(self) -> None:
        self.conv16, self.block16 = JointConv(VALUE, VALUE, HIDDEN), ResBlock(HIDDEN)
        self.skip8, self.skip_block8, self.block8 = Conv(HIDDEN), ResBlock(HIDDEN), ResBlock(HIDDEN)
        self.skip4, self.skip_block4, self.block4 = Conv(HIDDEN), ResBlock(HIDDEN), ResBlock(HIDDEN)
        self.pred = Conv(2)
        if self.align:
            self.align8, self.align4 = Align(), Align()
        if self.aspp:
            self.context = Aspp()

    def share(self, value: jax.Array, f8: jax.Array, f4: jax.Array) -> tuple[Any, ...]:
        """Returns the contribution of the frame, which all objects share."""
        context = self.context.share(value) if self.aspp else ()
        return (
            context,
            self.conv16.share(value),
            self.skip_block8(self.skip8(f8)),
            self.skip_block4(self.skip4(f4)),
        )

    def __call__(self, readout: jax.Array, shared: Any) -> jax.Array:
        context, value, skip8, skip4 = shared
        if self.aspp:
            readout = self.context(readout, context)
        x = self.block16(self.conv16(readout, value))
        x = self.block8(skip8 + (self.align8(x, skip8) if self.align else upsample(x, 2)))
        x = self.block4(skip4 + (self.align4(x, skip4) if self.align else upsample(x, 2)))
        return upsample(self.pred(nn.relu(x).astype(jnp.float32)), 4)

    def whole(
        self, readout: jax.Array, value: jax.Array, f8: jax.Array, f4: jax.Array
    ) -> jax.Array:
        """Decodes one object without sharing, for initialisation."""
        return self(readout, self.share(value, f8, f4))
