"""The sources of a prepared dataset: a digest of each unit, so that changed sources are noticed.

The digest covers what the builder knows of the unit (annotations, classes) and the content of every
file and folder that it names. The place of the source does not matter.
"""

import hashlib
import json
import os
import pathlib
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from data_prep import pictures
from vosjax.errors import InputError, Note
from vosjax.io.content import load_json
from vosjax.io.names import some

Path = str | os.PathLike[str]
Digests = dict[str, str]  # {name of a unit: sha256}


def digest(unit: Any, source: Path) -> str:
    """Returns the sha256 of a unit, the second of the pair (name, unit) of `FolderBuilder.units`.

        digest({"images": "DAVIS/JPEGImages/480p/bear", "dense": True}, "DAVIS")

    Args:
        unit: plain values; texts that are paths below `source` stand for the content there.
        source: the downloaded folder.
    """
    source = str(pathlib.Path(source))
    total = hashlib.sha256(json.dumps(_relative(unit, source), default=str).encode())
    for text in _texts(unit):
        if _is_below(text, source):
            for path in _files(text):
                name = os.fsencode(os.path.relpath(path, source))
                content = hashlib.sha256(pictures.content(path)).digest()
                total.update(name + b"\0" + content)
    return total.hexdigest()


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Lists the differences between the units of two preparations, in a few words for each kind.

    changes({"bear": "9f86", "cow": "60303"}, {"bear": "fcde"})  # ['changed: bear', 'gone: cow']
    """
    kinds = {
        "changed": [name for name in now if name in before and before[name] != now[name]],
        "new": [name for name in now if name not in before],
        "gone or excluded": [name for name in before if name not in now],
    }
    return [f"{kind}: {some(names)}" for kind, names in kinds.items() if names]


def check(
    before: Mapping[str, str] | None, units: Sequence[tuple[str, Any]], source: Path, *, what: str
) -> None:
    """Raises InputError unless a complete split was made from its units as they are now.

        check({"bear": "9f86"}, builder.units("val"), builder.source, what="split val of out/davis")

    Args:
        before: {unit: digest} when it was made; None, for one of an earlier version, gives a note.
        units: (name, unit) pairs.
        source: the downloaded folder.
        what: what messages call the split.
    """
    if before is None:
        warnings.warn(
            f"{what} was prepared by an earlier version, which kept no digests of its sources: it "
            "is taken as it is, --overwrite prepares it again",
            Note,
            stacklevel=2,
        )
        return
    differing = changes(before, _digests(units, source))
    if differing:
        raise InputError(
            f"{what} was prepared from other sources ({'; '.join(differing)}): prepare it anew "
            "with --overwrite, or name another --output"
        )


def drop_changed(shards: Mapping[pathlib.Path, Sequence[tuple[str, Any]]], source: Path) -> None:
    """Removes the records of shards whose units have changed, and notes which.

        drop_changed({pathlib.Path("part-00000.json"): [("bear", unit)]}, "DAVIS")

    Args:
        shards: {the JSON file that completes a shard: its (name, unit) pairs}.
        source: the downloaded folder.
    """
    whole = {record: units for record, units in shards.items() if record.is_file()}
    now = _digests([unit for units in whole.values() for unit in units], source)
    changed = []
    for record, units in whole.items():
        before = _made_of(record)
        others = [name for name, _ in units if before.get(name) != now[name]]
        if others:
            record.unlink()
            changed += others
    if changed:
        warnings.warn(
            f"prepared again, as their sources have changed since: {some(changed)}",
            Note,
            stacklevel=2,
        )


def _made_of(record: pathlib.Path) -> Mapping[str, str]:
    """Reads {unit: digest} of a shard from its JSON; {} if damaged, or of an earlier version."""
    try:
        kept = load_json(record, name=str(record))["sources"]
    except (InputError, LookupError, TypeError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _digests(units: Sequence[tuple[str, Any]], source: Path) -> Digests:
    bar = tqdm(units, unit="unit", desc="comparing", file=sys.stderr, disable=None)
    return {name: digest(unit, source) for name, unit in bar}


def _relative(value: Any, source: str) -> Any:
    if isinstance(value, str) and _is_below(value, source):
        return os.path.relpath(value, source)
    if isinstance(value, Mapping):
        return {str(key): _relative(item, source) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_relative(item, source) for item in value]
    return value


def _is_below(text: str, source: str) -> bool:
    """Returns whether a text is a path below the source."""
    if source == ".":  # paths below it have no common beginning
        return not os.path.isabs(text) and len(text) < 4096 and os.path.lexists(text)
    return text.startswith(source + os.sep)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _texts(item)


def _files(text: str) -> list[pathlib.Path]:
    """Returns the file of a path, or all files below a folder, in order."""
    path = pathlib.Path(text)
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if not file.is_dir())
    return [path]
