"""Steps that are no numbers: they end a run and leave their batch, or are left out."""

import csv
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import small

from vosjax.errors import NotFinite
from vosjax.train import build, checkpoint_folder, loop, nonfinite, schedule

NAN, INF = float("nan"), float("inf")


def test_not_a_number_names_its_steps():
    with pytest.raises(NotFinite, match="in steps 101 to 102"):
        nonfinite.check_finite(100, [1.0, float("nan"), 1.0], [1.0, 1.0, float("inf")])


def test_finite_figures_pass():
    nonfinite.check_finite(0, [1.0], [2.0])


@pytest.mark.parametrize("losses, in_a_row", [([NAN, 1, NAN, INF], 2), ([NAN, NAN, 1], 0)])
def test_so_many_in_a_row_pass(losses, in_a_row):
    assert nonfinite.check_finite(5, losses, [1.0] * 4, allowed=2) == in_a_row


def test_those_of_the_window_before_count():
    assert nonfinite.check_finite(5, [1.0, NAN], [1.0] * 2, allowed=1, in_a_row=1) == 1
    with pytest.raises(NotFinite, match="in steps 4 to 5, and train.skip_nonfinite allows 1"):
        nonfinite.check_finite(5, [NAN, 1.0], [1.0] * 2, allowed=1, in_a_row=1)


def test_the_first_of_too_many_in_a_row_is_named_and_not_one_that_was_allowed():
    with pytest.raises(nonfinite.NotFiniteSteps) as error:
        nonfinite.check_finite(10, [NAN, 1.0, NAN, NAN, 1.0], [1.0] * 5, allowed=1)
    assert error.value.first == 12 and "in steps 12 to 13" in str(error.value)


@pytest.mark.parametrize("figures", [{}, {nonfinite.IN_A_ROW: "two"}, {nonfinite.IN_A_ROW: -1}])
def test_figures_that_say_nothing_count_as_none(figures):
    assert nonfinite.before(figures) == 0


class Metrics(NamedTuple):
    loss: jax.Array
    gradient: jax.Array


class State(NamedTuple):
    step: jax.Array
    weights: dict


@pytest.mark.parametrize(
    "loss, gradient, updated",
    [(1.0, 1.0, True), (NAN, 1.0, False), (1.0, INF, False), (-INF, NAN, False)],
)
def test_the_step_itself_leaves_the_state_as_it_is(loss, gradient, updated):
    def train_step(before, batch, scalars, rng):
        weights = {"a": before.weights["a"] + batch * gradient}
        return State(before.step + 1, weights), Metrics(jnp.float32(loss), jnp.float32(gradient))

    advance = jax.jit(nonfinite.without_nonfinite(train_step, 1))
    after, metrics = advance(State(jnp.int32(7), {"a": jnp.ones(3)}), jnp.ones(3), None, None)
    assert after.step == 8
    np.testing.assert_array_equal(after.weights["a"], np.full(3, 2.0 if updated else 1.0))
    np.testing.assert_array_equal(metrics.loss, np.float32(loss))


def test_without_leave_the_step_is_the_same_function():
    assert nonfinite.without_nonfinite(same, 0) is same


