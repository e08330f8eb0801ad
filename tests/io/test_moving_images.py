"""Animations, stacks of pictures and single images as videos."""

import numpy as np
import pytest
from PIL import Image
from support.films import numbered, numbers_of

from vosjax.errors import InputError
from vosjax.io.video import open_video

ANIMATIONS = {
    "v.gif": dict(),
    "v.webp": dict(lossless=True),
    "v.png": dict(),
    "v.apng": dict(format="PNG"),
}


@pytest.mark.parametrize("name", ANIMATIONS)
def test_moving_images_are_videos(tmp_path, name):
    first, *rest = (Image.fromarray(numbered(i)) for i in range(5))
    durations = [100, 200, 100, 50, 50]
    first.save(
        tmp_path / name, save_all=True, append_images=rest, duration=durations, **ANIMATIONS[name]
    )
    video = open_video(tmp_path / name)
    assert video.count == 5 and video.fps == pytest.approx(10)
    frames = list(video.stream(0))
    assert numbers_of(frame.image for frame in frames) == list(range(5))
    np.testing.assert_allclose([f.time for f in frames], [0, 0.1, 0.3, 0.4, 0.45], atol=1e-6)
    assert numbers_of(video.frames(3)) == [3, 4]


def test_a_stack_of_pictures_is_a_video_with_one_scale(tmp_path):
    pages = [Image.fromarray(np.full((8, 9), level, np.uint16)) for level in (4000, 1000, 2000)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    video = open_video(tmp_path / "stack.tif")
    assert (video.size, video.count, video.fps) == ((8, 9), 3, 25)
    assert [image.mean() for image in video.frames()] == [250, 62, 125]
    assert "12 of which are in use" in video.notes[0]


def test_a_damaged_picture_in_a_moving_image_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), np.uint8)
    first, *rest = map(Image.fromarray, noise)
    first.save(tmp_path / "v.tif", save_all=True, append_images=rest, compression="tiff_lzw")
    data = (tmp_path / "v.tif").read_bytes()
    video = open_video(tmp_path / "v.tif")
    (tmp_path / "v.tif").write_bytes(data[:-2500] + bytes(2500))
    with pytest.raises(InputError, match="v.tif"):
        list(video.frames())


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.webp", "a.png", "a.bmp", "a.jpg", "a.mp4"])
def test_one_image_is_said_to_be_one(tmp_path, name):
    kind = "PNG" if name == "a.mp4" else None
    Image.fromarray(numbered(1)).save(tmp_path / name, format=kind)
    with pytest.raises(InputError, match=f"{name} is one image"):
        open_video(tmp_path / name)


def test_an_image_of_a_kind_that_is_not_read_is_one_image(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"anything")
    with pytest.raises(InputError, match=r"a.heic is one image \(HEIC\)"):
        open_video(tmp_path / "a.heic")
