"""Finding sequences, given masks, objects' starts and truth in dataset folders."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from vosjax.errors import InputError
from vosjax.eval import videos
from vosjax.io.palette import write_label_png

SIZE = (12, 16)


def labels(*ids):
    mask = np.zeros(SIZE, np.uint8)
    for row, key in enumerate(ids):
        mask[3 * row : 3 * row + 2, 2:8] = key
    return mask


def write_frames(folder, stems):
    folder.mkdir(parents=True)
    for stem in stems:
        Image.fromarray(np.full((*SIZE, 3), 99, np.uint8)).save(folder / f"{stem}.jpg")


def numbers(count, step=1):
    return [f"{i * step:05d}" for i in range(count)]


@pytest.fixture
def davis(tmp_path):
    """cow: every frame annotated; dog: the first alone."""
    for name, annotated in (("cow", numbers(4)), ("dog", numbers(1))):
        write_frames(tmp_path / "JPEGImages/480p" / name, numbers(4))
        for stem in annotated:
            write_label_png(tmp_path / f"Annotations/480p/{name}/{stem}.png", labels(1, 3, 255))
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("dog\n")
    return tmp_path


def test_davis_sequences(davis):
    cow, dog = videos.discover(davis)
    assert (cow.name, dog.name) == ("cow", "dog")
    assert list(cow.frames) == numbers(4)
    assert list(cow.given) == [0] and cow.starts == {1: 0, 3: 0}
    assert cow.scored == (1, 2) and sorted(cow.truths) == [0, 1, 2, 3]
    assert dog.scored == () and dog.truths is None and dog.written == (0, 1, 2, 3)


def test_davis_split_lists_the_sequences(davis):
    assert [sequence.name for sequence in videos.discover(davis, split="val")] == ["dog"]


def test_davis_2016_list_and_merged_mask(davis):
    (davis / "ImageSets/480p").mkdir()
    (davis / "ImageSets/480p/val.txt").write_text(
        "".join(f"/JPEGImages/480p/cow/{i}.jpg /Annotations/480p/cow/{i}.png\n" for i in numbers(4))
    )
    (cow,) = videos.discover(davis, split="val", year=2016)
    assert cow.name == "cow" and cow.starts == {1: 0}
    assert np.unique(videos.read_given(cow, 0, year=2016)).tolist() == [0, 1]


def test_plain_folder_without_resolution_and_lists(davis):
    for kind in ("JPEGImages", "Annotations"):
        (davis / kind / "480p").rename(davis / "moved")
        (davis / kind).rmdir()
        (davis / "moved").rename(davis / kind)
    assert [len(sequence.frames) for sequence in videos.discover(davis)] == [4, 4]


def test_sparse_truth_is_scored_where_it_stands(davis):
    write_frames(davis / "JPEGImages/480p/hen", numbers(16))
    for stem in numbers(4, step=5):
        write_label_png(davis / f"Annotations/480p/hen/{stem}.png", labels(1))
    (hen,) = videos.discover(davis, names=["hen"])
    assert hen.scored == (5, 10) and len(hen.written) == 16


def test_truth_files_by_frame_name(davis):
    files = videos.truths(videos.discover(davis))
    assert list(files) == ["cow"] and list(files["cow"]) == numbers(4)


def test_given_masks_hide_void(davis):
    cow = videos.discover(davis, names=["cow"])[0]
    assert np.unique(videos.read_given(cow, 0)).tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    "lost,message",
    [
        ("JPEGImages/480p/cow/00002.jpg", "no frame 00002"),
        ("Annotations/480p/cow/00000.png", "no mask of the first frame 00000"),
        ("Annotations/480p/cow/00002.png", "no mask 00002.png though 3 of 4"),
    ],
)
def test_a_lost_davis_file_is_named(davis, lost, message):
    (davis / lost).unlink()
    with pytest.raises(InputError, match=message):
        videos.discover(davis, names=["cow"])


def test_a_hole_in_the_numbering_is_a_lost_frame(davis):
    write_frames(davis / "JPEGImages/480p/hen", numbers(9))
    write_label_png(davis / "Annotations/480p/hen/00000.png", labels(1))
    (davis / "JPEGImages/480p/hen/00004.jpg").unlink()
    with pytest.raises(InputError, match="no frame 00004 between 00003"):
        videos.discover(davis, names=["hen"])


def test_a_first_mask_needs_an_object(davis):
    write_label_png(davis / "Annotations/480p/dog/00000.png", 0 * labels(255))
    with pytest.raises(InputError, match="shows no object"):
        videos.discover(davis, names=["dog"])


def test_a_first_mask_of_255_alone_shows_one_object(davis):
    write_label_png(davis / "Annotations/480p/dog/00000.png", labels(255))
    (dog,) = videos.discover(davis, names=["dog"])
    assert dog.starts == {1: 0} and dog.binary


@pytest.mark.parametrize(
    "choice,message",
    [
        ({"names": ["cat"]}, "no sequence cat"),
        ({"split": "test"}, "no list .*2017.test.txt"),
    ],
)
def test_what_davis_lacks_is_named(davis, choice, message):
    with pytest.raises(InputError, match=message):
        videos.discover(davis, **choice)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no folder JPEGImages"):
        videos.discover(tmp_path)
    with pytest.raises(InputError, match="no dataset folder"):
        videos.discover(tmp_path / "nowhere")


def write_youtube(root, *, dense):
    """Object 1 from 00000, object 2 announced at 00005 but shown from 00010 on if dense."""
    write_frames(root / "JPEGImages/ab12", numbers(4, step=5))
    shown = {"00000": (1,), "00005": (1,), "00010": (1, 2), "00015": (1, 2)}
    for stem, ids in (shown if dense else {"00000": (1,), "00005": (2,)}).items():
        write_label_png(root / f"Annotations/ab12/{stem}.png", labels(*ids))
    meta = {
        "videos": {
            "ab12": {
                "objects": {
                    "1": {"category": "cow", "frames": numbers(4, step=5)},
                    "2": {"category": "yak", "frames": numbers(4, step=5)[1:]},
                }
            }
        }
    }
    (root / "meta.json").write_text(json.dumps(meta))
    return root


@pytest.fixture
def valid(tmp_path):
    return write_youtube(tmp_path / "valid", dense=False)


@pytest.fixture
def train(tmp_path):
    return write_youtube(tmp_path / "train", dense=True)


def test_youtube_objects_may_start_later(valid):
    (video,) = videos.discover(valid)
    assert video.starts == {1: 0, 2: 1} and list(video.given) == [0, 1]
    assert video.scored == (1, 2, 3) and video.written == (0, 1, 2, 3) and video.truths is None


def test_an_announcement_that_comes_early_is_corrected_by_the_masks(train):
    (video,) = videos.discover(train)
    assert video.starts == {1: 0, 2: 2} and sorted(video.truths) == [0, 1, 2, 3]


def test_a_dense_annotation_gives_only_the_objects_that_start(train):
    (video,) = videos.discover(train)
    assert np.unique(videos.read_given(video, 2)).tolist() == [0, 2]


@pytest.mark.parametrize("ask", ["neighbour", "folder itself"])
def test_all_frames_are_tracked_and_the_sparse_ones_scored(valid, ask):
    dense = pathlib.Path(f"{valid}_all_frames")
    write_frames(dense / "JPEGImages/ab12", numbers(18))
    sequences = (
        videos.discover(valid, all_frames=True) if ask == "neighbour" else videos.discover(dense)
    )
    (video,) = sequences
    assert len(video.frames) == 18 and video.starts == {1: 0, 2: 5}
    assert video.scored == (5, 10, 15) and video.written == (0, 5, 10, 15)


def test_a_frame_that_meta_lists_must_be_there(valid):
    (valid / "JPEGImages/ab12/00015.jpg").unlink()
    with pytest.raises(InputError, match="lacks frame 00015, which meta.json lists"):
        videos.discover(valid)


def test_an_object_that_no_mask_shows_is_an_error(valid):
    write_label_png(valid / "Annotations/ab12/00005.png", labels(1))
    with pytest.raises(InputError, match="announces object 2"):
        videos.discover(valid)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"videos": {"a": {"objects": {"1": {}}}}}', '{"videos": {"a": {"objects": {}}}}'],
)
def test_a_broken_meta_json_is_refused(valid, text):
    (valid / "meta.json").write_text(text)
    with pytest.raises(InputError, match="is no YouTube-VOS meta.json"):
        videos.discover(valid)
