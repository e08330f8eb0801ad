"""Where files are in folders in DAVIS and YouTube-VOS layout."""

import os
import pathlib
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image
from support import dataset_layouts as layouts

from vosjax.datasets import catalog, folders, layout
from vosjax.errors import InputError


@pytest.fixture
def root(tmp_path):
    for part in ("JPEGImages", "Annotations"):
        (tmp_path / part / "cow").mkdir(parents=True)
    for t in range(3):
        cv2.imwrite(
            str(tmp_path / "JPEGImages/cow" / f"{t:05d}.jpg"),
            np.full((20, 30, 3), 40 * t, np.uint8),
        )
    for t, ids in ((0, [1]), (2, [1, 2])):
        mask = np.zeros((20, 30), np.uint8)
        for i in ids:
            mask[4 * i : 4 * i + 3] = i
        image = Image.fromarray(mask)
        image.putpalette([(37 * i) % 256 for i in range(768)])
        image.save(tmp_path / "Annotations/cow" / f"{t:05d}.png")
    return tmp_path


def test_videos_list_frames_in_order_and_masks_by_index(root):
    source = folders.Folder(str(root))
    assert source.names == ("cow",)
    files = source.files(0)
    assert files.name == "cow" and [path.stem for path in files.frames] == [
        "00000",
        "00001",
        "00002",
    ]
    assert sorted(files.masks) == [0, 2]
    header = source.header(0)
    assert (header.names, header.annotated) == (("00000", "00001", "00002"), (0, 2))


def test_numbers_in_names_count_as_numbers(tmp_path):
    for name in ("frame10.jpg", "frame9.jpg", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in layout.listing(tmp_path)] == ["frame9.jpg", "frame10.jpg"]
    assert layout.listing(tmp_path / "nowhere") == []


def test_missing_clip_is_named(root):
    with pytest.raises(ValueError, match="no sequence horse.*holds: cow"):
        _ = folders.Folder(str(root), ("horse",)).names


def test_folder_of_another_layout_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JPEGImages"):
        _ = folders.Folder(str(tmp_path)).names


def test_a_video_without_frames_is_named(root):
    for file in (root / "JPEGImages/cow").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="cow is empty"):
        folders.Folder(str(root)).header(0)


def test_masks_without_frames_are_told(root):
    (root / "JPEGImages/cow/00002.jpg").unlink()
    header = folders.Folder(str(root)).header(0)
    assert header.stray == ("00002",) and header.annotated == (0,)


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    return layouts.davis(tmp_path_factory.mktemp("davis"))


def test_davis_folders_have_resolutions_and_lists(davis):
    assert folders.Folder(str(davis), split="train").names == ("bear", "bus")
    small, large = (
        folders.Folder(str(davis), resolution=size) for size in (None, "Full-Resolution")
    )
    assert small.header(0).size == layouts.SIZE and large.header(0).size == (80, 112)
    with pytest.raises(InputError, match=r"no list ImageSets.*there are lists test-dev, train"):
        _ = folders.Folder(str(davis), split="val").names


def test_lists_belong_to_a_year(davis):
    assert folders.Folder(str(davis), split="train", year=2016).names == ("bear",)
    with pytest.raises(InputError, match="no list ImageSets/2016/test-dev.txt"):
        _ = folders.Folder(str(davis), split="test-dev", year=2016).names


def test_a_resolution_that_is_not_there_is_refused(davis):
    with pytest.raises(InputError, match="no folder 1080p.*480p, Full-Resolution"):
        layout.find(davis, resolution="1080p")


def test_a_folder_without_resolutions_takes_any_of_them(root):
    assert layout.find(root, resolution="480p").images == root / "JPEGImages"
    with pytest.raises(InputError, match="no folder 720p"):
        layout.find(root, resolution="720p")


@pytest.fixture(scope="module")
def youtube(tmp_path_factory):
    return layouts.youtube_vos(tmp_path_factory.mktemp("youtube"))


def test_dense_frames_take_the_masks_of_their_neighbour(youtube):
    dense = folders.Folder(f"{youtube / 'valid'}_all_frames")
    asked = folders.Folder(str(youtube / "valid"), all_frames=True)
    for source in (dense, asked):
        header = source.header(0)
        assert (header.annotated, header.length) == ((0, 5), 11)
        assert header.listed == header.released == (0, 5, 10)


