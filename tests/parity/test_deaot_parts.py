"""DeAOT's layers alone on the goldens' inputs, and strict names for every published variant."""

import jax
import numpy as np
import pytest
from support import aot_goldens as aot
from support import backbone_goldens as goldens
from support import tolerances

from vosjax import models
from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.weights import nest
from vosjax.layers.local_attention import LocalAttention
from vosjax.layers.norm import group_norm
from vosjax.models.deaot.names import block
from vosjax.models.deaot.propagation import (
    STREAMS,
    Gated,
    Propagation,
    SelfPropagation,
    single_head,
)
from vosjax.names import Names, norm

RADIUS = 7
VARIANTS = {"deaott": 1, "deaots": 2, "deaotb": 3, "deaotl": 3, "r50_deaotl": 3, "swinb_deaotl": 3}


@pytest.fixture(scope="module")
def golden():
    return goldens.arrays("aot/gated_propagation.npz")


@pytest.fixture(scope="module")
def weights():
    """The first block's weights and the last norm's, of the smallest model."""
    entries = (
        *block("block", "LSTT.layers.0", first=True),
        *norm("norm", "LSTT.decoder_norms.0.gn"),
    )
    state = aot.rebuilt("deaott")
    keys = {entry.key for entry in entries}
    return nest(convert({key: state[key] for key in keys}, Names(entries)))


def tokens(maps):
    """[C, h, w] -> ([h * w, C], (h, w))."""
    return maps.reshape(maps.shape[0], -1).T, maps.shape[1:]


def gated(weights, mixed, gate, grid):
    return Gated(weights["projection"]["kernel"].shape[1], 0.1).apply(
        {"params": weights}, mixed, gate, grid
    )


def test_long_term_propagation(golden, weights):
    frames = len(golden["k"]) // len(golden["q"])
    key, value = (golden[name].reshape(frames, len(golden["q"]), -1) for name in "kv")
    mixed = single_head(golden["q"], key, value, np.ones(frames, bool))
    grid = golden["q2d"].shape[1:]
    got = gated(weights["block"]["long_out"], mixed, golden["u"], grid)
    assert aot.difference(got, golden["long_out"]) <= tolerances.PART


def test_short_term_propagation(golden, weights):
    (query, grid), (key, _), (value, _) = (tokens(golden[f"{name}2d"]) for name in "qkv")
    mixed = LocalAttention(1, offset=False).apply(
        {"params": weights["block"]["short"]}, query, key, value, grid
    )
    got = gated(weights["block"]["short_out"], mixed, golden["u"], grid)
    assert aot.difference(got, golden["local_out"]) <= tolerances.PART


def test_short_term_weights(golden, weights):
    (query, (height, width)), (key, _) = (tokens(golden[f"{name}2d"]) for name in "qk")
    everyone = np.eye(height * width, dtype=np.float32)  # as values: what comes out is the weights
    got = np.asarray(
        LocalAttention(1, offset=False).apply(
            {"params": weights["block"]["short"]}, query, key, everyone, (height, width)
        )
    )
    want = np.zeros_like(everyone)
    window = golden["local_attn"].reshape(2 * RADIUS + 1, 2 * RADIUS + 1, height, width)
    for y, x, row, col in np.ndindex(height, width, height, width):
        if max(abs(row - y), abs(col - x)) <= RADIUS:
            weight = window[row - y + RADIUS, col - x + RADIUS, y, x]
            want[y * width + x, row * width + col] = weight
    assert aot.difference(got, want) <= tolerances.PART


def test_self_propagation(golden, weights):
    grid = golden["q2d"].shape[1:]
    part = weights["block"]["self_propagation"]
    size = part["query_key"]["kernel"].shape[1]
    got = SelfPropagation(size, 0.1).apply({"params": part}, golden["x"], grid)
    assert aot.difference(got, golden["self_out"]) <= tolerances.PART


def test_last_norm_takes_each_stream_over_the_whole_map(golden, weights):
    got = group_norm(STREAMS).apply({"params": weights["norm"]}, golden["gn_in"][None])[0]
    assert aot.difference(got, golden["gn_out"]) <= tolerances.PART


@pytest.mark.parametrize("name", VARIANTS)
def test_every_published_variant_converts(name):
    model = models.build("deaot", encoder=aot.encoder_of(name), layers=VARIANTS[name])
    manifest = goldens.manifest(f"aot/{name}.manifest.json")
    state = {key: np.zeros(shape, dtype) for key, (shape, dtype) in manifest.items()}
    expected = aot.expected(model)
    assert convert(state, model.checkpoint_names, expected=expected).keys() == expected.keys()


def test_dropping_is_off_without_a_key():
    grid, module = (3, 4), Propagation(2, features=8, key_size=4, drop_path=0.5, dropout=0.5)
    draw = np.random.default_rng(0).standard_normal
    x, identity = (draw((12, 8)).astype(np.float32) for _ in range(2))
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), x, grid, identity=identity))
    params = jax.tree.map(lambda leaf: draw(leaf.shape).astype(np.float32), shapes)
    apply = jax.jit(lambda rng: module.apply(params, x, grid, identity=identity, rng=rng)[0])
    still, moved = apply(None), apply(jax.random.key(1))
    assert np.array_equal(moved, apply(jax.random.key(1)))
    assert np.array_equal(still, apply(None))
    assert np.abs(still[0] - moved[0]).max() > 1e-3
