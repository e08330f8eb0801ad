"""Scoring folders of label maps: files in, a nested result and the official csv files out."""

import csv
import json

import numpy as np
import pytest

from vosjax.bench import scoring as bench
from vosjax.errors import InputError
from vosjax.eval import protocols, scoring
from vosjax.io.palette import write_label_png


def write_sequence(folder, maps):
    for i, labels in enumerate(maps):
        write_label_png(folder / f"{i:05d}.png", labels)


def moving_box(count, *, late=0, size=(24, 40)):
    maps = np.zeros((count, *size), np.uint8)
    for i, labels in enumerate(maps):
        x = max(i - late, 0)
        labels[4:14, 2 + x : 14 + x] = 1
        labels[16:21, 20 - x : 28 - x] = 2
    return maps


@pytest.fixture
def folders(tmp_path):
    for name, count in (("cow", 4), ("dog", 6)):
        write_sequence(tmp_path / "truth" / name, moving_box(count))
        write_sequence(tmp_path / "prediction" / name, moving_box(count, late=1))
    return tmp_path / "truth", tmp_path / "prediction"


def test_result_holds_tables_and_curves_and_is_json(folders):
    result = scoring.score(*folders, protocol=protocols.davis())
    assert list(result["sequences"]) == ["cow", "dog"] and result["protocol"] == "davis2017"
    row = result["sequences"]["dog"]["objects"]["2"]
    assert row["frames"] == ["00001", "00002", "00003", "00004"] and len(row["J"]) == 4
    assert row["J-Mean"] == pytest.approx(35 / 45)  # a box of 5 x 8, one pixel late
    assert 0 < result["global"]["J&F-Mean"] < 1
    assert json.loads(json.dumps(result)) == result


def test_several_processes_give_the_same_result(folders):
    done = []
    one = scoring.score(*folders, protocol=protocols.davis())
    two = scoring.score(*folders, protocol=protocols.davis(), processes=2, progress=done.append)
    assert two == one and sorted(done) == ["cow", "dog"]


def test_an_error_in_a_process_arrives_whole(folders):
    (folders[1] / "dog" / "00002.png").unlink()
    with pytest.raises(InputError, match="dog has no prediction for frame 00002"):
        scoring.score(*folders, protocol=protocols.davis(), processes=2)


def test_only_named_sequences_are_scored_and_extra_ones_are_reported(folders):
    result = scoring.score(*folders, protocol=protocols.davis(), sequences=["dog"])
    assert list(result["sequences"]) == ["dog"] and result["extra_sequences"] == ["cow"]


def test_truth_can_be_given_as_files(folders):
    files = {"dog": {f"{i:05d}": folders[0] / "dog" / f"{i:05d}.png" for i in range(5)}}
    result = scoring.score(files, folders[1], protocol=protocols.davis())
    assert result["sequences"]["dog"]["objects"]["1"]["frames"] == ["00001", "00002", "00003"]


def test_frames_that_do_not_count_need_no_prediction(folders):
    for frame in ("00000", "00003"):
        (folders[1] / "cow" / f"{frame}.png").unlink()
    assert scoring.score(*folders, protocol=protocols.davis())["global"]["J-Mean"] > 0


def test_a_missing_sequence_is_named(folders):
    (folders[1] / "dog").rename(folders[1] / "cat")
    with pytest.raises(InputError, match=r"no folder for 1 of 2 sequences \(dog\)"):
        scoring.score(*folders, protocol=protocols.davis())


def test_a_missing_folder_is_named(folders, tmp_path):
    with pytest.raises(InputError, match="there is no folder .*nowhere"):
        scoring.score(folders[0], tmp_path / "nowhere", protocol=protocols.davis())


def test_a_truth_without_masks_is_named(folders):
    (folders[0] / "hen").mkdir()
    with pytest.raises(InputError, match="no truth for hen"):
        scoring.score(*folders, protocol=protocols.davis())


def test_a_damaged_prediction_is_named(folders):
    file = folders[1] / "cow" / "00001.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(InputError, match="cow.00001.png cannot be read"):
        scoring.score(*folders, protocol=protocols.davis())


def test_no_process_is_refused(folders):
    with pytest.raises(ValueError, match="processes is 0"):
        scoring.score(*folders, protocol=protocols.davis(), processes=0)


def test_csv_files_look_like_the_official_ones(folders, tmp_path):
    result = scoring.score(*folders, protocol=protocols.davis())
    total, rows = scoring.write_csv(result, tmp_path / "tables", subset="val")
    assert total.name == "global_results-val.csv" and rows.name == "per-sequence_results-val.csv"
    table = result["global"]
    assert total.read_text() == (
        "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay\n"
        + ",".join(
            f"{table[name]:.3f}"
            for name in (
                "J&F-Mean",
                "J-Mean",
                "J-Recall",
                "J-Decay",
                "F-Mean",
                "F-Recall",
                "F-Decay",
            )
        )
        + "\n"
    )
    lines = rows.read_text().splitlines()
    assert lines[0] == "Sequence,J-Mean,F-Mean"
    assert [line.split(",")[0] for line in lines[1:]] == ["cow_1", "cow_2", "dog_1", "dog_2"]


def test_undefined_values_are_empty_in_csv(folders, tmp_path):
    meta = {"videos": {name: {"objects": {"1": {"category": "cow"}}} for name in ("cow", "dog")}}
    result = scoring.score(*folders, protocol=protocols.youtube_vos(meta))
    total, _ = scoring.write_csv(result, tmp_path, subset="valid")
    header, values = (line.split(",") for line in total.read_text().splitlines())
    assert header[0] == "Overall" and values[0] == "" and len(values) == len(header)


def test_the_benchmark_compares_ways_that_agree(folders, tmp_path):
    truth, prediction = bench.delayed_truth(folders[0], tmp_path / "scratch")
    seconds = bench.measure(truth, prediction, processes=(1,), rounds=2)
    assert [len(values) for values in seconds.values()] == [2, 2]


NAMES = ("com,ma", 'quo"te', "line\nbreak", "caf\udce9", "naïve")


def test_names_of_any_kind_keep_their_column(tmp_path):
    objects = {"1": {"J-Mean": 0.5, "F-Mean": None}}
    result = {"global": {}, "sequences": {name: {"objects": objects} for name in NAMES}}
    _, path = scoring.write_csv(result, tmp_path, subset="all")
    with open(path, newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert (
        rows == [[f"{name}_1".replace("\udce9", "\\udce9"), "0.500", ""] for name in NAMES]
        and len(head) == 3
    )


def test_truth_that_may_not_be_read_is_told_as_such(folders, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(scoring.pathlib.Path, "read_bytes", refused)
    with pytest.raises(InputError, match="the truth .*00000.png may not be read: check its perm"):
        scoring.score(*folders, protocol=protocols.davis())
