"""A process that trains, alone or as one of a cluster: `python trainer.py RUNS FOLDER`.

RUNS is JSON, {name: run}. A run has `train`, changes of the toy's config; or `overrides` of
configs/train_rendered.py, which is a real network; or `patches`, changes of the config of a
refinement network, and `root`, the folder of its patches. `stop` is the number of a process that
gets a SIGTERM in step 3, and `output` the folder of an earlier run that is resumed. What a run ends
with goes to FOLDER/NAME.npz. In a cluster, the first run goes through the command's mode.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from support import pixelwise, small
from vosjax.config import opened
from vosjax.loading import networks
from vosjax.modes import Options
from vosjax.modes import train as train_mode
from vosjax.runs import cluster
from vosjax.train import clip_task, device, loop, schedule

TESTS = pathlib.Path(__file__).parents[1]


def main(runs, folder):
    joins = cluster.VARIABLES[1] in os.environ
    for name, run in runs.items():
        output = folder / run.get("output", name)
        with pytest.MonkeyPatch.context() as patch:
            config = configured(run, patch)
            if joins:
                assert train_mode.run(config, Options(output=str(output), shard="auto")) == 0
                joins = False
            if run.get("stop") == jax.process_index():
                patch.setattr(schedule, "step_scalars", interrupted)
            result = loop.train(config, output=output)
        write(folder / f"{name}.npz", result)


def configured(run, patch):
    if "overrides" in run:
        return opened("train_rendered", run["overrides"])
    if "patches" in run:
        patch.setattr(networks, "build", lambda family, **settings: pixelwise.toy())
        return pixelwise.config(run["root"], *run["patches"])
    small.install(patch)
    patch.setattr(clip_task, "compile_step", small.COMPILE)
    return small.config(**{"batch": 8, "log": {"every": 1}, **run["train"]})


def interrupted(at, train, *, pixels, scalars=schedule.step_scalars):
    if at == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    return scalars(at, train, pixels=pixels)


def write(path, result):
    """Stores what a run ended with; by all processes, as they fetch it from each other."""
    weights = device.whole(result.state.trainable | result.state.frozen)
    average = device.whole(result.state.average)
    held = [shard.data.nbytes for w in arrays(result.state) for shard in w.addressable_shards[:1]]
    if jax.process_index() == 0:
        np.savez(
            path,
            step=int(result.state.step),
            complete=result.complete,
            devices=len(jax.devices()),
            held=sum(held),  # bytes of the state on one device
            whole=sum(w.nbytes for w in arrays(result.state)),
            **{f"weights/{name}": w for name, w in weights.items()},
            **{f"average/{name}": w for name, w in average.items()},
        )


def arrays(state):
    return jax.tree.leaves(state)


def begin(runs, folder, *, devices=1, cache, **variables):
    """Starts one such process on this machine, with some virtual devices."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS))),
    }
    return subprocess.Popen(
        [sys.executable, __file__, json.dumps(runs), folder],
        env=environment | variables,
        cwd=TESTS.parent,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), pathlib.Path(sys.argv[2]))
