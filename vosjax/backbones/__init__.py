"""Image encoders with feature maps at strides 4, 8 and 16, found by the names of their modules."""

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn

from vosjax.errors import InputError
from vosjax.names import Name, Names

IMAGE = 3  # channels of an image


class FeatureMaps(NamedTuple):
    """The feature maps [B, h, w, C] that an encoder computes from images [B, H, W, 3].

    f4    at stride 4
    f8    at stride 8
    f16   at stride 16
    deep  the deepest map, also at stride 16
    """

    f4: Any
    f8: Any
    f16: Any
    deep: Any


class Backbone(NamedTuple):
    """A configured encoder.

    module    module.apply({'params': params}, images, rng=None) -> FeatureMaps; images [B, H, W, 3]
              are normalised by ImageNet's mean and standard deviation; `rng` is a key while
              training, else None
    channels  numbers of channels of the four maps
    names     names(path, key) -> list[Name]: our weights below `path`, the reference's below `key`
              (a prefix that ends with its dot, or '')
    ignored   regular expressions for keys of the published ImageNet files that are not used
    early     early(path) -> bool: whether the weight at `path` (from the encoder's root) belongs to
              the first two blocks, which are frozen in training
    aligned   True if sizes of 16k+1 give maps of k+1 (odd sizes, align_corners), False if images
              must be multiples of 16
    absent    regular expressions for our paths (from the encoder's root) that the published
              ImageNet files lack; these weights keep their initial values
    folded    folded({name: array}) -> nested weights, for a file (.npz) of a network whose norms
              are folded into its convolutions; None if no such file can be read
    """

    module: nn.Module
    channels: tuple[int, int, int, int]
    names: Callable[[str, str], list[Name]]
    ignored: tuple[str, ...]
    early: Callable[[str], bool]
    aligned: bool
    absent: tuple[str, ...] = ()
    folded: Callable[..., dict] | None = None


class PretrainedEncoder(NamedTuple):
    """How one encoder of a network is initialised from a published ImageNet file.

    names   the weights in the file, with our paths from the encoder's root; all other weights keep
            their initial values
    wider   paths of kernels [k, k, I, O] of which the file holds the first three input channels,
            those of the image; the other channels (masks) keep their initial values
    folded  as in `Backbone`
    """

    names: Names
    wider: tuple[str, ...] = ()
    folded: Callable[..., dict] | None = None


def build(encoder: str) -> Backbone:
    """Builds an encoder.

        backbone = build("resnet:50")

    Args:
        encoder: 'module' or 'module:variant', e.g. 'mobilenet_v2' or 'swin:b'.

    Raises:
        InputError: there is no such module or variant; the message lists those that exist.
    """
    name, _, variant = encoder.partition(":")
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in known:
        raise InputError(f"unknown encoder {encoder!r}; there are: {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{name}").build(variant)


def pretrained_encoder(
    encoder: str | Backbone, *, wider: tuple[str, ...] = ()
) -> PretrainedEncoder:
    """Returns how an encoder is initialised from a published ImageNet file.

        start = pretrained_encoder("resnet:18", wider=("conv1/kernel",))

    Args:
        encoder: the name of an encoder, as for `build`, or the encoder itself.
        wider: as in `PretrainedEncoder`.

    Raises:
        InputError: as for `build`.
    """
    backbone = build(encoder) if isinstance(encoder, str) else encoder
    return PretrainedEncoder(imagenet_names(backbone), wider, backbone.folded)


def imagenet_names(backbone: Backbone) -> Names:
    """Returns the names of the weights in a published ImageNet file, from the encoder's root.

        names = imagenet_names(build("resnet:50"))

    Args:
        backbone: the encoder.
    """
    entries = tuple(
        name
        for name in backbone.names("", "")
        if not any(re.fullmatch(rule, name.path) for rule in backbone.absent)
    )
    return Names(entries, backbone.ignored)
