"""The command line: `python -m data_prep NAME --source DIR --output DIR [--split SPLIT ...]`."""

import argparse
import sys
from collections.abc import Sequence

from data_prep import report, shards
from vosjax.errors import InputError
from vosjax.io.content import load_json, load_text
from vosjax.io.door import Parser, guarded
from vosjax.io.terminal import say


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepares a dataset and prints what was left out.

        main(["davis/2017_480p", "--source", "DAVIS", "--output", "datasets", "--split", "val"])

    Returns:
        The exit code: 0; 2 after an error in the input, 70 after an unexpected error, each reported
        in one line; 130 if it was interrupted.
    """
    words = sys.argv[1:] if arguments is None else arguments
    return guarded("data_prep", words, _prepare, stopped="stopped; the same command goes on")


def _prepare(arguments: Sequence[str]) -> int:
    parser = Parser(prog="python -m data_prep", description=__doc__)
    parser.add_argument("name", help="a dataset, NAME or NAME/CONFIG: coco, youtube_vos/2019, ...")
    parser.add_argument("--source", required=True, help="the folder as it was downloaded")
    parser.add_argument("--output", required=True, help="the folder of TFDS datasets")
    parser.add_argument("--split", action="append", help="may be given several times")
    parser.add_argument(
        "--overwrite", action="store_true", help="prepare splits anew that stand already"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: this one")
    parser.add_argument(
        "--exclude",
        help="a YouTube-VOS meta.json, or a text file of names, whose videos are left out",
    )
    parser.add_argument(
        "--beam",
        nargs=argparse.REMAINDER,
        help="the rest of the line are options of an Apache Beam runner",
    )
    options = parser.parse_args(arguments)
    if options.workers < 0:
        raise InputError(f"--workers is {options.workers}; 0 (this process) or more is expected")
    run = None
    if options.beam is not None:
        from data_prep import beam  # an optional extra, heavy to import

        run = beam.runner(options.beam)
    summaries = shards.prepare(
        options.name,
        source=options.source,
        output=options.output,
        splits=options.split,
        workers=options.workers,
        exclude=names(options.exclude),
        run=run,
        overwrite=options.overwrite,
    )
    for summary in summaries:
        say(*report.table(summary).splitlines())
    return 0


def names(path: str | None) -> tuple[str, ...]:
    """Reads an exclusion list: the videos of a meta.json, or the words of a text file.

        names("youtube_vos/valid/meta.json")

    Raises:
        InputError: the file cannot be read.
    """
    if not path:
        return ()
    try:
        if path.endswith(".json"):
            return tuple(load_json(path, name=path)["videos"])
        return tuple(load_text(path, name=path).split())
    except (KeyError, TypeError) as error:
        raise InputError(
            f"the list {path} cannot be read ({error!r}): give a YouTube-VOS "
            "meta.json or a text file of names"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
