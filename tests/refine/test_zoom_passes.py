"""The second segmentation of a clip: the orders of its frames, and what the segmenter is told."""

import numpy as np
import pytest
from support.clips import COLOURS
from support.zooming import small_toy

from vosjax.refine.zoom.passes import (
    Annotated,
    Crops,
    comes_back,
    orders,
    run_pass,
    segment_clip,
)
from vosjax.refine.zoom.segmenter import CropFrame
from vosjax.tracking.crops import crop_segmenter

SIZE = 64


def clip_of_crops(count=6, anchor=0, reliable=None, moving=2):
    """Crops of a square, object 2, that moves down; object 1 stands in a corner."""
    labels = np.zeros((count, SIZE, SIZE), np.uint8)
    for time in range(count):
        labels[time, 8 + moving * time : 32 + moving * time, 24:48] = 2
        labels[time, -16:, :16] = 1
    flags = np.ones(count, bool) if reliable is None else np.isin(np.arange(count), reliable)
    annotated = tuple((2,) if time == anchor else () for time in range(count))
    crops = Crops(COLOURS[labels], labels, flags, annotated, 2, 10.0)
    return crops, Annotated(crops.images[0], labels[0], anchor)


@pytest.mark.parametrize(
    "anchor,reliable,passes",
    [
        (-9, None, [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]]),  # a clip behind the annotated frame
        (-9, [0, 3], [[0, 1, 2, 3, 4, 5], [3, 2, 1, 0]]),
        (-9, [0], [[0, 1, 2, 3, 4, 5]]),  # with nothing to go back from
        (-9, [], [[0, 1, 2, 3, 4, 5]]),
        (0, [], [[0, 1, 2, 3, 4, 5]]),
        (3, [], [[3, 4, 5], [3, 2, 1, 0]]),  # one that holds it
        (3, [5], [[3, 4, 5], [5, 4, 3, 2, 1, 0]]),
        (12, None, [[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]]),  # one before it
        (12, [2, 4], [[5, 4, 3, 2, 1, 0], [2, 3, 4, 5]]),
        (12, [], [[5, 4, 3, 2, 1, 0]]),
    ],
)
def test_a_clip_is_segmented_from_the_given_mask_and_back_from_a_reliable_one(
    anchor, reliable, passes
):
    assert orders(*clip_of_crops(anchor=anchor, reliable=reliable)) == passes


def test_marked_objects_are_exactly_as_marked():
    crops, _ = clip_of_crops()
    segmenter = crop_segmenter(small_toy(SIZE), 2)
    frames = [CropFrame(crops.images[0], crops.labels[0], (1, 2)), CropFrame(crops.images[1])]
    first, second = segmenter.segment(frames)
    np.testing.assert_array_equal(first.argmax(0), crops.labels[0])
    assert first.shape == (3, SIZE, SIZE) and first.dtype == np.float32
    np.testing.assert_allclose(second.sum(0), 1, atol=1e-5)


def test_a_pass_finds_the_objects_of_the_annotated_crop_without_another_mask():
    crops, annotated = clip_of_crops(anchor=-9, reliable=[])
    blind = crops._replace(labels=np.zeros_like(crops.labels))
    probs = run_pass(crop_segmenter(small_toy(SIZE), 2), blind, annotated, range(6))
    for index in range(6):
        mask, truth = probs[index].argmax(0) == 2, crops.labels[index] == 2
        assert (mask & truth).sum() > 0.6 * (mask | truth).sum()


def test_an_object_that_enters_the_crop_has_a_label_of_its_own():
    crops, annotated = clip_of_crops(anchor=-9)
    crops.labels[:3][crops.labels[:3] == 1] = 0
    crops.images[:3] = COLOURS[crops.labels[:3]]
    alone = Annotated(crops.images[0], crops.labels[0], -9)
    probs = run_pass(crop_segmenter(small_toy(SIZE), 2), crops, alone, range(6))
    assert not (probs[2].argmax(0) == 1).any()
    np.testing.assert_array_equal(probs[3].argmax(0) == 1, crops.labels[3] == 1)
    assert (probs[5].argmax(0)[-16:, :16] == 1).mean() > 0.8


def test_given_masks_in_a_clip_are_kept():
    crops, annotated = clip_of_crops(anchor=3)
    probs = segment_clip(crop_segmenter(small_toy(SIZE), 2), crops, annotated)
    np.testing.assert_array_equal(probs[3].argmax(0) == 2, crops.labels[3] == 2)
    assert sorted(probs) == list(range(6))


def test_a_clip_of_the_same_object_comes_back_and_another_one_does_not():
    crops, annotated = clip_of_crops(anchor=-9)
    segmenter = crop_segmenter(small_toy(SIZE), 2)
    probs = segment_clip(segmenter, crops, annotated)
    assert comes_back(segmenter, crops, annotated, probs)
    elsewhere = {index: maps[[0, 2, 1]] for index, maps in probs.items()}
    assert not comes_back(segmenter, crops, annotated, elsewhere)
    nothing = {
        index: np.eye(3, dtype=np.float32)[0][:, None, None] + 0 * maps
        for index, maps in probs.items()
    }
    assert not comes_back(segmenter, crops, annotated, nothing)


def _of_two_slots():
    model = small_toy(SIZE)
    return model._replace(model=model.model._replace(vos=model.model.vos._replace(slots=2)))


def test_more_objects_than_slots_take_several_groups():
    segmenter = crop_segmenter(_of_two_slots(), 5)
    crops, _ = clip_of_crops()
    labels = np.where(crops.labels == 1, 5, crops.labels).astype(np.uint8)
    first, second = segmenter.segment(
        [CropFrame(crops.images[0], labels[0], (2, 5)), CropFrame(crops.images[1])]
    )
    np.testing.assert_array_equal(first.argmax(0), labels[0])
    assert (second.argmax(0)[-16:, :16] == 5).mean() > 0.8
