"""STCN's losses and training pass, by the project's own trainer, give the reference's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import matching_goldens as goldens
from support import on_devices

from vosjax.checkpoints.weights import flatten, nest
from vosjax.layers.objects import aggregate
from vosjax.names import conv_kernel
from vosjax.train import losses, optimizer, schedule
from vosjax.train.step import Clips, StepConfig, clip_loss

LOSS, NORM, LOGITS, GRADIENT = 2e-6, 2e-3, 1e-4, 2e-3
# Of the later steps: losses, norms of gradients, norms of what all moved. Adam's first steps turn
# rounding of the smallest gradients into whole steps.
LATER, DRIFT, MOVED = 2e-3, 3e-2, 1e-2
MILESTONE = 2
NO_GRADIENT = "key_proj.key_proj.bias"  # zero in exact arithmetic
SETTINGS = StepConfig(mem_every=1, feedback="soft", jaccard_weight=0.0, reference=False)


def share(step):
    return schedule.hard_share(step, begin=20_000, end=70_000)


def test_aggregation():
    golden = goldens.arrays("stcn/loss_aggregate.npz")
    probs = jnp.asarray(golden["prob"])
    logits = aggregate(probs, jnp.ones(len(probs), bool))
    np.testing.assert_allclose(logits, golden["agg_logits"][0][:, None], atol=2e-5)
    np.testing.assert_allclose(jax.nn.softmax(logits, 0), golden["agg_bg"], atol=1e-6)
    np.testing.assert_allclose(jax.nn.softmax(logits, 0)[1:], golden["agg_nobg"], atol=1e-6)


@pytest.fixture(scope="module")
def mean_loss():
    """The mean over samples."""
    return jax.jit(
        lambda *args: jax.vmap(losses.bootstrapped_cross_entropy, (0, 0, 0, None))(*args).mean()
    )


def test_bootstrapped_cross_entropy_and_its_schedule(mean_loss):
    golden = goldens.arrays("stcn/loss_aggregate.npz")
    # Here the reference chose the hardest pixels of both samples together: one tall sample.
    logits = np.concatenate(golden["logits"], 1)[None]
    target = np.concatenate(golden["target"])[None]
    live = np.ones((1, 2), bool)
    for step, loss, kept in zip(golden["its"], golden["loss"], golden["this_p"]):
        assert share(int(step)) == pytest.approx(float(kept), abs=1e-6)
        count = schedule.kept(share(int(step)), target.size)
        assert abs(mean_loss(logits, target, live, count) - loss) < LOSS


def test_loss_of_two_frames_with_and_without_a_second_object(mean_loss):
    golden = goldens.arrays("stcn/loss_aggregate.npz")
    logits, target = golden["logits"], golden["multi_target"]
    live = golden["multi_selector"] > 0
    for step, row in zip(golden["its"], golden["multi_loss1_loss2_total_p"]):
        count = schedule.kept(share(int(step)), target[0].size)
        first = mean_loss(logits, target, live, count)
        # The goldens' second frame: the classes' order and the labels' rows turned round.
        second = mean_loss(logits[:, ::-1], target[:, ::-1], live, count)
        np.testing.assert_allclose([first, second, first + second], row[:3], atol=2 * LOSS)


def clips_of(golden, objects):
    labels = golden["cls_gt"] if "cls_gt" in golden else golden["gt"][:, :, 0]
    # The second object of a sample is there or not; the first always is.
    live = np.array([[True] * objects, [True] + [False] * (objects - 1)])
    return Clips(np.asarray(golden["frames"]), np.asarray(labels), live)


KINDS = {"train_mo": (2, dict(top_k=None)), "train_so": (1, dict(top_k=None, use_others=False))}


def build(name):
    objects, settings = KINDS[name]
    manifest = "manifest.json" if settings.get("use_others", True) else "manifest_stage0.json"
    model = goldens.build("stcn", **settings)
    params = goldens.params("stcn", "stcn", manifest, **settings)
    return goldens.arrays(f"stcn/{name}.npz"), objects, model, params


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("train_so", 1),
        pytest.param("train_so", 4, marks=pytest.mark.slow),
        pytest.param("train_mo", 4, marks=pytest.mark.slow),
    ],
)
def test_steps_of_training(name, steps):
    golden, objects, model, params = build(name)
    clips, pixels = (
        on_devices.shared(clips_of(golden, objects)),
        golden["frames"][0, 0, ..., 0].size,
    )
    keys = {entry.path: entry.key for entry in model.checkpoint_names.entries}
    weights = on_devices.copied(flatten(params))
    fixed = {
        path: weights.pop(path) for path in list(weights) if model.param_group(path) == "frozen"
    }
    order = goldens.parsed(f"stcn/{name}_params.json")
    assert {keys[path] for path in weights} == set(order)

    @jax.jit
    def gradients(trainable, fixed, clips, knobs):
        def loss(trainable):
            total, parts = clip_loss(
                model, nest(trainable | fixed), clips, knobs, SETTINGS, jax.random.key(0)
            )
            return 2 * total, parts["frames"]  # the reference sums its two frames

        return jax.value_and_grad(loss, has_aux=True)(trainable)

    chain = optimizer.build(
        {path: w.ndim for path, w in weights.items()}, kind="adam", clip=0.0, weight_decay=1e-7
    )
    now, moments, groups = weights, chain.init(weights), dict.fromkeys(weights, "head")
    assert len(golden["its"]) == 4
    for number, at in enumerate(golden["its"][:steps]):
        count = schedule.kept(share(int(at)), pixels)
        rate = jnp.float32(golden["lr"]) * (0.1 if number >= MILESTONE else 1)
        knobs = schedule.StepScalars(
            rate, rate, np.int32(count), np.float32(0), np.bool_(True), np.float32(0)
        )
        (total, frames), grads = gradients(now, fixed, clips, knobs)
        reached, expected = [*frames.mean(1)[1:], total], golden["loss1_loss2_total_p"][number, :3]
        np.testing.assert_allclose(reached, expected, atol=LATER if number else LOSS)
        check_norms(
            {keys[path]: grads[path] for path in grads},
            order,
            golden["grad_norm"][number],
            rtol=DRIFT if number else NORM,
        )
        if number == 0:
            check_gradients(golden, {keys[path]: grads[path] for path in grads})
        if steps == 1:
            return
        updates, moments = chain.update(grads, moments, now)
        now = optimizer.apply(now, updates, groups, rate=rate, encoder_rate=rate, held={})
    check_norms(
        {keys[path]: now[path] - weights[path] for path in now},
        order,
        golden["delta_norm_after_all"],
        rtol=MOVED,
    )


def check_norms(weights, order, expected, *, rtol):
    norms = np.array([float(jnp.linalg.norm(weights[key])) for key in order])
    compared = np.array([key != NO_GRADIENT for key in order])
    np.testing.assert_allclose(norms[compared], expected[compared], rtol=rtol)


def check_gradients(golden, grads):
    for name in golden:
        if not name.startswith("grad__"):
            continue
        key, whole = name.removeprefix("grad__"), golden[name]
        grad = np.asarray(grads[key])
        if whole.ndim == 4:
            whole = conv_kernel(whole)
            grad = grad[:, :, ::16] if grad.shape[2] != whole.shape[2] else grad
        if grad.shape != whole.shape:
            grad = grad.T
        assert np.abs(grad - whole).max() < GRADIENT * max(np.abs(whole).max(), 1e-6), name


@pytest.mark.parametrize("name", ["train_mo", pytest.param("train_so", marks=pytest.mark.slow)])
def test_logits_of_the_training_pass(name):
    golden, objects, model, params = build(name)
    clips = clips_of(golden, objects)
    for sample in range(2):
        live = np.asarray(clips.live[sample])
        prompts = {0: (np.asarray(clips.labels[sample, 0]), live)}
        frames = goldens.frames_of({"frames": golden["frames"][sample]})
        for time, _, (logits, _) in goldens.run(
            params, frames, prompts, family="stcn", objects=objects, gap=1, **KINDS[name][1]
        ):
            if time:
                shown = np.concatenate([[True], live])
                expected = golden[f"logits_{time}"][sample][shown]
                assert np.abs(np.asarray(logits)[shown] - expected).max() < LOGITS
