"""The command line: parses flags, picks the mode, calls it, and puts what goes wrong in one line.

python launch.py --config configs/CONFIG.py [--mode MODE] [--config.NAME=VALUE ...] [FLAGS]
"""

import difflib
import importlib
import pkgutil
import re
import sys
import types
import warnings
from unittest import mock

from absl import flags
from ml_collections import config_flags

from vosjax import modes
from vosjax.errors import InputError

PATHS = dict(
    video="A video file, a folder of images or a camera's index.",
    output="The folder for what is made.",
    data="A folder of data.",
    shard="i/n: run the i-th (from 0) of n shares of the videos; auto: a cluster process's own.",
)


class UsageError(Exception):
    """A command that cannot be carried out; the message is for the user."""


def run(argv: list[str]) -> int:
    """Carries out a command line (argv[0] is the program) and returns its exit code.

    Returns:
      0, or 2 after one line on stderr that says what is wrong, or what the mode returns.
    """
    try:
        if {"--help", "-help", "-h"} & set(argv[1:]):
            print(__doc__, _flags().get_help(), f"Modes: {', '.join(_modes())}.", sep="\n")
            return 0
        config, mode, options = parse(argv)
        with warnings.catch_warnings():
            warnings.showwarning = _note
            return importlib.import_module(f"vosjax.modes.{mode}").run(config, options) or 0
    except (UsageError, InputError) as error:
        print(f"launch.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("launch.py: stopped", file=sys.stderr)
        return 130


def parse(argv: list[str]):
    """(config with its overrides, mode, options): what a mode's `run` is called with.

    Options are the paths of the command line (None where not given), `masks` and `inputs`, lists,
    `input`, the first of those, and `config_file`.

    Raises:
      UsageError: a misspelt flag, field, file or mode; a value of another type.
    """
    values, argv = _flags(), _spread(argv)
    sys.modules.pop("config_config", None)  # where ml_collections would find the last config again
    with mock.patch.object(sys, "argv", argv):  # where it looks for --config.NAME
        try:
            rest = values(argv)
            config = values["config"].value
            mode = values["mode"].value or (config and config.get("mode"))
        except Exception as error:  # whatever a config file raises is the config file's fault
            raise UsageError(_explained(error, argv)) from error
    if len(rest) > 1:
        raise UsageError(f"{rest[1]!r} was given without a flag; write --NAME=VALUE")
    if config is None:
        raise UsageError("no --config was given; name one, as in --config configs/quickstart.py")
    if mode not in _modes():
        raise UsageError(
            f"there is no mode {mode!r}{_near(str(mode), _modes())}; the modes are: "
            f"{', '.join(_modes())}"
        )
    paths = {name: values[name].value for name in PATHS}
    inputs = values["input"].value
    return (
        config,
        mode,
        types.SimpleNamespace(
            masks=values["masks"].value,
            inputs=inputs,
            input=inputs[0] if inputs else None,
            config_file=_config_file(argv),
            **paths,
        ),
    )


def _spread(argv: list[str]) -> list[str]:
    """`--input A B` as `--input=A --input=B`."""
    found, taking = [], False
    for word in argv:
        if word in ("--input", "-input"):
            taking = True
        elif word.startswith("-") or not taking:
            taking = taking and not word.startswith("-")
            found.append(word)
        else:
            found.append(f"--input={word}")
    return found


def _flags() -> flags.FlagValues:
    values = flags.FlagValues()
    config_flags.DEFINE_config_file(
        "config", None, "The recipe, a file of configs/.", lock_config=True, flag_values=values
    )
    flags.DEFINE_string(
        "mode", None, "What to do; the config's own mode if left out.", flag_values=values
    )
    for name, text in PATHS.items():
        flags.DEFINE_string(name, None, text, flag_values=values)
    flags.DEFINE_multi_string(
        "masks",
        [],
        "A mask of frame 0, a folder of masks, or FRAME=FILE; may be given several times.",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "input",
        [],
        "What is converted, a .pth checkpoint; or what is fused "
        "or reported, the folders of one or several runs.",
        flag_values=values,
    )
    return values


def _modes() -> list[str]:
    return sorted(found.name for found in pkgutil.iter_modules(modes.__path__))


def _config_file(argv: list[str]) -> str | None:
    words = re.findall(r"(?:^|\n)--?config[=\n](.*)", "\n".join(argv))
    return words[0] if words else None


def _explained(error: Exception, argv: list[str]) -> str:
    """One line for what ml_collections and absl say in several, or as a traceback."""
    file = _config_file(argv)
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    text = str(error.args[0] if isinstance(error, KeyError) else error).strip()
    if isinstance(error, flags.Error):
        return text.splitlines()[0]
    if isinstance(error, OSError):
        return f"the config {file} cannot be read: name a file of configs/"
    for name in re.findall(r"'(\w+)'", text.splitlines()[0] if text else ""):
        if any(re.match(rf"--?config\.(.*\.)?{name}\b", word) for word in argv):
            return f"the config {file} has no field {name!r}{_near(name, _fields(file))}"
        if name == "get_config":
            return f"the config {file} has no function get_config()"
    last = text.splitlines()[-1] if text else type(error).__name__
    return f"the config {file} cannot be used: {last}"


def _fields(file: str | None) -> list[str]:
    """All names of a config, for hints."""
    with mock.patch.object(sys, "argv", ["launch.py"]):
        try:
            values = _flags()
            values(["launch.py", f"--config={file}"])
            return sorted({name for path in _paths(values["config"].value) for name in path})
        except Exception:  # it is broken otherwise; there is nothing to hint at
            return []


def _paths(config, above=()):
    for name, value in config.items():
        yield (*above, name)
        if hasattr(value, "items"):
            yield from _paths(value, (*above, name))


def _near(word: str, known: list[str]) -> str:
    found = difflib.get_close_matches(word, known, 3)
    return f" (did you mean {' or '.join(map(repr, found))}?)" if found else ""


def _note(message, category, filename, lineno, file=None, line=None):
    print(f"launch.py: note: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run(sys.argv))
