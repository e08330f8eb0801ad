"""A video of 2,000 frames: seeking, memory, what goes over the wire; and clients that vanish."""

import threading
import time

import cv2
import httpx
import numpy as np
import pytest
from support.studio import encoded, served

from vosjax.io.video import open_video
from vosjax.io.video.random_access import RandomAccess, runs, scan, signs_from_bytes, signs_to_bytes
from vosjax.studio.frames import ByteCache, Frames

COUNT, HEIGHT, WIDTH = 2000, 32, 48


def number_of(image):
    """The number that `numbered` drew into a frame: a bit a column."""
    bits = image[HEIGHT // 2, 2 : 2 + 4 * 11 : 4].mean(-1) > 128
    return int((bits << np.arange(11)).sum())


def numbered(count=COUNT):
    frames = np.zeros((count, HEIGHT, WIDTH, 3), np.uint8)
    bits = (np.arange(count)[:, None] >> np.arange(11)) & 1
    frames[:, :, :44] = 255 * bits.repeat(4, 1)[:, None, :, None]
    return frames


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film each of whose frames shows its number; key frames are far apart."""
    return encoded(tmp_path_factory.mktemp("film") / "film.mp4", numbered(), gop=250)


def test_frames_are_found_in_any_order(film):
    access = scan(open_video(film))
    assert access.count == COUNT
    again = RandomAccess(open_video(film), signs_from_bytes(signs_to_bytes(access.signs)))
    for frames in (access, again):
        for first in (0, 5, 249, 251, 1311, COUNT - 3):
            block = frames.read(first, first + 3)
            assert [number_of(frame.image) for frame in block] == [first, first + 1, first + 2]
        order = [7, 1500, 1501, 1502, 900, 899, 898, 897, 3]
        assert [number_of(frame.image) for frame in frames.in_order(order)] == order
        assert [number_of(frame.image) for frame in frames.stream(COUNT - 4)] == [
            *range(COUNT - 4, COUNT)
        ]


def test_every_frame_is_what_a_reading_from_the_beginning_gives(film):
    access = scan(open_video(film))
    whole = list(open_video(film).stream(0))
    for first in (40, 1000, 1990):
        for one, other in zip(access.read(first, first + 8), whole[first : first + 8]):
            assert (one.image == other.image).all() and one.time == other.time


def test_runs_are_what_rises_or_falls_by_one():
    assert runs([]) == []
    assert runs([4]) == [(4, 4)]
    assert runs([4, 9, 10, 11, 10, 9, 0]) == [(4, 4), (9, 11), (10, 9), (0, 0)]


@pytest.mark.parametrize("damage", [b"", b"PK", b"no signs"])
def test_damaged_signs_are_made_anew(film, tmp_path, damage):
    (tmp_path / "signs").write_bytes(damage)
    frames = Frames.of(film, "film", ByteCache(1 << 20), signs=tmp_path / "signs")
    assert frames.count == COUNT
    assert len(signs_from_bytes((tmp_path / "signs").read_bytes())) == COUNT


def test_frames_take_no_more_memory_than_the_setting_says(film):
    cache = ByteCache(50_000)
    frames = Frames.of(film, "film", cache)
    for index in range(0, COUNT, 97):
        assert frames.jpeg(index)[:2] == b"\xff\xd8"
        assert cache.held <= 50_000
    cache.put("large", bytes(50_001))
    assert cache.get("large") is None and cache.held <= 50_000
    frames.close()
    assert cache.held == 0


def test_seeking_and_marking_in_a_long_video(film, tmp_path):
    with served(tmp_path / "project", cache=1 << 19) as client:
        video = client.video(film)
        client.done(f"{video}/objects")
        waits = []
        for index in (1999, 3, 1204, 777, 1203):
            begin = time.monotonic()
            answer = client.get(f"{video}/frames/{index}.jpg")
            waits.append(time.monotonic() - begin)
            assert "immutable" in answer.headers["cache-control"]
            shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
            assert number_of(shown) == index
        assert sorted(waits)[2] < 2, waits
        assert client.get(f"{video}/frames/2000.jpg").status_code == 422
        client.done(f"{video}/mark", frame=1800, object=1, box=[8, 8, 12, 12])
        client.done(f"{video}/propagate", frame=1800, direction="both", to=1900)
        state = client.done(f"{video}/stop")
        assert state["job"]["total"] == 100 + 1800, "`to` holds for its own side"
        client.done(f"{video}/propagate", frame=1800, direction="forward", to=1900)
        assert len(client.finished(video)["labelled"]) >= 101


def test_other_requests_are_answered_while_objects_are_merged(film, tmp_path):
    with served(tmp_path / "project") as client:
        video = client.video(film)
        for _ in range(3):
            client.done(f"{video}/objects")
        clip = client.studio.project.clip(video.rsplit("/", 1)[1])
        clip.edit("marked", lambda: everywhere(clip))
        begun, go_on, put = threading.Event(), threading.Event(), clip.maps.put

        def slow(labels, **more):
            begun.set()
            assert go_on.wait(60)
            return put(labels, **more)

        clip.maps.put = slow
        answers = []

        def merge():
            answers.append(httpx.post(f"{client.base_url}{video}/objects/2/merge", **MERGE))

        merging = threading.Thread(target=merge)
        merging.start()
        try:
            assert begun.wait(60)
            assert client.get(f"{video}/frames/1500.jpg").status_code == 200
            assert len(client.get(video).json()["objects"]) == 3, "it is not merged yet"
            name = {"name": "named meanwhile"}
            assert client.patch(f"{video}/objects/3", json=name).status_code == 200
        finally:
            go_on.set()
            merging.join(120)
        state = answers[0].json()
        assert [(o["id"], o["name"]) for o in state["objects"]] == [
            (1, "Object 1"),
            (3, "named meanwhile"),
        ]
        assert {row[1] for row in state["scores"]["1"].values()} == {16} and "2" not in str(
            state["pins"]
        )
        assert (clip.labels(1999) == everywhere_labels(1999, merged=True)).all()
        state = client.done(f"{video}/undo")
        assert [object["id"] for object in state["objects"]] == [1, 2, 3]
        assert (clip.labels(1999) == everywhere_labels(1999)).all()


MERGE = {"json": {"into": 1}, "timeout": 120}


def everywhere_labels(frame, merged=False):
    """Two objects of eight pixels, at a place of its own in each frame."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels.ravel()[frame % 700 : frame % 700 + 8] = 1
    labels.ravel()[800 + frame % 699 : 808 + frame % 699] = 1 if merged else 2
    return labels


def everywhere(clip):
    values = {"labelled": {}, "scores": {}}
    for frame in range(COUNT):
        entry = clip.frame_values(
            frame, everywhere_labels(frame), sure={1: 0.9, 2: 0.8}, durable=False
        )
        for table, rows in entry.items():
            values[table].update(rows)
    return values


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_clients_that_vanish_leave_nothing_behind(client, video):
    clip = client.studio.project.clip(video.rsplit("/", 1)[1])
    threads = threading.active_count()
    for _ in range(5):
        with httpx.stream("GET", f"{client.base_url}{video}/events") as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("data: ")
            until(lambda: clip.events.listeners == 1)
        until(lambda: clip.events.listeners == 0)
    assert threading.active_count() <= threads + 2


def test_a_server_ends_while_pages_listen(tmp_path, clip):
    with served(tmp_path / "project") as client:
        video = client.video(clip.folder)
        with httpx.stream("GET", f"{client.base_url}{video}/events") as answer:
            lines = answer.iter_lines()
            next(lines)
            begin = time.monotonic()
    assert time.monotonic() - begin < 10


def test_many_clients_at_once(client, video):
    """20 pages listen while another one works; each hears of everything."""
    heard = [[] for _ in range(20)]

    def listen(events):
        with httpx.stream("GET", f"{client.base_url}{video}/events", timeout=30) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    events.append(line)
                if len(events) == 4:
                    return

    threads = [threading.Thread(target=listen, args=[events]) for events in heard]
    for thread in threads:
        thread.start()
    until(lambda: all(heard))
    for index in range(3):
        client.done(f"{video}/paint", frame=index, object=1, kind="brush", points=[[9, 9]])
    for thread in threads:
        thread.join(20)
    assert all(events[1:] == heard[0][1:] and len(events) == 4 for events in heard)
