"""The names of AOT's weights in the checkpoints of aot-benchmark."""

import numpy as np

from vosjax.backbones import Backbone
from vosjax.names import Name, Names, conv, linear, norm, same


def _relative(array: np.ndarray, heads: int) -> np.ndarray:
    """Converts [heads * K^2, C, 1, 1] to [heads, C, K^2]."""
    return array.reshape(heads, -1, array.shape[1]).transpose(0, 2, 1)


def local_attention(path: str, key: str, *, heads: int, offset: bool) -> list[Name]:
    """Returns the names of the relative tables of a window attention."""
    entries = [
        Name(
            f"{path}/relative_key",
            f"{key}.relative_emb_k.weight",
            lambda array: _relative(array, heads),
        ),
        Name(
            f"{path}/relative_bias",
            f"{key}.relative_emb_k.bias",
            lambda array: array.reshape(heads, -1),
        ),
    ]
    return entries + (
        [Name(f"{path}/relative_value", f"{key}.relative_emb_v", same)] if offset else []
    )


def block(path: str, key: str, *, version: str, heads: int) -> list[Name]:
    """Returns the names of one LSTT block."""
    entries = []
    for ours, theirs in (
        ("query", "linear_Q"),
        ("key", "linear_K"),
        ("value", "linear_V"),
        ("projection", "projection"),
    ):
        entries += linear(f"{path}/self_attention/{ours}", f"{key}.self_attn.{theirs}")
    pair = (
        {"query_value": "linear_QV", "identity": "linear_ID_KV"}
        if version == "v2"
        else {"query": "linear_Q", "value": "linear_V"}
    )
    pair |= {
        "long_projection": "long_term_attn.projection",
        "short_projection": "short_term_attn.projection",
        "feed_forward/expand": "linear1",
        "feed_forward/contract": "linear2",
    }
    for ours, theirs in pair.items():
        entries += linear(f"{path}/{ours}", f"{key}.{theirs}")
    for index in (1, 2, 3):
        entries += norm(f"{path}/norm{index}", f"{key}.norm{index}")
    entries += norm(f"{path}/feed_forward/norm", f"{key}.activation.gn")
    entries += conv(f"{path}/feed_forward/depthwise", f"{key}.activation.conv", bias=False)
    return entries + local_attention(
        f"{path}/short", f"{key}.short_term_attn", heads=heads, offset=True
    )


def decoder(path: str, key: str, *, entrances: tuple[str, ...] = ("conv_in",)) -> list[Name]:
    """Returns the names of the decoder; its first layers are `entrances`, several in AOST."""
    entries = []
    for entrance in entrances:
        theirs = f"{key}.{entrance.replace('in_', 'in.')}"
        entries += linear(f"{path}/{entrance}/conv", f"{theirs}.conv")
        entries += norm(f"{path}/{entrance}/norm", f"{theirs}.gn")
    for stride in (16, 8, 4):
        entries += conv(f"{path}/conv{stride}/conv", f"{key}.conv_{stride}x.conv")
        entries += norm(f"{path}/conv{stride}/norm", f"{key}.conv_{stride}x.gn")
        entries += linear(f"{path}/adapter{stride}", f"{key}.adapter_{stride}x")
    return entries + linear(f"{path}/out", f"{key}.conv_out")


def names(
    backbone: Backbone,
    *,
    layers: int,
    version: str,
    heads: int,
    id_norm: bool,
    entrances: tuple[str, ...] = ("conv_in",),
) -> Names:
    """Returns the names of all weights of a network.

    A file may also hold `LSTT.mask_token`, which is not used, and what the encoder ignores (Swin's
    index tables).
    """
    entries = list(backbone.names("encoder", "encoder."))
    entries += linear("projector", "encoder_projector")
    for i in range(layers):
        entries += block(f"lstt/blocks_{i}", f"LSTT.layers.{i}", version=version, heads=heads)
        entries += norm(f"lstt/norms_{i}", f"LSTT.decoder_norms.{i}")
    entries += decoder("decoder", "decoder", entrances=entrances)
    entries += conv("identity/bank", "patch_wise_id_bank")
    entries += norm("identity/norm", "id_norm") if id_norm else []
    left_out = (rf"encoder\.(?:{rule})" for rule in backbone.ignored)
    return Names(tuple(entries), (r"LSTT\.mask_token", *left_out))
