"""`--mode eval`: from a dataset folder to tables and a zip, stopped and damaged on the way."""

import functools
import json
import re
import zipfile

import cv2
import numpy as np
import pytest
from support.clips import clip
from support.traces import numbers, traces

from vosjax.eval import engine as engines
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.modes import eval as evaluating

SIZE = (48, 64)


def write_video(root, name, frames, labels, *, step=1):
    for index, (frame, truth) in enumerate(zip(frames, labels)):
        folder = root / "JPEGImages" / name
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{index:05d}.jpg"), frame[..., ::-1])
        if index % step == 0:
            write_label_png(root / "Annotations" / name / f"{index:05d}.png", truth)


@pytest.fixture(scope="module")
def engine_of():
    """Engines are kept between tests: programs are compiled once."""
    made = {}
    make = evaluating.make_engines

    def kept(config, network, refiner=None):
        key = (config.eval.chunk, config.eval.probabilities, str(network.config), refiner)
        if key not in made:
            made[key] = make(config, network, refiner)
        return made[key]

    return kept


@pytest.fixture
def davis(workdir, engine_of, monkeypatch):
    """A folder of three videos, and `evaluate(*flags)`."""
    monkeypatch.setattr(evaluating, "make_engines", engine_of)
    root = workdir.root / "davis"
    for name, count in (("cow", 6), ("dog", 5), ("eel", 5)):
        write_video(root, name, *clip(frames=count, height=SIZE[0], width=SIZE[1], objects=2))
    return root


def evaluate(workdir, data, *more, out=None):
    return workdir.run(
        "--mode",
        "eval",
        "--config",
        workdir.config,
        "--data",
        data,
        "--output",
        out or workdir.out,
        *more,
    )


def table(folder):
    return json.loads((folder / "results.json").read_text())


def test_chosen_frames_of_one_video_are_profiled(workdir, davis):
    assert evaluate(workdir, davis, "--config.profile=(0,5)") == 0
    (trace,) = traces(workdir.out)
    assert numbers(trace, "frame") == [0, 1, 2, 3, 4, 5]  # of cow, the longest
    for region in (b"encode", b"predict", b"commit"):
        assert re.search(rb"[/(]" + region + rb"[/)]", trace.read_bytes())


def test_a_dataset_folder_becomes_masks_tables_and_a_zip(workdir, davis, capsys):
    assert evaluate(workdir, davis) == 0
    result = table(workdir.out)
    assert result["complete"] and 0.3 < result["global"]["J&F-Mean"] <= 1
    assert set(result["sequences"]) == {"cow", "dog", "eel"}
    assert result["sequences"]["dog"]["objects"]["2"]["J-Mean"] > 0
    assert result["settings"]["mem_every"] == 2 and len(result["settings"]["weights_sha256"]) == 64
    assert result["versions"]["jax"] and result["speed"]["frames_per_second"] > 0
    assert result["speed"]["frames"] == 13 and result["speed"]["peak_memory_bytes"]["process"] > 0
    with zipfile.ZipFile(workdir.out / "submission.zip") as archive:
        assert len(archive.namelist()) == 16 and "cow/00005.png" in archive.namelist()
    assert (workdir.out / "global_results-all.csv").is_file()
    head, *rows = (workdir.out / "scores" / "eel.csv").read_text().splitlines()
    assert head.endswith("absent") and len(rows) == 10
    assert "J&F-Mean" in capsys.readouterr().out


def test_given_masks_come_out_as_they_were(workdir, davis):
    evaluate(workdir, davis)
    for name in ("cow", "dog"):
        np.testing.assert_array_equal(
            read_label_png(workdir.out / "masks" / name / "00000.png"),
            read_label_png(davis / "Annotations" / name / "00000.png"),
        )


def test_finished_videos_are_skipped_and_lost_files_made_again(workdir, davis, monkeypatch):
    assert evaluate(workdir, davis) == 0
    before, ran = table(workdir.out), []
    (workdir.out / "masks" / "dog" / "00003.png").unlink()
    follow = engines.Engine.follow
    monkeypatch.setattr(
        engines.Engine,
        "follow",
        lambda self, plan, videos: (
            ran.append([len(video.frames) for video in videos]),
            follow(self, plan, videos),
        )[1],
    )
    assert evaluate(workdir, davis) == 0
    assert ran == [[5]] and table(workdir.out)["sequences"] == before["sequences"]


