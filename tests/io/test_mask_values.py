"""What a mask's values mean: colours decide, black is background, nothing is lost silently."""

import numpy as np
import pytest
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.masks import read_mask, read_masks
from vosjax.io.palette import DAVIS, write_label_png

SIZE = (40, 60)
BLACK, WHITE, RED, GREEN, BLUE = (0, 0, 0), (255,) * 3, (255, 0, 0), (0, 255, 0), (0, 0, 255)


def squares(*ids):
    """Labels with one 9x9 square for each id, four in a row."""
    labels = np.zeros(SIZE, np.uint8)
    for i, value in enumerate(ids):
        labels[2 + 12 * (i // 4) :, 2 + 14 * (i % 4) :][:9, :9] = value
    return labels


def indexed(path, labels, *colours, **options):
    """A palette image whose pixels of id i show the i-th colour, stored at any index."""
    image = Image.fromarray(labels)
    image.putpalette(np.array(colours, np.uint8).tobytes())
    image.save(path, **options)
    return path


def painted(labels, *colours):
    return np.array(colours, np.uint8)[labels]


def same(masks, labels):
    np.testing.assert_array_equal(masks.labels[0], labels)


def partition(labels):
    """The objects of a mask without their ids."""
    return {(labels == i).tobytes() for i in np.unique(labels) if i}


# Palettes


@pytest.mark.parametrize("ending", ["png", "gif", "tif", "bmp"])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_palette_in_any_order_gives_what_rgb_gives(tmp_path, ending, order):
    """Black is background wherever it stands; [black, x, y] alone is told by its indices."""
    shown = squares(1, 2, 1)
    colours = [(BLACK, RED, BLUE)[i] for i in order]
    labels = np.argsort(order).astype(np.uint8)[shown]
    masks = read_masks(indexed(tmp_path / f"m.{ending}", labels, *colours))
    if order[0] == 0:
        same(masks, labels)
    else:
        same(masks, read_mask(painted(shown, BLACK, RED, BLUE)).labels)
        assert "id 1 is the colour (0, 0, 255), id 2 is the colour (255, 0, 0)" in masks.notes[1]


@pytest.mark.parametrize("method", [Image.Quantize.MEDIANCUT, Image.Quantize.FASTOCTREE])
def test_what_an_editor_indexes_is_what_it_shows(tmp_path, method):
    shown = painted(squares(1, 2, 3, 2), BLACK, RED, GREEN, BLUE)
    Image.fromarray(shown).quantize(8, method=method).save(tmp_path / "m.png")
    Image.fromarray(shown).convert("P").save(tmp_path / "web.png")  # a fixed palette
    for name in ("m.png", "web.png"):
        labels = read_masks(tmp_path / name).labels[0]
        assert partition(labels) == partition(read_mask(shown).labels)


def test_a_palette_without_black_is_told_by_its_indices_and_said(tmp_path):
    masks = read_masks(indexed(tmp_path / "m.png", squares(1, 2), GREEN, RED, BLUE))
    same(masks, squares(1, 2))
    assert "index 0 of its palette, (0, 255, 0), is the background" in masks.doubts[0]


def test_transparent_entries_are_background(tmp_path):
    labels = squares(1, 2)
    labels[labels == 0] = 3
    file = indexed(tmp_path / "m.png", labels, GREEN, RED, BLUE, GREEN, transparency=3)
    same(read_masks(file), squares(2, 1))  # as colours: blue, red
    file = indexed(tmp_path / "n.png", squares(1, 2, 3), BLACK, RED, BLUE, GREEN, transparency=3)
    same(read_masks(file), squares(1, 2))


def test_two_black_entries_are_refused_where_both_are_used(tmp_path):
    file = indexed(tmp_path / "m.png", squares(1, 2, 3), BLACK, RED, BLUE, BLACK)
    with pytest.raises(InputError, match="index 3 of its palette is black like index 0"):
        read_masks(file)


def test_a_black_entry_beside_an_unused_black_index_0_is_the_background(tmp_path):
    labels = squares(1, 2)
    labels[labels == 0] = 3
    same(read_masks(indexed(tmp_path / "m.png", labels, BLACK, RED, BLUE, BLACK)), squares(2, 1))


def test_a_palette_of_nothing_but_black_tells_by_its_indices(tmp_path):
    masks = read_masks(indexed(tmp_path / "m.png", squares(1, 2), BLACK, BLACK, BLACK))
    same(masks, squares(1, 2))
    assert masks.palette is None


def test_a_colour_keeps_its_id_where_palettes_differ(tmp_path):
    masks = read_masks(
        {
            0: indexed(tmp_path / "a.png", squares(1, 2), BLACK, RED, BLUE),
            5: indexed(tmp_path / "b.png", squares(1, 2), BLACK, BLUE, RED),
        }
    )
    same(masks, squares(2, 1))
    np.testing.assert_array_equal(masks.labels[5], squares(1, 2))
    assert "masks differ in their colours" in masks.doubts[0]


def test_an_rgb_mask_takes_the_ids_of_a_palette_that_has_its_colours(tmp_path):
    file = indexed(tmp_path / "a.png", squares(1, 2), BLACK, RED, BLUE)
    masks = read_masks({0: file, 5: painted(squares(1, 2), BLACK, BLUE, RED)})
    same(masks, squares(1, 2))
    np.testing.assert_array_equal(masks.labels[5], squares(2, 1))


def test_a_colour_that_no_palette_has_is_a_new_object(tmp_path):
    file = indexed(tmp_path / "a.png", squares(1, 2), BLACK, RED, BLUE)
    masks = read_masks({0: file, 5: painted(squares(1, 2), BLACK, GREEN, RED)})
    red, blue, green = masks.labels[0][5, 5], masks.labels[0][5, 20], masks.labels[5][5, 5]
    assert len({int(red), int(blue), int(green)}) == 3
    assert masks.labels[5][5, 20] == red


def test_an_anti_aliased_drawing_is_refused_as_a_palette_image_too(tmp_path):
    drawn = Image.new("RGB", (240, 160))
    drawn.paste(RED, (40, 40, 120, 121))
    soft = drawn.resize((90, 60), Image.Resampling.BICUBIC)
    soft.quantize(64).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="anti-aliased"):
        read_masks(tmp_path / "m.png")


def test_a_rim_that_one_blend_makes_is_said():
    """As an editor leaves it that has few colours to index a smoothed drawing with."""
    rim = np.zeros(SIZE, np.uint8)
    rim[9:31, 9:31] = 2
    rim[10:30, 10:30] = 1
    masks = read_masks(painted(rim, BLACK, RED, (125, 0, 0)))
    assert "1 of its values are thin and lie between others" in masks.doubts[0]


# One object


@pytest.mark.parametrize(
    "mask",
    [
        squares(1),
        squares(255),
        squares(1) > 0,
        squares(1).astype(np.int64),
        squares(1).astype(np.uint16) * 65535,
        painted(squares(1), BLACK, WHITE),
        painted(squares(1), BLACK, (9, 200, 30)),
        np.dstack([painted(squares(1), BLACK, WHITE), np.full(SIZE, 255, np.uint8)]),
        np.dstack([painted(squares(1), WHITE, WHITE), squares(255)]),
        np.dstack([painted(squares(1), BLACK, BLACK), squares(255)]),
        np.dstack([painted(squares(1), WHITE, BLACK), squares(255)]),
    ],
    ids=lambda mask: f"{mask.dtype} {list(np.unique(mask))} {mask.shape}",
)
def test_a_mask_of_two_values_is_object_one(tmp_path, mask):
    np.testing.assert_array_equal(read_mask(mask).labels, squares(1))
    if mask.dtype != np.int64:
        Image.fromarray(mask).save(tmp_path / "m.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png").labels, squares(1))


