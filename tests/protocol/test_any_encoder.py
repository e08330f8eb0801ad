"""Encoders are a single setting: AOT, AOST and DeAOT take every one of them."""

import functools
import importlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax import backbones, models
from vosjax.tracking.step import MemoryClock, step
from vosjax.types import Prompt, Spec

OBJECTS = 2


def variants(module):
    backbone = importlib.import_module(f"vosjax.backbones.{module}")
    return [f"{module}:{variant}" for variant in getattr(backbone, "VARIANTS", ())] or [module]


EVERY = [name for info in pkgutil.iter_modules(backbones.__path__) for name in variants(info.name)]
SMALL = ("resnet:18", "swin:t")
KINDS = (*SMALL, "resnet:resnext50_32x4d", "resnest:101", "efficientnet:b0", "mobilenet_v2")


def marked(fast):
    return [
        *fast,
        *(pytest.param(name, marks=pytest.mark.slow) for name in EVERY if name not in fast),
    ]


FAMILIES = {"aot": dict(layers=1), "aost": dict(layers=2, depth=1), "deaot": dict(layers=1)}


def setting(family, encoder):
    """The network, its size, and one frame's step."""
    model = models.build(family, encoder=encoder, **FAMILIES[family])
    spec = Spec(*model.vos.size(32, 48), OBJECTS, 1)

    def one(params, state, frame, labels, given):
        prompt = Prompt(labels, given)
        clock = MemoryClock(*(jnp.int32(n) for n in (0, 0, 1)))
        return step(model.vos, params, state, frame, prompt, clock)

    return model, spec, one


@pytest.mark.parametrize("encoder", marked(KINDS))
def test_every_encoder_stands_in_aot(encoder):
    model, spec, one = setting("aot", encoder)
    params = jax.eval_shape(model.init_params, jax.random.key(0))
    state = jax.eval_shape(lambda params: model.vos.init(params, spec), params)
    answer = jax.eval_shape(
        one,
        params,
        state,
        jnp.zeros((spec.height, spec.width, 3)),
        jnp.zeros((spec.height, spec.width), jnp.int32),
        jnp.ones(2, bool),
    )
    assert answer.probs.shape == (OBJECTS + 1, spec.height, spec.width)
    paths = {
        "/".join(part.key for part in path)
        for path, _ in jax.tree_util.tree_leaves_with_path(params)
    }
    assert paths == {name.path for name in model.checkpoint_names.entries}
    assert {model.param_group(path) for path in paths} == {"frozen", "encoder", "head"}


@pytest.mark.parametrize("family", ["aost", "deaot"])
@pytest.mark.parametrize("encoder", SMALL)
def test_the_other_families_take_encoders_as_well(family, encoder):
    model, spec, one = setting(family, encoder)
    params = jax.eval_shape(model.init_params, jax.random.key(0))
    state = jax.eval_shape(lambda params: model.vos.init(params, spec), params)
    answer = jax.eval_shape(
        one,
        params,
        state,
        jnp.zeros((spec.height, spec.width, 3)),
        jnp.zeros((spec.height, spec.width), jnp.int32),
        jnp.ones(2, bool),
    )
    assert answer.probs.shape == (OBJECTS + 1, spec.height, spec.width)


def drawn(shapes):
    """Weights without a compilation: norms the identity, the rest small."""
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        if path[-1].key in ("scale", "var"):
            return jnp.ones(leaf.shape)
        spread = 0 if path[-1].key == "mean" else np.prod(leaf.shape[:-1]) ** -0.5
        return jnp.asarray(rng.normal(0, spread, leaf.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


@functools.lru_cache(maxsize=1)
def two_frames(encoder):
    """Answers to a marked frame and to the next one, which is the same frame brightened."""
    model, spec, one = setting("aot", encoder)
    params = drawn(jax.eval_shape(model.init_params, jax.random.key(0)))
    state = model.vos.init(params, spec)
    frame = np.random.default_rng(1).random((spec.height, spec.width, 3), np.float32)
    labels = np.zeros((spec.height, spec.width), np.int32)
    labels[4:20, 4:20], labels[8:24, 28:] = 1, 2
    run = jax.jit(one)
    first = run(params, state, frame, labels, np.ones(2, bool))
    return labels, first, run(params, first.state, 0.9 * frame, 0 * labels, np.zeros(2, bool))


@pytest.mark.parametrize("encoder", marked(SMALL))
def test_aot_runs_with_it(encoder):
    labels, first, second = two_frames(encoder)
    assert np.array_equal(np.argmax(first.probs, 0), labels)
    assert bool(jnp.isfinite(second.probs).all())
    assert np.allclose(second.probs.sum(0), 1, atol=1e-5)
    assert float(second.probs.std()) > 1e-4  # the answer depends on the place