def test_a_killed_run_loses_only_the_video_under_way(workdir, davis, monkeypatch):
    follow = engines.Engine.follow

    ran = []

    def dies_in_the_second(self, plan, videos):
        ran.append(1)
        for number, outcome in enumerate(follow(self, plan, videos)):
            if len(ran) == 2 and number == 2:
                raise KeyboardInterrupt
            yield outcome

    with monkeypatch.context() as patch:
        patch.setattr(engines.Engine, "follow", dies_in_the_second)
        assert evaluate(workdir, davis) == 130
    assert [path.stem for path in (workdir.out / "videos").iterdir()] == ["cow"]
    assert not (workdir.out / "results.json").exists()
    assert evaluate(workdir, davis) == 0
    whole = workdir.root / "whole"
    assert evaluate(workdir, davis, out=whole) == 0
    assert table(whole)["sequences"] == table(workdir.out)["sequences"]


def test_shards_share_the_videos_and_the_last_one_scores(workdir, davis, capsys):
    assert evaluate(workdir, davis, "--shard", "1/2") == 0
    assert "belongs to other shares" in capsys.readouterr().out
    assert not (workdir.out / "results.json").exists()
    assert evaluate(workdir, davis, "--shard=0/2") == 0
    assert set(table(workdir.out)["sequences"]) == {"cow", "dog", "eel"}


@pytest.mark.parametrize("text", ["2/2", "1", "a/b", "-1/2"])
def test_a_shard_that_is_none_is_refused(workdir, davis, text, capsys):
    assert evaluate(workdir, davis, f"--shard={text}") == 2
    assert "i/n is expected" in capsys.readouterr().err


def test_batches_change_no_mask(workdir, davis):
    assert evaluate(workdir, davis) == 0
    other = workdir.root / "batched"
    assert (
        evaluate(workdir, davis, "--config.eval.chunk=2", "--config.eval.batch=2", out=other) == 0
    )
    assert table(other)["sequences"] == table(workdir.out)["sequences"]
    together = [facts["together"] for facts in table(other)["speed"]["videos"].values()]
    assert sorted(together) == [1, 2, 2]


def test_a_folder_of_other_settings_is_refused(workdir, davis, capsys):
    assert evaluate(workdir, davis) == 0
    assert evaluate(workdir, davis, "--config.mem_every=1") == 2
    assert "mem_every was 2, is now 1" in capsys.readouterr().err


def test_a_foreign_folder_is_refused(workdir, davis, capsys):
    workdir.out.mkdir()
    (workdir.out / "letter.txt").write_text("mine")
    assert evaluate(workdir, davis) == 2
    assert "holds other files" in capsys.readouterr().err


def test_a_broken_frame_fails_its_video_and_no_global_score_is_claimed(workdir, davis, capsys):
    broken = davis / "JPEGImages" / "dog" / "00003.jpg"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    assert evaluate(workdir, davis) == 1
    result = table(workdir.out)
    assert not result["complete"] and list(result["failed"]) == ["dog"]
    assert "00003.jpg cannot be read" in result["failed"]["dog"]
    assert result["global"] is None and result["global_of_finished"]["J-Mean"] > 0
    assert set(result["sequences"]) == {"cow", "eel"}
    assert not (workdir.out / "submission.zip").exists()
    printed = capsys.readouterr().out
    assert "1 of 3 videos failed: no global score" in printed and "dog failed: image" in printed
    broken.write_bytes(whole)
    assert evaluate(workdir, davis) == 0
    assert table(workdir.out)["complete"] and table(workdir.out)["global"]["J-Mean"] > 0


def test_a_broken_frame_in_a_batch_fails_its_own_video_only(workdir, davis):
    (davis / "JPEGImages" / "dog" / "00002.jpg").write_bytes(b"")
    assert evaluate(workdir, davis, "--config.eval.chunk=2", "--config.eval.batch=2") == 1
    assert list(table(workdir.out)["failed"]) == ["dog"]


def test_a_missing_frame_is_named_before_anything_runs(workdir, davis, capsys):
    (davis / "JPEGImages" / "cow" / "00002.jpg").unlink()
    assert evaluate(workdir, davis) == 2
    assert "00002" in capsys.readouterr().err and not workdir.out.exists()


def test_a_frame_of_another_size_fails_its_video(workdir, davis):
    cv2.imwrite(str(davis / "JPEGImages" / "eel" / "00002.jpg"), np.zeros((16, 16, 3), np.uint8))
    assert evaluate(workdir, davis) == 1
    assert "16 x 16, the first is 64 x 48" in table(workdir.out)["failed"]["eel"]


def test_truth_that_does_not_fit_is_named_and_mended_without_computing(workdir, davis, capsys):
    file = davis / "Annotations" / "eel" / "00002.png"
    whole = read_label_png(file)
    for damage, words in (
        (lambda: write_label_png(file, whole[:30]), "frame 00002: the truth has 30"),
        (lambda: file.write_bytes(b"no image"), "eel/00002.png cannot be read"),
    ):
        damage()
        assert evaluate(workdir, davis) == 2
        message = capsys.readouterr().err
        assert words in message and "only scores them" in message
        assert not (workdir.out / "results.json").exists()
    finished = {path: path.stat().st_mtime_ns for path in (workdir.out / "videos").iterdir()}
    write_label_png(file, whole)
    assert evaluate(workdir, davis) == 0
    assert finished == {path: path.stat().st_mtime_ns for path in finished}


