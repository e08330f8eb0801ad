"""A split is used again only for the sources that it was made from; `overwrite` makes it anew."""

import pytest
import tensorflow_datasets as tfds
from support import dataset_layouts as layouts

from data_prep import shards
from vosjax.errors import InputError, Note

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
