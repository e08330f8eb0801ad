"""The interactive network: a frame's features, a box and clicks in, the mask of one object out.

The trunk is the encoder of a network that tracks, unchanged. Its features do not depend on what the
user says, so that a window of a frame is encoded once and every further click costs the head alone.
The head sees what the user says as maps (`clues.py`), among them the mask so far, as in RITM
(Sofiiuk, Petrov, Konushin, "Reviving Iterative Training with Mask Guidance for Interactive
Segmentation", arXiv 2102.06583); it takes them down to stride 16, mixes them with the trunk's
features there by wide depthwise convolutions, and goes up again to stride 2.

    stride   2         4         8         16
    clues    16        32        48        64
    trunk    -         24        32        96 and 1280
    mixed                                  blocks of `width` channels
    up       24        32        64
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax import backbones
from vosjax.backbones import FeatureMaps, PretrainedEncoder
from vosjax.checkpoints.family import load_family
from vosjax.errors import InputError
from vosjax.interactive.clues import CHANNELS
from vosjax.layers.conv import Depthwise, conv
from vosjax.layers.norm import group_norm, imagenet_normalise, layer_norm
from vosjax.layers.resize import resize
from vosjax.names import Names
from vosjax.schema import Count, Few, checked_call

FAMILY = "interactive"  # in cards and configs
ENCODER = "encoder"  # the trunk's place among the weights
EMBEDDED = "interactive"  # folder of the embedded weights, below vosjax/weights
STRIDE = 16
NORM_GROUPS = 8
KERNEL = 7  # of the blocks' depthwise convolutions
HIDDEN = 4  # channels inside a block per channel outside


class InteractiveNetwork(NamedTuple):
    """An interactive network as pure functions.

    side                 side S of the square window that it sees, in pixels, 16k + 1
    init_params          init_params(rng) -> params: random weights, a nested dict of arrays
    encode               encode(params, images) -> features; images [B, S, S, 3] float32, see
                         `network_input`
    segment              segment(params, features, clues) -> logits [B, S, S] float32 of the object;
                         clues [B, S, S, 4] float32, see `clues.py`
    checkpoint_names     `names.Names`: none, as no weights are published elsewhere
    param_group          param_group(path) -> 'frozen' | 'head': the trunk is never trained
    pretrained_encoders  as in `types.Model`: the trunk
    """

    side: int
    init_params: Callable[[jax.Array], Any]
    encode: Callable[[Any, jax.Array], Any]
    segment: Callable[[Any, Any, jax.Array], jax.Array]
    checkpoint_names: Names
    param_group: Callable[[str], str]
    pretrained_encoders: tuple[tuple[str, PretrainedEncoder], ...]


def network_input(images: jax.Array) -> jax.Array:
    """Normalises windows, uint8 [B, S, S, 3] RGB, by ImageNet's mean and deviation: float32.

    features = network.encode(params, network_input(images))
    """
    return imagenet_normalise(images.astype(jnp.float32) / 255)


class Block(nn.Module):
    """Depthwise 7x7, LayerNorm, expansion, GELU, contraction, residual (ConvNeXt, 2201.03545)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = x.shape[-1]
        y = layer_norm(name="norm")(Depthwise(KERNEL, name="depthwise")(x))
        y = nn.gelu(nn.Dense(HIDDEN * width, name="expand")(y), approximate=False)
        return x + nn.Dense(width, name="contract")(y)


class ConvNorm(nn.Module):
    """A 3x3 convolution, GroupNorm and ReLU."""

    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = conv(self.features, 3, stride=self.stride, bias=False, name="conv")(x)
        return nn.relu(group_norm(NORM_GROUPS, name="norm")(x))


