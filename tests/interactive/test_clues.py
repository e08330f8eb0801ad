"""Boxes, clicks and the mask so far as maps of the interactive network."""

import numpy as np

from vosjax.interactive.clues import BOX, INSIDE, MASK, OUTSIDE, Clicks, clue_maps, disc


def test_nothing_said_is_nothing_drawn():
    assert not clue_maps(33).any()


def test_box_covers_the_pixels_whose_centres_lie_in_it():
    maps = clue_maps(16, box=(2.4, 3.6, 5, 4))
    drawn = np.zeros((16, 16), bool)
    drawn[4:8, 2:7] = True
    np.testing.assert_array_equal(maps[..., BOX] == 1, drawn)
    assert not maps[..., [INSIDE, OUTSIDE, MASK]].any()


def test_clicks_are_discs_of_five_pixels_in_their_own_maps():
    clicks = Clicks(np.array([[10.5, 10.5], [20.5, 10.5]], np.float32), np.array([True, False]))
    maps = clue_maps(33, clicks=clicks)
    rows, columns = np.nonzero(maps[..., INSIDE])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 15, 5, 15)
    np.testing.assert_array_equal(maps[..., OUTSIDE], np.roll(maps[..., INSIDE], 10, axis=1))


def test_clicks_outside_of_the_window_are_left_out():
    clicks = Clicks(np.array([[-0.5, 4], [40, 4]], np.float32), np.array([True, True]))
    assert not clue_maps(33, clicks=clicks).any()


def test_two_clicks_that_overlap_are_one_area():
    clicks = Clicks(np.array([[10.5, 10.5], [12.5, 10.5]], np.float32), np.array([True, True]))
    assert clue_maps(33, clicks=clicks)[..., INSIDE].max() == 1


def test_the_mask_so_far_is_taken_as_it_is():
    mask = np.random.default_rng(0).random((17, 17), np.float32)
    np.testing.assert_array_equal(clue_maps(17, mask=mask)[..., MASK], mask)


def test_a_disc_has_the_area_of_a_circle():
    assert abs(int(disc(64, (32.5, 32.5)).sum()) - np.pi * 25) < 5
