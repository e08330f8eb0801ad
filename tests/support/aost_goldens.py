"""AOST and AOTv2 goldens in the form for parity tests, run as `aot_goldens` runs AOT's."""

import functools

from support import aot_goldens as aot
from vosjax import models

FOLDER = "aost"


@functools.lru_cache(maxsize=4)
def params(manifest):
    """The weights of all layers, converted strictly: no depth changes what a file must hold."""
    return aot.converted(build(manifest), aot.rebuilt(manifest, FOLDER))


def build(manifest, **settings):
    """The model of a manifest: 'r50_aost' or 'swinb_aotv2l'."""
    encoder = aot.encoder_of(manifest)
    if manifest.endswith("aost"):
        return models.build("aost", encoder=encoder, **settings)
    return models.build("aot", encoder=encoder, layers=3, block="v2", **settings)


@functools.lru_cache(maxsize=8)
def network(manifest, **settings):
    """A model with its weights and its compiled step."""
    return aot.running(build(manifest, **settings), params(manifest))


def of(name, meta):
    """The network of a golden file, 'aost_d2_obj3_97x129'."""
    manifest = meta["model"]
    if not manifest.endswith("aost"):
        return network(manifest)
    return network(manifest, depth=meta["lstt_layers"], mask_unused="obj3" in name)


def load(name):
    """(arrays, meta) of 'aost_d1_97x129'."""
    return aot.load(name, FOLDER)
