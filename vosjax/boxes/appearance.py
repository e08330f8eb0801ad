"""The tracker without weights of its own: DiMP's target model on the features of a VOS network.

The features stay as they are. What is learned of the object is the filter alone, from zero, with
the label, mask and weight that DiMP's training starts with. The size of the object is that of the
first box until `BoxTracker.correct` tells another, as from the object's mask.
"""

from typing import Any

import jax
import jax.numpy as jnp

from vosjax.boxes import online
from vosjax.boxes.online import SIDE, STRIDE, Encoded, TargetNetwork
from vosjax.boxes.protocol import BoxTracker
from vosjax.boxes.target_model import initial_params, instance_norm
from vosjax.errors import InputError
from vosjax.types import Vos

CROP = 288  # side of the crops in pixels, before the network's size rule


def tracker(vos: Vos) -> BoxTracker:
    """Makes the tracker of a network for segmentation; its params are the network's.

        following = tracker(model.model.vos)
        state = following.init(model.params, frame, box)

    Args:
        vos: a network with `Vos.appearance`.

    Raises:
        InputError: it has none, or its size rule gives no squares.
    """
    return online.build(target_network(vos))


def target_network(vos: Vos) -> TargetNetwork:
    """Returns a network for segmentation as the online tracker sees it.

    tracker = online.build(target_network(vos))
    """
    appearance = vos.appearance
    if appearance is None:
        raise InputError(
            "this network gives no appearance that a box tracker could follow (as ensembles and "
            "test-time augmentation do not): give one network alone as the model"
        )
    height, width = vos.size(CROP, CROP)
    if height != width or height < SIDE * STRIDE:
        raise InputError(
            f"the network sees a crop of {CROP}x{CROP} pixels as {height}x{width}; a square of "
            f"{SIDE * STRIDE} or more is expected: raise max_short_side"
        )

    def encode(params: Any, crop: jax.Array) -> Encoded:
        features = appearance(vos.encode(params, crop)).astype(jnp.float32)
        return Encoded(instance_norm(features, SIDE), ())

    def first_filter(params: Any, target: jax.Array, boxes: jax.Array) -> jax.Array:
        return jnp.zeros((SIDE, SIDE, target.shape[-1]))

    return TargetNetwork(
        height,
        False,
        lambda params: initial_params(),
        encode,
        first_filter,
        describe=lambda params, encoded, box: (),
        refine=lambda params, encoded, description, box, rng: box,
    )
