"""Lays the probabilities of a crop over those of the frame, as far as they are trusted."""

from typing import Any

import numpy as np
import numpy.typing as npt

TAPERED = 0.1  # share of the crop's side over which its weight falls to zero
SURE = 1e-6  # least distance of probabilities from 0 and 1

Probs = npt.NDArray[np.float32]


def taper(side: int) -> Probs:
    """Returns the weights of a crop: 1 inside, falling to 0 over the outer tenth of its side.

        weights = taper(96)

    Args:
        side: in pixels.

    Returns:
        float32 [side, side].
    """
    edge = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5)
    ramp = np.clip(edge / max(TAPERED * side, 1), 0, 1)
    return np.minimum(ramp[:, None], ramp).astype(np.float32)


def paste(probs: Any, zoomed: Any, origin: Any, channel: int, trust: float) -> Probs:
    """Lays the probabilities of a crop over those of its frame.

    The zoomed object's probabilities are mixed by the weight of `taper` times `trust`. Those of the
    other objects can only rise, where the crop gives them more than the zoomed object. Then the
    background is the product of what remains, and all are normalised by their odds, as in STM
    (Oh et al. 2019). Outside the crop, nothing changes.

        refined = paste(probs, zoomed, origin=(300, 120), channel=2, trust=1.0)

    Args:
        probs: float32 [N+1, H, W] of the frame, channel 0 the background, sum 1.
        zoomed: float32 [N+1, S, S], likewise, of the crop; it lies inside the frame.
        origin: x and y of its upper left corner.
        channel: of the zoomed object.
        trust: 0..1.

    Returns:
        float32 [N+1, H, W], a new array.
    """
    result = np.array(probs, np.float32)
    zoomed = np.asarray(zoomed, np.float32)
    side = zoomed.shape[1]
    x, y = (int(value) for value in origin)
    window = (slice(None), slice(y, y + side), slice(x, x + side))
    weights = trust * taper(side)
    first = result[window]
    mixed = np.where(
        zoomed > zoomed[channel], np.maximum(first, weights * zoomed), first
    )  # the other objects
    mixed[channel] = (1 - weights) * first[channel] + weights * zoomed[channel]
    mixed[0] = np.prod(1 - mixed[1:], 0)
    result[window] = np.where(weights > 0, by_odds(mixed), first)
    return result


def by_odds(probs: Any) -> Probs:
    """Normalises independent probabilities by their odds p / (1 - p), so that they sum to one.

        by_odds(np.float32([0.4, 0.6]))

    Args:
        probs: float32 [N, ...], each 0..1.
    """
    probs = np.clip(np.asarray(probs, np.float32), SURE, 1 - SURE)
    odds = probs / (1 - probs)
    normalised: Probs = odds / odds.sum(0)
    return normalised
