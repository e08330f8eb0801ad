"""For the site: the examples of docstrings become code (`docstrings.fenced`)."""

import pathlib
import sys

import griffe

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from docstrings import fenced  # noqa: E402  # a script beside this one


class Examples(griffe.Extension):
    """Puts fences around the examples of every docstring that is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        if obj.docstring is not None and not obj.is_alias:
            obj.docstring.value = fenced(obj.docstring.value)
