"""A studio in a process of its own, as a user starts it: started, killed, started again."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import httpx

TOP = pathlib.Path(__file__).parents[2]
PATIENCE = 90  # seconds until it answers


class StudioProcess:
    """`vosjax studio` on a free port, over a project folder that outlives it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.log = self.folder.with_suffix(".log")

    def start(self):
        """Starts it, and returns when it answers."""
        command = [
            *(sys.executable, "-m", "vosjax", "studio"),
            f"--project={self.folder}",
            f"--port={self.port}",
            "--no-browser",
        ]
        environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
        self.process = subprocess.Popen(
            command,
            cwd=TOP,
            env=environment,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
        )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                httpx.get(f"{self.address}/api/project").raise_for_status()
                return self
            except httpx.HTTPError:
                time.sleep(0.1)
        self.kill()
        raise AssertionError(f"the studio does not start:\n{self.log.read_text()[-2000:]}")

    def kill(self):
        """Kills it without a warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it as Ctrl+C does."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
