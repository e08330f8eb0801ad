"""`--mode segment` in a folder with an earlier run: it resumes only the same work."""

import fcntl
import json
import os
import pathlib

import numpy as np
import pytest
from support.command import FRAMES, LABELS, masks_of, write_frames
from support.films import write_film

from vosjax.io import lock
from vosjax.io.palette import read_label_png, write_label_png
from vosjax.runs import frame_files
from vosjax.tracking import tracker


@pytest.fixture
def killed(workdir, monkeypatch):
    """killed(t): the main command dies while it writes the mask of frame t; it saves every 4."""
    write = frame_files.write_label_png

    def at(index, *more):
        def dies(path, labels, palette):
            if path.stem == f"{index:05d}":
                raise SystemError("as good as killed")
            write(path, labels, palette)

        with monkeypatch.context() as patch:
            patch.setattr(frame_files, "write_label_png", dies)
            assert workdir.segment(*more) == 70

    return at


@pytest.fixture
def stepped(monkeypatch):
    """The frames that a network sees from now on."""
    seen, submit = [], tracker.Tracker.submit

    def noted(self, frame, labels=None):
        seen.append(self.time)
        return submit(self, frame, labels)

    monkeypatch.setattr(tracker.Tracker, "submit", noted)
    return seen


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Filled by the first test that needs it: what an undisturbed run leaves."""
    return {}


def whole(workdir, expected, *more):
    """{file: content} of an undisturbed run; the toy's weights are the same in every test."""
    key = more
    if key not in expected:
        out = workdir.root / "undisturbed"
        assert workdir.segment(*more, out=out) == 0
        expected[key] = contents(out)
    return expected[key]


def contents(out):
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "overlay.mp4")
    }


def record_of(workdir):
    return json.loads((workdir.out / "run.json").read_text())


def replace_keeping_the_time(path, data):
    """Another content of the same name, size and time, as a careful copy leaves it."""
    path, stat = pathlib.Path(path), os.stat(path)
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


PLAIN = "--config.overlay=False"


def swap(folder, first, second):
    """Exchanges two frames of a folder; names, sizes and times stay."""
    one, two = (pathlib.Path(folder) / f"{index:05d}.png" for index in (first, second))
    data = one.read_bytes(), two.read_bytes()
    replace_keeping_the_time(one, data[1])
    replace_keeping_the_time(two, data[0])


def test_other_frames_under_the_same_names_are_noticed_in_a_complete_run(workdir, capsys):
    assert workdir.segment(PLAIN) == 0
    before = contents(workdir.out)
    swap(workdir.video, 5, 7)
    assert workdir.segment(PLAIN) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and f"frames: {workdir.video} has changed since" in line
    assert "--overwrite" in line and contents(workdir.out) == before


def test_other_frames_are_noticed_where_a_run_would_go_on(workdir, killed, capsys):
    killed(6, PLAIN)
    swap(workdir.video, 5, 7)
    assert workdir.segment(PLAIN) == 2
    assert "has changed since" in capsys.readouterr().err


def test_a_film_of_the_same_size_and_time_is_noticed(workdir, capsys):
    film = write_film(workdir.root / "clip.mp4", FRAMES)
    assert workdir.segment(PLAIN, video=str(film)) == 0
    data = bytearray(film.read_bytes())
    data[-1] ^= 1
    replace_keeping_the_time(film, bytes(data))
    assert workdir.segment(PLAIN, video=str(film)) == 2
    assert "clip.mp4 has changed since" in capsys.readouterr().err


def test_touched_but_unchanged_frames_are_the_same_work(workdir, capsys):
    assert workdir.segment(PLAIN) == 0
    for path in pathlib.Path(workdir.video).iterdir():
        os.utime(path, ns=(0, 0))
    assert workdir.segment(PLAIN) == 0
    assert "is complete (10 frames)" in capsys.readouterr().out


def test_overwrite_begins_anew_and_removes_only_what_a_run_wrote(workdir, expected, capsys):
    undisturbed = whole(workdir, expected, PLAIN)
    write_frames(workdir.root / "longer", np.concatenate([FRAMES, FRAMES]))
    assert workdir.segment(video=str(workdir.root / "longer")) == 0  # with a film, and more masks
    mine = {"notes.txt": b"mine", "masks/00003 copy.png": b"mine", "masks/readme": b"mine"}
    for name, data in mine.items():
        (workdir.out / name).write_bytes(data)
    assert workdir.segment(PLAIN) == 2
    assert workdir.segment(PLAIN, "--overwrite") == 0
    assert contents(workdir.out) == undisturbed | mine
    assert not (workdir.out / "overlay.mp4").exists() and not (workdir.out / "state").exists()
    assert record_of(workdir)["status"] == "complete"
    capsys.readouterr()
    assert workdir.segment(PLAIN) == 0 and "is complete" in capsys.readouterr().out


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_folder_of_someone_else_is_left_alone(workdir, more, capsys):
    workdir.out.mkdir()
    theirs = {"run.json": b'{"mine": 1}', "masks": b"a file", "scores.csv": b"a,b\n1,2\n"}
    for name, data in theirs.items():
        (workdir.out / name).write_bytes(data)
    assert workdir.segment(*more) == 2
    assert "holds other files (masks, run.json, scores.csv)" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in workdir.out.iterdir()} == theirs


