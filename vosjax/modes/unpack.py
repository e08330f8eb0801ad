"""`--mode unpack`: a prepared dataset written back as a plain folder, with its files unchanged."""

import sys

from tqdm import tqdm

from vosjax.config import Config
from vosjax.datasets import catalog, unpack
from vosjax.errors import InputError
from vosjax.io.terminal import say
from vosjax.modes import Options

FLAGS = ("data", "output")
FIELDS = ("eval",)


def run(config: Config, options: Options) -> int:
    """Writes the videos of the dataset `options.data` into the folder `options.output`.

    `config.eval.split` names the split, where there are several; `config.eval.names` takes some
    videos only.

    Raises:
      InputError: a flag is missing, there is no such dataset, split or video, or a file cannot be
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
    with tqdm(total=len(names), unit="video", file=sys.stderr, disable=None) as bar:
        unpack.unpack(source, options.output, names=names, progress=lambda name: bar.update())
    say(f"{options.output}: {len(names)} videos, in JPEGImages and Annotations")
    return 0
