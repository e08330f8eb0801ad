"""Crop-then-zoom as a config asks for it: the network for the crops, and the box tracker."""

import functools

from vosjax.loading.pretrained import Loaded
from vosjax.refine.config import RefineConfig
from vosjax.refine.offline import Zoomer
from vosjax.tracking.crops import crop_segmenter

MASK = "mask"  # a box by the mask and its motion alone


def load_zoomer(config: RefineConfig, model: Loaded) -> Zoomer | None:
    """Prepares the zoom that a config asks for.

        zoomer = load_zoomer(RefineConfig(zoom="mask"), vosjax.load())

    Args:
        config: its field `zoom`.
        model: that segments the crops, of `load` or `ensembles.of_config`.

    Returns:
        The zoom, or None where the config asks for none.

    Raises:
        InputError: there is no such box tracker.
    """
    if not config.zoom:
        return None
    settings = {"zoom": config.zoom, "zoom_weights_sha256": model.card.get("sha256", "")}
    return Zoomer(functools.partial(crop_segmenter, model), None, settings)