class Up(nn.Module):
    """Resizes a map to others' size and mixes all: 1x1 and 3x3 convolutions, each with its norm."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, *others: jax.Array) -> jax.Array:
        x = resize(x, *others[0].shape[1:3], align_corners=True)
        x = nn.Dense(self.features, use_bias=False, name="mix")(jnp.concatenate([x, *others], -1))
        x = nn.relu(group_norm(NORM_GROUPS, name="norm")(x))
        return ConvNorm(self.features, name="conv")(x)


class Head(nn.Module):
    """Images [B, S, S, 3], the trunk's maps and clues [B, S, S, 4] -> logits [B, S, S].

    Attributes:
        width: channels at stride 16.
        blocks: number of blocks there.
    """

    width: int
    blocks: int

    @nn.compact
    def __call__(self, images: jax.Array, maps: FeatureMaps, clues: jax.Array) -> jax.Array:
        # The trunk's maps are outputs of linear layers, whose scales differ by stride.
        f4, f8, f16 = (
            layer_norm(name=f"norm{stride}")(x)
            for stride, x in ((4, maps.f4), (8, maps.f8), (16, maps.f16))
        )
        image2 = ConvNorm(16, 2, name="image2")(images)
        clue2 = ConvNorm(16, 2, name="clue2")(clues)
        clue4 = ConvNorm(32, 2, name="clue4")(clue2)
        clue8 = ConvNorm(48, 2, name="clue8")(jnp.concatenate([clue4, f4], -1))
        clue16 = ConvNorm(64, 2, name="clue16")(jnp.concatenate([clue8, f8], -1))
        deep = nn.relu(nn.Dense(64, name="deep")(maps.deep))
        x = nn.Dense(self.width, name="entrance")(jnp.concatenate([clue16, f16, deep], -1))
        for index in range(self.blocks):
            x = Block(name=f"block{index}")(x)
        x = Up(64, name="up8")(layer_norm(name="norm")(x), clue8, f8)
        x = Up(32, name="up4")(x, clue4, f4)
        x = Up(24, name="up2")(x, clue2, image2)
        logits = nn.Dense(1, name="out")(x).astype(jnp.float32)
        return resize(logits, *images.shape[1:3], align_corners=True)[..., 0]


def build(**settings: Any) -> InteractiveNetwork:
    """Builds an interactive network from settings that are checked, as they may come from a card.

        network = build(side=257)

    Args:
        **settings: the keyword arguments of `interactive_network`.

    Raises:
        InputError: there is no such setting, or it has a wrong type or value.
    """
    return checked_call(interactive_network, settings, f"family {FAMILY!r}")


def interactive_network(
    *, side: Count = 257, encoder: str = "mobilenet_v2", width: Count = 112, blocks: Few = 4
) -> InteractiveNetwork:
    """Builds an interactive network.

        network = interactive_network(side=257)

    Args:
        side: side S of the window that it sees, in pixels.
        encoder: the trunk, see `backbones.build`; one whose sizes are 16k + 1.
        width: channels at stride 16.
        blocks: number of blocks there.

    Raises:
        InputError: S is not 16k + 1 with a positive k, or the encoder is none of that kind.
    """
    if side % STRIDE != 1 or side == 1:
        raise InputError(f"side is {side}: a multiple of {STRIDE} plus 1 is expected, such as 257")
    trunk = backbones.build(encoder)
    if not trunk.aligned:
        raise InputError(
            f"encoder is {encoder!r}, whose sizes are multiples of 16: one with sizes of 16k + 1 "
            "is expected, such as 'mobilenet_v2'"
        )
    head = Head(width, blocks)

    def init_params(rng: jax.Array) -> Any:
        first, second = jax.random.split(rng)
        images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
        clues = jax.ShapeDtypeStruct((1, side, side, CHANNELS), jnp.float32)
        params = trunk.module.lazy_init(first, images)["params"]
        maps = jax.eval_shape(lambda x: trunk.module.apply({"params": params}, x), images)
        return {ENCODER: params, "head": head.lazy_init(second, images, maps, clues)["params"]}

    def encode(params: Any, images: jax.Array) -> Any:
        return images, trunk.module.apply({"params": params[ENCODER]}, images)

    def segment(params: Any, features: Any, clues: jax.Array) -> Any:
        return head.apply({"params": params["head"]}, *features, clues)

    start = PretrainedEncoder(Names(tuple(trunk.names("", "")), trunk.ignored), folded=trunk.folded)
    return InteractiveNetwork(
        side, init_params, encode, segment, Names((), ()), param_group, ((ENCODER, start),)
    )


def param_group(path: str) -> str:
    """Returns 'frozen' for the weights of the trunk, else 'head'.

    param_group("encoder/stem/kernel")      # 'frozen'
    """
    return "frozen" if path.startswith(f"{ENCODER}/") else "head"


def load_network(
    source: str | os.PathLike[str] | None = None,
) -> tuple[InteractiveNetwork, Any, dict]:
    """Loads an interactive network with its weights.

        network, params, card = load_network()

    Args:
        source: a folder with weights.safetensors and card.json, as training writes it; None takes
            the embedded weights.

    Returns:
        The network, its weights (float32, nested dicts of NumPy arrays) and their card.

    Raises:
        InputError: the weights are missing or damaged, or are not those of such a network.
    """
    return load_family(
        EMBEDDED if source is None else source,
        FAMILY,
        build,
        expected=f"marking an object takes weights of the family {FAMILY!r}, made by "
        "configs/train_interactive.py",
    )
