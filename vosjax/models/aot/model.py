"""AOT: its settings, its stack of blocks and its memory; the rest is in `identification`.

Yang, Wei and Yang, "Associating Objects with Transformers for Video Object Segmentation" (2021),
arXiv 2106.02638. An entry in the memory is {'k', 'v'}: [L, P, 256].
"""

from typing import Any

import jax
import jax.numpy as jnp

from vosjax import backbones
from vosjax.errors import InputError
from vosjax.models import identification
from vosjax.models.aot.lstt import LSTT
from vosjax.models.aot.names import names
from vosjax.models.identification import FEATURES, IdentificationFamily
from vosjax.schema import Count, Few, Share
from vosjax.types import Model

HEADS = 8


def build(
    *,
    encoder: str = "mobilenet_v2",
    layers: Few = 1,
    block: str = "v1",
    id_norm: bool | None = None,
    gate_heads: Few = HEADS,
    top_k: Count | None = None,
    mask_unused: bool = True,
    scalable: bool = False,
    depth: Few | None = None,
    max_long_side: Count | None = 1040,
    max_short_side: Count | None = None,
    drop_path: Share = 0.1,
) -> Model:
    """Builds an AOT; AOT-T, -S and -B/-L have 1, 2 and 3 layers.

        model = build(encoder="resnet:50", layers=3, block="v2")

    Args:
        encoder: see `backbones.build`.
        layers: number L of LSTT blocks.
        block: 'v1' (AOT) or 'v2' (arXiv 2206.09585, eq. 3).
        id_norm: whether a LayerNorm follows the identity bank; None: with block V2 only.
        gate_heads: gates of a token in block V2: 8, one per head (the authors' code), or 1 (the
            paper).
        top_k: the long-term read keeps the k largest logits; None keeps all.
        mask_unused: whether the logits of slots without an object are set to -1e10; False lets
            these slots compete with the others, as in the released AOST engine.
        scalable: whether the decoder takes the outputs of any number of blocks, and training
            supervises all of these depths (AOST).
        depth: number of blocks of a scalable network that are run; None for all. The network has
            the weights of all blocks in any case.
        max_long_side: largest long side in pixels that the network sees, before scaling; None for
            no limit.
        max_short_side: largest short side in pixels, before scaling; None for no limit.
        drop_path: rate of stochastic depth in training.

    Raises:
        InputError: the block is unknown, the number of gate heads does not divide the features, or
            the network does not have that depth.
    """
    if block not in ("v1", "v2"):
        raise InputError(f"unknown LSTT block {block!r}; there are 'v1' and 'v2'")
    if layers < 1 or gate_heads < 1 or FEATURES % gate_heads:
        raise InputError(
            f"got layers={layers}, gate_heads={gate_heads}; layers are at least 1 and "
            f"gate heads divide {FEATURES} (8 is the usual number)"
        )
    if depth is not None and not (scalable and 1 <= depth <= layers):
        raise InputError(
            f"depth {depth} was asked of {layers} layers; 1 to {layers} can be had, "
            "of a scalable network (AOST) only"
        )
    backbone = backbones.build(encoder)
    id_norm = block == "v2" if id_norm is None else id_norm
    entrances = tuple(f"conv_in_{i}" for i in range(layers)) if scalable else ("conv_in",)

    def entry(positions: int, dtype: Any) -> Any:
        shape = (depth or layers, positions, FEATURES)
        return {"k": jnp.zeros(shape, dtype), "v": jnp.zeros(shape, dtype)}

    def decoded(tokens: jax.Array, outputs: Any) -> jax.Array:
        return jnp.concatenate([tokens, *outputs], -1)

    stack = LSTT(
        layers,
        block,
        gate_heads=gate_heads,
        heads=HEADS,
        features=FEATURES,
        top_k=top_k,
        drop_path=drop_path,
        depth=depth,
    )
    known = names(
        backbone, layers=layers, version=block, heads=HEADS, id_norm=id_norm, entrances=entrances
    )
    family = IdentificationFamily("AOT", stack, "lstt", entry, decoded, known, entrances, scalable)
    return identification.build(
        family,
        backbone,
        id_norm=id_norm,
        mask_unused=mask_unused,
        max_long_side=max_long_side,
        max_short_side=max_short_side,
    )
