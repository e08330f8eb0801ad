"""Processes killed by SIGKILL with a half-written file: the same command completes the run."""

import json

import pytest
from support.processes import made, stamps, workplace

KINDS = (
    "masks",
    "probabilities",
    "scores",
    "submission.zip",
    "global_results-all.csv",
    "per-sequence_results-all.csv",
)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return workplace(tmp_path_factory.mktemp("killed"))


def evaluate(workdir, out, **variables):
    return workdir.run(
        "--mode",
        "eval",
        "--data",
        workdir.data,
        "--output",
        out,
        "--config.eval.probabilities=8",
        **variables,
    )


def results(folder):
    table = json.loads((folder / "results.json").read_text())
    return {name: value for name, value in table.items() if name != "speed"}


def test_a_dataset_run_killed_at_any_moment_ends_as_if_it_had_not_been(workdir):
    whole, out = workdir.root / "whole", workdir.root / "out"
    assert evaluate(workdir, whole) == 0
    finished = {}
    for moment, names in (
        ("run.json", set()),  # before it began
        ("masks/cow/00003.png", set()),  # during a video
        ("videos/dog.json", {"cow"}),  # all written, not yet recorded
        ("results.json", {"cow", "dog", "eel"}),
    ):  # while it was scored
        assert evaluate(workdir, out, DIES_AT=moment) == -9
        assert {path.stem for path in stamps(out) if path.parent.name == "videos"} == names
        assert not (out / "results.json").exists()
        assert finished.items() <= stamps(out).items()  # nothing finished was written again
        finished = stamps(out)
    assert evaluate(workdir, out) == 0
    assert finished == stamps(out)
    assert made(out, *KINDS) == made(whole, *KINDS)
    assert results(out) == results(whole)
    assert json.loads((out / "run.json").read_text())["status"] == "complete"


def test_a_segmentation_killed_at_any_moment_ends_as_if_it_had_not_been(workdir):
    def segment(out, **variables):
        return workdir.run(
            "--video",
            workdir.data / "JPEGImages" / "cow",
            "--output",
            out,
            "--masks",
            workdir.data / "Annotations" / "cow" / "00000.png",
            **variables,
        )

    whole, out = workdir.root / "film", workdir.root / "torn"
    assert segment(whole) == 0
    for moment in "masks/00006.png", "state/tracker.npz", "overlay.mp4":
        assert segment(out, DIES_AT=moment) == -9
        assert not (out / "overlay.mp4").exists()
    assert segment(out) == 0
    files = [path.name for path in whole.iterdir() if path.name != "run.json"]
    assert made(out, ".").keys() == made(whole, ".").keys()
    assert made(out, *files) == made(whole, *files)
