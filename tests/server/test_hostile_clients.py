"""Clients that send what they should not, ask for too much, or vanish: nothing is lost or leaks."""

import concurrent.futures
import gc
import io
import json
import pickle
import socket
import struct
import threading
import time
import zipfile
import zlib

import httpx
import jax
import numpy as np
import pytest
import websockets
from support import films
from support.served import (
    MODEL,
    TOKEN,
    alone,
    answer,
    clip,
    png,
    running,
    text,
)

from vosjax.tracking.tracker import Tracker

FRAME, MASK = clip()[0]


def refused(told, *statuses):
    """Whether an answer is one clear line with one of the statuses."""
    assert told.status_code in statuses, (told.status_code, told.text)
    line = told.json()["error"]
    return bool(line) and "\n" not in line and "Traceback" not in line


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.01)


def works(client):
    id = client.session()
    labels = client.labels(id, FRAME, MASK)
    client.http.delete(f"/v1/sessions/{id}")
    return (labels == MASK).all()


def huge(width, height):
    """A PNG whose header claims a size, and that holds next to nothing."""

    def chunk(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def raw(client, request):
    """Sends bytes as they are, and returns the answer's first line."""
    url = httpx.URL(client.running.address)
    with socket.create_connection((url.host, url.port), timeout=30) as plain:
        plain.sendall(request)
        return plain.recv(65536).split(b"\r\n")[0].decode()


# Paths, names and addresses


@pytest.mark.parametrize(
    "path",
    [
        "/v1/docs/../app.py",
        "/v1/docs/%2e%2e/app.py",
        "/v1/docs/..%2fapp.py",
        "/v1/docs//etc/passwd",
        "/v1/docs/..\\app.py",
        "/../../../../etc/passwd",
        "/v1/sessions/..%2f..%2fetc",
        "/v1/sessions/%00",
        "/v1/sessions/" + "a" * 65,
        "//etc/passwd",
    ],
)
def test_no_path_leads_out(client, path):
    line = raw(client, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert line.split()[1] in ("400", "404", "422"), line


def test_other_methods_and_rubbish_are_refused(client):
    assert refused(client.http.request("TRACE", "/v1"), 405)
    assert refused(client.http.put("/v1/sessions", json={}), 405)
    assert "400" in raw(client, b"\x16\x03\x01\x02\x00 no http at all\r\n\r\n")
    assert works(client)


def test_a_session_of_another_is_not_guessed(client):
    ids = {client.session() for _ in range(3)}
    assert all(len(id) >= 24 for id in ids)
    for name in ("a", "0", *(id[:-1] for id in ids)):
        assert refused(client.http.get(f"/v1/sessions/{name}"), 404)
    for id in ids:
        client.http.delete(f"/v1/sessions/{id}")


# Tokens and foreign pages


def test_without_the_token_nothing_is_done():
    with running(token=TOKEN) as client:
        id = client.session()
        for headers in ({}, {"authorization": "Bearer wrong-token-of-someone"}):
            strange = httpx.Client(base_url=client.running.address, headers=headers)
            for method, path in (
                ("POST", "/v1/sessions"),
                ("GET", f"/v1/sessions/{id}"),
                ("DELETE", f"/v1/sessions/{id}"),
                ("GET", f"/v1/sessions/{id}/snapshot"),
                ("GET", "/v1/openapi.json"),
            ):
                assert refused(strange.request(method, path), 401)
            with pytest.raises(websockets.exceptions.InvalidStatus, match="401"):
                client.stream(id, additional_headers=headers)
        assert len(client.running.sessions) == 1 and works(client)
        with client.stream(id) as stream:
            stream.send(png(FRAME))
            assert answer(stream)[0]["frame"] == 0


def test_foreign_pages_reach_nothing(client):
    id, before = client.session(), len(client.running.sessions)
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}):
        assert refused(client.http.post("/v1/sessions", headers=headers, content=b"{}"), 403)
        assert refused(client.http.delete(f"/v1/sessions/{id}", headers=headers), 403)
        with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
            client.stream(id, additional_headers=headers)
    assert refused(client.http.get("/v1", headers={"host": "evil.example"}), 421)
    assert len(client.running.sessions) == before
    assert "access-control-allow-origin" not in client.http.get("/v1").headers


