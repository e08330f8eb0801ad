"""ResNet and ResNeXt up to stride 16, with frozen batch norm.

He et al. 2016 and Xie et al. 2017 in torchvision's v1.5 form, where the 3x3 convolution has the
stride. The fourth stage is left out, as in AOT, STCN and STM, and `deep` is `f16`.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.backbones import IMAGE, Backbone, FeatureMaps
from vosjax.errors import InputError
from vosjax.layers.conv import conv, max_pool
from vosjax.layers.grouped import GroupedConv
from vosjax.layers.norm import FrozenBatchNorm
from vosjax.layers.residual import convolve
from vosjax.names import Name, frozen_norm, linear
from vosjax.names import conv as conv_name

STAGES = ("layer1", "layer2", "layer3")
IGNORED = (r"(.*\.)?num_batches_tracked", r"layer4\..*", r"fc\..*")


class Variant(NamedTuple):
    """One of the published networks.

    bottleneck  whether blocks are bottlenecks, or basic blocks
    depths      numbers of blocks of the three stages
    groups      of the 3x3 convolutions
    width       inner width of a bottleneck per 64 features
    """

    bottleneck: bool
    depths: tuple[int, int, int]
    groups: int = 1
    width: int = 64


VARIANTS = {
    "18": Variant(False, (2, 2, 2)),
    "50": Variant(True, (3, 4, 6)),
    "101": Variant(True, (3, 4, 23)),
    "resnext50_32x4d": Variant(True, (3, 4, 6), 32, 4 * 32),
    "resnext101_32x8d": Variant(True, (3, 4, 23), 32, 8 * 32),
}


def pointwise(
    x: jax.Array, features: int, *, stride: int = 1, bias: bool = False, name: str | None = None
) -> jax.Array:
    """Applies a 1x1 convolution as a matrix product with a kernel [I, O], which is faster on CPUs.

    x = pointwise(x, 64, name="conv1")
    """
    return nn.Dense(features, use_bias=bias, name=name)(x[:, ::stride, ::stride])


def relu_of_sum(a: jax.Array, b: jax.Array, *, rows: bool = False) -> jax.Array:
    """Computes max(a + b, 0) in a form whose result XLA keeps in memory.

        x = relu_of_sum(x, shortcut)

    XLA recomputes an expression of one large operand wherever it is used. Every block of a stage
    would then read the products of all blocks before it, and all of these would have to stay in
    memory. On CPUs a sum is kept if a convolution or a matrix product uses it directly, without a
    reshape; on TPUs behind a barrier.

    Args:
        a: [..., C].
        b: of the same shape.
        rows: whether what uses it is a matrix product, which takes rows [*, C].
    """

    def in_this_form(a: jax.Array, b: jax.Array) -> jax.Array:
        if rows:
            a, b = a.reshape(-1, shape[-1]), b.reshape(-1, shape[-1])
        return (jnp.where(a <= -b, -b, a) + b).reshape(shape)

    def behind_a_barrier(a: jax.Array, b: jax.Array) -> jax.Array:
        kept: jax.Array = jax.lax.optimization_barrier(nn.relu(a + b))
        return kept

    shape = a.shape
    total: jax.Array = jax.lax.platform_dependent(a, b, tpu=behind_a_barrier, default=in_this_form)
    return total


class Bottleneck(nn.Module):
    """A bottleneck (1x1, 3x3 with stride s, 1x1): [B, H, W, C] -> [B, H/s, W/s, 4 * features]."""

    features: int
    stride: int = 1
    groups: int = 1
    width: int = 64  # inner width for 64 features
    bias: bool = False  # of the convolutions
    norms_train: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inner, features = self.features * self.width // 64, 4 * self.features
        y = pointwise(x, inner, bias=self.bias, name="conv1")
        y = nn.relu(FrozenBatchNorm(trains=self.norms_train, name="bn1")(y))
        if self.groups == 1:
            y = conv(inner, 3, stride=self.stride, bias=self.bias, name="conv2")(y)
        else:
            y = GroupedConv(inner, 3, self.groups, self.stride, name="conv2")(y)
        y = nn.relu(FrozenBatchNorm(trains=self.norms_train, name="bn2")(y))
        y = pointwise(y, features, bias=self.bias, name="conv3")
        y = FrozenBatchNorm(trains=self.norms_train, name="bn3")(y)
        shortcut = _shortcut(x, features, self.stride, self.bias, self.norms_train)
        return relu_of_sum(y, shortcut, rows=True)


class BasicBlock(nn.Module):
    """A basic block (two 3x3, the first with stride s): [B, H, W, C] -> [B, H/s, W/s, features]."""

    features: int
    stride: int = 1
    bias: bool = False  # of the convolutions
    norms_train: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = conv(self.features, 3, stride=self.stride, bias=self.bias, name="conv1")(x)
        y = nn.relu(FrozenBatchNorm(trains=self.norms_train, name="bn1")(y))
        y = conv(self.features, 3, bias=self.bias, name="conv2")(y)
        y = FrozenBatchNorm(trains=self.norms_train, name="bn2")(y)
        shortcut = _shortcut(x, self.features, self.stride, self.bias, self.norms_train)
        return relu_of_sum(y, shortcut)


def _shortcut(x: jax.Array, features: int, stride: int, bias: bool, norms_train: bool) -> jax.Array:
    if stride == 1 and x.shape[-1] == features:
        return x
    x = pointwise(x, features, stride=stride, bias=bias, name="downsample_conv")
    return FrozenBatchNorm(trains=norms_train, name="downsample_bn")(x)


class ResNet(nn.Module):
    """Maps images [B, H, W, I] with any number I of channels to `FeatureMaps`.

    Attributes:
        variant: the network.
        bias: whether all convolutions have a bias (STCN's value encoder).
        extra_stems: names of further 7x7 stems, each with an input of its own, whose outputs are
            added to that of the image before the first norm (STM's memory encoder: the mask, and
            that of the other objects).
        norms_train: whether scale and bias of the norms are trained; their statistics never are.
    """

    variant: Variant
    bias: bool = False
    extra_stems: tuple[str, ...] = ()
    norms_train: bool = False

    @nn.compact
    def __call__(
        self,
        images: jax.Array | None = None,
        rng: jax.Array | None = None,
        extras: tuple[jax.Array, ...] = (),
        *,
        stem: jax.Array | None = None,
    ) -> FeatureMaps:
        """Computes the maps of images, or goes on from a stem's output [B, H/2, W/2, 64].

        For the latter see `stem_of_image`.
        """
        if stem is not None:
            x = stem
        else:
            x = conv(64, 7, stride=2, bias=self.bias, name="conv1")(images)
            for name, extra in zip(self.extra_stems, extras, strict=True):
                x = x + conv(64, 7, stride=2, bias=self.bias, name=name)(extra)
        x = max_pool(nn.relu(FrozenBatchNorm(trains=self.norms_train, name="bn1")(x)))
        maps = []
        for stage, depth in enumerate(self.variant.depths):
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                name = f"{STAGES[stage]}_{block}"
                if self.variant.bottleneck:
                    x = Bottleneck(
                        64 << stage,
                        stride,
                        self.variant.groups,
                        self.variant.width,
                        self.bias,
                        self.norms_train,
                        name=name,
                    )(x)
                else:
                    x = BasicBlock(64 << stage, stride, self.bias, self.norms_train, name=name)(x)
            maps.append(x)
        f4, f8, f16 = maps
        return FeatureMaps(f4, f8, f16, f16)


def stem_of_image(params: Any, images: jax.Array) -> jax.Array:
    """Returns what the image adds to the stem of an encoder that sees masks, too.

        shared = stem_of_image(params["value_encoder"], image)
        maps = encoder.apply({"params": params["value_encoder"]}, stem=shared + of_masks)

    It is the same for all objects of a frame, so that it is computed once.

    Args:
        params: weights of a `ResNet`.
        images: [B, H, W, 3], the first channels that `conv1` takes.

    Returns:
        [B, H/2, W/2, 64], with the bias if there is one.
    """
    weights = params["conv1"]
    x = convolve(images, weights["kernel"][:, :, :IMAGE], stride=2)
    return x + weights["bias"].astype(x.dtype) if "bias" in weights else x


def stem_of_masks(params: Any, masks: jax.Array, extra_stems: tuple[str, ...] = ()) -> jax.Array:
    """Returns what the masks add to the stem: all that `stem_of_image` leaves out.

        of_masks = stem_of_masks(params["value_encoder"], masks)

    Args:
        params: weights of a `ResNet`.
        masks: [B, H, W, M], in the order of the channels of `conv1` after those of the image, and
            then of the extra stems.
        extra_stems: as in `ResNet`; their convolutions have no bias.
    """
    kernels = [params["conv1"]["kernel"][:, :, IMAGE:]]
    kernels += [params[name]["kernel"] for name in extra_stems]
    return convolve(masks, jnp.concatenate(kernels, 2), stride=2)


def names(
    variant: str,
    path: str,
    key: str,
    *,
    stages: tuple[str, str, str] = STAGES,
    bias: bool = False,
    extra_stems: tuple[str, ...] = (),
) -> list[Name]:
    """Returns the names of the weights of a `ResNet`, ours and those of a reference.

        names("50", "encoder", "encoder.")

    Args:
        variant: a key of VARIANTS.
        path: path of the encoder in our weights, without a slash at its end, or ''.
        key: prefix of the reference's names with its dot, or ''.
        stages: the reference's names of the stages: ('res2', 'layer2', 'layer3') in STCN's key
            encoder, ('res2', 'res3', 'res4') in STM.
        bias: whether the convolutions have a bias.
        extra_stems: as in `ResNet`.
    """
    root = f"{path}/" if path else ""
    entries = frozen_norm(f"{root}bn1", f"{key}bn1")
    for stem in ("conv1", *extra_stems):
        entries += conv_name(f"{root}{stem}", f"{key}{stem}", bias=bias)
    kind = VARIANTS[variant]
    for stage, depth in enumerate(kind.depths):
        for block in range(depth):
            ours = f"{root}{STAGES[stage]}_{block}"
            theirs = f"{key}{stages[stage]}.{block}"
            for i in (1, 2, 3) if kind.bottleneck else (1, 2):
                layer = linear if kind.bottleneck and i != 2 else conv_name
                entries += layer(f"{ours}/conv{i}", f"{theirs}.conv{i}", bias=bias)
                entries += frozen_norm(f"{ours}/bn{i}", f"{theirs}.bn{i}")
            if block == 0 and (stage > 0 or kind.bottleneck):
                entries += linear(f"{ours}/downsample_conv", f"{theirs}.downsample.0", bias=bias)
                entries += frozen_norm(f"{ours}/downsample_bn", f"{theirs}.downsample.1")
    return entries


def early(path: str) -> bool:
    """Whether the weight at `path` belongs to the stem or to the first stage.

    early("conv1/kernel")
    """
    return path.startswith(("conv1/", "bn1/", f"{STAGES[0]}_"))


def channels(variant: str) -> tuple[int, int, int, int]:
    """Returns the numbers of channels of f4, f8, f16 and deep.

    channels("50")      # (256, 512, 1024, 1024)
    """
    widths = tuple((256 if VARIANTS[variant].bottleneck else 64) << i for i in range(3))
    return widths[0], widths[1], widths[2], widths[2]


def build(variant: str) -> Backbone:
    """Builds '18', '50', '101', 'resnext50_32x4d' or 'resnext101_32x8d'.

        backbone = build("50")

    Raises:
        InputError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise InputError(f"unknown ResNet {variant!r}; there are: {', '.join(VARIANTS)}")
    return Backbone(
        module=ResNet(VARIANTS[variant]),
        channels=channels(variant),
        names=lambda path, key: names(variant, path, key),
        ignored=IGNORED,
        early=early,
        aligned=True,
    )
