"""`--mode plan`: memory, speed and cost of a training on a machine that is not there."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import pytest
from support import small

from vosjax import cost, models
from vosjax.ahead import compiler, targets, traffic
from vosjax.ahead.compiler import DoesNotFit, Measured
from vosjax.bench import plan
from vosjax.config import opened
from vosjax.cost import Cost
from vosjax.errors import InputError
from vosjax.modes import plan as mode

ROOT = pathlib.Path(__file__).parents[2]
H100 = targets.parsed("h100")


@pytest.fixture
def toy(monkeypatch):
    """The toy network in the place of the families; its real step is compiled."""
    monkeypatch.setattr(models, "build", lambda family, **settings: small.model())


FIXED, SAMPLE = 10_000, 2_000  # bytes of a program that is made up: for all samples, and for each


@pytest.fixture
def made_up(toy, monkeypatch):
    """Programs that need FIXED + SAMPLE * batch bytes, and are refused beyond a chip's memory."""

    def measured(program, state, clips, *more):
        batch = clips.frames.sharding.shard_shape(clips.frames.shape)[0]
        row = traffic.Row("", "fusion", "", 1, "", 1e9 * batch, 0.0, 2e8, 1e8, {})
        return Measured(FIXED - 100, 0, 0, SAMPLE * batch, 100, traffic.Traffic([row], 0), 1.0)

    monkeypatch.setattr(compiler, "measured", measured)
    monkeypatch.setattr(cost, "count", lambda *arguments: Cost({"bfloat16": 1e12}))

    def memory(count):
        monkeypatch.setitem(targets.CHIPS, "h100", H100.chip._replace(memory=count))

    memory(FIXED + 20 * SAMPLE)
    return memory


def planned(target=H100, utilisation=0.4, **train):
    return plan.planned(small.config(**train), target, utilisation=utilisation)


def test_a_tiny_training_is_planned_on_a_stand_in(toy):
    (stage,) = planned(batch=2)
    weights = small.model().init_params(jax.random.key(0))
    assert stage["weights"] == sum(leaf.nbytes for leaf in jax.tree.leaves(weights))
    assert stage["moments"] > 2 * stage["average"] - 8
    parts = ("weights", "average", "moments", "other", "temporaries", "code")
    assert stage["memory"] == sum(stage[part] for part in parts) < stage["available"]
    assert 0 < stage["products"] < stage["operations"]
    assert 0 < stage["main"] <= stage["bytes"]
    assert stage["largest_batch"] > stage["batch"] == 2 == 2 * stage["compared_batch"]
    assert stage["collectives"] == {} and stage["roofline"]["links"] == 0
    assert "no H100 compiler" in stage["compiler"] and "simulated" in stage["compiler"]


def test_time_and_cost_follow_from_the_roofline_and_the_utilisation(made_up):
    (slow,), (fast,) = planned(utilisation=0.2, steps=10), planned(utilisation=0.4, steps=10)
    assert slow["roofline_steps_per_second"] == fast["roofline_steps_per_second"]
    assert fast["steps_per_second"] == pytest.approx(2 * slow["steps_per_second"])
    assert fast["roofline"]["products"] == pytest.approx(1e12 / 989e12)
    assert fast["roofline"]["bytes"] == pytest.approx(1e8 / 3350e9)
    assert fast["bound"] == "products"
    assert fast["steps_per_second"] == pytest.approx(0.4 / fast["roofline"]["products"])
    assert fast["device_hours"] == pytest.approx(24 * fast["days"])
    assert fast["days"] * 24 * 3600 * fast["steps_per_second"] == pytest.approx(10)


def test_products_of_float32_run_at_half_the_speed_of_a_gpu(made_up, monkeypatch):
    (half,) = planned()
    monkeypatch.setattr(cost, "count", lambda *arguments: Cost({"float32": 1e12}))
    (full,) = planned()
    assert full["roofline"]["products"] == pytest.approx(2 * half["roofline"]["products"])
    assert full["products"] == half["products"]


def test_every_stage_has_a_plan_of_its_own(made_up):
    stages = ({"name": "first"}, {"name": "second", "train": {"steps": 60}})
    first, second = planned(stages=stages, steps=6)
    assert [first["stage"], second["stage"]] == ["first", "second"]
    assert second["days"] == pytest.approx(10 * first["days"])
    assert mode.lines(second, H100)[0].startswith(
        "stage second: 60 steps of 2 on h100:1 (1 device)"
    )


def test_where_no_figures_are_stated_no_speed_is_claimed(made_up):
    (stage,) = planned(targets.parsed("cpu"))
    assert stage["roofline"] is stage["days"] is stage["largest_batch"] is None
    assert "no peak figures are stated for cpu" in mode.lines(stage, targets.parsed("cpu"))[-1]


