"""The only place that prints, so that no name from outside can play tricks on a terminal."""

import shutil
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
    for line in lines:
        print(_encodable(line, stream), file=stream, flush=True)


def _encodable(line: Any, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return printable(line).encode(encoding, "backslashreplace").decode(encoding)


class Line:
    """A line that is rewritten in place on a terminal; elsewhere every text is a line of its own.

        line = Line()
        line.show("step 1 of 2")
        line.show("step 2 of 2")
        line.close()

    in_place  whether the stream is a terminal
    """

    def __init__(self, file: TextIO | None = None) -> None:
        """Takes the stream; None for stdout."""
        self._stream = sys.stdout if file is None else file
        self.in_place = self._stream.isatty()
        self._width = 0

    def show(self, text: str) -> None:
        """Shows a text, of which a terminal shows what fits into one row."""
        if not self.in_place:
            say(text, file=self._stream)
            return
        fitting = _encodable(text, self._stream)[: shutil.get_terminal_size().columns - 3]
        print(f"\r{fitting.ljust(self._width)}  ", end="", file=self._stream, flush=True)
        self._width = len(fitting)

    def close(self) -> None:
        """Ends the line, so that whatever is printed next begins a new one."""
        if self._width:
            print(file=self._stream, flush=True)
            self._width = 0
