"""`--mode export-masks`: what it takes, what it makes, and what it refuses in one line."""

import json
import re

import numpy as np
import pytest
from support import results_folder
from support.command import FRAMES, LABELS, masks_of, write_frames

from vosjax import cli
from vosjax.datasets.folders import Folder
from vosjax.exports import FORMATS
from vosjax.io.masks import read_masks
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.runs import record

SIZE = FRAMES.shape[1:3]


@pytest.fixture
def run(workdir):
    """A finished run of `segment`."""
    assert workdir.segment() == 0
    return workdir


def export(*words):
    return cli.main(["export-masks", *map(str, words)])


@pytest.mark.parametrize("format", FORMATS)
def test_a_finished_run_knows_its_video(format, run, capsys):
    place = run.root / FORMATS[format].default_name("made")
    assert export("--input", run.out, "--format", format, "--output", place) == 0
    assert place.exists() and f"masks of {len(FRAMES)} frames" in capsys.readouterr().out
    if format in ("palette", "coco", "youtube-vis"):
        back = read_masks(str(place), [f"{i:05d}" for i in range(len(FRAMES))], size=SIZE)
        for index, labels in enumerate(masks_of(run.out)):
            np.testing.assert_array_equal(back.labels[index], labels)


def test_it_runs_as_a_mode_of_launch_too(run):
    place = run.root / "made.json"
    code = run.run(
        "--mode", "export-masks", "--config", run.config, "--input", run.out,
        "--format", "coco", "--output", place,
    )  # fmt: skip
    assert code == 0 and json.loads(place.read_text())["images"]


def test_names_of_given_objects_reach_the_export(workdir):
    """From a mask in COCO over a run to YouTube-VIS."""
    first = workdir.root / "first.json"
    assert (
        export(
            "--input", workdir.mask, "--video", workdir.video, "--format", "coco", "--output", first
        )
        == 0
    )
    content = json.loads(first.read_text())
    content["categories"] = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    first.write_text(json.dumps(content))
    assert workdir.segment(masks=first) == 0
    assert record.read(workdir.out)["objects"] == {"1": "dog", "2": "cat"}
    tracks = workdir.root / "tracks.json"
    assert export("--input", workdir.out, "--format", "youtube-vis", "--output", tracks) == 0
    names = [entry["name"] for entry in json.loads(tracks.read_text())["categories"]]
    assert names == ["dog", "cat"]


def test_results_have_the_scores_of_the_run(run):
    place = run.root / "results.json"
    code = export("--input", run.out, "--format", "youtube-vis-results", "--output", place)
    scores = [entry["score"] for entry in json.loads(place.read_text())]
    assert code == 0 and len(scores) == 2 and all(0 < score < 1 for score in scores)


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_of_masks_needs_a_video(named, tmp_path, capsys):
    video = write_frames(tmp_path / "frames", FRAMES)
    for index, labels in enumerate(LABELS):
        name = f"{index:05d}" if named else str(index)
        write_label_png(tmp_path / "masks" / f"{name}.png", labels)
    words = ("--input", tmp_path / "masks", "--format", "davis", "--output", tmp_path / "davis")
    assert export(*words) == 2
    assert "does not say which frames its masks are of" in capsys.readouterr().err
    assert export(*words, "--video", video) == 0
    assert Folder(str(tmp_path / "davis"), split="train").header(0).annotated == tuple(range(10))


def test_two_masks_of_one_frame_are_refused(tmp_path, capsys):
    video = write_frames(tmp_path / "frames", FRAMES)
    for name in ("1", "00001"):
        write_label_png(tmp_path / "masks" / f"{name}.png", LABELS[1])
    place = tmp_path / "a.json"
    words = ("--input", tmp_path / "masks", "--video", video, "--format", "coco")
    assert export(*words, "--output", place) == 2 and not place.exists()
    assert "are both of frame 00001: leave one of them" in capsys.readouterr().err


def test_annotations_of_another_program_become_a_dataset(tmp_path, capsys):
    """CVAT's XML to DAVIS' layout, with the names in the notes."""
    video = write_frames(tmp_path / "frames", FRAMES)
    shape = '<box label="dog" xtl="2" ytl="3" xbr="8" ybr="9"/>'
    image = f'<image id="4" name="frame_000004.png" width="64" height="48">{shape}</image>'
    (tmp_path / "a.xml").write_text(f"<annotations>{image}</annotations>")
    words = ("--input", tmp_path / "a.xml", "--video", video, "--format", "davis")
    assert export(*words, "--output", tmp_path / "made") == 0
    assert "id 1 is dog" in capsys.readouterr().out
    assert Folder(str(tmp_path / "made"), split="train").header(0).annotated == (4,)


