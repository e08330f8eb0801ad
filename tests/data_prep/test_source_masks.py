"""Masks of the sources' formats: every pixel and every id survives."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as coco
from support import dataset_layouts as layouts

from data_prep import masks
from vosjax.errors import InputError

quick = settings(max_examples=60, deadline=None)
MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 12)))


@quick
@given(MASKS)
def test_run_lengths_give_the_mask_back(mask):
    assert np.array_equal(masks.from_rle(layouts.counts(mask), mask.shape), mask)


@quick
@given(MASKS, st.booleans())
def test_compressed_run_lengths_give_the_mask_back(mask, as_bytes):
    text = layouts.compressed(layouts.counts(mask))
    assert np.array_equal(masks.from_rle(text.encode() if as_bytes else text, mask.shape), mask)


@quick
@given(st.lists(st.integers(0, 2**14), min_size=1, max_size=20).filter(sum))
def test_compressed_numbers_of_any_size(runs):
    size = sum(runs), 1
    text = layouts.compressed(runs)
    assert np.array_equal(masks.from_rle(text, size), masks.from_rle(runs, size))


def test_compressed_string_as_in_coco():
    # 6 off, 1 on, 40 off, 4 on, 5 off: written as 6, 1, 40, 4 - 1, 5 - 40.
    runs = [6, 1, 40, 4, 5]
    assert np.array_equal(masks.from_rle("61X13mN", (7, 8)), masks.from_rle(runs, (7, 8)))


@pytest.mark.parametrize("counts", [[3, 4], [10, -1, 3], "6", "X", "?"])
def test_wrong_run_lengths_are_refused(counts):
    with pytest.raises(InputError, match="damaged"):
        masks.from_rle(counts, (3, 4))


@quick
@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(1, 20))
def test_polygon_of_whole_pixels_is_that_rectangle(x, y, width, height):
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    truth = np.zeros((24, 30), bool)
    truth[y : y + height, x : x + width] = True
    assert np.array_equal(masks.from_polygons([corners], (24, 30)), truth)


def test_polygon_has_the_area_of_its_shape():
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    circle = np.stack([40 + 25.3 * np.cos(turn), 35 + 25.3 * np.sin(turn)], 1).reshape(-1)
    area = masks.from_polygons([circle], (70, 90)).sum()
    assert abs(area - np.pi * 25.3**2) < 0.01 * area


def test_polygons_are_filled_as_coco_fills_them():
    """Pixels on the outline count by COCO's rule, which is not that of their centres."""
    triangle = [1.2, 1.4, 8.7, 2.1, 3.3, 7.9]
    rle = coco.frPyObjects([triangle], 10, 12)
    assert np.array_equal(masks.from_polygons([triangle], (10, 12)), coco.decode(rle)[..., 0] > 0)


def test_polygons_beyond_the_image_are_cut_and_parts_are_joined():
    mask = masks.from_polygons(
        [[-9, -9, 3, -9, 3, 3, -9, 3], [8, 8, 99, 8, 99, 99, 8, 99], [1, 1]], (10, 12)
    )
    assert mask[:3, :3].all() and mask[8:, 8:].all() and mask.sum() == 9 + 8


@pytest.mark.parametrize("bad", [None, 5, {"counts": [1]}, {"counts": [4], "size": [2, 2]}])
def test_unknown_segmentations_are_refused(bad):
    with pytest.raises(InputError):
        masks.from_segmentation(bad, (10, 12))


@quick
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_palette_png_keeps_every_id(labels):
    with Image.open(io.BytesIO(masks.to_png(labels))) as image:
        assert image.mode == "P" and np.array_equal(np.array(image), labels)


def test_palette_is_that_of_davis():
    with Image.open(io.BytesIO(masks.to_png(np.ones((1, 1), np.uint8)))) as image:
        assert image.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


@quick
@given(arrays.arrays(np.int32, (4, 5), elements=st.integers(0, 20000)))
def test_renumbering_can_be_undone(labels):
    new, values = masks.renumbered(labels, void=(0, 200))
    table = np.zeros(256, np.int64)
    for i, value in values.items():
        table[i] = value
    void = np.isin(labels, (0, 200))
    assert np.array_equal(new == 255, void) and sorted(values) == list(range(1, len(values) + 1))
    assert np.array_equal(table[new][~void], labels[~void])


def test_more_objects_than_fit_are_refused():
    with pytest.raises(InputError, match="254"):
        masks.renumbered(np.arange(1, 301).reshape(3, 100))


def test_opencv_would_lose_the_ids():
    # Why masks are never decoded through colours.
    data = np.frombuffer(masks.to_png(np.full((2, 2), 3, np.uint8)), np.uint8)
    assert not (cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) == 3).any()
