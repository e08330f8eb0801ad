"""The kernels compile for a TPU, by the TPU's own compiler, and no logits go to memory."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding

from vosjax.layers.local_attention import relative_attention
from vosjax.memory.read import read

pytestmark = pytest.mark.slow
ROWS, COLUMNS, FRAMES = 31, 54, 8  # of the grid of a frame of 480x854
PLACES = ROWS * COLUMNS


@pytest.fixture(scope="module")
def chips():
    pytest.importorskip("libtpu", reason="the package libtpu, the compiler of TPUs, is not here")
    for name, setting in {
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_ACCELERATOR_TYPE": "v5litepod-4",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    }.items():
        os.environ.setdefault(name, setting)
    return topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2x1").devices


def compiled(function, sharding, *shapes, flags=()):
    arrays = [jax.ShapeDtypeStruct(shape, jnp.bfloat16, sharding=sharding) for shape in shapes]
    arrays += [jax.ShapeDtypeStruct(shape, bool, sharding=sharding) for shape in flags]
    return jax.jit(function).lower(*arrays).compile()


def bytes_of(program):
    return program.cost_analysis()["bytes accessed"]


READS = {
    "aot": ((PLACES, 8, 32), (FRAMES, PLACES, 8, 32), (FRAMES, PLACES, 8, 32)),
    "deaot": ((PLACES, 1, 128), (FRAMES, PLACES, 1, 128), (FRAMES, PLACES, 1, 1024)),
}


@pytest.mark.parametrize("shapes", READS.values(), ids=READS)
def test_a_read_moves_fewer_bytes_than_one_head_s_logits(chips, shapes):
    program = compiled(read, SingleDeviceSharding(chips[0]), *shapes, flags=[(FRAMES,)])
    assert "tpu_custom_call" in program.as_text()
    assert bytes_of(program) < 4 * PLACES * FRAMES * PLACES * 2  # two passes over one head's


def test_a_read_with_top_k_moves_fewer_bytes_than_its_logits_have(chips):
    shapes = ((PLACES, 1, 64), (FRAMES, PLACES, 1, 64), (FRAMES, PLACES, 1, 1024))
    best = functools.partial(read, top_k=20, metric="l2")
    program = compiled(best, SingleDeviceSharding(chips[0]), *shapes, flags=[(FRAMES,)])
    assert "tpu_custom_call" in program.as_text()
    assert bytes_of(program) < 4 * 4 * PLACES * FRAMES * PLACES  # four passes over them


def test_the_window_attention_moves_fewer_bytes_than_its_logits_have(chips):
    grid, table = (ROWS, COLUMNS, 8, 32), (8, 32, 15, 15)
    shapes = (grid, grid, grid, table, (8, 15, 15), table)
    program = compiled(relative_attention, SingleDeviceSharding(chips[0]), *shapes)
    assert "tpu_custom_call" in program.as_text()
    assert bytes_of(program) < 2 * 4 * PLACES * 8 * 15 * COLUMNS


def test_several_videos_side_by_side_have_the_kernel(chips):
    query, key, value = ((2, *shape) for shape in READS["aot"])
    program = compiled(
        jax.vmap(read), SingleDeviceSharding(chips[0]), query, key, value, flags=[(2, FRAMES)]
    )
    assert "tpu_custom_call" in program.as_text()


def test_a_program_for_several_chips_has_the_plain_form(chips):
    mesh = Mesh(np.array(chips[:2]), ("chips",))
    sharding = NamedSharding(mesh, PartitionSpec())
    program = compiled(read, sharding, *READS["aot"], flags=[(FRAMES,)])
    assert "tpu_custom_call" not in program.as_text()
