"""`--mode absence`: how right runs are where they call an object absent, against other rules."""

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.eval import absence
from vosjax.io.terminal import say
from vosjax.modes import Options

FLAGS = ("input", "data")
FIELDS = ()


def run(config: Config, options: Options) -> int:
    """Prints precision and recall of `absent` over the runs `options.inputs` together.

    The truth is that of the dataset `options.data`, or else of the dataset that the runs name.

    Raises:
        InputError: no run was given, a folder is not a complete run of `eval`, or the dataset is
            missing.
    """
    if not options.inputs:
        raise InputError("--input is missing; absence takes --input RUN [RUN ...]")
    say(*absence.table(options.inputs, options.data).splitlines())
    return 0
