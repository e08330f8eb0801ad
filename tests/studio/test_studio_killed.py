"""The real command as a process: killed in the middle of its work, it loses nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from support import clips
from support.documents import ROOT
from support.studio import write_frames

from vosjax import cli


class Server:
    """`vosjax studio` as a process of its own."""

    def __init__(self, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vosjax", "studio", *words, "--port", "0", "--no-browser"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
        )
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            match = re.search(r"the studio is at (http://\S+)", line)
            if match:
                self.client = httpx.Client(base_url=match[1], timeout=60)
                return
        raise AssertionError("\n".join(self.lines))

    def get(self, path):
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, **body):
        answer = self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def end(self, number):
        self.client.close()
        self.process.send_signal(number)
        rest = self.process.communicate(timeout=120)[0]
        return self.process.returncode, rest


@pytest.fixture
def start():
    servers = []

    def started(*words):
        servers.append(Server(*map(str, words)))
        return servers[-1]

    yield started
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


def facts(state):
    return {key: state[key] for key in ("objects", "pins", "labelled", "scores", "undo", "redo")}


def test_a_server_that_is_killed_while_it_propagates_loses_nothing(start, tmp_path, capfd):
    frames, labels = clips.clip(frames=80, height=48, width=64, objects=2)
    write_frames(tmp_path / "clip", frames)
    project = tmp_path / "project"
    server = start(tmp_path / "clip", "--project", project)
    video = f"/api/videos/{server.get('/api/project')['videos'][0]['id']}"
    server.post(f"{video}/objects", name="dog")
    rows, columns = np.nonzero(labels[0] == 1)
    box = [int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]
    server.post(f"{video}/mark", frame=0, object=1, box=box)
    server.post(f"{video}/paint", frame=79, object=1, kind="brush", points=[[20, 20]], radius=5)
    server.post(f"{video}/undo")
    server.post(f"{video}/propagate", frame=0)
    deadline = time.monotonic() + 120
    while (state := server.get(video))["job"]["done"] < 3:
        assert state["job"]["state"] == "running" and time.monotonic() < deadline
        time.sleep(0.02)
    server.end(signal.SIGKILL)
    assert state["job"]["state"] == "running", "it was killed in the middle"

    server = start(project)
    again = server.get(video)
    assert again["labelled"].items() >= state["labelled"].items()
    assert len(again["labelled"]) < 80 and again["job"] is None and not again["notes"]
    assert again["objects"] == state["objects"] and again["pins"] == {"0": [1]}
    for frame, name in again["labelled"].items():
        assert server.client.get(f"{video}/maps/{name}.png").status_code == 200
        assert again["scores"]["1"][frame]
    assert again["undo"] == "forward from frame 0"
    assert list(server.post(f"{video}/undo")["labelled"]) == ["0"]
    assert facts(server.post(f"{video}/redo")) == facts(again)
    code, rest = server.end(signal.SIGINT)
    assert (code, rest) == (0, "")

    server = start(project)
    assert facts(server.get(video)) == facts(again)
    assert cli.main(["studio", str(project), "--port", "0", "--no-browser"]) == 2
    assert "is in use by process" in capfd.readouterr().err
    server.end(signal.SIGKILL)
    json.loads((project / "project.json").read_text())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--port", "many"], "--port is many; a number from 0 (any) to 65535 is expected"),
        (["nowhere.mp4", "--port", "0"], "there is no video at"),
        (["--token", "short", "--port", "0"], "at least 16"),
        (["--host", "256.1.1.1"], "cannot listen on 256.1.1.1"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(tmp_path, capfd, words, line):
    assert cli.main(["studio", "--project", str(tmp_path / "p"), *words]) == 2
    told = capfd.readouterr().err
    assert line in told and told.count("\n") == 1


def test_without_the_servers_packages_one_line_names_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from vosjax.cli import main\n"
        f"sys.exit(main(['studio', '--project', {str(tmp_path / 'p')!r}]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    )
    assert answer.returncode == 2 and 'pip install "vosjax[web]"' in answer.stderr
    assert not (tmp_path / "p").exists()


def test_the_package_itself_needs_no_server():
    program = (
        "import vosjax, sys; assert not {'fastapi', 'starlette', 'uvicorn'} & set(sys.modules)"
    )
    modules = "from vosjax import Tracker, segment, cli; import vosjax.modes.segment"
    subprocess.run(
        [sys.executable, "-c", f"{modules}; {program}"],
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
