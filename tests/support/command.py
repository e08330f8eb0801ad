"""What tests of the command line share: a toy family with weights, a clip on disk, and `launch`."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import cv2
import jax
import numpy as np
import pytest

from support import toy
from support.clips import clip
from vosjax import cli, models
from vosjax.checkpoints.weights import save_weights
from vosjax.io.palette import read_label_png, write_label_png

FAMILIES = pathlib.Path(__file__).parent / "families"
CONFIG = '''"""A config of the toy."""
from vosjax.config import network


def get_config():
    config = network("toynet", slots=4, mem_every=2)
    config.weights = {weights!r}
    config.save_every = 4
    return config
'''


class Workdir(NamedTuple):
    """config, video (a folder of PNG frames), mask (of frame 0), weights, out; `run` a command."""

    root: pathlib.Path
    config: str
    video: str
    mask: str
    weights: str
    out: pathlib.Path
    run: Callable[..., int]

    def segment(self, *more, video=None, masks=None, out=None):
        """The main command; returns its exit code."""
        return self.run(
            "--config",
            self.config,
            "--video",
            video or self.video,
            "--masks",
            masks or self.mask,
            "--output",
            str(out or self.out),
            *more,
        )


FRAMES, LABELS = clip(frames=10, height=48, width=64, objects=2)


def write_frames(folder, frames):
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{index:05d}.png"), frame[..., ::-1])
    return str(folder)


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """A folder with everything that the main command takes."""
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(FAMILIES)])
    monkeypatch.setenv("VOSJAX_CACHE", "off")
    weights = tmp_path / "weights"
    save_weights(
        weights,
        toy.fresh(jax.random.PRNGKey(0)),
        card={
            "family": "toynet",
            "config": {"model": {"slots": 4}},
            "source": "a test",
            "licence": "none",
        },
    )
    (tmp_path / "config.py").write_text(CONFIG.format(weights=str(weights)))
    write_label_png(tmp_path / "first.png", LABELS[0])

    def run(*arguments):
        return cli.launch(["launch.py", *map(str, arguments)])

    return Workdir(
        tmp_path,
        str(tmp_path / "config.py"),
        write_frames(tmp_path / "frames", FRAMES),
        str(tmp_path / "first.png"),
        str(weights),
        tmp_path / "out",
        run,
    )


def masks_of(folder):
    """uint8 [T, H, W] of a run's mask files."""
    return np.stack([read_label_png(path) for path in sorted((folder / "masks").glob("*.png"))])
