"""Marking in the studio: box, clicks, scribble, brush, eraser, polygon, clearing, pinning."""

import numpy as np
import pytest

BOX = [10, 10, 12, 12]


def inside(shape, x, y, width, height):
    mask = np.zeros(shape, bool)
    mask[y : y + height, x : x + width] = True
    return mask


def test_a_box_gives_the_object_a_mask_and_pins_the_frame(client, video):
    state = client.done(f"{video}/mark", frame=3, object=1, box=BOX)
    labels = client.labels(video, 3)
    assert state["pins"] == {"3": [1]}
    assert set(np.unique(labels)) == {0, 1}
    wrong = (labels == 1) ^ inside(labels.shape, *BOX)
    assert wrong.sum() <= 50, "a border of one pixel, by the window's resizing"
    assert state["scores"]["1"]["3"][1:] == [int((labels == 1).sum()), 0]


def test_further_clicks_go_on_from_the_answer_before(client, video):
    client.done(f"{video}/mark", frame=0, object=1, points=[[20, 20, True]])
    first = client.labels(video, 0) == 1
    client.done(f"{video}/mark", frame=0, object=1, points=[[20, 20, True], [40, 30, True]])
    second = client.labels(video, 0) == 1
    assert first.any() and second[30, 40] and second.sum() > first.sum()


def test_a_click_beside_a_propagated_mask_corrects_it(client, video, clip):
    client.done(
        f"{video}/paint",
        frame=5,
        object=1,
        kind="polygon",
        points=[[8, 8], [40, 8], [40, 30], [8, 30]],
    )
    before = client.labels(video, 5) == 1
    client.done(f"{video}/mark", frame=5, object=1, points=[[35, 20, False]])
    after = client.labels(video, 5) == 1
    assert not after[20, 35] and after[20, 12], "only what is around the click is taken away"
    assert after.sum() < before.sum()


def test_a_leak_into_another_object_is_taken_back_with_the_click_that_corrects_it(client, video):
    client.done(f"{video}/mark", frame=0, object=2, box=[40, 20, 10, 10])
    neighbour = client.labels(video, 0) == 2
    client.done(f"{video}/mark", frame=0, object=1, points=[[20, 20, True], [42, 22, True]])
    assert (client.labels(video, 0) == 2).sum() < neighbour.sum()
    client.done(f"{video}/mark", frame=0, object=1, points=[[20, 20, True]])
    assert ((client.labels(video, 0) == 2) == neighbour).all()


def test_strokes_mark_what_lies_along_them(client, video):
    strokes = [
        {"points": [[10, 20], [40, 20]], "inside": True},
        {"points": [[30, 40]], "inside": False},
    ]
    state = client.done(f"{video}/scribble", frame=0, object=1, strokes=strokes)
    labels = client.labels(video, 0)
    assert (labels[20, 12:38:8] == 1).all() and labels[40, 30] == 0
    assert state["undo"] == "scribble on frame 0"


def test_the_brush_paints_the_pixels_whose_centres_it_covers(client, video):
    client.done(
        f"{video}/paint",
        frame=1,
        object=2,
        kind="brush",
        points=[[20.5, 20.5], [30.5, 20.5]],
        radius=3,
    )
    labels = client.labels(video, 1)
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
    nearest = np.clip(x, 20, 30)
    assert ((labels == 2) == ((x - nearest) ** 2 + (y - 20) ** 2 <= 9)).all()


def test_the_eraser_takes_pixels_of_its_object_alone(client, video):
    square = [[10, 10], [30, 10], [30, 30], [10, 30]]
    other = [[30, 10], [50, 10], [50, 30], [30, 30]]
    client.done(f"{video}/paint", frame=1, object=1, kind="polygon", points=square)
    client.done(f"{video}/paint", frame=1, object=2, kind="polygon", points=other)
    state = client.done(
        f"{video}/paint", frame=1, object=1, kind="brush", points=[[30, 20]], radius=6, erase=True
    )
    labels = client.labels(video, 1)
    assert labels[20, 28] == 0 and labels[20, 32] == 2 and labels[12, 12] == 1
    assert state["pins"]["1"] == [1, 2]
    assert state["scores"]["1"]["1"][1] == (labels == 1).sum()


def test_clearing_removes_masks_and_pins(client, video):
    for id in (1, 2):
        client.done(f"{video}/mark", frame=2, object=id, box=[5 + 20 * id, 5, 10, 10])
    state = client.done(f"{video}/clear", frame=2, object=1)
    assert state["pins"] == {"2": [2]} and "2" not in state["scores"]["1"]
    assert set(np.unique(client.labels(video, 2))) == {0, 2}
    state = client.done(f"{video}/clear", frame=2)
    assert not state["pins"] and not state["labelled"] and state["scores"] == {"1": {}, "2": {}}


def test_pinning_accepts_what_is_there(client, video):
    client.done(f"{video}/mark", frame=0, object=1, box=BOX)
    client.done(f"{video}/propagate", frame=0)
    client.finished(video)
    assert client.done(f"{video}/pin", frame=6)["pins"] == {"0": [1], "6": [1]}


@pytest.mark.parametrize(
    ("route", "body", "line"),
    [
        ("mark", {"frame": 0, "object": 1}, "nothing says where the object is"),
        ("mark", {"frame": 0, "object": 1, "box": [0, 0, 0, 5]}, "box"),
        ("mark", {"frame": 0, "object": 1, "points": [[500, 5, True]]}, "outside of the frame"),
        ("mark", {"frame": 99, "object": 1, "box": BOX}, "there is no frame 99"),
        ("mark", {"frame": 0, "object": 7, "box": BOX}, "there is no object 7"),
        ("mark", {"frame": 0, "object": 1, "points": [[5, 5, False]]}, "nothing says where"),
        ("paint", {"frame": 0, "object": 1, "kind": "line", "points": [[1, 1]]}, "kind"),
        ("paint", {"frame": 0, "object": 1, "kind": "polygon", "points": [[1, 1]]}, "3 corners"),
        ("paint", {"frame": 0, "object": 1, "kind": "brush", "points": [[1e9, 1]]}, "far outside"),
        ("pin", {"frame": 0}, "there is no mask in frame 0"),
        ("propagate", {"frame": 0}, "nothing is marked in frame 0"),
        ("propagate", {"frame": 0, "direction": "up"}, "direction"),
        ("clear", {"frame": -1}, "frame"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_changes_nothing(
    client, video, route, body, line
):
    before = client.get(video).json()
    answer = client.post(f"{video}/{route}", json=body)
    assert 400 <= answer.status_code < 500
    assert line in answer.json()["error"] and "\n" not in answer.json()["error"]
    assert client.get(video).json() == before


def test_bodies_that_are_no_json_are_refused(client, video):
    for content in (b"{", b"[]", b'{"frame": NaN}', b"\xff\xfe", b""):
        answer = client.post(
            f"{video}/mark", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422 and answer.json()["error"]
