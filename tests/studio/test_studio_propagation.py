"""Propagation in the studio: where masks go, what stays, what streams, what stops it."""

import contextlib
import json
import threading
import time

import numpy as np
import pytest
from support import clips
from support.studio import MODEL, encoded, write_frames

import vosjax
from vosjax.errors import InputError
from vosjax.io.video import open_video
from vosjax.io.video.random_access import scan
from vosjax.studio.annotations import InMemory
from vosjax.studio.following import Trackers, follow, plan_from
from vosjax.studio.passes import BACKWARD, FORWARD, Pass, plan

COUNT = 12


def planned(frame, direction, *, pins, made=lambda id, frame: False, ids=(1,), count=100, to=None):
    return plan(frame, direction, count=count, ids=ids, pins=pins, made=made, to=to)


def always(id, frame):
    return True


def test_an_object_goes_to_the_frame_before_the_next_one_it_is_pinned_in():
    pins = {10: [1], 40: [1], 5: [1]}
    assert planned(10, "forward", pins=pins) == [Pass(10, FORWARD, {1: 39})]
    assert planned(10, "backward", pins=pins) == [Pass(10, BACKWARD, {1: 6})]
    assert planned(40, "forward", pins=pins) == [Pass(40, FORWARD, {1: 99})]
    assert planned(5, "backward", pins=pins) == [Pass(5, BACKWARD, {1: 0})]


def test_a_frame_that_is_pinned_for_other_objects_stops_nobody():
    ways = planned(10, "forward", pins={10: [1, 2], 40: [2]}, ids=[1, 2])
    assert ways == [Pass(10, FORWARD, {1: 99, 2: 39})]
    assert ways[0].frames == range(11, 100)


def test_both_goes_to_the_middle_where_the_other_half_was_made_before():
    ways = planned(40, "both", pins={10: [1], 40: [1], 61: [1]}, made=always)
    assert ways == [Pass(40, FORWARD, {1: 50}), Pass(40, BACKWARD, {1: 26})]


def test_both_also_makes_the_other_half_from_its_own_frame_if_nothing_is_there():
    ways = planned(40, "both", pins={10: [1], 40: [1]})
    assert ways == [
        Pass(40, FORWARD, {1: 99}),
        Pass(40, BACKWARD, {1: 26}),
        Pass(10, FORWARD, {1: 25}),
    ]


def test_every_frame_between_two_pins_is_made_once():
    for gap in range(2, 9):
        for frame, pinned in ((20, 20 + gap), (20 + gap, 20)):
            ways = planned(frame, "both", pins={20: [1], 20 + gap: [1]})
            frames = [at for way in ways for at in way.frames if 20 < at < 20 + gap]
            assert sorted(frames) == list(range(21, 20 + gap)), (frame, pinned)


def test_a_last_frame_may_be_named():
    assert planned(10, "forward", pins={}, to=20)[0].limits == {1: 20}
    assert planned(10, "forward", pins={15: [1]}, to=20)[0].limits == {1: 14}
    with pytest.raises(InputError, match="does not lie backward"):
        planned(10, "backward", pins={}, to=20)


def run(known, access, frame, direction, **options):
    trackers = Trackers(MODEL, count=access.count)
    passes = plan_from(known, frame, direction, count=access.count, **options)
    made = []
    for step in follow(known, access, passes, trackers):
        result = step.combined(known)
        known.take(result)
        made.append(result.frame)
    return made


@pytest.fixture
def access(clip):
    return scan(open_video(clip.folder))


@pytest.mark.parametrize(
    ("frame", "direction"), [(0, "forward"), (5, "both"), (5, "forward"), (5, "backward")]
)
def test_one_pin_gives_what_segment_gives(access, clip, frame, direction):
    known = InMemory([1, 2])
    known.pin(frame, clip.labels[frame])
    made = run(known, access, frame, direction)
    results = vosjax.segment(
        str(clip.folder), {frame: clip.labels[frame]}, model=MODEL, direction=direction
    )
    expected = {result.index: result for result in results}
    assert len(made) == len(set(made)) and frame not in made
    for index in made:
        assert (known.maps[index] == expected[index].labels).all(), index
        for id, score in expected[index].scores.items():
            assert known.rows[index][id][1:] == (score.area, score.absent)
            assert known.rows[index][id][0] == pytest.approx(score.mean_probability)


@pytest.mark.slow
def test_the_embedded_default_gives_what_segment_gives(tmp_path):
    frames, labels = clips.clip(frames=4, height=64, width=96, objects=2)
    model, access = vosjax.load(), scan(open_video(frames))
    known = InMemory([1, 2])
    known.pin(1, labels[1])
    passes = plan_from(known, 1, "both", count=access.count)
    for step in follow(known, access, passes, Trackers(model, count=access.count)):
        known.take(step.combined(known))
    for result in vosjax.segment(frames, {1: labels[1]}, model=model):
        assert (known.maps[result.index] == result.labels).all()


