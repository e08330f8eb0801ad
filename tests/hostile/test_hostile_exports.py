"""Exports and annotation files that are damaged, named oddly, killed, or have no room."""

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest
from PIL import Image
from support.clips import clip
from support.damage import cut, flipped
from support.documents import ROOT

from vosjax.errors import InputError
from vosjax.exports import FORMATS, Object, write
from vosjax.io.masks import read_marks, read_masks, runs
from vosjax.io.names import in_order
from vosjax.io.video import open_video

FRAMES, LABELS = clip(frames=3, height=24, width=32, objects=2)
SIZE = (24, 32)
MASKS = dict(enumerate(LABELS))


def place(tmp_path, format):
    return tmp_path / FORMATS[format].default_name("v")


# Annotation files


def cvat():
    shapes = "".join(
        f'<image id="{i}" name="frame_{i}.png" width="32" height="24">'
        '<polygon label="dog" points="2.5,3;8,3;8,9" group_id="1" z_order="0"/>'
        '<mask label="cat" rle="2, 3, 1" left="12" top="3" width="2" height="3"/></image>'
        for i in range(3)
    )
    return f"<?xml version='1.0'?><annotations>{shapes}</annotations>".encode()


def coco(**more):
    images = [{"id": i, "frame_id": i, "height": 24, "width": 32} for i in range(3)]
    annotations = [
        {"image_id": i, "track_id": id, "segmentation": runs.encode(labels == id), **more}
        for i, labels in MASKS.items()
        for id in (1, 2)
    ]
    return json.dumps({"images": images, "annotations": annotations}).encode()


def youtube_vis():
    tracks = [
        {"id": id, "video_id": 1, "segmentations": [runs.encode(page == id) for page in LABELS]}
        for id in (1, 2)
    ]
    header = {"id": 1, "height": 24, "width": 32, "length": 3}
    return json.dumps({"videos": [header], "annotations": tracks}).encode()


def archive():
    data, picture = io.BytesIO(), io.BytesIO()
    Image.fromarray(LABELS[0]).save(picture, "PNG")
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("masks/00000.png", picture.getvalue())
        file.writestr("masks/00001.png", picture.getvalue())
    return data.getvalue()


def digits(data, rng):
    """Another number in the place of one of the file's."""
    places = [index for index, letter in enumerate(data) if chr(letter).isdigit()]
    if not places:
        return b""
    index = rng.choice(places)
    other = rng.choice([b"-1", b"99999999999999999999", b"1e999", b"", b"nan", b"0.5", b"null"])
    return data[:index] + other + data[index + 1 :]


@pytest.mark.parametrize("make", [cvat, coco, youtube_vis, archive])
@pytest.mark.parametrize("damage", [flipped, cut, digits])
def test_a_damaged_annotation_file_is_read_or_refused_in_one_line(make, damage):
    whole = make()
    assert read_marks(whole, frames=3, size=SIZE).labels
    refused = 0
    for seed in range(150):
        try:
            marks = read_marks(damage(whole, random.Random(seed)), frames=3, size=SIZE)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 1000
        else:
            assert all(labels.shape == SIZE for labels in marks.labels.values())
    assert refused


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"{}",
        b"[1]",
        b'{"annotations": 1}',
        b'{"annotations": [[]]}',
        b'{"annotations": [{"segmentations": null}]}',
        b'{"annotations": [{"segmentations": {}}]}',
        b'{"shapes": {}}',
        b"[" * 100_000,
        b"<",
        b"<a>",
        b"<annotations><track><box/></track></annotations>",
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(18),
        b"",
        bytes(100),
    ],
)
def test_files_that_hold_something_else_are_refused_in_one_line(content):
    with pytest.raises(InputError) as error:
        read_marks(content, frames=3, size=SIZE)
    assert "\n" not in str(error.value)


def test_labels_of_annotation_files_cannot_forge_lines():
    content = json.loads(coco(category_id=1))
    content["categories"] = [{"id": 1, "name": "dog\nnote: all is well\x1b[2J"}]
    marks = read_marks(json.dumps(content).encode(), frames=3, size=SIZE)
    assert not any("\n" in line or "\x1b" in line for line in marks.notes + marks.doubts)


# Names


NO_UTF8 = b"caf\xe9".decode("utf-8", "surrogateescape")
ODD = ["a b", "it's", 'say "so"', "<b>&amp;", "x=1", "ü", "-", "日本", NO_UTF8]


@pytest.mark.parametrize("format", FORMATS)
def test_frames_and_objects_with_odd_names_are_exported_and_read_back(format, tmp_path):
    for name in ODD:
        folder = tmp_path / f"frames {name}"
        folder.mkdir()
        for index, frame in enumerate(FRAMES):
            Image.fromarray(frame).save(folder / f"{name}{index}.png")
    for number, name in enumerate(ODD):
        video = open_video(tmp_path / f"frames {name}")
        path = place(tmp_path / f"made {number}", format)
        write(format, path, video, MASKS, objects=[Object(1, name), Object(2, name[::-1] + "\n")])
        if format in ("palette", "coco", "youtube-vis"):
            back = read_masks(str(path), video.names, size=SIZE, count=3).labels
            for index, labels in MASKS.items():
                np.testing.assert_array_equal(back[index], labels)
        if format == "davis":
            stems = [file.stem for file in (path / "JPEGImages").rglob("*.jpg")]
            assert in_order(stems) == list(video.names)


