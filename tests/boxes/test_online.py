"""The online tracker with a network of a few lines: its state, its one program, its corrections."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.boxes import online
from vosjax.boxes.online import SIDE, Encoded, TargetNetwork
from vosjax.boxes.protocol import NOT_FOUND
from vosjax.boxes.target_model import initial_params, instance_norm

CROP = 96
BOX = np.array([60, 40, 24, 24], np.float32)
TRACES = [0]


def encode(params, crop):
    """Small pictures of the cells, without their mean."""
    TRACES[0] += 1
    cells = CROP // 16
    small = crop.reshape(cells, 16, cells, 16, 3).transpose(0, 2, 1, 3, 4)
    small = small.reshape(cells, cells, 4, 4, 4, 4, 3).mean((3, 5)).reshape(cells, cells, -1)
    return Encoded(instance_norm(params * (small - small.mean((0, 1))), SIDE), ())


NETWORK = TargetNetwork(
    CROP,
    False,
    lambda params: initial_params(),
    encode,
    lambda params, target, boxes: jnp.zeros((SIDE, SIDE, target.shape[-1])),
    lambda params, encoded, box: (),
    lambda params, encoded, description, box, rng: box,
)
TRACKER = online.build(NETWORK)
PARAMS = jnp.ones(())


@pytest.fixture(scope="module")
def frames():
    """A bright square that moves by two pixels over a frame of noise."""
    rng = np.random.default_rng(0)
    still, square = rng.integers(0, 90, (120, 160, 3)), rng.integers(90, 255, (24, 24, 3))
    video = []
    for time in range(6):
        frame = still.copy()
        frame[40 : 40 + 24, 60 + 2 * time : 84 + 2 * time] = square
        video.append(frame.astype(np.uint8))
    return video


@pytest.fixture(scope="module")
def start(frames):
    return TRACKER.init(PARAMS, frames[0], BOX)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_a_saved_state_continues_bit_by_bit(frames, start, tmp_path):
    state = start
    for frame in frames[1:3]:
        state, _ = TRACKER.step(PARAMS, state, frame)
    leaves, structure = jax.tree.flatten(state)
    np.savez(tmp_path / "state.npz", *leaves)
    with np.load(tmp_path / "state.npz") as file:
        restored = jax.tree.unflatten(structure, [file[name] for name in file.files])
    for frame in frames[3:]:
        state, output = TRACKER.step(PARAMS, state, frame)
        restored, again = TRACKER.step(PARAMS, restored, frame)
        assert bits(output) == bits(again)
    assert bits(state) == bits(restored)


def test_the_object_is_followed_by_one_program(frames, start):
    state, _ = TRACKER.step(PARAMS, start, frames[1])
    traces = TRACES[0]
    shapes = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)]
    for time, frame in enumerate(frames[2:], 2):
        state, output = TRACKER.step(PARAMS, state, frame)
        assert output.flag != NOT_FOUND
        assert np.allclose(output.box, BOX + [2 * time, 0, 0, 0], atol=4)
    assert TRACES[0] == traces
    assert [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)] == shapes
    assert state.count == online.FIRST + 5 and np.isclose(state.samples.weights.sum(), 1)


def test_a_lost_object_keeps_its_box_and_is_not_learned(frames, start):
    state, output = TRACKER.step(PARAMS, start, np.zeros_like(frames[0]))
    assert output.flag == NOT_FOUND
    assert np.allclose(output.box, BOX)
    assert bits(state.target_filter) == bits(start.target_filter)
    assert bits(state.samples) == bits(start.samples)


def test_a_box_that_is_known_replaces_the_trackers(start):
    known = np.array([10.5, 20, 30, 44], np.float32)
    corrected = TRACKER.correct(start, known)
    assert corrected.position.tolist() == [41.5, 25] and corrected.size.tolist() == [44, 30]
    assert bits(TRACKER.correct(start, np.zeros(4, np.float32))) == bits(start)


def test_an_object_beyond_the_border(frames, start):
    moved = TRACKER.correct(start, np.array([-500, 900, 24, 24], np.float32))
    _, output = TRACKER.step(PARAMS, moved, frames[1])
    assert np.isfinite(output.box).all() and np.isfinite(output.score)