def test_overwrite_leaves_the_run_of_another_mode_alone(workdir, capsys):
    workdir.out.mkdir()
    text = '{"status": "complete", "settings": {"data": "davis"}}'
    (workdir.out / "run.json").write_text(text)
    assert workdir.segment("--overwrite") == 2
    assert "holds a run of --mode eval, not of --mode segment" in capsys.readouterr().err
    assert (workdir.out / "run.json").read_text() == text


DAMAGE = {
    "is lost": lambda path: path.unlink(),
    "is empty": lambda path: path.write_bytes(b""),
    "is torn": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "is not what was written": lambda path: write_label_png(path, LABELS[9]),
}


@pytest.mark.parametrize("more", [(PLAIN,), ()], ids=["masks alone", "with a film"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_mask_that_is_not_what_was_written_is_made_again(
    workdir, killed, expected, damage, more, capsys
):
    """In an interrupted run; with the film on, too, which is made of the masks."""
    undisturbed = whole(workdir, expected, *more)
    killed(6, *more)
    DAMAGE[damage](workdir.out / "masks" / "00002.png")
    capsys.readouterr()
    assert workdir.segment(*more) == 0
    said = capsys.readouterr().out
    assert f"masks/00002.png {damage}: the run starts anew from frame 0" in said
    assert contents(workdir.out) == undisturbed


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_complete_run_is_complete_only_with_its_masks(workdir, expected, damage, capsys):
    assert workdir.segment(PLAIN) == 0
    undisturbed = contents(workdir.out)
    DAMAGE[damage](workdir.out / "masks" / "00008.png")
    capsys.readouterr()
    assert workdir.segment(PLAIN) == 0
    said = capsys.readouterr().out
    assert f"masks/00008.png {damage}: the run is made again" in said and "is complete" not in said
    assert contents(workdir.out) == undisturbed
    assert workdir.segment(PLAIN) == 0 and "is complete" in capsys.readouterr().out


def test_all_that_is_lost_of_a_complete_run_is_said_in_one_line(workdir, capsys):
    assert workdir.segment() == 0
    for path in [*(workdir.out / "masks").iterdir(), workdir.out / "overlay.mp4"]:
        path.unlink()
    capsys.readouterr()
    assert workdir.segment() == 0
    said = capsys.readouterr().out
    assert "overlay.mp4 is lost" in said and "and 8 more: the run is made again" in said
    assert len(masks_of(workdir.out)) == 10 and (workdir.out / "overlay.mp4").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text(""),
        lambda path: path.write_text("".join(path.read_text().splitlines(True)[:4])),
        lambda path: path.write_text(path.read_text().replace("00001,1,0.", "00001,1,1.")),
        lambda path: path.write_bytes(b"\xff\0" * 99),
    ],
    ids=["lost", "empty", "rows lost", "another row", "binary"],
)
def test_scores_that_were_lost_are_made_again(workdir, killed, expected, spoil, capsys):
    undisturbed = whole(workdir, expected, PLAIN)
    killed(6, PLAIN)
    spoil(workdir.out / "scores.csv")
    assert workdir.segment(PLAIN) == 0
    assert "scores.csv" in capsys.readouterr().out
    assert contents(workdir.out) == undisturbed


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:1000]),
        lambda path: path.write_bytes(b"no state"),
    ],
)
def test_a_torn_state_costs_time_only(workdir, killed, expected, spoil, stepped, capsys):
    undisturbed = whole(workdir, expected, PLAIN)
    killed(6, PLAIN)
    spoil(workdir.out / frame_files.STATE)
    stepped.clear()
    assert workdir.segment(PLAIN) == 0
    assert "the run starts anew from frame 0" in capsys.readouterr().out and stepped[0] == 0
    assert contents(workdir.out) == undisturbed


@pytest.mark.parametrize("lines", [0, 2, 3])
def test_books_that_were_cut_off_cost_time_only(workdir, killed, expected, lines):
    undisturbed = whole(workdir, expected, PLAIN)
    killed(6, PLAIN)
    books = workdir.out / frame_files.BOOKS
    kept = books.read_text().splitlines(True)
    books.write_text("".join(kept[:lines]) + kept[lines][:9])
    assert workdir.segment(PLAIN) == 0
    assert contents(workdir.out) == undisturbed


