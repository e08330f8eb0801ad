"""Which checkpoints stay: the newest few, and those with the best validation scores."""

import json
import os
import shutil
import threading

import jax
import numpy as np
import pytest
from support import small

from vosjax.checkpoints.weights import load_weights
from vosjax.config import opened
from vosjax.errors import InputError
from vosjax.modes import Options
from vosjax.modes import export as export_mode
from vosjax.train import checkpoint, checkpoint_folder, clip_task, kept, loop, optimizer, state

CONFIG = {"family": "toy", "train": {"lr": 0.1}}
SCORES = {1: 0.2, 2: 0.9, 3: 0.4, 4: None, 5: 0.3}


@pytest.fixture(scope="module")
def trained():
    model = small.model()
    chain = optimizer.build({path: 1 for path in ("key", "gain", "bank")})
    return state.fresh(model.init_params(jax.random.PRNGKey(3)), model.param_group, chain)


def write(checkpoints, trained, at, score, *, wait=True):
    figures = {} if score is None else {kept.SCORE: score}
    now = trained._replace(step=np.int32(at))
    checkpoint.save(checkpoints, now, CONFIG, figures=figures, wait=wait)


@pytest.mark.parametrize(
    "newest, best, stay",
    [
        (1, 0, {5}),
        (2, 0, {4, 5}),
        (1, 1, {2, 5}),
        (2, 2, {2, 3, 4, 5}),
        (1, 9, {1, 2, 3, 5}),
        (5, 1, {1, 2, 3, 4, 5}),
    ],
)
def test_the_newest_and_the_best_stay(newest, best, stay):
    by_step = {at: score for at, score in SCORES.items() if score is not None}
    assert kept.kept_steps(SCORES, by_step, newest=newest, best=best) == stay


def test_of_equal_scores_the_earlier_one_is_better():
    assert kept.ranked({30: 0.5, 10: 0.5, 20: 0.7}) == [20, 10, 30]


@pytest.mark.parametrize(
    "score, best, counts",
    [
        (0.91, 1, True),
        (0.9, 1, False),
        (0.5, 2, True),
        (0.4, 2, False),
        (0.0, 5, True),
        (1.0, 0, False),
        (float("nan"), 5, False),
        (None, 5, False),
    ],
)
def test_a_score_is_among_the_best_if_it_is_larger_than_one_of_them(score, best, counts):
    assert kept.is_among_best(score, {2: 0.9, 3: 0.4}, best) is counts


def test_a_folder_keeps_them_also_over_resumptions(tmp_path, trained):
    for at, score in SCORES.items():  # a process for each
        with checkpoint_folder.managed(tmp_path, keep=1, keep_best=2) as checkpoints:
            write(checkpoints, trained, at, score)
    assert checkpoint_folder.steps(tmp_path) == [2, 3, 5]
    assert kept.scores(tmp_path, [2, 3, 5]) == {2: 0.9, 3: 0.4, 5: 0.3}


@pytest.mark.parametrize("text", ["", "[]", '{"validation_j"', '{"validation_j": "high"}', None])
def test_a_score_that_cannot_be_read_is_none_and_nothing_else_is_lost(tmp_path, trained, text):
    with checkpoint_folder.managed(tmp_path, keep=2, keep_best=1) as checkpoints:
        write(checkpoints, trained, 1, 0.5)
    path = tmp_path / "1" / kept.FIGURES / "metadata"
    if text is None:  # a checkpoint of an earlier version
        shutil.rmtree(path.parent)
        listed = tmp_path / "1" / "_CHECKPOINT_METADATA"
        facts = json.loads(listed.read_text())
        del facts["item_handlers"][kept.FIGURES]
        listed.write_text(json.dumps(facts))
    else:
        path.write_text(text)
    with checkpoint_folder.managed(tmp_path, keep=2, keep_best=1) as checkpoints:
        assert checkpoint.restore(checkpoints, trained, CONFIG).step == 1
        write(checkpoints, trained, 2, 0.1)
    assert kept.scores(tmp_path, checkpoint_folder.steps(tmp_path)) == {2: 0.1}


def test_a_training_does_not_wait_until_a_checkpoint_is_written(tmp_path, trained, monkeypatch):
    rename, written = os.rename, threading.Event()

    def late(source, target):
        assert written.wait(60)
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)  # how Orbax completes a checkpoint
    with checkpoint_folder.managed(tmp_path, keep=1) as checkpoints:
        write(checkpoints, trained, 1, 0.5, wait=False)
        assert checkpoint_folder.steps(tmp_path) == []
        written.set()
    assert checkpoint_folder.steps(tmp_path) == [1]


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, trained):
    with checkpoint_folder.managed(tmp_path, keep=2) as checkpoints:
        write(checkpoints, trained, 1, 0.5)
    (tmp_path / "2.orbax-checkpoint-tmp").mkdir()
    (tmp_path / "2.orbax-checkpoint-tmp" / "half").write_text("x")
    with checkpoint_folder.managed(tmp_path, keep=2) as checkpoints:
        write(checkpoints, trained, 2, 0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """A run whose validations in steps 1 to 6 give these scores; it keeps the newest and the best.

    The regular checkpoints are those of steps 3 and 6.
    """
    small.install(monkeypatch)
    given = iter([0.1, 0.8, 0.3, 0.7, 0.2, 0.6])
    monkeypatch.setattr(
        clip_task, "validation", lambda model, config: lambda params: {"validation_j": next(given)}
    )
    config = small.config(log=dict(validate=1, checkpoint=3, keep=1, keep_best=1))
    ended = loop.train(config, output=tmp_path / "run")
    return tmp_path / "run", config, ended


def exported(config, run, name, tmp_path):
    target = tmp_path / name
    options = Options(inputs=(str(run),), output=str(target))
    assert export_mode.run(small.config(export=name), options) == 0
    return load_weights(target)


def test_a_run_keeps_its_best_validation_between_two_checkpoints_and_exports_it(scored, tmp_path):
    run, config, ended = scored
    assert checkpoint_folder.steps(run / "checkpoints") == [2, 6]
    steps = {}
    for name in "best", "newest", "6":
        params, card = exported(config, run, name, tmp_path)
        steps[name] = card["training"]["steps"]
    assert steps == {"best": 2, "newest": 6, "6": 6}
    np.testing.assert_array_equal(params["key"], np.float16(ended.state.average["key"]))


def test_a_checkpoint_that_is_not_there_is_one_line(scored, tmp_path):
    run, config, _ = scored
    with pytest.raises(InputError, match="no checkpoint of step 5 .* there are: 2, 6"):
        exported(config, run, "5", tmp_path)


def test_without_validations_none_is_the_best(tmp_path, monkeypatch):
    small.install(monkeypatch)
    loop.train(small.config(steps=1), output=tmp_path / "run")
    with pytest.raises(InputError, match="has a validation score.*train.export=newest"):
        exported(None, tmp_path / "run", "best", tmp_path)


def test_another_word_for_a_checkpoint_is_refused():
    with pytest.raises(InputError, match="train.export is 'last'; newest, best or the number"):
        opened("train_rendered", ["train.export=last"])
