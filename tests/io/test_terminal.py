"""Printed text is harmless: control characters, line breaks and stray bytes are escaped."""

import io

import pytest

from vosjax.io.names import printable
from vosjax.io.terminal import Line, say


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain größe 猫.mp4", "plain größe 猫.mp4"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("\udcff.mp4", r"\udcff.mp4"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_cannot_be_printed_is_escaped(text, shown):
    assert printable(text) == shown


def test_each_argument_is_a_line(capsys):
    say("one", 2, "")
    assert capsys.readouterr().out == "one\n2\n\n"


def test_a_stream_that_lacks_letters_gets_their_numbers():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    say("猫 é", file=stream)
    assert raw.getvalue() == b"\\u732b \\xe9\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_one_line_that_is_rewritten():
    stream = Terminal()
    line = Line(stream)
    line.show("step 1, a long text")
    line.show("step 2")
    line.close()
    nothing, first, second = stream.getvalue().split("\r")
    assert (nothing, first) == ("", "step 1, a long text  ")
    assert second == "step 2".ljust(len("step 1, a long text")) + "  \n"


def test_a_line_is_not_longer_than_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Line(stream).show("x" * 100)
    assert len(stream.getvalue().strip("\r")) < 20


def test_elsewhere_every_text_is_a_line():
    stream = io.StringIO()
    line = Line(stream)
    line.show("step 1")
    line.show("step 2")
    line.close()
    assert stream.getvalue() == "step 1\nstep 2\n"
