"""ResNeSt up to stride 16: split attention, a deep stem, and average pooling for strides.

Zhang et al., "ResNeSt: split-attention networks" (2020), with radix 2 and cardinality 1, as AOT
uses it: batch norm is frozen, the fourth stage is left out, and `deep` is `f16`.
"""

import flax.linen as nn
import jax

from vosjax.backbones import Backbone, FeatureMaps
from vosjax.backbones.resnet import IGNORED, STAGES, pointwise
from vosjax.errors import InputError
from vosjax.layers.conv import conv, max_pool
from vosjax.layers.grouped import GroupedConv
from vosjax.layers.norm import FrozenBatchNorm
from vosjax.names import Name, frozen_norm, linear
from vosjax.names import conv as conv_name

VARIANTS = {"101": (3, 4, 23)}  # blocks of each stage
STEM = (("conv0", 64, 2), ("conv1", 64, 1), ("conv2", 128, 1))


class SplitAttention(nn.Module):
    """A 3x3 convolution to two splits, summed with weights computed from their global mean."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        size = x.shape[-1]
        y = GroupedConv(2 * size, 3, 2, name="conv")(x)
        y = nn.relu(FrozenBatchNorm(name="bn0")(y))
        first, second = y[..., :size], y[..., size:]
        pooled = nn.Dense(max(size // 2, 32), name="fc1")((first + second).mean((1, 2)))
        pooled = nn.relu(FrozenBatchNorm(name="bn1")(pooled))
        logits = nn.Dense(2 * size, name="fc2")(pooled).reshape(-1, 2, 1, 1, size)
        weights = nn.softmax(logits, axis=1)
        return weights[:, 0] * first + weights[:, 1] * second


class Block(nn.Module):
    """Bottleneck with split attention: [B, H, W, C] -> [B, ceil(H/s), ceil(W/s), 4 * features]."""

    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        features = 4 * self.features
        y = nn.relu(FrozenBatchNorm(name="bn1")(pointwise(x, self.features, name="conv1")))
        y = SplitAttention(name="conv2")(y)
        if self.stride > 1:  # this mean includes the padding, that of the shortcut does not
            y = nn.avg_pool(y, (3, 3), (2, 2), ((1, 1), (1, 1)), count_include_pad=True)
        y = FrozenBatchNorm(name="bn3")(pointwise(y, features, name="conv3"))
        if self.stride > 1:
            padding = tuple((0, n % 2) for n in x.shape[1:3])
            x = nn.avg_pool(x, (2, 2), (2, 2), padding, count_include_pad=False).astype(y.dtype)
        if x.shape[-1] != features:
            x = FrozenBatchNorm(name="downsample_bn")(
                pointwise(x, features, name="downsample_conv")
            )
        return nn.relu(y + x)


class ResNeSt(nn.Module):
    """Maps images [B, H, W, 3] to `FeatureMaps`."""

    depths: tuple[int, int, int]

    @nn.compact
    def __call__(self, images: jax.Array, rng: jax.Array | None = None) -> FeatureMaps:
        x = images
        for i, (name, features, stride) in enumerate(STEM):
            x = conv(features, 3, stride=stride, bias=False, name=f"stem_{name}")(x)
            x = nn.relu(FrozenBatchNorm(name=f"stem_bn{i}")(x))
        x = max_pool(x)
        maps = []
        for stage, depth in enumerate(self.depths):
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                x = Block(64 << stage, stride, name=f"{STAGES[stage]}_{block}")(x)
            maps.append(x)
        f4, f8, f16 = maps
        return FeatureMaps(f4, f8, f16, f16)


def names(variant: str, path: str, key: str) -> list[Name]:
    """Returns the names of the weights: ours below `path`, those of the reference after `key`.

    names("101", "encoder", "encoder.")
    """
    root = f"{path}/" if path else ""
    entries = []
    for i, (conv_key, norm_key) in enumerate((("0", "conv1.1"), ("3", "conv1.4"), ("6", "bn1"))):
        entries += conv_name(f"{root}stem_conv{i}", f"{key}conv1.{conv_key}", bias=False)
        entries += frozen_norm(f"{root}stem_bn{i}", f"{key}{norm_key}")
    for stage, depth in enumerate(VARIANTS[variant]):
        for block in range(depth):
            ours, theirs = f"{root}{STAGES[stage]}_{block}", f"{key}{STAGES[stage]}.{block}"
            for i in (1, 3):
                entries += linear(f"{ours}/conv{i}", f"{theirs}.conv{i}", bias=False)
                entries += frozen_norm(f"{ours}/bn{i}", f"{theirs}.bn{i}")
            entries += conv_name(f"{ours}/conv2/conv", f"{theirs}.conv2.conv", bias=False)
            for i in (0, 1):
                entries += frozen_norm(f"{ours}/conv2/bn{i}", f"{theirs}.conv2.bn{i}")
            for i in (1, 2):
                entries += linear(f"{ours}/conv2/fc{i}", f"{theirs}.conv2.fc{i}")
            if block == 0:
                entries += linear(f"{ours}/downsample_conv", f"{theirs}.downsample.1", bias=False)
                entries += frozen_norm(f"{ours}/downsample_bn", f"{theirs}.downsample.2")
    return entries


def early(path: str) -> bool:
    """Whether the weight at `path` belongs to the stem or to the first stage.

    early("stem_conv1/kernel")
    """
    return path.startswith(("stem_", f"{STAGES[0]}_"))


def build(variant: str) -> Backbone:
    """Builds '101', the only variant.

        backbone = build("101")

    Raises:
        InputError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise InputError(f"unknown ResNeSt {variant!r}; there are: {', '.join(VARIANTS)}")
    return Backbone(
        module=ResNeSt(VARIANTS[variant]),
        channels=(256, 512, 1024, 1024),
        names=lambda path, key: names(variant, path, key),
        ignored=IGNORED,
        early=early,
        aligned=True,
    )
