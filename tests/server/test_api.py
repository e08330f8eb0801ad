"""The programs' API: sessions, frames, videos, prompts, streams and snapshots."""

import base64
import json
import re
import threading

import numpy as np
import pytest
from support import films
from support.served import MODEL, alone, answer, clip, labels_of, png, running, text

import vosjax
from vosjax.io.video import open_video
from vosjax.tracking.tracker import Tracker


def test_the_server_tells_what_it_is(client):
    facts = client.http.get("/v1").json()
    assert facts["version"] == vosjax.__version__ and facts["weights"] == "toy"
    assert facts["max_sessions"] == 40 and facts["batch"] == 4


def test_frames_are_labelled_as_by_a_tracker(client):
    video = clip()
    id = client.session()
    for index, ((frame, mask), labels) in enumerate(zip(video, alone(video))):
        told = client.send(id, frame, mask if index == 0 else None).json()
        assert told["frame"] == index and [s["object"] for s in told["scores"]] == [1]
        assert set(told["scores"][0]) == {
            "object",
            "mean_probability",
            "margin",
            "area",
            "absent",
        }
        assert (labels_of(base64.b64decode(told["labels"])) == labels).all()
    state = client.state(id)
    assert (state["frames"], state["objects"]) == (len(video), [1])
    assert (state["height"], state["width"]) == video[0][0].shape[:2]
    assert state["state_bytes"] > 0 and not state["waiting"]


def test_labels_come_as_a_picture_where_one_is_asked_for(client):
    (frame, mask), *_ = clip()
    id = client.session()
    client.http.post(f"/v1/sessions/{id}/prompt", json={"mask": text(png(mask))})
    told = client.http.post(
        f"/v1/sessions/{id}/frames", content=png(frame), headers={"accept": "image/png"}
    )
    assert told.headers["content-type"] == "image/png" and told.headers["x-frame"] == "0"
    assert (labels_of(told.content) == mask).all()


def test_a_prompt_waits_for_the_next_frame(client):
    (frame, mask), (after, _), *_ = clip()
    id = client.session()
    assert not client.labels(id, frame).any()
    told = client.http.post(f"/v1/sessions/{id}/prompt", json={"mask": text(png(mask))})
    assert told.status_code == 204 and client.state(id)["waiting"]
    assert (client.labels(id, frame) == mask).all()
    assert not client.state(id)["waiting"]
    assert client.labels(id, after).any()


def test_objects_are_added_corrected_and_removed(client):
    (frame, mask), (after, moved), *_ = clip()
    id = client.session(mem_every=1)
    client.labels(id, frame, mask)
    both = np.where(mask > 0, 1, 0).astype(np.uint8)
    both[:4, :8] = 9
    assert (client.labels(id, frame, both) == both).all()
    assert client.state(id)["objects"] == [1, 9]
    assert set(np.unique(client.labels(id, after, remove=[1]))) <= {0, 9}
    assert client.state(id)["objects"] == [9]
    assert (client.labels(id, after, moved, remove=[9]) == moved).all()


def test_boxes_and_points_mark_objects():
    frame = np.full((96, 128, 3), 40, np.uint8)
    frame[24:72, 40:88] = (220, 60, 50)
    with running() as client:
        id = client.session()
        boxed = client.labels(id, frame, boxes={"7": [38, 22, 52, 52]})
        assert set(np.unique(boxed)) == {0, 7} and (boxed[30:66, 46:82] == 7).mean() > 0.8
        pointed = client.labels(id, frame, points={"7": [[64, 48], [10, 10, False]]})
        assert pointed[48, 64] == 7 and pointed[10, 10] == 0
        told = client.send(id, frame, boxes={"7": [500, 500, 20, 20]})
        assert told.status_code == 422 and "outside" in told.json()["error"]


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "dog.mp4"
    films.write_film(path, [frame for frame, _ in clip()])
    return path


def test_a_video_is_labelled_while_it_is_read(client, film):
    images = list(open_video(film).frames())
    mask = clip()[0][1]
    id = client.session()
    client.http.post(f"/v1/sessions/{id}/prompt", json={"mask": text(png(mask))})
    with client.http.stream(
        "POST", f"/v1/sessions/{id}/video", content=film.read_bytes()
    ) as streamed:
        assert streamed.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in streamed.iter_lines()]
    expected = alone([(image, mask) for image in images])
    assert [line["frame"] for line in lines] == list(range(len(images)))
    for line, labels in zip(lines, expected, strict=True):
        assert (labels_of(base64.b64decode(line["labels"])) == labels).all()


def test_a_stream_answers_every_frame_in_its_order(client):
    video = clip(frames=9)
    id = client.session()
    with client.stream(id) as socket:
        socket.send(json.dumps({"mask": text(png(video[0][1]))}))
        for frame, _ in video:  # all at once: the answers still come in order
            socket.send(png(frame))
        answers = [answer(socket) for _ in video]
    assert [facts["frame"] for facts, _ in answers] == list(range(9))
    for (_, labels), expected in zip(answers, alone(video), strict=True):
        assert (labels == expected).all()


