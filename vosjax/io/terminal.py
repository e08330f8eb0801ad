"""What is printed: the one place, so that no name from outside can play tricks on a terminal."""

import sys
from typing import Any, TextIO

from vosjax.io.names import printable


def say(*lines: Any, file: TextIO | None = None) -> None:
    """Prints each argument as one line, with whatever cannot be printed escaped.

        say("evil\\nname.mp4")      prints one line, evil\\nname.mp4

    Args:
        *lines: anything that has a text; a line break within one is escaped too.
        file: a stream; None: stdout.
    """
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        text = printable(line).encode(encoding, "backslashreplace").decode(encoding)
        print(text, file=stream, flush=True)
