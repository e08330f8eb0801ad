"""Loads weights that have to be of one family: a network that refines, or one that marks."""

import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from vosjax.checkpoints.checks import check_params, narrowed
from vosjax.checkpoints.embedded import weights_folder
from vosjax.checkpoints.paths import flatten, nest
from vosjax.checkpoints.weights import load_weights
from vosjax.errors import InputError


def load_family(
    source: str | os.PathLike[str], family: str, build: Callable[..., Any], *, expected: str
) -> tuple[Any, Any, dict]:
    """Loads weights of one family, and builds the network that their card describes.

        network, params, card = load_family("boundary", "bpr", build, expected="refining takes ...")

    Args:
        source: a folder with weights.safetensors and card.json, or the name of embedded weights.
        family: the family.
        build: builds a network, with `init_params`, from the settings of the card.
        expected: what is expected instead of another family, for the message.

    Returns:
        The network, its weights (float32, nested dicts of NumPy arrays) and their card.

    Raises:
        InputError: the weights are missing or damaged, or are those of another family.
    """
    folder = weights_folder(source)
    params, card = load_weights(folder)
    if card["family"] != family:
        raise InputError(f"the weights {folder} are of the family {card['family']!r}: {expected}")
    network = build(**(card["config"].get("model") or {}))
    shapes = flatten(jax.eval_shape(network.init_params, jax.random.key(0)))
    flat = flatten(params)
    check_params(flat, {path: (leaf.shape, leaf.dtype) for path, leaf in shapes.items()})
    return network, nest(narrowed(flat, np.float32)), card
