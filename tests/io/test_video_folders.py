"""Folders of frames: every image is one, in natural order, and nothing is left out silently."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image
from support.films import write_film

from vosjax.errors import InputError
from vosjax.io.video import open_video, read_image

SIZE = (64, 80)


def picture(level, mode="RGB"):
    return Image.fromarray(np.full((*SIZE, 3), level, np.uint8)).convert(mode)


def fill(folder, *names, level=100):
    folder.mkdir(exist_ok=True)
    for name in names:
        picture(level).save(folder / name)
    return folder


def levels(video):
    return [round(frame.image.mean()) for frame in video.stream(0)]


def test_frames_may_be_of_different_kinds(tmp_path):
    kinds = ["jpg", "tif", "JPEG", "tiff", "png", "webp", "bmp", "gif", "jp2", "ppm", "tga", "qoi"]
    for index, kind in enumerate(kinds):
        picture(20 * index).save(tmp_path / f"{index:04d}.{kind}")
    video = open_video(tmp_path)
    assert video.names == tuple(f"{index:04d}" for index in range(len(kinds)))
    np.testing.assert_allclose(levels(video), 20 * np.arange(len(kinds)), atol=3)
    assert not video.notes


@pytest.mark.parametrize(
    "ending",
    ["jpg", "jpe", "jfif", "png", "apng", "webp", "bmp", "dib", "gif", "tif", "tiff", "jp2", "j2k"]
    + ["jpx", "ppm", "pgm", "pnm", "tga", "qoi", "avif", "sgi", "pcx", "PNG", "Tif"],
)
def test_every_kind_of_image_is_a_frame(tmp_path, ending):
    mode = "L" if ending == "pgm" else "RGB"
    picture(100, mode).save(tmp_path / f"0.{ending}")
    assert levels(open_video(tmp_path)) == [100]


def test_images_without_an_ending_are_frames_by_their_content(tmp_path):
    for name in ("0001", "shot.0003", "0002.jpg"):
        with open(tmp_path / name, "wb") as file:
            picture(100).save(file, "PNG")
    for name in ("README", "0001.jpg.bak", "v.7z"):
        (tmp_path / name).write_bytes(b"anything")
    video = open_video(tmp_path)
    assert video.names == ("0001", "0002", "shot.0003") and levels(video) == [100] * 3
    assert "3 file(s) without the ending of an image left out" in video.notes[0]


@pytest.mark.parametrize("ending", ["heic", "jxl", "exr", "hdr", "dng", "CR2", "dpx", "dcm"])
def test_images_that_are_not_read_are_named_with_what_to_do(tmp_path, ending):
    fill(tmp_path, "0.jpg", "1.jpg")
    (tmp_path / f"2.{ending}").write_bytes(b"anything")
    with pytest.raises(
        InputError, match=rf"1 image\(s\) of a kind .*2.{ending}.*: convert them to"
    ):
        open_video(tmp_path)


def test_a_raw_file_beside_its_jpeg_is_left_out_with_a_note(tmp_path):
    fill(tmp_path, "0.jpg", "1.jpg")
    (tmp_path / "0.cr2").write_bytes(b"anything")
    video = open_video(tmp_path)
    assert len(levels(video)) == 2
    assert "1 image(s) beside readable ones of the same name left out: 0.cr2" in video.notes[0]


@pytest.mark.parametrize(
    "names",
    [
        ["NAME.jpg", "NAME (1).jpg", "NAME (2).jpg"],
        ["IMG_1.jpg", "IMG_1 (1).jpg", "IMG_1-1.jpg", "IMG_1_1.jpg", "IMG_2.jpg"],
        ["IMG_1.png", "IMG_1-1.jpg", "IMG_2.bmp"],
        ["1700000000.25.png", "1700000000.5.png", "1700000000.75.png", "1700000001.0.png"],
        ["0.9.png", "0.95.png", "1.0.png", "1.05.png"],
        ["t0.05.png", "t0.1.png", "t0.15.png", "t0.2.png"],
        ["shot1.8.png", "shot1.9.png", "shot1.10.png", "shot2.1.png"],
        ["-10.png", "-2.png", "0.png", "3.png"],
    ],
)
def test_frames_come_in_the_order_that_people_mean(tmp_path, names):
    fill(tmp_path, *sorted(names))
    assert [f"{n}" for n in open_video(tmp_path).names] == [n.rpartition(".")[0] for n in names]


def notes_of(folder):
    return open_video(folder).notes


def test_a_plain_folder_has_no_notes(tmp_path):
    for names in (
        [f"{n:05d}.jpg" for n in range(5)],
        [f"{n:05d}.jpg" for n in range(0, 50, 5)],
        [f"img{n}.png" for n in range(95, 105)],
        ["first.png", "second.png", "third.png"],
        ["a1f.png", "9bc.png", "77e.png", "d02.png"],
        ["2024-01-01 12-00-00.png", "2024-01-01 12-00-07.png", "2024-01-01 12-01-09.png"],
        ["1700000000123.png", "1700000000177.png", "1700000000240.png", "1700000000289.png"],
        ["IMG_1.jpg", "IMG_1 (1).jpg", "IMG_2.jpg", "IMG_3.jpg"],
    ):
        folder = fill(tmp_path / names[0], *names)
        (folder / ".DS_Store").write_bytes(b"x")
        (folder / "Thumbs.db").write_bytes(b"x")
        assert notes_of(folder) == [], names


def test_files_that_are_no_frames_are_noted(tmp_path):
    fill(tmp_path, *[f"{n}.jpg" for n in range(4)])
    for name in ("notes.txt", "a.csv", "b.csv", "c.csv", "d.csv", ".hidden.png", "._0.jpg"):
        (tmp_path / name).write_text("no frame")
    (tmp_path / "masks").mkdir()
    (tmp_path / "5.png").mkdir()
    video = open_video(tmp_path)
    others, hidden, folders = video.notes
    assert video.count == 4
    assert (
        "5 file(s) without the ending of an image left out: a.csv, b.csv, c.csv and 2 more"
        in others
    )
    assert "2 hidden file(s) left out" in hidden and ".hidden.png" in hidden
    assert "2 folder(s) left out: 5.png, masks" in folders


def test_a_mask_among_the_frames_is_refused_by_its_name(tmp_path):
    fill(tmp_path, "0001.jpg", "0001.png", "0002.jpg")
    with pytest.raises(InputError, match=r"two images named 0001 \(0001.jpg and 0001.png\)"):
        open_video(tmp_path)


@pytest.mark.parametrize("stranger", ["mask.png", "0000_mask.png", "first.png", "thumb.jpg"])
def test_a_stranger_among_the_frames_is_noted(tmp_path, stranger):
    fill(tmp_path, *[f"{n:04d}.jpg" for n in range(5)], stranger)
    (note,) = notes_of(tmp_path)
    assert "1 image(s) are named otherwise than the others" in note and stranger[:-4] in note


def test_numbers_that_are_left_out_are_noted(tmp_path):
    fill(tmp_path, *[f"img{n:03d}.png" for n in (0, 1, 2, 3, 7, 8, 9, 11, 12)])
    (note,) = notes_of(tmp_path)
    assert "leave out 4 (3 to 7, 9 to 11)" in note
    fill(tmp_path / "fives", *[f"{n:05d}.png" for n in (0, 5, 10, 20, 25)])
    (note,) = notes_of(tmp_path / "fives")
    assert "leave out 1 (10 to 20)" in note


def test_a_number_that_occurs_twice_is_noted(tmp_path):
    fill(tmp_path, "f1.png", "f01.png", "f2.png", "f3.png")
    assert any("1 number(s) stand for several frames: f" in note for note in notes_of(tmp_path))


def test_more_than_one_picture_in_a_file_is_noted(tmp_path):
    fill(tmp_path, "0.png", "1.png")
    picture(5).save(tmp_path / "2.tif", save_all=True, append_images=[picture(9)])
    (note,) = notes_of(tmp_path)
    assert "only the first picture is taken of 1 image(s)" in note and "2.tif" in note


def test_a_folder_of_something_else_says_what_it_holds(tmp_path):
    write_film(tmp_path / "v.mp4")
    with pytest.raises(InputError, match="holds no image, but v.mp4; name the video file itself"):
        open_video(tmp_path)
    (tmp_path / "v.mp4").unlink()
    fill(tmp_path / "left", "0.png")
    with pytest.raises(InputError, match=r"holds no image, but folders \(left\)"):
        open_video(tmp_path)


def deep(bits, *shape, part=1.0):
    return np.full(shape or SIZE, int((2**bits - 1) * part), np.uint16)


def write_deep(path, levels):
    assert cv2.imwrite(str(path), levels)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm", "jp2"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_bits_in_use_have_one_scale(tmp_path, ending, bits):
    """Case of cameras that store 12 bits in files of 16: nearly black by their high byte."""
    for index, part in enumerate((0.5, 1, 0.25, 0)):
        write_deep(tmp_path / f"{index}.{ending}", deep(bits, part=part))
    video = open_video(tmp_path)
    assert levels(video) == [127, 255, 63, 0] or bits == 8
    assert f"4 frame(s) of 16 bits or more, {bits} of which are in use" in video.notes[0]


@pytest.mark.parametrize("ending", ["png", "tif", "ppm"])
def test_colours_of_twelve_bits_have_one_scale_too(tmp_path, ending):
    for index, colour in enumerate([(4000, 1000, 0), (400, 100, 0)]):
        write_deep(tmp_path / f"{index}.{ending}", np.full((*SIZE, 3), colour[::-1], np.uint16))
    frames = [frame.image[0, 0].tolist() for frame in open_video(tmp_path).stream(0)]
    assert frames == [[250, 62, 0], [25, 6, 0]]


def test_sixteen_bits_in_use_keep_their_high_byte(tmp_path):
    write_deep(tmp_path / "0.png", np.full(SIZE, 0x4321, np.uint16))
    write_deep(tmp_path / "1.png", np.full(SIZE, 0xFEDC, np.uint16))
    video = open_video(tmp_path)
    assert levels(video) == [0x43, 0xFE] and not video.notes


def test_sixteen_bits_that_are_dark_are_said_to_be(tmp_path):
    write_deep(tmp_path / "0.png", np.full(SIZE, 0x4321, np.uint16))
    video = open_video(tmp_path)
    assert levels(video) == [0x43] and "up to 17185 of 65535 only" in video.notes[0]


def test_eight_bits_among_deep_frames_stay(tmp_path):
    picture(100).save(tmp_path / "0.jpg")
    write_deep(tmp_path / "1.png", deep(12, part=0.5))
    write_deep(tmp_path / "2.png", deep(12))
    assert levels(open_video(tmp_path)) == [100, 127, 255]


def test_the_scale_of_a_long_video_comes_from_a_sample(tmp_path):
    for index in range(100):
        write_deep(tmp_path / f"{index}.png", deep(10, part=0.9))
    write_deep(tmp_path / "1.png", deep(16))  # a flash, between two frames of the sample
    video = open_video(tmp_path)
    shown = levels(video)
    assert shown[0] == 230 and shown[1] == 255
    assert "white there: frame 1" in video.notes[-1]


def test_floats_are_scaled_or_refused(tmp_path):
    for folder, top in (("unit", 1.0), ("bytes", 255.0), ("deep", 1023.0)):
        (tmp_path / folder).mkdir()
        for index, part in enumerate((1, 0.5)):
            level = np.full(SIZE, top * part, np.float32)
            Image.fromarray(level).save(tmp_path / folder / f"{index}.tif")
        video = open_video(tmp_path / folder)
        np.testing.assert_allclose(levels(video), [255, 127.5], atol=1)
        assert "of floats" in video.notes[0]
    for index, wrong in enumerate((np.nan, np.inf, -1.0)):
        (tmp_path / f"wrong{index}").mkdir()
        Image.fromarray(np.full(SIZE, wrong, np.float32)).save(tmp_path / f"wrong{index}" / "0.tif")
        with pytest.raises(InputError, match="has levels from .*: finite ones from 0 on"):
            open_video(tmp_path / f"wrong{index}")


def test_negative_levels_are_refused(tmp_path):
    Image.fromarray(np.full(SIZE, -1000, np.int32)).save(tmp_path / "0.tif")
    with pytest.raises(InputError, match="has levels from -1000"):
        open_video(tmp_path)


def test_one_image_alone_keeps_the_high_byte(tmp_path):
    write_deep(tmp_path / "a.png", deep(12))
    assert (read_image(tmp_path / "a.png") == 15).all()
    with open(tmp_path / "a.png", "rb") as file:
        assert (read_image(file, name="that one") == 15).all()


COLOUR = (204, 51, 0)  # which is in the palette that Pillow takes


@pytest.mark.parametrize(
    "mode, ending", [("P", "png"), ("P", "gif"), ("CMYK", "tif"), ("1", "png"), ("YCbCr", "jpg")]
)
def test_other_colour_spaces_become_rgb(tmp_path, mode, ending):
    image = Image.new("RGB", SIZE[::-1], (255, 255, 255) if mode == "1" else COLOUR).convert(mode)
    image.save(tmp_path / f"0.{ending}")
    expected = (255, 255, 255) if mode == "1" else COLOUR
    (frame,) = open_video(tmp_path).frames()
    np.testing.assert_allclose(frame[5, 5], expected, atol=12)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_black(tmp_path, mode):
    image = Image.new("RGBA", SIZE[::-1], (200, 200, 200, 255))
    image.paste((200, 200, 200, 0), (0, 0, 10, 10))
    image.paste((200, 200, 200, 128), (10, 0, 20, 10))
    if mode == "P":
        image = image.quantize(8)
    (image if mode == "P" else image.convert(mode)).save(tmp_path / "0.png")
    (frame,) = open_video(tmp_path).frames()
    assert (frame[5, 5] == 0).all() and (frame[15, 30] == 200).all()
    np.testing.assert_allclose(frame[5, 15], 100, atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pictures_are_upright_whatever_their_depth(tmp_path, orientation, depth):
    top = np.iinfo(depth).max
    array = np.zeros((10, 20), depth)
    array[:5, :10] = top
    image = Image.fromarray(array)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "0.png", exif=exif)
    (frame,) = open_video(tmp_path).frames()
    turned = {1: array, 2: array[:, ::-1], 3: array[::-1, ::-1], 4: array[::-1]}
    turned |= {5: array.T, 6: array.T[:, ::-1], 7: array.T[::-1, ::-1], 8: array.T[::-1]}
    np.testing.assert_array_equal(frame[..., 0] > 127, turned[orientation] > 0)


def test_a_link_to_nothing_is_named(tmp_path):
    fill(tmp_path, "0.png", "1.png")
    os.symlink("gone/2.png", tmp_path / "2.png")
    with pytest.raises(InputError, match="2.png is a link to gone/2.png, which is not there"):
        open_video(tmp_path)
    os.symlink("3.png", tmp_path / "3.png")
    with pytest.raises(InputError, match="is a link to"):
        open_video(tmp_path)


def test_links_to_frames_are_frames(tmp_path):
    fill(tmp_path / "real", "0.png", level=77)
    (tmp_path / "links").mkdir()
    os.symlink("../real/0.png", tmp_path / "links" / "5.png")
    assert levels(open_video(tmp_path / "links")) == [77]


def test_a_pipe_among_the_frames_is_refused_at_once(tmp_path):
    fill(tmp_path, "0.png")
    os.mkfifo(tmp_path / "1.png")
    with pytest.raises(InputError, match="1.png is no file, but a pipe"):
        open_video(tmp_path)


@pytest.fixture
def forbidden(monkeypatch):
    """forbidden(path): it may not be opened, whoever runs this."""
    import builtins

    banned, real, scan = set(), builtins.open, os.scandir

    def refuse(path, call, *arguments):
        if str(path) in banned:
            raise PermissionError(13, "Permission denied", str(path))
        return call(path, *arguments)

    monkeypatch.setattr(
        builtins,
        "open",
        lambda path, *more, **k: refuse(path, lambda p, *m: real(p, *m, **k), *more),
    )
    monkeypatch.setattr(os, "scandir", lambda path=".": refuse(path, scan))
    return lambda path: banned.add(str(path))


def test_a_frame_that_may_not_be_read_is_not_called_damaged(tmp_path, forbidden):
    fill(tmp_path, "0.png", "1.png")
    forbidden(tmp_path / "1.png")
    with pytest.raises(InputError, match=r"1.png may not be read \(permission denied\)"):
        list(open_video(tmp_path).frames())


def test_a_folder_that_may_not_be_read_is_said(tmp_path, forbidden):
    fill(tmp_path / "v", "0.png")
    forbidden(tmp_path / "v")
    with pytest.raises(InputError, match=r"v may not be read \(permission denied\)"):
        open_video(tmp_path / "v")


def test_names_that_are_no_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    fill(tmp_path, *[f"{name}{n}.png" for n in range(3)], f"{name}x.png")
    (tmp_path / f"{name}.txt").write_text("x")
    video = open_video(tmp_path)
    assert video.names == (f"{name}0", f"{name}1", f"{name}2", f"{name}x")
    assert len(levels(video)) == 4
    for note in video.notes:
        note.encode()
    assert r"caf\udce9.txt" in video.notes[0]


def test_a_damaged_deep_frame_is_named_when_its_turn_comes(tmp_path):
    for index in range(4):
        noise = np.random.default_rng(index).integers(0, 4095, SIZE).astype(np.uint16)
        write_deep(tmp_path / f"{index}.png", noise)
    data = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(data[: len(data) // 2])
    frames = open_video(tmp_path).stream(0)
    assert len([next(frames), next(frames)]) == 2
    with pytest.raises(InputError, match="frame 2: image .*2.png"):
        next(frames)
