"""Crop-then-zoom as a config asks for it: the network for the crops, and the box tracker."""

import functools

from vosjax.boxes import appearance, dimp_tracker
from vosjax.loading.pretrained import Loaded
from vosjax.refine.config import RefineConfig
from vosjax.refine.offline import Zoomer
from vosjax.refine.zoom.source import Tracking
from vosjax.tracking.crops import crop_segmenter

MASK = "mask"  # boxes by the masks and their motion alone
FEATURES = "features"  # and by a target model on the network's own features


def load_zoomer(config: RefineConfig, model: Loaded) -> Zoomer | None:
    """Prepares the zoom that a config asks for.

        zoomer = load_zoomer(RefineConfig(zoom="mask"), vosjax.load())

    Args:
        config: its field `zoom`.
        model: that segments the crops, of `load` or `ensembles.composed_network`.

    Returns:
        The zoom, or None where the config asks for none.

    Raises:
        InputError: there are no such weights of a box tracker; or the model is an ensemble, which
            has no features of its own to follow a box by.
    """
    if not config.zoom:
        return None
    settings = {"zoom": config.zoom, "zoom_weights_sha256": model.card.get("sha256", "")}
    return Zoomer(functools.partial(crop_segmenter, model), _tracking(config.zoom, model), settings)


def _tracking(name: str, model: Loaded) -> Tracking | None:
    if name == MASK:
        return None
    if name == FEATURES:
        return Tracking(appearance.tracker(model.model.vos), model.params)
    return Tracking(dimp_tracker.tracker(), dimp_tracker.load_params(name))
