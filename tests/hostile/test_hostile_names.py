"""Names from files: each leads only to a file in the folder that is written."""

import json
import os
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import results_folder
from support.command import FRAMES, LABELS

from data_prep import builder, schema, shard, shards
from vosjax import cli
from vosjax.datasets import catalog, layout, unpack
from vosjax.datasets.protocol import frame_names
from vosjax.errors import InputError
from vosjax.eval import videos
from vosjax.io.names import check_name, check_path, name_problem

EVIL = ["../../../evil", "/evil", "a/b", "a\\b", "..", ".", "", " ", ".hidden", "C:evil", "a\nb",
        "a\0b", "\x1b[31m", "a" * 300, "é" * 120, "a\u202eb"]  # fmt: skip


@pytest.mark.parametrize("name", [*EVIL, None, 3, ["a"], b"a"], ids=repr)
def test_what_can_be_no_name_is_refused_with_its_file(name):
    with pytest.raises(InputError, match="^list.txt names a video or frame") as refused:
        check_name(name, where="list.txt")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "name", ["bear", "00000", "a b", "größe", "猫", "com,ma", "a.b", "x\udce9"]
)
def test_names_of_people_are_taken(name):
    assert check_name(name, where="") == name


@given(st.text(max_size=20) | st.text(alphabet="./\\:a", max_size=6))
def test_whatever_is_taken_is_one_step_down(name):
    if name_problem(name) is None:
        path = os.path.normpath(os.path.join("/out", name))
        assert os.path.dirname(path) == "/out" and os.path.basename(path) == name


def test_a_path_of_names():
    assert check_path("train/0001.jpg", where="") == "train/0001.jpg"
    for path in ("../x.jpg", "a/../../x.jpg", "/etc/passwd", "a//b", "", 3):
        with pytest.raises(InputError):
            check_path(path, where="instances.json")


class Videos(builder.FolderBuilder):
    """A prepared dataset of one video, of any names."""

    name = "evil"
    SPLITS = ("val",)
    FEATURES = schema.VIDEO
    names = ("cow", ("00000", "00001"))

    def units(self, split):
        return [(self.names[0], None)]

    def records(self, name, unit, notes):
        from data_prep import masks

        frames = [
            schema.StoredFrame(stem, _jpeg(FRAMES[i]), masks.to_png(LABELS[i]), {1: 9, 2: 9})
            for i, stem in enumerate(self.names[1])
        ]
        yield from schema.video(name, frames, size=(48, 64), fps=6.0, categories={})


def _jpeg(frame):
    import cv2

    return cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes()


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """prepared(video, frames) -> the folder of a prepared dataset with these names."""

    def make(video="cow", frames=("00000", "00001")):
        monkeypatch.setattr(Videos, "names", (video, frames))
        for module in (shard, shards):
            monkeypatch.setattr(module, "built", lambda job: Videos(
                source=tmp_path, data_dir=tmp_path / "none", config=None))  # fmt: skip
        shards.prepare("evil", source=tmp_path, output=tmp_path / "sets")
        return tmp_path / "sets" / "evil"

    return make


def test_a_prepared_dataset_of_plain_names(prepared, tmp_path):
    (video,) = videos.discover(prepared())
    assert video.frames == ("00000", "00001")
    unpack.unpack(catalog.open_videos(prepared()), tmp_path / "plain")
    assert sorted(path.name for path in (tmp_path / "plain").rglob("*.png")) == [
        "00000.png",
        "00001.png",
    ]


@pytest.mark.parametrize("where", ["video", "frames"])
@pytest.mark.parametrize("name", ["../../../evil", "/tmp/evil", "..", "a\nb"])
def test_nothing_is_written_by_a_name_of_a_prepared_dataset(where, name, prepared, tmp_path, capfd):
    names = {"video": name} if where == "video" else {"frames": ("00000", name)}
    data = prepared(**names)
    before = sorted(tmp_path.rglob("*"))
    for mode in ("eval", "unpack"):
        code = cli.main([mode, "--data", str(data), "--output", str(tmp_path / "a" / "b" / "out")])
        err = capfd.readouterr().err
        assert code == 2 and "names a video or frame" in err and err.count("\n") == 1, err
    new = [path for path in tmp_path.rglob("*") if path not in before]
    assert all("a/b" in str(path) or path in (tmp_path / "a", tmp_path / "a/b") for path in new)
    assert not any("evil" in path.name for path in new)


@pytest.fixture
def davis(tmp_path):
    return results_folder.dataset(tmp_path / "davis")


def test_two_frames_of_one_name(davis):
    folder = davis / "JPEGImages/cow"
    (folder / "00002.png").write_bytes((folder / "00002.jpg").read_bytes())
    with pytest.raises(InputError, match="two frames named 00002"):
        frame_names(catalog.open_videos(davis), 0)


