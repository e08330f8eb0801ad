"""Printed text is harmless: control characters, line breaks and stray bytes are escaped."""

import io

import pytest

from vosjax.io.names import printable
from vosjax.io.terminal import say


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
