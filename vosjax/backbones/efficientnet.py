"""EfficientNet B0-B4, V2-S and Lite0-Lite4 with the deepest map at stride 16.

Tan and Le 2019 and 2021, in torchvision's form; Lite as in TensorFlow's TPU models (2020) and the
public PyTorch files converted from them. f4, f8 and f16 are the native maps. In the stage that
would go on to stride 32, the stride is replaced by a dilation of 2 in all following depthwise
convolutions, as AOT does for MobileNetV2; `deep` is the output of the last block, before the
convolution that belongs to the classifier.
"""

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.backbones import Backbone, FeatureMaps
from vosjax.backbones.resnet import pointwise
from vosjax.errors import InputError
from vosjax.layers.conv import Depthwise, conv
from vosjax.layers.drop_path import drop_path
from vosjax.layers.norm import EPSILON, IMAGENET_MEAN, IMAGENET_STD, FrozenBatchNorm
from vosjax.names import Name, frozen_norm, linear
from vosjax.names import conv as conv_name

DROP_RATE = 0.2  # rate of stochastic depth in the deepest block


class Stage(NamedTuple):
    """A sequence of equal blocks, of which the first has the stride."""

    expand: int
    kernel: int
    stride: int
    features: int
    depth: int
    fused: bool = False  # one full convolution in place of expansion and depthwise


class Variant(NamedTuple):
    """One network of the family.

    stem     number of channels of the first convolution
    stages   numbered from 1 as in torchvision's `features`; f4, f8, f16 come from 2, 3 and 5
    epsilon  of the batch norms
    lite     no squeeze and excitation, ReLU6 instead of SiLU, input (RGB - 127) / 128
    """

    stem: int
    stages: tuple[Stage, ...]
    epsilon: float = EPSILON
    lite: bool = False