STEMS = [f"{i:05d}" for i in range(6)]


def _meta(**changes):
    entry = {"category": "ox", "frames": STEMS}
    return {"videos": {"cow": {"objects": {"1": entry | changes, "2": dict(entry)}}}}


BAD_META = {
    "an evil video": {"videos": {"../../x": _meta()["videos"]["cow"]}},
    "an empty video": {"videos": {"": _meta()["videos"]["cow"]}},
    "an evil frame": _meta(frames=["../../x"]),
    "numbers for frames": _meta(frames=[1, 2]),
    "lists for frames": _meta(frames=[["a"]]),
    "nothing for frames": _meta(frames=[None]),
    "a text for frames": _meta(frames="00000"),
    "a number for a category": _meta(category=3),
    "a dict for a category": _meta(category={"a": 1}),
    "id 0": {"videos": {"cow": {"objects": {"0": _meta()["videos"]["cow"]["objects"]["1"]}}}},
    "id 255": {"videos": {"cow": {"objects": {"255": _meta()["videos"]["cow"]["objects"]["1"]}}}},
    "id x": {"videos": {"cow": {"objects": {"x": _meta()["videos"]["cow"]["objects"]["1"]}}}},
    "a list": [],
    "a list of videos": {"videos": []},
    "a number for a video": {"videos": {"cow": 3}},
    "a list of objects": {"videos": {"cow": {"objects": []}}},
    "nothing": {},
}


@pytest.mark.parametrize("what", BAD_META)
def test_a_meta_json_with(what, davis):
    (davis / "meta.json").write_text(json.dumps(BAD_META[what]))
    with pytest.raises(InputError, match="meta.json"):
        videos.discover(davis)


@pytest.mark.parametrize("text", ["[" * 100_000, "\xff", "", '{"videos": {"cow": {"objects": {"'
                                  + "9" * 6000 + '": {}}}}}'])  # fmt: skip
def test_a_meta_json_that_is_none(text, davis):
    (davis / "meta.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="meta.json"):
        videos.discover(davis)


LEAVES = st.sampled_from([None, 0, -1, 1e400, "", "cow", "1", "..", [], {}, ["a"], [None], True])
KEYS = st.sampled_from(["videos", "objects", "1", "cow", "frames", "category", ".."])
LEVELS = [st.dictionaries(KEYS, LEAVES, max_size=2)]
for _ in range(3):
    LEVELS.append(LEAVES | st.dictionaries(KEYS, LEVELS[-1], max_size=2))


@settings(max_examples=150, deadline=None)
@given(LEVELS[-1].map(lambda content: {"videos": content}) | LEVELS[-1])
def test_any_meta_json_is_read_or_refused(content):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "meta.json").write_text(json.dumps(content))
        try:
            layout.read_meta(folder)
        except InputError as error:
            assert "meta.json" in str(error) and str(error).isprintable()


@pytest.mark.parametrize("content", [b"../../x\n", b"/\n", b"..\n", b"a\\b\n", b"\x1b[3m\n"])
def test_a_list_of_evil_names(content, davis):
    (davis / "ImageSets/2017").mkdir(parents=True)
    (davis / "ImageSets/2017/val.txt").write_bytes(content)
    with pytest.raises(InputError, match="val.txt names a video or frame"):
        videos.discover(davis, split="val")


def test_a_list_of_bytes_that_are_no_text(davis):
    (davis / "ImageSets/2017").mkdir(parents=True)
    (davis / "ImageSets/2017/val.txt").write_bytes(b"cow\n\xff\xfe\n")
    with pytest.raises(InputError, match="has no sequence"):
        videos.discover(davis, split="val")


@pytest.mark.parametrize(
    "field", ["split=../../x", "resolution=../..", "names=('../x',)", "names=a/b"]
)
def test_what_the_config_chooses_is_no_path(field, davis, tmp_path, capfd):
    words = ["--data", str(davis), "--output", str(tmp_path / "out"), f"--config.eval.{field}"]
    assert cli.main(["eval", *words]) == 2
    assert "is a path" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_of_coco_that_names_files_elsewhere(tmp_path):
    from data_prep import coco

    source = tmp_path / "coco"
    (source / "val2017").mkdir(parents=True)
    (source / "annotations").mkdir()
    (tmp_path / "secret.jpg").write_bytes(_jpeg(np.zeros((8, 8, 3), np.uint8)))
    image = {"id": 1, "file_name": "../../secret.jpg"}
    content = {"images": [image], "annotations": [], "categories": []}
    (source / "annotations/instances_val2017.json").write_text(json.dumps(content))
    made = coco.Builder(source=source, data_dir=tmp_path / "none")
    with pytest.raises(InputError, match="names a video or frame '..', which"):
        made.units("val")
