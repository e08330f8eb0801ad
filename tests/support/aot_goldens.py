"""AOT goldens in the form for parity tests: rebuilt weights, a clip, and one compiled step."""

import functools
import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from support import backbone_goldens as goldens
from vosjax import models
from vosjax.checkpoints import convert
from vosjax.checkpoints.weights import nest
from vosjax.layers.norm import IMAGENET_MEAN, IMAGENET_STD
from vosjax.types import Spec, When

ENCODERS = {"r50": "resnet:50", "r101": "resnet:101", "swinb": "swin:b"}  # else MobileNetV2
LAYERS = {"aott": 1, "aots": 2, "aotb": 3, "aotl": 3}
CAPACITY = 4


class Network(NamedTuple):
    """A model, its rebuilt weights and `step` compiled."""

    model: Any
    params: Any
    step: Any


class Seen(NamedTuple):
    """What one step shows; channels last but for the logits."""

    logits: np.ndarray
    logits4: np.ndarray
    outputs: np.ndarray
    features: Any


def encoder_of(name):
    """'r50_aotl' -> 'resnet:50'."""
    return ENCODERS.get(name.split("_")[0], "mobilenet_v2")


@functools.cache
def rebuilt(manifest, folder="aot"):
    """The reference's state dict, from names and shapes."""
    recipe = goldens.module("recipe.py")
    return recipe.build_state_dict(
        goldens.manifest(f"{folder}/{manifest}.manifest.json"), goldens.seed(folder)
    )


def expected(model):
    """{path: (shape, dtype)} of a model's weights."""
    shapes = goldens.shapes(jax.eval_shape(model.init_params, jax.random.key(0)))
    return {path: (shape, np.dtype("float32")) for path, shape in shapes.items()}


def converted(model, state):
    """The model's weights out of a reference's state dict, strictly."""
    return nest(convert.convert(state, model.checkpoint_names, expected=expected(model)))


def running(model, params):
    """A network whose step will be compiled."""
    return Network(model, params, jax.jit(functools.partial(step, model)))


def step(model, params, state, frame, feed, given, when):
    """encode -> predict -> commit the labels `feed`, or the prediction where it is all -1."""
    features = model.vos.encode(params, frame)
    logits, aux = model.vos.predict(params, state, features)
    channels = logits.shape[0]
    own = jax.nn.one_hot(jnp.argmax(logits, 0), channels, axis=0)
    one_hot = jax.nn.one_hot(feed, channels, axis=0)
    probs = jnp.where(jnp.all(feed < 0), own, one_hot)
    state = model.vos.commit(params, state, aux, probs, given, when)
    return state, (logits, aux.logits4, aux.outputs, features)


@functools.cache
def network(manifest, *, layers, family="aot", top_k=None, **settings):
    """The model of a manifest with the reference's weights."""
    model = models.build(
        family, encoder=encoder_of(manifest), layers=layers, top_k=top_k, **settings
    )
    return running(model, converted(model, rebuilt(manifest)))


def of(meta):
    """The network that a golden's meta describes."""
    name = meta["model"]
    layers = meta.get("lstt_layers", LAYERS[name.split("_")[-1].removeprefix("de")])
    settings = dict(layers=layers, top_k=meta.get("long_term_top_k"))
    if "deaot" in name:
        return network(name, family="deaot", **settings)
    if meta.get("lstt_block") == "v2":  # the reference has no norm behind the bank there
        return network(f"{name}_v2", block="v2", id_norm=False, **settings)
    return network(name, **settings)


def clip(name):
    """frames [T, H, W, 3] in 0..1, masks [T, H, W]."""
    golden = goldens.arrays(f"aot/{name}")
    frames = golden["frames"].transpose(0, 2, 3, 1)
    return frames * np.float32(IMAGENET_STD) + np.float32(IMAGENET_MEAN), golden["masks"]


def load(name, folder="aot"):
    """(arrays, meta) of 'aott_97x129'."""
    arrays = goldens.arrays(f"{folder}/{name}.npz")
    return arrays, json.loads(str(arrays["meta"]))


def when(t, *, annotated=False, remember=False):
    """A frame as the memory sees it."""
    return When(np.bool_(annotated), np.bool_(remember), np.int32(t))


def empty(net, size, objects):
    """The state before the first frame."""
    return net.model.vos.init(net.params, Spec(*size, objects, CAPACITY))


def advance(net, state, frame, labels, *, given, when):
    """(state, Seen) after a frame; labels None: the network feeds on itself."""
    feed = np.full(frame.shape[:2], -1, np.int32) if labels is None else labels.astype(np.int32)
    state, seen = net.step(net.params, state, frame, feed, np.asarray(given, bool), when)
    return state, Seen(*seen)


def run(net, frames, first, fed, *, objects, gap):
    """Yields (t, state, Seen): the reference frame, then the others.

    `fed[t]` is committed after frame t, None feeds the network its own labels; frames that are
    `gap` after the last one remembered are remembered.
    """
    state = empty(net, frames.shape[1:3], objects)
    everything, nothing = np.ones(objects, bool), np.zeros(objects, bool)
    state, seen = advance(
        net, state, frames[0], first, given=everything, when=when(0, annotated=True)
    )
    yield 0, state, seen
    last = 0
    for t in range(1, len(frames)):
        remember = t - last >= gap
        last = t if remember else last
        state, seen = advance(
            net, state, frames[t], fed[t], given=nothing, when=when(t, remember=remember)
        )
        yield t, state, seen


def maps(tokens, grid, stride):
    """Tokens [P, C] as the goldens hold them: every stride-th channel of [C, h, w]."""
    return np.asarray(tokens).reshape(*grid, -1).transpose(2, 0, 1)[::stride]


def difference(got, want):
    """The largest absolute difference of two arrays of one shape."""
    got = np.asarray(got)
    assert got.shape == want.shape, (got.shape, want.shape)
    return float(np.abs(got - want).max())
