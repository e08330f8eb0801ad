"""Objects one after another or together, and branches that are known while tracing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.layers.branch import branch
from vosjax.layers.objects import map_objects
from vosjax.layers.residual import BRANCH, orthogonal, random_encoder

LIVE = jnp.array([True, False, True])
MASKS = jnp.arange(12.0).reshape(3, 4) / 12


def squares(mask):
    return {"value": mask**2, "sum": mask.sum()}


def test_objects_together_give_what_they_give_one_by_one():
    apart, together = (
        jax.jit(lambda masks, t=t: map_objects(squares, LIVE, masks, together=t))(MASKS)
        for t in (False, True)
    )
    jax.tree.map(np.testing.assert_array_equal, apart, together)
    assert not together["value"][1].any() and together["sum"][1] == 0


@pytest.mark.parametrize("together", [False, True])
def test_slots_that_nobody_has_given_have_no_gradient(together):
    def total(masks):
        return map_objects(jnp.sqrt, LIVE, masks, together=together).sum()

    change = jax.grad(total)(MASKS + 1)
    assert not change[1].any() and (change[0] > 0).all()


@pytest.mark.parametrize("predicate", [True, np.True_])
def test_a_branch_known_while_tracing_leaves_no_conditional(predicate):
    def chosen(x):
        return branch(predicate, jnp.sin, jnp.cos, x)

    assert [str(e.primitive) for e in jax.make_jaxpr(chosen)(1.0).eqns] == ["sin"]


def test_a_traced_branch_stays_one():
    def chosen(flag, x):
        return branch(flag, jnp.sin, jnp.cos, x)

    assert jax.jit(chosen)(False, 0.0) == 1 and jax.jit(chosen)(True, 0.0) == 0
    assert "cond" in str(jax.make_jaxpr(chosen)(True, 0.0))


def test_fresh_residual_branches_start_small():
    shapes = {
        "conv1": {"kernel": jnp.zeros((7, 7, 3, 64))},
        "bn1": {"scale": jnp.zeros(64), "var": jnp.zeros(64), "bias": jnp.zeros(64)},
        "layer1_0": {"bn1": {"scale": jnp.zeros(64)}, "bn2": {"scale": jnp.zeros(64)}},
    }
    encoder = random_encoder(jax.random.key(0), shapes)
    assert (encoder["layer1_0"]["bn2"]["scale"] == np.float32(BRANCH)).all()
    assert (encoder["layer1_0"]["bn1"]["scale"] == 1).all() and (encoder["bn1"]["scale"] == 1).all()
    assert (encoder["bn1"]["var"] == 1).all() and not encoder["bn1"]["bias"].any()
    assert abs(encoder["conv1"]["kernel"].std() - np.sqrt(2 / 147)) < 0.003


def test_orthogonal_kernels_have_orthonormal_outputs():
    rows = orthogonal(jax.random.key(0), (3, 3, 4, 8)).reshape(-1, 8)
    np.testing.assert_allclose(rows.T @ rows, np.eye(8), atol=1e-5)
