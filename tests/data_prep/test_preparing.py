"""How a split is prepared: killed and resumed, by processes or Beam, and refused in one line."""

import json
import sys

import pytest
import tensorflow_datasets as tfds
from support import dataset_layouts as layouts
from support.prepared_splits import once

from data_prep import shard, shards, youtube_vos
from data_prep.__main__ import main
from vosjax.errors import InputError
from vosjax.io.lock import Held, locked


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """prepared(layout function, name, split) -> `PreparedSplit`."""
    return once(tmp_path_factory)


def test_plain_tfds_preparation_gives_the_same_records(prepared, tmp_path):
    made = prepared(layouts.youtube_vos, "youtube_vos/2019")
    builder = youtube_vos.Builder(source=made.source, data_dir=tmp_path, config="2019")
    builder.download_and_prepare()
    read = tfds.builder_from_directory(builder.data_dir)
    assert set(read.info.splits) == {"train", "valid"} and made.has_records_of(builder.data_dir)
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
    assert made.has_records_of(tmp_path / "vspw/classes/1.0.0")


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
    assert made.has_records_of(tmp_path / "vspw/classes/1.0.0")


def test_command_line_prints_the_table(tmp_path, capsys, prepared):
    made = prepared(layouts.youtube_vis_2021, "youtube_vis/2021")
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
    return str(shard.built(settings).version)


@pytest.mark.parametrize(
    "text, words",
    [
        ("write() failed: No space left on device; writing x", "disk full while writing"),
        ("write() failed: File too large; writing x; at byte 9", "larger than the file system"),
    ],
)
def test_a_shard_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, text, words):
    layouts.youtube_vos(tmp_path / "source")

    class Full:
        def __init__(self, path, options):
            raise RuntimeError(text)

    monkeypatch.setattr(shard, "ArrayRecordWriter", Full)
    with pytest.raises(InputError, match=words):
        shards.prepare(
            "youtube_vos/2019",
            source=tmp_path / "source",
            output=tmp_path / "out",
            splits=["valid"],
        )
