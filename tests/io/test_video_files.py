"""Video files of every kind give exactly the frames that a player shows, with their own times."""

import os
import pathlib
import sys

import av
import cv2
import numpy as np
import pytest
from support.films import SIZE, copy_packets, numbered, numbers_of, write_film

from vosjax.errors import InputError
from vosjax.io.video import open_video

X265 = {"x265-params": "log-level=none"}
# name: (how it is written, whether the container counts its frames)
KINDS = {
    "h264.mp4": (dict(), True),
    "h264.mov": (dict(), True),
    "phone.3gp": (dict(), True),
    "fragments.mp4": (dict(container={"movflags": "frag_keyframe+empty_moov"}), False),
    "h264.mkv": (dict(), False),
    "h264.ts": (dict(), False),
    "camcorder.m2ts": (dict(), False),
    "h264.flv": (dict(), False),
    "h264.avi": (dict(), True),
    "elementary.h264": (dict(), False),
    "hevc.mp4": (dict(codec="libx265", options=X265), True),
    "vp8.webm": (dict(codec="libvpx"), False),
    "vp9.webm": (dict(codec="libvpx-vp9"), False),
    "vp9.ivf": (dict(codec="libvpx-vp9"), False),
    "mpeg4.avi": (dict(codec="mpeg4"), True),
    "mpeg4b.avi": (dict(codec="mpeg4", options={"bf": "2"}), True),
    "mjpeg.avi": (dict(codec="mjpeg", layout="yuvj420p"), True),
    "bare.mjpeg": (dict(codec="mjpeg", layout="yuvj420p", kind="mjpeg"), False),
    "raw.avi": (dict(codec="rawvideo", layout="bgr24"), True),
    "mpeg2.mpg": (dict(codec="mpeg2video"), False),
    "mpeg2.ts": (dict(codec="mpeg2video"), False),
    "disc.vob": (dict(codec="mpeg2video"), False),
    "studio.mxf": (dict(codec="mpeg2video"), False),
    "old.wmv": (dict(codec="wmv2"), False),
    "lossless.mkv": (dict(codec="ffv1"), False),
    "any.nut": (dict(codec="ffv1"), False),
    "prores.mov": (dict(codec="prores_ks", layout="yuv422p10le"), True),
    "animation.mov": (dict(codec="qtrle", layout="rgb24"), True),
    "plain.y4m": (dict(codec="wrapped_avframe"), False),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_its_frames_in_order(tmp_path, name):
    settings, counted = KINDS[name]
    video = open_video(write_film(tmp_path / name, **settings))
    assert video.size == SIZE and video.fps == 25
    assert video.count == (12 if counted else None)
    frames = list(video.stream(0))
    assert numbers_of(frame.image for frame in frames) == list(range(12))
    assert all(
        frame.image.dtype == np.uint8 and frame.image.shape == (*SIZE, 3) for frame in frames
    )
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(12) / 25, atol=2e-3)
    assert not video.notes and not video.missing


@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "vp9.webm", "mpeg4b.avi", "disc.vob"])
def test_reading_from_the_middle_gives_the_same_frames(tmp_path, name):
    video = open_video(write_film(tmp_path / name, **KINDS[name][0]))
    whole = list(video.stream(0))
    for start in (1, 7, 11):
        for part, frame in zip(video.stream(start), whole[start:], strict=True):
            assert part.time == frame.time
            np.testing.assert_array_equal(part.image, frame.image)
    assert list(video.stream(12)) == [] and list(video.stream(99)) == []


@pytest.mark.parametrize("name", ["recording.mkv", "recording.webm", "recording.mp4"])
def test_uneven_times_are_kept(tmp_path, name):
    times = [0, 0.04, 0.08, 0.12, 0.5, 0.9, 1.3, 3.0, 3.04]
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    video = open_video(write_film(tmp_path / name, len(times), codec=codec, times=times))
    frames = list(video.stream(0))
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=2e-3)
    assert numbers_of(frame.image for frame in frames) == list(range(len(times)))
    assert not video.notes, "an estimate of the container's is no reason for an alarm"


