"""The tracker DiMP-50: its network's target features, and the box by its IoU network."""

import functools
import os
from typing import Any

import jax
import jax.numpy as jnp

from vosjax.boxes import dimp, online
from vosjax.boxes.dimp import DimpFeatures, DimpNetwork
from vosjax.boxes.iou_net import best_mean, climb
from vosjax.boxes.online import Encoded, TargetNetwork
from vosjax.boxes.protocol import BoxTracker
from vosjax.checkpoints.checks import check_params
from vosjax.checkpoints.embedded import weights_folder
from vosjax.checkpoints.paths import flatten
from vosjax.checkpoints.weights import load_weights
from vosjax.errors import InputError

RANDOM = 9  # boxes besides the first that climb the predicted IoU
CENTRE_JITTER, SIZE_JITTER = 0.1, 0.5  # of these, in square roots of the box's area
LEAST_SHARE = 1 / 3  # least side of these, as a share of the box's shorter side
CLIMB, BEST = 5, 3  # steps; boxes that are averaged


@functools.cache
def tracker() -> BoxTracker:
    """Makes the tracker; its params are those of `dimp.build`.

    state = tracker().init(params, frame, box)
    """
    return online.build(target_network(dimp.build()))


def target_network(network: DimpNetwork) -> TargetNetwork:
    """Returns DiMP as the online tracker sees it.

    tracker = online.build(target_network(dimp.build()))
    """

    def encode(params: Any, crop: jax.Array) -> Encoded:
        features = network.encode(params, crop[None])
        return Encoded(features.target[0], (features.f8[0], features.f16[0]))

    def features_of(encoded: Encoded) -> DimpFeatures:
        return DimpFeatures(*(maps[None] for maps in (*encoded.rest, encoded.target)))

    def describe(params: Any, encoded: Encoded, box: jax.Array) -> Any:
        return network.modulation(params, features_of(encoded), box)

    def refine(
        params: Any, encoded: Encoded, description: Any, box: jax.Array, rng: jax.Array
    ) -> jax.Array:
        maps = network.iou_features(params, features_of(encoded))
        start = jnp.concatenate([box[None], jittered(box, rng)])
        boxes, iou = climb(
            lambda boxes: network.iou(params, maps, description, boxes), start, CLIMB
        )
        refined, usable = best_mean(boxes, iou, BEST)
        return jnp.where(usable, refined, box)

    return TargetNetwork(
        dimp.CROP,
        True,
        lambda params: params["target_model"],
        encode,
        network.first_filter,
        describe,
        refine,
    )


def jittered(box: jax.Array, rng: jax.Array) -> jax.Array:
    """Draws boxes [9, 4] around a box (x, y, w, h).

    boxes = jittered(jnp.array([0.0, 0.0, 20.0, 10.0]), jax.random.PRNGKey(0))
    """
    side = jnp.sqrt(box[2] * box[3])
    noise = side * jax.random.uniform(rng, (RANDOM, 4), minval=-0.5, maxval=0.5)
    least = LEAST_SHARE * jnp.minimum(box[2], box[3])
    size = jnp.maximum(box[2:] + SIZE_JITTER * noise[:, 2:], least)
    middle = box[:2] + box[2:] / 2 + CENTRE_JITTER * noise[:, :2]
    return jnp.concatenate([middle - size / 2, size], 1)


def load_params(folder: str | os.PathLike[str]) -> Any:
    """Loads converted weights of DiMP-50.

        params = load_params("weights/dimp50")

    Args:
        folder: as `--mode convert --config configs/dimp.py` writes it.

    Raises:
        InputError: the folder holds no weights, those of another family, or damaged ones.
    """
    params, card = load_weights(weights_folder(folder))
    if card["family"] != dimp.FAMILY:
        raise InputError(
            f"{folder} holds weights of the family {card['family']!r}; for a box tracker "
            f"{dimp.FAMILY!r} is expected: convert dimp50.pth with configs/dimp.py, or give the "
            "folder of a network for segmentation as the model"
        )
    shapes = flatten(jax.eval_shape(dimp.build().init_params, jax.random.PRNGKey(0)))
    check_params(
        {path: leaf for path, leaf in flatten(params).items()},
        {path: (leaf.shape, leaf.dtype) for path, leaf in shapes.items()},
    )
    return jax.device_put(params)
