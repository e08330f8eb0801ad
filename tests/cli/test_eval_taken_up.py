"""`--mode eval` in a folder with an earlier run: only videos that are still valid are kept."""

import json
import os
import pathlib
import shutil

import cv2
import numpy as np
import pytest
from support.clips import clip
from support.processes import ended, workplace

from vosjax.eval import engine as engines
from vosjax.eval import folder as run_folder
from vosjax.eval import videos
from vosjax.io import lock
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.modes import eval as evaluating

SIZE = (32, 48)
ENGINES = {}


@pytest.fixture
def davis(workdir, monkeypatch):
    """Three videos; engines are kept between tests, so that programs are compiled once."""
    make = evaluating.make_engines

    def kept(config, network, refiner=None):
        key = (config.eval.probabilities, str(network.config), refiner)
        if key not in ENGINES:
            ENGINES[key] = make(config, network, refiner)
        return ENGINES[key]

    monkeypatch.setattr(evaluating, "make_engines", kept)
    root = workdir.root / "davis"
    for name, count in (("cow", 6), ("dog", 5), ("eel", 4)):
        frames, labels = clip(frames=count, height=SIZE[0], width=SIZE[1], objects=2)
        for index, (frame, truth) in enumerate(zip(frames, labels)):
            path = root / "JPEGImages" / name / f"{index:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), frame[..., ::-1])
            write_label_png(root / "Annotations" / name / f"{index:05d}.png", truth)
    return root


@pytest.fixture
def ran(monkeypatch):
    """The lengths of the videos that are run from now on."""
    lengths, follow = [], engines.Engine.follow

    def noted(self, plan, inputs):
        lengths.extend(len(video.frames) for video in inputs)
        return follow(self, plan, inputs)

    monkeypatch.setattr(engines.Engine, "follow", noted)
    return lengths


def evaluate(workdir, data, *more, out=None):
    flags = ("--mode", "eval", "--config", workdir.config, "--data", data)
    return workdir.run(*flags, "--output", out or workdir.out, *more)


def contents(out):
    kinds = ("masks", "scores", "probabilities")
    paths = [path for kind in kinds for path in sorted((out / kind).rglob("*")) if path.is_file()]
    tables = [*sorted(out.glob("*.csv")), out / "submission.zip"]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths + tables}


def sequences_of(out):
    return json.loads((out / "results.json").read_text())["sequences"]


def replace_keeping_the_time(path, data):
    stat = os.stat(path)
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def swap(folder, first, second):
    one, two = (folder / f"{index:05d}.png" for index in (first, second))
    data = one.read_bytes(), two.read_bytes()
    replace_keeping_the_time(one, data[1])
    replace_keeping_the_time(two, data[0])


def fresh_run(workdir, data):
    out = workdir.root / "fresh"
    shutil.rmtree(out, ignore_errors=True)
    assert evaluate(workdir, data, out=out) == 0
    return out


def test_a_video_of_other_frames_is_run_again_and_no_other(workdir, davis, ran, capsys):
    assert evaluate(workdir, davis) == 0
    swap(davis / "JPEGImages" / "dog", 1, 4)
    ran.clear()
    capsys.readouterr()
    assert evaluate(workdir, davis) == 0
    said = capsys.readouterr().out
    assert ran == [5] and "made again, as they are not what they were: dog (frames changed" in said
    fresh = fresh_run(workdir, davis)
    assert contents(workdir.out) == contents(fresh)
    assert sequences_of(workdir.out) == sequences_of(fresh)


def test_a_video_whose_given_mask_changed_is_run_again(workdir, davis, ran, capsys):
    assert evaluate(workdir, davis) == 0
    file = davis / "Annotations" / "eel" / "00000.png"
    write_label_png(file, np.roll(read_label_png(file), 5, 1))
    ran.clear()
    assert evaluate(workdir, davis) == 0
    assert ran == [4] and "eel (given masks changed since)" in capsys.readouterr().out
    assert contents(workdir.out) == contents(fresh_run(workdir, davis))


def test_the_same_labels_in_another_file_are_the_same_mask(workdir, davis, ran):
    assert evaluate(workdir, davis) == 0
    file = davis / "Annotations" / "eel" / "00000.png"
    cv2.imwrite(str(file), read_label_png(file))  # a grey PNG now
    ran.clear()
    assert evaluate(workdir, davis) == 0 and not ran


def test_other_truth_is_scored_anew_without_computing(workdir, davis, ran):
    assert evaluate(workdir, davis) == 0
    before = sequences_of(workdir.out)
    file = davis / "Annotations" / "dog" / "00003.png"
    write_label_png(file, np.roll(read_label_png(file), 5, 1))
    ran.clear()
    assert evaluate(workdir, davis) == 0 and not ran
    assert sequences_of(workdir.out)["dog"] != before["dog"]