def test_what_containers_guess_is_no_count(tmp_path):
    path = write_film(tmp_path / "v.mkv", 4, times=[0, 0.04, 0.08, 3])
    video = open_video(path)
    assert video.count is None and video.estimate > 50 and video.length == video.estimate
    assert len(list(video.frames())) == 4


@pytest.mark.parametrize("name", ["v.mp4", "v.mov"])
@pytest.mark.parametrize("options", [{"bf": "0"}, {}], ids=["plain", "reordered"])
def test_a_trimmed_clip_shows_what_players_show(tmp_path, name, options):
    whole = write_film(tmp_path / "whole.mp4", options=options | {"g": "100"})
    unit = 512  # ticks of a frame in that file
    trimmed = copy_packets(whole, tmp_path / f"cut-{name}", start=4 * unit)
    video = open_video(trimmed)
    assert numbers_of(video.frames()) == list(range(4, 12))
    assert video.count == 8 and not video.notes


def test_a_late_start_is_no_gap(tmp_path):
    late = copy_packets(write_film(tmp_path / "a.mp4"), tmp_path / "late.mp4", start=-4096)
    frames = list(open_video(late).stream(0))
    assert len(frames) == 12 and frames[0].time == 0 and frames[1].time == pytest.approx(0.04)


@pytest.mark.parametrize("degrees, turns", [(90, 1), (180, 2), (270, 3), (-90, 3)])
def test_phones_that_were_held_upright(tmp_path, degrees, turns):
    plain = next(open_video(write_film(tmp_path / "a.mp4")).frames())
    video = open_video(write_film(tmp_path / "b.mp4", rotate=degrees))
    image = next(video.frames())
    np.testing.assert_array_equal(image, np.rot90(plain, turns))
    assert video.size == image.shape[:2] and image.flags.c_contiguous


def test_rotation_is_what_opencv_makes_of_it(tmp_path):
    path = write_film(tmp_path / "v.mp4", rotate=90)
    theirs = cv2.VideoCapture(str(path)).read()[1][..., ::-1]
    np.testing.assert_array_equal(next(open_video(path).frames()), theirs)


def test_pixels_that_are_not_square_are_left_as_they_are(tmp_path):
    wide = {"sample_aspect_ratio": 2}
    video = open_video(write_film(tmp_path / "v.mp4", colours=wide))
    assert video.size == SIZE and not video.notes


GREYS = np.array([[0, 40, 100, 200, 255]], np.uint8).repeat(32, 0).repeat(16, 1)[..., None]
GREYS = GREYS.repeat(3, 2)


@pytest.mark.parametrize(
    "codec, layout",
    [
        ("ffv1", "yuv420p10le"),
        ("ffv1", "yuv422p12le"),
        ("ffv1", "gray10le"),
        ("ffv1", "gray12le"),
        ("ffv1", "gray"),
        ("ffv1", "yuv444p16le"),
        ("libx265", "yuv420p10le"),
        ("prores_ks", "yuv444p10le"),
    ],
)
def test_ten_and_more_bits_become_eight(tmp_path, codec, layout):
    name = "v.mov" if codec == "prores_ks" else "v.mkv"
    options = X265 if codec == "libx265" else {}
    path = write_film(tmp_path / name, [GREYS] * 3, codec=codec, layout=layout, options=options)
    np.testing.assert_allclose(next(open_video(path).frames())[16, 8::16], GREYS[16, 8::16], atol=5)


