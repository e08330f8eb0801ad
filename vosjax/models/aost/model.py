"""AOST: an AOT with LSTT block V2 and identity norm whose depth is chosen when it is run.

Yang et al., "Scalable video object segmentation with identification mechanism", arXiv 2203.11442,
in the form of aot-benchmark's branch `paot`. Layers beyond the depth are neither run nor given a
memory. The decoder has an entrance for every depth and shares the rest. Training supervises all
depths with weights 1, 2, 4, ... (`train.step`).
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
    """Builds an AOST; its weights are those of all layers, whatever the depth.

        model = build(encoder="resnet:50", depth=2)

    Args:
      encoder: see `backbones.build`.
      layers: LSTT blocks that have weights; 3 in all published models.
      depth: how many of them are run, 1 to `layers`; None for all. One compilation each.
      gate_heads: gates of a token: 8, one a head (the authors' code), or 1.
      top_k: keep the k largest logits of the long-term read; None keeps all.
      mask_unused: False leaves slots that nobody has given in the running, as the reference's
        engine does; its labels above the number of objects then name nobody.
      max_long_side: most pixels of the long side that the network sees, before scaling; None for
        no limit.
      max_short_side: likewise of the short side.
      drop_path: rate of stochastic depth while training.

    Raises:
      ValueError: a depth or a number of gate heads that cannot be.
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
