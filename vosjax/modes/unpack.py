"""`--mode unpack`: a prepared dataset written back as a plain folder, with its files unchanged."""

import pathlib
import sys
from collections.abc import Sequence

from tqdm import tqdm

from vosjax.config import Config
from vosjax.datasets import catalog, unpack
from vosjax.errors import InputError
from vosjax.io.files import sync_all
from vosjax.io.terminal import say
from vosjax.modes import Options
from vosjax.runs import clear, record
from vosjax.runs.hold import held

FLAGS = ("data", "output", "overwrite")
FIELDS = ("eval",)


def run(config: Config, options: Options) -> int:
    """Writes the videos of the dataset `options.data` to the folder `options.output`.

    `config.eval.split` names the split if there are several; `config.eval.names` restricts the
    videos. The same command writes everything anew.

    Raises:
        InputError: a flag is missing; there is no such dataset, split or video; or a file cannot be
            written.
    """
    if options.data is None or options.output is None:
        raise InputError(
            "unpacking takes --data DATASET, a prepared dataset's folder or name, and "
            "--output FOLDER, where its files go"
        )
    source = catalog.open_videos(options.data, split=config.eval.split)
    names = tuple(config.eval.names) or source.names
    absent = [name for name in names if name not in source.names]
    if absent:
        raise InputError(
            f"{options.data} has no video {', '.join(absent[:3])}: name videos that it has"
        )
    folder = pathlib.Path(options.output)
    settings = {
        "unpack": str(options.data),
        "split": config.eval.split,
        "names": list(config.eval.names),
    }
    with (
        held(
            folder, settings, overwrite=options.overwrite, files=lambda: _files(folder, names)
        ) as before,
        tqdm(total=len(names), unit="video", file=sys.stderr, disable=None) as bar,
    ):
        if before:  # the dataset may have changed since
            clear.clear(folder, _files(folder, names))
        record.write(folder, settings, status="running", frames=0, facts={"videos": list(names)})
        unpack.unpack(source, folder, names=names, progress=lambda name: bar.update())
        frames = sum(source.header(source.names.index(name)).length for name in names)
        facts = {"videos": list(names)}
        sync_all()
        record.write(folder, settings, status="complete", frames=frames, facts=facts)
    say(f"{options.output}: {len(names)} videos, in JPEGImages and Annotations")
    return 0


def _files(folder: pathlib.Path, names: Sequence[str]) -> list[pathlib.Path]:
    """Returns the files unpacked into a folder: those of these videos, and those in its record."""
    try:
        earlier = (record.read(folder) or {}).get("videos", [])
    except InputError:  # the record is damaged
        earlier = []
    videos = {name for name in (*names, *earlier) if clear.is_name(name)}
    return [folder / "meta.json"] + [
        path
        for name in sorted(videos)
        for kind, endings in (("JPEGImages", "jpg|png"), ("Annotations", "png"))
        for path in clear.matching(folder / kind / name, rf"[^.].*\.({endings})")
    ]
