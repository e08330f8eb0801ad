"""Files of masks: formats, several masks in one, and what is refused or damaged."""

import io
import os
import pathlib
import struct
import warnings
import zipfile
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from vosjax.errors import InputError
from vosjax.io.masks import read_mask, read_masks
from vosjax.io.palette import DAVIS, decode_labels, write_label_png

SIZE = (20, 30)


def squares(*ids, size=SIZE):
    """Labels with one 6x6 square for each id."""
    labels = np.zeros(size, np.uint8)
    for i, value in enumerate(ids):
        labels[2 + 8 * (i // 3) :, 2 + 9 * (i % 3) :][:6, :6] = value
    return labels


def palette_image(labels):
    image = Image.fromarray(labels)
    image.putpalette(DAVIS.tobytes())
    return image


def by_frame(masks):
    return {frame: sorted(set(np.unique(m).tolist()) - {0}) for frame, m in masks.labels.items()}


@pytest.fixture(autouse=True)
def no_word_but_the_error(capfd):
    """Neither decoders nor NumPy write or warn beside what is returned or raised."""
    with warnings.catch_warnings(action="error"):
        yield
    out, err = capfd.readouterr()
    assert out == err == ""


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

PAGES = [squares(1), squares(), squares(1, 2)]


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


# Damaged and hostile files


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(side):
    """A PNG of side x side black pixels, in a few kilobytes."""
    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(bytes(1 + side)) for _ in range(side)) + rows.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [13000, 20000])
def test_a_picture_of_another_size_is_not_decoded(tmp_path, monkeypatch, side):
    (tmp_path / "bomb.png").write_bytes(bomb(side))
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(InputError, match="bomb.png"):
        read_masks(tmp_path / "bomb.png", size=(480, 854))


def npy(header, body=b""):
    text = header.encode().ljust(118)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3162278, 3162278), }"),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (20, 30), }", bytes(599)),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-20, -30), }", bytes(600)),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (20, 30), }", bytes(600)),
        npy("{'descr': '<U9', 'fortran_order': False, 'shape': (20, 30), }", bytes(9999)),
        npy("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (20, 30), }", bytes(600)),
        npy("[" * 100),
        npy(""),
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00" + bytes(200),
    ],
)
def test_damaged_arrays_are_refused_before_memory_is_taken(tmp_path, content):
    (tmp_path / "m.npy").write_bytes(content)
    with pytest.raises(InputError, match="m.npy") as caught:
        read_masks(tmp_path / "m.npy")
    assert "allow_pickle" not in str(caught.value)


def test_an_npz_under_the_name_of_an_npy_is_read(tmp_path):
    np.savez(tmp_path / "m.npz", squares(2))
    os.rename(tmp_path / "m.npz", tmp_path / "m.npy")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.npy").labels, squares(2))


def test_archives_without_arrays_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("a.txt", "no array")
    with pytest.raises(InputError, match="ZIP archive that holds other files"):
        read_mask(tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz", "w"):
        pass
    with pytest.raises(InputError, match="ZIP archive that holds other files"):
        read_mask(tmp_path / "m.npz")


def test_a_stack_among_the_arrays_of_an_npz_is_refused(tmp_path):
    np.savez(tmp_path / "m.npz", masks=np.stack(PAGES), frames=squares(1))
    with pytest.raises(InputError, match="holds 2 arrays and masks is a stack"):
        read_masks(tmp_path / "m.npz")


def test_an_array_of_an_npz_that_claims_too_much_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3162278, 3162278), }")
        archive.writestr("a.npy", header + bytes(10**6))
    with pytest.raises(InputError, match="claims 10000002149284 numbers"):
        read_masks(tmp_path / "m.npz")


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path):
    write_label_png(tmp_path / "m.png", squares(1, 2))
    data = bytearray((tmp_path / "m.png").read_bytes())
    at = data.index(b"IDAT") + 12
    data[at] ^= 4
    (tmp_path / "m.png").write_bytes(data)
    with pytest.raises(InputError, match="m.png cannot be read .a checksum does not fit"):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize("ending", ["png", "tif", "gif", "bmp", "webp", "npy", "npz", "pgm", "qoi"])
