"""The code blocks of the project's documents, and a folder of stand-ins in which they run.

A block between fences is run; `<!-- slow -->` in the line above makes its test a slow one, and
`<!-- parsed: WHY -->` lets its commands only be read: flags must exist, and the config must open.
Commands in indented blocks and in the docstrings of configs are only read.
"""

import ast
import functools
import os
import pathlib
import re
import shlex
import shutil
from typing import NamedTuple

import numpy as np
from PIL import Image

from support import results_folder
from support.clips import clip
from support.command import write_frames
from vosjax.io.palette import write_label_png
from vosjax.io.scores import ObjectScore, ScoreWriter
from vosjax.io.writer import OverlayWriter

ROOT = pathlib.Path(__file__).parents[2]
PROGRAMS = ("python", "vosjax", "pip", "mkdir", "cp", "echo")  # those that a line can begin with
SIZE = (48, 64)


class Block(NamedTuple):
    """A code block: the document (relative to the project) and line where it stands.

    mark: '' to be run, 'slow' to be run by slow tests, 'parsed' to be read only.
    """

    document: str
    line: int
    language: str
    text: str
    mark: str

    def __str__(self):
        return f"{self.document}:{self.line}"


def documents() -> list[pathlib.Path]:
    """Every Markdown document that speaks to users and developers."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


@functools.cache
def blocks() -> tuple[Block, ...]:
    """The blocks of all documents and of the configs' docstrings, in order."""
    texts = []
    for path in documents():
        name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        texts += [*_fenced(name, text), *_indented(name, _without_fences(text))]
    for path in sorted((ROOT / "configs").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        texts += _indented(f"configs/{path.name}", ast.get_docstring(ast.parse(text)))
    return tuple(texts)


FENCE = re.compile(r"^(?:<!-- (slow|parsed)[^\n]*-->\n)?```(\w*)[^\n]*\n(.*?)^```", re.M | re.S)


def _fenced(name, text):
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(name, line, match[2], match[3], match[1] or "")


def _without_fences(text):
    return FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)


def _indented(name, text):
    """Blocks of indented lines in which a command stands."""
    for match in re.finditer(r"(?:^ {4,}.*\n?)+", text, re.M):
        if re.search(r"^ {4,}(python|vosjax) ", match[0], re.M):
            line = text.count("\n", 0, match.start()) + 1
            lines = [row.strip() for row in match[0].splitlines()]
            yield Block(name, line, "sh", "\n".join(lines), "parsed")


def commands(text: str) -> list[list[str]]:
    """The commands of a block, as words; comments and variables set before a command are dropped.

    Lines that begin with no program of `PROGRAMS` are parts of an indented block that are none.
    """
    lines = []
    for line in text.replace("\\\n", " ").splitlines():
        for part in line.split(" && "):
            words = shlex.split(part, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words:
                lines.append(words)
    return lines


def stand_ins(folder: pathlib.Path) -> None:
    """Small files by the names that the documents use: videos, masks, datasets and runs."""
    frames, labels = clip(frames=4, height=SIZE[0], width=SIZE[1], objects=2)
    for name in ("dog", "clip"):
        with OverlayWriter(folder / f"{name}.mp4", fps=25, size=SIZE) as film:
            for frame in frames:
                film.write(frame)
    for name in ("dog", "first"):
        write_label_png(folder / f"{name}.png", labels[0])
    write_label_png(folder / "later.png", labels[3])
    write_frames(folder / "frames", frames)
    np.save(folder / "labels.npy", labels[0])

    clips = results_folder.dataset(folder / "CLIPS", (("cow", 3),))
    davis = results_folder.dataset(folder / "DAVIS", (("cow", 3),))
    (davis / "ImageSets" / "2017").mkdir(parents=True)
    (davis / "ImageSets" / "2017" / "val.txt").write_text("cow\n")
    for kind, source in (("frames", "JPEGImages"), ("masks", "Annotations")):
        shutil.copytree(clips / source, folder / "FISHTANK" / kind)
    for late, name in ((0, "a"), (1, "b")):
        results_folder.run(clips, folder / "runs" / name, late=late)
        with ScoreWriter(folder / "runs" / name / "scores" / "cow.csv") as table:
            for index in range(3):
                objects = [ObjectScore(id, 0.9, 0.8, 256, False) for id in results_folder.IDS]
                table.write(index, f"{index:05d}", objects)
    for kind, picture in (("images", frames[0]), ("masks", labels[0])):
        path = folder / "STILLS" / kind / "0.png"
        path.parent.mkdir(parents=True)
        image = Image.fromarray(picture)
        if kind == "masks":
            image.putpalette([(37 * i) % 256 for i in range(768)])  # any colours: ids are indices
        image.save(path)
    for name in ("examples", "configs", "data_prep"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("requirements.txt", "tests/requirements.txt", "docs/requirements.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    os.makedirs(folder / "vosjax" / "models")


def named_file(text: str) -> str | None:
    """The file that a block of Python is: `# file: NAME` in its first line."""
    match = re.match(r"# file: (\S+)\n", text)
    return match[1] if match else None
