"""Every builder of videos, from a source's own layout to what TFDS reads: ids, pixels, reports."""

import numpy as np
import pytest
from support import dataset_layouts as layouts
from support.prepared_splits import labels, once

from data_prep import components


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """prepared(layout function, name, split) -> `PreparedSplit`."""
    return once(tmp_path_factory)


# Videos of palette PNG


def test_youtube_vos_keeps_files_byte_for_byte(prepared):
    made = prepared(layouts.youtube_vos, "youtube_vos/2019")
    video = made.video("0a0a0a0a0a")
    for kind, ending, stored in (("JPEGImages", "jpg", "images"), ("Annotations", "png", "masks")):
        folder = made.source / "train" / kind / "0a0a0a0a0a"
        assert video[stored] == [
            (folder / f"{name.decode()}.{ending}").read_bytes() for name in video["names"]
        ]


def test_youtube_vos_knows_objects_categories_and_first_frames(prepared):
    video = prepared(layouts.youtube_vos, "youtube_vos/2019").video("0a0a0a0a0a")
    assert video["ids"].tolist() == [1, 2] and video["categories"] == [b"dog", b"cat"]
    assert video["first"].tolist() == [0, 2] and video["fps"] == 6
    assert video["areas"].tolist() == [[112, 0]] * 2 + [[112, 112]] * 9
    assert (video["height"], video["width"]) == layouts.SIZE


def test_lost_masks_and_unseen_objects_are_told(prepared):
    made = prepared(layouts.youtube_vos, "youtube_vos/2019")
    assert made.left_out["missing mask"] == ["0b0b0b0b0b/00010"]
    assert made.left_out["empty object"] == ["0b0b0b0b0b object 7"]
    video = made.video("0b0b0b0b0b")
    assert video["masks"][2] == b"" and video["areas"][2].tolist() == [-1, -1]


def test_counts_are_compared_with_the_published_ones(prepared):
    report = prepared(layouts.youtube_vos, "youtube_vos/2019").report
    assert report["counts"]["videos found"] == 2 and report["published"] == {"videos found": 3471}
    assert report["differences"] == ["2 videos found, 3,471 were published (-3,469)"]


@pytest.mark.parametrize(
    "config, frames, listed, first",
    [("2019", 3, [0, 1, 2], [0, 1]), ("2019_all_frames", 11, [0, 5, 10], [0, 5])],
)
def test_valid_names_late_objects_and_listed_frames(prepared, config, frames, listed, first):
    video = prepared(layouts.youtube_vos, f"youtube_vos/{config}", "valid").video("0c0c0c0c0c")
    assert video["frames"] == frames and video["listed"].tolist() == listed
    assert video["first"].tolist() == first
    assert [bool(mask) for mask in video["masks"]].count(True) == 2


@pytest.mark.parametrize("config, size", [("2017_480p", layouts.SIZE), ("2017_full", (80, 112))])
def test_davis_has_two_resolutions(prepared, config, size):
    made = prepared(layouts.davis, f"davis/{config}")
    video = made.video("bus")
    assert video["ids"].tolist() == [1, 2] and labels(video["masks"][2]).shape == size
    assert [name for name, _ in made.builder.info.metadata["videos"]["train"]] == ["bear", "bus"]


def test_davis_2016_has_one_object_and_lists_of_files(prepared):
    made = prepared(layouts.davis, "davis/2016_480p")
    video = made.video("bear")
    truth = labels((made.source / "Annotations/480p/bear/00001.png").read_bytes()) > 0
    assert len(made.records) == 1 and np.array_equal(labels(video["masks"][1]), truth)


def test_davis_test_dev_has_a_first_mask_only(prepared):
    made = prepared(layouts.davis, "davis/2017_480p", "test_dev")
    video = made.video("aerobatics")
    assert list(map(bool, video["masks"])) == [True, False, False] and not made.left_out


# Tracks in JSON


