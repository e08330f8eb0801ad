"""The IoU network, which predicts how well a box fits the object, and the refinement by it.

Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization" (CVPR 2019), section 3.1, as
DiMP uses it. The first frame gives one vector for each of two maps. In later frames the vectors
modulate the maps, boxes are pooled from them, and boxes climb the gradient of the prediction.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.layers.conv import conv
from vosjax.layers.norm import FrozenBatchNorm
from vosjax.layers.roi_pool import precise_roi_pool

CHANNELS = 256
SCALES = (1 / 8, 1 / 16)  # cells per pixel of the two maps
BINS = (5, 3)  # per side, in which the two maps are pooled for a prediction
ASPECT = 6  # boxes that are longer or thinner are not averaged


class IouFeatures(NamedTuple):
    """Two maps of a frame [h, w, 256], at strides 8 and 16."""

    f8: jax.Array
    f16: jax.Array


class Modulation(NamedTuple):
    """What the first frame says of the object: factors [256] for each of the maps."""

    f8: jax.Array
    f16: jax.Array


class ConvNorm(nn.Module):
    """A square convolution with bias, frozen batch norm and ReLU: [..., H, W, C] -> features."""

    features: int
    kernel: int = 3
    padded: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.padded:
            x = conv(self.features, self.kernel, name="conv")(x)
        else:
            size = (self.kernel, self.kernel)
            x = nn.Conv(self.features, size, padding="VALID", name="conv")(x)
        return nn.relu(FrozenBatchNorm(name="norm")(x))


class LinearNorm(nn.Module):
    """A linear layer, frozen batch norm and ReLU: [R, P, Q, C] -> [R, 256]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Dense(CHANNELS, name="linear")(x.reshape(len(x), -1))
        return nn.relu(FrozenBatchNorm(name="norm")(x))


class IouNet(nn.Module):
    """Predicts the IoU of boxes with the object; trained on 2 * IoU - 1.

    Boxes are (x, y, w, h) in pixels of the image; maps are those of a ResNet-50 at stride 8
    [h, w, 512] and at stride 16 [h, w, 1024].
    """

    def setup(self) -> None:
        self.reference8 = ConvNorm(128)
        self.reference8_pooled = ConvNorm(CHANNELS, padded=False)
        self.reference16 = ConvNorm(CHANNELS)
        self.modulation8 = ConvNorm(CHANNELS, 1)
        self.modulation16 = ConvNorm(CHANNELS, 1)
        self.test8 = [ConvNorm(CHANNELS), ConvNorm(CHANNELS)]
        self.test16 = [ConvNorm(CHANNELS), ConvNorm(CHANNELS)]
        self.pooled8 = LinearNorm()
        self.pooled16 = LinearNorm()
        self.head = nn.Dense(1)

    def modulation(self, f8: jax.Array, f16: jax.Array, box: jax.Array) -> Modulation:
        """Computes the object's factors from the first frame and its box [4]."""
        roi = corners(box[None])
        pooled8 = precise_roi_pool(self.reference8(f8), roi, (3, 3), SCALES[0])
        pooled16 = precise_roi_pool(self.reference16(f16), roi, (1, 1), SCALES[1])
        both = jnp.concatenate([self.reference8_pooled(pooled8), pooled16], -1)
        return Modulation(self.modulation8(both)[0, 0, 0], self.modulation16(both)[0, 0, 0])

    def encode(self, f8: jax.Array, f16: jax.Array) -> IouFeatures:
        """Computes the maps of a frame from which all of its boxes are pooled."""
        for layer8, layer16 in zip(self.test8, self.test16):
            f8, f16 = layer8(f8), layer16(f16)
        return IouFeatures(f8, f16)

    def predict(self, features: IouFeatures, modulation: Modulation, boxes: jax.Array) -> jax.Array:
        """Predicts the IoU [R] of boxes [R, 4]."""
        rois = corners(boxes)
        parts = []
        for layer, bins, scale, maps, factors in zip(
            (self.pooled8, self.pooled16), BINS, SCALES, features, modulation
        ):
            parts.append(layer(precise_roi_pool(maps * factors, rois, (bins, bins), scale)))
        iou: jax.Array = self.head(jnp.concatenate(parts, -1))[:, 0]
        return iou

    def whole(self, f8: jax.Array, f16: jax.Array, box: jax.Array) -> jax.Array:
        """Does all of the above for one frame; initialising it makes every weight."""
        return self.predict(self.encode(f8, f16), self.modulation(f8, f16, box), box[None])


def corners(boxes: jax.Array) -> jax.Array:
    """Converts boxes [R, 4] from (x, y, w, h) to (x0, y0, x1, y1).

    corners(jnp.array([[2.0, 3.0, 10.0, 20.0]]))      # [[2, 3, 12, 23]]
    """
    return jnp.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def climb(
    predict: Callable[[jax.Array], jax.Array], boxes: jax.Array, steps: int, length: float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Moves boxes along the gradient of their predicted IoU, scaled by their own size.

        boxes, iou = climb(lambda boxes: boxes[:, 2] / 10, boxes, steps=5)

    Args:
        predict: boxes [R, 4] -> IoU [R], of every box by itself.
        boxes: float32 [R, 4], (x, y, w, h).
        steps: number of steps.
        length: factor of the gradient.

    Returns:
        The boxes, and their predictions [R] before the last step.
    """

    def step(boxes: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        iou, pull = jax.vjp(predict, boxes)
        (gradient,) = pull(jnp.ones_like(iou))
        return boxes + length * gradient * jnp.tile(boxes[:, 2:], 2), iou

    boxes, predictions = jax.lax.scan(step, boxes, length=steps)
    return boxes, predictions[-1]


def best_mean(boxes: jax.Array, iou: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Averages the boxes of the best predictions, of those that have a plausible shape.

        box, usable = best_mean(boxes, iou, 3)

    Args:
        boxes: [R, 4], (x, y, w, h); those with a side of less than one pixel or an aspect ratio
            above `ASPECT` are left out.
        iou: [R], their predictions.
        count: number of boxes that are averaged, or all where there are fewer.

    Returns:
        float32 [4], and whether there was any; without one the box is zero.
    """
    width, height = boxes[:, 2], boxes[:, 3]
    plausible = (width >= 1) & (height >= 1) & (width < ASPECT * height) & (height < ASPECT * width)
    ranked, order = jax.lax.top_k(jnp.where(plausible, iou, -jnp.inf), count)
    weights = (ranked > -jnp.inf).astype(jnp.float32)
    return weights @ boxes[order] / jnp.maximum(weights.sum(), 1), weights.any()
