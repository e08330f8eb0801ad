"""STCN's encoders, read and decoder give the reference's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import matching_goldens as goldens

from vosjax.checkpoints.convert import convert
from vosjax.errors import InputError
from vosjax.layers.objects import aggregate
from vosjax.memory.affinity import Kernel, affinity
from vosjax.memory.read import read
from vosjax.types import Spec, When

FEATURES, VALUES, READ = 1e-4, 2e-4, 1e-5  # the limits of the goldens' README, and the reads'


@pytest.fixture(scope="module")
def golden():
    return goldens.arrays("stcn/encode_112.npz")


@pytest.fixture(scope="module")
def params():
    return goldens.params("stcn", "stcn")


@pytest.fixture(scope="module")
def frames(golden, params):
    """The encoded frames 0 to 2."""
    return [goldens.encoder("stcn")(params, frame) for frame in goldens.frames_of(golden)]


@pytest.fixture(scope="module")
def commit():
    """Commits a frame's masks [N+1, H, W] of the given objects into an empty memory."""
    vos = goldens.build("stcn").vos

    @jax.jit
    def commit(params, frame, masks, given):
        state = vos.init(params, Spec(*masks.shape[1:], given.size, 2))
        aux = vos.predict(params, state, frame)[1]
        yes = jnp.ones((), bool)
        return vos.commit(params, state, aux, masks, given, When(yes, yes, jnp.int32(0)))

    return commit


def one_hot(labels, count=4):
    return jnp.asarray(labels == np.arange(count)[:, None, None], jnp.float32)


def channels_first(x):
    return np.asarray(x[0]).transpose(2, 0, 1)


def values(state, h, w):
    """Of slot 0: [N, 512, h, w]."""
    value = np.asarray(state.bank.data.value[0])
    return value.reshape(h, w, *value.shape[1:]).transpose(2, 3, 0, 1)


def test_keys(frames, golden):
    for frame, expected in zip(frames, golden["k16"]):
        np.testing.assert_allclose(channels_first(frame.maps.key), expected, atol=FEATURES)


@pytest.mark.parametrize("name, every", [("thin", 4), ("f16", 8), ("f8", 8), ("f4", 16)])
def test_feature_maps(frames, golden, name, every):
    features = channels_first(getattr(frames[0].maps, name))[::every]
    np.testing.assert_allclose(features, golden[name], atol=FEATURES)


def test_first_masks_are_aggregated(golden):
    probs = jax.nn.softmax(aggregate(one_hot(golden["labels"][0])[1:], jnp.ones(3, bool)), 0)
    np.testing.assert_allclose(probs, golden["mask0"], atol=1e-6)


def test_values_of_three_objects(golden, params, frames, commit):
    state = commit(params, frames[0], one_hot(golden["labels"][0]), jnp.ones(3, bool))
    expected = golden["value0"]
    value = values(state, *expected.shape[2:])[:, ::2]
    np.testing.assert_allclose(value, expected, atol=VALUES)


def test_value_of_one_object_sees_no_others(golden, params, frames, commit):
    masks = one_hot(np.where(golden["labels"][0] == 1, 1, 0))
    state = commit(params, frames[0], masks, jnp.array([True, False, False]))
    expected = golden["value0_single"]
    value = values(state, *expected.shape[1:])[0, ::2]
    np.testing.assert_allclose(value, expected, atol=VALUES)


def test_slots_that_nobody_has_given_hold_nothing(golden, params, frames, commit):
    state = commit(params, frames[0], one_hot(golden["labels"][0]), jnp.array([True, True, False]))
    assert not np.any(values(state, 7, 10)[2])


def test_affinity_is_the_reference_up_to_rounding():
    golden = goldens.arrays("stcn/read_112.npz")
    query, key = (jnp.asarray(golden[name].T)[:, None] for name in ("k_query", "k_mem"))
    logits = np.asarray(affinity(query, key, "l2")[0])
    np.testing.assert_allclose(logits.T, golden["raw"], atol=5e-5)