# Bodies


def test_oversized_bodies_are_refused(client):
    id = client.session()
    path = f"/v1/sessions/{id}/frames"
    assert refused(client.http.post(path, content=b"x" * (2**20 + 1)), 413)  # as a picture
    assert refused(client.http.post(path, content=b"x" * (2**22 + 2**17)), 413)  # as a body
    assert refused(client.http.post("/v1/sessions", content=b" " * 2**17), 413)

    def pieces():
        for _ in range(80):
            yield b"x" * 2**16

    assert refused(client.http.post(path, content=pieces()), 413)
    assert client.state(id)["frames"] == 0 and works(client)


def test_videos_and_snapshots_have_limits_of_their_own():
    with running(max_video_bytes=5000, max_snapshot_bytes=5000) as client:
        id = client.session()
        for path in ("video", "snapshot"):
            method = client.http.post if path == "video" else client.http.put
            told = method(f"/v1/sessions/{id}/{path}", content=iter([b"x" * 3000] * 2))
            assert refused(told, 413)
        assert works(client)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        png(FRAME)[:-30],
        b"GIF89a" + b"\0" * 50,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8\xff\xe0" + b"\0" * 100,
        huge(48, 32),
        pickle.dumps({"a": 1}),
    ],
)
def test_malformed_frames_are_refused(client, data):
    id = client.session()
    assert refused(client.http.post(f"/v1/sessions/{id}/frames", content=data), 422)
    assert client.state(id)["frames"] == 0
    assert (client.labels(id, FRAME, MASK) == MASK).all()  # the session is as it was
    client.http.delete(f"/v1/sessions/{id}")


def test_a_bomb_is_refused_by_its_header(client):
    id = client.session()
    start = time.monotonic()
    for side, words in ((60000, "far more pixels"), (12000, "12000x12000"), (4000, "4000x4000")):
        told = client.http.post(f"/v1/sessions/{id}/frames", content=huge(side, side))
        assert refused(told, 422) and words in told.json()["error"]
        told = client.form(id, FRAME, mask=text(huge(side, side)))
        assert refused(told, 422) and words in told.json()["error"]
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 50000,
        b'{"image": 7}',
        b'{"image": "*"}',
        b'{"image": "", "other": 1}',
        b'{"image": "", "boxes": {"0": [1, 2, 3, 4]}}',
        b'{"image": "", "boxes": {"256": [1, 2, 3, 4]}}',
        b'{"image": "", "boxes": {"1": [1, 2, 3]}}',
        b'{"image": "", "boxes": {"1": [1, 2, 0, 4]}}',
        b'{"image": "", "boxes": {"1": [NaN, 2, 3, 4]}}',
        b'{"image": "", "points": {"1": []}}',
        b'{"image": "", "points": {"1": [[1e999, 2]]}}',
        b'{"image": "", "remove": ["a"]}',
        b"\xff\xfe",
    ],
)
def test_malformed_forms_are_refused(client, body):
    id = client.session()
    headers = {"content-type": "application/json"}
    assert refused(
        client.http.post(f"/v1/sessions/{id}/frames", content=body, headers=headers), 400, 422
    )
    if b"image" in body:
        client.http.delete(f"/v1/sessions/{id}")
        return
    told = client.http.post(f"/v1/sessions/{id}/prompt", content=body, headers=headers)
    assert refused(told, 422, 400)
    client.http.delete(f"/v1/sessions/{id}")


@pytest.mark.parametrize(
    "settings",
    [
        {"objects": 0},
        {"objects": 4},
        {"max_mem_frames": 10**6},
        {"mem_every": -1},
        {"mem_every": 1.5},
        {"width": 10},
        {"width": 10**6, "height": 10**6},
        {"capacity": 3},
        {"max_short_side": 2**40},
    ],
)
def test_settings_beyond_the_limits_are_refused(client, settings):
    before = len(client.running.sessions)
    assert refused(client.http.post("/v1/sessions", json=settings), 400, 422)
    assert len(client.running.sessions) == before


