"""A server of the toy network in a thread, and a program that uses it."""

import asyncio
import base64
import contextlib
import io
import json
import threading

import httpx
import numpy as np
import websockets.sync.client
from PIL import Image

from support import toy
from vosjax.server.app import create_app
from vosjax.server.config import ServeConfig
from vosjax.server.routes import limits_of
from vosjax.server.run import listening, server_of
from vosjax.server.sessions import Sessions
from vosjax.tracking.tracker import Tracker

SIZE = (32, 48)
TOKEN = "a-token-of-the-tests"
MODEL = toy.model()


def clip(seed=0, frames=5, size=SIZE):
    """Frames of a square that moves over noise, and their masks."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 120, (*size, 3))
    made = []
    for index in range(frames):
        frame = ground + rng.integers(0, 20, (*size, 3))
        mask = np.zeros(size, np.uint8)
        mask[8:24, 4 + index : 20 + index] = 1 + seed % 3
        frame[mask > 0] += 100
        made.append((frame.astype(np.uint8), mask))
    return made


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def text(data):
    return base64.b64encode(data).decode()


def labels_of(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def alone(video, **settings):
    """What a tracker alone makes of a clip whose first frame is given."""
    tracker = Tracker(MODEL, **settings)
    return [tracker.step(f, m if i == 0 else None).labels for i, (f, m) in enumerate(video)]


class Client:
    """A program that uses a server."""

    def __init__(self, running):
        self.running = running
        self.http = httpx.Client(base_url=running.address, timeout=120, headers=running.headers)

    def session(self, **settings):
        answer = self.http.post("/v1/sessions", json=settings)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def send(self, id, frame, mask=None, **prompt):
        if mask is not None:
            prompt["mask"] = text(png(mask))
        if prompt:
            return self.form(id, frame, **prompt)
        return self.http.post(f"/v1/sessions/{id}/frames", content=png(frame))

    def form(self, id, frame, **prompt):
        body = {"image": text(png(frame)), **prompt}
        return self.http.post(f"/v1/sessions/{id}/frames", json=body)

    def labels(self, id, frame, mask=None, **prompt):
        answer = self.send(id, frame, mask, **prompt)
        assert answer.status_code == 200, answer.text
        return labels_of(base64.b64decode(answer.json()["labels"]))

    def state(self, id):
        answer = self.http.get(f"/v1/sessions/{id}")
        return answer.json() if answer.status_code == 200 else None

    def stream(self, id, **settings):
        address = f"{self.running.address.replace('http', 'ws')}/v1/sessions/{id}/stream"
        headers = settings.pop("additional_headers", self.running.headers)
        return websockets.sync.client.connect(
            address, additional_headers=headers, max_size=None, compression=None, **settings
        )


class Running:
    """A server that runs in a thread.

    Attributes are what tests look at: `sessions`, `address`, `server`.
    """

    def __init__(self, *, keep=None, token=None, batch=4, **limits):
        config = ServeConfig(**{"gather": 20.0, **limits})
        self.sessions = Sessions(MODEL, config, batch=batch)
        bound = listening("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self.headers = {} if token is None else {"authorization": f"Bearer {token}"}
        ready = threading.Event()
        self.server = server_of(
            create_app(self.sessions, keep=keep),
            bound,
            host="127.0.0.1",
            token=token,
            limits=limits_of(self.sessions),
            connections=200,
            message_bytes=2 * config.max_frame_bytes + 2**16,
            began=ready.set,
        )
        self.thread = threading.Thread(
            target=lambda: asyncio.run(self.server.serve([bound])), daemon=True
        )
        self.thread.start()
        assert ready.wait(60)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(60)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def running(**settings):
    made = Running(**settings)
    try:
        yield Client(made)
    finally:
        made.stop()


def answer(socket):
    """The next answer of a stream: its facts, and labels if there are any."""
    facts = json.loads(socket.recv(timeout=60))
    return facts, None if "error" in facts else labels_of(socket.recv(timeout=60))