@pytest.mark.parametrize("top_k, name", [(20, "aff_top20"), (None, "aff_full")])
def test_weights_of_the_memory(top_k, name):
    golden = goldens.arrays("stcn/read_112.npz")
    query, key = (jnp.asarray(golden[name].T)[:, None] for name in ("k_query", "k_mem"))
    places = len(query)
    key = key.reshape(-1, places, *key.shape[1:])
    value = jnp.eye(key.shape[0] * places).reshape(*key.shape[:3], -1)
    weights = read(query, key, value, jnp.ones(len(key), bool), top_k=top_k, metric="l2")
    np.testing.assert_allclose(np.asarray(weights)[:, 0].T, golden[name], atol=READ)


@pytest.mark.parametrize(
    "settings, name",
    [
        (dict(top_k=None, metric="l2"), "stcn_full"),
        (dict(top_k=1, metric="l2"), "stcn_top1"),
        (dict(top_k=5, metric="l2"), "stcn_top5"),
        (dict(top_k=20, metric="l2"), "stcn_top20"),
        (dict(top_k=50, metric="l2"), "stcn_top50"),
        (dict(top_k=126, metric="l2"), "stcn_top126"),
        (dict(top_k=20, metric="l2"), "stcn_ms_top20_sigma0"),
        (dict(top_k=20, metric="l2", sigma=2), "stcn_ms_top20_sigma2"),
        (dict(top_k=20, metric="l2", sigma=7), "stcn_ms_top20_sigma7"),
        (dict(top_k=None), "mivos_top0"),
        (dict(top_k=20), "mivos_top20"),
        (dict(top_k=50), "mivos_top50"),
        (dict(top_k=20, sigma=5.6), "mivos_top20_sigma5.6"),
        (dict(top_k=None), "stm_read"),
    ],
)
def test_read_variants(settings, name):
    golden = goldens.arrays("stcn/read_variants.npz")
    width = "64" if name.startswith("stcn") else "128"
    key, query, value = (golden[part] for part in (f"mk{width}", f"qk{width}", "mv"))
    height, columns = query.shape[2:]
    sigma = settings.pop("sigma", None) if "sigma" in settings else None
    query = query[0].reshape(1, query.shape[1], -1).transpose(2, 0, 1)
    key, value = (
        jnp.asarray(x.reshape(*x.shape[:3], -1).transpose(2, 3, 0, 1)) for x in (key, value)
    )
    readout = read(
        query,
        key,
        value,
        jnp.ones(len(key), bool),
        **settings,
        kernel=sigma and Kernel(sigma, columns),
    )
    readout = np.asarray(readout).reshape(height, columns, *readout.shape[1:]).transpose(2, 3, 0, 1)
    np.testing.assert_allclose(readout, golden[name], atol=READ)


def test_names_are_exactly_those_of_the_reference():
    weights, model = goldens.state_dict("stcn"), goldens.build("stcn")
    convert(weights, model.checkpoint_names, expected=goldens.shapes(model))
    lacking = {key: weights[key] for key in weights if key != "decoder.pred.bias"}
    with pytest.raises(InputError, match="missing: decoder.pred.bias"):
        convert(lacking, model.checkpoint_names)
    with pytest.raises(InputError, match="not expected: stranger"):
        convert(weights | {"stranger": np.zeros(1)}, model.checkpoint_names)


def test_files_of_stage_0_get_a_fifth_channel_of_zeros():
    weights, model = goldens.state_dict("stcn", "manifest_stage0.json"), goldens.build("stcn")
    flat = convert(weights, model.checkpoint_names, expected=goldens.shapes(model))
    stem = flat["value_encoder/conv1/kernel"]
    np.testing.assert_array_equal(
        stem[:, :, :4].transpose(3, 2, 0, 1), weights["value_encoder.conv1.weight"]
    )
    assert stem.shape[2] == 5 and not stem[:, :, 4].any()


def test_models_without_attention_lack_its_keys():
    weights = {
        key: value for key, value in goldens.state_dict("stcn").items() if "attention" not in key
    }
    model = goldens.build("stcn", cbam=False)
    convert(weights, model.checkpoint_names, expected=goldens.shapes(model))
