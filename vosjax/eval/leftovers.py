"""Lists the files that an earlier run of `eval` or `fuse` left in a folder, for `--overwrite`."""

import json
import os
import pathlib
from collections.abc import Collection, Iterator

from vosjax.errors import InputError
from vosjax.io.files import fitted
from vosjax.runs import clear, profile, record, waiting

Folder = str | os.PathLike[str]


def made_by(folder: Folder, names: Collection[str]) -> list[pathlib.Path]:
    """Returns the paths of all files that a run writes, except run.json.

        clear.clear("runs/davis", made_by("runs/davis", ["dog"]))

    Args:
        folder: the folder of the run.
        names: the run's videos; those of earlier runs in the folder are added.
    """
    folder = pathlib.Path(folder)
    paths = [folder / "results.json", folder / "submission.zip", *profile.files(folder)]
    paths += clear.matching(folder, r"(global|per-sequence)_results-.*\.csv")
    for name in sorted({*names, *_earlier(folder)}):
        paths += clear.matching(folder / "masks" / name, r"[^.].*\.png")
        paths += clear.matching(folder / "probabilities" / name, r"[^.].*\.npz")
        paths += waiting.waiting_files(folder, name)
        paths += [
            folder / kind / fitted(name, ending)
            for kind, ending in (("scores", ".csv"), ("videos", ".json"), ("failed", ".json"))
        ]
    return paths


def _earlier(folder: pathlib.Path) -> Iterator[str]:
    """Yields the names of the videos in the records of a folder, as far as they are valid names."""
    try:
        listed = (record.read(folder) or {}).get("names", [])
    except InputError:  # damaged
        listed = []
    names = list(listed) if isinstance(listed, list) else []
    for kind in ("videos", "failed"):
        for path in clear.matching(folder / kind, r"[^.].*\.json"):
            try:
                names.append(json.loads(path.read_bytes())["name"])
            except (OSError, ValueError, LookupError, TypeError, RecursionError):
                names.append(path.stem)
    yield from filter(clear.is_name, names)
