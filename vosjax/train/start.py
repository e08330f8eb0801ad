"""Where training starts from: fresh weights, a pretrained encoder, or a model's own weights."""

import importlib
import pathlib
import re

import jax
import numpy as np

from vosjax import backbones
from vosjax.io import pth, weights
from vosjax.io.convert import convert
from vosjax.io.errors import InputError
from vosjax.types import Model


def params(model: Model, *, seed: int, init: str, encoder: str, scale=()) -> dict:
    """Nested params to start from.

    Args:
      model: the network.
      seed: of the random weights.
      init: '' for random weights; otherwise files, separated by commas, whose weights take the
        fresh ones' place, later files those of earlier ones:
        a folder of `io.weights.save_weights` gives all weights; a `.pth` is an encoder's published
        ImageNet checkpoint (its classifier is left out, all else has to fit); an `.npz` holds an
        encoder's weights with folded norms (several of them are laid over each other).
      encoder: the backbone's name, e.g. 'mobilenet_v2' or 'resnet:50'.
      scale: pairs (regular expression, factor): every weight in whose path the expression is found
        is multiplied by the factor. Where an encoder's maps are much larger than the decoder's own
        (MobileNetV2's: deviation 5 to 10), Xavier-initialised adapters drown the objects' identities
        at first, and scaling them down saves hundreds of steps.

    Raises:
      InputError: a file is missing, or does not fit the network.
    """
    fresh = jax.tree.map(np.asarray, jax.jit(model.fresh)(jax.random.key(seed)))
    found, folded = dict(fresh), {}
    for item in filter(None, init.split(",")):
        path = pathlib.Path(item)
        if not path.exists():
            raise InputError(f"train.init names {item}, which does not exist: give a folder of "
                             "weights, an encoder's .pth or .npz, or '' to start fresh")
        if path.is_dir():
            found = weights.load_weights(path)[0]
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                folded |= dict(arrays)
            found = {**found, "encoder": _from_folded(folded, item, encoder)}
        else:
            found = {**found, "encoder": _from_imagenet(path, encoder, found["encoder"])}
    flat = weights.flatten(fresh)
    weights.check_params(found, {path: (w.shape, w.dtype) for path, w in flat.items()})
    flat = {path: np.asarray(w, np.float32) for path, w in weights.flatten(found).items()}
    for pattern, factor in scale:
        chosen = [path for path in flat if re.search(pattern, path)]
        if not chosen:
            raise InputError(f"train.scale has {pattern!r}, which is found in no weight's path; "
                             f"paths look like {next(iter(flat))!r}")
        flat |= {path: flat[path] * np.float32(factor) for path in chosen}
    return weights.nest(flat)


def _from_folded(arrays, item, encoder):
    module = importlib.import_module(f"{backbones.__name__}.{encoder.split(':')[0]}")
    if not hasattr(module, "from_folded"):
        raise InputError(f"train.init names {item}: the encoder {encoder} is not read from an .npz; "
                         "give a folder of weights or an ImageNet .pth")
    try:
        return module.from_folded(arrays)
    except ValueError as error:
        raise InputError(f"train.init names {item}: {error}") from error


def _from_imagenet(path, encoder, present):
    """The encoder's weights of a published checkpoint; what such files lack stays as it is."""
    names = backbones.imagenet_names(backbones.build(encoder))
    flat = weights.flatten(present)
    expected = {name.path: (flat[name.path].shape, flat[name.path].dtype) for name in names.entries}
    given = convert(pth.state_dict(pth.read_pth(path)), names, expected=expected)
    return weights.nest(flat | given)
