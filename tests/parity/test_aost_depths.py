"""AOST's depths agree with each other; its parts: fusion, identity embedding, norm."""

import jax
import numpy as np
import pytest
from support import aost_goldens as aost
from support import aot_goldens as aot
from support import backbone_goldens as goldens
from support import tolerances

from vosjax import models
from vosjax.checkpoints.convert import convert
from vosjax.errors import InputError
from vosjax.layers.norm import layer_norm
from vosjax.models.aot.identity import CHANNELS, IdentityBank
from vosjax.models.aot.lstt import Block

MODEL = "aost"


@pytest.fixture(scope="module")
def first_frames():
    """{depth: what the clip's frame 1 shows}, all decodes of the deepest; ten slots, unmasked."""
    frames, masks = aot.clip("clip_97x129.npz")
    decoded = {}
    for depth in (1, 2, 3):
        net = aost.network(MODEL, depth=depth, mask_unused=False)
        state = aot.empty(net, frames.shape[1:3], 10)
        state, _ = aot.advance(
            net,
            state,
            frames[0],
            masks[0],
            given=np.ones(10, bool),
            when=aot.when(0, annotated=True),
        )
        before, (_, decoded[depth]) = (
            state,
            aot.advance(net, state, frames[1], None, given=np.zeros(10, bool), when=aot.when(1)),
        )

    def decodes(state, frame):
        vos = net.model.vos
        _, aux = vos.predict(net.params, state, vos.encode(net.params, frame))
        return net.model.deep_logits(net.params, aux)

    return decoded, jax.jit(decodes)(before, frames[1])


@pytest.mark.slow
def test_layers_below_the_depth_do_not_know_of_it(first_frames):
    seen, _ = first_frames
    for depth in (1, 2):
        assert aot.difference(seen[depth].outputs, np.asarray(seen[3].outputs[:depth])) <= 1e-5


def test_decodes_of_the_deep_run_are_the_shallow_models_predictions(first_frames):
    seen, decoded = first_frames
    assert len(decoded) == 3
    for depth, logits in enumerate(decoded, 1):
        assert aot.difference(seen[depth].logits, np.asarray(logits)) <= 1e-4


def test_decodes_of_the_deep_run_are_the_references(first_frames):
    golden, _ = aost.load("aost_d3_97x129")
    limit = tolerances.limit("aost", "aost_d3_97x129", "logits")
    for depth in (1, 2):
        want = golden[f"logits_at_depth/t1/d{depth}"]
        assert aot.difference(first_frames[0][depth].logits4, want) <= limit


def test_state_holds_the_run_layers_only():
    state = {
        depth: aot.empty(aost.network(MODEL, depth=depth, mask_unused=False), (97, 129), 2)
        for depth in (1, 3)
    }
    assert state[1].long.data["k"].nbytes * 3 == state[3].long.data["k"].nbytes


def test_depth_changes_no_weight_and_no_name():
    deep, shallow = aost.build(MODEL), aost.build(MODEL, depth=1)
    assert aot.expected(deep) == aot.expected(shallow)
    assert [name.key for name in deep.checkpoint_names.entries] == [
        name.key for name in shallow.checkpoint_names.entries
    ]


def test_file_of_a_shallower_network_is_refused():
    state = {
        key: array
        for key, array in aot.rebuilt(MODEL, aost.FOLDER).items()
        if not key.startswith("LSTT.layers.2.")
    }
    with pytest.raises(InputError, match=r"LSTT\.layers\.2\."):
        convert(state, aost.build(MODEL, depth=2).checkpoint_names)


def test_depth_that_is_not_there_is_refused():
    for depth, words in ((0, "depth is 0; at least 1"), (4, "1 to 3")):
        with pytest.raises(ValueError, match=words):
            models.build("aost", depth=depth)
    with pytest.raises(ValueError, match="scalable"):
        models.build("aot", layers=3, depth=2)


@pytest.fixture(scope="module")
def parts():
    return goldens.arrays("aost/parts.npz")


def test_fusion_gates_keys_and_shifts_values(parts):
    block = Block("v2", 8, 8, 256, 1024, None, 0.0)
    weights = {"params": aost.params(MODEL)["lstt"]["blocks_0"]}
    fuse = jax.vmap(lambda k, v, e: block.apply(weights, k, v, e, method="fuse"), 1, 1)
    key, value = fuse(parts["fuse/k"], parts["fuse/v"], parts["fuse/e"])
    assert aot.difference(key, parts["fuse/K_m"]) <= tolerances.PART
    assert aot.difference(value, parts["fuse/V_m"]) <= tolerances.PART


def embed(identities, *, normed):
    weights = dict(aost.params(MODEL)["identity"])
    if not normed:
        del weights["norm"]
    return IdentityBank(True, normed).apply({"params": weights}, identities)


@pytest.mark.parametrize("normed, member", [(False, "id/before_norm"), (True, "id/after_norm")])
def test_identity_embedding(parts, normed, member):
    identities = jax.nn.one_hot(parts["id/mask"], CHANNELS)
    got = aot.maps(embed(identities, normed=normed), parts[member].shape[1:], 4)
    limit = tolerances.limit("aost", "aost_d1_97x129", "id_emb")
    assert aot.difference(got, parts[member]) <= limit


def test_identity_embedding_of_nothing_is_the_normed_bias(parts):
    got = embed(np.zeros((97, 129, CHANNELS), np.float32), normed=True)
    want = np.broadcast_to(parts["id/empty_after_norm"], got.shape)
    assert aot.difference(got, want) <= tolerances.PART


def test_identity_norms_epsilon(parts):
    weights = {"params": aost.params(MODEL)["identity"]["norm"]}
    got = layer_norm().apply(weights, parts["norm/in"])
    assert aot.difference(got, parts["norm/out"]) <= tolerances.NORM
