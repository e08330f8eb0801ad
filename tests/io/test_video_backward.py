"""Videos read backward: the same frames to the last bit, and never more of them than a block."""

import dataclasses
import itertools
import weakref

import numpy as np
import pytest
from PIL import Image
from support.films import SIZE, numbered, numbers_of, overwrite, places, write_film

from vosjax.io.video import backward as backward_module
from vosjax.io.video import open_video, read_backward

FRAME = SIZE[0] * SIZE[1] * 3  # bytes
LENGTH = 60
KINDS = {
    "gop12.mp4": dict(options={"g": "12"}),
    "gop100.mp4": dict(options={"g": "100"}),
    "open_gop.mp4": dict(options={"g": "10", "x264-params": "open-gop=1:bframes=3"}),
    "intra_refresh.mp4": dict(options={"x264-params": "intra-refresh=1:keyint=20"}),
    "h264.mkv": dict(options={"g": "15"}),
    "h264.ts": dict(options={"g": "15"}),
    "untimed.avi": dict(options={"g": "15"}),
    "elementary.h264": dict(options={"g": "15"}),
    "hevc.mp4": dict(codec="libx265", options={"x265-params": "log-level=none:keyint=12"}),
    "vp9.webm": dict(codec="libvpx-vp9", options={"g": "12"}),
    "mpeg4b.avi": dict(codec="mpeg4", options={"bf": "2"}),
    "mjpeg.avi": dict(codec="mjpeg", layout="yuvj420p"),
    "disc.vob": dict(codec="mpeg2video"),
    "turned.mp4": dict(options={"g": "12"}, rotate=90),
    "uneven.mkv": dict(times=list(np.cumsum(np.tile([0.04, 0.3, 0.001], 20))), options={"g": "9"}),
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Eight of the drawn frames are a block."""
    monkeypatch.setattr(backward_module, "BLOCK", 8 * FRAME)


def check(video, start, whole):
    """Frames start..0 of a video are those of `whole`."""
    indices, frames = zip(*read_backward(video, start))
    assert list(indices) == list(range(min(start, len(whole) - 1), -1, -1))
    for index, frame in zip(indices, frames):
        assert frame.time == whole[index].time and frame.missing == whole[index].missing
        np.testing.assert_array_equal(frame.image, whole[index].image)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_gives_the_frames_that_it_gives_forward(tmp_path, name):
    settings = KINDS[name]
    video = open_video(write_film(tmp_path / name, LENGTH, **settings))
    whole = list(video.stream(0))
    assert len(whole) == LENGTH
    for start in (LENGTH - 1, 41, 7, 0, LENGTH + 5):
        check(video, start, whole)


def test_lost_frames_keep_their_places(tmp_path):
    path = write_film(tmp_path / "v.avi", 40, codec="mjpeg", layout="yuvj420p")
    spans = places(path)
    overwrite(path, [spans[15], spans[16], spans[30]])
    video = open_video(path)
    whole = list(video.stream(0))
    assert [index for index, frame in enumerate(whole) if frame.missing] == [15, 16, 30]
    check(video, 39, whole)


def test_a_container_that_can_be_sought_is_decoded_from_its_beginning_once(tmp_path):
    video = open_video(write_film(tmp_path / "v.mp4", LENGTH, options={"g": "6"}))
    starts = []

    def noted(start=0):
        starts.append(start)
        return video.stream(start)

    frames = read_backward(dataclasses.replace(video, stream=noted), LENGTH - 1)
    assert numbers_of(frame.image for _, frame in frames) == list(range(LENGTH - 1, -1, -1))
    assert starts == [0]


def test_frames_that_seeking_gets_wrong_are_noticed(tmp_path):
    path = write_film(tmp_path / "v.mp4", LENGTH, options={"g": "6"})
    video = open_video(path)
    whole = list(video.stream(0))

    def lies(times):
        for frame in video.seek(times):
            yield frame._replace(image=255 - frame.image)

    def lacks(times):
        return itertools.islice(video.seek(times), 3)

    for wrong in (lies, lacks):
        check(dataclasses.replace(video, seek=wrong), LENGTH - 1, whole)


def test_a_folder_an_array_and_an_animation(tmp_path):
    images = [numbered(i) for i in range(20)]
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    first, *more = map(Image.fromarray, images)
    first.save(tmp_path / "v.gif", save_all=True, append_images=more, duration=50)
    folder = tmp_path / "folder"
    folder.mkdir()
    for index in range(20):
        (tmp_path / f"{index}.png").rename(folder / f"{index}.png")
    for source in (folder, np.stack(images), images, tmp_path / "v.gif"):
        video = open_video(source)
        check(video, 17, list(video.stream(0)))


@pytest.mark.parametrize("direct", [False, True])
def test_no_more_frames_than_a_block_are_held(direct):
    """Of 200 frames the eight of a block are alive at a time, and one that is on its way."""
    base = open_video([numbered(0)] * 200)
    alive, most = set(), 0

    def stream(start=0):
        nonlocal most
        for number, frame in enumerate(base.stream(start), start):
            alive.add(number)
            most = max(most, len(alive))
            weakref.finalize(frame.image, alive.discard, number)
            yield frame
            del frame

    video = dataclasses.replace(base, stream=stream, direct=direct)
    assert [index for index, _ in read_backward(video, 199)] == list(range(199, -1, -1))
    assert most <= (3 if direct else 11)


@pytest.mark.parametrize(
    "name", ["gop12.mp4", "open_gop.mp4", "h264.mkv", "hevc.mp4", "mjpeg.avi", "vp9.webm"]
)
def test_damage_here_and_there_costs_no_reading_from_the_beginning_for_each_block(tmp_path, name):
    """A run-up finds what depends on damaged frames, so that time grows with the length alone."""
    length = 400
    path = write_film(tmp_path / name, length, **KINDS[name])
    spans = places(path)
    overwrite(path, spans[30::37])
    video = open_video(path)
    whole = list(video.stream(0))
    starts, sought = [], []

    def noted(start=0):
        starts.append(start)
        return video.stream(start)

    def seek(times):
        sought.append(times)
        return video.seek(times)

    check(dataclasses.replace(video, stream=noted, seek=seek), len(whole) - 1, whole)
    assert video.findings.missing or video.findings.damaged
    assert len(starts) <= 5, (len(starts), len(sought))


def test_a_stream_that_cannot_be_entered_is_not_sought_for_ever(tmp_path):
    video = open_video(write_film(tmp_path / "v.mp4", LENGTH, options={"g": "6"}))
    whole, sought = list(video.stream(0)), []

    def nothing(times):
        sought.append(times)
        return iter(())

    check(dataclasses.replace(video, seek=nothing), LENGTH - 1, whole)
    assert len(sought) <= backward_module.TRIES * len(backward_module.RUN_UPS)
