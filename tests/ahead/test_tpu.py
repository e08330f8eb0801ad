"""What works on a CPU compiles for a TPU: every family, ensembles, groups, refinement, training.

These are compilations by the TPU's own compiler, without a TPU, at small sizes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax import cost, models
from vosjax.ahead import compiler, hlo, targets, traffic
from vosjax.bench import compiled, plan
from vosjax.compose.views import views
from vosjax.config import opened
from vosjax.layers.precision import cast
from vosjax.refine.boundary.network import build
from vosjax.refine.boundary.stage import BoundarySettings, boundary_stage

pytestmark = pytest.mark.slow
SIZE = (97, 129)
FEW = dict(size=SIZE, objects=3, memory=2)
V5E = targets.parsed("v5e")


@pytest.fixture(autouse=True)
def compiler_of_tpus():
    pytest.importorskip("libtpu", reason="the extra tpu has the compiler of TPU programs")


def measured(program, *arguments):
    return compiler.measured(program, *compiler.on(compiler.devices(V5E)[0], arguments))


def network(family, dtype="bfloat16", **settings):
    model = models.build(family, **settings)
    params = jax.eval_shape(lambda key: cast(model.init_params(key), dtype), jax.random.PRNGKey(0))
    return model, params


@pytest.mark.parametrize("family", models.families())
def test_the_frame_of_every_family(family):
    model, params = network(family)
    program, arguments = compiled.frame(model, params, **FEW)
    frame = measured(program, *arguments)
    assert frame.traffic.unbounded == 0
    counted = sum(cost.count(program, *arguments).products.values())
    kernels = sum(row.products for row in frame.traffic.rows if row.opcode == "custom-call")
    assert frame.traffic.products > 0.75 * counted
    assert frame.traffic.products - kernels < 1.25 * counted  # a kernel also computes its padding


def test_a_mirrored_ensemble_of_scales():
    model, params = network("aot")
    both = views(model.vos, scales=(0.8, 1.0), flip=True)
    program, arguments = compiled.frame(model._replace(vos=both), params, **FEW)
    assert measured(program, *arguments).traffic.products > 0


def test_groups_of_thirty_objects():
    model, params = network("aot")
    program, arguments = compiled.frame(model, params, SIZE, objects=30, memory=2)
    assert measured(program, *arguments).traffic.products > 0


def test_the_refinement_of_boundaries():
    refiner = build()
    stage = boundary_stage(refiner, BoundarySettings(), batch=8)
    params = jax.eval_shape(refiner.init_params, jax.random.PRNGKey(0))
    frame = jax.ShapeDtypeStruct((*SIZE, 3), np.uint8)
    probs = jax.ShapeDtypeStruct((4, *SIZE), np.float32)
    given = jax.ShapeDtypeStruct((3,), np.bool_)
    refined = measured(jax.jit(stage.refine), params, frame, probs, given)
    # A frame has any number of patches: they are found, run in batches, summed and laid over it.
    assert refined.traffic.unbounded == 4


def test_the_step_of_a_training_on_a_slice():
    config = opened(
        "train_rendered",
        ["train.batch=4", "data.height=65", "data.width=65", "data.frames=3", "stages=()"],
    )
    target = targets.parsed("v5e:2x2")
    (stage,) = plan.planned(config, target, utilisation=0.4)
    assert stage["devices"] == 4 and stage["compiler"].startswith("compiled by the TPU's own")
    assert stage["collectives"]["all-reduce"] >= 0.9 * stage["average"]
    assert 0 < stage["temporaries"] < stage["memory"] < stage["available"]
    assert stage["largest_batch"] % 4 == 0 and stage["unbounded"] == 0


def test_a_loop_counts_as_often_as_it_runs():
    """Against the same loop written out, and against the count in the jaxpr."""

    def rolled(x, w):
        return jax.lax.scan(lambda c, _: (jnp.tanh(c @ w), None), x, None, length=6)[0]

    def unrolled(x, w):
        return functools.reduce(lambda c, _: jnp.tanh(c @ w), range(6), x)

    shape = jax.ShapeDtypeStruct((256, 256), np.float32)
    loop, line = (measured(jax.jit(f), shape, shape).traffic for f in (rolled, unrolled))
    assert loop.products == line.products == 6 * 2 * 256**3
    assert loop.unbounded == 0
    assert loop.main == pytest.approx(line.main, rel=0.01)
    assert {row.times for row in loop.rows if row.loop} == {6}
    assert cost.count(rolled, shape, shape).products == {"float32": loop.products}


def test_a_program_that_is_too_large_is_one_line():
    shape = jax.ShapeDtypeStruct((8 * 2**30,), np.float32)
    with pytest.raises(
        compiler.DoesNotFit, match=r"needs 16\.\d+GiB|a device has 15\.75GiB"
    ) as error:
        measured(jax.jit(lambda x: x + 1), shape)
    assert "\n" not in str(error.value)


def test_a_slice_that_there_is_not_is_one_line():
    with pytest.raises(compiler.InputError, match="does not take the target v5e:3x5") as error:
        compiler.devices(targets.parsed("v5e:3x5"))
    assert "\n" not in str(error.value)


def test_every_kind_has_devices():
    for kind in ("v4", "v5e", "v5p", "v6e"):
        assert len(compiler.devices(targets.parsed(kind))) == 1
    text = jax.jit(jnp.sin).lower(
        compiler.on(compiler.devices(V5E)[0], jax.ShapeDtypeStruct((8, 128), np.float32))
    )
    counted = traffic.counted(hlo.parsed(text.compile().as_text()))
    assert counted.main == 2 * 4 * 8 * 128
