"""Window attention equals its definition, position by position, in every platform's form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.layers.local_attention import local_attention

HEADS, DEPTH = 2, 3


def draw(height, width, radius, *, offset=True):
    rng = np.random.default_rng(0)

    def one(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    side = 2 * radius + 1
    query, key = one(height, width, HEADS, 4), one(height, width, HEADS, 4)
    return (
        query,
        key,
        one(height, width, HEADS, DEPTH),
        one(height, width, HEADS, side, side),
        one(HEADS, DEPTH, side, side) if offset else None,
    )


def definition(query, key, value, bias, offsets, radius):
    height, width = query.shape[:2]
    result = np.zeros((height, width, HEADS, DEPTH))
    for y, x, head in np.ndindex(height, width, HEADS):
        window = []
        for dy, dx in np.ndindex(*bias.shape[-2:]):
            v, u = y + dy - radius, x + dx - radius
            if 0 <= v < height and 0 <= u < width:
                logit = query[y, x, head] @ key[v, u, head] / 2 + bias[y, x, head, dy, dx]
                shift = 0 if offsets is None else offsets[head, :, dy, dx]
                window.append((logit, value[v, u, head] + shift))
        weights = np.exp(np.array([logit for logit, _ in window], np.float64))
        result[y, x, head] = weights @ np.array([row for _, row in window]) / weights.sum()
    return result


def attend(query, key, value, bias, offsets, radius):
    """One program, made anew since the platform's form is chosen while it is traced."""
    form = functools.partial(local_attention, radius=radius)
    return jax.jit(lambda *arrays: form(*arrays[:4], offsets=arrays[4]))(
        query, key, value, bias, offsets
    )


@pytest.fixture(params=["cpu", "default"])
def platform(request, monkeypatch):
    """Each of the forms between which the platform chooses."""
    monkeypatch.setattr(
        jax.lax, "platform_dependent", lambda *args, **forms: forms[request.param](*args)
    )


@pytest.mark.parametrize("height, width, radius", [(5, 6, 1), (4, 3, 3), (1, 7, 2)])
def test_equals_the_definition(platform, height, width, radius):
    arrays = draw(height, width, radius)
    np.testing.assert_allclose(attend(*arrays, radius), definition(*arrays, radius), atol=2e-6)


def test_goes_without_offsets(platform):
    arrays = draw(4, 5, 1, offset=False)
    np.testing.assert_allclose(attend(*arrays, 1), definition(*arrays, 1), atol=2e-6)


def test_gradients_are_the_same_on_every_platform(monkeypatch):
    arrays = draw(4, 5, 2)

    def gradients(form):
        with monkeypatch.context() as patch:
            patch.setattr(jax.lax, "platform_dependent", lambda *args, **forms: forms[form](*args))
            loss = jax.grad(lambda *arrays: jnp.sum(jnp.sin(attend(*arrays, 2))), range(5))
            return jax.jit(loss)(*arrays)

    for one, other in zip(gradients("cpu"), gradients("default")):
        np.testing.assert_allclose(one, other, atol=2e-6)


def test_a_batch_changes_nothing():
    arrays = draw(4, 5, 2)
    batched = jax.jit(jax.vmap(lambda *arrays: attend(*arrays, 2)))(
        *(np.stack([x, 2 * x]) for x in arrays)
    )
    np.testing.assert_allclose(batched[0], attend(*arrays, 2), atol=1e-6)