@pytest.fixture
def poisoned(monkeypatch):
    """Makes the steps of these numbers compute NaN, by a weight of the reference's loss."""
    small.install(monkeypatch)
    scalars = schedule.step_scalars

    def poison(*numbers):
        def bad_scalars(at, train, *, pixels):
            made = scalars(at, train, pixels=pixels)
            return made._replace(aux_weight=np.float32(NAN)) if at in numbers else made

        monkeypatch.setattr(schedule, "step_scalars", bad_scalars)

    return poison


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def rows(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_stops_and_leaves_the_offending_batch_and_what_was_before(tmp_path, poisoned):
    poisoned(4)
    config = small.config(log=dict(checkpoint=3))
    with pytest.raises(NotFinite) as error:
        loop.train(config, output=tmp_path)
    path = tmp_path / "nonfinite-4.npz"
    line = str(error.value)
    assert "in steps 4 to 5:" in line and f"the batch of step 4 is in {path}" in line
    assert "\n" not in line
    assert checkpoint_folder.steps(tmp_path / "checkpoints") == [3]
    expected = next(loop.task_of(config).batches(4))
    with np.load(path) as saved:
        assert set(saved.files) == {"frames", "labels", "live", "step", "key"}
        same(expected._asdict(), {name: saved[name] for name in expected._fields})
        assert saved["step"] == 4
        key = jax.random.fold_in(jax.random.key(config.train.seed), 4)
        same(saved["key"], np.asarray(jax.random.key_data(key)))


def test_skipped_steps_leave_the_weights_as_they_are(tmp_path, poisoned):
    """As if the steps 2 and 3 had not been, but for their numbers."""
    config = small.config(skip_nonfinite=2)
    task, chain = loop.task_of(config), build.chain_of(small.model(), config.train)
    advance = small.compiled(build.step_settings(small.config().train)._replace(reference=False))
    now = loop.state.fresh(
        loop.start.params(small.model(), seed=0, init="", scale=()),
        small.model().param_group,
        chain,
    )
    for at, batch in zip(range(6), task.batches(0)):
        if at in (2, 3):
            now = now._replace(step=now.step + 1)
            continue
        scalars = schedule.step_scalars(at, config.train, pixels=task.pixels(batch))
        now, _ = advance(now, batch, scalars, jax.random.key(0))
    poisoned(2, 3)
    ended = loop.train(config, output=tmp_path)
    assert ended.complete
    same(ended.state, now)
    told = rows(tmp_path)
    assert [(row["step"], row["skipped"]) for row in told] == [("2", "0"), ("4", "2"), ("6", "0")]
    assert np.isfinite([float(row["loss"]) for row in (told[0], told[2])]).all()
    assert told[1]["loss"] == ""  # of no step


def test_too_many_in_a_row_stop_a_run_also_over_a_resumption(tmp_path, poisoned):
    poisoned(1, 3, 4, 5)
    config = small.config(skip_nonfinite=2, log=dict(every=1, checkpoint=5))
    for _ in range(2):  # the second time it begins with the checkpoint of step 5
        with pytest.raises(NotFinite, match="in steps 3 to 5, and .* allows 2 in a row") as error:
            loop.train(config, output=tmp_path)
        assert f"the batch of step 3 is in {tmp_path / 'nonfinite-3.npz'}" in str(error.value)
        assert checkpoint_folder.steps(tmp_path / "checkpoints") == [5]


def test_a_run_that_stopped_goes_on_once_steps_may_be_skipped(tmp_path, poisoned):
    poisoned(4)
    with pytest.raises(NotFinite):
        loop.train(small.config(), output=tmp_path / "a")
    ended = loop.train(small.config(skip_nonfinite=2), output=tmp_path / "a")
    whole = loop.train(small.config(skip_nonfinite=2), output=tmp_path / "b")
    assert ended.complete
    same(ended.state, whole.state)


def test_skipping_changes_nothing_where_all_steps_are_finite(tmp_path, monkeypatch):
    small.install(monkeypatch)
    plain = loop.train(small.config(), output=tmp_path / "a")
    guarded = loop.train(small.config(skip_nonfinite=2), output=tmp_path / "b")
    same(plain.state, guarded.state)


def test_a_batch_that_cannot_be_saved_does_not_hide_the_error(tmp_path, poisoned):
    poisoned(0)
    (tmp_path / "nonfinite-0.npz").mkdir()
    (tmp_path / "nonfinite-0.npz" / "x").touch()
    with pytest.raises(NotFinite, match="in steps 0 to 1: .* step 0 could not be saved: "):
        loop.train(small.config(), output=tmp_path)
