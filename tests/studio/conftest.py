"""A studio over tiny rendered clips, with a toy network that tracks and one that marks."""

import pathlib
from typing import NamedTuple

import numpy as np
import pytest
from support import clips
from support.studio import served, write_frames

FRAMES, HEIGHT, WIDTH = 12, 48, 64


class Clip(NamedTuple):
    folder: pathlib.Path
    frames: np.ndarray
    labels: np.ndarray


@pytest.fixture
def clip(tmp_path):
    frames, labels = clips.clip(frames=FRAMES, height=HEIGHT, width=WIDTH, objects=2)
    return Clip(write_frames(tmp_path / "clip", frames), frames, labels)


@pytest.fixture
def client(tmp_path):
    with served(tmp_path / "project") as client:
        yield client


@pytest.fixture
def video(client, clip):
    """The path of the API of a video with two objects, of which nothing is marked yet."""
    path = client.video(clip.folder)
    client.done(f"{path}/objects", name="first")
    client.done(f"{path}/objects", name="second")
    return path
