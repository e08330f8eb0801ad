"""The two sources of videos: a plain folder and a prepared dataset give the same."""

import json
import pickle

import numpy as np
import pytest
from support import dataset_layouts as layouts

from vosjax.data import pipeline, sets
from vosjax.datasets import catalog, folders, prepared, protocol, unpack
from vosjax.errors import InputError
from vosjax.eval import videos


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """YouTube-VOS as a folder and as a prepared dataset; stills as a prepared dataset."""
    return layouts.stored(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module", params=["folder", "prepared"])
def source(request, roots):
    split = "train" if request.param == "prepared" else None
    return catalog.open_videos(roots[request.param], split=split)


def test_folder_and_prepared_set_are_the_same_source(roots):
    one, two = folders.Folder(str(roots["folder"])), prepared.open_split(roots["prepared"], "train")
    assert len(one) == len(two) == 2 and one.names == two.names
    for i in range(2):
        a, b = one.header(i), two.header(i)
        assert (a.name, a.size, a.categories, a.listed) == (b.name, b.size, b.categories, b.listed)
        assert (a.length, a.annotated, a.released) == (b.length, b.annotated, b.released)
        assert np.array_equal(a.ids, b.ids) and np.array_equal(a.areas, b.areas)
        assert protocol.frame_names(one, i) == protocol.frame_names(two, i)
        assert one.read(i, [3, 0]) == two.read(i, [3, 0])


def test_only_the_needed_records_are_read(roots, monkeypatch):
    source, seen = prepared.open_split(roots["prepared"], "train"), []
    whole = source.records

    class Spy:
        def __getitem__(self, index):
            seen.append(index)
            return whole[index]

    monkeypatch.setitem(vars(source), "records", Spy())
    assert [frame.name for frame in source.read(0, [9, 10, 9])] == ["00045", "00050", "00045"]
    assert [frame.name for frame in source.read(1, [1])] == ["00005"]
    assert source.locate(1, 1).image == "00005 of 0b0b0b0b0b"
    assert seen == [1, 2]


def test_sources_can_be_sent_to_other_processes(source):
    source.header(1)
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source and hash(copy) == hash(source)
    assert copy.read(1, [0]) == source.read(1, [0])


def test_pictures_can_be_left_out(source):
    (whole,), (mask,) = source.read(0, [2]), source.read(0, [2], images=False)
    assert whole.image and mask == whole._replace(image=b"")


def test_messages_can_tell_where_a_frame_lies(roots):
    plain, stored = (
        catalog.open_videos(roots[kind], split=split)
        for kind, split in (("folder", None), ("prepared", "train"))
    )
    folder = roots["folder"]
    assert plain.locate(1, 2) == (
        str(folder / "JPEGImages/0b0b0b0b0b/00010.jpg"),
        str(folder / "Annotations/0b0b0b0b0b/00010.png"),
    )
    assert stored.locate(1, 2) == ("00010 of 0b0b0b0b0b", "mask 00010 of 0b0b0b0b0b")


def test_what_masks_show_is_read_when_it_is_asked_for(tmp_path):
    layouts.youtube_vos(tmp_path)
    damaged = tmp_path / "train/Annotations/0b0b0b0b0b/00005.png"
    damaged.write_bytes(b"")
    header = folders.Folder(str(tmp_path / "train")).header(1)
    assert header.size == layouts.SIZE and header.mask(0).pixels == {1: 112}
    with pytest.raises(InputError, match="00005.png cannot be read"):
        _ = header.areas


def test_a_mask_of_black_and_white_shows_one_object(tmp_path):
    layouts.jpeg(tmp_path / "JPEGImages/a/0.jpg", 0)
    (tmp_path / "Annotations/a").mkdir(parents=True)
    layouts.grey_png(tmp_path / "Annotations/a/0.png", 255 * layouts.blocks([1]))
    header = folders.Folder(str(tmp_path)).header(0)
    assert header.mask(0).pixels == {255: 112}
    assert header.ids.tolist() == [1] and header.areas.tolist() == [[112]]


def test_splits_are_named_where_there_are_several(roots):
    with pytest.raises(InputError, match="has the splits train, valid"):
        catalog.open_videos(roots["prepared"])
    with pytest.raises(InputError, match="it has train, valid"):
        catalog.open_videos(roots["prepared"], split="test")
    with pytest.raises(InputError, match="holds stills"):
        catalog.open_videos(roots["stills"])


def test_unknown_folders_are_refused_in_one_line(tmp_path, roots):
    for dataset, said in (
        (sets.DatasetConfig(str(tmp_path)), "no data set"),
        (sets.DatasetConfig(str(tmp_path / "x")), "no folder"),
        (sets.DatasetConfig(str(roots["prepared"]), split="test"), "it has train, valid"),
    ):
        with pytest.raises(InputError, match=said):
            sets.open_dataset(dataset)


def test_a_folder_without_any_mask_cannot_be_trained_on(tmp_path):
    layouts.jpeg(tmp_path / "JPEGImages/a/0.jpg", 0)
    assert folders.Folder(str(tmp_path)).header(0).areas.shape == (1, 0)
    with pytest.raises(InputError, match="no mask at all"):
        pipeline.sources(
            pipeline.ClipsConfig(rendered_weight=0, sets=(sets.DatasetConfig(str(tmp_path)),))
        )


def test_training_takes_the_videos_that_have_masks(tmp_path):
    for name in ("a", "b", "c"):
        layouts.jpeg(tmp_path / "JPEGImages" / name / "0.jpg", 0)
    layouts.palette_png(tmp_path / "Annotations/b/0.png", layouts.blocks([1]))
    assert folders.annotated(folders.Folder(str(tmp_path))).names == ("b",)


# Unpacking


def test_a_prepared_set_unpacks_to_the_very_files_it_came_from(roots, tmp_path):
    source = catalog.open_videos(roots["prepared"], split="valid")
    assert unpack.unpack(source, tmp_path) == ["0c0c0c0c0c"]
    for folder in ("JPEGImages", "Annotations"):
        files = sorted((tmp_path / folder).rglob("*.*"))
        assert files and [(f.name, f.read_bytes()) for f in files] == [
            (f.name, f.read_bytes()) for f in sorted((roots["valid"] / folder).rglob("*.*"))
        ]
    metas = [json.loads((root / "meta.json").read_text()) for root in (tmp_path, roots["valid"])]
    assert metas[0] == metas[1]


def test_evaluation_sees_the_same_in_what_was_unpacked(roots, tmp_path):
    unpack.unpack(catalog.open_videos(roots["prepared"], split="valid"), tmp_path)
    (plain,), (unpacked,) = videos.discover(roots["valid"]), videos.discover(tmp_path)
    (stored,) = videos.discover(roots["prepared"], split="valid")
    assert plain.starts == {1: 0, 2: 1} and plain.truths is None
    for other in (unpacked, stored):
        assert other[:6] == plain[:6]
        for t in plain.given:
            mask = videos.read_given(other, t)
            assert np.array_equal(mask, videos.read_given(plain, t))
            assert np.unique(mask).tolist() == [0, t + 1]


def test_some_videos_can_be_unpacked(roots, tmp_path):
    seen = []
    source = catalog.open_videos(roots["prepared"], split="train")
    assert unpack.unpack(source, tmp_path, names=["0b0b0b0b0b"], progress=seen.append) == seen
    assert [path.name for path in (tmp_path / "JPEGImages").iterdir()] == ["0b0b0b0b0b"]
    assert len(list((tmp_path / "Annotations/0b0b0b0b0b").iterdir())) == 3  # one was lost
