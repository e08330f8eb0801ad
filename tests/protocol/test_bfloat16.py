"""bfloat16 in every family: in weights, features, memories and products; logits stay float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax import cost, models
from vosjax.layers.precision import cast
from vosjax.tracking.step import MemoryClock, step
from vosjax.types import Prompt, Spec, When

FAST = {
    "aot": dict(),
    "aost": dict(depth=2),
    "deaot": dict(layers=2),
    "stcn": dict(),
    "famnet": dict(),
}
SLOW = {
    "aot_v2_swin": dict(layers=2, block="v2", encoder="swin:t"),
    "aot_top_k": dict(top_k=8),
    "aot_resnest": dict(encoder="resnest:101"),
    "aot_effnet": dict(encoder="efficientnet:b0"),
    "aot_resnext": dict(encoder="resnet:resnext50_32x4d"),
    "deaot_r50": dict(encoder="resnet:50"),
    "stcn_all": dict(top_k=None),
    "famnet_kernel": dict(kernel=7.0),
}
FAMILIES = FAST | SLOW
EVERY = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
OBJECTS = 2


class Shapes:
    """What every function of a network gives, traced but not run."""

    def __init__(self, name, dtype):
        self.model = models.build(name.split("_")[0], **FAMILIES[name])
        vos = self.model.vos
        self.params = jax.eval_shape(
            lambda rng: cast(self.model.init_params(rng), dtype), jax.random.key(0)
        )
        spec = Spec(*vos.size(64, 80), OBJECTS, 2)
        frame = jax.ShapeDtypeStruct((spec.height, spec.width, 3), jnp.float32)
        probs = jax.ShapeDtypeStruct((OBJECTS + 1, spec.height, spec.width), jnp.float32)
        given, when = np.ones(OBJECTS, bool), When(np.True_, np.True_, np.int32(0))
        self.state = jax.eval_shape(lambda p: vos.init(p, spec), self.params)
        self.features = jax.eval_shape(vos.encode, self.params, frame)
        self.logits, self.aux = jax.eval_shape(vos.predict, self.params, self.state, self.features)
        later = functools.partial(vos.commit, given=given, when=when)
        self.after = jax.eval_shape(later, self.params, self.state, self.aux, probs)
        self.cost = (
            cost.count(vos.encode, self.params, frame)
            .plus(cost.count(vos.predict, self.params, self.state, self.features))
            .plus(cost.count(later, self.params, self.state, self.aux, probs))
        )


@pytest.fixture(scope="module", params=EVERY)
def shapes(request):
    return Shapes(request.param, "bfloat16")


def dtypes(tree):
    return {
        leaf.dtype.name
        for leaf in jax.tree.leaves(tree)
        if jnp.issubdtype(leaf.dtype, jnp.floating)
    }


def test_features_and_memory_are_bfloat16(shapes):
    assert dtypes(shapes.features) == {"bfloat16"}
    assert dtypes(shapes.state) == {"bfloat16"}


def test_state_keeps_its_form(shapes):
    assert jax.tree.map(lambda x: (x.shape, x.dtype), shapes.after) == (
        jax.tree.map(lambda x: (x.shape, x.dtype), shapes.state)
    )


def test_logits_are_float32(shapes):
    assert shapes.logits.dtype == jnp.float32


def test_products_are_bfloat16_but_for_the_last_layers(shapes):
    products = shapes.cost.products
    assert products["bfloat16"] >= 0.98 * sum(products.values()), products


def test_only_statistics_stay_float32(shapes):
    wide = [
        path
        for path, leaf in jax.tree_util.tree_leaves_with_path(shapes.params)
        if leaf.dtype == jnp.float32
    ]
    assert all(path[-1].key in ("scale", "bias", "mean", "var") for path in wide)


@pytest.mark.slow  # one compilation each; `test_bfloat16_clips.py` runs AOT in every suite
@pytest.mark.parametrize("name", [*FAST, "aot_v2_swin", "stcn_all"])
def test_two_frames_run(name):
    model = models.build(name.split("_")[0], **FAMILIES[name])
    spec = Spec(*model.vos.size(48, 64), OBJECTS, 2)
    params = cast(jax.jit(model.init_params)(jax.random.key(0)), "bfloat16")
    state = model.vos.init(params, spec)
    labels = np.zeros((spec.height, spec.width), np.int32)
    labels[:20, :20], labels[30:, 30:] = 1, 2
    frame = np.random.default_rng(0).random((spec.height, spec.width, 3), np.float32)
    run = jax.jit(functools.partial(step, model.vos))
    first = run(
        params,
        state,
        frame,
        Prompt(labels, np.ones(OBJECTS, bool)),
        MemoryClock(np.int32(0), np.int32(0), np.int32(1)),
    )
    second = run(
        params, first.state, frame, Prompt(0 * labels, np.zeros(OBJECTS, bool)), first.clock
    )
    assert np.array_equal(np.argmax(first.probs, 0), labels)
    assert bool(jnp.isfinite(second.probs).all())
    assert np.allclose(second.probs.sum(0), 1, atol=1e-5)


def test_float32_stays_float32():
    shapes = Shapes("aot", "float32")
    assert dtypes((shapes.params, shapes.features, shapes.state)) == {"float32"}
    assert set(shapes.cost.products) == {"float32"}


def test_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match="float16"):
        cast({}, "float16")
