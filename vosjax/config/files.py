"""Finds config files by path or by name, in a checkout and in an installed package."""

import importlib.util
import inspect
import pathlib
import traceback
import types
import warnings
from collections.abc import Mapping
from typing import Any

import ml_collections

import vosjax
from vosjax.errors import InputError, RenamedNote, shown
from vosjax.schema import plain
from vosjax.schema.kinds import near

# Files of version 0.1 whose networks are now chosen by an argument.
MOVED = {
    **{f"aot_{name}": f"aot:{name}" for name in ("t", "s", "b", "l", "r50", "r101")},
    **{f"deaot_{name}": f"deaot:{name}" for name in ("t", "s", "b", "l", "r50", "swin")},
    **{f"aost_{name}": f"aost:{name}" for name in ("r50", "swin")},
    "aot_resnest101": "aot:resnest101",
    "aot_swin_v1": "aot:swin",
    "aotv2_l": "aotv2:l",
    "aotv2_r50": "aotv2:r50",
    "aot_effnet": "aotv2:effnet",
    "aot_resnext": "aotv2:resnext",
    "stm": "famnet:stm",
    "train_famnet": "train_stcn:famnet",
    **{f"prepare_{name}": f"prepare:{name}" for name in ("davis", "static", "videos")},
    "prepare_youtube_vos": "prepare:youtube_vos",
}


def folder() -> pathlib.Path:
    """Returns the folder of the project's configs: in the installed package, or in the checkout.

    files = sorted(folder().glob("*.py"))
    """
    package = pathlib.Path(vosjax.__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def names() -> list[str]:
    """Returns the names of the project's configs, sorted.

    shown = ", ".join(names())
    """
    return sorted(path.stem for path in folder().glob("[!_]*.py"))


def named(asked: str) -> ml_collections.ConfigDict:
    """Returns what the `get_config` of a config file returns.

        config = named("aot:r50")

    Args:
        asked: a file, or the name of one of the project's configs, followed by a colon and an
            argument for `get_config` if it takes one: 'mine.py', 'configs/aot.py:r50', 'aot:r50'.

    Raises:
        InputError: there is no such file, or it cannot be used.
    """
    path, argument = find(asked)
    made = _called(_module(path), path, argument)
    if not isinstance(made, Mapping | ml_collections.ConfigDict):
        raise InputError(
            f"the config {path} cannot be used: get_config() gave {type(made).__name__}; an "
            "ml_collections.ConfigDict is expected, as of vosjax.config.network()"
        )
    return made


def find(asked: str) -> tuple[pathlib.Path, str | None]:
    """Finds the file that is meant, and the argument for its `get_config`.

        path, argument = find("aot:r50")

    Args:
        asked: as for `named`.

    Returns:
        The path, and the argument or None.

    Raises:
        InputError: there is no such file.
    """
    file, _, argument = asked.partition(":")
    for name, behind in ((asked, None), (file, argument or None)):
        path = _path(name)
        if path.is_file():
            return path, behind
        if path.exists() and path.suffix == ".py":
            raise InputError(f"the config {path} is no file but a folder, a pipe or a device")
        known = path.name.removesuffix(".py")
        if path.parent.name in ("", "configs") and known in MOVED:
            note = f"the config {known} is now called {MOVED[known]}"
            warnings.warn(note, RenamedNote, stacklevel=2)
            return find(MOVED[known])
        if path.parent.name in ("", "configs") and known in names():
            return folder() / f"{known}.py", behind
    raise InputError(
        f"the config {file} cannot be read: name a file, or one of the configs "
        f"{', '.join(names())}{near(pathlib.Path(file).stem, names())}"
    )


def _path(name: str) -> pathlib.Path:
    try:
        path = pathlib.Path(name).expanduser()
        path.is_file()
        return path
    except (OSError, RuntimeError, ValueError) as error:
        # a name that no file can have: too long, of a user who does not exist, with a NUL
        raise InputError(f"the config {shown(name)} cannot be read: {error}") from error


def variant(table: Mapping[str, Any], name: str) -> Any:
    """Looks up a variant of a config file by its name.

        settings = variant({"t": {"layers": 1}, "s": {"layers": 2}}, "s")

    Args:
        table: {name: variant}, all variants of the file.
        name: the name that was asked for.

    Raises:
        InputError: there is no such variant; the message lists those that exist.
    """
    if name not in table:
        raise InputError(
            f"there is no variant {name!r} of this config{near(name, table)}; there are: "
            f"{', '.join(table)}"
        )
    return table[name]


def _module(path: pathlib.Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"the config {path} cannot be read: the name of a .py file is expected")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a config file raises is its own fault
        raise _unusable(path, error) from error
    if not callable(getattr(module, "get_config", None)):
        raise InputError(f"the config {path} has no function get_config()")
    return module


def _called(module: types.ModuleType, path: pathlib.Path, argument: str | None) -> Any:
    try:
        takes = inspect.signature(module.get_config).parameters
    except ValueError as error:
        raise InputError(f"the config {path} has no function get_config()") from error
    if argument is not None and not takes:
        raise InputError(f"the config {path} takes no argument, and {argument!r} was given")
    try:
        return module.get_config(*([] if argument is None else [argument]))
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise _unusable(path, error) from error


def _unusable(path: pathlib.Path, error: BaseException) -> InputError:
    """Returns the error for what a config file raised: where in the file, and what."""
    places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)]
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    line = next((n for n, file in zip(places[::-1], files[::-1]) if file == str(path)), None)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, what = error.lineno, f"{type(error).__name__}: {error.msg}"
    elif isinstance(error, SystemExit):
        what = f"it calls sys.exit({'' if error.code is None else shown(error.code)})"
    where = "" if line is None else f"line {line}: "
    return InputError(f"the config {path} cannot be used: {where}{what}")


def as_values(config: Any) -> dict[str, Any]:
    """Converts a ConfigDict (or another mapping) to nested dicts and lists.

        values = as_values(named("aot:r50"))

    Args:
        config: the ConfigDict or mapping.

    Raises:
        InputError: the config contains itself.
    """
    try:
        return _as_values(config)
    except RecursionError as error:
        raise InputError("the config holds itself, or fields far too deep within fields") from error


def _as_values(config: Any) -> Any:
    if isinstance(config, ml_collections.FieldReference):
        return _as_values(config.get())
    if isinstance(config, Mapping | ml_collections.ConfigDict):
        return {str(name): _as_values(config[name]) for name in config}
    if isinstance(config, tuple | list):
        return [_as_values(item) for item in config]
    return plain(config)
