"""The masked memory read: exact against plain lax.top_k and softmax, whatever the layout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.memory import softmax, top_read
from vosjax.memory.affinity import EMPTY_LOGIT, Kernel
from vosjax.memory.read import read
from vosjax.memory.top_k import BLOCK, in_blocks, top_columns
from vosjax.memory.top_read import dense, gather

FRAMES, HEIGHT, WIDTH, CHANNELS, DEPTH = 3, 3, 5, 8, 6
PLACES = HEIGHT * WIDTH


def draw(seed=0, *, heads=2, query_heads=None, key_heads=None, whole=False):
    """query, key and value; whole numbers tie often and are exact in float32."""
    rng = np.random.default_rng(seed)

    def one(*shape):
        return (
            rng.integers(-1, 2, shape).astype(np.float32)
            if whole
            else (rng.standard_normal(shape).astype(np.float32))
        )

    return (
        one(PLACES, query_heads or heads, CHANNELS),
        one(FRAMES, PLACES, key_heads or heads, CHANNELS),
        rng.standard_normal((FRAMES, PLACES, heads, DEPTH)).astype(np.float32),
    )


def plain(query, key, value, valid, *, top_k=None, metric="dot", kernel=None):
    """The definition: every logit at once, lax.top_k, softmax."""
    frames, places, heads, depth = value.shape
    valid = np.broadcast_to(valid if valid.ndim == 2 else valid[:, None], (frames, heads))
    result = np.zeros((query.shape[0], heads, depth), np.float64)
    for head in range(heads):
        q = query[:, min(head, query.shape[1] - 1)]
        k = key.reshape(frames * places, key.shape[2], -1)[:, min(head, key.shape[2] - 1)]
        v = value.reshape(frames * places, heads, depth)[:, head]
        logits = q @ k.T if metric == "dot" else 2 * q @ k.T - (k**2).sum(-1)
        logits = logits / np.sqrt(np.float32(CHANNELS))
        if kernel is not None:
            own = 0 if metric == "dot" else (q**2).sum(-1, keepdims=True) / np.sqrt(CHANNELS)
            best, at = np.argmax(logits - own, 0), np.arange(len(q))[:, None]
            across = at // kernel.width - best // kernel.width
            along = at % kernel.width - best % kernel.width
            logits = logits - (across**2 + along**2) / (2 * kernel.sigma**2)
        logits = np.where(np.repeat(valid[:, head], places), logits, -np.inf).astype(np.float32)
        best_logits, columns = jax.lax.top_k(logits, min(top_k or logits.shape[1], logits.shape[1]))
        if not valid[:, head].any():
            continue
        weights = np.exp(np.float64(best_logits) - np.float64(best_logits[:, :1]))
        weights = weights / weights.sum(-1, keepdims=True)
        result[:, head] = np.einsum("qk,qkd->qd", weights, v[np.asarray(columns)])
    return result


ALL, SOME = np.array([True, True, True]), np.array([True, False, True])


@pytest.mark.parametrize(
    "metric, top_k", [("dot", None), ("l2", None), ("dot", 1), ("l2", 7), ("dot", 999)]
)
def test_equals_the_definition(metric, top_k):
    jitted = jax.jit(lambda *args: read(*args, top_k=top_k, metric=metric))
    for valid in (ALL, SOME):
        got = jitted(*draw(), valid)
        np.testing.assert_allclose(
            got, plain(*draw(), valid, top_k=top_k, metric=metric), atol=2e-6
        )


@pytest.mark.parametrize("top_k", [1, 3, 20])
def test_of_equal_logits_keeps_the_earliest_as_top_k(top_k):
    memory = draw(whole=True)
    got = read(*memory, SOME, top_k=top_k)
    np.testing.assert_allclose(got, plain(*memory, SOME, top_k=top_k), atol=2e-6)


def test_of_a_frame_stored_twice_reads_the_first():
    query, key, value = draw(whole=True)
    key[1] = key[0]
    single = read(query, key[:1], value[:1], ALL[:1], top_k=1)
    np.testing.assert_array_equal(read(query, key[:2], value[:2], ALL[:2], top_k=1), single)


def test_top_k_beyond_what_is_filled_is_the_softmax_over_it():
    only = np.array([False, True, False])
    query, key, value = draw()
    got = read(query, key, value, only, top_k=PLACES + 4)
    np.testing.assert_allclose(got, read(query, key[1:2], value[1:2], ALL[:1]), atol=2e-6)


@pytest.mark.parametrize("top_k", [None, 4])
def test_of_an_empty_memory_is_zero(top_k):
    assert not np.any(read(*draw(), np.zeros(FRAMES, bool), top_k=top_k))


@pytest.mark.parametrize("top_k", [None, 4])
def test_what_empty_slots_hold_does_not_matter(top_k):
    query, key, value = draw()
    other_key, other_value = key.copy(), value.copy()
    other_key[1], other_value[1] = 50, 70
    np.testing.assert_array_equal(
        read(query, key, value, SOME, top_k=top_k),
        read(query, other_key, other_value, SOME, top_k=top_k),
    )


@pytest.mark.parametrize("top_k", [None, 4])
@pytest.mark.parametrize("query_heads, key_heads", [(1, 1), (1, 2)])
def test_heads_may_share_affinity_and_begin_apart(query_heads, key_heads, top_k):
    memory = draw(query_heads=query_heads, key_heads=key_heads)
    jitted = jax.jit(lambda *args: read(*args, top_k=top_k))
    apart = np.array([[True, False], [True, True], [False, False]])
    for valid in (SOME, np.stack([SOME, SOME], 1), apart):
        expected = plain(*memory, valid, top_k=top_k)
        np.testing.assert_allclose(jitted(*memory, valid), expected, atol=2e-6)


@pytest.mark.parametrize(
    "metric, key_heads, top_k", [("dot", 1, None), ("l2", 2, None), ("dot", 2, 4), ("l2", 1, 20)]
)
def test_kernel_weighs_before_the_largest_are_chosen(metric, key_heads, top_k):
    memory, kernel = draw(query_heads=1, key_heads=key_heads), Kernel(1.3, WIDTH)
    got = read(*memory, SOME, top_k=top_k, metric=metric, kernel=kernel)
    expected = plain(*memory, SOME, top_k=top_k, metric=metric, kernel=kernel)
    np.testing.assert_allclose(got, expected, atol=2e-6)
    assert np.abs(got - read(*memory, SOME, top_k=top_k, metric=metric)).max() > 1e-2


def test_queries_in_chunks_change_nothing(monkeypatch):
    kernel = Kernel(2.0, WIDTH)
    whole = read(*draw(), SOME, top_k=5, kernel=kernel)
    monkeypatch.setattr(top_read, "CHUNK", 4 * FRAMES * BLOCK)
    np.testing.assert_allclose(read(*draw(), SOME, top_k=5, kernel=kernel), whole, atol=1e-6)


@pytest.mark.parametrize("k", [1, 5, 16, 40, 96])
def test_top_columns_are_those_of_top_k(k):
    scores = np.random.default_rng(k).integers(0, 9, (7, 96)).astype(np.float32)
    stored = scores.reshape(7, -1, BLOCK).swapaxes(1, 2)
    for got, expected in zip(top_columns(stored, k), jax.lax.top_k(scores, k)):
        np.testing.assert_array_equal(got, expected)


def test_both_read_outs_agree_also_among_equal_logits():
    rng = np.random.default_rng(3)
    scores = jnp.asarray(rng.integers(0, 6, (9, 20)), jnp.float32).at[0].set(EMPTY_LOGIT)
    value = jnp.asarray(rng.standard_normal((20, 3, DEPTH)), jnp.float32)
    logits = in_blocks(scores, 1, fill=EMPTY_LOGIT)
    largest, columns = top_columns(logits.reshape(9, BLOCK, -1), 4)
    weights = jax.nn.softmax(largest, -1).at[0].set(0)
    for head in range(3):
        expected = np.einsum("qk,qkd->qd", weights, value[np.minimum(columns, 19), head])
        for form in (gather, dense):
            got = form(logits, largest, columns, value.reshape(-1, DEPTH), head, heads=3)
            np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("top_k", [None, 4])
def test_gradients_are_those_of_the_definition(top_k):
    query, key, value = draw(heads=2, query_heads=1, key_heads=1)
    valid = np.array([[True, False], [True, True], [False, False]])
    filled = np.repeat(valid, PLACES, 0).T

    def definition(query, key, value):
        logits = query[:, 0] @ key.reshape(-1, CHANNELS).T / np.sqrt(CHANNELS)
        logits = jnp.where(filled[:, None], logits, -jnp.inf)
        least = jax.lax.top_k(logits, top_k or logits.shape[-1])[0][..., -1:]
        weights = jax.nn.softmax(jnp.where(logits >= least, logits, -jnp.inf))
        return jnp.einsum("hqs,shd->qhd", weights, value.reshape(-1, 2, DEPTH))

    def gradients(function):
        return jax.grad(lambda *args: jnp.sum(jnp.sin(function(*args))), (0, 1, 2))(
            query, key, value
        )

    for got, expected in zip(
        gradients(lambda *args: read(*args, valid, top_k=top_k)), gradients(definition)
    ):
        np.testing.assert_allclose(got, expected, atol=3e-6)


@pytest.mark.parametrize("metric", ["dot", "l2"])
def test_heads_in_turn_or_together_change_nothing(monkeypatch, metric):
    valid = np.array([[True, False], [True, True], [False, False]])

    def both():
        return jax.value_and_grad(
            lambda *args: jnp.sum(jnp.sin(read(*args, valid, metric=metric))), (0, 1, 2)
        )(*draw())

    together = both()
    monkeypatch.setattr(softmax, "TOGETHER", 0)
    for got, expected in zip(jax.tree.leaves(both()), jax.tree.leaves(together)):
        np.testing.assert_allclose(got, expected, atol=1e-6)
