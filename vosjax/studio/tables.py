"""The state of a video in the studio as tables, and changes of it that can be undone exactly.

    objects   {id: {"name", "colour", "hidden"}}
    pins      {frame: ids of the objects that the user gave there}
    labelled  {frame: hash of its label map}
    scores    {frame: {id: [mean probability, area, absent]}}

Keys are texts and values are JSON, so that a change can be written as it is. A change is
{table: {key: [value before, value after]}}, where None stands for a missing key.
"""

from collections.abc import Iterable
from typing import Any

from vosjax.errors import InputError

NAMES = ("objects", "pins", "labelled", "scores")

Tables = dict[str, dict[str, Any]]
Change = dict[str, dict[str, list[Any]]]


def empty() -> Tables:
    """Returns tables without an entry.

    empty()["objects"]      # {}
    """
    return {name: {} for name in NAMES}


def changed(tables: Tables, values: dict[str, dict[Any, Any]]) -> Change:
    """Returns the change that gives tables new values; what stays the same is left out.

        changed(tables, {"pins": {12: [1]}})    # {"pins": {"12": [None, [1]]}}

    Args:
        tables: the tables as they are.
        values: {table: {key: new value, None to remove it}}.
    """
    change: Change = {}
    for name, entries in values.items():
        pairs = {str(key): [tables[name].get(str(key)), after] for key, after in entries.items()}
        differing = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        if differing:
            change[name] = differing
    return change


def apply(tables: Tables, change: Change) -> None:
    """Carries out a change.

    apply(tables, {"pins": {"12": [None, [1]]}})
    """
    for name, entries in change.items():
        for key, (_, after) in entries.items():
            if after is None:
                tables[name].pop(key, None)
            else:
                tables[name][key] = after


def inverse(change: Change) -> Change:
    """Returns the change that takes another one back.

    inverse({"pins": {"12": [None, [1]]}})      # {"pins": {"12": [[1], None]}}
    """
    return {
        name: {key: [after, before] for key, (before, after) in entries.items()}
        for name, entries in change.items()
    }


def checked_change(change: Any) -> Change:
    """Returns a change that was read from a file, after checking its form.

        checked_change({"pins": {"12": [None, [1]]}})

    Raises:
        InputError: it has another form.
    """
    good = isinstance(change, dict) and all(
        name in NAMES
        and isinstance(entries, dict)
        and all(isinstance(pair, list) and len(pair) == 2 for pair in entries.values())
        for name, entries in change.items()
    )
    if not good:
        raise InputError("a change of the history has another form than the studio writes")
    return change


def joined(changes: Iterable[Change]) -> Change:
    """Returns one change that does what several do one after the other.

    joined([{"pins": {"1": [None, [1]]}}, {"pins": {"1": [[1], [1, 2]]}}])
    """
    whole: Change = {}
    for change in changes:
        for name, entries in change.items():
            target = whole.setdefault(name, {})
            for key, (before, after) in entries.items():
                target[key] = [target[key][0] if key in target else before, after]
    return whole