def test_a_correction_changes_what_lies_between_its_neighbours_alone(access, clip):
    known = InMemory([1, 2])
    known.pin(0, clip.labels[0])
    run(known, access, 0, "forward")
    known.pin(8, clip.labels[8])
    before = dict(known.maps)
    known.pin(4, clip.labels[4])
    assert run(known, access, 4, "forward") == [5, 6, 7]
    assert run(known, access, 4, "backward") == [3, 2, 1]
    for index in (0, 8, 9, 10, 11):
        assert known.maps[index] is before[index], "not touched"


def test_an_object_that_was_not_corrected_keeps_its_pixels(access, clip):
    known = InMemory([1, 2])
    known.pin(0, clip.labels[0])
    run(known, access, 0, "forward")
    before = {index: labels == 1 for index, labels in known.maps.items()}
    known.pin(4, clip.labels[4], ids=[2])
    run(known, access, 4, "forward")
    for index in range(5, COUNT):
        now = known.maps[index]
        assert (now[before[index]] != 0).all()
        assert ((now == 1) | (now == 2))[before[index]].all()
        assert not ((now == 1) & ~before[index]).any()


def test_an_object_that_is_pinned_absent_stays_absent(access, clip):
    known = InMemory([1, 2])
    known.pin(0, clip.labels[0])
    run(known, access, 0, "forward")
    gone = np.where(clip.labels[4] == 2, 0, clip.labels[4]).astype(np.uint8)
    known.pin(4, gone, ids=[1, 2])
    run(known, access, 4, "forward")
    for index in range(5, COUNT):
        assert not (known.maps[index] == 2).any()
        assert known.rows[index][2] == (0.0, 0, True)
        assert (known.maps[index] == 1).any()


def test_a_pin_of_another_object_on_the_way_keeps_its_pixels_exactly(access, clip):
    known = InMemory([1, 2])
    known.pin(0, np.where(clip.labels[0] == 1, 1, 0).astype(np.uint8), ids=[1])
    known.pin(6, np.where(clip.labels[6] == 2, 2, 0).astype(np.uint8), ids=[2])
    made = run(known, access, 0, "forward")
    assert made == list(range(1, COUNT))
    assert ((known.maps[6] == 2) == (clip.labels[6] == 2)).all()
    assert (known.maps[6] == 1).any()


def test_objects_may_be_removed_and_frames_pinned_while_it_runs(access, clip):
    known = InMemory([1, 2])
    known.pin(0, clip.labels[0])
    passes = plan_from(known, 0, "forward", count=access.count)
    made = []
    for step in follow(known, access, passes, Trackers(MODEL, count=access.count)):
        result = step.combined(known)
        if result is None:
            continue
        known.take(result)
        made.append(result.frame)
        if result.frame == 2:
            known.pin(6, clip.labels[6])
        if result.frame == 3:
            known.objects -= {2}
    assert made == [1, 2, 3, 4, 5]
    assert (known.maps[3] == 2).any() and not (known.maps[4] == 2).any()


# Over HTTP.


def box_of(labels, id):
    rows, columns = np.nonzero(labels == id)
    return [int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]


def marked(client, video, clip, frame=0):
    for id in (1, 2):
        x, y, width, height = box_of(clip.labels[frame], id)
        corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
        client.done(f"{video}/paint", frame=frame, object=id, kind="polygon", points=corners)
    assert (client.labels(video, frame) == clip.labels[frame]).all()


def test_label_maps_over_http_are_those_of_segment(client, video, clip):
    marked(client, video, clip)
    client.done(f"{video}/propagate", frame=0, direction="forward")
    state = client.finished(video)
    assert (state["job"]["state"], state["job"]["done"]) == ("done", COUNT - 1)
    for result in vosjax.segment(str(clip.folder), clip.labels[0], model=MODEL):
        assert (client.labels(video, result.index) == result.labels).all()


def test_a_video_file_gives_the_same_in_both_directions(client, clip, tmp_path):
    path = encoded(tmp_path / "clip.mp4", clip.frames)
    video = client.video(path)
    client.done(f"{video}/objects")
    corners = [[10, 10], [30, 10], [30, 30], [10, 30]]
    client.done(f"{video}/paint", frame=6, object=1, kind="polygon", points=corners)
    client.done(f"{video}/propagate", frame=6, direction="both")
    client.finished(video)
    mask = client.labels(video, 6)
    for result in vosjax.segment(str(path), {6: mask}, model=MODEL):
        assert (client.labels(video, result.index) == result.labels).all()


@contextlib.contextmanager
def listening(client, video):
    """Collects the events of a video in a thread."""
    events, begun = [], threading.Event()

    def listen():
        with client.stream("GET", f"{video}/events") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line[6:]))
                    begun.set()
                    if events[-1].get("revision") == "end":
                        return

    thread = threading.Thread(target=listen)
    thread.start()
    assert begun.wait(10)
    yield events
    id = video.rsplit("/", 1)[1]
    client.studio.project.clip(id).events.send({"type": "state", "revision": "end"})
    thread.join(10)


