"""The modes of the command line: one file for each.

A mode's file has `run(config, options) -> int`, which gets a `vosjax.config.Config` and `Options`
and returns the exit code; `FLAGS`, the names of the flags that it takes; `FIELDS`, the names of the
config fields that its help lists; and possibly `ALSO`, the names of other config fields that it
reads, and `FIRST`, the flag that a word without a flag is taken for in place of the config. Files
whose names begin with '_' are not modes. A hyphen in a mode's name is '_' in its file's name
(`module`).
"""

import ast
import dataclasses
import pathlib
import re
from collections.abc import Iterable
from typing import NamedTuple


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags of a command that are not fields of its config; None or () if not given.

    video      a video file, a folder of images or a camera's index
    masks      a mask of frame 0, a folder of masks, or FRAME=FILE
    boxes      boxes around objects, [FRAME=][ID:]x,y,width,height
    points     points on objects, [FRAME=][ID:]x,y[,out][;x,y ...]
    direction  where objects are followed from the given frames: 'both', 'forward' or 'backward'
    data       a folder of data
    inputs     what is converted, exported, fused or reported
    format     the format that masks are exported to
    output     where to write the results
    host       the address that a server listens on
    port       the port that it listens on, as a text
    token      what its clients have to know
    keep       a folder in which its sessions are kept when it ends
    shard      'i/n' or 'auto': the share of the videos, or of a training's batches
    overwrite  begin anew if an earlier run left its files
    project    the folder of a studio's project
    no_browser whether not to open the browser
    """

    video: str | None = None
    masks: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    direction: str | None = None
    data: str | None = None
    inputs: tuple[str, ...] = ()
    format: str | None = None
    output: str | None = None
    host: str | None = None
    port: str | None = None
    token: str | None = None
    keep: str | None = None
    shard: str | None = None
    overwrite: bool = False
    project: str | None = None
    no_browser: bool = False

    @property
    def input(self) -> str | None:
        """The first of `inputs`."""
        return self.inputs[0] if self.inputs else None


class Mode(NamedTuple):
    """What a mode's file says of itself: its docstring, and the lists at its top."""

    doc: str
    flags: tuple[str, ...]
    fields: tuple[str, ...]
    also: tuple[str, ...] = ()
    first: str | None = None

    @property
    def reads(self) -> set[str]:
        """Returns the fields of `Config` that the mode reads, whole or in part."""
        return {name.partition(".")[0] for name in (*self.fields, *self.also)}


def names() -> list[str]:
    """Returns the names of all modes.

    names()     # ['absence', 'bench', ...]
    """
    stems = (path.stem for path in pathlib.Path(__file__).parent.glob("[!_]*.py"))
    return sorted(stem.replace("_", "-") for stem in stems)


def module(name: str) -> str:
    """Returns the name of the module that a mode's file is.

    module("export-masks")      # 'vosjax.modes.export_masks'
    """
    return f"{__name__}.{name.replace('-', '_')}"


def described(name: str) -> Mode:
    """Returns a mode's description from its file, without importing it: JAX would take a second.

    described("segment").flags      # ('video', 'masks', ...)
    """
    file = pathlib.Path(__file__).parent / f"{module(name).rpartition('.')[2]}.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    lists = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("FLAGS", "FIELDS", "ALSO", "FIRST")
    }
    doc = ast.get_docstring(tree) or ""
    return Mode(doc, lists["FLAGS"], lists["FIELDS"], lists.get("ALSO", ()), lists.get("FIRST"))


def idle(mode: str, flags: Iterable[str], fields: Iterable[str]) -> list[str]:
    """Lists what a command was given but its mode does not use, a line each.

        idle("segment", ["shard"], ["eval.split"])
        # ['--shard belongs to --mode eval, train; segment does not use it', ...]

    Args:
        mode: name of the mode.
        flags: names of `Options`.
        fields: fields of the config: 'mem_every', 'train.lr', 'data.sets[0].weight'.
    """
    every = {name: described(name) for name in names()}
    lines = []
    for flag in flags:
        users = [name for name in every if flag in every[name].flags]
        if mode not in users:
            lines.append(f"--{flag} belongs to --mode {', '.join(users)}; {mode} does not use it")
    for field in fields:
        section = re.split(r"[.\[]", field, maxsplit=1)[0]
        users = [name for name in every if section in every[name].reads]
        if mode not in users and users:
            lines.append(
                f"--config.{field} belongs to --mode {', '.join(users)}; {mode} does not use it"
            )
    return lines
