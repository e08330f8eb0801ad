"""Image encoders: maps at strides 4, 8 and 16; an encoder is found by its module's name."""

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn

from vosjax.errors import InputError
from vosjax.names import Name, Names


class FeatureMaps(NamedTuple):
    """What an encoder gives of images [B, H, W, 3]: [B, h, w, C] at strides 4, 8 and 16.

    `deep` is the deepest map, at stride 16, too.
    """

    f4: Any
    f8: Any
    f16: Any
    deep: Any


class Backbone(NamedTuple):
    """A configured encoder.

    module    module.apply({'params': params}, images, rng=None) -> FeatureMaps; images [B, H, W, 3]
              normalised by ImageNet's mean and deviation; `rng` a key while training, else None
    channels  those of the four maps
    names     names(path, key) -> list[Name]: our weights below `path`, the reference's below `key`
              (a prefix with its dot, or '')
    ignored   regular expressions of keys of the published ImageNet files that we leave out
    early     early(path) -> bool: belongs to the first two blocks, which training freezes; `path`
              counts from the encoder's root
    aligned   True when maps have 16k+1 -> k+1 geometry (odd sizes, align_corners), False when
              images must be multiples of 16
    absent    regular expressions of our paths (from the encoder's root) that the published
              ImageNet files lack; they keep their initial values
    folded    folded({name: array}) -> nested weights, of a network whose norms are folded into its
              convolutions (an .npz file); None where no such file is read
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
    """How one encoder of a network starts from a published ImageNet file.

    names   what the file gives; our paths count from the encoder's root, and all weights that are
            not named keep their initial values
    wider   paths of kernels [k, k, I, O] of which the file gives the first three input channels,
            those of the image; the others (masks) keep their initial values
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
      ValueError: no such module or variant; the message lists what there is.
    """
    name, _, variant = encoder.partition(":")
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in known:
        raise InputError(f"unknown encoder {encoder!r}; there are: {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{name}").build(variant)


def pretrained_encoder(
    encoder: str | Backbone, *, wider: tuple[str, ...] = ()
) -> PretrainedEncoder:
    """How an encoder, or a network that holds all its weights, starts from a published file.

    start = pretrained_encoder("resnet:18", wider=("conv1/kernel",))
    """
    backbone = build(encoder) if isinstance(encoder, str) else encoder
    return PretrainedEncoder(imagenet_names(backbone), wider, backbone.folded)


def imagenet_names(backbone: Backbone) -> Names:
    """The weights that a published ImageNet file gives; our paths count from the encoder's root."""
    entries = tuple(
        name
        for name in backbone.names("", "")
        if not any(re.fullmatch(rule, name.path) for rule in backbone.absent)
    )
    return Names(entries, backbone.ignored)
