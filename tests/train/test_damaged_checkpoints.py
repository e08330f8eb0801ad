"""Damaged checkpoints: the one before is used, and one line says so; nothing else is restored."""

import json
import pathlib
import shutil

import jax
import numpy as np
import pytest
from support import small

from vosjax.errors import InputError, NotFinite
from vosjax.train import checkpoint, checkpoint_folder, optimizer, state

CONFIG = {"family": "toy", "train": {"lr": 0.1, "log": {"every": 1}}}


@pytest.fixture(scope="module")
def trained():
    model = small.model()
    chain = optimizer.build({path: 1 for path in ("key", "gain", "bank")})
    fresh = state.fresh(model.init_params(jax.random.PRNGKey(3)), model.param_group, chain)
    return jax.tree.map(np.asarray, fresh)


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    """A folder with sound checkpoints of steps 1 and 2."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    with checkpoint_folder.manager(folder, keep=3) as checkpoints:
        for at in (1, 2):
            checkpoint.save(checkpoints, trained._replace(step=np.int32(at)), CONFIG, wait=True)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


def files(path):
    return sorted(file for file in path.rglob("*") if file.is_file())


def largest(path):
    return max(files(path), key=lambda file: file.stat().st_size)


def truncate(path):
    for file in files(path / "state"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def truncate_data(path):
    file = largest(path)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])


def empty(path):
    for file in files(path):
        file.write_bytes(b"")


def delete_data(path):
    largest(path).unlink()


def delete_all(path):
    shutil.rmtree(path)
    path.mkdir()


def no_manifest(path):
    for file in path.rglob("manifest.ocdbt"):
        file.unlink()


def no_state(path):
    shutil.rmtree(path / "state")


def no_config(path):
    shutil.rmtree(path / "config")


def torn_config(path):
    file = path / "config" / "metadata"
    file.write_bytes(file.read_bytes()[:9])


def other_config(path):
    file = path / "config" / "metadata"
    file.write_text(file.read_text().replace("0.1", "0.3"))


def torn_digests(path):
    file = path / "digests" / "metadata"
    file.write_bytes(file.read_bytes()[:-20])


def no_tree(path):
    (path / "state" / "_METADATA").unlink()


def zeros(path):
    file = largest(path)
    file.write_bytes(bytes(file.stat().st_size))


DAMAGES = (
    truncate,
    truncate_data,
    empty,
    delete_data,
    delete_all,
    no_manifest,
    no_state,
    no_config,
    torn_config,
    other_config,
    torn_digests,
    zeros,
)


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_one_before_is_used_and_the_damaged_one_named(folder, trained, damage):
    damage(folder / "2")
    with checkpoint_folder.manager(folder, keep=3) as checkpoints:
        with pytest.warns(UserWarning) as notes:
            restored = checkpoint.restore(checkpoints, trained, CONFIG, repair=True)
        same(restored, trained._replace(step=np.int32(1)))
        (note,) = [str(note.message) for note in notes]
        assert f"step 2 in {folder} is damaged (" in note and "step 1 is used" in note
        assert "\n" not in note and len(note) < 500
        # the run goes on, and saves the step anew
        again = trained._replace(step=np.int32(2))
        checkpoint.save(checkpoints, again, CONFIG, wait=True)
        same(checkpoint.restore(checkpoints, trained, CONFIG), again)
    assert checkpoint_folder.steps(folder) == [1, 2] and (folder / "damaged-2").is_dir()


def test_a_file_that_nobody_needs_may_be_lost(folder, trained):
    no_tree(folder / "2")
    with checkpoint_folder.manager(folder) as checkpoints:
        restored = checkpoint.restore(checkpoints, trained, CONFIG)
    same(restored, trained._replace(step=np.int32(2)))


def test_reading_alone_changes_nothing(folder, trained):
    truncate(folder / "2")
    before = {file: file.read_bytes() for file in files(folder)}
    with (
        checkpoint_folder.manager(folder) as checkpoints,
        pytest.warns(UserWarning, match="step 2"),
    ):
        assert checkpoint.restore(checkpoints, trained, CONFIG).step == 1
    assert before == {file: file.read_bytes() for file in files(folder)}


def test_where_none_is_sound_one_line_says_so(folder, trained):
    truncate(folder / "1")
    no_config(folder / "2")
    with (
        checkpoint_folder.manager(folder, keep=3) as checkpoints,
        pytest.raises(InputError) as error,
    ):
        checkpoint.restore(checkpoints, trained, CONFIG)
    line = str(error.value)
    assert "\n" not in line and "step 2: its config" in line and "step 1: its state" in line
    assert "remove the folder to start anew" in line


def test_a_damaged_step_that_was_asked_for_is_not_replaced(folder, trained):
    truncate(folder / "2")
    with checkpoint_folder.manager(folder) as checkpoints:
        with pytest.raises(InputError, match="can be used .step 2: its state cannot be read"):
            checkpoint.restore(checkpoints, trained, CONFIG, step=2)
        assert checkpoint.restore(checkpoints, trained, CONFIG, step=1).step == 1


def test_an_array_that_changed_is_named(folder, trained):
    path = folder / "2" / "digests" / "metadata"
    kept = json.loads(path.read_text())
    kept["state"]["00001"] = "0" * 64
    path.write_text(json.dumps(kept))
    with checkpoint_folder.manager(folder) as checkpoints, pytest.warns(UserWarning) as notes:
        checkpoint.restore(checkpoints, trained, CONFIG)
    assert "array 'trainable/bank' changed since it was saved" in str(notes[0].message)


def test_checkpoints_of_earlier_versions_have_no_digests_and_open(folder, trained):
    shutil.rmtree(folder / "2" / "digests")
    path = folder / "2" / "_CHECKPOINT_METADATA"
    facts = json.loads(path.read_text())
    del facts["item_handlers"]["digests"]
    path.write_text(json.dumps(facts))
    with checkpoint_folder.manager(folder) as checkpoints:
        assert checkpoint.restore(checkpoints, trained, CONFIG).step == 2


def test_another_config_is_no_damage(folder, trained):
    other = {"family": "toy", "train": {"lr": 0.2, "log": {"every": 1}}}
    with checkpoint_folder.manager(folder, keep=3) as checkpoints:
        with pytest.raises(InputError, match="train.lr was 0.1, is now 0.2"):
            checkpoint.restore(checkpoints, trained, other, repair=True)
    assert checkpoint_folder.steps(folder) == [1, 2]


def flipped(folder, trained, seed):
    """Restores after one bit of step 2 was flipped; the step that was used."""
    rng = np.random.default_rng(seed)
    file = rng.choice([file for file in files(folder / "2") if file.stat().st_size])
    data = bytearray(pathlib.Path(file).read_bytes())
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    pathlib.Path(file).write_bytes(data)
    with checkpoint_folder.manager(folder) as checkpoints:
        restored = checkpoint.restore(checkpoints, trained, CONFIG)
    same(restored, trained._replace(step=restored.step))
    return int(restored.step)


@pytest.mark.filterwarnings("ignore:the checkpoint of step 2")
@pytest.mark.parametrize(
    "seed", [pytest.param(i, marks=[pytest.mark.slow] * (i > 7)) for i in range(60)]
)
def test_a_flipped_bit_never_changes_what_is_restored(folder, trained, seed):
    assert flipped(folder, trained, seed) in (1, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_state_that_is_no_number_is_not_stored(folder, trained, bad):
    broken = dict(trained.trainable)
    broken["key"] = broken["key"].copy()
    broken["key"].flat[0] = bad
    with checkpoint_folder.manager(folder, keep=3) as checkpoints:
        with pytest.raises(NotFinite, match="step 3 .*'trainable/key' holds 1 (NaN|infinite) of"):
            checkpoint.save(
                checkpoints, trained._replace(step=np.int32(3), trainable=broken), CONFIG, wait=True
            )
        assert checkpoint.restore(checkpoints, trained, CONFIG).step == 2