def test_meta_json_tells_objects_categories_and_listed_frames(youtube):
    header = folders.Folder(str(youtube / "train")).header(1)
    assert {key: tuple(entry) for key, entry in header.announced.items()} == {
        1: ("dog", 0),
        2: ("cat", 2),
        7: ("ape", 0),
    }
    assert header.listed == (0, 1, 2, 3) and not header.missing


def test_listed_frames_without_a_picture_are_told(youtube, tmp_path):
    layouts.youtube_vos(tmp_path)
    (tmp_path / "train/JPEGImages/0b0b0b0b0b/00005.jpg").unlink()
    header = folders.Folder(str(tmp_path / "train")).header(1)
    assert header.missing == ("00005",) and header.stray == ("00005",)


@pytest.mark.parametrize("text", ["", "[]", '{"videos": 3}', '{"videos": {"a": {}}}'])
def test_a_broken_meta_json_is_named(tmp_path, text):
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(InputError, match=r"meta\.json is no YouTube-VOS meta\.json"):
        layout.read_meta(tmp_path)


def test_a_folder_is_listed_anew_by_a_new_source(root):
    before = folders.Folder(str(root))
    assert before.header(0).length == 3
    (root / "JPEGImages/cow/00002.jpg").unlink()
    assert before.header(0).length == 3 and folders.Folder(str(root)).header(0).length == 2


def test_a_lost_file_is_named_when_it_is_read(root):
    source = folders.Folder(str(root))
    assert source.names == ("cow",) and len(source.read(0, [1])) == 1
    pathlib.Path(source.locate(0, 1).image).unlink()
    with pytest.raises(InputError, match="00001.jpg cannot be read"):
        source.read(0, [1])


def test_a_dataset_is_found_by_its_folder_or_its_name(root, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(root.parent))
    assert catalog.find(root) == catalog.find(root.name) == root
    with pytest.raises(InputError, match="there is no dataset nowhere"):
        catalog.find("nowhere")


def test_links_that_lead_nowhere_are_named_unless_nobody_asks_for_them(root):
    images = root / "JPEGImages"
    (images / "gone").symlink_to(root / "moved away")
    (images / "ring").symlink_to("ring")
    whole = next(path for path in images.iterdir() if path.is_dir())
    (images / "good").symlink_to(whole)
    assert sorted(layout.broken_links(images)) == ["gone", "ring"]
    with pytest.raises(InputError, match="gone is a link to .*moved away, which is not there"):
        len(folders.Folder(str(root)))
    with pytest.raises(InputError, match="ring is a link to ring, which is not there or leads in"):
        len(folders.Folder(str(root), ("good", "ring")))
    assert folders.Folder(str(root), ("good",)).names == ("good",)


def test_folders_and_files_that_may_not_be_read_are_told_as_such(root, monkeypatch):
    source = folders.Folder(str(root))
    names = source.names

    def refused(path, *arguments, **options):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(layout.pathlib.Path, "iterdir", refused)
        with pytest.raises(InputError, match=f"{names[0]} may not be read: check its permissions"):
            source.header(0)
        with pytest.raises(InputError, match="JPEGImages may not be read: check its permissions"):
            len(folders.Folder(str(root)))
    with monkeypatch.context() as patch:
        patch.setattr(layout.pathlib.Path, "read_bytes", refused)
        with pytest.raises(InputError, match="may not be read: check its permissions"):
            source.read(0, [0])


def test_a_list_may_name_videos_in_bytes_that_are_no_utf_8(root):
    name = os.fsdecode(b"caf\xe9")
    whole = next(path for path in (root / "JPEGImages").iterdir() if path.is_dir())
    shutil.copytree(whole, root / "JPEGImages" / name)
    (root / "ImageSets" / "2017").mkdir(parents=True, exist_ok=True)
    (root / "ImageSets" / "2017" / "odd.txt").write_bytes(b"caf\xe9\n")
    assert folders.Folder(str(root), split="odd").names == (name,)
