"""Reports of a preparation: notes of what was left out, counts, a table for the terminal."""

import collections
from collections.abc import Iterable, Mapping
from typing import Any

MISSING = "missing mask"
EMPTY = "empty object"
DAMAGED = "damaged picture"
DAMAGED_MASK = "damaged mask"
SIZE = "mask of another size"
FRAME_SIZE = "frame of another size"
CROWD = "crowd annotation, its pixels are ignored"
SMALL = "object too small"
NULL = "track without a mask in some frames"
OVERLAP = "excluded by the given list"
NOTHING = "nothing left of it"
BUG = "known wrong value in a mask"
MANY = "more objects than a mask can hold"

_SHOWN = 5  # examples of each kind in the table


Summary = dict[str, Any]  # the report of one split, ready for JSON


class Notes:
    """Collects what was left out.

        notes.add(report.DAMAGED, "bear/00077")

    pairs  the notes (kind, where), in order
    """

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    def add(self, kind: str, where: str) -> None:
        """Adds a note of this kind about `where`: a name, a path or an id."""
        self.pairs.append((kind, str(where)))


def differences(counts: Mapping[str, int], published: Mapping[str, int]) -> list[str]:
    """Returns a sentence for each of `counts` {what: number} that is not the published number."""
    return [
        f"{counts.get(what, 0):,} {what}, {number:,} were published "
        f"({counts.get(what, 0) - number:+,})"
        for what, number in published.items()
        if counts.get(what, 0) != number
    ]


def summary(
    title: str,
    *,
    counts: Mapping[str, int],
    notes: Iterable[tuple[str, str]],
    published: Mapping[str, int],
) -> Summary:
    """Makes the report of one split as plain data, ready for JSON.

    Args:
        title: what was prepared.
        counts: {what: number}, what was found and stored.
        notes: pairs (kind, where), what was left out.
        published: {what: number} from the dataset's paper or site; may be empty.
    """
    kinds: dict[str, list[str]] = collections.defaultdict(list)
    for kind, where in notes:
        kinds[kind].append(where)
    return dict(
        title=title,
        counts=dict(counts),
        published=dict(published),
        differences=differences(counts, published),
        left_out={
            kind: dict(count=len(names), where=names) for kind, names in sorted(kinds.items())
        },
    )


def table(report: Summary) -> str:
    """Formats a `summary` as lines for a terminal."""
    lines = [
        report["title"],
        "  " + ", ".join(f"{number:,} {what}" for what, number in report["counts"].items()),
    ]
    if report["left_out"]:
        width = max(len(kind) for kind in report["left_out"])
        for kind, entry in report["left_out"].items():
            shown = ", ".join(entry["where"][:_SHOWN])
            more = ", ..." if entry["count"] > _SHOWN else ""
            lines.append(f"  {kind:<{width}}  {entry['count']:>6,}  {shown}{more}")
    else:
        lines.append("  nothing was left out")
    if not report["published"]:
        lines.append("  no published counts to compare with")
    for text in report["differences"]:
        lines.append(f"  WARNING: {text}")
    return "\n".join(lines)
