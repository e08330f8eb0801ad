"""DeAOT: its settings, its stack of blocks and its memory; the rest is in `identification`.

Yang and Yang, "Decoupling Features in Hierarchical Propagation for Video Object Segmentation"
(2022), arXiv 2210.09782. Frames are propagated in two streams. A layer's entry in the memory is
{'k' [P, 128], 'v' [P, 1024]}, where the second half of the values carries identities. Before they
are fused, an entry has only the first half and, from the second layer on, 'b' [P, 256], from which
the second half is computed.
"""

from typing import Any

import jax
import jax.numpy as jnp

from vosjax import backbones
from vosjax.errors import InputError
from vosjax.models import identification
from vosjax.models.deaot.names import names
from vosjax.models.deaot.propagation import Propagation
from vosjax.models.identification import FEATURES, IdentificationFamily
from vosjax.schema import Count, Few, Share
from vosjax.types import Model

KEY_SIZE = 128


def build(
    *,
    encoder: str = "mobilenet_v2",
    layers: Few = 1,
    top_k: Count | None = None,
    max_long_side: Count | None = 1040,
    max_short_side: Count | None = None,
    drop_path: Share = 0.1,
    dropout: Share = 0.1,
) -> Model:
    """Builds a DeAOT; DeAOT-T, -S and -B/-L have 1, 2 and 3 layers.

        model = build(encoder="swin:b", layers=3)

    Args:
        encoder: see `backbones.build`.
        layers: number L of propagation blocks.
        top_k: the long-term read keeps the k largest logits; None keeps all.
        max_long_side: largest long side in pixels that the network sees, before scaling; None for
            no limit.
        max_short_side: largest short side in pixels, before scaling; None for no limit.
        drop_path: rate of stochastic depth in training.
        dropout: share of channels dropped after the depthwise convolutions in training.

    Raises:
        InputError: there is less than one layer, or the encoder is unknown.
    """
    if layers < 1:
        raise InputError(f"got layers={layers}; DeAOT has at least 1, as published 1 to 3")
    backbone = backbones.build(encoder)

    def entry(positions: int, dtype: Any) -> Any:
        empty = {
            "k": jnp.zeros((positions, KEY_SIZE), dtype),
            "v": jnp.zeros((positions, 4 * FEATURES), dtype),
        }
        return (empty,) * layers

    def decoded(tokens: jax.Array, outputs: Any) -> jax.Array:
        return outputs[-1]

    family = IdentificationFamily(
        "DeAOT",
        Propagation(layers, FEATURES, KEY_SIZE, top_k, drop_path, dropout),
        "propagation",
        entry,
        decoded,
        names(backbone, layers=layers),
    )
    return identification.build(
        family, backbone, id_norm=True, max_long_side=max_long_side, max_short_side=max_short_side
    )
