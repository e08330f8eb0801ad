"""Files of masks: formats, several masks in one, and what is refused or damaged."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from support.mask_files import (
    PAGES,
    SIZE,
    by_frame,
    no_word_but_the_error,  # noqa: F401
    palette_image,
    squares,
)

from vosjax.errors import InputError
from vosjax.io.masks import read_mask, read_masks
from vosjax.io.palette import DAVIS, decode_labels, write_label_png

# Formats

EXACT = {
    "png": {},
    "tif": {},
    "bmp": {},
    "webp": {"lossless": True},
    "ppm": {},
    "qoi": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "deflate.tif": {"compression": "tiff_adobe_deflate"},
    "packbits.tif": {"compression": "packbits"},
}


@pytest.mark.parametrize("ending", EXACT)
def test_exact_formats_are_read_exactly(tmp_path, ending):
    colours = DAVIS[squares(1, 2, 3)]
    Image.fromarray(colours).save(tmp_path / f"m.{ending}", **EXACT[ending])
    np.testing.assert_array_equal(read_mask(tmp_path / f"m.{ending}").labels, squares(1, 2, 3))


@pytest.mark.parametrize("ending", ["png", "tif", "bmp", "pgm"])
def test_grey_ids_are_read_exactly(tmp_path, ending):
    Image.fromarray(squares(1, 2, 30)).save(tmp_path / f"m.{ending}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"m.{ending}").labels, squares(1, 2, 30))


LOSSY = {
    "jpg": {"quality": 100},
    "jpeg": {"quality": 30},
    "webp": {"quality": 100},
    "jp2": {},
    "avif": {"quality": 100},
    "tif": {"compression": "jpeg"},
}


@pytest.mark.parametrize("ending", LOSSY)
@pytest.mark.parametrize("mask", [squares(255), squares(1, 2), DAVIS[squares(1, 2)]])
def test_files_stored_with_loss_are_refused_whatever_they_hold(tmp_path, ending, mask):
    Image.fromarray(mask).save(tmp_path / f"m.{ending}", **LOSSY[ending])
    with pytest.raises(InputError, match=f"m.{ending} is stored with loss .*PNG"):
        read_mask(tmp_path / f"m.{ending}")
    with pytest.raises(InputError, match="stored with loss"):
        decode_labels(tmp_path / f"m.{ending}")


def test_the_content_tells_the_format_not_the_ending(tmp_path):
    Image.fromarray(squares(255)).save(tmp_path / "a.jpg", "JPEG")
    os.rename(tmp_path / "a.jpg", tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png is stored with loss .JPEG"):
        read_mask(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", squares(3))
    os.rename(tmp_path / "b.npy", tmp_path / "b.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png").labels, squares(3))


def test_lossy_animations_are_refused(tmp_path):
    pages = [Image.fromarray(DAVIS[squares(1)]), Image.fromarray(DAVIS[squares(2)])]
    pages[0].save(tmp_path / "m.webp", save_all=True, append_images=pages[1:], lossless=False)
    with pytest.raises(InputError, match="lossy WebP"):
        read_masks(tmp_path / "m.webp")


@pytest.mark.parametrize(
    "start, kind",
    [
        (b"8BPS", "Photoshop"),
        (b"gimp xcf v011", "GIMP"),
        (b"<svg xmlns=", "SVG"),
        (b"<?xml version=", "XML"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe", "PostScript"),
        (b"\x80\x04\x95", "pickled"),
        (b"\x00\x00\x00\x18ftypmp42", "video"),
        (b"\x1aE\xdf\xa3", "video"),
    ],
)
def test_other_kinds_are_named_with_a_way_out(tmp_path, start, kind):
    (tmp_path / "mask.any").write_bytes(start + bytes(200))
    with pytest.raises(InputError, match=f"mask.any is .*{kind}.*PNG"):
        read_mask(tmp_path / "mask.any")


def test_floats_are_refused(tmp_path):
    Image.fromarray(squares(1).astype(np.float32)).save(tmp_path / "m.tif")
    with pytest.raises(InputError, match="floating-point"):
        read_mask(tmp_path / "m.tif")
    for kind in (np.float16, np.float32, np.float64):
        with pytest.raises(InputError, match="float.*expected.*astype"):
            read_mask(squares(1).astype(kind))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_a_mask_is_turned_as_viewers_show_it(tmp_path, ending, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(squares(9, 0, 7, 5)).save(tmp_path / f"m.{ending}", exif=exif, **options)
    Image.fromarray(squares(9, 0, 7, 5)).save(tmp_path / "shown.png", exif=exif)
    with Image.open(tmp_path / "shown.png") as image:
        shown = np.array(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_mask(tmp_path / f"m.{ending}", size=shown.shape)[0], shown)


def test_swapped_sides_are_told_apart_from_another_size(tmp_path):
    write_label_png(tmp_path / "m.png", squares(1))
    with pytest.raises(InputError, match="m.png is 30x20, the video is 20x30.*sides are swapped"):
        read_mask(tmp_path / "m.png", size=SIZE[::-1])


def test_sixteen_bits_a_channel_are_read_where_eight_tell_the_colours_apart(tmp_path):
    colours = np.uint16([(0, 0, 0), (65535, 0, 0), (0, 0, 32896)])
    cv2.imwrite(str(tmp_path / "m.png"), colours[squares(1, 2)][..., ::-1])
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png").labels, squares(2, 1))
    colours[2] = (65534, 0, 0)
    cv2.imwrite(str(tmp_path / "m.png"), colours[squares(1, 2)][..., ::-1])
    with pytest.raises(InputError, match="16 bits a colour channel"):
        read_mask(tmp_path / "m.png")
    cv2.imwrite(str(tmp_path / "m.tif"), colours[squares(1, 2)][..., ::-1])
    with pytest.raises(InputError, match="16 bits a colour channel"):
        read_mask(tmp_path / "m.tif")


def test_a_pgm_whose_values_would_be_stretched_is_refused(tmp_path):
    (tmp_path / "m.pgm").write_bytes(b"P5 # ids\n30 20\n2\n" + squares(1, 2).tobytes())
    with pytest.raises(InputError, match="greatest value 2"):
        read_mask(tmp_path / "m.pgm")


def test_a_pillow_image_is_read_as_its_file_is(tmp_path):
    labels, palette = read_mask(palette_image(squares(3, 4)))
    np.testing.assert_array_equal(labels, squares(3, 4))
    np.testing.assert_array_equal(palette, DAVIS)
    Image.fromarray(squares(255)).save(tmp_path / "m.jpg")
    with Image.open(tmp_path / "m.jpg") as image:
        with pytest.raises(InputError, match="stored with loss"):
            read_mask(image)


# Several masks in one file


@pytest.mark.parametrize("ending", ["tif", "gif", "png"])
def test_every_page_is_the_mask_of_a_frame(tmp_path, ending):
    first, *rest = map(palette_image, PAGES)
    first.save(tmp_path / f"m.{ending}", save_all=True, append_images=rest)
    masks = read_masks(tmp_path / f"m.{ending}", size=SIZE, count=10)
    assert by_frame(masks) == {0: [1], 2: [1, 2]}
    assert masks.notes[1] == "masks without an object say nothing, frames: 1"


def test_every_frame_of_an_animated_webp_is_the_mask_of_a_frame(tmp_path):
    first, *rest = [Image.fromarray(DAVIS[page]) for page in PAGES]
    first.save(tmp_path / "m.webp", save_all=True, append_images=rest, lossless=True)
    assert by_frame(read_masks(tmp_path / "m.webp")) == {0: [1], 2: [1, 2]}


def test_the_still_picture_of_an_animated_png_is_no_frame(tmp_path):
    first, *rest = map(palette_image, [squares(5), *PAGES])
    first.save(tmp_path / "m.png", save_all=True, append_images=rest, default_image=True)
    assert by_frame(read_masks(tmp_path / "m.png")) == {0: [1], 2: [1, 2]}


def test_the_colours_of_a_gif_keep_their_ids_over_its_frames(tmp_path):
    colours = np.uint8([(0, 0, 0), (255, 0, 0), (0, 0, 255), (0, 255, 0)])
    first, *rest = [Image.fromarray(colours[squares(*ids)]) for ids in ((1, 2), (2, 1), (3, 1))]
    first.save(tmp_path / "m.gif", save_all=True, append_images=rest)
    labels = read_masks(tmp_path / "m.gif").labels
    red, blue = labels[0][5, 5], labels[0][5, 14]
    assert (labels[1][5, 5], labels[1][5, 14], labels[2][5, 14]) == (blue, red, red)
    assert labels[2][5, 5] not in (0, red, blue)


@pytest.mark.parametrize("store", ["npy", "npz", "array"])
def test_a_stack_has_a_mask_for_each_frame(tmp_path, store):
    stack = np.stack(PAGES)
    np.save(tmp_path / "m.npy", stack)
    np.savez_compressed(tmp_path / "m.npz", stack)
    source = stack if store == "array" else tmp_path / f"m.{store}"
    assert by_frame(read_masks(source, size=SIZE, count=3)) == {0: [1], 2: [1, 2]}
    assert by_frame(read_masks(source)) == {0: [1], 2: [1, 2]}


def test_a_stack_of_colours_has_a_mask_for_each_frame():
    assert by_frame(read_masks(np.stack([DAVIS[page] for page in PAGES]))) == {0: [1], 2: [1, 2]}


def test_an_npz_names_frames_by_its_keys(tmp_path):
    np.savez(tmp_path / "a.npz", **{"00000": squares(1), "00002": squares(1, 2)})
    assert by_frame(read_masks(tmp_path / "a.npz", count=5)) == {0: [1], 2: [1, 2]}
    np.savez(tmp_path / "b.npz", frame_4=squares(1), frame12=squares(1, 2))
    assert by_frame(read_masks(tmp_path / "b.npz", count=20)) == {4: [1], 12: [1, 2]}
    names = ("left", "right")
    np.savez(tmp_path / "c.npz", right=squares(3), left=squares(1))
    assert by_frame(read_masks(tmp_path / "c.npz", names)) == {0: [1], 1: [3]}
    with pytest.raises(InputError, match="c.npz: right: 'right' is no frame|'right' is no frame"):
        read_masks(tmp_path / "c.npz", count=5)


def test_more_masks_than_frames_are_refused(tmp_path):
    with pytest.raises(InputError, match="stack of 3 masks, the video has 2 frame"):
        read_masks(np.stack(PAGES), count=2)
    first, *rest = map(palette_image, PAGES)
    first.save(tmp_path / "m.tif", save_all=True, append_images=rest)
    with pytest.raises(InputError, match="m.tif holds 3 pages, the video has 2 frame"):
        read_masks(tmp_path / "m.tif", count=2)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_a_stack_of_single_objects_may_be_objects_or_frames(dtype):
    stack = np.stack([squares(1), squares(0, 1)]).astype(dtype)
    masks = read_masks(stack, count=2)
    assert by_frame(masks) == {0: [1], 1: [1]}
    assert "not of 2 objects" in masks.doubts[0]
    for count in (3, None):
        with pytest.raises(InputError, match="frames or objects.*maximum"):
            read_masks(stack, count=count)


def test_a_stack_of_one_is_one_mask():
    assert by_frame(read_masks(squares(1)[None] > 0, count=7)) == {0: [1]}


def test_several_masks_are_refused_where_one_is_expected(tmp_path):
    first, *rest = map(palette_image, PAGES)
    first.save(tmp_path / "m.tif", save_all=True, append_images=rest)
    with pytest.raises(InputError, match="m.tif holds several masks"):
        read_mask(tmp_path / "m.tif")
    with pytest.raises(InputError, match="m.tif holds 3 masks, one is expected for frame 4"):
        read_masks(f"4={tmp_path / 'm.tif'}")
