"""The step: when frames are remembered, and that it is an ordinary differentiable function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy
from support.clips import clip

from vosjax.schema import NEVER
from vosjax.tracking.step import (
    MemoryClock,
    advance,
    remembered_frames,
    remembers,
    step,
)
from vosjax.types import Prompt, Spec

FRAMES, LABELS = clip(frames=7, height=48, width=64, objects=2)
VOS, PARAMS = toy.vos(slots=2), toy.fresh(jax.random.PRNGKey(0))
SPEC = Spec(48, 64, 2, 8)
IMAGES = jnp.asarray(FRAMES, jnp.float32) / 255


def prompt_at(t, marked):
    labels = LABELS[t] if t in marked else np.zeros_like(LABELS[t])
    return Prompt(jnp.asarray(labels, jnp.int32), jnp.isin(jnp.arange(1, 3), labels))


@jax.jit
def one(state, frame, prompt, clock):
    return step(VOS, PARAMS, state, frame, prompt, clock)


def remembered(gap, marked=(0,)):
    """Times of the frames in memory after the clip."""
    state, clock = VOS.init(PARAMS, SPEC), MemoryClock(jnp.int32(0), jnp.int32(0), jnp.int32(gap))
    for t in range(len(FRAMES)):
        answer = one(state, IMAGES[t], prompt_at(t, marked), clock)
        state, clock = answer.state, answer.clock
    return np.asarray(state.bank.time)[np.asarray(state.bank.valid)].tolist()


@pytest.mark.parametrize(
    "gap, times", [(1, [0, 1, 2, 3, 4, 5, 6]), (2, [0, 2, 4, 6]), (NEVER, [0])]
)
def test_a_frame_is_remembered_every_gap(gap, times):
    assert remembered(gap) == times


def test_an_annotated_frame_restarts_the_count():
    assert remembered(3, marked=(0, 2)) == [0, 2, 5]


@pytest.mark.parametrize(
    "length, annotated, gap, expected",
    [
        (10, (0,), 4, 3),  # 0, 4, 8
        (10, (0, 6), 4, 3),  # 0, 4, 6
        (10, (3, 20), 4, 2),  # 3, 7
        (10, (), 4, 0),
        (4, (0,), 2, 2),  # the committed frames of a training clip of five
        (4, (0,), 9999, 1),
        (2, (0,), 1, 2),
        (1, (0,), 1, 1),
    ],
)
def test_remembered_frames_are_counted_without_running_them(length, annotated, gap, expected):
    assert remembered_frames(length, annotated, gap) == expected
    count, last = 0, min(annotated, default=length)
    for time in range(last, length):
        if remembers(time in annotated, time, last, gap):
            count, last = count + 1, time
    assert count == expected


def test_the_rule_is_the_same_for_plain_numbers():
    assert remembers(False, 5, 0, 5) and remembers(True, 1, 0, 5)
    assert not remembers(False, 4, 0, 5)


def test_frames_can_be_encoded_ahead_in_a_batch():
    features = jax.vmap(lambda image: VOS.encode(PARAMS, image))(IMAGES)
    clock, state = MemoryClock(jnp.int32(0), jnp.int32(0), jnp.int32(2)), VOS.init(PARAMS, SPEC)
    ahead = advance(
        VOS, PARAMS, state, jax.tree.map(lambda x: x[0], features), prompt_at(0, (0,)), clock
    )
    at_once = one(state, IMAGES[0], prompt_at(0, (0,)), clock)
    np.testing.assert_allclose(ahead.probs, at_once.probs, atol=1e-6)
    np.testing.assert_allclose(ahead.state.bank.data["k"], at_once.state.bank.data["k"], atol=1e-5)


def test_slots_that_are_not_allowed_win_no_pixel():
    clock, state = MemoryClock(jnp.int32(0), jnp.int32(0), jnp.int32(2)), VOS.init(PARAMS, SPEC)
    after = one(state, IMAGES[0], prompt_at(0, (0,)), clock)
    shut = step(
        VOS,
        PARAMS,
        after.state,
        IMAGES[1],
        prompt_at(1, ()),
        after.clock,
        allowed=jnp.array([False, True]),
    )
    assert (shut.probs[1] == 0).all() and (shut.probs[2] > 0.5).any()


def test_steps_can_be_scanned_and_have_gradients():
    target = jnp.asarray(LABELS == 1)

    def loss(params):
        def body(carry, frame):
            state, clock, given = carry
            labels = jnp.asarray(LABELS[0], jnp.int32) * given.any()
            answer = step(VOS, params, state, frame, Prompt(labels, given), clock)
            return (answer.state, answer.clock, jnp.zeros_like(given)), answer.predicted

        clock = MemoryClock(jnp.int32(0), jnp.int32(0), jnp.int32(2))
        start = VOS.init(params, SPEC), clock, jnp.array([True, True])
        predicted = jax.lax.scan(body, start, IMAGES)[1]
        return (predicted[1:, 1] * target[1:]).mean()

    gradient = jax.jit(jax.grad(loss))(PARAMS)
    assert all(jnp.isfinite(leaf).all() and (leaf != 0).any() for leaf in jax.tree.leaves(gradient))
