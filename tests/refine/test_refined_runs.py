"""Refinement in commands: only the output changes, and what was done stands in the records."""

import json

import cv2
import jax
import numpy as np
import pytest
from support.clips import clip
from support.command import masks_of, write_frames

import vosjax
from vosjax.eval import probabilities
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.refine.config import RefineConfig
from vosjax.refine.refiner import load_refiner

FRAMES, LABELS = clip(frames=6, height=80, width=96, objects=2)


@pytest.fixture
def film(workdir, boundary):
    """segment(*flags) over frames that have room for patches; `on` turns refinement on."""
    frames = write_frames(workdir.root / "large", FRAMES)
    write_label_png(workdir.root / "large.png", LABELS[0])

    def segment(out, *more):
        return workdir.segment(*more, video=frames, masks=workdir.root / "large.png", out=out)

    segment.on = (f"--config.refine.boundary={boundary}", "--config.refine.boundary_min_area=50")
    segment.frames, segment.run, segment.root = frames, workdir.run, workdir.root
    return segment


@pytest.fixture
def davis(film):
    """A dataset of two videos, and evaluate(out, *flags)."""
    data = film.root / "davis"
    for name, count in (("cow", 4), ("dog", 3)):
        (data / "JPEGImages" / name).mkdir(parents=True)
        for index, (frame, truth) in enumerate(zip(FRAMES[:count], LABELS)):
            cv2.imwrite(str(data / "JPEGImages" / name / f"{index:05d}.jpg"), frame[..., ::-1])
            write_label_png(data / "Annotations" / name / f"{index:05d}.png", truth)

    def evaluate(out, *more):
        config = str(film.root / "config.py")
        flags = ("--mode", "eval", "--config", config, "--data", data, "--output", out)
        return film.run(*flags, *more)

    evaluate.data = data
    return evaluate


def record_of(folder, name="run.json"):
    return json.loads((folder / name).read_text())


def refined_labels(boundary, frame, labels):
    """What one frame becomes, by the public functions."""
    from vosjax.refine.labels import refine_labels

    refiner = load_refiner(RefineConfig(boundary=boundary, boundary_min_area=50))
    return refine_labels(refiner, frame, labels)


def test_segment_refines_its_output_and_says_so(film, tmp_path, capsys):
    assert film(tmp_path / "plain") == 0
    assert "refined" not in record_of(tmp_path / "plain")
    assert "refine" not in record_of(tmp_path / "plain")["settings"]
    assert film(tmp_path / "refined", *film.on) == 0
    assert "refinement: " in capsys.readouterr().out
    record = record_of(tmp_path / "refined")
    assert record["refined"]["patches"] > 0 and record["refined"]["given_frames"] == 1
    assert record["settings"]["refine"]["boundary_min_area"] == 50
    plain, refined = masks_of(tmp_path / "plain"), masks_of(tmp_path / "refined")
    assert np.array_equal(refined[0], LABELS[0])
    assert plain.shape == refined.shape


def test_the_network_remembers_what_it_did_without_refinement(film, boundary):
    """The same state, whatever comes of the output."""
    model = vosjax.load(film.root / "weights")
    refiner = load_refiner(RefineConfig(boundary=boundary, boundary_min_area=50))
    plain, refined = vosjax.Tracker(model), vosjax.Tracker(model, refine=refiner)
    for index, frame in enumerate(FRAMES):
        for tracker in (plain, refined):
            tracker.step(frame, LABELS[0] if index == 0 else None)
    leaves = (jax.tree.leaves(tracker.state.network) for tracker in (plain, refined))
    for ours, theirs in zip(*leaves, strict=True):
        assert np.allclose(ours, theirs, atol=1e-5)
    assert plain.refined == {} and refined.refined["patches"] > 0


