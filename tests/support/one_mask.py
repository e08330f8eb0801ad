"""F of two masks of one object, which the package computes for all objects of a frame at once."""

import numpy as np

from vosjax.eval import metrics


def boundary_accuracy(truth, prediction, *, void=None, bound=0.008):
    """F in 0..1 of two masks [H, W] of any dtype; pixels of `void` are background in both."""
    clear = np.ones(np.shape(truth), bool) if void is None else np.asarray(void) == 0
    maps = [((np.asarray(mask) != 0) & clear).view(np.uint8) for mask in (truth, prediction)]
    _, f = metrics.frame_scores(*maps, objects=(1,), bound=bound)
    return float(f[0])