@pytest.mark.parametrize("layout, bits", [("gray16le", 12), ("gray16le", 10), ("rgb48le", 14)])
def test_a_film_of_sixteen_bits_has_one_scale(tmp_path, layout, bits):
    top = 2**bits - 1
    levels = [np.full((32, 48), level, np.uint16) for level in (top // 2, top // 4, top)]
    images = [np.repeat(x[..., None], 3, 2) for x in levels] if layout == "rgb48le" else levels
    codec = "ffv1" if layout == "gray16le" else "png"
    stored = layout.replace("48le", "48be")
    path = tmp_path / ("v.mov" if codec == "png" else "v.mkv")
    video = open_video(write_film(path, images, codec=codec, layout=stored, source=layout))
    assert [round(image.mean()) for image in video.frames()] == [127, 63, 255]
    assert f"{bits} of which are in use" in video.notes[0]


def test_full_sixteen_bits_keep_their_high_byte(tmp_path):
    images = [np.full((32, 48), level, np.uint16) for level in (100 * 256 + 9, 60000)]
    video = open_video(
        write_film(tmp_path / "v.mkv", images, codec="ffv1", layout="gray16le", source="gray16le")
    )
    assert [image.mean() for image in video.frames()] == [100, 60000 >> 8] and not video.notes


def test_the_scale_of_a_long_film_comes_from_all_parts_of_it(tmp_path):
    images = [np.full((16, 16), 400 if index < 500 else 4000, np.uint16) for index in range(600)]
    settings = dict(codec="ffv1", layout="gray16le", source="gray16le", options={"g": "10"})
    video = open_video(write_film(tmp_path / "v.mkv", images, **settings))
    shown = [image.mean() for image in video.frames()]
    assert (shown[0], shown[-1]) == (400 >> 4, 4000 >> 4)


def test_high_dynamic_range_is_scaled_and_said(tmp_path):
    path = write_film(
        tmp_path / "v.mkv",
        [GREYS] * 2,
        codec="libx265",
        layout="yuv420p10le",
        options=X265 | {"x265-params": "log-level=none:transfer=smpte2084"},
    )
    video = open_video(path)
    np.testing.assert_allclose(next(video.frames())[16, 8::16], GREYS[16, 8::16], atol=5)
    assert "HDR (PQ)" in video.notes[0]


@pytest.mark.parametrize("matrix", [1, 5])
@pytest.mark.parametrize("span", [1, 2])
def test_colours_are_those_that_the_file_says(tmp_path, matrix, span):
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (200, 60, 60), (40, 220, 90)
    frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
        format="yuv444p", dst_colorspace=matrix, dst_color_range=span
    )
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, span
        film.mux(stream.encode(frame))
        film.mux(stream.encode())
    np.testing.assert_allclose(next(open_video(path).frames()), image, atol=3)


def test_what_is_transparent_shows_black(tmp_path):
    image = np.full((32, 64, 4), 200, np.uint8)
    image[:, :32, 3], image[:, 32:, 3] = 255, 0
    path = write_film(tmp_path / "v.mov", [image], codec="qtrle", layout="argb", source="rgba")
    shown = next(open_video(path).frames())
    assert (shown[:, :32] == 200).all() and (shown[:, 32:] == 0).all()


@pytest.mark.parametrize("size", [(31, 47), (1, 1), (17, 2), (2, 301)])
def test_sizes_may_be_odd(tmp_path, size):
    images = [np.full((*size, 3), level, np.uint8) for level in (40, 200)]
    video = open_video(write_film(tmp_path / "v.mkv", images, codec="ffv1", layout="bgr0"))
    assert video.size == size
    assert [round(image.mean()) for image in video.frames()] == [40, 200]


@pytest.mark.parametrize("fps", [105611 / 500, 1000 / 1001, 30000 / 1001, 0.001, 1000, 7.5])
def test_any_rate_is_a_rate(tmp_path, fps):
    video = open_video(write_film(tmp_path / "v.mp4", 4, fps=fps))
    assert video.fps == pytest.approx(fps, rel=1e-4)
    times = [frame.time for frame in video.stream(0)]
    np.testing.assert_allclose(times, np.arange(4) / fps, rtol=1e-3)


NAMES = [
    "take-12:30:05.mp4",
    "http:clip.mp4",
    "file:clip.mp4",
    "concat:a|b.mp4",
    "-y.mp4",
    "--help.mp4",
    "clip%d.mp4",
    "clip%03d.mp4",
    "clip*.mp4",
    "clip[0-9].mp4",
    "what?.mp4",
    "a#b.mp4",
    "two\nlines.mp4",
    "café.mp4",
    "日本.mp4",
    " .mp4",
    "~.mp4",
    "pipe:0",
    "no ending",
    "wrong.ending",
    "7",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "plain.mp4", 3)
    os.rename("plain.mp4", name)
    for path in (name, pathlib.Path(name), f"./{name}", tmp_path / name):
        assert numbers_of(open_video(path).frames()) == [0, 1, 2]


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_names_of_other_encodings_are_names(tmp_path):
    write_film(tmp_path / "plain.mp4", 3)
    name = os.fsdecode(b"caf\xe9.mp4")
    os.rename(tmp_path / "plain.mp4", tmp_path / name)
    video = open_video(tmp_path / name)
    assert numbers_of(video.frames()) == [0, 1, 2]
    assert r"caf\udce9.mp4" in video.name and video.name.encode()


def test_titles_of_other_encodings_do_no_harm(tmp_path):
    path = write_film(tmp_path / "v.mkv", 3, title="a title that is long enough")
    path.write_bytes(path.read_bytes().replace(b"a title", b"caf\xe9 \xff "))
    assert numbers_of(open_video(path).frames()) == [0, 1, 2]


def test_the_ending_need_not_be_right(tmp_path):
    write_film(tmp_path / "v.mkv", 3)
    os.rename(tmp_path / "v.mkv", tmp_path / "v.mp4")
    assert numbers_of(open_video(tmp_path / "v.mp4").frames()) == [0, 1, 2]


PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{film}\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile '{film}'\n",
    "list.mkv": "ffconcat version 1.0\nfile '{film}'\n",
    "call.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "text.txt": "only words\n" * 50,
    "list.mpd": '<?xml version="1.0"?><MPD type="static" xmlns="urn:mpeg:dash:schema:mpd:2011">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
    "<BaseURL>{film}</BaseURL></Representation></AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_files_that_name_others_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    film = write_film(tmp_path / "v.ts")
    (tmp_path / name).write_text(PLAYLISTS[name].format(film=film))
    with pytest.raises(InputError, match="video .*"):
        open_video(name)


def write_sound(film, stream):
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
    frame.sample_rate = 8000
    film.mux(stream.encode(frame))
    film.mux(stream.encode())


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "v.mp4"), "w") as film:
        write_sound(film, film.add_stream("aac", rate=8000, layout="mono"))
    with pytest.raises(InputError, match="v.mp4 holds no moving pictures"):
        open_video(tmp_path / "v.mp4")


