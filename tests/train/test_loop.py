"""Whole runs of a toy: resumption bit for bit, signals, stages, and errors before any work."""

import os
import pathlib
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest
from support import small

from vosjax.checkpoints.weights import load_weights
from vosjax.config import opened
from vosjax.errors import InputError, NotFinite
from vosjax.modes import Options
from vosjax.modes import export as export_mode
from vosjax.modes import train as train_mode
from vosjax.train import build, log, loop, state


@pytest.fixture(autouse=True)
def toy_family(monkeypatch):
    small.install(monkeypatch)


@pytest.fixture
def interrupted(monkeypatch):
    """Makes a run get a SIGTERM when it tells of step 2."""
    logged = log.Log.scalars

    def scalars(self, at, values):
        logged(self, at, values)
        if at == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    def switch(on):
        monkeypatch.setattr(log.Log, "scalars", scalars if on else logged)

    return switch


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, interrupted):
    whole = loop.train(small.config(aux=0.5, own_from=0.5), output=tmp_path / "whole")
    interrupted(True)
    part = loop.train(small.config(aux=0.5, own_from=0.5), output=tmp_path / "part")
    assert not part.complete and int(part.state.step) == 2
    interrupted(False)
    rest = loop.train(small.config(aux=0.5, own_from=0.5), output=tmp_path / "part")
    assert whole.complete and rest.complete
    same(whole.state, rest.state)
    steps = [line.split(",")[0] for line in (tmp_path / "part/metrics.csv").read_text().split()]
    assert steps == ["step", "2", "4", "6"]


def test_signals_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    loop.train(small.config(steps=1), output=tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


def test_two_devices_give_the_figures_of_one(tmp_path):
    alone = loop.train(small.config(steps=2, batch=4), output=tmp_path / "one").state
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import jax, numpy as np, pytest; "
        "from support import small; "
        "assert len(jax.devices()) == 2; from vosjax.train import loop; "
        "small.install(pytest.MonkeyPatch()); "
        "s = loop.train(small.config(steps=2, batch=4), output=sys.argv[2]).state; "
        "np.savez(sys.argv[3], **s.trainable)"
    )
    tests = pathlib.Path(__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", code, tests, tmp_path / "two", tmp_path / "two.npz"],
        check=True,
        cwd=tests.parent,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "2", "PYTHONPATH": str(tests.parent)},
    )
    with np.load(tmp_path / "two.npz") as two:
        for path, weight in alone.trainable.items():
            np.testing.assert_allclose(two[path], weight, atol=1e-5)


def test_training_learns(tmp_path):
    log = dict(every=20, checkpoint=0)
    loop.train(small.config(steps=60, lr=5e-2, hard_end=1e6, log=log), output=tmp_path)
    rows = (tmp_path / "metrics.csv").read_text().split()
    first, last = (float(row.split(",")[1]) for row in (rows[1], rows[-1]))
    assert last < 0.9 * first


def test_stages_start_from_the_average_of_the_one_before(tmp_path, monkeypatch):
    begun = []
    fresh = state.fresh
    monkeypatch.setattr(
        state, "fresh", lambda params, *rest: begun.append(params) or fresh(params, *rest)
    )
    stages = ({"name": "a"}, {"name": "b", "train": {"lr": 1e-3}})
    ended = loop.train(small.config(steps=2, stages=stages), output=tmp_path)
    one = small.config(steps=2)
    first = loop.train(one, output=tmp_path / "alone")
    same(begun[1], state.averaged(first.state))
    assert ended.folder == tmp_path / "b" and (tmp_path / "a" / "metrics.csv").exists()


def test_a_stage_changes_train_and_data_only():
    with pytest.raises(InputError, match=r"stages\[0\] has no field 'model'"):
        small.config(stages=({"name": "a", "model": {}},))


def test_a_stage_changes_what_it_names_at_any_depth():
    stage = {"train": {"lr": 1e-3, "log": {"every": 7}}, "data": {"frames": 4}}
    ((name, config),) = loop.stages(small.config(stages=(stage,)))
    assert (name, config.train.lr, config.train.log.every) == ("stage0", 1e-3, 7)
    assert config.data.frames == 4 and config.train.log.checkpoint == 3 and not config.stages


def test_validation_is_told(tmp_path):
    config = small.config(steps=2, log=dict(validate=2, pictures=2))
    loop.train(config, output=tmp_path)
    header, row = (line.split(",") for line in (tmp_path / "metrics.csv").read_text().split())
    assert 0 <= float(row[header.index("validation_j")]) <= 1


def test_a_run_that_is_no_number_stops_and_names_the_steps(tmp_path):
    with pytest.raises(NotFinite, match="in steps 1 to"):
        loop.train(small.config(lr=1e38, lr_min=1.0, warmup=0.0), output=tmp_path)


@pytest.mark.parametrize(
    "room, changes, said",
    [
        ("data", dict(height=30), "data.height and data.width are 30 and 32"),
        ("data", dict(frames=1), "data.frames is 1"),
        ("data", dict(max_objects=9), "data.max_objects is 9: the network holds 4"),
        ("train", dict(feedback="loud"), "train.feedback is 'loud'"),
        ("train", dict(steps=0), "train.steps is 0"),
        ("train", dict(init="nowhere.npz"), "train.init names nowhere.npz, which does not exist"),
    ],
)
def test_configs_that_cannot_work_are_refused(tmp_path, room, changes, said):
    changes = changes if room == "train" else {room: changes}
    with pytest.raises(InputError, match=said):
        loop.train(small.config(**changes), output=tmp_path)


def test_frozen_by_a_pattern():
    model = build.with_frozen(small.model(), "^key")
    assert [model.param_group(path) for path in ("key", "gain")] == ["frozen", "head"]


def launched(config, **options):
    return train_mode.run(config, Options(**options))


def test_the_mode_writes_weights_that_the_project_reads(tmp_path):
    assert launched(small.config(steps=2), output=str(tmp_path)) == 0
    params, card = load_weights(tmp_path / "weights")
    assert params["key"].dtype == np.float16 and card["training"]["steps"] == 2
    assert card["objects"] == small.SLOTS  # the identities that training used
    exported = Options(inputs=(str(tmp_path),), output=str(tmp_path / "again"))
    assert export_mode.run(small.config(steps=2), exported) == 0
    same(load_weights(tmp_path / "again")[0], params)


def test_a_stopped_mode_says_so(tmp_path, interrupted):
    interrupted(True)
    assert launched(small.config(), output=str(tmp_path)) == 130


def test_paths_of_this_machine_do_not_reach_the_card(tmp_path):
    config = small.config(steps=1, data=dict(stills="/some/where/stills"))
    launched(config, output=str(tmp_path))
    assert "/some/where" not in (tmp_path / "weights" / "card.json").read_text()


@pytest.mark.parametrize(
    "flags, said", [(dict(), "--output"), (dict(output="x"), "has no training part")]
)
def test_the_mode_says_what_is_missing(flags, said):
    config = opened("aot:t") if flags else small.config()
    with pytest.raises(InputError, match=said):
        launched(config, **flags)


def test_export_needs_a_run(tmp_path):
    options = Options(inputs=(str(tmp_path),), output=str(tmp_path / "out"))
    with pytest.raises(InputError, match="no checkpoints below"):
        export_mode.run(small.config(), options)
