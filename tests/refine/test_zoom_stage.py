"""Crop-then-zoom over a video: what is refined, what is left as it was, and what is counted."""

import functools

import numpy as np
import pytest
from support.zooming import HEIGHT, SIDE, WIDTH, cut_short, jaccard, small_toy, truth_of, video_of

from vosjax.boxes.protocol import NORMAL, NOT_FOUND, BoxOutput, BoxTracker
from vosjax.refine.zoom.choose import Clip
from vosjax.refine.zoom.moments import centre_of
from vosjax.refine.zoom.places import find_places
from vosjax.refine.zoom.source import Tracking
from vosjax.refine.zoom.stage import COUNTS, Zoom
from vosjax.tracking.crops import crop_segmenter

NETWORK = 192  # side of the crops that the network sees: four times the crop's


def segmenter(size=NETWORK):
    return functools.partial(crop_segmenter, small_toy(size))


def run(video, model=None):
    model = model or small_toy(NETWORK)
    zoom = Zoom(video, functools.partial(crop_segmenter, model))
    return np.stack([frame.probs.argmax(0) for frame in zoom]), zoom.counts


@pytest.fixture(scope="module")
def refined():
    """A clip whose first masks are cut short in every second frame: truth, first, refined."""
    truth = truth_of()
    first = cut_short(truth, range(3, 12, 2))
    return truth, first, *run(video_of(truth, first))


def test_masks_of_small_objects_become_better(refined):
    truth, first, after, counts = refined
    assert jaccard(after, truth) > jaccard(first, truth) + 0.05
    assert counts["objects"] == counts["clips"] == 1
    assert counts["frames"] == 13 and counts["trusted"] >= 10


def test_a_given_mask_and_large_objects_stay_as_they_were(refined):
    truth, _, after, _ = refined
    np.testing.assert_array_equal(after[0], truth[0])
    np.testing.assert_array_equal(after == 2, truth == 2)


def test_an_object_given_in_the_last_frame_is_refined_backward():
    truth = truth_of()
    first = cut_short(truth, range(2, 12, 2))
    after, counts = run(video_of(truth, first, {1: (13,), 2: (13,)}))
    assert jaccard(after, truth) > jaccard(first, truth) + 0.05
    assert counts["failed_cycle"] == 0


def test_a_video_without_small_objects_is_left_alone():
    truth, reads = truth_of(side=60), []
    video = video_of(truth, truth, reads=reads)
    zoom = Zoom(video, segmenter())
    for frame in zoom:
        np.testing.assert_array_equal(frame.probs, video.probs(frame.index))
        assert frame.boxes == {}
    assert zoom.counts == dict.fromkeys(COUNTS, 0) and reads == []


def test_a_lost_track_gives_the_first_mask_and_a_count():
    truth = truth_of(frames=16)
    first = truth.copy()
    first[7:11][first[7:11] == 1] = 0
    after, counts = run(video_of(truth, first))
    assert counts["lost"] == 4
    np.testing.assert_array_equal(after[7:11], first[7:11])


def test_an_object_that_leaves_the_frame_gives_the_first_mask_and_a_count():
    truth = truth_of(frames=22, start=(60, 100), step=(-5, 0))
    after, counts = run(video_of(truth, truth))
    gone = ~(truth == 1).any((1, 2))
    assert gone.sum() == 8
    assert counts["outside"] > 0 and counts["outside"] + counts["lost"] >= 5  # of the clip
    np.testing.assert_array_equal(after[gone], truth[gone])


def test_a_second_segmentation_that_is_wrong_is_rejected():
    truth = truth_of()
    model = small_toy(NETWORK)
    wrong = model._replace(params=model.params | {"gain": -model.params["gain"]})
    after, counts = run(video_of(truth, truth), wrong)
    np.testing.assert_array_equal(after, truth)
    assert counts["trusted"] == counts["halved"] == 0
    assert counts["rejected"] == counts["failed_cycle"] == 13


def test_crops_hold_the_object_lie_inside_and_are_read_a_clip_at_a_time(monkeypatch):
    truth, reads = truth_of(frames=24, step=(2, 1)), []
    monkeypatch.setattr("vosjax.refine.zoom.choose.LONGEST", 12)
    count = 0
    for frame in Zoom(video_of(truth, truth, reads=reads), segmenter(96)):
        x, y, side, _ = frame.boxes[1]
        assert 0 <= x <= WIDTH - side and 0 <= y <= HEIGHT - side
        assert (truth[frame.index] == 1)[y : y + side, x : x + side].sum() == SIDE * SIDE
        count += 1
    assert count == 24 and max(reads) == 12


def test_a_portrait_video_is_taken():
    truth = truth_of(side=8)[:, :, 20:170]
    after, counts = run(video_of(truth, cut_short(truth, [5])))
    assert counts["frames"] == 13 and after.shape == truth.shape


def test_a_video_without_objects_is_left_alone():
    truth = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    video = video_of(truth, truth)
    empty = video._replace(ids=(), given={}, probs=lambda index: video.probs(index)[:1])
    assert [frame.probs.min() for frame in Zoom(empty, segmenter(96))] == [1, 1, 1]


def test_a_mask_that_leaps_is_followed_with_less_confidence():
    truth = truth_of(frames=12)
    leapt = truth.copy()
    leapt[6:][leapt[6:] == 1] = 0
    leapt[6:, 20:30, 200:210] = 1
    tracked = find_places(video_of(leapt, leapt), Clip(1, 0, 12))
    confidence = [box.confidence for box in tracked.places]
    assert confidence[:6] == [0.7] * 6 and confidence[6] == 0.3 and confidence[-1] == 0.7
    np.testing.assert_allclose(centre_of(tracked.places[-1].box), [205, 25], atol=1e-6)


def seeing_tracker(truth, flag=NORMAL):
    """A box tracker that knows where object 1 is; its state is the index of the frame."""

    def init(params, frame, box):
        return 0

    def step(params, state, frame):
        rows, columns = np.nonzero(truth[state + 1] == 1)
        box = np.float32([columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1])
        return state + 1, BoxOutput(box, np.float32(0.9), np.int32(flag))

    return Tracking(BoxTracker(init, step, lambda state, box: state), None)


def test_an_object_that_its_masks_lost_is_found_where_the_tracker_sees_it():
    truth = truth_of(frames=16)
    first = truth.copy()
    first[9:][first[9:] == 1] = 0
    zoom = Zoom(video_of(truth, first), segmenter(), seeing_tracker(truth))
    after = np.stack([frame.probs.argmax(0) for frame in zoom])
    assert jaccard(first[9:], truth[9:]) == 0
    assert jaccard(after[9:], truth[9:]) > 0.5
    assert zoom.counts["lost"] == 0 and zoom.counts["frames"] == 15


def test_a_tracker_that_lost_it_too_leaves_the_first_masks():
    truth = truth_of(frames=16)
    first = truth.copy()
    first[9:][first[9:] == 1] = 0
    zoom = Zoom(video_of(truth, first), segmenter(96), seeing_tracker(truth, NOT_FOUND))
    after = np.stack([frame.probs.argmax(0) for frame in zoom])
    np.testing.assert_array_equal(after[9:], first[9:])
    assert zoom.counts["lost"] == 5  # those by which the clip reaches out