def test_what_is_whole_is_not_computed_again(workdir, killed, expected, stepped):
    killed(6, PLAIN)
    stepped.clear()
    assert workdir.segment(PLAIN) == 0
    assert stepped == [4, 5, 6, 7, 8, 9] and contents(workdir.out) == whole(
        workdir, expected, PLAIN
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("made"),
        lambda record: record.update(made={}),
        lambda record: record.update(made=[1]),
        lambda record: (record.pop("made"), record.pop("frames")),
    ],
)
def test_a_record_that_lost_what_was_made_is_not_believed(workdir, change, stepped, capsys):
    assert workdir.segment(PLAIN) == 0
    record = record_of(workdir)
    change(record)
    (workdir.out / "run.json").write_text(json.dumps(record))
    stepped.clear()
    assert workdir.segment(PLAIN) == 0
    assert "no list of what was made" in capsys.readouterr().out and len(stepped) == 10


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_a_damaged_record_is_told_and_can_be_overwritten(workdir, text, capsys):
    assert workdir.segment(PLAIN) == 0
    (workdir.out / "run.json").write_text(text)
    assert workdir.segment(PLAIN) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "run.json is damaged" in line
    assert workdir.segment(PLAIN, "--overwrite") == 0
    assert record_of(workdir)["status"] == "complete"


def test_a_run_of_an_earlier_version_is_named_as_such(workdir, capsys):
    assert workdir.segment(PLAIN) == 0
    record = record_of(workdir)
    del record["made"], record["settings"]["frames_sha256"]
    (workdir.out / "run.json").write_text(json.dumps(record))
    assert workdir.segment(PLAIN) == 2
    line = capsys.readouterr().err
    assert "a run of an earlier version" in line and "--overwrite" in line
    assert workdir.segment(PLAIN, "--overwrite") == 0


def test_two_processes_are_kept_apart(workdir, killed, capsys):
    """The second neither goes on nor sweeps what the first is writing."""
    killed(6, PLAIN)
    half = workdir.out / "masks" / ".00006.0123abcd.tmp.png"
    half.write_bytes(b"half")
    before = contents(workdir.out)
    capsys.readouterr()
    for more in ((), ("--overwrite",)):
        with lock.locked(workdir.out / ".lock", what="out"):
            assert workdir.segment(PLAIN, *more) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1 and f"is in use by process {os.getpid()} on" in line
        assert contents(workdir.out) == before
    assert workdir.segment(PLAIN) == 0
    assert not half.exists()


def test_a_lock_is_held_while_the_run_is_at_work(workdir, monkeypatch):
    held, write = [], frame_files.write_label_png

    def look(path, labels, palette):
        with open(workdir.out / ".lock") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(False)
            except BlockingIOError:
                held.append(True)
        write(path, labels, palette)

    monkeypatch.setattr(frame_files, "write_label_png", look)
    assert workdir.segment(PLAIN) == 0
    assert held == [True] * 10 and not (workdir.out / ".lock").exists()


def test_masks_are_on_the_disk_before_the_state_that_stands_on_them(workdir, monkeypatch):
    synced, saved = set(), []
    sync = frame_files.sync

    def noted(paths):
        synced.update(pathlib.Path(path).name for path in paths)
        sync(paths)

    save = tracker.Tracker.save
    monkeypatch.setattr(frame_files, "sync", noted)
    monkeypatch.setattr(
        tracker.Tracker, "save", lambda self, path: (saved.append(set(synced)), save(self, path))
    )
    assert workdir.segment(PLAIN) == 0
    for number, names in zip((4, 8), saved, strict=True):
        assert {f"{t:05d}.png" for t in range(number)} | {"scores.csv", "books.jsonl"} <= names
    assert {f"{t:05d}.png" for t in range(10)} <= synced


@pytest.mark.parametrize("name", ["a" * 300, "notes/deep", "notes"])
def test_an_output_that_cannot_be_a_folder_is_one_line(workdir, name, capsys):
    (workdir.root / "notes").write_text("mine")
    assert workdir.segment(PLAIN, out=workdir.root / name) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and ("too long" in line or "file" in line)
    assert (workdir.root / "notes").read_text() == "mine"


def test_labels_that_were_given_are_still_those_of_the_first_mask(workdir, killed):
    killed(6, PLAIN)
    (workdir.out / "masks" / "00000.png").write_bytes(b"")
    assert workdir.segment(PLAIN) == 0
    np.testing.assert_array_equal(read_label_png(workdir.out / "masks" / "00000.png"), LABELS[0])