DAMAGE = {
    "masks/dog/00002.png is lost": lambda out: (out / "masks/dog/00002.png").unlink(),
    "masks/dog/00002.png is empty": lambda out: (out / "masks/dog/00002.png").write_bytes(b""),
    "masks/dog/00002.png is torn": lambda out: cut(out / "masks/dog/00002.png"),
    "masks/dog/00002.png is not what was written": lambda out: shutil.copy(
        out / "masks/dog/00004.png", out / "masks/dog/00002.png"
    ),
    "scores/dog.csv is not what was written": lambda out: cut(out / "scores/dog.csv"),
    "probabilities/dog/00003.npz is not what": lambda out: cut(out / "probabilities/dog/00003.npz"),
    "probabilities/dog/00001.npz is lost": lambda out: (
        out / "probabilities/dog/00001.npz"
    ).unlink(),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:70])


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_not_what_was_written_is_made_again(workdir, davis, ran, damage, capsys):
    packed = "--config.eval.probabilities=8"
    assert evaluate(workdir, davis, packed) == 0
    before = contents(workdir.out)
    DAMAGE[damage](workdir.out)
    ran.clear()
    capsys.readouterr()
    assert evaluate(workdir, davis, packed) == 0
    said = capsys.readouterr().out
    assert damage in said and said.count("made again") == 1
    assert ran == [5] and contents(workdir.out) == before


@pytest.mark.parametrize(
    "text",
    ["{}", "", "[]", "[1]", "null", "{", "[" * 100_000, '{"name": "cow"}', '{"name": ["dog"]}'],
)
def test_a_record_that_is_none_of_the_video_s_is_made_again(workdir, davis, ran, text):
    assert evaluate(workdir, davis) == 0
    before = contents(workdir.out), sequences_of(workdir.out)
    (workdir.out / "videos" / "dog.json").write_text(text)
    ran.clear()
    assert evaluate(workdir, davis) == 0
    assert ran == [5] and (contents(workdir.out), sequences_of(workdir.out)) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(made={}),
        lambda facts: facts.update(made=[1]),
        lambda facts: facts.update(inputs=3),
        lambda facts: facts["made"].update({"masks/dog/00001.png": None}),
        lambda facts: facts.update(files=["masks", "scores", "../.."]),
    ],
)
def test_a_record_that_was_tampered_with_is_made_again(workdir, davis, ran, change):
    assert evaluate(workdir, davis) == 0
    path = workdir.out / "videos" / "dog.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))
    ran.clear()
    assert evaluate(workdir, davis) == 0 and ran == [5]


def test_a_run_of_an_earlier_version_opens_with_a_note(workdir, davis, ran, capsys):
    assert evaluate(workdir, davis) == 0
    for path in (workdir.out / "videos").iterdir():
        facts = json.loads(path.read_text())
        del facts["made"], facts["inputs"]
        path.write_text(json.dumps(facts))
    ran.clear()
    capsys.readouterr()
    assert evaluate(workdir, davis) == 0 and not ran
    note = capsys.readouterr().err
    assert note.count("\n") == 1
    assert "note: 3 videos (cow, dog, eel) were run by an earlier version" in note


def test_a_torn_record_of_a_failure_is_no_dead_end(workdir, davis):
    assert evaluate(workdir, davis) == 0
    (workdir.out / "failed").mkdir()
    for name, text in (("dog", "{"), ("cow", "{}"), ("other", '{"name": "other", "error": "x"}')):
        (workdir.out / "failed" / f"{name}.json").write_text(text)
    assert evaluate(workdir, davis) == 0
    assert json.loads((workdir.out / "results.json").read_text())["complete"]


