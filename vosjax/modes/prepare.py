"""`--mode prepare`: turns downloaded datasets into prepared ones, as `python -m data_prep` does."""

import pathlib

from data_prep import report, shards
from data_prep.__main__ import names
from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.io.terminal import say
from vosjax.modes import Options

FLAGS = ("data", "output", "overwrite")
FIELDS = ("datasets", "workers")


def run(config: Config, options: Options) -> int:
    """Prepares `config.datasets` from `options.data` into `options.output`, and prints the reports.

    A dataset that is missing is skipped with a line, unless all are missing. The same command
    resumes a run that was stopped, and leaves complete datasets alone if their sources are the
    same.

    Raises:
        InputError: a folder is missing, a dataset cannot be read, or one that is already prepared
            was made from other sources.
    """
    if not options.data or not options.output:
        raise InputError(
            "preparing takes --data FOLDER, where the datasets were unpacked, and "
            "--output FOLDER, where the prepared ones go"
        )
    if not config.datasets:
        raise InputError("this config names no datasets: take one of configs/prepare_*.py")
    root, done = pathlib.Path(options.data), 0
    for dataset in config.datasets:
        source = root / dataset.source
        if not source.is_dir():
            say(f"{dataset.name}: passed over, there is no {source}")
            continue
        for summary in shards.prepare(
            dataset.name,
            source=source,
            output=options.output,
            workers=config.workers,
            splits=dataset.splits,
            exclude=names(str(root / dataset.exclude)) if dataset.exclude else (),
            overwrite=options.overwrite,
        ):
            say(*report.table(summary).splitlines())
        done += 1
    if not done:
        raise InputError(
            f"none of the datasets of this config lies in {root}: see the config's "
            "docstring for the folders that it looks for"
        )
    return 0
