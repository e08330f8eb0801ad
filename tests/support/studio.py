"""A studio for tests: networks of a few lines, frames on disk, a server in a thread, a client."""

import contextlib
import socket
import threading
import time

import av
import cv2
import httpx
import numpy as np
import uvicorn

from support import toy
from vosjax.interactive.marker import MarkModel
from vosjax.server.guard import guard
from vosjax.studio.app import make_app
from vosjax.studio.project import Project
from vosjax.studio.studio import Studio

SIDE = 64  # of the window of the network that marks
MODEL = toy.model()  # one, so that it is compiled once


def marker():
    """A network that takes what is boxed or clicked for the object, and nothing else."""

    def segment(features, clues):
        box, inside, outside, mask = np.moveaxis(clues, -1, 0)
        return np.where(outside > 0, 0, np.maximum.reduce([box, inside, mask])).astype(np.float32)

    return MarkModel(SIDE, lambda image: None, segment)


def write_frames(folder, frames):
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        assert cv2.imwrite(str(folder / f"{index:05d}.png"), frame[..., ::-1])
    return folder


def encoded(path, frames, *, gop=4):
    """Writes frames as an H.264 video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": str(gop)})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


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
