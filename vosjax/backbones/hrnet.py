"""HRNetV2 (Wang et al. 2020): branches at strides 4 to 32 that exchange their maps.

Sun, Zhao et al., "High-Resolution Representations for Labeling Pixels and Regions", arXiv
1904.04514, and Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition",
arXiv 1908.07919. A mask may enter beside the image, by a first convolution of its own whose output
is added to that of the image: BPR's refinement network (arXiv 2104.05239).
"""

from typing import NamedTuple

import flax.linen as nn
import jax

from vosjax.backbones import Backbone, FeatureMaps
from vosjax.backbones.resnet import pointwise, relu_of_sum
from vosjax.errors import InputError
from vosjax.layers.conv import conv
from vosjax.layers.norm import BatchNorm
from vosjax.layers.resize import resize
from vosjax.names import Name, frozen_norm, linear
from vosjax.names import conv as conv_name

BRANCHES = 4  # of the last stage
EXPANSION = 4  # of the bottlenecks of the first stage
IGNORED = (
    r"(.*\.)?num_batches_tracked",
    r"(incre_modules|downsamp_modules|final_layer|classifier)\..*",
)


class Variant(NamedTuple):
    """One network.

    widths       channels of the four branches
    bottlenecks  number of bottlenecks of the first stage
    modules      numbers of modules of stages 2 to 4
    blocks       basic blocks of a branch in a module
    stem         channels of the stem, and inner width of the bottlenecks
    """

    widths: tuple[int, int, int, int]
    bottlenecks: int
    modules: tuple[int, int, int]
    blocks: int
    stem: int = 64


VARIANTS = {
    "w18_small": Variant((18, 36, 72, 144), 2, (1, 3, 2), 2),
    "w48": Variant((48, 96, 192, 384), 4, (1, 4, 3), 4),
}


class ConvNorm(nn.Module):
    """A convolution without bias and its batch norm: [B, H, W, C] -> [B, H/s, W/s, features]."""

    features: int
    kernel: int = 3
    stride: int = 1
    train: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if self.kernel == 1:
            x = pointwise(x, self.features, stride=self.stride, name="conv")
        else:
            x = conv(self.features, self.kernel, stride=self.stride, bias=False, name="conv")(x)
        return BatchNorm(train=self.train, name="bn")(x)


class Block(nn.Module):
    """A residual block of convolutions with the given (kernel, features), all of stride 1.

    The shortcut is the identity, or a 1x1 convolution if the number of channels changes.
    """

    layers: tuple[tuple[int, int], ...]
    train: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = x
        for number, (kernel, features) in enumerate(self.layers, 1):
            y = ConvNorm(features, kernel, train=self.train, name=f"layer{number}")(y)
            y = nn.relu(y) if number < len(self.layers) else y
        if x.shape[-1] != y.shape[-1]:
            x = ConvNorm(y.shape[-1], 1, train=self.train, name="downsample")(x)
        return relu_of_sum(y, x)


def _fused(
    maps: list[jax.Array], widths: tuple[int, ...], train: bool, name: str
) -> list[jax.Array]:
    """Gives every branch the sum of all branches' maps, brought to its size and its width."""
    outputs = []
    for i, own in enumerate(maps):
        total = None
        for j, x in enumerate(maps):
            if j > i:
                x = ConvNorm(widths[i], 1, train=train, name=f"{name}_fuse{i}{j}")(x)
                x = resize(x, *own.shape[1:3])
            for k in range(i - j):
                last = k == i - j - 1
                layer = f"{name}_fuse{i}{j}_{k}"
                x = ConvNorm(widths[i if last else j], stride=2, train=train, name=layer)(x)
                x = x if last else nn.relu(x)
            total = x if total is None else total + x
        outputs.append(nn.relu(total))
    return outputs


class HRNet(nn.Module):
    """Maps images [B, H, W, 3] to four maps at strides 4, 8, 16 and 32, of `variant.widths`.

    Attributes:
        variant: the network.
        mask: whether a mask [B, H, W, 1] enters beside the image.
        train: whether the norms take the statistics of the batch, see `BatchNorm`.
    """

    variant: Variant
    mask: bool = False
    train: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, masks: jax.Array | None = None) -> tuple[jax.Array, ...]:
        variant, train = self.variant, self.train
        stem = variant.stem
        x = conv(stem, 3, stride=2, bias=False, name="conv1")(images)
        if self.mask:
            x = x + conv(stem, 3, stride=2, bias=False, name="conv_mask")(masks)
        x = nn.relu(BatchNorm(train=train, name="bn1")(x))
        x = conv(stem, 3, stride=2, bias=False, name="conv2")(x)
        x = nn.relu(BatchNorm(train=train, name="bn2")(x))
        layers = ((1, stem), (3, stem), (1, EXPANSION * stem))
        for i in range(variant.bottlenecks):
            x = Block(layers, train, name=f"layer1_{i}")(x)
        first = ConvNorm(variant.widths[0], train=train, name="transition0")(x)
        maps = [nn.relu(first)]
        for stage, modules in enumerate(variant.modules, 2):
            entrance = x if stage == 2 else maps[-1]
            name = f"transition{stage - 1}"
            branch = ConvNorm(variant.widths[stage - 1], stride=2, train=train, name=name)
            maps.append(nn.relu(branch(entrance)))
            for module in range(modules):
                name = f"stage{stage}_{module}"
                for b, width in enumerate(variant.widths[:stage]):
                    for k in range(variant.blocks):
                        block = Block(((3, width),) * 2, train, name=f"{name}_branch{b}_{k}")
                        maps[b] = block(maps[b])
                maps = _fused(maps, variant.widths, train, name)
        return tuple(maps)


