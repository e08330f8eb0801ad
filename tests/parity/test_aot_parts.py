"""AOT's layers, each alone, on the inputs of the goldens; and the size rule."""

import csv

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import aot_goldens as aot
from support import backbone_goldens as goldens
from support import golden_root, tolerances

from vosjax.layers.attention import SelfAttention, join_heads, split_heads
from vosjax.layers.local_attention import LocalAttention
from vosjax.layers.norm import FrozenBatchNorm, group_norm, layer_norm
from vosjax.layers.position import sine_position
from vosjax.memory.read import read
from vosjax.models.aot.identity import CHANNELS, IdentityBank
from vosjax.models.aot.lstt import NORM_GROUPS, FeedForward
from vosjax.models.aot.size import network_size

HEADS = 8


@pytest.fixture(scope="module")
def params():
    """The weights of AOT-T; block 0 of its LSTT."""
    return aot.network("aott", layers=1).params


@pytest.fixture(scope="module")
def block(params):
    return params["lstt"]["blocks_0"]


def last(maps):
    """[n, C, h, w] -> [n, h, w, C]."""
    return jnp.asarray(maps.transpose(0, 2, 3, 1))


def first(maps):
    """[n, h, w, C] -> [n, C, h, w]."""
    return np.asarray(maps).transpose(0, 3, 1, 2)


def dense(weights, x):
    return nn.Dense(weights["kernel"].shape[1]).apply({"params": weights}, x)


@pytest.mark.parametrize("size", ["7x9", "20x17"])
def test_local_attention(block, size):
    golden = goldens.arrays("aot/local_attention.npz")
    grid = tuple(int(n) for n in size.split("x"))
    query, key, value = (
        last(golden[f"{size}/{name}"]).reshape(-1, grid[0] * grid[1], 256) for name in "qkv"
    )

    def attend(query, key, value):
        mixed = LocalAttention(HEADS).apply({"params": block["short"]}, query, key, value, grid)
        return dense(block["short_projection"], mixed)

    got = jax.jit(jax.vmap(attend))(query, key, value).reshape(-1, *grid, 256)
    assert aot.difference(first(got), golden[f"{size}/out"]) <= tolerances.PART


@pytest.mark.parametrize("top_k, member", [(None, "out_top-1"), (8, "out_top8"), (32, "out_top32")])
def test_long_term_attention(block, top_k, member):
    golden = goldens.arrays("aot/long_term_attention.npz")
    query = golden["q"]
    frames = len(golden["k"]) // len(query)
    key, value = (split_heads(golden[name].reshape(frames, *query.shape), HEADS) for name in "kv")
    mixed = read(split_heads(query, HEADS), key, value, np.ones(frames, bool), top_k=top_k)
    got = dense(block["long_projection"], join_heads(mixed))
    assert aot.difference(got, golden[member]) <= tolerances.PART


def test_self_attention(block):
    golden = goldens.arrays("aot/long_term_attention.npz")
    query, value = golden["q"], golden["v"][: len(golden["q"])]
    # With the value as tokens and q - v as position, queries and keys see q and values see v.
    got = SelfAttention(HEADS).apply({"params": block["self_attention"]}, value, query - value)
    assert aot.difference(got, golden["self_attn_out_q_q_v63"]) <= tolerances.PART


def test_feed_forward_activation(block):
    golden = goldens.arrays("aot/gn_act_dwconv.npz")
    weights = {"params": block["feed_forward"]}
    x = last(golden["x"])[:, None]
    got = jax.vmap(lambda x: FeedForward(x.shape[-1], 256).apply(weights, x, method="activate"))(x)
    assert aot.difference(first(got[:, 0]), golden["out"]) <= tolerances.PART


@pytest.mark.parametrize("shuffled", [False, True], ids=["plain", "shuffled"])
@pytest.mark.parametrize("model, aligned", [("aott", True), ("swinb_aotl", False)])
def test_identity_embedding(model, aligned, shuffled):
    golden = goldens.arrays("aot/id_embedding.npz")
    state = aot.rebuilt(model)
    weights = {
        "bank": {
            "kernel": state["patch_wise_id_bank.weight"].transpose(2, 3, 1, 0),
            "bias": state["patch_wise_id_bank.bias"],
        }
    }
    labels = golden[f"{model}/mask"].astype(int)
    labels = golden["perm"][labels] if shuffled else labels  # a shuffle is a choice of slots
    got = IdentityBank(aligned, False).apply(
        {"params": weights}, jax.nn.one_hot(jnp.asarray(labels), CHANNELS)
    )
    want = golden[f"{model}/{'shuffled' if shuffled else 'plain'}"]
    got = aot.maps(got, want.shape[1:], 1)
    assert aot.difference(got, want) <= tolerances.SUGGESTED["id_emb"]


def test_logits_unshuffle_by_the_choice_of_slots():
    golden = goldens.arrays("aot/id_embedding.npz")
    assert aot.difference(golden["unshuffle_in"][golden["perm"]], golden["unshuffle_out"]) == 0


@pytest.mark.parametrize("size", ["7x9", "9x11", "1x3"])
def test_position_embedding(size):
    grid = tuple(int(n) for n in size.split("x"))
    want = goldens.arrays("aot/position_embedding.npz")[size]
    assert aot.difference(aot.maps(sine_position(*grid), grid, 1), want) <= tolerances.PART


def test_norms_of_tiny_variance(params, block):
    golden = goldens.arrays("aot/norms.npz")
    norms = {
        "ln": (layer_norm(), block["norm1"]),
        "gn": (group_norm(8), params["decoder"]["conv_in"]["norm"]),
        "act_gn": (group_norm(NORM_GROUPS), block["feed_forward"]["norm"]),
        "bn": (FrozenBatchNorm(), params["encoder"]["stem_norm"]),
    }
    for name, (norm, weights) in norms.items():
        x = golden[f"{name}_in"]
        got = norm.apply({"params": weights}, x if x.ndim == 2 else last(x))
        got = got if x.ndim == 2 else first(got)
        assert aot.difference(got, golden[f"{name}_out"]) <= tolerances.NORM, name


def test_size_rule():
    with open(golden_root.path("aot/size_rule.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = [
        row
        for row in rows
        if network_size(
            int(row["in_h"]),
            int(row["in_w"]),
            float(row["scale"]),
            aligned=row["align_corners"] == "1",
            max_short_side=float(row["max_short_edge"]) if row["max_short_edge"] else None,
            max_long_side=float(row["max_long_edge"]) if row["max_long_edge"] else None,
        )
        != (int(row["out_h"]), int(row["out_w"]))
    ]
    assert rows and not wrong
