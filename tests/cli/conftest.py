"""The place in which commands run."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from command import place  # noqa: E402,F401
