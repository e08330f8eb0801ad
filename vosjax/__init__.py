"""vosjax: semi-supervised video object segmentation in JAX.

vosjax.load(source=None) -> model            a network with its weights
vosjax.segment(video, masks, model=model)    a generator of every frame's labels and scores
vosjax.Tracker(model)                        the same frame by frame
vosjax.track_box(video, box)                 a generator of one object's box in every frame
"""

import importlib
from typing import Any

_HOMES = {
    "load": "loading.pretrained",
    "segment": "tracking.video",
    "track_box": "tracking.box",
    "Tracker": "tracking.tracker",
}
__all__ = sorted(_HOMES)
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    # Looked up when asked for: reading a file or a clip should not wait for JAX.
    if name not in _HOMES:
        raise AttributeError(f"module 'vosjax' has no attribute {name!r}")
    return getattr(importlib.import_module(f"vosjax.{_HOMES[name]}"), name)
