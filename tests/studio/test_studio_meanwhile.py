"""While masks are imported, others are served and may change the video: the lock is free."""

import contextlib
import io
import threading
import zipfile

import cv2
import httpx
import numpy as np
import pytest
from support.studio import served

from vosjax.studio import importing
from vosjax.studio.maps import Maps

COUNT = 12


def zipped(labels):
    """A zip of label maps, one for each frame."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for index, image in enumerate(labels):
            archive.writestr(f"{index:05d}.png", cv2.imencode(".png", image)[1].tobytes())
    return buffer.getvalue()


class Held:
    """A function whose first call waits until it may go on."""

    def __init__(self, function):
        self.function, self.begun, self.go_on = function, threading.Event(), threading.Event()

    def __call__(self, *args, **more):
        if not self.begun.is_set():
            self.begun.set()
            assert self.go_on.wait(60)
        return self.function(*args, **more)


@contextlib.contextmanager
def importing_held(client, video, data, held, headers=None):
    """An import that is under way inside `held`; at the end the list has its answer."""
    answers = []

    def post():
        url = f"{client.base_url}{video}/import"
        answers.append(httpx.post(url, content=data, headers=headers, timeout=120))

    thread = threading.Thread(target=post)
    thread.start()
    try:
        assert held.begun.wait(60)
        yield answers
    finally:
        held.go_on.set()
        thread.join(120)


def clip_of(client, video):
    return client.studio.project.clip(video.rsplit("/", 1)[1])


@pytest.fixture
def reading(monkeypatch):
    """The import stands where it reads the file."""
    held = Held(importing.read_marks)
    monkeypatch.setattr(importing, "read_marks", held)
    return held


@pytest.fixture
def storing(client, video):
    """The import stands where it stores its first label map."""
    maps = clip_of(client, video).maps
    maps.put = Held(maps.put)
    return maps.put


@pytest.mark.parametrize("where", ["reading", "storing"])
def test_frames_masks_and_changes_are_served_while_masks_are_imported(
    client, video, clip, where, request
):
    client.done(f"{video}/paint", frame=11, object=2, kind="brush", points=[[5, 5]])
    before = client.get(video).json()
    held = request.getfixturevalue(where)
    with importing_held(client, video, zipped(clip.labels), held) as answers:
        assert client.get(f"{video}/frames/7.jpg").status_code == 200
        assert client.labels(video, 11)[5, 5] == 2
        assert client.get(video).json() == before, "nothing of the import is seen before its end"
        assert client.patch(f"{video}/objects/1", json={"name": "meanwhile"}).status_code == 200
        assert not answers
    state = answers[0].json()
    assert state["objects"][0]["name"] == "meanwhile"
    assert state["pins"] == {str(index): [1, 2] for index in range(COUNT)}
    assert (client.labels(video, 4) == clip.labels[4]).all()
    undone = client.done(f"{video}/undo")
    assert (undone["labelled"], undone["pins"]) == (before["labelled"], before["pins"])
    assert undone["objects"][0]["name"] == "meanwhile", "the import alone is taken back"


def test_what_is_painted_meanwhile_stays_beside_the_imported_object(client, video, clip, storing):
    only_first = np.where(clip.labels == 1, 1, 0).astype(np.uint8)
    x, y = np.argwhere(clip.labels[3] == 0)[0][::-1].tolist()
    with importing_held(client, video, zipped(only_first), storing) as answers:
        dot = {"kind": "brush", "points": [[x + 0.5, y + 0.5]], "radius": 0.5}
        client.done(f"{video}/paint", frame=3, object=2, **dot)
    assert answers[0].json()["pins"]["3"] == [1, 2]
    expected = only_first[3].copy()
    expected[y, x] = 2
    assert (client.labels(video, 3) == expected).all()
    assert answers[0].json()["scores"]["2"]["3"][1] == 1


def test_an_object_that_is_added_meanwhile_is_not_one_of_the_file(client, video, clip, storing):
    third = np.where(clip.labels == 1, 3, 0).astype(np.uint8)
    with importing_held(client, video, zipped(third), storing) as answers:
        client.done(f"{video}/objects", name="mine")
    state = answers[0].json()
    assert [(entry["id"], entry["name"]) for entry in state["objects"]][2:] == [
        (3, "mine"),
        (4, "Object 4"),
    ]
    assert ((client.labels(video, 5) == 4) == (third[5] == 3)).all()


def test_the_revision_is_that_of_the_moment_when_the_import_begins(client, video, clip, storing):
    old = client.get(video).json()["revision"]
    now = client.done(f"{video}/objects", name="third")
    data, headers = zipped(clip.labels), {"if-match": str(now["revision"])}
    with importing_held(client, video, data, storing, headers) as answers:
        client.done(f"{video}/objects", name="fourth")
    assert answers[0].status_code == 200
    late = client.post(f"{video}/import", content=data, headers={"if-match": str(old)})
    assert late.status_code == 412 and late.json()["state"]["pins"]


def test_a_video_that_is_removed_meanwhile_takes_no_masks(client, video, clip, storing):
    with importing_held(client, video, zipped(clip.labels), storing) as answers:
        assert client.delete(video).status_code == 200
    assert answers[0].status_code == 404
    assert client.post(f"{video}/restore").json()["labelled"] == {}


def test_an_import_is_on_the_disk_when_it_is_answered(tmp_path, clip):
    """What the folder holds at that moment is what a killed server leaves."""
    with served(tmp_path / "project") as client:
        video = client.video(clip.folder)
        state = client.post(f"{video}/import", content=zipped(clip.labels)).json()
        folder = client.studio.project.folder / "videos" / state["id"]
        history = (folder / "history.jsonl").read_bytes()
        assert history.count(b"\n") == 1, "one line, whole or not at all"
        files = {path.stem for path in (folder / "maps").rglob("*.png")}
        assert set(state["labelled"].values()) <= files


def test_maps_that_somebody_else_syncs_are_waited_for(tmp_path, monkeypatch):
    maps, labels = Maps(tmp_path, (8, 8)), np.eye(8, dtype=np.uint8)
    name = maps.put(labels, durable=False)
    asked = []

    def sync(paths):
        asked.append({path.stem for path in paths})
        if len(asked) == 1:
            maps.sync()  # another thread, while the disk is still at work for the first
            maps.put(labels)

    monkeypatch.setattr("vosjax.studio.maps.sync", sync)
    maps.sync()
    assert asked == [{name}, {name}], "after the second nothing is left for the third"
    maps.sync()
    assert asked[2:] == [set()]
