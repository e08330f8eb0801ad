"""The patches of a mask are those of the reference, whose order of ties is fixed to row-major."""

import pathlib

import numpy as np
import pytest

from vosjax.refine.boundary.boxes import boundary_boxes, boundary_rank, suppressed

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "bpr"
BOXES = np.load(GOLDENS / "patch_boxes.npz")
CASES = [(number, percent) for number in range(6) for percent in (15, 25, 55)]


def ellipse(height, width, *, centre=(0.5, 0.5), radii=(0.3, 0.3)):
    y, x = np.mgrid[:height, :width]
    at = ((y / height - centre[0]) / radii[0]) ** 2 + ((x / width - centre[1]) / radii[1]) ** 2
    return at < 1


@pytest.mark.parametrize("number", range(6))
def test_boundary_score_of_the_reference(number):
    mask = BOXES[f"mask{number}"] > 0
    assert np.array_equal(boundary_rank(mask) / np.float32(4.5), BOXES[f"boundary{number}"])


@pytest.mark.parametrize("number,percent", CASES)
def test_boxes_of_the_reference_in_its_order(number, percent):
    mask, expected = BOXES[f"mask{number}"] > 0, BOXES[f"dets{number}_{percent}"][:, :4]
    boxes = boundary_boxes(mask, threshold=percent / 100, reference_edges=True)
    assert np.array_equal(boxes, expected)


@pytest.mark.parametrize("number,percent", CASES)
def test_without_the_reference_s_edges_the_same_boxes_reach_the_last_row_and_column(
    number, percent
):
    mask, raw = BOXES[f"mask{number}"] > 0, BOXES[f"raw{number}_{percent}"][:, :4]
    boxes = boundary_boxes(mask, threshold=percent / 100)
    height, width = mask.shape
    limit = np.array([width - 64, height - 64])
    assert np.array_equal(boxes[:, :2], np.clip(raw[:, :2], 0, limit))
    assert np.array_equal(boxes[:, 2:] - boxes[:, :2], np.full((len(raw), 2), 64))


def test_an_object_at_the_last_row_and_column_has_a_patch_there():
    mask = ellipse(120, 150, centre=(1, 1))
    boxes = boundary_boxes(mask, threshold=0.55)
    assert boxes[:, 2].max() == 150 and boxes[:, 3].max() == 120
    reference = boundary_boxes(mask, threshold=0.55, reference_edges=True)
    assert reference[:, 2].max() == 149 and reference[:, 3].max() == 119


def test_kept_boxes_overlap_less_than_the_threshold():
    centres = boundary_boxes(np.pad(ellipse(300, 300), 64), threshold=0.25)[:, :2]
    between = centres[:, None] - centres[None]
    inside = (np.abs(between) < 64).all(-1) & ~np.eye(len(centres), dtype=bool)
    assert inside.any()
    assert not suppressed(64, 0.25)[63 + between[inside][:, 1], 63 + between[inside][:, 0]].any()


@pytest.mark.parametrize("shape", [(63, 200), (200, 63), (10, 10)])
def test_a_frame_without_room_for_a_patch_has_no_boxes(shape):
    assert boundary_boxes(ellipse(*shape), threshold=0.25).shape == (0, 4)


def test_an_empty_mask_has_no_boxes():
    assert boundary_boxes(np.zeros((100, 100), bool), threshold=0.25).shape == (0, 4)
