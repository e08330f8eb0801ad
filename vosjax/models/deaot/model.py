"""DeAOT (Yang and Yang, "Decoupling Features in Hierarchical Propagation for Video Object
Segmentation", 2022): its stack, its memory, its settings. The rest is `models/identification.py`.

Frames are propagated in two streams. A layer's entry in the memory is {'k' [P, 128], 'v' [P,
1024]}, in which the second half of the values tells of identities. An entry that is yet to be fused
has only the first half and, from the second layer on, 'b' [P, 256], of which the second is made.
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
      layers: propagation blocks L.
      top_k: keep the k largest logits of the long-term read; None keeps all.
      max_long_side: most pixels of the long side that the network sees, before scaling; None for
        no limit.
      max_short_side: likewise of the short side.
      drop_path: rate of stochastic depth while training.
      dropout: share of channels dropped after the depthwise convolutions while training.

    Raises:
      ValueError: fewer than one layer, or an unknown encoder.
    """
    if layers < 1:
        raise InputError(f"got layers={layers}; DeAOT has at least 1, as published 1 to 3")
    backbone = backbones.build(encoder)

    def entry(places: int, dtype: Any) -> Any:
        empty = {
            "k": jnp.zeros((places, KEY_SIZE), dtype),
            "v": jnp.zeros((places, 4 * FEATURES), dtype),
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
