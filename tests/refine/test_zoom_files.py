"""Label maps of any program as what the zoom refines."""

import numpy as np

from vosjax.refine.zoom.files import given_frames, of_labels, one_hot

LABELS = np.zeros((6, 4, 5), np.uint8)
LABELS[:, 0, 0] = 3
LABELS[2:, 1, 1:3] = 200
FRAMES = np.arange(6 * 4 * 5 * 3, dtype=np.uint8).reshape(6, 4, 5, 3)


def read(index):
    return LABELS[index]


def test_a_mask_counts_as_given_where_it_was_or_where_it_appears_first():
    assert given_frames(read, 6, {}) == {3: (0,), 200: (2,)}
    assert given_frames(read, 6, {3: np.array([4, 0])}) == {3: (0, 4), 200: (2,)}
    assert given_frames(read, 6, {3: [], 7: [1]}) == {3: (0,), 200: (2,)}


def test_labels_become_probabilities_of_0_and_1():
    probs = one_hot(LABELS[2], np.uint8([0, 3, 200]))
    assert probs.dtype == np.float32 and probs.sum(0).min() == probs.sum(0).max() == 1
    np.testing.assert_array_equal(np.uint8([0, 3, 200])[probs.argmax(0)], LABELS[2])
    assert one_hot(LABELS[2], np.uint8([0, 3]))[0, 1, 1] == 1


def test_a_video_of_label_maps_has_their_objects():
    video = of_labels(lambda a, b: iter(FRAMES[a:b]), read, length=6, size=(4, 5))
    assert video.ids == (3, 200) and video.given == {3: (0,), 200: (2,)} and not video.soft
    np.testing.assert_array_equal(video.probs(1)[2], 0)
    assert [frame.tolist() for frame in video.frames(2, 4)] == FRAMES[2:4].tolist()
