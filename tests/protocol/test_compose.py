"""Combinators over the toy: each result is again a network, and they nest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import toy
from support.clips import clip

from vosjax.compose import combinators
from vosjax.compose.combinators import ensemble, flip, mean, scale
from vosjax.compose.groups import enlarge, groups, merge_groups, split_groups
from vosjax.prompt import apply_prompt, prompt_from_probs
from vosjax.tracking.step import MemoryClock, step
from vosjax.types import UNUSED_LOGIT, Prompt, Spec

FRAMES, LABELS = clip(frames=6, height=48, width=64, objects=2)
NETWORK = toy.vos(slots=2)
PARAMS = toy.fresh(jax.random.PRNGKey(0))
SPEC = Spec(48, 64, 2, 4)


def follow(vos, params, spec=SPEC, frames=FRAMES, labels=LABELS, late=None):
    """(probabilities of all frames, final state, number of traces); `late` {frame: labels}."""
    traces = []

    @jax.jit
    def one(params, state, frame, labels, given, clock):
        traces.append(1)
        return step(vos, params, state, frame, Prompt(labels, given), clock)

    state, clock = vos.init(params, spec), MemoryClock(jnp.int32(0), jnp.int32(0), jnp.int32(2))
    given_at = {0: labels[0]} | (late or {})
    probs = []
    for t, frame in enumerate(frames):
        marks = jnp.asarray(given_at.get(t, np.zeros(frame.shape[:2])), jnp.int32)
        given = jnp.isin(jnp.arange(1, spec.objects + 1), marks)
        answer = one(params, state, jnp.asarray(frame, jnp.float32) / 255, marks, given, clock)
        state, clock = answer.state, answer.clock
        probs.append(answer.probs)
    return np.stack(probs), state, len(traces)


@pytest.fixture(scope="module")
def plain():
    """What the toy itself makes of the clip."""
    probs, _, _ = follow(NETWORK, PARAMS)
    assert (probs[-1].argmax(0) == LABELS[-1]).mean() > 0.8, "the toy tracks at all"
    return probs


def test_flipping_mirrors_what_the_network_sees(plain):
    mirrored = FRAMES[:, :, ::-1], LABELS[:, :, ::-1]
    probs, _, _ = follow(flip(NETWORK), PARAMS, frames=mirrored[0], labels=mirrored[1])
    np.testing.assert_array_equal(probs[..., ::-1], plain)


def test_two_flips_are_none(plain):
    np.testing.assert_array_equal(follow(flip(flip(NETWORK)), PARAMS)[0], plain)


def test_a_scale_of_one_changes_nothing(plain):
    np.testing.assert_array_equal(follow(scale(NETWORK, 1.0), PARAMS)[0], plain)


def test_a_scaled_network_works_at_its_own_size():
    vos = scale(NETWORK, 1.5)
    state = vos.init(PARAMS, SPEC)
    assert state.last.shape[0] == (72 // toy.STRIDE) * (96 // toy.STRIDE)
    assert follow(vos, PARAMS)[0].shape[-2:] == (48, 64)


@pytest.mark.parametrize("feedback", ["own", "fused"])
def test_an_ensemble_of_one_network_twice_is_the_network(plain, feedback):
    probs, _, _ = follow(ensemble([NETWORK, NETWORK], feedback=feedback), (PARAMS, PARAMS))
    np.testing.assert_allclose(probs, plain, atol=1e-5)


def test_an_ensemble_gives_the_mean_of_its_members():
    other = toy.fresh(jax.random.PRNGKey(1))
    fused, _, _ = follow(ensemble([NETWORK, NETWORK]), (PARAMS, other))
    apart = [follow(NETWORK, params)[0] for params in (PARAMS, other)]
    np.testing.assert_allclose(fused, np.mean(apart, 0), atol=1e-5)


def test_fused_feedback_makes_members_remember_the_same():
    _, state, _ = follow(
        ensemble([NETWORK, NETWORK], feedback="fused"), (PARAMS, toy.fresh(jax.random.PRNGKey(1)))
    )
    np.testing.assert_array_equal(state.members[0].bank.data["v"], state.members[1].bank.data["v"])


def test_own_feedback_remembers_the_users_marks():
    _, state, _ = follow(ensemble([NETWORK, NETWORK]), (PARAMS, toy.fresh(jax.random.PRNGKey(1))))
    for member in state.members:
        np.testing.assert_array_equal(
            member.bank.data["v"][0],
            follow(NETWORK, PARAMS, frames=FRAMES[:1])[1].bank.data["v"][0],
        )


def test_any_fusion_of_probabilities_can_be_given():
    first = ensemble([NETWORK, NETWORK], fusion=combinators.stateless(lambda probs: probs[0]))
    probs, _, _ = follow(first, (PARAMS, toy.fresh(jax.random.PRNGKey(1))))
    np.testing.assert_allclose(probs, follow(NETWORK, PARAMS)[0], atol=1e-5)


def test_all_of_them_nest_and_compile_once():
    vos = groups(ensemble([NETWORK, flip(scale(NETWORK, 1.3))], feedback="fused"), 2)
    params = PARAMS, PARAMS
    before = sum(
        leaf.nbytes for leaf in jax.tree.leaves(vos.init(params, SPEC._replace(objects=4)))
    )
    probs, state, traces = follow(
        vos, params, SPEC._replace(objects=4), late={3: np.where(LABELS[3] == 2, 3, 0)}
    )
    assert traces == 1 and np.isfinite(probs).all()
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(state)) == before


def test_an_empty_ensemble_is_refused():
    with pytest.raises(ValueError, match="no networks"):
        ensemble([])


def test_another_feedback_is_refused():
    with pytest.raises(ValueError, match="'own' or 'fused'"):
        ensemble([NETWORK], feedback="both")


def test_one_group_is_the_network_itself():
    assert groups(NETWORK, 1) is NETWORK


def test_a_network_without_a_limit_needs_no_groups():
    with pytest.raises(ValueError, match="a network with a limit"):
        groups(NETWORK._replace(slots=None), 2)


def test_more_objects_than_groups_hold_are_refused():
    with pytest.raises(ValueError, match="5 objects were asked of 2 groups of 2"):
        groups(NETWORK, 2).init(PARAMS, SPEC._replace(objects=5))


def test_eleven_objects_are_followed_in_groups():
    frames, labels = clip(frames=1, height=96, width=96, objects=11, side=16)
    vos = groups(toy.vos(slots=4), 3)
    probs, _, _ = follow(vos, PARAMS, Spec(96, 96, 11, 4), frames.repeat(3, 0), labels)
    assert probs.shape[1] == 12
    np.testing.assert_array_equal(probs[0].argmax(0), labels[0])
    assert (probs[-1].argmax(0) == labels[0]).mean() > 0.8
    assert set(np.unique(probs[-1].argmax(0))) == set(range(12))


def test_a_group_made_early_is_one_made_late():
    """Objects 3 and 4 come at frame 2; their group stands from the start, or from then on."""
    spec = SPEC._replace(objects=4)
    late = {2: np.where(LABELS[2] == 2, 3, 0)}
    early, _, _ = follow(groups(NETWORK, 2), PARAMS, spec, late=late)

    _, state, _ = follow(NETWORK, PARAMS, SPEC, FRAMES[:2])
    state = enlarge(NETWORK, PARAMS, state, spec, from_count=1, to_count=2)
    clock = MemoryClock(jnp.int32(2), jnp.int32(0), jnp.int32(2))
    answer = step(
        groups(NETWORK, 2),
        PARAMS,
        state,
        jnp.asarray(FRAMES[2], jnp.float32) / 255,
        Prompt(jnp.asarray(late[2], jnp.int32), jnp.arange(1, 5) == 3),
        clock,
    )
    np.testing.assert_allclose(answer.probs, early[2], atol=1e-4)


def test_enlarging_keeps_what_is_there():
    _, state, _ = follow(NETWORK, PARAMS)
    larger = enlarge(NETWORK, PARAMS, state, SPEC._replace(capacity=8))
    assert larger.bank.valid.shape == (8,)
    np.testing.assert_array_equal(larger.bank.data["k"][:4], state.bank.data["k"])
    with pytest.raises(ValueError, match="cannot shrink"):
        enlarge(NETWORK, PARAMS, larger, SPEC)


def test_merging_multiplies_backgrounds_and_clamps():
    """The formula of aot-benchmark, by hand, at one pixel of two groups of two."""
    logits = jnp.log(jnp.array([[0.5, 0.3, 0.2], [0.9, 0.1, 1e-9]]))[:, :, None, None]
    expected = np.clip([0.45, 0.3, 0.2, 0.1, 1e-9], 1e-5, 1 - 1e-5)
    np.testing.assert_allclose(
        merge_groups(logits)[:, 0, 0], np.log(expected / (1 - expected)), rtol=1e-4
    )


def test_splitting_keeps_the_winner():
    rng = np.random.default_rng(0)
    probs = jax.nn.softmax(jnp.asarray(rng.normal(size=(7, 5, 6)) * 2), 0)
    winner = probs.argmax(0)
    for i, part in enumerate(split_groups(probs, 3)):
        np.testing.assert_allclose(part.sum(0), 1, rtol=1e-5)
        own = (winner > 2 * i) & (winner <= 2 * i + 2)
        np.testing.assert_array_equal(part.argmax(0), jnp.where(own, winner - 2 * i, 0))


def test_unused_slots_of_groups_are_filled():
    vos = groups(NETWORK, 2)
    features = vos.encode(PARAMS, jnp.zeros((48, 64, 3)))
    logits, _ = vos.predict(PARAMS, vos.init(PARAMS, SPEC._replace(objects=4)), features)
    np.testing.assert_allclose(logits[1:], UNUSED_LOGIT)


def test_the_mean_is_over_members():
    np.testing.assert_array_equal(mean(jnp.array([[1.0, 0.0], [0.0, 1.0]])), [0.5, 0.5])


PROBS = jax.nn.softmax(jnp.asarray(np.random.default_rng(1).normal(size=(4, 5, 6)), jnp.float32), 0)
MARKS = jnp.zeros((5, 6), jnp.int32).at[1:3, 1:4].set(2)


def test_marks_become_certain_and_the_object_has_no_other_pixel():
    laid = apply_prompt(PROBS, Prompt(MARKS, jnp.array([False, True, False])))
    np.testing.assert_array_equal(laid[2], (MARKS == 2).astype(np.float32))
    np.testing.assert_array_equal(laid[:, 1:3, 1:4].sum(0), 1)


def test_the_rest_is_renormalised():
    laid = apply_prompt(PROBS, Prompt(MARKS, jnp.array([False, True, False])))
    rest = PROBS.at[2].set(0) / (1 - PROBS[2])
    np.testing.assert_allclose(laid[:, 0], rest[:, 0], rtol=1e-5)


def test_where_nothing_is_left_there_is_background():
    sure = jax.nn.one_hot(jnp.full((5, 6), 2), 4, axis=0)
    laid = apply_prompt(sure, Prompt(MARKS, jnp.array([False, True, False])))
    np.testing.assert_array_equal(laid.argmax(0), MARKS)


def test_a_frame_without_marks_passes_bit_by_bit():
    nothing = Prompt(jnp.zeros((5, 6), jnp.int32), jnp.zeros(3, bool))
    np.testing.assert_array_equal(apply_prompt(PROBS, nothing), PROBS)


def test_a_given_object_may_be_nowhere():
    laid = apply_prompt(
        PROBS, Prompt(jnp.zeros((5, 6), jnp.int32), jnp.array([True, False, False]))
    )
    assert (laid[1] == 0).all()
    np.testing.assert_allclose(laid.sum(0), 1, rtol=1e-6)


def test_a_prompt_can_be_read_off_again():
    prompt = Prompt(MARKS, jnp.array([False, True, False]))
    recovered = prompt_from_probs(apply_prompt(PROBS, prompt), prompt.given)
    np.testing.assert_array_equal(recovered.labels, MARKS)
