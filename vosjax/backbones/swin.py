"""Swin transformer up to stride 16, with AOT's handling of sizes.

Liu et al., "Swin transformer" (2021), as in aot-benchmark: the fourth stage is left out, each
returned map has its own norm, windows are padded after the first norm without a mask, and windows
are shifted even if a map is no larger than a window.
"""

import functools
import itertools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from vosjax.backbones import Backbone, FeatureMaps
from vosjax.errors import InputError
from vosjax.layers.drop_path import drop_path
from vosjax.layers.norm import layer_norm
from vosjax.names import Name, linear, norm, same
from vosjax.names import conv as conv_name

WINDOW = 7
SHIFT = WINDOW // 2
HEAD_SIZE = 32
IGNORED = (
    r"layers\.3\..*",
    r"layers\.2\.downsample\..*",
    r"norm\..*",
    r"head\..*",
    r".*\.attn_mask",
    r".*\.relative_position_index",
)


class Variant(NamedTuple):
    """One of the published networks.

    embed          number of channels of the first stage
    depths         numbers of blocks of the first three stages
    dropped_depth  number of blocks of the fourth stage, which still count in the drop rates
    drop_rate      rate of stochastic depth in the deepest block
    """

    embed: int
    depths: tuple[int, int, int]
    dropped_depth: int
    drop_rate: float


VARIANTS = {
    "t": Variant(96, (2, 2, 6), 2, 0.2),
    "s": Variant(96, (2, 2, 18), 2, 0.3),
    "b": Variant(128, (2, 2, 18), 2, 0.3),  # AOT's rate; it was 0.5 in ImageNet training
}


@functools.lru_cache(maxsize=1)
def position_index() -> np.ndarray:
    """Returns the row of the bias table for each query and key of a window: int [49, 49].

    bias = table[position_index()]
    """
    y, x = np.divmod(np.arange(WINDOW * WINDOW), WINDOW)
    dy, dx = y[:, None] - y + WINDOW - 1, x[:, None] - x + WINDOW - 1
    return dy * (2 * WINDOW - 1) + dx


