"""The example calls of docstrings: found for the site, which shows them as code, and for the tests.

An example is a paragraph of a docstring that is Python, indented or not:

    mirrored = flip(vos)
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


def fenced(doc: str) -> str:
    """The docstring with its examples between Markdown's fences; sections stay as they are."""
    parts = []
    for part in _parts(doc):
        if is_code(part):
            code = textwrap.dedent(part).strip("\n")
            part = f"```python\n{code}\n```"
        parts.append(part)
    return "\n\n".join(parts)


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