def test_void_and_binary_masks_are_understood(tmp_path):
    """255 beside an id is void, 255 alone is the one object, as in DAVIS."""
    video = write_frames(tmp_path / "frames", FRAMES[:2])
    void = np.where(LABELS[0] == 2, 255, LABELS[0]).astype(np.uint8)
    write_label_png(tmp_path / "masks" / "00000.png", void)
    write_label_png(tmp_path / "masks" / "00001.png", np.where(LABELS[1], 255, 0).astype(np.uint8))
    place = tmp_path / "made"
    assert (
        export(
            "--input",
            tmp_path / "masks",
            "--video",
            video,
            "--format",
            "palette",
            "--output",
            place,
        )
        == 0
    )
    np.testing.assert_array_equal(read_label_png(place / "00000.png"), LABELS[0] == 1)
    np.testing.assert_array_equal(read_label_png(place / "00001.png"), LABELS[1] > 0)


def test_a_video_of_a_dataset_run_is_found_by_its_frames(tmp_path, capsys):
    data = results_folder.dataset(tmp_path / "data")
    made = results_folder.run(data, tmp_path / "run")
    video = data / "JPEGImages" / "dog"
    words = ("--input", made, "--format", "coco", "--output", tmp_path / "dog.json")
    assert export(*words, "--video", video) == 0
    assert len(json.loads((tmp_path / "dog.json").read_text())["images"]) == 5
    (tmp_path / "dog.json").unlink()
    assert export(*words, "--video", write_frames(tmp_path / "other", FRAMES)) == 2
    assert "folders (cow, dog): name one of them" in capsys.readouterr().err


def test_a_run_that_is_not_finished_is_refused(run, capsys):
    content = json.loads((run.out / "run.json").read_text()) | {"status": "interrupted"}
    (run.out / "run.json").write_text(json.dumps(content))
    assert export("--input", run.out, "--format", "coco", "--output", run.root / "a.json") == 2
    assert "is interrupted: let it finish" in capsys.readouterr().err


def test_nothing_is_replaced_unasked(run, capsys):
    words = ("--input", run.out, "--format", "palette", "--output", run.root / "made")
    assert export(*words) == 0 and export(*words) == 2
    assert "is there already" in capsys.readouterr().err
    assert export(*words, "--overwrite") == 0
    (run.root / "made" / "precious.txt").write_text("mine")
    assert export(*words, "--overwrite") == 2
    assert "precious.txt" in capsys.readouterr().err
    assert (run.root / "made" / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "words, line",
    [
        ([], "--input and --format and --output missing"),
        (["--input", "x", "--output", "y"], "--format missing"),
        (["--input", "x", "--format", "gif", "--output", "y"], "--format is 'gif': palette, obj"),
        (["--input", "{out}", "--format", "coco", "--output", "y.txt"], "a .json file is expected"),
        (["--input", "{out}", "--format", "coco", "--output", "{root}"], "a .json file is"),
        (["--input", "{out}", "--format", "overlay", "--output", "y"], "an? .mp4 file is expected"),
        (["--input", "{out}", "--format", "davis", "--output", "{mask}"], "is a file"),
        (["--input", "{out}", "--format", "palette", "--output", "{mask}"], "is a file"),
        (["--input", "{out}", "--format", "davis", "--output", "{root}"], "holds other files"),
        (["--input", "{root}/none", "--format", "coco", "--output", "y.json"], "--video"),
        (["--input", "{root}/none", "--format", "coco", "--output", "y.json", "--video", "{video}"],
         "missing"),
        (["--input", "{weights}", "--format", "coco", "--output", "y.json", "--video", "{video}"],
         "mask"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(words, line, run, monkeypatch, capsys):
    monkeypatch.chdir(run.root)
    places = {name: getattr(run, name) for name in ("out", "root", "mask", "video", "weights")}
    before = sorted(run.root.rglob("*"))
    assert export(*[word.format(**places) for word in words]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and re.search(line, error), error
    assert sorted(run.root.rglob("*")) == before
