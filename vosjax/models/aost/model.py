"""AOST: an AOT with LSTT block V2 and identity norm, whose depth is chosen when it is run.

Yang et al., "Scalable video object segmentation with identification mechanism", arXiv 2203.11442,
in the form of aot-benchmark's branch `paot`. Layers beyond the depth are not run and have no
memory. The decoder has a first layer for each depth, and all depths share the rest. Training
supervises all depths with weights 1, 2, 4, ... (`train.step`).
"""

from vosjax.models.aot.model import HEADS
from vosjax.models.aot.model import build as build_aot
from vosjax.schema import Count, Few, Share
from vosjax.types import Model


def build(
    *,
    encoder: str = "mobilenet_v2",
    layers: Few = 3,
    depth: Few | None = None,
    gate_heads: Few = HEADS,
    top_k: Count | None = None,
    mask_unused: bool = True,
    max_long_side: Count | None = 1040,
    max_short_side: Count | None = None,
    drop_path: Share = 0.1,
) -> Model:
    """Builds an AOST; it has the weights of all layers at any depth.

        model = build(encoder="resnet:50", depth=2)

    Args:
        encoder: see `backbones.build`.
        layers: LSTT blocks that have weights; 3 in all published models.
        depth: number of blocks that are run, 1 to `layers`; None for all. Each depth is compiled
            separately.
        gate_heads: gates of a token: 8, one per head (the authors' code), or 1.
        top_k: the long-term read keeps the k largest logits; None keeps all.
        mask_unused: whether the logits of slots without an object are set to -1e10; False lets them
            compete, as in the reference's engine, so that labels may name slots without an object.
        max_long_side: largest long side in pixels that the network sees, before scaling; None for
            no limit.
        max_short_side: largest short side in pixels, before scaling; None for no limit.
        drop_path: rate of stochastic depth in training.

    Raises:
        InputError: the depth or the number of gate heads is out of range.
    """
    return build_aot(
        encoder=encoder,
        layers=layers,
        block="v2",
        gate_heads=gate_heads,
        top_k=top_k,
        mask_unused=mask_unused,
        scalable=True,
        depth=depth,
        max_long_side=max_long_side,
        max_short_side=max_short_side,
        drop_path=drop_path,
    )