@pytest.mark.parametrize("ending", ["png", "tif", "gif", "bmp"])
@pytest.mark.parametrize("colours", [(BLACK, WHITE), (WHITE, BLACK), (BLACK, RED), (RED, BLACK)])
def test_a_palette_of_two_colours_is_object_one(tmp_path, ending, colours):
    labels = squares(1) if colours[0] == BLACK else 1 - squares(1)
    same(read_masks(indexed(tmp_path / f"m.{ending}", labels, *colours)), squares(1))


@pytest.mark.parametrize("level", [0, 90, 255])
def test_alpha_is_the_mask_of_a_grey_image_of_one_colour(tmp_path, level):
    image = Image.merge("LA", [Image.new("L", SIZE[::-1], level), Image.fromarray(squares(255))])
    image.save(tmp_path / "m.png")
    ids = np.unique(read_mask(tmp_path / "m.png").labels)
    assert len(ids) == 2 and ids[0] == 0


def test_a_grey_image_with_full_alpha_is_a_grey_image(tmp_path):
    """As the published DAVIS 2016 has one, bear/00077."""
    image = Image.merge("LA", [Image.fromarray(squares(255)), Image.new("L", SIZE[::-1], 255)])
    image.save(tmp_path / "m.png")
    same(read_masks(tmp_path / "m.png"), squares(1))


def test_black_is_the_background_of_a_white_page_and_that_is_said():
    masks = read_masks(255 - squares(255))
    same(masks, 1 - squares(1))
    assert (
        "id 1 has 97% of frame 0 and its border, though black is the background"
        in (masks.doubts[0])
    )
    masks = read_masks(painted(squares(1, 2), WHITE, BLACK, RED))
    assert "id 2 has 93% of frame 0" in masks.doubts[0]


