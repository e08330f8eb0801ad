"""The optimizer: which weights decay, which are frozen, what is clipped."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.train import optimizer

PARAMS = {
    "encoder/kernel": jnp.full((2, 2), 2.0),
    "head/out/kernel": jnp.full((2, 2), 2.0),
    "head/kernel": jnp.full((2, 2), 2.0),
    "head/bias": jnp.full((2,), 2.0),
}
GROUPS = {path: path.split("/")[0] for path in PARAMS}
NDIMS = {path: w.ndim for path, w in PARAMS.items()}


def updated(grads, *, held=None, **settings):
    chain = optimizer.build(NDIMS, **settings)
    updates, _ = chain.update(grads, chain.init(PARAMS), PARAMS)
    return optimizer.apply(PARAMS, updates, GROUPS, rate=0.1, encoder_rate=0.01, held=held or {})


def zeros():
    return jax.tree.map(jnp.zeros_like, PARAMS)


def test_decay_spares_vectors_and_named_weights():
    after = updated(zeros(), weight_decay=0.5, no_decay="out")
    np.testing.assert_allclose(after["head/kernel"], 2 * (1 - 0.1 * 0.5))
    np.testing.assert_allclose(after["encoder/kernel"], 2 * (1 - 0.01 * 0.5))
    for path in ("head/out/kernel", "head/bias"):
        np.testing.assert_array_equal(after[path], PARAMS[path])


def test_l2_enters_the_gradient_of_every_weight():
    after = updated(zeros(), kind="adam", weight_decay=0.5)
    np.testing.assert_allclose(after["head/bias"], 2 - 0.1, rtol=1e-5)  # Adam's first step


def test_gradients_are_clipped_by_their_global_norm():
    transform = optimizer.build(NDIMS, clip=5.0)
    grads = jax.tree.map(lambda w: jnp.full_like(w, 100.0), PARAMS)
    _, (_, adam, _) = transform.update(grads, transform.init(PARAMS), PARAMS)
    norm = np.sqrt(sum(np.sum(np.square(m)) for m in adam.mu.values()))
    assert norm == pytest.approx(0.1 * 5.0, rel=1e-5)


def test_held_weights_stay():
    grads = jax.tree.map(jnp.ones_like, PARAMS)
    held = {"head/kernel": jnp.array(True), "head/bias": jnp.array(False)}
    after = updated(grads, held=held, weight_decay=0.5)
    np.testing.assert_array_equal(after["head/kernel"], PARAMS["head/kernel"])
    assert (after["head/bias"] != PARAMS["head/bias"]).all()


def test_another_kind_is_an_error():
    with pytest.raises(ValueError, match="'adamw' or 'adam'"):
        optimizer.build(NDIMS, kind="sgd")