def test_a_saved_tracker_goes_on_counting(film, boundary, tmp_path):
    model = vosjax.load(film.root / "weights")
    refiner = load_refiner(RefineConfig(boundary=boundary, boundary_min_area=50))
    whole = vosjax.Tracker(model, refine=refiner)
    results = [whole.step(frame, None if i else LABELS[0]) for i, frame in enumerate(FRAMES)]
    half = vosjax.Tracker(model, refine=refiner)
    for i, frame in enumerate(FRAMES[:3]):
        half.step(frame, None if i else LABELS[0])
    half.save(tmp_path / "tracker.npz")
    half = vosjax.Tracker.restore(tmp_path / "tracker.npz", model, refine=refiner)
    for frame, result in zip(FRAMES[3:], results[3:]):
        assert np.array_equal(half.step(frame).labels, result.labels)
    assert half.refined == whole.refined


def test_eval_refines_like_the_tracker_and_counts_in_its_records(film, davis, tmp_path, capsys):
    assert davis(tmp_path / "eval", *film.on) == 0
    assert "refinement: " in capsys.readouterr().out
    result = record_of(tmp_path / "eval", "results.json")
    videos = [record_of(tmp_path / "eval" / "videos", f"{name}.json") for name in ("cow", "dog")]
    total = sum(video["refined"]["patches"] for video in videos)
    assert result["refined"]["patches"] == total > 0
    first = read_label_png(tmp_path / "eval" / "masks" / "cow" / "00000.png")
    assert np.array_equal(first, LABELS[0])
    frames = [
        cv2.imread(str(davis.data / "JPEGImages" / "cow" / f"{i:05d}.jpg"))[..., ::-1]
        for i in range(4)
    ]
    refiner = load_refiner(RefineConfig(boundary=film.on[0].split("=")[1], boundary_min_area=50))
    tracker = vosjax.Tracker(vosjax.load(film.root / "weights"), refine=refiner, mem_every=2)
    for index, frame in enumerate(frames):
        labels = tracker.step(frame, None if index else LABELS[0]).labels
        mask = read_label_png(tmp_path / "eval" / "masks" / "cow" / f"{index:05d}.png")
        assert (labels == mask).mean() > 0.999


def test_fuse_refines_what_it_fused(film, davis, tmp_path):
    kept = ("--config.eval.probabilities=8",)
    assert davis(tmp_path / "a", *kept) == 0
    fuse = ("--mode", "fuse", "--config", "configs/base.py", "--input", tmp_path / "a")
    assert film.run(*fuse, "--output", tmp_path / "fused", *film.on) == 0
    assert record_of(tmp_path / "fused", "results.json")["refined"]["patches"] > 0
    assert film.run(*fuse, "--output", tmp_path / "plain") == 0
    assert "refined" not in record_of(tmp_path / "plain", "results.json")
    probs, _ = probabilities.read(tmp_path / "a" / "probabilities" / "cow" / "00002.npz")
    plain = read_label_png(tmp_path / "plain" / "masks" / "cow" / "00002.png")
    assert np.array_equal(plain, probs.argmax(0))


def test_a_finished_run_of_segment_is_refined_afterwards(film, boundary, tmp_path, capsys):
    assert film(tmp_path / "run") == 0
    again = ("--mode", "refine", "--config", "configs/base.py", "--input", tmp_path / "run")
    assert film.run(*again, "--output", tmp_path / "refined", *film.on) == 0
    assert "refinement: " in capsys.readouterr().out
    record, before = record_of(tmp_path / "refined"), masks_of(tmp_path / "run")
    assert record["status"] == "complete" and record["refined"]["given_frames"] == 1
    assert (tmp_path / "refined" / "overlay.mp4").is_file()
    after = masks_of(tmp_path / "refined")
    assert np.array_equal(after[0], before[0])
    for frame, labels, mask in zip(FRAMES[1:], before[1:], after[1:]):
        assert np.array_equal(refined_labels(boundary, frame, labels)[0], mask)
    assert film.run(*again, "--output", tmp_path / "refined", *film.on) == 0
    assert "is complete" in capsys.readouterr().out


def test_masks_of_any_program_are_refined_with_their_names_and_colours(film, tmp_path):
    palette = np.arange(768, dtype=np.uint8).reshape(256, 3)
    for index in (1, 4):
        write_label_png(tmp_path / "other" / f"{index:05d}.png", LABELS[index], palette)
    flags = ("--mode", "refine", "--config", "configs/base.py", "--video", film.frames)
    out = tmp_path / "out"
    assert film.run(*flags, "--input", tmp_path / "other", "--output", out, *film.on) == 0
    assert sorted(p.name for p in (out / "masks").iterdir()) == ["00001.png", "00004.png"]
    colours = cv2.imread(str(out / "masks" / "00001.png"))
    background = palette[0][::-1]
    assert (colours[0, -1] == background).all()


