"""BPR's refinement network: an HRNetV2 that sees a patch's image and coarse mask, and an FCN head.

Tang, Chen, Li, Li, Zhang, Hu, "Look Closer to Segment Better: Boundary Patch Refinement for
Instance Segmentation", arXiv 2104.05239; the reference is tinyalpha/BPR (`EncoderDecoderRefine`
with `HRNetRefine` and `FCNHead` of mmsegmentation).
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax.backbones import PretrainedEncoder, hrnet
from vosjax.backbones.resnet import pointwise
from vosjax.checkpoints.family import load_family
from vosjax.checkpoints.paths import flatten
from vosjax.errors import InputError
from vosjax.layers.norm import BatchNorm
from vosjax.layers.residual import random_encoder
from vosjax.layers.resize import resize
from vosjax.names import Names, frozen_norm, linear
from vosjax.schema import Count, Few, checked_call

FAMILY = "bpr"  # in cards and configs
BACKBONE = "backbone"
STRIDE = 32  # of the deepest branch
CLASSIFIER = 0.01  # initial standard deviation of its kernel, as in the reference
CLASSES = 2  # 0 background, 1 foreground


class RefineNetwork(NamedTuple):
    """A refinement network as pure functions.

    patch                side S of its input in pixels, a multiple of 32; whatever the side of the
                         patch in the frame, it is resized to S
    init_params          init_params(rng) -> params: random weights, a nested dict of arrays
    apply                apply(params, images, masks) -> logits [B, S, S, 2] float32, channel 0 the
                         background; images [B, S, S, 3] float32 RGB normalised by ImageNet's mean
                         and standard deviation, masks [B, S, S] float32, -1 outside and +1 inside
    train_apply          train_apply(params, images, masks) -> (logits, statistics): as `apply`, but
                         normalised by the batch's own statistics; `statistics` {path: array} are
                         the moved averages of these, which take the place of the weights at those
                         paths
    checkpoint_names     `names.Names`: the names of the weights in the published checkpoints
    param_group          param_group(path) -> 'frozen' | 'head': how the optimizer treats a weight;
                         statistics of norms have no gradient
    pretrained_encoders  as in `types.Model`: the backbone, which published ImageNet files of
                         HRNetV2 initialise but for its entrance for masks
    """

    patch: int
    init_params: Callable[[jax.Array], Any]
    apply: Callable[[Any, jax.Array, jax.Array], jax.Array]
    train_apply: Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]
    checkpoint_names: Names
    param_group: Callable[[str], str]
    pretrained_encoders: tuple[tuple[str, Any], ...] = ()


class Head(nn.Module):
    """FCN head: four maps of `HRNet` -> logits [B, h, w, 2] at the size of the first.

    The reference resizes the maps to one size, concatenates them and applies a 1x1 convolution.
    Here every map goes through its rows of the kernel at its own size, and the results are resized
    and added: the same numbers, as both are linear, for a third of the products.
    """

    train: bool = False

    @nn.compact
    def __call__(self, maps: tuple[jax.Array, ...]) -> jax.Array:
        widths = [x.shape[-1] for x in maps]
        features = sum(widths)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (features, features))
        total, start = jnp.zeros((), maps[0].dtype), 0
        for x, width in zip(maps, widths):
            part = x @ kernel[start : start + width].astype(x.dtype)
            total = total + resize(part, *maps[0].shape[1:3])
            start += width
        x = nn.relu(BatchNorm(train=self.train, name="bn")(total))
        return pointwise(x, CLASSES, bias=True, name="classifier")


class Network(nn.Module):
    """Backbone and head: images [B, S, S, 3] and masks [B, S, S] -> logits [B, S, S, 2]."""

    variant: hrnet.Variant
    train: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, masks: jax.Array) -> jax.Array:
        backbone = hrnet.HRNet(self.variant, mask=True, train=self.train, name=BACKBONE)
        logits = Head(self.train, name="head")(backbone(images, masks[..., None]))
        return resize(logits.astype(jnp.float32), *images.shape[1:3])


def names(variant: hrnet.Variant) -> Names:
    """Returns the names of all weights in the checkpoints of tinyalpha/BPR.

    names(hrnet.VARIANTS["w18_small"])
    """
    entries = hrnet.names(variant, BACKBONE, f"{BACKBONE}.", mask=True)
    kernel, *_ = linear("head", "decode_head.convs.0.conv", bias=False)
    entries += [kernel, *frozen_norm("head/bn", "decode_head.convs.0.bn")]
    entries += linear("head/classifier", "decode_head.conv_seg")
    return Names(tuple(entries), (r"(.*\.)?num_batches_tracked",))


def param_group(path: str) -> str:
    """Returns 'frozen' for the statistics of norms, else 'head'.

    param_group("head/bn/mean")      # 'frozen'
    """
    return "frozen" if path.endswith(("/mean", "/var")) else "head"


def build(**settings: Any) -> RefineNetwork:
    """Builds a refinement network from settings that are checked, as they may come from a card.

        network = build(patch=128)      # the published HRNetV2-W18-Small

    Args:
        **settings: the keyword arguments of `refine_network`.

    Raises:
        InputError: there is no such setting, or it has a wrong type or value.
    """
    return checked_call(refine_network, settings, f"family {FAMILY!r}")


def refine_network(
    *,
    patch: Count = 128,
    widths: tuple[int, ...] = (18, 36, 72, 144),
    bottlenecks: Few = 2,
    modules: tuple[int, ...] = (1, 3, 2),
    blocks: Few = 2,
    stem: Count = 64,
) -> RefineNetwork:
    """Builds a refinement network; the defaults are those of HRNetV2-W18-Small.

        network = refine_network(patch=256, widths=(48, 96, 192, 384), modules=(1, 4, 3))

    Args:
        patch: side S of the input in pixels.
        widths: channels of the four branches.
        bottlenecks: number of bottlenecks of the first stage.
        modules: numbers of modules of stages 2 to 4.
        blocks: basic blocks of a branch in a module.
        stem: channels of the stem.

    Raises:
        InputError: S is no multiple of 32, or there are not four widths and three numbers of
            modules, all positive.
    """
    if patch % STRIDE:
        raise InputError(f"patch is {patch}: a multiple of {STRIDE} is expected")
    if len(widths) != hrnet.BRANCHES or min(widths) < 1:
        raise InputError(f"widths are {list(widths)}: four positive numbers are expected")
    if len(modules) != hrnet.BRANCHES - 1 or min(modules) < 1:
        raise InputError(f"modules are {list(modules)}: three positive numbers are expected")
    w4, w8, w16, w32 = widths
    m2, m3, m4 = modules
    variant = hrnet.Variant((w4, w8, w16, w32), bottlenecks, (m2, m3, m4), blocks, stem)
    module, training = Network(variant), Network(variant, train=True)

    def init_params(rng: jax.Array) -> Any:
        images = jnp.zeros((1, STRIDE, STRIDE, 3))
        shapes = jax.eval_shape(module.init, rng, images, images[..., 0])["params"]
        # One level deeper than encoders are, so that no norm starts at less than 1: batch norm
        # needs no quiet branches.
        params = random_encoder(rng, {"network": shapes})["network"]
        classifier = params["head"]["classifier"]
        spread = jnp.std(classifier["kernel"])
        classifier["kernel"] = CLASSIFIER * classifier["kernel"] / spread
        return params

    def apply(params: Any, images: jax.Array, masks: jax.Array) -> Any:
        return module.apply({"params": params}, images, masks)

    def train_apply(
        params: Any, images: jax.Array, masks: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        output: Any = training.apply({"params": params}, images, masks, mutable="statistics")
        return output[0], flatten(output[1]["statistics"])

    encoder = PretrainedEncoder(Names(tuple(hrnet.names(variant, "", "")), hrnet.IGNORED))
    return RefineNetwork(
        patch, init_params, apply, train_apply, names(variant), param_group, ((BACKBONE, encoder),)
    )


def load_network(source: str | os.PathLike[str]) -> tuple[RefineNetwork, Any, dict]:
    """Loads a refinement network with its weights.

        network, params, card = load_network("weights/bpr_w18")
        logits = network.apply(params, images, masks)

    Args:
        source: a folder with weights.safetensors and card.json, as `--mode convert` and training
            write them.

    Returns:
        The network, its weights (float32, nested dicts of NumPy arrays) and their card.

    Raises:
        InputError: the weights are missing or damaged, or are not those of a refinement network.
    """
    return load_family(
        source,
        FAMILY,
        build,
        expected=f"refining takes weights of the family {FAMILY!r}, made by --mode convert with "
        "configs/bpr.py or by training",
    )


def forms(network: RefineNetwork) -> dict[str, Any]:
    """Returns {path: shape and dtype} of the weights of a network, without computing one.

    forms(build(patch=64))["head/kernel"].shape      # (270, 270)
    """
    return flatten(jax.eval_shape(network.init_params, jax.random.key(0)))