def test_a_prompt_that_does_not_fit_leaves_the_session_as_it_was(client):
    id = client.session()
    client.labels(id, FRAME, MASK)
    four = np.zeros_like(MASK)
    four[0, :5] = range(5)
    wide = np.full((32, 48), 300, np.uint16)
    for prompt in (
        {"mask": text(png(MASK[:8]))},
        {"mask": text(png(np.zeros_like(MASK)))},
        {"mask": text(png(four))},
        {"mask": text(png(wide))},
        {"mask": text(png(MASK)), "remove": [7]},
        {"remove": [1, 1]},
    ):
        assert refused(client.form(id, FRAME, **prompt), 422)
    assert refused(client.send(id, FRAME[:16]), 422)
    state = client.state(id)
    assert (state["frames"], state["objects"], state["waiting"]) == (1, [1], False)
    client.http.delete(f"/v1/sessions/{id}")


def test_prompts_in_frame_after_frame_do_not_fill_the_memory():
    with running(max_mem_frames=4) as client:
        id = client.session(max_mem_frames=4)
        told = [client.send(id, FRAME, MASK) for _ in range(12)]
        assert {t.status_code for t in told[:4]} == {200} and refused(told[-1], 422)
        bytes_then = client.state(id)["state_bytes"]
        assert refused(client.send(id, FRAME, MASK), 422)
        assert client.send(id, FRAME).status_code == 200
        assert client.state(id)["state_bytes"] == bytes_then


# Videos and snapshots


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no video",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        png(FRAME)[:50],
    ],
)
def test_what_is_no_video_is_refused(client, data):
    id = client.session()
    assert refused(client.http.post(f"/v1/sessions/{id}/video", content=data), 422)
    client.http.delete(f"/v1/sessions/{id}")


def test_a_video_of_another_size_or_of_too_many_pixels_is_refused(tmp_path):
    film = films.write_film(tmp_path / "a.mp4", [frame for frame, _ in clip(size=(64, 96))])
    with running(max_pixels=64 * 95) as client:
        path = f"/v1/sessions/{client.session()}/video"
        told = client.http.post(path, content=film.read_bytes())
        assert refused(told, 422) and "96x64" in told.json()["error"]
    with running() as client:
        path = f"/v1/sessions/{client.session(width=48, height=32)}/video"
        told = client.http.post(path, content=film.read_bytes())
        assert refused(told, 422) and "48x32" in told.json()["error"]
        assert str(tmp_path) not in told.text and "/tmp" not in told.text


def snapshot_of(tmp_path, change=None, *, compression=zipfile.ZIP_STORED):
    """A tracker's snapshot, whose parts may be changed."""
    tracker = Tracker(MODEL)
    tracker.step(FRAME, MASK)
    tracker.save(tmp_path / "whole.npz")
    file = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "whole.npz") as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if change is not None and name == "head.npy":
                head = json.loads(np.load(io.BytesIO(data)).tobytes())
                change(head)
                part = io.BytesIO()
                np.save(part, np.frombuffer(json.dumps(head).encode(), np.uint8))
                data = part.getvalue()
            new.writestr(name, data, compression)
    return file.getvalue()


