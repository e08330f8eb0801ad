"""Overlays: which pixels are tinted and outlined."""

import numpy as np
import pytest

from vosjax.io.overlay import draw_boxes, overlay
from vosjax.io.palette import DAVIS


def test_overlay_leaves_the_background_and_outlines_objects():
    frame = np.full((20, 20, 3), 100, np.uint8)
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 5:15] = 1
    shown = overlay(frame, labels, alpha=0.5)
    assert (shown[labels == 0] == 100).all()
    assert shown[5, 5].tolist() == [128, 0, 0]
    assert shown[10, 10].tolist() == [114, 50, 50]
    assert (frame == 100).all()


def test_overlay_draws_a_line_between_touching_objects():
    labels = np.repeat(np.uint8([[1] * 5 + [2] * 5]), 10, axis=0)
    shown = overlay(np.zeros((10, 10, 3), np.uint8), labels, alpha=0.2)
    assert shown[5, 4].tolist() == [128, 0, 0] and shown[5, 5].tolist() == [0, 128, 0]
    assert shown[5, 1].tolist() == [26, 0, 0]


def test_overlay_takes_ids_of_any_size():
    labels = np.full((4, 4), 300, np.uint16)
    shown = overlay(np.zeros((4, 4, 3), np.uint8), labels, alpha=1)
    assert shown[0, 0].tolist() == DAVIS[44].tolist()
    with pytest.raises(ValueError, match="differ in size"):
        overlay(np.zeros((4, 5, 3), np.uint8), labels)


def test_boxes_are_drawn_in_the_colours_of_their_objects():
    frame = np.full((20, 30, 3), 100, np.uint8)
    shown = draw_boxes(frame, {2: (5, 4, 10, 8)})
    changed = (shown != frame).any(2)
    assert changed.sum() == 2 * 10 + 2 * 6
    assert changed[4, 5:15].all() and changed[11, 5:15].all() and not changed[5:11, 6:14].any()
    assert shown[4, 5].tolist() == DAVIS[2].tolist()
    assert (frame == 100).all()


def test_a_box_may_lie_outside_of_the_frame():
    frame = np.zeros((20, 30, 3), np.uint8)
    assert draw_boxes(frame, {1: (-5, -5, 60, 60)}).sum() == 0
    assert draw_boxes(frame, {}).sum() == 0