def test_a_truncated_file_of_any_kind_is_one_line(tmp_path, ending):
    file = tmp_path / f"m.{ending}"
    noise = np.random.default_rng(0).integers(0, 5, SIZE, np.uint8)
    if ending in ("npy", "npz"):
        {"npy": np.save, "npz": np.savez}[ending](file, noise)
    else:
        image = Image.fromarray(DAVIS[noise] if ending in ("webp", "qoi") else noise)
        image.save(file, **({"lossless": True} if ending == "webp" else {}))
    whole = file.read_bytes()
    for length in (0, 1, 7, 20, len(whole) // 2, len(whole) * 9 // 10):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError, match=f"m.{ending} "):
            read_masks(file)


def test_damaged_tiffs_do_not_write_to_the_terminal(tmp_path):
    palette_image(squares(1)).save(tmp_path / "m.tif", compression="tiff_lzw")
    whole = (tmp_path / "m.tif").read_bytes()
    (tmp_path / "m.tif").write_bytes(whole.replace(whole[8:30], bytes(22)))
    with pytest.raises(InputError, match="m.tif"):
        read_masks(tmp_path / "m.tif")


@pytest.mark.parametrize("array", [object(), [[1], [1, 2]], None, "", np.array("x"), {1: 2}.keys()])
def test_what_is_no_array_is_refused(array):
    with pytest.raises(InputError, match="expected|empty name"):
        read_masks({0: array} if not isinstance(array, str) else array)


def test_masked_arrays_are_refused():
    with pytest.raises(InputError, match="masked array"):
        read_mask(np.ma.masked_equal(squares(1, 2), 2))


# What is no file


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "m.png")
    with pytest.raises(InputError, match="m.png is no file but a pipe"):
        read_masks(tmp_path / "m.png")
    with pytest.raises(InputError, match="zero is no file but a pipe or a device"):
        read_masks("/dev/zero")


def test_a_folder_named_as_a_mask_is_refused(tmp_path):
    (tmp_path / "masks" / "0.png").mkdir(parents=True)
    with pytest.raises(InputError, match="0.png is no file but a folder"):
        read_masks(tmp_path / "masks")
    with pytest.raises(InputError, match="masks is no file but a folder"):
        read_mask(tmp_path / "masks")


def test_names_that_no_file_can_have_are_one_line(tmp_path):
    for name in ("x" * 300 + ".png", "a\0b.png", "nowhere/m.png", "~nobody/m.png"):
        with pytest.raises(InputError, match="is no file") as caught:
            read_masks(name)
        assert str(caught.value).isprintable()


def test_links_that_lead_nowhere_are_missing(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    with pytest.raises(InputError, match="a.png is no file, it is missing"):
        read_masks(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png is no file that can be read"):
        read_masks(tmp_path / "a.png")


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    write_label_png(tmp_path / "m.png", squares(1))

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(pathlib.Path, "read_bytes", refuse)  # root may read everything
    with pytest.raises(InputError, match="m.png may not be read: check its permissions"):
        read_masks(tmp_path / "m.png")


def test_names_of_other_encodings_are_read_and_shown(tmp_path):
    name = os.fsdecode(str(tmp_path).encode() + b"/caf\xe9\n\x1b[31m.png")
    Image.fromarray(squares(1)).save(name, "PNG")
    masks = read_masks(name)
    assert all(note.isprintable() for note in masks.notes)
    assert "caf\\udce9\\n\\x1b[31m.png" in masks.notes[0]


# A dataset's label maps


def test_label_maps_are_read_as_stored(tmp_path):
    labels = squares(1, 2, 255)
    for name, image in {
        "palette.png": palette_image(labels),
        "grey.png": Image.fromarray(labels),
        "colours.png": Image.fromarray(np.repeat(labels[..., None], 3, axis=2)),
    }.items():
        image.save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        for source in (tmp_path / name, data, io.BytesIO(data)):
            np.testing.assert_array_equal(decode_labels(source, void=255), labels)


def test_a_binary_label_map_is_object_one_where_255_is_void(tmp_path):
    """As in DAVIS 2016, where bear/00077 has an alpha channel besides."""
    full = Image.new("L", SIZE[::-1], 255)
    Image.merge("LA", [Image.fromarray(squares(255)), full]).save(tmp_path / "m.png")
    np.testing.assert_array_equal(decode_labels(tmp_path / "m.png", void=255), squares(1))
    np.testing.assert_array_equal(decode_labels(tmp_path / "m.png"), squares(255))


def test_label_maps_of_colours_or_wide_ids_are_refused(tmp_path):
    Image.fromarray(DAVIS[squares(1)]).save(tmp_path / "rgb.png")
    with pytest.raises(InputError, match="rgb.png holds colours .an RGB image."):
        decode_labels(tmp_path / "rgb.png")
    Image.fromarray(squares(1).astype(np.uint16) * 300).save(tmp_path / "wide.png")
    with pytest.raises(InputError, match="wide.png holds ids up to 300"):
        decode_labels(tmp_path / "wide.png")