def test_of_several_videos_one_is_taken_and_said(tmp_path):
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as film:
        streams = [film.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width = SIZE
            stream.pix_fmt = "yuv420p"
        for index in range(3):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(numbered(index), "rgb24")
                film.mux(stream.encode(frame))
        for stream in streams:
            film.mux(stream.encode())
    video = open_video(path)
    assert numbers_of(video.frames()) == [0, 1, 2]
    assert "of its 2 videos the first is taken" in video.notes[0]


def test_a_size_that_changes_is_named(tmp_path):
    parts = [
        write_film(tmp_path / f"{n}.ts", [np.zeros((*size, 3), np.uint8)] * 3, options={"bf": "0"})
        for n, size in enumerate([(32, 64), (64, 96)])
    ]
    joined = tmp_path / "v.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = open_video(joined).frames()
    with pytest.raises(InputError, match="frame 3 of .* is 96x64, the first is 64x32"):
        list(frames)


def test_joined_recordings_have_times_that_grow(tmp_path):
    part = write_film(tmp_path / "a.ts").read_bytes()
    (tmp_path / "v.ts").write_bytes(2 * part)
    times = [frame.time for frame in open_video(tmp_path / "v.ts").stream(0)]
    assert len(times) > 20 and all(a < b for a, b in zip(times, times[1:]))
