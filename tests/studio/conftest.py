"""A studio over tiny rendered clips, with a toy network that tracks and one that marks."""

import contextlib
import pathlib
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from support import clips, toy

from vosjax.interactive.marker import MarkModel
from vosjax.studio.app import make_app
from vosjax.studio.project import Project
from vosjax.studio.studio import Studio

FRAMES, HEIGHT, WIDTH = 12, 48, 64


def marker():
    """A network that takes every clicked or boxed pixel for the object, and nothing else."""

    def segment(features, clues):
        box, inside, outside, mask = np.moveaxis(clues, -1, 0)
        return np.where(outside > 0, 0, np.maximum.reduce([box, inside, mask])).astype(np.float32)

    return MarkModel(64, lambda image: None, segment)


def write_frames(folder, frames):
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        assert cv2.imwrite(str(folder / f"{index:05d}.png"), frame[..., ::-1])
    return folder


class Clip(NamedTuple):
    folder: pathlib.Path
    frames: np.ndarray
    labels: np.ndarray


@pytest.fixture
def clip(tmp_path):
    frames, labels = clips.clip(frames=FRAMES, height=HEIGHT, width=WIDTH, objects=2)
    return Clip(write_frames(tmp_path / "clip", frames), frames, labels)


@contextlib.contextmanager
def served(folder, *, model=None, largest=1 << 24, local=True):
    project = Project(folder, cache=1 << 22)
    studio = Studio.of(project, model or toy.model(), marker(), largest=largest, local=local)
    with TestClient(make_app(studio), raise_server_exceptions=False) as client:
        client.studio = studio
        yield client


@pytest.fixture
def client(tmp_path):
    with served(tmp_path / "project") as client:
        yield client


@pytest.fixture
def video(client, clip):
    """The path of the API for a video."""
    state = client.post("/api/videos/open", json={"path": str(clip.folder)}).json()
    return f"/api/videos/{state['id']}"
