"""The kernels that read the memory on TPUs, interpreted, agree with the plain forms."""

import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.memory import top_kernel
from vosjax.memory.affinity import Kernel, best_queries
from vosjax.memory.flash import flash_read
from vosjax.memory.softmax import plain_read
from vosjax.memory.top_read import dense_read, sparse_read


def draw(
    queries, frames, positions, heads, depth, *, own_query, own_key, channels, dtype="float32"
):
    rng = np.random.default_rng(0)

    def one(*shape):
        return jnp.asarray(rng.standard_normal(shape), dtype)

    return (
        one(queries, heads if own_query else 1, channels),
        one(frames, positions, heads if own_key else 1, channels),
        one(frames, positions, heads, depth),
    )


def difference(one, other):
    return np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).max()


ATTENTION = dict(heads=2, depth=6, own_query=True, own_key=True, channels=8)  # AOT: narrow heads
ONE_HEAD = dict(heads=1, depth=256, own_query=False, own_key=False, channels=128)  # DeAOT
OBJECTS = dict(heads=3, depth=128, own_query=False, own_key=False, channels=16)  # STCN: shared keys
OWN_KEYS = dict(heads=3, depth=128, own_query=False, own_key=True, channels=128)  # STM


@pytest.mark.parametrize("metric", ["dot", "l2"])
@pytest.mark.parametrize("shapes", [ATTENTION, ONE_HEAD, OBJECTS, OWN_KEYS])
def test_equals_the_plain_form(shapes, metric):
    arrays = draw(20, 3, 30, **shapes)
    valid = np.ones((3, shapes["heads"]), bool)
    valid[1] = False
    got = flash_read(*arrays, jnp.asarray(valid), metric=metric, interpret=True)
    assert difference(got, plain_read(*arrays, jnp.asarray(valid), metric=metric)) < 1e-5


@pytest.mark.parametrize("shapes", [ATTENTION, OBJECTS])
def test_heads_have_slots_of_their_own(shapes):
    arrays = draw(20, 3, 30, **shapes)
    valid = np.ones((3, shapes["heads"]), bool)
    valid[0, 0] = valid[2, 1] = False
    got = flash_read(*arrays, jnp.asarray(valid), interpret=True)
    assert difference(got, plain_read(*arrays, jnp.asarray(valid))) < 1e-5


def test_several_blocks_of_queries_and_of_elements():
    arrays = draw(300, 2, 600, **ATTENTION)
    valid = jnp.ones((2, 2), bool)
    assert difference(flash_read(*arrays, valid, interpret=True), plain_read(*arrays, valid)) < 1e-5


def test_an_empty_memory_reads_as_zeros():
    arrays = draw(20, 2, 30, **ATTENTION)
    assert not np.any(flash_read(*arrays, jnp.zeros((2, 2), bool), interpret=True))


def test_what_empty_slots_hold_does_not_matter():
    query, key, value = draw(20, 2, 30, **ATTENTION)
    valid = jnp.array([[True, True], [False, False]])
    expected = flash_read(query, key, value, valid, interpret=True)
    got = flash_read(query, key.at[1].set(jnp.nan), value.at[1].set(jnp.nan), valid, interpret=True)
    np.testing.assert_array_equal(got, expected)


def test_one_layer_of_several_is_read():
    query, key, value = draw(20, 2, 30, **ATTENTION)
    valid = jnp.ones((2, 2), bool)
    layers = [jnp.stack([-x, x, 2 * x], 1) for x in (key, value)]
    for read in (lambda *a, **k: flash_read(*a, **k, interpret=True), plain_read):
        np.testing.assert_array_equal(
            read(query, *layers, valid, layer=1), read(query, key, value, valid)
        )


def test_bfloat16_agrees_to_its_own_rounding():
    arrays = draw(20, 2, 30, **ATTENTION, dtype="bfloat16")
    valid = jnp.ones((2, 2), bool)
    got = flash_read(*arrays, valid, interpret=True)
    assert got.dtype == jnp.bfloat16
    exact = plain_read(*(x.astype(jnp.float32) for x in arrays), valid)
    own = difference(plain_read(*arrays, valid), exact)
    assert difference(got, exact) <= 2 * own + 1e-3


def both_top(arrays, valid, **settings):
    """The k best, by the kernel and by the search."""
    settings = dict(metric="dot", kernel=None) | settings
    return (
        dense_read(*arrays, jnp.asarray(valid), **settings, interpret=True),
        sparse_read(*arrays, jnp.asarray(valid), **settings),
    )


def whole(arrays):
    """Numbers that tie often, and whose products are exact."""
    query, key, value = arrays
    return jnp.round(query), jnp.round(key), value


@pytest.mark.parametrize(
    "shapes, metric", [(ATTENTION, "dot"), (ONE_HEAD, "dot"), (OBJECTS, "l2"), (OWN_KEYS, "l2")]
)
def test_top_k_equals_the_search(shapes, metric):
    arrays = draw(20, 3, 30, **shapes)
    valid = np.ones((3, shapes["heads"]), bool)
    valid[1] = valid[0, 0] = False
    assert difference(*both_top(arrays, valid, top_k=7, metric=metric)) < 1e-5


def test_top_k_of_one_softmax_for_all_objects():
    arrays = draw(20, 3, 30, **OBJECTS)
    assert difference(*both_top(arrays, [[True], [False], [True]], top_k=7)) < 1e-5


@pytest.mark.parametrize("top_k, metric", [(1, "dot"), (20, "l2"), (900, "dot")])
def test_of_equal_logits_the_kernel_keeps_the_earliest(top_k, metric):
    arrays = whole(draw(40, 2, 600, **ONE_HEAD | dict(channels=4)))
    assert difference(*both_top(arrays, [[True], [True]], top_k=top_k, metric=metric)) < 1e-5


def test_frames_that_are_all_the_same():
    query, key, value = whole(draw(20, 1, 300, **ONE_HEAD))
    still = query, jnp.repeat(key, 4, 0), jnp.concatenate([value, -value, 2 * value, value])
    assert difference(*both_top(still, np.ones((4, 1), bool), top_k=5)) < 1e-5


def test_top_k_with_a_gaussian_around_the_best_query():
    arrays = draw(24, 3, 30, **OWN_KEYS)
    best = best_queries(*arrays[:2], "l2")
    settings = dict(top_k=5, metric="l2", kernel=Kernel(1.3, 6))
    valid = np.array([[True] * 3, [False] * 3, [True, False, True]])
    got, expected = (
        form(*arrays, jnp.asarray(valid), best, **settings, **more)
        for form, more in ((dense_read, dict(interpret=True)), (sparse_read, {}))
    )
    assert difference(got, expected) < 1e-5


def test_top_k_of_blocks_of_queries_and_of_elements(monkeypatch):
    monkeypatch.setattr(top_kernel, "ON_CHIP", 4 * 32 * 1536)
    arrays = draw(70, 2, 600, **ONE_HEAD)
    assert difference(*both_top(arrays, [[True], [True]], top_k=20)) < 1e-5


def test_more_elements_than_fit_are_searched_for(monkeypatch):
    monkeypatch.setattr(top_kernel, "ON_CHIP", 4 * 16 * 512)
    arrays = draw(20, 2, 600, **ONE_HEAD)
    assert not top_kernel.fits(1200)
    np.testing.assert_array_equal(*both_top(arrays, [[True], [True]], top_k=20))


def test_top_k_of_an_empty_memory_is_zero():
    assert not np.any(both_top(draw(20, 2, 30, **ONE_HEAD), np.zeros((2, 1), bool), top_k=4)[0])
