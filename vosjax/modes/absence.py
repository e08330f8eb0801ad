"""`--mode absence`: how right runs are where they call an object absent, against other rules."""

from types import SimpleNamespace
from typing import Any

from vosjax.errors import InputError
from vosjax.eval import absence

FLAGS = ("input", "data")
FIELDS = ()


def run(config: Any, options: SimpleNamespace) -> int:
    """Prints precision and recall of `absent` over the runs `options.inputs` together.

    The truth is that of the dataset `options.data`, or else of the one that the runs name.

    Raises:
      InputError: no run was given, a folder is no complete run of `eval`, or the dataset is gone.
    """
    if not options.inputs:
        raise InputError("--input is missing; absence takes --input RUN [RUN ...]")
    print(absence.table(options.inputs, options.data))
    return 0
