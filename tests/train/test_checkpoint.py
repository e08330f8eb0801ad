"""Checkpoints: bit for bit, of one config, the newest few."""

import jax
import numpy as np
import pytest
from support import small

from vosjax.errors import InputError
from vosjax.train import checkpoint, checkpoint_folder, optimizer, state

CONFIG = {"family": "toy", "train": {"lr": 0.1, "log": {"every": 1}}}


@pytest.fixture
def trained():
    model = small.model()
    chain = optimizer.build({path: 1 for path in ("key", "gain", "bank")})
    return state.fresh(model.init_params(jax.random.PRNGKey(3)), model.param_group, chain)


@pytest.fixture
def saved(tmp_path, trained):
    with checkpoint_folder.manager(tmp_path, keep=2) as checkpoints:
        for at in (1, 2, 3):
            checkpoint.save(checkpoints, trained._replace(step=np.int32(at)), CONFIG, wait=True)
        yield checkpoints


def test_restored_bit_for_bit(saved, trained):
    blank = jax.tree.map(np.zeros_like, trained)
    restored = checkpoint.restore(saved, blank, CONFIG)
    expected = trained._replace(step=np.int32(3))
    assert jax.tree.structure(restored) == jax.tree.structure(trained)
    jax.tree.map(np.testing.assert_array_equal, restored, expected)


def test_the_newest_stay(saved):
    assert sorted(saved.all_steps()) == [2, 3]


def test_an_older_one_can_be_asked_for(saved, trained):
    assert checkpoint.restore(saved, trained, CONFIG, step=2).step == 2


def test_a_missing_step_is_named_with_those_that_are_there(saved, trained):
    with pytest.raises(InputError, match="no checkpoint of step 1 .* there are: 2, 3"):
        checkpoint.restore(saved, trained, CONFIG, step=1)


def test_another_config_is_refused_and_what_differs_is_named(saved, trained):
    other = {"family": "toy", "train": {"lr": 0.2, "log": {"every": 1}}}
    with pytest.raises(InputError, match="train.lr was 0.1, is now 0.2"):
        checkpoint.restore(saved, trained, other)


def test_what_is_told_may_change(saved, trained):
    other = {"family": "toy", "train": {"lr": 0.1, "log": {"every": 50}}}
    assert checkpoint.restore(saved, trained, other).step == 3


def test_an_empty_folder_restores_nothing(tmp_path, trained):
    with checkpoint_folder.manager(tmp_path, keep=1) as checkpoints:
        assert checkpoint.restore(checkpoints, trained, CONFIG) is None


def test_a_half_written_checkpoint_is_not_seen(saved, trained, tmp_path):
    (tmp_path / "9.orbax-checkpoint-tmp-1").mkdir()
    with checkpoint_folder.manager(tmp_path) as reader:
        assert checkpoint.restore(reader, trained, CONFIG).step == 3
