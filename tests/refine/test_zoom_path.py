"""The path of a crop: one side, smooth origins, inside the frame."""

import numpy as np
import pytest

from vosjax.refine.zoom.moments import from_centre
from vosjax.refine.zoom.path import crop_path, crop_side, smooth, split_by_size

SIZE = (480, 854)


def boxes(centres, side=(30.0, 20.0)):
    return np.stack([from_centre(centre, side) for centre in centres])


def line(count, start=(300.0, 200.0), step=(2.0, 1.0)):
    return np.array(start) + np.arange(count)[:, None] * np.array(step)


@pytest.mark.parametrize("longer,side", [(30, 120), (10, 96), (200, 480)])
def test_the_crop_is_four_times_the_object_between_96_pixels_and_the_short_side(longer, side):
    assert crop_side([[0, 0, longer, 5]] * 3, SIZE) == side


def test_lengths_grow_with_the_frame():
    assert crop_side([[0, 0, 10, 5]], (960, 1708)) == 192


def test_one_box_that_is_too_large_does_not_widen_the_crop():
    own = np.tile([0.0, 0, 30, 20], (100, 1))
    own[40] = [0, 0, 90, 90]
    assert crop_side(own, SIZE) == 120


def test_a_steady_path_stays_where_it_is():
    centres = line(30)
    np.testing.assert_allclose(smooth(centres, np.ones(30))[9:-9], centres[9:-9], atol=1e-9)


def test_a_leap_of_one_frame_is_taken_out():
    centres = line(21, step=(0, 0))
    leaping = centres.copy()
    leaping[10] += 80
    np.testing.assert_allclose(smooth(leaping, np.ones(21)), centres)


def test_frames_without_confidence_follow_their_neighbours():
    centres, confidence = line(21, step=(0, 0)), np.ones(21)
    centres[8:11] += 50
    confidence[8:11] = 0
    np.testing.assert_allclose(smooth(centres, confidence)[8:11], centres[:3])


def test_frames_without_a_confident_neighbour_keep_their_place():
    centres = line(9)
    np.testing.assert_allclose(smooth(centres, np.zeros(9)), centres)


def test_the_path_is_smoother_than_the_boxes():
    shaking = line(40) + np.random.default_rng(0).normal(0, 4, (40, 2))
    path = smooth(shaking, np.ones(40))
    assert (
        np.abs(np.diff(path, 2, axis=0)).mean() < 0.1 * np.abs(np.diff(shaking, 2, axis=0)).mean()
    )


def test_crops_hold_the_enlarged_box():
    centres = line(30, step=(0, 0))
    centres[15:] += [70, 0]
    own = boxes(centres)
    path = crop_path(own, own, np.ones(30), SIZE)
    room = 0.25 * own[:, 2:] - 1  # of 1.5 times the box, less the rounding of origins
    assert (path.origins <= own[:, :2] - room).all()
    assert (path.origins + path.side >= own[:, :2] + own[:, 2:] + room).all()
    assert path.side == 120 and path.origins.dtype == np.int32


def test_crops_stay_inside_the_frame():
    own = boxes([(3, 4), (850, 478)] * 10)
    path = crop_path(own, own, np.ones(20), SIZE)
    assert (path.origins >= 0).all()
    assert (path.origins + path.side <= SIZE[::-1]).all()
    assert path.inside.all()


def test_crops_grow_up_to_twofold_for_boxes_that_disagree_in_many_frames():
    own = boxes(line(30, step=(0, 0)))
    held = own.copy()
    held[10:14] = own[10:14] + [-60, -60, 150, 150]
    path = crop_path(own, held, np.ones(30), SIZE)
    assert crop_side(own, SIZE) == 120 and path.side == 180
    assert (path.origins[10:14] <= held[10:14, :2]).all()
    assert (path.origins[10:14] + path.side >= held[10:14, :2] + held[10:14, 2:]).all()
    held[10:14, 2:] += 100
    assert crop_path(own, held, np.ones(30), SIZE).side == 240


def test_boxes_that_disagree_in_one_frame_move_no_side_and_the_object_stays_inside():
    own = boxes(line(30, step=(0, 0)))
    held = own.copy()
    held[10] = own[10] + [-200, 0, 200, 0]
    path = crop_path(own, held, np.ones(30), SIZE)
    assert path.side == 120
    assert (path.origins <= own[:, :2]).all()
    assert (path.origins + path.side >= own[:, :2] + own[:, 2:]).all()


def test_an_object_outside_the_frame_is_told():
    own = boxes([(400, 200)] * 5 + [(-3, 200)] * 5)
    assert crop_path(own, own, np.ones(10), SIZE).inside.tolist() == [True] * 5 + [False] * 5


def test_a_clip_is_split_where_the_object_has_doubled():
    own = boxes(line(60))
    own[:, 2:] *= np.linspace(1, 3, 60)[:, None]
    parts = split_by_size(own)
    assert [parts[0][0], parts[-1][1]] == [0, 60] and len(parts) == 2
    for start, stop in parts:
        longer = own[start:stop, 2:].max(1)
        assert longer.max() <= 2.2 * longer.min()


def test_a_steady_object_is_one_clip_and_parts_are_never_shorter_than_five_frames():
    assert split_by_size(boxes(line(30))) == [(0, 30)]
    own = boxes(line(20))
    own[:, 2:] *= (3.0 ** np.arange(20))[:, None]
    assert min(stop - start for start, stop in split_by_size(own)) >= 5
