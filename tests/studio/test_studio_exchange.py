"""Masks out of the studio and into it; uploads, broken ones among them."""

import io
import json
import pathlib
import socket
import time
import zipfile

import cv2
import numpy as np
import pytest
from support.studio import encoded, served, write_frames

from vosjax.errors import InputError
from vosjax.exports import FORMATS
from vosjax.io.masks import read_marks
from vosjax.io.palette import write_label_png

COUNT = 12


def png(array):
    return cv2.imencode(".png", array)[1].tobytes()


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def frames_of(clip):
    return {f"{index:05d}.png": png(frame[..., ::-1]) for index, frame in enumerate(clip.frames)}


def remaining(client, seconds=5):
    """What stays of what was sent, once the server is through with it."""
    folder, end = client.studio.project.folder / "incoming", time.monotonic() + seconds
    while (names := sorted(path.name for path in folder.glob("*"))) and time.monotonic() < end:
        time.sleep(0.02)
    return names


@pytest.fixture
def done(client, video, clip):
    """A video whose masks are the truth, imported."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for index, labels in enumerate(clip.labels):
            file.writestr(f"{index:05d}.png", png(labels))
    answer = client.post(f"{video}/import", content=archive.getvalue())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_imported_masks_are_those_of_the_file_and_pinned(client, video, clip, done):
    assert done["pins"] == {str(index): [1, 2] for index in range(COUNT)}
    for index in range(COUNT):
        assert (client.labels(video, index) == clip.labels[index]).all()
    assert client.done(f"{video}/undo")["labelled"] == {}


def test_a_single_mask_is_of_the_frame_that_is_named(client, video, clip, tmp_path):
    write_label_png(tmp_path / "mask.png", np.where(clip.labels[4] == 2, 9, 0).astype(np.uint8))
    data = (tmp_path / "mask.png").read_bytes()
    state = client.post(f"{video}/import?frame=4&format=auto&name=mask.png", content=data).json()
    assert state["pins"] == {"4": [9]} and [entry["id"] for entry in state["objects"]] == [1, 2, 9]
    assert ((client.labels(video, 4) == 9) == (clip.labels[4] == 2)).all()


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_every_format_is_exported_as_one_file(client, video, done, format):
    answer = client.get(f"{video}/export", params={"format": format})
    assert answer.status_code == 200, answer.text
    name = answer.headers["content-disposition"]
    suffix = FORMATS[format].suffix or ".zip"
    assert name == f'attachment; filename="clip_{format}{suffix}"' and len(answer.content) > 100
    assert not remaining(client)


def test_what_is_exported_is_read_back(client, video, clip, done):
    client.patch(f"{video}/objects/2", json={"name": "cat", "colour": "#102030"})
    data = client.get(f"{video}/export", params={"format": "coco"}).content
    marks = read_marks(data, frames=[f"{index:05d}" for index in range(COUNT)], size=(48, 64))
    assert marks.names == {1: "first", 2: "cat"}
    for index, labels in marks.labels.items():
        assert (labels == clip.labels[index]).all()
    state = client.post(f"{video}/import", content=data).json()
    assert [entry["name"] for entry in state["objects"]] == ["first", "cat"], "known by their names"

    archive = client.get(f"{video}/export", params={"format": "palette", "objects": "2"}).content
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        images = [name for name in file.namelist() if name.endswith(".png")]
        labels = read_marks(file.read(images[3]), frames=1, size=(48, 64)).labels[0]
    assert len(images) == COUNT
    assert ((labels == 2) == (clip.labels[3] == 2)).all() and set(np.unique(labels)) == {0, 2}


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("format=psd", "there is no format"),
        ("format=coco&objects=7", "there is no object 7"),
        ("format=coco&objects=x", "ids with commas"),
        ("", "format"),
    ],
)
def test_an_export_that_cannot_be_is_said_in_one_line(client, video, done, query, line):
    answer = client.get(f"{video}/export?{query}")
    assert answer.status_code == 422 and line in answer.json()["error"]
    assert not remaining(client)


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing", b"{}", png(np.zeros((48, 64), np.uint8)), png(np.ones((9, 9), np.uint8))],
    ids=["empty", "text", "json", "no object", "another size"],
)
def test_a_file_without_masks_changes_nothing(client, video, data):
    before = client.get(video).json()
    answer = client.post(f"{video}/import", content=data)
    assert answer.status_code == 422 and "\n" not in answer.json()["error"]
    assert client.get(video).json() == before and not remaining(client)


# Uploads of videos.


def test_an_uploaded_video_is_one_of_the_project(client, clip, tmp_path):
    data = encoded(tmp_path / "clip.mp4", clip.frames).read_bytes()
    state = client.post("/api/videos?name=My cat.mp4", content=data).json()
    assert (state["name"], state["frames"]) == ("My cat.mp4", COUNT)
    assert (state["width"], state["height"], state["fps"]) == (64, 48, 25.0)
    (tmp_path / "clip.mp4").unlink()
    listed = client.get("/api/project").json()["videos"]
    assert [entry["id"] for entry in listed] == [state["id"]]
    assert client.get(listed[0]["thumbnail"]).headers["content-type"] == "image/jpeg"
    assert not remaining(client)


@pytest.mark.parametrize("folder", ["", "deep/down/", "../../"])
def test_an_uploaded_zip_of_frames_is_a_video(client, clip, folder, tmp_path):
    files = {folder + name: data for name, data in frames_of(clip).items()}
    data = zipped(files | {"__MACOSX/._00000.png": b"x", f"{folder}readme.txt": b"hello"})
    state = client.post("/api/videos?name=frames.zip", content=data).json()
    assert state["frames"] == COUNT, state
    image = client.get(f"/api/videos/{state['id']}/frames/3.jpg").content
    shown = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(shown.astype(int) - clip.frames[3]).mean() < 6
    inside = client.studio.project.folder
    assert not list(tmp_path.glob("*.png")) and len(list(inside.rglob("*.png"))) == COUNT


def bomb():
    return zipped({"a.png": png(np.zeros((48, 64), np.uint8)), "b.png": b"\0" * (1 << 25)})


BROKEN = {
    "empty": ("a.mp4", b"", 422),
    "noise": ("a.mp4", b"\x93noise" * 500, 422),
    "text": ("a.txt", b"hello", 422),
    "no ending": ("video", b"hello", 422),
    "no zip": ("a.zip", b"hello", 422),
    "empty zip": ("a.zip", zipped({}), 422),
    "zip without images": ("a.zip", zipped({"a.txt": b"x"}), 422),
    "zip of two folders": ("a.zip", zipped({"a/1.png": b"x", "b/2.png": b"x"}), 422),
    "zip of damaged images": ("a.zip", zipped({"1.png": b"x", "2.png": b"x"}), 422),
    "zip of two images of one name": (
        "a.zip",
        zipped({"a.png": png(np.zeros((8, 8), np.uint8)), "a..png": b"x"}),
        422,
    ),
    "zip that becomes too large": ("a.zip", bomb(), 413),
    "too large": ("a.mp4", b"x" * ((1 << 24) + 1), 413),
    "name of nothing": ("../.mp4", b"x", 422),
    "name with a zero byte": ("a\0b.txt", b"x", 422),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_upload_leaves_nothing_behind(client, case):
    name, data, status = BROKEN[case]
    answer = client.post("/api/videos", params={"name": name}, content=data)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] and "\n" not in answer.json()["error"]
    assert client.get("/api/project").json()["videos"] == []
    assert not remaining(client)
    assert not list((client.studio.project.folder / "videos").glob("*"))


def test_a_truncated_video_is_taken_as_far_as_it_goes_or_refused(client, clip, tmp_path):
    data = encoded(tmp_path / "clip.mp4", clip.frames).read_bytes()
    for part in (0.2, 0.5, 0.9):
        answer = client.post("/api/videos?name=a.mp4", content=data[: int(len(data) * part)])
        assert answer.status_code in (200, 422), answer.text
    assert not remaining(client)


def test_an_upload_that_breaks_off_leaves_nothing_behind(client):
    address = client.base_url.host, client.base_url.port
    with socket.create_connection(address) as connection:
        head = f"POST /api/videos?name=a.mp4 HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
        connection.sendall(f"{head}Content-Length: 100000\r\n\r\nsome bytes".encode())
        end = time.monotonic() + 10
        while not remaining(client, seconds=0):
            assert time.monotonic() < end
            time.sleep(0.02)
    assert not remaining(client)
    assert client.get("/api/project").json()["videos"] == []


# The project.


def test_names_that_lead_out_of_the_project_are_refused(client, video):
    for path in (
        "/api/videos/..%2f..%2fetc",
        f"{video}/maps/..%2f..%2fvideo.png",
        "/page/..%2f..%2fapp.py",
        "/page/%2e%2e/app.py",
    ):
        answer = client.get(path)
        assert answer.status_code in (400, 404), path
        assert "import" not in answer.text
    assert client.get(f"{video}/maps/{'0' * 31}g.png").status_code == 422
    assert client.delete("/api/videos/..").status_code in (400, 404, 405)
    assert client.post("/api/videos/..%2fx/restore").status_code in (400, 404)


@pytest.mark.parametrize("path", ["", "nowhere", "a\0b", "~nobody/x", "/dev/null", "x" * 5000])
def test_a_path_without_a_video_is_refused(client, path):
    answer = client.post("/api/videos/open", json={"path": path})
    assert answer.status_code == 422 and "\n" not in answer.json()["error"]
    assert client.get("/api/project").json()["videos"] == [] and not remaining(client)


def test_a_video_that_was_removed_takes_nothing_more(client, video):
    clip = client.studio.project.clip(video.rsplit("/", 1)[1])
    client.delete(video)
    with pytest.raises(InputError, match="was removed"):
        clip.edit("anything", lambda: {"pins": {1: [1]}})


def test_a_removed_video_comes_back_until_the_server_ends(tmp_path, clip):
    with served(tmp_path / "project") as client:
        video = client.video(clip.folder)
        client.done(f"{video}/objects")
        state = client.get(video).json()
        assert client.delete(video).json()["videos"] == []
        assert client.get(video).status_code == 404
        assert client.post(f"{video}/restore").json() == state
        client.delete(video)
    with served(tmp_path / "project") as client:
        assert client.post(f"{video}/restore").status_code == 404
        assert client.get("/api/project").json()["videos"] == []


def test_a_video_whose_frames_are_gone_says_so_and_the_others_stay(tmp_path, clip):
    other = write_frames(tmp_path / "other", clip.frames)
    with served(tmp_path / "project") as client:
        videos = [client.video(clip.folder), client.video(other)]
        assert client.video(clip.folder) == videos[0], "the same video is not added twice"
    clip.folder.rename(tmp_path / "away")
    with served(tmp_path / "project") as client:
        assert len(client.get("/api/project").json()["videos"]) == 2
        assert "no longer at" in client.get(videos[0]).json()["error"]
        assert client.get(videos[1]).status_code == 200
        (tmp_path / "away").rename(clip.folder)
        assert client.get(videos[0]).status_code == 200


def test_others_may_not_open_files_of_the_server(tmp_path, clip):
    token = "a-token-of-these-tests"
    with served(tmp_path / "project", host="0.0.0.0", token=token) as client:
        assert client.get("/api/project").status_code == 401
        client.headers["authorization"] = f"Bearer {token}"
        answer = client.post("/api/videos/open", json={"path": str(clip.folder)})
        assert answer.status_code == 403 and "upload" in answer.json()["error"]


def test_pages_of_other_servers_are_refused(client, video):
    body = {"frame": 0, "object": 1, "box": [1, 1, 9, 9]}
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert client.post(f"{video}/mark", json=body, headers=headers).status_code == 403
    assert client.get(video, headers={"host": "evil.example"}).status_code == 421


def test_the_page_names_no_other_address(client):
    schema = client.get("/api/openapi.json").json()
    assert "/api/videos/{video}/mark" in schema["paths"]
    assert client.get("/docs").status_code == 404
    json.dumps(schema)
    assert pathlib.Path(client.studio.project.folder).is_dir()