@pytest.mark.parametrize(
    "write, name",
    [
        (layouts.youtube_vis_2021, "youtube_vis/2021"),
        (layouts.youtube_vis_2019, "youtube_vis/2019"),
        (layouts.ovis, "ovis"),
    ],
)
def test_tracks_of_every_encoding_keep_their_pixels(prepared, write, name):
    video = prepared(write, name).video("00f0f0f0f0")
    for t, data in enumerate(video["masks"]):
        for i, truth in enumerate(layouts.track_truth(t), start=1):
            truth = np.zeros(layouts.SIZE, bool) if truth is None else truth
            assert np.array_equal(labels(data) == i, truth)
    assert video["source_ids"].tolist() == [10, 11, 12] and video["first"].tolist() == [0, 0, 1]
    assert video["categories"] == [b"fish", b"bird", b"fish"]


def test_null_frames_are_told_and_a_video_without_tracks_has_no_masks(prepared):
    made = prepared(layouts.ovis, "ovis")
    assert made.left_out == {
        "track without a mask in some frames": ["00f0f0f0f0 object 2", "00f0f0f0f0 object 3"]
    }
    assert made.video("00f0f0f0f0")["names"][0] == b"img_0000001"
    assert made.video("0c0c0c0c0c")["masks"] == [b""] * 3


def test_videos_of_the_validation_set_can_be_excluded(prepared):
    made = prepared(
        layouts.youtube_vis_2021, "youtube_vis/2021", exclude=("0c0c0c0c0c", "elsewhere")
    )
    assert {record["video"] for record in made.records} == {b"00f0f0f0f0"}
    assert made.left_out["excluded by the given list"] == ["0c0c0c0c0c"]
    assert made.report["counts"]["videos found"] == 2


# Class maps


def test_vspw_takes_regions_as_objects_and_void_as_ignored(prepared):
    video = prepared(layouts.vspw, "vspw/classes").video("12_a")
    mask = labels(video["masks"][1])
    assert video["ids"].tolist() == [17, 61] and video["categories"] == [b"wall", b"person"]
    assert (mask[[0, 1, -1]] == 255).all()
    assert np.array_equal(mask == 61, layouts.blocks([1, 1], shift=1) > 0)


def test_damaged_pictures_and_masks_are_told_and_left_out(prepared):
    made = prepared(layouts.vspw, "vspw/classes")
    assert made.left_out["damaged picture"] == ["988_f/00000001"]
    assert made.left_out["mask of another size"] == ["988_f/00000002"]
    assert made.left_out["missing mask"] == ["988_f/00000003"]
    video = made.video("988_f")
    assert video["names"] == [b"00000000", b"00000002", b"00000003"]
    assert list(map(bool, video["masks"])) == [True, False, False]


def test_vspw_components_split_regions(prepared):
    video = prepared(layouts.vspw, "vspw/components").video("12_a")
    assert sorted(video["source_ids"].tolist()) == [17, 61, 61]
    assert all(set(np.unique(labels(mask))) == {1, 2, 3, 255} for mask in video["masks"])


def test_components_that_meet_are_ignored_from_then_on():
    follow = components.Follow()
    apart, joined = np.zeros((2, 40, 60), np.uint8)
    apart[5:25, 5:25] = apart[5:25, 30:50] = joined[5:25, 5:50] = 9
    before, after = follow(apart), follow(joined)
    assert set(np.unique(before)) == {0, 1, 2} and follow.classes == {1: 9, 2: 9}
    assert (after[joined > 0] == 255).all()


def test_vipseg_numbers_things_and_stuff(prepared):
    made = prepared(layouts.vipseg, "vipseg/things_and_stuff")
    video = made.video("12_a")
    value = dict(zip(video["ids"].tolist(), video["source_ids"].tolist()))
    assert sorted(value.values()) == [17, 6100, 12401]
    for t, data in enumerate(video["masks"]):
        source = labels((made.source / f"panomasks/12_a/{t:08d}.png").read_bytes())
        for i, number in value.items():
            assert np.array_equal(labels(data) == i, source == number)
        assert np.array_equal(labels(data) == 255, (source == 0) | (source == 200))
    assert made.left_out == {"known wrong value in a mask": ["12_a/00000001"]}


def test_vipseg_without_stuff_has_it_as_background(prepared):
    video = prepared(layouts.vipseg, "vipseg/things").video("12_a")
    assert sorted(video["source_ids"].tolist()) == [6100, 12401]
    assert (labels(video["masks"][0])[-1] == 0).all()
