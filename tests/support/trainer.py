"""A process that trains the toy, alone or as one of a cluster: `python trainer.py RUNS FOLDER`.

RUNS is JSON, {name: {"train": changes, "stop": process that gets a SIGTERM in step 3}}. What a run
ends with goes to FOLDER/NAME.npz; the first one is run by the command's mode, as `--shard auto`.
"""

import json
import os
import pathlib
import signal
import sys

import jax
import numpy as np
import pytest

from support import small
from vosjax.modes import Options
from vosjax.modes import train as train_mode
from vosjax.runs import cluster
from vosjax.train import clip_task, device, loop, schedule


def main(runs, folder):
    patch = pytest.MonkeyPatch()
    small.install(patch)
    patch.setattr(clip_task, "compile_step", small.COMPILE)
    clustered = cluster.VARIABLES[1] in os.environ
    for number, (name, run) in enumerate(runs.items()):
        config = small.config(**{"batch": 8, "log": {"every": 1}, **run["train"]})
        output = folder / run.get("output", name)
        if clustered and number == 0:
            assert train_mode.run(config, Options(output=str(output), shard="auto")) == 0
        with pytest.MonkeyPatch.context() as stopped:
            if run.get("stop") == jax.process_index():
                stopped.setattr(schedule, "step_scalars", interrupted)
            result = loop.train(config, output=output)
        lies = {path: str(w.sharding.spec) for path, w in result.state.trainable.items()}
        state = device.whole(result.state)
        if jax.process_index() == 0:
            np.savez(
                folder / f"{name}.npz",
                step=state.step,
                complete=result.complete,
                lies=json.dumps(lies),
                **{f"trainable/{path}": w for path, w in state.trainable.items()},
                **{f"average/{path}": w for path, w in state.average.items()},
            )


def interrupted(at, train, *, pixels, scalars=schedule.step_scalars):
    if at == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    return scalars(at, train, pixels=pixels)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), pathlib.Path(sys.argv[2]))
