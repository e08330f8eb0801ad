"""Image encoders: maps at strides 4, 8 and 16; an encoder is found by its module's name."""

import importlib
import pkgutil
import re
from typing import Any, Callable, NamedTuple

import flax.linen as nn

from vosjax.names import Name, Names


class Maps(NamedTuple):
    """What an encoder returns for images [B, H, W, 3]; `deep` is the deepest map, at stride 16."""

    f4: Any
    f8: Any
    f16: Any
    deep: Any


class Backbone(NamedTuple):
    """A configured encoder.

    module    module.apply({'params': params}, images, rng=None) -> Maps; images [B, H, W, 3]
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
    """

    module: nn.Module
    channels: tuple[int, int, int, int]
    names: Callable[[str, str], list[Name]]
    ignored: tuple[str, ...]
    early: Callable[[str], bool]
    aligned: bool
    absent: tuple[str, ...] = ()


def build(encoder: str) -> Backbone:
    """Builds the encoder 'module' or 'module:variant', e.g. 'mobilenet_v2' or 'resnet:50'.

    Raises:
      ValueError: no such module or variant; the message lists what there is.
    """
    name, _, variant = encoder.partition(":")
    there = sorted(found.name for found in pkgutil.iter_modules(__path__))
    if name not in there:
        raise ValueError(f"unknown encoder {encoder!r}; there are: {', '.join(there)}")
    return importlib.import_module(f"{__name__}.{name}").build(variant)


def imagenet_names(backbone: Backbone) -> Names:
    """The weights that a published ImageNet file gives; our paths count from the encoder's root."""
    entries = tuple(name for name in backbone.names("", "")
                    if not any(re.fullmatch(rule, name.path) for rule in backbone.absent))
    return Names(entries, backbone.ignored)
