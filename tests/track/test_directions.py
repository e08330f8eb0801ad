"""Objects followed backward and forward from the frames in which they are given."""

import dataclasses
import itertools
import pathlib
import tempfile
import threading
import time
import warnings

import numpy as np
import pytest
from support import toy
from support.clips import clip
from support.films import write_film

import vosjax
from vosjax.errors import InputError
from vosjax.io.scores import ObjectScore
from vosjax.io.video import open_video
from vosjax.tracking.directions import Passes, given_frames, merge, plan_passes
from vosjax.tracking.frame import FrameOutput

FRAMES, LABELS = clip(frames=12, height=48, width=64, objects=2)
MODEL = toy.model(mem_every=2)


def only(t, *ids):
    """The mask of frame t with some of its objects."""
    return np.where(np.isin(LABELS[t], ids), LABELS[t], 0).astype(np.uint8)


def labels_of(masks, frames=FRAMES, **settings):
    return np.array([r.labels for r in vosjax.segment(frames, masks, model=MODEL, **settings)])


def iou(labels, truth, id):
    return ((labels == id) & (truth == id)).sum() / ((labels == id) | (truth == id)).sum()


# What is planned


@pytest.mark.parametrize(
    "direction, annotated, once, expected",
    [
        ("both", [0], False, Passes("forward", None)),
        ("both", [0, 7], False, Passes("both", 7)),
        ("both", [3], False, Passes("both", 3)),
        ("forward", [3, 7], False, Passes("forward", None)),
        ("backward", [3, 7], False, Passes("backward", 7)),
        ("backward", [0], False, Passes("backward", 0)),
        ("both", [0, 7], True, Passes("forward", None)),
        ("forward", [3], True, Passes("forward", None)),
    ],
)
def test_the_passes_over_a_video(direction, annotated, once, expected):
    assert plan_passes(direction, annotated, name="v", once=once) == expected


@pytest.mark.parametrize(
    "direction, annotated, words",
    [
        ("backward", [0], "v can be read once only, so objects are followed forward alone, not"),
        ("both", [3, 9], "followed forward alone: the frames before frame 3, the first with a"),
    ],
)
def test_what_a_source_that_is_read_once_cannot_do_is_told(direction, annotated, words):
    passes = plan_passes(direction, annotated, name="v", once=True)
    assert passes.direction == "forward" and words in passes.note


def test_an_unknown_direction_is_refused():
    with pytest.raises(InputError, match="direction is 'forwards'; there are both, forward, back"):
        vosjax.segment(FRAMES, LABELS[0], model=MODEL, direction="forwards")


# One backward pass


def test_backward_is_forward_in_a_video_that_is_turned_round():
    backward = labels_of({11: LABELS[11], 5: LABELS[5]}, direction="backward")
    turned = labels_of({0: LABELS[11], 6: LABELS[5]}, FRAMES[::-1], direction="forward")
    np.testing.assert_array_equal(backward, turned[::-1])


def test_after_the_last_given_frame_the_pass_backward_says_nothing():
    results = list(vosjax.segment(FRAMES, {4: LABELS[4]}, model=MODEL, direction="backward"))
    assert [result.index for result in results] == list(range(12))
    assert all(result.scores.keys() == {1, 2} for result in results[:5])
    assert not any(result.scores or result.labels.any() for result in results[5:])


# Both


def test_a_mask_in_the_middle_is_followed_to_both_sides():
    masks = {5: LABELS[5]}
    both = list(vosjax.segment(FRAMES, masks, model=MODEL))
    assert [result.index for result in both] == list(range(12))
    labels = np.array([result.labels for result in both])
    np.testing.assert_array_equal(labels[5:], labels_of(masks, direction="forward")[5:])
    np.testing.assert_array_equal(labels[:6], labels_of(masks, direction="backward")[:6])
    assert (labels == LABELS).mean() > 0.8
    assert all(result.scores.keys() == {1, 2} for result in both)


