"""The window of a frame that the interactive network sees: where it lies, cut out, pasted back."""

import numpy as np
import pytest

from vosjax.interactive import window
from vosjax.interactive.window import Window


def test_window_of_a_box_is_wider_than_its_longer_side():
    assert window.around((100, 50, 40, 20)) == Window(92, 32, 56)


def test_window_of_a_tiny_box_has_a_least_side():
    assert window.around((10, 10, 2, 2)) == Window(-5, -5, 32)


def test_window_of_a_whole_frame_reaches_beyond_its_shorter_side():
    assert window.whole(480, 854) == Window(0, -187, 854)


@pytest.mark.parametrize(
    "box, inside",
    [((0, 0, 10, 10), True), ((0, 0, 11, 10), False), ((-1, 0, 5, 5), False), ((3, 4, 7, 6), True)],
)
def test_whether_a_box_lies_inside(box, inside):
    assert Window(0, 0, 10).inside(box) is inside


def test_box_of_a_mask():
    mask = np.zeros((9, 12), bool)
    mask[2:5, 4:10] = True
    assert window.mask_box(mask) == (4, 2, 6, 3)
    assert window.mask_box(np.zeros((9, 12), bool)) is None


def test_window_of_the_frames_own_size_is_the_frame():
    frame = np.random.default_rng(0).integers(0, 256, (33, 33, 3)).astype(np.uint8)
    np.testing.assert_array_equal(window.cut(frame, Window(0, 0, 33), 33), frame)


def test_what_lies_beyond_the_frame_is_mean_grey_and_no_label():
    frame, labels = np.zeros((20, 20, 3), np.uint8), np.ones((20, 20), np.uint8)
    crop = window.cut(frame, Window(-20, 0, 20), 20)
    np.testing.assert_array_equal(crop, np.broadcast_to(window.OUTSIDE, (20, 20, 3)))
    assert (window.cut_labels(labels, Window(-20, 0, 20), 20, beyond=255) == 255).all()


def test_labels_of_an_enlarged_window_are_those_of_the_nearest_pixels():
    labels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    crop = window.cut_labels(labels, Window(1, 2, 2), 8, beyond=255)
    np.testing.assert_array_equal(crop, np.kron(labels[2:4, 1:3], np.ones((4, 4), np.uint8)))


def test_a_shrunk_window_averages_its_pixels():
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[::2, ::2] = frame[1::2, 1::2] = 200  # every other pixel
    crop = window.cut(frame, Window(0, 0, 64), 16)
    assert abs(crop.astype(int) - 100).max() <= 1


@pytest.mark.parametrize("seen", [Window(10, 5, 60), Window(-20, 12, 90), Window(30.5, -7.25, 47)])
def test_a_mask_comes_back_to_where_it_was_cut(seen):
    mask = np.zeros((64, 96), np.float32)
    mask[20:40, 36:60] = 1
    back = window.paste(window.cut_mask(mask, seen, 129), seen, 64, 96)
    assert np.count_nonzero((back > 0.5) != (mask > 0.5)) <= 0.02 * mask.sum()


def test_points_move_with_the_window():
    points = np.array([[92, 32], [148, 88]], np.float32)
    moved = window.to_window(points, Window(92, 32, 56), 257)
    np.testing.assert_allclose(moved, [[0, 0], [257, 257]])
