"""What a network forgets when objects are no longer followed, and which slots become free."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy

from vosjax import models
from vosjax.compose.combinators import ensemble, flip, scale
from vosjax.compose.groups import groups
from vosjax.compose.views import mirrored
from vosjax.models.identification import IdentificationState
from vosjax.schema import NEVER
from vosjax.types import Release, Spec, slots_used_once
from vosjax.voting.fusion import VotingState, keypoint_fusion

SHARED = {"aot": dict(), "deaot": dict(), "aost": dict(layers=1)}  # all objects in one memory
APART = ("stcn", "famnet")  # every object has a memory of its own
SLOTS, CAPACITY = 3, 6


@functools.cache
def identification(family) -> tuple:
    """A network, and its state after frames 0 to 5, of which 0 and 3 are annotated."""
    vos = models.build(family, **SHARED[family]).vos
    params = jax.eval_shape(models.build(family, **SHARED[family]).init_params, jax.random.key(0))
    spec = Spec(*vos.size(32, 32), SLOTS, CAPACITY)
    shapes = jax.eval_shape(lambda params: vos.init(params, spec), params)
    ones = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), shapes)
    times = jnp.arange(CAPACITY, dtype=jnp.int32)
    long = ones.long._replace(time=times, pinned=(times == 0) | (times == 3))
    return vos, IdentificationState(long, ones.short, jnp.ones(SLOTS, bool))


def gone(*, followed, reclaim=(), lives=None, annotated=(0, 3)):
    """A `Release`; `lives` {slot: (first, last)}, all others hold an object from frame 0 on."""
    slots = np.arange(1, SLOTS + 1)
    first, last = np.zeros(SLOTS, np.int32), np.full(SLOTS, NEVER, np.int32)
    for slot, life in (lives or {}).items():
        first[slot - 1], last[slot - 1] = life
    counted = np.full(CAPACITY, -1, np.int32)
    counted[: len(annotated)] = annotated
    return Release(np.isin(slots, followed), np.isin(slots, reclaim), first, last, counted)


def held(state):
    """{index: pinned} of the frames in memory."""
    bank = state.long
    return {int(t): bool(p) for t, p, v in zip(bank.time, bank.pinned, bank.valid) if v}


families = pytest.mark.parametrize("family", SHARED)


@families
def test_a_shared_memory_keeps_its_frames_until_the_slot_is_wanted(family):
    vos, before = identification(family)
    after, free = vos.forget(before, gone(followed=(1, 2), lives={3: (4, 5)}))
    assert held(after) == held(before) and free.tolist() == [False] * 3
    assert after.live.tolist() == [True, True, False]


@families
def test_a_wanted_slot_costs_the_frames_that_may_go(family):
    vos, before = identification(family)
    after, free = vos.forget(before, gone(followed=(1, 2), reclaim=(3,), lives={3: (4, 5)}))
    assert held(after) == {0: True, 1: False, 2: False, 3: True}
    assert free.tolist() == [False, False, True]


@families
def test_annotated_frames_that_count_hold_their_identities(family):
    vos, before = identification(family)
    after, free = vos.forget(before, gone(followed=(1, 2), reclaim=(3,), lives={3: (2, 4)}))
    assert held(after) == held(before) and not free.any()  # frame 3 shows it


@families
def test_annotated_frames_that_count_no_more_give_way(family):
    vos, before = identification(family)
    release = gone(followed=(1, 2), reclaim=(3,), lives={3: (2, 4)}, annotated=(0,))
    after, free = vos.forget(before, release)
    assert held(after) == {0: True, 1: False, 5: False} and free.tolist() == [False, False, True]


@families
def test_a_state_without_objects_is_as_new(family):
    vos, before = identification(family)
    after, free = vos.forget(before, gone(followed=()))
    assert held(after) == {} and free.all() and not after.live.any()
    assert not any(leaf.any() for leaf in jax.tree.leaves(after.short))


@pytest.mark.parametrize("family", APART)
def test_a_memory_of_its_own_is_cleared_at_once(family):
    model = models.build(family)
    params = jax.eval_shape(model.init_params, jax.random.key(0))
    state = jax.eval_shape(lambda p: model.vos.init(p, Spec(32, 32, SLOTS, 2)), params)
    before = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), state)
    after, free = model.vos.forget(before, gone(followed=(1, 3)))
    assert free.tolist() == [False, True, False] and after.live.tolist() == [True, False, True]
    assert after.bank.valid.all() and not after.bank.pinned.any()
    assert after.bank.data.live.all(0).tolist() == [True, False, True]
    np.testing.assert_array_equal(after.bank.data.value, before.bank.data.value)
    empty, free = model.vos.forget(before, gone(followed=()))
    assert not empty.bank.valid.any() and free.all()


NETWORK = toy.vos(slots=SLOTS)
PARAMS = toy.fresh(jax.random.PRNGKey(0))
COMBINED = {
    "flip": (flip(NETWORK), PARAMS),
    "scale": (scale(NETWORK, 0.5), PARAMS),
    "ensemble": (ensemble([NETWORK, flip(NETWORK)]), (PARAMS, PARAMS)),
    "mirrored": (mirrored(NETWORK), PARAMS),
    "groups": (groups(toy.vos(slots=2), 2), PARAMS),
}


@pytest.mark.parametrize("name", COMBINED)
def test_combinators_forget_as_their_networks_do(name):
    vos, params = COMBINED[name]
    before = jax.tree.map(jnp.ones_like, vos.init(params, Spec(32, 32, SLOTS, CAPACITY)))
    after, free = jax.jit(vos.forget)(before, gone(followed=(1, 3)))
    assert free.tolist() == [False, True, False]
    assert jax.tree.structure(after) == jax.tree.structure(before)
    shapes = [jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), s) for s in (before, after)]
    assert shapes[0] == shapes[1]


def test_a_slot_of_an_ensemble_is_free_where_it_is_in_every_member():
    once = NETWORK._replace(forget=slots_used_once)
    state = ensemble([NETWORK, once]).init((PARAMS, PARAMS), Spec(32, 32, SLOTS, CAPACITY))
    assert not ensemble([NETWORK, once]).forget(state, gone(followed=(1,)))[1].any()
    assert ensemble([NETWORK, NETWORK]).forget(state, gone(followed=(1,)))[1].tolist() == [
        False,
        True,
        True,
    ]


def test_points_of_a_removed_object_carry_no_label():
    fusion = keypoint_fusion()
    state = fusion.init(Spec(32, 32, SLOTS, 2), 2)
    points, labels = state.bank.data
    bank = state.bank._replace(data=(points, labels.at[:, :5].set(jnp.array([-1, 0, 1, 2, 3]))))
    recent = jnp.full_like(state.recent, 0.9)
    state = VotingState(bank, jnp.ones_like(state.boxes), recent)
    after = fusion.forget(state, gone(followed=(1, 3)))
    assert after.bank.data[1][0, :5].tolist() == [-1, 0, 1, -1, 3]
    assert after.boxes.any(1).tolist() == [True, False, True]
    assert after.recent[0, 0].tolist() == pytest.approx([0.9, 0.5, 0.9])
