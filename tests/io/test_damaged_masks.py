"""Mask files that are damaged, hostile or not files: one line says so."""

import os
import pathlib
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from support.mask_files import (
    PAGES,
    SIZE,
    no_word_but_the_error,  # noqa: F401
    palette_image,
    squares,
)

from vosjax.errors import InputError
from vosjax.io.masks import read_mask, read_masks
from vosjax.io.palette import DAVIS, write_label_png


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