def test_truth_with_objects_that_the_first_frame_lacks_is_told_and_recorded(workdir, davis, capsys):
    file = davis / "Annotations" / "eel" / "00002.png"
    labels = read_label_png(file)
    labels[:4, :4] = 9
    write_label_png(file, labels)
    assert evaluate(workdir, davis) == 0
    assert table(workdir.out)["sequences"]["eel"]["unscored"] == {
        "9": "not in the first truth, met in frame 00002"
    }
    assert "eel object 9, not in the first truth" in capsys.readouterr().out


def test_a_misspelt_or_impossible_setting_is_named(workdir, davis, capsys):
    assert evaluate(workdir, davis, "--config.eval.protocol=davos") == 2
    assert "davos" in capsys.readouterr().err
    assert evaluate(workdir, davis, "--config.eval.probabilities=12") == 2
    assert "8 or 16 bits" in capsys.readouterr().err


def test_a_balanced_gap_follows_the_video_s_length(workdir, davis):
    assert evaluate(workdir, davis, "--config.balance=4", "--config.max_mem_frames=4") == 0
    gaps = {name: facts["gap"] for name, facts in table(workdir.out)["speed"]["videos"].items()}
    assert gaps == {"cow": 2, "dog": 1, "eel": 1}


@pytest.fixture
def youtube(workdir, engine_of, monkeypatch):
    """Two videos, one object of which starts late; frames every 2, in `_all_frames` every one."""
    monkeypatch.setattr(evaluating, "make_engines", engine_of)
    root, dense = workdir.root / "valid", workdir.root / "valid_all_frames"
    meta = {"videos": {}}
    for name, count in (("v1", 7), ("v2", 7)):
        frames, labels = clip(frames=count, height=SIZE[0], width=SIZE[1], objects=2)
        labels = labels.copy()
        labels[:2][labels[:2] == 2] = 0  # object 2 shows from frame 2 on
        write_video(dense, name, frames, labels, step=2)
        (root / "Annotations").mkdir(parents=True, exist_ok=True)
        (dense / "Annotations" / name).rename(root / "Annotations" / name)
        (root / "JPEGImages" / name).mkdir(parents=True)
        for index in range(0, count, 2):
            data = (dense / "JPEGImages" / name / f"{index:05d}.jpg").read_bytes()
            (root / "JPEGImages" / name / f"{index:05d}.jpg").write_bytes(data)
        listed = [f"{i:05d}" for i in range(0, count, 2)]
        meta["videos"][name] = {
            "objects": {
                "1": {"category": "cow", "frames": listed},
                "2": {"category": "newt", "frames": listed[1:]},
            }
        }
    (root / "meta.json").write_text(json.dumps(meta))
    train = {"videos": {"t": {"objects": {"1": {"category": "cow", "frames": ["00000"]}}}}}
    (workdir.root / "train").mkdir()
    (workdir.root / "train" / "meta.json").write_text(json.dumps(train))
    return root


@functools.cache
def listing(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_youtube_objects_enter_late_and_all_frames_are_scored_sparsely(workdir, youtube):
    seen = f"--config.eval.seen={workdir.root / 'train'}"
    assert evaluate(workdir, youtube, "--config.eval.all_frames=True", seen) == 0
    result = table(workdir.out)
    assert result["global"]["J_seen"] > 0.3 and result["global"]["J_unseen"] > 0
    assert result["sequences"]["v1"]["objects"]["2"]["frames"] == ["00004", "00006"]
    assert result["speed"]["videos"]["v1"]["computed"] == 7
    assert [path.stem for path in sorted((workdir.out / "masks" / "v1").iterdir())] == [
        "00000",
        "00002",
        "00004",
        "00006",
    ]
    assert listing(workdir.out / "submission.zip")[0] == "Annotations/v1/00000.png"
    early = read_label_png(workdir.out / "masks" / "v1" / "00000.png")
    late = read_label_png(workdir.out / "masks" / "v1" / "00002.png")
    assert 2 not in early and 2 in late


def test_without_truth_there_is_a_zip_and_no_score(workdir, youtube):
    for name in ("v1", "v2"):
        for index in (4, 6):
            (youtube / "Annotations" / name / f"{index:05d}.png").unlink()
    assert evaluate(workdir, youtube) == 0
    result = table(workdir.out)
    assert result["global"] is None and result["without_truth"] == ["v1", "v2"]
    assert len(listing(workdir.out / "submission.zip")) == 8
