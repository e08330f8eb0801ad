"""The studio serves other programs, too: the API of `vosjax serve` below /v1, on the same port."""

import base64

import cv2
import numpy as np
import pytest
from support.studio import MODEL, served

import vosjax
from vosjax.server.config import ServeConfig
from vosjax.server.sessions import Sessions


@pytest.fixture
def client(tmp_path):
    with served(tmp_path / "project", sessions=Sessions(MODEL, ServeConfig(max_sessions=2))) as it:
        yield it


def test_a_program_tracks_in_a_session_while_the_page_is_served(client, clip):
    video = client.video(clip.folder)
    session = client.post("/v1/sessions", json={"objects": 2}).json()
    tracker = vosjax.Tracker(MODEL, objects=2)
    for index, frame in enumerate(clip.frames[:3]):
        mask = clip.labels[0].astype(np.uint8) if index == 0 else None
        body = {"image": coded(frame[..., ::-1])} | ({} if mask is None else {"mask": coded(mask)})
        answer = client.post(f"/v1/sessions/{session['id']}/frames", json=body)
        assert answer.status_code == 200, answer.text
        labels = base64.b64decode(answer.json()["labels"])
        np.testing.assert_array_equal(
            cv2.imdecode(np.frombuffer(labels, np.uint8), cv2.IMREAD_UNCHANGED),
            tracker.step(frame, mask).labels,
        )
    assert client.get(video).json()["labelled"] == {}  # a session is not of the project


def test_both_describe_themselves_and_refuse_in_one_line(client):
    assert "/v1/sessions" in client.get("/v1/openapi.json").json()["paths"]
    assert client.get("/v1/docs").status_code == 200
    missing = client.get("/v1/sessions/nothing-of-the-kind")
    assert missing.status_code in (404, 422) and list(missing.json()) == ["error"]
    unknown = client.get("/there-is-no-such-page")
    assert unknown.status_code == 404 and list(unknown.json()) == ["error"]


def coded(picture):
    return base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
