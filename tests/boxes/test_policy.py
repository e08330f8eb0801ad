"""The online rules give the reference's figures: places, flags, memory weights and crops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import backbone_goldens as goldens

from vosjax.boxes import crop, policy
from vosjax.boxes.protocol import FLAGS
from vosjax.types import Size

FIRST, STRIDE, MIDDLE = 15, 16, 9


@pytest.fixture(scope="module")
def golden():
    return goldens.arrays("dimp/policy.npz")


def test_every_place_and_flag(golden):
    """24 score maps, with all four flags among them."""
    localise = jax.jit(policy.localise)
    flags = set()
    for scores, flag, translation, position, size, middle, scale in zip(
        *(
            golden[f"loc_{name}"]
            for name in (
                "maps",
                "flags",
                "translation_yx",
                "pos_yx",
                "target_sz_yx",
                "sample_pos_yx",
                "sample_scale",
            )
        )
    ):
        cell = STRIDE * scale
        peak = localise(scores, (position - middle) / cell + MIDDLE, size / cell)
        assert FLAGS[int(peak.flag)] == flag
        assert peak.score == scores.max()
        assert np.allclose((peak.cell - MIDDLE) * cell, translation, rtol=1e-5)
        flags.add(flag)
    assert flags == set(FLAGS)


def scores_with(*peaks):
    """A score map of 19 by 19 with (row, column, score)."""
    scores = np.zeros((19, 19), np.float32)
    for row, column, score in peaks:
        scores[row, column] = score
    return jnp.asarray(scores)


def test_the_second_place_is_the_object_if_it_alone_is_near():
    size = jnp.array([2.0, 2.0])
    peak = policy.localise(scores_with((1, 1, 1.0), (9, 10, 0.9)), jnp.array([9.0, 9.0]), size)
    assert FLAGS[int(peak.flag)] == "hard_negative"
    assert peak.cell.tolist() == [9, 10] and peak.score == 1


def test_a_peak_between_cells():
    rows, columns = np.mgrid[:19, :19]
    scores = 1 - 0.01 * ((rows - 8.7) ** 2 + (columns - 5.2) ** 2)
    shift = policy.between_cells(jnp.asarray(scores, jnp.float32), jnp.array([9, 5]))
    assert np.allclose(shift, [-0.3, 0.2], atol=1e-3)
    border = policy.between_cells(scores_with((0, 18, 1.0)), jnp.array([0, 18]))
    assert border.tolist() == [0, 0]


def test_weights_and_slots_of_sixty_samples(golden):
    """With hard negatives among them, until the memory is full and samples are replaced."""
    remember = jax.jit(policy.remember, static_argnames="first")
    weights, latest, used = jnp.asarray(golden["mem_weights"][0]), jnp.int32(-1), jnp.int32(FIRST)
    for after, slot, rate in zip(
        golden["mem_weights"][1:], golden["mem_replace"], golden["mem_lr"]
    ):
        weights, latest, used = remember(weights, latest, used, FIRST, jnp.float32(rate))
        assert latest == slot
        assert np.allclose(weights, after, atol=2e-7)
    assert used == policy.SLOTS


def test_the_first_frame_keeps_a_quarter_of_the_weight():
    weights = jnp.full(policy.SLOTS, 1 / policy.SLOTS)
    latest, used = jnp.int32(20), jnp.int32(policy.SLOTS)
    remember = jax.jit(policy.remember, static_argnames="first")
    for _ in range(120):
        weights, latest, used = remember(weights, latest, used, FIRST, jnp.float32(0.02))
        assert np.isclose(weights.sum(), 1, atol=1e-3)
    assert np.isclose(weights[:FIRST].sum(), 0.25, atol=0.03)


@pytest.mark.parametrize("case", range(5))
def test_crops_with_whole_borders(golden, case):
    """Inside and beyond the frame, with and without pixels left out."""
    *position, scale = golden[f"crop{case}_args"]
    window = crop.window_at(jnp.array(position), jnp.float32(scale), 96)
    start = window.offset + window.step * window.start
    borders = np.concatenate([start, start + window.step * window.length])
    assert borders.tolist() == golden[f"crop{case}_coord"][0].tolist()
    every = 96 // len(golden[f"crop{case}"])  # pixels of the crop from one stored to the next
    image = crop.cut(jnp.asarray(golden["crop_image_rgb"]), window, 96)
    assert np.allclose(image[::every, ::every], golden[f"crop{case}"], atol=2e-3)  # of 255


def test_boxes_in_a_crop(golden):
    y, x, height, width, middle_y, middle_x, scale = golden["iounet_box_case"]
    frame_of_crop = crop.CropPlace(jnp.array([middle_y, middle_x]), jnp.float32(scale))
    box = crop.box_in_crop(jnp.array([y, x]), jnp.array([height, width]), frame_of_crop, 288)
    assert np.allclose(box, golden["iounet_box"])
    position, size = crop.box_in_frame(box, frame_of_crop, 288)
    assert np.allclose(position, [y, x]) and np.allclose(size, [height, width])


def test_the_place_of_a_crop_is_where_its_pixels_come_from():
    """A frame that holds its own coordinates shows where each pixel of a crop was taken."""
    frame = np.stack(np.mgrid[:300, :400], -1).astype(np.float32)
    for scale in (0.4, 1.0, 3.3):
        window = crop.window_at(jnp.array([150.7, 201.2]), jnp.float32(scale), 64)
        frame_of_crop = crop.place_of(window, 64)
        taken = crop.cut(jnp.asarray(frame), window, 64)
        assert np.allclose(
            taken[20, 40],
            frame_of_crop.middle + (np.array([20, 40]) + 0.5 - 32) * frame_of_crop.scale,
            atol=1e-3,
        )


def test_boxes_and_positions():
    box = jnp.array([3.0, 5.0, 20.0, 10.0])
    position, size = crop.from_box(box)
    assert position.tolist() == [9.5, 12.5] and size.tolist() == [10, 20]
    assert crop.to_box(position, size).tolist() == box.tolist()
    mask = np.zeros((30, 40), bool)
    mask[5:15, 3:23] = True
    assert crop.box_of_mask(jnp.asarray(mask)).tolist() == box.tolist()
    assert not crop.box_of_mask(jnp.zeros((4, 4), bool)).any()


def test_an_object_keeps_a_fifth_inside():
    position = crop.stays_inside(jnp.array([-50.0, 500.0]), jnp.array([10.0, 20.0]), Size(100, 200))
    assert position.tolist() == [-3, 206]
