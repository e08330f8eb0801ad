"""The door of every command: benchmarks and preparation use that of the modes."""

import argparse
import errno
import importlib
import warnings

import pytest

from data_prep import __main__ as preparing
from vosjax.errors import InputError, Note
from vosjax.io import door

PROGRAMS = {
    "vosjax.bench.baselines": ["--data", "nowhere"],
    "vosjax.bench.boundary": ["--boundary", "nowhere", "--rounds", "2"],
    "vosjax.bench.directions": ["nowhere"],
    "vosjax.bench.engine": ["--weights", "nowhere", "--frames", "2"],
    "vosjax.bench.refinement": ["--data", "nowhere", "--set", "refine.zoom=mask"],
    "vosjax.bench.studio": ["--data", "nowhere"],
    "vosjax.bench.scoring": ["--truth", "nowhere", "--prediction", "nowhere"],
    "vosjax.eval.absence": ["nowhere"],
    "vosjax.eval.rendered_set": ["--output", "/dev/null/nowhere", "--clips", "1", "--frames", "2"],
}


def main(program):
    return importlib.import_module(program).main


@pytest.mark.parametrize("program, words", PROGRAMS.items())
def test_what_is_not_there_is_one_line(program, words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(program)(words) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"{program.rpartition('.')[2]}: ") and line.count("\n") == 1
    assert "nowhere" in line and "unexpected" not in line


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_wrong_words(program, capsys):
    assert main(program)(["--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {program} ")
    assert main(program)([*PROGRAMS[program], "--nonsense"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "--nonsense" in line


@pytest.mark.parametrize(
    "program, words, said",
    [
        ("vosjax.bench.engine", ["--size", "480"], "argument --size: is '480'; height x width is"),
        ("vosjax.bench.engine", ["--rounds", "0"], "argument --rounds: is '0'; a whole number"),
        ("vosjax.bench.scoring", ["--processes", "1,-2"], "argument --processes: is '-2'; a whol"),
    ],
)
def test_a_number_that_cannot_be_is_one_line(program, words, said, capsys):
    assert main(program)([*PROGRAMS[program], *words]) == 2
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1


def test_preparation_goes_through_it(capsys):
    assert preparing.main(["davis", "--source", "x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert preparing.main(["--help"]) == 0


def raising(error):
    def work(words):
        raise error

    return work


@pytest.mark.parametrize(
    "error, code, said",
    [
        (InputError("no such thing"), 2, "no such thing"),
        (OSError(errno.ENOSPC, "No space left", "out"), 2, "out"),
        (MemoryError(), 2, "there is not enough memory"),
        (KeyboardInterrupt(), 130, "stopped"),
        (SystemExit(0), 70, "unexpected error: SystemExit: 0"),
        (ZeroDivisionError("x"), 70, "unexpected error: ZeroDivisionError: x (please report it"),
    ],
)
def test_every_error_is_one_line(error, code, said, capsys):
    assert door.guarded("p", [], raising(error)) == code
    line = capsys.readouterr().err
    assert line.startswith("p: ") and said in line and line.count("\n") == 1


def test_notes_are_lines_and_other_warnings_are_kept_back(capsys):
    def work(words):
        warnings.warn("of ours", Note, stacklevel=1)
        warnings.warn("of a library", UserWarning, stacklevel=1)
        return 1

    assert door.guarded("p", [], work) == 1
    assert capsys.readouterr().err == "p: note: of ours\n"


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x", "\u00b2", "9" * 50])
def test_what_is_no_count(text):
    for kind in (door.count, door.counts, door.size):
        with pytest.raises(argparse.ArgumentTypeError):
            kind(text)


def test_counts_and_sizes():
    assert door.counts("1, 2,4") == [1, 2, 4] and door.size("480x854") == (480, 854)
