"""FAMNet is STM with additions that start as the identity and can be left out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.checkpoints.weights import flatten, nest
from vosjax.layers.residual import upsample
from vosjax.models import build
from vosjax.models.famnet.blocks import VALUE, Align, Decoder, warp


@pytest.fixture(scope="module")
def maps():
    """A read-out, the query's value, f8 and f4."""
    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    shapes = (1, 2, 3, VALUE), (1, 2, 3, VALUE), (1, 4, 6, 512), (1, 8, 12, 256)
    return [jax.random.normal(key, shape) for key, shape in zip(keys, shapes)]


def run(decoder):
    return jax.jit(lambda params, maps: decoder.apply({"params": params}, *maps, method="whole"))


@pytest.fixture(scope="module")
def params(maps):
    decoder = Decoder(align=True, aspp=True)
    return jax.jit(lambda key: decoder.init(key, *maps, method="whole")["params"])(
        jax.random.PRNGKey(1)
    )


@pytest.fixture(scope="module")
def stm(maps, params):
    """STM's answer with the weights that both have."""
    return np.asarray(run(Decoder(align=False, aspp=False))(params, maps))


def without(params, *names):
    return {name: params[name] for name in params if name not in names}


@pytest.mark.parametrize(
    "settings, lacks",
    [
        (dict(align=True, aspp=True), ()),
        (dict(align=True, aspp=False), ("context",)),
        (dict(align=False, aspp=True), ("align8", "align4")),
    ],
)
def test_additions_start_as_the_identity(maps, params, stm, settings, lacks):
    logits = run(Decoder(**settings))(without(params, *lacks), maps)
    np.testing.assert_allclose(logits, stm, atol=2e-5)


def test_without_additions_it_is_stm_bit_for_bit(maps, params, stm):
    lean = without(params, "context", "align8", "align4")
    np.testing.assert_array_equal(run(Decoder(align=False, aspp=False))(lean, maps), stm)


def test_additions_have_no_weights_when_left_out():
    def paths(**settings):
        return {name.path for name in build("famnet", **settings).checkpoint_names.entries}

    whole, none = paths(), paths(align=False, aspp=False)
    assert {path.split("/")[1] for path in whole - none} == {"align8", "align4", "context"}
    assert none < whole


def test_every_weight_has_a_name():
    for settings in (dict(), dict(align=False, aspp=False)):
        model = build("famnet", **settings)
        shapes = flatten(jax.eval_shape(model.init_params, jax.random.PRNGKey(0)))
        assert set(shapes) == {name.path for name in model.checkpoint_names.entries}


def test_all_weights_but_the_statistics_train():
    model = build("famnet")
    groups = {name.path: model.param_group(name.path) for name in model.checkpoint_names.entries}
    assert set(groups.values()) == {"frozen", "encoder", "head"}
    for path, group in groups.items():
        assert (group == "frozen") == path.endswith(("/mean", "/var"))


def test_gradients_are_finite_and_reach_the_additions(maps, params):
    decoder = Decoder(align=True, aspp=True)

    def loss(params):
        return jnp.mean(jnp.sin(decoder.apply({"params": params}, *maps, method="whole")))

    grads = flatten(jax.jit(jax.grad(loss))(params))
    assert all(np.all(np.isfinite(leaf)) for leaf in grads.values())
    for path in ("align8/flow/kernel", "align4/flow/kernel", "context/join/kernel"):
        assert np.abs(grads[path]).max() > 0
    for path in ("align8/reduce_fine/kernel", "context/branches_3/kernel"):
        assert not np.any(grads[path])  # held back by the zero start of what follows


def test_no_flow_is_bilinear_upsampling():
    x = jax.random.normal(jax.random.PRNGKey(2), (5, 7, 3))
    np.testing.assert_allclose(warp(x, jnp.zeros((10, 14, 2))), upsample(x[None], 2)[0], atol=1e-6)


def test_flow_moves_by_pixels_of_the_larger_map():
    x = jax.random.normal(jax.random.PRNGKey(2), (5, 7, 3))
    flow = jnp.broadcast_to(jnp.array([2.0, -4.0]), (10, 14, 2))
    still = warp(x, jnp.zeros((10, 14, 2)))
    moved = warp(x, flow)
    np.testing.assert_allclose(moved[:8, 4:], still[2:, :10], atol=1e-5)


def test_flow_beyond_the_border_repeats_it():
    x = jax.random.normal(jax.random.PRNGKey(2), (2, 2, 3))
    far = warp(x, jnp.full((4, 4, 2), 1e4))
    np.testing.assert_allclose(far, jnp.broadcast_to(x[1, 1], far.shape), atol=1e-6)


def test_the_flow_follows_both_maps():
    x, skip = jnp.ones((1, 2, 3, 256)), jnp.ones((1, 4, 6, 256))
    align = Align()
    flat = flatten(align.init(jax.random.PRNGKey(3), x, skip)["params"])
    assert flat["flow/kernel"].shape == (3, 3, 256, 2) and not np.any(flat["flow/kernel"])
    assert set(nest(flat)) == {"reduce_coarse", "reduce_fine", "flow"}
