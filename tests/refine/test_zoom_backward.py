"""The box tracker runs backward through a clip, too, and both runs are averaged."""

import numpy as np
import pytest
from support.clips import COLOURS
from support.zooming import jaccard, small_toy, truth_of, video_of

from vosjax.boxes.protocol import HARD_NEGATIVE, NORMAL, NOT_FOUND, UNCERTAIN, BoxOutput, BoxTracker
from vosjax.refine.zoom import choose
from vosjax.refine.zoom.agreement import Seen
from vosjax.refine.zoom.backward import averaged, track_both_ways
from vosjax.refine.zoom.choose import Clip
from vosjax.refine.zoom.moments import centre_of, overlap
from vosjax.refine.zoom.places import find_places
from vosjax.refine.zoom.source import Tracking, survey
from vosjax.refine.zoom.stage import Zoom
from vosjax.tracking.crops import crop_segmenter

BOX = np.array([40.0, 30.0, 12.0, 8.0])
FAR = BOX + [90, 0, 0, 0]


def nearby_tracker(reach=25.0, seen=None):
    """Sees object 1 by its colour, if it is not farther from the last box than `reach` pixels."""

    def init(params, frame, box):
        return np.asarray(box)

    def step(params, state, frame):
        if seen is not None:
            seen.append(frame.shape)
        rows, columns = np.nonzero((np.asarray(frame) == COLOURS[1]).all(-1))
        if not len(rows):
            return state, BoxOutput(state, np.float32(0.1), np.int32(NOT_FOUND))
        box = np.float32([columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1])
        if np.linalg.norm(centre_of(box) - centre_of(state)) > reach:
            return state, BoxOutput(state, np.float32(0.1), np.int32(NOT_FOUND))
        return box, BoxOutput(box, np.float32(0.8), np.int32(NORMAL))

    return Tracking(BoxTracker(init, step, lambda state, box: np.asarray(box)), None)


def leaping():
    """An object that leaps in frame 6 while nothing is seen of it for a frame, and its first masks.

    The masks see it again from frame 11 on.
    """
    truth = truth_of(frames=16)
    moved = truth.copy()
    moved[6:][moved[6:] == 1] = 0
    moved[7:, 30:40, 200:210] = 1
    first = moved.copy()
    first[7:11][first[7:11] == 1] = 0
    return moved, first


def both_runs(video, clip, tracking):
    forward = survey(video, tracking).tracked[clip.id][clip.start : clip.stop]
    places = find_places(video, clip, forward)
    return forward, track_both_ways(video, clip, places, forward, tracking)


def test_the_run_backward_sees_what_the_run_forward_has_lost():
    truth, first = leaping()
    forward, both = both_runs(video_of(truth, first), Clip(1, 0, 16), nearby_tracker())
    assert {seen.flag for seen in forward[7:]} == {NOT_FOUND}
    assert [seen.flag for seen in both[7:11]] == [NORMAL] * 4
    for seen in both[7:11]:
        np.testing.assert_allclose(seen.box, [200, 30, 10, 10])
    assert both[15] == forward[15]  # from where it began
    assert [seen.flag for seen in both[1:6]] == [NORMAL] * 5  # by the run forward


def test_frames_between_are_refined_where_only_the_run_backward_sees_the_object():
    truth, first = leaping()
    model = small_toy(192)
    zoom = Zoom(
        video_of(truth, first), lambda objects: crop_segmenter(model, objects), nearby_tracker()
    )
    after = np.stack([frame.probs.argmax(0) for frame in zoom])
    assert jaccard(first[7:11], truth[7:11]) == 0
    assert jaccard(after[7:11], truth[7:11]) > 0.5
    assert zoom.counts["lost"] == 1  # where there is nothing to see


def test_it_sees_an_object_before_its_mask_was_given():
    truth = truth_of(frames=12)
    video = video_of(truth, truth, {1: (11,), 2: (0,)})
    forward, both = both_runs(video, Clip(1, 0, 12), nearby_tracker())
    assert forward == [None] * 12
    assert [seen.flag for seen in both[:11]] == [NORMAL] * 11 and both[11] is None


def test_without_a_reliable_frame_it_does_not_run():
    truth = truth_of(frames=8)
    first = truth.copy()
    first[1:][first[1:] == 1] = 0
    forward, both = both_runs(video_of(truth, first), Clip(1, 0, 8), nearby_tracker())
    assert both == forward


def test_no_more_frames_are_read_at_a_time_than_those_of_a_clip(monkeypatch):
    monkeypatch.setattr(choose, "LONGEST", 12)
    truth, reads, steps = truth_of(frames=24, step=(2, 1)), [], []
    video = video_of(truth, truth, reads=reads)
    model = small_toy(96)
    tracker = nearby_tracker(seen=steps)
    for _ in Zoom(video, lambda objects: crop_segmenter(model, objects), tracker):
        pass
    assert reads[0] == 24  # a frame at a time, forward
    assert len(reads) > 1 and max(reads[1:]) == 12
    assert len(steps) == 23 + 2 * 11  # once forward, and each clip backward


# The table of two runs, a row each.


def test_two_runs_that_agree_are_averaged_by_their_scores():
    box, score, flag = averaged(
        Seen(BOX, 0.9, NORMAL), Seen(BOX + [4, 0, 0, 0], 0.3, HARD_NEGATIVE)
    )
    np.testing.assert_allclose(box, BOX + [1, 0, 0, 0])
    assert score == pytest.approx(0.6) and flag == HARD_NEGATIVE


@pytest.mark.parametrize("flag", [UNCERTAIN, NOT_FOUND])
def test_the_run_that_sees_the_object_counts(flag):
    seen, blind = Seen(BOX, 0.4, NORMAL), Seen(FAR, 0.9, flag)
    assert averaged(seen, blind) is seen and averaged(blind, seen) is seen


@pytest.mark.parametrize("order", [1, -1])
def test_two_places_are_uncertain(order):
    runs = [Seen(BOX, 0.4, NORMAL), Seen(FAR, 0.9, NORMAL)][::order]
    box, score, flag = averaged(*runs)
    assert flag == UNCERTAIN and score == 0.9 and overlap(box, FAR) == 1


def test_where_neither_sees_it_the_run_forward_counts():
    forward = Seen(BOX, 0.2, NOT_FOUND)
    assert averaged(forward, Seen(FAR, 0.1, UNCERTAIN)) is forward
    assert averaged(None, Seen(FAR, 0.1, NOT_FOUND)).flag == NOT_FOUND
