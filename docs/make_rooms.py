"""Draws docs/pictures/rooms.svg from the block of rooms in docs/architecture.md.

    python -m docs.make_rooms

`arrows` reads the block, for this picture and for the test that holds imports to it.
"""

import graphlib
import pathlib
import re
from html import escape

from vosjax.io.terminal import say

HERE = pathlib.Path(__file__).parent
PICTURE = HERE / "pictures" / "rooms.svg"
KINDS = {  # what a room deals with, its colour, and the rooms
    "words": ("#e8e6df", ("errors", "types", "names", "prompt", "schema", "compile_cache")),
    "networks": (
        "#d8e8f7",
        (
            "memory",
            "layers",
            "backbones",
            "models",
            "compose",
            "voting",
            "refine",
            "interactive",
        ),
    ),
    "files and clips": (
        "#dcefdc",
        ("io", "exports", "checkpoints", "runs", "datasets", "data", "data_prep"),
    ),
    "videos, training, commands": ("#f7e3d3", ()),  # all others
}
WIDTH, BOX, ROW, HEIGHT = 920, 104, 66, 30  # pixels


def arrows(document: str) -> dict[str, set[str]]:
    """{room: the rooms it may import directly}, of the block of rooms in a Markdown document.

        arrows(pathlib.Path("docs/architecture.md").read_text())["prompt"]  # {"types"}

    In a line `A, B <- C <- D` C may import A and B, and D may import C.
    """
    block = re.search(r"^```rooms\n(.*?)^```", document, re.M | re.S)
    below: dict[str, set[str]] = {}
    for line in block[1].splitlines():
        groups = [[room.strip() for room in group.split(",")] for group in line.split("<-")]
        for room in sum(groups, []):
            below.setdefault(room, set())
        for lower, upper in zip(groups, groups[1:]):
            for room in upper:
                below[room] |= set(lower)
    return below


def drawn(below: dict[str, set[str]]) -> str:
    """The rooms as SVG: a box each, in rows by their height over the ground, with the arrows."""
    level: dict[str, int] = {}
    for room in graphlib.TopologicalSorter(below).static_order():
        level[room] = 1 + max((level[lower] for lower in below[room]), default=-1)
    rows = [sorted(room for room in level if level[room] == row) for row in range(len(level))]
    rows = [row for row in rows if row]
    middle: dict[str, tuple[float, float]] = {}
    for height, row in enumerate(rows):
        # A room stands over what it imports, as far as its neighbours leave it the place.
        wish = {room: _mean([middle[lower][0] for lower in below[room]]) for room in row}
        row = sorted(row, key=lambda room: (wish[room], room))
        for place, room in enumerate(row):
            x = WIDTH * (place + 0.5) / len(row)
            middle[room] = (x, ROW * (len(rows) - height - 0.5))
    lines = [_arrow(middle[lower], middle[room]) for room in sorted(below) for lower in below[room]]
    boxes = [_box(room, *middle[room]) for room in sorted(middle)]
    height = ROW * len(rows) + 40
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="sans-serif" font-size="14" text-anchor="middle">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *sorted(lines),
            *boxes,
            *_legend(height - 24),
            "</svg>\n",
        ]
    )


def _mean(values):
    return sum(values) / len(values) if values else WIDTH / 2


def _arrow(lower, upper):
    (x0, y0), (x1, y1) = lower, upper
    y0, y1 = y0 - HEIGHT / 2, y1 + HEIGHT / 2
    bend = (y0 - y1) / 2
    return (
        f'<path d="M{x0:.0f} {y0:.0f} C{x0:.0f} {y0 - bend:.0f} {x1:.0f} {y1 + bend:.0f} '
        f'{x1:.0f} {y1:.0f}" fill="none" stroke="#888" stroke-width="1.2"/>'
    )


def _box(room, x, y):
    colour = next((colour for colour, rooms in KINDS.values() if room in rooms), None)
    colour = colour or list(KINDS.values())[-1][0]
    return (
        f'<rect x="{x - BOX / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{BOX}" height="{HEIGHT}" '
        f'rx="5" fill="{colour}" stroke="#555"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}" fill="black">{escape(room)}</text>'
    )


def _legend(y):
    for place, (name, (colour, _)) in enumerate(KINDS.items()):
        x = 20 + 225 * place
        yield f'<rect x="{x}" y="{y}" width="16" height="16" fill="{colour}" stroke="#555"/>'
        yield f'<text x="{x + 24}" y="{y + 13}" text-anchor="start">{escape(name)}</text>'


if __name__ == "__main__":
    document = (HERE / "architecture.md").read_text(encoding="utf-8")
    PICTURE.write_text(drawn(arrows(document)), encoding="utf-8")
    say(PICTURE)