def test_results_stream_as_they_are_made(client, video, clip):
    marked(client, video, clip)
    with listening(client, video) as events:
        client.done(f"{video}/propagate", frame=0)
        state = client.finished(video)
        time.sleep(0.2)
    maps = [event for event in events if event["type"] == "map"]
    assert [event["frame"] for event in maps] == list(range(1, COUNT))
    for event in maps:
        assert event["hash"] == state["labelled"][str(event["frame"])]
        assert event["scores"]["1"] == state["scores"]["1"][str(event["frame"])]
    jobs = [event for event in events if event["type"] == "job"]
    assert jobs[0]["state"] == "running" and jobs[-1]["state"] == "done"
    revisions = [event["revision"] for event in events if event["type"] == "state"]
    assert revisions[-2:] == [state["revision"], "end"]


class Gate:
    """A network's clip whose frames are handed out one by one."""

    def __init__(self, access):
        self.access, self.open = access, threading.Semaphore(0)
        self.count, self.video = access.count, access.video

    def __getattr__(self, name):
        return getattr(self.access, name)

    def in_order(self, indices):
        for frame in self.access.in_order(indices):
            self.open.acquire()
            yield frame


@pytest.fixture
def gate(client, video):
    frames = client.studio.project.clip(video.rsplit("/", 1)[1]).frames
    frames.access = Gate(frames.access)
    yield frames.access.open
    frames.access.open.release(1000)


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_stops_at_once_and_goes_on(client, video, clip, gate):
    marked(client, video, clip)
    client.done(f"{video}/propagate", frame=0)
    assert client.post(f"{video}/propagate", json={"frame": 0}).status_code == 409
    gate.release(6)
    until(lambda: client.get(video).json()["job"]["done"] >= 3)
    state = client.done(f"{video}/stop")
    assert state["job"]["state"] == "stopped" and state["undo"] == "forward from frame 0"
    gate.release(1000)
    time.sleep(0.2)
    after = client.get(video).json()
    assert after["labelled"] == state["labelled"], "nothing comes after the stop"
    last = max(map(int, state["labelled"]))
    client.done(f"{video}/propagate", frame=last)
    assert len(client.finished(video)["labelled"]) == COUNT
    assert client.done(f"{video}/undo")["labelled"] == state["labelled"]
    assert list(client.done(f"{video}/undo")["labelled"]) == ["0"]


def test_nothing_waits_for_a_propagation(client, video, clip, gate):
    marked(client, video, clip)
    client.done(f"{video}/propagate", frame=0)
    begin = time.monotonic()
    assert client.get(f"{video}/frames/7.jpg").status_code == 200
    state = client.done(f"{video}/paint", frame=7, object=1, kind="brush", points=[[5, 5]])
    assert state["job"]["state"] == "running"
    assert time.monotonic() - begin < 2
    gate.release(1000)
    state = client.finished(video)
    assert set(state["pins"]) == {"0", "7"}
    assert client.labels(video, 7)[5, 5] == 1, "what was painted meanwhile stays"


def test_undo_stops_what_runs_and_takes_it_back(client, video, clip, gate):
    marked(client, video, clip)
    client.done(f"{video}/propagate", frame=0)
    gate.release(6)
    until(lambda: client.get(video).json()["job"]["done"] >= 3)
    state = client.done(f"{video}/undo")
    assert state["job"]["state"] == "stopped" and list(state["labelled"]) == ["0"]


def test_a_frame_that_cannot_be_read_ends_it_with_a_line(client, video, clip):
    marked(client, video, clip)
    (clip.folder / "00005.png").write_bytes(b"no image any more")
    client.done(f"{video}/propagate", frame=0)
    state = client.finished(video)
    assert state["job"]["state"] == "failed" and "frame 5" in state["job"]["error"]
    assert set(state["labelled"]) == {"0", "1", "2", "3", "4"}, "what was made is kept"


def test_two_videos_are_propagated_at_the_same_time(client, video, clip, tmp_path):
    other = client.video(write_frames(tmp_path / "other", clip.frames[::-1]))
    for _ in range(2):
        client.done(f"{other}/objects")
    marked(client, video, clip)
    client.done(f"{other}/paint", frame=11, object=1, kind="brush", points=[[20, 20]], radius=6)
    client.done(f"{video}/propagate", frame=0)
    client.done(f"{other}/propagate", frame=11, direction="backward")
    assert len(client.finished(video)["labelled"]) == COUNT
    assert len(client.finished(other)["labelled"]) == COUNT


def test_a_second_propagation_compiles_nothing(client, video, clip):
    marked(client, video, clip)
    client.done(f"{video}/propagate", frame=0)
    client.finished(video)
    trackers, _ = client.studio.jobs.prepare(client.studio.project.clip(video.rsplit("/", 1)[1]))
    traces = trackers.new(2)
    client.done(f"{video}/objects")
    client.done(f"{video}/paint", frame=6, object=3, kind="brush", points=[[50, 40]], radius=4)
    client.done(f"{video}/paint", frame=6, object=1, kind="brush", points=[[20, 20]], radius=8)
    traces.compile(48, 64)
    before = traces.traces
    client.done(f"{video}/propagate", frame=6, direction="both")
    client.finished(video)
    assert traces.traces == before