class Trap:
    """What would leave a file behind if it were ever unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_snapshot_of_the_net_runs_nothing(client, tmp_path):
    trap, file = tmp_path / "sprung", io.BytesIO()
    np.savez(file, head=np.array([Trap(trap)], object))
    id = client.session()
    for data in (file.getvalue(), pickle.dumps(Trap(trap)), b"", b"PK\x03\x04", b"x" * 100):
        assert refused(client.http.put(f"/v1/sessions/{id}/snapshot", content=data), 422)
    assert not trap.exists() and works(client)
    client.http.delete(f"/v1/sessions/{id}")


def changes():
    def weights(head):
        head["books"]["weights"] = "others"

    def pixels(head):
        head["books"]["size"] = [10**5, 10**5]

    def memory(head):
        head["books"]["memory"]["capacity"] = 10**5
        head["books"]["max_mem_frames"] = 10**6

    def form(head):
        head["forms"][0][1] = [10**6, 10**6]

    def version(head):
        head["format"] = 99

    return [weights, pixels, memory, form, version]


@pytest.mark.parametrize("change", changes(), ids=lambda change: change.__name__)
def test_a_snapshot_that_lies_is_refused(client, tmp_path, change):
    id = client.session()
    client.labels(id, FRAME, MASK)
    told = client.http.put(f"/v1/sessions/{id}/snapshot", content=snapshot_of(tmp_path, change))
    assert refused(told, 422) and "/tmp" not in told.text
    assert client.state(id)["frames"] == 1
    assert client.send(id, FRAME).status_code == 200
    client.http.delete(f"/v1/sessions/{id}")


def test_a_snapshot_is_taken_as_it_was_given_and_not_compressed(client, tmp_path):
    path = f"/v1/sessions/{client.session()}/snapshot"
    assert client.http.put(path, content=snapshot_of(tmp_path)).status_code == 200
    packed = snapshot_of(tmp_path, compression=zipfile.ZIP_DEFLATED)
    assert refused(client.http.put(path, content=packed), 422)


# Too many, too fast, too idle


def test_more_sessions_than_there_is_room_for_are_refused():
    with running(max_sessions=2) as client:
        ids = [client.session() for _ in range(2)]
        told = client.http.post("/v1/sessions")
        assert refused(told, 503) and told.headers["retry-after"]
        client.http.delete(f"/v1/sessions/{ids[0]}")
        assert client.session()


def test_an_idle_session_is_removed_and_one_in_use_is_not():
    with running(idle=1.5) as client:
        id, used = client.session(), client.session()
        gate = threading.Event()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            client.running.sessions.device.call(gate.wait)
            told = pool.submit(client.send, used, FRAME, MASK)
            until(lambda: client.state(id) is None, 10)
            time.sleep(1.5)
            gate.set()
            assert told.result().status_code == 200
        assert client.state(used)["frames"] == 1


def test_too_many_frames_at_once_for_one_session_are_refused(client):
    id, gate = client.session(), threading.Event()
    client.labels(id, FRAME, MASK)
    client.running.sessions.device.call(gate.wait)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        told = [pool.submit(client.send, id, FRAME) for _ in range(12)]
        until(lambda: sum(t.done() for t in told) == 7)
        gate.set()
        statuses = sorted(t.result().status_code for t in told)
    assert statuses == [200] * 5 + [429] * 7
    assert client.state(id)["frames"] == 6
    client.http.delete(f"/v1/sessions/{id}")


def test_a_client_that_sends_without_reading_is_held_up(client):
    id, gate = client.session(), threading.Event()
    frame = np.random.default_rng(0).integers(0, 255, (256, 384, 3), np.uint8)
    data, sent = png(frame), []
    client.running.sessions.device.call(gate.wait)
    with client.stream(id) as stream:

        def send():
            for _ in range(60):  # some 18 MB
                stream.send(data)
                sent.append(1)

        sending = threading.Thread(target=send)
        sending.start()
        time.sleep(2)
        held = len(sent)
        gate.set()
        answers = [answer(stream)[0]["frame"] for _ in range(60)]
        sending.join()
    assert held < 50 and answers == list(range(60))
    client.http.delete(f"/v1/sessions/{id}")


def test_a_message_that_is_too_large_ends_the_stream_alone(client):
    id = client.session()
    with client.stream(id) as stream:
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            stream.send(b"x" * 2**22)
            stream.recv(timeout=30)
    assert client.state(id)["frames"] == 0 and works(client)


@pytest.mark.parametrize("message", ["", "{", "[]", '{"boxes": 7}', "x" * 10000])
def test_a_message_that_is_no_prompt_is_told_and_ends_the_stream(client, message):
    id = client.session()
    with client.stream(id) as stream:
        stream.send(message)
        assert "prompt" in json.loads(stream.recv(timeout=30))["error"]
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            stream.recv(timeout=30)
    client.http.delete(f"/v1/sessions/{id}")


# Clients that vanish


def test_a_client_that_vanishes_before_its_turn_takes_no_frame(client):
    id, gate = client.session(), threading.Event()
    client.labels(id, FRAME, MASK)
    client.running.sessions.device.call(gate.wait)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(client.send, id, FRAME)
        session = client.running.sessions.get(id)
        until(lambda: session.users == 1)
        hasty = httpx.Client(base_url=client.running.address, timeout=0.3)
        with pytest.raises(httpx.ReadTimeout):
            hasty.post(f"/v1/sessions/{id}/frames", content=png(FRAME))
        hasty.close()
        gate.set()
        assert first.result().status_code == 200
    until(lambda: session.users == 0)
    assert client.state(id)["frames"] == 2  # not three
    client.http.delete(f"/v1/sessions/{id}")


def test_a_client_that_vanishes_in_the_midst_of_a_body(client):
    id = client.session()
    url = httpx.URL(client.running.address)
    for path in ("frames", "video", "snapshot"):
        with socket.create_connection((url.host, url.port)) as plain:
            method = "PUT" if path == "snapshot" else "POST"
            head = f"{method} /v1/sessions/{id}/{path} HTTP/1.1\r\nHost: localhost\r\n"
            plain.sendall(f"{head}Content-Length: 5000\r\n\r\n".encode() + b"x" * 100)
    assert client.state(id)["frames"] == 0 and works(client)
    client.http.delete(f"/v1/sessions/{id}")


def test_a_client_that_vanishes_in_mid_stream_frees_its_share(client):
    id, gate = client.session(), threading.Event()
    session = client.running.sessions.get(id)
    with client.stream(id) as stream:
        stream.send(json.dumps({"mask": text(png(MASK))}))
        stream.send(png(FRAME))
        answer(stream)
        client.running.sessions.device.call(gate.wait)
        for _ in range(8):
            stream.send(png(FRAME))
        until(lambda: session.users == 1)
        stream.socket.shutdown(socket.SHUT_RDWR)  # without a word
        until(lambda: session.users == 0)  # though the device has not come to its frame
        gate.set()
    client.running.sessions.device.call(lambda: None).result(30)
    assert client.state(id)["frames"] == 1 and not session.streams
    with client.stream(id) as stream:  # and it may come back
        stream.send(png(FRAME))
        assert answer(stream)[0]["frame"] == 1
    client.http.delete(f"/v1/sessions/{id}")


def test_a_client_that_vanishes_in_the_midst_of_a_video(client, tmp_path):
    film = films.write_film(tmp_path / "a.mp4", [FRAME] * 200)
    id = client.session()
    client.http.post(f"/v1/sessions/{id}/prompt", json={"mask": text(png(MASK))})
    with client.http.stream(
        "POST", f"/v1/sessions/{id}/video", content=film.read_bytes()
    ) as streamed:
        lines = streamed.iter_lines()
        next(lines)
    session = client.running.sessions.get(id)
    until(lambda: session.users == 0 and not session.streams)
    assert client.state(id)["frames"] < 200
    client.http.delete(f"/v1/sessions/{id}")


def test_a_session_that_is_removed_ends_its_stream(client):
    id = client.session()
    with client.stream(id) as stream:
        stream.send(png(FRAME))
        answer(stream)
        client.http.delete(f"/v1/sessions/{id}")
        assert "removed" in json.loads(stream.recv(timeout=30))["error"]
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            stream.recv(timeout=30)


# Many


def test_twenty_sessions_at_once_get_what_each_would_get_alone():
    videos = [clip(seed, frames=6) for seed in range(20)]
    expected = [alone(video, capacity=8) for video in videos]

    def stream(client, video):
        id = client.session()
        with client.stream(id) as socket:
            socket.send(json.dumps({"mask": text(png(video[0][1]))}))
            for frame, _ in video:
                socket.send(png(frame))
            got = [answer(socket)[1] for _ in video]
        client.http.delete(f"/v1/sessions/{id}")
        return got

    with (
        running(max_sessions=20, batch=8) as client,
        concurrent.futures.ThreadPoolExecutor(20) as pool,
    ):
        list(pool.map(lambda video: stream(client, video), videos))  # compiles
        gc.collect()
        arrays, threads = len(jax.live_arrays()), threading.active_count()
        until(lambda: not client.running.sessions.device.compiling, 120)
        before = client.running.sessions.device.calls.copy()
        for got, labels in zip(
            pool.map(lambda video: stream(client, video), videos), expected, strict=True
        ):
            assert all((own == other).all() for own, other in zip(got, labels, strict=True))
        calls = client.running.sessions.device.calls - before
        assert sum(size * count for size, count in calls.items()) >= 120
        assert sum(calls[size] for size in (2, 4, 8)) > 0
        assert len(client.running.sessions) == 0
        until(lambda: gc.collect() is not None and len(jax.live_arrays()) <= arrays)
        assert threading.active_count() <= threads + 2
