"""The command line: parses flags, picks the mode, calls it, and puts what goes wrong in one line.

    vosjax MODE [CONFIG] [FLAGS] [--config.FIELD=VALUE ...]
    python launch.py --config CONFIG [--mode MODE] [FLAGS] [--config.FIELD=VALUE ...]

CONFIG is a file, or the name of one of the project's configs: `aot:r50`, `configs/aot_swin.py`.
"""

import argparse
import contextlib
import importlib
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import vosjax
from vosjax import modes
from vosjax.errors import InputError, Note, NotFinite
from vosjax.io.files import refusal
from vosjax.io.terminal import say
from vosjax.schema.kinds import near

# Exit codes (docs/command.md); 1 is that of a dataset run of which some videos failed.
BAD_INPUT, NOT_FINITE, UNEXPECTED, STOPPED, UNREAD = 2, 3, 70, 130, 141
FLAGS = {
    "video": "a video file, a folder of images or a camera's index",
    "masks": "a mask of frame 0, a folder of masks, or FRAME=FILE; may be given several times",
    "direction": "both, forward or backward: where objects are followed from the given frames",
    "data": "a folder of data",
    "input": "a .pth checkpoint, a training run, or the folders of one or several runs",
    "output": "where that which is made goes",
    "shard": "i/n: run the i-th (from 0) of n shares of the videos; auto: a cluster process's own",
    "overwrite": "begin anew: first remove what an earlier run made in --output",
}
OPTIONS = {"input": "inputs"}  # `modes.Options` that bear another name than their flag
SWITCHES = ("overwrite",)  # flags without a value
LOGGERS = ("absl", "orbax", "tensorflow")  # of libraries, which tell of all that they do
EXTRAS = {  # what a plain installation lacks, and the extra that brings it
    "grain": "train",
    "optax": "train",
    "orbax": "train",
    "tensorboardX": "train",
    "tensorflow_datasets": "data",
    "array_record": "data",
}


class Command(NamedTuple):
    """A command as it was typed.

    mode       its name; None: the config's own
    config     a file or a name
    overrides  'FIELD=VALUE' of the config
    options    `modes.Options`
    """

    mode: str | None
    config: str
    overrides: tuple[str, ...]
    options: modes.Options


class _Parser(argparse.ArgumentParser):
    """Raises in place of printing its usage and leaving."""

    def error(self, message):
        raise InputError(message)


def main(argv: Sequence[str] | None = None) -> int:
    """The command `vosjax`; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return _guarded("vosjax", words, _command)


def launch(argv: Sequence[str]) -> int:
    """`python launch.py`; argv[0] is the program. Returns the exit code."""
    return _guarded("launch.py", list(argv[1:]), _launched)


def _guarded(program: str, words: list[str], parse) -> int:
    """Carries out a command; whatever goes wrong becomes one line on stderr and an exit code."""
    try:
        with _notes_alone(program):
            command = parse([word for word in words if word != "--traceback"])
            return 0 if command is None else _carried_out(command)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if "--traceback" in words:
            traceback.print_exc()
        code, line = _said(error)
        say(f"{program}: {line}", file=sys.stderr)
        return code


@contextlib.contextmanager
def _notes_alone(program: str) -> Iterator[None]:
    """Prints every `Note` as a line on stderr, and nothing of what libraries warn of or log."""

    def show(message, category, filename, lineno, file=None, line=None):
        say(f"{program}: note: {message}", file=sys.stderr)

    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read by XLA too
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        if not sys.warnoptions:  # `python -W error` wants to see them
            warnings.simplefilter("ignore")
        warnings.filterwarnings("default", category=Note)
        warnings.showwarning = show
        yield


def _said(error: BaseException) -> tuple[int, str]:
    """The exit code of an error, and its line."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED, "stopped"
    if isinstance(error, InputError):
        return NOT_FINITE if isinstance(error, NotFinite) else BAD_INPUT, str(error)
    if isinstance(error, ModuleNotFoundError):
        return BAD_INPUT, _missing(error)
    if isinstance(error, OSError) and error.filename is not None:
        refused = refusal(error, error.filename, verb="read or written")
        if refused is not None:
            return BAD_INPUT, str(refused)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):  # NumPy's, XLA's
        return BAD_INPUT, (
            f"there is not enough memory ({error}): take a smaller max_short_side, fewer views, "
            "or fewer clips or videos at a time"
        )
    if isinstance(error, RuntimeError) and not _has_device():
        return BAD_INPUT, (
            f"JAX finds no device to compute on ({error}): JAX_PLATFORMS is "
            f"{os.environ.get('JAX_PLATFORMS', 'not set')}, cpu is always there"
        )
    return UNEXPECTED, (
        f"unexpected error: {type(error).__name__}: {error} "
        "(please report it, with what --traceback shows)"
    )


def _has_device() -> bool:
    """Whether JAX, where it is in use, finds a device: what its settings name may not be there."""
    try:
        return "jax" not in sys.modules or bool(sys.modules["jax"].local_devices())
    except RuntimeError:
        return False


