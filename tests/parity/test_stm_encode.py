"""STM's encoders, read, decoder and aggregation give the reference's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import matching_goldens as goldens

from vosjax.backbones.resnet import VARIANTS, ResNet
from vosjax.checkpoints.convert import convert
from vosjax.layers.objects import aggregate
from vosjax.memory.affinity import affinity
from vosjax.types import Spec, When

LIMIT, WEIGHTS, PROBS = 1e-4, 1e-5, 5e-5  # the goldens' README; weights and probabilities
STM = dict(align=False, aspp=False, top_k=None)


@pytest.fixture(scope="module")
def golden():
    return goldens.arrays("stm/encode_112.npz")


@pytest.fixture(scope="module")
def params():
    return goldens.params("stm", "famnet", **STM)


@pytest.fixture(scope="module")
def frames(golden, params):
    return [goldens.encoder("famnet")(params, frame) for frame in goldens.frames_of(golden)]


@pytest.fixture(scope="module")
def steps(golden, params, frames):
    """State after frame 0, and what is predicted of frame 1."""
    vos = goldens.build("famnet", **STM).vos
    count = len(golden["mem_k"])

    @jax.jit
    def run(params, frames, labels):
        state = vos.init(params, Spec(*labels.shape, count, 2))
        probs = jax.nn.one_hot(labels, count + 1, axis=0)
        yes = jnp.ones((), bool)
        when = When(yes, yes, jnp.int32(0))
        aux = vos.predict(params, state, frames[0])[1]
        state = vos.commit(params, state, aux, probs, jnp.ones(count, bool), when)
        return state, vos.predict(params, state, frames[1])[0]

    return run(params, frames, jnp.asarray(golden["labels"][0], jnp.int32))


def channels_first(x, h=None, w=None):
    x = np.asarray(x)
    return (x[0] if h is None else x.reshape(h, w, -1)).transpose(2, 0, 1)


def test_query_encoder(golden, frames):
    h, w = golden["q_k"].shape[1:]
    maps = frames[1].maps
    np.testing.assert_allclose(
        np.asarray(maps.image[0, ::4, ::4]).transpose(2, 0, 1), golden["q_norm"], atol=LIMIT
    )
    np.testing.assert_allclose(channels_first(maps.f4)[::16], golden["q_r2"], atol=LIMIT)
    np.testing.assert_allclose(channels_first(maps.f8)[::8], golden["q_r3"], atol=LIMIT)
    np.testing.assert_allclose(channels_first(frames[1].query, h, w), golden["q_k"], atol=LIMIT)
    np.testing.assert_allclose(channels_first(maps.value)[::2], golden["q_v"], atol=LIMIT)


def test_memory_encoder_sums_three_stems(golden, params, frames):
    labels = golden["labels"][0]
    masks = [jnp.asarray(mask, jnp.float32)[None, ..., None] for mask in (labels == 1, labels > 1)]
    network = ResNet(VARIANTS["50"], extra_stems=("conv1_m", "conv1_o"))
    maps = jax.jit(network.apply)(
        {"params": params["memory_encoder"]}, frames[0].maps.image, extras=tuple(masks)
    )
    np.testing.assert_allclose(channels_first(maps.f16)[::8], golden["m_r4"], atol=LIMIT)


def test_memory_keys_and_values(golden, steps):
    entry = steps[0].bank.data
    h, w = golden["mem_k"].shape[2:]
    for stored, name, every in ((entry.key, "mem_k", 1), (entry.value, "mem_v", 2)):
        for index, expected in enumerate(golden[name]):
            np.testing.assert_allclose(
                channels_first(stored[0, :, index], h, w)[::every], expected, atol=LIMIT
            )


def test_affinity(golden, steps, frames):
    logits = affinity(frames[1].query, steps[0].bank.data.key[0], "dot")
    weights = np.asarray(jax.nn.softmax(logits, -1)).transpose(0, 2, 1)
    np.testing.assert_allclose(weights, golden["affinity"], atol=WEIGHTS)


def test_aggregated_logits(golden, steps):
    aggregated = np.asarray(steps[1])[:, ::4, ::4]
    np.testing.assert_allclose(aggregated, golden["aggregated"][: len(aggregated)], atol=LIMIT)


def test_object_probabilities(golden, steps):
    odds = np.exp(np.asarray(steps[1][1:], np.float64))
    np.testing.assert_allclose((odds / (1 + odds))[:, ::2, ::2], golden["ps"], atol=PROBS)


def test_aggregation():
    golden = goldens.arrays("stm/aggregate.npz")
    logits = aggregate(jnp.asarray(golden["ps"]), jnp.ones(len(golden["ps"]), bool))
    np.testing.assert_allclose(logits, golden["logit"][0, : len(logits)], atol=2e-5)


def test_slots_that_nobody_has_given_weigh_nothing():
    golden = goldens.arrays("stm/aggregate.npz")
    probs = jnp.asarray(golden["ps"])
    live = jnp.arange(len(probs) + 2) < len(probs)
    more = aggregate(jnp.concatenate([probs, jnp.ones((2, *probs.shape[1:]))]), live)
    np.testing.assert_array_equal(more[: len(probs) + 1], aggregate(probs, live[: len(probs)]))
    assert np.all(np.asarray(jax.nn.softmax(more, 0))[len(probs) + 1 :] == 0)


def test_names_are_exactly_those_of_the_reference():
    model = goldens.build("famnet", **STM)
    convert(goldens.state_dict("stm"), model.checkpoint_names, expected=goldens.shapes(model))
