"""Lists the differences between the settings of two runs, in the same words everywhere."""

import json
from collections.abc import Iterator
from typing import Any

LONGEST = 60  # characters; longer values are shortened


def differences(old: Any, new: Any, *, path: str = "") -> list[str]:
    """Returns a line for every value that changed, such as 'train.lr was 0.1, is now 0.2'.

        differences({"a": {"b": 1}}, {"a": {"b": 2}})      # ['a.b was 1, is now 2']

    Args:
        old: plain JSON values; a name that is missing from a dict counts as null.
        new: the same for the other run.
        path: name of both, if they are parts of something.
    """
    return [
        f"{name} was {_short(before)}, is now {_short(after)}"
        for name, before, after in _changed(old, new, path)
    ]


def _changed(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            inner = f"{path}.{name}" if path else name
            yield from _changed(old.get(name), new.get(name), inner)
    elif old != new:
        yield path, old, new


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]}..."
