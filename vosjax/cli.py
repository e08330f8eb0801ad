"""The command line: parses flags, picks the mode and calls it, behind the door `io.door`.

    vosjax MODE [CONFIG] [FLAGS] [--config.FIELD=VALUE ...]
    python launch.py --config CONFIG [--mode MODE] [FLAGS] [--config.FIELD=VALUE ...]

CONFIG is a file, or the name of one of the project's configs: `aot:r50`, `configs/aot_swin.py`.
"""

import argparse
import importlib
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import vosjax
from vosjax import modes
from vosjax.errors import InputError, Note
from vosjax.io.door import Parser, guarded
from vosjax.io.terminal import say
from vosjax.schema.kinds import near

FLAGS = {
    "video": "a video file, a folder of images or a camera's index",
    "masks": "a mask of frame 0, a folder of masks, or FRAME=FILE; may be given several times",
    "boxes": "[FRAME=][ID:]x,y,width,height: a box around an object; may be given several times",
    "points": "[FRAME=][ID:]x,y[,out][;x,y ...]: points on (or beside) an object; as --boxes",
    "direction": "both, forward or backward: where objects are followed from the given frames",
    "data": "a folder of data",
    "input": "a .pth checkpoint, a training run, or the folders of one or several runs",
    "format": "the format of exported masks: palette, objects, coco, youtube-vis, "
    "youtube-vis-results, cutout-png, cutout-webm, overlay or davis",
    "output": "where that which is made goes",
    "host": "the address a server listens on; beyond 127.0.0.1 it needs a token",
    "port": "the port a server listens on; 0 takes any that is free",
    "token": "what clients have to know; by default one is made where others reach the server",
    "keep": "a folder in which the sessions of a server are kept when it ends",
    "shard": "i/n: run the i-th (from 0) of n shares of the videos; auto: a cluster process's own, "
    "of videos or of training batches",
    "overwrite": "begin anew: first remove what an earlier run made in --output",
    "project": "the folder that holds everything of a studio's project",
    "no-browser": "do not open the browser",
}
MANY = ("masks", "boxes", "points")  # flags that may be given several times
OPTIONS = {
    "input": "inputs",
    "no-browser": "no_browser",
}  # flags whose field in `modes.Options` has another name
SWITCHES = ("overwrite", "no-browser")  # flags without a value


class Command(NamedTuple):
    """A command as it was typed.

    mode       its name; None takes the config's own
    config     a file or a name
    overrides  'FIELD=VALUE' of the config
    options    `modes.Options`
    """

    mode: str | None
    config: str
    overrides: tuple[str, ...]
    options: modes.Options


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command `vosjax`.

        code = main(["segment", "--video", "dog.mp4", "--masks", "dog.png", "--output", "out"])

    Whatever goes wrong is printed as one line on stderr, and nothing is raised.

    Args:
        argv: the words after the program's name; None takes those of this process.

    Returns:
        The exit code: 0, or 1 if videos of a dataset failed, or else one of the codes of
        `io/door.py` (docs/command.md).
    """
    words = sys.argv[1:] if argv is None else argv
    return guarded("vosjax", words, lambda words: _carried_out(_command(words)))


def launch(argv: Sequence[str]) -> int:
    """Runs `python launch.py`, and returns the exit code as `main` does.

        code = launch(["launch.py", "--config", "configs/quickstart.py", "--output", "out"])

    Args:
        argv: all words; the first is the program's name.
    """
    return guarded("launch.py", argv[1:], lambda words: _carried_out(_launched(words)))


def _carried_out(command: Command | None) -> int:
    """Carries out a command; None means that the answer (the help) has been printed."""
    if command is None:
        return 0
    from vosjax.config import opened  # imported here, as --help does not need it

    config = opened(command.config, command.overrides)
    mode = command.mode or config.mode
    _known(mode)
    _tell_idle(mode, command)
    return importlib.import_module(modes.module(mode)).run(config, command.options) or 0


def _tell_idle(mode: str, command: Command) -> None:
    """Notes what was given on the command line but is not used by the mode."""
    from vosjax.config import Config
    from vosjax.schema.renames import before

    flags = [flag for flag in FLAGS if getattr(command.options, OPTIONS.get(flag, flag))]
    fields = []
    for override in command.overrides:
        field = override.partition("=")[0]
        section = re.split(r"[.\[]", field, maxsplit=1)[0]
        if section != "mode":  # this field only chooses the mode
            fields.append(before(Config).get(section, (section, None))[0] + field[len(section) :])
    for line in modes.idle(mode, flags, dict.fromkeys(fields)):
        warnings.warn(line, Note, stacklevel=2)


def _known(mode: str) -> None:
    if mode not in modes.names():
        raise InputError(
            f"there is no mode {mode!r}{near(mode, modes.names())}; the modes are: "
            f"{', '.join(modes.names())}"
        )


def _command(words: list[str]) -> Command | None:
    """Parses `vosjax WORDS`; returns None if the answer has been printed."""
    if not words or words[0] in ("-h", "--help", "help"):
        say(*_overview())
        return None
    if words[0] == "--version":
        say(f"vosjax {vosjax.__version__}")
        return None
    mode, *words = words
    _known(mode)
    described = modes.described(mode)
    first = described.first or "config"
    parser = _parser(f"vosjax {mode}", described.doc, described.flags, first=first)
    if {"-h", "--help"} & set(words):
        say(*parser.format_help().splitlines(), *_fields(described.fields))
        return None
    overrides, words = _overrides(words)
    flags, rest = parser.parse_known_args(words)
    if rest and not rest[0].startswith("-"):
        if described.first and getattr(flags, described.first) is None:
            setattr(flags, described.first, rest.pop(0))
        elif not described.first and flags.config is None:
            flags.config = rest.pop(0)
    _nothing_left(rest, [*described.flags, "config"])
    return Command(mode, flags.config or "base", overrides, _options(flags))


def _launched(words: list[str]) -> Command | None:
    """Parses `python launch.py WORDS`; returns None if the answer has been printed."""
    parser = _parser("python launch.py", __doc__, tuple(FLAGS))
    parser.add_argument("--mode", help="what to do; the config's own mode if left out")
    if {"-h", "--help"} & set(words):
        say(*parser.format_help().splitlines(), "", *_listed())
        return None
    overrides, words = _overrides(words)
    flags, rest = parser.parse_known_args(words)
    _nothing_left(rest, [*FLAGS, "config", "mode"])
    if flags.config is None and _takes_a_word(flags.mode):
        flags.config = "base"
    if flags.config is None:
        raise InputError("no --config was given; name one, as in --config configs/quickstart.py")
    return Command(flags.mode, flags.config, overrides, _options(flags))


def _takes_a_word(mode: str | None) -> bool:
    """Returns whether a mode's own word, such as a video, stands where others take a config."""
    return mode in modes.names() and modes.described(mode).first is not None


