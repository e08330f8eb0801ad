"""Every kind of video reads as uint8 RGB frames, lazily, and says clearly what is wrong with it.

Video files have tests of their own in test_video_files.py and test_video_damage.py, folders in
test_video_folders.py.
"""

import os
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from vosjax.errors import InputError
from vosjax.io.video import natural, open_video, prefetch

SIZE = (32, 48)


def frame(level):
    """Red grows with the level, the rest is dark."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[..., 0] = level
    return image


LEVELS = range(20, 220, 20)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 12.0, SIZE[::-1])
    for level in LEVELS:
        writer.write(frame(level)[..., ::-1])
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path):
    for number, level in enumerate(LEVELS, 5):
        Image.fromarray(frame(level)).save(tmp_path / f"img{number}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    (tmp_path / ".hidden.png").write_text("no frame")
    return tmp_path


def levels(frames):
    return [round(float(f[..., 0].mean())) for f in frames]


def test_a_file_gives_rgb_frames(file):
    video = open_video(file)
    assert (video.size, video.count, video.fps, video.names) == (SIZE, 10, 12.0, None)
    frames = list(video.frames())
    assert frames[0].shape == (*SIZE, 3) and frames[0].dtype == np.uint8
    np.testing.assert_allclose(levels(frames), LEVELS, atol=6)
    assert frames[5][..., 1:].mean() < 8


def test_a_file_starts_anywhere_and_reads_again(file):
    video = open_video(str(file))
    whole = list(video.frames())
    np.testing.assert_array_equal(list(video.frames(7)), whole[7:])
    assert list(video.frames(10)) == [] and list(video.frames(99)) == []


def test_a_folder_reads_in_natural_order(folder):
    video = open_video(folder)
    assert (video.size, video.count) == (SIZE, 10)
    assert video.names == tuple(f"img{i}" for i in range(5, 15))
    assert levels(video.frames()) == list(LEVELS)
    assert levels(video.frames(8)) == list(LEVELS)[8:]


def test_a_folder_skips_without_reading(folder):
    video = open_video(folder)
    for number in range(5, 13):
        (folder / f"img{number}.png").write_text("no image any more")
    assert levels(video.frames(8)) == list(LEVELS)[8:]


def test_frames_are_read_one_at_a_time(folder):
    video = open_video(folder)
    for number in range(7, 15):
        (folder / f"img{number}.png").write_text("no image any more")
    assert levels([next(video.frames(1))]) == [LEVELS[1]]


def test_natural_order_counts():
    names = ["10.jpg", "2.jpg", "a2b10", "a2b9", "a", "b", "007"]
    assert sorted(names, key=natural) == ["2.jpg", "007", "10.jpg", "a", "a2b9", "a2b10", "b"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".JPG"])
def test_every_image_format_is_read(tmp_path, suffix):
    Image.fromarray(frame(200)).save(tmp_path / f"0{suffix}")
    np.testing.assert_allclose(levels(open_video(tmp_path).frames()), [200], atol=4)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_images_of_any_mode_become_rgb(tmp_path, mode):
    grey = np.full(SIZE, 100, np.uint8)
    image = (
        Image.fromarray(grey.astype(np.uint16) * 256)
        if mode == "I;16"
        else Image.fromarray(grey).convert(mode)
    )
    image.save(tmp_path / "0.png")
    (image,) = open_video(tmp_path).frames()
    assert (image == 100).all() and image.shape == (*SIZE, 3)


def test_pictures_are_turned_upright(tmp_path):
    image = Image.fromarray(frame(100))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "0.jpg", exif=exif)
    assert open_video(tmp_path).size == SIZE[::-1]


def test_arrays_lists_and_generators_are_videos():
    frames = [frame(level) for level in LEVELS]
    for source in (np.stack(frames), frames, tuple(frames)):
        video = open_video(source)
        assert (video.size, video.count) == (SIZE, 10)
        assert levels(video.frames(3)) == list(LEVELS)[3:]
        assert levels(video.frames()) == list(LEVELS)
    video = open_video(f for f in frames)
    assert (video.size, video.count) == (SIZE, None)
    assert levels(video.frames(3)) == list(LEVELS)[3:]


def test_a_generator_is_read_once_and_lazily():
    drawn = []

    def source():
        for level in LEVELS:
            drawn.append(level)
            yield frame(level)

    video = open_video(source())
    assert drawn == [20]
    assert levels(video.frames()) == list(LEVELS)
    with pytest.raises(InputError, match="read already"):
        next(video.frames())


class Camera:
    """What cv2.VideoCapture(index) gives, for three frames."""

    def __init__(self, source):
        self.source, self.left, self.open = source, 3, source == 0

    def isOpened(self):
        return self.open

    def get(self, prop):
        return 30.0

    def read(self):
        self.left -= 1
        return (True, frame(90)[..., ::-1]) if self.left >= 0 else (False, None)

    def release(self):
        self.open = False


@pytest.mark.parametrize("source", [0, "0"])
def test_a_camera_is_read_by_its_index(monkeypatch, tmp_path, source):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    video = open_video(source)
    assert (video.size, video.count, video.fps) == (SIZE, None, 30.0)
    assert levels(video.frames()) == [90, 90, 90]


def test_a_missing_camera_is_said(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    with pytest.raises(InputError, match="camera 3 cannot be opened"):
        open_video("3")


def test_a_folder_named_like_a_number_is_a_folder(folder, monkeypatch, tmp_path):
    folder.rename(tmp_path.parent / "7")
    monkeypatch.chdir(tmp_path.parent)
    assert open_video("7").count == 10


@pytest.mark.parametrize("number", [-1, 100, 99999999999999, 10**30])
def test_numbers_that_no_camera_has_are_refused(number):
    with pytest.raises(InputError, match="there is no camera .*: cameras count from 0 to 99"):
        open_video(number)


@pytest.mark.parametrize("number", ["-1", "100", "99999999999999"])
def test_such_numbers_are_refused_as_text(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no (camera|video)"):
        open_video(number)


def test_a_camera_that_gives_no_frame_is_said(monkeypatch):
    monkeypatch.setattr(Camera, "read", lambda self: (False, None))
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    with pytest.raises(InputError, match="camera 0 gave no frame"):
        open_video(0)


def test_frames_of_a_camera_have_the_times_at_which_they_came(monkeypatch):
    def slowly(self, read=Camera.read):
        time.sleep(0.05)
        return read(self)

    monkeypatch.setattr(Camera, "read", slowly)
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    times = [frame.time for frame in open_video(0).stream(0)]
    assert times[0] == 0 and all(b - a >= 0.04 for a, b in zip(times, times[1:]))


def test_missing_videos_are_named(tmp_path):
    with pytest.raises(InputError, match="no video at .*nothing.mp4"):
        open_video(tmp_path / "nothing.mp4")


@pytest.mark.parametrize("name", ["~nobody-of-this-name/v.mp4", "n" * 300 + ".mp4", "a\0b.mp4", ""])
def test_names_that_no_file_can_have_are_missing_videos(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no video at"):
        open_video(name)


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "v.mp4")
    with pytest.raises(InputError, match="v.mp4 is no file, but a pipe"):
        open_video(tmp_path / "v.mp4")


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_files_that_are_no_video_are_refused(tmp_path, content, capfd):
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(InputError, match="v.mp4 cannot be opened"):
        open_video(tmp_path / "v.mp4")
    assert capfd.readouterr().err == ""


def test_a_truncated_file_is_refused_or_warned_of(tmp_path, file):
    data = file.read_bytes()
    (tmp_path / "v.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="v.mp4"):
        open_video(tmp_path / "v.mp4")


def test_fewer_frames_than_announced_are_warned_of(tmp_path):
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 12.0, SIZE[::-1])
    for level in LEVELS:
        writer.write(np.random.default_rng(level).integers(0, 255, (*SIZE, 3), np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = open_video(path)
    with pytest.warns(UserWarning, match="announces 10 frames"):
        assert len(list(video.frames())) < 9


def test_a_video_tells_its_length_and_the_times_of_its_frames(folder, file):
    for video in open_video(folder), open_video(np.zeros((10, *SIZE, 3), np.uint8)):
        assert video.length == video.count == 10
        assert [frame.time for frame in video.stream(8)] == [8 / 25, 9 / 25]
    assert [round(12 * frame.time) for frame in open_video(file).stream(8)] == [8, 9]


def test_one_image_is_no_video(folder):
    with pytest.raises(InputError, match="is one image"):
        open_video(folder / "img5.png")


def test_videos_without_frames_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        open_video(tmp_path)
    for empty in ([], iter(()), np.zeros((0, *SIZE, 3), np.uint8)):
        with pytest.raises(InputError, match="no frame"):
            open_video(empty)


@pytest.mark.parametrize("source", [None, 1.5, True, object(), b"v.mp4"])
def test_other_things_are_no_videos(source):
    with pytest.raises(InputError, match="a video was expected"):
        open_video(source)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_damaged_image_in_the_middle_is_named(tmp_path, suffix):
    for i in range(4):
        noise = np.random.default_rng(i).integers(0, 255, (*SIZE, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.{suffix}")
    damaged = tmp_path / f"2.{suffix}"
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    frames = open_video(tmp_path).frames()
    assert len([next(frames), next(frames)]) == 2
    with pytest.raises(InputError, match=f"frame 2: .*2.{suffix}"):
        next(frames)


def test_changing_sizes_name_the_frame_and_both_sizes(folder):
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / "img8.png")
    with pytest.raises(InputError, match="frame 3 of .*img8.png is 40x30, the first is 48x32"):
        list(open_video(folder).frames())


def test_two_images_of_one_name_are_refused(folder):
    Image.fromarray(frame(1)).save(folder / "img8.jpg")
    with pytest.raises(InputError, match="two images named img8"):
        open_video(folder)


@pytest.mark.parametrize(
    "wrong",
    [
        frame(1).astype(np.float32),
        frame(1)[..., 0],
        np.zeros((*SIZE, 4), np.uint8),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_frames_of_wrong_type_or_shape_are_refused(wrong):
    with pytest.raises(InputError, match=r"frame 1 of .*uint8 \[H, W, 3\]"):
        list(open_video([frame(1), wrong]).frames())
    with pytest.raises(InputError, match="frame 0"):
        open_video(iter([wrong]))


def test_a_single_frame_is_no_video():
    with pytest.raises(InputError, match=r"\[T, H, W, 3\]"):
        open_video(frame(1))


def reused(levels):
    """Frames that are all in one and the same memory."""
    buffer = np.empty((*SIZE, 3), np.uint8)
    for level in levels:
        buffer[...] = frame(level)
        yield buffer


def test_frames_are_copied_as_they_are_taken():
    assert levels(list(open_video(reused(LEVELS)).frames())) == list(LEVELS)
    assert levels(list(prefetch(open_video(reused(LEVELS)).frames()))) == list(LEVELS)


def test_frames_of_lists_and_arrays_are_the_readers_own():
    array = np.stack([frame(level) for level in LEVELS])
    for source in (array, list(array)):
        images = list(open_video(source).frames())
        for image in images:
            image[:] = 0
    assert levels(array) == list(LEVELS)


class OneBuffer:
    """A sequence that decodes into the same memory each time."""

    def __init__(self):
        self.buffer = np.empty((*SIZE, 3), np.uint8)

    def __len__(self):
        return len(LEVELS)

    def __getitem__(self, index):
        self.buffer[...] = frame(LEVELS[index])
        return self.buffer


def test_a_sequence_may_use_one_buffer():
    assert levels(list(open_video(OneBuffer()).frames())) == list(LEVELS)
