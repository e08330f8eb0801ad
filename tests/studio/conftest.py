"""A studio over tiny rendered clips, with a toy network that tracks and one that marks."""

import contextlib
import pathlib
import socket
import threading
import time
from typing import NamedTuple

import cv2
import httpx
import numpy as np
import pytest
import uvicorn
from studio_parts import MODEL, marker, write_frames
from support import clips

from vosjax.server.guard import guard
from vosjax.studio.app import make_app
from vosjax.studio.project import Project
from vosjax.studio.studio import Studio

FRAMES, HEIGHT, WIDTH = 12, 48, 64


class Clip(NamedTuple):
    folder: pathlib.Path
    frames: np.ndarray
    labels: np.ndarray


@pytest.fixture
def clip(tmp_path):
    frames, labels = clips.clip(frames=FRAMES, height=HEIGHT, width=WIDTH, objects=2)
    return Clip(write_frames(tmp_path / "clip", frames), frames, labels)


class Client(httpx.Client):
    """Speaks to a studio; `studio` is the studio itself."""

    def video(self, path):
        """Opens a video and returns the path of its API."""
        answer = self.post("/api/videos/open", json={"path": str(path)})
        assert answer.status_code == 200, answer.text
        return f"/api/videos/{answer.json()['id']}"

    def done(self, path, **body):
        """Posts, and returns the state that has to come back."""
        answer = self.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def labels(self, video, frame):
        """The label map of a frame as the page gets it; None if there is none."""
        name = self.get(video).json()["labelled"].get(str(frame))
        if name is None:
            return None
        data = self.get(f"{video}/maps/{name}.png").content
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)

    def finished(self, video, seconds=60):
        """Waits until the propagation is through, and returns the state."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.get(video).json()
            if state["job"]["state"] != "running":
                return state
            time.sleep(0.02)
        raise AssertionError(f"still running: {state['job']}")


@contextlib.contextmanager
def served(
    folder,
    *,
    model=None,
    largest=1 << 24,
    host="127.0.0.1",
    token=None,
    cache=1 << 22,
    sessions=None,
):
    project = Project(folder, cache=cache)
    studio = Studio.of(
        project, model or MODEL, marker(), largest=largest, local=host == "127.0.0.1"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        app = guard(make_app(studio, sessions=sessions), host=host, port=port, token=token)
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                client.studio = studio
                yield client
        finally:
            server.should_exit = True
            thread.join(30)


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