@pytest.mark.parametrize(
    "mask",
    [
        painted(squares(1), RED, BLUE),
        painted(squares(1), WHITE, BLUE),
        painted(squares(1, 2), WHITE, BLUE, RED),
        np.where(squares(1), 255, 128).astype(np.uint8),
    ],
)
def test_paints_without_black_are_refused_where_one_looks_like_the_background(mask):
    with pytest.raises(InputError, match="holds no black"):
        read_mask(mask)


def test_other_colours_may_fill_the_whole_frame_and_that_is_said():
    labels = np.zeros(SIZE, np.uint8)
    labels[20:, :30], labels[20:, 30:] = 1, 2
    masks = read_masks(painted(labels, RED, GREEN, BLUE))
    assert "no background pixel" in masks.doubts[0]


def test_numbers_without_background_are_said():
    assert "id 1 has 97% of frame 0 and its border" in read_masks(1 + squares(1)).doubts[0]


def test_an_object_of_a_few_pixels_is_said():
    labels = squares(1)
    labels[30, 50] = 7
    assert "under 10 pixels: 7" in read_masks(labels).doubts[0]


def test_opaque_black_beside_transparency_is_background_and_said():
    colours = np.dstack([painted(squares(1, 2), BLACK, RED, BLACK), squares(255, 255)])
    masks = read_masks(colours)
    same(masks, squares(1))
    assert "81 black pixels are background" in masks.doubts[0]


def test_hidden_colours_are_nothing():
    colours = np.dstack([painted(squares(1, 2), BLACK, RED, GREEN), squares(255, 0)])
    same(read_masks(colours), squares(1))


def test_a_wholly_transparent_mask_holds_no_object():
    with pytest.raises(InputError, match="no object"):
        read_masks(np.dstack([painted(squares(1), BLACK, RED), squares()]))


# 255


@pytest.mark.parametrize("ids", [(127, 255), (50, 100, 255), (85, 170, 255), (254, 255)])
@pytest.mark.parametrize("store", [np.asarray, Image.fromarray, lambda a: a.astype(np.int32)])
def test_paints_beside_white_are_objects(ids, store):
    same(read_masks(store(squares(*ids))), squares(*ids))


@pytest.mark.parametrize("store", [np.asarray, Image.fromarray, lambda a: a.astype(np.int32)])
def test_numbers_beside_255_are_refused(store):
    with pytest.raises(InputError, match="void or an object"):
        read_masks(store(squares(1, 2, 255)))


def test_strays_of_a_lossy_file_beside_white_are_refused():
    """As a JPEG of quality 100 that was saved as PNG holds them."""
    for strays in ((1, 254), (254,), (253, 254), (1,)):
        labels = squares(255, 255)
        labels[2:11, 11 : 11 + len(strays)] = strays
        with pytest.raises(InputError):
            read_masks(labels)


def test_what_was_read_with_an_id_255_can_be_read_again(tmp_path):
    write_label_png(tmp_path / "m.png", read_mask(squares(127, 255)).labels)
    same(read_masks(tmp_path / "m.png"), squares(127, 255))


# Masks that do not go together


def test_numbers_and_colours_in_one_video_are_refused(tmp_path):
    write_label_png(tmp_path / "0.png", squares(1, 2))
    Image.fromarray(squares(1, 2)).save(tmp_path / "grey.png")
    colours = painted(squares(1, 2), BLACK, (200, 9, 9), (9, 9, 200))
    with pytest.raises(InputError, match="grey.png is a grey image and the mask of frame 4 is"):
        read_masks({0: tmp_path / "grey.png", 4: colours})


def test_numbers_and_davis_colours_go_together(tmp_path):
    masks = read_masks({0: squares(1, 2), 4: painted(squares(2, 1), *DAVIS[:3])})
    np.testing.assert_array_equal(masks.labels[4], squares(2, 1))


def test_a_grey_rgb_mask_has_the_ids_of_the_grey_mask():
    grey = squares(56, 128)  # both are colours of the DAVIS palette, too
    masks = read_masks({0: grey, 4: np.repeat(grey[..., None], 3, axis=2)})
    np.testing.assert_array_equal(masks.labels[0], masks.labels[4])


# The caller's arrays


@pytest.mark.parametrize("mask", [squares(1, 2), squares(1, 2).astype(np.uint16), squares(1) > 0])
def test_nothing_keeps_a_view_of_the_callers_array(mask):
    masks = read_masks(mask)
    before = masks.labels[0].copy()
    mask[:] = 0
    np.testing.assert_array_equal(masks.labels[0], before)
