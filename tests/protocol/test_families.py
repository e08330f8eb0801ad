"""What every network keeps, the toy and all real families: the protocol of `vosjax/types.py`.

Each family runs at its smallest size with random weights; all tests of one family share its
compiled programs.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy
from support.clips import clip

from vosjax import models
from vosjax.loading.pretrained import Loaded
from vosjax.tracking.tracker import Tracker
from vosjax.types import UNUSED_LOGIT, Model, Spec, When

SETTINGS = {"aost": dict(layers=1)}  # where the family's own defaults are not its smallest
FRAMES, LABELS = clip(frames=9, height=40, width=56, objects=2)
FIRST = np.where(LABELS[0] == 1, 1, 0)  # object 2 comes later
LATE = 3
SLOTS = 2
ROOM = 6  # memory frames: no more are remembered below, so that doubled and large banks agree


def random_weights(model: Model, seed=0) -> dict:
    """Weights without a compilation: scales and variances one, the rest small."""
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        if path[-1].key in ("scale", "var", "mean"):
            return jnp.full(leaf.shape, 0.0 if path[-1].key == "mean" else 1.0, leaf.dtype)
        spread = 1 / np.sqrt(max(np.prod(leaf.shape[:-1]), 1))
        return jnp.asarray(rng.normal(0, spread, leaf.shape), leaf.dtype)

    shapes = jax.eval_shape(model.init_params, jax.random.PRNGKey(0))
    return jax.tree_util.tree_map_with_path(draw, shapes)


@pytest.fixture(scope="module", params=["toy", *models.families()])
def network(request) -> Loaded:
    """A network with weights."""
    if request.param == "toy":
        return toy.model(slots=SLOTS)
    model = models.build(request.param, **SETTINGS.get(request.param, {}))
    return Loaded(model, random_weights(model), {}, {"mem_every": 2, "max_mem_frames": ROOM})


ALL = range(len(FRAMES))


def follow(tracker, frames=ALL):
    """Runs over the clip; object 2 is given at frame LATE, where the gap changes too."""
    results = []
    for t in frames:
        if t == LATE:
            tracker.mem_every = 3
        results.append(tracker.step(FRAMES[t], {0: FIRST, LATE: LABELS[LATE]}.get(t)))
    return results


def tracker_of(network, capacity=ROOM):
    return Tracker(network, objects=SLOTS, mem_every=2, capacity=capacity, max_mem_frames=ROOM)


class Run(NamedTuple):
    results: list
    bytes: list
    traces: int
    saved: Any  # the state before frame LATE + 1
    spec: Spec


@pytest.fixture(scope="module")
def run(network):
    """The whole clip, once."""
    tracker = tracker_of(network)
    results, sizes, saved = [], [], None
    for t in range(len(FRAMES)):
        results += follow(tracker, [t])
        sizes.append(tracker.state_bytes)
        saved = tracker.state if t == LATE else saved
    return Run(results, sizes, tracker.traces, saved, tracker.spec)


def same(one, other):
    return all(
        np.array_equal(a.labels, b.labels) and a.scores == b.scores
        for a, b in zip(one, other, strict=True)
    )


def test_one_trace_does_for_a_late_object_and_another_gap(run):
    assert run.traces == 1


def test_the_state_never_grows(run):
    assert set(run.bytes) == {run.bytes[0]} and run.bytes[0] > 0


def test_given_objects_come_out_as_they_were_given(run):
    assert np.array_equal(run.results[0].labels, FIRST)
    assert np.array_equal(run.results[LATE].labels, LABELS[LATE])


def test_an_object_has_scores_from_the_frame_on_in_which_it_is_given(run):
    assert [sorted(result.scores) for result in run.results] == [[1]] * LATE + [[1, 2]] * 6


def test_scores_are_probabilities(run):
    for result in run.results:
        for score in result.scores.values():
            assert 0 <= score.margin <= score.mean_probability <= 1.0001
            assert score.area == (result.labels == score.object).sum()
            assert score.absent == (score.area == 0)


def test_a_restored_state_goes_on_bit_by_bit(network, run, tmp_path):
    Tracker.restore(run.saved, network).save(tmp_path / "state.npz")
    tracker = Tracker.restore(tmp_path / "state.npz", network)
    assert same(follow(tracker, range(LATE + 1, len(FRAMES))), run.results[LATE + 1 :])


def test_objects_come_and_go_in_the_same_state_and_program(network, run):
    """Object 1 stays; another is given and removed, again and again, on one other slot."""
    tracker = tracker_of(network)
    tracker.step(FRAMES[0], FIRST)
    for round in range(6):
        tracker.step(FRAMES[round], np.where(LABELS[round] == 2, 9 + round, 0))
        tracker.step(FRAMES[round + 1])
        assert tracker.objects == [1, 9 + round] and tracker.state_bytes == run.bytes[0]
        tracker.remove(9 + round)
    assert tracker.traces == 1 and tracker.spec == run.spec


def test_a_memory_that_doubles_is_a_large_one(network, run):
    tracker = tracker_of(network, capacity=3)
    assert same_masks(follow(tracker), run.results)
    assert tracker.spec.capacity == ROOM


def same_masks(one, other):
    """Up to single pixels, which other sums of the same numbers may tip."""
    return np.mean([a.labels != b.labels for a, b in zip(one, other, strict=True)]) < 2e-3


@pytest.fixture(scope="module")
def probe(network, run):
    """Three frames by hand: from nothing, after a frame of nothing, after one of object 1."""
    vos, spec = network.model.vos, run.spec
    frame = jnp.asarray(np.random.default_rng(0).random((spec.height, spec.width, 3)), jnp.float32)

    @jax.jit
    def walk(params):
        empty = vos.init(params, spec)
        features = vos.encode(params, frame)
        none, aux = vos.predict(params, empty, features)
        nothing = jnp.zeros(spec.objects, bool)
        background = jax.nn.one_hot(jnp.zeros(none.shape[1:], int), none.shape[0], axis=0)
        when = When(jnp.array(False), jnp.array(True), jnp.int32(0))
        idle = vos.commit(params, empty, aux, background, nothing, when)
        return none, vos.predict(params, idle, features)[0], empty, idle

    return walk(network.params)


def test_an_empty_state_predicts_finite_background(probe):
    logits = probe[0]
    assert jnp.isfinite(logits).all() and (logits.argmax(0) == 0).all()


def test_slots_that_nobody_gave_are_filled(probe):
    np.testing.assert_allclose(probe[0][1:], UNUSED_LOGIT, rtol=1e-5)


def test_logits_are_float32_at_the_size_of_the_spec(probe, run):
    assert probe[0].dtype == jnp.float32
    assert probe[0].shape == (SLOTS + 1, run.spec.height, run.spec.width)


def test_nothing_is_remembered_before_an_object_is_given(probe):
    for before, after in zip(jax.tree.leaves(probe[2]), jax.tree.leaves(probe[3]), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_size_rule_keeps_its_own_sizes(network):
    size = network.model.vos.size
    for height, width in ((480, 854), (97, 129), (720, 1280)):
        assert size(*size(height, width)) == size(height, width)
