"""Every builder, from the source's own layout to what TFDS reads: ids, pixels, and what is told."""

import json
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from support import dataset_layouts as layouts

from data_prep import components, pictures, shards
from data_prep.__main__ import main
from vosjax.errors import InputError, Note
from vosjax.io.lock import Held, locked


class Prepared:
    """A prepared split: its records and its report."""

    def __init__(self, source, output, name, split="train", **options):
        (self.report,) = shards.prepare(
            name, source=source, output=output, splits=[split], **options
        )
        (info,) = (output / name.split("/")[0]).rglob("dataset_info.json")
        self.builder = tfds.builder_from_directory(info.parent)
        self.records = list(self.builder.as_data_source(split))
        self.left_out = {kind: entry["where"] for kind, entry in self.report["left_out"].items()}

    def video(self, name):
        """One record of the whole video: the parts' lists joined."""
        parts = [record for record in self.records if record["video"] == name.encode()]
        assert [part["start"] for part in parts] == list(range(0, parts[0]["frames"], 8))
        whole = dict(parts[0])
        for key in ("names", "images", "masks"):
            whole[key] = [item for part in parts for item in part[key]]
        whole["areas"] = whole["areas"].reshape(whole["frames"], -1)
        return whole

    def still(self, name):
        return next(record for record in self.records if record["name"] == name.encode())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """prepared(layout function, name, split) -> Prepared; each source is written once."""
    sources, done = {}, {}

    def make(write, name, split="train", **options):
        key = (write, name, split, str(options))
        if key not in done:
            if write not in sources:
                sources[write] = tmp_path_factory.mktemp(write.__name__)
                write(sources[write])
            done[key] = Prepared(
                sources[write], tmp_path_factory.mktemp("out"), name, split, **options
            )
            done[key].source = sources[write]
        return done[key]

    return make


def labels(data):
    return pictures.labels_of(data)


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


def write_vis_2021(root):
    layouts.tracks(root / "train/JPEGImages", root / "train/instances.json")


def write_vis_2019(root):
    layouts.tracks(root / "train/JPEGImages", root / "train.json")


def write_ovis(root):
    layouts.tracks(root / "train", root / "annotations_train.json", named="img_{:07d}.jpg")