def test_the_largest_batch_is_the_one_that_just_fits(made_up):
    assert [planned(batch=batch)[0]["largest_batch"] for batch in (1, 2, 7, 20)] == [20] * 4


def test_a_batch_that_does_not_fit_is_one_line_with_one_that_does(made_up):
    with pytest.raises(
        InputError,
        match=r"a batch of 64 does not fit h100:1.*: it needs 138 kB; train.batch=4 fits$",
    ) as error:
        planned(batch=64)
    assert "\n" not in str(error.value)
    assert planned(batch=4)[0]["largest_batch"] == 20
    made_up(FIXED)
    for batch in (1, 64):
        with pytest.raises(InputError, match="not even one sample a device does: take") as error:
            planned(batch=batch)
        assert "\n" not in str(error.value)


def test_a_stage_that_does_not_fit_is_named(made_up):
    stages = ({"name": "first"}, {"name": "second", "train": {"batch": 64}})
    with pytest.raises(InputError, match="^stage second: a batch of 64"):
        planned(stages=stages)


def test_a_batch_that_the_devices_cannot_share_is_one_line(made_up):
    with pytest.raises(
        InputError, match="train.batch is 3, .* in 2 parts .*: give a multiple of 2"
    ):
        planned(batch=3, accumulate=2)


@pytest.mark.parametrize("name", ["train_boundary", "train_interactive"])
def test_batches_that_training_does_not_divide_are_one_line(name):
    config = opened(name, ["train.accumulate=2"])
    with pytest.raises(InputError, match="train.accumulate is 2: .* whole batch"):
        plan.planned(config, targets.parsed("cpu"), utilisation=0.4)


def test_memory_is_taken_to_grow_with_the_batch():
    assert plan.fitting(lambda share: 10 + 5 * share, 4, memory=30, available=100) == (18, 2)
    assert plan.fitting(lambda share: 10 + 5 * share, 1, memory=15, available=100) == (18, 2)

    def refused(share):
        raise DoesNotFit("it needs 20GiB")

    assert plan.fitting(refused, 1, memory=15, available=16) == (1, 2)


def test_more_devices_than_there_can_be_are_one_line():
    there = len(jax.devices("cpu"))
    with pytest.raises(InputError, match=f"begun with {there}"):
        compiler.devices(targets.parsed(f"h100:{there + 1}"))


def test_a_missing_compiler_is_one_line(monkeypatch):
    monkeypatch.delenv("TPU_LIBRARY_PATH", raising=False)
    monkeypatch.setitem(sys.modules, "libtpu", None)
    with pytest.raises(InputError, match=r"pip install 'vosjax\[tpu\]'") as error:
        compiler.devices(targets.parsed("v5e:2x2"))
    assert "\n" not in str(error.value)


TOY = """
from support import small
from vosjax import models
from vosjax.ahead import targets
from vosjax.bench import plan
import json, sys
models.build = lambda family, **settings: small.model()
print(json.dumps(plan.planned(small.config(batch=4), targets.parsed(sys.argv[1]), utilisation=0.4)))
"""


def apart(target):
    """Plans the toy in a process of its own, in which a machine can have several devices."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "JAX_PLATFORMS": "cpu"}
    answer = subprocess.run(
        [sys.executable, "-c", TOY, target], capture_output=True, text=True, env=environment
    )
    assert answer.returncode == 0, answer.stderr
    (stage,) = json.loads(answer.stdout.splitlines()[-1])
    return stage


@pytest.mark.slow
def test_several_stand_ins_share_a_batch_and_sum_gradients():
    alone, shared = apart("h100:1"), apart("h100:2")
    assert shared["devices"] == 2 and shared["products"] == pytest.approx(alone["products"] / 2)
    assert shared["weights"] == alone["weights"]
    assert shared["collectives"]["all-reduce"] >= shared["average"]
    assert shared["roofline"]["links"] > 0 == alone["roofline"]["links"]


@pytest.mark.slow
def test_a_training_is_planned_for_a_slice_of_tpus_without_one():
    pytest.importorskip("libtpu", reason="the extra tpu has the compiler of TPU programs")
    stage = apart("v5e:2x2")
    assert stage["devices"] == 4 and "TPU's own compiler" in stage["compiler"]
    assert stage["collectives"]["all-reduce"] >= stage["average"]
    assert 0 < stage["temporaries"] < stage["memory"] < stage["available"]
    assert stage["roofline"]["links"] > 0 and stage["unbounded"] == 0
    assert stage["largest_batch"] % 4 == 0 and stage["compared_batch"] == 8
