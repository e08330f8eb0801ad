"""What docstrings of this project are made of: for the site, which shows it, and for the tests.

An example is a paragraph of a docstring that is Python, indented or not:

    mirrored = flip(vos)

The fields of a class are a paragraph of names with what they mean, two spaces or more apart; its
functions have what they do in the lines below:

    image    uint8 [H, W, 3] RGB
    missing  whether the recording lost this frame
"""

import ast
import inspect
import re
import textwrap

CODE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.With, ast.Import, ast.ImportFrom)


def examples(doc: str) -> list[str]:
    """The examples of a docstring, each without its indentation.

    examples("Adds.\\n\\n    total = add(1, 2)")  # ["total = add(1, 2)"]
    """
    return [textwrap.dedent(part).strip() for part in _parts(doc) if is_code(part)]


def as_markdown(doc: str) -> str:
    """The docstring with its examples between fences and its fields as a list.

    Sections (`Args:` and the like) stay as they are.
    """
    parts = []
    for part in _parts(doc):
        if is_code(part):
            code = textwrap.dedent(part).strip("\n")
            part = f"```python\n{code}\n```"
        elif fields := fields_of(part):
            part = "\n".join(f"- `{name}`: {meaning}" for name, meaning in fields)
        parts.append(part)
    return "\n\n".join(parts)


def fields_of(paragraph: str) -> list[tuple[str, str]]:
    """[(name, meaning)] of a paragraph of fields; [] where it is none.

    fields_of("a  one\nbc  two,\n    or three")  # [("a", "one"), ("bc", "two, or three")]
    """
    fields: list[tuple[str, str]] = []
    for line in textwrap.dedent(paragraph).splitlines():
        field = re.fullmatch(r"(\S+) {2,}(\S.*)", line)
        function = re.fullmatch(r"(\w+(?:\(.*\) -> .+)?)", line)
        if field:
            fields.append((field[1].strip("`"), re.sub(" {2,}", ": ", field[2])))
        elif function:
            fields.append((function[1], ""))
        elif fields and line.startswith(" "):
            name, meaning = fields[-1]
            fields[-1] = name, f"{meaning} {line.strip()}".strip()
        else:
            return []
    return fields if all(meaning for _, meaning in fields) else []


def is_code(paragraph: str) -> bool:
    """Whether a paragraph is Python that does something: a call, an assignment, a loop."""
    try:
        body = ast.parse(textwrap.dedent(paragraph).strip("\n")).body
    except SyntaxError:
        return False
    return bool(body) and all(
        isinstance(node, CODE)
        or (isinstance(node, ast.Expr) and any(isinstance(n, ast.Call) for n in ast.walk(node)))
        for node in body
    )


def _parts(doc: str) -> list[str]:
    return re.split(r"\n\s*\n", inspect.cleandoc(doc))