@pytest.mark.parametrize(
    "write, name",
    [
        (write_vis_2021, "youtube_vis/2021"),
        (write_vis_2019, "youtube_vis/2019"),
        (write_ovis, "ovis"),
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
    made = prepared(write_ovis, "ovis")
    assert made.left_out == {
        "track without a mask in some frames": ["00f0f0f0f0 object 2", "00f0f0f0f0 object 3"]
    }
    assert made.video("00f0f0f0f0")["names"][0] == b"img_0000001"
    assert made.video("0c0c0c0c0c")["masks"] == [b""] * 3


def test_videos_of_the_validation_set_can_be_excluded(prepared):
    made = prepared(write_vis_2021, "youtube_vis/2021", exclude=("0c0c0c0c0c", "elsewhere"))
    assert {record["video"] for record in made.records} == {b"00f0f0f0f0"}
    assert made.left_out["excluded by the given list"] == ["0c0c0c0c0c"]
    assert made.report["counts"]["videos found"] == 2


# Class maps


def test_vspw_takes_regions_as_objects_and_void_as_ignored(prepared):
    video = prepared(layouts.vspw, "vspw/classes").video("12_a")
    found = labels(video["masks"][1])
    assert video["ids"].tolist() == [17, 61] and video["categories"] == [b"wall", b"person"]
    assert (found[[0, 1, -1]] == 255).all()
    assert np.array_equal(found == 61, layouts.blocks([1, 1], shift=1) > 0)


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


# Stills


def write_coco(root):
    write_coco.truth = layouts.coco(root)


def test_coco_paints_in_order_and_keeps_every_pixel(prepared):
    made = prepared(write_coco, "coco/crowds_ignored", "val")
    truth, still = write_coco.truth, made.still("000000000000.jpg")
    assert np.array_equal(labels(still["mask"]) == 2, truth["middle"])
    assert np.array_equal(labels(still["mask"]) == 1, truth["left"] & ~truth["middle"])
    assert still["categories"] == [b"person", b"dog"] and still["ids"].tolist() == [1, 2]
    assert still["image"] == (made.source / "val2017/000000000000.jpg").read_bytes()


def test_coco_ignores_crowds_unless_they_are_kept(prepared):
    name, truth = "000000000001.jpg", write_coco.truth["crowd"]
    ignored = prepared(write_coco, "coco/crowds_ignored", "val")
    kept = prepared(write_coco, "coco/crowds_kept", "val").still(name)
    found = labels(ignored.still(name)["mask"])
    assert set(np.unique(found[truth])) == {1, 255} and (found[~truth] != 255).all()
    assert np.array_equal(labels(kept["mask"]) == 2, truth)
    assert ignored.left_out["crowd annotation, its pixels are ignored"] == [f"{name} annotation 53"]


def test_coco_tells_what_it_leaves_out(prepared):
    left_out = prepared(write_coco, "coco/crowds_ignored", "val").left_out
    assert left_out["object too small"] == ["000000000002.jpg annotation 54"]
    assert left_out["nothing left of it"] == ["000000000002.jpg"]
    assert left_out["missing mask"] == ["000000000003.jpg"]
    assert left_out["damaged picture"] == ["000000000004.jpg"]


def write_ecssd(root):
    layouts.salient(root, "images", "ground_truth_mask")


def write_msra10k(root):
    layouts.salient(root, "MSRA10K_Imgs_GT/Imgs", "MSRA10K_Imgs_GT/Imgs")


def write_pascal_s(root):
    layouts.salient(root, "datasets/imgs/pascal", "datasets/masks/pascal")


@pytest.mark.parametrize(
    "write, name",
    [(write_ecssd, "ecssd"), (write_msra10k, "msra10k"), (write_pascal_s, "pascal_s/binary")],
)
def test_salient_masks_are_cut_at_half(prepared, write, name):
    made = prepared(write, name)
    assert np.array_equal(labels(made.still("0")["mask"]), layouts.greys() >= 128)
    assert made.left_out == {"missing mask": ["1"], "mask of another size": ["2"]}


def test_grey_levels_can_be_objects(prepared):
    mask = labels(prepared(write_pascal_s, "pascal_s").still("0")["mask"])
    assert np.array_equal(mask == 1, layouts.greys() == 150)
    assert np.array_equal(mask == 2, layouts.greys() == 255)


def test_voc_masks_are_kept_as_they_are(prepared):
    made = prepared(layouts.voc, "pascal_voc", "val")
    still = made.still("2007_000001")
    path = made.source / "VOCdevkit/VOC2012/SegmentationObject/2007_000001.png"
    assert still["mask"] == path.read_bytes() and 255 in labels(still["mask"])
    assert still["categories"] == [b"person", b"bird"] and still["ids"].tolist() == [1, 2]
    assert made.left_out == {"damaged picture": ["2007_000002"]}


def test_pixel_imagenet_joins_masks_and_photos(prepared):
    made = prepared(layouts.pixel_imagenet, "pixel_imagenet")
    still = made.still("n01440764/n01440764_18")
    assert still["categories"] == [b"n01440764"] * 2 and still["areas"].tolist() == [112, 112]
    assert made.left_out == {"damaged picture": ["n01440764/n01440764_99 (no photo)"]}


# Preparing


def _same(made, folder):
    other = list(tfds.builder_from_directory(folder).as_data_source("train"))
    return len(other) == len(made.records) and all(
        np.array_equal(one[key], two[key]) for one, two in zip(made.records, other) for key in one
    )


def test_plain_tfds_preparation_gives_the_same_records(prepared, tmp_path):
    from data_prep import youtube_vos

    made = prepared(layouts.youtube_vos, "youtube_vos/2019")
    builder = youtube_vos.Builder(source=made.source, data_dir=tmp_path, config="2019")
    builder.download_and_prepare()
    read = tfds.builder_from_directory(builder.data_dir)
    assert set(read.info.splits) == {"train", "valid"} and _same(made, builder.data_dir)
    assert read.info.metadata["videos"]["train"] == made.builder.info.metadata["videos"]["train"]


def test_killed_run_goes_on_where_it_was(tmp_path, monkeypatch):
    source, write, seen = layouts.vspw(tmp_path / "in"), shards.write_shard, []

    def stumble(job, tell):
        seen.append([name for name, _ in job["units"]])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return write(job, tell)

    monkeypatch.setattr(shards, "write_shard", stumble)
    options = dict(source=source, output=tmp_path / "out", splits=["train"], per_shard=1)
    with pytest.raises(KeyboardInterrupt):
        shards.prepare("vspw", **options)
    (report,) = shards.prepare("vspw", **options)
    assert seen == [["12_a"], ["988_f"], ["988_f"]]
    assert report["counts"]["videos kept"] == 2 and "damaged picture" in report["left_out"]
    assert not (tmp_path / "out/.work").exists()


def test_run_killed_while_finishing_goes_on(tmp_path, monkeypatch):
    source = layouts.vspw(tmp_path / "in")
    options = dict(source=source, output=tmp_path / "out", splits=["train"], per_shard=1)
    with monkeypatch.context() as patch:
        patch.setattr(shards.tfds.core, "SplitInfo", None)  # the shards have moved by then
        with pytest.raises(TypeError):
            shards.prepare("vspw", **options)
    shards.prepare("vspw", **options)
    assert (
        len(
            tfds.builder_from_directory(tmp_path / "out/vspw/classes/1.0.0").as_data_source("train")
        )
        == 2
    )


EVERY = [  # a dataset of every builder, and a file that one of its units is made of
    (layouts.youtube_vos, "youtube_vos/2019", "train", "train/JPEGImages/0a0a0a0a0a/*"),
    (layouts.youtube_vos, "youtube_vos/2019", "train", "train/meta.json"),
    (layouts.davis, "davis/2017_480p", "train", "Annotations/480p/bear/*"),
    (layouts.vspw, "vspw/classes", "train", "data/12_a/mask/*"),
    (layouts.vipseg, "vipseg/things", "train", "panomasks/12_a/*"),
    (layouts.voc, "pascal_voc", "val", "VOCdevkit/VOC2012/SegmentationClass/*"),
    (layouts.pixel_imagenet, "pixel_imagenet", "train", "images/*/*"),
]


@pytest.mark.parametrize("write, name, split, pattern", EVERY)
def test_sources_that_changed_are_told_and_prepared_anew_where_it_is_asked(
    tmp_path, write, name, split, pattern
):
    write(tmp_path / "in")
    options = dict(source=tmp_path / "in", output=tmp_path / "out", splits=[split])
    (first,) = shards.prepare(name, **options)
    made = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    (again,) = shards.prepare(name, **options)
    assert again["title"].endswith("(prepared earlier; --overwrite prepares it again)")
    file = min((tmp_path / "in").glob(pattern))
    if file.suffix == ".json":
        file.write_text(file.read_text().replace('"category": "', '"category": "x'))
    else:
        file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(InputError, match=r"from other sources \(changed: .*with --overwrite"):
        shards.prepare(name, **options)
    assert all(path.read_bytes() == content for path, content in made.items())
    (anew,) = shards.prepare(name, **options, overwrite=True)
    assert anew["counts"] == first["counts"] and "earlier" not in anew["title"]
    shards.prepare(name, **options)
    assert {path for path in (tmp_path / "out").rglob("*") if path.is_file()} == set(made)


def test_an_overwritten_split_leaves_the_others_and_forgets_its_shards(tmp_path):
    source = layouts.davis(tmp_path / "in")
    options = dict(source=source, output=tmp_path / "out")
    shards.prepare("davis", **options, splits=["train", "test_dev"], per_shard=1)
    shards.prepare("davis", **options, splits=["train"], overwrite=True)
    final = tmp_path / "out/davis/2017_480p/1.0.0"
    names = sorted(path.name for path in final.glob("*.array_record*"))
    assert names == [
        "davis-test_dev.array_record-00000-of-00001",
        "davis-train.array_record-00000-of-00001",
    ]
    splits = tfds.builder_from_directory(final).info.splits
    assert {name: split.num_examples for name, split in splits.items()} == {
        "test_dev": 1,
        "train": 2,
    }
    shards.prepare("davis", **options, splits=["train", "test_dev"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["davis"]


def test_units_that_are_new_gone_or_excluded_are_named(tmp_path):
    options = dict(source=layouts.davis(tmp_path / "in"), output=tmp_path / "out", splits=["train"])
    shards.prepare("davis", **options)
    with pytest.raises(InputError, match=r"other sources \(gone or excluded: bear\): "):
        shards.prepare("davis", **options, exclude=["bear"])
    (tmp_path / "in/ImageSets/2017/train.txt").write_text("bus\nbear\naerobatics\n")
    with pytest.raises(InputError, match=r"other sources \(new: aerobatics\): "):
        shards.prepare("davis", **options)


def test_where_the_source_lies_does_not_count(tmp_path, monkeypatch):
    layouts.davis(tmp_path / "in")
    monkeypatch.chdir(tmp_path / "in")
    options = dict(output=tmp_path / "out", splits=["train"])
    shards.prepare("davis", source=".", **options)
    for source in (tmp_path / "in", "../in", "."):
        shards.prepare("davis", source=source, **options)
    file = min((tmp_path / "in").glob("JPEGImages/480p/bear/*"))
    file.write_bytes(file.read_bytes() + b"\0")
    for source in (tmp_path / "in", "../in", "."):
        with pytest.raises(InputError, match="from other sources"):
            shards.prepare("davis", source=source, **options)


def test_a_split_of_an_earlier_version_is_taken_with_a_note(tmp_path):
    options = dict(source=layouts.davis(tmp_path / "in"), output=tmp_path / "out", splits=["train"])
    shards.prepare("davis", **options)
    (tmp_path / "out/davis/2017_480p/1.0.0/sources-train.json").unlink()
    with pytest.warns(Note, match="split train of .* by an earlier version.*--overwrite"):
        (again,) = shards.prepare("davis", **options)
    assert "prepared earlier" in again["title"]


@pytest.mark.parametrize("name", ["sources-train.json", "report-train.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff"])
def test_a_damaged_record_of_a_split_is_one_line(tmp_path, name, content):
    options = dict(source=layouts.davis(tmp_path / "in"), output=tmp_path / "out", splits=["train"])
    shards.prepare("davis", **options)
    path = tmp_path / "out/davis/2017_480p/1.0.0" / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        shards.prepare("davis", **options)
    shards.prepare("davis", **options, overwrite=True)
    assert path.read_bytes() != content


def test_what_changed_while_a_run_was_stopped_is_prepared_again(tmp_path, monkeypatch):
    source = layouts.davis(tmp_path / "in")
    options = dict(source=source, output=tmp_path / "out", splits=["train"], per_shard=1)
    with monkeypatch.context() as patch:
        patch.setattr(shards, "_finish", None)
        with pytest.raises(TypeError):
            shards.prepare("davis", **options)
    file = min(source.glob("JPEGImages/480p/bear/*"))
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.warns(Note, match="prepared again, as their sources have .*: bear$"):
        shards.prepare("davis", **options)
    records = tfds.builder_from_directory(tmp_path / "out/davis/2017_480p/1.0.0").as_data_source(
        "train"
    )
    assert file.read_bytes() in {bytes(i) for record in records for i in record["images"]}
    shards.prepare("davis", **options)


def test_splits_can_be_added_and_complete_ones_are_left(tmp_path, prepared):
    source = prepared(layouts.davis, "davis/2017_480p").source
    for splits in (["train"], ["test_dev"], ["train"]):
        (report,) = shards.prepare("davis", source=source, output=tmp_path, splits=splits)
    assert "prepared earlier" in report["title"]
    made = tfds.builder_from_directory(tmp_path / "davis/2017_480p/1.0.0")
    assert {name: split.num_examples for name, split in made.info.splits.items()} == {
        "train": 2,
        "test_dev": 1,
    }


def test_processes_give_the_same_shards(tmp_path, prepared):
    made = prepared(layouts.vspw, "vspw/classes", per_shard=1)
    shards.prepare(
        "vspw", source=made.source, output=tmp_path, splits=["train"], workers=2, per_shard=1
    )
    assert _same(made, tmp_path / "vspw/classes/1.0.0")


def test_beam_gives_the_same_shards(tmp_path, prepared):
    pytest.importorskip("apache_beam", reason="SKIPPED: Apache Beam (extra 'beam') is missing")
    from data_prep import beam

    made = prepared(layouts.vspw, "vspw/classes", per_shard=1)
    shards.prepare(
        "vspw",
        source=made.source,
        output=tmp_path,
        splits=["train"],
        per_shard=1,
        run=beam.runner(),
    )
    assert _same(made, tmp_path / "vspw/classes/1.0.0")


def test_command_line_prints_the_table(tmp_path, capsys, prepared):
    made = prepared(write_vis_2021, "youtube_vis/2021")
    layouts.write_json(tmp_path / "meta.json", {"videos": {"0c0c0c0c0c": {}}})
    assert (
        main(
            [
                "youtube_vis/2021",
                "--source",
                str(made.source),
                "--output",
                str(tmp_path),
                "--split",
                "train",
                "--exclude",
                str(tmp_path / "meta.json"),
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "youtube_vis/2021 train" in said and "excluded by the given list" in said
    assert "WARNING: 2 videos found, 2,985 were published (-2,983)" in said
    saved = json.loads((tmp_path / "youtube_vis/2021/1.0.0/report-train.json").read_text())
    assert saved["left_out"]["excluded by the given list"]["where"] == ["0c0c0c0c0c"]


@pytest.mark.parametrize(
    "name, said",
    [
        ("vspv", "there are coco, davis"),
        ("masks", "there is no dataset 'masks'"),
        ("vspw/x", "it has classes, components"),
        ("davis", "no folder of DAVIS"),
    ],
)
def test_wrong_names_and_folders_are_said_in_one_line(tmp_path, capsys, name, said):
    code = main([name, "--source", str(tmp_path), "--output", str(tmp_path), "--split", "train"])
    error = capsys.readouterr().err
    assert code == 2 and said in error and error.count("\n") == 1


def test_without_pycocotools_one_line_says_so(tmp_path, capsys, monkeypatch):
    layouts.coco(tmp_path / "in")
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    flags = ("--source", str(tmp_path / "in"), "--output", str(tmp_path / "out"))
    assert main(["coco", *flags, "--split", "val"]) == 2
    error = capsys.readouterr().err
    assert "pycocotools, which is not installed" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_split_of_which_nothing_is_left_is_refused(tmp_path):
    source = layouts.voc(tmp_path / "in")
    (source / "VOCdevkit/VOC2012/JPEGImages/2007_000001.jpg").unlink()
    with pytest.raises(InputError, match="nothing is left.*1 times damaged picture"):
        shards.prepare("pascal_voc", source=source, output=tmp_path / "out", splits=["train"])
    assert not (tmp_path / "out/pascal_voc").exists()


def test_two_processes_are_kept_apart(tmp_path):
    source = layouts.youtube_vos(tmp_path / "source")
    out = tmp_path / "out"
    name = f".{'-'.join(('youtube_vos', '2019', version(source)))}-valid.lock"
    with locked(out / name, what="it"), pytest.raises(Held, match="split valid of .*is in use by"):
        shards.prepare("youtube_vos/2019", source=source, output=out, splits=["valid"])
    shards.prepare("youtube_vos/2019", source=source, output=out, splits=["valid"])
    assert [path.name for path in out.iterdir()] == ["youtube_vos"]


def version(source):
    settings = dict(name="youtube_vos", config="2019", source=str(source), exclude=[])
    return str(shards.built(settings).version)


@pytest.mark.parametrize(
    "text, told",
    [
        ("write() failed: No space left on device; writing x", "disk full while writing"),
        ("write() failed: File too large; writing x; at byte 9", "larger than the file system"),
    ],
)
def test_a_shard_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, text, told):
    layouts.youtube_vos(tmp_path / "source")

    class Full:
        def __init__(self, path, options):
            raise RuntimeError(text)

    monkeypatch.setattr(shards, "ArrayRecordWriter", Full)
    with pytest.raises(InputError, match=told):
        shards.prepare(
            "youtube_vos/2019",
            source=tmp_path / "source",
            output=tmp_path / "out",
            splits=["valid"],
        )
