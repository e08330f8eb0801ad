"""Damaged and truncated video files: what can be decoded, under its own number, and a note.

Whatever the bytes of a file are, it gives frames or one InputError; never a crash, never a hang.
"""

import pathlib
import select
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.films import copy_packets, numbered, numbers_of, overwrite, places, write_film

from vosjax.errors import InputError
from vosjax.io.video import open_video

TOP = pathlib.Path(__file__).parents[2]
INTRA = {"g": "1", "bf": "0"}
# Formats in which every frame can be decoded without the others.
ALONE = {
    "v.avi": dict(codec="mjpeg", layout="yuvj420p"),
    "v.mp4": dict(options=INTRA),
    "v.mkv": dict(options=INTRA),
    "v.mov": dict(codec="prores_ks", layout="yuv422p10le"),
    "p.mov": dict(codec="png", layout="rgb24"),
}


def images(video):
    return [frame.image for frame in video.stream(0)]


def damaged(path, *frames, filling=b"\0"):
    """The file with the content of some frames (in the order of the file) overwritten."""
    spans = places(path)
    overwrite(path, [spans[frame] for frame in frames], filling)
    return path


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("filling", [b"\0", b"\xff"])
def test_a_lost_frame_keeps_its_number(tmp_path, name, filling):
    video = open_video(damaged(write_film(tmp_path / name, **ALONE[name]), 5, filling=filling))
    frames = list(video.stream(0))
    expected = [0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11]
    assert numbers_of(frame.image for frame in frames) == expected
    assert [index for index, frame in enumerate(frames) if frame.missing] == [5] == video.missing
    np.testing.assert_allclose([f.time for f in frames], np.arange(12) / 25, atol=2e-3)
    (note,) = video.notes
    assert f"{name}: frame 5 cannot be decoded" in note and "truncated" not in note


@pytest.mark.parametrize("name", ["v.avi", "v.mkv"])
def test_many_lost_frames_are_counted_and_named(tmp_path, name):
    lost = [2, 3, 4, 7, 11]
    video = open_video(damaged(write_film(tmp_path / name, **ALONE[name]), *lost))
    assert numbers_of(images(video)) == [0, 1, 1, 1, 1, 5, 6, 6, 8, 9, 10, 10]
    assert video.missing == lost
    assert "5 frames (2-4, 7, 11) cannot be decoded" in video.notes[0]


@pytest.mark.parametrize("name", ALONE)
def test_damage_near_the_end_loses_nothing_behind_it(tmp_path, name):
    video = open_video(damaged(write_film(tmp_path / name, **ALONE[name]), 10))
    assert numbers_of(images(video)) == [*range(10), 9, 11]
    video = open_video(damaged(tmp_path / name, 11))
    assert numbers_of(images(video)) == [*range(10), 9, 9] and video.missing == [10, 11]


@pytest.mark.parametrize("name", ALONE)
def test_a_video_begins_with_the_first_frame_that_decodes(tmp_path, name):
    video = open_video(damaged(write_film(tmp_path / name, **ALONE[name]), 0, 1))
    assert numbers_of(images(video)) == list(range(2, 12)) and not video.missing
    assert "2 frame(s) at its beginning cannot be decoded" in video.notes[0]


def test_lost_frames_of_every_reading_are_the_same(tmp_path):
    video = open_video(damaged(write_film(tmp_path / "v.mkv", **ALONE["v.mkv"]), 5))
    whole = list(video.stream(0))
    for start in (3, 5, 6):
        again = list(open_video(tmp_path / "v.mkv").stream(start))
        assert [(f.time, f.missing) for f in again] == [(f.time, f.missing) for f in whole[start:]]
        np.testing.assert_array_equal([f.image for f in again], [f.image for f in whole[start:]])


def test_a_lost_frame_among_predicted_ones(tmp_path):
    """Those behind it are drawn as far as they can be, and all numbers stay."""
    for name, codec in (("v.mp4", "libx264"), ("v.avi", "mpeg4"), ("v.webm", "libvpx-vp9")):
        video = open_video(damaged(write_film(tmp_path / name, codec=codec), 5))
        frames = list(video.stream(0))
        assert len(frames) == 12 and len(video.missing) >= 1 and not frames[0].missing
        assert numbers_of(frame.image for frame in frames)[:4] == [0, 1, 2, 3]


