"""vosjax: semi-supervised video object segmentation in JAX.

vosjax.load(source=None) -> model            a network with its weights
vosjax.segment(video, masks, model=model)    yields the labels and scores of every frame
vosjax.Tracker(model)                        the same, frame by frame
vosjax.track_box(video, box)                 yields the box of one object in every frame
vosjax.mark(frame, box=box, points=points)   the mask of one object in one frame
"""

import importlib
from typing import Any

_HOMES = {
    "load": "loading.pretrained",
    "mark": "interactive.marker",
    "segment": "tracking.video",
    "track_box": "tracking.box",
    "Tracker": "tracking.tracker",
}
__all__ = sorted(_HOMES)
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    # Looked up when they are asked for, so that reading a file or a clip does not wait for JAX.
    if name not in _HOMES:
        raise AttributeError(f"module 'vosjax' has no attribute {name!r}")
    return getattr(importlib.import_module(f"vosjax.{_HOMES[name]}"), name)