def _overrides(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Splits words into the 'FIELD=VALUE' of `--config.FIELD=VALUE` and `--set`, and all others."""
    overrides, rest = [], []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word.startswith("--config."):
            field = word.removeprefix("--config.")
            if "=" not in field:  # the value is the next word; without one, the field is a switch
                alone = not waiting or waiting[0].startswith("--")
                field = f"{field}={'True' if alone else waiting.pop(0)}"
            overrides.append(field)
        elif word == "--set" or word.startswith("--set="):
            field = word.removeprefix("--set=") if "=" in word else "".join(waiting[:1])
            del waiting[: "=" not in word]
            if "=" not in field:
                raise InputError(f"--set got {field!r}; FIELD=VALUE is expected")
            overrides.append(field)
        else:
            rest.append(word)
    return tuple(overrides), rest


def _parser(
    program: str, doc: str | None, flags: Sequence[str], *, first: str = "config"
) -> argparse.ArgumentParser:
    parser = Parser(
        prog=program,
        usage=f"{program} [{first.upper()}] [FLAGS] [--config.FIELD=VALUE ...]"
        if program.startswith("vosjax")
        else None,
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="CONFIG", help="a file, or the name of a config")
    for name in flags:
        many: dict[str, Any] = dict(action="append") if name in MANY else {}
        if name == "input":
            many = dict(action="extend", nargs="+")
        if name in SWITCHES:
            parser.add_argument(f"--{name}", action="store_true", help=FLAGS[name])
            continue
        parser.add_argument(f"--{name}", metavar=name.upper(), help=FLAGS[name], **many)
    parser.add_argument(
        "--set", metavar="FIELD=VALUE", help="the same as --config.FIELD=VALUE", action="append"
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show where an unexpected error came from"
    )
    return parser


def _nothing_left(rest: list[str], flags: Sequence[str]) -> None:
    if not rest:
        return
    word = rest[0].partition("=")[0]
    if word.startswith("-"):
        name = word.lstrip("-")
        raise InputError(f"there is no flag {name!r}{near(name, flags)}")
    raise InputError(f"{rest[0]!r} was given without a flag; write --NAME=VALUE")


def _options(flags: argparse.Namespace) -> modes.Options:
    fields = {name: name.replace("-", "_") for name in FLAGS}  # as argparse calls them
    values: dict[str, Any] = {
        fields[name]: getattr(flags, fields[name], False if name in SWITCHES else None)
        for name in FLAGS
    }
    for name, value in [*values.items(), ("config", flags.config)]:
        if value == "" or isinstance(value, list) and "" in value:
            expected = FLAGS.get(name, "a file, or the name of a config")
            raise InputError(f"--{name} is an empty text; {expected} is expected")
    inputs = tuple(values.pop("input") or ())
    masks, boxes, points = (tuple(values.pop(name) or ()) for name in MANY)
    return modes.Options(inputs=inputs, masks=masks, boxes=boxes, points=points, **values)


def _overview() -> list[str]:
    return [
        *(__doc__ or "").splitlines(),
        "",
        *_listed(),
        "",
        "`vosjax MODE --help` tells of one; `vosjax --version` of the version.",
    ]


def _listed() -> list[str]:
    """Returns a line for every mode, the first line of its docstring."""
    return [
        f"  {name:<14}{modes.described(name).doc.splitlines()[0].partition(': ')[2]}"
        for name in modes.names()
    ]


def _fields(names: Sequence[str]) -> list[str]:
    """Returns lines for the config fields in a mode's help, with their types and defaults."""
    from vosjax.config.help import lines

    return lines(names)


if __name__ == "__main__":
    sys.exit(main())
