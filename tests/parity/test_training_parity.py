"""Training gives the AOT reference's figures: losses, schedules, the average, a gradient pass."""

import csv

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import aot_goldens as aot
from support import backbone_goldens as goldens
from support import golden_root, on_devices

from vosjax.train import ema, losses, schedule, state, step
from vosjax.train.config import TrainConfig

LOSS = 1e-4  # of a frame, on the truth; the float32 noise of the logits is 1e-4 too
OWN = 5e-3  # on own predictions, where single pixels flip
GRADIENT = 5e-3  # relative, of a weight's gradient norm


def rows(name):
    with open(golden_root.path(f"aot/{name}"), newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def frame_loss():
    return jax.jit(losses.frame_loss)


@pytest.fixture(scope="module")
def frame_gradient():
    return jax.jit(jax.grad(lambda *args: losses.frame_loss(*args).total))


def padded(golden, case):
    """A case's logits among ten slots, its labels, and which slots are live."""
    logits = golden[f"{case}/logits"]
    objects = logits.shape[0] - 1
    free = np.full((10 - objects, *logits.shape[1:]), -1e10, np.float32)
    return np.concatenate([logits, free]), golden[f"{case}/label"], np.arange(10) < objects


def count(at, total, pixels):
    return schedule.kept(schedule.hard_share(at, begin=0, end=total / 2), pixels)


def test_losses_of_a_frame(frame_loss):
    golden = goldens.arrays("aot/losses.npz")
    for row in rows("losses.csv"):
        logits, labels, live = padded(golden, row["case"])
        kept = count(int(row["step"]), int(row["total_steps"]), labels.size)
        found = frame_loss(logits, labels, live, kept)
        wanted = [float(row[name]) for name in ("half_half", "bootstrapped_ce", "soft_jaccard")]
        np.testing.assert_allclose(found, wanted, rtol=2e-6, err_msg=str(row))


@pytest.mark.parametrize("case", "abcd")
@pytest.mark.parametrize("at", [0, 25_000, 80_000])
def test_gradients_of_the_loss(case, at, frame_gradient):
    golden = goldens.arrays("aot/losses.npz")
    logits, labels, live = padded(golden, case)
    found = np.asarray(frame_gradient(logits, labels, live, count(at, 100_000, labels.size)))
    wanted = golden[f"{case}/grad_step{at}"]
    np.testing.assert_allclose(found[: len(wanted)], wanted, atol=1e-8, rtol=1e-4)
    assert not found[len(wanted) :].any()


def test_learning_rates():
    for row in rows("lr_schedule.csv"):
        train = TrainConfig(
            lr=float(row["base_lr"]),
            lr_min=float(row["min_lr"]),
            steps=int(row["total_steps"]),
            power=float(row["power"]),
        )
        knobs = schedule.step_scalars(int(row["step"]), train, pixels=1)
        wanted = float(row["lr_main"]), float(row["lr_encoder"])
        np.testing.assert_allclose((knobs.rate, knobs.encoder_rate), wanted, rtol=1e-6)


def test_moving_average():
    wanted = {(int(row["total_steps"]), int(row["update_number"])): row for row in rows("ema.csv")}
    for total in {total for total, _ in wanted}:
        average = np.float64(0)
        for n in range(1, 1501):
            decay = schedule.ema_decay(n, total=total)
            average = ema.update(average, np.cos(n / 100), decay)
            if (total, n) in wanted:
                row = wanted[total, n]
                assert np.cos(n / 100) == pytest.approx(float(row["param_value"]), abs=1e-9)
                assert average == pytest.approx(float(row["shadow_after"]), abs=1e-9)


class Pass:
    """The golden training pass of AOT-L: two clips of five frames, slots as its permutations."""

    def __init__(self):
        self.golden, self.meta = aot.load("train_forward")
        self.net = aot.network(self.meta["model"], layers=3)
        frames, masks = aot.clip(self.meta["clip"])
        mirrored = np.where(masks == 3, 0, masks)[..., ::-1]
        perms = self.golden["perms"]
        labels = np.stack([perms[i][m] for i, m in enumerate((masks, mirrored))]).astype(np.uint8)
        live = np.zeros((2, 10), bool)
        for i, objects in enumerate(self.meta["obj_nums"]):
            live[i, perms[i][1 : objects + 1] - 1] = True
        both = 255 * np.stack([frames, frames[:, :, ::-1]])
        self.clips = on_devices.shared(step.Clips(both, labels, live))
        self.trainable, self.frozen = on_devices.copied(
            state.split_params(self.net.params, self.net.model.param_group)
        )
        self.settings = step.StepConfig(mem_every=self.meta["long_term_mem_gap"])

    def knobs(self, run):
        train = TrainConfig(
            steps=self.meta["total_steps"], aux=self.meta["aux_ratio"], own_from=0.5
        )
        return schedule.step_scalars(self.meta["runs"][run]["step"], train, pixels=97 * 129)

    def loss(self, trainable, knobs):
        params = state.join_params(trainable, self.frozen)
        return step.clip_loss(self.net.model, params, self.clips, knobs, self.settings)

    def check(self, run, total, parts):
        limit = OWN if self.meta["runs"][run]["use_prev_pred"] else LOSS
        np.testing.assert_allclose(parts["frames"], self.golden[f"{run}/frame_losses"], atol=limit)
        assert float(total) == pytest.approx(self.meta["runs"][run]["loss"], abs=2 * limit)


@pytest.fixture(scope="module")
def forward():
    return Pass()


@pytest.fixture(scope="module")
def compiled(forward):
    return jax.jit(forward.loss)


@pytest.mark.parametrize("run", ["gt", "gt_mid", "pred"])
def test_losses_of_a_training_pass(run, forward, compiled):
    forward.check(run, *compiled(forward.trainable, forward.knobs(run)))


def test_own_labels_of_a_training_pass(forward, compiled):
    _, parts = compiled(forward.trainable, forward.knobs("gt"))
    perms, told = forward.golden["perms"], forward.golden["gt/pred_masks"]
    for sample in range(2):
        wanted = perms[sample][told[1:, sample]]
        assert np.mean(np.asarray(parts["prediction"])[sample, 1:] != wanted) < 1e-3


@pytest.fixture(scope="module")
def gradients(forward):
    return jax.jit(jax.value_and_grad(forward.loss, has_aux=True))


@pytest.mark.slow
@pytest.mark.parametrize("run", ["gt", "pred"])
def test_gradients_of_a_training_pass(run, forward, gradients):
    names = {name.path: name.key for name in forward.net.model.checkpoint_names.entries}
    (total, parts), grads = gradients(forward.trainable, forward.knobs(run))
    forward.check(run, total, parts)
    norms = {
        row["key"]: row["grad_l2_norm"]
        for row in rows("train_forward_gradnorms.csv")
        if row["run"] == run
    }
    moving = {key for key, norm in norms.items() if norm}
    unmoved = {names[p] for p in step.held_paths(grads, "^identity/")} if run == "pred" else set()
    assert moving - {"LSTT.mask_token"} == {names[path] for path in grads} - unmoved
    largest = max(float(norms[key]) for key in moving)
    for path, grad in grads.items():
        if names[path] in moving:
            wanted = float(norms[names[path]])
            limit = (GRADIENT if run == "gt" else 10 * GRADIENT) * wanted + 1e-5 * largest
            assert abs(float(jnp.linalg.norm(grad)) - wanted) <= limit, names[path]
