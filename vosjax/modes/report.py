"""`--mode report`: runs of `eval` or `fuse` as one HTML page that needs nothing else."""

import pathlib
import warnings

from vosjax.config import Config
from vosjax.errors import InputError, Note
from vosjax.eval import report, source
from vosjax.eval.config import recorded
from vosjax.io.files import write_bytes
from vosjax.io.terminal import say
from vosjax.modes import Options

FLAGS = ("input", "data", "output")
FIELDS = ()


def run(config: Config, options: Options) -> int:
    """Writes the page about `options.inputs` to the file `options.output`.

    Frames come from `options.data`, or else from the dataset that the first run names; if it is
    missing, the page has no pictures, and a note says so.

    Raises:
        InputError: a folder has no results, or the runs cannot be compared.
    """
    if not options.inputs or options.output is None:
        raise InputError(
            "--input or --output is missing; a report takes --input RUN [RUN ...] "
            "--output FILE.html"
        )
    output = pathlib.Path(options.output)
    if output.suffix != ".html" or output.is_dir():
        raise InputError(f"--output is {output}; the name of an .html file is expected")
    runs = report.load([pathlib.Path(folder) for folder in options.inputs])
    first = runs[0].results
    try:
        sequences = source.discover(
            options.data or first["settings"]["data"],
            recorded(first["settings"]["eval"], runs[0].folder / "results.json"),
        )
    except InputError as error:
        if options.data is not None:
            raise
        warnings.warn(f"no pictures in the report: {error}", Note, stacklevel=2)
        sequences = []
    page = report.page(runs, sequences).encode("utf-8", "backslashreplace")
    write_bytes(output, page)
    say(f"{output}: {len(runs)} run(s), {len(page) / 2**20:.1f} MiB")
    return 0
