"""The only place that prints, so that no name from outside can play tricks on a terminal."""

import sys
from typing import Any, TextIO

from vosjax.io.names import printable


def say(*lines: Any, file: TextIO | None = None) -> None:
    """Prints each argument as one line, with escapes for whatever cannot be printed.

        say("evil\\nname.mp4")      # prints one line, evil\\nname.mp4

    Args:
        *lines: anything that can be converted to a text; line breaks in it are escaped, too.
        file: the stream; None for stdout.
    """
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        text = printable(line).encode(encoding, "backslashreplace").decode(encoding)
        print(text, file=stream, flush=True)
