"""`--mode preview`: contact sheets of training clips, with masks and ids, after augmentation."""

import contextlib
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from vosjax.config import Config
from vosjax.data import pipeline, sheet
from vosjax.data.config import ClipsConfig
from vosjax.errors import InputError
from vosjax.io.files import atomic
from vosjax.io.terminal import say
from vosjax.modes import Options
from vosjax.train import loop

FLAGS = ("output",)
FIELDS = ("data", "stages", "train.seed")
CLIPS = 24
ROWS = 6  # most clips on a sheet


def run(config: Config, options: Options) -> int:
    """Writes sheets of the first clips of every stage and phase of the data to `options.output`.

    The clips are those with which training with this config's seed begins.

    Raises:
        InputError: there is no output folder, or the config has no training data.
    """
    if not options.output:
        raise InputError("a preview needs a folder: give --output FOLDER")
    if config.train is None or config.data is None:
        raise InputError(
            "this config has no training data: take one of configs/data_*.py or configs/train_*.py"
        )
    folder = pathlib.Path(options.output)
    for name, part in loop.stages(config):
        for start, _ in pipeline.phased(part.data):
            here = folder / name / (f"from_step_{start}" if start else "")
            for path in sheets(part.data, here, seed=part.train.seed, start=start):
                say(path)
    return 0


def sheets(
    config: ClipsConfig, folder: pathlib.Path, *, seed: int, start: int = 0, clips: int = CLIPS
) -> Iterator[pathlib.Path]:
    """Writes sheets of a config's clips, and yields their paths.

        for path in sheets(ClipsConfig(), pathlib.Path("out"), seed=0):
            print(path)

    Args:
        config: what the clips are made of.
        folder: the folder for the sheets.
        seed: seed of all random numbers.
        start: the first training step whose clips are drawn.
        clips: number of clips.
    """
    stream = pipeline.clips(config, seed=seed, batch=ROWS, start_step=start)
    with contextlib.closing(stream):
        for number in range(clips // ROWS):
            batch = next(stream)
            rows = [{key: np.asarray(batch[key][i]) for key in batch} for i in range(ROWS)]
            path = folder / f"clips_{number:02d}.png"
            with atomic(path) as temp:
                Image.fromarray(sheet.contact_sheet(rows)).save(temp, "PNG")
            yield path
