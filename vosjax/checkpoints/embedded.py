"""Where weights lie: a folder of the user's, or one that is embedded in the package."""

import importlib.resources
import os
import pathlib

from vosjax.checkpoints.weights import CARD
from vosjax.errors import InputError

DEFAULT = "default"  # folder of the embedded weights that track, below vosjax/weights


def weights_folder(source: str | os.PathLike[str] | None = None) -> pathlib.Path:
    """Returns the folder that a name of weights means.

        weights_folder("weights/aot_r50")

    Args:
        source: a folder with card.json, or the name of embedded weights; None takes the embedded
            default.

    Raises:
        InputError: there is neither; the message lists the embedded ones.
    """
    embedded = pathlib.Path(str(importlib.resources.files("vosjax"))) / "weights"
    name = DEFAULT if source is None else str(source)
    path = pathlib.Path(os.path.expanduser(name))
    if source is not None and (path / CARD).is_file():
        return path
    if (embedded / name / CARD).is_file():
        return embedded / name
    known = sorted(card.parent.name for card in embedded.glob(f"*/{CARD}"))
    raise InputError(
        f"no weights at {name}: a folder with {CARD} is expected"
        + (
            f", or one of the embedded: {', '.join(known)}"
            if known
            else " (no weights are embedded in this copy)"
        )
    )
