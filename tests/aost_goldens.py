"""AOST and AOTv2 goldens as the parity tests want them, run as `aot_goldens` runs AOT's."""

import functools
import json

import aot_goldens as aot
import backbone_goldens as goldens
import jax
import numpy as np

from vosjax import models
from vosjax.io import convert
from vosjax.io.weights import nest

FOLDER = "aost"


@functools.lru_cache(maxsize=4)
def rebuilt(manifest):
    """The reference's state dict, from names and shapes."""
    recipe = goldens.module("recipe.py")
    return recipe.build_state_dict(goldens.manifest(f"{FOLDER}/{manifest}.manifest.json"),
                                   goldens.seed(FOLDER))


def expected(model):
    """{path: (shape, dtype)} of a model's weights."""
    shapes = goldens.shapes(jax.eval_shape(model.fresh, jax.random.key(0)))
    return {path: (shape, np.dtype("float32")) for path, shape in shapes.items()}


@functools.lru_cache(maxsize=4)
def params(manifest):
    """The weights of all layers, converted strictly: no depth changes what a file must hold."""
    model = build(manifest)
    return nest(convert.convert(rebuilt(manifest), model.names, expected=expected(model)))


def build(manifest, **settings):
    """The model of a manifest: 'r50_aost' or 'swinb_aotv2l'."""
    encoder = aot.encoder_of(manifest)
    if manifest.endswith("aost"):
        return models.build("aost", encoder=encoder, **settings)
    return models.build("aot", encoder=encoder, layers=3, block="v2", **settings)


@functools.lru_cache(maxsize=8)
def network(manifest, **settings):
    """A model with its weights and its compiled step."""
    model = build(manifest, **settings)
    return aot.Network(model, params(manifest), jax.jit(functools.partial(aot.step, model)))


def of(name, meta):
    """The network of a golden file, 'aost_d2_obj3_97x129'."""
    manifest = meta["model"]
    if not manifest.endswith("aost"):
        return network(manifest)
    return network(manifest, depth=meta["lstt_layers"], mask_unused="obj3" in name)


def load(name):
    """(arrays, meta) of 'aost_d1_97x129'."""
    arrays = goldens.arrays(f"{FOLDER}/{name}.npz")
    return arrays, json.loads(str(arrays["meta"]))