@functools.lru_cache(maxsize=32)
def shift_mask(height: int, width: int) -> np.ndarray:
    """Returns the mask of shifted windows: float32 [windows, 1, 49, 49], added to the logits.

        mask = shift_mask(14, 14)

    It is -100 between tokens that are in one window only because the shift wraps around, else 0.

    Args:
        height: rows of the map, a multiple of 7.
        width: columns of the map, a multiple of 7.
    """

    def regions(size: int) -> np.ndarray:
        return np.searchsorted([size - WINDOW, size - SHIFT], np.arange(size), side="right")

    region = 3 * regions(height)[:, None] + regions(width)
    region = region.reshape(height // WINDOW, WINDOW, width // WINDOW, WINDOW)
    region = region.transpose(0, 2, 1, 3).reshape(-1, 1, WINDOW * WINDOW)
    return np.where(region[..., None] == region[..., None, :], 0.0, -100.0).astype(np.float32)


class WindowAttention(nn.Module):
    """Self-attention in windows [B, windows, 49, C]; `mask` [windows, 1, 49, 49] is added."""

    @nn.compact
    def __call__(self, x: jax.Array, mask: np.ndarray | None) -> jax.Array:
        batch, windows, tokens, channels = x.shape
        heads = channels // HEAD_SIZE
        table = self.param(
            "relative_position_bias_table",
            nn.initializers.truncated_normal(0.02),
            ((2 * WINDOW - 1) ** 2, heads),
        )
        bias = table[position_index()].transpose(2, 0, 1)
        qkv = nn.Dense(3 * channels, name="qkv")(x)
        query, key, value = jnp.moveaxis(
            qkv.reshape(batch, windows, tokens, 3, heads, HEAD_SIZE), 3, 0
        )
        logits = (
            jnp.einsum(
                "bwqhd,bwkhd->bwhqk",
                query * HEAD_SIZE**-0.5,
                key,
                preferred_element_type=jnp.float32,
            )
            + bias
        )
        if mask is not None:
            logits = logits + jnp.asarray(mask)
        attended = jnp.einsum("bwhqk,bwkhd->bwqhd", nn.softmax(logits).astype(value.dtype), value)
        return nn.Dense(channels, name="proj")(attended.reshape(x.shape))


class Mlp(nn.Module):
    """Two linear layers, four times as wide inside, with the exact GELU between them."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = nn.gelu(nn.Dense(4 * x.shape[-1], name="fc1")(x), approximate=False)
        return nn.Dense(x.shape[-1], name="fc2")(y)


class Block(nn.Module):
    """Window attention and MLP on a map [B, H, W, C] of any size."""

    shifted: bool
    drop_rate: float

    @nn.compact
    def __call__(self, x: jax.Array, rng: jax.Array | None) -> jax.Array:
        batch, height, width, channels = x.shape
        drop_attention, drop_mlp = (None, None) if rng is None else jax.random.split(rng)
        y = layer_norm(name="norm1")(x)
        y = jnp.pad(y, ((0, 0), (0, -height % WINDOW), (0, -width % WINDOW), (0, 0)))
        rows, cols = y.shape[1] // WINDOW, y.shape[2] // WINDOW
        mask = shift_mask(*y.shape[1:3]) if self.shifted else None
        if self.shifted:
            y = jnp.roll(y, (-SHIFT, -SHIFT), (1, 2))
        y = y.reshape(batch, rows, WINDOW, cols, WINDOW, channels).swapaxes(2, 3)
        y = WindowAttention(name="attn")(
            y.reshape(batch, rows * cols, WINDOW * WINDOW, channels), mask
        )
        y = y.reshape(batch, rows, cols, WINDOW, WINDOW, channels).swapaxes(2, 3)
        y = y.reshape(batch, rows * WINDOW, cols * WINDOW, channels)
        if self.shifted:
            y = jnp.roll(y, (SHIFT, SHIFT), (1, 2))
        x = x + drop_path(y[:, :height, :width], self.drop_rate, drop_attention)
        y = Mlp(name="mlp")(layer_norm(name="norm2")(x))
        return x + drop_path(y, self.drop_rate, drop_mlp)


class Merging(nn.Module):
    """Patch merging: [B, H, W, C] -> [B, ceil(H/2), ceil(W/2), 2C]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        x = jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)))
        quarters = [x[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
        x = layer_norm(name="norm")(jnp.concatenate(quarters, -1))
        return nn.Dense(2 * channels, use_bias=False, name="reduction")(x)


class Swin(nn.Module):
    """Maps images [B, H, W, 3] to `FeatureMaps`; `rng` draws the stochastic depth."""

    variant: Variant

    @nn.compact
    def __call__(self, images: jax.Array, rng: jax.Array | None = None) -> FeatureMaps:
        embed, depths, dropped_depth, drop_rate = self.variant
        rates = np.linspace(0.0, drop_rate, sum(depths) + dropped_depth)
        rates[: depths[0]] = 0.0  # the first stage is frozen in training, so it drops nothing
        x = jnp.pad(images, ((0, 0), (0, -images.shape[1] % 4), (0, -images.shape[2] % 4), (0, 0)))
        x = nn.Conv(embed, (4, 4), strides=(4, 4), padding="VALID", name="patch_embed_proj")(x)
        x = layer_norm(name="patch_embed_norm")(x)
        maps, count = [], itertools.count()
        for stage, depth in enumerate(depths):
            for block in range(depth):
                index = next(count)
                key = None if rng is None else jax.random.fold_in(rng, index)
                x = Block(block % 2 == 1, float(rates[index]), name=f"layers{stage}_{block}")(
                    x, key
                )
            maps.append(layer_norm(name=f"norm{stage}")(x))
            if stage < 2:
                x = Merging(name=f"merge{stage}")(x)
        f4, f8, f16 = maps
        return FeatureMaps(f4, f8, f16, f16)


def names(variant: str, path: str, key: str) -> list[Name]:
    """Returns the names of the weights: ours below `path`, those of the reference after `key`.

    names("b", "encoder", "encoder.")
    """
    root = f"{path}/" if path else ""
    entries = conv_name(f"{root}patch_embed_proj", f"{key}patch_embed.proj")
    entries += norm(f"{root}patch_embed_norm", f"{key}patch_embed.norm")
    for stage, depth in enumerate(VARIANTS[variant].depths):
        entries += norm(f"{root}norm{stage}", f"{key}norm{stage}")
        for block in range(depth):
            ours, theirs = f"{root}layers{stage}_{block}", f"{key}layers.{stage}.blocks.{block}"
            for part in ("norm1", "norm2"):
                entries += norm(f"{ours}/{part}", f"{theirs}.{part}")
            for outer, inner in (("attn", "qkv"), ("attn", "proj"), ("mlp", "fc1"), ("mlp", "fc2")):
                entries += linear(f"{ours}/{outer}/{inner}", f"{theirs}.{outer}.{inner}")
            table = "relative_position_bias_table"
            entries.append(Name(f"{ours}/attn/{table}", f"{theirs}.attn.{table}", same))
        if stage < 2:
            ours, theirs = f"{root}merge{stage}", f"{key}layers.{stage}.downsample"
            entries += norm(f"{ours}/norm", f"{theirs}.norm")
            entries += linear(f"{ours}/reduction", f"{theirs}.reduction", bias=False)
    return entries


def early(path: str) -> bool:
    """Whether the weight at `path` belongs to the patch embedding or the first stage's blocks.

    early("patch_embed/kernel")
    """
    return path.startswith(("patch_embed", "layers0_"))


def build(variant: str) -> Backbone:
    """Builds 't', 's' or 'b'.

        backbone = build("b")

    Raises:
        InputError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise InputError(f"unknown Swin {variant!r}; there are: {', '.join(VARIANTS)}")
    embed = VARIANTS[variant].embed
    return Backbone(
        module=Swin(VARIANTS[variant]),
        channels=(embed, 2 * embed, 4 * embed, 4 * embed),
        names=lambda path, key: names(variant, path, key),
        ignored=IGNORED,
        early=early,
        aligned=False,
        absent=(r"norm[012]/.*",),
    )
