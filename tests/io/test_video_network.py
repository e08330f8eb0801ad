"""Streams by their address: served on the local machine, and refused with one line otherwise."""

import functools
import http.server
import socket
import threading

import pytest
from support.films import numbers_of, write_film

from vosjax.errors import InputError
from vosjax.io.video import network, open_video
from vosjax.io.video.network import without_password


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server that tells nobody what it serves."""

    def log_message(self, *arguments):
        pass


@pytest.fixture
def served(tmp_path):
    """served(name) -> the address of a file in tmp_path, on a web server."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield lambda name: f"http://127.0.0.1:{server.server_port}/{name}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["v.mp4", "v.ts", "v.mkv"])
def test_a_file_of_a_web_server_is_read_once(tmp_path, served, name):
    write_film(tmp_path / name)
    video = open_video(served(name))
    assert video.count is None and video.fps == 25
    assert numbers_of(video.frames()) == list(range(12))
    with pytest.raises(InputError, match="has been read already"):
        next(video.frames())


def test_a_playlist_of_the_network_is_a_stream(tmp_path, served):
    write_film(tmp_path / "part.ts")
    (tmp_path / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.48,\npart.ts\n#EXT-X-ENDLIST\n"
    )
    assert numbers_of(open_video(served("list.m3u8")).frames()) == list(range(12))


@pytest.mark.parametrize("target", ["file://{}", "{}", "concat:{}", "crypto:{}", "subfile,,:{}"])
def test_a_playlist_of_the_network_reaches_no_local_file(tmp_path, served, target):
    path = write_film(tmp_path / "secret.ts")
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.48,\n{target.format(path)}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(InputError, match="stream http"):
        open_video(served("list.m3u8"))


def test_what_is_not_there_is_said(served):
    with pytest.raises(InputError, match=r"stream http://.* cannot be read \(.*404"):
        open_video(served("nothing.mp4"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("scheme", ["rtsp", "http", "rtmp", "tcp"])
def test_nobody_at_an_address_is_said(scheme):
    with pytest.raises(InputError, match=r"cannot be read \(Connection refused\): check the addr"):
        open_video(f"{scheme}://127.0.0.1:{free_port()}/stream")


@pytest.mark.parametrize("scheme", ["rtsp", "http", "udp"])
def test_an_address_that_is_silent_is_given_up(monkeypatch, scheme):
    monkeypatch.setattr(network, "OPENING", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = free_port() if scheme == "udp" else silent.getsockname()[1]
        with pytest.raises(InputError, match="gave nothing for|cannot be read"):
            open_video(f"{scheme}://127.0.0.1:{port}/stream")


def test_a_stream_that_falls_silent_gives_its_frames_first(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "SILENCE", 0.5)
    data = write_film(tmp_path / "v.ts", 60, options={"bf": "0"}).read_bytes()
    server, wake = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve():
        connection, _ = server.accept()
        connection.sendall(data)
        wake.wait(30)
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    video = open_video(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    frames, numbers = video.frames(), []
    with pytest.raises(InputError, match="gave nothing for 0.5 seconds"):
        for image in frames:
            numbers += numbers_of([image])
    wake.set()
    server.close()
    assert len(numbers) > 40 and numbers == list(range(len(numbers)))


def test_no_password_stands_in_a_message():
    with pytest.raises(InputError, match=r"stream rtsp://me:\*\*\*@127.0.0.1") as error:
        open_video(f"rtsp://me:secret@127.0.0.1:{free_port()}/stream")
    assert "secret" not in str(error.value)
    assert without_password("http://a.b/c?d=e@f") == "http://a.b/c?d=e@f"
    assert without_password("http://me@a.b/c") == "http://me@a.b/c"


def test_a_file_of_such_a_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:").mkdir()
    write_film(tmp_path / "v.mp4", 3).rename(tmp_path / "http:" / "v.mp4")
    assert numbers_of(open_video("http://v.mp4").frames()) == [0, 1, 2]
