"""Prepared datasets give the same sequences, masks and truths as the folders they were made of."""

import json

import cv2
import numpy as np
import pytest
from support.clips import clip

from data_prep import shards
from vosjax.errors import InputError
from vosjax.eval import protocols, scoring, source, videos
from vosjax.eval.config import EvalConfig
from vosjax.eval.folder import mask_file
from vosjax.io.palette import write_label_png


def written(root, names, sub=""):
    for name in names:
        frames, labels = clip(frames=4, height=32, width=48, objects=2)
        (root / "JPEGImages" / sub / name).mkdir(parents=True)
        for index, (frame, truth) in enumerate(zip(frames, labels)):
            cv2.imwrite(str(root / "JPEGImages" / sub / name / f"{index:05d}.jpg"), frame)
            write_label_png(root / "Annotations" / sub / name / f"{index:05d}.png", truth)


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    """(plain folder, prepared folder) of two videos of DAVIS val."""
    root = tmp_path_factory.mktemp("davis")
    written(root / "raw", ("bear", "bus"), "480p")
    (root / "raw" / "ImageSets" / "2017").mkdir(parents=True)
    (root / "raw" / "ImageSets" / "2017" / "val.txt").write_text("bear\nbus\n")
    shards.prepare("davis/2017_480p", source=root / "raw", output=root / "tfds", splits=["val"])
    return root / "raw", root / "tfds"


def test_a_prepared_set_is_found_by_folder_and_by_name(davis, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(davis[1]))
    by_folder, by_name = (source.discover(where, EvalConfig()) for where in (davis[1], "davis"))
    assert (
        [sequence.name for sequence in by_folder]
        == [sequence.name for sequence in by_name]
        == ["bear", "bus"]
    )


def test_sequences_are_those_of_the_plain_folder(davis):
    plain, prepared = (source.discover(where, EvalConfig(split="val")) for where in davis)
    for one, other in zip(plain, prepared):
        assert one.frames == other.frames
        assert (one.starts, one.scored, one.written) == (other.starts, other.scored, other.written)
        assert sorted(one.truths) == sorted(other.truths)
        np.testing.assert_array_equal(videos.read_frame(one, 2), videos.read_frame(other, 2))
        np.testing.assert_array_equal(videos.read_given(one, 0), videos.read_given(other, 0))


def test_scores_against_a_prepared_truth_are_the_same(davis, tmp_path):
    tables = []
    for where in davis:
        sequences = source.discover(where, EvalConfig(split="val"))
        for sequence in sequences:
            for index in sequence.truths:
                late = videos.read_labels(sequence, max(index - 1, 0))
                write_label_png(mask_file(tmp_path, sequence, index), late)
        tables.append(
            scoring.score(videos.truths(sequences), tmp_path / "masks", protocol=protocols.davis())
        )
    assert tables[0] == tables[1] and tables[0]["global"]["J-Mean"] < 1


def test_categories_bring_the_rules_of_youtube_vos(tmp_path):
    root = tmp_path / "raw" / "train"
    written(root, ("v1",))
    frames = [f"{index:05d}" for index in range(4)]
    objects = {
        "1": {"category": "cow", "frames": frames},
        "2": {"category": "newt", "frames": frames},
    }
    (root / "meta.json").write_text(json.dumps({"videos": {"v1": {"objects": objects}}}))
    shards.prepare(
        "youtube_vos", source=tmp_path / "raw", output=tmp_path / "tfds", splits=["train"]
    )
    meta = source.meta(tmp_path / "tfds", EvalConfig())
    assert meta["videos"]["v1"]["objects"]["2"]["category"] == "newt"
    (sequence,) = source.discover(tmp_path / "tfds", EvalConfig())
    (plain,) = videos.discover(root)
    assert (sequence.starts, sequence.scored) == (plain.starts, plain.scored)


def test_what_is_nowhere_or_has_no_such_split_or_video_is_named(davis, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError, match="there is no dataset nowhere"):
        source.discover("nowhere", EvalConfig())
    with pytest.raises(InputError, match="no split 'test'"):
        source.discover(davis[1], EvalConfig(split="test"))
    with pytest.raises(InputError, match="no video cat"):
        source.discover(davis[1], EvalConfig(names=("cat",)))


def test_a_damaged_stored_picture_is_called_by_its_name(davis):
    (first, _) = source.discover(davis[1], EvalConfig())

    class Torn:
        """The prepared source, its pictures cut off."""

        def read(self, number, frames):
            return [
                frame._replace(image=frame.image[:100])
                for frame in first.source.read(number, frames)
            ]

        def locate(self, number, frame):
            return first.source.locate(number, frame)

    with pytest.raises(InputError, match="image 00001 of bear cannot be read"):
        videos.read_frame(first._replace(source=Torn()), 1)