def _carried_out(command: Command) -> int:
    from vosjax.config import opened  # after --help, which does without

    config = opened(command.config, command.overrides)
    mode = command.mode or config.mode
    _known(mode)
    _tell_idle(mode, command)
    return importlib.import_module(f"vosjax.modes.{mode}").run(config, command.options) or 0


def _tell_idle(mode: str, command: Command) -> None:
    """Notes what was given on the command line, and the mode does not use."""
    from vosjax.config import Config
    from vosjax.schema.renames import before

    flags = [flag for flag in FLAGS if getattr(command.options, OPTIONS.get(flag, flag))]
    fields = []
    for override in command.overrides:
        field = override.partition("=")[0]
        section = re.split(r"[.\[]", field, maxsplit=1)[0]
        if section != "mode":  # which chooses among modes
            fields.append(before(Config).get(section, (section, None))[0] + field[len(section) :])
    for line in modes.idle(mode, flags, dict.fromkeys(fields)):
        warnings.warn(line, Note, stacklevel=2)


def _missing(error: ModuleNotFoundError) -> str:
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return f"{error}: install it, or install vosjax anew"
    return f"{error.name} is not installed: pip install 'vosjax[{extra}]'"


def _known(mode: str) -> None:
    if mode not in modes.names():
        raise InputError(
            f"there is no mode {mode!r}{near(mode, modes.names())}; the modes are: "
            f"{', '.join(modes.names())}"
        )


def _command(words: list[str]) -> Command | None:
    """What `vosjax WORDS` asks for; None where the answer was printed."""
    if not words or words[0] in ("-h", "--help", "help"):
        say(*_overview())
        return None
    if words[0] == "--version":
        say(f"vosjax {vosjax.__version__}")
        return None
    mode, *words = words
    _known(mode)
    described = modes.described(mode)
    parser = _parser(f"vosjax {mode}", described.doc, described.flags)
    if {"-h", "--help"} & set(words):
        say(*parser.format_help().splitlines(), *_fields(described.fields))
        return None
    overrides, words = _overrides(words)
    flags, rest = parser.parse_known_args(words)
    if flags.config is None and rest and not rest[0].startswith("-"):
        flags.config = rest.pop(0)
    _nothing_left(rest, [*described.flags, "config"])
    return Command(mode, flags.config or "base", overrides, _options(flags))


def _launched(words: list[str]) -> Command | None:
    """What `python launch.py WORDS` asks for; None where the answer was printed."""
    parser = _parser("python launch.py", __doc__, tuple(FLAGS))
    parser.add_argument("--mode", help="what to do; the config's own mode if left out")
    if {"-h", "--help"} & set(words):
        say(*parser.format_help().splitlines(), "", *_listed())
        return None
    overrides, words = _overrides(words)
    flags, rest = parser.parse_known_args(words)
    _nothing_left(rest, [*FLAGS, "config", "mode"])
    if flags.config is None:
        raise InputError("no --config was given; name one, as in --config configs/quickstart.py")
    return Command(flags.mode, flags.config, overrides, _options(flags))


def _overrides(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The 'FIELD=VALUE' of `--config.FIELD=VALUE` and `--set FIELD=VALUE`, and all other words."""
    overrides, rest = [], []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word.startswith("--config."):
            field = word.removeprefix("--config.")
            if "=" not in field:  # the value is the next word; without one it is a switch
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


def _parser(program: str, doc: str | None, flags: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=program,
        usage=f"{program} [CONFIG] [FLAGS] [--config.FIELD=VALUE ...]"
        if program.startswith("vosjax")
        else None,
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="CONFIG", help="a file, or the name of a config")
    for name in flags:
        many: dict[str, Any] = dict(action="append") if name == "masks" else {}
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
    values: dict[str, Any] = {
        name: getattr(flags, name, False if name in SWITCHES else None) for name in FLAGS
    }
    for name, value in [*values.items(), ("config", flags.config)]:
        if value == "" or isinstance(value, list) and "" in value:
            expected = FLAGS.get(name, "a file, or the name of a config")
            raise InputError(f"--{name} is an empty text; {expected} is expected")
    inputs, masks = values.pop("input") or (), values.pop("masks") or ()
    return modes.Options(inputs=tuple(inputs), masks=tuple(masks), **values)


def _overview() -> list[str]:
    return [
        *(__doc__ or "").splitlines(),
        "",
        *_listed(),
        "",
        "`vosjax MODE --help` tells of one; `vosjax --version` of the version.",
    ]


def _listed() -> list[str]:
    """A line for every mode, the first of its docstring."""
    return [
        f"  {name:<12}{modes.described(name).doc.splitlines()[0].partition(': ')[2]}"
        for name in modes.names()
    ]


def _fields(names: Sequence[str]) -> list[str]:
    """The fields of the config that a mode's help tells of, with their types and defaults."""
    from vosjax.config.help import lines

    return lines(names)


if __name__ == "__main__":
    sys.exit(main())
