"""`--mode train`: runs or resumes the training that a config describes, and exports its weights."""

import os
import pathlib

import jax

from vosjax.compile_cache import compile_cache
from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.terminal import say
from vosjax.modes import Options
from vosjax.runs import cluster
from vosjax.train import device, export, loop, processes

FLAGS = ("output", "shard")
FIELDS = ("family", "model", "train", "data", "patches", "marks", "stages")
ALSO = ("top_k",)
STOPPED = 130  # a shell's code for Ctrl-C


def run(config: Config, options: Options) -> int:
    """Trains into `options.output`, and writes the averaged weights to its folder `weights`.

    The same command resumes a run that was stopped. With `--shard auto` in every process of a
    cluster, all of them train one network together.

    Returns:
        0 when all steps are done, 130 after Ctrl-C or SIGTERM.

    Raises:
        InputError: there is no output folder or no cluster, or the config does not fit the data,
            the weights or an earlier run in that folder.
        NotFinite: the loss stopped being a number.
    """
    if not options.output:
        raise InputError("training needs a folder for its run: give --output FOLDER")
    if config.train is None:
        raise InputError(
            "this config has no training part: take one of configs/train_*.py or "
            "configs/train_default.py"
        )
    if config.train.cpu_devices:
        jax.config.update("jax_num_cpu_devices", config.train.cpu_devices)
    if options.shard is not None:
        _join(options.shard)
    compile_cache()
    outcome = loop.train(config, output=options.output)
    folder = pathlib.Path(options.output) / "weights"
    trained = device.whole(outcome.state)
    processes.first_does(lambda: export.export(config, trained, folder))
    if processes.is_first():
        say(f"weights of step {int(trained.step)}: {folder}{os.sep}")
    return 0 if outcome.complete else STOPPED


def _join(shard: str) -> None:
    """Connects the processes of a cluster; raises InputError for another value than 'auto'."""
    if shard != "auto":
        raise InputError(
            f"--shard is {shard!r}: a training is shared by the processes of a cluster together, "
            "each of them with --shard auto; only --mode eval takes i/n"
        )
    say("waiting for the cluster's other processes (up to 5 minutes)")
    cluster.join()
