"""Training in bfloat16: what is computed in it, what stays float32, and that it learns as well."""

import csv
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import small

from vosjax import cost, models
from vosjax.config import opened
from vosjax.train import build, loop, schedule, step
from vosjax.train.config import TrainConfig

FAMILIES = {
    "aot": dict(layers=2),
    "aost": dict(depth=2),
    "deaot": dict(layers=1),
    "stcn": dict(),
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


QUICK = ("stcn",)


@pytest.fixture(
    scope="module",
    params=[
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES
    ],
)
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


@pytest.mark.slow
def test_float32_is_the_default():
    assert TrainConfig().dtype == "float32"
    assert set(Traced("aot", "float32").products) == {"float32"}


def losses(folder, config):
    """The loss of each row of a run's table."""
    loop.train(config, output=folder)
    with open(folder / "metrics.csv", newline="") as file:
        return np.array([float(row["loss"]) for row in csv.DictReader(file)])


def follows(curve, reference):
    """Whether a curve learns as the reference does: means of twenty steps, ten times."""
    reference, curve = reference.reshape(10, -1).mean(1), curve.reshape(10, -1).mean(1)
    assert reference[-1] < 0.9 * reference[0]
    np.testing.assert_allclose(curve, reference, rtol=CLOSE)


def test_the_toy_learns_in_200_steps_of_bfloat16_what_it_learns_in_float32(tmp_path, monkeypatch):
    small.install(monkeypatch)
    curves = {
        dtype: losses(
            tmp_path / dtype,
            small.config(
                steps=200,
                lr=5e-2,
                hard_end=1e6,
                dtype=dtype,
                log=dict(every=10, checkpoint=0),
            ),
        )
        for dtype in ("float32", "bfloat16")
    }
    assert (curves["float32"] != curves["bfloat16"]).any()
    follows(curves["bfloat16"], curves["float32"])


@pytest.mark.slow
def test_aot_learns_in_200_steps_of_bfloat16_what_it_learns_in_float32(tmp_path):
    sizes = ["data.height=49", "data.width=49", "train.batch=2", "train.steps=200"]
    loss = ["train.hard_end=1e6", "train.aux=0"]  # one loss from the first step to the last
    log = [f"train.log.{name}=0" for name in ("validate", "pictures", "checkpoint")]
    curves = {
        dtype: losses(
            tmp_path / dtype,
            opened(
                "train_rendered",
                [*sizes, *loss, *log, "train.log.every=10", f"train.dtype={dtype}"],
            ),
        )
        for dtype in ("float32", "bfloat16")
    }
    follows(curves["bfloat16"], curves["float32"])
