"""Writes training clips as a dataset folder: photos set in motion become videos with a truth."""

import contextlib
import os
import pathlib
from typing import Any

from vosjax.data import pipeline
from vosjax.data.config import ClipsConfig
from vosjax.errors import InputError
from vosjax.eval.rendered_set import files_of, write_video
from vosjax.io.files import sync_all
from vosjax.runs import record
from vosjax.runs.hold import held
from vosjax.schema import plain

NAME = "clip"  # and a number: the name of a video


def write(
    output: str | os.PathLike[str],
    config: ClipsConfig,
    *,
    clips: int,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Writes the first clips of a training as videos in the layout of DAVIS, losslessly.

        write("stills", ClipsConfig(stills="PHOTOS", rendered_weight=0.0), clips=50)

    Args:
        output: the folder to write.
        config: what the clips are made of; `frames`, `height` and `width` are those of the videos.
        clips: number of clips.
        seed: seed of all random numbers, that of the training.
        overwrite: whether clips of other settings in the folder are replaced.

    Raises:
        DiskFull: the disk is full.
        InputError: a source of clips cannot be opened, the folder cannot be written, or it holds
            other files or clips of other settings.
    """
    if clips < 1:
        raise InputError(f"{clips} clips were asked for; at least 1 is expected")
    root = pathlib.Path(output)
    settings: dict[str, Any] = {"render": {"clips": clips, "seed": seed, "data": plain(config)}}
    with contextlib.closing(pipeline.clips(config, seed=seed, batch=1)) as stream:
        with held(root, settings, overwrite=overwrite, files=lambda: files_of(root, NAME)):
            record.write(root, settings, status="running", frames=0, facts={})
            for number in range(clips):
                clip = next(stream)
                write_video(root, f"{NAME}{number:03d}", clip["frames"][0], clip["labels"][0])
            sync_all()
            total = clips * config.frames
            record.write(root, settings, status="complete", frames=total, facts={})