def test_a_mask_of_the_first_frame_alone_is_followed_as_ever(monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryDirectory", None)  # no backward pass, nothing is kept
    plain = labels_of({0: LABELS[0]})
    np.testing.assert_array_equal(plain, labels_of({0: LABELS[0]}, direction="forward"))
    tracker = vosjax.Tracker(MODEL, objects=2, capacity=6)
    for t, frame in enumerate(FRAMES):
        labels = tracker.step(frame, LABELS[0] if t == 0 else None).labels
        np.testing.assert_array_equal(labels, plain[t])


def test_masks_come_out_exactly_as_given():
    masks = {0: only(0, 1), 4: LABELS[4], 9: only(9, 2)}
    labels = labels_of(masks)
    for t, id in ((0, 1), (4, 1), (4, 2), (9, 2)):
        np.testing.assert_array_equal(labels[t] == id, masks[t] == id)


def test_an_object_that_is_given_late_is_followed_to_the_beginning():
    labels = labels_of({0: only(0, 1), 8: only(8, 2)})
    ious = np.array([[iou(labels[t], LABELS[t], id) for id in (1, 2)] for t in range(9)])
    assert ious.min() > 0.1 and ious.mean() > 0.5
    forward = labels_of({0: only(0, 1), 8: only(8, 2)}, direction="forward")
    assert not (forward[:8] == 2).any()
    np.testing.assert_array_equal(labels[8:], forward[8:])


def test_an_object_is_taken_from_the_given_frame_that_is_nearer():
    """From frame 0 forward and frame 10 backward: the first half of the one, then the other."""
    masks = {0: LABELS[0], 10: LABELS[10]}
    labels = labels_of(masks)
    np.testing.assert_array_equal(labels[:6], labels_of({0: LABELS[0]})[:6])
    np.testing.assert_array_equal(labels[6:11], labels_of(masks, direction="backward")[6:11])


def test_a_mask_beyond_the_end_of_a_stream_is_told_after_the_results():
    results = vosjax.segment(iter(FRAMES), {0: LABELS[0], 12: LABELS[1]}, model=MODEL)
    assert [next(results).index for _ in range(12)] == list(range(12))
    with pytest.raises(
        InputError, match=r"given for frame 12, the video ended after frame 11 \(it has 12\)"
    ):
        next(results)


def test_a_mask_beyond_the_end_of_a_file_that_counts_no_frames(tmp_path):
    film = write_film(tmp_path / "v.mkv", list(FRAMES))
    masks = {4: LABELS[4], 40: LABELS[5]}
    results = vosjax.segment(str(film), masks, model=MODEL)
    labels = np.array([next(results).labels for _ in range(12)])
    np.testing.assert_array_equal(labels, labels_of({4: LABELS[4]}, str(film)))
    with pytest.raises(InputError, match="given for frame 40, the video ended after frame 11"):
        next(results)


def unreadable(frame, times):
    """A video of FRAMES of which one cannot be read so many times."""
    video, left = open_video(FRAMES), [times]

    def stream(start=0):
        for index, image in enumerate(video.stream(start), start):
            if index == frame and left[0]:
                left[0] -= 1
                raise InputError(f"frame {frame} cannot be read")
            yield image

    return dataclasses.replace(video, stream=stream)


@pytest.mark.parametrize("times", [1, 2])
def test_a_frame_that_cannot_be_read_is_told_after_the_results_before_it(times, monkeypatch):
    """Even where it could be read the second time: the pass backward lacks what lies before."""
    masks = {2: LABELS[2], 9: LABELS[9]}
    forward = labels_of(masks, direction="forward")
    monkeypatch.setattr("vosjax.tracking.video.open_video", lambda video: video)
    results = vosjax.segment(unreadable(6, times), masks, model=MODEL)
    labels = [next(results).labels for _ in range(6)]
    np.testing.assert_array_equal(labels, forward[:6])
    with pytest.raises(InputError, match="frame 6 cannot be read"):
        next(results)


def test_a_generator_is_followed_forward_and_that_is_said():
    with pytest.warns(UserWarning, match="the frames before frame 3, the first with a mask, stay"):
        labels = labels_of({3: LABELS[3]}, iter(FRAMES))
    assert not labels[:3].any() and labels[3:].any((1, 2)).all()
    with warnings.catch_warnings(action="error"):
        labels_of({0: LABELS[0], 6: LABELS[6]}, iter(FRAMES))


def test_what_waits_for_the_pass_forward_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    results = vosjax.segment(FRAMES, {5: LABELS[5]}, model=MODEL)
    next(results)
    (folder,) = tmp_path.iterdir()
    assert len(list(pathlib.Path(folder).iterdir())) == 6
    results.close()
    assert not list(tmp_path.iterdir())


# Two answers as one


def output(labels, *ids):
    labels = np.array(labels, np.uint8)
    scores = {
        id: ObjectScore(
            id, 0.5 + id / 100, 0.1, int((labels == id).sum()), not (labels == id).any()
        )
        for id in ids
    }
    return FrameOutput(labels, scores)


def test_objects_that_one_pass_alone_knows_are_laid_together():
    annotated = {1: np.array([0]), 2: np.array([10])}
    merged = merge(3, output([[1, 1, 0, 0]], 1), output([[0, 2, 2, 0]], 2), annotated)
    assert merged.labels.tolist() == [[1, 1, 2, 0]]  # 1 is given nearer by
    assert [score.area for score in merged.scores.values()] == [2, 1]
    merged = merge(8, output([[1, 1, 0, 0]], 1), output([[0, 2, 2, 0]], 2), annotated)
    assert merged.labels.tolist() == [[1, 2, 2, 0]]


def test_every_object_has_its_own_nearest_frame():
    annotated = {1: np.array([0, 10]), 2: np.array([0, 4, 10])}
    forward, backward = output([[1, 0, 2, 0]], 1, 2), output([[0, 1, 0, 2]], 1, 2)
    assert merge(6, forward, backward, annotated).labels.tolist() == [[0, 1, 2, 0]]


def test_an_object_that_is_covered_by_another_is_absent():
    annotated = {1: np.array([0]), 2: np.array([3])}
    merged = merge(2, output([[1, 0]], 1), output([[2, 2]], 2), annotated)
    assert merged.labels.tolist() == [[2, 2]] and merged.scores[1].absent


def test_the_frames_in_which_objects_are_given():
    annotated = given_frames({7: LABELS[7], 2: only(2, 2)})
    assert {id: frames.tolist() for id, frames in annotated.items()} == {1: [7], 2: [2, 7]}


# A source that gives nothing any more


@pytest.mark.parametrize("leave", [lambda results: results.close(), lambda results: None])
def test_leaving_a_generator_whose_source_waits_does_not_hang(leave):
    wake = threading.Event()

    def frozen():
        yield from FRAMES[:5]
        wake.wait(60)

    results = vosjax.segment(frozen(), LABELS[0], model=MODEL)
    assert [result.index for result in itertools.islice(results, 4)] == [0, 1, 2, 3]
    begin = time.monotonic()
    leave(results)
    del results
    assert time.monotonic() - begin < 10
    wake.set()