def test_overwrite_begins_anew_and_removes_only_what_runs_wrote(workdir, davis, ran, capsys):
    assert evaluate(workdir, davis, "--config.eval.probabilities=8") == 0
    mine = [workdir.out / name for name in ("notes.txt", "masks/mine.png", "masks/my/0.png")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
    assert evaluate(workdir, davis, "--config.mem_every=3") == 2
    assert "mem_every was 2, is now 3" in capsys.readouterr().err
    ran.clear()
    only = "--config.eval.names=('cow','eel')"
    assert evaluate(workdir, davis, "--config.mem_every=3", only, "--overwrite") == 0
    assert sorted(ran) == [4, 6] and set(sequences_of(workdir.out)) == {"cow", "eel"}
    assert all(path.read_bytes() == b"mine" for path in mine)
    assert not (workdir.out / "masks" / "dog").exists()
    assert not (workdir.out / "probabilities").exists()
    assert sorted(path.name for path in (workdir.out / "videos").iterdir()) == [
        "cow.json",
        "eel.json",
    ]


def test_overwrite_is_for_the_whole_folder(workdir, davis, capsys):
    assert evaluate(workdir, davis, "--overwrite", "--shard", "0/2") == 2
    assert "without --shard" in capsys.readouterr().err and not workdir.out.exists()


def test_a_video_that_another_process_runs_is_passed_over(workdir, davis, ran, capsys):
    assert evaluate(workdir, davis) == 0
    dog = next(video for video in videos.discover(davis) if video.name == "dog")
    for name in ("videos/dog.json", "results.json"):
        (workdir.out / name).unlink()
    half = workdir.out / "masks" / "dog" / ".00001.0123abcd.tmp.png"
    half.write_bytes(b"half")
    ran.clear()
    with (
        lock.locked(workdir.out / ".lock", what="out", shared=True),
        lock.locked(run_folder.lock_file(workdir.out, dog), what="dog"),
    ):
        capsys.readouterr()
        assert evaluate(workdir, davis) == 0
        said = capsys.readouterr().out
        assert f"dog is passed over: process {os.getpid()} on" in said
        assert "2 of 3 videos are complete" in said and not ran
        assert half.exists() and not (workdir.out / "results.json").exists()
        assert evaluate(workdir, davis, "--overwrite") == 2
        assert "is in use by process" in capsys.readouterr().err
    assert evaluate(workdir, davis) == 0
    assert ran == [5] and not half.exists()
    assert not list(workdir.out.rglob(".*lock"))


def test_other_shares_are_looked_at_before_they_are_scored(workdir, davis, ran, capsys):
    assert evaluate(workdir, davis, "--shard", "1/2") == 0
    assert {path.stem for path in (workdir.out / "videos").iterdir()} == {"dog", "eel"}
    swap(davis / "JPEGImages" / "dog", 1, 2)
    capsys.readouterr()
    assert evaluate(workdir, davis, "--shard", "0/2") == 0
    said = capsys.readouterr().out
    assert "dog (frames changed since)" in said and "belongs to other shares" in said
    assert not (workdir.out / "results.json").exists()
    assert evaluate(workdir, davis, "--shard", "1/2") == 0
    assert contents(workdir.out) == contents(fresh_run(workdir, davis))


NAMES = [
    "v" * 250,
    "w" * 255,
    "com,ma",
    'quo"te',
    "line\nbreak",
    os.fsdecode(b"caf\xe9"),
    "字" * 80,
]


def test_names_of_every_kind_are_run_scored_and_taken_up(workdir, davis, ran):
    """As long as a name may be, with commas and line breaks, and in bytes that are no UTF-8."""
    for kind in ("JPEGImages", "Annotations"):
        for name in NAMES:
            shutil.copytree(davis / kind / "eel", davis / kind / name)
    assert evaluate(workdir, davis) == 0
    sequences = sequences_of(workdir.out)
    assert set(NAMES) < set(sequences)
    assert all(sequences[name] == sequences["eel"] for name in NAMES)
    ran.clear()
    assert evaluate(workdir, davis) == 0 and not ran
    evaluate(workdir, davis, "--overwrite")
    assert len(ran) == 3 + len(NAMES)


def test_links_of_videos_that_lead_nowhere_are_named(workdir, davis, capsys):
    (davis / "JPEGImages" / "fox").symlink_to("/nowhere/fox")
    (davis / "JPEGImages" / "gnu").symlink_to("gnu")
    assert evaluate(workdir, davis) == 2
    line = capsys.readouterr().err
    assert "JPEGImages/fox is a link to /nowhere/fox" in line and line.count("\n") == 1
    assert evaluate(workdir, davis, "--config.eval.names=('gnu',)") == 2
    assert "JPEGImages/gnu is a link to gnu" in capsys.readouterr().err
    assert evaluate(workdir, davis, "--config.eval.names=('cow',)") == 0


def test_a_file_that_may_not_be_read_is_told_as_such(workdir, davis, monkeypatch, capsys):
    read = pathlib.Path.read_bytes

    def refused(path):
        if path.name == "00002.png" and path.parent.name == "dog":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "read_bytes", refused)
        assert evaluate(workdir, davis) == 1
    said = capsys.readouterr().out
    assert "00002.png may not be read: check its permissions" in said and "damaged" not in said
    assert evaluate(workdir, davis) == 0


def test_two_commands_without_shares_share_the_videos(tmp_path):
    """Real processes: neither disturbs the other, and the masks are those of one."""
    workdir = workplace(tmp_path)
    flags = ("--mode", "eval", "--data", workdir.data, "--output")
    both = [workdir.start(*flags, tmp_path / "out") for _ in range(2)]
    endings = [ended(process) for process in both]
    assert [code for code, _ in endings] == [0, 0], endings
    assert workdir.run(*flags, tmp_path / "one") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "one")
    assert not list((tmp_path / "out").rglob(".*lock"))
