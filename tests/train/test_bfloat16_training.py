"""Training in bfloat16: what is computed in it, what stays float32, and that it learns as well."""

import csv
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax import models
from vosjax.bench import cost
from vosjax.config import opened
from vosjax.train import build, loop, schedule, step
from vosjax.train.config import TrainConfig

FAMILIES = {
    "aot": dict(layers=2),
    "aost": dict(depth=2),
    "deaot": dict(layers=1),
    "stcn": dict(),
    "stm": dict(),
    "famnet": dict(),
}
OBJECTS, FRAMES = 2, 3
CLOSE = 0.05  # of the mean losses of twenty steps


class Traced:
    """A network's step, traced but not run."""

    def __init__(self, family, dtype):
        self.train = TrainConfig(dtype=dtype, accumulate=2)
        self.model = models.build(family, **FAMILIES[family])
        chain = build.chain_of(self.model, self.train)
        sides = self.model.vos.size(64, 64)
        clips = step.Clips(
            jax.ShapeDtypeStruct((2, FRAMES, *sides, 3), jnp.uint8),
            jax.ShapeDtypeStruct((2, FRAMES, *sides), jnp.uint8),
            jax.ShapeDtypeStruct((2, OBJECTS), bool),
        )
        run = functools.partial(step.train_step, self.model, chain, build.step_settings(self.train))
        scalars = schedule.step_scalars(0, self.train, pixels=sides[0] * sides[1])
        self.before = build.state_shapes(self.model, chain)
        arguments = self.before, clips, scalars, jax.random.key(0)
        self.after, self.metrics = jax.eval_shape(run, *arguments)
        self.products = cost.count(run, *arguments).products


@pytest.fixture(scope="module", params=FAMILIES)
def traced(request):
    return Traced(request.param, "bfloat16")


def forms(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)


def test_weights_statistics_moments_and_losses_stay_float32(traced):
    assert forms(traced.after) == forms(traced.before)
    kinds = {leaf.dtype.name for leaf in jax.tree.leaves(traced.after)}
    assert kinds == {"float32", "int32"}  # the counts of steps
    assert {traced.metrics.loss.dtype, traced.metrics.gradient.dtype} == {jnp.dtype("float32")}


def test_products_of_both_passes_are_bfloat16(traced):
    assert traced.products["bfloat16"] >= 0.9 * sum(traced.products.values()), traced.products


def test_float32_is_the_default():
    assert TrainConfig().dtype == "float32"
    assert set(Traced("aot", "float32").products) == {"float32"}


def losses(folder, dtype):
    """The loss of each of 200 steps of a small AOT on rendered clips."""
    config = opened(
        "train_rendered",
        [
            f"train.dtype={dtype}",
            "train.steps=200",
            "train.batch=2",
            "train.threads=0",
            "train.log.every=10",
            "train.log.validate=0",
            "train.log.pictures=0",
            "train.log.checkpoint=0",
            "data.height=49",
            "data.width=49",
        ],
    )
    loop.train(config, output=folder / dtype)
    with open(folder / dtype / "metrics.csv", newline="") as file:
        return np.array([float(row["loss"]) for row in csv.DictReader(file)])


@pytest.mark.slow
def test_the_curve_of_200_steps_follows_that_of_float32(tmp_path):
    wide, narrow = (losses(tmp_path, dtype) for dtype in ("float32", "bfloat16"))
    windows = [curve.reshape(-1, 2).mean(1) for curve in (wide, narrow)]
    assert len(wide) == 20 and windows[0][-1] < 0.9 * windows[0][0]
    np.testing.assert_allclose(windows[1], windows[0], rtol=CLOSE)
