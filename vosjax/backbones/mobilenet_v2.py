"""MobileNetV2 (Sandler et al. 2018, width 1.0) at output stride 16, as AOT uses it."""

import re
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from vosjax.backbones import Backbone, FeatureMaps
from vosjax.errors import InputError
from vosjax.layers.conv import Depthwise, conv
from vosjax.layers.norm import EPSILON, IMAGENET_MEAN, IMAGENET_STD, FrozenBatchNorm
from vosjax.names import Name, frozen_norm, linear
from vosjax.names import conv as conv_name

# Expansion t, channels c, repeats n, stride of the first block, dilations of the depthwise
# convolutions; the stage that would go beyond stride 16 is dilated instead.
STAGES = (
    (1, 16, 1, 1, (1,)),
    (6, 24, 2, 2, (1, 1)),
    (6, 32, 3, 2, (1, 1, 1)),
    (6, 64, 4, 2, (1, 1, 1, 1)),
    (6, 96, 3, 1, (1, 1, 1)),
    (6, 160, 3, 1, (1, 2, 2)),
    (6, 320, 1, 1, (2,)),
)
BLOCKS = tuple(
    (t, c, stride if i == 0 else 1, dilations[i])
    for t, c, n, stride, dilations in STAGES
    for i in range(n)
)
STEM, LAST = 32, 1280
TAPS = (3, 6, 13)  # blocks whose outputs are f4, f8 and f16; torchvision counts the stem as 0
EARLY = 3  # the last block that is frozen in training


class InvertedResidual(nn.Module):
    """Expansion (1x1), depthwise 3x3, projection (1x1, linear); residual if the shapes allow."""

    expansion: int
    features: int
    stride: int
    dilation: int

    @nn.compact
    def __call__(self, x: jax.Array) -> Any:
        y = x
        if self.expansion != 1:
            y = nn.Dense(x.shape[-1] * self.expansion, use_bias=False, name="expand")(y)
            y = nn.relu6(FrozenBatchNorm(name="expand_norm")(y))
        y = Depthwise(3, stride=self.stride, dilation=self.dilation, name="depthwise")(y)
        y = nn.relu6(FrozenBatchNorm(name="depthwise_norm")(y))
        y = nn.Dense(self.features, use_bias=False, name="project")(y)
        y = FrozenBatchNorm(name="project_norm")(y)
        return x + y if self.stride == 1 and x.shape[-1] == self.features else y


class MobileNetV2(nn.Module):
    """Maps images [B, H, W, 3] to `FeatureMaps` with 24, 32, 96 and 1280 channels."""

    @nn.compact
    def __call__(self, images: jax.Array, rng: Any = None) -> FeatureMaps:
        del rng  # nothing here is stochastic
        x = conv(STEM, 3, stride=2, bias=False, name="stem")(images)
        x = nn.relu6(FrozenBatchNorm(name="stem_norm")(x))
        taps = []
        for index, (t, c, stride, dilation) in enumerate(BLOCKS, 1):
            x = InvertedResidual(t, c, stride, dilation, name=f"block{index}")(x)
            if index in TAPS:
                taps.append(x)
        x = nn.Dense(LAST, use_bias=False, name="last")(x)
        f4, f8, f16 = taps
        return FeatureMaps(f4, f8, f16, nn.relu6(FrozenBatchNorm(name="last_norm")(x)))


