"""Where training starts from: fresh weights, a pretrained encoder, or a model's own weights."""

import importlib
import pathlib

import jax
import numpy as np

from vosjax.io import weights
from vosjax.io.errors import InputError
from vosjax.types import Model


def params(model: Model, *, seed: int, init: str, encoder: str) -> dict:
    """Nested params to start from.

    Args:
      model: the network.
      seed: of the random weights.
      init: '' for random weights; an .npz of the encoder's folded weights, which takes the encoder's
        place; or a folder of `io.weights.save_weights`, which gives all weights.
      encoder: the backbone's name ('mobilenet_v2'), whose module reads the .npz.

    Raises:
      InputError: the file is missing, or does not fit the network.
    """
    fresh = jax.jit(model.fresh)(jax.random.key(seed))
    if not init:
        return fresh
    path = pathlib.Path(init)
    if not path.exists():
        raise InputError(f"train.init is {init}, which does not exist: give an encoder's .npz, a "
                         "folder of weights, or '' to start fresh")
    if path.is_dir():
        found = weights.load_weights(path)[0]
    else:
        with np.load(path) as arrays:
            arrays = dict(arrays)
        module = importlib.import_module(f"vosjax.backbones.{encoder.split(':')[0]}")
        if not hasattr(module, "from_folded"):
            raise InputError(f"train.init is {init}: the encoder {encoder} is not read from an .npz, "
                             "give a folder of weights")
        found = {**fresh, "encoder": module.from_folded(arrays)}
    flat = weights.flatten(fresh)
    weights.check_params(found, {path: (w.shape, w.dtype) for path, w in flat.items()})
    return jax.tree.map(lambda w: np.asarray(w, np.float32), found)