@pytest.mark.parametrize(
    "name", ["", " ", "..", "../up", "/etc", "a/b", "a\\b", ".hidden", "a\nb", "x" * 300, 7]
)
def test_the_name_of_a_video_is_no_path(name, tmp_path):
    with pytest.raises(InputError, match="the video is to be called"):
        write("davis", tmp_path / "d", FRAMES, MASKS, name=name)
    assert not list(tmp_path.iterdir())


# Values


@pytest.mark.parametrize(
    "masks",
    [
        {},
        {-1: LABELS[0]},
        {3: LABELS[0]},
        {"0": LABELS[0]},
        {True: LABELS[0]},
        {0.0: LABELS[0]},
        {0: LABELS[0].astype(float)},
        {0: LABELS[0][None]},
        {0: LABELS[0].T},
        {0: np.full(SIZE, 256)},
        {0: np.full(SIZE, -1)},
        {0: None},
        {0: "mask"},
    ],
)
@pytest.mark.parametrize("format", ["palette", "coco", "davis"])
def test_what_is_no_mask_is_refused_in_one_line(masks, format, tmp_path):
    with pytest.raises(InputError) as error:
        write(format, place(tmp_path, format), FRAMES, masks, name="v")
    assert "\n" not in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("format", FORMATS)
def test_a_mask_behind_the_end_of_a_video_of_unknown_length_is_refused(format, tmp_path):
    if format in ("palette", "objects", "coco") or format.startswith("youtube"):
        pytest.skip("this format does not read the frames")
    with pytest.raises(InputError, match="a mask for frame 5, and .* has 3 frames"):
        write(format, place(tmp_path, format), iter(FRAMES), {5: LABELS[0]}, name="v")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "known",
    [
        Object(0),
        Object(256),
        Object("1"),
        Object(1, None),
        Object(1, "a", (1, 2)),
        Object(1, "a", (1, 2, 300)),
        Object(1, "a", (-1, 2, 3)),
        Object(1, "a", (0.5, 2, 3)),
    ],
)
def test_what_is_no_object_is_refused_in_one_line(known, tmp_path):
    with pytest.raises(InputError):
        write("coco", tmp_path / "a.json", FRAMES, MASKS, objects=[known])


def test_the_void_of_davis_is_no_object(tmp_path):
    with pytest.raises(InputError, match="255 is void"):
        write("davis", tmp_path / "d", FRAMES, {0: np.full(SIZE, 255, np.uint8)})
    assert not (tmp_path / "d").exists()


# Places


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_that_may_not_be_written_is_named(format, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="may not be written"):
        write(format, place(tmp_path, format), FRAMES, MASKS)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_in_the_way_is_named(format, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file"):
        write(format, place(tmp_path / "file", format), FRAMES, MASKS)
    assert (tmp_path / "file").read_text() == "mine"


KILLED = """
    import os, signal, sys
    import numpy as np
    from vosjax.exports import FORMATS, write

    class Slow(dict):
        def __getitem__(self, index):
            if index == 2:
                {death}
            return super().__getitem__(index)

    format, path = sys.argv[1:]
    frames = np.full((3, 24, 32, 3), 90, np.uint8)
    masks = Slow({{index: np.eye(24, 32, index, np.uint8) for index in range(3)}})
    write(format, path, frames, masks, name="v", overwrite=True)
"""


def in_process(format, path, death):
    code = textwrap.dedent(KILLED.format(death=death))
    return subprocess.run(
        [sys.executable, "-c", code, format, str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("format", FORMATS)
def test_a_killed_export_leaves_what_was_there(format, tmp_path):
    path = place(tmp_path, format)
    write(format, path, FRAMES, MASKS, name="v")
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    before = {file: file.read_bytes() for file in files}
    ended = in_process(format, path, "os.kill(os.getpid(), signal.SIGKILL)")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert {file: file.read_bytes() for file in files} == before
    write(format, path, FRAMES, {0: LABELS[1]}, name="v", overwrite=True)  # and it can be repeated
    if format == "davis":
        assert os.listdir(path / "JPEGImages" / "Full-Resolution").count("v") == 1


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_without_room_says_so_and_leaves_what_was_there(format, tmp_path):
    path = place(tmp_path, format)
    death = "import resource; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " + (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))"
    )
    ended = in_process(format, path, death)
    assert ended.returncode == 1 and "InputError: " in ended.stderr, ended.stderr
    assert re.search("it is larger than the file system|File too large", ended.stderr)
    line = ended.stderr.splitlines()[-1]
    assert str(path) in line and ".tmp" not in line
    assert not path.exists() and not [file for file in tmp_path.rglob("*") if file.is_file()]