def test_a_frame_that_cannot_be_taken_does_not_end_a_stream(client):
    (frame, mask), *_ = clip()
    id = client.session()
    with client.stream(id) as socket:
        for data in (b"no picture", png(frame[:8]), png(frame)):
            socket.send(json.dumps({"mask": text(png(mask))}))
            socket.send(data)
        first, second, third = (answer(socket) for _ in range(3))
    assert first[0]["frame"] is None and "no picture" in first[0]["error"]
    assert "the frame is 48x8" in second[0]["error"]
    assert third[0]["frame"] == 0 and (third[1] == mask).all()


def test_a_session_goes_on_from_a_snapshot_bit_by_bit(client):
    video = clip(frames=8)
    expected = alone(video)
    first, second = client.session(), client.session()
    for index, (frame, mask) in enumerate(video[:4]):
        client.labels(first, frame, mask if index == 0 else None)
    saved = client.http.get(f"/v1/sessions/{first}/snapshot")
    assert saved.headers["content-type"] == "application/octet-stream"
    put = client.http.put(f"/v1/sessions/{second}/snapshot", content=saved.content)
    assert put.status_code == 200 and put.json()["frames"] == 4
    for id in (first, second):
        for (frame, _), labels in zip(video[4:], expected[4:], strict=True):
            assert (client.labels(id, frame) == labels).all()


def test_a_snapshot_is_that_of_a_tracker(client, tmp_path):
    tracker = Tracker(MODEL)
    (frame, mask), (after, _), *_ = clip()
    tracker.step(frame, mask)
    tracker.save(tmp_path / "mine.npz")
    id = client.session()
    path = f"/v1/sessions/{id}/snapshot"
    assert client.http.put(path, content=(tmp_path / "mine.npz").read_bytes()).status_code == 200
    assert (client.labels(id, after) == tracker.step(after).labels).all()


def test_a_waiting_prompt_is_not_lost_in_a_snapshot(client):
    id = client.session()
    client.http.post(f"/v1/sessions/{id}/prompt", json={"mask": text(png(clip()[0][1]))})
    told = client.http.get(f"/v1/sessions/{id}/snapshot")
    assert told.status_code == 409 and "prompt waits" in told.json()["error"]


def test_a_removed_session_is_gone(client):
    id = client.session()
    assert client.http.delete(f"/v1/sessions/{id}").status_code == 204
    assert client.http.get(f"/v1/sessions/{id}").status_code == 404
    assert client.http.delete(f"/v1/sessions/{id}").status_code == 404


def test_sessions_kept_in_a_folder_go_on_in_the_next_server(tmp_path):
    video = clip(frames=6)
    expected = alone(video)
    with running(keep=tmp_path) as client:
        id, other, gone = client.session(), client.session(), client.session()
        for index, (frame, mask) in enumerate(video[:3]):
            client.labels(id, frame, mask if index == 0 else None)
        client.http.post(f"/v1/sessions/{other}/prompt", json={"mask": text(png(video[0][1]))})
    with running(keep=tmp_path) as client:
        assert client.state(id)["frames"] == 3
        for (frame, _), labels in zip(video[3:], expected[3:], strict=True):
            assert (client.labels(id, frame) == labels).all()
        assert (client.labels(other, video[0][0]) == video[0][1]).all()
        client.http.delete(f"/v1/sessions/{gone}")
    with running(keep=tmp_path) as client:
        assert client.state(id)["frames"] == 6 and client.state(gone) is None


def test_a_frame_under_way_is_answered_when_the_server_ends(tmp_path):
    (frame, mask), *_ = clip()
    with running(keep=tmp_path) as client:
        id, told, gate = client.session(), [], threading.Event()
        client.running.sessions.device.call(gate.wait)
        sending = threading.Thread(target=lambda: told.append(client.send(id, frame, mask)))
        sending.start()
        while not client.running.sessions.get(id).users:
            pass
        client.running.server.should_exit = True
        gate.set()
        sending.join(60)
        assert told[0].status_code == 200
    assert (tmp_path / f"{id}.npz").is_file()


def test_the_page_of_the_api_names_no_other_address(client):
    index = client.http.get("/v1/docs").text
    parts = [client.http.get(f"/v1/docs/{name}") for name in ("page.js", "style.css")]
    assert all(part.status_code == 200 for part in parts)
    for page in (index, *(part.text for part in parts)):
        assert not re.search(r"\w+://|[\"'(]//", page) and "@import" not in page
    assert "<script>" not in index and " style=" not in index  # the policy forbids both


def test_the_description_names_every_route(client):
    described = client.http.get("/v1/openapi.json").json()
    session = "/v1/sessions/{id}"
    assert set(described["paths"]) == {
        "/v1",
        "/v1/sessions",
        session,
        *(f"{session}/{name}" for name in ("prompt", "frames", "video", "snapshot")),
    }
    frames = described["paths"][f"{session}/frames"]["post"]
    assert set(frames["requestBody"]["content"]) == {"image/jpeg", "image/png", "application/json"}
