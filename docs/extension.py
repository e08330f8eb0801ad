"""For the site: docstrings as the Markdown that they mean (`docstrings.as_markdown`)."""

import pathlib
import sys

import griffe

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from docstrings import as_markdown  # noqa: E402  # a script beside this one


class Docstrings(griffe.Extension):
    """Translates every docstring that is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        if obj.docstring is not None and not obj.is_alias:
            obj.docstring.value = as_markdown(obj.docstring.value)