def names(path: str, key: str) -> list[Name]:
    """Returns the names of the weights: ours below `path`, torchvision's after `key`.

    names("encoder", "encoder.")
    """
    root = f"{path}/" if path else ""
    entries = conv_name(f"{root}stem", f"{key}features.0.0", bias=False)
    entries += frozen_norm(f"{root}stem_norm", f"{key}features.0.1")
    for index, (expansion, *_) in enumerate(BLOCKS, 1):
        ours, theirs = f"{root}block{index}", f"{key}features.{index}.conv"
        step = 0
        if expansion != 1:
            entries += linear(f"{ours}/expand", f"{theirs}.0.0", bias=False)
            entries += frozen_norm(f"{ours}/expand_norm", f"{theirs}.0.1")
            step = 1
        entries += conv_name(f"{ours}/depthwise", f"{theirs}.{step}.0", bias=False)
        entries += frozen_norm(f"{ours}/depthwise_norm", f"{theirs}.{step}.1")
        entries += linear(f"{ours}/project", f"{theirs}.{step + 1}", bias=False)
        entries += frozen_norm(f"{ours}/project_norm", f"{theirs}.{step + 2}")
    last = len(BLOCKS) + 1
    entries += linear(f"{root}last", f"{key}features.{last}.0", bias=False)
    return entries + frozen_norm(f"{root}last_norm", f"{key}features.{last}.1")


def early(path: str) -> bool:
    """Whether the weight at `path` belongs to the stem or to the first three blocks.

    early("stem/kernel")      # True
    """
    block = re.match(r"block(\d+)/", path)
    return int(block[1]) <= EARLY if block else path.startswith("stem")


def build(variant: str = "") -> Backbone:
    """Builds the encoder, which has no variants.

        backbone = build("")

    Raises:
        InputError: a variant is named.
    """
    if variant:
        raise InputError(f"mobilenet_v2 has no variant {variant!r}; say 'mobilenet_v2'")
    return Backbone(
        module=MobileNetV2(),
        channels=(24, 32, 96, LAST),
        names=names,
        ignored=(r"classifier\..*", r".*\.num_batches_tracked"),
        early=early,
        aligned=True,
        folded=from_folded,
    )


def from_folded(arrays: dict[str, np.ndarray]) -> dict:
    """Converts the weights of a network whose batch norms are folded into its convolutions.

        params = from_folded(dict(np.load("mobilenet_v2.npz")))

    Norms become the identity (variance 1 - epsilon) plus the bias. The folded network takes
    RGB / 127.5 - 1 and this one takes images normalised by ImageNet's mean and standard deviation,
    so the first convolution is rescaled. Results agree inside the image but not at its border,
    since zero padding stands for the mean colour here and for medium grey there.

    Args:
        arrays: `features.0.{w,b}`, `features.K.{expand,depthwise,project}.{w,b}` and
            `features.18.{w,b}`; kernels [kh, kw, in, out], depthwise [kh, kw, 1, C].

    Returns:
        A nested dict for `MobileNetV2`.

    Raises:
        InputError: an array is missing.
    """

    def take(key: str) -> np.ndarray:
        if key not in arrays:
            raise InputError(
                f"no array {key!r} among the folded MobileNetV2 weights; expected "
                "features.0, features.1..17.{expand,depthwise,project}, features.18, "
                "each with .w and .b"
            )
        return np.asarray(arrays[key], np.float32)

    def norm(bias: np.ndarray) -> Any:
        return {
            "scale": np.ones_like(bias),
            "bias": bias,
            "mean": np.zeros_like(bias),
            "var": np.full_like(bias, 1 - EPSILON),
        }

    std, mean = np.array(IMAGENET_STD, np.float32), np.array(IMAGENET_MEAN, np.float32)
    kernel = take("features.0.w")
    shift = np.einsum("hwio,i->o", kernel, 2 * mean - 1)
    params = {
        "stem": {"kernel": kernel * (2 * std)[:, None]},
        "stem_norm": norm(take("features.0.b") + shift),
    }
    for index, (expansion, *_) in enumerate(BLOCKS, 1):
        block = {}
        for part in ("expand", "depthwise", "project")[0 if expansion != 1 else 1 :]:
            kernel = take(f"features.{index}.{part}.w")
            block[part] = {"kernel": kernel if part == "depthwise" else kernel[0, 0]}
            block[f"{part}_norm"] = norm(take(f"features.{index}.{part}.b"))
        params[f"block{index}"] = block
    last = len(BLOCKS) + 1
    params["last"] = {"kernel": take(f"features.{last}.w")[0, 0]}
    params["last_norm"] = norm(take(f"features.{last}.b"))
    return params
