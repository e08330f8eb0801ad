"""Finds lost numbers and stray files among the names of a folder's frames."""

import collections
import re
from collections.abc import Sequence

from vosjax.io.names import some

_DIGITS = re.compile(r"(\d+)")
_COPY = re.compile(r"(.+?)(?: ?\(\d+\)|[-_ ]\d+)")  # endings by burst modes and file managers


def numbering_notes(stems: Sequence[str], name: str) -> list[str]:
    """Returns lines about names of frames that look as if something were wrong.

        numbering_notes(["00000", "00001", "00003"], "frames")

    Args:
        stems: the names of the frames, in order.
        name: name of their folder, for the lines.
    """
    patterns = collections.defaultdict(list)
    for stem in stems:
        patterns[_DIGITS.sub("#", stem)].append(stem)
    pattern, usual = max(patterns.items(), key=lambda item: len(item[1]))
    if len(usual) < 3 or len(usual) <= len(stems) / 2 or "#" not in pattern:
        return []
    notes, known = [], set(usual)
    strangers = [s for s in stems if s not in known and not _is_copy(s, known)]
    if strangers:
        notes.append(
            f"{name}: {len(strangers)} image(s) are named otherwise than the others and count as "
            f"frames, too: {some(strangers)}; move away what is no frame, a mask for example"
        )
    numbers = _counter(usual)
    if numbers is not None:
        notes += _twice(numbers, usual, name) + _gaps(sorted(set(numbers)), name)
    return notes


def _is_copy(stem: str, known: set[str]) -> bool:
    match = _COPY.fullmatch(stem)
    return match is not None and match[1] in known


def _counter(stems: list[str]) -> list[int] | None:
    """Returns the one number that changes from name to name; None if several do."""
    columns = list(zip(*(_DIGITS.findall(stem) for stem in stems)))
    changing = [column for column in columns if len(set(map(int, column))) > 1]
    return list(map(int, changing[0])) if len(changing) == 1 else None


def _twice(numbers: list[int], stems: list[str], name: str) -> list[str]:
    seen = collections.defaultdict(list)
    for number, stem in zip(numbers, stems):
        seen[number].append(stem)
    twice = [" and ".join(same) for same in seen.values() if len(same) > 1]
    if not twice:
        return []
    return [f"{name}: {len(twice)} number(s) stand for several frames: {some(twice)}"]


def _gaps(numbers: list[int], name: str) -> list[str]:
    """Returns a line, in a list, if numbers that rise by one step skip some."""
    steps = collections.Counter(b - a for a, b in zip(numbers, numbers[1:]))
    if not steps:
        return []
    step, often = min(steps.items(), key=lambda item: (-item[1], item[0]))
    gaps = [(a, b) for a, b in zip(numbers, numbers[1:]) if b - a > step]
    if not gaps or 2 * often < len(numbers) - 1:
        return []
    lost = sum((b - a - 1) // step for a, b in gaps)
    places = some([f"{a} to {b}" for a, b in gaps])
    return [
        f"{name}: the numbers of the frames leave out {lost} ({places}); the frames are taken as "
        "if they followed each other"
    ]
