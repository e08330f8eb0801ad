"""`--mode train`: runs or resumes the training that a config describes, and exports its weights."""

import os
import pathlib

import jax

from vosjax.errors import InputError
from vosjax.loading.pretrained import compile_cache
from vosjax.train import export, log, loop


def run(config, options) -> int:
    """Trains into `options.output` and writes the averaged weights to its folder `weights`.

    The same command goes on where a run was stopped (Ctrl-C, SIGTERM): exit code 3 then, 0 when all
    steps are done.

    Raises:
      InputError: no output folder, or a config that does not fit the data, the weights or an
        earlier run in that folder; or the loss stopped being a number.
    """
    if not options.output:
        raise InputError("training needs a folder for its run: give --output FOLDER")
    if "train" not in config:
        raise InputError(
            "this config has no training part: take one of configs/train_*.py or "
            "configs/train_default.py"
        )
    if config.train.cpu_devices:
        jax.config.update("jax_num_cpu_devices", config.train.cpu_devices)
    compile_cache()
    try:
        outcome = loop.train(config, output=options.output)
    except log.NotFinite as error:
        raise InputError(str(error)) from error
    folder = pathlib.Path(options.output) / "weights"
    export.export(config, outcome.state, folder)
    print(f"weights of step {int(outcome.state.step)}: {folder}{os.sep}")
    return 0 if outcome.complete else 3