def test_masks_that_cannot_be_refined_stay_and_are_counted_in_the_record(film, tmp_path):
    """No boundary, a mask that fills the frame, one that is tiny, and frames below a patch."""
    whole, tiny = np.ones_like(LABELS[0]), np.zeros_like(LABELS[0])
    tiny[40:43, 50:53] = 1
    small = write_frames(tmp_path / "small", FRAMES[:2, :60, :60])
    cases = {
        "theirs": (film.frames, [np.zeros_like(tiny), whole, tiny]),
        "below": (small, [LABELS[0, :60, :60]] * 2),
    }
    counted = []
    for name, (frames, masks) in cases.items():
        for index, labels in enumerate(masks):
            write_label_png(tmp_path / name / f"{index:05d}.png", labels)
        flags = ("--mode", "refine", "--config", "configs/base.py", "--video", frames)
        out = tmp_path / f"{name}_refined"
        assert film.run(*flags, "--input", tmp_path / name, "--output", out, *film.on) == 0
        np.testing.assert_array_equal(masks_of(out), masks)
        refined = record_of(out)["refined"]
        counted.append({key: count for key, count in refined.items() if count})
    assert counted == [{"whole_frames": 1, "small_objects": 1}, {"small_frames": 2}]


def test_refining_goes_on_behind_the_last_whole_frame(film, tmp_path, monkeypatch):
    assert film(tmp_path / "run") == 0
    again = ("--mode", "refine", "--config", "configs/base.py", "--input", tmp_path / "run")
    assert film.run(*again, "--output", tmp_path / "whole", *film.on) == 0
    from vosjax.modes import _refine_video

    real = _refine_video.refine_label_maps

    def failing(*arguments, **settings):
        for number, frame in enumerate(real(*arguments, **settings)):
            if number == 3:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(_refine_video, "refine_label_maps", failing)
    assert film.run(*again, "--output", tmp_path / "killed", *film.on) != 0
    monkeypatch.setattr(_refine_video, "refine_label_maps", real)
    assert film.run(*again, "--output", tmp_path / "killed", *film.on) == 0
    assert np.array_equal(masks_of(tmp_path / "killed"), masks_of(tmp_path / "whole"))
    records = [record_of(tmp_path / name) for name in ("killed", "whole")]
    assert records[0]["refined"] == records[1]["refined"]
    assert records[0]["made"] == records[1]["made"]


def test_a_finished_run_of_eval_is_refined_and_scored(film, davis, tmp_path):
    assert davis(tmp_path / "run") == 0
    again = ("--mode", "refine", "--config", "configs/base.py", "--input", tmp_path / "run")
    assert film.run(*again, "--output", tmp_path / "refined", *film.on) == 0
    result = record_of(tmp_path / "refined", "results.json")
    assert result["complete"] and result["global"]["J&F-Mean"] > 0
    assert result["refined"]["given_frames"] == 2


WRONG = {
    "no refinement": ("--input", "{run}", "--output", "{out}"),
    "is no folder": ("--input", "{run}/nothing", "--output", "{out}", "{on}"),
    "does not say which frames": ("--input", "{masks}", "--output", "{out}", "{on}"),
    "--output is missing": ("--input", "{run}", "{on}"),
    "no weights at": (
        *("--input", "{run}", "--output", "{out}"),
        "--config.refine.boundary=nowhere",
    ),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_refined_is_told_in_one_line(film, tmp_path, capsys, words):
    write_label_png(tmp_path / "masks" / "00000.png", LABELS[0])
    (tmp_path / "run").mkdir()
    names = {name: tmp_path / name for name in ("run", "out", "masks")} | {"on": film.on[0]}
    flags = [part.format(**names) for part in WRONG[words]]
    assert film.run("--mode", "refine", "--config", "configs/base.py", *flags) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
