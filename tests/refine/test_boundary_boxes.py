"""The patches of a mask are those of the reference, whose order of ties is fixed to row-major."""

import functools
import pathlib

import jax
import numpy as np
import pytest

from vosjax.refine.boundary.boxes import boundary_boxes, boundary_rank, suppressed
from vosjax.refine.boundary.traced_boxes import find_patches

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


@functools.cache
def program(**settings):
    return jax.jit(functools.partial(find_patches, **settings))


def traced(labels, searched, **settings):
    return program(**settings)(labels, searched)


@pytest.mark.parametrize("reference_edges,percent", [(True, 25), (True, 55), (False, 15)])
def test_the_compiled_search_finds_the_same_boxes(percent, reference_edges):
    settings = dict(threshold=percent / 100, reference_edges=reference_edges)
    for number in range(6):
        mask = BOXES[f"mask{number}"] > 0
        height, width = mask.shape
        mask = np.pad(mask, ((200 - height, 0), (0, 260 - width)))  # one size: one compilation
        patches = traced(mask.astype(np.int32), np.array([True]), places=64, **settings)
        boxes = boundary_boxes(mask, **settings)
        assert int(patches.total) == len(boxes) > 0
        assert np.array_equal(patches.corner[: len(boxes)], boxes[:, 1::-1])


def test_the_compiled_search_takes_object_after_object_and_only_those_wanted():
    labels = np.zeros((150, 200), np.int32)
    for slot, column in enumerate((0.2, 0.5, 0.8), 1):
        labels[ellipse(150, 200, centre=(0.5, column), radii=(0.4, 0.12))] = slot
    patches = traced(labels, np.array([True, False, True]), threshold=0.25, places=32)
    first, last = (boundary_boxes(labels == slot, threshold=0.25) for slot in (1, 3))
    count = int(patches.total)
    assert np.array_equal(patches.corner[:count], np.concatenate([first, last])[:, 1::-1])
    assert patches.object[:count].tolist() == [0] * len(first) + [2] * len(last)


def test_patches_beyond_the_room_are_counted():
    mask = ellipse(200, 200)
    boxes = boundary_boxes(mask, threshold=0.55)
    patches = traced(mask.astype(np.int32), np.array([True]), threshold=0.55, places=5)
    assert int(patches.total) == len(boxes) > 5
    assert np.array_equal(patches.corner, boxes[:5, 1::-1])