def test_damage_that_is_drawn_over_is_told(tmp_path):
    noise = list(np.random.default_rng(0).integers(0, 255, (6, 96, 96, 3), np.uint8))
    path = write_film(tmp_path / "v.mp4", noise, options=INTRA)
    offset, size = places(path)[3]
    overwrite(path, [(offset + size // 2, size // 4)])
    video = open_video(path)
    assert len(images(video)) == 6 and not video.missing
    assert "damaged, but decoded in part: frame 3" in video.notes[0]


def test_a_chunk_that_the_container_passes_over_keeps_its_number(tmp_path):
    path = write_film(tmp_path / "v.avi", **ALONE["v.avi"])
    offset, _ = places(path)[5]
    overwrite(path, [(offset - 8, 8)])  # its name and length
    video = open_video(path)
    assert numbers_of(images(video)) == [0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11]
    assert video.missing == [5]


def test_frames_lost_from_a_broadcast_are_a_note(tmp_path):
    drop = {5, 6}
    whole = write_film(tmp_path / "a.mp4", options=INTRA)
    copy_packets(whole, tmp_path / "v.ts", lambda i, packet: None if i in drop else packet)
    video = open_video(tmp_path / "v.ts")
    assert numbers_of(images(video)) == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
    assert "its times leap 1 time(s) (first behind frame 4)" in video.notes[0]


def cut(path, part):
    data = path.read_bytes()
    path.write_bytes(data[: round(part * len(data))])
    return path


NOISE = np.random.default_rng(0).integers(0, 64, (20, 96, 128, 3), np.uint8)
BULKY = [numbered(index, (96, 128)) ^ noise for index, noise in enumerate(NOISE)]
FINE = {"qmin": "2", "qmax": "4"}


@pytest.mark.parametrize(
    "name, settings",
    [
        ("v.avi", dict(codec="mjpeg", layout="yuvj420p", options=FINE)),
        ("v.avi", dict(codec="mpeg4", options=FINE)),
        ("v.mp4", dict(container={"movflags": "faststart"})),
    ],
)
def test_a_truncated_file_tells_how_much_of_it_there_is(tmp_path, name, settings):
    path = cut(write_film(tmp_path / name, BULKY, **settings), 0.6)
    video = open_video(path)
    count = len(images(video))
    assert 5 < count < 18
    assert f"{name} announces 20 frames, only {count} could be decoded: it may" in video.notes[-1]


def test_a_truncated_file_without_a_count_is_told_of_too(tmp_path):
    path = cut(write_film(tmp_path / "v.mkv", BULKY), 0.6)
    video = open_video(path)
    count = len(images(video))
    assert 5 < count < 18
    assert f"v.mkv is truncated: it ends after {count} frames" in video.notes[-1]


def test_a_file_that_breaks_off_in_its_middle_is_told_of(tmp_path):
    path = write_film(tmp_path / "v.mkv", BULKY)
    offset, size = places(path)[10]
    overwrite(path, [(offset - 40, path.stat().st_size - offset)])
    video = open_video(path)
    assert 5 <= len(images(video)) < 18
    assert "could be decoded: it is damaged or truncated" in video.notes[-1]


def test_what_was_lost_is_warned_of_at_the_end(tmp_path):
    video = open_video(damaged(write_film(tmp_path / "v.avi", **ALONE["v.avi"]), 5))
    with pytest.warns(UserWarning, match="frame 5 cannot be decoded"):
        assert len(list(video.frames())) == 12


def test_a_whole_file_is_not_alarmed_about(tmp_path, recwarn):
    for name in ("v.mkv", "v.mp4", "v.avi", "v.ts", "v.webm"):
        codec = dict(codec="libvpx") if name == "v.webm" else {}
        video = open_video(write_film(tmp_path / name, BULKY, **codec))
        assert len(list(video.frames())) == 20 and not video.notes
    assert not recwarn.list


def test_an_unfinished_mp4_is_refused(tmp_path):
    path = cut(write_film(tmp_path / "v.mp4", BULKY), 0.6)  # its index would be at the end
    with pytest.raises(InputError, match="v.mp4 cannot be opened"):
        open_video(path)


@pytest.mark.parametrize(
    "error, words",
    [
        (OSError(5, "Input/output error"), r"cannot be read \(Input/output error\)"),
        (PermissionError(13, "Permission denied"), r"may not be read \(permission denied\)"),
    ],
)
def test_a_disk_that_fails_is_not_called_a_damaged_file(tmp_path, monkeypatch, error, words):
    def failing(*args, **settings):
        raise error

    path = write_film(tmp_path / "v.mp4")
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", failing)
        with pytest.raises(InputError, match=f"v.mp4 {words}"):
            open_video(path)
    frames = open_video(path).stream(0)
    monkeypatch.setattr("builtins.open", failing)
    with pytest.raises(InputError, match=f"v.mp4 {words}"):
        next(frames)


def test_a_small_file_cannot_ask_for_all_memory(tmp_path):
    path = write_film(tmp_path / "v.mov", 3, codec="qtrle", layout="rgb24")
    data = path.read_bytes()
    said = numbered(0).shape[1].to_bytes(2, "big") + numbered(0).shape[0].to_bytes(2, "big")
    path.write_bytes(data.replace(said, b"\x5d\x5d\x19\x19"))
    with pytest.raises(InputError, match=r"v.mov is 23901x6425 .*more than a frame of 16K"):
        open_video(path)


# Fuzzing: a process of its own reads the files, as only that survives a crash of native code.

READER = """
import sys, warnings
warnings.simplefilter("ignore")
from vosjax.errors import InputError
from vosjax.io.video import open_video
for line in sys.stdin:
    try:
        count = 0
        for frame in open_video(line.rstrip("\\n")).stream(0):
            count += 1
        print("frames", count, flush=True)
    except InputError as error:
        print("refused", "\\\\n".join(str(error).splitlines()), flush=True)
"""
SEEDS = {
    "h264.mp4": dict(),
    "fast.mp4": dict(container={"movflags": "faststart"}),
    "pieces.mp4": dict(container={"movflags": "frag_keyframe+empty_moov"}),
    "h264.mkv": dict(),
    "vp9.webm": dict(codec="libvpx-vp9"),
    "vp8.webm": dict(codec="libvpx"),
    "hevc.mp4": dict(codec="libx265", options={"x265-params": "log-level=none"}),
    "mjpeg.avi": dict(codec="mjpeg", layout="yuvj420p"),
    "mpeg4.avi": dict(codec="mpeg4"),
    "h264.ts": dict(),
    "mpeg2.mpg": dict(codec="mpeg2video"),
    "h264.flv": dict(),
    "old.wmv": dict(codec="wmv2"),
    "ffv1.nut": dict(codec="ffv1"),
    "png.mov": dict(codec="png", layout="rgb24"),
    "qtrle.mov": dict(codec="qtrle", layout="argb"),
    "grey.mkv": dict(codec="ffv1", layout="gray16le"),
}


class Reader:
    """A process that reads videos, given their names."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", READER],
            cwd=TOP,
            text=True,
            bufsize=1,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def read(self, path, seconds=60):
        self.process.stdin.write(f"{path}\n")
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        assert ready, f"{path} hangs"
        answer = self.process.stdout.readline().split(maxsplit=1)
        assert answer, f"{path} crashes: {self.process.wait(10)}"
        return answer[0]


@pytest.fixture(scope="module")
def reader():
    reader = Reader()
    yield reader
    reader.process.kill()
    reader.process.wait()


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    return {name: write_film(folder / name, 6, **how).read_bytes() for name, how in SEEDS.items()}


@st.composite
def mutations(draw):
    """What is done to a file: bytes overwritten (anywhere, or in its head), then a cut."""
    head = draw(st.booleans())
    offset = st.integers(0, 400) if head else st.floats(0, 1)
    spots = draw(st.lists(st.tuples(offset, st.binary(min_size=1, max_size=9)), max_size=6))
    return spots, draw(st.none() | st.floats(0, 1)), draw(st.sampled_from(sorted(SEEDS)))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mutations())
def test_any_bytes_give_frames_or_one_line(tmp_path_factory, reader, seeds, mutation):
    spots, end, name = mutation
    data = bytearray(seeds[name])
    for offset, filling in spots:
        start = offset if isinstance(offset, int) else int(offset * len(data))
        data[start : start + len(filling)] = filling
    path = tmp_path_factory.getbasetemp() / f"fuzzed-{name}"
    path.write_bytes(data if end is None else data[: int(end * len(data))])
    assert reader.read(path) in ("frames", "refused")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(SEEDS)))
def test_bytes_that_are_no_video_are_refused(tmp_path_factory, reader, data, name):
    path = tmp_path_factory.getbasetemp() / f"noise-{name}"
    path.write_bytes(data)
    assert reader.read(path) in ("frames", "refused")
