"""What the pages of the Python API list, and the examples in its docstrings."""

import ast
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from support.documents import ROOT

sys.path.insert(0, str(ROOT / "docs"))
from docstrings import examples  # noqa: E402  # a script of the site


class Example(NamedTuple):
    """The examples of one object's docstring, as one text."""

    module: str
    name: str
    text: str

    def __str__(self):
        return f"{self.module}.{self.name}"


def directives() -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """(module, its members or None for all) of every directive on the pages."""
    for path in sorted((ROOT / "docs" / "api").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for module, options in re.findall(r"^::: ([\w.]+)\n((?:    .*\n)*)", text, re.M):
            members = re.search(r"members: \[(.*)\]", options)
            yield module, tuple(members[1].split(", ")) if members else None


def public(module: str) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    """{name: node} of the public functions and classes that a module's file defines."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return _public(ast.parse(path.read_text(encoding="utf-8")))


def _public(tree):
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, kinds) and not node.name.startswith("_")
    }


def listed_examples() -> Iterator[Example]:
    """Those of everything that the pages list, methods included."""
    for module, members in directives():
        for name, node in public(module).items():
            if members is None or name in members:
                yield from _of(module, name, node)


def _of(module, name, node):
    example = examples(ast.get_docstring(node) or "")
    if example:
        yield Example(module, name, "\n".join(example))
    if isinstance(node, ast.ClassDef):
        for inner, method in _public(node).items():
            yield from _of(module, f"{name}.{inner}", method)