def _scaled(width: float, depth: float, *, lite: bool = False) -> Variant:
    """Scales the channels and depths of the baseline; channels are rounded to multiples of eight.

    Lite leaves the stem, and the depths of the first and the last stage, unscaled.
    """
    base = (
        Stage(1, 3, 1, 16, 1),
        Stage(6, 3, 2, 24, 2),
        Stage(6, 5, 2, 40, 2),
        Stage(6, 3, 2, 80, 3),
        Stage(6, 5, 1, 112, 3),
        Stage(6, 5, 2, 192, 4),
        Stage(6, 3, 1, 320, 1),
    )

    def channels(features: int) -> int:
        exact = features * width
        rounded = max(8, int(exact + 4) // 8 * 8)
        return rounded if rounded >= 0.9 * exact else rounded + 8

    def repeats(stage: Any) -> int:
        fixed = lite and stage in (base[0], base[-1])
        return stage.depth if fixed else math.ceil(stage.depth * depth)

    stages = tuple(
        stage._replace(features=channels(stage.features), depth=repeats(stage)) for stage in base
    )
    return Variant(32, stages, 1e-3, True) if lite else Variant(channels(32), stages)


VARIANTS = {
    "b0": _scaled(1.0, 1.0),
    "b1": _scaled(1.0, 1.1),
    "b2": _scaled(1.1, 1.2),
    "b3": _scaled(1.2, 1.4),
    "b4": _scaled(1.4, 1.8),
    "v2_s": Variant(
        24,
        (
            Stage(1, 3, 1, 24, 2, True),
            Stage(4, 3, 2, 48, 4, True),
            Stage(4, 3, 2, 64, 4, True),
            Stage(4, 3, 2, 128, 6),
            Stage(6, 3, 1, 160, 9),
            Stage(6, 3, 2, 256, 15),
        ),
        1e-3,
    ),
    "lite0": _scaled(1.0, 1.0, lite=True),
    "lite1": _scaled(1.0, 1.1, lite=True),
    "lite2": _scaled(1.1, 1.2, lite=True),
    "lite3": _scaled(1.2, 1.4, lite=True),
    "lite4": _scaled(1.4, 1.8, lite=True),
}


class Block(nn.Module):
    """An inverted bottleneck with squeeze and excitation (except in Lite), or a fused one."""

    stage: Stage
    stride: int
    dilation: int
    epsilon: float
    drop_rate: float
    lite: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, rng: jax.Array | None) -> jax.Array:
        shortcut, features = x, self.stage.features
        inner = self.stage.expand * x.shape[-1]
        activate = nn.relu6 if self.lite else nn.silu

        def norm(x: jax.Array, name: str) -> Any:
            return FrozenBatchNorm(self.epsilon, name=name)(x)

        if self.stage.fused:
            width = inner if self.stage.expand > 1 else features
            x = conv(width, self.stage.kernel, stride=self.stride, bias=False, name="fused")(x)
            x = activate(norm(x, "fused_bn"))
        else:
            squeezed = max(1, x.shape[-1] // 4)
            if self.stage.expand > 1:
                x = activate(norm(pointwise(x, inner, name="expand"), "expand_bn"))
            x = Depthwise(self.stage.kernel, self.stride, self.dilation, name="depthwise")(x)
            x = activate(norm(x, "depthwise_bn"))
            if not self.lite:
                gate = nn.silu(nn.Dense(squeezed, name="squeeze")(x.mean((1, 2), keepdims=True)))
                x = x * nn.sigmoid(nn.Dense(inner, name="excite")(gate))
        if not self.stage.fused or self.stage.expand > 1:
            x = norm(pointwise(x, features, name="project"), "project_bn")
        if shortcut.shape == x.shape:
            x = shortcut + drop_path(x, self.drop_rate, rng)
        return x


class EfficientNet(nn.Module):
    """Maps images [B, H, W, 3] to `FeatureMaps`; `rng` draws the stochastic depth.

    Attributes:
        variant: the network.
        dilate: False keeps the strides of the classifier, so that `deep` has stride 32. No network
            here uses that; tests/parity/test_backbones_torchvision.py compares blocks and weights
            with the published classifier in this form, including the last stages.
    """

    variant: Variant
    dilate: bool = True

    @nn.compact
    def __call__(self, images: jax.Array, rng: jax.Array | None = None) -> FeatureMaps:
        stem, stages, epsilon, lite = self.variant
        x = _lite_range(images) if lite else images
        x = conv(stem, 3, stride=2, bias=False, name="stem")(x)
        x = (nn.relu6 if lite else nn.silu)(FrozenBatchNorm(epsilon, name="stem_bn")(x))
        total, index, stride, dilation, maps = sum(s.depth for s in stages), 0, 2, 1, {}
        for number, stage in enumerate(stages, start=1):
            for block in range(stage.depth):
                step = stage.stride if block == 0 else 1
                cut = self.dilate and stride * step > 16
                key = None if rng is None else jax.random.fold_in(rng, index)
                x = Block(
                    stage,
                    1 if cut else step,
                    dilation,
                    epsilon,
                    DROP_RATE * index / total,
                    lite,
                    name=f"stage{number}_{block}",
                )(x, key)
                stride, dilation = (stride, dilation * step) if cut else (stride * step, dilation)
                index += 1
            maps[number] = x
        return FeatureMaps(maps[2], maps[3], maps[5], x)


def _lite_range(images: jax.Array) -> jax.Array:
    """Converts images normalised by ImageNet's mean and standard deviation to (RGB - 127) / 128."""
    mean, std = jnp.array(IMAGENET_MEAN, images.dtype), jnp.array(IMAGENET_STD, images.dtype)
    return images * (std * 255 / 128) + (mean * 255 - 127) / 128


def names(variant: str, path: str, key: str) -> list[Name]:
    """Returns the names of the weights: ours below `path`, those of the published file after `key`.

    names("b0", "encoder", "backbone.")
    """
    return (_lite_names if VARIANTS[variant].lite else _torchvision_names)(variant, path, key)


def _lite_names(variant: str, path: str, key: str) -> list[Name]:
    """Returns the names in a Lite file, which numbers blocks across stages and norms in a block."""
    root = f"{path}/" if path else ""
    entries = conv_name(f"{root}stem", f"{key}_conv_stem", bias=False)
    entries += frozen_norm(f"{root}stem_bn", f"{key}_bn0")
    blocks = [
        (stage, f"{root}stage{number}_{block}")
        for number, stage in enumerate(VARIANTS[variant].stages, start=1)
        for block in range(stage.depth)
    ]
    for index, (stage, ours) in enumerate(blocks):
        for part, norm in (("expand", 0), ("depthwise", 1), ("project", 2)):
            if part != "expand" or stage.expand > 1:
                layer = conv_name if part == "depthwise" else linear
                theirs = f"{key}_blocks.{index}"
                entries += layer(f"{ours}/{part}", f"{theirs}._{part}_conv", bias=False)
                entries += frozen_norm(f"{ours}/{part}_bn", f"{theirs}._bn{norm}")
    return entries


def _torchvision_names(variant: str, path: str, key: str) -> list[Name]:
    root = f"{path}/" if path else ""
    entries = conv_name(f"{root}stem", f"{key}features.0.0", bias=False)
    entries += frozen_norm(f"{root}stem_bn", f"{key}features.0.1")
    for number, stage in enumerate(VARIANTS[variant].stages, start=1):
        for block in range(stage.depth):
            entries += _block_names(
                stage, f"{root}stage{number}_{block}", f"{key}features.{number}.{block}.block"
            )
    return entries


def _block_names(stage: Stage, path: str, key: str) -> list[Name]:
    """Returns the names of a block; torchvision numbers the parts that the block has in order."""
    if stage.fused:
        parts = ["fused"] + ["project"] * (stage.expand > 1)
    else:
        parts = ["expand"] * (stage.expand > 1) + ["depthwise", "attention", "project"]
    entries = []
    for i, part in enumerate(parts):
        if part == "attention":
            entries += linear(f"{path}/squeeze", f"{key}.{i}.fc1")
            entries += linear(f"{path}/excite", f"{key}.{i}.fc2")
        else:
            layer = linear if part in ("expand", "project") else conv_name
            entries += layer(f"{path}/{part}", f"{key}.{i}.0", bias=False)
            entries += frozen_norm(f"{path}/{part}_bn", f"{key}.{i}.1")
    return entries


def early(path: str) -> bool:
    """Whether the weight at `path` belongs to the stem or to the stages up to stride 4.

    early("stem/kernel")      # True
    """
    return path.startswith(("stem/", "stem_bn/", "stage1_", "stage2_"))


def build(variant: str) -> Backbone:
    """Builds 'b0' ... 'b4', 'v2_s' or 'lite0' ... 'lite4'.

        backbone = build("b0")

    Raises:
        InputError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise InputError(f"unknown EfficientNet {variant!r}; there are: {', '.join(VARIANTS)}")
    stages = VARIANTS[variant].stages
    head = len(stages) + 1  # torchvision's convolution before the pooling
    return Backbone(
        module=EfficientNet(VARIANTS[variant]),
        channels=(stages[1].features, stages[2].features, stages[4].features, stages[-1].features),
        names=lambda path, key: names(variant, path, key),
        ignored=(
            r"(.*\.)?num_batches_tracked",
            rf"features\.{head}\..*",
            r"classifier\..*",
            r"_conv_head\..*",
            r"_bn1\..*",
            r"_fc\..*",
        ),
        early=early,
        aligned=True,
    )
