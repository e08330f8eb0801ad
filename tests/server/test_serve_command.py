"""`vosjax serve` as a process: what it prints, how it ends, what it refuses."""

import base64
import contextlib
import re
import signal
import subprocess
import sys
import threading

import httpx
import pytest
from support.processes import ended, free_port, workplace
from support.served import clip, labels_of, png, text

from vosjax import cli, models


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return workplace(tmp_path_factory.mktemp("served"))


@contextlib.contextmanager
def serving(workdir, *arguments, **variables):
    """A server's process, the lines that it prints at its start, and a client."""
    process = workdir.start("--mode", "serve", "--port", "0", *arguments, **variables)
    try:
        lines = []
        while not re.search("Ctrl-C ends it", (lines or [""])[-1]):
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended"
        address = re.search(r"http://[^/]+", lines[-1])[0].replace("0.0.0.0", "127.0.0.1")
        yield process, lines, httpx.Client(base_url=address, timeout=120)
    finally:
        process.kill()


def send(client, id, frame, mask=None):
    body = {"image": text(png(frame)), **({} if mask is None else {"mask": text(png(mask))})}
    told = client.post(f"/v1/sessions/{id}/frames", json=body)
    assert told.status_code == 200, told.text
    return labels_of(base64.b64decode(told.json()["labels"]))


def test_a_server_ends_in_good_order_and_goes_on(workdir, tmp_path):
    video = clip(frames=4)
    with serving(workdir, "--keep", tmp_path) as (process, _, client):
        whole, id = (client.post("/v1/sessions").json()["id"] for _ in range(2))
        expected = [send(client, whole, f, m if i == 0 else None) for i, (f, m) in enumerate(video)]
        got = [send(client, id, *video[0])]
        sending = threading.Thread(target=lambda: got.append(send(client, id, video[1][0])))
        sending.start()
        process.send_signal(signal.SIGTERM)
        code, output = ended(process, within=60)
        sending.join()
    assert code == 0 and "2 sessions kept" in output and "Traceback" not in output
    with serving(workdir, "--keep", tmp_path) as (process, lines, client):
        assert any("2 sessions taken up" in line for line in lines)
        taken = client.get(f"/v1/sessions/{id}").json()["frames"]
        assert taken == len(got)  # the frame under way was answered, or never taken
        got += [send(client, id, frame) for frame, _ in video[taken:]]
        locked = workdir.start("--mode", "serve", "--port", "0", "--keep", tmp_path)
        code, output = ended(locked, within=60)
        assert code == 2 and len(output.splitlines()) == 1
        process.send_signal(signal.SIGINT)
        assert ended(process, within=60)[0] == 0
    assert all((own == other).all() for own, other in zip(got, expected, strict=True))


def test_beyond_the_loopback_a_token_is_made_and_needed(workdir):
    with serving(workdir, "--host", "0.0.0.0") as (process, lines, client):
        line = process.stdout.readline()
        token = re.search("Bearer ([^']+)", line)[1]
        assert "TLS" in process.stdout.readline() and token not in "".join(lines)
        assert client.get("/v1").status_code == 401
        assert client.get("/v1", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_token_of_ones_own_is_not_printed(workdir):
    own = "a-token-of-the-environment"
    with serving(workdir, VOSJAX_TOKEN=own) as (process, lines, client):
        assert client.get("/v1").status_code == 401
        assert client.get("/v1", headers={"Authorization": f"Bearer {own}"}).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert own not in "".join(lines) + ended(process, within=60)[1]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--port", "seventy"), "--port is seventy"),
        (("--port", "70000"), "--port is 70000"),
        (("--host", "no.such.host.invalid"), "cannot listen on no.such.host.invalid"),
        (("--token", "short"), "the token has 5 characters"),
        (("--config.serve.max_sessions=0",), "max_sessions is 0"),
    ],
)
def test_what_cannot_be_served_is_one_line(workdir, monkeypatch, capfd, flags, words):
    monkeypatch.setattr(sys, "path", [*sys.path])  # the config adds to both
    monkeypatch.setattr(models, "__path__", [*models.__path__])
    command = ["launch.py", "--config", str(workdir.config), "--mode", "serve", *flags]
    assert cli.launch(command) == 2
    output = "".join(capfd.readouterr())
    assert words in output and len(output.splitlines()) == 1


def test_a_port_that_is_taken_is_one_line(workdir):
    port = str(free_port())
    with serving(workdir, "--port", port):
        code, output = ended(workdir.start("--mode", "serve", "--port", port), within=60)
    assert code == 2 and "free port" in output and len(output.splitlines()) == 1


def test_missing_packages_are_named_with_the_remedy():
    program = "import sys; sys.modules['uvicorn'] = None; from vosjax.cli import main; "
    answer = subprocess.run(
        [sys.executable, "-c", program + "sys.exit(main(['serve', '--port', '0']))"],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2 and "(uvicorn)" in answer.stderr
    assert 'pip install "vosjax[web]"' in answer.stderr
