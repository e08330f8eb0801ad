"""A training step by the protocol: what is fed back, what is supervised, what is updated."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import small

from vosjax.train import losses, optimizer, schedule, state, step
from vosjax.types import Spec, When

CLIPS = small.batch(frames=3)
PARAMS = small.model().init_params(jax.random.PRNGKey(1))


def knobs(*, own=False, aux=0.5, count=256):
    return schedule.StepScalars(
        np.float32(0.1),
        np.float32(0.01),
        np.int32(count),
        np.float32(aux),
        np.bool_(own),
        np.float32(0.5),
    )


@functools.cache
def compiled(settings):
    return jax.jit(lambda p, k: step.clip_loss(small.model(), p, CLIPS, k, settings))


def loss(*, loss_stride=1, reference=True, **scalars):
    """(total, parts) of a clip; `own`, `aux` and `count` go to the knobs."""
    settings = step.StepConfig(loss_stride=loss_stride, reference=reference)
    return compiled(settings)(PARAMS, knobs(**scalars))


@functools.partial(jax.jit, static_argnums=3)
def by_hand(frames, labels, live, own):
    """The losses [T] of the protocol's own calls for one sample."""
    vos, by_frame = small.model().vos, []
    memory = vos.init(PARAMS, Spec(16, 16, small.SLOTS, 1))
    for t in range(3):
        features = vos.encode(PARAMS, frames[t] / 255)
        logits, aux = vos.predict(PARAMS, memory, features)
        fed = logits.argmax(0) if own and t else labels[t]
        probs = jnp.float32(fed[None] == jnp.arange(small.SLOTS + 1)[:, None, None])
        memory = vos.commit(
            PARAMS,
            memory,
            aux,
            probs,
            live if t == 0 else jnp.zeros_like(live),
            When(jnp.array(t == 0), jnp.array(t == 0), jnp.array(t)),
        )
        if t == 0:
            logits, _ = vos.predict(PARAMS, memory, features)
        by_frame.append(losses.frame_loss(logits, labels[t], live, 256).total)
    return jnp.stack(by_frame)


@pytest.mark.parametrize("own", [False, True])
def test_losses_are_those_of_the_protocol_by_hand(own):
    total, parts = loss(own=own)
    expected = np.stack([by_hand(*(x[b] for x in CLIPS), own) for b in range(2)], 1)
    np.testing.assert_allclose(parts["frames"], expected, rtol=1e-5)
    assert float(total) == pytest.approx(0.5 * expected[0].mean() + expected[1:].mean(), rel=1e-5)


def test_the_reference_frame_can_be_left_out():
    with_it, without = loss(aux=0.0)[0], loss(aux=0.0, reference=False)[0]
    assert float(with_it) == pytest.approx(float(without), rel=1e-6)


def test_own_predictions_change_what_later_frames_remember():
    truth, own = loss()[1]["frames"], loss(own=True)[1]["frames"]
    np.testing.assert_array_equal(truth[:2], own[:2])
    assert (np.asarray(truth[2:]) != np.asarray(own[2:])).any()


def gradient(feedback):
    """d(loss) / d(bank), which reaches the loss through committed frames alone."""
    fixed = step.StepConfig(feedback=feedback, reference=False)
    return jax.jit(
        jax.grad(
            lambda p: step.clip_loss(small.model(hard=False), p, CLIPS, knobs(own=True), fixed)[0]
        )
    )(PARAMS)


def test_soft_feedback_keeps_its_gradient_and_hard_feedback_cuts_it():
    soft, hard = gradient("soft"), gradient("hard")
    assert np.isfinite(soft["gain"]) and float(soft["gain"]) != float(hard["gain"])


def test_a_coarser_loss_sees_fewer_pixels():
    fine, coarse = loss(), loss(loss_stride=2, count=64)
    assert float(coarse[0]) != float(fine[0])
    assert coarse[1]["prediction"].shape == CLIPS.labels.shape


def test_frames_computed_twice_give_the_same_gradient():
    def grad(remat):
        fixed = step.StepConfig(remat=remat, reference=False)
        return jax.jit(
            jax.grad(lambda p: step.clip_loss(small.model(), p, CLIPS, knobs(), fixed)[0])
        )(PARAMS)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8), grad(True), grad(False)
    )


def test_depths_are_weighed_by_powers_of_two():
    plain = small.model()

    def depths(params, aux, rng=None):
        return aux["deep"] * 0.5, aux["deep"]

    def predict(params, memory, features, rng=None):
        logits, key = plain.vos.predict(params, memory, features, rng)
        return logits, {"deep": logits, "key": key}

    def commit(params, memory, aux, *rest):
        return plain.vos.commit(params, memory, aux["key"], *rest)

    deep = plain._replace(
        vos=plain.vos._replace(predict=predict, commit=commit), deep_logits=depths
    )

    def total(model):
        clips = small.batch(frames=2)
        _, parts = jax.jit(
            lambda p: step.clip_loss(model, p, clips, knobs(), step.StepConfig(reference=False))
        )(PARAMS)
        return float(parts["frames"][1, 0])

    def halved(params, memory, features, rng=None):
        logits, key = plain.vos.predict(params, memory, features, rng)
        return logits * 0.5, key

    half = plain._replace(vos=plain.vos._replace(predict=halved))
    assert total(deep) == pytest.approx((total(half) + 2 * total(plain)) / 3, rel=1e-5)


@pytest.fixture(scope="module")
def stepped():
    """(before, after a step on the truth, after one on own predictions, metrics)."""
    model = small.model()
    chain = optimizer.build({path: 1 for path in ("key", "gain", "bank")})
    before = state.fresh(PARAMS, model.param_group, chain)
    fixed = step.StepConfig(held="^bank$")
    run = jax.jit(lambda s, k: step.train_step(model, chain, fixed, s, CLIPS, k, jax.random.key(0)))
    (after, metrics), (own, _) = run(before, knobs()), run(before, knobs(own=True))
    return before, after, own, metrics


def test_frozen_weights_have_no_moments_and_do_not_move(stepped):
    before, after, _, _ = stepped
    assert "fixed" not in before.trainable and "fixed" not in before.average
    assert not any("fixed" in str(path) for path, _ in jax.tree.leaves_with_path(before.moments))
    np.testing.assert_array_equal(after.frozen["fixed"], PARAMS["fixed"])


def test_a_step_moves_weights_and_their_average(stepped):
    before, after, _, _ = stepped
    assert int(after.step) == 1
    moved = np.asarray(after.trainable["key"] - before.trainable["key"])
    assert moved.any() and np.abs(moved).max() <= 0.0101  # Adam's first step is the rate
    np.testing.assert_allclose(after.average["key"], before.trainable["key"] + moved / 2, atol=1e-6)


def test_held_weights_rest_while_own_predictions_are_fed_back(stepped):
    before, after, own, _ = stepped
    assert after.trainable["bank"] != before.trainable["bank"]
    assert own.trainable["bank"] == before.trainable["bank"]


def test_metrics_are_finite(stepped):
    metrics = stepped[3]
    figures = [getattr(metrics, name) for name in metrics._fields if name != "prediction"]
    assert np.isfinite(figures).all() and 0 <= float(metrics.j) <= 1