class Encoder(nn.Module):
    """An `HRNet` as an image encoder: [B, H, W, 3] -> `FeatureMaps`; `deep` is `f16`."""

    variant: Variant

    @nn.compact
    def __call__(self, images: jax.Array, rng: jax.Array | None = None) -> FeatureMaps:
        f4, f8, f16, _ = HRNet(self.variant, name="hrnet")(images)
        return FeatureMaps(f4, f8, f16, f16)


def names(variant: Variant, path: str, key: str, *, mask: bool = False) -> list[Name]:
    """Returns the names of the weights of an `HRNet`, ours and those of mmsegmentation.

        names(VARIANTS["w18_small"], "backbone", "backbone.", mask=True)

    Args:
        variant: the network.
        path: path of the network in our weights, without a slash at its end, or ''.
        key: prefix of the reference's names with its dot, or ''.
        mask: whether a mask enters.
    """
    root = f"{path}/" if path else ""

    def unit(ours: str, conv_key: str, norm_key: str, *, kernel: int = 3) -> list[Name]:
        layer = linear if kernel == 1 else conv_name
        return layer(f"{root}{ours}/conv", f"{key}{conv_key}", bias=False) + frozen_norm(
            f"{root}{ours}/bn", f"{key}{norm_key}"
        )

    def pair(ours: str, theirs: str, *, kernel: int = 3) -> list[Name]:
        return unit(ours, f"{theirs}.0", f"{theirs}.1", kernel=kernel)

    def block(ours: str, theirs: str, kernels: tuple[int, ...]) -> list[Name]:
        entries = []
        for i, kernel in enumerate(kernels, 1):
            entries += unit(
                f"{ours}/layer{i}", f"{theirs}.conv{i}", f"{theirs}.bn{i}", kernel=kernel
            )
        return entries

    entries = []
    for i in (1, 2):
        entries += conv_name(f"{root}conv{i}", f"{key}conv{i}", bias=False)
        entries += frozen_norm(f"{root}bn{i}", f"{key}bn{i}")
    if mask:
        entries += conv_name(f"{root}conv_mask", f"{key}conv_mask", bias=False)
    for i in range(variant.bottlenecks):
        entries += block(f"layer1_{i}", f"layer1.{i}", (1, 3, 1))
    if variant.bottlenecks:
        entries += pair("layer1_0/downsample", "layer1.0.downsample", kernel=1)
    entries += pair("transition0", "transition1.0")
    for stage, modules in enumerate(variant.modules, 2):
        entries += pair(f"transition{stage - 1}", f"transition{stage - 1}.{stage - 1}.0")
        for module in range(modules):
            ours, theirs = f"stage{stage}_{module}", f"stage{stage}.{module}"
            for b in range(stage):
                for k in range(variant.blocks):
                    entries += block(f"{ours}_branch{b}_{k}", f"{theirs}.branches.{b}.{k}", (3, 3))
            for i in range(stage):
                fuse = f"{theirs}.fuse_layers.{i}"
                for j in range(stage):
                    if j > i:
                        entries += pair(f"{ours}_fuse{i}{j}", f"{fuse}.{j}", kernel=1)
                    for k in range(i - j):
                        entries += pair(f"{ours}_fuse{i}{j}_{k}", f"{fuse}.{j}.{k}")
    return entries


def early(path: str) -> bool:
    """Whether the weight at `path` belongs to the stem or to the first stage.

    early("hrnet/conv1/kernel")
    """
    return path.startswith(tuple(f"hrnet/{part}" for part in ("conv", "bn", "layer1_")))


def build(variant: str) -> Backbone:
    """Builds 'w18_small' (HRNetV2-W18-Small, the second version) or 'w48'.

        backbone = build("w48")

    Raises:
        InputError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise InputError(f"unknown HRNet {variant!r}; there are: {', '.join(VARIANTS)}")
    network = VARIANTS[variant]
    _, f8, f16, _ = network.widths
    return Backbone(
        module=Encoder(network),
        channels=(network.widths[0], f8, f16, f16),
        names=lambda path, key: names(network, f"{path}/hrnet" if path else "hrnet", key),
        ignored=IGNORED,
        early=early,
        aligned=True,
    )
