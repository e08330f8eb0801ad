"""Every kind of video reads as uint8 RGB frames, lazily, and says clearly what is wrong with it."""

import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from vosjax.errors import InputError
from vosjax.io import video as video_module
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


def test_a_folder_skips_without_reading(folder, monkeypatch):
    video = open_video(folder)
    read = []
    monkeypatch.setattr(video_module, "read_image", lambda path: read.append(path) or frame(1))
    assert len(list(video.frames(8))) == 2
    assert [path.name for path in read] == ["img13.png", "img14.png"]


def test_frames_are_read_one_at_a_time(folder, monkeypatch):
    video = open_video(folder)
    read = []
    monkeypatch.setattr(video_module, "read_image", lambda path: read.append(path) or frame(1))
    frames = video.frames(1)
    next(frames)
    assert len(read) == 1


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
    (found,) = open_video(tmp_path).frames()
    assert (found == 100).all() and found.shape == (*SIZE, 3)


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
    given = []

    def source():
        for level in LEVELS:
            given.append(level)
            yield frame(level)

    video = open_video(source())
    assert given == [20]
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


def test_missing_videos_are_named(tmp_path):
    with pytest.raises(InputError, match="no video at .*nothing.mp4"):
        open_video(tmp_path / "nothing.mp4")


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
    if video.count is None or video.count < 10:
        pytest.skip("this OpenCV counts the frames that are there")
    with pytest.warns(UserWarning, match="announces 10 frames"):
        assert len(list(video.frames())) < 9


def test_one_image_is_no_video(folder):
    with pytest.raises(InputError, match="is one image"):
        open_video(folder / "img5.png")


def test_videos_without_frames_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        open_video(tmp_path)
    for empty in ([], iter(()), np.zeros((0, *SIZE, 3), np.uint8)):
        with pytest.raises(InputError, match="no frame"):
            open_video(empty)


@pytest.mark.parametrize("source", [None, 1.5, True, object()])
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


def test_prefetch_keeps_order_and_content():
    assert list(prefetch(range(100), depth=3)) == list(range(100))
    assert list(prefetch([], depth=1)) == []


def test_prefetch_raises_in_its_place():
    def source():
        yield 1
        raise InputError("frame 1: damaged")

    items = prefetch(source())
    assert next(items) == 1
    with pytest.raises(InputError, match="frame 1"):
        next(items)


def test_prefetch_is_at_most_its_depth_ahead():
    made, go = [], threading.Event()

    def source():
        for i in range(50):
            made.append(i)
            if i == 5:
                go.set()
            yield i

    items = prefetch(source(), depth=4)
    assert next(items) == 0
    assert go.wait(10)  # 0 is out, 1..4 wait, 5 is at hand
    assert len(made) <= 7
    items.close()


def test_closing_prefetch_ends_its_thread_and_closes_the_source():
    closed = threading.Event()

    def source():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    items = prefetch(source(), depth=2)
    next(items)
    items.close()
    assert closed.is_set()
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]


def test_prefetch_needs_room_for_one():
    with pytest.raises(ValueError, match="depth"):
        next(prefetch([], depth=0))
