"""Training of a refinement network by the project's loop: batches, figures, resumption, export."""

import os
import signal

import jax
import numpy as np
import pytest
from support.pixelwise import SIDE, bright, config, toy, write_sets

from vosjax.checkpoints.weights import load_weights
from vosjax.config import opened
from vosjax.errors import InputError
from vosjax.loading import networks
from vosjax.modes import Options
from vosjax.modes import export as export_mode
from vosjax.modes import train as train_mode
from vosjax.train import answers, boundary, log, loop, patches
from vosjax.train.config import PatchesConfig
from vosjax.train.patches import Patches


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with the sets of `pixelwise.write_sets`, and the network that learns from them."""
    monkeypatch.setattr(networks, "build", lambda family, **settings: toy())
    return write_sets(tmp_path / "sets")


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_step_has_the_same_batch_wherever_the_run_began():
    make = dict(seed=3, batch=6, side=32)
    whole = boundary.batches([(1.0, bright()), (2.0, bright(seed=1))], PatchesConfig(), **make)
    later = boundary.batches(
        [(1.0, bright()), (2.0, bright(seed=1))], PatchesConfig(), start_step=2, **make
    )
    first, _, third = (next(whole) for _ in range(3))
    same(third, next(later))
    assert first.images.shape == (6, 32, 32, 3) and not np.array_equal(first.images, third.images)


def test_two_hosts_make_the_rows_of_one():
    make = dict(seed=3, batch=6, side=32)
    whole = next(boundary.batches([(1.0, bright())], PatchesConfig(), **make))
    halves = [
        next(boundary.batches([(1.0, bright())], PatchesConfig(), **make, host=host, hosts=2))
        for host in range(2)
    ]
    same(whole, jax.tree.map(lambda *rows: np.concatenate(rows), *halves))


def test_a_batch_in_parts_is_refused(root):
    with pytest.raises(InputError, match="train.accumulate is 2: .* whole batch"):
        loop.task_of(config(root, "train.accumulate=2"))


def test_sets_are_drawn_by_their_weights():
    dark = bright()._replace(images=np.zeros((40, SIDE, SIDE, 3), np.uint8))
    settings = PatchesConfig(colour=False)
    batch = next(
        boundary.batches([(3.0, bright()), (1.0, dark)], settings, seed=0, batch=400, side=32)
    )
    share = np.mean(batch.images.max((1, 2, 3)) > 0)
    assert abs(share - 0.75) < 0.08


def test_images_and_masks_are_mirrored_together():
    one = Patches(*(array[0] for array in bright()))
    settings = PatchesConfig(flip=1.0, colour=False)
    mirrored = boundary.changed(one, boundary.drawn(np.random.default_rng(0), settings))
    same(mirrored, Patches(*(array[:, ::-1] for array in one)))


def test_the_loss_is_the_mean_cross_entropy_of_the_pixels_that_count():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 4, 4, 2)).astype(np.float32)
    truth = rng.choice(np.uint8([0, 1, 255]), (2, 4, 4))
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = [-log_probs[i][truth[i]] for i in np.ndindex(2, 4, 4) if truth[i] != 255]
    assert float(boundary.cross_entropy(logits, truth)) == pytest.approx(np.mean(expected), 1e-5)


def test_ious_leave_out_ignored_pixels():
    truth = np.uint8([[[1, 1], [0, 255]], [[0, 0], [0, 0]]])
    masks = np.array([[[True, False], [True, True]], [[False] * 2] * 2])
    np.testing.assert_allclose(answers.ious(masks, truth), [1 / 3, 1.0])


def test_training_learns_and_writes_weights(root, tmp_path, capsys):
    assert train_mode.run(config(root), Options(output=str(tmp_path / "run"))) == 0
    table = (tmp_path / "run/metrics.csv").read_text().splitlines()
    assert table[0].split(",") == list(boundary.COLUMNS)
    rows = [dict(zip(boundary.COLUMNS, line.split(","))) for line in table[1:]]
    assert [row["step"] for row in rows] == ["2", "4", "6", "8", "10", "12"]
    assert float(rows[-1]["loss"]) < 0.7 * float(rows[0]["loss"])
    assert float(rows[-1]["j"]) > float(rows[-1]["coarse_j"])
    assert float(rows[-1]["validation_coarse_j"]) == pytest.approx(
        float(np.mean(answers.ious(bright(seed=1).coarse == 1, bright(seed=1).truth))),
        abs=1e-3,
    )
    assert 0 < float(rows[-1]["validation_j"]) <= 1
    weights, card = load_weights(tmp_path / "run/weights")
    assert card["family"] == "bpr" and "objects" not in card
    assert card["config"] == {"model": opened("train_boundary").model}
    assert card["training"]["patches"]["root"] == "sets"
    assert np.any(weights["bn"]["mean"] != 0)  # the statistics are exported, too


def test_a_stopped_run_goes_on_bit_for_bit(root, tmp_path, monkeypatch):
    whole = loop.train(config(root), output=tmp_path / "whole")
    scalars = log.Log.scalars

    def stopping(self, at, values):
        scalars(self, at, values)
        if at == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(log.Log, "scalars", stopping)
    part = loop.train(config(root), output=tmp_path / "part")
    monkeypatch.setattr(log.Log, "scalars", scalars)
    assert not part.complete and int(part.state.step) == 4
    rest = loop.train(config(root), output=tmp_path / "part")
    assert rest.complete
    same(whole.state, rest.state)


def test_a_checkpoint_is_exported_and_another_config_refused(root, tmp_path):
    loop.train(config(root, "train.steps=3"), output=tmp_path / "run")
    options = Options(inputs=(str(tmp_path / "run"),), output=str(tmp_path / "w"))
    assert export_mode.run(config(root, "train.steps=3"), options) == 0
    assert load_weights(tmp_path / "w")[1]["training"]["steps"] == 3
    with pytest.raises(InputError, match="flip"):
        export_mode.run(config(root, "train.steps=3", "patches.flip=0.1"), options)


@pytest.mark.parametrize(
    "overrides, said",
    [
        (["patches.sets=()"], "names no patches: give config.patches.sets"),
        (["patches.held_out=."], "held_out keeps all videos"),
        (["patches.sets=({'folder': 'c'},)"], "c holds no patches"),
    ],
)
def test_sets_that_leave_nothing_are_refused(root, tmp_path, overrides, said):
    with pytest.raises(InputError, match=said):
        loop.train(config(root, *overrides), output=tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_a_network_that_tracks_is_not_trained_on_patches(tmp_path):
    with pytest.raises(InputError, match="'aot' cannot be trained on patches"):
        loop.task_of(opened("train_boundary", ["family=aot", "model={}"]))


def test_patches_and_clips_do_not_go_together():
    with pytest.raises(InputError, match="patches is given, and so is data"):
        opened("train_rendered", ["patches={}"])


def test_held_out_patches_stay_out_of_training(root):
    weighted, held_out = boundary.sets(config(root).patches)
    assert [weight for weight, _ in weighted] == [40, 20]
    same(held_out, patches.read(root / "a", ["two"]))
    same(weighted[0][1], patches.read(root / "a", ["one"]))
